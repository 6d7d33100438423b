"""The door to matplotlib, which only whoever wants a picture needs."""

from __future__ import annotations

from typing import Any

from sealane.errors import InputError


def new_axes(ax: Any = None, size: tuple[float, float] = (8.0, 5.0)) -> Any:
    """Return the axes that were given, or new ones of a size in inches.

    Raises:
        InputError: matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise InputError("plot.no-matplotlib", "a picture needs matplotlib", got="none installed",
                         hint="pip install 'sealane[plot]'") from error
    return plt.subplots(figsize=size, layout="constrained")[1]
