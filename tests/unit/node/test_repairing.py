from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from sealane.core.clock import ManualClock
from sealane.errors import RefusedError
from sealane.governance.contract import Contract, load_contract
from sealane.governance.repair import Repair, load_repair
from sealane.node.datasets import add_dataset, open_dataset
from sealane.node.register import Register
from sealane.node.repairing import repair_columns

CONTRACT = load_contract(b"""
id = "test.rows/v1"
[[fields]]
name = "x"
type = "number"
minimum = 0
maximum = 10
[[fields]]
name = "g"
type = "category"
allowed = ["A", "B"]
nullable = true
""")


def repair(text: str, contract: Contract = CONTRACT) -> Repair:
    return load_repair(text.encode(), contract)


def done(text: str, rows: int = 4, **columns: list[object]
         ) -> tuple[dict[str, list[object]], int, list[tuple[str, int]]]:
    made, left, steps = repair_columns(repair(text), CONTRACT, {name: pd.Series(v, dtype=object) for name, v in
                                                                columns.items()}, rows)
    return {name: list(values) for name, values in made.items()}, left, [(one.field, one.rows) for one in steps]


def test_each_step_by_hand() -> None:
    assert done("[[steps]]\ndo = 'convert'\nfield = 'x'\nfactor = 2.0\noffset = 1.0", x=["1", "", "bad", "3"]) == (
        {"x": [3.0, "", "bad", 7.0]}, 4, [("x", 2)])
    assert done("[[steps]]\ndo = 'clip'\nfield = 'x'\nminimum = 2.0\nmaximum = 5.0", x=["1", "9", "3", None]) == (
        {"x": [2.0, 5.0, "3", None]}, 4, [("x", 2)])
    assert done("[[steps]]\ndo = 'impute'\nfield = 'x'\nby = 'median'", x=["1", "9", "2", "NA"]) == (
        {"x": ["1", "9", "2", 2.0]}, 4, [("x", 1)])
    assert done("[[steps]]\ndo = 'impute'\nfield = 'g'\nby = 'mode'", g=["B", "A", None, ""])[0] == {
        "g": ["B", "A", "A", "A"]}  # a tie goes to the first in order
    assert done("[[steps]]\ndo = 'impute'\nfield = 'g'\nby = 'constant'\nvalue = 'B'", g=["A", None, "A", "A"]) == (
        {"g": ["A", "B", "A", "A"]}, 4, [("g", 1)])
    assert done("[[steps]]\ndo = 'recode'\nfield = 'g'\ncodes = { 1 = 'A', m = 'B' }", g=[" m ", 1.0, "A", None]) == (
        {"g": ["B", "A", "A", None]}, 4, [("g", 2)])
    assert done("[[steps]]\ndo = 'deduplicate'", x=["1", "1", "2", "1"], g=["A", "A", "A", "B"]) == (
        {"x": ["1", "2", "1"], "g": ["A", "A", "B"]}, 3, [("", 1)])
    assert done("[[steps]]\ndo = 'deduplicate'\nfields = ['x']", x=["1", "1", "2", "1"], g=["A", "A", "A", "B"])[1] == 2


def test_nothing_to_take_from_and_a_field_without_a_column() -> None:
    assert done("[[steps]]\ndo = 'impute'\nfield = 'x'\nby = 'median'", x=[None] * 4) == ({"x": [None] * 4}, 4,
                                                                                       [("x", 0)])
    assert done("[[steps]]\ndo = 'impute'\nfield = 'g'\nby = 'mode'", g=[None] * 4)[2] == [("g", 0)]
    assert done("[[steps]]\ndo = 'clip'\nfield = 'x'\nmaximum = 1.0", g=["A"] * 4)[2] == [("x", 0)]


def test_the_order_of_steps_counts() -> None:
    steps = ["[[steps]]\ndo = 'convert'\nfield = 'x'\nfactor = 10.0\n",
             "[[steps]]\ndo = 'clip'\nfield = 'x'\nmaximum = 5.0\n"]
    assert done("".join(steps), x=["1", "2", "3", "4"])[0] == {"x": [5.0] * 4}
    assert done("".join(reversed(steps)), x=["1", "2", "3", "4"])[0] == {"x": [10.0, 20.0, 30.0, 40.0]}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("bad,income,grade\n1,50,A\n0,,A\n0,70,b\n1,90,A\n")
    return path


REPAIR = ("[[steps]]\ndo = 'recode'\nfield = 'grade'\ncodes = { b = 'B' }\n[[steps]]\ndo = 'impute'\nfield = 'income'\n"
          "by = 'median'\n[[steps]]\ndo = 'convert'\nfield = 'income'\nfactor = 1000.0\n")


def test_a_repaired_dataset_is_read_the_same_way_ever_after(
    rows: Path, register: Register, contract: Contract, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    before = rows.read_bytes()
    with pytest.raises(RefusedError) as caught:
        add_dataset(register, "loans", str(rows), contract.id, {}, now=clock())
    assert caught.value.code == "dataset.violates-contract"
    with caplog.at_level("INFO", logger="sealane"):
        report = add_dataset(register, "loans", str(rows), contract.id, {}, now=clock(),
                             repair=repair(REPAIR, contract))
    assert [(one.do, one.field, one.rows) for one in report.repaired] == [
        ("recode", "grade", 1), ("impute", "income", 1), ("convert", "income", 4)]
    assert [record.msg for record in caplog.records].count("dataset.repaired") == 3
    frame = open_dataset(register, "loans", report.version).frame(["income", "grade"])
    assert list(frame["income"]) == [50_000.0, 70_000.0, 70_000.0, 90_000.0]
    assert list(frame["grade"]) == ["A", "A", "B", "A"]
    assert rows.read_bytes() == before


def test_the_version_covers_the_repair(rows: Path, register: Register, contract: Contract, clock: ManualClock) -> None:
    versions: list[str] = []
    add: Callable[[str], object] = lambda text: versions.append(add_dataset(  # noqa: E731
        register, "loans", str(rows), contract.id, {}, now=clock(), repair=repair(text, contract)).version)
    add(REPAIR)
    add(REPAIR.replace("1000.0", "100.0"))
    add(REPAIR)
    assert versions[0] == versions[2] != versions[1]
