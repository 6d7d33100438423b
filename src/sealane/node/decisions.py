"""What this institution says about a study: its approval, its refusal, its revocation."""

from __future__ import annotations

from sealane.computations.pricing import price_under
from sealane.computations.registry import get, read_parameters
from sealane.computations.requirements import required_columns
from sealane.core.clock import Clock, to_text
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError
from sealane.governance.approval import (
    MAXIMUM_REASON,
    Approval,
    Refusal,
    SignedApproval,
    SignedRefusal,
    sign_approval,
    sign_refusal,
    verify_approval,
)
from sealane.governance.policy import check_approvable
from sealane.governance.study import Study
from sealane.node.datasets import open_dataset
from sealane.node.protection import check_protected
from sealane.node.register import DatasetEntry, Register
from sealane.sectors.registry import check_purpose


class Decisions:
    """The steward's side of one node.

    Args:
        register: the node's register.
        name: this node's name.
        key: its signing key.
        clock: tells the time.
        sandboxed: whether computations run in a sandbox here.
    """

    def __init__(self, register: Register, name: str, key: SigningKey, clock: Clock, *, sandboxed: bool = False
                 ) -> None:
        self._register = register
        self._name = name
        self._key = key
        self._clock = clock
        self._sandboxed = sandboxed

    def approve(self, study_hash: str, *, dataset: str | None = None,
                waive_differencing: bool = False) -> SignedApproval:
        """Sign a study for one version of one dataset, and remember it; the same approval again changes nothing.

        Args:
            study_hash: or its first digits.
            dataset: name of a registered dataset; None for the only one under the study's contract.
            waive_differencing: let sums be opened from which this institution's own contribution follows.

        Raises:
            InputError: the study, the dataset, the purpose or the computation is unknown, the parameters are not the
                computation's, a column is no field of the contract, or the choice of dataset is open.
            RefusedError: policy says no, the dataset changed, lacks a column, is not graded, too poor or not protected
                as its grade asks, or something else was signed about this study before.
        """
        study = self._register.study(study_hash)
        now = self._clock()
        check_approvable(study, own_name=self._name, own_fingerprint=self._key.fingerprint,
                         verified=self._register.verified(), now=now)
        check_purpose(study.sector, study.purpose)
        entry = self._choose(study, dataset)
        earlier = self._register.own_statement(study.hash)
        if isinstance(earlier, SignedRefusal):
            raise RefusedError("study.refused-before", "this institution has refused the study, which is final",
                               got=study.hash[:16], hint="have it proposed again: a new proposal has a new hash")
        if isinstance(earlier, SignedApproval):
            return self._same(study, earlier, entry, waive_differencing)
        check_protected(self._register, study, entry, own=self._key.fingerprint, sandboxed=self._sandboxed,
                        person_approved=True)
        opened = open_dataset(self._register, entry.name, entry.version)
        opened.require(required_columns(study.computation, study.parameters, opened.contract))
        price_under(study, get(study.computation), read_parameters(study.computation, study.parameters),
                    opened.contract)
        signed = sign_approval(self._key, Approval(
            study=study.hash, node=self._name, fingerprint=self._key.fingerprint, dataset=entry.name,
            dataset_version=entry.version, waives_differencing=waive_differencing, approved_at=to_text(now),
        ))
        self._register.record_statement(study.hash, signed)
        return signed

    def refuse(self, study_hash: str, reason: str = "") -> SignedRefusal:
        """Sign a refusal, which also revokes an approval, and remember it; a second one changes nothing.

        Nothing but the study's being known is asked for: a refusal must always be possible.

        Raises:
            InputError: the study is unknown, does not name this institution, or the reason is too long.
        """
        study = self._register.study(study_hash)
        if len(reason) > MAXIMUM_REASON:
            raise InputError("refusal.reason-too-long", "the reason is too long", got=f"{len(reason)} characters",
                             expected=f"at most {MAXIMUM_REASON}")
        party = study.participant(self._name)
        if party is None or party.fingerprint != self._key.fingerprint:
            raise InputError("study.nothing-to-refuse", "the study does not name this institution", got=self._name,
                             hint="there is nothing to refuse: it cannot run here")
        earlier = self._register.own_statement(study.hash)
        if isinstance(earlier, SignedRefusal):
            return earlier
        signed = sign_refusal(self._key, Refusal(study=study.hash, node=self._name, fingerprint=self._key.fingerprint,
                                                 reason=reason, refused_at=to_text(self._clock())))
        self._register.record_statement(study.hash, signed)
        return signed

    def _choose(self, study: Study, dataset: str | None) -> DatasetEntry:
        fitting = self._register.datasets(study.data_contract)
        if dataset is not None:
            entry = self._register.dataset(dataset)
            if entry not in fitting:
                raise RefusedError("dataset.other-contract", "the dataset is under another contract than the study",
                                   got=entry.contract_id, expected=study.data_contract)
            return entry
        if len(fitting) != 1:
            names = ", ".join(entry.name for entry in fitting)
            raise InputError("dataset.choice-open", "not exactly one dataset is under the study's contract",
                             got=names or "none", expected=f"one under {study.data_contract}",
                             hint="choose one with --dataset NAME" if fitting
                             else f"`sealane dataset add NAME --from SOURCE --contract {study.data_contract}`")
        return fitting[0]

    def _same(self, study: Study, earlier: SignedApproval, entry: DatasetEntry, waive: bool) -> SignedApproval:
        signed = verify_approval(earlier, study)
        if (signed.dataset, signed.dataset_version, signed.waives_differencing) != (entry.name, entry.version, waive):
            raise RefusedError("study.approved-otherwise", "this institution approved the study on other terms already",
                               got=f"{signed.dataset} version {signed.dataset_version[:12]}, "
                                   f"differencing waived: {signed.waives_differencing}",
                               expected=f"{entry.name} version {entry.version[:12]}, differencing waived: {waive}",
                               hint="refuse it, and have it proposed again")
        return earlier
