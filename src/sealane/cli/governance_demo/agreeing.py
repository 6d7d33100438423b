"""From datasets to signatures: grade and publish, look, propose, review, counter-offer, amend, sign."""

from __future__ import annotations

from typing import Any

from sealane.cli.governance_demo.step import Step, awaited
from sealane.cli.local_federation import ANALYST, DATASET, LocalFederation
from sealane.cli.negotiating import take_up
from sealane.cli.study_view import describe, find, find_replaced
from sealane.governance.catalog_query import CatalogQuery
from sealane.governance.study import Study, parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.control import call
from sealane.sectors.finance.made_up import CONTRACT, FEATURES

NAME = "joint-scorecard"
PURPOSE = "credit-risk"
COUNTERS, NARROWS, REVOKES = "south", "north", "west"
WISHED_COUNT = 20
OWN_RUNS = 5
REASON = "in small towns 10 people are too few"


def publish(federation: LocalFederation) -> Step:
    """Let every institution publish what its dataset is, never its rows."""
    found: dict[str, Any] = {}
    for name, home in federation.homes.items():
        profile = call(home, "dataset.profile", {"name": DATASET})
        labels = call(home, "dataset.grade", {"name": DATASET})["fields"]
        said = call(home, "dataset.publish", {
            "name": DATASET, "title": f"Loan applications of {name} (made up)", "purposes": [PURPOSE],
            "steward": f"data desk of {name}"})
        found[name] = {"quality": profile["score"], "grade": said["grade"], "labelled_fields": len(labels),
                       "rows_published": said["rows"], "version": said["dataset_version"]}
    one = found[NARROWS]
    return Step(
        "publish", "the stewards", "grade the datasets and publish what they are",
        (f"sealane dataset profile {DATASET} --home {NARROWS}", f"sealane dataset grade {DATASET} --home {NARROWS}",
         f"sealane dataset publish {DATASET} --purpose {PURPOSE} --home {NARROWS}"),
        (*(f"{name}: quality {seen['quality']:.2f}, grade {seen['grade']}, {seen['rows_published']}+ rows, "
           f"version {seen['version'][:12]}" for name, seen in found.items()),
         f"grade {one['grade']} of 5 is that of the most sensitive of {one['labelled_fields']} labelled fields; it "
         "sets the least protection that a study must have"),
        all(seen["grade"] is not None and seen["quality"] > 0 for seen in found.values()), {"datasets": found})


def look(federation: LocalFederation) -> Step:
    """Let the analyst look at the catalog: metadata, every entry signed by its node."""
    entries = awaited(lambda: federation.analyst.session.catalog(CatalogQuery(purpose=PURPOSE), {}),
                      lambda seen: len(seen) == len(federation.homes), "the catalog's entries")
    found = [entry.to_dict() for entry in entries]
    return Step(
        "catalog", "the analyst", "look at the catalog",
        (f"sealane catalog list --purpose {PURPOSE} --home {ANALYST}",),
        (*(f"{one['node']}/{one['dataset']}: {one['title']}, {one['rows']:,}+ rows, grade {one['grade']}"
           for one in found),
         "only metadata, with row counts rounded down; every signature was checked (whose keys they are, the analyst "
         "has not compared yet)"),
        {one["node"] for one in found} == set(federation.homes),
        {"entries": [{name: one[name] for name in ("node", "dataset", "title", "contract", "rows", "grade", "trust")}
                     for one in found]})


def propose(federation: LocalFederation) -> tuple[Study, Step]:
    """Let the analyst propose a study."""
    study = parse_study(federation.analyst.propose(StudyFile(
        name=NAME, sector="finance", purpose=PURPOSE, data_contract=CONTRACT, computation="glm.fit",
        participants=list(federation.homes), valid_days=1, minimum_count=10, runs=10,
        parameters={"outcome": "bad", "features": list(FEATURES), "family": "binomial",
                    "penalty": {"kind": "ridge"}})).study)
    return study, Step(
        "propose", "the analyst", "propose a study",
        (f"sealane study propose study.toml --home {ANALYST}",),
        (f"{NAME} ({study.hash[:12]}): {study.computation} for {PURPOSE}, with "
         f"{', '.join(sorted(p.name for p in study.participants))}",
         f"at most {study.runs} runs of {study.rounds} rounds; no released cell on fewer than {study.minimum_count} "
         f"rows, no sum over fewer than {study.minimum_cohort} institutions"),
        {p.name for p in study.participants} == set(federation.homes), {"study": study.hash, "name": study.name})


def review(federation: LocalFederation, study: Study) -> Step:
    """Let one steward read, in plain words, what a signature would allow."""
    federation.await_study(COUNTERS, study.hash)
    found = call(federation.homes[COUNTERS], "study.review", {"study": study.hash, "own": {}})
    return Step(
        "review", f"{COUNTERS}'s steward", "read what a signature would allow",
        (f"sealane study review {study.hash[:12]} --home {COUNTERS}",),
        ("a signature would allow to", *(f"- {line}" for line in found["allows"]),
         f"results go to: {', '.join(found['recipients'])}", f"privacy: {found['privacy']}"),
        found["hash"] == study.hash and ANALYST in found["recipients"],
        {name: found[name] for name in ("allows", "recipients", "outputs", "privacy")})


def counter(federation: LocalFederation, study: Study) -> Step:
    """Let that steward answer with other terms and a reason."""
    found = call(federation.homes[COUNTERS], "study.counter", {
        "study": study.hash, "changes": {"minimum_count": WISHED_COUNT}, "reason": REASON})
    seen = awaited(lambda: describe(find(federation.analyst.session, study.hash)[0]),
                   lambda now: now["negotiation"][COUNTERS] == "OFFERED", "the counter-offer")
    return Step(
        "counter", f"{COUNTERS}'s steward", "make a counter-offer",
        (f"sealane study counter {study.hash[:12]} --set minimum_count={WISHED_COUNT} --reason '{REASON}' "
         f"--home {COUNTERS}",),
        (f"wished: minimum_count {WISHED_COUNT} instead of {study.minimum_count}", f"reason: {REASON}",
         "it is signed and decides nothing; the negotiation stands: " + _standing(seen["negotiation"])),
        found["changes"] == {"minimum_count": WISHED_COUNT},
        {"changes": found["changes"], "reason": REASON, "negotiation": seen["negotiation"]})


def amend(federation: LocalFederation, study: Study) -> tuple[Study, Step]:
    """Let the analyst propose the study again as it was wished."""
    old, new, changes = take_up(federation.analyst, study.hash, COUNTERS)
    record = federation.analyst.session.study(new.hash)
    negotiation = describe(record, find_replaced(federation.analyst.session, new))["negotiation"]
    return new, Step(
        "amend", "the analyst", f"propose the study as {COUNTERS} wished it",
        (f"sealane study amend {study.hash[:12]} --from {COUNTERS} --home {ANALYST}",),
        (f"{NAME} ({new.hash[:12]}) replaces {old.hash[:12]}: another study, which everybody has to sign anew",
         f"minimum_count is now {new.minimum_count}; the negotiation stands: {_standing(negotiation)}"),
        (new.replaces, new.minimum_count, negotiation[COUNTERS]) == (study.hash, WISHED_COUNT, "ACCEPTED"),
        {"study": new.hash, "replaces": old.hash, "changes": changes, "negotiation": negotiation})


def sign(federation: LocalFederation, study: Study) -> Step:
    """Let every institution sign, one of them for less than the study asks."""
    signed = {}
    for name, home in federation.homes.items():
        federation.await_study(name, study.hash)
        own = {"runs": OWN_RUNS} if name == NARROWS else {}
        signed[name] = call(home, "study.approve", {"study": study.hash, "own": own})
    record = federation.analyst.session.study(study.hash)
    federation.analyst.await_approvals(record, 30.0, lambda line: None)
    limit = awaited(lambda: call(federation.homes[REVOKES], "agreement.show", {"study": study.hash})["limits"]["runs"],
                    lambda seen: bool(seen["value"] == OWN_RUNS), f"{NARROWS}'s agreement")
    return Step(
        "sign", "all three stewards", f"sign; {NARROWS} for fewer runs than asked",
        (f"sealane study approve {study.hash[:12]} --runs {OWN_RUNS} --home {NARROWS}",
         *(f"sealane study approve {study.hash[:12]} --home {name}" for name in federation.homes if name != NARROWS)),
        (*(f"{name}: signed for version {one['dataset_version'][:12]} of {one['dataset']}"
           + (f", for at most {OWN_RUNS} runs" if name == NARROWS else "") for name, one in signed.items()),
         f"the tightest limit holds at every node: {REVOKES} allows {limit['value']} runs, set by {limit['set_by']}"),
        (limit["value"], limit["set_by"]) == (OWN_RUNS, NARROWS) and set(signed) == set(federation.homes),
        {"signed": {name: {"version": one["dataset_version"], "narrower": one["narrower"]}
                    for name, one in signed.items()}, "runs": limit})


def _standing(negotiation: dict[str, str]) -> str:
    return ", ".join(f"{name} {state.lower()}" for name, state in sorted(negotiation.items()))
