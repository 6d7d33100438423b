"""LightGBM's calls: recognised by size, type and moment, or refused; answers are written anew."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from sealane.computations.trees import calls
from sealane.computations.trees.calls import Histogram, RootSums, Splits
from sealane.computations.trees.fit import Gbdt
from sealane.errors import ProtocolError

SUMS = struct.pack("<ddi4x", calls.MARK_SECOND, calls.MARK_FIRST, 1)
SIZE = 94 + 4 * 32


def split_bytes(feature=3, gain=2.5, default_left=1, levels=(), tail=b"\xab"):
    head = struct.pack("<iiidIddddqddqbbi", feature, 10, 20, gain, 7, 0.1, -0.2, 1.0, 2.0, 99, 3.0, 4.0, 98,
                       default_left, 0, len(levels))
    return (head + struct.pack(f"<{len(levels)}I", *levels)).ljust(SIZE, tail)


@pytest.mark.parametrize(("data", "lengths", "previous"), [
    (SUMS, (24, 24), Histogram()),  # another moment
    (SUMS, (24,), None), (SUMS, (24, 12), None), (SUMS + bytes(1), (25, 25), None),
    (struct.pack("<ddi4x", 17.0, 3.5, 40), (24, 24), None),  # not the invented row
    (bytes(4), (4, 4), None), (bytes(8), (8, 8), None),  # counts of labels, maxima of gradients
    (bytes(248), (248, 248), Histogram()), (bytes(124), (124, 124), Histogram()),  # medians of leaves
    (split_bytes() * 2, (2 * SIZE, 2 * SIZE), None), (split_bytes() * 2, (2 * SIZE, 2 * SIZE), RootSums("<ddi4x")),
    (split_bytes(levels=range(33))[:SIZE] * 2, (2 * SIZE, 2 * SIZE), Histogram()),
    (split_bytes(default_left=5) * 2, (2 * SIZE, 2 * SIZE), Histogram()),
])
def test_gathers_that_are_not_known_are_refused(data, lengths, previous):
    with pytest.raises(ProtocolError) as caught:
        calls.read_gather(data, lengths, 32, previous)
    assert caught.value.code == "trees.unrecognised-call"


@pytest.mark.parametrize(("type_size", "lengths", "previous"), [
    (4, (160, 320), RootSums("<ddi4x")), (8, (160, 336), RootSums("<ddi4x")), (8, (480,), RootSums("<ddi4x")),
    (8, (160, 320), None), (8, (160, 320), Histogram()),
])
def test_reductions_that_are_not_known_are_refused(type_size, lengths, previous):
    with pytest.raises(ProtocolError) as caught:
        calls.read_reduction(type_size, lengths, 10, 20, previous)
    assert caught.value.code == "trees.unrecognised-call"


def test_both_layouts_of_sums_are_told_apart_and_answered_in_kind():
    for data, layout in ((SUMS, "<ddi4x"), (struct.pack("<i4xdd", 1, calls.MARK_FIRST, calls.MARK_SECOND), "<i4xdd")):
        found = calls.read_gather(data, (24, 24), 32, None)
        assert found == RootSums(layout)
        answer = calls.answer_sums(found, 41, -1.5, 6.25)
        assert answer[:24] == bytes(24)
        assert sorted(struct.unpack(layout, answer[24:])) == [-1.5, 6.25, 41]


def test_splits_are_read_and_written_anew_without_their_tail():
    data = split_bytes(levels=(4, 2)) + split_bytes(feature=-1, gain=float("-inf"))
    found = calls.read_gather(data, (2 * SIZE, 2 * SIZE), 32, Histogram())
    assert isinstance(found, Splits)
    assert (found.smaller.feature, found.smaller.threshold, found.smaller.levels) == (3, 7, (2, 4))
    assert found.larger == calls.NOTHING
    answer = calls.answer_splits(found, found.smaller.exact(1234, 5678), found.larger)
    assert b"\xab" not in answer
    none, other, own, last = (answer[k * SIZE : (k + 1) * SIZE] for k in range(4))
    assert struct.unpack_from("<iiid", none) == struct.unpack_from("<iiid", other) == (-1, 0, 0, float("-inf"))
    assert struct.unpack_from("<iiidIdd", own) == (3, 1234, 5678, 2.5, 7, 0.1, -0.2)
    assert own[94 + 8 :] == bytes(SIZE - 94 - 8)
    assert last == none


def test_a_library_that_asks_for_something_else_ends_the_run(run_pooled, parts, monkeypatch):
    monkeypatch.setattr(calls, "MARK_FIRST", 0.75)  # what it sends is then not the invented row
    with pytest.raises(ProtocolError) as caught:
        run_pooled(parts, Gbdt(), {"outcome": "event", "features": ["a"], "rounds": 1}, minimum_count=5)
    assert caught.value.code == "trees.unrecognised-call"


def test_a_library_that_grows_another_tree_ends_the_run(run_pooled, parts, monkeypatch):
    answer = calls.answer_splits
    monkeypatch.setattr(calls, "answer_splits", lambda call, smaller, larger: answer(call, larger, smaller))
    with pytest.raises(ProtocolError) as caught:
        run_pooled(parts, Gbdt(), {"outcome": "amount", "features": ["a", "b"], "rounds": 2,
                                   "params": {"num_leaves": 6}}, minimum_count=5)
    assert caught.value.code in ("trees.other-tree", "trees.unrecognised-call")


def test_a_library_that_makes_other_bins_is_refused(run_pooled, parts, monkeypatch):
    from sealane.computations.trees import reference

    number = reference._number
    monkeypatch.setattr(reference, "_number", lambda one, place: np.minimum(number(one, place), one.number - 2))
    with pytest.raises(ProtocolError) as caught:
        run_pooled(parts, Gbdt(), {"outcome": "event", "features": ["a"], "rounds": 1}, minimum_count=5)
    assert caught.value.code == "trees.other-bins"
