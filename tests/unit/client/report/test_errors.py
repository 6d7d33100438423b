"""Errors of a model of a number: tables, panels, learning curves and gains show what the report says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from sealane.client.report import errors, parse_report
from sealane.client.report.lines import legend_places, lines
from sealane.client.report.model import Report
from sealane.client.report.scatter import Panel, panels
from sealane.errors import InputError

ERRORS: dict[str, Any] = {
    "outcome": "clay", "unit": "g/kg", "all": {"alone": 54.0, "joint": 51.0, "own level": 44.0, "pooled": 51.0},
    "median": {"alone": 17.0, "joint": 30.0, "own level": 23.0, "pooled": 30.0},
    "within": {"north": {"rows": 3, "errors": {"alone": 20.0, "joint": 30.0, "own level": 25.0, "pooled": 30.0},
                         "mean": 40.0, "away": 300.0},
               "south": {"rows": 2, "errors": {"alone": 80.0, "joint": 70.0, "own level": 60.0, "pooled": 70.0},
                         "mean": 90.0, "away": 200.0}},
    "points": {"north": {"observed": [1.0, 2.0, 3.0],
                         "predicted": {"joint": [1.0, 2.0, 3.0], "alone": [3.0, 2.0, 1.0]}},
               "south": {"observed": [4.0, 5.0], "predicted": {"joint": [4.0, 4.0], "alone": [5.0, 5.0]}}},
    "learning": {"alone": [[10, 1.2], [40, 0.8]], "joint": [[10, 1.0], [40, 0.9]]}, "units": "own samples",
    "splits": {"random rows": 33.0, "farms": 38.0},
}


def report(**changes: Any) -> Report:
    return parse_report({
        "sector": "agriculture", "study": {"name": "s", "hash": "h", "purpose": "soil-mapping",
                                           "computation": "glm.fit", "scheme": "masking", "minimum_cohort": 3},
        "cohort": ["north", "south"], "rounds": 3, "errors": ERRORS | changes})


def test_the_sections_name_every_model_and_both_measures() -> None:
    told = errors.compared(report())
    for text in ("Root mean squared error", "Median absolute error", "own level", "54", "17", "g/kg", "Elsewhere"):
        assert text in told
    assert "random rows" in errors.splits(report())
    assert "38" in errors.splits(report())
    assert "own samples" in errors.learning(report())


def test_the_gain_is_of_the_best_joint_model_and_may_be_a_loss() -> None:
    told = errors.compared(report())
    assert errors.best(report().errors) == "own level"  # type: ignore[arg-type]
    # 1 − 25/20 and 1 − 60/80.
    assert "−25 %" in told
    assert "+25 %" in told


def test_without_numbers_there_is_no_section() -> None:
    bare = report(points={}, learning={}, splits={}, within={})
    assert errors.agreement(bare) == errors.learning(bare) == errors.splits(bare) == ""
    assert "Gain by institution" not in errors.compared(bare)
    none = bare.model_copy(update={"errors": None})
    assert errors.compared(none) == errors.agreement(none) == errors.learning(none) == errors.splits(none) == ""


@pytest.mark.parametrize("changed", [
    {"all": {"joint": -1.0}}, {"all": {"joint": float("nan")}},
    {"points": {"north": {"observed": [1.0], "predicted": {"joint": [1.0, 2.0]}}}},
])
def test_numbers_that_cannot_be_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        report(**changed)
    assert caught.value.code == "report.malformed"


@pytest.mark.parametrize("width", [680, 360])
def test_a_point_lies_on_the_diagonal_where_the_model_is_right(width: int) -> None:
    svg = ET.fromstring(panels([Panel("north", [1.0, 2.0, 3.0], {"joint": [1.0, 2.0, 3.0], "alone": [3.0, 2.0, 1.0]})],
                               "clay", width=width))
    diagonal = next(one.attrib for one in svg.iter("line") if one.attrib["class"] == "chance")
    (x1, y1), (x2, y2) = ((float(diagonal[f"x{n}"]), float(diagonal[f"y{n}"])) for n in (1, 2))
    marks: dict[str, list[tuple[float, float]]] = {"ring": [], "dot": []}
    for one in svg.iter("circle"):
        if one.attrib["r"] != "3.5":  # those of the legend are larger
            marks[one.attrib["class"]].append((float(one.attrib["cx"]), float(one.attrib["cy"])))
    assert len(marks["ring"]) == len(marks["dot"]) == 3
    off = [abs((y - y1) - (x - x1) * (y2 - y1) / (x2 - x1)) for x, y in marks["ring"]]
    assert max(off) < 0.5
    assert max(abs((y - y1) - (x - x1) * (y2 - y1) / (x2 - x1)) for x, y in marks["dot"]) > 20
    assert all(0 < x < width for x, _ in marks["ring"] + marks["dot"])


def test_lines_fall_as_errors_do_and_joint_is_thick() -> None:
    svg = ET.fromstring(lines({"alone": [(10, 1.2), (40, 0.8)], "joint": [(10, 1.0), (40, 0.9)]}, "Learning curves",
                              "Own samples", "Error / spread"))
    drawn = {one.attrib["class"]: [tuple(map(float, pair.split(","))) for pair in one.attrib["points"].split()]
             for one in svg.iter("polyline") if len({pair.split(",")[1] for pair in one.attrib["points"].split()}) > 1}
    assert set(drawn) == {"curve alone-0", "curve joint"}
    for points in drawn.values():
        assert points[0][1] < points[1][1]  # down the page
        assert points[0][0] < points[1][0]
    with pytest.raises(ValueError, match="a point"):
        lines({"joint": []}, "t", "x", "y")
    with pytest.raises(ValueError, match="a panel"):
        panels([], "clay")


def test_a_legend_that_does_not_fit_goes_on_below() -> None:
    places = legend_places(["a long name of a model"] * 4, 360)
    assert [row for row, _ in places] == sorted(row for row, _ in places)
    assert places[-1][0] > 0
    assert places[0] == (0, 12.0)
