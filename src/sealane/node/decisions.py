"""What this institution says about a study: its agreement, its refusal, its revocation, its counter-offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sealane.computations.installed import code_hash, output_kinds
from sealane.computations.pricing import price_under
from sealane.computations.registry import get, read_parameters
from sealane.computations.requirements import required_columns
from sealane.core.clock import Clock, to_text
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, SealaneError
from sealane.governance.agreement import Agreement, sign_agreement, verify_agreement
from sealane.governance.counter import Counter, amended, sign_counter
from sealane.governance.defaults import Defaults, own_terms, read_defaults, read_options
from sealane.governance.policy import check_approvable, quarantined
from sealane.governance.signed_statement import (
    MAXIMUM_REASON,
    Refusal,
    SignedAgreement,
    SignedCounter,
    SignedRefusal,
    sign_refusal,
)
from sealane.governance.study import Study
from sealane.governance.terms import Terms
from sealane.node.apps import FOLDER, Apps, equipped
from sealane.node.charging import enter_cap
from sealane.node.datasets import open_dataset
from sealane.node.ledger import NodeLedger
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
        ledger: gets the cap that an agreement sets.
        sandboxed: whether computations run in a sandbox here.
        home: where ``defaults.toml`` lies; None for no defaults.
    """

    def __init__(self, register: Register, name: str, key: SigningKey, clock: Clock, ledger: NodeLedger,
                 home: Path | None = None, *, sandboxed: bool = False) -> None:
        self._register = register
        self._ledger = ledger
        self._name = name
        self._key = key
        self._clock = clock
        self._sandboxed = sandboxed
        self._home = home

    def approve(self, study_hash: str, *, dataset: str | None = None, waive_differencing: bool = False,
                own: Mapping[str, Any] | None = None) -> SignedAgreement:
        """Sign a study for one version of one dataset, and remember it; the same agreement again changes nothing.

        Args:
            study_hash: or its first digits.
            dataset: name of a registered dataset; None for the only one under the study's contract.
            waive_differencing: let sums be opened from which this institution's own contribution follows.
            own: narrower terms of this institution; see :class:`sealane.governance.defaults.OwnTerms`.

        Raises:
            InputError: the study, the dataset, the purpose or the computation is unknown, the parameters are not the
                computation's, a column is no field of the contract, or the choice of dataset is open.
            RefusedError: policy says no, the dataset changed, lacks a column, is not graded, too poor or not protected
                as its grade asks, own terms are wider than the study, or something else was signed about this study
                before.
        """
        study = self._register.study(study_hash)
        now = self._clock()
        for check in self._checks(study):
            check()
        entry = self.choose(study, dataset)
        earlier = self._register.own_statement(study.hash)
        terms = self.terms(study, own or {}, waive_differencing=waive_differencing)
        if isinstance(earlier, SignedAgreement):
            return self._same(study, earlier, entry, terms, own or {})
        self._check_rows(study, entry)
        agreement = Agreement(
            study=study.hash, node=self._name, fingerprint=self._key.fingerprint, dataset=entry.name,
            dataset_version=entry.version, terms=terms, signed_at=to_text(now))
        enter_cap(self._ledger, agreement, study)  # first: no agreement is ever without the cap that it promises
        signed = sign_agreement(self._key, agreement)
        self._register.record_statement(study.hash, signed)
        return signed

    def problems(self, study: Study, dataset: str | None = None) -> list[SealaneError]:
        """Return everything for which :meth:`approve` would fail now, its terms aside; nothing once it is approved."""
        if isinstance(self._register.own_statement(study.hash), SignedAgreement):
            return []
        def check_rows() -> None:
            self._check_rows(study, self.choose(study, dataset))

        found = []
        for check in [*self._checks(study), check_rows]:
            try:
                check()
            except SealaneError as error:
                found.append(error)
        return found

    def terms(self, study: Study, own: Mapping[str, Any], *, waive_differencing: bool = False) -> Terms:
        """Return the terms that :meth:`approve` would sign now.

        Raises:
            InputError: an option is malformed, or the computation is unknown here.
            RefusedError: the defaults do not allow it, or an option is wider than the study.
        """
        computation = get(study.computation)
        return own_terms(study, code_hash(computation), output_kinds(computation), self.defaults(),
                         read_options(own), waives_differencing=waive_differencing, now=self._clock())

    def defaults(self) -> Defaults:
        """Return the institution's defaults.

        Raises:
            InputError: the file is malformed.
        """
        return Defaults() if self._home is None else read_defaults(self._home)

    def refuse(self, study_hash: str, reason: str = "") -> SignedRefusal:
        """Sign a refusal, which also revokes an agreement, and remember it; a second one changes nothing.

        Nothing but the study's being known is asked for: a refusal must always be possible.

        Raises:
            InputError: the study is unknown, does not name this institution, or the reason is too long.
        """
        study = self._named(study_hash, reason)
        earlier = self._register.own_statement(study.hash)
        if isinstance(earlier, SignedRefusal):
            return earlier
        signed = sign_refusal(self._key, Refusal(study=study.hash, node=self._name, fingerprint=self._key.fingerprint,
                                                 reason=reason, refused_at=to_text(self._clock())))
        self._register.record_statement(study.hash, signed)
        return signed

    def counter(self, study_hash: str, changes: Mapping[str, Any], reason: str) -> SignedCounter:
        """Sign a counter-offer: which changes this institution wishes for, and why. It decides nothing.

        Raises:
            InputError: the study is unknown or does not name this institution, or a change cannot be made.
            RefusedError: this institution has signed or refused the study already.
        """
        study = self._named(study_hash, reason)
        self._check_free()
        if self._register.own_statement(study.hash) is not None:
            raise RefusedError("counter.decided-before", "this institution has decided on the study already",
                               got=study.hash[:16], hint="refuse it to withdraw, then have another study proposed")
        wished = amended(study, dict(changes))
        check_purpose(wished.sector, wished.purpose)
        read_parameters(wished.computation, wished.parameters)
        signed = sign_counter(self._key, Counter(
            study=study.hash, node=self._name, fingerprint=self._key.fingerprint, changes=dict(changes),
            reason=reason, offered_at=to_text(self._clock())))
        self._register.record_statement(study.hash, signed)
        return signed

    def _named(self, study_hash: str, reason: str) -> Study:
        study = self._register.study(study_hash)
        if len(reason) > MAXIMUM_REASON:
            raise InputError("refusal.reason-too-long", "the reason is too long", got=f"{len(reason)} characters",
                             expected=f"at most {MAXIMUM_REASON}")
        party = study.participant(self._name)
        if party is None or party.fingerprint != self._key.fingerprint:
            raise InputError("study.nothing-to-refuse", "the study does not name this institution", got=self._name,
                             hint="there is nothing to refuse: it cannot run here")
        return study

    def _checks(self, study: Study) -> list[Callable[[], None]]:
        """Return what has to hold of a study before it can be approved, whichever dataset takes part."""
        return [self._check_free, lambda: self._check_parties(study),
                lambda: check_purpose(study.sector, study.purpose), lambda: self._check_not_refused(study)]

    def _check_parties(self, study: Study) -> None:
        check_approvable(study, own_name=self._name, own_fingerprint=self._key.fingerprint,
                         verified=self._register.verified(), now=self._clock())

    def _check_not_refused(self, study: Study) -> None:
        if isinstance(self._register.own_statement(study.hash), SignedRefusal):
            raise RefusedError("study.refused-before", "this institution has refused the study, which is final",
                               got=study.hash[:16], hint="have it proposed again: a new proposal has a new hash")

    def _check_rows(self, study: Study, entry: DatasetEntry) -> None:
        """Check that a dataset may be used, has what the computation reads, and that a run costs what was promised."""
        check_protected(self._register, study, entry, own=self._key.fingerprint, sandboxed=self._sandboxed,
                        person_approved=True)
        computation, parameters = get(study.computation), read_parameters(study.computation, study.parameters)
        if self._home is not None:
            equipped(computation, parameters, Apps(self._home / FOLDER).find)
        opened = open_dataset(self._register, entry.name, entry.version)
        opened.require(required_columns(study.computation, study.parameters, opened.contract))
        price_under(study, computation, parameters, opened.contract)

    def _check_free(self) -> None:
        reason = self._register.standings.quarantined()
        if reason is not None:
            raise quarantined(reason)

    def choose(self, study: Study, dataset: str | None) -> DatasetEntry:
        """Return the dataset that :meth:`approve` would sign for.

        Raises:
            InputError: there is no such dataset, or the choice is open.
            RefusedError: it is under another contract.
        """
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

    def _same(self, study: Study, earlier: SignedAgreement, entry: DatasetEntry, terms: Terms,
              own: Mapping[str, Any]) -> SignedAgreement:
        """Return the earlier signature if it says the same; ends that follow from the clock may differ."""
        signed = verify_agreement(earlier, study)
        again = terms if "expires" in own else replace(terms, expires=signed.terms.expires)
        if (signed.dataset, signed.dataset_version, signed.terms) != (entry.name, entry.version, again):
            raise RefusedError("study.approved-otherwise", "this institution approved the study on other terms already",
                               got=f"{signed.dataset} version {signed.dataset_version[:12]}, "
                                   f"differencing waived: {signed.waives_differencing}",
                               expected=f"{entry.name} version {entry.version[:12]}, differencing waived: "
                                        f"{terms.waives_differencing}, the same own terms",
                               hint="refuse it, and have it proposed again")
        return earlier
