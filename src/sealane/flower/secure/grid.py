"""``SecureSum``: the server half's grid, through which a strategy sees a round's weighted mean and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.flower_app.library import load
from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint, fingerprint, new_run_id
from sealane.errors import InputError, ProtocolError, SealaneError, UnavailableError
from sealane.flower.secure import wire
from sealane.flower.secure.terms import NAME, RECORD, Terms, add_change, sent_hash
from sealane.secagg.attempt import Attempt
from sealane.secagg.coordinator_role import (
    Announced,
    Gathering,
    SumState,
    accept_contribution,
    accept_release,
    announce_survivors,
    announced_of,
    announcement,
    opening,
)
from sealane.secagg.introduction import entry_of
from sealane.secagg.layout import decode, read_vector
from sealane.secagg.messages import Contribution, Introduced, Introduction, Join, Member, Release, Start
from sealane.secagg.scheme import get_scheme
from sealane.secagg.weighted import weighted_mean

Said = Mapping[Fingerprint, dict[str, Any]]


@dataclass(slots=True)
class _Round:
    """One round's messages: who is who, and what the strategy sent."""

    batch: list[Any]
    timeout: float | None
    nodes: dict[Fingerprint, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


class SecureSum:
    """A ``Grid`` around a grid of Flower's: ``strategy.start(SecureSum(grid, clip=0.5, cap=1000), …)``.

    Messages of type ``train`` become a secure sum over nodes with ``secure_sum_mod``. The strategy gets **one** reply:
    the model changed by the weighted mean, and the sum of weights. So FedAvg, FedAdam and their like work; what looks
    at single updates (median, Krum, Bulyan, q-fairness, clipping at the server) does not. Everything else passes.

    Args:
        grid: Flower's own, Sealane's, or a simulation's.
        clip: largest change of a parameter in a round; what is beyond is clipped.
        cap: largest number of examples that counts as a weight.
        scheme: ``masking`` or ``rlwe``; with ``rlwe`` and four nodes or more the first sum opens without one that is
            lost, and all others are of the same nodes.
        bits: width that a change is quantised to, 4 to 24.
        smallest: fewest nodes whose sum is opened.
        colluding: how many nodes may collude with the server half.
        weighted_by: name of the metric that is a node's weight.

    Raises:
        InputError: a term is out of its range.
    """

    def __init__(self, grid: Any, *, clip: float, cap: float, scheme: str = "masking", bits: int = 16,
                 smallest: int = 3, colluding: int = 1, weighted_by: str = "num-examples") -> None:
        self._grid = grid
        self._flower = load()
        self._flower.serverapp.Grid.register(SecureSum)
        self.terms = Terms(scheme, float(clip), float(cap), bits, smallest, colluding, weighted_by)
        self.terms.check()
        self._summed: frozenset[Fingerprint] | None = None  # nodes help with sums of the same nodes only

    def __getattr__(self, name: str) -> Any:
        return getattr(self._grid, name)

    def send_and_receive(self, messages: Iterable[Any], *, timeout: float | None = None) -> Iterable[Any]:
        """Send messages; a batch of ``train`` messages is answered with one reply, made of their opened sum.

        Raises:
            InputError: the messages of a round hold no model, or different ones.
            UnavailableError: a node failed, and the sum does not open without it.
            ProtocolError: a node's bytes do not verify, or nodes opened different sums.
        """
        batch = list(messages)
        kinds = {message.metadata.message_type.split(".")[0] for message in batch}
        if kinds != {"train"}:
            if "train" in kinds:
                raise InputError("flower.mixed-batch", "messages of a secure sum go out by themselves",
                                 got=", ".join(sorted(kinds)), expected="train")
            passed: Iterable[Any] = self._grid.send_and_receive(batch, timeout=timeout)
            return passed
        return [self._sum(_Round(batch, timeout))]

    def push_messages(self, messages: Iterable[Any]) -> Iterable[str]:
        """Send messages that are answered later; ``train`` messages are refused.

        Raises:
            InputError: a message asks to train.
        """
        batch = list(messages)
        if any(message.metadata.message_type.split(".")[0] == "train" for message in batch):
            raise InputError("flower.pushed-training", "training for a secure sum is several exchanges",
                             got="push_messages", expected="send_and_receive")
        ids: Iterable[str] = self._grid.push_messages(batch)
        return ids

    def _sum(self, turn: _Round) -> Any:
        sent = _same_model(turn.batch)
        attempt = self._gather(turn, new_run_id())
        contributed, state = self._contributions(turn, attempt, self._introductions(turn, attempt))
        announced = self._releases(turn, state)
        survivors = set(announced.gathered.arrived)
        total = self._open(turn, announced, survivors)
        first = contributed[min(survivors)]
        length = int(first["length"])
        layout = self.terms.layout(length, attempt.size)
        opened = decode(layout, read_vector(layout, total), len(survivors))[NAME]
        mean, weights = weighted_mean(np.asarray(opened, np.float64), cap=self.terms.cap, clip=self.terms.clip,
                                      least=self.terms.cap * 2.0 ** (1 - self.terms.bits))
        return self._reply(turn, first, add_change(sent, mean), weights)

    def _gather(self, turn: _Round, run: str) -> Attempt:
        step = {"step": "join", "terms": self.terms.to_text(), "run": run}
        asked = [(message.metadata.dst_node_id, step, message) for message in turn.batch]
        members = []
        for node, said in self._ask(turn, asked).items():
            join, key = wire.read(said.get("join"), Join), said.get("key")
            if not isinstance(key, bytes):
                raise ProtocolError("flower.step-malformed", "a step of a secure sum is malformed", got="no key")
            members.append(Member(fingerprint(key), key, join.agreement_key, join.signature))
            turn.nodes[members[-1].fingerprint] = node
        if len(members) < max(self.terms.smallest, len(turn.batch) if self.terms.scheme == "masking" else 0):
            raise self._failed(turn)
        attempt = self.terms.attempt(run, tuple(sorted(members, key=lambda member: member.fingerprint)))
        attempt.verify_members()
        return attempt

    def _introductions(self, turn: _Round, attempt: Attempt) -> dict[Fingerprint, Introduction]:
        start = wire.write(Start(attempt.run_id, attempt.number, attempt.members))
        said = self._all(turn, {f: {"step": "introduce", "start": start} for f in turn.nodes}, whole=True)
        return {f: wire.read(one.get("introduction"), Introduction) for f, one in said.items()}

    def _contributions(self, turn: _Round, attempt: Attempt, introduced: Mapping[Fingerprint, Introduction]
                       ) -> tuple[Said, SumState]:
        entries = tuple(entry_of(attempt, m.fingerprint, introduced[m.fingerprint]) for m in attempt.members)
        steps = {}
        for member in (m for m in turn.nodes if self._summed is None or m in self._summed):
            sealed = {f: one.sealed[member] for f, one in introduced.items() if member in one.sealed}
            told = Introduced(attempt.run_id, attempt.number, entries, sealed)
            steps[member] = {"step": "contribute", "introduced": wire.write(told)}
        whole = get_scheme(attempt.scheme).whole_cohort
        said = self._all(turn, steps, whole=whole, trains=True)
        state: SumState = Gathering(attempt)
        for member, one in said.items():
            state = accept_contribution(state, member, wire.read(one.get("contribution"), Contribution))
        return said, state

    def _releases(self, turn: _Round, state: SumState) -> Announced:
        if isinstance(state, Gathering):
            state = announce_survivors(state)
        announced = announced_of(state)
        arrived = frozenset(announced.gathered.arrived)
        if self._summed not in (None, arrived):
            raise self._failed(turn)
        self._summed = arrived
        steps = {f: {"step": "release", "arrival": wire.write(announcement(announced, f))}
                 for f in announced.gathered.arrived}
        for member, one in self._all(turn, steps, whole=False).items():
            if one.get("release"):
                state = accept_release(state, member, wire.read(one["release"], Release))
        announced = announced_of(state)  # type: ignore[arg-type]  # never Gathering again
        if not announced.enough:
            raise self._failed(turn)
        return announced

    def _open(self, turn: _Round, announced: Announced, survivors: set[Fingerprint]) -> bytes:
        first = min(survivors)
        steps = {f: {"step": "open", "opening": wire.write(opening(announced, f)), "whole": f == first}
                 for f in survivors}
        said = self._all(turn, steps, whole=True)
        total = said[first].get("total")
        if not isinstance(total, bytes) or {one.get("hash") for one in said.values()} != {sha256(total)}:
            raise ProtocolError("flower.sums-differ", "nodes opened different sums", got=f"{len(said)} nodes",
                                hint="a node lies, or runs another version")
        return total

    def _all(self, turn: _Round, steps: Mapping[Fingerprint, dict[str, Any]], *, whole: bool,
             trains: bool = False) -> Said:
        """Take a step with every member; with ``whole``, one that fails fails the round."""
        messages = {message.metadata.dst_node_id: message for message in turn.batch}
        names = {turn.nodes[f]: f for f in steps}
        said = self._ask(turn, [(turn.nodes[f], step, messages[turn.nodes[f]]) for f, step in steps.items()],
                         trains=trains)
        if whole and len(said) < len(steps):
            raise self._failed(turn)
        return {names[node]: one for node, one in said.items()}

    def _ask(self, turn: _Round, asked: list[tuple[int, dict[str, Any], Any]], *, trains: bool = False
             ) -> dict[int, dict[str, Any]]:
        app = self._flower.app
        batch = []
        for node, step, message in asked:
            records = dict(message.content.items()) if trains else {}
            batch.append(app.Message(app.RecordDict({**records, RECORD: app.ConfigRecord(step)}), node,
                                     message.metadata.message_type, group_id=message.metadata.group_id))
        said: dict[int, dict[str, Any]] = {}
        failed = set()
        for reply in self._grid.send_and_receive(batch, timeout=turn.timeout):
            node = reply.metadata.src_node_id
            if reply.has_error():
                failed.add(node)
                turn.failed.append(f"node {node}: {reply.error.reason}")
            elif RECORD not in reply.content:
                failed.add(node)
                turn.failed.append(f"node {node}: it has no secure_sum_mod")
            else:
                said[node] = dict(reply.content[RECORD])
        silent = {node for node, _, _ in asked} - said.keys() - failed
        turn.failed += [f"node {node}: no answer" for node in sorted(silent)]
        return said

    def _failed(self, turn: _Round) -> SealaneError:
        return UnavailableError("flower.sum-not-opened", "a secure sum did not open, and never will",
                                got="; ".join(turn.failed)[:500] or f"{len(turn.nodes)} nodes",
                                expected=f"at least {self.terms.smallest} nodes that answer",
                                hint="the next round begins anew; with rlwe, four nodes or more go on without one that "
                                     "the first sum already lacks")

    def _reply(self, turn: _Round, first: dict[str, Any], arrays: list[NDArray[Any]], weights: float) -> Any:
        app = self._flower.app
        _, sent = next(iter(turn.batch[0].content.array_records.items()))
        model = app.ArrayRecord({name: app.Array(array) for name, array in zip(sent, arrays, strict=True)})
        records = {str(first["arrays"]): model,
                   str(first["metrics"]): app.MetricRecord({self.terms.weighted_by: weights})}
        return app.Message(app.RecordDict(records), reply_to=turn.batch[0])


def _same_model(batch: list[Any]) -> list[NDArray[Any]]:
    """Return the arrays that all messages of a round hold."""
    hashes, seen = set(), set()
    for message in batch:
        records = list(message.content.array_records.values())
        if len(records) != 1:
            raise InputError("flower.not-one-model", "a message holds no model, or several", got=len(records),
                             expected="one ArrayRecord")
        kind = message.metadata.message_type
        if (id(message.content), kind) not in seen:  # strategies send all nodes the same records
            seen.add((id(message.content), kind))
            hashes.add(sent_hash(message.content, kind))
    if len(hashes) > 1:
        raise InputError("flower.models-differ", "the strategy sends nodes different models or configurations",
                         got=f"{len(hashes)} of {len(batch)} messages differ", expected="the same for all",
                         hint="nodes that were sent different things open nothing")
    arrays: list[NDArray[Any]] = next(iter(batch[0].content.array_records.values())).to_numpy_ndarrays()
    return arrays
