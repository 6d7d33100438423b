"""The scripts of ``rlwe``: good ones, and lies that each change one of them in one thing.

A lie names its ``base``, comes in after the step that stands before it, and has as its last step the one that must end
with ``verdict``. ``changed_sha256`` is of the bytes that are told instead of the honest ones, where it makes any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rlwe_scripts import ALL_UPDATES, FOUR, GOOD, MOST_UPDATES, NEXT, THREE, Script, sha256
from script import HONEST
from script import compact as written

__all__ = ["LIES", "vectors", "written"]


@dataclass(frozen=True)
class Lie:
    """One lie to the first member, or to the coordinator.

    Attributes:
        after: the honest step that it comes in after.
        at: the step that ends with the verdict.
        changed: the bytes told in place of the honest ones, where the lie makes new ones.
    """

    base: Script
    after: str
    at: str
    verdict: str
    told: str
    changed: Callable[[Script], bytes] | None = None


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def payload_of_1(script: Script, **lies: Any) -> bytes:
    return script.facts.payload(1, script.values(1, script.numbers[1]), **lies)


def largest_residue(payload: bytes) -> bytes:
    """The first residue is its prime itself."""
    lowest = int.from_bytes(payload[:4], "little")
    return (lowest & 3 << 30 | FOUR.facts.scheme.primes[0]).to_bytes(4, "little") + payload[4:]


def dealt_by_1(script: Script, share: bytes) -> bytes:
    """A share of its key that member 1 seals to member 0."""
    return script.facts.sealed_key(1, 0, script.sent[1].payload, share)


def released_by_1(script: Script, share: bytes) -> bytes:
    return script.facts.sealed_share(1, 0, script.digest, share)


def one_more(share: bytes) -> bytes:
    """The first element of a share is one more."""
    element = (int.from_bytes(share[:2], "little") + 1) % 65521
    return element.to_bytes(2, "little") + share[2:]


def numbers_with(script: Script, first: int) -> bytes:
    return script.facts.payload(1, script.values(1, [first, *script.numbers[1][1:]]))


LIES: dict[str, Lie] = {
    # In the cohort.
    "too-many-colluding": Lie(
        THREE, "join", "contribute", "run.survivors-too-few",
        "the study reckons with two nodes that collude, of three"),
    # In a contribution, signed by its sender.
    "replayed-contribution": Lie(
        NEXT, "contribute", "release", "signature.invalid", "member 1 contributes what it did in the exchange before"),
    "other-public-polynomial": Lie(
        FOUR, "contribute", "open", "rlwe.noise-out-of-range",
        "member 1 encrypts with the public polynomial of attempt 1",
        lambda s: payload_of_1(s, public_seed=s.facts_of(1).public_seed)),
    "key-of-another-attempt": Lie(
        FOUR, "contribute", "open", "rlwe.noise-out-of-range",
        "member 1 encrypts with its key of attempt 1, and shares that of attempt 0",
        lambda s: payload_of_1(s, key=s.facts_of(1).key(1))),
    "residue-out-of-range": Lie(
        FOUR, "contribute", "release", "rlwe.residue-out-of-range",
        "member 1 signs a ciphertext whose first residue is the prime itself",
        lambda s: largest_residue(s.sent[1].payload)),
    "count-beyond-its-bound": Lie(
        FOUR, "contribute", "open", "sum.total-out-of-range", "member 1 counts 10000 first, where 1000 is the bound",
        lambda s: numbers_with(s, 10_000)),
    "update-beyond-its-grid": Lie(
        MOST_UPDATES, "contribute", "open", "sum.total-out-of-range",
        "member 1's first entry is 196602, three times the largest of 16 bits",
        lambda s: numbers_with(s, 3 * 65534)),
    "misdealt-key-shares": Lie(
        FOUR, "contribute", "open", "rlwe.shares-inconsistent",
        "member 1 seals the key share of member 2 to member 0, and the other way round",
        lambda s: dealt_by_1(s, s.facts.key_shares(1)[2])),
    "key-share-beyond-the-field": Lie(
        FOUR, "contribute", "release", "rlwe.share-malformed",
        "the first element of what member 1 seals to member 0 is 65535",
        lambda s: dealt_by_1(s, b"\xff\xff" + s.facts.key_shares(1)[0][2:])),
    "short-key-share": Lie(
        FOUR, "contribute", "release", "rlwe.share-malformed", "what member 1 seals to member 0 lacks its last element",
        lambda s: dealt_by_1(s, s.facts.key_shares(1)[0][:-2])),
    # In what the coordinator hears.
    "contribution-of-an-outsider": Lie(
        FOUR, "contribute", "announce", "run.not-a-member", "somebody else sends member 1's contribution"),
    "second-contribution": Lie(
        FOUR, "contribute", "announce", "run.equivocation",
        "member 1 contributes again, with its key of attempt 1",
        lambda s: payload_of_1(s, key=s.facts_of(1).key(1))),
    "withheld-key-share": Lie(
        FOUR, "contribute", "announce", "run.shares-malformed", "member 1 seals no key share to member 2"),
    "update-of-another-ring": Lie(
        ALL_UPDATES, "contribute", "announce", "rlwe.wrong-ring",
        "member 1 is the first to contribute, and encrypts over the primes of 28 bits",
        lambda s: payload_of_1(s, bits=28)),
    "ciphertext-of-another-ring": Lie(
        FOUR, "contribute", "announce", "run.payload-length", "member 1 encrypts over the primes of 28 bits",
        lambda s: payload_of_1(s, bits=28)),
    "truncated-ciphertext": Lie(
        FOUR, "contribute", "announce", "run.payload-length", "member 1's ciphertext lacks its last four bytes",
        lambda s: s.sent[1].payload[:-4]),
    # In the announcement to member 0.
    "ciphertext-of-another-ring-passed-on": Lie(
        FOUR, "announce", "release", "rlwe.wrong-length", "member 1 signs a ciphertext over the primes of 28 bits",
        lambda s: payload_of_1(s, bits=28)),
    "truncated-ciphertext-passed-on": Lie(
        FOUR, "announce", "release", "rlwe.wrong-length", "member 1 signs a ciphertext without its last four bytes",
        lambda s: s.sent[1].payload[:-4]),
    "replayed-exchange": Lie(
        NEXT, "announce", "release", "run.contribution-replaced", "the announcement is that of the exchange before"),
    "too-few-survivors": Lie(
        FOUR, "announce", "release", "run.arrival-incomplete", "only members 0 and 1 are said to have contributed"),
    "doubled-entry": Lie(FOUR, "announce", "release", "run.arrival-incomplete", "member 1 stands twice in it"),
    "entry-of-an-outsider": Lie(
        FOUR, "announce", "release", "run.arrival-incomplete", "somebody else is announced as well, with member 1's"),
    "replaced-own-contribution": Lie(
        FOUR, "announce", "release", "run.contribution-replaced", "member 0 is said to have sent what member 1 did"),
    "wrong-description": Lie(
        FOUR, "announce", "release", "run.descriptions-differ", "the hash of member 1's description is 32 zero bytes",
        lambda s: bytes(32)),
    "changed-signature": Lie(
        FOUR, "announce", "release", "signature.invalid", "one bit of member 1's signature is changed",
        lambda s: flipped(s.sent[1].signature)),
    "changed-shares-hash": Lie(
        FOUR, "announce", "release", "signature.invalid", "one bit of the hash over member 1's shares is changed",
        lambda s: flipped(s.facts.shares_hash(s.sent[1].sealed))),
    "changed-payload": Lie(
        FOUR, "announce", "release", "run.payload-differs", "one bit of member 1's relayed ciphertext is changed",
        lambda s: flipped(s.sent[1].payload)),
    "swapped-key-shares": Lie(
        FOUR, "announce", "release", "sealing.invalid", "the sealed key shares of members 1 and 2 change places"),
    "changed-key-share": Lie(
        FOUR, "announce", "release", "sealing.invalid", "one bit of member 1's sealed key share is changed",
        lambda s: flipped(s.sent[1].sealed[0])),
    "missing-key-share": Lie(FOUR, "announce", "release", "sealing.invalid", "member 1's key share is not passed on"),
    "truncated-aggregate": Lie(
        ALL_UPDATES, "announce", "release", "rlwe.wrong-length", "the announced sum lacks its last four bytes",
        lambda s: s.payload_sum[:-4]),
    "aggregate-out-of-range": Lie(
        ALL_UPDATES, "announce", "release", "rlwe.residue-out-of-range",
        "the first residue of the announced sum is the prime itself", lambda s: largest_residue(s.payload_sum)),
    "aggregate-without-a-survivor": Lie(
        ALL_UPDATES, "announce", "open", "rlwe.noise-out-of-range", "the announced sum is that of all but member 1",
        lambda s: s.added([0, 2, 3])),
    # In what a member releases.
    "two-survivor-sets": Lie(
        ALL_UPDATES, "release", "open", "sealing.invalid",
        "member 1 was told of survivors 0, 1 and 2, and answers for these; member 0 for all four",
        lambda s: s.facts.sealed_share(1, 0, s.facts.digest({k: s.sent[k] for k in (0, 1, 2)}),
                                       s.facts.share_of_sum(1, (0, 1, 2)))),
    "share-of-other-survivors": Lie(
        ALL_UPDATES, "release", "open", "rlwe.shares-inconsistent",
        "member 1 adds up the key shares of survivors 0, 1 and 2, and says it is for all four",
        lambda s: released_by_1(s, s.facts.share_of_sum(1, (0, 1, 2)))),
    "wrong-share": Lie(
        FOUR, "release", "open", "rlwe.shares-inconsistent",
        "the first element of what member 1 releases is one more, with a reply to spare",
        lambda s: released_by_1(s, one_more(s.share(1)))),
    "finely-wrong-share": Lie(
        THREE, "release", "open", "rlwe.noise-out-of-range",
        "the first element of what member 1 releases is one more, without a reply to spare: a key still within bounds",
        lambda s: released_by_1(s, one_more(s.share(1)))),
    "share-beyond-the-field": Lie(
        FOUR, "release", "open", "rlwe.share-malformed", "the first element of what member 1 releases is 65535",
        lambda s: released_by_1(s, b"\xff\xff" + s.share(1)[2:])),
    "short-share": Lie(
        FOUR, "release", "open", "rlwe.share-malformed", "what member 1 releases lacks its last element",
        lambda s: released_by_1(s, s.share(1)[:-2])),
    # In what is relayed to member 0.
    "replayed-release": Lie(
        NEXT, "relay", "open", "sealing.invalid", "member 1's share is the one it sealed in the exchange before"),
    "share-of-an-outsider": Lie(
        FOUR, "relay", "open", "run.opening-incomplete", "somebody else is said to have released, what member 1 did"),
    "share-under-own-name": Lie(
        FOUR, "relay", "open", "run.opening-incomplete", "member 1's share comes again as member 0's"),
    "too-few-replies": Lie(FOUR, "relay", "open", "run.opening-incomplete", "only member 1's share is passed on"),
    "swapped-shares": Lie(FOUR, "relay", "open", "sealing.invalid", "the shares of members 1 and 2 change places"),
    "share-for-another": Lie(
        FOUR, "relay", "open", "sealing.invalid", "member 1's share for member 2 is given to member 0"),
    "changed-share": Lie(
        FOUR, "relay", "open", "sealing.invalid", "one bit of member 1's sealed share is changed",
        lambda s: flipped(s.released(1)[0])),
}


def bad(name: str, lie: Lie) -> dict[str, Any]:
    begin, end = HONEST.index(lie.after) + 1, HONEST.index(lie.at) + 1
    vector = {"name": f"bad-{name}", "base": lie.base.name, "told": lie.told, "verdict": lie.verdict,
              "steps": [*HONEST[:begin], f"lie: {name}", *HONEST[begin:end]]}
    return vector | ({"changed_sha256": sha256(lie.changed(lie.base))} if lie.changed else {})


def vectors() -> list[dict[str, Any]]:
    made = [script.vector() for script in GOOD] + [bad(name, lie) for name, lie in LIES.items()]
    assert len({vector["name"] for vector in made}) == len(made)
    return made
