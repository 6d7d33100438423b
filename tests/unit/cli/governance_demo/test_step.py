"""Waiting for what another party says, and what a step is as JSON."""

from __future__ import annotations

import json
import time

import pytest

from sealane.cli.governance_demo import step as steps
from sealane.cli.governance_demo.step import Step, awaited
from sealane.errors import UnavailableError


def test_what_arrives_later_is_returned() -> None:
    answers = iter([[], [], ["there"]])
    assert awaited(lambda: next(answers), bool, "the answer") == ["there"]


def test_what_never_arrives_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "ARRIVAL_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        awaited(lambda: None, lambda seen: seen is not None, "the counter-offer")
    assert (caught.value.code, caught.value.message) == ("demo.step-late", "the counter-offer did not arrive")
    assert 0.2 <= time.monotonic() - began < 5


def test_a_step_is_json() -> None:
    step = Step("run", "the analyst", "run it", ("sealane run start x",), ("done",), True, {"rounds": 3}, 0.5)
    assert json.loads(json.dumps(step.to_dict())) == {
        "name": "run", "who": "the analyst", "title": "run it", "commands": ["sealane run start x"], "said": ["done"],
        "ok": True, "found": {"rounds": 3}, "seconds": 0.5}
