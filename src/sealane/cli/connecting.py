"""Connecting as an analyst or auditor, whose certificate no serving process renews."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sealane.cli.output import note
from sealane.client.connection import Connection
from sealane.client.session import Session
from sealane.core.clock import system_clock
from sealane.errors import SealaneError
from sealane.rpc.identity import load_identity
from sealane.rpc.renewal import needs_renewal, renew


def connect(home: Path) -> Connection:
    """Connect as an analyst, with a certificate renewed in time.

    Raises:
        InputError: the home holds no analyst's identity.
    """
    keep_certificate(home)
    return Connection(home)


def session(home: Path) -> Session:
    """Open a session with whatever identity the home holds.

    Raises:
        InputError: it holds none.
    """
    keep_certificate(home)
    return Session(home)


def keep_certificate(home: Path) -> None:
    """Renew the certificate where two thirds of its life are over; a node's is left to its serving process."""
    identity = load_identity(home)
    if identity.role == "node" or not needs_renewal(identity.certificate, system_clock()):
        return
    try:
        asyncio.run(renew(identity))
    except SealaneError as error:
        note(f"warning: the certificate could not be renewed: {error}")
