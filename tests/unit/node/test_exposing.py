from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from loans import CONTRACT, loans
from steward import Steward

from sealane.core.clock import ManualClock
from sealane.errors import SealaneError
from sealane.governance.classification import read_label
from sealane.node import exposing
from sealane.node.datasets import add_dataset
from sealane.node.exposing import KEY_FILE, desensitisation_key, write_desensitised, write_mock
from sealane.node.grading import grade, proposals

RULES = b"""
k = 20
quasi_identifiers = ["term", "verification_status"]
[[rules]]
field = "term"
do = "keep"
[[rules]]
field = "verification_status"
do = "keep"
[[rules]]
field = "annual_inc"
do = "code"
top = 100000.0
[[rules]]
field = "addr_state"
do = "pseudonym"
"""


@pytest.fixture
def steward(tmp_path: Path) -> Iterator[Steward]:
    (tmp_path / "identity").mkdir(mode=0o700)
    made = Steward(tmp_path, ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC)))
    made.add()
    made.label(term="trade-secret:4")
    yield made
    made.register.close()


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(SealaneError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.suffix == ".csv" else duckdb.sql(f"SELECT * FROM '{path}'").df()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_desensitised_table_is_written_once_for_its_owner(suffix: str, steward: Steward, tmp_path: Path) -> None:
    output = tmp_path / f"it's shown{suffix}"
    made = write_desensitised(steward.register, tmp_path, "loans", RULES, output)
    shown = pd.read_csv(output) if suffix == ".csv" else None
    if shown is None:
        output = output.rename(tmp_path / "plain.parquet")
        shown = read(output)
    assert list(shown.columns) == ["term", "verification_status", "annual_inc", "addr_state"]
    assert shown["annual_inc"].max() == 100_000.0
    assert shown["addr_state"].str.fullmatch("[0-9a-f]{32}").all()
    assert shown["addr_state"].nunique() == loans(1, 300)["addr_state"].nunique()
    sizes = loans(1, 300).groupby(["term", "verification_status"]).size()
    assert (made.rows, made.k) == (300, sizes.min())
    assert made.sha256 == hashlib.sha256(output.read_bytes()).hexdigest()
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    output.rename(made.path)
    assert code_of(write_desensitised, steward.register, tmp_path, "loans", RULES, made.path) == "output.exists"


def test_under_the_asked_k_nothing_is_written(steward: Steward, tmp_path: Path) -> None:
    rules = RULES.replace(b"k = 20", b"k = 290")
    assert code_of(write_desensitised, steward.register, tmp_path, "loans", rules, tmp_path / "x.csv") == (
        "desensitise.k-too-small")
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["loans.csv"]
    assert not list(tmp_path.glob(".*"))


def test_the_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    (tmp_path / "identity").mkdir(mode=0o700)
    first = desensitisation_key(tmp_path)
    assert desensitisation_key(tmp_path) == first
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    (tmp_path / KEY_FILE).chmod(0o644)
    assert code_of(desensitisation_key, tmp_path) == "identity.open-permissions"
    (tmp_path / KEY_FILE).chmod(0o600)
    (tmp_path / KEY_FILE).write_bytes(b"short")
    assert code_of(desensitisation_key, tmp_path) == "desensitise.key-malformed"


def test_a_mock_is_marked_and_is_made_without_the_rows(steward: Steward, tmp_path: Path) -> None:
    (tmp_path / "loans.csv").unlink()  # the rows are gone, and it is made all the same
    made = write_mock(steward.register, "loans", 100, tmp_path / "mock.parquet")
    table = read(made.path)
    assert len(table) == 100
    assert table["sealane_synthetic"].all()
    marks = duckdb.sql(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{made.path}')").fetchall()
    assert ("sealane", "synthetic") in marks
    assert made.k is None


def test_derived_files_are_graded_no_lower_than_what_they_came_from(steward: Steward, tmp_path: Path) -> None:
    write_mock(steward.register, "loans", 100, tmp_path / "mock.csv")
    register = steward.register
    report = add_dataset(register, "mock", str(tmp_path / "mock.csv"), CONTRACT, {}, now=steward.clock())
    assert report.failures == ()
    standing = proposals(register, "mock")["term"]
    assert (str(standing.proposal.label), str(standing.floor)) == ("trade-secret:4", "trade-secret:4")

    def graded(**words: str) -> str:
        grade(register, "mock", accept=True, changes={"term": read_label("internal:2")}, **words)
        return str(register.lives.labels("mock", report.version)["term"].label)

    with pytest.raises(SealaneError) as caught:
        graded(reason="it is synthetic")
    assert caught.value.code == "grade.derived-below-inputs"
    assert graded(review="made from cells of 10 rows and more; reviewed 2026-6-2") == "internal:2"
    assert register.lives.labels("mock", report.version)["term"].reason.startswith("made from")


def test_outputs_that_cannot_be_written(steward: Steward, tmp_path: Path) -> None:
    assert code_of(write_mock, steward.register, "loans", 10, tmp_path / "x.txt") == "output.unknown-kind"
    assert code_of(write_mock, steward.register, "loans", 10, tmp_path / "none" / "x.csv") == "output.refused"


def test_nothing_is_shown_of_what_is_not_graded(steward: Steward, tmp_path: Path) -> None:
    steward.add(loans(2, 200))
    assert code_of(write_mock, steward.register, "loans", 10, tmp_path / "x.csv") == "dataset.not-graded"
    assert code_of(write_desensitised, steward.register, tmp_path, "loans", RULES, tmp_path / "x.csv") == (
        "dataset.not-graded")


def test_without_rules_the_sector_pack_s_defaults_count(
    steward: Steward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "shown.csv"
    with monkeypatch.context() as patch:
        patch.setattr(exposing, "deidentification", lambda contract_id: None)
        assert code_of(write_desensitised, steward.register, tmp_path, "loans", None, output) == (
            "desensitise.no-default")
    # 300 loans over 51 states cannot agree in fives.
    assert code_of(write_desensitised, steward.register, tmp_path, "loans", None, output) == "desensitise.k-too-small"
    source = tmp_path / "dialysis.csv"
    source.write_text("time,event,age,cause,begin\n" + "".join(
        f"{n},{n % 2},{91 + n},renal,{n % 12}\n" for n in range(20)))
    add_dataset(steward.register, "dialysis", str(source), "healthcare.dialysis/v1", {},
                now=datetime(2026, 6, 1, tzinfo=UTC))
    grade(steward.register, "dialysis", accept=True)
    written = write_desensitised(steward.register, tmp_path, "dialysis", None, output)
    assert written.k == 20
    shown = read(output)
    assert set(shown["age"]) == {"[90, inf)"}
    assert set(shown["begin"]) == {"[0, 12)"}
    assert "sex" not in shown
