"""Introductions between bare members: who ends up with which secret, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from circle import Circle, seed_of
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import hash_parts

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.secagg.introduction import Acquainted, accept, entry_of, introduce
from sealane.secagg.messages import Introduced, Introduction


class Meeting:
    """Everybody has introduced itself; a relay is written here without the coordinator's code."""

    def __init__(self, size: int) -> None:
        self.circle = Circle(size)
        self.made = [introduce(self.circle.attempt, key, agreement)
                     for key, agreement in zip(self.circle.keys, self.circle.agreements, strict=True)]
        self.entries = tuple(entry_of(self.circle.attempt, name, message)
                             for name, (message, _) in zip(self.circle.names, self.made, strict=True))

    def told(self, k: int) -> Introduced:
        names, attempt = self.circle.names, self.circle.attempt
        return Introduced(attempt.run_id, attempt.number, self.entries,
                          {names[j]: self.made[j][0].sealed[names[k]] for j in range(k)})

    def accept(self, k: int, told: Introduced | None = None) -> Acquainted:
        own, secrets = self.made[k]
        return accept(self.circle.attempt, self.circle.agreements[k], own, secrets, told or self.told(k),
                      as_member=self.circle.names[k])


@settings(max_examples=10, deadline=None)
@given(size=st.integers(2, 6))
def test_every_pair_holds_one_secret_and_all_hold_one_transcript(size: int) -> None:
    meeting = Meeting(size)
    names = meeting.circle.names
    known = [meeting.accept(k) for k in range(size)]
    pairs: dict[frozenset[Fingerprint], Secret] = {}
    for k, acquainted in enumerate(known):
        assert acquainted.secrets.keys() == set(names) - {names[k]}
        for peer, secret in acquainted.secrets.items():
            assert pairs.setdefault(frozenset((names[k], peer)), secret) == secret
    assert len({secret.reveal() for secret in pairs.values()}) == size * (size - 1) // 2
    wanted = hash_parts(b"sealane introductions v1", *(
        part for name, (message, _) in zip(names, meeting.made, strict=True)
        for part in (name.encode(), *(hash_parts(message.sealed[peer]) for peer in sorted(message.sealed)))))
    assert {acquainted.digest for acquainted in known} == {wanted}
    absorbed = hash_parts(b"sealane absorb v1", meeting.circle.attempt.transcript().value, b"introduced", wanted)
    assert known[0].transcript(meeting.circle.attempt).value == absorbed


def test_the_last_member_introduces_itself_to_nobody() -> None:
    meeting = Meeting(3)
    assert [len(message.sealed) for message, _ in meeting.made] == [2, 1, 0]
    assert "secret" not in repr(meeting.accept(1)).lower()


@pytest.mark.parametrize(("lie", "code"), [
    (lambda m: replace(m, sealed=dict(list(m.sealed.items())[:1])), "run.introduction-incomplete"),
    (lambda m: replace(m, sealed={**m.sealed, "a" * 52: bytes(1088)}), "run.introduction-incomplete"),
    (lambda m: replace(m, sealed=dict.fromkeys(m.sealed, bytes(1088))), "signature.invalid"),
    (lambda m: replace(m, signature=bytes(64)), "signature.invalid"),
])
def test_what_the_coordinator_refuses_of_a_member(lie: Callable[[Introduction], Introduction], code: str) -> None:
    meeting = Meeting(3)
    with pytest.raises(ProtocolError) as caught:
        entry_of(meeting.circle.attempt, meeting.circle.names[0], lie(meeting.made[0][0]))
    assert caught.value.code == code


def test_an_introduction_of_another_attempt_does_not_verify() -> None:
    meeting = Meeting(3)
    later = meeting.circle.attempt_of(range(3), 1)
    with pytest.raises(ProtocolError) as caught:
        entry_of(later, meeting.circle.names[0], meeting.made[0][0])
    assert caught.value.code == "signature.invalid"


def test_an_introduction_signed_by_another_is_refused() -> None:
    meeting = Meeting(3)
    told = meeting.told(2)
    stranger = SigningKey(seed_of("stranger"))
    forged, _ = introduce(meeting.circle.attempt, meeting.circle.keys[0], meeting.circle.agreements[0])
    entry = replace(entry_of(meeting.circle.attempt, meeting.circle.names[0], forged),
                    signature=stranger.sign("application/vnd.sealane.introduction", b"x"))
    with pytest.raises(ProtocolError) as caught:
        meeting.accept(2, replace(told, entries=(entry, *told.entries[1:])))
    assert caught.value.code == "signature.invalid"


def test_a_member_notices_that_its_own_introduction_was_replaced() -> None:
    """Signed by itself too, as after a restored backup: it holds no secret of that one."""
    meeting = Meeting(3)
    other, _ = introduce(meeting.circle.attempt, meeting.circle.keys[0], meeting.circle.agreements[0])
    entry = entry_of(meeting.circle.attempt, meeting.circle.names[0], other)
    with pytest.raises(ProtocolError) as caught:
        meeting.accept(0, replace(meeting.told(0), entries=(entry, *meeting.entries[1:])))
    assert caught.value.code == "run.introduction-replaced"


def test_two_views_of_one_member_are_two_transcripts() -> None:
    """A member that signs two introductions: those who were told of different ones share no transcript."""
    meeting = Meeting(4)
    other, _ = introduce(meeting.circle.attempt, meeting.circle.keys[0], meeting.circle.agreements[0])
    entry = entry_of(meeting.circle.attempt, meeting.circle.names[0], other)
    told = meeting.told(2)
    deceived = meeting.accept(2, replace(
        told, entries=(entry, *told.entries[1:]),
        sealed={**told.sealed, meeting.circle.names[0]: other.sealed[meeting.circle.names[2]]}))
    assert deceived.digest != meeting.accept(3).digest
