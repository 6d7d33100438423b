"""Which rows nobody trains on."""

from __future__ import annotations

import hashlib

import pandas as pd

HELD_OUT = "heldout"
HELD_OUT_PERCENT = 20


def held_out(row_numbers: pd.Series[int], strata: pd.Series[str], seed: int) -> pd.Series[bool]:
    """Mark one fold: the same share of every stratum (rounded to nearest), in an order that only the seed decides.

    The order is that of SHA-256 over seed and row number, which no library's generator can change under us.
    """
    order = row_numbers.map(
        lambda number: int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:7], "big")
    )
    rank = order.groupby(strata).rank(method="first")
    size = order.groupby(strata).transform("size")
    return rank <= (size * HELD_OUT_PERCENT + 50) // 100
