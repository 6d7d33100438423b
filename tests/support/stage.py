"""Federations to watch and to attack: a probe to run, a simulation that keeps its engine, and nodes on a bare stage."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
import signed
from circle import added_words
from reference import hash_parts

import sealane.computations.registry as registry
from sealane.audit.checkpoint import sign_checkpoint
from sealane.audit.entry import acts_detail, cohort_detail, endorsed_detail, statement_digest
from sealane.audit.evidence import RELEASE, START, Leaf
from sealane.audit.note import Note, parse_line
from sealane.computations.base import Parameters, count, real
from sealane.coordinator.run_facts import Patience
from sealane.core.canonical import sha256
from sealane.core.clock import ManualClock, system_clock, to_text
from sealane.core.ids import Fingerprint
from sealane.errors import InputError, SealaneError
from sealane.governance.contract import infer_contract
from sealane.governance.recipient import recipient_of
from sealane.governance.signed_statement import Statement
from sealane.governance.study import Participant, Study, make_study
from sealane.node.cohort import BINDER_BYTES
from sealane.node.witness import by_signer
from sealane.rpc.notices import (
    ActsHead,
    Cosigned,
    Failure,
    FreshQuestion,
    LogEvidence,
    LogUpdate,
    PeerHead,
    RunOffer,
    StudyRecord,
    WitnessHead,
)
from sealane.secagg.attempt import Attempt
from sealane.secagg.messages import (
    Arrival,
    Contribution,
    Entry,
    Introduced,
    Introduction,
    IntroductionEntry,
    Join,
    Member,
    Opening,
    Proposal,
    Release,
    Start,
    shares_hash,
)
from sealane.secagg.transcript import Transcript
from sealane.simulation.engine import Engine
from sealane.simulation.faults import Fault
from sealane.simulation.log import MemoryLog
from sealane.simulation.parties import LIFETIME, FrameDataset, SimulatedAnalyst, SimulatedNode

simulate_module = importlib.import_module("sealane.simulation.simulate")  # the package's name of it is the function
M = TypeVar("M")
QUICK = Patience(round_s=15.0, nudge_s=0.04)
RUN = "r-aaaaaaaaaaaaaaaa"
OTHER_RUN = "r-bbbbbbbbbbbbbbbb"


class ProbeParameters(Parameters):
    """What a probe is asked: how often to go round; ``tag`` only makes studies differ."""

    rounds: int = 2
    tag: int = 0


class Probe:
    """Sum, agree on the mean, sum the squares about it, and so on: exchange 0 sums, 1 agrees, 2 sums, 3 agrees …

    ``before`` is called with the frame and the number of each exchange, and may raise or await nothing.
    """

    name = "test.probe"
    parameters = ProbeParameters

    def __init__(self) -> None:
        self.before: Callable[[pd.DataFrame, int], None] = lambda frame, number: None

    def columns(self, params: ProbeParameters) -> list[str]:
        return ["x"]

    async def run(self, data: Any, cohort: Any, params: ProbeParameters) -> dict[str, Any]:
        frame = data.frame(["x"])
        values = frame["x"].to_numpy(dtype=np.float64)
        centre, steps = np.zeros(1), []
        for number in range(params.rounds):
            self.before(frame, 2 * number)
            total = await cohort.sum({
                "rows": count([len(values)], 10_000),
                "powers": real([(values - centre[0]).sum(), ((values - centre[0]) ** 2).sum()], 1e7),
            })
            self.before(frame, 2 * number + 1)
            centre = await cohort.agree(centre + total["powers"][:1] / total["rows"])
            steps.append([int(total["rows"][0]), *total["powers"].tolist(), float(centre[0])])
        return {"steps": steps}

    def present(self, payload: dict[str, Any]) -> Any:
        return SimpleNamespace(steps=payload["steps"], trace=None)


def frames(names: Sequence[str] = ("north", "south", "west", "east"), rows: int = 12) -> dict[str, pd.DataFrame]:
    """Rows whose sums are exact in fixed point: multiples of 1/8 from -40 to 40."""
    out = {}
    for k, name in enumerate(names):
        rng = np.random.default_rng(k)
        out[name] = pd.DataFrame({"x": rng.integers(-320, 321, size=rows + k) / 8.0})
    return out


def first_step(data: Mapping[str, pd.DataFrame]) -> list[float]:
    """The probe's first sums over all rows, by fractions: rows, sum, sum of squares."""
    cells = [Fraction(value) for frame in data.values() for value in frame["x"].tolist()]
    return [len(cells), float(sum(cells)), float(sum(cell * cell for cell in cells))]


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    made = Probe()
    monkeypatch.setitem(registry._BUILT_IN, made.name, made)
    return made


class Federation:
    """A simulation whose engines stay in sight."""

    def __init__(self, data: Mapping[str, pd.DataFrame], patience: Patience) -> None:
        self.data = dict(data)
        self.simulation = simulate_module.simulate(data, patience=patience)
        self.engines: list[Engine] = []

    @property
    def engine(self) -> Engine:
        return self.engines[-1]

    @property
    def nodes(self) -> dict[str, SimulatedNode]:
        return self.simulation.nodes

    def run(self, *faults: Fault, computation: str = "test.probe", **options: Any) -> Any:
        return self.simulation.run(computation, faults=faults, **options)

    def fails(self, *faults: Fault, **options: Any) -> SealaneError:
        with pytest.raises(SealaneError) as caught:
            self.run(*faults, **options)
        return caught.value

    def seen(self, kind: type[M]) -> list[tuple[str, M]]:
        return [(name, message) for name, message in self.engine.seen if isinstance(message, kind)]

    def failures(self) -> set[str]:
        return {message.error.code for _, message in self.seen(Failure)}

    @property
    def by_rank(self) -> list[str]:
        """Names in order of fingerprint: the first proposes."""
        return sorted(self.nodes, key=lambda name: self.nodes[name].fingerprint)


@pytest.fixture
def federation(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Federation]:
    made: list[Federation] = []

    def engine(*args: Any, **options: Any) -> Engine:
        one = Engine(*args, **options)
        made[-1].engines.append(one)
        return one

    monkeypatch.setattr(simulate_module, "Engine", engine)

    def federate(data: Mapping[str, pd.DataFrame] | None = None, patience: Patience = QUICK) -> Federation:
        made.append(Federation(data or frames(), patience))
        return made[-1]

    return federate


@dataclass
class Stage:
    """Real nodes, and no coordinator: the test says what each is told, and reads what each says.

    Messages to a node are handed over by :meth:`tell`; what it posts is in ``said``, oldest first.
    """

    names: tuple[str, ...] = ("a", "b", "c", "d")
    study_fields: dict[str, Any] = field(default_factory=dict)
    waived: tuple[str, ...] = ()
    nodes: dict[str, SimulatedNode] = field(default_factory=dict)
    said: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = ManualClock(system_clock())
        data = frames(self.names)
        self.contract = infer_contract(data)
        self.analyst = SimulatedAnalyst()
        self.log = MemoryLog(self.clock)
        self.shown: list[tuple[Any, int]] = []
        unordered = {}
        for name, frame in data.items():
            version = hashlib.sha256(name.encode()).hexdigest()
            unordered[name] = SimulatedNode(name, FrameDataset(self.contract, frame), version, self.clock,
                                            self.log.key.public_key)
        # Letters in order of fingerprint, so that "a" proposes.
        ranked = sorted(unordered.values(), key=lambda node: node.fingerprint)
        for name, node in zip(self.names, ranked, strict=True):
            node.name = name
            self.nodes[name] = node
        self.said = {name: [] for name in self.names}
        self.frames = {name: node.dataset.frame(["x"]) for name, node in self.nodes.items()}
        self.study = self.make_study()
        self.record = self.approve(self.study)

    def make_study(self, *, among: Sequence[str] | None = None, **fields: Any) -> Study:
        who = among or self.names
        base: dict[str, Any] = {
            "name": "stage", "sector": "simulation", "purpose": "development", "data_contract": self.contract.id,
            "computation": "test.probe", "parameters": {"rounds": 2}, "minimum_count": 1,
            "expires": to_text(self.clock() + LIFETIME),
            "participants": [Participant(name=n, fingerprint=self.nodes[n].fingerprint) for n in who],
            "recipients": [recipient_of("analyst", self.analyst.key, self.analyst.sealing_key)],
        }
        return make_study(**(base | self.study_fields | fields))

    def approve(self, study: Study, *, waived: Sequence[str] | None = None, **narrower: Any) -> StudyRecord:
        waiving = self.waived if waived is None else waived
        statements = tuple(self._sign(p.name, study, p.name in waiving, **narrower) for p in study.participants)
        for participant, statement in zip(study.participants, statements, strict=True):
            digest = statement_digest(statement.body, statement.public_key, statement.signature)
            self.log.append("study.approved", participant.name, study.hash, digest)
        return StudyRecord(study.canonical(), "analyst", to_text(self.clock()), statements)

    def _sign(self, name: str, study: Study, waives: bool, **narrower: Any) -> Statement:
        node = self.nodes[name]
        try:
            return node.approve(study, waives_differencing=waives, **narrower)
        except InputError:  # no steward could sign what is not installed; a test may
            node.records.statements[study.hash] = signed.agreement(study, node.key, name,
                                                                   version=node.dataset_version)
            return node.records.statements[study.hash]

    def fingerprint(self, name: str) -> Fingerprint:
        return self.nodes[name].fingerprint

    async def tell(self, name: str, message: Any) -> list[Any]:
        """Hand a message to a node, let it work, and return what it said since."""
        before = len(self.said[name])
        self.nodes[name].receive(message, lambda said: self._hear(name, said))
        self._prove(self.nodes[name])
        for _ in range(30):
            await asyncio.sleep(0)
        self._prove(self.nodes[name])
        for _ in range(30):
            await asyncio.sleep(0)
        return self.said[name][before:]

    def _hear(self, name: str, said: Any) -> None:
        if isinstance(said, ActsHead | FreshQuestion):
            self._vouch(name)
        elif not isinstance(said, WitnessHead | Cosigned):  # the log's affairs: see _prove
            self.said[name].append(said)

    def _vouch(self, name: str) -> None:
        """Have all others hold a node's head and answer its question, as an honest coordinator would pass them on."""
        fresh = self.nodes[name].witness.fresh
        head = fresh.head()
        for other in (node.witness.fresh for node in self.nodes.values() if node.name != name):
            for told in (PeerHead(fresh.key.public_key, head.count, head.root, head.signature), fresh.question()):
                answer = other.receive(told)
                if answer is not None:
                    fresh.receive(answer)

    def _prove(self, node: SimulatedNode) -> None:
        """Give a node, once for each attempt and stage, the evidence that an honest log would."""
        run = node.run
        running = None if run is None else run._running
        if run is None or running is None:
            return
        attempt = running.attempt
        stages = [START] if running.endorsement is None or attempt.first != node.fingerprint else [START, RELEASE]
        for stage in stages:
            if not any(one is running and other == stage for one, other in self.shown):
                self.shown.append((running, stage))
                run.receive(self.evidence(node, run.study, attempt, stage))

    def evidence(self, node: SimulatedNode, study: Study, attempt: Attempt, stage: int = START) -> LogEvidence:
        """A checkpoint that all of a study's nodes cosigned, and the leaves that a node waits for."""
        if stage == RELEASE:
            assert node.run is not None
            assert node.run._running is not None
            endorsement = node.run._running.endorsement
            assert endorsement is not None
            found = [self._leaf("run.endorsed", "coordinator", attempt.run_id,
                                endorsed_detail(attempt.number, endorsement.result_hash))]
        else:
            members = [(m.fingerprint, m.agreement_key, m.signature) for m in attempt.members]
            assert node.run is not None
            own = by_signer(node.run._signed)[node.fingerprint]
            head = node.witness.acts.head()
            found = [
                self._leaf("study.approved", node.name, study.hash,
                           statement_digest(own.body, own.public_key, own.signature)),
                self._leaf("node.acts", node.name, node.fingerprint, acts_detail(head.count, head.root)),
                self._leaf("run.cohort", "coordinator", attempt.run_id,
                           cohort_detail(attempt.number, study.hash, members))]
        size, root = self.log.head()
        note = sign_checkpoint(self.log.key, size, root)
        lines = []
        for other in (self.nodes[p.name] for p in study.participants):
            old = other.witness.head().size
            answer = other.witness.update(LogUpdate(old, self.log.consistency(old, size), note.to_bytes()))
            assert isinstance(answer, Cosigned)
            lines.append(parse_line(answer.line))
        leaves = tuple(Leaf(position, entry, self.log.inclusion(position, size)) for position, entry in found)
        cosigned = Note(note.text, note.signatures + tuple(lines)).to_bytes()
        return LogEvidence(attempt.run_id, attempt.number, stage, cosigned, leaves)

    def _leaf(self, *fields: str) -> tuple[int, bytes]:
        if self.log.newest(fields[0], fields[2], fields[3]) is None:
            self.log.append(*fields)
        found = self.log.newest(fields[0], fields[2], fields[3])
        assert found is not None
        return found

    async def offer(self, run_id: str = RUN, *, to: Sequence[str] | None = None,
                    record: StudyRecord | None = None) -> None:
        for name in to or self.names:
            await self.tell(name, RunOffer(run_id, record or self.record))

    def heard(self, name: str, kind: type[M], exchange: int | None = None, attempt: int | None = None,
              run_id: str | None = None) -> M:
        """The last message of a kind that a node said."""
        found = [m for m in self.said[name] if isinstance(m, kind)
                 and exchange in (None, getattr(m, "exchange", None))
                 and attempt in (None, getattr(m, "attempt", None))
                 and run_id in (None, getattr(m, "run_id", None))]
        assert found, f"{name} said no {kind.__name__}: {[type(m).__name__ for m in self.said[name]]}"
        return found[-1]

    def refusal(self, name: str) -> str:
        """The code of the last failure that a node reported."""
        return self.heard(name, Failure).error.code

    def releases(self, name: str) -> list[Release]:
        return [m for m in self.said[name] if isinstance(m, Release)]

    def member(self, name: str, run_id: str = RUN) -> Member:
        join = self.heard(name, Join, run_id=run_id)
        return Member(self.fingerprint(name), self.nodes[name].key.public_key, join.agreement_key, join.signature)

    def start(self, who: Sequence[str] | None = None, attempt: int = 0, run_id: str = RUN) -> Start:
        members = sorted((self.member(name, run_id) for name in who or self.names), key=lambda m: m.fingerprint)
        return Start(run_id, attempt, tuple(members))

    def attempt(self, who: Iterable[str] | None = None, number: int = 0, run_id: str = RUN) -> Attempt:
        start = self.start(list(who or self.names), number, run_id)
        return Attempt(run_id, self.study.hash, number, self.study.scheme, start.members, self.study.colluding,
                       self.study.smallest_cohort)

    async def begin(self, who: Sequence[str] | None = None, attempt: int = 0, run_id: str = RUN) -> None:
        for name in who or self.names:
            await self.tell(name, self.start(who, attempt, run_id))
        await self.introduce(who, attempt, run_id)

    def introduced(self, to: str, who: Sequence[str] | None = None, attempt: int = 0, run_id: str = RUN) -> Introduced:
        """What an honest coordinator would tell one node of all introductions."""
        said = {self.fingerprint(n): self.heard(n, Introduction, None, attempt, run_id) for n in who or self.names}
        entries = tuple(IntroductionEntry(f, tuple(sha256(m.sealed[peer]) for peer in sorted(m.sealed)), m.signature)
                        for f, m in sorted(said.items()))
        own = self.fingerprint(to)
        return Introduced(run_id, attempt, entries, {f: m.sealed[own] for f, m in said.items() if f < own})

    async def introduce(self, who: Sequence[str] | None = None, attempt: int = 0, run_id: str = RUN,
                        to: Sequence[str] | None = None) -> None:
        """Pass introductions on, where everybody introduced itself."""
        for name in who or self.names:
            if not any(isinstance(m, Introduction) and (m.run_id, m.attempt) == (run_id, attempt)
                       for m in self.said[name]):
                return
        for name in to or who or self.names:
            await self.tell(name, self.introduced(name, who, attempt, run_id))

    def transcript(self, who: Sequence[str] | None = None, attempt: int = 0, run_id: str = RUN) -> Transcript:
        """T once all have introduced themselves."""
        entries = self.introduced((who or self.names)[0], who, attempt, run_id).entries
        digest = hash_parts(b"sealane introductions v1", *(
            part for entry in entries for part in (entry.fingerprint.encode(), *entry.hashes)))
        return self.attempt(who, attempt, run_id).transcript().absorb("introduced", digest)

    def arrival(self, to: str, exchange: int = 0, who: Sequence[str] | None = None, attempt: int = 0,
                run_id: str = RUN) -> Arrival:
        """What an honest coordinator would announce to one node."""
        said = {self.fingerprint(n): self.heard(n, Contribution, exchange, attempt, run_id) for n in who or self.names}
        first = next(iter(said.values()))
        entries = tuple(Entry(f, b"" if first.tagged else sha256(c.payload), c.description_hash, c.signature,
                              shares_hash(c.shares)) for f, c in sorted(said.items()))
        if first.tagged:
            whole = added_words([c.payload for c in said.values()], first.word_bits)
            return Arrival(run_id, attempt, exchange, entries, aggregate=whole)
        own = self.fingerprint(to)
        others = {f: c.payload for f, c in said.items() if f != own}
        return Arrival(run_id, attempt, exchange, entries, others,
                       shares={f: c.shares[own] for f, c in said.items() if own in c.shares})

    def opening(self, to: str, exchange: int = 0, who: Sequence[str] | None = None, attempt: int = 0,
                run_id: str = RUN) -> Opening:
        """What an honest coordinator would relay to one node."""
        sealed = {self.fingerprint(n): self.heard(n, Release, exchange, attempt, run_id).sealed[self.fingerprint(to)]
                  for n in who or self.names if n != to}
        return Opening(run_id, attempt, exchange, sealed)

    async def announce(self, exchange: int = 0, who: Sequence[str] | None = None, attempt: int = 0,
                       run_id: str = RUN, to: Sequence[str] | None = None) -> None:
        for name in to or who or self.names:
            await self.tell(name, self.arrival(name, exchange, who, attempt, run_id))

    async def relay(self, exchange: int = 0, who: Sequence[str] | None = None, attempt: int = 0,
                    run_id: str = RUN, to: Sequence[str] | None = None) -> None:
        if self.heard((who or self.names)[0], Contribution, exchange, attempt, run_id).opens_on_arrival:
            return  # then there is nothing to relay
        for name in to or who or self.names:
            await self.tell(name, self.opening(name, exchange, who, attempt, run_id))

    async def to_the_result(self) -> None:
        """Play a whole run, up to the endorsements."""
        await self.offer()
        await self.begin()
        for exchange in (0, 2):
            await self.announce(exchange)
            await self.relay(exchange)
            await self.agree(exchange + 1)

    async def agree(self, exchange: int = 1, who: Sequence[str] | None = None, attempt: int = 0,
                    run_id: str = RUN) -> None:
        first, *rest = sorted(who or self.names, key=self.fingerprint)
        proposal = self.heard(first, Proposal, exchange, attempt, run_id)
        for name in rest:
            await self.tell(name, proposal)

    async def restart(self, name: str, run_id: str = RUN) -> list[Any]:
        """Kill a node, start it again and offer the run."""
        await self.nodes[name].crash()
        self.nodes[name].up = True
        return await self.tell(name, RunOffer(run_id, self.record))

    async def close(self) -> None:
        for node in self.nodes.values():
            await node.crash()

    def opened(self, name: str, exchange: int = 0, attempt: int = 0, run_id: str = RUN) -> bytes | None:
        """The total that a node has opened in a sum, from its journal, without the binder behind it."""
        self.nodes[name].journal.settle()
        row = self.nodes[name].journal.exchange(run_id, attempt, exchange)
        return None if row is None or row.total is None else row.total[:-BINDER_BYTES]


@pytest.fixture
async def stage(probe: Probe) -> Any:
    made: list[Stage] = []

    def build(*args: Any, **options: Any) -> Stage:
        made.append(Stage(*args, **options))
        return made[-1]

    yield build
    for one in made:
        await one.close()
