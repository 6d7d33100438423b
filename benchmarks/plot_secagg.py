"""Draw what a node spends on encrypting an update, against cohort and length, from stored figures.

    python benchmarks/plot_secagg.py benchmarks/results/secagg-2026-11-28.json > docs/secagg-cost.svg

A file of figures is {"command": ..., "runs": [...]}, each run one document of `sealane bench secagg --json`.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from sealane.client.report.axis import Scale, label, line
from sealane.client.report.markup import Markup, element

WIDTH, HEIGHT, TOP, BOTTOM = 900, 405, 64, 350
PANELS = ((70.0, 380.0), (540.0, 850.0))
NAMES = {"rlwe": "rlwe", "masking": "masking", "flower-secaggplus": "Flower SecAgg+", "tenseal-4096": "TenSEAL N=4096",
         "tenseal-nvflare": "TenSEAL as in NVFlare"}
STYLE = """
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1b2026; }
.tick, .axis-title { fill: #59636e; } .heading { font-weight: 600; }
.paper { fill: #ffffff; } .grid { stroke: #e6e9ed; } .axis { stroke: #59636e; }
polyline { fill: none; stroke-width: 2; } circle { stroke: none; }
.s0 { stroke: #0067a3; stroke-width: 3.5; } .s1 { stroke: #007f5c; stroke-dasharray: 9 3; }
.s2 { stroke: #c25400; stroke-dasharray: 2 3; } .s3 { stroke: #a84a80; stroke-dasharray: 9 3 2 3; }
.s4 { stroke: #a86f00; stroke-dasharray: 12 4; }
.d0 { fill: #0067a3; } .d1 { fill: #007f5c; } .d2 { fill: #c25400; } .d3 { fill: #a84a80; } .d4 { fill: #a86f00; }
@media (prefers-color-scheme: dark) {
  text { fill: #e7eaee; } .tick, .axis-title { fill: #a3adb8; } .paper { fill: #14171b; }
  .grid { stroke: #2a3037; } .axis { stroke: #a3adb8; }
  .s0 { stroke: #3d9ae0; } .s1 { stroke: #1fbf92; } .s2 { stroke: #ee7b33; } .s3 { stroke: #dd92bb; }
  .s4 { stroke: #e69f00; }
  .d0 { fill: #3d9ae0; } .d1 { fill: #1fbf92; } .d2 { fill: #ee7b33; } .d3 { fill: #dd92bb; } .d4 { fill: #e69f00; } }
"""
Series = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Read figures and write the drawing to stdout."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["runs"]))


def draw(runs: list[dict[str, Any]]) -> str:
    """Return the drawing of some runs."""
    length = 1_000_000
    by_cohort = series([run for run in runs if run["length"] == length], "cohort")
    by_length = series([run for run in runs if run["cohort"] == 4], "length")
    found = [name for name in NAMES if name in by_cohort or name in by_length]
    everything = [y for one in (by_cohort, by_length) for points in one.values() for _, y in points]
    parts = [element("title", {"id": "title"}, "What a node spends on encrypting an update"),
             element("desc", {"id": "desc"}, described(by_cohort, by_length)),
             Markup(f"<style>{STYLE}</style>"),
             element("rect", {"class": "paper", "width": WIDTH, "height": HEIGHT})]
    for (left, right), one, heading, unit in zip(
            PANELS, (by_cohort, by_length), ("1,000,000 values", "4 nodes"), ("nodes", "values"), strict=True):
        parts.append(panel(one, found, everything, left, right, heading, unit))
    parts += legend(found)
    return str(element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {HEIGHT}",
                               "width": WIDTH, "height": HEIGHT, "role": "img", "aria-labelledby": "title desc"},
                       *parts))


def series(runs: list[dict[str, Any]], by: str) -> Series:
    """Return (cohort or length, milliseconds of processor time) of our schemes and of the peers measured with them."""
    found: dict[str, dict[float, float]] = defaultdict(dict)
    for run in runs:
        found[run["scheme"]][run[by]] = milliseconds(run)
        for name, peer in run["peers"].items():
            if "missing" not in peer:
                found[name][run[by]] = milliseconds(peer)
    return {name: sorted(points.items()) for name, points in found.items() if name in NAMES}


def milliseconds(one: dict[str, Any]) -> float:
    """Return what a node spends on encrypting and writing."""
    return float(one["cpu"]["encrypt_s"] + one["cpu"]["serialise_s"]) * 1000


def panel(one: Series, found: list[str], everything: list[float], left: float, right: float, heading: str,
          unit: str) -> Markup:
    """Return one pair of logarithmic axes with its curves."""
    places = sorted({x for points in one.values() for x, _ in points})
    across = Scale(math.log10(places[0]), math.log10(places[-1]), left + 12, right - 12)
    low, high = math.floor(math.log10(min(everything))), math.ceil(math.log10(max(everything)))
    upward = Scale(low, high, BOTTOM, TOP)
    parts = [label(left, TOP - 18, heading, "heading")]
    for power in range(low, high + 1):
        parts.append(line(left, upward(power), right, upward(power), "grid"))
        parts.append(label(left - 8, upward(power) + 4, amount(10.0**power), "tick", "end"))
    parts += [label(across(math.log10(place)), BOTTOM + 20, f"{place:,.0f}", "tick", "middle") for place in places]
    parts.append(line(left, BOTTOM, right, BOTTOM, "axis"))
    parts.append(label((left + right) / 2, BOTTOM + 42, unit, "axis-title", "middle"))
    for number, name in enumerate(found):
        points = [(across(math.log10(x)), upward(math.log10(y))) for x, y in one.get(name, [])]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(element("polyline", {"class": f"s{number}", "points": joined}))
        parts += [element("circle", {"class": f"d{number}", "cx": x, "cy": y, "r": 3.5}) for x, y in points]
    return Markup("".join(parts))


def amount(duration: float) -> str:
    """Return milliseconds in the unit that suits them."""
    return f"{duration / 1000:g} s" if duration >= 1000 else f"{duration:g} ms"


def legend(found: list[str]) -> list[Markup]:
    """Return what each kind of line is."""
    parts, x = [], PANELS[0][0]
    for number, name in enumerate(found):
        parts.append(element("line", {"class": f"s{number}", "x1": x, "y1": 22, "x2": x + 34, "y2": 22}))
        parts.append(label(x + 42, 26, NAMES[name]))
        x += 60 + 7.4 * len(NAMES[name])
    return parts


def described(by_cohort: Series, by_length: Series) -> str:
    """Return the figures in words, for those who cannot see the drawing."""
    told = []
    for what, one in (("nodes", by_cohort), ("values", by_length)):
        for name, points in one.items():
            shown = ", ".join(f"{y:.3g} ms at {x:,.0f} {what}" for x, y in points)
            told.append(f"{NAMES[name]}: {shown}.")
    return "Processor time of encrypting and writing one node's update. " + " ".join(told)


if __name__ == "__main__":
    main()
