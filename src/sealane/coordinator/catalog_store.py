"""The coordinator's mirror of what nodes publish: metadata only, strictly checked, gone as soon as it is withdrawn.

Of a dataset that was withdrawn the sequence number stays, so that an older publication does not come back.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    tuple_,
)

from sealane.coordinator.database import metadata, reading, writing
from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.catalog_statement import CatalogStatement, SignedPublication
from sealane.governance.publication import Publication, Withdrawal, verify_publication, verify_withdrawal

MAXIMUM_DATASETS = 1000
"""Names of datasets that one node may ever have spoken of."""

catalog = Table(
    "catalog", metadata,
    Column("fingerprint", String(52), primary_key=True),
    Column("dataset", String(63), primary_key=True),
    Column("node", String(63), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("published", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)


class CatalogStore:
    """What nodes last said about each of their datasets. Each call is on disk when it returns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, node: str, fingerprint: Fingerprint, statement: CatalogStatement) -> bool:
        """Take in what a node says about a dataset; False where it was there already.

        Raises:
            ProtocolError: form or signature is wrong, or another party than the sender signed it.
            RefusedError: the node said something later before, or speaks of too many datasets.
        """
        said = (verify_publication(statement) if isinstance(statement, SignedPublication)
                else verify_withdrawal(statement))
        if (said.node, said.fingerprint) != (node, fingerprint):
            raise ProtocolError("catalog.statement-of-another", "a node sent another's catalog statement", got=node)
        with writing(self._engine) as db:
            key = (catalog.c.fingerprint == fingerprint) & (catalog.c.dataset == said.dataset)
            known = db.execute(select(catalog.c.sequence, catalog.c.signature).where(key)).first()
            if known is not None and bytes(known.signature) == statement.signature:
                return False
            if known is not None and known.sequence >= said.sequence:
                raise _replayed(said, known.sequence)
            mine = select(func.count()).select_from(catalog).where(catalog.c.fingerprint == fingerprint)
            if known is None and db.execute(mine).scalar_one() >= MAXIMUM_DATASETS:
                raise RefusedError("catalog.too-many", "a node speaks of too many datasets", got=node,
                                   expected=f"at most {MAXIMUM_DATASETS}")
            is_published = isinstance(said, Publication)
            db.execute(delete(catalog).where(key))
            db.execute(insert(catalog).values(
                fingerprint=fingerprint, dataset=said.dataset, node=node, sequence=said.sequence,
                published=is_published, body=statement.body, public_key=statement.public_key,
                signature=statement.signature))
        return True

    def published(self, after: tuple[str, str] = ("", "")) -> Iterator[tuple[Fingerprint, SignedPublication]]:
        """Give what is published, by node and dataset, from behind a pair of these."""
        place = tuple_(catalog.c.node, catalog.c.dataset)
        query = (select(catalog).where(catalog.c.published, place > tuple_(*after))
                 .order_by(catalog.c.node, catalog.c.dataset))
        with reading(self._engine) as db:
            rows = db.execute(query).mappings().all()
        for row in rows:
            yield Fingerprint(row["fingerprint"]), SignedPublication(
                bytes(row["body"]), bytes(row["public_key"]), bytes(row["signature"]))


def _replayed(said: Publication | Withdrawal, known: int) -> RefusedError:
    return RefusedError("catalog.replayed", "a later statement about this dataset is known already",
                        got=f"{said.dataset}, sequence {said.sequence}", expected=f"more than {known}",
                        hint="the node was restored from an older backup: publish or unpublish the dataset anew")
