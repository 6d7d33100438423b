"""Publications made up for tests."""

from __future__ import annotations

from typing import Any

from circle import seed_of

from sealane.crypto.signing import SigningKey
from sealane.governance.catalog_statement import SignedPublication
from sealane.governance.publication import Publication, PublishedField, make_publication, sign_publication

KEYS = {name: SigningKey(seed_of("publication", name)) for name in ("north", "south")}


def made(**changes: Any) -> Publication:
    """Return a publication with everything in it."""
    node = changes.get("node", "north")
    fields: dict[str, Any] = {
        "node": node, "fingerprint": KEYS[node].fingerprint, "dataset": "loans", "sequence": 7,
        "title": "Consumer loans", "description": "Instalment loans since 2015.", "keywords": ("credit", "retail"),
        "sector": "finance", "contract": "finance.credit-application/v1", "contract_hash": "ab" * 32,
        "fields": (PublishedField(name="bad", type="boolean", description="1 if it fell into arrears"),
                   PublishedField(name="int_rate", type="number", unit="%", nullable=True)),
        "rows": 1230, "rounded_to": 10, "grade": 3, "steward": "Data office", "dataset_version": "cd" * 32,
        "updated_at": "2026-03-01T12:00:00Z", "fresh_until": "2026-09-01T00:00:00Z",
        "purposes": ("credit-risk", "model-validation"), "terms": ("Aggregates only.", "Tell us what you found."),
        "published_at": "2026-03-02T08:00:00Z",
    }
    return make_publication(**(fields | changes))


def signed(**changes: Any) -> SignedPublication:
    """Return it signed by its node."""
    publication = made(**changes)
    return sign_publication(KEYS[publication.node], publication)
