"""Log-rank test from counts on a grid that the groups share. Pure arithmetic.

Source: Mantel (1966), Cancer Chemother. Rep. 50(3); covariance over several groups as in Kalbfleisch and Prentice
(2002), The Statistical Analysis of Failure Time Data, section 1.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LogRank:
    """A test that groups have one hazard.

    Attributes:
        test_statistic: chi-squared.
        degrees_of_freedom: groups less one.
        p_value: of the chi-squared distribution.
        observed: events by group.
        expected: events by group, had all one hazard.
    """

    test_statistic: float
    degrees_of_freedom: int
    p_value: float
    observed: dict[str, int]
    expected: dict[str, float]

    @property
    def summary(self) -> pd.DataFrame:
        """Statistic and p value as lifelines shows them."""
        return pd.DataFrame({"test_statistic": [self.test_statistic], "p": [self.p_value],
                             "-log2(p)": [-np.log2(self.p_value) if self.p_value > 0 else np.inf]})


def log_rank(names: list[str], at_risk: Array, events: Array) -> LogRank | None:
    """Test groups against each other; None where there is nothing to test.

    Args:
        names: of the groups.
        at_risk: shape ``(n_groups, n_times)``.
        events: the same.
    """
    from scipy.stats import chi2  # half a second that a node has no need of

    there = (at_risk.sum(axis=0) > 0) & (events.sum(axis=0) > 0)
    n, d = at_risk[:, there], events[:, there]
    total, dead = n.sum(axis=0), d.sum(axis=0)
    share = n / total
    expected = (share * dead).sum(axis=1)
    spread = np.where(total > 1, dead * (total - dead) / np.maximum(total - 1, 1), 0.0)
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    difference = (d.sum(axis=1) - expected)[:-1]
    if len(names) < 2 or np.linalg.matrix_rank(covariance) < len(names) - 1:
        return None
    statistic = float(difference @ np.linalg.solve(covariance[:-1, :-1], difference))
    observed = {name: int(number) for name, number in zip(names, d.sum(axis=1), strict=True)}
    return LogRank(statistic, len(names) - 1, float(chi2.sf(statistic, len(names) - 1)), observed,
                   {name: float(number) for name, number in zip(names, expected, strict=True)})
