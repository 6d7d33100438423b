"""The rice study: elasticities over six villages, and what each village adds that inputs do not explain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.asking import Question, ask
from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child
from sealane.cli.local_federation import LocalFederation

FORMULA = "log_output ~ log(area) + log(seed) + log1p(urea) + log1p(phosphate) + log(labour) + variety"
"""As the example's own; written here too, for example data are read in a process of their own."""


def questions() -> dict[str, Question]:
    """Return what is asked of the villages, by the name of the chapter."""
    return {
        "joint": Question("rice-joint", "glm.fit", {"formula": FORMULA, "family": "gaussian"},
                          "fitting elasticities of rice over six villages"),
        "mixed": Question("rice-villages", "model.mixed", {"formula": FORMULA},
                          "fitting a level for each village, which all six agree to show", waive=True),
    }


def rice_chapters(
    federation: LocalFederation, example: Any, data: Path, rows: Mapping[str, int], teller: Teller
) -> list[dict[str, Any]]:
    """Ask both questions, and return their chapters."""
    answers = {name: ask(federation, example, question, rows, teller) for name, question in questions().items()}
    joint, mixed = answers["joint"].result, answers["mixed"].result
    teller.step("judging on held-out farms: alone, joint, at home and pooled (outside the federation)")
    judged = child(example.name, "evaluate", str(data), stdin=json.dumps({
        "joint": {"params": dict(joint.params), "bse": dict(joint.bse)},
        "mixed": {"params": dict(mixed.fe_params), "levels": dict(mixed.random_effects)}}))
    return [
        {"title": "Rice: what moves output", "text": joint_text(judged["errors"]),
         "report": answers["joint"].report | {"coefficients": judged["coefficients"], "errors": judged["errors"],
                                              "notes": notes()}},
        {"title": "Rice: the villages", "text": f"Inputs explain nearly all: {mixed.icc:.1%} of the variance that is "
         "left lies between villages. All six signed that their level may be shown.",
         "report": answers["mixed"].report},
    ]


def joint_text(errors: Mapping[str, Any]) -> str:
    """Return what the joint model is worth."""
    found = errors["all"]
    return (f"On farms that nobody trained on, log output is off by {found['joint']:.3f} with the joint model, by "
            f"{found['alone']:.3f} with each village's own at home, and by {found['own level']:.3f} with joint slopes "
            "and a village's own level. A village with few farms gains most: see the learning curves.")


def notes() -> list[str]:
    """Return what a reader of the comparison has to know."""
    return [
        "A fifth of each village's farms is held out with all six seasons. Random rows would put the same farm on both "
        "sides: the table of splits says what each way of holding out gives.",
        "Own level is the mixed model as it was released; tuned at home moves its slopes by a ridge on the "
        "village's own rows. Coefficients of logarithms are elasticities: by how many per cent output moves with one "
        "per cent of an input.",
    ]
