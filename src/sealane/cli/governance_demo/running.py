"""A run and what it cost; a run in which an institution revokes; a start that is refused."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sealane.cli.governance_demo.agreeing import REVOKES
from sealane.cli.governance_demo.step import Step, awaited
from sealane.cli.local_federation import ANALYST, DATASET, LocalFederation
from sealane.cli.output import amount, kilobytes
from sealane.cli.why import explain_study
from sealane.client.status import RunStatus
from sealane.errors import SealaneError, UnavailableError
from sealane.governance.study import Study
from sealane.node.control import call

AT_ROUND = 2
REASON = "our customers withdrew their consent"
PROMISED_S = 1.0
SHOWN = ("int_rate", "annual_inc", "inq_last_6mths")


def run(federation: LocalFederation, study: Study) -> tuple[str, Step]:
    """Let the analyst run the study and open its result."""
    run_id = federation.analyst.session.start(study.hash)
    finished = federation.analyst.finish(run_id)
    result = finished.present_traced()
    params = {str(name): float(value) for name, value in dict(result.params).items()}
    trace, endorsed = finished.trace, sorted(finished.opened.endorsed_by)
    return run_id, Step(
        "run", "the analyst", "run it",
        (f"sealane run start {study.hash[:12]} --home {ANALYST}",),
        (f"{run_id}: {amount(trace.rounds, 'round')} in {trace.seconds:.1f} s; each opened at the nodes only, as a sum "
         f"over {len(trace.cohort)} institutions",
         f"ridge penalty {result.lambda_:.3g} of {len(result.lambdas)}, chosen by cross-validation",
         *(f"{name}: {params[name]:.4g}" for name in SHOWN),
         f"the same result is signed by {', '.join(endorsed)}"),
        endorsed == sorted(federation.homes) and set(SHOWN) <= set(params),
        {"run": run_id, "rounds": trace.rounds, "seconds": trace.seconds, "coefficients": params,
         "penalty": result.lambda_, "endorsed_by": endorsed})


def cost(federation: LocalFederation, run_id: str) -> Step:
    """Let every institution look at what the run cost in its ledger, and at what it used."""
    found = {}
    for name, home in federation.homes.items():
        event, = awaited(partial(_metered, home, run_id), bool, "the metered run")
        found[name] = {"releases": released(federation, name),
                       **{key: event[key] for key in ("rows", "rounds", "bytes_sent", "cpu_us", "epsilon", "outcome")}}
    one = found[REVOKES]["releases"]
    return Step(
        "cost", "the stewards", "see what it cost and what it used",
        (f"sealane ledger show {DATASET} --home {REVOKES}", f"sealane metering show --run {run_id} --home {REVOKES}"),
        (f"ledger: {one['given']} of at most {one['cap']} releases without noise; no epsilon, because these sums are "
         "exact",
         *(f"{name}: {seen['rows']:,}+ rows read, {amount(seen['rounds'], 'round')}, {kilobytes(seen['bytes_sent'])} "
           f"sent, {seen['cpu_us'] / 1e6:.2f} s of processor time" for name, seen in found.items())),
        all(seen["releases"]["given"] == 1 and seen["outcome"] == "completed" and seen["rows"] > 0
            for seen in found.values()),
        {"nodes": found})


def revoke(federation: LocalFederation, study: Study, whole: int) -> Step:
    """Start a second run, and let one institution revoke while its rounds go on.

    Args:
        federation: whose run.
        study: that is run.
        whole: rounds of the same run undisturbed.

    Raises:
        UnavailableError: the run was over before anybody could revoke.
    """
    run_id = federation.analyst.session.start(study.hash)
    seen = _revoked_in_mid_run(federation, study, run_id)
    last, error = seen.last, seen.last.error
    releases = released(federation, REVOKES)
    mid_run = seen.stopped == [run_id] and AT_ROUND <= last.exchanges < whole
    return Step(
        "revoke", f"{REVOKES}'s steward", "revoke while a second run is under way",
        (f"sealane run start {study.hash[:12]} --home {ANALYST}",
         f"sealane agreement revoke {study.hash[:12]} --reason '{REASON}' --home {REVOKES}"),
        (f"{run_id}: revoked after round {seen.at_round} of {whole}; {last.state.lower()} {seen.seconds * 1000:.0f} ms "
         f"later, after round {last.exchanges}",
         "the analyst is told no reason" if error is None else f"the analyst is told: {error.message}",
         f"what was opened before stays opened and charged: {REVOKES}'s ledger counts {releases['given']} releases "
         "now"),
        mid_run and last.state == "ABORTED" and error is not None and error.code == "study.revoked"
        and seen.seconds < PROMISED_S,
        {"run": run_id, "revoked_after_round": seen.at_round, "ended_after_round": last.exchanges,
         "rounds_undisturbed": whole, "stopped_after_s": round(seen.seconds, 3), "state": last.state,
         "mid_run": mid_run, "stopped": seen.stopped, "error": None if error is None else error.to_dict(),
         "releases": releases})


@dataclass(frozen=True, slots=True)
class _Revoked:
    """What was seen of a run in which an institution revoked.

    Attributes:
        at_round: exchanges that were over when it did.
        stopped: runs that its node stopped there and then.
        last: the run's last status.
        seconds: from asking for the revocation to seeing that status.
    """

    at_round: int
    stopped: list[str]
    last: RunStatus
    seconds: float


def _revoked_in_mid_run(federation: LocalFederation, study: Study, run_id: str) -> _Revoked:
    """Watch a run, revoke once it has gone so far, and go on watching to its end."""
    told: tuple[int, float, list[str]] | None = None
    with closing(federation.analyst.session.watch(run_id)) as statuses:  # type: ignore[type-var]  # a generator
        for status in statuses:
            if told is None and status.state == "RUNNING" and status.exchanges >= AT_ROUND:
                moment = time.monotonic()
                said = call(federation.homes[REVOKES], "agreement.revoke", {"study": study.hash, "reason": REASON})
                told = status.exchanges, moment, list(said["stopped"])
            elif told is not None and status.over:
                return _Revoked(told[0], told[2], status, time.monotonic() - told[1])
    raise UnavailableError("demo.run-too-quick", "the run was over before it could be revoked", got=run_id,
                           expected=f"a status after round {AT_ROUND} of a run under way",
                           hint="the machine may be very busy: try again")


def refuse(federation: LocalFederation, study: Study) -> Step:
    """Let the analyst start again, be refused, and ask why."""
    refused: dict[str, Any] | None = None
    try:
        federation.analyst.session.start(study.hash)
    except SealaneError as error:
        refused = error.to_dict()
    why = explain_study(federation.analyst.session, study.hash)["refusals"]
    shown = [f"why: {one['node'] or 'the coordinator'} says: {one['error']['message']}"
             + (f" ({one['error']['got']})" if one["error"]["got"] else "")
             + (f". The rule: {one['meaning']}" if one["meaning"] else "") for one in why]
    return Step(
        "refuse", "the analyst", "start a third run, and ask why it is refused",
        (f"sealane run start {study.hash[:12]} --home {ANALYST}", f"sealane why {study.hash[:12]} --home {ANALYST}"),
        ("nothing was refused" if refused is None else
         f"refused: {refused['message']} ({refused['got']}) [{refused['code']}]", *shown),
        refused is not None and refused["code"] == "run.not-approved"
        and any(one["node"] == REVOKES and one["clause"] == "revocation" for one in why),
        {"refused": refused, "why": why})


def _metered(home: Path, run_id: str) -> list[dict[str, Any]]:
    return list(call(home, "metering.show", {"run": run_id})["events"])


def released(federation: LocalFederation, name: str) -> dict[str, Any]:
    """Return how many releases without noise an institution's ledger has counted, and its cap."""
    overview, = call(federation.homes[name], "ledger.show", {"dataset": DATASET})
    return dict(overview["releases"])
