"""Curves, calibration and ratios put their marks where the numbers are."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET

import pytest

from sealane.client.report.axis import ratio_ticks, ratio_value
from sealane.client.report.calibration import Group, calibration_plot
from sealane.client.report.curves import Curve, Frame, step_curves
from sealane.client.report.forest import Estimate, coefficient_plot

FRAME = Frame("Survival", "Months", "Survival")


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter("text")]


def points(svg: str, tag: str, style: str) -> list[tuple[float, float]]:
    found = [node for node in ET.fromstring(svg).iter(tag) if node.attrib["class"] == style]
    pairs = [tuple(map(float, pair.split(","))) for pair in found[-1].attrib["points"].split()]
    return [(x, y) for x, y in pairs]


def curve(name: str = "all") -> Curve:
    def at_risk(time: float) -> int | None:
        return 1200 if time == 0 else 40 if time <= 10 else None

    return Curve(name, [0, 10, 20], [1.0, 0.75, 0.5], [1.0, 0.5, None], [1.0, 0.9, None], at_risk, 20.0)


@pytest.mark.parametrize("width", [680, 360])
def test_a_curve_is_level_and_then_steps(width: int) -> None:
    corners = points(step_curves([curve()], FRAME, width=width), "polyline", "curve alone-0")
    (x0, y0), *_, (x1, y1) = corners
    share = [((x - x0) / (x1 - x0), (y - y0) / (y1 - y0)) for x, y in corners]
    # Half way in time the level drops by half of what it drops in all, and nowhere does the line run askew.
    assert any(x == pytest.approx(0.5, abs=0.003) and y == pytest.approx(0.5, abs=0.003) for x, y in share)
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(corners))
    assert x1 <= width


def test_the_band_ends_where_it_is_hidden() -> None:
    svg = step_curves([curve()], FRAME)
    line, band = points(svg, "polyline", "curve alone-0"), points(svg, "polygon", "band alone-0")
    assert max(x for x, _ in band) == pytest.approx((line[0][0] + line[-1][0]) / 2, abs=0.2)


@pytest.mark.parametrize("width", [680, 360])
def test_numbers_at_risk_stand_under_their_time(width: int) -> None:
    svg = step_curves([curve("treated"), curve("control")], FRAME, width=width)
    words = texts(svg)
    assert words.count("1\u202f200") == 2
    assert words.count("hidden") == 4  # at 15 and 20, in both groups
    assert words.count("treated") == 2  # in the legend and beside its numbers
    ticks = {node.text: node.attrib["x"] for node in ET.fromstring(svg).iter("text") if node.attrib["class"] == "tick"}
    assert ticks["40"] == ticks["10"]
    placed = [node.attrib for node in ET.fromstring(svg).iter("text") if "x" in node.attrib]
    assert all(0 <= float(one["x"]) <= width for one in placed)


def test_without_numbers_there_is_no_table() -> None:
    assert "Number at risk" not in texts(step_curves([Curve("a", [1.0], [0.5])], FRAME))


@pytest.mark.parametrize("width", [680, 360])
def test_long_and_many_names_stay_inside(width: int) -> None:
    svg = step_curves([curve("x" * 100) for _ in range(9)], FRAME, width=width)
    assert not any("x" * 100 in text for text in texts(svg))


def test_calibration_puts_groups_on_the_diagonal_where_they_belong() -> None:
    svg = calibration_plot([Group(0.2, 0.2, 0.1, 0.3, 20), Group(0.6, 0.9, 0.8, 1.0, 20)])
    circles = [node.attrib for node in ET.fromstring(svg).iter("circle")]
    chance = next(node.attrib for node in ET.fromstring(svg).iter("line") if node.attrib["class"] == "chance")
    x0, y0, x1, y1 = (float(chance[key]) for key in ("x1", "y1", "x2", "y2"))
    places = [((float(one["cx"]) - x0) / (x1 - x0), (float(one["cy"]) - y0) / (y1 - y0)) for one in circles]
    assert places == [pytest.approx((0.2, 0.2), abs=0.002), pytest.approx((0.6, 0.9), abs=0.002)]


def test_ratios_are_written_as_ratios_on_a_logarithmic_axis() -> None:
    svg = coefficient_plot(
        [Estimate("a", math.log(2), math.log(1.5), math.log(3)), Estimate("b", math.log(0.5))], "HR", ratio=True)
    words = texts(svg)
    assert {"2.00 (1.50, 3.00)", "0.50", "1"} <= set(words)
    dots = [node.attrib for node in ET.fromstring(svg).iter("circle")]
    zero = next(float(node.attrib["x1"]) for node in ET.fromstring(svg).iter("line") if node.attrib["class"] == "zero")
    assert float(dots[1]["cx"]) - zero == pytest.approx(zero - float(dots[2]["cx"]), abs=0.2)
    assert "leave 1 out: a 2.00" in svg


def test_ratio_ticks_are_round_and_few() -> None:
    for reach in (0.01, 0.3, 1.0, 5.0, 20.0):
        found = ratio_ticks(-reach, reach, 7)
        assert 0.0 in found
        assert len(found) <= 7
    assert [round(math.exp(one), 6) for one in ratio_ticks(math.log(0.6), math.log(4), 7)] == [0.7, 1, 1.5, 2, 3]


@pytest.mark.parametrize(("ratio", "text"), [(1.0, "1.00"), (0.05, "0.05"), (0.012345, "0.0123"), (12345, "1.23e+04")])
def test_ratio_text(ratio: float, text: str) -> None:
    assert ratio_value(math.log(ratio)) == text


def test_charts_without_marks_are_refused() -> None:
    with pytest.raises(ValueError, match="curve"):
        step_curves([], FRAME)
    with pytest.raises(ValueError, match="group"):
        calibration_plot([])
