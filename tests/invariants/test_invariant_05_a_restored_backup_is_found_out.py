"""Privacy spent never exceeds the cap, also with a restored backup: a node that was put back to before its last run
contributes to nothing more, though the coordinator shows it a log that knows no newer acts of it.

The whole of it with real processes: tests/integration/audit/test_evidence.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from stage import OTHER_RUN, Stage

from sealane.node.gate import Gate
from sealane.node.journal import Journal
from sealane.node.ledger import NodeLedger
from sealane.node.witness import MemoryKept
from sealane.privacy.ledger import make_cap
from sealane.rpc.notices import ActsHead
from sealane.secagg.messages import Contribution, Introduction
from sealane.simulation.parties import DATASET, SimulatedNode

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


def restore(node: SimulatedNode, acts: Any) -> None:
    """Put back everything that a node has on disk, to what it was before it did anything but ``acts``."""
    node.journal = Journal(":memory:")
    node.ledger = NodeLedger(":memory:", node.clock)
    node.ledger.put_cap(make_cap(DATASET, "dataset", "", "", Decimal(10), Decimal("1e-6"), None))
    node.gate = Gate(node.key.fingerprint, node.records, lambda agreement, study: node.dataset,
                     lambda agreement, study: None, node.clock, node.ledger)
    node.witness.kept, node.witness.acts = MemoryKept(), acts
    node.witness.start_anew()


async def restored(stage: Build) -> Stage:
    """Four institutions after a run; then the copy of "b" that was made before it is put back."""
    on = stage(ALL, study_fields={"runs": 5})
    old = copy.deepcopy(on.nodes["b"].witness.acts)
    await on.offer()
    await on.begin()
    assert len([m for m in on.said["b"] if isinstance(m, Contribution)]) == 1
    assert all(node.witness.kept.load_head(on.fingerprint("b")) for name, node in on.nodes.items() if name != "b")
    for node in on.nodes.values():
        await node.crash()
        node.witness.patience_s = 0.2
    restore(on.nodes["b"], old)
    return on


async def _until_introduced(on: Stage) -> list[Any]:
    before = len(on.said["b"])
    await on.offer(OTHER_RUN)
    await on.begin(run_id=OTHER_RUN)
    return on.said["b"][before:]


async def again(on: Stage) -> list[Any]:
    """Another run, in which the log proves to "b" whatever "b" says of its acts; return what "b" says in it."""
    before = len(on.said["b"])
    await _until_introduced(on)
    await on.nodes["b"].run._running.task  # type: ignore[union-attr]
    return on.said["b"][before:]


async def test_invariant_05_a_restored_backup_contributes_to_nothing(stage: Build) -> None:
    on = await restored(stage)
    said = await again(on)
    assert on.refusal("b") == "node.rolled-back"
    assert not [m for m in said if isinstance(m, Contribution | Introduction)]


@pytest.mark.parametrize("liar", ["a", "c", "d"])
async def test_invariant_05_a_restored_backup_also_if_one_colludes(liar: str, stage: Build) -> None:
    """c = 1 peer that claims to hold nothing changes nothing, whichever it is."""
    on = await restored(stage)
    on.nodes[liar].witness.kept.heads.clear()  # type: ignore[attr-defined]
    await again(on)
    assert on.refusal("b") == "node.rolled-back"


@pytest.mark.parametrize("hidden", [("a",), ("a", "c", "d")])
async def test_invariant_05_a_restored_backup_also_if_answers_are_hidden(
    hidden: tuple[str, ...], stage: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One peer colludes, and the coordinator hides what honest ones say: then too few have answered."""
    on = await restored(stage)
    on.nodes["d"].witness.kept.heads.clear()  # type: ignore[attr-defined]
    fresh = on.nodes["b"].witness.fresh
    honest, keys = type(fresh).receive, {on.nodes[name].key.public_key for name in (*hidden, "c")}

    def receive(self: Any, message: Any) -> Any:
        return None if self is fresh and getattr(message, "public_key", None) in keys else honest(self, message)

    monkeypatch.setattr(type(fresh), "receive", receive)
    await again(on)
    assert on.refusal("b") == "node.not-fresh"


async def test_invariant_05_the_test_itself_can_fail(stage: Build) -> None:
    """With every peer colluding nobody is left who could tell."""
    on = await restored(stage)
    for node in on.nodes.values():
        node.witness.kept.heads.clear()  # type: ignore[attr-defined]
    said = await _until_introduced(on)
    assert [m for m in said if isinstance(m, Introduction)]


async def test_invariant_05_an_honest_restart_goes_on(stage: Build) -> None:
    on = stage(ALL, study_fields={"runs": 5})
    await on.offer()
    await on.begin()
    for node in on.nodes.values():
        await node.crash()
    said = await _until_introduced(on)
    assert [m for m in said if isinstance(m, Introduction)]
    head = on.nodes["a"].witness.kept.load_head(on.fingerprint("b"))
    assert isinstance(head, ActsHead)
    own = on.nodes["b"].witness.acts.head()
    assert (head.count, head.root) == (own.count, own.root)  # with the ledger's head after the reservation in it
