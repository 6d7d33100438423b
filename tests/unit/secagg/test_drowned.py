"""Random entries in place of a node's own."""

from __future__ import annotations

import numpy as np
import pytest
from circle import integers, seed_of

from sealane.errors import InputError
from sealane.ring.words import WIDTHS, Width, add
from sealane.secagg.drowned import drowned
from sealane.secagg.layout import decode, encode, plan
from sealane.secagg.terms import Term, count, real


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [0, 1, 5, 40, 62, 63, 64, 65, 90, 94])
def test_they_are_uniform_over_their_range_to_the_last_bit(width: Width, bits: int) -> None:
    if bits > width - 2:
        return
    entries = integers(drowned(bits, 4000, width, seed_of("d")), width)
    values = [value - (1 << width) if value >> (width - 1) else value for value in entries]
    assert min(values) >= -(1 << bits)
    assert max(values) < 1 << bits
    parts = np.array([value / 2**bits for value in values])
    assert abs(parts.mean() + (0.5 if bits == 0 else 0.0)) < 0.3 if bits < 3 else abs(parts.mean()) < 0.05
    for bit in range(bits + 1):
        assert 0.45 < np.mean([(value >> bit) & 1 for value in values]) < 0.55


def test_a_range_under_the_grid_is_nothing() -> None:
    assert not drowned(-1, 5, 64, seed_of("d")).any()


def test_a_void_term_is_described_as_any_other_and_drowns_the_sum() -> None:
    terms = [{"x": real([1.5, -2.0], 2.0**56), "n": count([0], 1)} for _ in range(3)]
    void: dict[str, Term] = {"x": real([np.nan, 7.0], 2.0**56, void=True), "n": count([1], 1)}
    layout = plan(terms[0], 3)
    assert plan(void, 3) == layout
    total = encode(layout, void, seed_of("r"))
    for other in terms[1:]:
        add(total, encode(layout, other, seed_of("r")), layout.width)
    opened = decode(layout, total, own=void)
    assert opened["n"].tolist() == [1]
    assert np.abs(opened["x"]).min() > 2.0**40
    again = encode(layout, void, seed_of("another"))
    assert not np.array_equal(again, encode(layout, void, seed_of("r")))


def test_counts_are_never_void() -> None:
    term = Term(np.array([1]), "count", 1.0, void=True)
    with pytest.raises(InputError) as caught:
        plan({"n": term}, 3)
    assert caught.value.code == "sum.void-count"
