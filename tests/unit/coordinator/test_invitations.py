from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sealane.coordinator.database import writing
from sealane.coordinator.invitations import Invitations
from sealane.coordinator.registry import Registry
from sealane.core.clock import ManualClock
from sealane.errors import InputError, RefusedError
from sealane.rpc.certificates import Certificate

REQUEST, OTHER = "1" * 64, "2" * 64


@pytest.fixture
def invitations(engine: Engine, clock: ManualClock) -> Invitations:
    return Invitations(engine, clock)


def spend(invitations: Invitations, engine: Engine, token: bytes, request: str, answer: bytes) -> None:
    with writing(engine) as connection:
        invitations.spend(connection, invitations.find_within(connection, token, request), request, answer)


def refused(invitations: Invitations, token: bytes, request: str = REQUEST) -> str:
    with pytest.raises(RefusedError) as caught:
        invitations.find(token, request)
    assert token.hex() not in str(caught.value.to_dict())
    return caught.value.code


def test_a_token_stands_for_a_name_and_role_for_a_day(invitations: Invitations, clock: ManualClock) -> None:
    token, expires = invitations.create("iris", "analyst")
    assert len(token) == 32
    assert expires == clock() + timedelta(hours=24)
    clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    found = invitations.find(token.reveal(), REQUEST)
    assert (found.name, found.role, found.answer) == ("iris", "analyst", None)
    clock.advance(timedelta(seconds=1))
    assert refused(invitations, token.reveal()) == "auth.token-expired"


def test_only_its_hash_is_on_disk(invitations: Invitations, engine: Engine, tmp_path: Path) -> None:
    token, _ = invitations.create("north", "node")
    engine.dispose()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"north" in stored
    assert token.reveal() not in stored
    assert token.reveal().hex().encode() not in stored


def test_a_spent_token_answers_the_same_request_and_no_other(invitations: Invitations, engine: Engine,
                                                             clock: ManualClock) -> None:
    token, _ = invitations.create("north", "node")
    spend(invitations, engine, token.reveal(), REQUEST, b"certificate")
    assert invitations.find(token.reveal(), REQUEST).answer == b"certificate"
    assert refused(invitations, token.reveal(), OTHER) == "auth.token-used"
    clock.advance(timedelta(hours=25))
    assert refused(invitations, token.reveal()) == "auth.token-expired"


def test_an_unknown_token(invitations: Invitations) -> None:
    assert refused(invitations, bytes(32)) == "auth.token-unknown"


def test_a_newer_invitation_voids_an_unspent_older_one(invitations: Invitations) -> None:
    older, _ = invitations.create("north", "node")
    newer, _ = invitations.create("north", "node")
    assert refused(invitations, older.reveal()) == "auth.token-unknown"
    assert invitations.find(newer.reveal(), REQUEST).name == "north"


def test_who_cannot_be_invited(invitations: Invitations, engine: Engine, clock: ManualClock) -> None:
    with pytest.raises(InputError) as caught:
        invitations.create("north", "coordinator")
    assert caught.value.code == "invitation.role"
    with pytest.raises(InputError, match=r"name.malformed"):
        invitations.create("North Bank", "node")
    shown = Certificate("north", "node", "aa", "bb", clock(), clock() + timedelta(days=1))
    with writing(engine) as connection:
        Registry(engine, clock).add(connection, name="north", role="node", signing_key=bytes(32), sealing_key=bytes(32),
                                    certificate=shown)
    with pytest.raises(RefusedError) as refusal:
        invitations.create("north", "node")
    assert refusal.value.code == "registry.taken"
