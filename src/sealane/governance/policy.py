"""The node's decisions over a study, as pure functions: may I approve, may this run start, may this round go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from sealane.core.clock import from_text
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.approval import Approval, SignedApproval, verify_approval
from sealane.governance.study import Participant, Recipient, Study


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


def check_run(study: Study, approvals: Sequence[SignedApproval], *, own_fingerprint: str, cohort: AbstractSet[str],
              now: datetime) -> dict[str, Approval]:
    """Decide whether a run over ``cohort`` may start, and return every participant's approval by fingerprint.

    Args:
        study: what was approved.
        approvals: as relayed; each is verified here.
        own_fingerprint: of this node's signing key.
        cohort: fingerprints of the institutions whose rows are to be summed.
        now: the present moment.

    Raises:
        ProtocolError: an approval does not verify, or one institution signed two different ones.
        RefusedError: expired, an approval is missing, or the cohort is not allowed.
    """
    check_unexpired(study, now)
    approved: dict[str, Approval] = {}
    for signed in approvals:
        approval = verify_approval(signed, study)
        if approved.setdefault(approval.fingerprint, approval) != approval:
            raise ProtocolError("approval.conflicting", "an institution signed two different approvals of one study",
                                got=approval.node)
    missing = [party.name for party in study.participants if party.fingerprint not in approved]
    if missing:
        raise RefusedError("run.not-approved", "not every participant has approved the study",
                           got=f"without {', '.join(missing)}",
                           expected=f"{len(study.participants)} approvals",
                           hint=f"see `sealane study show {study.hash[:12]}`")
    strangers = cohort - set(approved)
    if strangers:
        raise RefusedError("run.stranger-in-cohort", "the cohort holds an institution that the study does not name",
                           got=", ".join(sorted(strangers))[:200])
    if own_fingerprint not in cohort:
        raise RefusedError("run.not-in-cohort", "this institution is not in the cohort", got=f"{len(cohort)} others")
    if len(cohort) < study.smallest_cohort:
        raise RefusedError("run.cohort-too-small", "the cohort is smaller than the study's minimum", got=len(cohort),
                           expected=f"at least {study.smallest_cohort}",
                           hint="wait until more of the participants are online")
    return approved


def check_round(study: Study, *, revoked: bool, number: int, now: datetime) -> None:
    """Decide whether the round of that number (from 0) may go on.

    Raises:
        RefusedError: revoked, expired, or past the number of rounds agreed.
    """
    if revoked:
        raise RefusedError("study.revoked", "approval of the study was revoked", got=study.name,
                           hint="propose it again if all institutions still want it")
    check_unexpired(study, now)
    if not 0 <= number < study.rounds:
        raise RefusedError("study.rounds-exhausted", "the study allows no further round", got=f"round {number}",
                           expected=f"0 to {study.rounds - 1}", hint="propose a study with more rounds")


def check_unexpired(study: Study, now: datetime) -> None:
    """Refuse a study whose time is over.

    Raises:
        RefusedError: it has expired.
    """
    if now >= from_text(study.expires):
        raise RefusedError("study.expired", "the study has expired", got=study.expires, hint="propose it again")
