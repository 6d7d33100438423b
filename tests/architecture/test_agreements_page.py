"""docs/agreements.md describes the whole ODRL profile, the clauses and the defaults."""

from __future__ import annotations

import tomllib
from pathlib import Path

from sealane.governance.clauses import MEANING
from sealane.governance.defaults import Defaults
from sealane.governance.odrl import CLAUSES, PROFILE, TARIFF
from sealane.governance.policy import CLAUSES as DECIDED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agreements.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_profile_is_described_in_the_order_it_is_written() -> None:
    rows = [line.split("|") for line in TEXT.splitlines() if line.startswith(("| `odrl:", "| `:"))]
    told = [(left.strip(" `").replace(":", f"{PROFILE}:", 1) if left.strip(" `").startswith(":") else left.strip(" `"),
             operator.strip(" `"), needed.strip() != "no") for _, left, operator, _, needed, _ in rows]
    assert told == [(one.left, one.operator, one.required) for one in (*CLAUSES, *TARIFF)]


def test_every_clause_is_named_and_has_a_meaning() -> None:
    assert [clause for clause in DECIDED if f"`{clause}`" not in TEXT] == []
    assert set(DECIDED) <= set(MEANING)


def test_the_example_of_defaults_is_one() -> None:
    example = TEXT.partition("```toml\n")[2].partition("```")[0]
    read = Defaults.model_validate(tomllib.loads(example))
    assert read.tariff is not None
    assert (read.valid_days, read.jurisdictions) == (90, ["DE", "FR"])
