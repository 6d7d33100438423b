"""Student's and Welch's t and the analysis of variance, from each group's number, mean and variance.

Source: Student (1908), Biometrika 6(1); Welch (1947), Biometrika 34(1/2), for unequal variances and the degrees of
freedom; Fisher (1925), Statistical Methods for Research Workers, chapter 7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sealane.computations.statistics.moments import Moments


def student(one: Moments, other: Moments, equal_variances: bool) -> dict[str, Any] | None:
    """Return t of the difference of two means, None where neither group varies."""
    first, second = one.variance or 0.0, other.variance or 0.0
    if first + second <= 0.0:
        return None
    if equal_variances:
        df = float(one.rows + other.rows - 2)
        pooled = ((one.rows - 1) * first + (other.rows - 1) * second) / df
        error = math.sqrt(pooled * (1.0 / one.rows + 1.0 / other.rows))
    else:
        a, b = first / one.rows, second / other.rows
        error = math.sqrt(a + b)
        df = (a + b) * (a + b) / (a * a / (one.rows - 1) + b * b / (other.rows - 1))
    difference = one.mean - other.mean
    return {"statistic": difference / error, "df": [df], "difference": difference, "standard_error": error,
            "equal_variances": equal_variances}


def analysis_of_variance(groups: Sequence[Moments]) -> dict[str, Any] | None:
    """Return F of one way, None where no group varies."""
    rows = sum(one.rows for one in groups)
    middle = math.fsum(one.rows * one.mean for one in groups) / rows
    between = math.fsum(one.rows * (one.mean - middle) * (one.mean - middle) for one in groups)
    within = math.fsum((one.rows - 1) * (one.variance or 0.0) for one in groups)
    if within <= 0.0 or rows <= len(groups):
        return None
    df = len(groups) - 1, rows - len(groups)
    return {"statistic": (between / df[0]) / (within / df[1]), "df": [float(df[0]), float(df[1])],
            "eta_squared": between / (between + within)}
