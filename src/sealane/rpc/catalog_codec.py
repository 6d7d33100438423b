"""Protobuf and the statements of a catalog; their content is verified by whoever uses it."""

from __future__ import annotations

from sealane.api.catalog.v1 import catalog_pb2 as pb
from sealane.errors import ProtocolError
from sealane.governance.catalog_query import CatalogQuery
from sealane.governance.catalog_statement import CatalogStatement, SignedPublication, SignedWithdrawal
from sealane.governance.publication import MAXIMUM_BYTES
from sealane.rpc import bounds

LONGEST_FILTER = 200


def encode_catalog(statement: CatalogStatement) -> pb.CatalogStatement:
    """Write a publication or a withdrawal."""
    kind = (pb.CatalogStatement.KIND_PUBLICATION if isinstance(statement, SignedPublication)
            else pb.CatalogStatement.KIND_WITHDRAWAL)
    return pb.CatalogStatement(kind=kind, body=statement.body, public_key=statement.public_key,
                               signature=statement.signature)


def decode_catalog(statement: pb.CatalogStatement) -> CatalogStatement:
    """Read a publication or a withdrawal.

    Raises:
        ProtocolError: a field is malformed.
    """
    fields = (bounds.at_most(statement.body, MAXIMUM_BYTES, "bytes in a catalog statement"),
              bounds.exact(statement.public_key, 32, "public key"), bounds.exact(statement.signature, 64, "signature"))
    match statement.kind:
        case pb.CatalogStatement.KIND_PUBLICATION:
            return SignedPublication(*fields)
        case pb.CatalogStatement.KIND_WITHDRAWAL:
            return SignedWithdrawal(*fields)
        case other:
            raise ProtocolError("wire.unknown-statement", "statement of an unknown kind", got=other)


def encode_query(query: CatalogQuery, after: str) -> pb.ListEntriesRequest:
    """Write what a reader asks for."""
    return pb.ListEntriesRequest(sector=query.sector, field=query.field, purpose=query.purpose, node=query.node,
                                 dataset=query.dataset, text=query.text, after=after)


def decode_query(request: pb.ListEntriesRequest) -> CatalogQuery:
    """Read what a reader asks for.

    Raises:
        ProtocolError: a filter is too long, or no text.
    """
    return CatalogQuery(*(bounds.text(value, name, LONGEST_FILTER) for name, value in (
        ("sector", request.sector), ("field", request.field), ("purpose", request.purpose), ("node", request.node),
        ("dataset", request.dataset), ("text", request.text))))


def decode_after(request: pb.ListEntriesRequest) -> tuple[str, str]:
    """Read behind which node and dataset a page begins.

    Raises:
        ProtocolError: too long, or no text.
    """
    node, _, dataset = bounds.text(request.after, "page", 130).partition("/")
    return node, dataset
