"""Rules of disclosure control that every computation shares: what may be shown, and by which rule it may not.

Which cells of a table are hidden is in ``suppression.py``; that one institution's rows do not follow from several
cohorts is held by the node (``governance/differencing.py``), the noise of a promise by ``promise.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sealane.computations.base import Cohort
from sealane.errors import RefusedError

Rule = Literal["minimum-count", "complementary", "dominance", "effective-rows", "events-per-parameter", "saturated",
               "minimum-cohort", "noise"]
"""The name of the rule that hid a cell or refused a model, as results and reports give it."""

ROWS_PER_COLUMN = 3
"""A model that follows its rows too closely gives them away. Source: DataSHIELD's nfilter.glm, 0.33."""


def hidden_under(number: int, minimum: int) -> int | None:
    """Return a count of rows, or None where so few rows must not be told."""
    return number if number == 0 or number >= minimum else None


def effective_rows(total: float, squares: float) -> float:
    """Return how many rows of equal weight stand behind a weighted sum: (Σw)² / Σw²; 0 where nothing does.

    Source: Kish (1965), Survey Sampling, section 11.7.
    """
    return total * total / squares if squares > 0.0 else 0.0


def check_rows(rows: int, minimum: int, hint: str | None = None) -> None:
    """Refuse a model over fewer rows than the minimum count.

    Raises:
        RefusedError: ``model.too-few-rows``.
    """
    if rows < minimum:
        raise RefusedError("model.too-few-rows", "too few rows have all that the model needs", got=f"under {minimum}",
                           expected=f"at least {minimum}", hint=hint)


def check_rows_per_column(rows: int, columns: int) -> None:
    """Refuse a model with nearly as many columns as rows.

    Raises:
        RefusedError: ``model.saturated``.
    """
    if rows < ROWS_PER_COLUMN * columns:
        raise RefusedError("model.saturated", "too few rows for so many columns", got=f"{columns} columns",
                           expected=f"at least {ROWS_PER_COLUMN} rows per column", hint="leave features out")


def check_events_per_parameter(events: int, parameters: int) -> None:
    """Refuse a model with nearly as many parameters as rows with the event.

    Raises:
        RefusedError: ``model.events-per-parameter``.
    """
    if events < ROWS_PER_COLUMN * parameters:
        raise RefusedError("model.events-per-parameter", "too few events for so many parameters",
                           got=f"{parameters} parameters", expected=f"at least {ROWS_PER_COLUMN} events per parameter",
                           hint="leave features out")


def check_contributors(contributors: int, cohort: Cohort, missing_everywhere: dict[str, int]) -> dict[str, Any]:
    """Refuse a model over rows of fewer institutions than the smallest cohort, and say of any that it does without.

    Args:
        contributors: how many institutions have at least one row that the model uses, an opened count.
        cohort: of the run.
        missing_everywhere: by column, in how many institutions every row misses it.

    Returns:
        What a result says of it: how many institutions contribute rows, of how many, and the columns that are missing
        in all rows of some institution.

    Raises:
        RefusedError: ``model.institutions-without-rows``.
    """
    columns = [name for name, number in missing_everywhere.items() if number]
    if contributors < cohort.smallest:
        hint = f"missing in all rows somewhere: {', '.join(columns)[:200]}; leave it out" if columns else None
        raise RefusedError("model.institutions-without-rows", "too few institutions have rows that the model can use",
                           got=f"{contributors} of {cohort.size} institutions",
                           expected=f"at least {cohort.smallest}", hint=hint)
    return {"contributing": contributors, "institutions": cohort.size, "missing_everywhere": columns}


def basis_lines(basis: Mapping[str, Any]) -> list[str]:
    """Return what a summary has to say of a basis: nothing where every institution contributes rows."""
    if basis["contributing"] == basis["institutions"]:
        return []
    missing = ", ".join(basis["missing_everywhere"])
    return [f"rests on rows of {basis['contributing']} of {basis['institutions']} institutions"
            + (f": missing in all rows elsewhere: {missing}" if missing else "")]


def rule_lines(rules: Iterable[str | None]) -> list[str]:
    """Return what a summary has to say of the rules of its cells: nothing where every cell is shown."""
    named = sorted({rule for rule in rules if rule})
    return [f"hidden by {', '.join(named)}"] if named else []
