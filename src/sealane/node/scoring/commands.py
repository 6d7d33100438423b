"""What a node's operator and data steward can ask for about private scoring, as plain functions over a place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sealane.core.clock import to_text
from sealane.core.ids import Fingerprint, check_name
from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.governance.score_columns import encrypted_columns, fields_of, revealing_rows
from sealane.governance.score_model import MAXIMUM_BYTES, read_model
from sealane.governance.scoring_grant import Acceptance, End, sign
from sealane.node.datasets import open_dataset
from sealane.node.place import Place, checked
from sealane.node.scoring.asker import ask, received_grant
from sealane.node.scoring.book import GrantEntry, ModelEntry
from sealane.node.scoring.owner import make_grant, new_salt
from sealane.node.scoring.permitted import check_permitted
from sealane.sectors.registry import contract as find_contract

LONGEST_WAIT_S = 3600.0


def model_add(place: Place, *, name: str, path: str | None = None, text: str | None = None,
              contract: str | None = None, ranges: dict[str, list[float]] | None = None) -> dict[str, Any]:
    """Register a model that this node scores with: the file at a path, or its text."""
    if (path is None) == (text is None):
        raise InputError("score.bad-model", "a model comes from a file or as text", expected="one of both")
    data = (text or "").encode() if path is None else _read(Path(path))
    given = {field: (ends[0], ends[1]) for field, ends in (ranges or {}).items() if len(ends) == 2}
    model = read_model(data, None if contract is None else find_contract(contract), given)
    place.register.scoring.add_model(check_name(name, "model's name"), model, new_salt())
    return _model(place.register.scoring.model(name))


def model_list(place: Place) -> list[dict[str, Any]]:
    """List the models that this node scores with: no number of any of them."""
    return [_model(entry) for entry in place.register.scoring.models()]


def model_remove(place: Place, *, name: str) -> dict[str, Any]:
    """Forget a model. Its grants are answered no more; what was charged stays charged."""
    entry = place.register.scoring.model(name)
    place.register.scoring.remove_model(name)
    return _model(entry)


def grant(place: Place, *, model: str, asker: str, rows: int | None = None, days: int = 30, total: int | None = None,
          for_days: int = 365, may_reveal: bool = False) -> dict[str, Any]:
    """Sign a grant to an asker, and let it know."""
    identity = place.home.identity()
    entry = make_grant(place.register, identity.signing_key, identity.name, place.home.clock(), model=model,
                       asker=asker, rows=rows, days=days, total=total, for_days=for_days, may_reveal=may_reveal)
    return _told(place, entry)


def accept(place: Place, *, model: str, owner: str | None = None) -> dict[str, Any]:
    """Sign the acceptance of a grant that was received, and let the owner know."""
    key, register = place.home.identity().signing_key, place.register
    entry = received_grant(register, key.fingerprint, model, owner)
    if entry.grant.owner not in register.verified().values():
        raise RefusedError("score.unverified-owner", "the owner's fingerprint is not verified here",
                           got=entry.grant.owner_name, hint="`sealane node trust NAME FINGERPRINT`")
    accepted = Acceptance(grant=entry.hash, asker=key.fingerprint, accepted_at=to_text(place.home.clock()))
    register.scoring.accept(entry.hash, sign(key, accepted))
    return _told(place, register.scoring.grant(entry.hash))


def end(place: Place, *, grant: str) -> dict[str, Any]:
    """End a grant of either side, for good, and let the other side know."""
    found = [entry for entry in place.register.scoring.grants() if len(grant) >= 8 and entry.hash.startswith(grant)]
    if len(found) != 1:
        raise InputError("score.which-grant", "no grant begins so, or more than one", got=repr(grant[:64]),
                         expected="8 to 64 digits of one that `sealane score list` shows")
    key = place.home.identity().signing_key
    ended = End(grant=found[0].hash, by=key.fingerprint, ended_at=to_text(place.home.clock()))
    place.register.scoring.end(found[0].hash, sign(key, ended))
    return _told(place, place.register.scoring.grant(found[0].hash))


def grants(place: Place) -> list[dict[str, Any]]:
    """List the grants given and received."""
    return [_grant(place, entry) for entry in place.register.scoring.grants()]


def ask_scores(place: Place, *, model: str, dataset: str, owner: str | None = None, first: int = 0,
               last: int | None = None, wait_s: float = 300.0) -> dict[str, Any]:
    """Have rows of a dataset scored by the model of another node."""
    if place.agent is None or not place.agent.connected:
        raise UnavailableError("score.not-serving", "scores come over the node's stream, which is not open",
                               hint="`sealane node serve`, and look at `sealane node status`")
    if not 0 < wait_s <= LONGEST_WAIT_S or first < 0 or (last is not None and last <= first):
        raise InputError("score.bad-rows", "the rows or the wait make no sense",
                         got=f"rows {first}:{last}, {wait_s:g} s", expected=f"FIRST < LAST, up to {LONGEST_WAIT_S:g} s")
    key, desk = place.home.identity().signing_key, place.agent.desk
    entry = received_grant(place.register, key.fingerprint, model, owner)
    fields = fields_of(entry.grant.columns)
    check_permitted(place.register, place.register.dataset(dataset), fields)
    frame = open_dataset(place.register, dataset).frame(fields).iloc[first:last]
    scores = ask(place.register, key, entry, frame, place.home.clock(), lambda parcel: desk.exchange(parcel, wait_s))
    return {"model": model, "owner": entry.grant.owner_name, "dataset": dataset, "first": first,
            "rows": len(frame), "scores": scores.values.tolist(),
            "probabilities": None if scores.probabilities is None else scores.probabilities.tolist(),
            "largest_error": scores.error, "seconds": scores.seconds, "bytes_sent": scores.sent,
            "bytes_received": scores.received}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise UnavailableError("score.file-unreadable", "the node cannot read the model's file",
                               got=f"{path}: {error.strerror}", hint="its owner must be allowed to read it") from None


def _told(place: Place, entry: GrantEntry) -> dict[str, Any]:
    sent = place.agent is not None and place.agent.connected
    if place.agent is not None and sent:
        place.agent.desk.tell(entry)
        place.agent.speak()
    return {**_grant(place, entry), "sent": sent}


def _model(entry: ModelEntry) -> dict[str, Any]:
    columns, form = entry.model.columns, entry.model.form
    return {"name": entry.name, "form": form, "fields": fields_of(columns),
            "columns": encrypted_columns(columns, form), "revealed_by": revealing_rows(columns, form),
            "link": entry.model.link, "whole": entry.model.whole, "added_at": entry.added_at}


def _grant(place: Place, entry: GrantEntry) -> dict[str, Any]:
    one, own = entry.grant, place.home.identity().fingerprint
    used = None
    if Fingerprint(one.owner) == own:
        since = to_text(place.home.clock() - timedelta(days=one.days))
        lately, ever = place.register.scoring.charged(one, since)
        used = {"period": lately, "ever": ever}
    expired = entry.standing != "ended" and to_text(place.home.clock()) >= one.until
    return {"grant": entry.hash, "model": one.model, "owner": one.owner_name, "asker": one.asker_name,
            "mine": used is not None, "standing": "expired" if expired else entry.standing, "rows": one.rows,
            "days": one.days, "total": one.total, "revealed_by": one.revealing, "may_reveal": one.may_reveal,
            "used": used, "until": one.until, "fields": fields_of(one.columns)}


SCORING_COMMANDS: dict[str, Callable[..., Any]] = {
    "score.model.add": checked(model_add), "score.model.list": checked(model_list),
    "score.model.remove": checked(model_remove), "score.grant": checked(grant), "score.accept": checked(accept),
    "score.end": checked(end), "score.list": checked(grants), "score.ask": checked(ask_scores),
}
