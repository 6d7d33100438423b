from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import signed

from sealane.core.clock import ManualClock
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError
from sealane.governance.signed_statement import SignedAgreement, SignedRefusal
from sealane.governance.study import Study
from sealane.node.register import DatasetEntry, Register

Keys = dict[str, SigningKey]
Make = Callable[..., Study]


def approval(study: Study, keys: Keys, name: str, dataset: str = "loans") -> SignedAgreement:
    return signed.agreement(study, keys[name], name, dataset=dataset)


def refusal(study: Study, keys: Keys, name: str, reason: str = "") -> SignedRefusal:
    return signed.refusal(study, keys[name], name, reason)


def test_trusted_peers(register: Register, keys: Keys) -> None:
    shown = "-".join(keys["south"].fingerprint[i:i + 4] for i in range(0, 52, 4)).upper()
    register.trust("south", shown)
    assert register.verified() == {"south": keys["south"].fingerprint}
    register.trust("south", keys["west"].fingerprint)
    assert register.verified() == {"south": keys["west"].fingerprint}
    assert register.distrust("south")
    assert not register.distrust("south")
    for name, fingerprint in (("South!", keys["south"].fingerprint), ("south", "abc")):
        with pytest.raises(InputError):
            register.trust(name, fingerprint)


def test_studies(register: Register, make: Make) -> None:
    one, two = make(), make(name="other")
    assert register.record_study(one.canonical(), "analyst") == one
    register.record_study(one.canonical(), "somebody-else")
    register.record_study(two.canonical())
    assert register.study(one.hash) == one
    assert register.study(one.hash[:8]) == one
    proposers = {entry.study.name: entry.proposer for entry in register.studies()}
    assert proposers == {"scorecard": "analyst", "other": ""}
    for unknown in ("0" * 64, one.hash[:7], "%%%%%%%%", ""):
        with pytest.raises(InputError) as caught:
            register.study(unknown)
        assert caught.value.code == "study.unknown"
    with pytest.raises(InputError):
        register.record_study(b"{}")


def test_statements_are_verified_and_kept_once(register: Register, make: Make, keys: Keys) -> None:
    study = register.record_study(make().canonical())
    said = approval(study, keys, "south")
    register.record_statement(study.hash, said)
    register.record_statement(study.hash, said)
    assert register.statements(study.hash) == [said]
    with pytest.raises(ProtocolError) as caught:
        register.record_statement(study.hash, approval(study, keys, "south", "other"))
    assert caught.value.code == "agreement.conflicting"
    with pytest.raises(ProtocolError) as caught:
        register.record_statement(study.hash, replace(approval(study, keys, "west"), signature=b"\0" * 64))
    assert caught.value.code == "signature.invalid"
    with pytest.raises(ProtocolError) as caught:
        register.record_statement(study.hash, approval(make(name="other"), keys, "west"))
    assert caught.value.code == "statement.other-study"
    with pytest.raises(InputError):
        register.record_statement("0" * 64, said)
    assert register.statements(study.hash) == [said]


def test_a_refusal_outweighs_an_approval_whatever_came_first(register: Register, make: Make, keys: Keys) -> None:
    study = register.record_study(make().canonical())
    register.record_statement(study.hash, refusal(study, keys, "west"))
    register.record_statement(study.hash, approval(study, keys, "west"))
    register.record_statement(study.hash, approval(study, keys, "south"))
    register.record_statement(study.hash, refusal(study, keys, "south"))
    own = approval(study, keys, "north")
    register.record_statement(study.hash, own)
    assert register.agreements(study.hash) == [own]
    assert register.own_statement(study.hash) == own
    assert not register.revoked(study.hash)
    no = refusal(study, keys, "north")
    register.record_statement(study.hash, no)
    assert register.own_statement(study.hash) == no
    assert register.revoked(study.hash)
    assert register.agreements(study.hash) == []


def test_an_own_refusal_that_a_peer_brings_back_still_counts(register: Register, make: Make, keys: Keys) -> None:
    study = register.record_study(make().canonical())
    register.record_statement(study.hash, refusal(study, keys, "north"))
    assert register.revoked(study.hash)


def test_unsent_statements_are_this_nodes_own(register: Register, make: Make, keys: Keys) -> None:
    study = register.record_study(make().canonical())
    own = approval(study, keys, "north")
    register.record_statement(study.hash, approval(study, keys, "south"))
    register.record_statement(study.hash, own)
    assert register.unsent() == [(study.hash, own)]
    register.mark_sent(own)
    assert register.unsent() == []


def test_cohort_history_is_by_version_whatever_was_computed(register: Register, keys: Keys) -> None:
    abc, abd = frozenset("abc"), frozenset("abd")
    register.record_cohort("v1", "glm.fit", abc)
    register.record_cohort("v1", "statistics.describe", abd)
    register.record_cohort("v1", "statistics.describe", frozenset("cba"))
    assert register.cohorts("v1") == [abc, abd]
    assert register.cohorts("v2") == []


def test_everything_survives_reopening(tmp_path: Path, make: Make, keys: Keys, clock: ManualClock) -> None:
    first = Register(tmp_path / "r.sqlite", keys["north"].fingerprint, clock)
    study = first.record_study(make().canonical())
    first.trust("south", keys["south"].fingerprint)
    first.record_statement(study.hash, approval(study, keys, "north"))
    first.record_cohort("v1", "glm.fit", frozenset("abc"))
    entry = DatasetEntry("loans", "/l.csv", {"a": "b"}, "finance.x/v1", "c" * 64, "v" * 64, 5, 1, True, "2026")
    first.put_dataset(entry)
    first.close()
    again = Register(tmp_path / "r.sqlite", keys["north"].fingerprint, clock)
    assert again.verified() == {"south": keys["south"].fingerprint}
    assert again.own_statement(study.hash) == approval(study, keys, "north")
    assert again.cohorts("v1") == [frozenset("abc")]
    assert again.datasets("finance.x/v1") == [entry]
    assert again.datasets("finance.y/v1") == []
    assert again.remove_dataset("loans")
    with pytest.raises(InputError) as caught:
        again.dataset("loans")
    assert caught.value.code == "dataset.unknown"
    again.close()


def test_a_source_with_a_password_is_not_in_the_repr() -> None:
    source = "postgresql://ann:CANARY@host/risk?table=loans"
    entry = DatasetEntry("loans", source, {}, "finance.x/v1", "c" * 64, "v" * 64, 1, 0, False, "2026")
    assert "CANARY" not in repr(entry)


def test_threads_share_a_register(register: Register) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for index in range(20):
                register.record_cohort(f"v{number}", "glm.fit", frozenset((f"a{index}", "b", "c")))
                register.cohorts(f"v{number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [len(register.cohorts(f"v{number}")) for number in range(4)] == [20] * 4


def test_an_institution_refuses_with_one_voice(register: Register, make: Make, keys: Keys) -> None:
    study = register.record_study(make().canonical())
    said = refusal(study, keys, "south", "no legal basis")
    register.record_statement(study.hash, said)
    register.record_statement(study.hash, said)
    with pytest.raises(ProtocolError) as caught:
        register.record_statement(study.hash, refusal(study, keys, "south", "another reason"))
    assert caught.value.code == "refusal.conflicting"
    assert "south" in str(caught.value.got) or keys["south"].fingerprint in str(caught.value.got)
    assert register.statements(study.hash) == [said]
