"""Memory of a node that trains trees, beside LightGBM's own on the same rows: peaks beyond what a process began with.

    python benchmarks/bench_trees_memory.py [--rows 500000] [--features 30] [--trees 10]

Each is a process of its own that has its libraries, and the rows as a DataFrame, before it begins; peaks are what the
system notes of it (``VmHWM``), reset at the beginning. The node's sums are answered from its own rows alone, so nothing
of transport is in the figure; LightGBM is given the same DataFrame and frees its raw data, as it does unless told
otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from sealane.computations.base import Term
from sealane.computations.trees import kernels
from sealane.computations.trees.fit import Gbdt
from sealane.governance.contract import Contract, Field

EDGE = 6.0
assert kernels.add_up is not None  # compiled before anything is measured


class Alone:
    """A cohort of which this node is asked to be every institution's worth of rows."""

    size, honest, minimum_count, smallest, exposed, names, place = 1, 1, 10, 1, True, ("node",), 0

    async def sum(self, terms: dict[str, Term]) -> dict[str, Any]:
        """Return own terms."""
        return {name: np.asarray(term.values).astype(np.int64) if term.kind == "count" else np.asarray(term.values)
                for name, term in terms.items()}

    async def agree(self, values: Any) -> Any:
        """Return what is there."""
        return values


class Rows:
    """A dataset in memory."""

    def __init__(self, contract: Contract, frame: pd.DataFrame) -> None:
        self.contract, self._frame = contract, frame

    def frame(self, columns: Any) -> pd.DataFrame:
        """Return the columns, as a node's storage does: a frame of its own."""
        return self._frame[list(columns)].copy()


def main() -> None:
    """Run both parts in processes of their own, and print peaks in megabytes and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--trees", type=int, default=10)
    parser.add_argument("--part", choices=("node", "lightgbm"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        print(json.dumps(_measured(asked)))
        return
    found = {part: json.loads(subprocess.run([sys.executable, __file__, "--part", part, "--rows", str(asked.rows),
                                              "--features", str(asked.features), "--trees", str(asked.trees)],
                                             check=True, capture_output=True).stdout)
             for part in ("node", "lightgbm")}
    print(json.dumps({"rows": asked.rows, "features": asked.features, "trees": asked.trees, "megabytes": found,
                      "ratio": round(found["node"] / found["lightgbm"], 2)}, indent=2))


def _measured(asked: argparse.Namespace) -> float:
    """Return the peak of one part beyond what the process began with, in MB."""
    rng = np.random.default_rng(1)
    names = [f"x{k}" for k in range(asked.features)]
    frame = pd.DataFrame(np.clip(rng.normal(size=(asked.rows, asked.features)), -EDGE, EDGE), columns=names)
    frame["event"] = (rng.random(asked.rows) < 1 / (1 + np.exp(1 - frame["x0"] * frame["x1"]))).astype(int)
    fields = [*(Field(name=name, type="number", minimum=-EDGE, maximum=EDGE) for name in names),
              Field(name="event", type="boolean")]
    contract = Contract(id="finance.bench-memory/v1", fields=tuple(fields))
    small = frame.head(20_000)
    for train in (_joint, _pooled):
        train(contract, small, names, 1)
    part = {"node": _joint, "lightgbm": _pooled}[asked.part]
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    part(contract, frame, names, asked.trees)
    return round((_status("VmHWM") - before) / 1024, 1)


def _joint(contract: Contract, frame: pd.DataFrame, names: list[str], trees: int) -> None:
    computation = Gbdt()
    params = computation.parameters(outcome="event", features=names, rounds=trees)
    cohort: Any = Alone()
    asyncio.run(computation.run(Rows(contract, frame), cohort, params))


def _pooled(contract: Contract, frame: pd.DataFrame, names: list[str], trees: int) -> None:
    params = {"objective": "binary", "num_leaves": 31, "max_bin": 63, "min_data_in_leaf": 200, "verbosity": -1,
              "num_threads": 1}
    lightgbm.train(params, lightgbm.Dataset(frame[names], label=frame["event"]), trees)


def _status(name: str) -> int:
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(name))
    return int(line.split()[1])


if __name__ == "__main__":
    main()
