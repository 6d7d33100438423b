"""An entry of the catalog as a reader here may believe it: who signed it, and whether that key is known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sealane.errors import ProtocolError
from sealane.governance.catalog_query import CatalogQuery, fits
from sealane.governance.catalog_statement import CatalogStatement, SignedPublication
from sealane.governance.publication import Publication, verify_publication

Trust = Literal["verified", "seen", "unknown", "differs"]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A publication whose signature holds.

    Attributes:
        publication: what the node says.
        trust: ``verified`` where the key's fingerprint was compared out of band; ``seen`` where it is the one that
            came first under this name; ``unknown`` where none is known here; ``differs`` where another one is.
        signed: the publication as the node signed it.
    """

    publication: Publication
    trust: Trust
    signed: SignedPublication = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON-ready values."""
        return {**self.publication.model_dump(mode="json"), "trust": self.trust}


def check_entry(
    signed: CatalogStatement, query: CatalogQuery, known: Mapping[str, tuple[str, bool]]
) -> CatalogEntry:
    """Return what an entry says, once its signature holds and it is one that was asked for.

    Args:
        signed: as the coordinator passed it on.
        query: what was asked.
        known: by name of a node, its fingerprint and whether that was compared out of band.

    Raises:
        ProtocolError: the signature or the form is wrong, or it is not what was asked for.
    """
    if not isinstance(signed, SignedPublication):
        raise ProtocolError("catalog.not-an-entry", "the coordinator lists something that is no publication")
    publication = verify_publication(signed)
    if not fits(publication, query):
        raise ProtocolError("catalog.not-asked-for", "the coordinator lists an entry that was not asked for",
                            got=f"{publication.node}/{publication.dataset}")
    return CatalogEntry(publication, _trust(publication, known), signed)


def _trust(publication: Publication, known: Mapping[str, tuple[str, bool]]) -> Trust:
    if publication.node not in known:
        return "unknown"
    fingerprint, verified = known[publication.node]
    if fingerprint != publication.fingerprint:
        return "differs"
    return "verified" if verified else "seen"
