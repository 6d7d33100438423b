"""Which entries of a catalog a reader asks for."""

from __future__ import annotations

from dataclasses import dataclass

from sealane.governance.publication import Publication


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """Filters, which all must fit; an empty one lets everything pass.

    Attributes:
        sector: of the contract's pack.
        field: name of a field that the dataset has.
        purpose: that the terms allow.
        node: that published it.
        dataset: its name there.
        text: words that all occur somewhere, whatever their case.
    """

    sector: str = ""
    field: str = ""
    purpose: str = ""
    node: str = ""
    dataset: str = ""
    text: str = ""


def fits(publication: Publication, query: CatalogQuery) -> bool:
    """Return whether an entry is among those asked for."""
    return (
        query.sector in ("", publication.sector)
        and query.node in ("", publication.node)
        and query.dataset in ("", publication.dataset)
        and (not query.field or any(field.name == query.field for field in publication.fields))
        and (not query.purpose or query.purpose in publication.purposes)
        and (not query.text or _contains(publication, query.text))
    )


def _contains(publication: Publication, text: str) -> bool:
    searched = "\n".join([
        publication.title, publication.description, publication.node, publication.dataset, publication.sector,
        publication.contract, *publication.keywords, *publication.purposes, *publication.terms,
        *(f"{field.name} {field.description}" for field in publication.fields),
    ]).casefold()
    return all(word in searched for word in text.casefold().split())
