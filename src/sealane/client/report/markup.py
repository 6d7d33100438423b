"""HTML and SVG elements in which text is escaped unless this module made it."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping

Attribute = str | int | float


class Markup(str):
    """Text that is markup already. Only this module's functions and literals in our code make it."""

    __slots__ = ()


VOID = frozenset({"meta"})
NOTHING = Markup("")


def escape(text: str) -> Markup:
    """Return text as markup: HTML's characters escaped, control and direction characters made visible.

    A name may come from another institution: a right-to-left override in it could make a page say something else.
    """
    shown = "".join("\ufffd" if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter for letter in text)
    return Markup(html.escape(shown, quote=True))


def element(name: str, attributes: Mapping[str, Attribute] | None = None, *children: str) -> Markup:
    """Return one element; children that are not markup are text, and escaped."""
    opening = "".join(f' {key}="{escape(number(value))}"' for key, value in (attributes or {}).items())
    if name in VOID:
        return Markup(f"<{name}{opening}>")
    return Markup(f"<{name}{opening}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Return the children one after the other, those that are not markup escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def number(value: Attribute) -> str:
    """Return an attribute's text: coordinates to a tenth of a pixel, which no eye can tell from the rest."""
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
