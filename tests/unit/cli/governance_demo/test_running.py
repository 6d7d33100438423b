"""Revoking in mid-run: never before the run is under way, and never claimed of a run that was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sealane.cli.governance_demo import running
from sealane.cli.governance_demo.agreeing import REVOKES
from sealane.client.status import RunStatus
from sealane.errors import RefusedError, SealaneError, UnavailableError

RUN = "r-aaaaaaaaaaaaaaaa"
WHOLE = 13
REVOKED = RefusedError("study.revoked", "node west: approval of the study was revoked", got="joint-scorecard")


def status(state: str, exchanges: int, error: SealaneError | None = None) -> RunStatus:
    return RunStatus(RUN, "0" * 64, state, 1, exchanges, ("west",), (), {}, 0.1, "2027-01-01T00:00:00Z", error)


class Session:
    """What an analyst's session says of one run."""

    def __init__(self, *statuses: RunStatus) -> None:
        self._statuses = statuses

    def start(self, study: str) -> str:
        return RUN

    def watch(self, run_id: str) -> Iterator[RunStatus]:
        yield from self._statuses


class Federation:
    def __init__(self, *statuses: RunStatus) -> None:
        self.homes = {REVOKES: Path(REVOKES)}
        self.analyst = self
        self.session = Session(*statuses)


class Study:
    hash = "0" * 64


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that nodes were given."""
    commands: list[str] = []

    def call(home: Path, command: str, arguments: Mapping[str, Any]) -> Any:
        commands.append(command)
        return {"stopped": [RUN]} if command == "agreement.revoke" else [{"releases": {"given": 2, "cap": 200}}]

    monkeypatch.setattr(running, "call", call)
    return commands


def revoke(*statuses: RunStatus) -> Any:
    return running.revoke(Federation(*statuses), Study(), WHOLE)  # type: ignore[arg-type]


def test_it_revokes_once_the_run_is_under_way(asked: list[str]) -> None:
    step = revoke(status("ADMITTED", 0), status("RUNNING", 1), status("RUNNING", 2), status("RUNNING", 3),
                  status("ABORTED", 4, REVOKED))
    assert step.ok
    assert asked == ["agreement.revoke", "ledger.show"]
    assert (step.found["revoked_after_round"], step.found["ended_after_round"], step.found["mid_run"]) == (2, 4, True)


@pytest.mark.parametrize("last", [
    status("COMPLETED", WHOLE), status("ABORTED", WHOLE, REVOKED), status("ABORTED", 4),
    status("ABORTED", 4, UnavailableError("run.node-lost", "a node was lost")),
], ids=["it completed", "all rounds were over", "no reason", "another reason"])
def test_an_end_of_another_kind_is_not_as_it_should_be(last: RunStatus, asked: list[str]) -> None:
    step = revoke(status("RUNNING", 5), last)
    assert not step.ok


def test_a_slow_stop_is_not_as_it_should_be(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 11.5])
    monkeypatch.setattr(running.time, "monotonic", lambda: next(moments))
    step = revoke(status("RUNNING", 2), status("ABORTED", 4, REVOKED))
    assert (step.ok, step.found["stopped_after_s"]) == (False, 1.5)


def test_a_run_that_is_over_too_soon_is_no_run_under_way(asked: list[str]) -> None:
    with pytest.raises(UnavailableError) as caught:
        revoke(status("RUNNING", 1), status("COMPLETED", WHOLE))
    assert caught.value.code == "demo.run-too-quick"
    assert asked == []
