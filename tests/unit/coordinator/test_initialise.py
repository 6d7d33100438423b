from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sealane.coordinator import initialise as module
from sealane.coordinator.home import load_coordinator
from sealane.coordinator.initialise import initialise
from sealane.coordinator.settings import Advertise, Settings
from sealane.core.clock import ManualClock
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError
from sealane.rpc.certificates import read_pem
from sealane.rpc.invitation import parse_invitation


def hosts(pem: bytes) -> list[str]:
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def test_it_makes_a_coordinator_that_loads_again(tmp_path: Path, clock: ManualClock) -> None:
    made = initialise(tmp_path / "home", clock=clock)
    loaded = load_coordinator(tmp_path / "home", clock=clock)
    assert loaded.signing_key.fingerprint == made.signing_key.fingerprint
    assert loaded.authority.pem == made.authority.pem
    assert loaded.certificate.current().certificate == made.certificate.current().certificate
    assert loaded.registry.all() == []
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {name for name, mode in modes.items() if mode == 0o700} == {"home", "home/authority", "home/identity"}
    assert {mode for name, mode in modes.items()} == {0o700, 0o600}


def test_it_never_overwrites(tmp_path: Path, clock: ManualClock) -> None:
    home = tmp_path / "home"
    before = initialise(home, clock=clock).authority.pem
    with pytest.raises(RefusedError) as caught:
        initialise(home, clock=clock)
    assert caught.value.code == "coordinator.exists"
    assert load_coordinator(home, clock=clock).authority.pem == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    with pytest.raises(RefusedError, match=r"coordinator.exists"):
        initialise(tmp_path / "other", clock=clock)


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise UnavailableError("storage.full", "disk is full")

    monkeypatch.setattr(module, "open_database", full)
    with pytest.raises(UnavailableError):
        initialise(tmp_path / "home", clock=clock)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("url", "code"), [
    ("postgresql+psycopg://ann:CANARY@127.0.0.1:1/sealane", "storage.failed"),
    ("postgresql+psycopg://ann:CANARY@127.0.0.1:port/sealane", "storage.url"),
    ("postgresql://ann:CANARY@127.0.0.1/sealane", "storage.url"), ("mysql://ann:CANARY@127.0.0.1/x", "storage.url"),
])
def test_a_database_that_cannot_be_had_leaves_nothing_in_the_way(tmp_path: Path, clock: ManualClock, url: str,
                                                                 code: str) -> None:
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    with pytest.raises(SealaneError) as caught:
        initialise(tmp_path / "home", Settings(database=url), clock=clock)
    assert caught.value.code == code
    assert "CANARY" not in f"{caught.value.to_dict()} {caught.value.__cause__}"
    assert list(tmp_path.iterdir()) == []
    initialise(tmp_path / "home", clock=clock)


def test_an_empty_directory_will_do(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "home").mkdir()
    initialise(tmp_path / "home", clock=clock)


def test_a_home_without_a_coordinator_or_with_an_open_key(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(InputError) as caught:
        load_coordinator(tmp_path, clock=clock)
    assert caught.value.code == "coordinator.missing"
    initialise(tmp_path / "home", clock=clock)
    (tmp_path / "home" / "authority" / "ca.key").chmod(0o644)
    with pytest.raises(RefusedError) as refusal:
        load_coordinator(tmp_path / "home", clock=clock)
    assert refusal.value.code == "identity.open-permissions"


def test_the_server_certificate_follows_settings_and_time(tmp_path: Path, clock: ManualClock) -> None:
    home = tmp_path / "home"
    first = initialise(home, clock=clock).certificate.current()
    changed = Settings(advertise=Advertise(main="coord.example:7443"))
    (home / "settings.toml").write_text(changed.to_toml())
    loaded = load_coordinator(home, clock=clock)
    second = loaded.certificate.current()
    assert "coord.example" not in hosts(first.certificate)
    assert "coord.example" in hosts(second.certificate)
    clock.advance(timedelta(days=59))
    assert loaded.certificate.current() == second
    clock.advance(timedelta(days=2))
    third = loaded.certificate.current()
    assert read_pem(third.certificate).not_after == clock() + timedelta(days=90)
    assert load_coordinator(home, clock=clock).certificate.current().certificate == third.certificate


def test_an_invitation_says_what_a_newcomer_needs(tmp_path: Path, clock: ManualClock) -> None:
    coordinator = initialise(tmp_path / "home", clock=clock)
    invitation = parse_invitation(coordinator.invite("iris", "analyst").to_text())
    assert (invitation.name, invitation.role) == ("iris", "analyst")
    assert invitation.coordinator == coordinator.signing_key.fingerprint
    assert invitation.ca.encode() == coordinator.authority.pem
    assert (invitation.address, invitation.enrolment_address) == ("127.0.0.1:7443", "127.0.0.1:7444")
