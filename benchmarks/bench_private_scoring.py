"""Private scoring of a batch between two real nodes: seconds, bytes, the largest error against the model in the clear.

    python benchmarks/bench_private_scoring.py [--rows 1000] [--repeat 5] [--write]

A coordinator and two nodes on loopback, mutual TLS, registers with full fsync; the asker reads its rows from a CSV file
every time. Twenty fields: a linear model of one column each, a scorecard of all their bins and levels, and a network
with one hidden layer of eight squares, which encrypts the products of its columns too. Told for each: the median of the
whole call at the asker's control socket, and of its part from the first encryption to the last score. Needs the extra
``ckks``. A benchmark is not a test: the machine's other work is in the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
from loans import CONTRACT, loans

from sealane.cli.local_federation import DATASET, LocalFederation, local_federation
from sealane.node.control import call
from sealane.node.scoring.python import ask
from sealane.sectors.registry import contract

OWNER, ASKER = "owner", "asker"
CATEGORIES = ("term", "grade", "verification_status")
BINS = 4
HIDDEN = 8


def main() -> None:
    """Parse the command line, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    asked = parser.parse_args()
    table = loans(5, asked.rows)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        files = {OWNER: root / "owner.csv", ASKER: root / "asker.csv"}
        loans(6, 50).to_csv(files[OWNER], index=False)
        table.to_csv(files[ASKER], index=False)
        with local_federation(root, files, CONTRACT) as federation:
            found = {name: measure(federation, name, *made, asked.repeat) for name, made in models(table).items()}
    document = {"what": "private scoring", "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "rows": asked.rows,
                "repeat": asked.repeat, "machine": platform.processor() or platform.machine(),
                "processors": os.cpu_count(), "load": os.getloadavg()[0], "models": found}
    print(json.dumps(document, indent=1))
    if asked.write:
        path = Path(__file__).parent / "results" / f"private-scoring-{datetime.now(UTC):%Y-%m-%d}.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def models(table: pd.DataFrame) -> dict[str, tuple[dict[str, Any], np.ndarray]]:
    """Return each model as its file says it, and its scores in the clear by plain numpy."""
    rng = np.random.default_rng(20)
    numbers = [field.name for field in contract(CONTRACT).fields if field.type in ("number", "integer")]
    ranges = {name: (float(table[name].min()) - 1.0, float(table[name].max()) + 1.0) for name in numbers}
    columns = [{"name": name, "kind": "scaled", "lower": low, "upper": high} for name, (low, high) in ranges.items()]
    columns += [{"name": name, "kind": "level", "levels": [str(table[name].iloc[0])]} for name in CATEGORIES]
    scaled = np.column_stack([2 * (table[name] - low) / (high - low) - 1 for name, (low, high) in ranges.items()]
                             + [(table[name] == table[name].iloc[0]).astype(float) for name in CATEGORIES])
    slopes = np.array([rng.normal() / (high - low) for low, high in ranges.values()] + list(rng.normal(size=3)))
    own_unit = np.column_stack([table[name] for name in numbers] + list(scaled[:, len(numbers):].T))
    linear = {"form": "linear", "columns": columns, "weights": slopes.tolist(), "intercept": -1.5}
    inner, bias = rng.normal(size=(HIDDEN, len(columns))) / 4, rng.normal(size=HIDDEN)
    output = rng.normal(size=HIDDEN)
    network = {"form": "network", "columns": columns, "intercept": 0.5,
               "hidden": [{"weights": w.tolist(), "bias": float(b), "output": float(o)}
                          for w, b, o in zip(inner, bias, output, strict=True)]}
    return {"linear": (linear, own_unit @ slopes - 1.5), "scorecard": card(table, numbers, rng),
            "network": (network, 0.5 + (scaled @ inner.T + bias) ** 2 @ output)}


def card(table: pd.DataFrame, numbers: list[str], rng: np.random.Generator) -> tuple[dict[str, Any], np.ndarray]:
    """Return a scorecard of whole points: four bins a number, one a level."""
    columns: list[dict[str, Any]] = []
    points: list[int] = []
    total = np.full(len(table), 600.0)
    for name in numbers:
        edges = sorted({float(edge) for edge in np.quantile(table[name], np.arange(1, BINS) / BINS)})
        given = rng.integers(-40, 41, len(edges) + 1)
        for low, high in zip([None, *edges], [*edges, None], strict=True):
            columns.append({"name": name, "kind": "bin", "lower": low, "upper": high})
        points += given.tolist()
        total += given[np.searchsorted(edges, table[name], side="left")]
    for name in CATEGORIES:
        levels = list(contract(CONTRACT).field(name).allowed)
        given = rng.integers(-40, 41, len(levels))
        columns += [{"name": name, "kind": "level", "levels": [level]} for level in levels]
        points += given.tolist()
        total += given[[levels.index(level) for level in table[name]]]
    return {"form": "scorecard", "columns": columns, "weights": points, "intercept": 600, "whole": True}, total


def measure(federation: LocalFederation, name: str, model: dict[str, Any], plain: np.ndarray,
            repeat: int) -> dict[str, Any]:
    """Grant a model, accept it, and ask for the whole batch again and again."""
    owner, asker = federation.homes[OWNER], federation.homes[ASKER]
    call(owner, "score.model.add", {"name": name, "text": json.dumps(model)})
    rows = len(plain)
    call(owner, "score.grant", {"model": name, "asker": ASKER, "total": rows * (repeat + 1), "may_reveal": True})
    while not any(one["model"] == name for one in call(asker, "score.list")):
        time.sleep(0.05)
    call(asker, "score.accept", {"model": name})
    whole, inner, errors = [], [], []
    scores = ask(asker, name, dataset=DATASET)  # the first call loads TenSEAL at both
    for _ in range(repeat):
        began = time.perf_counter()
        scores = ask(asker, name, dataset=DATASET)
        whole.append(time.perf_counter() - began)
        inner.append(scores.attrs["seconds"])
        errors.append(float(np.abs(scores["score"].to_numpy() - plain).max()))
    return {"fields": len({column["name"] for column in model["columns"]}), "columns": len(model["columns"]),
            "seconds": round(median(whole), 3), "seconds_without_reading_rows": round(median(inner), 3),
            "bytes_sent": scores.attrs["bytes_sent"], "bytes_received": scores.attrs["bytes_received"],
            "largest_error": max(errors), "error_bound": scores.attrs["largest_error"],
            "largest_score": float(np.abs(plain).max())}


if __name__ == "__main__":
    main()
