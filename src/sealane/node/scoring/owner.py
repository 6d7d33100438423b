"""The owner's side: what it grants, and how it answers a request once every row of it is counted.

An answer leaves only after its rows and its bytes are on disk in one transaction. A node that is killed before that has
counted nothing and told nothing; after it, the same request gets the same bytes and is not counted again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from pydantic import ValidationError

from sealane.core.clock import Clock, to_text
from sealane.core.entropy import random_bytes, random_secret
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, UnavailableError
from sealane.governance.fault import first_fault
from sealane.governance.score_columns import encrypted_columns, revealing_rows
from sealane.governance.score_model import ScoreModel
from sealane.governance.scoring_grant import Acceptance, Grant, commitment, sign, verified
from sealane.node.register import Register
from sealane.node.scoring.book import GrantEntry, ModelEntry, check_caps
from sealane.node.scoring.parcels import Request, read_request
from sealane.secagg.ckks.library import prepare
from sealane.secagg.ckks.parameters import SCORING
from sealane.secagg.ckks.scoring import LinearModel, score
from sealane.secagg.ckks.wire import Kind, read


@dataclass(slots=True)
class Owner:
    """One node as an owner of models. Requests are answered one after the other, whichever thread brings them."""

    register: Register
    key: SigningKey
    clock: Clock
    _lock: Lock = field(default_factory=Lock)

    def answer(self, asker: Fingerprint, public_key: bytes, request: str, body: bytes) -> bytes:
        """Return the answer to a request, counted and on disk.

        Args:
            asker: who asks, by the parcel's signature.
            public_key: of that signature.
            request: hash of the body, hex.
            body: as it came.

        Raises:
            RefusedError: no grant, one that has ended or is used up, or an answer that is no longer kept.
            ProtocolError: the request is malformed.
            UnavailableError: TenSEAL is not installed here.
        """
        book = self.register.scoring
        with self._lock:
            charged, kept = book.answered(request)
            if kept is not None:
                return kept
            if charged:
                raise RefusedError("score.answer-forgotten", "the request was answered before, and the answer is no "
                                   "longer kept", got=request[:16], hint="ask anew; its rows count again")
            asked = read_request(body)
            entry, found = self._granted(asker, public_key, asked)
            rows = _rows(asked, entry.grant)
            since = to_text(self.clock() - timedelta(days=entry.grant.days))
            check_caps(entry.grant, rows, *book.charged(entry.grant, since))
            answer = score(linear(found.model, entry.grant.scale), asked.public, asked.features, random_secret())
            book.charge(request, entry, rows, since, answer)
            return answer

    def _granted(self, asker: Fingerprint, public_key: bytes, asked: Request) -> tuple[GrantEntry, ModelEntry]:
        acceptance = verified(asked.acceptance, Acceptance, public_key)
        book = self.register.scoring
        entry = book.grant(acceptance.grant)
        grant = entry.grant
        if grant.owner != self.key.fingerprint or grant.asker != asker:
            raise RefusedError("score.not-yours", "the grant is another party's", got=entry.hash[:16],
                               expected=grant.asker_name)
        check_open(entry, self.clock())
        quarantined = self.register.standings.quarantined()
        if quarantined is not None:
            raise RefusedError("score.quarantined", "the owner's node is in quarantine and answers nobody",
                               hint="ask its data steward")
        found = next((one for one in book.models() if one.name == grant.model
                      and commitment(one.salt, one.model.digest) == grant.commitment), None)
        if found is None:
            raise RefusedError("score.model-gone", "the owner has removed the model", got=grant.model,
                               hint="ask it for a grant of another one")
        book.accept(entry.hash, asked.acceptance)
        return entry, found


def make_grant(register: Register, key: SigningKey, own_name: str, now: datetime, **wanted: Any) -> GrantEntry:
    """Sign a grant and keep it.

    Args:
        register: of the owner's node.
        key: the owner's.
        own_name: the owner's.
        now: the moment.
        wanted: ``model`` and ``asker``, names; ``rows``, ``days``, ``total``, ``for_days``, ``may_reveal``. Where no
            total is given it is one row less than determine the model; where no rows are, the total.

    Raises:
        InputError: no such model or peer, or caps that no grant can have.
        RefusedError: the total would reveal the model, and that is not said.
    """
    entry = register.scoring.model(wanted["model"])
    model = entry.model
    asker = register.verified().get(wanted["asker"])
    if asker is None:
        raise InputError("score.unknown-asker", "the asker's fingerprint is not verified here",
                         got=repr(str(wanted["asker"])[:80]),
                         expected=", ".join(register.verified()) or "none is known",
                         hint="`sealane node trust NAME FINGERPRINT`, with what the asker reads out")
    fields = {"owner": key.fingerprint, "owner_name": own_name, "asker": asker, "asker_name": wanted["asker"],
              "model": entry.name, "commitment": commitment(entry.salt, model.digest), "form": model.form,
              "columns": model.columns, "scale": model.scale, "link": model.link, "whole": model.whole,
              "days": wanted["days"], "may_reveal": wanted["may_reveal"], "granted_at": to_text(now),
              "until": to_text(now + timedelta(days=wanted["for_days"]))}
    revealing = revealing_rows(model.columns, model.form)
    total = wanted["total"] or max(1, revealing - 1)
    if total >= revealing and not wanted["may_reveal"]:
        raise RefusedError("score.reveals-model", "so many scores determine the model", got=f"{total} rows",
                           expected=f"at most {revealing - 1}, or the steward's word that it may be revealed",
                           hint="grant fewer rows, or say --may-reveal-model")
    try:
        grant = Grant(**fields, total=total, rows=wanted["rows"] or total)
    except ValidationError as error:
        raise InputError("score.bad-grant", "no grant can say this",
                         got=": ".join(first_fault(error, "grant"))) from None
    return register.scoring.put_grant(grant, sign(key, grant), model.digest)


def check_open(entry: GrantEntry, now: datetime) -> None:
    """Refuse a grant that ended, or whose time is over.

    Raises:
        RefusedError: it is one.
    """
    if entry.ended is not None:
        raise RefusedError("score.grant-ended", "the grant was ended", got=entry.grant.model,
                           hint="ask the owner for another")
    if to_text(now) >= entry.grant.until:
        raise RefusedError("score.grant-expired", "the grant's time is over", got=entry.grant.until,
                           hint="ask the owner for another")


def linear(model: ScoreModel, scale: float) -> LinearModel:
    """Return what is computed under encryption: a linear model over the request's columns, scaled to what fits."""
    weights, bias = model.over_columns()
    return LinearModel(weights / scale, bias / scale)


def _rows(asked: Request, grant: Grant) -> int:
    """Return the rows that a request announces; noise lies on every slot beyond, so it fetches no more."""
    try:
        context = prepare(SCORING)
    except InputError as error:  # the asker shall not look for it at home
        raise UnavailableError("score.owner-not-ready", "the owner's node cannot compute on ciphertexts",
                               got=error.code, hint="it installs 'sealane[ckks]'") from error
    message = read(context, Kind.REQUEST, asked.features, levels=SCORING.levels)
    wanted = encrypted_columns(grant.columns, grant.form)
    if message.residues.shape[0] != wanted:
        raise ProtocolError("score.wrong-columns", "the request has other columns than the grant",
                            got=message.residues.shape[0], expected=wanted)
    return message.rows


def new_salt() -> bytes:
    """Return what hides a model in the commitment of its grants."""
    return random_bytes(32)
