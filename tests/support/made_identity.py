"""Homes with an identity, made without a coordinator: an authority of the test's own signs their certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from sealane.coordinator.authority import Authority
from sealane.core.ids import fingerprint
from sealane.rpc.certificates import certificate_request, new_tls_key, requested_key
from sealane.rpc.identity import Identity, PublicPart, load_identity, write_public, write_tls
from sealane.rpc.keyfiles import make_private_directory, write_private
from sealane.rpc.tls import TlsFiles

NOBODY = "127.0.0.1:9"  # the discard port, where nothing listens
LIFE = timedelta(days=90)


def make_identity(home: Path, name: str = "north", role: str = "node", *, address: str = NOBODY,
                  now: datetime | None = None) -> Identity:
    """Make keys and a certificate in a home, as enrolment would have."""
    moment = now if now is not None else datetime.now(UTC)
    authority = Authority.make(moment)
    key = new_tls_key()
    leaf = authority.issue_party(requested_key(certificate_request(key, name)), name=name, role=role, now=moment,
                                 life=LIFE)
    directory = home / "identity"
    for path in (home, directory):
        make_private_directory(path)
    seed = name.encode().ljust(32, b".")
    write_private(directory / "signing.key", seed)
    write_private(directory / "sealing.key", seed)
    write_tls(directory, TlsFiles(authority.pem, leaf.public_bytes(Encoding.PEM), key))
    coordinator = bytes(32)
    write_public(directory, PublicPart(name=name, role=role, coordinator_address=address,
                                       coordinator_key=coordinator.hex(),
                                       coordinator_fingerprint=fingerprint(coordinator)))
    return load_identity(home)
