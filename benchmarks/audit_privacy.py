"""Does a private network keep its epsilon? A lower bound from attacks that know all rows but one.

    python benchmarks/audit_privacy.py [--trials 400] [--write]

The attacker knows every other row, every opened sum and every model of a run, and asks whether one more row, of an
outcome nobody else has, took part: the strongest position that the promise is made against. It replays the training
without that row, takes what is left of each opened sum, and projects it on that row's own clipped gradient. Two nodes
hold the rows, and their noise is drawn and added as in any run; neither colludes, so that there is no noise beyond what
was promised. Rows are drawn by secret coins in the last case, where the attacker is told everybody else's.

A threshold is chosen on half of the trials; on the other half Clopper-Pearson bounds of both error rates, at 97.5 %
each, give an epsilon that holds with 95 %: ln((true positives - delta) / false positives). Below the promise it
contradicts nothing; above it something is broken, as where noise is left out: then it must say so.

Source: Jagielski, Ullman and Oprea, "Auditing Differentially Private Machine Learning" (2020); Nasr et al., "Tight
Auditing of Differentially Private Machine Learning" (2023), for the attacker who sees every step.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta

from sealane.computations.base import Term
from sealane.computations.neural.learning import private_rounds
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.train import NeuralTrain
from sealane.core.entropy import random_secret
from sealane.governance.contract import Contract, infer_contract
from sealane.secagg.layout import decode, encode, plan

DELTA = "1e-5"
HONEST = ("a", "b")
SHADOWS = ("others", "canary")
ASKED = {"outcome": "y", "features": ["x", "v"], "model": {"name": "mlp", "hidden": [4]}, "rounds": 4,
         "learning_rate": 0.5, "delta": DELTA}


class Data:
    """Rows as a computation reads them."""

    def __init__(self, contract: Contract, rows: pd.DataFrame) -> None:
        self.contract, self.rows = contract, rows

    def frame(self, columns: Any) -> pd.DataFrame:
        """Return columns."""
        return self.rows[list(columns)]


class Table:
    """Where two nodes and the attacker's two replays meet: only the nodes' contributions are summed, and noised."""

    def __init__(self, noised: tuple[str, ...]) -> None:
        self.noised = noised
        self.waiting: dict[str, Mapping[str, Term]] = {}
        self.future: asyncio.Future[Any] | None = None
        self.seen = 0.0

    async def meet(self, name: str, terms: Mapping[str, Term]) -> Any:
        """Return the opened sum once all are here, and note what the attacker reads out of it."""
        self.future = self.future or asyncio.get_running_loop().create_future()
        future = self.future
        self.waiting[name] = terms
        if len(self.waiting) == len(HONEST) + len(SHADOWS):
            future.set_result(self._open())
            self.waiting, self.future = {}, None
        return await asyncio.shield(future)

    def _open(self) -> dict[str, Any]:
        layout = plan(self.waiting["a"], len(HONEST), smallest=len(HONEST), colluding=0)
        total = np.zeros(self.waiting["a"]["update"].values.shape)
        for name in HONEST:
            found = decode(layout, encode(layout, self.waiting[name], random_secret()), 1)["update"]
            total += found if name in self.noised else self.waiting[name]["update"].values
        canary = self.waiting["canary"]["update"].values.astype(np.float64)
        left = total - self.waiting["others"]["update"].values
        self.seen += float(left @ canary) / float(canary @ canary) if canary.any() else 0.0
        return {"update": total}


class Place:
    """One participant's cohort."""

    honest = size = len(HONEST)
    minimum_count, smallest = 1, 2

    def __init__(self, table: Table, name: str) -> None:
        self.table, self.name = table, name

    async def sum(self, terms: Mapping[str, Term]) -> Any:
        """Return the opened sum."""
        return await self.table.meet(self.name, terms)


def trial(contract: Contract, rows: Mapping[str, pd.DataFrame], canary: pd.DataFrame, asked: Mapping[str, Any], *,
          present: bool, noised: tuple[str, ...]) -> float:
    """Return what the attacker reads: about one for each sum that the canary took part in, and else about zero."""
    table, params = Table(noised), NeuralParameters.model_validate(dict(asked))
    own = dict(rows) | ({"a": pd.concat([rows["a"], canary], ignore_index=True)} if present else {})
    own |= {"others": pd.concat(list(rows.values()), ignore_index=True), "canary": canary}

    async def everyone() -> None:
        places: Any = [(Data(contract, own[name]), Place(table, name)) for name in (*HONEST, *SHADOWS)]
        await asyncio.gather(*(NeuralTrain().run(data, place, params) for data, place in places))

    asyncio.run(everyone())
    return table.seen


def lower_bound(without: np.ndarray, with_it: np.ndarray, delta: float) -> float:
    """Return an epsilon below which the attack's success is impossible, with a confidence of 95 %."""
    half = len(without) // 2

    def bound(threshold: float, out: np.ndarray, there: np.ndarray) -> float:
        n, hits, false = len(out), int((there > threshold).sum()), int((out > threshold).sum())
        low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
        high = beta.ppf(0.975, false + 1, n - false) if false < n else 1.0
        return math.log((low - delta) / high) if low > delta else 0.0

    candidates = np.quantile(np.concatenate([without[:half], with_it[:half]]), np.linspace(0.02, 0.98, 97))
    best = max(candidates, key=lambda one: bound(one, without[:half], with_it[:half]))
    return max(bound(best, without[half:], with_it[half:]), 0.0)


def audit(epsilon: str, trials: int, noised: tuple[str, ...], **more: Any) -> dict[str, Any]:
    """Return what was promised, and what the attack shows."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"x": random.uniform(-1, 1, 40), "v": random.uniform(-1, 1, 40), "y": False})
    canary = pd.DataFrame({"x": [1.0], "v": [-1.0], "y": [True]})
    rows = {"a": frame.iloc[:20].reset_index(drop=True), "b": frame.iloc[20:].reset_index(drop=True)}
    contract = infer_contract({"a": frame, "b": canary})
    began = time.perf_counter()
    without, with_it = (np.array([trial(contract, rows, canary, ASKED | {"epsilon": epsilon} | more, present=present,
                                        noised=noised) for _ in range(trials)]) for present in (False, True))
    found = lower_bound(without, with_it, float(DELTA))
    out = {"promised": float(epsilon), "delta": DELTA, "noise": "all" if noised else "none",
           "trials": trials, "shown": found, "contradicted": found > float(epsilon),
           "largest that so many trials can show": lower_bound(np.zeros(trials), np.ones(trials), float(DELTA)),
           "seconds": time.perf_counter() - began} | more
    print(json.dumps(out), flush=True)
    return out


def told_coins() -> None:
    """Let the attacker know the others' coins: all of them are drawn, and only the canary's is left to chance."""
    real = private_rounds.drawn

    def drawn(rows: int, rate: Any) -> Any:
        if rows == 21:  # the node that holds the canary as its last row
            return np.concatenate([np.arange(20), 20 + real(1, rate)])
        return np.arange(rows)

    private_rounds.drawn = drawn


def main() -> None:
    """Audit, print and perhaps keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    cases = [audit(epsilon, asked.trials, HONEST) for epsilon in ("1", "3", "8")]
    cases += [audit(epsilon, asked.trials, ()) for epsilon in ("1", "3")]
    told_coins()
    cases += [audit("3", asked.trials, HONEST, sampling_rate="0.3")]
    if asked.write:
        name = f"audit-privacy-{datetime.now(UTC):%Y-%m-%d}.json"
        (Path(__file__).parent / "results" / name).write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
