"""A coordinator that can list every value a sum may have still cannot tell which one it was."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from circle import Circle, announce

from sealane.core.canonical import canonical_bytes, sha256
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import verify
from sealane.errors import ProtocolError
from sealane.secagg.attempt import CONTRIBUTION
from sealane.secagg.layout import plan
from sealane.secagg.messages import Arrival
from sealane.secagg.node_role import after_sum
from sealane.secagg.result import result_hash, salted
from sealane.secagg.terms import count
from sealane.secagg.transcript import Transcript

TERMS = [{"n": count([value], 10)} for value in (2, 3, 4)]
LAYOUT = plan(TERMS[0], 3)
TOTALS = [value.to_bytes(8, "little") for value in range(31)]  # every sum that three values up to 10 can have


def signed_under(circle: Circle, arrival: Arrival, sums: Iterable[Transcript]) -> list[Transcript]:
    """Return the transcripts under which a next round's signatures verify: what a guesser looks for."""
    found = []
    entry = arrival.entries[0]
    key = circle.attempt.member(entry.fingerprint).signing_key
    for transcript in sums:
        bound = transcript.absorb("sum", b"1", LAYOUT.hash())
        try:
            verify(key, CONTRIBUTION, sha256(bound.value, entry.payload_hash), entry.signature)
        except ProtocolError:
            continue
        found.append(transcript)
    return found


def digest_of(circle: Circle, arrival: Arrival) -> tuple[Transcript, bytes]:
    """Compute, from what the coordinator sees alone, what the transcript absorbs of the contributions."""
    bound = circle.attempt.transcript().absorb("sum", b"0", LAYOUT.hash())
    hashes: dict[Fingerprint, bytes] = {entry.fingerprint: entry.payload_hash for entry in arrival.entries}
    return bound, sha256(bound.value, *(part for f in sorted(hashes) for part in (f.encode(), hashes[f])))


@pytest.mark.parametrize("binder", [b"", bytes(32)])
def test_signatures_do_not_confirm_a_guessed_total(binder: bytes) -> None:
    circle = Circle(3)
    first = circle.contribute(LAYOUT, TERMS)
    opened = circle.open(circle.release(first))
    second = circle.contribute(LAYOUT, TERMS, exchange=1, transcript=opened[0].transcript, salt="second")
    seen, bound_and_digest = announce(second)[circle.names[0]], digest_of(circle, announce(first)[circle.names[0]])
    assert signed_under(circle, seen, (after_sum(*bound_and_digest, total, binder) for total in TOTALS)) == []
    # The control: with what only the nodes know, the same search finds the one total, 2 + 3 + 4.
    with_binder = [after_sum(*bound_and_digest, total, opened[0].binder) for total in TOTALS]
    assert signed_under(circle, seen, with_binder) == [with_binder[9]]


def test_the_result_hash_does_not_confirm_a_guessed_result() -> None:
    circle = Circle(3)
    opened = circle.open(circle.release(circle.contribute(LAYOUT, TERMS)))
    possible = [canonical_bytes({"n": value}) for value in range(31)]
    endorsed = result_hash(salted(possible[9], opened[0].transcript))
    public = (circle.attempt.transcript(), opened[1].transcript.absorb("endorsed"))  # all that the coordinator sees
    assert endorsed not in {result_hash(guess) for guess in possible}
    assert endorsed not in {result_hash(salted(guess, seen)) for guess in possible for seen in public}
    found = [n for n, guess in enumerate(possible) if result_hash(salted(guess, opened[2].transcript)) == endorsed]
    assert found == [9]  # the control: a node, or a recipient, can tell
