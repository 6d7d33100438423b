"""The chi-square test of independence in a table of counts.

Source: Pearson (1900), Philosophical Magazine 50; Yates (1934), Supplement to J. R. Stat. Soc. 1(2), for the correction
of tables with one degree of freedom, limited as in R and scipy so that no cell is moved past its expectation; Cramér
(1946), Mathematical Methods of Statistics, section 21.9, for V, which is taken from the uncorrected statistic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """A test of independence.

    Attributes:
        statistic: the sum of (observed - expected)² / expected.
        dof: degrees of freedom, empty rows and columns left out.
        pvalue: chance of a larger statistic under independence.
        cramers_v: strength of the association, 0 to 1.
        expected: expected counts of the rows and columns that are not empty.
        corrected: whether Yates' correction was made.
    """

    statistic: float
    dof: int
    pvalue: float
    cramers_v: float
    expected: NDArray[np.float64]
    corrected: bool


def chi_square(counts: NDArray[np.float64], correction: bool = True) -> ChiSquare | None:
    """Test a table of shape ``(rows, columns)``; None where fewer than two rows or columns hold anything."""
    from scipy.stats import chi2

    table = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return None
    total = float(table.sum())
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    off = np.abs(table - expected)
    dof = (table.shape[0] - 1) * (table.shape[1] - 1)
    plain = float((off**2 / expected).sum())
    corrected = correction and dof == 1
    if corrected:
        off -= np.minimum(0.5, off)
    statistic = float((off**2 / expected).sum())
    return ChiSquare(statistic, dof, float(chi2.sf(statistic, dof)),
                     math.sqrt(plain / total / (min(table.shape) - 1)), expected, corrected)
