from __future__ import annotations

from collections import defaultdict
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.errors import RefusedError
from sealane.governance.quality import (
    INVALID,
    MISSING,
    Counts,
    Profile,
    check_quality,
    hide,
    nearest,
    quality,
    read_profile,
    suppress,
)

NAMES = [MISSING, INVALID, "a", "b", "c", "d", "e"]
cells = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 60), min_size=1)


@given(cells, st.integers(2, 20))
def test_no_shown_cell_is_small_and_hidden_ones_hide_each_other(counts: dict[str, int], minimum: int) -> None:
    if sum(counts.values()) < 2 * minimum:
        return
    shown = hide(counts, minimum)
    assert list(shown) == list(counts)
    assert all(number is None or number == 0 or number >= minimum for number in shown.values())
    assert all(number is None or number % minimum == 0 for number in shown.values())
    hidden = [name for name, number in shown.items() if number is None]
    assert len(hidden) != 1
    if hidden:
        assert sum(counts[name] for name in hidden) >= minimum


@pytest.mark.parametrize("minimum", [4, 5, 6])
@pytest.mark.parametrize("names", [(MISSING, INVALID, "a"), ("c", "a", "b"), (MISSING, "a"), (MISSING, "c", "a", "b")])
def test_whoever_knows_how_cells_are_hidden_cannot_tell_a_small_one(minimum: int, names: tuple[str, ...]) -> None:
    """Every table of a size is tried: no small cell is the same in all tables that look the same from outside."""
    top = (6 if len(names) < 4 else 4) * minimum
    alike = defaultdict(list)
    for counts in product(range(top + 1), repeat=len(names)):
        if 2 * minimum <= sum(counts) <= top:
            shown = hide(dict(zip(names, counts, strict=True)), minimum)
            alike[(nearest(sum(counts), minimum), *shown.items())].append(counts)
    assert len(alike) > 40
    for look, tables in alike.items():
        if look[0] <= top - minimum:  # above, tables that look the same were left out here
            for values in map(set, zip(*tables, strict=True)):
                assert len(values) > 1 or not 0 < min(values) < minimum


def test_a_lone_small_cell_is_caught_by_the_property_above() -> None:
    naive = {MISSING: 0, "a": None, "b": 20}  # only the small cell hidden: 30 rows less 20 leave it
    assert [name for name, number in naive.items() if number is None] == ["a"]
    assert hide({MISSING: 0, "a": 3, "b": 20, "c": 7 + 20}, 10)["b"] is None


@given(st.lists(cells, min_size=1, max_size=4), st.integers(0, 400))
def test_a_profile_shows_nothing_small_at_all(fields: list[dict[str, int]], number: int) -> None:
    rows = max(sum(field.values()) for field in fields)
    padded = {f"f{k}": {**field, "e": field.get("e", 0) + rows - sum(field.values())}
              for k, field in enumerate(fields)}
    overlapping = min(number, rows)
    profile = suppress(Counts(rows, padded, overlapping, {"r": overlapping}, overlapping,
                              {"f0": {"e-mail": overlapping}}))
    shown = [profile.rows, profile.repeated, profile.stale, *profile.broken.values(),
             *(n for one in (*profile.fields.values(), *profile.found.values()) for n in one.values())]
    assert all(one is None or one == 0 or one >= profile.minimum_count for one in shown)
    if profile.rows is None:
        assert set(shown) <= {None}
    assert read_profile(profile.to_bytes()) == profile
    assert all(part is None or 0 <= part <= 1 for part in quality(profile).to_dict().values())


def test_quality_by_hand() -> None:
    profile = suppress(Counts(
        1000, {"x": {MISSING: 100, INVALID: 0, "v": 900}, "y": {MISSING: 3, INVALID: 50, "v": 500, "w": 447}},
        repeated=40, broken={"r": 0, "s": 250}, stale=500))
    found = quality(profile)
    # x misses 100; y misses 3, which is hidden and counts as the minimum count, 10.
    assert found.completeness == pytest.approx((0.9 + 0.99) / 2)
    assert found.validity == pytest.approx((1.0 + 0.95) / 2)
    assert found.uniqueness == pytest.approx(0.96)
    assert found.consistency == pytest.approx((1.0 + 0.75) / 2)
    assert found.timeliness == pytest.approx(0.5)
    assert found.score == pytest.approx((0.945 + 0.975 + 0.96 + 0.875 + 0.5) / 5)


def test_a_column_that_is_nearly_all_missing_is_not_hidden_from_the_score() -> None:
    profile = suppress(Counts(1000, {"x": {MISSING: 996, INVALID: 0, "v": 4}}))
    assert profile.fields["x"] == {MISSING: 1000, INVALID: 0, "v": 0}
    assert quality(profile).completeness == 0.0


def test_nothing_asked_for_nothing_counted() -> None:
    found = quality(suppress(Counts(100, {"x": {MISSING: 0, INVALID: 0, "v": 100}})))
    assert (found.consistency, found.timeliness, found.score) == (None, None, 1.0)


def test_a_floor_refuses_what_lies_under_it_and_what_has_no_score() -> None:
    good = suppress(Counts(1000, {"x": {MISSING: 100, INVALID: 0, "v": 900}}))
    none = suppress(Counts(15, {"x": {MISSING: 0, INVALID: 0, "v": 15}}))
    assert none.rows is None
    check_quality("loans", good, None)
    check_quality("loans", none, None)
    check_quality("loans", good, 0.96)  # (0.9 + 1 + 1) / 3 = 0.9667
    for profile, floor in ((good, 0.97), (none, 0.0)):
        with pytest.raises(RefusedError) as caught:
            check_quality("loans", profile, floor)
        assert caught.value.code == "dataset.quality-too-low"


def test_rounding_goes_to_the_nearest_multiple() -> None:
    assert [nearest(number, 10) for number in (0, 10, 14, 15, 24, 25, 95)] == [0, 10, 10, 20, 20, 30, 100]


def test_overlapping_numbers_are_rounded_up_and_never_leave_few() -> None:
    def repeated(number: int) -> int | None:
        return suppress(Counts(103, {"x": {"v": 103}}, repeated=number)).repeated

    assert [repeated(number) for number in (0, 1, 10, 11, 90, 94, 103)] == [0, 10, 10, 20, 90, 100, 110]
    assert isinstance(suppress(Counts(103, {})), Profile)
