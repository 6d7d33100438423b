"""A checkpoint is valid only with more than (n + c)/2 cosignatures; a rewritten or forked log cannot get them; a node
checks that its own acts are included before it goes on; proofs verify offline.

A verifier with a fresh checkpoint sees truncation: tests/integration/audit/test_evidence.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from stage import Federation, Probe, Stage

from sealane.audit.checkpoint import sign_checkpoint
from sealane.audit.entry import acts_detail
from sealane.audit.evidence import START, Leaf
from sealane.audit.note import Note, parse_line, parse_note
from sealane.errors import ProtocolError, UnavailableError
from sealane.rpc.notices import Cosigned, LogEvidence, LogUpdate, WitnessHead
from sealane.secagg.messages import Contribution, Introduction, SealedResult
from sealane.simulation.faults import Fault
from sealane.simulation.log import MemoryLog

Build = Callable[..., Stage]
Federate = Callable[..., Federation]
ALL = ("a", "b", "c", "d")


def cut(cosigned: LogEvidence, keep: int) -> LogEvidence:
    note = parse_note(cosigned.note)
    return replace(cosigned, note=Note(note.text, note.signatures[:1 + keep]).to_bytes())


def moved(evidence: LogEvidence, which: int, **changes: Any) -> LogEvidence:
    leaves = list(evidence.leaves)
    leaves[which] = replace(leaves[which], **changes)
    return replace(evidence, leaves=tuple(leaves))


LIES: dict[str, tuple[str, Callable[[LogEvidence], LogEvidence]]] = {
    "too few cosignatures": ("audit.no-quorum", lambda e: cut(e, 2)),
    "none": ("audit.no-quorum", lambda e: cut(e, 0)),
    "another position": ("audit.not-included", lambda e: moved(e, 0, position=e.leaves[0].position + 1)),
    "another's approval": ("audit.other-act", lambda e: moved(e, 0, entry=e.leaves[1].entry)),
    "another run's": ("audit.other-run", lambda e: replace(e, run_id="r-bbbbbbbbbbbbbbbb")),
    "no cohort": ("audit.leaves-missing", lambda e: replace(e, leaves=e.leaves[:2])),
    "the cohort's leaf twice": ("audit.other-act", lambda e: replace(e, leaves=(e.leaves[2], *e.leaves[1:]))),
    "a proof cut short": ("audit.proof-malformed", lambda e: moved(e, 2, proof=e.leaves[2].proof[:-1])),
    "an invented leaf": ("audit.not-included", lambda e: moved(
        e, 2, entry=e.leaves[2].entry.replace(b'"at":"20', b'"at":"19'))),
    "another log's signature": ("audit.other-log", lambda e: replace(e, note=sign_checkpoint(
        MemoryLog(lambda: None).key, 1, bytes(32)).to_bytes())),  # type: ignore[arg-type, return-value]
}


@pytest.mark.parametrize("lie", LIES)
async def test_invariant_08_no_contribution_without_proofs(lie: str, stage: Build, monkeypatch: Any) -> None:
    on, honest = stage(ALL), Stage.evidence
    code, change = LIES[lie]

    def lying(self: Stage, node: Any, *rest: Any) -> LogEvidence:
        found = honest(self, node, *rest)
        return change(found) if node.name == "b" else found

    monkeypatch.setattr(Stage, "evidence", lying)
    await on.offer()
    await on.begin()
    assert on.refusal("b") == code
    assert not [m for m in on.said["b"] if isinstance(m, Introduction | Contribution)]
    assert [m for m in on.said["a"] if isinstance(m, Introduction)]  # nobody lied to a


async def test_invariant_08_without_proofs_a_node_waits_and_says_so(stage: Build, monkeypatch: Any) -> None:
    on = stage(ALL)
    on.nodes["b"].witness.patience_s = 0.0
    await on.offer()
    monkeypatch.setattr(Stage, "_prove", lambda self, node: None)
    await on.tell("b", on.start())
    assert on.refusal("b") == "audit.no-evidence"
    assert not [m for m in on.said["b"] if isinstance(m, Contribution)]


async def test_invariant_08_acts_that_the_log_has_and_the_node_forgot(stage: Build, monkeypatch: Any) -> None:
    """What a node finds that was put back from an old copy."""
    on, honest = stage(ALL), Stage.evidence

    def ahead(self: Stage, node: Any, study: Any, attempt: Any, stage: int = START) -> LogEvidence:
        if node.name == "b" and stage == START:
            count = node.witness.acts.head().count + 2
            self.log.append("node.acts", node.name, node.fingerprint, acts_detail(count, bytes(32)))
            found = honest(self, node, study, attempt, stage)
            newest = self.log.newest("node.acts", node.fingerprint, acts_detail(count, bytes(32)))
            assert newest is not None
            size = int(parse_note(found.note).text.split("\n")[1])
            leaf = Leaf(newest[0], newest[1], self.log.inclusion(newest[0], size))
            return replace(found, leaves=(found.leaves[0], leaf, found.leaves[2]))
        return honest(self, node, study, attempt, stage)

    monkeypatch.setattr(Stage, "evidence", ahead)
    await on.offer()
    await on.begin()
    assert on.refusal("b") == "node.rolled-back"
    assert not [m for m in on.said["b"] if isinstance(m, Contribution)]


async def test_invariant_08_a_forked_log_gets_no_second_quorum(stage: Build) -> None:
    """Half of the nodes are shown one log, half another: neither ever counts for all, and nobody signs both."""
    on = stage(ALL)
    forks = [MemoryLog(on.clock) for _ in range(2)]
    for k, fork in enumerate(forks):
        fork.key = on.log.key
        for leaf in range(4):
            fork.append("run.proposed", "alice", f"{k if leaf > 1 else 0} {leaf}")
    signed: dict[int, set[str]] = {0: set(), 1: set()}
    for first, k in (("a", 0), ("b", 0), ("c", 1), ("d", 1)):
        for which in (k, 1 - k):
            fork, node = forks[which], on.nodes[first]
            size, root = fork.head()
            note = sign_checkpoint(fork.key, size, root)
            old = node.witness.head().size
            update = LogUpdate(old, fork.consistency(old, size), note.to_bytes())
            if which != k:
                with pytest.raises(ProtocolError, match=r"audit\.not-consistent"):
                    node.witness.update(update)
                continue
            answer = node.witness.update(update)
            assert isinstance(answer, Cosigned)
            assert parse_line(answer.line).name.endswith(node.fingerprint)
            signed[which].add(first)
    assert signed == {0: {"a", "b"}, 1: {"c", "d"}}  # of four with c = 1, three must cosign


def test_invariant_08_a_rewritten_log_stops_every_run(federation: Federate, probe: Probe) -> None:
    fed = federation()
    fed.run()
    log = fed.simulation.log
    rewritten = MemoryLog(fed.nodes["west"].clock)
    rewritten.key = log.key
    for k, entry in enumerate(log.entries):
        rewritten.append(entry.kind, entry.party, entry.subject, "another" if k == 0 else entry.detail)
    fed.simulation.log = rewritten
    for node in fed.nodes.values():
        node.witness.patience_s = 0.3
    assert fed.fails().code in ("audit.not-consistent", "audit.no-evidence", "run.node-lost")
    assert fed.seen(Contribution) == []


def test_invariant_08_no_result_before_it_is_in_the_log(federation: Federate) -> None:
    fed = federation()
    for node in fed.nodes.values():
        node.witness.patience_s = 0.3
    hidden = Fault("replace", message="LogEvidence", times=-1, lie=lambda m: m if m.stage == START else None)
    error = fed.fails(hidden)
    assert isinstance(error, UnavailableError)
    assert fed.seen(SealedResult) == []


def test_invariant_08_lost_messages_of_the_log_are_said_again(federation: Federate) -> None:
    fed = federation()
    undisturbed = fed.run()
    for kind in ("LogUpdate", "LogEvidence", "Cosigned", "ActsHead", "WitnessHead"):
        assert fed.run(Fault("drop", message=kind, times=2)).steps == undisturbed.steps


async def test_invariant_08_a_proof_from_elsewhere_is_answered_with_the_size(stage: Build) -> None:
    on = stage(ALL)
    size, root = on.log.head()
    note = sign_checkpoint(on.log.key, size, root).to_bytes()
    witness = on.nodes["a"].witness
    assert isinstance(witness.update(LogUpdate(0, (), note)), Cosigned)
    assert witness.update(LogUpdate(0, (), note)) == WitnessHead(size)
