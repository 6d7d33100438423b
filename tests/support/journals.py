"""What tests of the journal share: a run, a contribution, and what is left after a kill."""

from __future__ import annotations

from pathlib import Path

from sealane.core.secret import Secret
from sealane.node.journal import Journal

RUN = "r-aaaaaaaaaaaaaaaa"
STUDY, OTHER = "11" * 32, "22" * 32
SEED, DIGEST = Secret(b"s" * 32), b"d" * 32
SHARE = Secret(b"s" * 32)


def contributed(journal: Journal, number: int = 0, attempt: int = 0) -> None:
    journal.contributed(RUN, attempt, number, b"h" * 32, Secret(bytes([number]) * 32), b"payload")


def killed(journal: Journal, path: Path) -> Journal:
    """What is there after a crash: nothing that only memory held."""
    journal._db.close()
    return Journal(path)
