"""What a result hides, and the rule that hid it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import hidden_in, table_of
from sealane.client.report.tables import section, table

RULES = {
    "minimum-count": "fewer rows than the minimum count stand behind it, or behind a cell that would follow from it",
    "complementary": "with what is shown, a cell under the minimum count could be had by subtraction",
    "dominance": "one or two institutions make up nearly all of it",
    "effective-rows": "its weights leave fewer effective rows than the minimum count",
    "events-per-parameter": "too few events stand behind it",
    "minimum-cohort": "too few institutions stand behind it",
    "saturated": "the model would follow its rows too closely",
}
HEADING = "What was hidden, and why"
MOST = 16
"""Most cells that are listed openly."""
OTHER = "a rule of the computation"
DEEPEST = 6
FRAMES = ("columns", "groups", "pairs", "balance")
"""Keys that say nothing to a reader."""
NAMING = ("hidden", "suppressed", "hidden_by", "rules", "group_rules")
"""Keys of a result under which hidden cells are named."""
RULE = ("rule", "rows_rule")
"""Keys under which a rule stands that hides the entry; other rules than ours stand there too."""
LEFT_OUT = ("dropped", "outside", "truncated", "overlap", "counts")
"""Keys under which a number that is None is one of 1 to the minimum count, less 1."""
CALLED = ("name", "variable", "period", "threshold", "drug", "event", "group", "cause")
"""Keys that tell what one of several entries is about."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """One hidden cell, by its place in the result, and the rule's name."""

    place: tuple[str, ...]
    rule: str


def suppressed(result: Mapping[str, Any]) -> Markup:
    """Return the list of hidden cells, or that nothing was hidden; nothing for a result without a minimum count."""
    minimum = result.get("minimum_count")
    counted = table_of(result)
    named_cells = hidden_in(counted) if counted else ((one.place, one.rule) for one in hidden_cells(result))
    found = sorted(set(named_cells))
    merged = merged_times(result)
    if not found and not merged and not isinstance(minimum, int):
        return NOTHING
    said = "" if not isinstance(minimum, int) else f" No cell stands for 1 to {minimum - 1} rows."
    parts = [element("p", {}, merged)] if merged else []
    if not found:
        if not merged:
            parts.append(element("p", {}, "Nothing had to be hidden." + said))
        return section(HEADING, *parts)
    rows = [[" · ".join(word for word in place if word not in FRAMES), rule, RULES.get(rule, OTHER)]
            for place, rule in found]
    cells = table(f"Hidden cells.{said}", ["Cell", "Rule", "Why"], rows, words=True)
    if len(rows) > MOST:
        cells = element("details", {}, element("summary", {}, f"{len(rows)} cells are hidden.{said}"), cells)
    return section(HEADING, *parts, cells)


def merged_times(result: Mapping[str, Any]) -> str:
    """Return how many event times were merged with others, in a sentence, or nothing."""
    grid = result.get("grid")
    if not isinstance(grid, Mapping) or not isinstance(grid.get("merged"), int) or not grid["merged"]:
        return ""
    return (
        f"{grid['merged']} counts of events or leavings at a time of the grid were merged into another one "
        f"({grid.get('merged_because')}): alone, too few rows would stand behind a step."
    )


def hidden_cells(result: Any, place: tuple[str, ...] = ()) -> Iterator[Hidden]:
    """Return what the result says of hidden cells, wherever it says so.

    Under a key of ``NAMING`` is a rule, or names with a rule each, or a list of names of which the rule is the minimum
    count. Under one of ``LEFT_OUT`` a number is left out, alone or in a list, for the minimum count.
    """
    if len(place) > DEEPEST:
        return
    if isinstance(result, Mapping):
        for key, value in result.items():
            if key == "rules" and isinstance(value, list):
                yield from ruled(value, place)
            elif key in RULE:
                yield from named(value, place) if value in RULES else ()
            elif key in NAMING:
                yield from named(value, place)
            elif key in LEFT_OUT and "rules" not in result:
                yield from left_out(value, (*place, str(key)))
            else:
                yield from hidden_cells(value, (*place, str(key)))
    elif isinstance(result, list) and result and isinstance(result[0], Mapping):
        for number, value in enumerate(result):
            words = [str(value[key]) for key in CALLED if isinstance(value, Mapping) and key in value]
            yield from hidden_cells(value, (*place, ", ".join(words) or str(number)))


def ruled(rules: list[Any], place: tuple[str, ...]) -> Iterator[Hidden]:
    """Return the hidden ones of cells in a row, each with its rule or None."""
    for number, rule in enumerate(rules, 1):
        if isinstance(rule, str):
            yield Hidden((*place, f"cell {number}"), rule)


def left_out(value: Any, place: tuple[str, ...]) -> Iterator[Hidden]:
    """Return the cell if a number in it is left out."""
    if value is None or (isinstance(value, list) and None in value):
        yield Hidden(place, "minimum-count")
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from left_out(one, (*place, str(name)))


def named(value: Any, place: tuple[str, ...]) -> Iterator[Hidden]:
    """Return the cells that one such entry names."""
    if isinstance(value, str) and value:
        yield Hidden(place, value)
    elif isinstance(value, Mapping):
        for name, rule in value.items():
            yield from named(rule, (*place, str(name)))
    elif isinstance(value, list):
        for name in value:
            if isinstance(name, str):
                yield Hidden((*place, name), "minimum-count")
