"""What a data steward can ask for about studies and agreements, as plain functions over the node's home."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from sealane.computations.registry import opens
from sealane.core.ids import RUN_ID
from sealane.errors import InputError, RefusedError, SealaneError
from sealane.governance.agreement import Agreement, verify_agreement
from sealane.governance.clauses import clause_of, meaning
from sealane.governance.lifecycle import AgreementState, state_of, step
from sealane.governance.limits import tightest
from sealane.governance.negotiation import standing_of
from sealane.governance.policy import quarantined, revoked_here
from sealane.governance.review import review
from sealane.governance.signed_statement import MAXIMUM_REASON, SignedAgreement, envelope
from sealane.governance.study import Study
from sealane.node.decided import RefusedEntry
from sealane.node.journal import Journal
from sealane.node.outlook import is_spent, outlook
from sealane.node.place import Place, checked
from sealane.node.statements import describe, describe_agreement, find_study
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


@checked
def study_approve(place: Place, *, study: str, dataset: str | None = None, waive_differencing: bool = False,
                  own: dict[str, Any] | None = None) -> dict[str, Any]:
    """Sign a study, and let the coordinator know at once if there is a connection."""
    found = find_study(place.register, study)
    try:
        signed = place.home.decisions().approve(found.hash, dataset=dataset, waive_differencing=waive_differencing,
                                                own=own)
    except SealaneError as error:
        place.register.record_refusal("", found.hash, "approval", clause_of(error), error)
        raise
    return {"name": found.name, "hash": found.hash, **describe(signed, found), "sent": place.speak()}


@checked
def study_refuse(place: Place, *, study: str, reason: str = "") -> dict[str, Any]:
    """Refuse a study or revoke an agreement, let the coordinator know if there is a connection, and stop its runs."""
    found = find_study(place.register, study)
    signed = place.home.decisions().refuse(found.hash, reason)
    sent = place.speak()
    stopped = [] if place.agent is None else place.agent.stop_runs(revoked_here(found), found.hash)
    log(_LOG, "agreement.revoked", study=found.hash, stopped=len(stopped), sent=sent)
    return {"name": found.name, "hash": found.hash, **describe(signed, found), "sent": sent, "stopped": stopped}


@checked
def study_counter(place: Place, *, study: str, changes: dict[str, Any], reason: str) -> dict[str, Any]:
    """Sign a counter-offer, and let the coordinator know at once if there is a connection."""
    found = find_study(place.register, study)
    signed = place.home.decisions().counter(found.hash, changes, reason)
    return {"name": found.name, "hash": found.hash, **describe(signed, found), "sent": place.speak()}


@checked
def study_review(place: Place, *, study: str, dataset: str | None = None,
                 own: dict[str, Any] | None = None) -> dict[str, Any]:
    """Say in plain words what an approval would allow and cost, what differs from this institution's defaults, and why
    it would fail now.
    """
    found = find_study(place.register, study)
    decisions = place.home.decisions()
    terms = decisions.terms(found, own or {})
    said = review(found, terms, decisions.defaults(), opens(found.computation))
    return {"name": found.name, "hash": found.hash, **said, "ledger": _outlook(place, found, dataset),
            "problems": [error.to_dict() for error in decisions.problems(found, dataset)]}


@checked
def agreement_list(place: Place) -> list[dict[str, Any]]:
    """List this institution's agreements, oldest study first, with their states."""
    return [_summary(place, entry.study, agreement) for entry in place.register.studies()
            if (agreement := _own(place, entry.study)) is not None]


@checked
def agreement_show(place: Place, *, study: str) -> dict[str, Any]:
    """Show this institution's agreement to a study, its state, its limits and its envelope."""
    found, agreement = _find(place, study)
    limits = tightest(found, [verify_agreement(one, found) for one in place.register.agreements(found.hash)])
    signed = next(one for one in place.register.statements(found.hash)
                  if isinstance(one, SignedAgreement) and verify_agreement(one, found) == agreement)
    tight = {name: {"value": getattr(limits, name).value, "set_by": getattr(limits, name).whose}
             for name in ("smallest_cohort", "minimum_count", "rounds", "runs", "expires")}
    return {**_summary(place, found, agreement), "agreement": describe_agreement(agreement, found), "limits": tight,
            "recipients": sorted(party.name for party in limits.recipients), "envelope": envelope(signed)}


@checked
def agreement_suspend(place: Place, *, study: str, reason: str = "") -> dict[str, Any]:
    """Put an agreement on hold: the next round is refused, also of a run under way, until it is resumed."""
    found, agreement = _find(place, study)
    step(_state(place, found, agreement), AgreementState.SUSPENDED)
    place.register.standings.suspend(found.hash, _bounded(reason))
    error = RefusedError("agreement.suspended", "the agreement is suspended", got=found.name,
                         hint=f"its steward resumes it: `sealane agreement resume {found.hash[:12]}`")
    stopped = [] if place.agent is None else place.agent.stop_runs(error, found.hash)
    log(_LOG, "agreement.suspended", study=found.hash, stopped=len(stopped))
    return {**_summary(place, found, agreement), "stopped": stopped}


@checked
def agreement_resume(place: Place, *, study: str) -> dict[str, Any]:
    """Take up an agreement that was on hold."""
    found, agreement = _find(place, study)
    step(_state(place, found, agreement), AgreementState.ACTIVE)
    place.register.standings.resume(found.hash)
    log(_LOG, "agreement.resumed", study=found.hash)
    return _summary(place, found, agreement)


@checked
def agreement_revoke(place: Place, *, study: str, reason: str = "") -> dict[str, Any]:
    """Revoke an agreement for good, also in a run under way. What passed the point of no return stays charged."""
    found, agreement = _find(place, study)
    step(_state(place, found, agreement), AgreementState.REVOKED)
    return study_refuse(place, study=found.hash, reason=reason)


@checked
def quarantine(place: Place, *, reason: str = "") -> dict[str, Any]:
    """Refuse everything at once, runs under way included."""
    standings = place.register.standings
    changed = standings.quarantine(_bounded(reason))
    stopped = [] if place.agent is None else place.agent.stop_runs(quarantined(standings.quarantined() or ""))
    log(_LOG, "node.quarantined", changed=changed, stopped=len(stopped))
    return {"quarantined": True, "changed": changed, "stopped": stopped}


@checked
def quarantine_lift(place: Place) -> dict[str, Any]:
    """End the quarantine."""
    changed = place.register.standings.lift()
    log(_LOG, "node.quarantine-lifted", changed=changed)
    return {"quarantined": False, "changed": changed, "stopped": []}


@checked
def why(place: Place, *, wanted: str) -> dict[str, Any]:
    """Return what this node's gate refused about a run or a study, newest first, and what it permitted."""
    if wanted.startswith("r-"):
        if len(wanted) < 5 or not RUN_ID.fullmatch(wanted.ljust(18, "a")):
            raise InputError("run.unknown", "no such run", got=repr(wanted[:40]), expected="r- and 3 or more of its id")
        return {"about": wanted, "refusals": [_refused(one) for one in place.register.standings.refusals(wanted)],
                "permits": place.register.standings.permits(wanted)}
    found = find_study(place.register, wanted)
    return {"about": found.name, "refusals": [_refused(one) for one in place.register.standings.refusals(found.hash)],
            "permits": {}}


COMMANDS: dict[str, Callable[..., Any]] = {
    "study.approve": study_approve, "study.refuse": study_refuse, "study.counter": study_counter,
    "study.review": study_review, "agreement.list": agreement_list, "agreement.show": agreement_show,
    "agreement.suspend": agreement_suspend, "agreement.resume": agreement_resume,
    "agreement.revoke": agreement_revoke, "quarantine": quarantine, "quarantine.lift": quarantine_lift,
    "why": why,
}


def _outlook(place: Place, study: Study, dataset: str | None) -> dict[str, Any]:
    """Return what the ledger says of a run, or the error that keeps a run from being priced, as a steward must see."""
    try:
        return {"outlook": outlook(place.home, study, place.home.decisions().choose(study, dataset)), "error": None}
    except SealaneError as error:
        if dataset is not None:
            raise
        return {"outlook": None, "error": error.to_dict()}


def _own(place: Place, study: Study) -> Agreement | None:
    """Return what this institution signed, also where it was revoked since."""
    own = place.home.identity().fingerprint
    signed = [verify_agreement(one, study) for one in place.register.statements(study.hash)
              if isinstance(one, SignedAgreement)]
    return next((one for one in signed if one.fingerprint == own), None)


def _find(place: Place, wanted: str) -> tuple[Study, Agreement]:
    found = find_study(place.register, wanted)
    agreement = _own(place, found)
    if agreement is None:
        raise InputError("agreement.none", "this institution has no agreement to the study", got=found.name,
                         hint=f"`sealane study review {found.hash[:12]}`, then approve or refuse it")
    return found, agreement


def _state(place: Place, study: Study, agreement: Agreement) -> AgreementState:
    others = [verify_agreement(one, study) for one in place.register.agreements(study.hash)]
    with closing(Journal(place.home.runs_path)) as journal:
        runs = len(journal.runs_released(study.hash))
    return state_of(tightest(study, [agreement, *others]), revoked=place.register.revoked(study.hash), runs=runs,
                    suspended=place.register.standings.suspended(study.hash),
                    spent=is_spent(place.home, study, agreement), now=place.home.clock())


def _summary(place: Place, study: Study, agreement: Agreement) -> dict[str, Any]:
    negotiation = standing_of(study, place.register.statements(study.hash))[agreement.node]
    return {"name": study.name, "hash": study.hash, "state": str(_state(place, study, agreement)),
            "negotiation": str(negotiation),
            "dataset": agreement.dataset, "dataset_version": agreement.dataset_version,
            "signed_at": agreement.signed_at, "expires": agreement.terms.expires}


def _refused(entry: RefusedEntry) -> dict[str, Any]:
    return {"at": entry.at, "run": entry.run, "study": entry.study, "moment": entry.moment, "clause": entry.clause,
            "meaning": meaning(entry.clause), "error": entry.error.to_dict()}


def _bounded(reason: str) -> str:
    if len(reason) > MAXIMUM_REASON:
        raise InputError("refusal.reason-too-long", "the reason is too long", got=f"{len(reason)} characters",
                         expected=f"at most {MAXIMUM_REASON}")
    return reason
