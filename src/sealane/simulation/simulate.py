"""``simulate``: a federation over data frames, in this process, for developing and for testing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sealane.client.trace import Trace
from sealane.computations.flower_app.bundle import bundle_of
from sealane.computations.flower_app.project import read_project
from sealane.computations.registry import get, read_parameters
from sealane.computations.requirements import required_columns
from sealane.coordinator.coordination import Coordination
from sealane.coordinator.run_facts import Patience
from sealane.core.canonical import parse_canonical
from sealane.core.clock import system_clock, to_text
from sealane.core.ids import check_name, new_run_id
from sealane.crypto.sealing import unseal_own
from sealane.errors import InputError, ProtocolError
from sealane.governance.contract import Contract, infer_contract
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.notices import StudyRecord
from sealane.secagg.attempt import verify_endorsement
from sealane.secagg.result import MAXIMUM_RESULT, result_hash, result_info, unsalted
from sealane.simulation.contribution import Contributions, contribution
from sealane.simulation.engine import Engine
from sealane.simulation.faults import Fault, Script
from sealane.simulation.log import MemoryLog
from sealane.simulation.loops import run_here
from sealane.simulation.parties import LIFETIME, FrameDataset, SimulatedAnalyst, SimulatedNode

MOST_ROUNDS = 100_000
"""A simulated study allows as many exchanges in a run as any study may: trees need thousands."""


class Simulation:
    """A simulated federation. ``run`` is what :func:`sealane.connect` offers against a real one.

    Attributes:
        contract: what the frames were taken to conform to.
        log: the simulated coordinator's audit log.
    """

    def __init__(
        self, frames: Mapping[str, pd.DataFrame], *, contract: Contract | None = None,
        patience: Patience | None = None,
    ) -> None:
        for name, frame in frames.items():
            if not isinstance(frame, pd.DataFrame):
                raise InputError("simulation.not-a-frame", f"institution {name!r} has no data frame",
                                 got=type(frame).__name__, expected="a pandas DataFrame")
        self.contract = contract or infer_contract(frames)
        self._patience = patience or Patience(round_s=30.0)
        self._frames = dict(frames)
        self._analyst = SimulatedAnalyst()
        self.log = MemoryLog(system_clock)
        self.nodes: dict[str, SimulatedNode] = {}
        for name, frame in frames.items():
            dataset = FrameDataset(self.contract, frame)
            self.nodes[check_name(name)] = SimulatedNode(name, dataset, _version(frame), system_clock,
                                                           self.log.key.public_key)

    def run(
        self,
        computation: str,
        *,
        scheme: str = "masking",
        minimum_cohort: int | None = None,
        minimum_count: int = 10,
        colluding: int = 1,
        waive_differencing: Sequence[str] = (),
        faults: Sequence[Fault] = (),
        **parameters: Any,
    ) -> Any:
        """Run a computation over all frames and return its result.

        Args:
            computation: dotted name, such as ``glm.fit``.
            scheme: how sums are secured.
            minimum_cohort: fewest institutions for which a sum is opened; all of them, at most 3, by default.
            minimum_count: fewest rows behind a released cell.
            colluding: how many institutions may collude with the coordinator.
            waive_differencing: names of institutions that allow their own contribution to become computable.
            faults: what goes wrong on the way, for tests.
            parameters: of the computation.

        Raises:
            InputError: an unknown computation, or parameters that are not its own.
            RefusedError: a node's gate said no.
            UnavailableError: a node was lost and did not come back.
        """
        coordination, engine, seconds = run_here(self._run(
            computation, parameters, scheme=scheme, colluding=colluding, minimum_count=minimum_count,
            minimum_cohort=minimum_cohort or max(min(len(self.nodes), 3), colluding + 2), waive=waive_differencing,
            faults=faults))
        return self._open(coordination, engine, seconds)

    def install_app(self, path: Path | str) -> dict[str, str]:
        """Install a Flower app at every node, and return the parameters ``app`` and ``code`` of ``flower.app``.

        Raises:
            InputError: the directory holds no Flower app.
        """
        root = Path(path).resolve()
        project, bundle = read_project(root), bundle_of(root)
        for node in self.nodes.values():
            node.apps[project.code_hash()] = bundle
        return {"app": project.name, "code": project.code_hash()}

    def part(self, names: Collection[str]) -> Simulation:
        """Return a federation of some of the institutions, under the same contract, that remembers no run."""
        frames = {name: frame for name, frame in self._frames.items() if name in names}
        return Simulation(frames, contract=self.contract, patience=self._patience)

    def contribution(self, computation: str, metric: Callable[[Any], float], **options: Any) -> Contributions:
        """Return what each institution adds to a metric of a result; see :mod:`sealane.simulation.contribution`."""
        return contribution(self, computation, metric, **options)

    async def _run(
        self, computation: str, parameters: dict[str, Any], *, scheme: str, minimum_cohort: int, minimum_count: int,
        colluding: int, waive: Sequence[str], faults: Sequence[Fault],
    ) -> tuple[Coordination, Engine, float]:
        began = time.perf_counter()
        self._check_columns(get(computation).columns(read_parameters(computation, parameters)))
        required_columns(computation, parameters, self.contract)
        for name in waive:
            if name not in self.nodes:
                raise InputError("simulation.unknown-institution", "no such institution", got=repr(name[:40]),
                                 expected=", ".join(self.nodes))
        study = make_study(
            name="simulation", sector="simulation", purpose="development", data_contract=self.contract.id,
            computation=computation, parameters=parameters, scheme=scheme, minimum_cohort=minimum_cohort,
            minimum_count=minimum_count, colluding=colluding, rounds=MOST_ROUNDS,
            expires=to_text(system_clock() + LIFETIME),
            participants=[Participant(name=n.name, fingerprint=n.fingerprint) for n in self.nodes.values()],
            recipients=[recipient_of("analyst", self._analyst.key, self._analyst.sealing_key)],
        )
        statements = tuple(n.approve(study, waives_differencing=n.name in waive) for n in self.nodes.values())
        record = StudyRecord(study.canonical(), "analyst", to_text(system_clock()), statements)
        engine = Engine({n.fingerprint: n for n in self.nodes.values()}, study, record, new_run_id(), self._patience,
                        self.log, Script(tuple(faults)))
        coordination = await engine.run()
        return coordination, engine, time.perf_counter() - began

    def _check_columns(self, columns: Sequence[str]) -> None:
        """Refuse a column that some institutions have and others do not."""
        for column in columns:
            absent = [name for name, frame in self._frames.items() if column not in frame.columns]
            if absent and len(absent) < len(self._frames):
                raise InputError("simulation.column-absent", f"a column is not in every frame: {column!r}",
                                 got=f"none at {', '.join(absent)}",
                                 hint="leave it out, or fill it with NaN there")

    def _open(self, coordination: Coordination, engine: Engine, seconds: float) -> Any:
        study: Study = engine.study
        sealed = engine.runs.sealed[self._analyst.key.fingerprint]
        result = unseal_own(self._analyst.sealing_seed, sealed, result_info(study.hash, engine.run_id))
        for fingerprint in coordination.cohort:
            endorsement = engine.runs.endorsements.get(fingerprint)
            if endorsement is None:
                raise ProtocolError("result.not-endorsed", "a member did not endorse the result", got=fingerprint)
            verify_endorsement(endorsement, engine.nodes[fingerprint].key.public_key, study.hash, result_hash(result))
        shown = get(study.computation).present(parse_canonical(unsalted(result), limit=MAXIMUM_RESULT))
        names = {n.fingerprint: n.name for n in engine.nodes.values()}
        rounds = coordination.tally.exchanges
        shown.trace = Trace(engine.run_id, study.hash, tuple(names[f] for f in coordination.cohort), rounds,
                            {names[f]: count for f, count in coordination.bytes_sent.items()}, seconds)
        return shown


def simulate(frames: Mapping[str, pd.DataFrame], **options: Any) -> Simulation:
    """Make a federation of data frames, one per institution, in this process.

    Real runs demand a data contract; here one is inferred from the frames and can be looked at as ``.contract``.

    Raises:
        InputError: fewer than two frames, an illegal name, or frames that have no contract in common.
    """
    if len(frames) < 2:
        raise InputError("simulation.too-few", "a federation has at least two institutions", got=len(frames))
    return Simulation(frames, **options)


def _version(frame: pd.DataFrame) -> str:
    digest = hashlib.sha256(repr([(str(c), str(t)) for c, t in frame.dtypes.items()]).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()
