"""Cox and Kaplan-Meier over several institutions against lifelines on the pooled rows, in one run.

    python benchmarks/bench_survival.py [--nodes 5] [--rows 100000] [--scheme masking] [--write]

Simulated (``sealane.simulate``): masked sums and all in this one process. Between processes: a coordinator and a node
per institution on loopback, mutual TLS, journals with full fsync, computations locked in; rows are read from CSV files.
Either way the nodes share the processors of one machine; lifelines has the one that it uses to itself. Where the
machine is busy with other work, processor seconds (simulated) compare better than those of the clock. Rounds and bytes
per node are printed, and apart from the seconds what latency would add to them. Also told: how far the grid moves the
answer, as the difference to the ungridded pooled fit in standard errors. A benchmark is not a test.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.datasets import load_gbsg2, load_lung, load_rossi

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
from patients import CONTRACT, write_patients

from sealane import simulate
from sealane.cli.local_federation import local_federation
from sealane.computations.design.rebuild import rebuild
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane_examples.healthcare.breast_cancer import rotterdam

LATENCY = 0.05
"""Seconds of a round trip between institutions of one country, a guess."""
FORMULA = ("age + I(age**2) + sex + arm + stage + comorbidities + body_mass_index + I(body_mass_index**2) + creatinine"
           " + haemoglobin + I(haemoglobin**2) + age:arm + age:stage + arm:stage")
"""Twenty columns of ``healthcare.survival/v1``."""
TRIPS = 3
"""Round trips of a masked sum, about: contributions, who arrived, what opens it."""


class Clock:
    """A moment, by the clock and by the processor time of this process."""

    def __init__(self) -> None:
        self.moment, self.processor = time.perf_counter(), time.process_time()

    def since(self, other: Clock) -> tuple[float, float]:
        """Return seconds and processor seconds between two moments."""
        return self.moment - other.moment, self.processor - other.processor


def main() -> None:
    """Parse the command line, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000, help="per node")
    parser.add_argument("--covariates", type=int, default=20)
    parser.add_argument("--curve-rows", type=int, default=1_000_000, help="of the Kaplan-Meier curve, in all")
    parser.add_argument("--scheme", default="masking")
    parser.add_argument("--no-processes", action="store_true", help="simulate only")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {"machine": {"processors": os.cpu_count(), "python": platform.python_version(),
                         "system": platform.platform()},
             "scheme": asked.scheme, "cox_simulated": bench_cox(asked),
             "cox_between_processes": None if asked.no_processes else bench_processes(asked),
             "kaplan_meier": bench_curve(asked), "grid_on_real_data": compare_on_real_data()}
    print(json.dumps(found, indent=2))
    if asked.write:
        path = Path(__file__).parent / "results" / f"survival-{datetime.now(UTC):%Y-%m-%d}.json"
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def bench_cox(asked: argparse.Namespace) -> dict[str, Any]:
    """Fit the same model both ways."""
    frame = rows(asked.nodes * asked.rows, asked.covariates)
    names = [name for name in frame if name.startswith("x")]
    federation = simulate({f"n{i}": frame.iloc[i :: asked.nodes] for i in range(asked.nodes)})
    clock = [Clock()]
    ours = federation.run("survival.cox", scheme=asked.scheme, duration="days", event="dead", features=names,
                          resolution=7.0)
    clock.append(Clock())
    placed = on_grid(frame, ours.grid["strata"][0])
    clock.append(Clock())
    same = CoxPHFitter().fit(placed, "days", "dead")
    clock.append(Clock())
    exact = CoxPHFitter().fit(frame, "days", "dead")
    clock.append(Clock())
    (ours_seconds, ours_processor), _, (seconds, processor), (exact_seconds, exact_processor) = (
        b.since(a) for a, b in pairwise(clock))
    moved = (ours.params_ - exact.params_) / exact.standard_errors_
    return {
        "what": f"Cox, {asked.covariates} covariates, {asked.nodes} nodes x {asked.rows:,} rows, Efron, weekly grid",
        "sealane_seconds": round(ours_seconds, 2), "lifelines_seconds_on_the_grid": round(seconds, 2),
        "lifelines_seconds_ungridded": round(exact_seconds, 2), "ratio": round(ours_seconds / seconds, 2),
        "ratio_to_ungridded": round(ours_seconds / exact_seconds, 2),
        "processor_seconds": [round(ours_processor, 2), round(processor, 2), round(exact_processor, 2)],
        "ratios_of_processor_seconds": [round(ours_processor / processor, 2),
                                        round(ours_processor / exact_processor, 2)],
        "rounds": ours.trace.rounds, "newton_steps": ours.to_dict()["iterations"],
        "seconds_more_with_latency": round(TRIPS * LATENCY * ours.trace.rounds, 2),
        "bytes_per_node": round(sum(ours.trace.bytes_sent.values()) / asked.nodes),
        "grid_times": len(ours.grid["strata"][0]["events"]["times"]), "grid_times_merged": ours.grid["merged"],
        "largest_difference_to_lifelines_on_the_grid": float(np.abs(ours.params_ - same.params_).max()),
        "largest_difference_to_ungridded_in_standard_errors": round(float(np.abs(moved).max()), 4),
        "concordance": [ours.concordance_index_, ours.concordance_error_],
    }


def bench_processes(asked: argparse.Namespace) -> dict[str, Any]:
    """Fit a model of 20 columns over CSV files at real nodes, and over the pooled rows."""
    names = [f"n{i}" for i in range(asked.nodes)]
    with tempfile.TemporaryDirectory() as root:
        paths = write_patients(Path(root), names, asked.rows)
        frame = pd.concat([pd.read_csv(path) for path in paths.values()], ignore_index=True)
        with local_federation(Path(root), paths, CONTRACT) as federation:
            record = federation.analyst.propose(StudyFile(
                name="bench", sector="healthcare", purpose="clinical-research", data_contract=CONTRACT,
                computation="survival.cox", parameters={"duration": "time", "event": "event", "formula": FORMULA,
                                                        "resolution": 7.0},
                participants=names, scheme=asked.scheme, valid_days=1, runs=2))
            study = parse_study(record.study)
            federation.approve(study.hash)
            federation.analyst.await_approvals(record, 60.0, lambda line: None)
            seconds = []
            for _ in range(2):  # the first one warms every process up
                began = time.perf_counter()
                ours = federation.analyst.finish(federation.analyst.session.start(study.hash)).present_traced()
                seconds.append(time.perf_counter() - began)
    x = rebuild(ours.to_dict()["design"], frame).assign(days=frame.time, dead=frame.event)
    began = time.perf_counter()
    same = CoxPHFitter().fit(on_grid(x, ours.grid["strata"][0]), "days", "dead")
    pooled = time.perf_counter() - began
    began = time.perf_counter()
    CoxPHFitter().fit(x, "days", "dead")
    exact = time.perf_counter() - began
    return {"what": f"Cox, {len(ours.params_)} columns, {asked.nodes} nodes x {asked.rows:,} rows, Efron, weekly grid",
            "sealane_seconds_first_and_second_run": [round(one, 2) for one in seconds],
            "lifelines_seconds_on_the_grid": round(pooled, 2), "lifelines_seconds_ungridded": round(exact, 2),
            "ratio": round(seconds[1] / pooled, 2), "ratio_to_ungridded": round(seconds[1] / exact, 2),
            "rounds": ours.trace.rounds, "newton_steps": ours.to_dict()["iterations"],
            "seconds_more_with_latency": round(TRIPS * LATENCY * ours.trace.rounds, 2),
            "bytes_per_node": round(sum(ours.trace.bytes_sent.values()) / asked.nodes),
            "largest_difference_to_lifelines_on_the_grid": float(np.abs(ours.params_ - same.params_).max())}


def bench_curve(asked: argparse.Namespace) -> dict[str, Any]:
    """Draw the same curves both ways."""
    frame = rows(asked.curve_rows, 1).assign(arm=lambda rows: np.where(np.arange(len(rows)) % 2, "a", "b"))
    federation = simulate({f"n{i}": frame.iloc[i :: asked.nodes] for i in range(asked.nodes)})
    began = time.perf_counter()
    ours = federation.run("survival.kaplan_meier", scheme=asked.scheme, duration="days", event="dead", by="arm",
                          resolution=7.0)
    ours_seconds = time.perf_counter() - began
    began = time.perf_counter()
    theirs = {name: KaplanMeierFitter().fit(part.days, part.dead) for name, part in frame.groupby("arm")}
    seconds = time.perf_counter() - began
    weeks = np.arange(0.0, frame.days.max(), 7.0)
    away = max(moved_curve(ours.survival_function_[name], fit, weeks) for name, fit in theirs.items())
    return {"what": f"Kaplan-Meier by two groups, {asked.nodes} nodes, {asked.curve_rows:,} rows, weekly grid",
            "sealane_seconds": round(ours_seconds, 2), "lifelines_seconds_ungridded": round(seconds, 2),
            "rounds": ours.trace.rounds, "bytes_per_node": round(sum(ours.trace.bytes_sent.values()) / asked.nodes),
            "largest_difference_to_ungridded_survival": away}


def compare_on_real_data() -> list[dict[str, Any]]:
    """Return how far the grid moves curves and coefficients on public data sets, minimum count 10."""
    studies = [("rossi", load_rossi(), "week", "arrest", ["fin", "age", "race", "wexp", "mar", "paro", "prio"], 1.0),
               ("gbsg2", load_gbsg2(), "time", "cens", ["age", "tsize", "pnodes", "progrec"], 7.0),
               ("lung", load_lung().assign(status=lambda rows: rows.status.astype(int)), "time", "status",
                ["age", "sex", "ph.ecog"], 7.0),
               ("rotterdam", rotterdam()[0].reset_index(drop=True), "time", "event", ["age", "nodes", "grade"], 7.0)]
    out = []
    for name, frame, end, event, features, resolution in studies:
        known = frame[[end, event, *features]].dropna().reset_index(drop=True)
        known = known.rename(columns={end: "days", event: "dead"})
        federation = simulate({f"n{i}": known.iloc[i::3] for i in range(3)})
        asked = {"duration": "days", "event": "dead", "resolution": resolution}
        cox, curve = (federation.run(f"survival.{what}", **asked, **more) for what, more in
                      (("cox", {"features": features}), ("kaplan_meier", {})))
        exact = CoxPHFitter().fit(known, "days", "dead")
        moved = ((cox.params_ - exact.params_[cox.params_.index]) / exact.standard_errors_[cox.params_.index]).abs()
        there = curve.to_dict()["groups"]["all"]["events"]["times"]
        fitted = KaplanMeierFitter().fit(known.days, known.dead)
        steps = curve.survival_function_["KM_estimate"]
        fifth, last = (moved_curve(steps, fitted, np.arange(0.0, end, resolution))
                       for end in (known.days.quantile(0.8), known.days.max()))
        out.append({"data": name, "rows": len(known), "events": int(known.dead.sum()), "resolution": resolution,
                    "event_times": len(there), "merged": cox.grid["merged"],
                    "coefficients_moved_in_standard_errors": round(float(moved.max()), 3),
                    "survival_moved_while_a_fifth_is_at_risk": round(fifth, 4), "survival_moved": round(last, 4),
                    "medians": [curve.median_survival_time_, fitted.median_survival_time_],
                    "widest_interval": curve.to_dict()["groups"]["all"]["widest"]})
    return out


def moved_curve(steps: pd.Series, fitted: KaplanMeierFitter, at: np.ndarray) -> float:
    """Return the largest difference of a released curve to lifelines' at some times."""
    ours = steps.to_numpy()[np.searchsorted(steps.index, at, side="right") - 1]
    return float(np.abs(ours - fitted.survival_function_at_times(at).to_numpy()).max())


def rows(n: int, covariates: int) -> pd.DataFrame:
    """Return rows whose hazard depends on all covariates, over ten years of days."""
    random = np.random.default_rng(1)
    x = random.normal(size=(n, covariates))
    hazard = np.exp(x @ random.normal(0.0, 0.2, covariates))
    event, left = random.exponential(2000.0 / hazard), random.uniform(30.0, 3650.0, n)
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(covariates)])
    return frame.assign(days=np.ceil(np.minimum(event, left)), dead=(event <= left).astype(int))


def on_grid(frame: pd.DataFrame, merged: dict[str, Any]) -> pd.DataFrame:
    """Return the rows with their times on the grid that a run has settled on."""
    dead = frame.dead.to_numpy() == 1
    days = frame.days.to_numpy().copy()
    for chosen, kind in ((dead, "events"), (~dead, "leavings")):
        times, until = np.array(merged[kind]["times"]), np.array(merged[kind]["until"])
        days[chosen] = times[np.searchsorted(until, days[chosen])]
    return frame.assign(days=days)


if __name__ == "__main__":
    main()
