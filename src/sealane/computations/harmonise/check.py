"""``quality.harmonise``: units and codes compared across institutions, and the odd one named without its values.

The named verdict of each institution on each column, out of a short public list, is the agreed output: whoever signs
such a study agrees to be named. Nothing else of a single institution is opened or released. Verdicts are made at the
institution itself and travel as a 0 or 1 in a secure sum with one slot for each institution, column and verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.harmonise.columns import (
    Checked,
    Codes,
    Own,
    Scale,
    read_columns,
    read_own,
    verdicts_of,
)
from sealane.computations.harmonise.middle import middle_cells, used_levels, usual_levels
from sealane.computations.harmonise.parameters import HarmoniseParameters
from sealane.computations.harmonise.result import HarmoniseResult
from sealane.computations.harmonise.verdict import (
    AGREES,
    ALL_MISSING,
    CANNOT_TELL,
    OTHER_CODES,
    PLAIN,
    centre_of,
    verdict_on,
)
from sealane.computations.suppression import suppressed
from sealane.errors import ProtocolError, RefusedError


class Harmonise:
    """Unit and code checks across institutions."""

    outputs = ("statistics",)
    individual_level = False  # verdicts on whole columns, and counts over the cohort
    opens = "how many institutions' medians lie under public cells, and each institution's verdict per column"

    @property
    def name(self) -> str:
        """Return ``quality.harmonise``."""
        return "quality.harmonise"

    @property
    def parameters(self) -> type[HarmoniseParameters]:
        """Return the model of its parameters."""
        return HarmoniseParameters

    def columns(self, params: HarmoniseParameters) -> list[str]:
        """Return the columns that are checked."""
        return list(params.columns)

    async def run(self, data: Dataset, cohort: Cohort, params: HarmoniseParameters) -> Payload:
        """Compare the columns.

        Raises:
            InputError: a column that cannot be checked.
            RefusedError: fewer rows than the minimum count.
            ProtocolError: an institution gave no verdict, or two.
        """
        checked = read_columns(data.contract, params)
        frame = data.frame(list(params.columns))
        own = [read_own(frame[column.name], column) for column in checked]
        middles = await _middles(cohort, checked, own, len(frame))
        verdicts = [_own_verdict(column, mine, middle, cohort.minimum_count)
                    for column, mine, middle in zip(checked, own, middles, strict=True)]
        named = await _named(cohort, checked, verdicts)
        conclusions = [_conclusion(given, _fewest(cohort)) for given in named]
        agreeing = [j for j, conclusion in enumerate(conclusions) if conclusion == "agree"]
        histograms = await _histograms(cohort, [checked[j] for j in agreeing], [own[j] for j in agreeing], frame)
        return {
            "computation": self.name, "institutions": sorted(cohort.names), "minimum_count": cohort.minimum_count,
            "columns": {column.name: {
                "unit": column.unit if isinstance(column, Scale) else None,
                "quantity": column.quantity if isinstance(column, Scale) else None,
                "verdicts": given, "conclusion": conclusion, "histogram": histograms.get(column.name),
            } for column, given, conclusion in zip(checked, named, conclusions, strict=True)},
        }

    def present(self, payload: Payload) -> HarmoniseResult:
        """Return the verdicts as tables."""
        return HarmoniseResult(payload)


async def _middles(
    cohort: Cohort, checked: Sequence[Checked], own: Sequence[Own], rows: int
) -> list[int | list[bool] | None]:
    """Open what each column is compared with, None where too few institutions know it."""
    m = cohort.minimum_count
    used = [used_levels(mine, column.cells, m) if isinstance(column, Codes) else []
            for column, mine in zip(checked, own, strict=True)]
    votes = [mine.known >= m and (isinstance(column, Scale) or any(levels))
             for column, mine, levels in zip(checked, own, used, strict=True)]
    opened = await cohort.sum({"rows": count([rows], MAXIMUM_ROWS), "able": count([int(one) for one in votes], 1),
                               "users": count([level for levels in used for level in levels] or [0], 1)})
    if int(opened["rows"][0]) < m:
        raise RefusedError("harmonise.too-few-rows", "too few rows to compare", got=f"under {m}",
                           expected=f"at least {m}")
    able, flat = opened["able"].tolist(), iter(opened["users"].tolist())
    users = [[next(flat) for _ in levels] for levels in used]
    out: list[int | list[bool] | None] = [None] * len(checked)
    enough = [j for j, number in enumerate(able) if number >= _fewest(cohort)]
    scales = [j for j in enough if isinstance(checked[j], Scale)]
    places = [_median_cell(checked[j], own[j]) if votes[j] else None for j in scales]
    cells = await middle_cells(cohort, places, [able[j] for j in scales], [checked[j].cells for j in scales])
    coded = [j for j in enough if isinstance(checked[j], Codes)]
    if coded:
        usual = await usual_levels(cohort, [used[j] for j in coded], [users[j] for j in coded])
        for j, levels in zip(coded, usual, strict=True):
            out[j] = levels
    for j, cell in zip(scales, cells, strict=True):
        out[j] = cell
    return out


def _fewest(cohort: Cohort) -> int:
    """Return how many must be able to tell: two more than may collude, as behind every sum."""
    return max(cohort.smallest - cohort.honest, 0) + 2


def _median_cell(column: Checked, own: Own) -> int | None:
    if isinstance(column, Codes):
        return None
    return int(column.grid.places(np.array([centre_of(own.values).median]))[0])


def _own_verdict(column: Checked, own: Own, middle: int | list[bool] | None, minimum_count: int) -> int:
    """Return this institution's verdict on its own column."""
    if own.known == 0 and own.rows > 0:
        return PLAIN.index(ALL_MISSING)
    if own.known < minimum_count or middle is None:
        return PLAIN.index(CANNOT_TELL)
    if isinstance(column, Scale):
        assert isinstance(middle, int)
        return verdict_on(centre_of(own.values), column.grid, middle, column.candidates)
    assert isinstance(middle, list)
    usual = sum(number for number, shared in zip(own.histogram(column.cells), middle, strict=True) if shared)
    return PLAIN.index(AGREES if 2 * usual >= own.known else OTHER_CODES)


async def _named(cohort: Cohort, checked: Sequence[Checked], verdicts: Sequence[int]) -> list[list[str]]:
    """Open every institution's verdicts: a slot for each institution, column and verdict holds 0 or 1.

    They are returned by column, the institutions in order of their names.
    """
    slots: list[int] = []
    known = [verdicts_of(column) for column in checked]
    for there in range(len(cohort.names)):
        for mine, words in zip(verdicts, known, strict=True):
            slots += [int(there == cohort.place and place == mine) for place in range(len(words))]
    opened = iter((await cohort.sum({"verdicts": count(slots, 1)}))["verdicts"].tolist())
    out: list[list[str]] = [[] for _ in checked]
    for _ in cohort.names:
        for column, words in zip(out, known, strict=True):
            said = [next(opened) for _ in words]
            if sorted(said) != [0] * (len(words) - 1) + [1]:
                raise ProtocolError("harmonise.bad-verdict", "the verdicts on a column do not add up",
                                    got="none or several for an institution", expected="one for each institution")
            column.append(words[said.index(1)])
    by_name = sorted(range(len(cohort.names)), key=lambda place: cohort.names[place])
    return [[column[place] for place in by_name] for column in out]


def _conclusion(verdicts: Sequence[str], fewest: int) -> str:
    """Return what the verdicts mean together; whoever cannot tell or has no values does not count."""
    telling = [verdict for verdict in verdicts if verdict not in (CANNOT_TELL, ALL_MISSING)]
    agreeing = telling.count(AGREES)
    if len(telling) < fewest:
        return CANNOT_TELL
    if 2 * agreeing <= len(telling):
        return "contradictory"
    return "agree" if agreeing == len(telling) else "odd"


async def _histograms(
    cohort: Cohort, checked: Sequence[Checked], own: Sequence[Own], frame: pd.DataFrame
) -> dict[str, Any]:
    """Open the joint histogram of columns in which nobody stands apart: in others a part would be one institution's."""
    if not checked:
        return {}
    local: list[int] = []
    for column, mine in zip(checked, own, strict=True):
        local += [*mine.histogram(column.cells), len(frame) - mine.known]
    opened = iter((await cohort.sum({"cells": count(local, MAXIMUM_ROWS)}))["cells"].tolist())
    out: dict[str, Any] = {}
    for column in checked:
        cells = {str(place): next(opened) for place in range(column.cells + 1)}  # a level may be called anything
        hidden = set(suppressed(cells, cohort.minimum_count))
        shown = [None if name in hidden else number for name, number in cells.items()]
        out[column.name] = {"counts": shown, **(
            {"levels": list(column.levels)} if isinstance(column, Codes) else
            {"edges": list(column.grid.edges), "logarithmic": column.grid.logarithmic})}
    return out
