"""The table of studies that reached a node: there is room for so many that this institution has said nothing about.

The coordinator bounds what an analyst proposes, but a node takes nobody's word for that.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sealane.errors import RefusedError, UnavailableError
from sealane.governance.study import OPEN_PER_PROPOSER, Study

OPEN_IN_ALL = 1000
SCHEMA = """
    ALTER TABLE studies ADD COLUMN expires TEXT NOT NULL DEFAULT '';
    UPDATE studies SET expires = json_extract(CAST(body AS TEXT), '$.expires');
    CREATE INDEX studies_by_expiry ON studies (expires, hash, proposer);
"""
"""What it adds to the register."""
_UNSIGNED = "hash NOT IN (SELECT study FROM statements WHERE fingerprint = :own)"
_OVERDUE = f"SELECT hash FROM studies WHERE expires <= :now AND {_UNSIGNED}"  # noqa: S608 - ours
_OPEN = ("SELECT COUNT(*), COUNT(*) FILTER (WHERE proposer = :proposer) FROM studies "  # noqa: S608 - ours
         f"WHERE {_UNSIGNED}")


@dataclass(frozen=True, slots=True)
class Room:
    """How many studies are kept that have not expired and that this institution has signed nothing about.

    Attributes:
        per_proposer: of one proposer, by the coordinator's word.
        in_all: of all together: a coordinator can make up proposers.
    """

    per_proposer: int = OPEN_PER_PROPOSER
    in_all: int = OPEN_IN_ALL


ROOM = Room()


def add(db: sqlite3.Connection, study: Study, proposer: str, *, own: str, now: str, room: Room) -> None:
    """Keep a study within the caller's transaction; one that is there already stays as it is.

    Those that expired without a word of this institution are dropped, with what others said about them.

    Args:
        db: a transaction on ``node.sqlite`` is open on it.
        study: what is proposed.
        proposer: who proposed it, by the coordinator's word.
        own: fingerprint of this node.
        now: RFC 3339, UTC.
        room: how many are kept.

    Raises:
        RefusedError: it has expired.
        UnavailableError: there is no room for it now.
    """
    if db.execute("SELECT 1 FROM studies WHERE hash = ?", (study.hash,)).fetchone() is not None:
        return
    if study.expires <= now:
        raise RefusedError("study.expired", "the study has expired", got=study.expires, hint="propose it again")
    values = {"own": own, "now": now, "proposer": proposer}
    db.execute(f"DELETE FROM statements WHERE study IN ({_OVERDUE})", values)  # noqa: S608 - ours
    db.execute(f"DELETE FROM studies WHERE hash IN ({_OVERDUE})", values)  # noqa: S608 - ours
    in_all, of_proposer = db.execute(_OPEN, values).fetchone()
    if in_all >= room.in_all or of_proposer >= room.per_proposer:
        raise UnavailableError("study.too-many-open", "too many studies wait for this institution's decision",
                               got=f"{of_proposer} of {proposer}, {in_all} in all",
                               expected=f"at most {room.per_proposer} of one proposer, {room.in_all} in all",
                               hint="approve or refuse some, or raise studies.open_per_proposer and "
                                    "studies.open_in_all in the node's settings.toml")
    db.execute("INSERT INTO studies (hash, body, proposer, received_at, expires) VALUES (?, ?, ?, ?, ?)",
               (study.hash, study.canonical(), proposer, now, study.expires))
