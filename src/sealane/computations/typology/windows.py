"""Which accounts a typology flags: every window of whole days that ends on a day with a transfer is looked at.

A window may end on any day, so a flag does not depend on where a week begins, nor on the order of a day's transfers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from sealane.computations.typology.parameters import Fan, Typology, TypologyParameters
from sealane.computations.typology.transfers import PARTS, Marks, Transfers, Whole


@dataclass(frozen=True, slots=True)
class Flags:
    """What one typology found, by account.

    Attributes:
        month: in which the first flagged window ends, -1 where none does. Private.
        transfers: that lie in a flagged window. Private.
        amount: of those, in ten-thousandths. Private.
    """

    month: Whole = field(repr=False)
    transfers: Whole = field(repr=False)
    amount: Whole = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows over some rows, which are sorted by account and day: one for each day of an account that ends one."""

    rows: Whole
    begin: Whole
    end: Whole

    def totals(self, values: Whole) -> Whole:
        """Return the sum of a row's values within each window."""
        upto = np.concatenate([[0], np.cumsum(values[self.rows])])
        return np.asarray(upto[self.end] - upto[self.begin])

    def different(self, values: Whole) -> Whole:
        """Return how many different values there are within each window. Both ends only ever move on."""
        held: Counter[int] = Counter()
        line, out, low, high = values[self.rows].tolist(), [], 0, 0
        for begin, end in zip(self.begin.tolist(), self.end.tolist(), strict=True):
            while high < end:
                held[line[high]] += 1
                high += 1
            while low < begin:
                held[line[low]] -= 1
                if not held[line[low]]:
                    del held[line[low]]
                low += 1
            out.append(len(held))
        return np.array(out, dtype=np.int64)


def find(transfers: Transfers, typology: Typology, params: TypologyParameters) -> Flags:
    """Return what a typology flags."""
    match typology:
        case "fan_in":
            return _fan(transfers, params.fan_in, transfers.incoming)
        case "fan_out":
            return _fan(transfers, params.fan_out, ~transfers.incoming)
        case "structuring":
            return _structuring(transfers, params)
        case "rapid_movement":
            return _rapid(transfers, params)


def _fan(transfers: Transfers, rule: Fan, side: Marks) -> Flags:
    windows = _windows(transfers, side & (transfers.counterparty >= 0), rule.days)
    found = (windows.different(transfers.counterparty) >= rule.counterparties) & (
        windows.totals(transfers.amount) >= _parts(rule.amount))
    return _flags(transfers, windows, found)


def _structuring(transfers: Transfers, params: TypologyParameters) -> Flags:
    rule = params.structuring
    under = (transfers.amount < _parts(rule.threshold)) & (transfers.amount >= _parts(rule.threshold * rule.floor))
    side = np.ones_like(under) if rule.direction == "both" else transfers.incoming == (rule.direction == "in")
    windows = _windows(transfers, under & side & transfers.counted, rule.days)
    found = (windows.end - windows.begin >= rule.transfers) & (
        windows.totals(transfers.amount) >= _parts(rule.threshold))
    return _flags(transfers, windows, found)


def _rapid(transfers: Transfers, params: TypologyParameters) -> Flags:
    rule = params.rapid_movement
    windows = _windows(transfers, np.ones_like(transfers.incoming), rule.days, ending=~transfers.incoming)
    came = windows.totals(np.where(transfers.incoming, transfers.amount, 0))
    went = windows.totals(np.where(transfers.incoming, 0, transfers.amount))
    found = (came >= _parts(rule.amount)) & (went >= rule.share * came) & (went <= (2.0 - rule.share) * came)
    return _flags(transfers, windows, found)


def _windows(transfers: Transfers, chosen: Marks, days: int, ending: Marks | None = None) -> _Windows:
    """Return the windows of so many days over chosen rows; with ``ending`` they end on days with such a row."""
    span = transfers.days + days  # so far apart that a window never reaches another account
    key = transfers.account * span + transfers.day
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(key[rows], kind="stable")]
    ends = np.unique(key[rows] if ending is None else key[rows][ending[rows]])
    return _Windows(rows, np.searchsorted(key[rows], ends - days + 1, side="left"),
                    np.searchsorted(key[rows], ends, side="right"))


def _flags(transfers: Transfers, windows: _Windows, found: Marks) -> Flags:
    begin, end = windows.begin[found], windows.end[found]
    last = windows.rows[end - 1]  # a row of the window's last day
    month = np.full(transfers.accounts, np.iinfo(np.int64).max)
    np.minimum.at(month, transfers.account[last], transfers.month[last])
    edges = np.zeros(len(windows.rows) + 1, dtype=np.int64)
    np.add.at(edges, begin, 1)
    np.add.at(edges, end, -1)
    covered = windows.rows[np.cumsum(edges[:-1]) > 0]
    number = np.bincount(transfers.account[covered], minlength=transfers.accounts).astype(np.int64)
    amount = np.zeros(transfers.accounts, dtype=np.int64)
    np.add.at(amount, transfers.account[covered], transfers.amount[covered])
    return Flags(np.where(number > 0, month, -1), number, amount)


def _parts(amount: float) -> int:
    return round(amount * PARTS)
