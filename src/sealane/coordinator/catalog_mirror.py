"""What becomes of a node's catalog statement: kept, or refused and recorded without ending the node's stream."""

from __future__ import annotations

from sealane.coordinator.registry import Party
from sealane.coordinator.store import Store
from sealane.core.canonical import parse_canonical
from sealane.errors import RefusedError
from sealane.governance.catalog_statement import CatalogStatement, SignedPublication
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


def mirror(store: Store, sender: Party, statement: CatalogStatement) -> None:
    """Take in a publication or a withdrawal.

    One that is older than what is known is refused and recorded: a node that was restored from a backup says such
    things in good faith, again after every hello.

    Raises:
        ProtocolError: it does not verify, or another party signed it; the stream ends with this error.
    """
    kind = "dataset.published" if isinstance(statement, SignedPublication) else "dataset.withdrawn"
    try:
        if not store.catalog.take(sender.name, sender.fingerprint, statement):
            return
    except RefusedError as error:
        log(_LOG, "catalog.refused", node=sender.name, error=error)
        store.add_event("catalog.refused", sender.name, sender.fingerprint, error.code)
        return
    dataset = str(parse_canonical(statement.body)["dataset"])
    log(_LOG, kind, node=sender.name, dataset=dataset)
    store.add_event(kind, sender.name, sender.fingerprint, dataset)
