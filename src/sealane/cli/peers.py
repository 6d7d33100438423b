"""The parties a node knows of, with the coordinator's directory of this moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sealane.client.session import Session
from sealane.errors import SealaneError
from sealane.node.commands import trust_word
from sealane.node.control import call


def known_peers(home: Path) -> list[dict[str, Any]]:
    """Return what ``peers`` says at the node, which got its directory when it connected, and whoever came since."""
    found: list[dict[str, Any]] = call(home, "peers")
    status = call(home, "status")
    if status["serving"] and not status["connected"]:
        return found  # it is trying already
    try:
        with Session(home) as session:
            parties = [party for party in session.parties() if party.fingerprint != session.identity.fingerprint]
    except SealaneError:
        return found  # what was verified here is true without the coordinator
    by_name = {peer["name"]: peer for peer in found}
    for party in parties:
        verified = by_name.get(party.name, {}).get("verified")
        by_name[party.name] = {
            "name": party.name, "role": party.role, "fingerprint": party.fingerprint, "verified": verified,
            "trust": trust_word(verified, party.fingerprint),
            "connected": party.connected if party.role == "node" else None,
        }
    return [by_name[name] for name in sorted(by_name)]
