"""The audit log of a simulated coordinator: the real tree, checkpoints and witnessing, kept in memory."""

from __future__ import annotations

from collections.abc import Collection

from sealane.audit import tree
from sealane.audit.entry import Entry
from sealane.core.clock import Clock, to_text
from sealane.core.entropy import random_secret
from sealane.crypto.signing import SigningKey


class MemoryLog:
    """A coordinator's key and its log.

    Attributes:
        key: signs checkpoints.
        entries: every leaf, oldest first.
    """

    def __init__(self, clock: Clock) -> None:
        self.key = SigningKey(random_secret())
        self.entries: list[Entry] = []
        self._clock = clock
        self._hashes = tree.MemoryHashes()
        self._once: set[str] = set()
        self._cosigned: dict[int, dict[str, str]] = {}

    def append(self, kind: str, party: str, subject: str, detail: str = "", *, once: str | None = None) -> None:
        """Add a leaf, unless the act that ``once`` names is there already."""
        if once is not None and once in self._once:
            return
        self._once |= {once} if once is not None else set()
        entry = Entry(to_text(self._clock()), kind, party, subject, detail)
        tree.append(self._hashes, len(self.entries), entry.hash)
        self.entries.append(entry)

    def head(self) -> tuple[int, bytes]:
        """Return the newest size and its root."""
        return len(self.entries), self.root(len(self.entries))

    def root(self, size: int) -> bytes:
        """Return the root over the first leaves."""
        return tree.root(self._hashes, size)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof that the log of ``new`` leaves continues that of ``old``."""
        return tree.consistency(self._hashes, old, new)

    def inclusion(self, position: int, size: int) -> tuple[bytes, ...]:
        """Return the proof that a leaf is in the log of ``size`` leaves."""
        return tree.inclusion(self._hashes, position, size)

    def newest(self, kind: str, subject: str, detail: str | None = None) -> tuple[int, bytes] | None:
        """Return position and bytes of the newest leaf of a kind about a subject, or None."""
        for position in range(len(self.entries) - 1, -1, -1):
            entry = self.entries[position]
            if (entry.kind, entry.subject) == (kind, subject) and detail in (None, entry.detail):
                return position, entry.canonical()
        return None

    def keep_cosignature(self, size: int, witness: str, checkpoint: str, line: str) -> None:
        """Keep a witness's signature line over a checkpoint."""
        self._cosigned.setdefault(size, {}).setdefault(witness, line)

    def cosigned(self, size: int) -> dict[str, str]:
        """Return the signature lines over the checkpoint of a size, by witness."""
        return self._cosigned.get(size, {})

    def cosigned_sizes(self, least: int, by: Collection[str] | None = None, quorum: int = 1) -> list[int]:
        """Return the sizes, from ``least`` on, of checkpoints that so many of ``by`` cosigned, newest first."""
        counting = {size: len(lines if by is None else lines.keys() & set(by))
                    for size, lines in self._cosigned.items() if size >= least}
        return sorted((size for size, found in counting.items() if found >= quorum), reverse=True)
