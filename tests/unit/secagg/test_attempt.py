"""Who is a member, and what is signed about an attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from circle import RUN, STUDY, Circle, seed_of

from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt, sign_endorsement, sign_join, verify_endorsement
from sealane.secagg.messages import Member
from sealane.secagg.node_role import NodeRole


def test_members_in_order_verify() -> None:
    attempt = Circle(4).attempt
    attempt.verify_members()
    assert attempt.size == 4
    assert attempt.first == min(attempt.cohort)
    assert attempt.member(attempt.first) is attempt.members[0]


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 0, 1), (0, 1, 1)])
def test_another_order_or_a_member_twice_is_refused(order: tuple[int, ...]) -> None:
    members = Circle(3).attempt.members
    with pytest.raises(ProtocolError) as caught:
        Attempt(RUN, STUDY, 0, "masking", tuple(members[k] for k in order), 1, 3)
    assert caught.value.code == "run.cohort-malformed"


@pytest.mark.parametrize(("colluding", "smallest"), [(1, 2), (2, 3), (0, 1)])
def test_a_sum_of_fewer_than_two_honest_members_is_refused(colluding: int, smallest: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        Attempt(RUN, STUDY, 0, "rlwe", Circle(3).attempt.members, colluding, smallest)
    assert caught.value.code == "run.survivors-too-few"


def test_a_stranger_is_no_member() -> None:
    with pytest.raises(ProtocolError) as caught:
        Circle(3).attempt.member(SigningKey(seed_of("stranger")).fingerprint)
    assert caught.value.code == "run.not-a-member"


def tampered(circle: Circle, k: int, **fields: object) -> Attempt:
    members = list(circle.attempt.members)
    members[k] = replace(members[k], **fields)  # type: ignore[arg-type]
    return Attempt(RUN, STUDY, 0, "masking", tuple(members), 1, 3)


def test_a_coordinator_cannot_put_in_a_key_of_its_own() -> None:
    circle = Circle(3)
    its_own = AgreementKey(seed_of("coordinator")).public_key
    key = SigningKey(seed_of("coordinator"))
    cases = {
        "signature.invalid": [
            tampered(circle, 1, agreement_key=its_own),
            tampered(circle, 1, signature=key.sign("application/vnd.sealane.join", b"")),
            # A join that the member did sign, for another run or another study.
            tampered(circle, 1, signature=sign_join(circle.keys[1], STUDY, "r-bbbbbbbbbbbbbbbb",
                                                    circle.agreements[1].public_key).signature),
            tampered(circle, 1, signature=sign_join(circle.keys[1], "11" * 32, RUN,
                                                    circle.agreements[1].public_key).signature),
        ],
        "run.key-substituted": [
            tampered(circle, 1, signing_key=key.public_key, agreement_key=its_own,
                     signature=sign_join(key, STUDY, RUN, its_own).signature),
        ],
    }
    for code, attempts in cases.items():
        for attempt in attempts:
            with pytest.raises(ProtocolError) as caught:
                attempt.verify_members()
            assert caught.value.code == code


def test_a_node_notices_its_own_agreement_key_replaced() -> None:
    circle = Circle(3)
    with pytest.raises(ProtocolError) as caught:
        NodeRole(circle.attempt, circle.keys[0], AgreementKey(seed_of("another")), circle.introduced(0))
    assert caught.value.code == "run.key-substituted"


def test_a_key_of_low_order_is_refused_though_its_owner_signed_it() -> None:
    circle = Circle(3)
    for low in (bytes(32), b"\x01" + bytes(31)):
        point = low + circle.agreements[1].public_key[32:]
        join = sign_join(circle.keys[1], STUDY, RUN, point)
        members = list(circle.attempt.members)
        members[1] = Member(circle.keys[1].fingerprint, circle.keys[1].public_key, point, join.signature)
        with pytest.raises(ProtocolError) as caught:
            circle.role(0, Attempt(RUN, STUDY, 0, "masking", tuple(members), 1, 3))
        assert caught.value.code == "agreement.bad-key"


def test_an_endorsement_is_of_one_result_of_one_study() -> None:
    circle = Circle(3)
    endorsement = sign_endorsement(circle.keys[0], circle.attempt, circle.attempt.transcript(), b"r" * 32)
    public = circle.keys[0].public_key
    verify_endorsement(endorsement, public, STUDY, b"r" * 32)
    with pytest.raises(ProtocolError) as caught:
        verify_endorsement(endorsement, public, STUDY, b"s" * 32)
    assert caught.value.code == "result.differs"
    for changed in (
        (replace(endorsement, transcript=bytes(32)), public, STUDY),
        (replace(endorsement, attempt=1), public, STUDY),
        (replace(endorsement, run_id="r-bbbbbbbbbbbbbbbb"), public, STUDY),
        (endorsement, circle.keys[1].public_key, STUDY),
        (endorsement, public, "22" * 32),
    ):
        with pytest.raises(ProtocolError) as caught:
            verify_endorsement(*changed, b"r" * 32)
        assert caught.value.code == "signature.invalid"
