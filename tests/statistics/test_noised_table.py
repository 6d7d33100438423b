"""The noise in a released table: its own scale passes, one that is off by 30 % does not; and what each part carries."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import sealane
from sealane.core.secret import Secret
from sealane.secagg.layout import decode, encode, plan
from sealane.secagg.terms import count

LEVELS = 40
EACH = 30
"""Rows of an institution in each cell: far enough above zero that noise hides no cell."""


def p_value(noise: np.ndarray, deviation: float) -> float:
    """Two-sided: probability of a sum of squares as far from the expected one, under a Gaussian of that deviation."""
    found = float(((noise / deviation) ** 2).sum())
    return 2 * min(chi2.sf(found, noise.size), chi2.cdf(found, noise.size))


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_a_released_table_carries_the_noise_that_it_says(scheme: str) -> None:
    levels = [f"l{k:02}" for k in range(LEVELS)]
    cells = pd.MultiIndex.from_product([levels, levels], names=["a", "b"]).to_frame(index=False)
    frames = {name: cells.loc[cells.index.repeat(EACH)].reset_index(drop=True) for name in ("n", "s", "w")}
    found = sealane.simulate(frames).run("statistics.table", scheme=scheme, minimum_count=1,
                                         columns=["a", "b"], epsilon="2", delta="1e-6")
    noise = found.counts.loc[levels, levels].to_numpy().ravel() - 3 * EACH
    assert noise.size == LEVELS**2
    assert p_value(noise, found.standard_error) > 1e-4
    assert p_value(noise, 1.3 * found.standard_error) < 1e-9
    assert p_value(noise, found.standard_error / 1.3) < 1e-9
    assert abs(noise.mean()) < 5 * found.standard_error / LEVELS  # and it is not shifted


@pytest.mark.parametrize("wrong", [Decimal("1.3"), 1 / Decimal("1.3")])
def test_the_nodes_beyond_the_colluding_ones_carry_the_promise(wrong: Decimal) -> None:
    # Three nodes, one of which may collude: the other two's noise has the promised deviation.
    def noise(sigma: Decimal, nodes: int) -> np.ndarray:
        term = count(np.full(4000, 7), 100, noise=sigma)
        layout = plan({"cells": term}, 3, smallest=3, colluding=1)
        seeds = [Secret(hashlib.sha256(f"{sigma} {k}".encode()).digest()) for k in range(nodes)]
        total = sum(decode(layout, encode(layout, {"cells": term}, seed))["cells"] for seed in seeds)
        return np.asarray(total) - 7 * nodes

    assert p_value(noise(Decimal(6), 2), 6) > 1e-4
    assert p_value(noise(6 * wrong, 2), 6) < 1e-9
    assert p_value(noise(Decimal(6), 1), 6) < 1e-9
