"""How many studies a node keeps that nobody here has decided on, whatever the coordinator sends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import signed

from sealane.core.clock import ManualClock, to_text
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.governance.study import Study
from sealane.node.agent import Agent
from sealane.node.database import open_database
from sealane.node.execution import Unconfined
from sealane.node.register import Register
from sealane.node.register_schema import SCHEMA
from sealane.node.settings import read_node_settings
from sealane.node.study_table import Room
from sealane.rpc.notices import StudyRecord

Keys = dict[str, SigningKey]
Make = Callable[..., Study]
DAY = timedelta(days=1)


@pytest.fixture
def small(tmp_path: Path, keys: Keys, clock: ManualClock) -> Iterator[Register]:
    """A register with room for two studies of a proposer and three in all."""
    opened = Register(tmp_path / "node.sqlite", keys["north"].fingerprint, clock, Room(2, 3))
    yield opened
    opened.close()


def put(register: Register, study: Study, proposer: str = "mallory") -> Study:
    return register.record_study(study.canonical(), proposer)


def names(register: Register) -> list[str]:
    return sorted(entry.study.name for entry in register.studies())


def test_there_is_room_for_so_many_of_a_proposer_and_in_all(small: Register, make: Make) -> None:
    put(small, make(name="a")), put(small, make(name="b"))
    with pytest.raises(UnavailableError) as caught:
        put(small, make(name="c"))
    assert (caught.value.code, caught.value.got) == ("study.too-many-open", "2 of mallory, 2 in all")
    assert "settings.toml" in str(caught.value.hint)
    put(small, make(name="c"), "iris")
    with pytest.raises(UnavailableError) as caught:  # a coordinator makes up as many proposers as it likes
        put(small, make(name="d"), "made-up")
    assert caught.value.got == "0 of made-up, 3 in all"
    put(small, make(name="a"))  # what is kept may come again
    assert names(small) == ["a", "b", "c"]


def test_unless_settings_say_otherwise_it_is_a_hundred(register: Register, make: Make) -> None:
    for k in range(100):
        put(register, make(name=f"s{k}"))
    with pytest.raises(UnavailableError):
        put(register, make(name="one-more"))


def test_what_this_institution_signed_takes_no_room(small: Register, make: Make, keys: Keys) -> None:
    one, two, three, four = (make(name=name) for name in ("a", "b", "c", "d"))
    put(small, one), put(small, two)
    small.record_statement(one.hash, signed.agreement(one, keys["north"], "north"))
    put(small, three)
    small.record_statement(two.hash, signed.agreement(two, keys["south"], "south"))  # another's makes no room
    with pytest.raises(UnavailableError):
        put(small, four)
    small.record_statement(two.hash, signed.refusal(two, keys["north"], "north"))
    put(small, four)
    assert names(small) == ["a", "b", "c", "d"]


def test_what_expired_is_dropped_unless_this_institution_signed_it(
    small: Register, make: Make, keys: Keys, clock: ManualClock
) -> None:
    soon = to_text(clock() + DAY)
    studies = {name: make(name=name, expires=soon) for name in ("agreed", "refused", "idle", "of-others")}
    for name, study in studies.items():
        put(small, study, name)
        if name == "agreed":
            small.record_statement(study.hash, signed.agreement(study, keys["north"], "north"))
        if name == "refused":
            small.record_statement(study.hash, signed.refusal(study, keys["north"], "north"))
    of_others = studies["of-others"]
    small.record_statement(of_others.hash, signed.agreement(of_others, keys["south"], "south"))
    clock.advance(DAY)
    with pytest.raises(RefusedError) as caught:
        put(small, make(name="over", expires=soon))
    assert caught.value.code == "study.expired"
    put(small, make(name="new"))
    assert names(small) == ["agreed", "new", "refused"]
    assert len(small.statements(studies["agreed"].hash)) == 1
    assert small.statements(of_others.hash) == []
    with pytest.raises(InputError):
        small.study(of_others.hash)


def test_studies_that_an_earlier_version_kept_expire_too(
    tmp_path: Path, make: Make, keys: Keys, clock: ManualClock
) -> None:
    old = open_database(tmp_path / "node.sqlite", SCHEMA[:-1])
    for name, days in (("soon", 1), ("later", 9)):
        study = make(name=name, expires=to_text(clock() + days * DAY))
        old.execute("INSERT INTO studies VALUES (?, ?, 'iris', ?)", (study.hash, study.canonical(), to_text(clock())))
    old.close()
    clock.advance(DAY)
    register = Register(tmp_path / "node.sqlite", keys["north"].fingerprint, clock)
    put(register, make(name="new"))
    assert names(register) == ["later", "new"]
    register.close()


def test_settings_say_how_much_room_there_is(tmp_path: Path) -> None:
    assert read_node_settings(tmp_path).studies.room() == Room(100, 1000)
    (tmp_path / "settings.toml").write_text("[studies]\nopen_per_proposer = 7\nopen_in_all = 70\n")
    assert read_node_settings(tmp_path).studies.room() == Room(7, 70)
    (tmp_path / "settings.toml").write_text("[studies]\nopen_in_all = 0\n")
    with pytest.raises(InputError):
        read_node_settings(tmp_path)


async def test_what_is_left_out_is_logged_once(
    small: Register, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sealane")
    monkeypatch.setattr(Agent, "_prepare", lambda self, name: None)
    agent = Agent(SimpleNamespace(register=small), None, None, Unconfined())  # type: ignore[arg-type]
    said: list[Any] = []
    monkeypatch.setattr(Agent, "_post", lambda self, message: said.append(message))
    for k in range(9):
        await agent._receive(StudyRecord(make(name=f"s{k}").canonical(), "mallory", "2026-06-01T12:00:00Z"))
    assert names(small) == ["s0", "s1"]
    assert said == []
    assert [r.levelno for r in caplog.records if r.message == "study.rejected"] == [logging.WARNING]
