"""The main job of a sector's demo, from nothing to a report: real data, real processes, fresh keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane.cli.example_data import child, find_example
from sealane.cli.local_federation import LocalFederation, local_federation
from sealane.client.connection import Finished
from sealane.client.status import RunStatus
from sealane.governance.study import Study, parse_study
from sealane.governance.study_file import StudyFile


@dataclass(frozen=True, slots=True)
class Teller:
    """Where a demo says what it does: a step as it begins, a run's status whenever it changes."""

    step: Callable[[str], None]
    status: Callable[[RunStatus], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demo ends with.

    Attributes:
        report: fields of ``report.json``.
        summary: the result as the analyst sees it.
    """

    report: dict[str, Any]
    summary: str


def credit_risk(root: Path, teller: Teller) -> Outcome:
    """Fit a joint credit-risk model over four regions, and compare it with each region alone and with pooled rows."""
    began = time.perf_counter()
    example = find_example("finance")
    teller.step(f"preparing real data in a child process: {example.title}")
    prepared = child(example.name, "prepare", str(root / "data"))
    regions: Mapping[str, Any] = prepared["regions"]
    tables = {name: Path(region["path"]) for name, region in regions.items()}
    marks = {"data": time.perf_counter() - began}
    with local_federation(root, tables, example.contract, say=teller.step) as federation:
        marks["federation"] = time.perf_counter() - began
        study, finished = _agree_and_run(federation, example, teller)
        marks["run"] = time.perf_counter() - began
        result = finished.present_traced()
    teller.step("comparing with each region alone and with pooled rows (statsmodels, outside the federation)")
    joint = {"params": dict(result.params), "bse": dict(result.bse)}
    question = {"features": list(example.features), "categorical": list(example.categorical), "joint": joint}
    judged = child(example.name, "evaluate", str(root / "data"), stdin=json.dumps(question))
    report = {
        "sector": example.sector,
        "study": study_part(study, judged["rows"]),
        "cohort": sorted(result.trace.cohort),
        "rounds": result.trace.rounds,
        "metrics": judged["metrics"], "roc": judged["roc"], "coefficients": judged["coefficients"],
        "heldout": judged["heldout"],
        "bytes_sent": dict(result.trace.bytes_sent),
        "wall_s": round(time.perf_counter() - began, 2),
        "timings": _timings(marks, result.trace.seconds, time.perf_counter() - began),
        "data": {"title": example.title, "source": example.source, "licence": example.licence,
                 "rows": sum(region["rows"] for region in regions.values()),
                 "sha256": {name: region["sha256"] for name, region in regions.items()}},
        "run": result.trace.run_id,
    }
    return Outcome(report, result.summary())


def _agree_and_run(federation: LocalFederation, example: Any, teller: Teller) -> tuple[Study, Finished]:
    teller.step("proposing the study; every node's steward reads and signs it")
    record = federation.analyst.propose(StudyFile(
        name="joint-credit-risk", sector=example.sector, purpose=example.purpose, data_contract=example.contract,
        computation="glm.fit", participants=list(example.institutions), valid_days=1, runs=1,
        parameters={"outcome": example.outcome, "features": list(example.features), "family": "binomial"}))
    study = parse_study(record.study)
    federation.approve(study.hash)
    federation.analyst.await_approvals(record, 30.0, lambda line: None)
    teller.step("running: each round opens only at the nodes, and only the sum over all of them")
    run_id = federation.analyst.session.start(study.hash)
    return study, federation.analyst.finish(run_id, teller.status)


def study_part(study: Study, rows: Mapping[str, int]) -> dict[str, Any]:
    """Return what a report says of a study."""
    return {
        "name": study.name, "hash": study.hash, "purpose": study.purpose, "computation": study.computation,
        "scheme": study.scheme, "minimum_cohort": study.minimum_cohort,
        "participants": [{"name": p.name, "fingerprint": p.fingerprint, "rows": rows.get(p.name)}
                         for p in study.participants],
    }


def _timings(marks: Mapping[str, float], run_s: float, total: float) -> dict[str, float]:
    steps = {
        "preparing data": marks["data"],
        "starting and enrolling": marks["federation"] - marks["data"],
        "agreeing": max(marks["run"] - marks["federation"] - run_s, 0.0),
        "the joint run": run_s,
        "comparing": total - marks["run"],
    }
    return {name: round(seconds, 3) for name, seconds in steps.items()}
