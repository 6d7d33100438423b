"""Pictures of survival studies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sealane.computations.forest import draw
from sealane.computations.picture import new_axes

if TYPE_CHECKING:
    from sealane.computations.survival.incidence_curves import Incidence
    from sealane.computations.survival.km_result import KaplanMeierResult

LINE, BELOW, ASIDE = 13.0, -46.0, -22.0
"""Height of a line of numbers at risk, where the first lies under the axis, and its names beside it; in points."""


def draw_curves(result: KaplanMeierResult, ax: Any, *, at_risk: bool) -> Any:
    """Draw survival curves as steps, with bands, and numbers at risk under the axis; return the Axes."""
    ax = new_axes(ax, (7.0, 4.6))
    unit = result.grid["unit"]
    last = 0.0
    for name, curve in result.curves.items():
        (line,) = ax.step(curve.times, curve.survival, where="post", label=None if name == "KM_estimate" else name)
        ax.fill_between(curve.times, curve.lower, curve.upper, step="post", alpha=0.2, color=line.get_color())
        last = max(last, float(curve.times[-1]))
    ax.set_ylim(0.0, 1.02)
    ax.set_xlim(0.0, last)
    ax.set_ylabel("without the event")
    ax.set_xlabel(f"time ({unit})" if unit else "time")
    if "KM_estimate" not in result.curves:
        ax.legend(loc="best")
    if at_risk:
        _numbers(result, ax)
    return ax


def _numbers(result: KaplanMeierResult, ax: Any) -> None:
    ticks = [tick for tick in ax.get_xticks().tolist() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
    ax.set_xticks(ticks)
    table = result.at_risk(ticks)
    lines = ax.lines[-len(table.columns) :]

    def write(at: float, text: str, line: int, aside: float = 0.0, **style: Any) -> None:
        ax.annotate(text, (at, 0.0), xycoords=ax.get_xaxis_transform(), xytext=(aside, BELOW - line * LINE),
                    textcoords="offset points", annotation_clip=False, fontsize="small", **style)

    begin = ax.get_xlim()[0]
    write(begin, "at risk", 0, ASIDE, ha="right", style="italic")
    for row, name in enumerate(table.columns, start=1):
        label = "all" if name == "KM_estimate" else name
        write(begin, label, row, ASIDE, ha="right", color=lines[row - 1].get_color())
        for tick, number in zip(ticks, table[name], strict=True):
            write(tick, f"{number:,}", row, ha="center")


def draw_incidence(curves: dict[str, Incidence], ax: Any, unit: str | None) -> Any:
    """Draw cumulative incidence as steps, with bands; return the Axes."""
    ax = new_axes(ax, (7.0, 4.6))
    for name, curve in curves.items():
        (line,) = ax.step(curve.times, curve.incidence, where="post", label=name)
        ax.fill_between(curve.times, curve.lower, curve.upper, step="post", alpha=0.2, color=line.get_color())
    ax.set_ylim(bottom=0.0)
    ax.set_xlim(left=0.0)
    ax.set_ylabel("cumulative incidence")
    ax.set_xlabel(f"time ({unit})" if unit else "time")
    ax.legend(loc="best")
    return ax


def draw_forest(ratios: pd.DataFrame, ax: Any, title: str) -> Any:
    """Draw hazard ratios with their limits on a logarithmic axis, one line each; return the Axes.

    Args:
        ratios: index names, columns ``ratio``, ``lower`` and ``upper``.
        ax: to draw on, or None.
        title: above the axes.
    """
    logs = pd.DataFrame(np.log(ratios.to_numpy()), index=ratios.index, columns=["effect", "low", "high"])
    return draw(logs, ax, title=title, exponentiate=True)
