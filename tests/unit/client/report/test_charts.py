"""Charts put their marks where the numbers are."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from sealane.client.report.axis import Scale, ticks
from sealane.client.report.bars import Bar, bars
from sealane.client.report.forest import MOST, Estimate, coefficient_plot, fitted, readable
from sealane.client.report.markup import Markup, element, escape
from sealane.client.report.roc import Series, roc_curves, series_of
from sealane.client.report.tables import enumerated, size


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-1.7, 0.9, [-1.5, -1, -0.5, 0, 0.5]),
        (0, 73.5, [0, 20, 40, 60]),
        (0.5, 0.82, [0.5, 0.6, 0.7, 0.8]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    most = 5 if high > 1 or low == 0.5 else 6
    assert ticks(low, high, most) == pytest.approx(expected)


@pytest.mark.parametrize("span", [1e-9, 3.7e-5, 0.013, 1, 17, 9.9e6])
@pytest.mark.parametrize("most", [3, 5, 7])
def test_ticks_stay_inside_and_few(span: float, most: int) -> None:
    found = ticks(-span / 3, span, most)
    assert 1 <= len(found) <= most
    assert -span / 3 <= found[0] <= found[-1] <= span
    assert 0 in found


def test_scale_maps_ends_and_holds_what_is_outside() -> None:
    scale = Scale(0, 10, 100, 200)
    assert [scale(value) for value in (0, 5, 10, 11, -3)] == [100, 150, 200, 200, 100]


@pytest.mark.parametrize("width", [680, 360])
def test_roc_curve_goes_where_the_rates_are(width: int) -> None:
    svg = roc_curves([Series("joint", "joint", [0, 0.5, 1], [0, 0.8, 1], 0.65)], width=width)
    points = next(ET.fromstring(svg).iter("polyline")).attrib["points"].split()
    (x0, y0), (x1, y1), (x2, y2) = (tuple(map(float, point.split(","))) for point in points)
    assert (x1 - x0) / (x2 - x0) == pytest.approx(0.5, abs=0.002)
    assert (y0 - y1) / (y0 - y2) == pytest.approx(0.8, abs=0.002)
    assert x2 <= width
    assert any("joint" in text and "0.650" in text for text in texts(svg))
    assert {"False positive rate", "True positive rate"} <= set(texts(svg))


def test_pooled_is_drawn_over_joint_over_alone() -> None:
    curve = ([0.0, 1.0], [0.0, 1.0])
    series = series_of({"pooled": curve, "west": curve, "joint": curve, "east": curve}, {"west": 0.7})
    assert [one.name for one in series] == ["east alone", "west alone", "joint", "pooled"]
    assert [one.style for one in series] == ["alone-0", "alone-1", "joint", "pooled"]
    assert [one.auc for one in series] == [None, 0.7, None, None]


def test_intervals_that_leave_zero_out_are_filled() -> None:
    svg = coefficient_plot(
        [Estimate("a", 1.0, 0.5, 1.5, 1.0), Estimate("b", 1.0, -0.5, 2.5), Estimate("c", -1, -2, -0.5)], "unit"
    )
    dots = [node.attrib for node in ET.fromstring(svg).iter("circle") if node.attrib["class"].startswith("dot")]
    assert [dot["class"] for dot in dots[1:]] == ["dot clear", "dot unclear", "dot clear"]
    assert float(dots[1]["cx"]) == float(dots[2]["cx"]) > float(dots[3]["cx"])
    rings = [node.attrib for node in ET.fromstring(svg).iter("circle") if node.attrib["class"] == "ring"]
    assert rings[1]["cx"] == dots[1]["cx"]
    assert "1.00 (0.50, 1.50)" in texts(svg)
    assert "−1.00 (−2.00, −0.50)" in texts(svg)


@pytest.mark.parametrize("width", [680, 360])
def test_marks_stay_inside_with_long_names_and_one_value(width: int) -> None:
    svg = coefficient_plot([Estimate("x" * 200, 0.0)], "unit", width=width)
    assert all(0 <= float(node.attrib["cx"]) <= width for node in ET.fromstring(svg).iter("circle"))
    assert "x" * 200 not in texts(svg)


def test_only_the_strongest_of_many_are_plotted() -> None:
    many = [Estimate(f"c{index}", float(index), index - 1.0, index + 1.0) for index in range(MOST + 10)]
    found = texts(coefficient_plot(many, "unit"))
    assert "c9" not in found
    assert {"c10", f"c{MOST + 9}"} <= set(found)


def test_bars_grow_from_their_base() -> None:
    svg = bars([Bar("a", 0.6, "0.600"), Bar("b", 0.7, "0.700"), Bar("c", 0.4, "0.400")], "AUC", "unit", base=0.5)
    first, second, third = (
        (float(node.attrib["x"]), float(node.attrib["width"])) for node in ET.fromstring(svg).iter("rect")
    )
    assert second[1] == pytest.approx(2 * first[1], abs=0.2)
    assert first[0] == second[0] == pytest.approx(third[0] + third[1], abs=0.2)
    assert {"0.600", "0.700", "0.400", "unit"} <= set(texts(svg))


def test_bars_of_nothing_sent() -> None:
    rect = next(ET.fromstring(bars([Bar("a", 0, "0 B")], "Bytes", "bytes")).iter("rect"))
    assert float(rect.attrib["width"]) == 1


def test_charts_without_marks_are_refused() -> None:
    with pytest.raises(ValueError, match="bar"):
        bars([], "t", "u")
    with pytest.raises(ValueError, match="estimate"):
        coefficient_plot([], "u")


def test_only_markup_is_left_as_it_is() -> None:
    assert element("b", {"class": '"><i>'}, "<i>", Markup("<u></u>")) == (
        '<b class="&quot;&gt;&lt;i&gt;">&lt;i&gt;<u></u></b>'
    )
    assert escape("a\u202eb\u200bc\n") == "a\ufffdb\ufffdc\ufffd"


def test_words() -> None:
    assert readable("term[T.term_60]") == "term = term_60"
    assert readable("int_rate") == "int_rate"
    assert len(fitted("x" * 100, 100)) <= 14
    assert (size(999), size(1000), size(73211), size(2.5e6)) == ("999 B", "1 kB", "73.2 kB", "2.5 MB")
    assert (enumerated([]), enumerated(["a"]), enumerated(["a", "b", "c"])) == ("nobody", "a", "a, b and c")
