"""A recipe as one SQL query for DuckDB, over a table of numbers under names of our own.

Nothing of the recipe gets into the text but whole numbers: the table ``rows`` has the row's number ``n``, the entity's
place ``e``, the time ``t``, and of each column that a feature is of the numbers ``v0, v1, …`` or places ``k0, k1, …``.
A window ends a microsecond before the row, so rows of one moment do not see each other.
"""

from __future__ import annotations

from sealane.sectors.finance.recipe import OF_VALUES, Feature, Recipe


def query(recipe: Recipe) -> str:
    """Return the query: ``n``, then the features as ``f0, f1, …``."""
    made = ", ".join(f"{_expression(feature, _source(recipe, feature))} AS f{place}"
                     for place, feature in enumerate(recipe.features))
    return f"SELECT n, {made} FROM rows WHERE e >= 0 AND t IS NOT NULL ORDER BY n"  # noqa: S608 - our own words


def sources(recipe: Recipe) -> dict[str, tuple[str, bool]]:
    """Return by name in the query the column it stands for, and whether places of its values are meant."""
    found: dict[tuple[str, bool], str] = {}
    for feature in recipe.features:
        if feature.of is not None:
            key = (feature.of, feature.make in OF_VALUES)
            found.setdefault(key, f"{'k' if key[1] else 'v'}{len(found)}")
    return {name: key for key, name in found.items()}


def _source(recipe: Recipe, feature: Feature) -> str:
    wanted = (feature.of, feature.make in OF_VALUES)
    return next((name for name, key in sources(recipe).items() if key == wanted), "")


def _expression(feature: Feature, source: str) -> str:
    start = "UNBOUNDED" if feature.seconds is None else f"INTERVAL '{feature.seconds}' SECOND"
    frame = f"ORDER BY t RANGE BETWEEN {start} PRECEDING AND INTERVAL '1' MICROSECOND PRECEDING"
    over = f"OVER (PARTITION BY e {frame})"
    enough = f"COUNT({source}) {over} >= {feature.least}"
    match feature.make:
        case "count":
            return f"COUNT(*) {over}"
        case "sum":
            return f"COALESCE(SUM({source}) {over}, 0)"
        case "mean":
            return f"CASE WHEN {enough} THEN AVG({source}) {over} END"
        case "minimum":
            return f"MIN({source}) {over}"
        case "maximum":
            return f"MAX({source}) {over}"
        case "z":
            spread = f"NULLIF(STDDEV_SAMP({source}) {over}, 0)"
            return f"CASE WHEN {enough} THEN ({source} - AVG({source}) {over}) / {spread} END"
        case "distinct":
            return f"COUNT(DISTINCT NULLIF({source}, -1)) {over}"
        case "recency":
            return f"DATE_DIFF('microsecond', MAX(t) {over}, t) / 3600000000.0"
        case "new":
            seen = f"COUNT(*) OVER (PARTITION BY e, {source} {frame})"
            return f"CASE WHEN {source} >= 0 THEN CAST({seen} = 0 AS INTEGER) END"
