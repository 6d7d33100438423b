"""A coordinator that shows different logs to different nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from stage import Federation

from sealane.audit.checkpoint import sign_checkpoint
from sealane.errors import SealaneError
from sealane.rpc.notices import Cosigned, LogUpdate
from sealane.secagg.messages import Contribution
from sealane.simulation.faults import Fault
from sealane.simulation.log import MemoryLog

Federate = Callable[..., Federation]


def forked(log: MemoryLog, size: int) -> MemoryLog:
    """The same log, but for its first leaf, under the same key."""
    other = MemoryLog(lambda: None)  # type: ignore[arg-type, return-value]
    other.key = log.key
    other._clock = log._clock
    for k, entry in enumerate(log.entries[:size]):
        other.append(entry.kind, entry.party, entry.subject, entry.detail + ("'" if k == 0 else ""))
    return other


@pytest.mark.parametrize("victims", [("west",), ("west", "east")])
def test_a_fork_shown_to_some_from_the_beginning(victims: tuple[str, ...], federation: Federate) -> None:
    """Neither half gets a quorum that holds a victim, so no victim contributes; of four three must cosign one log."""
    fed = federation()
    log = fed.simulation.log
    for node in fed.nodes.values():
        node.witness.patience_s = 0.4

    def show(message: LogUpdate) -> Any:
        fork = forked(log, int(message.note.split(b"\n")[1]))
        size, root = fork.head()
        return replace(message, note=sign_checkpoint(log.key, size, root).to_bytes(),
                       proof=fork.consistency(message.old, size))

    error = fed.fails(*(Fault("replace", node=name, message="LogUpdate", times=-1, lie=show) for name in victims))
    assert isinstance(error, SealaneError)
    assert not [m for name, m in fed.seen(Contribution) if name in victims]
    if len(victims) > 1:
        assert fed.seen(Contribution) == []


def test_a_fork_shown_later_is_never_cosigned(federation: Federate) -> None:
    fed = federation()
    undisturbed = fed.run()
    log = fed.simulation.log
    for node in fed.nodes.values():
        node.witness.patience_s = 0.4

    def show(message: LogUpdate) -> Any:
        fork = forked(log, int(message.note.split(b"\n")[1]))
        size, root = fork.head()
        return replace(message, note=sign_checkpoint(log.key, size, root).to_bytes(),
                       proof=fork.consistency(message.old, size))

    fed.fails(Fault("replace", node="west", message="LogUpdate", times=-1, lie=show))
    assert [m for name, m in fed.seen(Cosigned) if name == "west"] == []
    assert "audit.not-consistent" in fed.failures()
    assert fed.run().steps == undisturbed.steps  # the honest log goes on where it was
