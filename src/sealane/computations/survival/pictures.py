"""Pictures of survival studies. matplotlib is imported here only, and only when a picture is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sealane.computations.forest import draw
from sealane.errors import InputError

if TYPE_CHECKING:
    from sealane.computations.survival.incidence_curves import Incidence
    from sealane.computations.survival.km_result import KaplanMeierResult

LINE = 0.075
"""Height of a line of numbers at risk, as a share of the axes."""


def draw_curves(result: KaplanMeierResult, ax: Any, *, at_risk: bool) -> Any:
    """Draw survival curves as steps, with bands, and numbers at risk under the axis; return the Axes."""
    ax = ax or _axes()
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
    place = ax.get_xaxis_transform()
    below = -0.26
    ax.text(-0.02, below + LINE, "at risk", transform=ax.transAxes, ha="right", fontsize="small", style="italic")
    for row, name in enumerate(table.columns):
        colour = ax.lines[row].get_color()
        label = "all" if name == "KM_estimate" else name
        ax.text(-0.02, below - row * LINE, label, transform=ax.transAxes, ha="right", fontsize="small", color=colour)
        for tick, number in zip(ticks, table[name], strict=True):
            ax.text(tick, below - row * LINE, f"{number:,}", transform=place, ha="center", fontsize="small")


def draw_incidence(curves: dict[str, Incidence], ax: Any, unit: str | None) -> Any:
    """Draw cumulative incidence as steps, with bands; return the Axes."""
    ax = ax or _axes()
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


def _axes() -> Any:
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise InputError("plot.no-matplotlib", "pictures need matplotlib, which is not installed",
                         hint="pip install 'sealane[plot]'") from error
    return plt.subplots(figsize=(7.0, 4.6), layout="constrained")[1]
