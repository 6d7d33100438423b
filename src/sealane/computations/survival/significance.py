"""Chi-squared tests as lifelines lays them out. For the analyst's side: nothing here is released."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sealane.errors import InputError


@dataclass(frozen=True, slots=True)
class Significance:
    """A test statistic and its p value in the chi-squared distribution."""

    test_statistic: float
    degrees_freedom: int
    p_value: float


def chi_squared(statistic: float, degrees: int) -> Significance:
    """Return a statistic with its p value."""
    from scipy.stats import chi2  # half a second that a node has no need of

    return Significance(statistic, degrees, float(chi2.sf(statistic, degrees)))


def proportionality_table(found: Mapping[str, Sequence[float]], names: list[str], transform: str) -> pd.DataFrame:
    """Return statistic and p value by coefficient, or by coefficient and function of time for ``all``.

    Raises:
        InputError: no such function, or one that is not defined at the event times.
    """
    if transform != "all" and transform not in found:
        raise InputError("survival.time-transform", "the test was not made with such a function of time",
                         got=repr(transform), expected=f"one of {', '.join([*found, 'all'])}")
    rows: dict[Hashable, list[float]] = {}
    for place, name in enumerate(names):
        for function in found if transform == "all" else [transform]:
            one = chi_squared(found[function][place], 1)
            rows[(name, function) if transform == "all" else name] = [one.test_statistic, one.p_value]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["test_statistic", "p"])
    if transform == "all":
        frame.index = pd.MultiIndex.from_tuples(list(frame.index), names=["covariate", "time_transform"])
    return frame
