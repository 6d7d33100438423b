"""What a promise costs in accuracy: networks on heart disease and loans with epsilon infinity, 8, 3 and 1.

    python benchmarks/bench_private_training.py [--seeds 5] [--write]

Real rows, split by hospital and by region as the demos split them; units from the sectors' contracts, whose ranges are
public; AUC on the held-out fold that the demos use. Each figure is the median over seeds, which change first weights
and noise (and, without a promise, batches). Delta is 1e-5. Whole federation in this process, sums masked, as between
processes. Institutions are also protected as a whole, which with so few of them leaves little. A benchmark
is not a test.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sealane import simulate
from sealane.sectors.registry import contract
from sealane_examples.finance.prepare import split_loans
from sealane_examples.finance.source import load_loans
from sealane_examples.healthcare.heart_disease import parts
from sealane_examples.ranking import rank

EPSILONS = ("20", "8", "3", "1")
DELTA = "1e-5"
PRIVATE = {"model": {"name": "mlp", "hidden": [8], "activation": "tanh"}, "missing": "mean"}
MOMENTUM = {"strategy": "FedAvgM", "strategy_arguments": {"server_momentum": 0.8}}
ROWS = {"heart disease": PRIVATE | MOMENTUM | {"rounds": 40, "learning_rate": 1.0, "clip_row": 0.5},
        "loans": PRIVATE | MOMENTUM | {"rounds": 60, "learning_rate": 2.0, "clip_row": 2.0}}
INSTITUTIONS = PRIVATE | {"protects": "institution", "weights": "equal", "clip_norm": 0.5, "rounds": 3,
                          "local_epochs": 10, "learning_rate": 0.1}
EXACT = {"heart disease": PRIVATE | {"rounds": 30, "learning_rate": 0.1, "batch_size": 16},
         "loans": PRIVATE | {"rounds": 10, "learning_rate": 0.05, "batch_size": 64}}
HEART = ("age", "sex", "chest_pain", "resting_bp", "cholesterol", "fasting_sugar_high", "resting_ecg",
         "maximum_heart_rate", "exercise_angina", "st_depression")
LOANS = ("funded_amnt", "term", "int_rate", "annual_inc", "verification_status", "revol_util", "inq_last_6mths",
         "inq_last_12m", "delinq_2yrs", "all_util", "total_bal_il", "total_il_high_credit_limit")
RANGES = {
    "age": (20, 90), "resting_bp": (90, 180), "cholesterol": (120, 400), "maximum_heart_rate": (60, 200),
    "st_depression": (-1, 5), "funded_amnt": (1000, 35_000), "int_rate": (5, 30), "annual_inc": (0, 200_000),
    "revol_util": (0, 100), "inq_last_6mths": (0, 4), "inq_last_12m": (0, 10), "delinq_2yrs": (0, 3),
    "all_util": (0, 130), "total_bal_il": (0, 100_000), "total_il_high_credit_limit": (0, 150_000),
}
"""Where most values lie, as who knows the fields would say; public."""
Data = dict[str, pd.DataFrame]


def main() -> None:
    """Measure, print and perhaps keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.platform(), "delta": DELTA,
             "seeds": asked.seeds, "rows": ROWS, "institutions": INSTITUTIONS, "exact": EXACT}
    found["studies"] = {
        "heart disease": study("heart disease", parts(), "disease", HEART, "healthcare.heart-disease/v1", asked.seeds),
        "loans": study("loans", split_loans(load_loans()), "bad", LOANS, "finance.credit-application/v1", asked.seeds),
    }
    print(json.dumps(found, indent=1))
    if asked.write:
        name = f"private-training-{datetime.now(UTC):%Y-%m-%d}.json"
        (Path(__file__).parent / "results" / name).write_text(json.dumps(found, indent=1) + "\n")


def study(name: str, data: Data, outcome: str, features: tuple[str, ...], of: str, seeds: int) -> dict[str, Any]:
    """Return the AUC by promise."""
    held_out = data["heldout"]
    rows = {site: frame[[outcome, *features]].reset_index(drop=True) for site, frame in data.items()
            if site != "heldout"}
    federation = partial(simulate, rows, contract=contract(of))
    asked = {"outcome": outcome, "features": list(features)}
    promised = {"delta": DELTA, "ranges": {one: RANGES[one] for one in features if one in RANGES}}
    out: dict[str, Any] = {"rows": {site: len(frame) for site, frame in rows.items()}, "held_out": len(held_out)}
    out["infinity, usual training"] = measured(federation, asked | EXACT[name], held_out, outcome, seeds)
    for epsilon in EPSILONS:
        out[f"rows, epsilon {epsilon}"] = measured(federation, asked | promised | ROWS[name] | {"epsilon": epsilon},
                                                   held_out, outcome, seeds)
    for epsilon in EPSILONS:
        out[f"institutions, epsilon {epsilon}"] = measured(
            federation, asked | promised | INSTITUTIONS | {"epsilon": epsilon}, held_out, outcome, seeds)
    return out


def measured(federation: Callable[[], Any], asked: dict[str, Any], held_out: pd.DataFrame, outcome: str,
             seeds: int) -> dict[str, Any]:
    """Return the median AUC over seeds, the least and the largest."""
    found, began = list[float](), time.perf_counter()
    told: dict[str, Any] | None = None
    for seed in range(seeds):
        result = federation().run(  # anew each time: its ledger forgets nothing
            "neural.train", **asked, seed=seed)
        scores = result.predict(held_out)
        found.append(rank(held_out[outcome].to_numpy(np.int64), scores.to_numpy()).auc)
        told = result.to_dict().get("privacy")
    out = {"auc": float(np.median(found)), "least": min(found), "most": max(found),
           "seconds": (time.perf_counter() - began) / seeds, "privacy": told}
    print(asked.get("protects"), asked.get("epsilon"), out, flush=True)
    return out


if __name__ == "__main__":
    main()
