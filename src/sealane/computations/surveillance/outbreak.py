"""``surveillance.outbreak``: weekly counts of all institutions together, and the weeks that stand out.

One institution's share of a week is never opened. With a promise nobody ever holds an exact count; without one, weeks
of few rows are hidden. Either way the alarms are worked out from what is released, so they tell nothing more.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import check_contributors, check_rows, hidden_under
from sealane.computations.promise import (
    PromisedParameters,
    bounded,
    check_unit,
    noise_of,
    price_of_sum,
    promise_of,
    standard_error,
    with_unit,
)
from sealane.computations.surveillance.alarms import OutbreakResult
from sealane.computations.surveillance.detection import LAG, Method
from sealane.computations.surveillance.weeks import AFTER, UNDATED, Period, chosen, levels_of, read_period, weeks_of
from sealane.errors import InputError, RefusedError
from sealane.governance import contract as governed
from sealane.privacy.mechanism import Price

Name = Annotated[str, Field(min_length=1, max_length=128)]
BESIDE = 2
"""Cells beside the weeks: rows later than may be, and rows without a date."""
CERTAIN = 5.0
"""Standard errors of noise beyond which later rows are no noise."""
THRESHOLDS: dict[Method, float] = {"c1": 3.0, "c2": 3.0, "c3": 2.0, "cusum": 4.0}
BASELINES: dict[Method, int] = {"c1": 7, "c2": 7, "c3": 7, "cusum": 26}


class OutbreakParameters(PromisedParameters):
    """Parameters of ``surveillance.outbreak``; ``epsilon`` and ``delta`` ask for noise in every week.

    Attributes:
        time: column of a date, or of whole numbers of weeks.
        until: the day (ISO 8601) up to which rows may go, or the number of the last week; later rows are refused.
        weeks: how many whole weeks are counted: Monday to Sunday, the last one ends on that day or before.
        code: column of codes by which rows are chosen; None for all rows.
        codes: its levels that are watched, such as those of a syndrome.
        method: ``c1``, ``c2``, ``c3`` of EARS, or ``cusum``.
        baseline: weeks in a baseline; 7 for EARS, the first 26 for the CUSUM.
        threshold: of an alarm; 3, 3, 2, and 4 for the CUSUM, whose decision interval h it is.
        reference: the CUSUM's k.
    """

    time: Name
    until: str | int
    weeks: Annotated[int, Field(ge=4, le=1040)]
    code: Name | None = None
    codes: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=1000)] = ()
    method: Method = "c2"
    baseline: Annotated[int, Field(ge=2, le=520)] | None = None
    threshold: Annotated[float, Field(gt=0, le=100)] | None = None
    reference: Annotated[float, Field(ge=0, le=10)] = 0.5

    @model_validator(mode="after")
    def _coherent(self) -> OutbreakParameters:
        if (self.code is None) != (not self.codes):
            raise ValueError("codes and the column they are in come together")
        if self.code == self.time or len(set(self.codes)) != len(self.codes):
            raise ValueError("time and code are two columns, and codes are distinct")
        if self.weeks <= self.baseline_weeks + LAG[self.method] + 2:
            raise ValueError("the period is longer than a baseline and its lag")
        return self

    @property
    def baseline_weeks(self) -> int:
        """Weeks in a baseline."""
        return self.baseline or BASELINES[self.method]


class Outbreak:
    """Weekly counts and their alarms."""

    outputs = ("statistics",)
    individual_level = False  # counts over the cohort
    opens = "small weekly counts, and the number of rows with a later date; with noise only noised ones"

    @property
    def name(self) -> str:
        """Return ``surveillance.outbreak``."""
        return "surveillance.outbreak"

    @property
    def parameters(self) -> type[OutbreakParameters]:
        """Return the model of its parameters."""
        return OutbreakParameters

    def columns(self, params: OutbreakParameters) -> list[str]:
        """Return the columns of time and code, and the unit's."""
        return with_unit([params.time, *([] if params.code is None else [params.code])], params)

    def price(self, params: OutbreakParameters, contract: governed.Contract, honest: int) -> Price | None:
        """Return what one run costs: one noised sum. See :class:`sealane.computations.pricing.Priced`."""
        _read(params, contract)
        return price_of_sum(params, honest, params.weeks + BESIDE)

    async def run(self, data: Dataset, cohort: Cohort, params: OutbreakParameters) -> Payload:
        """Count by week.

        Raises:
            InputError: columns that cannot say when or what, or a promise that no noise keeps.
            RefusedError: rows after the period, too few rows, or too few institutions with any.
        """
        period = _read(params, data.contract)
        frame = bounded(data.frame(self.columns(params)), params)
        watched = chosen(frame, data.contract, params.code, params.codes)
        week = weeks_of(frame, period, data.contract)[watched]
        basis = None if params.promised else await _check(cohort, params, week, len(frame), int(watched.sum()))
        local = [*np.bincount(week[week >= 0], minlength=params.weeks).tolist(),
                 int((week == AFTER).sum()), int((week == UNDATED).sum())]
        sigma = noise_of(params, cohort.honest, len(local))
        opened = (await cohort.sum({"weeks": count(local, MAXIMUM_ROWS, noise=sigma)}))["weeks"].tolist()
        *counts, after, undated = opened
        error = None if sigma is None else standard_error(sigma, cohort.honest, cohort.size)
        if after > (0 if error is None else max(CERTAIN * error, cohort.minimum_count)):
            raise RefusedError("outbreak.future-dates", "there are rows of a time that was still to come",
                               got="later dates", expected=f"none after {params.until}",
                               hint="correct the dates, or give a later until")
        m = cohort.minimum_count
        if max(counts) < m:
            raise RefusedError("outbreak.nothing-to-show", "no week has enough rows", got=f"under {m} in each",
                               expected=f"at least {m} in some", hint="watch more codes, or ask more institutions")
        return {
            "computation": self.name, "weeks": period.labels, "minimum_count": m, "method": params.method,
            "counts": [_shown(number, m, params.promised) for number in counts],
            "undated": _shown(undated, m, params.promised), "codes": list(params.codes),
            "baseline": params.baseline_weeks, "threshold": params.threshold or THRESHOLDS[params.method],
            "reference": params.reference, "promise": promise_of(params, error), "basis": basis,
        }

    def present(self, payload: Payload) -> OutbreakResult:
        """Return counts and alarms as a table."""
        return OutbreakResult(payload)


def _read(params: OutbreakParameters, contract: governed.Contract) -> Period:
    """Return the period, once all columns are known to play their part."""
    check_unit(params, contract, [params.time, *([] if params.code is None else [params.code])])
    if params.code is not None:
        unknown = [level for level in params.codes if level not in levels_of(contract, params.code)]
        if unknown:
            raise InputError("outbreak.unknown-code", f"column {params.code!r} has no such codes",
                             got=", ".join(unknown)[:80], expected="levels of the contract")
    return read_period(contract, params.time, params.until, params.weeks)


async def _check(
    cohort: Cohort, params: OutbreakParameters, week: NDArray[np.int64], rows: int, watched: int
) -> dict[str, Any]:
    """Hold the numbers of rows and institutions against what is needed, before any week is opened: one exact sum."""
    local = [int(watched > 0), int(watched > 0 and bool((week == UNDATED).all())), int(rows > 0)]
    head = await cohort.sum({"rows": count([int((week >= 0).sum())], MAXIMUM_ROWS),
                             "institutions": count(local, 1)})
    check_rows(int(head["rows"][0]), cohort.minimum_count)
    # An institution without a case in these weeks has looked, and so contributes: one without dates has not.
    _, undated, any_rows = head["institutions"].tolist()
    return check_contributors(any_rows - undated, cohort, {params.time: undated})


def _shown(number: int, minimum: int, promised: bool) -> int | None:
    """Return a count, or None under the minimum; an exact zero is shown, while of noised counts nobody knows it."""
    if promised:
        return number if number >= minimum else None
    return hidden_under(number, minimum)
