"""Names and values of the design are patsy's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.errors import InputError
from sealane_examples.design import design_columns, design_matrix, linear_scores

ROWS = pd.DataFrame({"x": [1, 2, 3, 4], "colour": ["red", "blue", "red", "green"], "y": [0.5, 1.5, 2.5, 3.5]})


def test_equals_patsy() -> None:
    patsy = pytest.importorskip("patsy")
    expected = patsy.dmatrix("x + C(colour, Treatment) + y", ROWS, return_type="dataframe")
    expected = expected.rename(columns=lambda name: name.replace("C(colour, Treatment)", "colour"))
    columns = design_columns(ROWS, ["x", "colour", "y"], ["colour"])
    assert sorted(columns) == sorted(expected.columns)
    np.testing.assert_array_equal(design_matrix(ROWS, columns), expected[columns].to_numpy())


def test_scores_follow_names_not_order() -> None:
    scores = linear_scores(ROWS, {"colour[T.red]": 10.0, "Intercept": 1.0, "x": 100.0})
    assert scores.tolist() == [111.0, 201.0, 311.0, 401.0]


def test_unseen_level_counts_as_reference() -> None:
    assert linear_scores(ROWS, {"colour[T.black]": 5.0}).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "code"),
    [("z", "example.unknown-column"), ("z[T.a]", "example.unknown-column"), ("colour", "example.not-numeric")],
)
def test_names_without_a_column_are_refused(name: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        linear_scores(ROWS, {name: 1.0})
    assert refused.value.code == code


def test_the_reference_is_the_level_that_the_compared_model_leaves_out() -> None:
    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0], "colour": ["b", "c", "a"]})
    like = ["Intercept", "x", "colour[T.a]", "colour[T.c]"]
    assert design_columns(rows, ["x", "colour"], ["colour"], like) == ["Intercept", "x", "colour[T.a]", "colour[T.c]"]
    assert design_columns(rows, ["colour"], ["colour"]) == ["Intercept", "colour[T.b]", "colour[T.c]"]
