"""Whole runs under ``rlwe``, with faults: the same integers as under masks, and fewer nodes to wait for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stage import Federation

from sealane.coordinator.run_facts import Patience
from sealane.secagg.messages import Arrival, Contribution, Opening, Release
from sealane.simulation.faults import Fault

Federate = Callable[..., Federation]
SHORT = Patience(round_s=5.0, nudge_s=0.04, silent_s=15.0)


def test_a_run_gives_what_it_gives_under_masks(federation: Federate) -> None:
    fed = federation()
    masked, encrypted = fed.run(), fed.run(scheme="rlwe")
    assert masked.steps == encrypted.steps
    assert all(len(c.shares) == 3 and c.word_bits == 30 for _, c in fed.seen(Contribution))


@pytest.mark.parametrize("fault", [
    Fault("duplicate", message="Contribution", times=-1), Fault("duplicate", message="Release", times=-1),
    Fault("delay", node="west", message="Arrival", exchange=0, seconds=0.2),
    Fault("drop", node="east", message="Opening", exchange=2),
    Fault("crash", node="west", message="Contribution", exchange=2, seconds=0.3),
    Fault("crash", node="west", message="Release", exchange=2, seconds=0.3),
    Fault("crash", node="west", message="Opening", exchange=2, seconds=0.3),
])
def test_losses_change_nothing(fault: Fault, federation: Federate) -> None:
    fed = federation(patience=SHORT)
    undisturbed = fed.run(scheme="rlwe")
    assert fed.run(fault, scheme="rlwe").steps == undisturbed.steps


def test_who_does_not_release_is_not_waited_for(federation: Federate) -> None:
    """Of four nodes three replies open; under masks the same loss holds the run up."""
    fed = federation(patience=SHORT)
    undisturbed = fed.run(scheme="rlwe")
    result = fed.run(Fault("drop", node="west", message="Release", times=-1), scheme="rlwe")
    assert result.steps == undisturbed.steps
    west = fed.nodes["west"].fingerprint
    openings = [m for _, m in fed.seen(Opening)]
    assert openings
    assert not any(west in m.sealed for m in openings)


def test_a_coordinator_that_opens_for_fewer_is_refused(federation: Federate) -> None:
    """Statistics are masked by pairs, and open for the whole cohort: a difference of two would tell of one."""
    from dataclasses import replace

    fed = federation(patience=Patience(round_s=1.0, nudge_s=0.04, silent_s=15.0))
    west = fed.nodes["west"].fingerprint

    def leave_out(message: Arrival) -> Arrival:
        return replace(message, entries=tuple(e for e in message.entries if e.fingerprint != west),
                       payloads={f: p for f, p in message.payloads.items() if f != west})

    error = fed.fails(Fault("replace", message="Arrival", exchange=2, times=-1, lie=leave_out), scheme="rlwe")
    assert error.code == "run.arrival-incomplete"
    released = [m for _, m in fed.seen(Release) if m.exchange == 2]
    assert released == []
