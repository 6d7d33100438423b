"""The heart study: do four hospitals mean the same by their columns, whom do they see, and who is ill?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.asking import Question, ask
from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child
from sealane.cli.local_federation import LocalFederation

CHECKED = ("age", "sex", "chest_pain", "resting_bp", "cholesterol", "maximum_heart_rate", "st_depression")
"""Columns whose units and codes are compared: those of the model, and one that a hospital never measured."""

BESIDE = ("cholesterol", "resting_ecg", "thallium")
"""Described beside the columns of the model."""


def questions(example: Any) -> dict[str, Question]:
    """Return what is asked of the hospitals, by the name of the chapter."""
    return {
        "units": Question("heart-units", "quality.harmonise", {"columns": list(CHECKED)},
                          "checking units and codes: who stands apart is named, no value of a hospital shows"),
        "patients": Question("heart-patients", "statistics.describe",
                             {"columns": [*example.features, *BESIDE], "by": example.outcome},
                             "describing the patients by what angiography found: table 1"),
        "risk": Question("heart-risk", "glm.fit",
                         {"outcome": example.outcome, "features": list(example.features), "family": "binomial"},
                         "fitting the joint risk model: only sums over all four hospitals are ever opened"),
    }


def heart_chapters(
    federation: LocalFederation, example: Any, data: Path, rows: Mapping[str, int], teller: Teller
) -> list[dict[str, Any]]:
    """Ask all questions, and return their chapters."""
    answers = {name: ask(federation, example, question, rows, teller) for name, question in questions(example).items()}
    model = answers["risk"].result
    teller.step("judging the model on held-out patients: alone, joint and pooled (outside the federation)")
    joint = {"params": dict(model.params), "bse": dict(model.bse)}
    asked = {"features": list(example.features), "categorical": list(example.categorical), "joint": joint}
    judged = child(example.name, "evaluate", str(data), stdin=json.dumps(asked))
    risk = answers["risk"].report | {
        "metrics": judged["metrics"], "roc": judged["roc"], "calibration": judged["calibration"],
        "coefficients": judged["coefficients"], "heldout": judged["heldout"], "event": "diseased",
        "notes": notes(judged),
    }
    return [
        {"title": "Heart disease: units and codes", "text": units_text(answers["units"].result),
         "report": answers["units"].report},
        {"title": "Heart disease: the patients", "text": "Table 1: the patients of all four hospitals together, by "
         "what angiography found.", "report": answers["patients"].report},
        {"title": "Heart disease: the risk model", "text": risk_text(judged), "report": risk},
    ]


def units_text(result: Any) -> str:
    """Return who stands apart, in a sentence or two."""
    apart = [f"{one['institution']} ({one['column']}: {one['verdict']})"
             for one in result.to_dict()["repairs"]]
    if not apart:
        return "Before a model: do all four hospitals mean the same by a column? They do."
    return f"Before a model: do all four hospitals mean the same by a column? Not {', '.join(apart)}."


def risk_text(judged: Mapping[str, Any]) -> str:
    """Return what the joint model is worth, in two sentences."""
    auc = judged["metrics"]["auc"]
    alone = list(auc["alone"].values())
    return (
        f"The joint model ranks held-out patients with an AUC of {auc['joint']:.3f}; alone, hospitals reach "
        f"{min(alone):.3f} to {max(alone):.3f}. Pooled rows would give {auc['pooled']:.3f}."
    )


def notes(judged: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the comparison has to know."""
    left_out = sorted(set(judged["metrics"]["auc"]["alone"]) - set(judged["metrics"]["within"]))
    told = [
        "Each hospital's own model is scikit-learn's logistic regression as it comes, with a ridge: without one, two "
        "of the four have no model, as a level separates their few patients without disease. The joint and the pooled "
        "model are plain maximum likelihood.",
        f"{judged['heldout']['incomplete']} held-out patients with a missing feature are left out, as are incomplete "
        "rows of the training data.",
    ]
    if left_out:
        told.append(f"No AUC of their own for {' and '.join(left_out)}: under 5 held-out patients of one outcome.")
    return told
