"""A witness of the log: pure. It returns the state to keep on disk before its cosignature leaves.

Source: C2SP tlog-witness (a witness accepts ``old 0`` with an empty proof).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealane.audit.checkpoint import verify_checkpoint
from sealane.audit.merkle import EMPTY_ROOT, verify_consistency
from sealane.audit.note import Note, NoteKey
from sealane.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The newest head that a witness has accepted."""

    size: int = 0
    root: bytes = EMPTY_ROOT


def witness(state: Witnessed, log: NoteKey, note: Note, old: int, proof: Sequence[bytes]) -> Witnessed:
    """Return the state after accepting a checkpoint.

    Args:
        state: what was accepted before.
        log: the log's key.
        note: the signed checkpoint.
        old: the size that the proof starts from.
        proof: that the log continues the one of size ``old``.

    Raises:
        ProtocolError: not signed by the log, smaller than what was accepted, a proof from another size, or a log that
            does not continue the accepted one.
    """
    checkpoint = verify_checkpoint(note, log)
    if checkpoint.size < state.size:
        raise ProtocolError("audit.shrunk", "the log has fewer leaves than it had", got=checkpoint.size,
                            expected=f"at least {state.size}", hint="the coordinator's log was cut or rolled back")
    if old != state.size:
        raise ProtocolError("audit.proof-from-elsewhere", "the proof does not start from the newest checkpoint here",
                            got=old, expected=state.size)
    if state.size == 0:
        # Nothing was accepted before, so there is nothing to continue: the first checkpoint is taken as it is.
        if proof or (checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT):
            raise ProtocolError("audit.not-consistent", "a first checkpoint comes with no proof", got=len(proof),
                                expected=0)
    else:
        verify_consistency(state.size, checkpoint.size, proof, state.root, checkpoint.root)
    return Witnessed(checkpoint.size, checkpoint.root)
