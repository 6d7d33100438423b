"""Made-up rows for demos: within their contract, the same every time, and another table for each institution."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane.node.datasets import check_dataset
from sealane.sectors.finance.made_up import CONTRACT, FEATURES, ROWS, made_up_loans, write_made_up_loans
from sealane.sectors.registry import contract


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_made_up_loans(tmp_path_factory.mktemp("made") / "tables", ("north", "south", "west"))


def test_every_table_conforms_to_its_contract(tables: dict[str, Path]) -> None:
    for path in tables.values():
        report = check_dataset("rows", str(path), contract(CONTRACT), {}, drop_invalid=False, repair=None)
        assert report.to_dict()["failures"] == []
        assert len(path.read_text().splitlines()) == ROWS + 1


def test_the_same_seed_makes_the_same_bytes_and_no_institution_has_anothers(
    tables: dict[str, Path], tmp_path: Path
) -> None:
    again = write_made_up_loans(tmp_path, tuple(tables))
    bytes_of = {name: path.read_bytes() for name, path in tables.items()}
    assert bytes_of == {name: path.read_bytes() for name, path in again.items()}
    assert len(set(bytes_of.values())) == len(tables)
    assert write_made_up_loans(tmp_path / "other", ("north",), seed=1)["north"].read_bytes() != bytes_of["north"]


def test_outcome_and_features_vary(tables: dict[str, Path]) -> None:
    columns = made_up_loans(7, 400)
    assert set(columns["bad"]) == {0, 1}
    assert 40 < sum(columns["bad"]) < 360
    assert all(len(set(columns[name])) > 1 for name in FEATURES)
