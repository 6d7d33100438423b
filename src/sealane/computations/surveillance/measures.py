"""Measures of disproportionality from the four cells of a table, and the rules by which they are called a signal.

    a: reports of the drug with the event       b: of the drug without it
    c: of other drugs with the event            d: of neither

Sources: ROR: van Puijenbroek et al. (2002), Pharmacoepidemiol. Drug Saf. 11:3-10. PRR and its rule: Evans, Waller and
Davis (2001), Pharmacoepidemiol. Drug Saf. 10:483-486. IC: Bate et al. (1998), Eur. J. Clin. Pharmacol. 54:315-321, with
the shrinkage and the gamma posterior of Norén, Hopstadius and Bate (2013), Stat. Methods Med. Res. 22:57-69.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rule = Literal["ror", "evans", "ic"]
SHRINKAGE = 0.5
"""Reports added to what was observed and to what was expected."""
LEAST_PRR, LEAST_CHI2 = 2.0, 4.0


def measures(cells: Array, confidence: float) -> dict[str, Array]:
    """Return all measures, each of shape ``(n_pairs,)``; NaN where a cell is hidden or a ratio has no value.

    Args:
        cells: a, b, c and d, shape ``(4, n_pairs)``, hidden as NaN.
        confidence: level of the intervals.
    """
    a, b, c, d = cells
    total = cells.sum(axis=0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ror = (a * d) / (b * c)
        ror_error = np.sqrt(1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d)
        prr = (a / (a + b)) / (c / (c + d))
        prr_error = np.sqrt(1.0 / a - 1.0 / (a + b) + 1.0 / c - 1.0 / (c + d))
        apart = np.maximum(np.abs(a * d - b * c) - total / 2.0, 0.0)
        chi2 = total * apart**2 / ((a + b) * (c + d) * (a + c) * (b + d))
        expected = (a + b) * (a + c) / total
        found = {
            "ROR": ror, "ROR_low": ror * np.exp(-z * ror_error), "ROR_high": ror * np.exp(z * ror_error),
            "PRR": prr, "PRR_low": prr * np.exp(-z * prr_error), "PRR_high": prr * np.exp(z * prr_error),
            "chi2": chi2, "expected": expected, "IC": np.log2((a + SHRINKAGE) / (expected + SHRINKAGE)),
        }
        tail = (1.0 - confidence) / 2.0
        found["IC_low"] = _ic_quantile(a, expected, tail)
        found["IC_high"] = _ic_quantile(a, expected, 1.0 - tail)
    return {name: np.where(np.isfinite(values), values, math.nan) for name, values in found.items()}


def signals(cells: Array, found: dict[str, Array], rule: Rule, least: int) -> NDArray[np.bool_]:
    """Return which pairs a rule calls a signal, shape ``(n_pairs,)``; never a hidden one.

    Args:
        cells: as for :func:`measures`.
        found: what that returned.
        rule: ``ror``: the lower limit is above 1; ``evans``: PRR of at least 2 and chi-square of at least 4; ``ic``:
            the lower limit is above 0.
        least: fewest reports of the pair.
    """
    if rule == "evans":
        strong = (found["PRR"] >= LEAST_PRR) & (found["chi2"] >= LEAST_CHI2)
    else:
        strong = found["ROR_low"] > 1.0 if rule == "ror" else found["IC_low"] > 0.0
    return np.asarray(strong & (cells[0] >= least), dtype=np.bool_)


def _ic_quantile(observed: Array, expected: Array, share: float) -> Array:
    """Return a quantile of the IC: its posterior is the logarithm of a gamma of shape a + ½ and rate E + ½."""
    from scipy.special import gammaincinv  # late: it is slow to load, and needed only where a result is looked at

    return np.asarray(np.log2(gammaincinv(observed + SHRINKAGE, share) / (expected + SHRINKAGE)), dtype=np.float64)
