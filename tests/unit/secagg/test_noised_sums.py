"""Updates with noise through a whole sum: its deviation is what was promised, and nothing overflows."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from circle import Circle, seed_of

from sealane.errors import InputError
from sealane.secagg.coordinator_role import Announced, Gathering, SumState, accept_contribution, announcement
from sealane.secagg.layout import decode, encode, plan
from sealane.secagg.quantize import step_of
from sealane.secagg.terms import update

SIGMA = Decimal(40)
LENGTH = 20_000


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_the_sum_carries_the_promised_noise(scheme: str) -> None:
    """Of four nodes one may collude and one drop out: two honest ones must carry it, so four carry twice as much."""
    circle = Circle(4, scheme=scheme)
    values = [np.full(LENGTH, 0.25 * (k - 1), dtype=np.float32) for k in range(4)]
    terms = [{"u": update(v, 1.0, bits=12, noise=SIGMA)} for v in values]
    layout = plan(terms[0], 4, smallest=3, colluding=1)
    states = [role.contribute(0, circle.attempt.transcript(), layout, encode(layout, own, seed_of("r", k)),
                              seed_of("m", k)) for k, (role, own) in enumerate(zip(circle.roles, terms, strict=True))]
    gathering: SumState = Gathering(circle.attempt)
    for name, state in zip(circle.names, states, strict=True):
        gathering = accept_contribution(gathering, name, state.message)
    assert isinstance(gathering, Announced)
    released = [role.release(state, announcement(gathering, role.own))
                for role, state in zip(circle.roles, states, strict=True)]
    total = circle.open(released)[0].total
    read = decode(layout, total, 4)["u"] / float(step_of(1.0, 12))
    noise = read - np.sum(values, axis=0) / float(step_of(1.0, 12))
    rounding = 4 * 0.25  # each node's stochastic rounding adds a variance of at most a quarter
    expected = float(SIGMA) ** 2 * 4 / (3 - 1)
    # The variance of 20 000 normal values scatters by one in a hundred: five of that, and 30 % would be far outside.
    assert expected * 0.95 < noise.var() < (expected + rounding) * 1.05
    assert abs(noise.mean()) < 5 * np.sqrt(expected / LENGTH) + 0.01
    assert not 0.95 < noise.var() / (expected * 1.3**2) < 1.05


def test_a_noised_sum_at_its_bounds_does_not_overflow() -> None:
    terms = [{"u": update(np.full(64, sign), 1.0, bits=4, noise=SIGMA)} for sign in (1.0, 1.0, 1.0)]
    layout = plan(terms[0], 3, smallest=3, colluding=1)
    place = layout.places[0]
    assert place.share is not None
    assert layout.most == 3 * (2**4 - 2 + 2 * place.share.tail)
    for k, own in enumerate(terms):
        vector = encode(layout, own, seed_of("r", k))
        assert not isinstance(vector, np.ndarray)
        assert vector.read(0, 64).max() <= layout.most // 3


def test_noise_is_the_same_whenever_a_contribution_is_made_again_and_other_for_another_term() -> None:
    terms = {name: update(np.zeros(500), 1.0, bits=8, noise="8") for name in ("a", "b")}
    layout = plan(terms, 3, smallest=3, colluding=1)
    first, again, other = (encode(layout, terms, seed_of(word)).read(0, 1000)  # type: ignore[union-attr]
                           for word in ("r", "r", "s"))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[:500], first[500:])


def test_a_longer_update_is_scaled_down_and_stays_within_its_norm() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=4000)
    terms = {"u": update(values, 0.1, bits=16, norm=1.0)}
    layout = plan(terms, 3)
    read = decode(layout, encode(layout, terms, seed_of("r")), 1)["u"]
    step = float(step_of(0.1, 16))
    assert np.linalg.norm(read) <= 1.0 + 60 * step
    scaled = values / np.linalg.norm(values)
    assert np.abs(read - np.clip(scaled, -0.1, 0.1)).max() <= step * 1.01


def test_what_is_agreed_about_noise_is_in_the_description() -> None:
    def described(**changed: object) -> bytes:
        facts = {"smallest": 3, "colluding": 1} | {k: v for k, v in changed.items() if k != "noise"}
        term = update(np.zeros(3), 1.0, bits=8, noise=changed.get("noise", "8"))  # type: ignore[arg-type]
        return plan({"u": term}, 4, **facts).hash()  # type: ignore[arg-type]

    assert len({described(), described(noise="9"), described(smallest=4), described(colluding=0),
                described(noise=None)}) == 5


def test_noise_too_wide_for_a_slot_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        plan({"u": update(np.zeros(3), 1.0, bits=24, noise=str(2**24))}, 200, smallest=3, colluding=1)
    assert caught.value.code == "sum.too-wide"
