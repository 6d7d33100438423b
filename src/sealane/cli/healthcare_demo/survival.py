"""The survival study: how long women live without relapse after surgery for breast cancer, and what bears on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.asking import Question, ask
from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child
from sealane.cli.local_federation import LocalFederation

RESOLUTION = 30.4375
"""Days of a month in UCUM: what the study tells of an event's time."""


CURVES = ("curves", "cohorts")
"""Questions whose answers are curves."""


def questions(example: Any) -> dict[str, Question]:
    """Return what is asked of the cohorts, by the name of the chapter."""
    times = {"duration": example.duration, "event": example.outcome, "resolution": RESOLUTION}
    # Past the horizon few are left, and a step that is merged until ten stand behind it would span years.
    seven, five = {"horizon": 84 * RESOLUTION}, {"horizon": 60 * RESOLUTION}
    return {
        "curves": Question("relapse-by-size", "survival.kaplan_meier", times | seven | {"by": "size"},
                           "counting events on a grid of months: survival curves by the size of the tumour"),
        "cohorts": Question("relapse-by-cohort", "survival.kaplan_meier", times | five | {"by": "institution"},
                            "the same by cohort: shown, because each signs that its own curve may be", waive=True),
        "hazards": Question("relapse-hazards", "survival.cox",
                            times | {"features": list(example.features), "ties": "efron"},
                            "fitting the joint Cox model"),
    }


def survival_chapters(
    federation: LocalFederation, example: Any, data: Path, rows: Mapping[str, int], teller: Teller
) -> list[dict[str, Any]]:
    """Ask all questions, and return their chapters."""
    answers = {name: ask(federation, example, question, rows, teller) for name, question in questions(example).items()}
    model = answers["hazards"].result
    teller.step("comparing with lifelines on pooled rows, with and without the grid (outside the federation)")
    joint = {"params": dict(model.params_), "bse": dict(model.standard_errors_)}
    fitted = model.to_dict()
    grid = fitted["grid"]
    (events,) = [stratum["events"] for stratum in grid["strata"]]
    curves = [released(answers[name].result.to_dict()) for name in CURVES]
    asked = {"features": list(example.features), "categorical": list(example.categorical), "joint": joint,
             "grid": events["times"], "until": events["until"], "resolution": grid["resolution"],
             "minimum_count": fitted["minimum_count"], "curves": curves}
    judged = child(example.name, "evaluate", str(data), stdin=json.dumps(asked))
    return [
        {"title": "Breast cancer: survival by size of the tumour", "text": curves_text(answers["curves"].result),
         "report": answers["curves"].report | {"notes": [curve_note(judged["curves"][0])]}},
        {"title": "Breast cancer: survival in each cohort", "text": "A single institution shows only where every "
         "institution has signed that it may: here all four have, for this one study.",
         "report": answers["cohorts"].report | {"notes": [curve_note(judged["curves"][1])]}},
        {"title": "Breast cancer: what bears on survival", "text": hazards_text(judged),
         "report": answers["hazards"].report | judged_part(judged, grid.get("unit"))},
    ]


def released(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the curves of a result, as the evaluation takes them."""
    return {"by": result["by"], "curves": result["curves"], "resolution": result["grid"]["resolution"]}


def curve_note(costs: Mapping[str, Mapping[str, float]]) -> str:
    """Return what the grid and the merging cost a chapter's curves."""
    worst = max(costs, key=lambda name: costs[name]["furthest"])
    away = [f"{name.replace('_', ' ')} {cost['furthest']:.3f}" for name, cost in costs.items()]
    return (
        "Largest difference from lifelines' curve of the pooled rows on times as they were, outside the federation: "
        f"{', '.join(away)} (at {costs[worst]['at'] / 365.25:.1f} years). The steps of an interval in which "
        "the minimum count of events comes together are told as one, where half of them have come."
    )


def judged_part(judged: Mapping[str, Any], unit: str | None) -> dict[str, Any]:
    """Return what the evaluation adds to the model's report."""
    within = {name: {("bad" if key == "events" else key): value for key, value in one.items()}
              for name, one in judged["within"].items()}
    fold = judged["heldout"]
    return {
        "coefficients": judged["coefficients"],
        "concordance": {"all": judged["concordance"], "within": within},
        "grid": judged["grid"] | {"unit": unit},
        "heldout": {"rows": fold["rows"], "bad": fold["events"]},
        "event": "with the event",
    }


def curves_text(result: Any) -> str:
    """Return the medians, in a sentence."""
    medians = [f"{name.replace('_', ' ')} mm {value / 365.25:.1f} years" if value < float("inf")
               else f"{name.replace('_', ' ')} mm not reached" for name, value in result.median_survival_time_.items()]
    return f"Median time without relapse: {', '.join(medians)}."


def hazards_text(judged: Mapping[str, Any]) -> str:
    """Return how well the joint model orders events, and how near it is to the pooled one."""
    found = judged["concordance"]
    alone = list(found["alone"].values())
    return (
        f"The joint Cox model orders held-out events with a concordance of {found['joint']:.3f}; alone, cohorts reach "
        f"{min(alone):.3f} to {max(alone):.3f}. Its coefficients are those of lifelines on pooled rows to "
        f"{judged['grid']['furthest_from_pooled']:.0e}."
    )
