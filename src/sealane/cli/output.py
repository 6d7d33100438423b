"""What a command prints: on stdout either text for people or exactly one JSON document; errors by their own rule."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from sealane.cli.settings import settings_of
from sealane.errors import SealaneError


def show(document: Any, text: str | Callable[[], str]) -> None:
    """Print a command's result: the document with ``--json``, the text otherwise."""
    if settings_of().as_json:
        write_json(document)
    else:
        click.echo(text if isinstance(text, str) else text())


def write_json(document: Any) -> None:
    """Print one JSON document on stdout, on one line."""
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def note(text: str) -> None:
    """Tell the reader something that is not the result, on stderr."""
    click.echo(text, err=True)


def write_error(error: SealaneError, *, as_json: bool, beside: dict[str, Any] | None = None) -> None:
    """Print an error: as text on stderr, or as the one JSON document on stdout.

    Args:
        error: what went wrong.
        as_json: which of the two.
        beside: further members of the document.
    """
    if as_json:
        write_json({"error": error.to_dict(), **(beside or {})})
        return
    lines = [f"{click.style('error:', fg='red', bold=True)} {error.message} [{error.code}]"]
    lines += [f"  {name}: {value}" for name, value in (("got", error.got), ("expected", error.expected)) if value]
    if error.hint:
        lines.append(f"{click.style('hint:', fg='cyan', bold=True)} {error.hint}")
    click.echo("\n".join(lines), file=sys.stderr)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "none") -> str:
    """Return rows as aligned columns in plain text, never cut, so that they can be read by programs too."""
    cells = [[str(value) for value in row] for row in rows]
    if not cells:
        return empty
    widths = [max(len(row[column]) for row in [list(heads), *cells]) for column in range(len(heads))]
    return "\n".join("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
                     for row in [list(heads), *cells])


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return names and values as two columns, those without a value left out."""
    shown = [(name, str(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown)


def amount(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def kilobytes(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1000:,.1f} kB"
