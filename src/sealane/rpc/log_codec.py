"""The audit log's messages on the node stream: protobuf and values, bounded on the way in."""

from __future__ import annotations

from collections.abc import Iterable

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.audit.entry import MAXIMUM_BYTES as MAXIMUM_ENTRY
from sealane.audit.evidence import Leaf
from sealane.audit.merkle import HASH_BYTES, LARGEST_SIZE
from sealane.audit.note import MAXIMUM_BYTES as MAXIMUM_NOTE
from sealane.errors import ProtocolError
from sealane.rpc import bounds
from sealane.rpc.notices import ActsHead, Cosigned, LogEvidence, LogUpdate, WitnessHead

MAXIMUM_PROOF = 126
"""A proof of either kind has at most two hashes for each level, and no log has more than 2^62 leaves."""
MAXIMUM_LEAVES = 16
MAXIMUM_LINE = 600


def encode_from_witness(message: WitnessHead | Cosigned | ActsHead) -> pb.ConnectRequest:
    """Write what a node says to the log."""
    match message:
        case WitnessHead():
            return pb.ConnectRequest(witness_head=pb.WitnessHead(size=message.size))
        case Cosigned():
            return pb.ConnectRequest(cosigned=pb.Cosigned(size=message.size, line=message.line))
        case ActsHead():
            return pb.ConnectRequest(acts_head=pb.ActsHead(count=message.count, root=message.root,
                                                           signature=message.signature))


def decode_from_witness(request: pb.ConnectRequest) -> WitnessHead | Cosigned | ActsHead:
    """Read what a node says to the log.

    Raises:
        ProtocolError: a field is malformed.
    """
    match request.WhichOneof("message"):
        case "witness_head":
            return WitnessHead(size(request.witness_head.size))
        case "cosigned":
            return Cosigned(size(request.cosigned.size), bounds.text(request.cosigned.line, "signature line",
                                                                      MAXIMUM_LINE))
        case _:
            return ActsHead(size(request.acts_head.count), bounds.exact(request.acts_head.root, HASH_BYTES, "root"),
                            bounds.exact(request.acts_head.signature, 64, "signature"))


def encode_from_log(message: LogUpdate | LogEvidence) -> pb.ConnectResponse:
    """Write what the log says to a node."""
    match message:
        case LogUpdate():
            return pb.ConnectResponse(log_update=pb.LogUpdate(old=message.old, proof=message.proof, note=message.note))
        case LogEvidence():
            leaves = [pb.LogLeaf(position=leaf.position, entry=leaf.entry, proof=leaf.proof)
                      for leaf in message.leaves]
            return pb.ConnectResponse(log_evidence=pb.LogEvidence(
                run_id=message.run_id, attempt=message.attempt, stage=message.stage, note=message.note, leaves=leaves))


def decode_from_log(response: pb.ConnectResponse) -> LogUpdate | LogEvidence:
    """Read what the log says to a node.

    Raises:
        ProtocolError: a field is malformed.
    """
    if response.WhichOneof("message") == "log_update":
        update = response.log_update
        return LogUpdate(size(update.old), hashes(update.proof), note(update.note))
    told = response.log_evidence
    if told.stage > 1:
        raise ProtocolError("wire.out-of-range", "stage is out of range", got=told.stage, expected="0 or 1")
    leaves = bounds.at_most(tuple(told.leaves), MAXIMUM_LEAVES, "leaves")
    return LogEvidence(bounds.run_id(told.run_id), bounds.number(told.attempt, "attempt"), told.stage, note(told.note),
                       tuple(Leaf(size(leaf.position), entry(leaf.entry), hashes(leaf.proof)) for leaf in leaves))


def size(value: int) -> int:
    """Return a size of a log, or a position in it.

    Raises:
        ProtocolError: no log is so large.
    """
    if value > LARGEST_SIZE:
        raise ProtocolError("wire.out-of-range", "a log has not so many leaves", got=value, expected=LARGEST_SIZE)
    return value


def hashes(values: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return a proof's hashes.

    Raises:
        ProtocolError: too many, or one of another length.
    """
    listed = bounds.at_most(tuple(values), MAXIMUM_PROOF, "hashes in a proof")
    return tuple(bounds.exact(one, HASH_BYTES, "hash") for one in listed)


def note(value: bytes) -> bytes:
    """Return a note's bytes, of a bounded length."""
    return bounds.at_most(value, MAXIMUM_NOTE, "bytes in a note")


def entry(value: bytes) -> bytes:
    """Return a leaf's bytes, of a bounded length."""
    return bounds.at_most(value, MAXIMUM_ENTRY, "bytes in an entry")
