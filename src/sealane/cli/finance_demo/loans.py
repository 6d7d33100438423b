"""The loans: one regression, one scorecard and one set of trees over the same four regions, judged side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.asking import Answer, Question, ask
from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child
from sealane.cli.local_federation import LocalFederation

TREES = {"num_leaves": 7, "learning_rate": 0.1, "max_bin": 31, "min_data_in_leaf": 200}
"""Small trees: of 413 bad loans more leaves learn nothing, and 200 rows are what the rule for splits asks anyhow."""
TREE_ROUNDS = 25
KINDS = {"glm": "Logistic regression", "card": "Scorecard", "trees": "LightGBM"}


def questions(example: Any) -> dict[str, Question]:
    """Return what is asked of the regions, by kind of model."""
    asked = {"outcome": example.outcome, "features": list(example.features)}
    return {
        "glm": Question("joint-credit-risk", "glm.fit", asked | {"family": "binomial"},
                        "fitting a logistic regression: each round opens only at the nodes, and only the sum"),
        "card": Question("joint-scorecard", "glm.scorecard", asked | {"bins": 5},
                         "making a scorecard: bins, weights of evidence and points from sums"),
        "trees": Question("joint-trees", "trees.gbdt", asked | {"rounds": TREE_ROUNDS, "params": TREES},
                          "growing trees with stock LightGBM: every histogram is summed under encryption"),
    }


def loan_chapters(
    federation: LocalFederation, example: Any, data: Path, rows: Mapping[str, int], teller: Teller
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Ask all questions; return their chapters, and the kinds of model side by side."""
    asked = questions(example)
    answers = {kind: ask(federation, example, question, rows, teller) for kind, question in asked.items()}
    teller.step("comparing with each region alone and with pooled rows (statsmodels, LightGBM; outside the federation)")
    judged = child(example.name, "evaluate", str(data), stdin=json.dumps(evaluation(example, asked, answers)))
    found = {"glm": judged, "card": judged["card"], "trees": judged["trees"]}
    texts = {"glm": regression_text, "card": card_text, "trees": trees_text}
    chapters = [{"title": f"Loans: {name[0].lower()}{name[1:]}" if kind != "trees" else f"Loans: {name}",
                 "text": texts[kind](found[kind]), "report": answers[kind].report | judged_part(found[kind], judged)
                 | {"notes": notes(kind, answers[kind].result)}}
                for kind, name in KINDS.items()]
    beside = [{"name": name, "auc": found[kind]["metrics"]["auc"], "ks": found[kind]["metrics"]["ks"]}
              for kind, name in KINDS.items()]
    return chapters, beside


def evaluation(example: Any, asked: Mapping[str, Question], answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Return what the evaluation is asked."""
    model = answers["glm"].result
    return {
        "features": list(example.features), "categorical": list(example.categorical),
        "joint": {"params": dict(model.params), "bse": dict(model.bse)},
        **{kind: {"result": answers[kind].result.to_dict(), "parameters": dict(asked[kind].parameters)}
           for kind in ("card", "trees")},
    }


def judged_part(found: Mapping[str, Any], judged: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the evaluation adds to a chapter's report."""
    of_kind = {name: found[name] for name in ("metrics", "roc", "calibration", "lift", "shap", "coefficients")
               if name in found}
    return of_kind | {"heldout": judged["heldout"]}


def ranks(found: Mapping[str, Any]) -> str:
    """Return how a joint model ranks, in a sentence."""
    auc = found["metrics"]["auc"]
    alone = list(auc["alone"].values())
    return (f"AUC {auc['joint']:.3f} on held-out loans; alone, regions reach {min(alone):.3f} to {max(alone):.3f}, and "
            f"pooled rows {auc['pooled']:.3f}.")


def regression_text(found: Mapping[str, Any]) -> str:
    """Return what the regression is worth."""
    return f"A logistic regression over four regions. {ranks(found)}"


def card_text(found: Mapping[str, Any]) -> str:
    """Return what the card is worth."""
    return f"Points that a loan officer can add up. {ranks(found)}"


def trees_text(found: Mapping[str, Any]) -> str:
    """Return what the trees are worth."""
    return f"An ordinary LightGBM model file, grown from encrypted histograms. {ranks(found)}"


def notes(kind: str, result: Any) -> list[str]:
    """Return what a reader of a chapter has to know."""
    if kind == "card":
        against = [str(name) for name in result.params.index[1:] if result.params[name] > 0.0]
        told = ["Alone and pooled cards come from the same recipe on the rows of one region, or of all, dealt out to "
                "three nodes in one process: how rows are spread does not change a card."]
        if against:
            told.append(f"Beside the other features, points run against a bin's own rate in {', '.join(against)}: a "
                        "bank would leave such a feature out.")
        return told
    if kind == "trees":
        return ["Alone and pooled trees are stock LightGBM's, with the same parameters and its own bins. With the same "
                "bins the joint trees equal the pooled ones where no split is barred (docs/trees.md)."]
    return []
