"""Compare the joint model with each region alone and with all rows pooled, on the fold that nobody trained on.

This is the one place where the rows of all regions meet: it stands outside the federation, to say what the joint
model is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane_examples.design import linear_scores
from sealane_examples.finance import EXAMPLE
from sealane_examples.finance.compare import Released, compare_cards, compare_trees, judge
from sealane_examples.finance.split import assign_regions
from sealane_examples.fold import HELD_OUT
from sealane_examples.logistic import Question, coefficients, fit
from sealane_examples.question import parse
from sealane_examples.ranking import rank
from sealane_examples.written import read_part


class LoansQuestion(Question):
    """The regression, and where they are to be compared with it a card and trees of the same loans."""

    card: Released | None = None
    trees: Released | None = None


def parse_question(text: str) -> LoansQuestion:
    """Return the question, checked.

    Raises:
        InputError: it is not the JSON described by :class:`LoansQuestion`.
    """
    shape = '{"features": [...], "categorical": [...], "joint": {"params": {...}, "bse": {...}}, "card": {...}, ...}'
    return parse(LoansQuestion, text, shape)


def evaluate(directory: Path, question: Question) -> dict[str, Any]:
    """Return metrics, curves and coefficients as JSON-ready values, of a card and of trees too where there are any.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    parts = {name: read_part(directory, name, EXAMPLE.name) for name in EXAMPLE.institutions}
    fold = read_part(directory, HELD_OUT, EXAMPLE.name)
    pooled_rows = pd.concat(list(parts.values()), ignore_index=True)

    pooled = fit(pooled_rows, EXAMPLE.outcome, question)
    models = {name: fit(rows, EXAMPLE.outcome, question).params for name, rows in parts.items()}
    joint = question.joint
    models |= {"joint": joint.params, "pooled": pooled.params}

    scored = {name: linear(params) for name, params in models.items()}
    outcome = fold[EXAMPLE.outcome].to_numpy(dtype=np.int64)
    found = judge(scored, fold)
    found["metrics"]["within"] = within(fold, outcome, {name: score(fold) for name, score in scored.items()})
    beside = {}
    if isinstance(question, LoansQuestion) and question.card is not None:
        beside["card"] = compare_cards(question.card, parts, fold)
    if isinstance(question, LoansQuestion) and question.trees is not None:
        beside["trees"] = compare_trees(question.trees, parts, fold)
    return found | beside | {
        "coefficients": coefficients(joint.params, joint.bse, pooled.params, pooled_rows),
        "rows": {name: len(rows) for name, rows in parts.items()},
        "heldout": {"rows": len(fold), "bad": int(outcome.sum())},
    }


def linear(params: Mapping[str, float]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """Return what gives rows the linear score of named coefficients."""
    return lambda rows: linear_scores(rows, params)


def within(
    fold: pd.DataFrame, outcome: NDArray[np.int64], scores: Mapping[str, NDArray[np.float64]]
) -> dict[str, dict[str, float]]:
    """Return AUC on each region's own held-out rows: differences between regions cannot flatter it."""
    regions = assign_regions(fold["addr_state"])
    found: dict[str, dict[str, float]] = {}
    for name in EXAMPLE.institutions:
        own = (regions == name).to_numpy()
        shown = {"alone": name, "joint": "joint", "pooled": "pooled"}
        found[name] = {label: rank(outcome[own], scores[model][own]).auc for label, model in shown.items()}
        found[name] |= {"rows": int(own.sum()), "bad": int(outcome[own].sum())}
    return found
