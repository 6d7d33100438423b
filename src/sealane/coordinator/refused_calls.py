"""Refused calls in the audit log: one leaf for each party, code and hour, so that nobody fills the disk by asking."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock

from sqlalchemy import Engine

from sealane.coordinator.database import writing
from sealane.coordinator.log import append
from sealane.core.clock import Clock, to_text
from sealane.core.ids import Fingerprint
from sealane.errors import RefusedError, UnavailableError
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
REMEMBERED = 4096
"""Refusals that are known to be in the log without asking it."""


class RefusedCalls:
    """What becomes of refusals of calls by parties that hold a certificate of this coordinator.

    Args:
        engine: of the database.
        clock: tells the time.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def note(self, name: str, role: str, subject: Fingerprint | str, error: RefusedError) -> None:
        """Put a refusal into the log, unless the party got the same one in this hour; a full disk changes nothing.

        Args:
            name: of the party, as its certificate says.
            role: of the party, as its certificate says.
            subject: fingerprint of its certificate.
            error: what it got.
        """
        once = f"refused {role} {name} {error.code} {to_text(self._clock())[:13]}"
        with self._lock:
            if once in self._known:
                return
        try:
            with writing(self._engine) as db:
                append(db, self._clock, "call.refused", name, subject, f"{role} {error.code}", once=once)
        except UnavailableError as full:
            log(_LOG, "refusal.not-kept", level=logging.WARNING, error=full)  # the caller is refused all the same
            return
        with self._lock:
            self._known[once] = None
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
