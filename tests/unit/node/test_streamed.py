"""Files that are read chunk by chunk give what those that are held give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import signed

from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, SealaneError
from sealane.governance.contract import Contract
from sealane.governance.study import Study
from sealane.node.datasets import NodeDataset, Report, open_approved
from sealane.node.mapping import Mapped
from sealane.node.register import Register
from sealane.node.streamed import StreamedFile

Add = Callable[..., Report]


def refused(call: Callable[[], object], branch: type[SealaneError] = RefusedError) -> SealaneError:
    with pytest.raises(branch) as caught:
        call()
    return caught.value


FIELDS = ["bad", "income", "loans", "grade", "opened", "note"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_is_streamed_gives_what_one_that_is_held_gives(
    kind: str, tmp_path: Path, register: Register, add: Add, contract: Contract, make: Callable[..., Study],
    keys: dict[str, SigningKey]
) -> None:
    many = 3 * 2048 + 17
    frame = pd.DataFrame({
        "bad": np.arange(many) % 2, "Income": np.arange(many) * 0.25,
        "grade": np.array(["A", "B", "NA"])[np.arange(many) % 3],
        "loans": np.where(np.arange(many) < 5000, np.nan, np.arange(many) % 100), "opened": pd.Timestamp("2026-01-01"),
        "note": "x"})
    path = tmp_path / f"loans.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        with duckdb.connect() as connection:
            connection.register("given", frame)
            connection.execute(f"COPY given TO '{path}' (FORMAT parquet)")
    report = add(path, {"income": Mapped("Income")})
    approval = signed.agreed(make(), keys["north"], "north", version=report.version)
    streamed = open_approved(register, approval, make(), streamed=True)
    assert isinstance(streamed, StreamedFile)
    held = open_approved(register, approval, make())
    assert streamed.rows == held.rows == many
    pd.testing.assert_frame_equal(streamed.frame(FIELDS), held.frame(FIELDS))
    for dataset in (streamed, held):
        chunks = list(dataset.chunks(["grade", "income"], 2048))
        assert max(map(len, chunks)) <= 2048
        pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), held.frame(["grade", "income"]))
    assert refused(lambda: streamed.require(["other"]), InputError).code == "contract.unknown-field"
    path.write_bytes(path.read_bytes() + b"\n")
    assert refused(lambda: open_approved(register, approval, make(), streamed=True)).code == "dataset.changed"
    assert refused(lambda: streamed.frame(["bad"]), SealaneError).code in ("dataset.changing", "dataset.unreadable")


def test_rows_that_were_left_out_are_not_streamed(tmp_path: Path, register: Register, add: Add, contract: Contract,
                                                  make: Callable[..., Study], keys: dict[str, SigningKey]) -> None:
    """Which rows break a rule is known once all columns are read."""
    path = tmp_path / "loans.csv"
    path.write_text("bad,income,grade\n0,1,A\n1,-3,B\n1,3,B\n")
    report = add(path, drop_invalid=True)
    approval = signed.agreed(make(), keys["north"], "north", version=report.version)
    opened = open_approved(register, approval, make(), streamed=True)
    assert isinstance(opened, NodeDataset)
    assert opened.frame(["income"])["income"].tolist() == [1.0, 3.0]


def test_a_field_without_a_column_is_refused_when_streamed(
    tmp_path: Path, register: Register, add: Add, contract: Contract, make: Callable[..., Study],
    keys: dict[str, SigningKey]
) -> None:
    path = tmp_path / "loans.csv"
    path.write_text("bad,income,grade\n0,1,A\n")
    report = add(path)
    approval = signed.agreed(make(), keys["north"], "north", version=report.version)
    streamed = open_approved(register, approval, make(), streamed=True)
    assert refused(lambda: streamed.frame(["note"])).code == "dataset.column-absent"
    other = make(data_contract="test.others/v1")
    assert refused(lambda: open_approved(register, approval, other, streamed=True)).code == "dataset.other-contract"
