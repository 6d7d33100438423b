"""Each verb of a node belongs to a role, and no role uses another's."""

from __future__ import annotations

import pytest

from sealane.errors import RefusedError
from sealane.governance.roles import VERBS, Caller, check_verb
from sealane.node.commands import COMMANDS

OPERATOR, STEWARD = Caller(), Caller("wei")


def test_every_command_of_a_node_has_a_role() -> None:
    assert VERBS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", [name for name, role in VERBS.items() if role == "steward"])
def test_stewards_verbs_take_a_steward_once_there_is_one(command: str) -> None:
    check_verb(command, OPERATOR, appointed=False)
    check_verb(command, STEWARD, appointed=True)
    with pytest.raises(RefusedError) as caught:
        check_verb(command, OPERATOR, appointed=True)
    assert caught.value.code == "auth.steward-only"


@pytest.mark.parametrize("command", [name for name, role in VERBS.items() if role == "anybody"])
def test_anybody_at_the_socket_reads(command: str) -> None:
    for caller in (OPERATOR, STEWARD):
        check_verb(command, caller, appointed=True)


def test_an_operators_verb_is_no_stewards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, "test.stop", "operator")
    check_verb("test.stop", OPERATOR, appointed=True)
    with pytest.raises(RefusedError) as caught:
        check_verb("test.stop", STEWARD, appointed=True)
    assert caught.value.code == "auth.operator-only"


def test_a_verb_nobody_listed_is_a_stewards() -> None:
    with pytest.raises(RefusedError) as caught:
        check_verb("new.verb", OPERATOR, appointed=True)
    assert caught.value.code == "auth.steward-only"
