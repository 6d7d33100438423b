"""What the grade of the columns used asks of a study, and whether the study gives it: pure, and the node's last word.

The clauses follow the grades of JR/T 0197-2020 and the tiers of GB/T 43697-2024. They are a default, not legal advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sealane.errors import RefusedError
from sealane.governance.classification import PERSONAL, SENSITIVE, Label
from sealane.governance.study import Participant, Recipient, Study

FEWEST_INSTITUTIONS = 3
FEWEST_ROWS = 10
SECURE_SCHEMES = frozenset(("masking", "rlwe"))


@dataclass(frozen=True, slots=True)
class Protection:
    """The least protection of a set of columns.

    Attributes:
        forbidden: never used in a study.
        cohort: a minimum cohort of three institutions, and no party across a border without a filing.
        secure: sums are secured, cells rest on a minimum count, models of single people carry noise.
        sandboxed: a person approves each study, and the computation runs in a sandbox.
        important: an approval of the use is on record, and nobody abroad receives anything.
    """

    forbidden: bool = False
    cohort: bool = False
    secure: bool = False
    sandboxed: bool = False
    important: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds at this node for the study in question.

    Attributes:
        individual_level: whether the computation releases a model that may remember single people.
        noised: whether what it releases carries accounted noise (differential privacy).
        person_approved: whether a person here approved this very study.
        sandboxed: whether computations run in a sandbox here.
        jurisdiction: ISO 3166-1 alpha-2 code of this institution; None where its steward set none.
        own: fingerprint of this institution.
        filings: jurisdictions that a filing is on record for.
        important_approved: whether an approval of the use of important data is on record.
    """

    individual_level: bool
    noised: bool
    person_approved: bool
    sandboxed: bool
    jurisdiction: str | None
    own: str
    filings: AbstractSet[str] = frozenset()
    important_approved: bool = False


def required_protection(labels: Iterable[Label]) -> Protection:
    """Return the least protection of columns with these labels: the strictest of each.

    | label | asks for |
    |---|---|
    | grade 1 | nothing |
    | grade 2 | ``cohort`` |
    | grade 3, or personal | also ``secure`` |
    | grade 4, or sensitive | also ``sandboxed`` |
    | important | all of these, and ``important`` |
    | grade 5, or core | ``forbidden`` |
    """
    used = list(labels)
    important = any(label.tier == "important" for label in used)
    forbidden = any(label.grade >= 5 or label.tier == "core" for label in used)
    sandboxed = important or any(label.grade >= 4 or label.category in SENSITIVE for label in used)
    secure = sandboxed or any(label.grade >= 3 or label.category in PERSONAL for label in used)
    cohort = secure or any(label.grade >= 2 for label in used)
    return Protection(forbidden, cohort, secure, sandboxed, important)


def check_protection(study: Study, labels: Mapping[str, Label], setting: Setting) -> None:
    """Decide whether a study protects the columns that it uses.

    Args:
        study: that is to be approved, or to run.
        labels: of the columns that it uses, by field.
        setting: what holds here.

    Raises:
        RefusedError: a clause is not kept; its code names the clause.
    """
    need = required_protection(labels.values())
    worst = max(labels, key=lambda name: labels[name].rank, default="")
    what = f"{worst} is {labels[worst]}" if labels else "no column"
    if need.forbidden:
        raise RefusedError("protection.core-data", "the study uses core data, which is never used", got=what,
                           expected="columns under grade 5", hint="leave the column out")
    if need.cohort:
        _check_cohort(study, what)
        _check_borders(study, setting, what)
    if need.secure:
        _check_secure(study, setting, what)
    if need.sandboxed:
        _check_sandbox(setting, what)
    if need.important:
        _check_important(study, setting, what)


def _check_cohort(study: Study, what: str) -> None:
    if study.smallest_cohort < FEWEST_INSTITUTIONS:
        raise RefusedError("protection.cohort-too-small", "the grade asks for a larger minimum cohort",
                           got=f"{study.smallest_cohort}; {what}", expected=f"at least {FEWEST_INSTITUTIONS}",
                           hint="propose it with more institutions, or use columns of grade 1")


def _check_secure(study: Study, setting: Setting, what: str) -> None:
    if study.scheme not in SECURE_SCHEMES:
        raise RefusedError("protection.scheme-not-secure", "the grade asks for secure aggregation",
                           got=f"{study.scheme}; {what}", expected=" or ".join(sorted(SECURE_SCHEMES)))
    if study.minimum_count < FEWEST_ROWS:
        raise RefusedError("protection.count-too-small", "the grade asks for a larger minimum count",
                           got=f"{study.minimum_count}; {what}", expected=f"at least {FEWEST_ROWS}",
                           hint=f"propose it with minimum_count = {FEWEST_ROWS} or more")
    if setting.individual_level and not setting.noised:
        raise RefusedError("protection.noise-missing", "the grade asks for differential privacy on models of "
                           "single people", got=f"{study.computation} without noise; {what}",
                           hint="propose a computation that releases aggregates, or one with accounted noise")


def _check_sandbox(setting: Setting, what: str) -> None:
    if not setting.person_approved:
        raise RefusedError("protection.person-missing", "the grade asks for a person's approval of each study",
                           got=f"none; {what}", hint="`sealane study approve` at this node")
    if not setting.sandboxed:
        raise RefusedError("protection.sandbox-missing", "the grade asks for a sandbox, which this node does not run",
                           got=what, expected="computations in a sandbox",
                           hint="leave the column out, or lower its grade with a reason if the label is wrong")


def _check_important(study: Study, setting: Setting, what: str) -> None:
    if not setting.important_approved:
        raise RefusedError("protection.approval-missing", "important data asks for an approval on record", got=what,
                           hint="`sealane dataset filing NAME --important --reference TEXT`")
    foreign = _abroad(study.recipients, setting)
    if foreign:
        raise RefusedError("protection.foreign-recipient", "important data goes to no recipient abroad",
                           got="; ".join(f"{party.name} in {party.jurisdiction or 'no stated jurisdiction'}"
                                         for party in foreign),
                           expected=f"recipients in {setting.jurisdiction or 'one jurisdiction'}",
                           hint="leave the column out, or the recipient")


def _check_borders(study: Study, setting: Setting, what: str) -> None:
    own = next((party for party in study.participants if party.fingerprint == setting.own), None)
    if own is not None and own.jurisdiction not in (None, setting.jurisdiction):
        raise RefusedError("protection.own-jurisdiction", "the study names another jurisdiction for this institution",
                           got=own.jurisdiction, expected=setting.jurisdiction or "none is set here",
                           hint="`sealane node jurisdiction CODE` sets this institution's")
    others = [party for party in study.participants if party.fingerprint != setting.own]
    for party in _abroad([*study.recipients, *others], setting):
        if party.jurisdiction is None or party.jurisdiction not in setting.filings:
            raise RefusedError(
                "protection.border-without-filing", f"{party.name} is across a border without a recorded filing",
                got=f"{party.jurisdiction or 'no stated jurisdiction'}; {what}",
                expected=f"{setting.jurisdiction or 'no stated jurisdiction'}, or a filing",
                hint="name it under [jurisdictions] in the study" if party.jurisdiction is None
                else f"`sealane dataset filing NAME --recipient-jurisdiction {party.jurisdiction} --reference TEXT`")


def _abroad(parties: Iterable[Participant | Recipient], setting: Setting) -> list[Participant | Recipient]:
    """Return the parties that are not known to be where this institution is; other participants read the sums too."""
    return [party for party in parties
            if party.fingerprint != setting.own and party.jurisdiction != setting.jurisdiction]
