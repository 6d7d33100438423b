"""What an asker's own node lets leave, encrypted or not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from expected_error import raises
from steward import Steward

from sealane.core.clock import ManualClock
from sealane.errors import RefusedError
from sealane.governance.classification import read_label
from sealane.node.grading import file, grade
from sealane.node.scoring.permitted import check_permitted

FIELDS = ["int_rate", "annual_inc"]


@pytest.fixture
def steward(tmp_path: Path) -> Iterator[Steward]:
    made = Steward(tmp_path, ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC)))
    made.add()
    yield made
    made.register.close()


def check(steward: Steward) -> None:
    check_permitted(steward.register, steward.register.dataset("loans"), FIELDS)


def test_a_graded_dataset_may_be_scored_unless_the_node_is_in_quarantine(steward: Steward) -> None:
    with raises("dataset.not-graded", RefusedError):
        check(steward)
    grade(steward.register, "loans", accept=True)
    check(steward)
    with raises("score.labels-missing", RefusedError):
        check_permitted(steward.register, steward.register.dataset("loans"), ["no-such-field"])
    steward.register.standings.quarantine("drill")
    with raises("score.asker-quarantined", RefusedError):
        check(steward)


def test_core_data_never_leaves_and_important_data_needs_an_approval(steward: Steward) -> None:
    category = "trade-secret"
    grade(steward.register, "loans", accept=True, changes={"int_rate": read_label(f"{category}:5")}, reason="drill")
    with raises("score.core-data", RefusedError):
        check(steward)
    grade(steward.register, "loans", accept=True, changes={"int_rate": read_label(f"{category}:4:important")},
          reason="drill")
    with raises("score.important-data", RefusedError):
        check(steward)
    file(steward.register, "loans", jurisdiction=None, important=True, reference="letter 7")
    check(steward)
