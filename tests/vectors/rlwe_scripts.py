"""The good scripts of ``rlwe``, with everything that is sent, as the second writing makes it."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from reference import Party, encode_real, signed, wire
from rlwe_sum import Facts, Sent, digits, quantized, written_key
from script import HONEST, RUN, STUDY, count_term, description, parties, real_term, update_term


@dataclass(frozen=True)
class Script:
    """A good script: ``survivors`` contribute in time, ``repliers`` release, ``after`` went before in the attempt."""

    name: str
    size: int
    width: int
    terms: list[dict[str, Any]] = field(repr=False)
    colluding: int = 1
    smallest: int = 3
    survivors: Sequence[int] = ()
    repliers: Sequence[int] = ()
    attempt: int = 0
    exchange: int = 0
    after: Script | None = None

    @cached_property
    def members(self) -> tuple[Party, ...]:
        return parties(self.size)

    @property
    def alive(self) -> list[int]:
        return list(self.survivors or range(self.size))

    @cached_property
    def facts(self) -> Facts:
        return self.facts_of(self.attempt)

    def facts_of(self, attempt: int) -> Facts:
        return Facts(bytes.fromhex(STUDY), RUN, attempt, self.exchange, self.members,
                     description(self.width, self.size, self.terms), self.colluding, self.smallest,
                     self.after.transcript_after if self.after else None)

    @cached_property
    def numbers(self) -> list[list[int]]:
        """What each member adds: signed integers, or integers on an update's grid."""
        return [[number for term in self.terms for number in numbers_of(term, k, rounding_seed(self.members[k]))]
                for k in range(self.size)]

    def values(self, k: int, numbers: list[int]) -> list[int]:
        """What lies in the slots for a member's numbers: of statistics digits, under the masks of pairs."""
        return numbers if self.facts.update_bits else digits(self.facts.masked(k, numbers), self.width)

    @cached_property
    def sent(self) -> list[Sent]:
        return [self.facts.sent(k, self.facts.payload(k, self.values(k, numbers)))
                for k, numbers in enumerate(self.numbers)]

    @cached_property
    def surviving(self) -> dict[int, Sent]:
        return {k: self.sent[k] for k in self.alive}

    @cached_property
    def digest(self) -> bytes:
        return self.facts.digest(self.surviving)

    @cached_property
    def opened(self) -> list[int]:
        return [sum(column) for column in zip(*(self.numbers[k] for k in self.alive), strict=True)]

    @cached_property
    def transcript_after(self) -> bytes:
        total = (struct.pack(f"<{len(self.opened)}I", *self.opened) if self.facts.update_bits
                 else wire([number % 2**self.width for number in self.opened], self.width))
        return self.facts.after(self.surviving, total)

    def share(self, holder: int) -> bytes:
        """The share of the survivors' sum that a holder releases."""
        return self.facts.share_of_sum(holder, self.alive)

    def released(self, holder: int) -> dict[int, bytes]:
        share = self.share(holder)
        return {peer: self.facts.sealed_share(holder, peer, self.digest, share)
                for peer in range(self.size) if peer != holder}

    @cached_property
    def payload_sum(self) -> bytes:
        return self.added(self.alive)

    def added(self, who: Sequence[int]) -> bytes:
        length = len(self.values(0, self.numbers[0]))
        return self.facts.scheme.add([self.sent[k].payload for k in who], length)

    def check(self) -> None:
        """The second writing opens what it made: the control for the rest of the file."""
        repliers = list(self.repliers or range(self.size))
        key_sum = self.facts.recovered({k: self.share(k) for k in repliers[: self.facts.replies]})
        assert key_sum == self.facts.key_sum(self.alive), self.name
        columns = [self.values(k, self.numbers[k]) for k in self.alive]
        sums = [sum(column) for column in zip(*columns, strict=True)]
        assert self.facts.scheme.open(self.payload_sum, len(sums), self.facts.public_seed, key_sum) == sums, self.name
        if not self.facts.update_bits:
            whole = [sum(part << 16 * place for place, part in enumerate(sums[entry :: len(self.opened)]))
                     for entry in range(len(self.opened))]
            assert [signed(number % 2**self.width, self.width) for number in whole] == self.opened

    def vector(self) -> dict[str, Any]:
        self.check()
        facts = self.facts
        return {
            "name": self.name, "scheme": "rlwe", "study_hash": STUDY, "run_id": RUN, "attempt": self.attempt,
            "exchange": self.exchange, "after": self.after.name if self.after else None,
            "colluding": self.colluding, "smallest": self.smallest,
            "members": [{"signing_seed": p.signing_seed.hex(), "agreement_seed": p.agreement_seed.hex(),
                         "sum_seed": p.mask_seed.hex(), "rounding_seed": rounding_seed(p).hex()}
                        for p in self.members],
            "terms": self.terms, "survivors": self.alive, "repliers": list(self.repliers or range(self.size)),
            "steps": HONEST, "verdict": "opens",
            "expected": {
                "fingerprints": facts.names,
                "description_hash": facts.description_hash.hex(),
                "transcript": facts.transcript.hex(),
                "parameters": facts.parameters,
                "public_seed": facts.public_seed.hex(),
                "payload_bytes": len(self.sent[0].payload),
                "payload_sha256": [sha256(one.payload) for one in self.sent],
                "sealed_key_shares_sha256": [sha256(*(one.sealed[j] for j in sorted(one.sealed)))
                                             for one in self.sent],
                "signature": [one.signature.hex() for one in self.sent],
                "payload_sum_sha256": sha256(self.payload_sum),
                "digest": self.digest.hex(),
                "sealed_sum_shares_sha256": [sha256(*(s for _, s in sorted(self.released(k).items())))
                                             for k in range(self.size)],
                "key_sum_sha256": sha256(written_key(facts.key_sum(self.alive))),
                "binder": facts.binder(self.alive).hex(),
                "opened": [str(number) for number in self.opened],
                "transcript_after": self.transcript_after.hex(),
            },
        }


def rounding_seed(of: Party) -> bytes:
    return hashlib.sha256(b"rounding" + of.mask_seed).digest()


def sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def numbers_of(term: Mapping[str, Any], k: int, seed: bytes) -> list[int]:
    values = term["values"][k]
    if term["kind"] == "count":
        return [int(value) for value in values]
    if term["kind"] == "real":
        return [encode_real(value, term["fraction"]) for value in values]
    return quantized(values, term["bound"], term["bits"], seed, term["name"])


COUNTS = [count_term("n", 1000, [[k + 1, -k, 10 * k, 1000, -1000] for k in range(4)])]
UPDATES = [update_term("u", 1, 16, [[0.0, 1.0, -1.0, k / 7, -0.3 * k, 1e-6, 5.0, 0.5] for k in range(4)]),
           update_term("v", 0.25, 8, [[0.01 * k, -0.2] for k in range(4)])]

THREE = Script("three-nodes", 3, 64, [count_term("n", 1000, [[1, -2, 1000], [10, 0, 1000], [100, -1000, 1000]])])
FOUR = Script("four-nodes", 4, 64, COUNTS)
NEXT = Script("second-exchange", 4, 64, COUNTS, exchange=1, after=FOUR)
ALL_UPDATES = Script("updates", 4, 64, UPDATES)
MOST_UPDATES = Script("updates-of-three", 4, 64, UPDATES, survivors=(0, 1, 2))
GOOD = [
    THREE, FOUR, NEXT, ALL_UPDATES, MOST_UPDATES,
    Script("one-late-one-silent", 4, 64, UPDATES, survivors=(0, 1, 3), repliers=(0, 2, 3)),
    # 60 numbers of 6 digits at 10 to a coefficient are 36 positions, so two blocks of 32.
    Script("reals-96", 5, 96, [real_term("x", 1000, 81, [[(k + 1) * (j - 30) / 7 for j in range(60)]
                                                          for k in range(5)])], repliers=(0, 1, 2, 4)),
    Script("packed-shares", 7, 64, [update_term("u", 1, 12, [[k / 7, -k / 7] for k in range(7)])], colluding=2,
           smallest=4, survivors=(1, 2, 3, 4, 5, 6), repliers=(0, 1, 2, 3, 5, 6), attempt=2, exchange=3),
    Script("fifty-one-nodes", 51, 64, [update_term("u", 1, 8, [[k / 51, -1.0] for k in range(51)])], colluding=5,
           smallest=40, survivors=range(45), repliers=range(8, 51)),
]
