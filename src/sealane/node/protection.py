"""The node's check of a dataset for a study: graded, good enough, and protected as the grade of its columns asks."""

from __future__ import annotations

from sealane.computations.pricing import price_of
from sealane.computations.registry import get, individual_level, read_parameters
from sealane.computations.requirements import required_columns
from sealane.errors import RefusedError
from sealane.governance.agreement import Agreement
from sealane.governance.dataset_state import check_usable
from sealane.governance.protection import Setting, check_protection
from sealane.governance.quality import check_quality
from sealane.governance.study import Study
from sealane.node.datasets import check_version, contract_of
from sealane.node.lives import IMPORTANT
from sealane.node.register import DatasetEntry, Register


def check_protected(register: Register, study: Study, entry: DatasetEntry, *, own: str, sandboxed: bool,
                    person_approved: bool) -> None:
    """Decide whether a study may use a dataset.

    Args:
        register: the node's register.
        study: that is to be approved, or to run.
        entry: the dataset as it is registered.
        own: fingerprint of this institution.
        sandboxed: whether computations run in a sandbox here.
        person_approved: whether a person here approves, or approved, this very study.

    Raises:
        InputError: the computation is unknown, or a column is no field of the contract.
        RefusedError: the dataset is not graded, under the study's quality floor, or not protected as its grade asks.
    """
    lives = register.lives
    check_usable(entry.name, lives.life(entry.name), entry.version)
    profile = lives.profile_of(entry.name, entry.version)
    labels = lives.labels(entry.name, entry.version)
    columns = required_columns(study.computation, study.parameters, contract_of(entry))
    if profile is None or not set(columns) <= set(labels):
        raise RefusedError("dataset.labels-missing", f"dataset {entry.name} has columns without a label",
                           got=", ".join(name for name in columns if name not in labels)[:200] or "no profile",
                           hint=f"`sealane dataset profile {entry.name}`, then grade it")
    check_quality(entry.name, profile, study.quality_floor)
    filings = {filing.jurisdiction for filing in lives.filings(entry.name)}
    check_protection(study, {name: labels[name].label for name in columns}, Setting(
        individual_level=individual_level(study.computation), noised=_noised(study, entry),
        person_approved=person_approved,
        sandboxed=sandboxed, jurisdiction=lives.jurisdiction(), own=own, filings=frozenset(filings - {IMPORTANT}),
        important_approved=IMPORTANT in filings,
    ))


def _noised(study: Study, entry: DatasetEntry) -> bool:
    """Tell whether what this study releases carries accounted noise: with these parameters, not in principle."""
    parameters = read_parameters(study.computation, study.parameters)
    honest = study.smallest_cohort - study.colluding
    return price_of(get(study.computation), parameters, contract_of(entry), honest) is not None


def check_approved(register: Register, own: str, agreement: Agreement, study: Study, *, sandboxed: bool) -> None:
    """Decide the same again when a run over an approved dataset is offered: labels may have been raised since.

    Raises:
        InputError: the dataset was withdrawn.
        RefusedError: as :func:`check_protected`, or the dataset changed.
    """
    entry = register.dataset(agreement.dataset)
    check_version(entry, agreement.dataset_version)
    check_protected(register, study, entry, own=own, sandboxed=sandboxed, person_approved=True)
