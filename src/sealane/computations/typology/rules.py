"""``typology.rules``: accounts that known patterns of money laundering flag, counted over institutions.

Each institution looks for the patterns among its own accounts. Joined are counts of accounts: by typology, by the
month in which an account is first flagged, and by the amount that moved. Without a promise small counts are hidden, and
so is what rests on too few institutions; with one, a single noised sum is all that is opened.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import Rule, check_contributors, hidden_under
from sealane.computations.promise import (
    bounded,
    check_unit,
    noise_of,
    price_of_sum,
    promise_of,
    standard_error,
    with_unit,
)
from sealane.computations.suppression import SMALL, line
from sealane.computations.typology.definitions import band_names
from sealane.computations.typology.parameters import TypologyParameters
from sealane.computations.typology.result import TypologyResult
from sealane.computations.typology.transfers import (
    PARTS,
    Marks,
    Transfers,
    Whole,
    check_columns,
    read_period,
    read_transfers,
)
from sealane.computations.typology.windows import Flags, find
from sealane.errors import RefusedError
from sealane.governance import contract as governed
from sealane.privacy.mechanism import Price


@dataclass(frozen=True, slots=True)
class _Local:
    """This node's counts, typologies by cells: months, then bands. Private."""

    accounts: Whole = dataclasses.field(repr=False)
    transfers: Whole = dataclasses.field(repr=False)


class TypologyRules:
    """Counts of accounts that typologies flag."""

    outputs = ("statistics",)
    individual_level = False  # counts over the cohort
    opens = "without a promise flagged accounts by typology, month and amount, small counts too"

    @property
    def name(self) -> str:
        """Return ``typology.rules``."""
        return "typology.rules"

    @property
    def parameters(self) -> type[TypologyParameters]:
        """Return the model of its parameters."""
        return TypologyParameters

    def columns(self, params: TypologyParameters) -> list[str]:
        """Return the columns that rules look at, and the unit's."""
        return with_unit(params.read, params)

    def price(self, params: TypologyParameters, contract: governed.Contract, honest: int) -> Price | None:
        """Return what one run costs: one noised sum. See :class:`sealane.computations.pricing.Priced`."""
        _check(params, contract)
        return price_of_sum(params, honest, len(params.typologies) * params.cells, _norm_squared(params))

    async def run(self, data: Dataset, cohort: Cohort, params: TypologyParameters) -> Payload:
        """Look for the typologies and count.

        Raises:
            InputError: columns that cannot play their part, or a promise that no noise keeps.
            RefusedError: too few accounts, or too few institutions with any.
        """
        _check(params, data.contract)
        period = read_period(params.until, params.months)
        frame = data.frame(self.columns(params))
        transfers, left_out = read_transfers(frame, data.contract, params, period)
        flags = [find(transfers, typology, params) for typology in params.typologies]
        head = {
            "computation": self.name, "minimum_count": cohort.minimum_count, "months": period.labels,
            "bands": list(params.bands), "unit": data.contract.field(params.amount).unit,
            "looked_for": {name: getattr(params, name).model_dump(mode="json") for name in params.typologies}}
        if params.promised:
            return head | await _noised(cohort, transfers, flags, params)
        local = _local(flags, np.ones(transfers.accounts, dtype=np.bool_), params)
        basis, active, missed = await _check_rows(cohort, params, frame, transfers, left_out)
        opened = await cohort.sum({"accounts": count(local.accounts, MAXIMUM_ROWS),
                                   "banks": count([int((one.month >= 0).any()) for one in flags], 1)})
        rules = [_hidden(accounts, banks, cohort, params) for accounts, banks in
                 zip(opened["accounts"].tolist(), opened["banks"].tolist(), strict=True)]
        shown = np.array([[rule is None for rule in one] for one in rules], dtype=np.bool_)
        totals = await cohort.sum({"transfers": count(local.transfers * shown[:, 1:], MAXIMUM_ROWS), "all": count(
            local.transfers[:, :params.months].sum(axis=1) * shown[:, 0], MAXIMUM_ROWS)})
        typologies = {name: _payload(params, rules[t], opened["accounts"][t], totals["transfers"][t],
                                     int(totals["all"][t]), int(opened["banks"][t]))
                      for t, name in enumerate(params.typologies)}
        return head | {"typologies": typologies, "active": active, "basis": basis, "promise": None,
                       "left_out": hidden_under(missed, cohort.minimum_count)}

    def present(self, payload: Payload) -> TypologyResult:
        """Return the counts as tables."""
        return TypologyResult(payload)


def _check(params: TypologyParameters, contract: governed.Contract) -> None:
    check_columns(contract, params)
    check_unit(params, contract, [name for name in params.read if name != params.account])


def _norm_squared(params: TypologyParameters) -> int:
    """Return the square of the norm of an account's part in the sum: a month and a band for each typology."""
    return 2 * len(params.typologies)


def _local(flags: list[Flags], kept: Marks, params: TypologyParameters) -> _Local:
    edges = np.rint(np.array(params.bands) * PARTS).astype(np.int64)
    accounts, transfers = [], []
    for one in flags:
        found = (one.month >= 0) & kept
        band = params.months + np.searchsorted(edges, one.amount[found], side="right")
        cells = np.concatenate([one.month[found], band])
        accounts.append(np.bincount(cells, minlength=params.cells))
        rows = np.zeros(params.cells, dtype=np.int64)
        np.add.at(rows, cells, np.tile(one.transfers[found], 2))
        transfers.append(rows)
    return _Local(np.array(accounts, dtype=np.int64), np.array(transfers, dtype=np.int64))


async def _check_rows(
    cohort: Cohort, params: TypologyParameters, frame: pd.DataFrame, transfers: Transfers, left_out: int
) -> tuple[dict[str, Any], int, int]:
    """Hold accounts and institutions against what is needed, before anything flagged is opened: one exact sum."""
    absent = [int(len(frame) > 0 and bool(frame[name].isna().all())) for name in params.read]
    head = await cohort.sum({"rows": count([transfers.accounts, left_out], MAXIMUM_ROWS),
                             "institutions": count([int(transfers.accounts > 0), *absent], 1)})
    active, missed = head["rows"].tolist()
    if active < cohort.minimum_count:
        raise RefusedError("typology.too-few-accounts", "too few accounts have transfers in the period",
                           got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}",
                           hint="look at more months")
    contributing, *missing = head["institutions"].tolist()
    return check_contributors(contributing, cohort, dict(zip(params.read, missing, strict=True))), active, missed


def _hidden(accounts: list[int], banks: int, cohort: Cohort, params: TypologyParameters) -> list[Rule | None]:
    """Return the rule that hides a typology's total, then that of each month and of each band."""
    fewest = 1 if cohort.exposed else cohort.smallest
    total = sum(accounts[:params.months])
    rule: Rule | None = SMALL if 0 < total < cohort.minimum_count else None
    if rule is None and 0 < banks < fewest:
        rule = "minimum-cohort"
    if rule is not None:
        return [rule] * (1 + params.cells)
    return [None, *line(accounts[:params.months], cohort.minimum_count),
            *line(accounts[params.months:], cohort.minimum_count)]


def _payload(params: TypologyParameters, rules: list[Rule | None], accounts: NDArray[np.int64],
             transfers: NDArray[np.int64], total: int, banks: int) -> dict[str, Any]:
    whole = rules[0]
    names = [*read_period(params.until, params.months).labels, *band_names(params.bands)]
    cells = [{"name": name, "accounts": None if rule else number, "transfers": None if rule else rows,
              "hidden_by": rule}
             for name, rule, number, rows in zip(names, rules[1:], accounts.tolist(), transfers.tolist(), strict=True)]
    return {"accounts": None if whole else int(accounts[:params.months].sum()), "transfers": None if whole else total,
            "banks": None if whole else banks, "hidden_by": whole, "by_month": cells[:params.months],
            "by_band": cells[params.months:]}


async def _noised(cohort: Cohort, transfers: Transfers, flags: list[Flags], params: TypologyParameters
                  ) -> dict[str, Any]:
    """Count accounts with noise, and nothing else: of each holder as many as the promise reckons with."""
    assert transfers.holder is not None
    kept = np.zeros(transfers.accounts, dtype=np.bool_)
    if params.unit == params.account:
        kept[:] = True  # an account is counted once
    else:
        kept[bounded(transfers.holder, params)["account"].to_numpy()] = True
    local = _local(flags, kept, params)
    sigma = noise_of(params, cohort.honest, local.accounts.size, _norm_squared(params))
    opened = (await cohort.sum({"accounts": count(local.accounts, MAXIMUM_ROWS, noise=sigma)}))["accounts"]
    error = None if sigma is None else standard_error(sigma, cohort.honest, cohort.size)
    typologies = {}
    for name, accounts in zip(params.typologies, opened, strict=True):
        # Comparing noised counts costs nothing. Exact ones, which the minimum is about, nobody knows.
        total = int(accounts[:params.months].sum())
        rules: list[Rule | None] = [SMALL if number < cohort.minimum_count else None
                                    for number in (total, *accounts.tolist())]
        made = _payload(params, rules, accounts, accounts, total, 0)
        without = {"transfers": None}
        typologies[name] = made | without | {"banks": None} | {
            part: [cell | without for cell in made[part]] for part in ("by_month", "by_band")}
    return {"typologies": typologies, "active": None, "left_out": None, "basis": None,
            "promise": promise_of(params, error)}
