"""The card payments, all made up: trees grown on three months, judged and watched on the three that follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.asking import Question, ask
from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child
from sealane.cli.finance_demo.supervising import supervise
from sealane.cli.local_federation import LocalFederation

SCORED = "scored"
"""Name of each bank's second dataset: later payments, with the score that the joint trees gave them."""
SINCE, MONTHS = "2025-04", 3
WATCHED = ("amount", "count_7d", "amount_z_30d", "new_merchant")
TREES = {"num_leaves": 8, "learning_rate": 0.2, "max_bin": 31, "min_data_in_leaf": 200}
TREE_ROUNDS = 15
LABEL = "Made-up payments: nothing here says how much fraud a model finds in the world."


def training(example: Any) -> Question:
    """Return what is asked of the earlier months."""
    return Question("card-fraud-trees", "trees.gbdt",
                    {"outcome": example.outcome, "features": list(example.features), "rounds": TREE_ROUNDS,
                     "params": TREES},
                    "growing trees on made-up payments; features that look back are made by recipe as rows are read")


def watching(example: Any) -> dict[str, Question]:
    """Return what is asked of the later months, by the name of the chapter."""
    return {
        "ranking": Question("card-fraud-ranking", "metrics.ranking",
                            {"outcome": example.outcome, "score": "score", "bins": 5000, "bands": 10,
                             "thresholds": [0.1, 0.5]},
                            "judging the score on later months, from secure histograms", dataset=SCORED),
        "drift": Question("card-fraud-drift", "monitor.drift",
                          {"period": "time", "since": SINCE, "months": MONTHS, "score": "score",
                           "features": list(WATCHED), "outcome": example.outcome, "psi_limit": 0.1},
                          "watching score and features by month: PSI and AUC", dataset=SCORED),
    }


def card_chapters(
    federation: LocalFederation, example: Any, data: Path, rows: Mapping[str, int], teller: Teller, folder: Path
) -> tuple[list[dict[str, Any]], int]:
    """Ask all questions and write the supervisory report; return the chapters, and how many payments were scored."""
    trees = ask(federation, example, training(example), rows, teller)
    teller.step("each bank scores its later payments with the joint trees, and registers them")
    scored = child(example.name, "evaluate", str(data), stdin=json.dumps({"trees": trees.result.to_dict()}))
    parts: Mapping[str, Any] = scored["institutions"]
    federation.register(SCORED, {name: Path(part["path"]) for name, part in parts.items()}, example.contract)
    later = {name: int(part["rows"]) for name, part in parts.items()}
    answers = {name: ask(federation, example, question, later, teller)
               for name, question in watching(example).items()}
    told = trees.report | {"shap": scored["shap"], "notes": [
        "SHAP values are those of 2,000 later payments of each bank, taken outside the federation."]}
    chapters = [
        {"title": "Card fraud (synthetic): trees", "text": f"{LABEL} Four banks grow trees on January to March 2025.",
         "report": told},
        {"title": "Card fraud (synthetic): how the score ranks", "text": f"{LABEL} Each bank scores its payments of "
         "April to June; ROC, KS, lift and calibration come from counts over all four.",
         "report": answers["ranking"].report},
        {"title": "Card fraud (synthetic): drift by month", "text": drift_text(answers["drift"].result),
         "report": answers["drift"].report},
    ]
    teller.step("writing a supervisory report from evidence of the three runs, verified first")
    supervise(federation.analyst.session, [trees, answers["ranking"], answers["drift"]], told, LABEL, folder)
    return chapters, sum(later.values())


def drift_text(result: Any) -> str:
    """Return what the watch found, in a sentence."""
    psi = result.to_dict()["psi"]
    over = sorted({f"{one['variable']} in {one['period']}" for one in psi if one["alarm"]})
    found = f"Over the limit: {', '.join(over)}." if over else "Nothing is over its limit."
    return (f"{LABEL} In June amounts were made 1.6 times as large; the watch was told of nothing but its limit, 0.1. "
            f"{found}")
