"""What a node demands of the log before it goes on: leaves that it names, under a checkpoint that counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealane.audit.entry import Entry, check_same, parse_entry
from sealane.audit.merkle import leaf_hash, verify_inclusion
from sealane.audit.note import parse_note
from sealane.audit.policy import Policy
from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError

START = 0
"""Before the first contribution of an attempt."""
RELEASE = 1
"""Before a result is sealed to its recipients."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf with the proof that it is in the log, under a checkpoint that goes with it."""

    position: int
    entry: bytes
    proof: tuple[bytes, ...]


def check_evidence(
    policy: Policy, own: Fingerprint, note: bytes, leaves: Sequence[Leaf], wanted: Sequence[Entry]
) -> int:
    """Check that the log holds what a node wants to see in it, and return the checkpoint's size.

    Args:
        policy: of the study: its participants are the witnesses.
        own: this node's fingerprint; a checkpoint that it has not cosigned itself says nothing to it.
        note: the checkpoint with its cosignatures.
        leaves: one for each wanted entry, in that order.
        wanted: what they must say; their moments are the log's business.

    Raises:
        ProtocolError: anything of it does not hold.
        InputError: a leaf is no entry.
    """
    read = parse_note(note)
    checkpoint = policy.check(read)
    if own not in policy.cosigners(read):
        raise ProtocolError("audit.not-witnessed-here", "the checkpoint was never cosigned by this node",
                            got=f"size {checkpoint.size}", hint="the coordinator shows different logs")
    if len(leaves) != len(wanted):
        raise ProtocolError("audit.leaves-missing", "the evidence has not the leaves that were asked for",
                            got=len(leaves), expected=len(wanted))
    for leaf, expected in zip(leaves, wanted, strict=True):
        check_same(expected, parse_entry(leaf.entry))
        verify_inclusion(leaf_hash(leaf.entry), leaf.position, checkpoint.size, leaf.proof, checkpoint.root)
    return checkpoint.size
