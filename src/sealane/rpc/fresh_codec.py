"""What nodes tell each other about their acts, through the coordinator: the same messages both ways, bounded."""

from __future__ import annotations

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.audit.fresh import NONCE_BYTES
from sealane.audit.merkle import HASH_BYTES
from sealane.rpc import bounds
from sealane.rpc.log_codec import size
from sealane.rpc.notices import ActsHead, FreshAnswer, FreshQuestion, HeadHeld, PeerHead

Between = HeadHeld | FreshQuestion | FreshAnswer
"""From node to node; the coordinator passes it on as it is."""


def encode_from_peer(message: Between) -> pb.ConnectRequest:
    """Write what a node says to others, on its way to the coordinator."""
    match message:
        case HeadHeld():
            return pb.ConnectRequest(head_held=_write_held(message))
        case FreshQuestion():
            return pb.ConnectRequest(fresh_question=_write_question(message))
        case FreshAnswer():
            return pb.ConnectRequest(fresh_answer=_write_answer(message))


def decode_from_peer(request: pb.ConnectRequest) -> Between:
    """Read what a node says to others.

    Raises:
        ProtocolError: a field is malformed.
    """
    match request.WhichOneof("message"):
        case "head_held":
            return _read_held(request.head_held)
        case "fresh_question":
            return _read_question(request.fresh_question)
        case _:
            return _read_answer(request.fresh_answer)


def encode_to_peer(message: PeerHead | Between) -> pb.ConnectResponse:
    """Write what a node said, on its way from the coordinator."""
    match message:
        case PeerHead():
            head = pb.ActsHead(count=message.count, root=message.root, signature=message.signature)
            return pb.ConnectResponse(peer_head=pb.PeerHead(public_key=message.public_key, head=head))
        case HeadHeld():
            return pb.ConnectResponse(head_held=_write_held(message))
        case FreshQuestion():
            return pb.ConnectResponse(fresh_question=_write_question(message))
        case FreshAnswer():
            return pb.ConnectResponse(fresh_answer=_write_answer(message))


def decode_to_peer(response: pb.ConnectResponse) -> PeerHead | Between:
    """Read what another node said.

    Raises:
        ProtocolError: a field is malformed.
    """
    match response.WhichOneof("message"):
        case "peer_head":
            head = _read_head(response.peer_head.head)
            return PeerHead(bounds.exact(response.peer_head.public_key, 32, "public key"), head.count, head.root,
                            head.signature)
        case "head_held":
            return _read_held(response.head_held)
        case "fresh_question":
            return _read_question(response.fresh_question)
        case _:
            return _read_answer(response.fresh_answer)


def _write_held(message: HeadHeld) -> pb.HeadHeld:
    return pb.HeadHeld(node=message.node, count=message.count, root=message.root, public_key=message.public_key,
                       signature=message.signature)


def _write_question(message: FreshQuestion) -> pb.FreshQuestion:
    return pb.FreshQuestion(node=message.node, nonce=message.nonce)


def _write_answer(message: FreshAnswer) -> pb.FreshAnswer:
    head = pb.ActsHead(count=message.head.count, root=message.head.root, signature=message.head.signature)
    return pb.FreshAnswer(node=message.node, nonce=message.nonce, size=message.size, root=message.root, head=head,
                          public_key=message.public_key, signature=message.signature)


def _read_head(head: pb.ActsHead) -> ActsHead:
    return ActsHead(size(head.count), bounds.exact(head.root, HASH_BYTES, "root"),
                    bounds.exact(head.signature, 64, "signature"))


def _read_held(message: pb.HeadHeld) -> HeadHeld:
    head = bounds.exact(message.root, HASH_BYTES, "root")
    return HeadHeld(bounds.party_fingerprint(message.node), size(message.count), head,
                    bounds.exact(message.public_key, 32, "public key"),
                    bounds.exact(message.signature, 64, "signature"))


def _read_question(message: pb.FreshQuestion) -> FreshQuestion:
    return FreshQuestion(bounds.party_fingerprint(message.node), bounds.exact(message.nonce, NONCE_BYTES, "nonce"))


def _read_answer(message: pb.FreshAnswer) -> FreshAnswer:
    return FreshAnswer(bounds.party_fingerprint(message.node), bounds.exact(message.nonce, NONCE_BYTES, "nonce"),
                       size(message.size), bounds.exact(message.root, HASH_BYTES, "root"), _read_head(message.head),
                       bounds.exact(message.public_key, 32, "public key"),
                       bounds.exact(message.signature, 64, "signature"))
