from __future__ import annotations

from pathlib import Path

import pytest

from sealane.errors import InputError
from sealane.node.sources import parse_source


@pytest.mark.parametrize(("text", "kind", "table"), [
    ("loans.csv", "csv", ""), ("/data/Loans.PARQUET", "parquet", ""), ("sqlite:my data.db?table=a b", "sqlite", "a b"),
    ("x.sqlite?table=loans", "sqlite", "loans"), ("postgresql://h/db?table=loans", "postgresql", "loans"),
])
def test_forms(text: str, kind: str, table: str) -> None:
    source = parse_source(text)
    assert (source.kind, source.table) == (kind, table)


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_source("loans.csv").path == tmp_path / "loans.csv"
    assert parse_source("sqlite:l.db?table=t").path == tmp_path / "l.db"


def test_database_urls_keep_their_options_and_lose_ours() -> None:
    source = parse_source("postgres://ann:pa%20ss@db.bank:5433/risk?sslmode=require&table=loans&schema=credit")
    assert source.location == "postgresql://ann:pa%20ss@db.bank:5433/risk?sslmode=require"
    assert (source.schema, source.table) == ("credit", "loans")
    socket = parse_source("postgresql:///risk?host=/run/pg&table=t")
    assert socket.location == "postgresql:///risk?host=%2Frun%2Fpg"


def test_a_password_is_never_shown() -> None:
    source = parse_source("postgresql://ann:CANARY@db.bank:5433/risk?password=CANARY&table=loans")
    assert str(source) == "postgresql://db.bank:5433/risk table loans"
    assert "CANARY" not in repr(source)


@pytest.mark.parametrize("text", [
    "", "  ", "loans.xlsx", "loans", "a\x00.csv", "loans.db", "sqlite:loans.db", "postgresql://h/db",
    "postgresql://h:CANARY/db?table=t", "postgresql://h/db?table=" + "t" * 64, "http://host/loans",
    "postgresql://h/db?CANARY",
])
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(text)
    assert caught.value.code == "dataset.source-malformed"
    assert "CANARY" not in str(caught.value.to_dict())
