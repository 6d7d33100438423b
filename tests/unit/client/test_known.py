"""An analyst's own memory does not change because the coordinator says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealane.client.known import Known
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError
from sealane.governance.study import Participant, Study, make_study

KEYS = {name: SigningKey(Secret(name.encode().ljust(32))) for name in ("north", "south", "west")}


def study(**changes: str) -> Study:
    participants = [Participant(name=n, fingerprint=changes.get(n, k.fingerprint)) for n, k in KEYS.items()]
    return make_study(name="s", sector="finance", purpose="credit-risk", computation="glm.fit", parameters={},
                      data_contract="finance.credit-application/v1", participants=participants,
                      expires=datetime(2030, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_the_first_fingerprint_stays(tmp_path: Path) -> None:
    known = Known(tmp_path)
    assert sorted(known.pin(study().participants)) == ["north", "south", "west"]
    known.trust("north", KEYS["north"].fingerprint)
    assert sorted(Known(tmp_path).pin(study().participants)) == ["south", "west"]
    other = SigningKey(Secret(b"o" * 32)).fingerprint
    with pytest.raises(RefusedError) as caught:
        known.pin(study(south=other).participants)
    assert caught.value.code == "study.fingerprint-differs"
    known.trust("south", other)  # the institution itself said so
    assert known.pin(study(south=other).participants) == ["west"]


def test_only_results_of_known_studies_are_believed(tmp_path: Path) -> None:
    known = Known(tmp_path)
    with pytest.raises(RefusedError) as caught:
        known.check(study())
    assert caught.value.code == "result.unverified-study"
    known.remember(study())
    known.check(study())
    forged = study(west=SigningKey(Secret(b"f" * 32)).fingerprint)
    with pytest.raises(RefusedError):
        known.check(forged)
    for name, key in KEYS.items():
        known.trust(name, key.fingerprint)
    with pytest.raises(RefusedError):
        known.check(forged)


def test_a_recipient_who_compared_all_fingerprints_needs_no_proposal_of_its_own(tmp_path: Path) -> None:
    known = Known(tmp_path)
    for name, key in KEYS.items():
        known.trust(name, key.fingerprint)
    known.check(study())


def test_malformed_files_and_values(tmp_path: Path) -> None:
    known = Known(tmp_path)
    with pytest.raises(InputError):
        known.trust("north", "not-a-fingerprint")
    (tmp_path / "known.json").write_bytes(b'{"peers":{}}')
    with pytest.raises(InputError) as caught:
        known.peers()
    assert caught.value.code == "known.malformed"
