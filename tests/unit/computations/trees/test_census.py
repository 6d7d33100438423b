"""Verdicts read off a census are those that the rows themselves give, and a census fits its entries."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.computations.trees import fit
from sealane.computations.trees.bin_kernels import add_up_census, pack_census
from sealane.computations.trees.calls import NOTHING
from sealane.computations.trees.census import Census, Slots, read_verdict, slots_for
from sealane.computations.trees.fit import Gbdt
from sealane.computations.trees.fixed_point import grid
from sealane.computations.trees.growth import Growth
from sealane.computations.trees.kernels import weigh
from sealane.computations.trees.permission import Rule, judge
from sealane.computations.trees.table import Table
from sealane.secagg.layout import plan
from sealane.secagg.terms import count

quick = settings(max_examples=300, deadline=None)
NUMBER, MISSING, CATEGORY = 0, 1, -1
GRID = grid(1000, 16.0, 6)


@st.composite
def nodes_and_splits(draw):
    """Rows of one node at several institutions, some of which lack whole runs of bins, and a split of it."""
    kind, number = draw(st.sampled_from([NUMBER, MISSING, CATEGORY])), draw(st.integers(2, 9))
    # Two features: what lies before and behind must not matter.
    codes = []
    for _ in range(draw(st.integers(2, 6))):
        used = draw(st.lists(st.integers(0, number - 1), min_size=1, max_size=3))
        rows = draw(st.lists(st.sampled_from(used), max_size=8))
        codes.append(np.column_stack([np.zeros(len(rows)), rows, np.zeros(len(rows))]).astype(np.uint8))
    if kind == CATEGORY:
        levels = draw(st.sets(st.integers(0, number - 1), min_size=1, max_size=number - 1))
        split = dataclasses.replace(NOTHING, feature=2, levels=tuple(sorted(levels)))
    else:
        split = dataclasses.replace(NOTHING, feature=2, threshold=draw(st.integers(0, number - 1 - kind)),
                                    default_left=draw(st.booleans()))
    weights = None
    if draw(st.booleans()):
        weights = [np.array(draw(st.lists(st.sampled_from([0.5, 1.0, 4.0]), min_size=len(one), max_size=len(one))))
                   for one in codes]
    rule = Rule(draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, len(codes))))
    return kind, number, codes, weights, split, rule


def marks_of(counts, kind):
    """Return where a feature's first and last row are, as a census marks them: ``(2, bins)``."""
    known = {NUMBER: len(counts), MISSING: len(counts) - 1, CATEGORY: 0}[kind]
    held = np.flatnonzero(counts[:known])
    first, last = np.concatenate([[0] * known, counts[known:] > 0]), np.concatenate([[0] * known, counts[known:] > 0])
    first[held[:1]], last[held[-1:]] = 1, 1
    return np.stack([first, last]).astype(np.int64)


def census_of(kind, number, codes, weights):
    starts, numbers = np.array([0, 1, 1 + number]), np.array([1, number, 1])
    total = np.zeros((3, 2 + number + 1), np.int64)
    for one in codes:
        counts = [np.bincount(column, minlength=most) for column, most in zip(one.T, numbers, strict=True)]
        ends = [marks_of(*each) for each in zip(counts, (NUMBER, kind, NUMBER), strict=True)]
        total[:, 1:] += np.vstack([np.concatenate(counts), np.hstack(ends)])
    masses = None
    if weights is not None:
        masses = np.zeros((2 + number, 2))
        for one, weight in zip(codes, weights, strict=True):
            weigh(one, np.arange(len(one), dtype=np.int32), weight, starts, masses)
        masses = np.stack([GRID.steps(masses[:, k]) for k in (0, 1)])
    rows, first, last = total.cumsum(axis=1)
    return Census(rows, first, last, masses)


@quick
@given(nodes_and_splits())
def test_a_verdict_that_is_read_is_the_one_that_would_be_asked_for(made):
    kind, number, codes, weights, split, rule = made
    missing = number - 1 if kind == MISSING else None
    parts = [Table(one, (None, missing, None)).parts(np.arange(len(one), dtype=np.int32), split) for one in codes]
    rows = sum(len(one) for one in codes)
    opened = [sum(len(left) for left, _ in parts), *(sum(len(part[side]) > 0 for part in parts) for side in (0, 1))]
    masses = None
    if weights is not None:
        masses = np.array([sum((own[part[side]] ** power).sum() for own, part in zip(weights, parts, strict=True))
                           for side in (0, 1) for power in (1, 2)])
    exact = judge(rule, rows, np.array(opened), masses)
    read = read_verdict(rule, census_of(kind, number, codes, weights), 1, number, missing, split, (GRID, GRID))
    if read is not None:
        assert read == exact
    elif kind == NUMBER:
        pytest.fail("of a number that is never missing the census tells all")
    else:  # rows suffice, and it is institutions that are not certain
        assert min(opened[0], rows - opened[0]) >= rule.rows
        assert len(codes) >= rule.institutions > 1


@st.composite
def counted_nodes(draw):
    """Kinds of features and which are used, and rows by bin of nodes (and siblings) at institutions, up to all."""
    features = draw(st.lists(st.tuples(st.sampled_from([NUMBER, MISSING, CATEGORY]), st.integers(1, 12), st.booleans()),
                             min_size=1, max_size=5))
    kinds, numbers, used = (np.array(each) for each in zip(*features, strict=True))
    used[draw(st.integers(0, len(used) - 1))] = True
    cohort, sides, most = draw(st.integers(1, 12)), draw(st.integers(1, 2)), draw(st.integers(1, 10**6))
    # As full as a cohort can make them: all rows in one bin; and bins that few have any row in.
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    counts = rng.multinomial(most, np.full(cohort, 1 / cohort), size=(sides, numbers.sum())).transpose(2, 0, 1)
    return kinds, numbers, used, most, counts * (rng.random(counts.shape) < draw(st.sampled_from([0.1, 0.7, 1.0])))


@quick
@given(counted_nodes())
def test_what_is_packed_and_summed_is_what_is_unpacked(made):
    kinds, numbers, used, most, counts = made
    cohort, sides, bins = counts.shape
    slots = slots_for([most], 2 * sides, cohort)
    assert slots.fit
    terms = []
    for own in counts:
        packed = np.zeros(slots.entries(int(numbers[used].sum())), np.int64)
        pack_census(own.astype(np.int32), numbers, kinds, used, slots.mark, slots.bits, slots.together, packed)
        terms.append(count(packed, slots.bound))
    assert all(term.values.min() >= 0 and int(term.values.max()) < term.bound for term in terms)
    assert plan({"census": terms[0]}, cohort).width == 64
    found = np.empty((1 + slots.marks, bins + 1), np.int64)
    opened = sum(term.values for term in terms)
    add_up_census(opened, numbers, used, slots.mark, slots.bits, slots.together, found)
    expected = np.zeros((1 + slots.marks, bins), np.int64)
    for feature, start in enumerate(numbers.cumsum() - numbers):
        part = slice(start, start + numbers[feature])
        if used[feature]:
            expected[0, part] = counts[:, 0, part].sum(axis=0)
            for own in counts:
                expected[1:, part] += np.vstack([marks_of(side[part], kinds[feature]) for side in own])
    assert (found[:, 0] == 0).all()
    assert (np.diff(found) == expected).all()


def test_two_bins_of_a_large_node_share_an_entry():
    assert slots_for([100_000], 4, 4).together == 2
    assert not slots_for([10**9], 4, 500).fit


def spread(parts, how):
    """Return rows that institutions hold alike, or each in a place of its own, or levels two and two."""
    rng = np.random.default_rng(7)
    frames = {name: part.assign(where=rng.normal(size=len(part))) for name, part in parts.items()}
    for place, frame in enumerate(frames.values()):
        if how == "apart":
            frame["where"] = np.where(rng.random(len(frame)) < 0.1, np.nan, place + rng.uniform(0, 1.4, len(frame)))
            frame["amount"] += 2.0 * place
        if how == "two and two":
            frame["grade"] = rng.choice([level for level in "pqr" if level != "pqr"[place]] + ["s"], len(frame))
            frame["amount"] += 3.0 * frame["grade"].isin(["p", "q"])
    return frames


@pytest.mark.parametrize(("how", "barred", "certain"), [
    ("alike", False, True), ("apart", True, True), ("two and two", False, False)])
def test_read_or_asked_the_trees_are_the_same(how, barred, certain, run_pooled, parts, monkeypatch):
    frames = spread(parts, how)
    monkeypatch.setattr(fit, "rule_for", lambda cohort, least: Rule(100, 100, 3))
    params = {"outcome": "amount", "features": ["a", "m", "where", "grade"], "rounds": 4, "params": {"num_leaves": 12}}
    read = run_pooled(frames, Gbdt(), params, minimum_count=5)
    monkeypatch.setattr(Slots, "fit", False)
    asked = run_pooled(frames, Gbdt(), params, minimum_count=5)
    assert read.model_text == asked.model_text
    assert read.sums["barred_splits"] == asked.sums["barred_splits"]
    assert (read.sums["barred_splits"] > 0, read.sums["verdicts_asked"] == 0) == (barred, certain)
    assert read.sums["verdicts_asked"] < 0.2 * asked.sums["verdicts_asked"]
    assert read.sums["rounds_per_tree"] < 0.6 * asked.sums["rounds_per_tree"]


def test_a_tree_of_31_leaves_takes_few_rounds(run_pooled, rows, parts):
    result = run_pooled(parts, Gbdt(), {"outcome": "amount", "features": ["a", "b", "m", "whole", "grade"],
                                        "rounds": 5}, minimum_count=2)
    assert result.booster.dump_model()["tree_info"][0]["num_leaves"] == 31
    assert result.sums["verdicts_asked"] == 0
    assert result.sums["rounds_per_tree"] <= 11  # a verdict and a histogram for each split would be 60
    assert result.sums["histograms_unused"] <= 5 * 6


def test_where_rows_are_weighted_so_is_the_census(run_pooled, parts, monkeypatch):
    opened, sum_ = set(), Growth._sum
    monkeypatch.setattr(Growth, "_sum", lambda self, terms: opened.update(terms) or sum_(self, terms))
    params = {"outcome": "amount", "features": ["a", "b"], "rounds": 3, "params": {"num_leaves": 8}}
    run_pooled(parts, Gbdt(), params, minimum_count=5)
    assert {name for name in opened if not name.startswith("loss")} == {"histograms", "census"}
    opened.clear()
    # A tenth of the rows weighs thirty times as much as the others: then 100 rows stand for some 25.
    heavy = {name: part.assign(weight=np.where(part["b"] > 1.3, 2.0, 0.07)) for name, part in parts.items()}
    read = run_pooled(heavy, Gbdt(), {**params, "weight": "weight"}, minimum_count=5)
    assert {name for name in opened if not name.startswith("loss")} == {
        "histograms", "census", "census weights", "census squares"}
    monkeypatch.setattr(Slots, "fit", False)
    asked = run_pooled(heavy, Gbdt(), {**params, "weight": "weight"}, minimum_count=5)
    assert read.model_text == asked.model_text
    assert read.sums["barred_splits"] == asked.sums["barred_splits"] > 0
    assert read.sums["verdicts_asked"] == 0 < asked.sums["verdicts_asked"]
