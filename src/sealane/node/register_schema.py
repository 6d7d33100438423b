"""The tables of the node's register; one script per version, older ones never changed."""

from __future__ import annotations

from sealane.node import lives, standing, study_table
from sealane.node.scoring import book

SCHEMA = (
    """
    CREATE TABLE peers (
        name TEXT PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        verified_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE datasets (
        name TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        mapping TEXT NOT NULL,
        contract_id TEXT NOT NULL,
        contract_hash TEXT NOT NULL,
        version TEXT NOT NULL,
        rows INTEGER NOT NULL,
        excluded INTEGER NOT NULL,
        drop_invalid INTEGER NOT NULL CHECK (drop_invalid IN (0, 1)),
        added_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE studies (
        hash TEXT PRIMARY KEY,
        body BLOB NOT NULL,
        proposer TEXT NOT NULL,
        received_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE statements (
        study TEXT NOT NULL REFERENCES studies,
        fingerprint TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('approval', 'refusal')),
        body BLOB NOT NULL,
        public_key BLOB NOT NULL,
        signature BLOB NOT NULL,
        sent INTEGER NOT NULL CHECK (sent IN (0, 1)),
        recorded_at TEXT NOT NULL,
        PRIMARY KEY (study, fingerprint, kind)
    ) STRICT;
    CREATE TABLE cohorts (
        dataset_version TEXT NOT NULL,
        computation TEXT NOT NULL,
        cohort TEXT NOT NULL,
        recorded_at TEXT NOT NULL,
        PRIMARY KEY (dataset_version, computation, cohort)
    ) STRICT;
    """,
    """
    CREATE TABLE stewards (
        name TEXT PRIMARY KEY,
        fingerprint TEXT NOT NULL UNIQUE,
        appointed_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE steward_requests (
        nonce TEXT PRIMARY KEY,
        at TEXT NOT NULL
    ) STRICT;
    """,
    lives.SCHEMA,
    """
    CREATE TABLE publications (
        dataset TEXT PRIMARY KEY,
        sequence INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('publication', 'withdrawal')),
        body BLOB NOT NULL,
        public_key BLOB NOT NULL,
        signature BLOB NOT NULL
    ) STRICT;
    CREATE TABLE metered_runs (
        run_id TEXT PRIMARY KEY,
        study TEXT NOT NULL,
        ended_at TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX metered_runs_by_study ON metered_runs (study, ended_at);
    """,
    """
    CREATE TABLE witnessed (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        size INTEGER NOT NULL,
        root BLOB NOT NULL
    ) STRICT;
    CREATE TABLE acts (
        position INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL,
        entry BLOB NOT NULL,
        UNIQUE (kind, subject, detail)
    ) STRICT;
    CREATE TABLE acts_hashes (
        level INTEGER NOT NULL,
        position INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (level, position)
    ) STRICT;
    """,
    standing.SCHEMA,
    """
    CREATE TABLE heads_held (
        node TEXT PRIMARY KEY,
        count INTEGER NOT NULL,
        root BLOB NOT NULL,
        signature BLOB NOT NULL
    ) STRICT;
    """,
    book.SCHEMA,
    study_table.SCHEMA,
)
