from __future__ import annotations

import pytest

from sealane.computations import registry
from sealane.errors import InputError


def test_every_computation_answers_to_its_name():
    assert registry.names() == sorted(registry.names())
    assert {"glm.fit", "statistics.describe", "statistics.table"} <= set(registry.names())
    for name in registry.names():
        assert registry.get(name).name == name


def test_every_computation_says_what_nodes_see_beside_its_result():
    for name in registry.names():
        assert 20 < len(registry.opens(name)) <= 120
        assert "unknown" not in registry.opens(name)


def test_columns_are_what_the_gate_will_check():
    params = registry.read_parameters("glm.fit", {"outcome": "y", "features": ["x", "z"], "family": "poisson"})
    assert registry.get("glm.fit").columns(params) == ["y", "x", "z"]
    params = registry.read_parameters("statistics.describe", {"columns": ["x"]})
    assert registry.get("statistics.describe").columns(params) == ["x"]


def test_unknown_computation_names_the_near_ones():
    with pytest.raises(InputError) as caught:
        registry.get("glm.fitt")
    assert caught.value.code == "computation.unknown"
    assert "glm.fit" in caught.value.hint


def test_unknown_parameter_names_the_near_ones():
    with pytest.raises(InputError) as caught:
        registry.read_parameters("glm.fit", {"outcom": "y", "features": ["x"], "family": "poisson"})
    assert caught.value.code == "computation.bad-parameters"
    assert caught.value.got == "'outcom'"  # and not that outcome is missing
    assert "outcome" in caught.value.hint


@pytest.mark.parametrize(("wrong", "got", "expected"), [
    ({"family": "binomal"}, "'binomal'", "'binomial'"),
    ({"outcome": "x"}, "'outcome': 'x'", "the outcome is not one of the features"),
    ({"confidence": 3}, "3", "less than or equal to 0.9999"),
])
def test_a_wrong_value_is_told_beside_the_right_ones(wrong, got, expected):
    with pytest.raises(InputError) as caught:
        registry.read_parameters("glm.fit", {"outcome": "y", "features": ["x"], "family": "poisson"} | wrong)
    assert got in caught.value.got
    assert expected in caught.value.expected


@pytest.mark.parametrize("wrong", [{}, {"columns": []}, {"columns": ["x", "x"]}, {"columns": ["x"], "per": "g"}])
def test_parameters_out_of_range(wrong):
    with pytest.raises(InputError) as caught:
        registry.read_parameters("statistics.describe", wrong)
    assert caught.value.code == "computation.bad-parameters"
