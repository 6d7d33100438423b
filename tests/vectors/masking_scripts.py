"""The scripts of ``masking``: good ones, and each lie told to a member that must see through it.

``verdict`` is ``opens`` or the code of the error wanted; ``steps`` says what a member is told and where a lie comes in.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from reference import Party, Sum, encode_real, hash_parts, wire
from script import HONEST, RUN, STUDY, count_term, description, parties, real_term
from script import spread as written

__all__ = ["LIES", "vectors", "written"]

# name of the lie: the step it comes in at, the code the first member must answer with, and what happens.
LIES: dict[str, tuple[str, str, str]] = {
    "substituted-agreement-key": ("join", "signature.invalid", "the coordinator puts its own key in for member 1's"),
    "substituted-signing-key": ("join", "run.key-substituted", "member 1 is replaced, under its old fingerprint"),
    "own-key-replaced": ("join", "run.key-substituted", "member 0 is told another agreement key than its own"),
    "low-order-key": ("join", "agreement.bad-key", "member 1 signs a point of low order"),
    "unordered-members": ("join", "run.cohort-malformed", "members 0 and 1 change places"),
    "wrong-transcript": ("contribute", "signature.invalid", "member 1 contributes to attempt 1, the others to 0"),
    "wrong-exchange": ("contribute", "signature.invalid", "member 1 contributes to exchange 1, the others to 0"),
    "wrong-description": ("announce", "run.descriptions-differ", "member 1 is said to describe another sum"),
    "missing-entry": ("announce", "run.arrival-incomplete", "member 2 is said not to have arrived"),
    "doubled-entry": ("announce", "run.arrival-incomplete", "member 1 stands twice in the announcement"),
    "replaced-own-contribution": ("announce", "run.contribution-replaced", "member 0's own contribution is another"),
    "changed-payload-byte": ("announce", "run.payload-differs", "one bit of member 1's relayed payload is changed"),
    "missing-payload": ("announce", "run.payload-differs", "member 1's payload is not relayed"),
    "changed-hash": ("announce", "signature.invalid", "a payload of the coordinator's own, hash and all"),
    "short-payload": ("announce", "words.wrong-length", "member 1 signs a payload that is one word short"),
    "swapped-share": ("relay", "sealing.invalid", "the shares of members 1 and 2 change places"),
    "changed-share": ("relay", "sealing.invalid", "one bit of member 1's sealed share is changed"),
    "missing-share": ("relay", "run.opening-incomplete", "member 1's share is withheld"),
    "share-for-another": ("relay", "sealing.invalid", "member 1's share for member 2 is given to member 0"),
    "share-of-other-contributions": ("relay", "sealing.invalid", "member 1 released for another set of contributions"),
    "short-seed": ("relay", "masking.bad-share", "member 1 seals a seed of 31 bytes"),
    "wrong-seed": ("open", "sum.total-out-of-range", "member 1 seals a seed that it did not use"),
}


CHANGED = "sum.total-changed"
ON_ARRIVAL = {
    "missing-entry": LIES["missing-entry"],
    "replaced-own-contribution": LIES["replaced-own-contribution"],
    "wrong-transcript": ("contribute", CHANGED, LIES["wrong-transcript"][2]),
    "left-out-payload": ("announce", CHANGED, "the aggregate is of members 0 and 1 only"),
    "changed-entry": ("announce", CHANGED, "the first entry of the aggregate is one more"),
    "changed-tag": ("announce", CHANGED, "the last entry of the aggregate, of the tags, is one more"),
    "short-aggregate": ("announce", "words.wrong-length", "the aggregate is one word short"),
}
"""The lies that are told of a sum that opens on arrival."""


def good(name: str, size: int, width: int, terms: list[dict[str, Any]], members: tuple[Party, ...] = (), *,
         exchange: int = 0, common: bytes = b"") -> dict[str, Any]:
    """Terms are in order of name, as they lie in the vector."""
    members = members or parties(size)
    facts = Sum(bytes.fromhex(STUDY), RUN, 0, exchange, members, description(width, size, terms))
    plain = [
        [int(v) if t["kind"] == "count" else encode_real(v, t["fraction"]) for t in terms for v in t["values"][k]]
        for k in range(size)
    ]
    payloads = [wire(facts.protect(own, values, common), width) for own, values in zip(members, plain, strict=True)]
    return {
        "name": name,
        "study_hash": STUDY,
        "run_id": RUN,
        "attempt": 0,
        "exchange": exchange,
        "members": [{"signing_seed": p.signing_seed.hex(), "agreement_seed": p.agreement_seed.hex(),
                     "mask_seed": p.mask_seed.hex()} for p in members],
        "terms": terms,
        "steps": HONEST,
        "verdict": "opens",
        "expected": {
            "width": width,
            "fingerprints": [p.fingerprint for p in members],
            "description_hash": facts.description_hash.hex(),
            "transcript": facts.transcript.hex(),
            "payload_sha256": [hashlib.sha256(payload).hexdigest() for payload in payloads],
            # Of a tagged payload no hash is told: its total is held to the tags.
            "digest": hash_parts(facts.transcript, *(
                part for p, payload in zip(members, payloads, strict=True)
                for part in (p.fingerprint.encode(), b"" if common else hash_parts(payload)))).hex(),
            "opened": [str(sum(column)) for column in zip(*plain, strict=True)],
        },
    }


def on_arrival(name: str, steps: list[str]) -> dict[str, Any]:
    """A sum behind another: all seeds are what the one before it left to its members."""
    before = parties(3)
    common = hash_parts(b"sealane binder v1", *(p.mask_seed for p in before))
    members = tuple(replace(p, mask_seed=common) for p in before)
    made = good(name, 3, 96, [count_term("n", 100, [[4], [5], [6]]),
                              real_term("x", 1024, 82, [[1.25, -3.0], [0.5, 0.0], [-1.0, 7.0]])],
                members, exchange=1, common=common)
    made["expected"]["binder"] = hash_parts(b"sealane binder v1", common).hex()
    return made | {"common": True, "steps": steps}


def vectors() -> list[dict[str, Any]]:
    made = [
        # Fractions by the rule: width - 1 - (bits of cohort x bound, and one more), at most 100.
        good("counts-64", 3, 64, [count_term("n", 1000, [[1, -2, 1000], [10, 0, 1000], [100, -1000, 1000]])]),
        good("reals-64", 2, 64, [real_term("x", 1, 60, [[0.5, -1.0, 1.0], [0.25, 2.0**-40, -1.0]])]),
        good("reals-96", 4, 96, [real_term("x", 1000, 82, [[k / 3, -1000.0, 1e-9 * k, 1000.0] for k in range(4)])]),
        good("reals-128", 5, 128, [
            real_term("x", 2**50, 73, [[2.0**50, -(2.0**50), k / 7, -k / 7] for k in range(5)]),
        ]),
        good("counts-beside-reals", 3, 96, [
            count_term("n", 50, [[k, -k] for k in (7, 20, 50)]),
            real_term("x", 1024, 82, [[1.5 * k, -0.1] for k in (1, 2, 3)]),
        ]),
        good("twelve-members", 12, 64, [count_term("n", 10, [[k - 5] for k in range(12)])]),
        on_arrival("opens-on-arrival", ["join", "contribute", "announce", "open"]),
    ]
    for lie, (_, verdict, told) in ON_ARRIVAL.items():
        steps = ["join", "contribute", "announce", f"lie: {lie}"]
        made.append(on_arrival(f"bad-{lie}-on-arrival", steps) | {"told": told, "verdict": verdict})
    for lie, (step, verdict, told) in LIES.items():
        base = good(f"bad-{lie}", 3, 96, [count_term("n", 100, [[4], [5], [6]]),
                                          real_term("x", 1024, 82, [[1.25, -3.0], [0.5, 0.0], [-1.0, 7.0]])])
        steps = [*HONEST[: HONEST.index(step) + 1], f"lie: {lie}"]
        made.append(base | {"told": told, "steps": steps, "verdict": verdict})
    return made
