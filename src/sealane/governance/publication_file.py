"""A publication as a file: a DSSE envelope with the node's key beside it, so that it can be verified by itself."""

from __future__ import annotations

import json

from sealane.core.ids import fingerprint
from sealane.errors import InputError
from sealane.governance.catalog_statement import SignedPublication
from sealane.governance.dsse import read_dsse, write_dsse
from sealane.governance.publication import MAXIMUM_BYTES, PUBLICATION_KIND


def write_publication(signed: SignedPublication) -> bytes:
    """Return the file of a publication."""
    envelope = write_dsse(PUBLICATION_KIND, signed.body, [(fingerprint(signed.public_key), signed.signature)])
    return json.dumps(envelope | {"publicKey": signed.public_key.hex()}, indent=2).encode("ascii") + b"\n"


def read_publication(data: bytes) -> SignedPublication:
    """Read the file of a publication; nothing in it is verified yet.

    Raises:
        InputError: it is none.
    """
    try:
        content = json.loads(data[: 2 * MAXIMUM_BYTES].decode("ascii"))
        kind, body, ((_, signature),) = read_dsse(content)
        key = bytes.fromhex(content["publicKey"])
        if kind != PUBLICATION_KIND or len(key) != 32:
            raise ValueError("not a publication's")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError("publication.no-file", "the file is no publication of a dataset", got=type(error).__name__,
                         expected="what `sealane catalog show NODE/DATASET --output FILE` writes") from error
    return SignedPublication(body, key, signature)
