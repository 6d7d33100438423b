"""``connect``: the same ``run`` as in simulation, against a real coordinator."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sealane.client.proposals import free_name, pending
from sealane.client.session import Opened, Session, require_role
from sealane.client.status import RunStatus
from sealane.client.trace import Trace
from sealane.computations.registry import read_parameters
from sealane.computations.requirements import most_exchanges
from sealane.core.clock import system_clock
from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.governance.agreement import verify_agreement
from sealane.governance.signed_statement import SignedAgreement, SignedRefusal, verify_refusal
from sealane.governance.study import Study, parse_study
from sealane.governance.study_file import StudyFile
from sealane.governance.study_state import StudyState, is_live, study_state
from sealane.rpc.notices import StudyRecord
from sealane.sectors.registry import minimum_count as default_count
from sealane.sectors.study_check import check_study

DEFAULT_HOME = Path("~/.sealane/analyst")
FIRST_PAUSE_SECONDS, POLL_SECONDS = 0.05, 1.0
RECONNECT_SECONDS = 120.0


def analyst_home(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the analyst's home: as given, or from SEALANE_HOME, or the default."""
    return Path(home or os.environ.get("SEALANE_HOME") or DEFAULT_HOME).expanduser()


class Connection:
    """A federation behind a coordinator, for one analyst."""

    def __init__(self, home: Path, address: str | None = None) -> None:
        self.session = Session(home, address)
        require_role(self.session, "analyst")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.session.close()

    def run(
        self,
        computation: str,
        *,
        study: str | None = None,
        data_contract: str | None = None,
        sector: str | None = None,
        purpose: str | None = None,
        scheme: str = "masking",
        participants: Sequence[str] | None = None,
        minimum_cohort: int = 3,
        minimum_count: int | None = None,
        colluding: int = 1,
        wait_s: float = 3600.0,
        tell: Callable[[str], None] | None = None,
        **parameters: Any,
    ) -> Any:
        """Run a computation under an approved study; without one, propose it and wait for the approvals.

        What this analyst has proposed already, and nobody has refused, is waited for and not proposed again.

        Args:
            computation: dotted name, such as ``glm.fit``.
            study: hash or name of a study to run; None to look for an approved one that fits, or to propose one.
            data_contract: of the datasets, such as ``finance.credit-application/v1``; needed to propose.
            sector: by default the first part of the contract's id.
            purpose: what the result may be used for; needed to propose.
            scheme: how sums are secured.
            participants: names of institutions; all enrolled ones by default.
            minimum_cohort: fewest institutions for which a sum is opened.
            minimum_count: fewest rows behind a released cell; None for the sector's default.
            colluding: how many institutions may collude with the coordinator.
            wait_s: longest time to wait for approvals.
            tell: is told what happens; by default it is written to standard error.
            parameters: of the computation.

        Raises:
            InputError: unknown computation, wrong parameters, too little said to propose a study, or a purpose, a
                contract or a field that no sector pack knows.
            RefusedError: an institution refused.
            UnavailableError: approvals or a node did not come in time.
        """
        tell = tell or (lambda line: print(line, file=sys.stderr))
        read_parameters(computation, parameters)
        record = self._find(study, computation, parameters, scheme)
        if record is None:
            if data_contract is None or purpose is None:
                raise InputError("study.needs-terms", "no approved study fits, and too little is said to propose one",
                                 expected="data_contract= and purpose=",
                                 hint="or pass study= with the name of one that was proposed")
            file = StudyFile(
                name=computation.replace(".", "-"), sector=sector or data_contract.partition(".")[0], purpose=purpose,
                data_contract=data_contract, computation=computation, parameters=parameters, scheme=scheme,
                minimum_cohort=minimum_cohort, minimum_count=minimum_count, colluding=colluding,
                participants=None if participants is None else list(participants))
            record = self._propose_once(file, tell)
        self.await_approvals(record, wait_s, tell)
        run_id = self.session.start(parse_study(record.study).hash)
        tell(f"run {run_id} started")
        return self.finish(run_id).present_traced()

    def propose(self, file: StudyFile) -> StudyRecord:
        """Propose what a study file says, with this analyst as its recipient."""
        return self.propose_study(self._resolve(file))

    def _propose_once(self, file: StudyFile, tell: Callable[[str], None]) -> StudyRecord:
        """Return the study that this analyst has proposed already; without one, propose it under a name of its own."""
        wished = self._resolve(file)
        records = self.session.studies()
        record = pending(records, wished, self.session.known.proposed, system_clock())
        if record is not None:
            tell(f"study {parse_study(record.study).hash[:12]} is proposed already; waiting for approvals")
            return record
        study = wished.model_copy(update={"name": free_name(records, wished.name)})
        record = self.propose_study(study)
        tell(f"proposed study {study.hash[:12]} as {study.name}; waiting for approvals")
        return record

    def _resolve(self, file: StudyFile) -> Study:
        directory = {p.name: p.fingerprint for p in self.session.parties() if p.role == "node"}
        return file.resolve(directory, [self.session.recipient()], system_clock(),
                            minimum_count=default_count(file.sector),
                            rounds=most_exchanges(file.computation, file.parameters))

    def propose_study(self, study: Study) -> StudyRecord:
        """Propose a study as it stands, and remember that it was proposed here.

        Raises:
            InputError: it asks for something that no participant could approve, such as an unknown purpose or field.
            RefusedError: the same, or the coordinator does not take it.
        """
        check_study(study)
        self.session.known.pin(study.participants)
        self.session.known.remember(study)
        return self.session.study(self.session.propose(study))

    def await_approvals(self, record: StudyRecord, wait_s: float, tell: Callable[[str], None]) -> None:
        """Wait until every participant has approved.

        Raises:
            RefusedError: one refused.
            UnavailableError: not all approved in time.
        """
        deadline = time.monotonic() + wait_s
        told: set[str] = set()
        pause = FIRST_PAUSE_SECONDS
        while True:
            record = self.session.study(parse_study(record.study).hash)
            study = parse_study(record.study)
            approved = _approved(record, study)
            for name in sorted(approved - told):
                tell(f"{name} approved")
            told |= approved
            missing = [p.name for p in study.participants if p.name not in approved]
            if not missing:
                return
            if time.monotonic() > deadline:
                raise UnavailableError("study.approvals-missing", "not every institution approved in time",
                                       got=f"without {', '.join(missing)}",
                                       hint="wait longer with wait_s=, or ask them")
            time.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS)

    def finish(self, run_id: str, watch: Callable[[RunStatus], None] | None = None) -> Finished:
        """Follow a run to its end and open its result.

        Raises:
            SealaneError: why it ended or paused, as the coordinator or a node said it.
        """
        for status in self._statuses(run_id):
            if watch is not None:
                watch(status)
            if status.error is not None:
                raise status.error
        return Finished(self._result(run_id))

    def _result(self, run_id: str) -> Opened:
        """Fetch a result also across a restart of the coordinator."""
        deadline = time.monotonic() + RECONNECT_SECONDS
        while True:
            try:
                return self.session.result(run_id)
            except UnavailableError as error:
                if not _is_lost_connection(error) or time.monotonic() > deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _statuses(self, run_id: str) -> Iterator[RunStatus]:
        """Watch a run also across a restart of the coordinator."""
        lost_at: float | None = None
        while True:
            try:
                for status in self.session.watch(run_id):
                    lost_at = None
                    yield status
                    if status.over or status.state == "PAUSED":
                        return
            except UnavailableError as error:
                lost_at = lost_at or time.monotonic()
                if not _is_lost_connection(error) or time.monotonic() - lost_at > RECONNECT_SECONDS:
                    raise
            time.sleep(POLL_SECONDS)

    def _find(
        self, wanted: str | None, computation: str, parameters: dict[str, Any], scheme: str
    ) -> StudyRecord | None:
        if wanted is not None:
            record = self.session.study(wanted)
            study = parse_study(record.study)
            if study.computation != computation or (parameters and not _same_parameters(study, parameters)):
                raise InputError("study.other-computation", "the study is about something else",
                                 got=f"{computation} with these parameters", expected=f"{study.computation} as agreed",
                                 hint="leave the parameters out, or propose another study")
            return record
        own = self.session.identity.fingerprint
        for record in self.session.studies():
            study = parse_study(record.study)
            fits = (study.computation, study.scheme) == (computation, scheme) and _same_parameters(study, parameters)
            mine = any(r.fingerprint == own for r in study.recipients)
            approved = study_state(study, record.statements) is StudyState.APPROVED
            if fits and mine and approved and is_live(study, record.statements, system_clock()):
                return record
        return None


class Finished:
    """A run that completed, opened."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened

    @property
    def trace(self) -> Trace:
        """How the result came about."""
        status = self.opened.status
        return Trace(status.run_id, status.study_hash, status.cohort, status.exchanges, status.bytes_sent,
                     status.elapsed_s)

    def present_traced(self) -> Any:
        """Return the result's object with its trace."""
        shown = self.opened.present()
        shown.trace = self.trace
        return shown


def connect(address: str | None = None, *, home: str | os.PathLike[str] | None = None) -> Connection:
    """Connect to a coordinator with an analyst's identity.

    Args:
        address: host:port; by default what the invitation said.
        home: of the analyst; by default SEALANE_HOME or ``~/.sealane/analyst``.

    Raises:
        InputError: there is no analyst's identity in the home.
    """
    return Connection(analyst_home(home), address)


def _is_lost_connection(error: UnavailableError) -> bool:
    """Tell a connection that may come back from what the coordinator itself says is not there."""
    return error.code.startswith("rpc.")


def _same_parameters(study: Study, parameters: dict[str, Any]) -> bool:
    return read_parameters(study.computation, study.parameters) == read_parameters(study.computation, parameters)


def _approved(record: StudyRecord, study: Study) -> set[str]:
    """Return the names of those whose approval stands.

    Raises:
        RefusedError: one of them refused, which is final.
    """
    approved: set[str] = set()
    for statement in record.statements:
        if isinstance(statement, SignedAgreement):
            approved.add(verify_agreement(statement, study).node)
        elif isinstance(statement, SignedRefusal):
            refusal = verify_refusal(statement, study)
            raise RefusedError("study.refused", f"{refusal.node} refused the study", got=refusal.reason or "no reason")
    return approved
