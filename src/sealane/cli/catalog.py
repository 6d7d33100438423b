"""``sealane catalog``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.output import facts, note, show, table
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from sealane.client.catalog import CatalogEntry
    from sealane.governance.catalog_query import CatalogQuery


@noun("catalog", examples=("catalog list", "catalog search arrears --sector finance", "catalog show north/loans",
                           "catalog export --output catalog.jsonld"))
def catalog() -> None:
    """Look through what nodes publish of their datasets. Every entry's signature is checked here."""


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, text in (("node", "Only what this node publishes."), ("purpose", "Only what may be used for this."),
                       ("field", "Only datasets with a field of this name."), ("sector", "Only this sector.")):
        function = click.option(f"--{name}", default="", help=text)(function)
    return function


@catalog.command(name="list", examples=("catalog list", "catalog list --sector finance --field int_rate --json"))
@_filters
def list_entries(**filters: str) -> None:
    """List published datasets, by node and name."""
    _list(_query(**filters))


@catalog.command(examples=("catalog search arrears", "catalog search 'interest rate' --purpose credit-risk"))
@click.argument("text")
@_filters
def search(text: str, **filters: str) -> None:
    """List published datasets that hold every word of TEXT in title, keywords, terms, names or fields."""
    _list(_query(text=text, **filters))


@catalog.command(name="show", examples=("catalog show north/loans", "catalog show north/loans --json",
                                        "catalog show north/loans --output north-loans.json"))
@click.argument("entry", metavar="NODE/DATASET")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path),
              help="Also write it as the node signed it, to be verified elsewhere.")
def show_entry(entry: str, output: Path | None) -> None:
    """Show everything that a node publishes of one dataset."""
    from sealane.errors import InputError
    from sealane.governance.publication_file import write_publication

    node, _, dataset = entry.partition("/")
    found = _find(_query(node=node, dataset=dataset)) if node and dataset else []
    if not found:
        raise InputError("catalog.unknown", "no such dataset is published", got=repr(entry[:130]),
                         expected="NODE/DATASET", hint="`sealane catalog list`")
    if output is not None:
        output.write_bytes(write_publication(found[0].signed))
    one = found[0].to_dict()
    show(one, lambda: _present(one))


@catalog.command(examples=("catalog export --output catalog.jsonld",
                           "catalog export --format dsp --output catalog.json"))
@click.option("--format", "form", type=click.Choice(["dcat-ap", "dsp"]), default="dcat-ap",
              help="DCAT-AP 3 as JSON-LD, or a Catalog of Dataspace Protocol 2025-1.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@_filters
def export(form: str, output: Path, **filters: str) -> None:
    """Write published datasets as a document for other catalogs. Nothing but the coordinator's catalog is read."""
    import json

    from sealane.governance.dcat import dcat_ap
    from sealane.governance.dsp_catalog import dsp_catalog
    from sealane.rpc.identity import load_identity

    found = _find(_query(**filters))
    address = load_identity(_home()).coordinator_address
    publications = [entry.publication for entry in found]
    document = dcat_ap(publications, address) if form == "dcat-ap" else dsp_catalog(publications, address)
    output.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    show({"output": str(output), "format": form, "datasets": len(found)}, f"wrote {len(found)} datasets to {output}")


def _list(query: CatalogQuery) -> None:
    found = [entry.to_dict() for entry in _find(query)]
    show(found, lambda: table(("node", "dataset", "title", "contract", "rows", "grade", "updated", "signature"), (
        (e["node"], e["dataset"], e["title"], e["contract"], f"{e['rows']:,}+", e["grade"] or "-",
         e["updated_at"][:10], e["trust"]) for e in found), empty="nothing that fits is published"))
    _warn(entry["node"] for entry in found if entry["trust"] == "differs")


def _warn(nodes: Iterable[str]) -> None:
    for node in sorted(set(nodes)):
        note(f"warning: {node}'s entries are signed by another key than is known here for {node}: ask {node} itself")


def _find(query: CatalogQuery) -> list[CatalogEntry]:
    from sealane.cli.connecting import session
    from sealane.cli.known_keys import known_keys

    with session(_home()) as opened:
        return opened.catalog(query, known_keys(_home(), opened.identity.role))


def _query(**filters: str) -> CatalogQuery:
    from sealane.governance.catalog_query import CatalogQuery

    return CatalogQuery(**filters)


def _home() -> Path:
    return settings_of().home_of("analyst", "node", "auditor")


def _present(one: dict[str, Any]) -> str:
    head = facts([
        ("dataset", f"{one['node']}/{one['dataset']}"), ("title", one["title"]),
        ("description", one["description"] or None), ("keywords", ", ".join(one["keywords"]) or None),
        ("sector", one["sector"]), ("contract", one["contract"]),
        ("rows", f"{one['rows']:,}, rounded down to a multiple of {one['rounded_to']}"),
        ("grade", one["grade"] or "not graded"), ("steward", one["steward"]),
        ("purposes", ", ".join(one["purposes"]) or None), ("version", one["dataset_version"]),
        ("updated", one["updated_at"]), ("fresh until", one["fresh_until"]),
        ("published", f"{one['published_at']}, sequence {one['sequence']}"),
        ("signed by", f"{one['fingerprint']} ({one['trust']})")])
    terms = [f"- {term}" for term in one["terms"]] or ["none stated"]
    fields = table(("field", "type", "unit", "description"), (
        (f["name"], f["type"], f["unit"] or "-", f["description"]) for f in one["fields"]))
    return "\n".join([head, "", "terms of use", *terms, "", fields])
