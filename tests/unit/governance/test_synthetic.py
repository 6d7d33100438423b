from __future__ import annotations

import inspect

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, load_contract
from sealane.governance.quality import INVALID, MISSING, Counts, suppress
from sealane.governance.synthetic import MARK, synthetic_table
from sealane.node.conformance import check_rows
from sealane.node.profiling import count_rows

CONTRACT = load_contract(b"""
id = "test.all/v1"
[[fields]]
name = "flag"
type = "boolean"
[[fields]]
name = "x"
type = "number"
minimum = -3
maximum = 1e6
nullable = true
[[fields]]
name = "n"
type = "integer"
minimum = 0
maximum = 5000
[[fields]]
name = "g"
type = "category"
allowed = ["A", "B", "C"]
nullable = true
[[fields]]
name = "d"
type = "date"
nullable = true
[[fields]]
name = "t"
type = "text"
[[fields]]
name = "open"
type = "number"
""")


def frame(rows: int, shift: int = 0) -> pd.DataFrame:
    return pd.DataFrame({
        "flag": [k % 2 for k in range(rows)], "x": [None if k % 5 == 0 else float(k) for k in range(rows)],
        "n": [(k * 7 + shift) % 5000 for k in range(rows)], "g": [["A", "B", None][k % 3] for k in range(rows)],
        "d": pd.to_datetime(["2024-03-01" if k % 2 else "2025-07-09" for k in range(rows)]),
        "t": [f"person {k}" for k in range(rows)], "open": [float(k) for k in range(rows)]})


def profiled(table: pd.DataFrame, contract: Contract = CONTRACT) -> object:
    from datetime import UTC, datetime

    raw = {name: table[name] for name in table.columns}
    return suppress(count_rows(contract, raw, check_rows(contract, raw, len(table)), datetime(2026, 1, 1, tzinfo=UTC)))


def test_it_conforms_to_the_contract_and_is_marked() -> None:
    made = synthetic_table(profiled(frame(200)), CONTRACT, 500)  # type: ignore[arg-type]
    checked = check_rows(CONTRACT, {name: made[name] for name in CONTRACT.names}, 500)
    assert checked.failures == ()
    assert made[MARK].all()
    assert list(made.columns) == [*CONTRACT.names, MARK]
    assert set(made["g"].dropna()) <= {"A", "B"}
    assert 0.05 < made["x"].isna().mean() < 0.4


def test_it_is_a_function_of_the_suppressed_profile_alone() -> None:
    assert list(inspect.signature(synthetic_table).parameters) == ["profile", "contract", "rows"]
    one, other = frame(200), frame(200).sample(frac=1, random_state=3).assign(t=[f"somebody {k}" for k in range(200)])
    first, second = profiled(one), profiled(other)
    assert first == second  # other rows, the same profile
    pd.testing.assert_frame_equal(synthetic_table(first, CONTRACT, 50),  # type: ignore[arg-type]
                                  synthetic_table(second, CONTRACT, 50))  # type: ignore[arg-type]
    third = profiled(frame(400))
    assert not synthetic_table(third, CONTRACT, 50).equals(synthetic_table(first, CONTRACT, 50))  # type: ignore[arg-type]


def test_no_text_of_a_row_is_in_it() -> None:
    made = synthetic_table(profiled(frame(200)), CONTRACT, 300)  # type: ignore[arg-type]
    assert not set(made["t"]) & set(frame(200)["t"])


counts = st.dictionaries(st.sampled_from([MISSING, INVALID, "A", "B", "C"]), st.integers(0, 40), min_size=1)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(counts, st.booleans())
def test_any_profile_gives_legal_rows(cells: dict[str, int], nullable: bool) -> None:
    contract = load_contract(b'id = "test.one/v1"\n[[fields]]\nname = "g"\ntype = "category"\nallowed = ["A", "B", '
                             b'"C"]\n' + (b"nullable = true\n" if nullable else b""))
    rows = sum(cells.values())
    if rows < 20:
        return
    made = synthetic_table(suppress(Counts(rows, {"g": cells})), contract, 40)
    assert check_rows(contract, {"g": made["g"]}, 40).failures == ()


def test_what_cannot_be_made() -> None:
    with pytest.raises(RefusedError) as refused:
        synthetic_table(profiled(frame(15)), CONTRACT, 10)  # type: ignore[arg-type]
    assert refused.value.code == "mock.too-few-rows"
    for rows in (0, 10_000_001):
        with pytest.raises(InputError) as wrong:
            synthetic_table(profiled(frame(200)), CONTRACT, rows)  # type: ignore[arg-type]
        assert wrong.value.code == "mock.rows"
