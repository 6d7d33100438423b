"""Letters between the nodes of a run, on their way through the coordinator: bounded, and not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SIGNATURE_BYTES
from sealane.errors import ProtocolError
from sealane.rpc import bounds
from sealane.secagg.messages import Delivery, Letters, LettersEntry

HASH_BYTES = 32
LONGEST_LETTER = 512 << 20


def write_letters(message: Letters) -> pb.Letters:
    """Write a node's letters."""
    return pb.Letters(run_id=message.run_id, attempt=message.attempt, exchange=message.exchange,
                      sealed={str(f): data for f, data in message.sealed.items()}, hashes=message.hashes,
                      signature=message.signature)


def read_letters(message: pb.Letters) -> Letters:
    """Read a node's letters.

    Raises:
        ProtocolError: a field is malformed.
    """
    return Letters(bounds.run_id(message.run_id), bounds.number(message.attempt, "attempt"),
                   bounds.number(message.exchange, "exchange"), _sealed(message.sealed), _hashes(message.hashes),
                   bounds.exact(message.signature, SIGNATURE_BYTES, "signature"))


def write_delivery(message: Delivery) -> pb.Delivery:
    """Write what one node is told of all letters."""
    entries = [pb.LettersEntry(fingerprint=e.fingerprint, hashes=e.hashes, signature=e.signature)
               for e in message.entries]
    return pb.Delivery(run_id=message.run_id, attempt=message.attempt, exchange=message.exchange, entries=entries,
                       sealed={str(f): data for f, data in message.sealed.items()})


def read_delivery(message: pb.Delivery) -> Delivery:
    """Read what one node is told of all letters.

    Raises:
        ProtocolError: a field is malformed.
    """
    listed = bounds.at_most(tuple(message.entries), bounds.MAXIMUM_MEMBERS, "entries")
    entries = tuple(LettersEntry(bounds.party_fingerprint(e.fingerprint), _hashes(e.hashes),
                                 bounds.exact(e.signature, SIGNATURE_BYTES, "signature")) for e in listed)
    return Delivery(bounds.run_id(message.run_id), bounds.number(message.attempt, "attempt"),
                    bounds.number(message.exchange, "exchange"), entries, _sealed(message.sealed))


def _hashes(hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    listed = bounds.at_most(tuple(hashes), bounds.MAXIMUM_MEMBERS, "hashes")
    if any(len(one) not in (0, HASH_BYTES) for one in listed):
        raise ProtocolError("wire.wrong-length", "the hash of a letter has the wrong length",
                            expected=f"{HASH_BYTES} bytes, or none")
    return listed


def _sealed(items: Mapping[str, bytes]) -> dict[Fingerprint, bytes]:
    bounds.at_most(items, bounds.MAXIMUM_MEMBERS, "letters")
    return {bounds.party_fingerprint(f): bounds.at_most(data, LONGEST_LETTER, "bytes in a letter")
            for f, data in items.items()}
