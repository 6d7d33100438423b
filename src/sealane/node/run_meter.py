"""What one run uses at this node, counted while it goes on and kept with the journal's writes, so also across a kill.

A crash loses what was used since the journal's last write: a second's at the most while a run sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.clock import to_text
from sealane.core.ids import Fingerprint
from sealane.errors import SealaneError
from sealane.governance.metering import COMPLETED, MeteredRun, metered
from sealane.governance.publication import round_down
from sealane.governance.study import Study
from sealane.node.journal import Journal
from sealane.rpc.codec import FromNode, encode_from_node
from sealane.rpc.fields import varint
from sealane.rpc.known_codes import known
from sealane.secagg.messages import Contribution, Letters
from sealane.secagg.scheme import Form, form_of

LEFT_OUT = "run.left-out"
"""The outcome of a run that gave its result without this node."""
Metered = Callable[[MeteredRun], None]


@dataclass(slots=True)
class Used:
    """Figures of a run so far, named as in a metered event; ``endorsed`` once this node signed the run's result."""

    dataset: str = ""
    rows: int = 0
    bytes_sent: int = 0
    cpu_us: int = 0
    wall_us: int = 0
    endorsed: bool = False


class RunMeter:
    """Counts for one run. All calls come from the thread that the run has for itself, whose time is measured."""

    def __init__(self, journal: Journal, run_id: str) -> None:
        self._journal = journal
        self._run_id = run_id
        self._used = _read(journal.used(run_id)[0])
        self._around: dict[tuple[int, int, Form], int] = {}
        self._cpu_ns = time.thread_time_ns()
        self._wall_ns = time.monotonic_ns()

    def counting(self, post: Callable[[FromNode], None]) -> Callable[[FromNode], None]:
        """Return ``post`` with every message's bytes counted before it leaves."""
        def count(message: FromNode) -> None:
            self._used.bytes_sent += self._length(message)
            self._keep()
            post(message)

        return count

    def _length(self, message: FromNode) -> int:
        """Return the bytes of a message, of letters to within ten for each, without writing what it holds."""
        if isinstance(message, Contribution):
            # What stands around a payload is as long in each sum, but for the number of the exchange.
            digits = len(varint(message.exchange)) if message.exchange else 0
            kind = (message.attempt, digits, replace(form_of(message), payload_bytes=0))
            if message.shares or kind not in self._around:
                self._around[kind] = encode_from_node(replace(message, payload=b"")).contribution.ByteSize()
            size = len(message.payload)
            inner = self._around[kind] + (1 + len(varint(size)) + size if size else 0)
            return 1 + len(varint(inner)) + inner
        if isinstance(message, Letters):
            slim = replace(message, sealed=dict.fromkeys(message.sealed, b""))
            return sum(map(len, message.sealed.values())) + encode_from_node(slim).ByteSize()
        return encode_from_node(message).ByteSize()

    def opened(self, dataset: str, rows: int) -> None:
        """Note which rows the computation reads; a repetition after a crash reads the same ones."""
        self._used.dataset, self._used.rows = dataset, rows
        self._keep()

    def add_cpu(self, microseconds: int) -> None:
        """Add processor time that was used outside this thread, such as by a child process."""
        self._used.cpu_us += microseconds
        self._keep()

    def endorsed(self) -> None:
        """Note that this node is about to sign the run's result; call it before the journal settles that."""
        self._used.endorsed = True
        self._keep()

    def _keep(self) -> None:
        cpu, wall = time.thread_time_ns(), time.monotonic_ns()
        self._used.cpu_us += (cpu - self._cpu_ns) // 1000
        self._used.wall_us += (wall - self._wall_ns) // 1000
        self._cpu_ns, self._wall_ns = cpu, wall
        self._journal.use(self._run_id, lambda: canonical_bytes(asdict(self._used)))

    def close(self) -> None:
        """Count up to now, for the last time."""
        self._keep()


def metered_run(journal: Journal, run_id: str, study: Study, own: Fingerprint, error: SealaneError | None,
                now: datetime, epsilon: str | None) -> MeteredRun:
    """Return the event of a run that ended, from what the journal holds of it.

    Args:
        journal: of this node.
        run_id: of the run.
        study: of the run.
        own: this node's fingerprint.
        error: why the run ended, if not by completing.
        now: the present moment.
        epsilon: what the ledger charged for it.
    """
    kept, rounds = journal.used(run_id)
    used = _read(kept)
    name = next(party.name for party in study.participants if party.fingerprint == own)
    outcome = COMPLETED if used.endorsed else LEFT_OUT
    if error is not None:
        outcome = known(error.code)
    return metered({
        "run": run_id, "study": study.hash, "node": name, "fingerprint": own, "dataset": used.dataset,
        "rows": round_down(used.rows, study.minimum_count), "rounds": rounds, "bytes_sent": used.bytes_sent,
        "cpu_us": used.cpu_us, "wall_us": used.wall_us, "outcome": outcome, "ended_at": to_text(now),
        "epsilon": epsilon})


def _read(kept: bytes | None) -> Used:
    return Used() if kept is None else Used(**parse_canonical(kept))
