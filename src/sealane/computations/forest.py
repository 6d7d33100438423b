"""A forest plot: effects with their intervals, one above the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.picture import new_axes


def draw(rows: pd.DataFrame, ax: Any, *, title: str, exponentiate: bool, pooled: int = 0) -> Any:
    """Draw effects and their limits (columns ``effect``, ``low``, ``high``); the last ``pooled`` rows as diamonds.

    Raises:
        InputError: matplotlib is not installed.
    """
    ax = new_axes(ax, (7.0, 1.2 + 0.35 * len(rows)))
    values = (np.exp(rows.to_numpy()) if exponentiate else rows.to_numpy()).tolist()
    places = np.arange(len(rows))[::-1]
    for place, (effect, low, high), last in zip(places, values, places < pooled, strict=True):
        ax.plot([low, high], [place, place], color="0.3", linewidth=1.2)
        ax.plot([effect], [place], marker="D" if last else "s", markersize=8 if last else 6,
                color="C3" if last else "C0")
    ax.axvline(1.0 if exponentiate else 0.0, color="0.6", linewidth=0.8, linestyle="--")
    ax.set_yticks(places, [str(name) for name in rows.index])
    if exponentiate:
        ax.set_xscale("log")
    ax.set_xlabel("ratio" if exponentiate else "effect")
    ax.set_title(title)
    return ax
