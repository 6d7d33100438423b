"""Rules of disclosure control that every model shares."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patients import patients

from sealane import simulate
from sealane.computations.disclosure import (
    basis_lines,
    check_contributors,
    check_events_per_parameter,
    effective_rows,
    hidden_under,
)
from sealane.errors import RefusedError


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=50))
def test_effective_rows_lie_between_one_and_the_rows(weights: list[float]) -> None:
    found = effective_rows(sum(weights), sum(w * w for w in weights))
    assert 1 - 1e-9 <= found <= len(weights) * (1 + 1e-9)


def test_equal_weights_count_as_their_number_and_one_heavy_row_as_one() -> None:
    assert effective_rows(8 * 0.25, 8 * 0.25**2) == pytest.approx(8)
    assert effective_rows(1000 + 9, 1000**2 + 9) == pytest.approx(1.018, abs=1e-3)
    assert effective_rows(0.0, 0.0) == 0.0


@pytest.mark.parametrize(("number", "shown"), [(0, 0), (1, None), (9, None), (10, 10), (11, 11)])
def test_small_counts_are_not_told(number: int, shown: int | None) -> None:
    assert hidden_under(number, 10) == shown


def test_events_must_outnumber_parameters() -> None:
    check_events_per_parameter(9, 3)
    with pytest.raises(RefusedError) as caught:
        check_events_per_parameter(8, 3)
    assert caught.value.code == "model.events-per-parameter"


def test_rows_of_too_few_institutions_are_refused_with_the_column_that_is_missing() -> None:
    cohort: Any = SimpleNamespace(size=5, smallest=3)
    assert check_contributors(3, cohort, {"age": 0, "dose": 2}) == {
        "contributing": 3, "institutions": 5, "missing_everywhere": ["dose"]}
    with pytest.raises(RefusedError) as caught:
        check_contributors(2, cohort, {"age": 0, "dose": 2})
    assert caught.value.code == "model.institutions-without-rows"
    assert "dose" in (caught.value.hint or "")


def test_a_summary_says_whose_rows_a_model_does_without() -> None:
    assert basis_lines({"contributing": 4, "institutions": 4, "missing_everywhere": []}) == []
    assert basis_lines({"contributing": 3, "institutions": 4, "missing_everywhere": ["dose", "crp"]}) == [
        "rests on rows of 3 of 4 institutions: missing in all rows elsewhere: dose, crp"]


@pytest.mark.parametrize(("computation", "asked"), [
    ("glm.fit", {"outcome": "event", "family": "binomial"}), ("survival.cox", {"duration": "time", "event": "event"}),
    ("survival.aft", {"duration": "time", "event": "event"}),
    ("survival.fine_gray", {"duration": "time", "event": "event_kind", "cause": "1"}),
    ("causal.ipw", {"treatment": "arm", "outcome": "event"}),
])
def test_a_column_missing_at_one_of_four_shows_in_every_models_text(computation: str, asked: dict[str, Any]) -> None:
    frames = {name: patients(seed, 250) for seed, name in enumerate("abcd")}
    frames["d"]["creatinine"] = float("nan")
    fit = simulate(frames).run(computation, features=["age", "creatinine"], **asked)
    assert "rests on rows of 3 of 4 institutions: missing in all rows elsewhere: creatinine" in repr(fit)


ALONE = [
    ("glm.fit", {"formula": "event ~ age * sex", "family": "binomial"}, "model.few-institutions"),
    ("glm.fit", {"outcome": "event", "features": ["sex"], "family": "binomial"}, "model.few-institutions"),
    ("survival.cox", {"duration": "time", "event": "event", "features": ["age", "sex"]}, "model.few-institutions"),
    ("survival.cox", {"duration": "time", "event": "event", "features": ["age"], "strata": ["sex"]},
     "survival.few-institutions"),
    ("survival.aft", {"duration": "time", "event": "event", "features": ["sex"]}, "model.few-institutions"),
    ("causal.ipw", {"treatment": "arm", "outcome": "event", "features": ["sex"]}, "model.few-institutions"),
]


@pytest.mark.parametrize(("computation", "asked", "code"), ALONE)
def test_a_level_that_one_institution_alone_has_would_be_its_own_result(
    computation: str, asked: dict[str, Any], code: str
) -> None:
    frames = {name: patients(seed, 300) for seed, name in enumerate("abcd")}
    frames["d"]["sex"] = frames["d"]["sex"].map({"female": "F", "male": "M"})
    fed = simulate(frames)
    with pytest.raises(RefusedError) as caught:
        fed.run(computation, **asked)
    assert caught.value.code == code
    fed.run(computation, **asked, waive_differencing=list("abcd"))


@pytest.mark.parametrize(("computation", "event"), [
    ("survival.kaplan_meier", "event"), ("survival.cumulative_incidence", "event_kind")])
def test_a_group_that_one_institution_alone_has_is_hidden(computation: str, event: str) -> None:
    frames = {name: patients(seed, 300) for seed, name in enumerate("abcd")}
    frames["d"]["sex"] = "other"
    asked = {"duration": "time", "event": event, "by": "sex", "resolution": 7}
    found = simulate(frames).run(computation, **asked)
    assert found.hidden == {"female": "complementary", "other": "minimum-cohort"}
    assert not simulate(frames).run(computation, **asked, waive_differencing=list("abcd")).hidden
