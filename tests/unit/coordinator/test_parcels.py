from __future__ import annotations

import pytest
from expected_error import raises

from sealane.coordinator.parcels import MOST_PARCELS, WINDOW_SECONDS, Parcels
from sealane.coordinator.registry import Party
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.node.scoring.parcels import make_parcel
from sealane.rpc.notices import Parcel

ANN, BEN = (SigningKey(Secret(bytes([k]) * 32)) for k in (1, 2))


def party(key: SigningKey) -> Party:
    return Party(name="ann", role="node", fingerprint=key.fingerprint, signing_key=key.public_key,
                 sealing_key=bytes(32), certificate_serial="1", status="enrolled", enrolled_at="2026-01-01T00:00:00Z")


class Relay:
    def __init__(self) -> None:
        self.time = 0.0
        self.out: list[tuple[Fingerprint, Parcel]] = []
        self.up = {BEN.fingerprint}
        self.parcels = Parcels(lambda node, parcel: self.out.append((node, parcel)), self.up.__contains__,
                               lambda: self.time)


@pytest.fixture
def relay() -> Relay:
    return Relay()


def test_a_parcel_goes_to_whom_it_names_as_it_came(relay: Relay) -> None:
    parcel = make_parcel(ANN, BEN.fingerprint, "answer", bytes(32), b"sealed")
    assert relay.parcels.pass_on(party(ANN), parcel)
    assert relay.out == [(BEN.fingerprint, parcel)]
    relay.up.clear()
    assert not relay.parcels.pass_on(party(ANN), parcel)
    assert not relay.parcels.pass_on(party(BEN), make_parcel(BEN, BEN.fingerprint, "answer", bytes(32), b""))


def test_nobody_sends_in_anothers_name(relay: Relay) -> None:
    with raises("parcel.of-another", ProtocolError):
        relay.parcels.pass_on(party(BEN), make_parcel(ANN, BEN.fingerprint, "answer", bytes(32), b"x"))


def test_whoever_sends_much_waits(relay: Relay) -> None:
    large = make_parcel(ANN, BEN.fingerprint, "request", bytes(32), bytes(1 << 20))
    sent = [relay.parcels.pass_on(party(ANN), large) for _ in range(MOST_PARCELS + 1)]
    assert sent.count(True) == MOST_PARCELS
    assert not sent[-1]
    relay.time = WINDOW_SECONDS + 1
    assert relay.parcels.pass_on(party(ANN), large)
