"""The loop that carries messages between simulated parties: each through its wire form, faults included."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.audit.entry import parse_acts, parse_entry, statement_digest
from sealane.coordinator.coordination import Coordination
from sealane.coordinator.run_facts import Patience, RunFacts
from sealane.coordinator.run_state import RunState
from sealane.coordinator.witnessing import FromWitness, Witnessing
from sealane.core.ids import Fingerprint, fingerprint
from sealane.governance.study import Study
from sealane.rpc.codec import (
    FromCoordinator,
    FromNode,
    decode_from_coordinator,
    decode_from_node,
    encode_from_coordinator,
    encode_from_node,
)
from sealane.rpc.notices import StudyRecord
from sealane.simulation.faults import Script
from sealane.simulation.log import MemoryLog
from sealane.simulation.parties import MemoryRuns, SimulatedNode

_HOPS = 6
"""Turns of the loop in which a question gets to every node and its answers back."""
Arrive = Callable[[SimulatedNode, Any], None]


@dataclass(slots=True)
class Engine:
    """One run of a simulated federation.

    Attributes:
        seen: every message in the order it was sent, with the node at its other end: what a coordinator could keep.
    """

    nodes: Mapping[Fingerprint, SimulatedNode]
    study: Study
    record: StudyRecord
    run_id: str
    patience: Patience
    log: MemoryLog
    script: Script = field(default_factory=Script)
    runs: MemoryRuns = field(init=False)
    witnessing: Witnessing = field(init=False)
    seen: list[tuple[str, FromNode | FromCoordinator]] = field(default_factory=list)
    coordination: Coordination | None = None
    _held: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.runs = MemoryRuns(self.log)
        self.witnessing = Witnessing(self.log.key, self.log, self.to_node, self._save_acts)
        names = {f: node.name for f, node in self.nodes.items()}
        for s in self.record.statements:
            digest = statement_digest(s.body, s.public_key, s.signature)
            self.log.append("study.approved", names[fingerprint(s.public_key)], self.study.hash, digest, once=digest)

    async def run(self) -> Coordination:
        """Run to the end, and return the coordinator's view of it.

        Raises:
            SealaneError: the run was aborted or paused.
        """
        for node in self.nodes.values():
            self._greet(node)
        for _ in range(_HOPS):  # nodes have been connected for a while when a run is started
            await asyncio.sleep(0)
        self._begin_coordination().begin()
        try:
            while True:
                self._changed.clear()
                coordination = self.coordination
                state = coordination.facts.state if coordination is not None else RunState.RUNNING
                if state.over or state is RunState.PAUSED:
                    break
                try:
                    async with asyncio.timeout(self.patience.nudge_s / 4):
                        await self._changed.wait()
                except TimeoutError:
                    if self.coordination is not None:
                        self.coordination.tick()
        finally:
            await self._settle()
        assert coordination is not None
        if coordination.facts.error is not None:
            raise coordination.facts.error
        return coordination

    def to_node(self, node: Fingerprint, message: FromCoordinator) -> None:
        """Send from the coordinator to a node."""
        wire = encode_from_coordinator(message).SerializeToString()
        self._carry(self.nodes[node], decode_from_coordinator(pb.ConnectResponse.FromString(wire)), self._at_node)

    def to_coordinator(self, node: SimulatedNode, message: FromNode) -> None:
        """Send from a node to the coordinator."""
        wire = encode_from_node(message).SerializeToString()
        self._carry(node, decode_from_node(pb.ConnectRequest.FromString(wire)), self._at_coordinator)

    def _carry(self, node: SimulatedNode, message: Any, arrive: Arrive) -> None:
        self.seen.append((node.name, message))
        loop = asyncio.get_running_loop()
        fault = self.script.next(node.name, message)
        if fault is None:
            loop.call_soon(arrive, node, message)
            for late in self._held.pop((node.name, arrive.__name__), []):
                loop.call_soon(arrive, node, late)
            return
        match fault.kind:
            case "drop":
                pass
            case "delay":
                loop.call_later(fault.seconds, arrive, node, message)
            case "duplicate":
                loop.call_soon(arrive, node, message)
                loop.call_soon(arrive, node, message)
            case "reorder":
                self._held.setdefault((node.name, arrive.__name__), []).append(message)
            case "replace":
                assert fault.lie is not None
                lie = fault.lie(message)
                if lie is not None:
                    loop.call_soon(arrive, node, lie)
            case "crash":
                self._spawn(self._crash(node, fault.seconds))
            case "crash-coordinator":
                self._spawn(self._crash_coordinator(fault.seconds))

    def _at_node(self, node: SimulatedNode, message: FromCoordinator) -> None:
        if node.up:
            node.receive(message, lambda answer: self.to_coordinator(node, answer))

    def _at_coordinator(self, node: SimulatedNode, message: FromNode) -> None:
        if isinstance(message, FromWitness):
            self.witnessing.receive(node.fingerprint, message)
        elif self.coordination is not None and node.up:
            self.coordination.receive(node.fingerprint, message, encode_from_node(message).ByteSize())

    async def _crash(self, node: SimulatedNode, seconds: float) -> None:
        await node.crash()
        if seconds >= 0:
            await asyncio.sleep(seconds)
            node.up = True
            self._greet(node)
            if self.coordination is not None:
                self.coordination.node_connected(node.fingerprint)

    async def _crash_coordinator(self, seconds: float) -> None:
        self.coordination = None
        await asyncio.sleep(seconds)
        coordination = self._begin_coordination()
        for node in self.nodes.values():
            if node.up:
                coordination.node_connected(node.fingerprint)

    def _begin_coordination(self) -> Coordination:
        facts = self.runs.facts or RunFacts(self.run_id, self.study.hash, RunState.PROPOSED)
        self.coordination = Coordination(
            study=self.study, record=self.record, facts=facts,
            keys={f: n.key.public_key for f, n in self.nodes.items()}, send=self.to_node, records=self.runs,
            patience=self.patience, now=time.monotonic, connected=lambda f: self.nodes[f].up,
            changed=self._changed.set, prove=self.witnessing.prove,
        )
        return self.coordination

    def _greet(self, node: SimulatedNode) -> None:
        self.witnessing.connected(node.fingerprint, node.key.public_key)
        node.greet(lambda message: self.to_coordinator(node, message))

    def _save_acts(self, node: Fingerprint, detail: str) -> None:
        newest = self.log.newest("node.acts", node)
        if newest is None or parse_acts(parse_entry(newest[1]).detail)[0] < parse_acts(detail)[0]:
            self.log.append("node.acts", self.nodes[node].name, node, detail, once=f"acts {node} {detail}")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self) -> None:
        for _ in range(3):  # the last messages go out: that the run is over
            await asyncio.sleep(0)
        for task in list(self._tasks):
            task.cancel()
        for node in self.nodes.values():
            if node.run is not None:
                await node.run.close()
                node.run = None

