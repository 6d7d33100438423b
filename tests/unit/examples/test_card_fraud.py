"""Made-up card payments: four banks, over 200,000 rows, the same at every making, and scored by each bank itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealane.errors import InputError
from sealane.sectors.finance.recipe import load_recipe
from sealane.sectors.registry import contract
from sealane_examples.finance import card_steps, cards
from sealane_examples.finance.cards import EXAMPLE, RECIPE, ROWS, transactions
from sealane_examples.written import read_part

RULES = contract(EXAMPLE.contract)


@pytest.fixture(scope="module")
def bank() -> pd.DataFrame:
    return transactions(0)


def test_it_says_that_it_is_made_up() -> None:
    assert "Made up" in EXAMPLE.source
    assert "Made-up" in EXAMPLE.title
    assert len(EXAMPLE.institutions) >= 4
    assert len(EXAMPLE.institutions) * ROWS >= 200_000


def test_rows_are_what_was_put_in(bank: pd.DataFrame) -> None:
    assert len(bank) == ROWS
    assert bank["fraud"].sum() == round(ROWS * cards.FRAUD_RATE / cards.BURST) * cards.BURST
    assert bank["time"].is_monotonic_increasing
    assert bank["time"].min() >= cards.BEGIN
    assert bank["time"].max() < cards.END
    honest = bank[bank["fraud"] == 0]
    later = honest["time"] >= cards.SHIFT
    ratio = honest.loc[later, "amount"].mean() / honest.loc[~later, "amount"].mean()
    assert ratio == pytest.approx(cards.SHIFT_FACTOR, abs=0.15)
    # Bank 1 meets mostly cards that were skimmed and used abroad, bank 2 numbers that were stolen online.
    other = transactions(1, 8000)
    assert bank.loc[bank["fraud"] == 1, "cross_border"].mean() > 0.4
    assert other.loc[other["fraud"] == 1, "cross_border"].mean() < 0.3
    assert other.loc[other["fraud"] == 1, "card_present"].mean() < 0.4


def test_rows_are_the_same_at_every_making_and_differ_by_bank() -> None:
    pd.testing.assert_frame_equal(transactions(2, 3000), transactions(2, 3000))
    assert not transactions(2, 3000)["amount"].equals(transactions(3, 3000)["amount"])


def test_columns_and_recipe_fit_the_contract(bank: pd.DataFrame) -> None:
    fields = {field.name: field for field in RULES.fields}
    recipe = load_recipe(RECIPE, RULES)
    assert set(bank) <= set(fields)
    assert set(EXAMPLE.features) <= set(bank) | set(recipe.fields)
    assert not set(bank) & set(recipe.fields)
    assert bank["amount"].between(fields["amount"].minimum or 0.0, fields["amount"].maximum or 0.0).all()


def test_each_bank_scores_its_later_rows(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    import sealane
    from sealane.node.reading_features import make_features

    described = card_steps.prepare(tmp_path, rows=6000)
    assert list(described["institutions"]) == list(EXAMPLE.institutions)
    recipe = load_recipe(RECIPE, RULES)
    whole = {name: read_part(tmp_path, f"{name}-all", EXAMPLE.name) for name in EXAMPLE.institutions}
    made = {name: pd.concat([rows, make_features(rows, recipe)], axis=1) for name, rows in whole.items()}
    earlier = {name: rows[rows["time"] < cards.WATCHED_FROM] for name, rows in made.items()}
    for name, rows in earlier.items():
        assert described["institutions"][name]["rows"] == len(rows)
    trees = sealane.simulate(earlier, contract=RULES).run(
        "trees.gbdt", outcome="fraud", features=list(EXAMPLE.features), rounds=3,
        params={"num_leaves": 4, "max_bin": 15, "learning_rate": 0.2})
    answer = card_steps.evaluate(tmp_path, json.dumps({"trees": trees.to_dict()}))
    assert set(answer["shap"]) == set(EXAMPLE.features)
    booster = lightgbm.Booster(model_str=trees.model_text)
    for name, part in answer["institutions"].items():
        scored = read_part(tmp_path, f"{name}-scored", EXAMPLE.name)
        assert part["rows"] == len(scored) == len(whole[name]) - len(earlier[name])
        # Features look back over rows before the first that is scored.
        later = made[name][made[name]["time"] >= cards.WATCHED_FROM]
        assert (scored["count_7d"].to_numpy() == later["count_7d"].to_numpy()).all()
        expected = booster.predict(later[list(EXAMPLE.features)].astype(np.float64).to_numpy())
        np.testing.assert_allclose(scored["score"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("question", ["no JSON", {}, {"trees": {"model": "x"}}, {"trees": {}, "more": 1}])
def test_a_malformed_question(question: Any, tmp_path: Path) -> None:
    text = question if isinstance(question, str) else json.dumps(question)
    with pytest.raises(InputError) as caught:
        card_steps.evaluate(tmp_path, text)
    assert caught.value.code == "example.question-malformed"


def test_the_demo_watches_each_number_in_about_ten_bins() -> None:
    import sealane
    from sealane.cli.finance_demo.cards import watching
    from sealane.node.reading_features import make_features

    recipe = load_recipe(RECIPE, RULES)
    frames = {}
    for bank, name in enumerate(EXAMPLE.institutions):
        rows = transactions(bank, 6000)
        made = pd.concat([rows, make_features(rows, recipe)], axis=1).loc[rows["time"] >= cards.WATCHED_FROM]
        chance = np.random.default_rng(bank).beta(0.3, 9.0, len(made))
        frames[name] = made.assign(score=np.where(made["fraud"] == 1, 0.5, chance))
    question = watching(EXAMPLE)["drift"]
    found = sealane.simulate(frames, contract=RULES).run(question.computation, **question.parameters)
    pooled = pd.concat(frames.values(), ignore_index=True)
    first, june = (pooled[pooled["time"].dt.strftime("%Y-%m") == month] for month in ("2025-04", "2025-06"))
    for name in ("score", "amount", "amount_z_30d", "count_7d"):
        cuts = np.unique(np.nanquantile(first[name], [part / 10 for part in range(1, 10)]))
        assert len(cuts) >= (5 if name == "count_7d" else 9)
        np.testing.assert_allclose(found.edges[name], cuts, rtol=0.01, atol=2e-3)
    cuts = np.nanquantile(first["amount_z_30d"], [part / 10 for part in range(1, 10)])
    cells = (np.where(part["amount_z_30d"].isna(), 10, np.searchsorted(cuts, part["amount_z_30d"]))
             for part in (first, june))
    reference, moved = (np.bincount(one, minlength=11) + 0.5 for one in cells)
    reference, moved = reference / reference.sum(), moved / moved.sum()
    expected = float(((moved - reference) * np.log(moved / reference)).sum())
    assert found.psi.loc["2025-06", "amount_z_30d"] == pytest.approx(expected, rel=0.05)
