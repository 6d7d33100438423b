"""Secure sums against cohort and length, beside their peers, and a whole round of a large model.

    python benchmarks/bench_secagg.py > benchmarks/results/secagg-2026-11-28.json

The figures are those of `sealane bench secagg --json`; TenSEAL's encryption does not depend on the cohort and is
measured with four nodes only. `benchmarks/plot_secagg.py` draws them. It takes about ten minutes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sealane.bench.asked import PEERS, Asked
from sealane.bench.report import benchmark, whole_round

LENGTH = 1_000_000
FLOWER = ("flower-secaggplus",)
PLAN: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (4, LENGTH, PEERS), (10, LENGTH, FLOWER), (50, LENGTH, FLOWER), (100, LENGTH, FLOWER),
    (4, 10_000, PEERS), (4, 100_000, PEERS), (4, 10_000_000, FLOWER),
)
"""Nodes, values, and which peers are measured with them."""


def main() -> None:
    """Measure everything and print one document."""
    runs: list[dict[str, Any]] = []
    for cohort, length, peers in PLAN:
        rounds = 5 if length <= LENGTH else 3
        runs.append(benchmark(Asked("rlwe", length=length, cohort=cohort, rounds=rounds), peers=peers, tell=tell))
        runs.append(benchmark(Asked("masking", length=length, cohort=cohort, rounds=rounds), peers=(), tell=tell))
    large = [whole_round(Asked("rlwe", length=25_000_000, rounds=3, threads=threads), tell=tell) for threads in (1, 2)]
    print(json.dumps({"command": "python benchmarks/bench_secagg.py", "runs": runs, "whole_rounds": large}, indent=1))


def tell(text: str) -> None:
    """Say what is measured now."""
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
