"""10. Raw values never appear in logs, errors or files: canaries in a dataset that is profiled, graded and mocked."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from loans import CONTRACT, loans
from steward import Steward

from sealane.core.clock import ManualClock
from sealane.errors import SealaneError
from sealane.governance.repair import load_repair
from sealane.node.commands import Place, execute
from sealane.node.home import NodeHome
from sealane.node.ledger import NodeLedger
from sealane.sectors.registry import contract

NUMBER, TEXT = "77345.71828", "canary-oystercatcher"
CANARIES = (NUMBER, TEXT, "77345")
REPAIR = f'[[steps]]\ndo = "recode"\nfield = "grade"\ncodes = {{ "{TEXT}" = "A" }}\n'
RULES = ('k = {k}\nquasi_identifiers = ["term"]\n[[rules]]\nfield = "term"\ndo = "keep"\n[[rules]]\n'
         'field = "annual_inc"\ndo = "generalise"\nwidth = 50000.0\n')


def table() -> pd.DataFrame:
    frame = loans(1, 300).astype({"grade": object, "annual_inc": object})
    frame.loc[7, "annual_inc"] = NUMBER
    frame.loc[8, "grade"] = TEXT
    return frame


@pytest.fixture
def steward(tmp_path: Path) -> Iterator[Steward]:
    (tmp_path / "identity").mkdir(mode=0o700)
    made = Steward(tmp_path, ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC)))
    yield made
    made.register.close()


def clean(text: str) -> bool:
    return not any(canary in text for canary in CANARIES)


def command(steward: Steward, which: str, /, **arguments: Any) -> str:
    """What a command returns, or says where it refuses, as text."""
    place = Place(NodeHome(steward.root, steward.register, steward.clock,
                           NodeLedger(steward.root / "ledger.sqlite", steward.clock)))
    try:
        return json.dumps(execute(place, which, arguments))
    except SealaneError as error:
        return json.dumps(error.to_dict()) + "".join(traceback.format_exception(error))


def files(root: Path, *, but: tuple[str, ...]) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and path.name not in but)


def test_invariant_10_not_in_profile_grade_mock_or_register(steward: Steward, log: io.StringIO, tmp_path: Path) -> None:
    steward.add(table(), repair=load_repair(REPAIR.encode(), contract(CONTRACT)))
    said = [command(steward, "dataset.profile", name="loans"), command(steward, "dataset.grade", name="loans"),
            command(steward, "dataset.grade", name="loans", accept=True),
            command(steward, "dataset.mock", name="loans", rows=500, output=str(tmp_path / "mock.csv")),
            command(steward, "dataset.desensitise", name="loans", rules=RULES.format(k=2),
                    output=str(tmp_path / "shown.csv")),
            command(steward, "dataset.list")]
    # The repair that the steward wrote names the code that it maps, and the steward sees it in the list.
    said[-1] = said[-1].replace(TEXT, "", 1)
    assert '"error"' not in said[0]
    assert all(clean(text) for text in said)
    assert clean(log.getvalue())
    assert "dataset.repaired" in log.getvalue()
    kept = files(tmp_path, but=("loans.csv",))
    assert (tmp_path / "mock.csv").exists()
    assert NUMBER.encode() not in kept
    assert b"77345" not in kept


REFUSED: dict[str, Callable[[Steward], str]] = {
    "rows that break the contract": lambda steward: command(
        steward, "dataset.add", name="x", source=str(steward.root / "loans.csv"), contract=CONTRACT),
    "a repair that mends nothing": lambda steward: command(
        steward, "dataset.add", name="x", source=str(steward.root / "loans.csv"), contract=CONTRACT,
        repair='[[steps]]\ndo = "convert"\nfield = "annual_inc"\nfactor = 1e300\n'),
    "a k that is not reached": lambda steward: command(
        steward, "dataset.desensitise", name="loans", rules=RULES.format(k=290), output=str(steward.root / "y.csv")),
    "an output that cannot be written": lambda steward: command(
        steward, "dataset.desensitise", name="loans", rules=RULES.format(k=2),
        output=str(steward.root / "no" / "y.csv")),
    "rows that changed": lambda steward: changed(steward),
}


def changed(steward: Steward) -> str:
    with (steward.root / "loans.csv").open("a") as file:
        file.write(f"{TEXT}\n")
    return command(steward, "dataset.profile", name="loans")


@pytest.mark.parametrize("how", REFUSED)
def test_invariant_10_not_in_what_is_refused(how: str, steward: Steward, log: io.StringIO) -> None:
    steward.add(table(), repair=load_repair(REPAIR.encode(), contract(CONTRACT)))
    steward.label()
    said = REFUSED[how](steward)
    assert '"code"' in said
    assert clean(said)
    assert clean(log.getvalue())


def test_invariant_10_what_holds_rows_does_not_show_them(steward: Steward) -> None:
    from sealane.node.datasets import load

    steward.add()
    loaded = load("loans", str(steward.root / "loans.csv"), contract(CONTRACT), {}, drop_invalid=False, repair=None)
    assert repr(loaded) == "Loaded(loans, 300 rows)"
