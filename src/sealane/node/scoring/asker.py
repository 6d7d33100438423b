"""The asker's side: its rows become encrypted columns under a key that never leaves this process.

The key pair is fresh for every call and lives in memory only. A node that is killed while it waits has to ask anew,
and the owner counts both: what could open the first answer is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError
from sealane.governance.score_columns import matrix
from sealane.governance.scoring_grant import Grant
from sealane.node.register import Register
from sealane.node.scoring.book import GrantEntry
from sealane.node.scoring.owner import check_open
from sealane.node.scoring.parcels import Request, make_parcel, subject_of
from sealane.rpc.notices import Parcel
from sealane.secagg.ckks.owner import Owner as KeyHolder
from sealane.secagg.ckks.parameters import SCORING

ERROR = 2.0**-14
"""Most that noise and rounding take from a score, before it is multiplied by the grant's scale."""
MAXIMUM_ROWS = 100_000
"""Of one call; its scores come back over the control socket."""
Exchange = Callable[[Parcel], bytes]
"""Sends a request and returns the body of its answer."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What came of a call.

    Attributes:
        values: one a row, in the order of the rows.
        probabilities: the same through the logistic function, where the grant says so.
        error: most that a value differs from the model's; 0 where the scores are whole numbers.
        seconds: from the first column to the last score.
        sent: bytes of the requests.
        received: bytes of the answers.
    """

    values: NDArray[np.float64] = field(repr=False)
    probabilities: NDArray[np.float64] | None = field(repr=False)
    error: float
    seconds: float
    sent: int
    received: int


def received_grant(register: Register, own: Fingerprint, model: str, owner: str | None) -> GrantEntry:
    """Return the newest grant that this node received of a model and that has not ended.

    Raises:
        InputError: there is none, or of more than one owner.
    """
    mine = [entry for entry in register.scoring.grants() if entry.grant.asker == own and entry.ended is None]
    found = [entry for entry in mine if entry.grant.model == model and owner in (None, entry.grant.owner_name)]
    if len({entry.grant.owner for entry in found}) != 1:
        raise InputError("score.which-grant", "no grant of that model was received, or more than one owner has it",
                         got=f"{model} from {owner or 'anybody'}"[:120],
                         expected=", ".join(f"{one.grant.model} from {one.grant.owner_name}" for one in mine)[:300]
                         or "none was received", hint="`sealane score list`; name the owner with --from")
    return found[-1]


def ask(register: Register, key: SigningKey, entry: GrantEntry, frame: pd.DataFrame, now: datetime,
        exchange: Exchange) -> Scores:
    """Have rows scored.

    Args:
        register: of this node.
        key: this node's.
        entry: the grant to ask under.
        frame: the rows, with every field that the grant's columns are made of.
        now: the moment.
        exchange: sends a request and waits for its answer.

    Raises:
        InputError: a field is missing or outside its range, too many rows, or TenSEAL is not installed.
        RefusedError: this node has not accepted the grant, it has ended, or the owner refuses.
        ProtocolError: the answer is malformed.
        UnavailableError: no answer came.
    """
    grant = entry.grant
    check_open(entry, now)
    if entry.acceptance is None:
        raise RefusedError("score.not-accepted", "this node has not accepted the grant", got=grant.model,
                           hint=f"`sealane score accept {grant.model} --from {grant.owner_name}`")
    if not 1 <= len(frame) <= MAXIMUM_ROWS:
        raise InputError("score.bad-rows", "no rows, or too many for one call", got=len(frame),
                         expected=f"1 to {MAXIMUM_ROWS}", hint="name some with --rows FIRST:LAST")
    if len(frame) > min(grant.rows, grant.total):
        raise RefusedError("score.over-grant", "the grant allows no so many rows", got=f"{len(frame)} rows",
                           expected=f"at most {grant.rows} in {grant.days} days, {grant.total} ever",
                           hint="name fewer with --rows FIRST:LAST, or ask the owner for another grant")
    began = time.monotonic()
    table = matrix(grant.columns, grant.form, frame)
    holder = KeyHolder.create()
    slots = SCORING.slots
    values, sent, received = [], 0, 0
    for start in range(0, len(table), slots):
        part = table[start : start + slots]
        body = Request(entry.acceptance, holder.public, holder.encrypt(part)).to_bytes()
        subject = subject_of(body)
        register.scoring.record_asked(subject.hex(), len(part))
        answer = exchange(make_parcel(key, Fingerprint(grant.owner), "request", subject, body))
        values.append(holder.open(answer, len(part)))
        sent, received = sent + len(body), received + len(answer)
    scores, error = in_own_unit(grant, np.concatenate(values))
    probabilities = 1.0 / (1.0 + np.exp(-scores)) if grant.link == "logistic" else None
    return Scores(scores, probabilities, error, time.monotonic() - began, sent, received)


def in_own_unit(grant: Grant, opened: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return opened scores in the model's own unit, and how far each may be off."""
    scores, error = opened * grant.scale, ERROR * grant.scale
    return (np.round(scores), 0.0) if grant.whole and error < 0.5 else (scores, error)
