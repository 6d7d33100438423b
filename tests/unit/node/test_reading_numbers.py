"""Numbers of a CSV file that are read as such are those that are read as text, value by value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sealane.governance.contract import Contract, load_contract
from sealane.node.datasets import load
from sealane.node.mapping import Mapped

CONTRACT = load_contract(b"""
id = "test.numbers/v1"
[[fields]]
name = "x"
type = "number"
nullable = true
[[fields]]
name = "n"
type = "integer"
minimum = -5
maximum = 1000000
nullable = true
[[fields]]
name = "note"
type = "text"
nullable = true
""")
texts = st.one_of(
    st.floats(allow_nan=False).map(repr), st.integers(-9, 10**7).map(str),
    st.text("0123456789.eE+-_ naNAif\tx'１", max_size=8),
    st.sampled_from(["NA", " NaN ", "NAN", "null", "inf", "-Infinity", "1_000", "+-4", "1E+05", " 7 ", "0x10",
                     ".5", "5."]),
)


def same(path: Path, contract: Contract) -> None:
    mapping: dict[str, Mapped] = {}
    as_text, as_numbers = (
        load("d", str(path), contract, mapping, drop_invalid=True, repair=None, as_text=flag) for flag in (True, False))
    pd.testing.assert_frame_equal(as_text.frame, as_numbers.frame)
    assert as_text.report == as_numbers.report


@settings(max_examples=40)  # of many rows each: opening a file takes longer than reading it
@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=80))
@example([("+-4", "1_0", "+-4"), ("1", "2", "3")])
def test_any_file(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    path = tmp_path_factory.mktemp("numbers") / "d.csv"
    pd.DataFrame(rows, columns=["x", "n", "note"]).to_csv(path, index=False)
    same(path, CONTRACT)


def test_all_bits_of_a_number_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 2**63, 20_000).view(np.float64)
    values = values[np.isfinite(values)]
    path = tmp_path / "d.csv"
    path.write_text("x,n,note\n" + "".join(f"{float(value)!r},1,a\n" for value in values), encoding="utf-8")
    found = load("d", str(path), CONTRACT, {}, drop_invalid=False, repair=None, as_text=False).frame["x"].to_numpy()
    assert (found.view(np.int64) == values.view(np.int64)).all()
