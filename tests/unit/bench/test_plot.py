"""The drawing in the documents is that of the stored figures."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "benchmarks" / "plot_secagg.py"


@pytest.fixture(scope="module")
def plot() -> dict[str, Any]:
    if not SCRIPT.exists():
        pytest.skip("benchmarks are not in this distribution")
    return runpy.run_path(str(SCRIPT))


def test_the_drawing_is_of_the_newest_figures(plot: dict[str, Any]) -> None:
    newest = max((ROOT / "benchmarks" / "results").glob("secagg-*.json"))
    runs = json.loads(newest.read_text(encoding="utf-8"))["runs"]
    hint = f"run `python benchmarks/plot_secagg.py {newest.relative_to(ROOT)} > docs/secagg-cost.svg`"
    assert (ROOT / "docs" / "secagg-cost.svg").read_text(encoding="utf-8") == plot["draw"](runs) + "\n", hint


def test_curves_lie_on_logarithmic_axes(plot: dict[str, Any]) -> None:
    def run(cohort: int, length: int, milliseconds: float) -> dict[str, Any]:
        cpu = {"encrypt_s": milliseconds / 1000, "serialise_s": 0.0}
        return {"scheme": "rlwe", "cohort": cohort, "length": length, "peers": {}, "cpu": cpu}

    drawn = plot["draw"]([run(4, 1_000_000, 10.0), run(40, 1_000_000, 100.0), run(4, 10_000_000, 1000.0)])
    root = ET.fromstring(drawn)
    lines = [one.attrib["points"].split() for one in root.iter() if one.tag.endswith("polyline")]
    cohort, length = ([tuple(map(float, point.split(","))) for point in points] for points in lines)
    # From 10 ms to 1 s are two decades over the whole height: a decade of milliseconds is half of it.
    assert [y for _, y in cohort] == [350.0, 207.0]
    assert [y for _, y in length] == [350.0, 64.0]
    assert cohort[0][0] < cohort[1][0]
