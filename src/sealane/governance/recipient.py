"""Who may read a result: a sealing key, tied by a signature to the fingerprint that people compare.

Without the signature a coordinator could put its own sealing key beside an analyst's fingerprint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane.core.ids import fingerprint
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError

if TYPE_CHECKING:
    from sealane.governance.study import Recipient

SEALING_KEY = "application/vnd.sealane.sealing-key"


def recipient_of(name: str, key: SigningKey, sealing_key: bytes) -> Recipient:
    """Describe oneself as a recipient, and sign that the sealing key is one's own."""
    from sealane.governance.study import Recipient

    return Recipient(name=name, fingerprint=key.fingerprint, signing_key=key.public_key.hex(),
                     sealing_key=sealing_key.hex(), attestation=key.sign(SEALING_KEY, sealing_key).hex())


def verify_recipient(recipient: Recipient) -> None:
    """Check that the owner of a recipient's fingerprint signed its sealing key.

    Raises:
        ProtocolError: another key signed it, or nobody did.
    """
    signing_key = bytes.fromhex(recipient.signing_key)
    if fingerprint(signing_key) != recipient.fingerprint:
        raise ProtocolError("recipient.key-substituted", "a recipient's key does not match its fingerprint",
                            got=fingerprint(signing_key), expected=recipient.fingerprint)
    verify(signing_key, SEALING_KEY, bytes.fromhex(recipient.sealing_key), bytes.fromhex(recipient.attestation))
