"""A settlement goes by the tariff that the node signed for the study; by one given by hand where it signed none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import signed

from sealane.audit.entry import statement_digest
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.governance.agreed_tariff import agreed_tariff, check_tariff, tariff_for
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.statement import Settlement, Side, settle
from sealane.governance.study import Study
from sealane.governance.tariff import Tariff

Build = Callable[..., Study]
Keys = dict[str, SigningKey]
OWN, OTHER = Tariff(currency="EUR", per_run="10"), Tariff(currency="EUR", per_run="99")


def digest(one: SignedAgreement) -> str:
    return statement_digest(one.body, one.public_key, one.signature)


def settlement(study: Study, key: SigningKey, tariff: Tariff, agreement: str | None) -> Settlement:
    sides: Any = {role: Side(name=name, fingerprint=one.fingerprint, signing_key=one.public_key.hex())
                  for role, name, one in (("node", "north", key), ("recipient", "alice", key))}
    return settle(study=study.hash, study_name=study.name, period=("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
                  issued_at="2026-04-02T00:00:00Z", tariff=tariff, agreement=agreement, events=[], **sides)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(SealaneError) as caught:
        call()
    return caught.value.code


def test_a_nodes_own_agreement_is_what_counts(build: Build, keys: Keys) -> None:
    study, key = build(), keys["north"]
    own = signed.agreement(study, key, "north", tariff=OWN)
    others = [signed.agreement(study, keys["south"], "south", tariff=OTHER), signed.refusal(study, key, "north")]
    found = agreed_tariff(study, [*others, own], key.fingerprint)
    assert found is not None
    assert (found.tariff, found.digest) == (OWN, digest(own))
    assert tariff_for(found, None) == (OWN, digest(own))
    assert code_of(lambda: tariff_for(found, OTHER)) == "settlement.tariff-agreed"
    assert agreed_tariff(study, others, key.fingerprint) is None


def test_by_hand_only_where_nothing_was_agreed(build: Build, keys: Keys) -> None:
    study, key = build(), keys["north"]
    bare = agreed_tariff(study, [signed.agreement(study, key, "north")], key.fingerprint)
    for agreed in (bare, None):
        assert tariff_for(agreed, OTHER) == (OTHER, None)
        assert code_of(lambda agreed=agreed: tariff_for(agreed, None)) == "settlement.no-tariff"  # type: ignore[misc]


def test_a_recipient_holds_a_statement_against_what_was_signed(build: Build, keys: Keys) -> None:
    study, key = build(), keys["north"]
    own, bare = (signed.agreement(study, key, "north", tariff=tariff) for tariff in (OWN, None))
    check_tariff(settlement(study, key, OWN, digest(own)), study, [own])
    check_tariff(settlement(study, key, OTHER, None), study, [bare])
    for tariff, named, known in ((OTHER, digest(own), own), (OWN, None, own), (OTHER, None, own),
                                 (OWN, digest(bare), own), (OWN, digest(own), bare)):
        said = settlement(study, key, tariff, named)
        assert code_of(lambda said=said, known=known: check_tariff(  # type: ignore[misc]
            said, study, [known])) == "settlement.tariff-differs"
    elsewhere = signed.agreement(study, keys["south"], "south", tariff=OWN)
    assert code_of(lambda: check_tariff(settlement(study, key, OWN, digest(own)), study, [elsewhere])) == (
        "settlement.agreement-unknown")
