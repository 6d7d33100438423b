"""What a node's operator can ask about what runs used, as commands of a node."""

from __future__ import annotations

from typing import Any

from sealane.core.clock import from_text, to_text
from sealane.errors import InputError
from sealane.governance.agreed_tariff import agreed_tariff, tariff_for
from sealane.governance.metering import MeteredRun, total
from sealane.governance.statement import Side, settle, sign_statement, write_statement
from sealane.governance.study import Study
from sealane.governance.tariff import make_tariff
from sealane.node.meters import meters
from sealane.node.place import Place
from sealane.node.statements import find_study


def metering_show(place: Place, *, study: str | None = None, run: str | None = None) -> dict[str, Any]:
    """Return the metered events of all runs, of a study's, or of runs whose ids begin so, with their totals."""
    found = _events(place, study="" if study is None else _study(place, study).hash, run=run or "")
    return {"events": [event.model_dump(mode="json") for event in found], "totals": total(found).to_dict()}


def metering_statement(place: Place, *, study: str, since: str, until: str, tariff: dict[str, Any] | None = None,
                       recipient: str | None = None) -> dict[str, Any]:
    """Make and sign the statement of a study over a period, for one of its recipients, by the agreed tariff."""
    agreed = _study(place, study)
    period = _moment("from", since), _moment("to", until)
    if from_text(period[0]) >= from_text(period[1]):
        raise InputError("settlement.period", "a period ends after it begins", got=f"{period[0]} to {period[1]}")
    identity = place.home.identity()
    events = [event for event in _events(place, study=agreed.hash)
              if from_text(period[0]) <= from_text(event.ended_at) < from_text(period[1])]
    prices, agreement = tariff_for(
        agreed_tariff(agreed, place.register.statements(agreed.hash), identity.fingerprint),
        None if tariff is None else make_tariff(tariff))
    settlement = settle(
        node=Side(name=identity.name, fingerprint=identity.fingerprint,
                  signing_key=identity.signing_key.public_key.hex()),
        recipient=_recipient(agreed, recipient), study=agreed.hash, study_name=agreed.name, period=period,
        issued_at=to_text(place.home.clock()), tariff=prices, agreement=agreement, events=events)
    signed = sign_statement(identity.signing_key, settlement)
    return {"statement": settlement.model_dump(mode="json"), "file": write_statement(signed).decode("ascii")}


def _events(place: Place, *, study: str = "", run: str = "") -> list[MeteredRun]:
    with meters(place.home.path / "node.sqlite") as kept:
        return kept.events(study=study, run=run)


def _study(place: Place, wanted: str) -> Study:
    return find_study(place.register, wanted)


def _recipient(study: Study, name: str | None) -> Side:
    fitting = [r for r in study.recipients if name in (None, r.name)]
    if len(fitting) != 1:
        raise InputError("settlement.recipient", "not exactly one recipient of the study fits",
                         got=name or "none was named", expected=", ".join(r.name for r in study.recipients),
                         hint="choose one with --recipient NAME")
    one = fitting[0]
    return Side(name=one.name, fingerprint=one.fingerprint, signing_key=one.signing_key)


def _moment(what: str, text: str) -> str:
    """Read a day (its beginning, UTC) or a moment."""
    try:
        return to_text(from_text(f"{text}T00:00:00Z" if len(text) == 10 else text))
    except (ValueError, OverflowError):
        raise InputError("settlement.moment", f"--{what} is no moment", got=repr(text[:40]),
                         expected="a day or a moment, such as 2027-01-31 or 2027-01-31T12:00:00Z") from None
