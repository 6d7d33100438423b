"""Which peers a node knows as nodes, by its operator's word and what they signed, not by the coordinator's."""

from __future__ import annotations

import sqlite3

from sealane.core.ids import Fingerprint

_AGREED = """
    SELECT theirs.fingerprint FROM statements AS theirs JOIN statements AS ours USING (study)
    WHERE theirs.kind = 'agreement' AND ours.kind = 'agreement' AND ours.fingerprint = ?1
"""
_NODES = f"""
    SELECT fingerprint FROM peers WHERE fingerprint != ?1 AND fingerprint IN (
        {_AGREED} UNION SELECT node FROM heads_held
        UNION SELECT owner FROM score_grants UNION SELECT asker FROM score_grants)
"""  # noqa: S608 - ours
_KNOWN = f"""
    SELECT EXISTS (SELECT 1 FROM peers WHERE fingerprint = ?2) OR ?2 IN ({_AGREED})
"""  # noqa: S608 - ours


def is_known(db: sqlite3.Connection, own: Fingerprint, peer: Fingerprint) -> bool:
    """Return whether a peer was verified, or signed a study with this node: nobody else chooses these."""
    (known,), = db.execute(_KNOWN, (own, peer)).fetchall()
    return bool(known)


def verified_nodes(db: sqlite3.Connection, own: Fingerprint) -> frozenset[Fingerprint]:
    """Return the verified peers that signed a study with this node or a head of their acts, or are in a grant.

    Recipients of results are verified too, and never answer a node.
    """
    return frozenset(Fingerprint(peer) for peer, in db.execute(_NODES, (own,)).fetchall())
