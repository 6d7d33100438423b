"""Budget caps against what a study declares; differences from the study."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import signed

from sealane.errors import RefusedError
from sealane.governance.study import Study
from sealane.governance.terms import check_within, differences, narrow


class Budgeted(Study):
    """A study that declares a budget, whether or not this version's does."""

    epsilon: str | None = "1.25"  # type: ignore[assignment,unused-ignore]
    delta: str | None = "0.00001"  # type: ignore[assignment,unused-ignore]


@pytest.fixture
def budgeted(build: Callable[..., Study]) -> Study:
    plain = build()
    return Budgeted(**{name: getattr(plain, name) for name in Study.model_fields if name not in ("epsilon", "delta")})


@pytest.mark.parametrize(("cap", "fits"), [
    ("1.25", True), ("1.250", True), ("2", True), ("1.249999999999999999", False), ("0", False)])
def test_a_cap_is_held_exactly(budgeted: Study, cap: str, fits: bool) -> None:
    terms = signed.terms(budgeted, epsilon=cap)
    if fits:
        check_within(terms, budgeted)
        return
    with pytest.raises(RefusedError) as caught:
        check_within(terms, budgeted)
    assert (caught.value.code, caught.value.got, caught.value.expected) == (
        "agreement.budget-exceeded", "1.25", f"at most {cap}")


def test_a_cap_on_delta(budgeted: Study) -> None:
    check_within(signed.terms(budgeted, delta="0.00001"), budgeted)
    with pytest.raises(RefusedError) as caught:
        check_within(signed.terms(budgeted, delta="0.000001"), budgeted)
    assert caught.value.code == "agreement.budget-exceeded"


def test_differences_name_both_sides(build: Callable[..., Study]) -> None:
    study = build()
    terms = narrow(signed.terms(study), study, rounds=3)
    assert differences(terms, study) == {"rounds": (200, 3)}
    with pytest.raises(RefusedError) as caught:
        narrow(terms, study, rounds=201)
    assert caught.value.code == "agreement.wider-than-study"
