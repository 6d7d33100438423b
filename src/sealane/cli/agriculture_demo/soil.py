"""The soil study: one farm's laboratory writes another unit; then clay, alone, jointly, and with what stays at home."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.asking import Question, ask
from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child
from sealane.cli.local_federation import LocalFederation
from sealane.client.report.tables import enumerated

REPAIRED = "repaired"
"""Name of each farm's second dataset: the same table, of one farm with a conversion declared."""
CHECKED = ("clay", "organic_carbon", "ph", "ndvi")
FROM_LABORATORY = ("clay", "organic_carbon")
"""Columns of one sheet: where a unit is found in one of them, the steward looks at the sheet and finds it in both."""
FEWEST = 10


def checking() -> Question:
    """Return what is asked first."""
    return Question("soil-units", "quality.harmonise", {
        "columns": list(CHECKED), "quantities": dict.fromkeys(FROM_LABORATORY, "mass fraction")},
        "checking units: who stands apart is named, no value of a farm shows")


def questions(example: Any) -> dict[str, Question]:
    """Return what is asked of the repaired tables, by the name of the chapter."""
    asked = {"outcome": example.outcome, "features": list(example.features), "family": "gaussian"}
    return {
        "joint": Question("clay-joint", "glm.fit", asked, "fitting one model of clay to five farms",
                          dataset=REPAIRED),
        "level": Question("clay-own-level", "glm.fit", asked | {"institution_effects": "fixed"},
                          "fitting joint slopes with a level for each farm, which stays there", dataset=REPAIRED),
    }


def soil_chapters(
    federation: LocalFederation, example: Any, data: Path, rows: Mapping[str, int], teller: Teller
) -> list[dict[str, Any]]:
    """Ask all questions, and return their chapters."""
    units = ask(federation, example, checking(), rows, teller)
    repairs = declared(units.result.to_dict()["repairs"])
    named = ", ".join(sorted(repairs)) or "no farm"
    teller.step(f"declaring the conversion at {named}; every farm registers its table anew")
    federation.register(REPAIRED, {name: data / f"{name}.parquet" for name in rows}, example.contract, repairs)
    answers = {name: ask(federation, example, question, rows, teller) for name, question in questions(example).items()}
    joint, level = answers["joint"].result, answers["level"].result
    teller.step("judging on held-out samples: alone, joint, at home and pooled (outside the federation)")
    judged = child(example.name, "evaluate", str(data), stdin=json.dumps({
        "joint": {"params": dict(joint.params), "bse": dict(joint.bse)}, "slopes": dict(level.params)}))
    report = answers["joint"].report | {"coefficients": judged["coefficients"], "errors": judged["errors"],
                                        "notes": notes(judged["heaviest"])}
    return [
        {"title": "Soil: one farm's values are in another unit", "text": units_text(repairs), "report": units.report},
        {"title": "Soil: clay of five farms", "text": clay_text(judged["errors"]), "report": report},
        {"title": "Soil: joint slopes, a level for each farm", "text": "The model behind own level and tuned at "
         "home above: one slope for each column, and an intercept that no farm shows.",
         "report": answers["level"].report},
    ]


def declared(found: list[dict[str, str]]) -> dict[str, str]:
    """Return the repair of each farm that was found in another unit: the same step for all that its laboratory wrote.

    `quality.harmonise` gives the step for the column that gave the farm away; that the other one of the sheet shares
    its unit is for the steward to see, and is written here as it was found in the package.
    """
    steps: dict[str, str] = {}
    for one in found:
        if one["step"] and one["column"] in FROM_LABORATORY and one["institution"] not in steps:
            steps[one["institution"]] = "\n".join(
                one["step"].replace(f'field = "{one["column"]}"', f'field = "{column}"') for column in FROM_LABORATORY)
    return steps


def units_text(repairs: Mapping[str, str]) -> str:
    """Return who was found, and what was done."""
    if not repairs:
        return "Before a model: do all five farms write the same unit? No farm was found to write another."
    named = enumerated(sorted(repairs))
    return (f"Before a model: do all five farms write the same unit? {named} gives clay in per cent, as the published "
            "table has it; the contract asks for g/kg. Its steward declared the conversion, of clay and of carbon from "
            "the same sheet, and the studies below use that. Farms that are called shifted differ truly: no unit "
            "explains it.")


def clay_text(errors: Mapping[str, Any]) -> str:
    """Return what the joint model is worth, also where it is worth less than a farm's own."""
    found, middle, within = errors["all"], errors["median"], errors["within"]
    own = sorted(name for name, one in within.items() if one["errors"]["alone"] < one["errors"]["own level"])
    told = (f"Half of all held-out samples are predicted to within {middle['joint']:.0f} g/kg by the joint model, to "
            f"{middle['own level']:.0f} by joint slopes with a level of the farm's own, and to {middle['alone']:.0f} "
            f"by farms' own models at home; root mean squares are {found['joint']:.0f}, {found['own level']:.0f} and "
            f"{found['alone']:.0f}.")
    if own:
        told += f" By root mean squares its own model is the better one at home for {enumerated(own)}."
    away = [one["away"] for one in within.values()]
    return f"{told} Taken to the other farms, farms' own models are off by {min(away):.0f} to {max(away):.0f} g/kg."


def notes(heaviest: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the comparison has to know."""
    one = heaviest["alone"]
    return [
        "Each farm's own model is a ridge, its penalty chosen on its own samples. Own level: joint slopes with the "
        "intercept that the farm's samples ask for. Tuned at home: joint slopes, moved by a ridge as far as they "
        "warrant.",
        f"A single sample of {one['institution']} makes {one['share']:.0%} of the squared error of farms' own models: "
        "read root mean squares beside medians.",
        "Samples lie on grids of some 100 m, so a held-out one has neighbours that were trained on. That flatters a "
        "farm's own model more than a joint one.",
    ]
