"""Features against pandas' own windows, ties and gaps, recipes that do not fit, and what a query may reach."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from expected_error import raises

from sealane.errors import InputError, SealaneError
from sealane.governance.contract import Contract
from sealane.node.datasets import add_dataset, check_dataset, open_dataset
from sealane.node.mapping import Mapped
from sealane.node.reading_features import make_features
from sealane.node.register import Register
from sealane.node.sources import parse_source, with_mapping
from sealane.sectors.finance.recipe import load_recipe
from sealane.sectors.finance.recipe_sql import query
from sealane.sectors.registry import contract

CARDS = contract("finance.card-transaction/v1")
RECIPE = """
entity = "account_key"
time = "time"
features = [
  { field = "count_1h", make = "count", hours = 1 },
  { field = "count_7d", make = "count", days = 7 },
  { field = "amount_7d", make = "sum", of = "amount", days = 7 },
  { field = "amount_1d", make = "maximum", of = "amount", days = 1 },
  { field = "amount_z_30d", make = "z", of = "amount", days = 30 },
  { field = "credit_limit", make = "mean", of = "amount", days = 30, least = 2 },
  { field = "hours_since_last", make = "recency" },
  { field = "merchants_7d", make = "distinct", of = "merchant_key", days = 7 },
  { field = "new_merchant", make = "new", of = "merchant_key" },
]
"""


def cards(rows: int = 3000, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    seconds = rng.choice(90 * 86_400, rows, replace=False)
    return pd.DataFrame({
        "account_key": [f"a{n}" for n in rng.integers(0, 60, rows)],
        "merchant_key": [f"m{n}" for n in rng.integers(0, 25, rows)],
        "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(seconds, unit="s"),
        "amount": rng.lognormal(3.5, 1.0, rows).round(2)})


def make(frame: pd.DataFrame, text: str = RECIPE) -> pd.DataFrame:
    return make_features(frame, load_recipe(text.encode(), CARDS))


def rolled(frame: pd.DataFrame, window: str, name: str) -> pd.Series[float]:
    """Return pandas' rolling statistic of earlier amounts of the account, in the order of the rows."""
    ordered = frame.sort_values("time")
    parts = [getattr(rows.set_index("time")["amount"].rolling(window, closed="left"), name)().set_axis(rows.index)
             for _, rows in ordered.groupby("account_key")]
    return pd.concat(parts).reindex(frame.index)


def test_windows_are_those_of_pandas() -> None:
    frame = cards()
    made = make(frame)
    np.testing.assert_array_equal(made["count_1h"], rolled(frame, "1h", "count").fillna(0))
    np.testing.assert_array_equal(made["count_7d"], rolled(frame, "7D", "count").fillna(0))
    np.testing.assert_allclose(made["amount_7d"], rolled(frame, "7D", "sum").fillna(0), rtol=1e-9)
    np.testing.assert_allclose(made["amount_1d"], rolled(frame, "1D", "max"), rtol=0)
    enough = rolled(frame, "30D", "count")
    mean, spread = rolled(frame, "30D", "mean"), rolled(frame, "30D", "std")
    np.testing.assert_allclose(made["credit_limit"], mean.where(enough >= 2), rtol=1e-9)
    np.testing.assert_allclose(made["amount_z_30d"], ((frame["amount"] - mean) / spread).where(enough >= 3), rtol=1e-6)
    before = frame.sort_values("time").groupby("account_key")["time"].diff().dt.total_seconds() / 3600
    np.testing.assert_allclose(made["hours_since_last"], before.reindex(frame.index), rtol=1e-12)
    first = ~frame.sort_values("time").duplicated(["account_key", "merchant_key"]).reindex(frame.index)
    np.testing.assert_array_equal(made["new_merchant"], first.astype(float))
    for row in frame.sample(200, random_state=1).itertuples():
        earlier = frame[(frame["account_key"] == row.account_key) & (frame["time"] < row.time)
                        & (frame["time"] >= row.time - pd.Timedelta(days=7))]
        assert made.loc[row.Index, "merchants_7d"] == earlier["merchant_key"].nunique()


def test_rows_of_one_moment_do_not_see_each_other_and_gaps_have_no_features() -> None:
    frame = pd.DataFrame({
        "account_key": ["a", "a", "a", None, "a", "b"], "merchant_key": ["m", "m", "m", "m", None, "m"],
        "time": ["2026-01-01T10:00:00", "2026-01-01T10:00:00", "2026-01-01T12:30:00+02:00", "2026-01-01T11:00:00",
                 "2026-01-01T11:00:00Z", "soon"],
        "amount": ["5", "7", "x", "1", "2", "3"]})
    made = make(frame)
    # The third row is of half past ten; its amount is none, so the fifth sees 12.
    assert made["count_1h"].tolist()[:3] == [0, 0, 2]
    assert made["count_1h"].tolist()[4] == 3
    assert made["amount_7d"].tolist()[:3] == [0, 0, 12]
    assert made["amount_7d"].tolist()[4] == 12
    assert made.loc[3].isna().all()
    assert made.loc[5].isna().all()
    assert made["new_merchant"].tolist()[:3] == [1, 1, 0]
    assert np.isnan(made["new_merchant"][4])
    assert made["hours_since_last"].tolist()[2] == 0.5
    assert made.index.equals(frame.index)


def test_equal_amounts_have_no_z() -> None:
    frame = cards(200).assign(amount=5.0)
    assert make(frame)["amount_z_30d"].isna().all()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    cards(400).to_csv(tmp_path / "cards.csv", index=False)
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_dataset_with_features_is_added_and_opened_again(
    written: Path, suffix: str, register: Register
) -> None:
    frame = pd.read_csv(written / "cards.csv", parse_dates=["time"])
    if suffix == "parquet":
        duckdb.sql(f"COPY (SELECT * FROM read_csv('{written}/cards.csv')) TO '{written}/cards.parquet'")
    source = f"features:{written}/cards.{suffix}?mapping={written}/recipe.toml"
    report = add_dataset(register, "cards", source, CARDS.id, {"mcc": Mapped("merchant_key")}, now=datetime(
        2026, 6, 1, tzinfo=UTC))
    assert report.accepted
    assert "count_1h" not in report.absent
    rows = open_dataset(register, "cards").frame(["amount", "count_7d", "amount_z_30d", "new_merchant", "mcc"])
    made = make(frame)
    np.testing.assert_array_equal(rows["count_7d"], made["count_7d"])
    np.testing.assert_allclose(rows["amount_z_30d"], made["amount_z_30d"], rtol=1e-9)
    assert rows["mcc"].tolist() == frame["merchant_key"].tolist()
    (written / "recipe.toml").write_text(RECIPE.replace("days = 7 }", "days = 6 }"), encoding="utf-8")
    with pytest.raises(SealaneError) as caught:
        open_dataset(register, "cards")
    assert caught.value.code == "dataset.changed"


def test_another_order_of_keys_is_the_same_recipe(written: Path) -> None:
    source = f"features:{written}/cards.csv?mapping={written}/recipe.toml"
    before = check_dataset("cards", source, CARDS, {}).version
    lines = RECIPE.strip().splitlines()
    (written / "recipe.toml").write_text("\n".join([lines[1], lines[0], "# a comment", *lines[2:]]), encoding="utf-8")
    assert check_dataset("cards", source, CARDS, {}).version == before


def test_the_source_names_its_recipe_from_any_directory(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written)
    text = with_mapping("features:cards.csv", Path("recipe.toml"))
    assert parse_source(text) == parse_source(parse_source(text).text)
    assert parse_source(text).mapping == written / "recipe.toml"
    assert check_dataset("cards", text, CARDS, {}).accepted
    with raises("dataset.source-malformed", InputError):
        parse_source("features:postgresql://host/database?mapping=recipe.toml")


def features(line: str) -> str:
    return f'entity = "account_key"\ntime = "time"\nfeatures = [{line}]'


@pytest.mark.parametrize(("text", "code"), [
    ("entity =", "features.recipe-not-toml"),
    (features(""), "features.recipe-malformed"),
    (features('{ field = "count_1d", make = "count" }'), "features.recipe-malformed"),
    (features('{ field = "count_1d", make = "count", days = 1, hours = 1 }'), "features.recipe-malformed"),
    (features('{ field = "count_1d", make = "count", of = "amount", days = 1 }'), "features.recipe-malformed"),
    (features('{ field = "amount_1d", make = "sum", days = 1 }'), "features.recipe-malformed"),
    (features('{ field = "hours_since_last", make = "recency", days = 1 }'), "features.recipe-malformed"),
    (features('{ field = "count_1d", make = "sql", days = 1 }'), "features.recipe-malformed"),
    (features('{ field = "count_1d", make = "count", days = "1; DROP TABLE rows" }'), "features.recipe-malformed"),
    (features('{ field = "mcc", make = "count", days = 1 }'), "features.recipe-malformed"),
    (features('{ field = "amount", make = "mean", of = "x", days = 1 }'), "features.recipe-malformed"),
    (features('{ field = "no_such", make = "count", days = 1 }'), "contract.unknown-field"),
    (features('{ field = "count_1d", make = "count", days = 1 }, { field = "count_1d", make = "count", days = 2 }'),
     "features.recipe-malformed"),
    ("x" * (1 << 20 | 1), "features.recipe-malformed"),
])
def test_recipes_that_are_none(text: str, code: str) -> None:
    with raises(code, InputError):
        load_recipe(text.encode(), CARDS)


def test_recipes_that_do_not_fit_the_file(written: Path, tmp_path: Path) -> None:
    def check(source: str, rules: Contract = CARDS) -> None:
        check_dataset("cards", source, rules, {})

    source = f"features:{written}/cards.csv?mapping={written}/recipe.toml"
    cards(10).assign(count_7d=1).to_csv(written / "cards.csv", index=False)
    with raises("features.column-exists", InputError):
        check(source)
    cards(10).drop(columns="merchant_key").to_csv(written / "cards.csv", index=False)
    with raises("features.no-such-column", InputError):
        check(source)
    with raises("dataset.source-malformed", InputError):
        check(source.replace("cards.csv", "cards.xlsx"))
    with raises("dataset.source-malformed", InputError):
        check(f"features:{written}/cards.csv")
    with raises("dataset.not-found", InputError):
        check(source.replace("recipe.toml", "none.toml"))


def test_the_query_holds_nothing_of_the_recipe_but_numbers() -> None:
    names = ['a"; DROP TABLE rows; --', "b'); COPY rows TO '/tmp/out'", "c"]
    text = features('{ field = "amount_1d", make = "sum", of = "X", days = 2 }, '
                    '{ field = "new_merchant", make = "new", of = "Y" }')
    recipe = load_recipe(text.encode(), CARDS).model_copy(update={"entity": names[0], "time": names[1]})
    asked = query(recipe)
    for word in (*names, "amount_1d", "new_merchant", "X", "Y"):
        assert f" {word} " not in asked
        assert word not in asked.replace("UNBOUNDED", "").split()
    frame = cards(50).rename(columns={"account_key": names[0], "time": names[1]}).assign(X=1.0, Y="v")
    assert make_features(frame, recipe)["amount_1d"].notna().all()


def test_a_query_can_reach_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.csv").write_text("CANARY\n1\n", encoding="utf-8")
    monkeypatch.setattr("sealane.node.reading_features.query",
                        lambda recipe: f"SELECT * FROM read_csv('{tmp_path}/secret.csv')")
    with raises("features.failed", InputError) as caught:
        make(cards(5))
    assert "CANARY" not in repr(caught.value)
    assert caught.value.__context__ is None
