from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sealane.coordinator.authentication import admit
from sealane.coordinator.database import writing
from sealane.coordinator.registry import Party, Registry
from sealane.core.clock import ManualClock
from sealane.core.ids import fingerprint
from sealane.errors import InputError, RefusedError
from sealane.rpc.certificates import Certificate

ROLES = ("node", "analyst", "auditor")


@pytest.fixture
def registry(engine: Engine, clock: ManualClock) -> Registry:
    return Registry(engine, clock)


def certificate(clock: ManualClock, serial: str, name: str = "north", role: str = "node") -> Certificate:
    return Certificate(name, role, serial, serial * 8, clock() - timedelta(minutes=5), clock() + timedelta(days=90))


def add(registry: Registry, shown: Certificate, key: bytes) -> Party:
    with writing(registry.engine) as connection:
        return registry.add(connection, name=shown.name, role=shown.role, signing_key=key, sealing_key=bytes(32),
                            certificate=shown)


def refused(registry: Registry, shown: Certificate, roles: tuple[str, ...] = ROLES) -> str:
    with pytest.raises(RefusedError) as caught:
        admit(shown, registry, roles)
    return caught.value.code


def test_an_added_party_is_found_every_way(registry: Registry, clock: ManualClock) -> None:
    shown = certificate(clock, "aa")
    party = add(registry, shown, b"k" * 32)
    assert party == Party("north", "node", fingerprint(b"k" * 32), b"k" * 32, bytes(32), "aa", "enrolled", clock())
    add(registry, certificate(clock, "bb", "iris", "analyst"), b"a" * 32)
    assert registry.get("north") == party
    assert registry.by_fingerprint(party.fingerprint) == party
    assert registry.by_role("node") == [party]
    assert [one.name for one in registry.all()] == ["iris", "north"]
    assert admit(shown, registry, ["node"]) == party


def test_nobody_else_gets_in(registry: Registry, clock: ManualClock) -> None:
    shown = certificate(clock, "aa")
    add(registry, shown, b"k" * 32)
    forged = Certificate(shown.name, shown.role, shown.serial, "00" * 8, shown.not_before, shown.not_after)
    renamed = Certificate("south", shown.role, shown.serial, shown.fingerprint, shown.not_before, shown.not_after)
    assert refused(registry, certificate(clock, "cc")) == "auth.not-registered"
    assert refused(registry, forged) == "auth.not-registered"
    assert refused(registry, renamed) == "auth.not-registered"
    assert refused(registry, shown, ("analyst",)) == "auth.role"


def test_a_certificate_lapses_during_a_connection(registry: Registry, clock: ManualClock) -> None:
    shown = certificate(clock, "aa")
    add(registry, shown, b"k" * 32)
    clock.advance(timedelta(days=90))
    assert refused(registry, shown) == "auth.certificate-expired"


def test_quarantine_ends_and_removal_does_not(registry: Registry, clock: ManualClock) -> None:
    shown = certificate(clock, "aa")
    add(registry, shown, b"k" * 32)
    assert registry.quarantine("north").status == "quarantined"
    assert refused(registry, shown) == "auth.quarantined"
    assert registry.reinstate("north").status == "enrolled"
    admit(shown, registry, ROLES)
    assert registry.remove("north").status == "removed"
    assert refused(registry, shown) == "auth.not-registered"
    with pytest.raises(InputError) as caught:
        registry.reinstate("north")
    assert caught.value.code == "registry.unknown"


def test_illegal_transitions_change_nothing(registry: Registry, clock: ManualClock) -> None:
    add(registry, certificate(clock, "aa"), b"k" * 32)
    with pytest.raises(RefusedError) as caught:
        registry.reinstate("north")
    assert caught.value.code == "registry.transition"
    assert registry.get("north").status == "enrolled"


def test_a_name_is_free_again_after_removal_but_a_key_never(registry: Registry, clock: ManualClock) -> None:
    add(registry, certificate(clock, "aa"), b"k" * 32)
    with pytest.raises(RefusedError) as caught:
        add(registry, certificate(clock, "bb"), b"l" * 32)
    assert caught.value.code == "registry.taken"
    registry.remove("north")
    with pytest.raises(RefusedError, match=r"registry.taken"):
        add(registry, certificate(clock, "cc"), b"k" * 32)
    fresh = add(registry, certificate(clock, "dd"), b"l" * 32)
    assert registry.get("north") == fresh
    gone = registry.by_fingerprint(fingerprint(b"k" * 32))
    assert gone is not None
    assert gone.status == "removed"


def test_renewal_keeps_the_presented_and_the_new_certificate_only(registry: Registry, clock: ManualClock) -> None:
    first, lost, second = (certificate(clock, serial) for serial in ("aa", "bb", "cc"))
    party = add(registry, first, b"k" * 32)
    for renewed in (lost, second):  # the reply with ``lost`` never arrived, so ``first`` asks again
        with writing(registry.engine) as connection:
            registry.renewed(connection, party, first, renewed)
    assert admit(first, registry, ROLES).name == "north"
    assert admit(second, registry, ROLES).certificate_serial == "cc"
    assert refused(registry, lost) == "auth.not-registered"


def test_everything_is_there_after_a_restart(registry: Registry, engine: Engine, clock: ManualClock) -> None:
    party = add(registry, certificate(clock, "aa"), b"k" * 32)
    engine.dispose()
    assert Registry(engine, clock).get("north") == party
