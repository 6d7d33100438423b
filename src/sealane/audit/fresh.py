"""What a node and its peers sign about the node's own acts, so that a copy of it that forgot some cannot go on: pure.

Before it contributes a node has enough peers *hold* the head of its acts. After a start it asks its peers with a fresh
nonce which head they hold. Each of the two groups is of the n - 1 other participants of a study; together they have
n + c members or more, so at least c + 1 are in both, and one of these is honest.
"""

from __future__ import annotations

from sealane.core.canonical import canonical_bytes
from sealane.core.ids import Fingerprint

HEAD_KIND = "sealane.acts-head/v1"
HELD_KIND = "sealane.acts-head-held/v1"
ANSWER_KIND = "sealane.fresh-start/v1"
NONCE_BYTES = 32


def holders_needed(participants: int, colluding: int) -> int:
    """Return how many of the others must hold a node's newest head before it contributes: as many as must cosign."""
    return (participants + colluding) // 2


def answers_needed(participants: int, colluding: int) -> int:
    """Return how many of the others must answer after a start, so that one honest holder is among them."""
    return participants + colluding - holders_needed(participants, colluding)


def head_body(count: int, root: bytes) -> bytes:
    """Return what a node signs about its own acts."""
    return canonical_bytes({"count": count, "root": root.hex()})


def held_body(node: Fingerprint, count: int, root: bytes) -> bytes:
    """Return what a peer signs once it has a node's head on disk."""
    return canonical_bytes({"node": node, "count": count, "root": root.hex()})


def answer_body(node: Fingerprint, nonce: bytes, size: int, root: bytes, count: int, acts_root: bytes) -> bytes:
    """Return what a peer signs when a node asks.

    Args:
        node: fingerprint of who asks.
        nonce: of its start.
        size: of the newest checkpoint that the peer cosigned.
        root: of that checkpoint.
        count: of the newest head of the asker's acts that the peer holds; 0 for none.
        acts_root: of that head.
    """
    return canonical_bytes({"node": node, "nonce": nonce.hex(), "size": size, "root": root.hex(), "count": count,
                            "acts_root": acts_root.hex()})
