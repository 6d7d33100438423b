"""The steward's acts on a registered dataset: look at what is proposed, decide labels, publish, record a filing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sealane.errors import InputError, RefusedError
from sealane.governance.classification import Label
from sealane.governance.dataset_state import Phase
from sealane.governance.grade import Decided, Standing, decide, stand
from sealane.node.datasets import contract_of
from sealane.node.lives import IMPORTANT, Filing
from sealane.node.register import Register
from sealane.sectors.registry import grading

MAXIMUM_REFERENCE = 200
_CODE = re.compile("[A-Z]{2}")


def proposals(register: Register, name: str) -> dict[str, Standing]:
    """Return the labels that are proposed for the registered version of a dataset.

    Raises:
        InputError: unknown.
        RefusedError: this version was not profiled.
    """
    entry = register.dataset(name)
    lives = register.lives
    profile = lives.profile_of(name, entry.version)
    if profile is None:
        raise RefusedError("dataset.not-profiled", f"dataset {name} was not profiled in its present version",
                           got=entry.version[:16], hint=f"`sealane dataset profile {name}` first")
    found = {field: [kind for kind, rows in kinds.items() if rows != 0] for field, kinds in profile.found.items()}
    return stand(grading(entry.contract_id).propose(contract_of(entry), found),
                 earlier=lives.labels_before(name, entry.version), inputs=lives.inputs(name, entry.version))


def grade(register: Register, name: str, *, accept: bool = False, changes: Mapping[str, Label] | None = None,
          reason: str = "", review: str = "") -> dict[str, Decided]:
    """Decide the labels of a dataset's registered version, and return them.

    Args:
        register: the node's register.
        name: of the dataset.
        accept: take what is proposed for every field that ``changes`` does not speak of.
        changes: the steward's own labels.
        reason: for protecting less than is proposed.
        review: for grading derived data under what it was derived from.

    Raises:
        InputError: the dataset or a field is unknown.
        RefusedError: not profiled, a field without a label, or lowered without a reason.
    """
    entry = register.dataset(name)
    decided = decide(proposals(register, name), register.lives.labels(name, entry.version), accept=accept,
                     changes=changes or {}, reason=reason, review=review)
    register.lives.grade(name, entry.version, decided)
    return decided


def publish(register: Register, name: str) -> int:
    """Note that a dataset's metadata are offered to others, and return its grade: the strictest of its fields.

    Raises:
        InputError: unknown.
        RefusedError: not graded.
    """
    version = register.dataset(name).version
    register.lives.publish(name)
    return max(decided.label.grade for decided in register.lives.labels(name, version).values())


def file(register: Register, name: str, *, jurisdiction: str | None, important: bool, reference: str) -> Filing:
    """Record a filing for recipients in a jurisdiction, or an approval of the use of important data.

    Raises:
        InputError: the dataset is unknown, not exactly one of the two is asked for, or a value is malformed.
    """
    register.dataset(name)
    if (jurisdiction is None) != important:
        raise InputError("filing.kind-open", "a filing is for a jurisdiction or for important data",
                         got="both" if important else "neither",
                         expected="--recipient-jurisdiction CODE or --important",
                         hint="record two filings if both were made")
    if not 1 <= len(reference.strip()) <= MAXIMUM_REFERENCE:
        raise InputError("filing.reference-malformed", "a filing names its reference",
                         got=f"{len(reference)} characters", expected=f"1 to {MAXIMUM_REFERENCE}")
    where = IMPORTANT if jurisdiction is None else check_jurisdiction(jurisdiction)
    return register.lives.file(name, where, reference.strip())


def check_jurisdiction(code: str) -> str:
    """Return a country's code if it looks like one.

    Raises:
        InputError: it is not two capital letters.
    """
    if not _CODE.fullmatch(code):
        raise InputError("jurisdiction.malformed", "a jurisdiction is malformed", got=repr(code[:20]),
                         expected="an ISO 3166-1 alpha-2 code such as CN", hint="two capital letters")
    return code


def phase(register: Register, name: str) -> str:
    """Return the phase of a dataset in one word."""
    life = register.lives.life(name)
    return Phase.REGISTERED.value if life is None else life.phase.value
