"""A small encrypted sum over three nodes on loopback: real processes, mutual TLS, journals with full fsync.

    python benchmarks/bench_round.py [--rounds 200] [--nodes 3] [--entries 16] [--sandbox]
    python benchmarks/bench_round.py --rounds 20 --entries 10000000 --bits 16 --scheme rlwe [--peers PYTHON]

With ``--bits`` the sum is of a model's update, quantised to so many bits, instead of counts.
Every node runs the same number of sums in one run and notes when each opened; printed is the time between one opened
sum and the next, over all runs. With ``--peers`` Flower's own deployment in that Python (no TLS, no encryption) then
averages a model of as many float32 entries over as many nodes, by its FedAvg, ten times. A benchmark is not a test: the
machine's other work is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from flower_deployment import PeerError, flower_deployment, last_lines, run_app
from processes import Federation, Timed, federation, sandbox, serve
from rounds import Rounds
from sealane.client.connection import Connection
from sealane.computations.base import Cohort
from sealane.governance.study_file import StudyFile
from sealane.node.execution import Execution, Unconfined
from sealane.secagg.masking import scheme, slots
from sealane.sectors.registry import contract

CONTRACT = "finance.credit-application/v1"
HERE = Path(__file__).parent
FLOWER_ROUNDS = 10


class TimedCohort:
    """A cohort that notes when each sum was opened."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self.moments = [time.perf_counter()]

    def __getattr__(self, name: str) -> Any:
        """Return what the cohort knows."""
        return getattr(self._cohort, name)

    async def sum(self, terms: Any) -> Any:
        """Sum, and note the moment."""
        total = await self._cohort.sum(terms)
        self.moments.append(time.perf_counter())
        return total

    @property
    def seconds(self) -> list[float]:
        """Return what lay between one opened sum and the next."""
        return [b - a for a, b in pairwise(self.moments)]


def main() -> None:
    """Parse the command line and run the coordinator's, a node's or the benchmark's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--entries", type=int, default=16)
    parser.add_argument("--bits", type=int, default=0, help="of an update's entry; 0 sums counts")
    parser.add_argument("--scheme", default="masking", help="masking, rlwe, or clear: masking without any mask, "
                                                            "to compare with; for updates, and here only")
    parser.add_argument("--sandbox", action="store_true", help="run the computation in the nodes' sandbox")
    parser.add_argument("--peers", metavar="PYTHON", help="a Python that has flwr")
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "HOME"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        if asked.scheme == "clear":
            _leave_masks_out()
        asyncio.run(serve(asked.serve[0], Path(asked.serve[1]), lambda: _execution(sandboxed=asked.sandbox)))
        return
    with tempfile.TemporaryDirectory() as root:
        found = _bench(Path(root), asked)
        if asked.peers:
            found["flower"] = _flower(Path(root), asked, found["milliseconds_per_round"]["median"] / 1000)
        print(json.dumps(found, indent=2))


def _leave_masks_out() -> None:
    """Have this process send updates as they are: quantised, packed, signed and journaled, but not encrypted."""
    masked, unmask = slots.mask, slots.MaskedTotal.unmask
    scheme.mask = lambda values, width, keys: masked(values, width, [])
    slots.MaskedTotal.unmask = lambda total, length, width, keys: unmask(total, length, width, [])  # type: ignore[method-assign]


def _execution(*, sandboxed: bool) -> Execution:
    return Timed(sandbox("rounds") if sandboxed else Unconfined(), TimedCohort)


def _bench(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    row = {f.name: (f.allowed[0] if f.allowed else f.minimum or 0) for f in contract(CONTRACT).fields}
    tables = {f"node{k}": root / f"node{k}.csv" for k in range(asked.nodes)}
    for path in tables.values():
        pd.DataFrame([row] * 40).to_csv(path, index=False)
    options = ["--scheme", asked.scheme, *["--sandbox"] * asked.sandbox]
    with federation(__file__, root, tables, CONTRACT, options=options) as running:
        return _measure(running, asked)


def _flower(root: Path, asked: argparse.Namespace, ours: float) -> dict[str, Any]:
    out = root / "flower.json"
    with flower_deployment(asked.peers, root, [f"place={k}" for k in range(asked.nodes)]) as environment:
        said = run_app(HERE / "flower_rounds", environment, {
            "values": asked.entries, "rounds": FLOWER_ROUNDS, "nodes": asked.nodes, "out": str(out)})
    if not out.exists():
        raise PeerError(last_lines(said))
    times = json.loads(out.read_text())
    return {"rounds": len(times), "seconds_per_round": {
        "first": round(times[0], 2), "median": round(statistics.median(times), 2), "fastest": round(min(times), 2)},
        "times_ours": round(statistics.median(times) / ours, 1), "load": os.getloadavg()[0]}


def _measure(running: Federation, asked: argparse.Namespace) -> dict[str, Any]:
    with Connection(running.root / "analyst") as analyst:
        study = running.agree(analyst, StudyFile(
            name="bench", sector="finance", purpose="credit-risk", data_contract=CONTRACT, computation=Rounds.name,
            parameters={"rounds": asked.rounds, "entries": asked.entries, "bits": asked.bits},
            scheme="masking" if asked.scheme == "clear" else asked.scheme, rounds=asked.rounds + 1, valid_days=1))
        runs = []
        analyst.finish(analyst.session.start(study))  # warms every process up
        before = running.cpu_seconds()
        for _ in range(3):
            finished = analyst.finish(analyst.session.start(study))
            runs.append(finished.trace)
        cpu = (running.cpu_seconds() - before) * 1000 / len(runs) / asked.rounds
    seconds = [s * 1000 for node in running.noted() for s in node[asked.rounds // 10:]]
    entries = f"{asked.entries} entries of {asked.bits} bits" if asked.bits else f"{asked.entries} counts"
    peaks = running.peak_megabytes()
    return {
        "what": f"sum of {entries} under {asked.scheme} over {asked.nodes} nodes, mTLS on loopback, journals fsynced",
        "machine": {"processors": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "sandbox": asked.sandbox, "rounds": asked.rounds, "runs": len(runs),
        "milliseconds_per_round": {
            "median": round(statistics.median(seconds), 2),
            "p95": round(statistics.quantiles(seconds, n=20)[-1], 2),
            "fastest": round(min(seconds), 2),
        },
        "processor_milliseconds_per_round_of_all_processes": round(cpu, 2),
        "peak_megabytes": {name: round(peak) for name, peak in peaks.items()},
        "bytes_per_round_and_node": round(sum(runs[-1].bytes_sent.values()) / asked.rounds / asked.nodes),
    }


if __name__ == "__main__":
    main()
