"""The tables of a node's run database, version after version."""

from __future__ import annotations

SCHEMA = (
    """
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY,
        study_hash TEXT NOT NULL,
        agreement_seed BLOB NOT NULL,
        attempt INTEGER NOT NULL DEFAULT -1,
        start BLOB,
        state TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (state IN ('ACTIVE', 'ENDED')),
        released INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE exchanges (
        run_id TEXT NOT NULL REFERENCES runs,
        attempt INTEGER NOT NULL,
        number INTEGER NOT NULL,
        description_hash BLOB NOT NULL,
        seed BLOB,
        payload BLOB,
        digest BLOB,
        total BLOB,
        PRIMARY KEY (run_id, attempt, number)
    ) STRICT;
    """,
    "ALTER TABLE exchanges ADD COLUMN share BLOB;",
    """
    CREATE TABLE introductions (
        run_id TEXT NOT NULL REFERENCES runs,
        attempt INTEGER NOT NULL,
        sent BLOB NOT NULL,
        acquainted BLOB,
        PRIMARY KEY (run_id, attempt)
    ) STRICT;
    """,
    "ALTER TABLE runs ADD COLUMN used BLOB;",
    "ALTER TABLE runs ADD COLUMN stepped INTEGER;",  # the attempt whose steps lie in a file
)
