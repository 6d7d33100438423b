"""``sealane dataset profile|grade|filing``: what a steward does with a dataset before a study may use it."""

from __future__ import annotations

from typing import Any

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.names import dataset_names
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, show, table
from sealane.errors import InputError


@click.command(cls=SealaneCommand, examples=("dataset profile loans", "dataset profile loans --json"))
@click.argument("name", shell_complete=dataset_names)
def profile(name: str) -> None:
    """Measure a dataset's quality and count its values, small cells hidden, and show drift since the version before.

    Rates and drift follow from what is shown. --json gives every cell of every field.
    """
    found = call_node("dataset.profile", name=name)
    show(found, lambda: _profile(found))


@click.command(cls=SealaneCommand, examples=(
    "dataset grade loans", "dataset grade loans --accept",
    "dataset grade loans --accept --set term=internal:1 --reason 'published price list'"))
@click.argument("name", shell_complete=dataset_names)
@click.option("--accept", is_flag=True, help="Take what is proposed for every field that --set does not speak of.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=CATEGORY:GRADE",
              help="Decide a field's label; CATEGORY:GRADE:TIER also its tier: general, important or core.")
@click.option("--reason", default="", metavar="TEXT", help="Why a field is protected less than is proposed; recorded.")
@click.option("--review", default="", metavar="TEXT",
              help="Who reviewed a derivation whose result is graded under what it was derived from; recorded.")
def grade(name: str, accept: bool, changes: tuple[str, ...], reason: str, review: str) -> None:
    """Show what labels are proposed for a dataset's fields, or decide them.

    The grade, 1 to 5, sets the least protection of a study that uses a field. The proposals come from a sector's
    table and from the content; they are a default, and what a law asks is for lawyers to say.
    """
    found = call_node("dataset.grade", name=name, accept=accept, changes=_changes(changes), reason=reason,
                      review=review)
    show(found, lambda: "\n".join([f"{name} is {found['phase']}", table(
        ("field", "label", "proposed", "why"),
        ((f["field"], f["label"] or "-", f["proposed"], "; ".join(f["why"]) + (f" ({f['reason']})" if f["reason"]
                                                                              else "")) for f in found["fields"]))]))


@click.command(cls=SealaneCommand, examples=(
    "dataset filing loans --recipient-jurisdiction SG --reference 'CAC standard contract 2026-113'",
    "dataset filing loans --important --reference 'data security committee 2026-07'"))
@click.argument("name", shell_complete=dataset_names)
@click.option("--recipient-jurisdiction", "jurisdiction", metavar="CODE",
              help="Where parties are who may receive results or sums: ISO 3166-1 alpha-2.")
@click.option("--important", is_flag=True, help="Record an approval of the use of important data instead.")
@click.option("--reference", required=True, metavar="TEXT", help="Under which the authority keeps it.")
def filing(name: str, jurisdiction: str | None, important: bool, reference: str) -> None:
    """Record that a transfer across a border was filed, or that the use of important data was approved."""
    found = call_node("dataset.filing", name=name, jurisdiction=jurisdiction, important=important, reference=reference)
    show(found, lambda: table(("for", "reference", "at"), ((f["for"], f["reference"], f["filed_at"])
                                                           for f in found["filings"])))


def _changes(options: tuple[str, ...]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for option in options:
        field, separator, label = option.rpartition("=")
        if not (field and separator and label) or field in changes:
            raise InputError("grade.option-malformed", "a label is malformed or given twice", got=repr(option[:80]),
                             expected="FIELD=CATEGORY:GRADE, once for a field",
                             hint="such as --set term=public:1")
        changes[field] = label
    return changes


def _profile(found: dict[str, Any]) -> str:
    shown = found["profile"]
    parts = [facts([
        ("dataset", f"{found['name']}, {found['phase']}"), ("version", found["version"]),
        ("rows", f"under {shown['minimum_count']}" if shown["rows"] is None else f"{shown['rows']:,}"),
        *((name, None if value is None else f"{value:.4f}") for name, value in found["quality"].items()),
        ("score", "none" if found["score"] is None else f"{found['score']:.4f}"),
    ])]
    parts.append(table(("field", "missing", "invalid", "cells", "hidden", "content"), (
        (name, _cell(cells.get("(missing)")), _cell(cells.get("(invalid)")), len(cells) - 2,
         sum(number is None for number in cells.values()), ", ".join(shown["found"].get(name, ())) or "-")
        for name, cells in shown["fields"].items())))
    if found["before"] is not None:
        parts.append(f"drift since version {found['before'][:12]}")
        parts.append(table(("field", "PSI", "drift", "moved most", "by"), (
            (d["field"], "-" if d["psi"] is None else f"{d['psi']:.4f}", d["word"], d["moved"] or "-",
             f"{d['shift']:+.2%}") for d in found["drift"])))
    return "\n\n".join(parts)


def _cell(number: int | None) -> str:
    return "hidden" if number is None else f"{number:,}"
