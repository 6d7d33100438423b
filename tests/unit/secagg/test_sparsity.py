"""Which entries travel: as many as asked, the same everywhere, and with error feedback nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given
from hypothesis import strategies as st

from sealane.errors import InputError
from sealane.secagg.sparsity import drawn, largest_and_drawn

SEED = bytes(range(32))


@given(st.integers(0, 200_000), st.floats(1e-6, 1.0))
def test_the_rule_is_the_one_that_is_written(length: int, share: float) -> None:
    cipher = Cipher(algorithms.ChaCha20(SEED, bytes(16)), mode=None).encryptor()
    words = np.frombuffer(cipher.update(bytes(4 * length)), dtype="<u4").astype(np.float64)
    np.testing.assert_array_equal(drawn(length, share, SEED), words < share * 2.0**32)


def test_as_many_are_drawn_as_asked() -> None:
    for share in (0.01, 0.1, 0.5):
        count = drawn(1_000_000, share, SEED).sum()
        assert abs(count - share * 1e6) < 6 * np.sqrt(share * (1 - share) * 1e6)
    assert drawn(1000, 1.0, SEED).all()
    assert not np.array_equal(drawn(1000, 0.5, SEED), drawn(1000, 0.5, bytes(32)))


def test_the_largest_are_among_them() -> None:
    last = np.random.default_rng(5).normal(size=10_000)
    kept = largest_and_drawn(last, 0.1, SEED)
    order = np.argsort(-np.abs(last))
    assert kept[order[:750]].all()
    # A quarter of the share is drawn anywhere; some of these are large as well.
    assert 750 <= kept.sum() <= 750 + 250 + 6 * np.sqrt(250)
    assert kept[order[750:]].sum() > 100


def test_before_anything_was_opened_entries_are_drawn_only() -> None:
    np.testing.assert_array_equal(largest_and_drawn(np.zeros(5000), 0.4, SEED), drawn(5000, 0.1, SEED))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, float("nan")])
def test_no_such_share(share: float) -> None:
    with pytest.raises(InputError) as caught:
        drawn(10, share, SEED)
    assert caught.value.code == "sparsity.bad-share"


def test_error_feedback_loses_nothing() -> None:
    """A constant update of 1 an entry: after enough rounds what arrived is what was to be sent, but for what waits."""
    waiting, arrived = np.zeros(2000), np.zeros(2000)
    for number in range(60):
        waiting += 1.0
        kept = largest_and_drawn(arrived, 0.2, number.to_bytes(32, "little"))
        arrived[kept] += waiting[kept]
        waiting[kept] = 0.0
    np.testing.assert_allclose(arrived + waiting, 60.0)
    assert np.median(waiting) < 40
