"""The options by which a steward narrows an agreement, shared by the commands that read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--rounds", type=int, help="Most rounds of a run; at most the study's."),
    click.option("--runs", type=int, help="Most runs; at most the study's."),
    click.option("--minimum-cohort", type=int, help="Fewest institutions behind a sum; at least the study's."),
    click.option("--minimum-count", type=int, help="Fewest rows behind a released cell; at least the study's."),
    click.option("--starts", help="Date or moment before which nothing runs."),
    click.option("--expires", help="Date or moment from which nothing runs; at most the study's."),
    click.option("--recipient", "recipients", multiple=True,
                 help="Only these recipients of the study; may be given more than once."),
    click.option("--jurisdiction", "jurisdictions", multiple=True,
                 help="Jurisdiction (such as DE) that recipients must be under; may be given more than once."),
    click.option("--output", "outputs", multiple=True, help="Only these kinds of result; may be given more than once."),
    click.option("--epsilon", help="Cap on the study's epsilon, as an exact decimal."),
    click.option("--delta", help="Cap on the study's delta, as an exact decimal."),
    click.option("--tariff",
                 help="Prices, such as 'EUR 10.00 per run, 2.50 per million rows' (or per round, per epsilon)."),
)


def own_term_options(command: F) -> F:
    """Give a command the options that narrow an agreement; it takes them as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, as the node takes them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()
            if value not in (None, ())}
