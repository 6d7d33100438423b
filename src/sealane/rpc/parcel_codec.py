"""What nodes say to each other about private scoring, on its way through the coordinator: bounded, and not read."""

from __future__ import annotations

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from sealane.errors import ProtocolError
from sealane.rpc import bounds
from sealane.rpc.notices import PARCEL_KINDS, Parcel

SUBJECT_BYTES = 32


def write_parcel(parcel: Parcel) -> pb.Parcel:
    """Write a parcel, the same both ways."""
    return pb.Parcel(recipient=parcel.recipient, kind=parcel.kind, subject=parcel.subject, body=parcel.body,
                     public_key=parcel.public_key, signature=parcel.signature)


def read_parcel(parcel: pb.Parcel) -> Parcel:
    """Read a parcel.

    Raises:
        ProtocolError: a field is malformed, or the body longer than its kind allows.
    """
    recipient = Fingerprint(bounds.party_fingerprint(parcel.recipient))
    most = PARCEL_KINDS.get(parcel.kind)
    if most is None:
        raise ProtocolError("parcel.unknown-kind", "a parcel between nodes is of no known kind",
                            got=repr(parcel.kind[:40]), expected=", ".join(PARCEL_KINDS))
    if len(parcel.body) > most:
        raise ProtocolError("parcel.too-large", f"a parcel ({parcel.kind}) is longer than its kind allows",
                            got=f"{len(parcel.body)} bytes", expected=f"at most {most}")
    return Parcel(recipient, parcel.kind, bounds.exact(parcel.subject, SUBJECT_BYTES, "subject"), parcel.body,
                  bounds.exact(parcel.public_key, PUBLIC_KEY_BYTES, "public key"),
                  bounds.exact(parcel.signature, SIGNATURE_BYTES, "signature"))
