"""``surveillance.disproportionality``: which events are reported with a drug more often than with others.

Tables of drugs by events are opened in one sum. Only the four cells of pairs in which no small number stands or
follows are released; every measure is made from them by whoever reads the result.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Parameters, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import Rule, check_contributors, check_rows, hidden_under
from sealane.computations.suppression import SMALL
from sealane.computations.suppression_tables import table_reasons
from sealane.computations.surveillance.pairs import (
    Exposure,
    check_cells,
    count_tables,
    read_exposures,
    read_lines,
    split_tables,
)
from sealane.computations.surveillance.signal_table import DisproportionalityResult

Name = Annotated[str, Field(min_length=1, max_length=128)]
Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=200)]


class DisproportionalityParameters(Parameters):
    """Parameters of ``surveillance.disproportionality``. A row is a report.

    Attributes:
        drugs: columns that say which drug is suspected: flags, or categories each level of which is a drug.
        events: columns that say which event is reported, likewise.
        levels: by category the levels to assess; all others together stand for the rest.
        rule: which measure makes a signal.
        confidence: level of the intervals, and so of the rules ``ror`` and ``ic``.
        least_reports: fewest reports of a pair that is a signal; the minimum count if that is more.
    """

    drugs: Names
    events: Names
    levels: Annotated[dict[Name, Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)]],
                      Field(max_length=200, default_factory=dict)]
    rule: Literal["ror", "evans", "ic"] = "ror"
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    least_reports: Annotated[int, Field(ge=1, le=1_000_000)] = 3

    @model_validator(mode="after")
    def _coherent(self) -> DisproportionalityParameters:
        columns = [*self.drugs, *self.events]
        if len(set(columns)) != len(columns):
            raise ValueError("columns of drugs and events are distinct")
        if not set(self.levels) <= set(columns):
            raise ValueError("levels are those of a column of drugs or events")
        if any(len(set(chosen)) != len(chosen) for chosen in self.levels.values()):
            raise ValueError("levels are distinct")
        return self


class Disproportionality:
    """Reporting odds ratios and their kin, of many pairs at once."""

    outputs = ("statistics",)
    individual_level = False  # counts over the cohort
    opens = "all cells of all tables, small ones too"

    @property
    def name(self) -> str:
        """Return ``surveillance.disproportionality``."""
        return "surveillance.disproportionality"

    @property
    def parameters(self) -> type[DisproportionalityParameters]:
        """Return the model of its parameters."""
        return DisproportionalityParameters

    def columns(self, params: DisproportionalityParameters) -> list[str]:
        """Return the columns of drugs and of events."""
        return [*params.drugs, *params.events]

    async def run(self, data: Dataset, cohort: Cohort, params: DisproportionalityParameters) -> Payload:
        """Count the reports of all pairs.

        Raises:
            InputError: a column that is neither flag nor category, or too many pairs.
            RefusedError: too few reports, or too few institutions with any.
        """
        drugs = read_exposures(data.contract, params.drugs, params.levels)
        events = read_exposures(data.contract, params.events, params.levels)
        check_cells(drugs, events)
        names = self.columns(params)
        frame = data.frame(names)
        lines = read_lines(frame, [*drugs, *events])
        kept = np.ones(len(frame), dtype=np.bool_)
        for found in lines.values():
            kept &= found >= 0
        absent = [int(len(frame) > 0 and bool((lines[name] < 0).all())) for name in names]
        head = (await cohort.sum({"rows": count([len(frame), int(kept.sum())], MAXIMUM_ROWS),
                                  "institutions": count([int(kept.any()), *absent], 1)}))
        rows, used = head["rows"].tolist()
        contributing, *missing = head["institutions"].tolist()
        check_rows(used, cohort.minimum_count)
        basis = check_contributors(contributing, cohort, dict(zip(names, missing, strict=True)))
        cells = await cohort.sum({"cells": count(count_tables(lines, drugs, events, kept), MAXIMUM_ROWS)})
        pairs: list[dict[str, Any]] = []
        for drug, event, table in split_tables(cells["cells"].tolist(), drugs, events):
            pairs += _pairs(drug, event, table, cohort.minimum_count)
        return {"computation": self.name, "rows": used, "dropped": hidden_under(rows - used, cohort.minimum_count),
                "minimum_count": cohort.minimum_count, "rule": params.rule, "confidence": params.confidence,
                "least_reports": max(params.least_reports, cohort.minimum_count), "pairs": pairs, "basis": basis}

    def present(self, payload: Payload) -> DisproportionalityResult:
        """Return the measures as a table."""
        return DisproportionalityResult(payload)


def _pairs(drug: Exposure, event: Exposure, table: NDArray[np.int64], minimum: int) -> list[dict[str, Any]]:
    """Return the cells of each pair of a table that may be shown, and of the others the rule that hides them."""
    hidden = table_reasons(table, minimum)
    by_drug, by_event, total = table.sum(axis=1), table.sum(axis=0), int(table.sum())
    out = []
    for i, one in enumerate(drug.labels):
        for j, other in enumerate(event.labels):
            a = int(table[i, j])
            b, c = int(by_drug[i]) - a, int(by_event[j]) - a
            cells = {"a": a, "b": b, "c": c, "d": total - a - b - c}
            small: Rule | None = SMALL if any(0 < number < minimum for number in cells.values()) else None
            rule = hidden.cells[i][j] or hidden.rows[i] or hidden.columns[j] or small
            out.append({"drug": one, "event": other, **(dict.fromkeys(cells) if rule else cells), "hidden_by": rule})
    return out
