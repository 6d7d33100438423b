"""Boosted trees: which features they split by, read off the released model file itself."""

from __future__ import annotations

from pydantic import Field, FiniteFloat, PositiveInt

from sealane.client.report.bars import Bar, bars
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.model import Report
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, figure, rate, section, size
from sealane.errors import InputError

MOST_FEATURES = 15


class FeatureHeld(Held):
    """A feature of the trees."""

    name: str


class LeafHeld(Held):
    """The smallest leaf."""

    rows: int
    institutions: int


class SumsHeld(Held):
    """What growing them took."""

    rounds_per_tree: FiniteFloat
    trees_grown: PositiveInt
    barred_splits: int = 0


class TreesHeld(Held):
    """What trees hold."""

    model: str
    features: list[FeatureHeld]
    nobs: int
    trees: int
    smallest_leaf: LeafHeld
    sums: SumsHeld
    metrics: dict[str, dict[str, FiniteFloat]] = Field(default_factory=dict)


def gbdt(report: Report) -> Markup:
    """Return the gain by feature, and how the trees were grown."""
    if report.result.get("computation") != "trees.gbdt":
        return NOTHING
    found = find(report.result, TreesHeld, "model", "features")
    if found is None:
        return NOTHING
    gains = sorted(gain(found).items(), key=lambda pair: -pair[1])
    whole = sum(value for _, value in gains) or 1.0
    items = [Bar(name, value / whole, rate(value / whole), "joint-fill") for name, value in gains[:MOST_FEATURES]]
    chart = figure(lambda identity, width: bars(items, "Gain by feature", "Share of the gain of all splits",
                                                identity=identity, width=width), "gain",
                   "Read off the released model file.")
    training = found.metrics.get("training", {})
    on_own = f" On the rows it learned from it has an AUC of {rate(training['auc'])}." if "auc" in training else ""
    leaf, sent, each = found.smallest_leaf, report.bytes_sent, ""
    if sent:
        mean = sum(sent.values()) / len(sent) / found.sums.trees_grown
        each = f", and of all that the run sent {size(mean)} of each node"
    told = (
        f"{count(found.trees)} trees over {count(found.nobs)} rows; the smallest leaf has {count(leaf.rows)} "
        f"rows of {leaf.institutions} institutions. A tree took {found.sums.rounds_per_tree:.0f} rounds{each}; "
        f"{count(found.sums.barred_splits)} splits were barred by the rule for small leaves.{on_own}"
    )
    return section("Trees", element("p", {}, told), chart)


def gain(found: TreesHeld) -> dict[str, float]:
    """Return the gain of all splits of each feature.

    Raises:
        InputError: the model file does not name them as LightGBM does.
    """
    gains = dict.fromkeys((one.name for one in found.features), 0.0)
    places: list[str] = []
    try:
        for text in found.model.splitlines():
            key, _, values = text.partition("=")
            if key == "split_feature":
                places = values.split()
            elif key == "split_gain":
                for place, value in zip(places, values.split(), strict=True):
                    gains[found.features[int(place)].name] += float(value)
    except (ValueError, IndexError) as error:
        raise InputError("report.malformed", "the result's model is no model file of LightGBM",
                         got=type(error).__name__, hint="write the file anew: sealane run report RUN") from error
    return gains
