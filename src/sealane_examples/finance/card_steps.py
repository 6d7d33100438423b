"""Made-up transactions written for four banks, and what each bank does with the trees that all of them grew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from sealane.computations.trees.result import GbdtResult
from sealane.errors import InputError
from sealane.node.reading_features import make_features
from sealane.sectors.finance.recipe import load_recipe
from sealane.sectors.registry import contract
from sealane_examples.finance.cards import EXAMPLE, RECIPE, ROWS, WATCHED_FROM, transactions
from sealane_examples.finance.compare import mean_shap
from sealane_examples.question import parse
from sealane_examples.written import read_part, write_parquet

RECIPE_FILE = "recipe.toml"
SAMPLE = 2_000
"""Rows of each bank for which SHAP values are taken."""


class Question(BaseModel):
    """The trees that the federation released."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trees: dict[str, Any]


def prepare(directory: Path, rows: int = ROWS) -> dict[str, Any]:
    """Write each bank's transactions (``NAME.parquet``: to learn from, ``NAME-all.parquet``: all), and the recipe.

    Returns:
        ``{"institutions": {name: {path, rows, events, all, sha256, file_sha256}}, "recipe": path}``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    recipe = directory / RECIPE_FILE
    recipe.write_bytes(RECIPE)
    described = {}
    for place, name in enumerate(EXAMPLE.institutions):
        table = transactions(place, rows)
        write_parquet(table, directory / f"{name}-all.parquet")
        earlier = table[table["time"] < WATCHED_FROM]
        written = write_parquet(earlier, directory / f"{name}.parquet")
        described[name] = written.to_dict() | {"events": int(earlier["fraud"].sum()), "all": len(table)}
    return {"institutions": described, "recipe": str(recipe)}


def evaluate(directory: Path, text: str) -> dict[str, Any]:
    """Let each bank score its later transactions, and write them as ``NAME-scored.parquet``.

    Features look back into the months before, as they would at a bank.

    Returns:
        ``{"institutions": {name: {path, rows, events}}, "shap": {feature: mean size}}``.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    question = parse(Question, text, '{"trees": {...}}')
    try:
        trees = GbdtResult(question.trees)
    except (KeyError, TypeError) as error:
        raise InputError("example.question-malformed", "the released trees are not a result of trees.gbdt",
                         got=type(error).__name__) from error
    recipe = load_recipe(RECIPE, contract(EXAMPLE.contract))
    described, samples = {}, []
    for name in EXAMPLE.institutions:
        everything = read_part(directory, f"{name}-all", EXAMPLE.name)
        rows = pd.concat([everything, make_features(everything, recipe)], axis=1)
        rows = rows[rows["time"] >= WATCHED_FROM].reset_index(drop=True)
        samples.append(rows.head(SAMPLE))
        kept = rows.assign(score=trees.predict(rows).to_numpy())
        written = write_parquet(kept, directory / f"{name}-scored.parquet")
        described[name] = {"path": str(written.path), "rows": written.rows, "events": int(kept["fraud"].sum())}
    return {"institutions": described, "shap": mean_shap(trees, pd.concat(samples, ignore_index=True))}
