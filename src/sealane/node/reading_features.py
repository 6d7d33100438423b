"""CSV and Parquet with features that a recipe makes of them, by one query over numbers in memory.

The query runs on a connection that may read no file and no network; names and texts of the source never get there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from sealane.core.canonical import content_hash
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field
from sealane.node.conformance import check_column, numbers_of
from sealane.node.reading_fhir import read_definition
from sealane.node.reading_files import connect
from sealane.node.sources import SUFFIXES, Source
from sealane.node.table import Choose, Table
from sealane.sectors.finance.recipe import Recipe, load_recipe
from sealane.sectors.finance.recipe_sql import query, sources

FORM = "sealane.features/v1"
"""Part of the content's hash: rows made by another query of the same file are another version."""


def read_features(source: Source, choose: Choose, contract: Contract, read_file: Callable[[Source, Choose], Table]
                  ) -> Table:
    """Read a file and the features of its recipe.

    Args:
        source: whose mapping is the recipe.
        choose: which columns, those of the file and those that are made.
        contract: whose fields are made.
        read_file: reads the file itself.

    Raises:
        InputError: the recipe is malformed, or does not fit the file.
        RefusedError: the file changed while it was read.
    """
    recipe = load_recipe(read_definition(source.mapping), contract)
    suffix = Path(source.location).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError("dataset.source-malformed", "features are made of CSV and Parquet files", got=suffix,
                         expected="features:path.csv or features:path.parquet")
    chosen: list[str] = []

    def with_recipe(names: list[str]) -> list[str]:
        _check_names(recipe, names)
        chosen.extend(choose([*names, *recipe.fields]))
        return list(dict.fromkeys([*(name for name in chosen if name in names), *recipe.columns]))

    table = read_file(Source(SUFFIXES[suffix], source.location), with_recipe)
    made = make_features(table.frame, recipe)
    frame = pd.concat([table.frame, made], axis=1)[chosen]
    content = content_hash({"form": FORM, "recipe": hashlib.sha256(recipe.to_bytes()).hexdigest(),
                            "file": table.content})
    unfilled = tuple(name for name in recipe.fields if bool(made[name].isna().all()))
    return Table([*table.names, *recipe.fields], frame, content.hex(), table.counted, unfilled)


def make_features(frame: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """Return the features of a table's rows, by field, in the order of its rows.

    Raises:
        InputError: they cannot be made.
    """
    rows = pd.DataFrame({"n": np.arange(len(frame)), "e": pd.factorize(frame[recipe.entity])[0].astype(np.int64),
                         "t": check_column(frame[recipe.time].reset_index(drop=True), Field(
                             name="time", type="date", nullable=True))[0].to_numpy().astype("datetime64[us]")})
    for name, (column, places) in sources(recipe).items():
        rows[name] = pd.factorize(frame[column])[0].astype(np.int64) if places else numbers_of(frame[column])
    failure = ""
    try:
        with closing(connect([])) as connection:
            connection.register("rows", rows)
            found = connection.execute(query(recipe)).df()
    except duckdb.Error as error:
        failure = type(error).__name__
    # Raised out here so that the reader's own message, which may quote a value, is no context of this one.
    if failure:
        raise InputError("features.failed", "the features cannot be made", got=failure,
                         hint="are times and numbers of the source within what a database holds?")
    found.columns = pd.Index(["n", *recipe.fields])
    return found.set_index("n").astype(np.float64).reindex(np.arange(len(frame))).set_axis(frame.index)


def _check_names(recipe: Recipe, names: list[str]) -> None:
    absent = [name for name in recipe.columns if names.count(name) != 1]
    if absent:
        raise InputError("features.no-such-column", "the source lacks columns of the recipe, or has them twice",
                         got=", ".join(absent)[:200], expected=f"one of {len(names)} columns, once each")
    there = [name for name in recipe.fields if name in names]
    if there:
        raise InputError("features.column-exists", "the source has columns of names that the recipe makes",
                         got=", ".join(there)[:200], hint="leave them out of the recipe, or rename the columns")
