"""The policy decision: what was signed, how things stand and what is asked, to a permit or a refusal with its clause.

Pure: storage, clock and network are the caller's. A question is put through the clauses of its moment in order, and
the first that refuses is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sealane.core.clock import from_text
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.agreement import Agreement, verify_agreement
from sealane.governance.limits import Limits, tightest
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Participant, Recipient, Study
from sealane.governance.terms import check_within

Moment = Literal["admission", "cohort", "round", "release", "result"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at this node, whatever was signed.

    Attributes:
        quarantined: why the node refuses everything, or None.
        suspended: whether its own agreement is suspended.
        revoked: whether its own agreement was revoked.
        withdrawn: fingerprints of other institutions whose revocation this node has seen.
        dataset_version: of the agreed dataset as registered now; None where it is registered no more.
    """

    quarantined: str | None = None
    suspended: bool = False
    revoked: bool = False
    withdrawn: frozenset[str] = frozenset()
    dataset_version: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        moment: at which of the gate's moments.
        cohort: fingerprints of the institutions whose rows are to be summed.
        number: of the round, from 0.
        other_runs: how many other runs of the study this node has answered.
        code: hash of the computation as it is installed here.
        outputs: kinds of result that the computation gives.
    """

    moment: Moment
    cohort: frozenset[str]
    number: int = 0
    other_runs: int = 0
    code: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a decision rests on."""

    study: Study
    agreements: Mapping[str, Agreement]
    own: str
    standing: Standing
    request: Request
    now: datetime
    limits: Limits


@dataclass(frozen=True, slots=True)
class Permit:
    """Yes, under these limits."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class Refuse:
    """No, because of one clause."""

    clause: str
    error: RefusedError


def decide(study: Study, agreements: Mapping[str, Agreement], own: str, standing: Standing, request: Request,
           now: datetime, limits: Limits | None = None) -> Permit | Refuse:
    """Decide on a request.

    Args:
        study: what was agreed on.
        agreements: verified, by fingerprint; each participant's.
        own: this node's fingerprint.
        standing: how things stand here.
        request: what is asked.
        now: the present moment.
        limits: what an earlier permit for the same agreements gave, to save taking it out of them again.
    """
    limits = tightest(study, agreements.values()) if limits is None else limits
    case = Case(study, agreements, own, standing, request, now, limits)
    for clause in MOMENTS[request.moment]:
        error = CLAUSES[clause](case)
        if error is not None:
            return Refuse(clause, error)
    return Permit(limits)


def check_approvable(study: Study, *, own_name: str, own_fingerprint: str, verified: Mapping[str, str],
                     now: datetime) -> None:
    """Decide whether this institution may sign the study.

    Args:
        study: what was proposed.
        own_name: this node's name.
        own_fingerprint: of this node's signing key.
        verified: fingerprint by name, for every peer whose fingerprint was checked out of band.
        now: the present moment.

    Raises:
        RefusedError: expired, not a participant, or a peer is unverified or differs from what was verified.
    """
    check_unexpired(study, now)
    own = study.participant(own_name)
    if own is None:
        raise RefusedError("study.not-a-participant", "the study does not name this institution", got=own_name,
                           expected=", ".join(party.name for party in study.participants))
    if own.fingerprint != own_fingerprint:
        raise RefusedError("study.wrong-own-key", "the study names another key for this institution",
                           got=own.fingerprint, expected=own_fingerprint,
                           hint="ask for the study to be proposed again with your present fingerprint")
    known = {**verified, own_name: own_fingerprint}
    parties: list[Participant | Recipient] = [*study.participants, *study.recipients]
    for party in parties:
        if known.get(party.name, party.fingerprint) != party.fingerprint:
            raise RefusedError("study.fingerprint-differs", f"the study names another key for {party.name}",
                               got=party.fingerprint, expected=known[party.name],
                               hint="somebody may be impersonating this party: ask them, not the coordinator")
    missing = [party.name for party in parties if party.name not in known]
    if missing:
        raise RefusedError("study.unverified-peer", "a party's fingerprint has not been verified",
                           got=", ".join(missing), expected="every participant and recipient verified out of band",
                           hint=f"compare it by telephone, then `sealane node trust {missing[0]} FINGERPRINT`")


def check_signatures(study: Study, statements: Sequence[SignedAgreement]) -> dict[str, Agreement]:
    """Return every participant's agreement by fingerprint; each is verified here.

    Raises:
        ProtocolError: one does not verify, or one institution signed two different ones.
        RefusedError: one is missing, or holds a term that is not understood.
    """
    agreed: dict[str, Agreement] = {}
    for signed in statements:
        agreement = verify_agreement(signed, study)
        if agreed.setdefault(agreement.fingerprint, agreement) != agreement:
            raise ProtocolError("agreement.conflicting", "an institution signed two different agreements to one study",
                                got=agreement.node)
    missing = [party.name for party in study.participants if party.fingerprint not in agreed]
    if missing:
        raise RefusedError("run.not-approved", "not every participant has approved the study",
                           got=f"without {', '.join(missing)}",
                           expected=f"{len(study.participants)} approvals",
                           hint=f"see `sealane study show {study.hash[:12]}`")
    return agreed


def check_unexpired(study: Study, now: datetime) -> None:
    """Refuse a study whose time is over.

    Raises:
        RefusedError: it has expired.
    """
    if now >= from_text(study.expires):
        raise _expired(study)


def _expired(study: Study) -> RefusedError:
    return RefusedError("study.expired", "the study has expired", got=study.expires, hint="propose it again")


def revoked_here(study: Study) -> RefusedError:
    """Return the refusal of what this institution has revoked."""
    return RefusedError("study.revoked", "approval of the study was revoked", got=study.name,
                        hint="propose it again if all institutions still want it")


def _quarantine(case: Case) -> RefusedError | None:
    reason = case.standing.quarantined
    return None if reason is None else quarantined(reason)


def quarantined(reason: str) -> RefusedError:
    """Return the refusal of a node that is in quarantine."""
    return RefusedError("node.quarantined", "the node is in quarantine and refuses everything",
                        got=reason or "no reason given", hint="its steward lifts it: `sealane node quarantine --lift`")


def _revocation(case: Case) -> RefusedError | None:
    if case.standing.revoked:
        return revoked_here(case.study)
    names = {party.fingerprint: party.name for party in case.study.participants}
    gone = [names.get(f, f) for f in case.standing.withdrawn & case.request.cohort]
    if gone:
        return RefusedError("agreement.withdrawn-elsewhere", "an institution of the cohort has revoked its agreement",
                            got=", ".join(sorted(gone)), hint="propose a study without it, or settle it with them")
    return None


def _suspension(case: Case) -> RefusedError | None:
    if not case.standing.suspended:
        return None
    return RefusedError("agreement.suspended", "the agreement is suspended", got=case.study.name,
                        hint=f"its steward resumes it: `sealane agreement resume {case.study.hash[:12]}`")


def _time(case: Case) -> RefusedError | None:
    starts, expires = case.limits.starts, case.limits.expires
    if case.now >= from_text(case.study.expires):
        return _expired(case.study)
    if case.now >= from_text(expires.value):
        return RefusedError("agreement.expired", f"the agreement of {expires.whose} has expired", got=expires.value,
                            hint="propose the study again")
    if starts is not None and case.now < from_text(starts.value):
        return RefusedError("agreement.not-yet", f"the agreement of {starts.whose} has not begun",
                            expected=f"from {starts.value}", hint="start the run again then")
    return None


def _terms(case: Case) -> RefusedError | None:
    """Purpose, computation, parameters, participants and declared budget, of every agreement, against the study."""
    try:
        for agreement in case.agreements.values():
            check_within(agreement.terms, case.study)
    except RefusedError as error:
        return error
    return None


def _code(case: Case) -> RefusedError | None:
    installed = case.request.code
    if case.agreements[case.own].terms.code != installed:
        return RefusedError("agreement.code-changed", "the computation installed here is not the one that was agreed",
                            got=installed[:16], expected=case.agreements[case.own].terms.code[:16],
                            hint="Sealane was changed since it was signed: have the study proposed again")
    others = {one.node: one.terms.code for one in case.agreements.values() if one.terms.code != installed}
    if others:
        got = ", ".join(f"{node} {code[:16]}" for node, code in sorted(others.items()))
        return RefusedError("agreement.code-differs", "institutions agreed to different code of the computation",
                            got=got[:300], expected=f"{installed[:16]} as here",
                            hint="install one version of Sealane everywhere, then propose the study again")
    return None


def _dataset(case: Case) -> RefusedError | None:
    own, present = case.agreements[case.own], case.standing.dataset_version
    if present == own.dataset_version:
        return None
    return RefusedError("dataset.changed", f"dataset {own.dataset} is no longer the version that was agreed",
                        got="withdrawn" if present is None else f"version {present[:12]}",
                        expected=f"version {own.dataset_version[:12]}",
                        hint="register that version again, or have the study proposed again")


def _cohort(case: Case) -> RefusedError | None:
    cohort, smallest = case.request.cohort, case.limits.smallest_cohort
    strangers = cohort - set(case.agreements)
    if strangers:
        return RefusedError("run.stranger-in-cohort", "the cohort holds an institution that the study does not name",
                            got=", ".join(sorted(strangers))[:200])
    if case.own not in cohort:
        return RefusedError("run.not-in-cohort", "this institution is not in the cohort", got=f"{len(cohort)} others")
    if len(cohort) < smallest.value:
        return RefusedError("run.cohort-too-small" if smallest.own else "agreement.cohort-too-small",
                            f"the cohort is smaller than the minimum of {smallest.whose}", got=len(cohort),
                            expected=f"at least {smallest.value}",
                            hint="wait until more of the participants are online")
    return None


def _rounds(case: Case) -> RefusedError | None:
    rounds, number = case.limits.rounds, case.request.number
    if 0 <= number < rounds.value:
        return None
    allows = "the study" if rounds.own else f"the agreement of {rounds.whose}"
    return RefusedError("study.rounds-exhausted" if rounds.own else "agreement.rounds-exhausted",
                        f"{allows} allows no further round", got=f"round {number}",
                        expected=f"0 to {rounds.value - 1}",
                        hint="propose it again with larger `rounds` of the study, which are exchanges and not those of "
                             "`[parameters]`: `sealane study check` says how many a run may take")


def _runs(case: Case) -> RefusedError | None:
    runs, others = case.limits.runs, case.request.other_runs
    if others < runs.value:
        return None
    allows = "the study" if runs.own else f"the agreement of {runs.whose}"
    return RefusedError("study.runs-exhausted" if runs.own else "agreement.runs-exhausted",
                        f"{allows} allows no further run", got=f"{others} runs",
                        expected=f"at most {runs.value}", hint="propose a study with more runs")


def _recipients(case: Case) -> RefusedError | None:
    if case.study.recipients and not case.limits.recipients:
        names = {party.fingerprint: party.name for party in case.study.recipients}
        got = ", ".join(f"{node} leaves out {names[f]}" for f, node in sorted(case.limits.barred.items()))
        return RefusedError("agreement.no-recipient", "no recipient is left that every agreement allows", got=got[:300],
                            hint="agree on who may read the result, and propose the study again")
    for one in sorted(case.agreements.values(), key=lambda agreement: agreement.node):
        if one.terms.jurisdictions is not None:
            refusal = abroad(case.limits.recipients, one.terms.jurisdictions)
            if refusal is not None:
                return refusal
    return None


def abroad(recipients: Sequence[Recipient], allowed: Sequence[str]) -> RefusedError | None:
    """Return the refusal of recipients outside the allowed jurisdictions, or for whom the study states none."""
    outside = [f"{party.name} in {party.jurisdiction or 'no stated jurisdiction'}" for party in recipients
               if party.jurisdiction not in allowed]
    if not outside:
        return None
    return RefusedError("agreement.recipient-abroad", "a recipient is not in a jurisdiction that the agreement allows",
                        got=", ".join(outside)[:200], expected=", ".join(allowed),
                        hint="the study states it under [jurisdictions]; leave the recipient out with --recipient")


def _outputs(case: Case) -> RefusedError | None:
    allowed = case.limits.outputs or frozenset()
    extra = sorted(set(case.request.outputs) - allowed)
    if not extra:
        return None
    return RefusedError("agreement.output-not-allowed", "the computation gives a kind of result that is not agreed",
                        got=", ".join(extra), expected=", ".join(sorted(allowed)) or "none",
                        hint="agree on its kinds of result, and propose the study again")


CLAUSES: Mapping[str, Callable[[Case], RefusedError | None]] = {
    "quarantine": _quarantine, "revocation": _revocation, "suspension": _suspension, "time": _time, "terms": _terms,
    "code": _code, "dataset": _dataset, "cohort": _cohort, "rounds": _rounds, "runs": _runs,
    "recipients": _recipients, "outputs": _outputs,
}
"""Every clause by its name; a term of an agreement that none of them reads would be a constraint nobody keeps."""
_ALWAYS = ("quarantine", "revocation", "suspension", "time")
MOMENTS: Mapping[Moment, tuple[str, ...]] = {
    "admission": (*_ALWAYS, "terms", "dataset", "code", "cohort", "runs", "recipients", "outputs"),
    "cohort": (*_ALWAYS, "cohort"),
    "round": (*_ALWAYS, "dataset", "rounds"),
    "release": (*_ALWAYS, "dataset", "cohort", "runs"),
    "result": (*_ALWAYS, "recipients", "outputs"),
}
