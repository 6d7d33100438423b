from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.errors import RefusedError
from sealane.governance.differencing import check_cohort, exposed, exposed_to

NAMES = "abcdef"
cohorts = st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=1, max_size=6)


def sets(*texts: str) -> list[frozenset[str]]:
    return [frozenset(text) for text in texts]


def refused(previous: list[frozenset[str]], proposed: str, waived: str = "", colluding: int = 1) -> bool:
    try:
        check_cohort(previous, frozenset(proposed), frozenset(waived), colluding=colluding)
    except RefusedError as error:
        return error.code == "cohort.differencing"
    return False


def test_one_cohort_exposes_nobody() -> None:
    assert exposed(sets("abc")) == frozenset()
    assert exposed([]) == frozenset()


def test_a_cohort_less_one_exposes_that_one() -> None:
    assert exposed(sets("abcd", "abc")) == {"d"}


def test_four_cohorts_of_three_solve_for_every_member_though_no_pair_does() -> None:
    four = sets("abc", "abd", "acd", "bcd")
    assert exposed(four) == set("abcd")
    assert all(exposed(pair) == frozenset() for pair in combinations(four, 2))
    assert all(exposed(triple) == frozenset() for triple in combinations(four, 3))


@given(cohorts)
def test_exposed_agrees_with_numerical_rank(groups: list[set[str]]) -> None:
    matrix = np.array([[name in group for name in NAMES] for group in groups], dtype=float)
    rank = np.linalg.matrix_rank(matrix)
    expected = {name for index, name in enumerate(NAMES)
                if np.linalg.matrix_rank(np.vstack([matrix, np.eye(len(NAMES))[index]])) == rank}
    assert exposed(groups) == expected


@given(cohorts, st.integers(0, 2))
def test_colluders_only_ever_learn_more(groups: list[set[str]], colluding: int) -> None:
    assert exposed(groups) <= exposed_to(groups, colluding) <= frozenset().union(*groups)


def test_a_colluder_in_a_pair_learns_the_other() -> None:
    assert exposed_to(sets("ab"), 1) == set("ab")
    assert exposed_to(sets("abc"), 1) == frozenset()
    assert exposed_to(sets("abc"), 2) == set("abc")


def test_too_many_coalitions_count_as_exposed() -> None:
    everyone = frozenset(f"n{index}" for index in range(40))
    assert exposed_to([everyone], 10) == everyone


def test_the_same_cohort_again_is_fine() -> None:
    assert not refused([], "abc")
    assert not refused(sets("abc", "abc"), "abc")


def test_a_different_cohort_needs_waivers_by_those_at_risk() -> None:
    assert refused(sets("abcd"), "abc")
    assert not refused(sets("abcd"), "abc", waived="d")
    assert refused(sets("abcd"), "abce", waived="d")
    assert not refused(sets("abcd"), "abce", waived="de")


def test_the_fourth_of_four_cohorts_asks_everybody() -> None:
    three = sets("abc", "abd", "acd")
    assert refused(three, "bcd", waived="abc")
    assert not refused(three, "bcd", waived="abcd")


def test_two_alone_only_when_both_waive() -> None:
    assert refused([], "ab", colluding=0)
    assert refused([], "ab", waived="a", colluding=0)
    assert not refused([], "ab", waived="ab", colluding=0)
    assert refused([], "a")


@given(cohorts, st.sets(st.sampled_from(NAMES), min_size=3), st.sets(st.sampled_from(NAMES)))
def test_whatever_is_let_through_exposes_only_those_who_waived(groups: list[set[str]], proposed: set[str],
                                                              waived: set[str]) -> None:
    previous = [frozenset(group) for group in groups]
    if not refused(previous, "".join(proposed), "".join(waived)):
        assert exposed([*previous, frozenset(proposed)]) <= waived


def test_more_than_sixty_four_institutions_are_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        exposed([frozenset(f"n{index}" for index in range(65))])
    assert caught.value.code == "cohort.too-many"


def test_sixty_four_institutions_are_quick_and_exact() -> None:
    names = [f"n{index:02}" for index in range(64)]
    everyone = frozenset(names)
    assert exposed([everyone - {name} for name in names]) == everyone
