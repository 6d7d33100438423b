"""What the policy gate decided, kept in the node's register: every refusal, and how many permits of each kind."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from sealane.errors import SealaneError, UnavailableError
from sealane.governance.clauses import clause_of
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """One refusal.

    Attributes:
        at: RFC 3339, UTC.
        run: id of the run; empty where none was asked for.
        study: its hash, or what claimed to be one.
        moment: of the gate, such as ``round``.
        clause: that refused.
        error: as it was raised.
    """

    at: str
    run: str
    study: str
    moment: str
    clause: str
    error: SealaneError


class Deciding(Protocol):
    """Where decisions are kept. Each call is on disk when it returns."""

    def record_refusal(self, run: str, study: str, moment: str, clause: str, error: SealaneError) -> None:
        """Keep a refusal."""

    def record_permits(self, run: str, counts: dict[str, int]) -> None:
        """Add to how often a run was permitted something, by moment."""


class Decided:
    """The decisions of one gate. Permits are counted in memory and written at a run's milestones, not every round."""

    def __init__(self, records: Deciding) -> None:
        self._records = records
        self._permits: dict[str, Counter[str]] = {}
        self._lock = Lock()

    @contextmanager
    def asked(self, run: str, study: str, moment: str) -> Iterator[None]:
        """Note how the block ends: a refusal at once and on disk, a permit in the count.

        Raises:
            SealaneError: what the block refused.
        """
        try:
            yield
        except SealaneError as error:
            clause = clause_of(error)
            log(_LOG, "gate.refused", level=logging.WARNING, error=error, run=run, study=study, moment=moment,
                clause=clause)
            with suppress(UnavailableError):  # a full disk must not turn a refusal into a pause; the log has it
                self._records.record_refusal(run, study, moment, clause, error)
            self.settle(run)
            raise
        with self._lock:
            self._permits.setdefault(run, Counter())[moment] += 1
        if moment in ("admission", "result"):
            self.settle(run)

    def settle(self, run: str) -> None:
        """Write down the permits of a run that were only counted so far."""
        with self._lock:
            counts = self._permits.pop(run, None)
        try:
            if counts:
                self._records.record_permits(run, dict(counts))
        except UnavailableError as error:  # what was permitted is permitted; the count waits for the disk
            log(_LOG, "gate.count-not-kept", level=logging.WARNING, error=error, run=run)
            with self._lock:
                self._permits.setdefault(run, Counter()).update(counts or {})
