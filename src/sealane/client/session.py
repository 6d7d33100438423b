"""An analyst's calls to a coordinator. Blocking, with a deadline on each; safe to interrupt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message

from sealane.api.audit.v1 import audit_pb2 as audit
from sealane.api.audit.v1.audit_pb2_grpc import AuditServiceStub
from sealane.api.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from sealane.api.run.v1 import run_pb2 as pb
from sealane.api.run.v1.run_pb2_grpc import RunServiceStub
from sealane.api.study.v1 import study_pb2 as study_pb
from sealane.api.study.v1.study_pb2_grpc import StudyServiceStub
from sealane.client.catalog import CatalogEntry, check_entry
from sealane.client.known import Known
from sealane.client.status import RunStatus, read_status
from sealane.computations.registry import get
from sealane.core.canonical import parse_canonical
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.sealing import unseal_own
from sealane.errors import InputError, ProtocolError
from sealane.governance.catalog_query import CatalogQuery
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Recipient, Study, parse_study
from sealane.rpc import bounds
from sealane.rpc.catalog_codec import decode_catalog, encode_query
from sealane.rpc.identity import Identity, load_identity
from sealane.rpc.notices import PartyRecord, StudyRecord
from sealane.rpc.status import from_rpc_error
from sealane.rpc.study_codec import decode_party, decode_study
from sealane.rpc.tls import LARGEST_REPLY, channel_credentials, channel_options
from sealane.secagg.attempt import verify_endorsement
from sealane.secagg.messages import Endorsement
from sealane.secagg.result import MAXIMUM_RESULT, result_hash, result_info, unsalted

DEADLINE_SECONDS = 20.0
WATCH_SECONDS = 24 * 3600.0
MAXIMUM_ENTRIES = 20_000
MAXIMUM_STUDIES = 100_000
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Opened:
    """A result as its recipient opened it.

    Attributes:
        study: what was agreed.
        status: of the run.
        payload: the released values.
        endorsed_by: names of the institutions that signed its hash.
        document: the bytes over which that hash is taken: a salt, and the values as canonical JSON.
    """

    study: Study
    status: RunStatus
    payload: dict[str, Any]
    endorsed_by: tuple[str, ...]
    document: bytes = field(repr=False)

    def present(self) -> Any:
        """Return the object that a reader of the field expects."""
        return get(self.study.computation).present(self.payload)


class Session:
    """One analyst at one coordinator; a context manager.

    Raises:
        InputError: no identity in the home.
        RefusedError: a key may be read by others.
    """

    def __init__(self, home: Path, address: str | None = None) -> None:
        self.identity: Identity = load_identity(home)
        self.known = Known(home)
        self.address = address or self.identity.coordinator_address
        # A result can be larger than what a stream's frame may be.
        self._channel = grpc.secure_channel(
            self.address, channel_credentials(self.identity.tls.ca, self.identity.tls),
            options=channel_options(largest=LARGEST_REPLY))
        self._studies = StudyServiceStub(self._channel)
        self._runs = RunServiceStub(self._channel)
        self._audit = AuditServiceStub(self._channel)
        self._catalog = CatalogServiceStub(self._channel)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def recipient(self) -> Recipient:
        """Describe this analyst as a recipient of results."""
        return recipient_of(self.identity.name, self.identity.signing_key, self.identity.sealing_key)

    def parties(self) -> list[PartyRecord]:
        """List the parties that the coordinator knows."""
        response = self._call(self._studies.ListParties, study_pb.ListPartiesRequest())
        return [decode_party(p) for p in bounds.at_most(tuple(response.parties), 10_000, "parties")]

    def propose(self, study: Study) -> str:
        """Put a study before its participants and return its hash."""
        response = self._call(self._studies.ProposeStudy, study_pb.ProposeStudyRequest(study=study.canonical()))
        if response.study_hash != study.hash:
            raise ProtocolError("study.hash-differs", "the coordinator names another hash",
                                got=response.study_hash[:64], expected=study.hash)
        return study.hash

    def studies(self) -> list[StudyRecord]:
        """List studies, newest first."""
        found: list[StudyRecord] = []
        after = ""
        while True:
            page = self._call(self._studies.ListStudies, study_pb.ListStudiesRequest(after=after))
            found += [decode_study(study) for study in page.studies]
            bounds.at_most(found, MAXIMUM_STUDIES, "studies")
            if not page.next:
                return found
            if not page.studies:
                raise ProtocolError("study.pages", "the coordinator's list of studies does not come to an end")
            after = bounds.text(page.next, "page", 90)

    def study(self, wanted: str) -> StudyRecord:
        """Return a study by hash, the beginning of it, or name."""
        return decode_study(self._call(self._studies.GetStudy, study_pb.GetStudyRequest(study=wanted)).study)

    def start(self, study: str) -> str:
        """Start a run of a study and return its id."""
        return bounds.run_id(self._call(self._runs.StartRun, pb.StartRunRequest(study_hash=study)).run_id)

    def runs(self) -> list[RunStatus]:
        """List runs, newest first."""
        return [read_status(s) for s in self._call(self._runs.ListRuns, pb.ListRunsRequest()).runs]

    def watch(self, run_id: str) -> Iterator[RunStatus]:
        """Give a run's status whenever it changes, until it ends or pauses."""
        call = self._runs.WatchRun(pb.WatchRunRequest(run_id=run_id), timeout=WATCH_SECONDS)
        try:
            for response in call:
                yield read_status(response.status)
        except grpc.RpcError as error:
            raise from_rpc_error(cast("grpc.Call", error), self.address) from None
        finally:
            call.cancel()

    def resume(self, run_id: str) -> RunStatus:
        """Go on with a paused run."""
        return read_status(self._call(self._runs.ResumeRun, pb.ResumeRunRequest(run_id=run_id)).status)

    def cancel(self, run_id: str) -> RunStatus:
        """End a run for good."""
        return read_status(self._call(self._runs.CancelRun, pb.CancelRunRequest(run_id=run_id)).status)

    def result(self, run_id: str) -> Opened:
        """Fetch, check and open a completed run's result.

        Raises:
            ProtocolError: it is not endorsed by enough of the study's institutions, or does not open.
            RefusedError: this analyst neither proposed the study nor verified its participants.
            UnavailableError: the run has no result yet.
        """
        response = self._call(self._runs.FetchResult, pb.FetchResultRequest(run_id=run_id))
        status = read_status(response.status)
        study = parse_study(self.study(status.study_hash).study)
        if study.hash != status.study_hash or not status.run_id.startswith(run_id):
            raise ProtocolError("result.of-another", "the coordinator sent another run's result",
                                got=f"{status.run_id} of {study.hash[:16]}",
                                expected=f"{run_id} of {status.study_hash[:16]}")
        self.known.check(study)
        data = unseal_own(self.identity.sealing_seed, response.sealed_result, result_info(study.hash, status.run_id))
        endorsed = _check_endorsements(study, status, data, tuple(response.endorsements))
        payload = parse_canonical(unsalted(data), limit=MAXIMUM_RESULT)
        if not isinstance(payload, dict):
            raise ProtocolError("result.malformed", "the result is not a document", got=type(payload).__name__)
        return Opened(study, status, payload, endorsed, data)

    def catalog(self, query: CatalogQuery, known: Mapping[str, tuple[str, bool]]) -> list[CatalogEntry]:
        """List what nodes publish, each entry's signature checked against the fingerprints that are known here."""
        found: list[CatalogEntry] = []
        after = ""
        while True:
            page = self._call(self._catalog.ListEntries, encode_query(query, after))
            entries = bounds.at_most(tuple(page.entries), 1000, "entries of a page")
            found += [check_entry(decode_catalog(entry), query, known) for entry in entries]
            bounds.at_most(found, MAXIMUM_ENTRIES, "entries of a catalog")
            if not page.next:
                return found
            if page.next.split("/") <= after.split("/"):
                raise ProtocolError("catalog.pages", "the coordinator's catalog does not come to an end")
            after = page.next

    def events(self, after: int = 0, limit: int = 100) -> list[audit.Event]:
        """List what the coordinator recorded; auditors only."""
        return list(self._call(self._audit.ListEvents, audit.ListEventsRequest(after=after, limit=limit)).events)

    def prove_run(self, run_id: str, seen: int = 0) -> audit.ProveRunResponse:
        """Return what the audit log holds of a run, with proofs; whoever uses it verifies it."""
        request = audit.ProveRunRequest(run_id=run_id, seen=seen)
        proved: audit.ProveRunResponse = self._call(self._audit.ProveRun, request)
        return proved

    def prove_leaf(self, position: int) -> audit.ProveLeafResponse:
        """Return one leaf of the audit log with its proof."""
        proved: audit.ProveLeafResponse = self._call(self._audit.ProveLeaf, audit.ProveLeafRequest(position=position))
        return proved

    def _call(self, method: Callable[..., M], request: Message) -> M:
        try:
            return method(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(cast("grpc.Call", error), self.address) from None


def _check_endorsements(
    study: Study, status: RunStatus, result: bytes, endorsements: tuple[pb.Endorsement, ...]
) -> tuple[str, ...]:
    names = {Fingerprint(p.fingerprint): p.name for p in study.participants}
    seen: dict[Fingerprint, str] = {}
    for item in bounds.at_most(endorsements, bounds.MAXIMUM_MEMBERS, "endorsements"):
        signer = fingerprint(item.signing_key)
        if signer not in names:
            raise ProtocolError("result.stranger", "a result is endorsed by none of the study's institutions",
                                got=signer)
        endorsement = Endorsement(status.run_id, item.attempt, item.result_hash, item.transcript, item.signature)
        verify_endorsement(endorsement, item.signing_key, study.hash, result_hash(result))
        seen[signer] = names[signer]
    if len(seen) < study.smallest_cohort or set(seen.values()) != set(status.cohort):
        raise ProtocolError("result.not-endorsed", "not every member of the cohort endorsed the result",
                            got=", ".join(sorted(seen.values())), expected=", ".join(sorted(status.cohort)))
    return tuple(sorted(seen.values()))


def require_role(session: Session, *roles: str) -> None:
    """Refuse a home that belongs to another role.

    Raises:
        InputError: it does.
    """
    if session.identity.role not in roles:
        raise InputError("home.other-role", "this home belongs to another role", got=session.identity.role,
                         expected=" or ".join(roles), hint="name another home with --home or SEALANE_HOME")
