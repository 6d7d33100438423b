"""Made-up rows fit their contracts, and the study files find in them what was put in."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sealane
from sealane.node.conformance import check_rows
from sealane.sectors.registry import contract
from sealane_examples.example import Example
from sealane_examples.healthcare import made_up

STUDIES = Path(__file__).resolve().parents[4] / "examples" / "healthcare"


def run(example: Example, **changes: Any) -> Any:
    study = tomllib.loads((STUDIES / f"study-{example.name}.toml").read_text(encoding="utf-8"))
    federation = sealane.simulate(made_up.parts(example), contract=contract(study["data_contract"]))
    return federation.run(study["computation"], minimum_count=study["minimum_count"],
                          minimum_cohort=study["minimum_cohort"], **(study["parameters"] | changes))


@pytest.mark.parametrize("example", [made_up.REPORTS, made_up.VISITS], ids=lambda one: one.name)
def test_rows_conform_and_say_that_they_are_made_up(example: Example, tmp_path: Path) -> None:
    rules = contract(example.contract)
    for table in made_up.parts(example).values():
        assert not check_rows(rules, {name: table[name] for name in table}, len(table)).failures
        assert {field.name for field in rules.fields if not field.nullable} <= set(table) <= set(rules.names)
    assert example.source.startswith("Made up")
    assert example.title.startswith("Made-up")
    done = subprocess.run([sys.executable, "-m", "sealane_examples", example.name, "prepare", str(tmp_path)],
                          capture_output=True, text=True, check=True, timeout=120)
    described = json.loads(done.stdout)
    assert described["made_up"] is True
    assert {path.stem for path in tmp_path.iterdir()} == set(described["institutions"]) == set(example.institutions)


def test_made_up_rows_are_not_judged(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "sealane_examples", "outbreak", "evaluate", str(tmp_path)], input="{}",
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "example.not-judged"


def test_the_signal_that_was_put_in_is_found() -> None:
    pair = run(made_up.REPORTS).to_dict()["pairs"][0]
    rows = pd.concat(made_up.parts(made_up.REPORTS).values())
    a, b, c, d = (int(((rows["drug_of_interest"] == x) & (rows["reaction_of_interest"] == y)).sum())
                  for x, y in ((1, 1), (1, 0), (0, 1), (0, 0)))
    assert pair["ROR"] == pytest.approx(a * d / (b * c), rel=1e-12)
    error = math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    assert abs(math.log(pair["ROR"] / made_up.TRUE_RATIO)) < 3.3 * error  # one sample in a thousand is further off
    assert pair["ROR_low"] > 1
    assert pair["signal"]


def test_the_outbreak_that_was_put_in_is_found_and_no_other() -> None:
    alarms = [pd.Timestamp(week) for week in run(made_up.VISITS).to_dict()["alarms"]]
    end = made_up.OUTBREAK_BEGINS + pd.Timedelta(days=made_up.OUTBREAK_DAYS)
    assert any(made_up.OUTBREAK_BEGINS <= week < end for week in alarms)
    # The CUSUM is noised, and gives one false alarm in 336 weeks; it may stay high for a while after an outbreak.
    assert sum(week < made_up.OUTBREAK_BEGINS for week in alarms) <= 1
