"""Settling at the command line, without a coordinator: periods, recipients, keys, and a node that looks at its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from circle import seed_of
from command_line import refused, run_well
from made_identity import make_identity

from sealane.crypto.signing import SigningKey
from sealane.errors import InputError
from sealane.governance.metering import MeteredRun, metered
from sealane.governance.recipient import recipient_of
from sealane.governance.statement import Side, settle, sign_statement, write_statement
from sealane.governance.study import Participant, Study, make_study
from sealane.governance.tariff import Tariff
from sealane.node.commands import Place, execute
from sealane.node.home import open_home
from sealane.node.meters import meters

RUN = "r-aaaaaaaaaaaaaaaa"
OTHERS = {name: SigningKey(seed_of("metering", name)) for name in ("south", "west", "alice", "bob")}
ASKED: dict[str, Any] = {"study": "scorecard", "since": "2026-03-01", "until": "2026-04-01",
                         "tariff": {"currency": "EUR"}}


@pytest.fixture
def north(tmp_path: Path) -> Path:
    make_identity(tmp_path / "north", "north", "node")
    return tmp_path / "north"


def agreed(home: Path) -> Study:
    opened = open_home(home)
    fingerprint = opened.identity().fingerprint
    study = make_study(
        name="scorecard", sector="finance", purpose="credit-risk", data_contract="test.rows/v1",
        computation="glm.fit", parameters={}, expires="2099-01-01T00:00:00Z",
        participants=[Participant(name="north", fingerprint=fingerprint),
                      *(Participant(name=n, fingerprint=OTHERS[n].fingerprint) for n in ("south", "west"))],
        recipients=[recipient_of(n, OTHERS[n], bytes(range(32))) for n in ("alice", "bob")])
    opened.register.record_study(study.canonical())
    opened.register.close()
    return study


def event_of(study: Study, home: Path, **changes: Any) -> MeteredRun:
    fields: dict[str, Any] = {
        "run": RUN, "study": study.hash, "node": "north", "fingerprint": open_home(home).identity().fingerprint,
        "dataset": "loans", "rows": 100, "rounds": 3, "bytes_sent": 10, "cpu_us": 1, "wall_us": 2,
        "outcome": "completed", "ended_at": "2026-03-05T00:00:00Z"}
    return metered(fields | changes)


@pytest.mark.parametrize(("changes", "code"), [
    ({"since": "March"}, "settlement.moment"), ({"until": "2026-03-01"}, "settlement.period"),
    ({"recipient": "carol"}, "settlement.recipient"), ({}, "settlement.recipient"),
    ({"recipient": "alice", "tariff": {"currency": "EUX"}}, "tariff.malformed"),
])
def test_what_a_statement_cannot_be_about(north: Path, changes: dict[str, Any], code: str) -> None:
    agreed(north)
    with pytest.raises(InputError) as caught:
        execute(Place(open_home(north)), "metering.statement", ASKED | changes)
    assert caught.value.code == code


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(north: Path) -> None:
    study = agreed(north)
    with meters(north / "node.sqlite") as kept:
        for k, at in enumerate(("2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z", "2026-03-31T23:59:59Z",
                                "2026-04-01T00:00:00Z")):
            kept.record(event_of(study, north, run=f"r-{'abcd'[k] * 16}", ended_at=at))
    made = execute(Place(open_home(north)), "metering.statement", ASKED | {"recipient": "alice"})["statement"]
    assert [e["run"] for e in made["events"]] == ["r-" + "b" * 16, "r-" + "c" * 16]


@pytest.fixture
def statement(north: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes the file of a statement by north for alice, of whatever events."""
    def make(**changes: Any) -> Path:
        study = agreed(north)
        identity = open_home(north).identity()
        sides = {"node": ("north", identity.signing_key), "recipient": ("alice", OTHERS["alice"])}
        settlement = settle(
            study=study.hash, study_name=study.name, period=("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
            issued_at="2026-04-02T00:00:00Z", tariff=Tariff(currency="EUR", per_round="1"), agreement=None,
            events=[event_of(study, north, **changes)],
            **{role: Side(name=name, fingerprint=key.fingerprint, signing_key=key.public_key.hex())
               for role, (name, key) in sides.items()})
        (tmp_path / "s.json").write_bytes(write_statement(sign_statement(identity.signing_key, settlement)))
        return tmp_path / "s.json"

    return make


def test_a_statement_replaces_no_other(north: Path, statement: Callable[..., Path]) -> None:
    there = statement()
    before = there.read_bytes()
    refused("output.exists", 3, "metering", "statement", "--study", "loans", "--from", "2026-03-01",
            "--to", "2026-04-01", "--output", there, "--home", north)
    assert there.read_bytes() == before


def test_a_node_knows_what_it_metered(north: Path, statement: Callable[..., Path]) -> None:
    file = statement(rounds=4)
    with meters(north / "node.sqlite") as kept:
        kept.record(event_of(agreed(north), north))
    error = refused("settlement.not-what-was-metered", 3, "metering", "verify", file, "--home", north)
    assert error["got"] == RUN
    found = run_well("metering", "verify", statement(), "--home", north)
    assert (found["signed_by"], found["keys"]["north"], found["keys"]["alice"]) == (["north"], "verified", "unknown")


def test_a_recipient_signs_only_for_a_node_whose_key_it_knows(tmp_path: Path, statement: Callable[..., Path]) -> None:
    make_identity(tmp_path / "alice", "alice", "analyst")
    # Another alice than the statement's: her key differs, which is said first.
    refused("settlement.key-differs", 4, "metering", "countersign", statement(), "--home", tmp_path / "alice")
    make_identity(tmp_path / "carol", "carol", "analyst")
    refused("settlement.unknown-node", 3, "metering", "countersign", statement(), "--home", tmp_path / "carol")
