"""The running hash that everything in a run is bound to.

Nodes that saw different things hold different transcripts, derive different keys and masks, and nothing opens.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sealane.core.canonical import sha256


@dataclass(frozen=True, slots=True)
class Transcript:
    """32 bytes that commit to everything absorbed so far."""

    value: bytes = field(repr=False)

    @classmethod
    def start(cls, *parts: bytes) -> Transcript:
        """Begin a transcript from the facts that never change in an attempt."""
        return cls(sha256(b"sealane transcript v1", *parts))

    def absorb(self, label: str, *parts: bytes) -> Transcript:
        """Return the transcript that also commits to ``parts``, under a label."""
        return Transcript(sha256(b"sealane absorb v1", self.value, label.encode("ascii"), *parts))
