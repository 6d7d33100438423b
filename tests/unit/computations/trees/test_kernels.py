"""Each loop does what a slow and plain writing of it does, to the last bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.computations.trees.bin_kernels import EPSILON, best_splits, take_steps, tell
from sealane.computations.trees.kernels import add_up, derive_binary, divide, lose_binary, raise_scores

quick = settings(max_examples=100, deadline=None)
seeds = st.integers(0, 2**32)


def own_rows(seed):
    """Return codes of rows, numbers of bins, and some of the rows in their order."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(1, 12, rng.integers(1, 6))
    codes = np.column_stack([rng.integers(0, number, 200) for number in numbers]).astype(np.uint8)
    return rng, codes, numbers, np.flatnonzero(rng.random(200) < rng.random()).astype(np.int32)


@quick
@given(seeds)
def test_derivatives_are_added_row_after_row(seed):
    rng, codes, numbers, rows = own_rows(seed)
    starts = numbers.cumsum() - numbers
    first, second = rng.normal(size=(2, 200)).astype(np.float32)
    sums, counts = np.zeros((numbers.sum(), 2)), np.zeros(numbers.sum(), np.int32)
    add_up(codes, rows, first, second, starts, sums, counts)
    expected = np.zeros((numbers.sum(), 3))
    for row in rows:
        for feature, start in enumerate(starts):
            expected[start + codes[row, feature]] += [first[row], second[row], 1]
    assert np.array_equal(np.column_stack([sums, counts]), expected)
    add_up(codes, rows, first, second, starts, again := np.zeros_like(sums), np.zeros(0, np.int32))
    assert np.array_equal(again, sums)


@quick
@given(seeds)
def test_rows_are_divided_in_their_order(seed):
    rng, codes, numbers, rows = own_rows(seed)
    feature, goes = int(rng.integers(len(numbers))), rng.random(256) < 0.5
    left, right = np.empty_like(rows), np.empty_like(rows)
    number = divide(codes, rows, feature, goes, left, right)
    on_left = goes[codes[rows, feature]]
    assert left[:number].tolist() == rows[on_left].tolist()
    assert right[: len(rows) - number].tolist() == rows[~on_left].tolist()


@quick
@given(seeds, st.floats(0.1, 10.0))
def test_derivatives_of_a_binary_outcome(seed, positive):
    rng = np.random.default_rng(seed)
    score, weight = rng.normal(0, 6, 100), rng.uniform(0, 3, 100)
    outcome = rng.integers(0, 2, 100).astype(np.float32)
    first, second = np.empty((2, 100), np.float32)
    derive_binary(np.exp(np.where(outcome > 0, score, -score)), outcome, weight, positive, first, second)
    sign, factor = np.where(outcome > 0, 1.0, -1.0), np.where(outcome > 0, positive, 1.0)
    response = -sign / (1.0 + np.exp(sign * score))
    size = np.abs(response)
    assert np.array_equal(first, (response * factor * weight).astype(np.float32))
    assert np.array_equal(second, (size * (1.0 - size) * factor * weight).astype(np.float32))


@quick
@given(seeds)
def test_losses_of_a_binary_outcome(seed):
    rng = np.random.default_rng(seed)
    score, outcome = rng.normal(0, rng.choice([1e-3, 6.0, 1000.0]), 100), rng.integers(0, 2, 100).astype(np.float32)
    score[::10], losses = 0.0, np.empty(100)
    lose_binary(score, outcome, losses)
    np.testing.assert_allclose(losses, np.logaddexp(0.0, np.where(outcome > 0, -score, score)), rtol=1e-15)


@quick
@given(seeds, st.floats(-5.0, 5.0))
def test_a_leaf_raises_the_scores_of_its_rows_alone(seed, output):
    rng, _, _, rows = own_rows(seed)
    score = rng.normal(size=200)
    expected = score.copy()
    expected[rows] += output
    raise_scores(score, rows, output)
    assert np.array_equal(score, expected)


@quick
@given(seeds, st.integers(-40, 60), st.integers(-40, 60))
def test_steps_of_the_used_features_and_an_open_histogram_in_units(seed, first, second):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(1, 12, rng.integers(1, 6))
    used = rng.random(len(numbers)) < 0.6
    scales = np.array([2.0**first, 2.0**second])
    sums = rng.normal(size=(numbers.sum(), 2)) * 2.0**58 / scales
    sums[::5] = np.round(sums[::5] * scales) / scales + 0.5 / scales  # between two steps: the even one is taken
    of = np.repeat(np.arange(len(numbers)), numbers)
    steps = np.empty((numbers[used].sum(), 2), np.int64)
    take_steps(sums, numbers, used, scales, steps)
    assert np.array_equal(steps, np.rint(sums[used[of]] * scales).astype(np.int64))
    histogram = rng.integers(-(2**62), 2**62, size=(numbers.sum(), 2))
    told = np.empty((numbers.sum() - len(numbers), 2))
    tell(histogram, numbers, 1.0 / scales, told)
    assert np.array_equal(told, (histogram / scales)[np.flatnonzero(np.append(False, of[1:] == of[:-1]))])


def every_split(values, kind, facts):
    """Return of one number's histogram what splits are possible: gain, threshold, whether missing goes left, sums."""
    rows, total_g, total_h, fewest, least, l1, l2, least_gain = facts
    total_h += 2 * EPSILON

    def gain(g, h):
        kept = max(0.0, abs(g) - l1)
        return kept * kept / (h + l2)

    shift = gain(total_g, total_h) + least_gain
    counts = [int(h * (rows / total_h) + 0.5) for _, h in values.tolist()]
    last, out = len(values) - 1 - kind, []
    for missing_left in (True, False) if kind else (True,):
        # Sums over the side without missing values, bin after bin towards the border.
        for border in range(last) if missing_left else range(last + 1):
            side = list(range(last, border, -1)) if missing_left else list(range(border + 1))
            g, h, count = 0.0, EPSILON, sum(counts[place] for place in side)
            for place in side:
                g, h = g + float(values[place, 0]), h + float(values[place, 1])
            if min(count, rows - count) < fewest or min(h, total_h - h) < least:
                continue
            found = gain(g, h) + gain(total_g - g, total_h - h)
            if found > shift:
                left = (total_g - g, total_h - h) if missing_left else (g, h)
                out.append((found - shift, float(border), float(missing_left), *left))
    return out


@quick
@given(seeds, st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 2.0]), st.sampled_from([0.0, 3.0]))
def test_the_best_split_is_the_best_of_all(seed, l1, l2, least_gain):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(1, 10, 5)
    starts, kinds = numbers.cumsum() - numbers, rng.choice([0, 1, -1], 5)
    units = np.array([2.0**-10, 2.0**-12])
    histogram = np.column_stack([rng.integers(-20000, 20000, numbers.sum()), rng.integers(0, 40000, numbers.sum())])
    values = histogram * units
    end = numbers[0]
    facts = np.array([1000.0, *values[:end].sum(axis=0), rng.integers(1, 100), 0.5, l1, l2, least_gain])
    found = np.empty((5, 5))
    best_splits(histogram, starts, numbers, kinds, units, facts, found)
    for feature in range(5):
        part = values[starts[feature] : starts[feature] + numbers[feature]]
        possible = every_split(part, kinds[feature], facts.tolist()) if kinds[feature] >= 0 else []
        if not possible:
            assert found[feature, 0] == -np.inf
        else:
            best = max(gain for gain, *_ in possible)
            assert tuple(found[feature]) in [one for one in possible if one[0] == best]
