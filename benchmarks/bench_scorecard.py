"""A scorecard of 40 features over 4 × 10,000 rows, simulated: seconds, rounds and bytes by way of selecting features.

    python benchmarks/bench_scorecard.py [--rows 10000] [--nodes 4] [--features 40] [--scheme masking]

All nodes run in this one process and share its processors. Where the machine is busy with other work, processor seconds
compare better than those of the clock. A benchmark is not a test.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import pandas as pd

from sealane import simulate

TELLING = 14
"""Features that have to do with the outcome."""
WAYS = ("none", "backward", "forward")


def bank(seed: int, rows: int, features: int) -> pd.DataFrame:
    """Return made-up applicants: numbers, some missing, and four categories with rare levels."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, features - 4)).round(2)
    frame = pd.DataFrame(numbers, columns=[f"x{k}" for k in range(features - 4)])
    for k in range(4):
        frame[f"c{k}"] = rng.choice(list("abcdef"), rows, p=[0.4, 0.3, 0.15, 0.1, 0.049, 0.001])
    odds = -2.5 + 0.25 * numbers[:, :TELLING].sum(axis=1) + 0.4 * (frame["c0"] == "b") - 0.5 * (frame["c1"] == "c")
    frame.loc[rng.random(rows) < 0.05, ["x3", "x20"]] = np.nan
    frame["bad"] = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    return frame


def main() -> None:
    """Print a line for each way of selecting features."""
    options = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 10_000), ("nodes", 4), ("features", 40)):
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--scheme", default="masking")
    asked = options.parse_args()
    frames = {f"bank{k}": bank(k, asked.rows, asked.features) for k in range(asked.nodes)}
    federation = simulate(frames)
    columns = [name for name in frames["bank0"] if name != "bad"]
    print(f"{asked.nodes} x {asked.rows:,} rows, {len(columns)} features, {asked.scheme}, {os.cpu_count()} processors, "
          f"load {os.getloadavg()[0]:.1f}")
    for way in WAYS:
        clock, processor = time.perf_counter(), time.process_time()
        card = federation.run("glm.scorecard", outcome="bad", features=columns, stepwise=way, scheme=asked.scheme)
        print(f"{way:>9}: {time.perf_counter() - clock:6.1f} s, {time.process_time() - processor:6.1f} processor s, "
              f"{card.trace.rounds} rounds, {max(card.trace.bytes_sent.values()) / 1e6:.2f} MB sent by a node, "
              f"{len(card.params) - 1} features used, AIC {card.aic:.1f}")


if __name__ == "__main__":
    main()
