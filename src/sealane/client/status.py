"""Where a run stands, as a client sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sealane.api.run.v1 import run_pb2 as pb
from sealane.errors import ProtocolError, SealaneError
from sealane.rpc import bounds
from sealane.rpc.error_detail import described_error


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands.

    Attributes:
        run_id: of the run.
        study_hash: of its study.
        state: PROPOSED, ADMITTED, RUNNING, PAUSED, RELEASING, COMPLETED or ABORTED.
        attempt: number of the present attempt.
        exchanges: collective calls finished.
        cohort: names of the institutions in the present attempt.
        waiting_for: names of the nodes that hold it up.
        bytes_sent: by name.
        elapsed_s: seconds since it began, or since the coordinator was started.
        started_at: RFC 3339.
        error: why it paused or ended, if not by completing.
    """

    run_id: str
    study_hash: str
    state: str
    attempt: int
    exchanges: int
    cohort: tuple[str, ...]
    waiting_for: tuple[str, ...]
    bytes_sent: Mapping[str, int]
    elapsed_s: float
    started_at: str
    error: SealaneError | None

    @property
    def over(self) -> bool:
        """True where nothing can follow."""
        return self.state in ("COMPLETED", "ABORTED")


def read_status(status: pb.RunStatus) -> RunStatus:
    """Read a status.

    Raises:
        ProtocolError: a field is malformed.
    """
    if status.state not in pb.RunState.values() or status.state == pb.RUN_STATE_UNSPECIFIED:
        raise ProtocolError("wire.unknown-state", "a run is in a state of no known kind", got=status.state)
    return RunStatus(
        bounds.run_id(status.run_id), bounds.text(status.study_hash, "hash", 64),
        pb.RunState.Name(status.state).removeprefix("RUN_STATE_"), status.attempt, status.exchanges,
        tuple(bounds.party_name(n) for n in bounds.at_most(tuple(status.cohort), bounds.MAXIMUM_MEMBERS, "names")),
        tuple(bounds.party_name(n) for n in bounds.at_most(tuple(status.waiting_for), bounds.MAXIMUM_MEMBERS, "names")),
        {bounds.party_name(n): count for n, count in status.bytes_sent.items()}, status.elapsed_s,
        bounds.text(status.started_at, "moment", 40),
        described_error(status.error) if status.HasField("error") else None)
