"""An isolation forest: what it rests on, and the scores above which a share of all rows lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, enumerated, section, table


class AlarmHeld(Held):
    """A share of rows, and the score above which it lies; None where hidden."""

    share: FiniteFloat
    score: FiniteFloat | None = None
    error: FiniteFloat | None = None


class ForestHeld(Held):
    """What an isolation forest holds."""

    alarms: list[AlarmHeld]
    features: list[str]
    rows: int
    trees: int
    sample: int


def isolation(result: Mapping[str, Any]) -> Markup:
    """Return the forest in a sentence and its thresholds as a table."""
    if result.get("computation") != "anomaly.isolation":
        return NOTHING
    found = find(result, ForestHeld, "alarms", "features")
    if found is None:
        return NOTHING
    told = (f"{count(found.rows)} rows, told apart by {found.trees} trees of public cuts in "
            f"{enumerated([name.replace('_', ' ') for name in found.features])}; isolation among {found.sample} rows. "
            "A score near 1 stands apart, one of 0.5 and less does not.")
    rows = [[f"{one.share:.3g}", f"about {count(round(one.share * found.rows))}",
             HIDDEN if one.score is None else f"{one.score:.4f}"] for one in found.alarms]
    return section("Rows that stand apart", element("p", {}, told), table(
        "Scores above which a share of all institutions' rows lies", ["Share", "Rows", "Score above"], rows))
