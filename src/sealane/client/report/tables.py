"""Tables, definition lists and figures of the page, and how its numbers read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sealane.client.report.markup import NOTHING, Markup, element, join

WIDE, SLIM = 680, 360
"""Widths at which a chart is drawn, for a window of 620 pixels or more, and for less."""


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    marked: str | None = None,
    dense: bool = False,
    words: bool = False,
) -> Markup:
    """Return a table: the first column names the row, the others are aligned as numbers unless they are code.

    Args:
        caption: what the table shows.
        columns: headings.
        rows: cells, as many as headings.
        marked: name of the row to bring out.
        dense: set small, for many columns of long numbers.
        words: no cell is a number.
    """
    worded = [words or any(isinstance(row[index], Markup) for row in rows) for index in range(len(columns))]
    numeric = [bool(index) and not worded[index] for index in range(len(columns))]
    heads = [
        element("th", {"scope": "col"} | ({"class": "n"} if aligned else {}), name)
        for name, aligned in zip(columns, numeric, strict=True)
    ]
    body = [
        element(
            "tr",
            {"class": "joint"} if row[0] == marked else {},
            element("th", {"scope": "row"}, row[0]),
            *(element("td", {} if words or isinstance(cell, Markup) else {"class": "n"}, cell) for cell in row[1:]),
        )
        for row in rows
    ]
    whole = element(
        "table",
        {"class": "dense"} if dense else {},
        element("caption", {}, caption),
        element("thead", {}, element("tr", {}, *heads)),
        element("tbody", {}, *body),
    )
    # Focusable, so that a keyboard can scroll what does not fit a narrow window.
    return element("div", {"class": "scroll", "role": "region", "aria-label": caption, "tabindex": 0}, whole)


def section(title: str, *parts: str) -> Markup:
    """Return a section under its heading."""
    return element("section", {}, element("h2", {}, title), *parts)


def definitions(pairs: Mapping[str, str | None]) -> Markup:
    """Return a definition list, pairs without a value left out."""
    listed = [join(element("dt", {}, name), element("dd", {}, text)) for name, text in pairs.items() if text]
    return element("dl", {}, *listed) if listed else NOTHING


def figure(draw: Callable[[str, int], Markup], identity: str, caption: str) -> Markup:
    """Return a chart drawn for wide and for narrow windows, of which the style sheet shows one."""
    wide = element("div", {"class": "only-wide"}, draw(identity, WIDE))
    slim = element("div", {"class": "only-narrow"}, draw(f"{identity}-narrow", SLIM))
    return element("figure", {}, wide, slim, element("figcaption", {}, caption))


def code(text: str) -> Markup:
    """Return a hash or a fingerprint."""
    return element("code", {}, text)


def rate(value: float | None) -> str:
    """Return a metric between 0 and 1."""
    return "–" if value is None else f"{value:.3f}"


def estimate(value: float | None) -> str:
    """Return a coefficient to four figures, on whatever unit it has."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def p_value(value: float) -> str:
    """Return a p value: three decimals, and no claim of more."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count(value: int) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def size(value: float) -> str:
    """Return bytes in the decimal unit that reads best."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} B" if unit == "B" else f"{value:.3g} {unit}"


def seconds(value: float) -> str:
    """Return a duration."""
    return f"{value:.3f} s" if value < 1 else f"{value:.1f} s"


def enumerated(names: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nobody"
