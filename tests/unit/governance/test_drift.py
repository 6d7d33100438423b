from __future__ import annotations

import math

import pytest

from sealane.governance.drift import drift, psi
from sealane.governance.quality import Counts, Profile, suppress


def profile(**fields: dict[str, int]) -> Profile:
    return suppress(Counts(sum(next(iter(fields.values())).values()), fields))


def test_psi_by_hand() -> None:
    # Siddiqi's formula over three bins, every count with half a row added: 100.5, 200.5, 300.5 of 601.5 and so on.
    p = [100.5 / 601.5, 200.5 / 601.5, 300.5 / 601.5]
    q = [300.5 / 601.5, 200.5 / 601.5, 100.5 / 601.5]
    by_hand = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    found = psi({"a": 100, "b": 200, "c": 300}, {"a": 300, "b": 200, "c": 100})
    assert found == pytest.approx(by_hand)
    assert found == pytest.approx(0.7284, abs=5e-4)  # 2 × (200 / 601.5) × ln(300.5 / 100.5)


def test_psi_is_the_symmetric_relative_entropy() -> None:
    entropy = pytest.importorskip("scipy.stats").entropy
    before, after = {"a": 40, "b": 60, "c": 0}, {"a": 70, "b": 20, "c": 10}
    p, q = [v + 0.5 for v in before.values()], [v + 0.5 for v in after.values()]
    assert psi(before, after) == pytest.approx(entropy(p, q) + entropy(q, p))


def test_nothing_moved() -> None:
    one = profile(x={"a": 500, "b": 500})
    found, = drift(one, one)
    assert (found.psi, found.moved, found.shift, found.word) == (0.0, None, 0.0, "none")


def test_a_level_that_grows_is_named() -> None:
    found, = drift(profile(x={"a": 500, "b": 500}), profile(x={"a": 900, "b": 100}))
    assert (found.moved, found.word) == ("b", "large")
    assert found.shift == pytest.approx(-0.4)


def test_a_new_level_and_a_new_field() -> None:
    found = drift(profile(x={"a": 1000}), profile(x={"a": 800, "b": 200}, y={"c": 1000}))
    assert [one.field for one in found] == ["x"]
    assert found[0].moved in ("a", "b")
    assert abs(found[0].shift) == pytest.approx(0.2)


def test_hidden_cells_are_pooled_and_say_nothing_of_their_own() -> None:
    before = profile(x={"a": 3, "b": 4, "c": 500, "d": 493})
    after = profile(x={"a": 4, "b": 3, "c": 500, "d": 493})
    assert before.fields["x"]["a"] is None
    found, = drift(before, after)
    assert found.psi == pytest.approx(0.0)
    assert found.moved is None


def test_too_few_rows_show_no_drift() -> None:
    found, = drift(profile(x={"a": 5}), profile(x={"a": 500}))
    assert (found.psi, found.word) == (None, "unknown")
