"""Weighted updates through whole sums: the mean numpy takes, and a weight that is no better known than the update."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from circle import Circle, seed_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.errors import InputError, RefusedError
from sealane.secagg.coordinator_role import Announced, Gathering, SumState, accept_contribution, announcement
from sealane.secagg.layout import decode, encode, plan
from sealane.secagg.quantize import step_of
from sealane.secagg.weighted import weighted, weighted_mean

CAP, CLIP = 100.0, 0.5


def opened(updates: list[np.ndarray], weights: list[float], scheme: str = "masking", **options: object) -> np.ndarray:
    circle = Circle(len(updates), scheme=scheme)
    terms = [{"u": weighted(u, w, cap=CAP, clip=CLIP, bits=20, **options)}  # type: ignore[arg-type]
             for u, w in zip(updates, weights, strict=True)]
    layout = plan(terms[0], len(updates))
    states = circle.contribute(layout, terms)
    gathering: SumState = Gathering(circle.attempt)
    for name, state in zip(circle.names, states, strict=True):
        gathering = accept_contribution(gathering, name, state.message)
    assert isinstance(gathering, Announced)
    released = [role.release(state, announcement(gathering, role.own))
                for role, state in zip(circle.roles, states, strict=True)]
    return decode(layout, circle.open(released)[0].total, len(updates))["u"]


@settings(max_examples=15, deadline=None)
@given(weights=st.lists(st.floats(0, 100), min_size=3, max_size=5).filter(lambda w: sum(w) > 1),
       seed=st.integers(0, 99))
def test_the_mean_is_numpys(weights: list[float], seed: int) -> None:
    updates = list(np.random.default_rng(seed).uniform(-CLIP, CLIP, (len(weights), 40)))
    mean, total = weighted_mean(opened(updates, weights), cap=CAP, clip=CLIP, least=0.5)
    # Each entry is rounded to a step at every node, and so is each weight.
    step = float(step_of(CLIP, 20)) * len(weights) * CAP / sum(weights)
    assert np.abs(mean - np.average(updates, axis=0, weights=weights)).max() <= 2 * step
    assert total == pytest.approx(sum(weights), abs=2 * step / CLIP * sum(weights))


def test_under_rlwe_too() -> None:
    updates = [np.full(8, k / 10, dtype=np.float32) for k in range(3)]
    mean, total = weighted_mean(opened(updates, [10, 30, 60], "rlwe"), cap=CAP, clip=CLIP, least=1.0)
    assert mean == pytest.approx(np.full(8, 0.15), abs=1e-5)
    assert total == pytest.approx(100, rel=1e-4)


def test_a_weight_counts_up_to_the_cap() -> None:
    updates = [np.full(4, value) for value in (0.0, 0.0, 0.4)]
    mean, total = weighted_mean(opened(updates, [100, 100, 10_000]), cap=CAP, clip=CLIP, least=1.0)
    assert mean == pytest.approx(np.full(4, 0.4 / 3), abs=1e-5)
    assert total == pytest.approx(300, rel=1e-4)


def test_the_weight_carries_the_same_noise_and_lies_within_the_norm() -> None:
    term = {"u": weighted(np.ones(3), CAP, cap=CAP, clip=CLIP, bits=12, norm=0.6, noise=Decimal(40))}
    assert term["u"].norm == pytest.approx(np.hypot(0.6, CLIP))
    assert np.linalg.norm(term["u"].values) <= term["u"].norm * (1 + 1e-12)
    layout = plan(term, 3, smallest=3, colluding=1)
    step = float(step_of(CLIP, 12))
    last = [(decode(layout, encode(layout, term, seed_of("r", k)), 1)["u"][-1] - CLIP) / step for k in range(4000)]
    expected = 40**2 / 2  # two honest shares carry 40 squared
    # The variance of 4000 draws scatters by 2.2 in a hundred; one off by 30 % in deviation is far outside.
    assert 0.89 < np.var(last) / expected < 1.11
    assert not 0.89 < np.var(last) / (expected * 1.3**2) < 1.11


@pytest.mark.parametrize(("weight", "cap"), [(-1.0, 1.0), (float("nan"), 1.0), (1.0, 0.0), (1.0, float("inf"))])
def test_unusable_weights(weight: float, cap: float) -> None:
    with pytest.raises(InputError) as caught:
        weighted(np.zeros(2), weight, cap=cap, clip=CLIP)
    assert caught.value.code == "update.bad-weight"


def test_too_little_weight_is_not_divided_by() -> None:
    with pytest.raises(RefusedError) as caught:
        weighted_mean(np.zeros(3), cap=CAP, clip=CLIP, least=10.0)
    assert caught.value.code == "update.weights-too-small"
