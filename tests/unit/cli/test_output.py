from __future__ import annotations

from sealane.cli.output import amount, facts, table


def test_columns_are_aligned_and_never_cut() -> None:
    long = "x" * 200
    assert table(("a", "name"), [(1, "b"), (1000, long)]) == f"a     name\n1     b\n1000  {long}"
    assert table(("a",), [], empty="nothing here") == "nothing here"


def test_facts_leave_out_what_is_unknown() -> None:
    assert facts([("name", "north"), ("problem", None), ("runs", 0)]) == "name  north\nruns  0"


def test_amounts() -> None:
    assert [amount(1, "row"), amount(2000, "row")] == ["1 row", "2,000 rows"]
    assert amount(2, "study", "studies") == "2 studies"
