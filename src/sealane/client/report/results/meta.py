"""A meta-analysis: pooled effects, how much institutions differ, and each institution's own where they are released."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.forest import Estimate, coefficient_plot, readable
from sealane.client.report.markup import NOTHING, Markup, element, join
from sealane.client.report.results.read import Held, find
from sealane.client.report.results.regression import ratio
from sealane.client.report.tables import estimate, figure, p_value, section, table

NORMAL_975 = 1.959963984540054
INTERCEPT = "Intercept"


class EffectHeld(Held):
    """One pooled effect."""

    eff: FiniteFloat
    sd_eff: FiniteFloat
    pvalue: FiniteFloat
    ci_low: FiniteFloat
    ci_upp: FiniteFloat
    tau2: FiniteFloat | None = None
    q: FiniteFloat | None = None
    i2: FiniteFloat | None = None


class OwnHeld(Held):
    """One institution's own estimates, in the order of the columns."""

    name: str
    params: list[FiniteFloat]
    variance: list[FiniteFloat]


class MetaHeld(Held):
    """What a meta-analysis holds."""

    summary: dict[str, EffectHeld]
    columns: list[str]
    institutions: int
    by_institution: list[OwnHeld] = Field(default_factory=list)


def meta(result: Mapping[str, Any]) -> Markup:
    """Return forest plots and the table of heterogeneity."""
    cleaned = {key: value for key, value in result.items() if value is not None}
    found = find(cleaned, MetaHeld, "summary", "columns", "institutions")
    if found is None:
        return NOTHING
    unit = ratio(result)
    pooled = [Estimate(name, one.eff, one.ci_low, one.ci_upp) for name, one in found.summary.items()
              if name != INTERCEPT]
    charts = [forest(pooled, unit, "Effects over all institutions", "meta")] if pooled else []
    if found.by_institution:
        charts += [forest(at_each(found, place, name), unit, readable(name), f"meta-{place}")
                   for place, name in enumerate(found.columns) if name != INTERCEPT]
    return section("Meta-analysis", *charts, heterogeneity(found))


def at_each(found: MetaHeld, place: int, name: str) -> list[Estimate]:
    """Return one column's effect at each institution, and over all."""
    own = []
    for one in found.by_institution:
        half = NORMAL_975 * one.variance[place] ** 0.5
        own.append(Estimate(one.name, one.params[place], one.params[place] - half, one.params[place] + half))
    pooled = found.summary[name]
    return [*own, Estimate("all institutions", pooled.eff, pooled.ci_low, pooled.ci_upp)]


def forest(rows: list[Estimate], unit: str | None, title: str, identity: str) -> Markup:
    """Return one forest plot under its title."""
    plot = figure(
        lambda name, width: coefficient_plot(
            rows, unit or "Effect", name, width, ratio=unit is not None, title=title, marks="estimate, 95 % interval"
        ),
        identity,
        "A filled dot has an interval that leaves no effect out.",
    )
    return join(element("h3", {}, title), plot)


def heterogeneity(found: MetaHeld) -> Markup:
    """Return effects with what is known of their spread between institutions."""
    rows = []
    for name, one in found.summary.items():
        q = "–" if one.q is None else f"{one.q:.2f}"
        i2 = "–" if one.i2 is None else f"{one.i2:.0%}"
        rows.append([readable(name), estimate(one.eff), estimate(one.ci_low), estimate(one.ci_upp), p_value(one.pvalue),
                     estimate(one.tau2), q, i2])
    caption = f"Effects over {found.institutions} institutions, and how much they differ between them"
    return table(caption, ["Column", "Effect", "95 % from", "to", "p", "τ²", "Q", "I²"], rows, dense=True)
