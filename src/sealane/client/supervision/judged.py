"""Sections about results: what was released and charged, how the model performs, how groups fare, how it decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealane.client.report.model import Report
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.drift import DriftHeld
from sealane.client.report.results.ranking import HEADS, AtHeld, RankingHeld, cells
from sealane.client.report.results.read import find
from sealane.client.report.results.regression import coefficients, ratio
from sealane.client.report.tables import count, enumerated, rate
from sealane.client.supervision.agreed import adds_noise, each, signed
from sealane.client.supervision.case import Case
from sealane.client.supervision.document import Group, Part, Shown, Source, Statement, Table
from sealane.client.supervision.evidence import Evidence
from sealane.computations.registry import opens

JUDGING = ("metrics.ranking", "monitor.drift")
"""Computations whose results judge a model; any other's is a model, or tells of data."""


def endorsed(one: Evidence) -> Source:
    """Return the institutions that endorsed a run's result, as a source."""
    return Source("endorsed", one.endorsed)


def released(case: Case) -> Part:
    """Return what left each run, and what it was charged."""
    tables = []
    for one in case.evidence:
        rows = [(name, str(event.rounds), event.epsilon or "none: exact sums are counted, not priced", event.outcome)
                for name in one.cohort if (event := case.metered.get((one.run, name))) is not None]
        if rows:
            tables.append(Table(f"What each ledger charged. {one.caption()}.",
                                ("Institution", "Rounds", "Epsilon", "Outcome"), tuple(rows), Source("signed-each")))
    return Part(each(case, _released), tuple(tables))


def _released(case: Case, one: Evidence) -> list[Statement]:
    study, by, log = one.study, signed(one), Source("log", one.witnesses)
    allowed = set.intersection(*(set(a.terms.outputs) for a in one.agreements)) if one.agreements else set[str]()
    promise = (f"epsilon at most {study.epsilon} at delta {study.delta} for one run" if study.epsilon is not None
               else "none in the study; noise as its parameters ask for" if adds_noise(one)
               else "none: exact sums without noise, which no epsilon bounds")
    given = "among the files, and the one that was endorsed" if one.run in case.results else "not among the files"
    lacking = [name for name in one.cohort if (one.run, name) not in case.metered]
    return [
        Statement("Run", f"{one.run}, {one.outcome}", log),
        Statement("Institutions in it", enumerated(one.cohort), log),
        Statement("Kinds of result that may leave", ", ".join(sorted(allowed)) or "none", by),
        *([Statement("Hash of the released result", one.result_hash, endorsed(one)),
           Statement("The result itself", given, Source("derived", ("the files given",)))]
          if one.result_hash else [Statement("Released result", "none", log)]),
        Statement("Seen at the institutions beside the result", opens(study.computation), case.program),
        Statement("Promise of differential privacy", promise, by),
        *([Statement("Charged", f"no signed figure of {enumerated(lacking)} is among the files",
                     Source("derived", ("the files given",)))] if lacking else []),
    ]


def performance(case: Case) -> Part:
    """Return ranking, calibration and stability, with their pictures."""
    groups, shown = [], []
    for one in case.evidence:
        result = case.results.get(one.run)
        if result is None or one.study.computation not in JUDGING:
            continue
        told = _ranking(one, result) if one.study.computation == JUDGING[0] else _drift(one, result)
        groups.append(Group(one.caption(), (*told, *_same_rows(case.evidence[0], one))))
        shown.append(_shown(one, result))
    return Part(tuple(groups), shown=tuple(shown)) if groups else _nothing(f"no result of {' or '.join(JUDGING)}")


def _same_rows(model: Evidence, judge: Evidence) -> list[Statement]:
    """Say where a model is judged on the very table that it was made from; other versions may share rows too."""
    if judge is model:
        return []
    made_from = {(a.node, a.dataset, a.dataset_version) for a in model.agreements}
    same = [a.node for a in judge.agreements if (a.node, a.dataset, a.dataset_version) in made_from]
    return [Statement("Rows that are judged", f"the version of the dataset that {model.study.name} was made from, at "
                      f"{enumerated(same)}: no test on other rows" if same else
                      f"other datasets, or versions, than {model.study.name} was made from",
                      Source("derived", ("the agreements",)))]


def _ranking(one: Evidence, result: Mapping[str, Any]) -> list[Statement]:
    found, by = find(result, RankingHeld, "roc"), endorsed(one)
    if found is None:
        return []
    score = one.study.parameters.get("score")
    whose = ("the coefficients in the study's parameters, which all signed" if score is None else
             f"column {score}, which each institution filled by itself: that it is this model's score is their word")
    told = [
        Statement("Score that is judged", whose, Source("derived", ("the study's parameters",))),
        Statement("Rows", count(int(result.get("nobs", 0))), by)]
    if found.auc is None:
        told.append(Statement("AUC and KS", f"not told: {found.unranked}", by))
    else:
        told += [Statement("AUC", f"{rate(found.auc)} (cuts: within {found.auc_error:.2g})", by),
                 Statement("Gini", rate(2 * found.auc - 1), Source("derived", ("the AUC",))),
                 Statement("KS", f"{rate(found.ks)} (cuts: at most {found.ks_error:.2g} more)", by)]
    if found.calibration is not None:
        slope, intercept = found.calibration.told()
        told += [Statement("Calibration slope", slope, by), Statement("Calibration intercept", intercept, by),
                 Statement("Brier score", f"{found.calibration.brier:.4f} (cuts: within "
                           f"{found.calibration.brier_error:.2g})", by)]
    return told


def _drift(one: Evidence, result: Mapping[str, Any]) -> list[Statement]:
    found, by = find(result, DriftHeld, "periods"), endorsed(one)
    if found is None:
        return []
    known = [index for index in found.psi if index.psi is not None]
    worst = max(known, key=lambda index: index.psi or 0.0, default=None)
    alarms = [f"{i.variable} in {i.period}{f' at {i.institution}' if i.institution else ''}" for i in found.psi
              if i.alarm] + [f"AUC in {a.period}{f' at {a.institution}' if a.institution else ''}" for a in found.auc
                             if a.alarm]
    return [
        Statement("Periods", f"{len(found.periods)}: {', '.join(found.periods)}", by),
        Statement("Limit of the population stability index", f"{found.psi_limit:g}", by),
        Statement("Largest index", "none is shown" if worst is None or worst.psi is None
                  else f"{rate(worst.psi)}: {worst.variable} in {worst.period}", by),
        Statement("Hidden by a rule", f"{len(found.psi) - len(known)} of {len(found.psi)} indices", by),
        Statement("Alarms", "; ".join(alarms) or "none", by)]


def fairness(case: Case) -> Part:
    """Return rates by group, and the least share of one group's selection rate in another's."""
    groups, tables = [], []
    for one in case.evidence:
        result = case.results.get(one.run, {})
        found = find(result, RankingHeld, "roc", "groups")
        if found is None or one.study.computation != JUDGING[0]:
            continue
        rows, told = list[tuple[str, ...]](), list[Statement]()
        for held in found.groups:
            if held.rule is not None:
                rows.append((held.group, *[f"{HIDDEN} ({held.rule})"] * len(HEADS)))
            rows += [tuple(cells(f"{held.group}, from {at.threshold:g}", at)) for at in held.at]
        for place, threshold in enumerate(found.thresholds):
            shares = [share for held in found.groups if held.rule is None for at in held.at[place : place + 1]
                      if (share := _selected(at)) is not None]
            if len(shares) > 1 and max(shares) > 0:
                told.append(Statement(f"Smallest over largest share selected, from {threshold.threshold:g}",
                                      rate(min(shares) / max(shares)), Source("derived", ("the table's rates",))))
        groups.append(Group(f"Groups by {result.get('group')}. {one.caption()}", tuple(told)))
        tables.append(Table(f"Rates by {result.get('group')}. {one.caption()}.", ("Group", *HEADS), tuple(rows),
                            endorsed(one)))
    return Part(tuple(groups), tuple(tables)) if tables else _nothing("no result of metrics.ranking with groups")


def explanation(case: Case) -> Part:
    """Return the models as they were released: points, coefficients, gains."""
    shown = [_shown(one, case.results[one.run]) for one in case.evidence
             if one.run in case.results and one.study.computation not in JUDGING]
    return Part(shown=tuple(shown)) if shown else _nothing("no model's result")


def claims(case: Case) -> Part:
    """Return what reports of runs say beside the results: marked, and apart from what is endorsed."""
    shown = tuple(Shown(f"{one.name}, run {one.report.run}", Source("claimed", (one.name,)), _apart(one.report))
                  for one in case.claims)
    return Part(shown=shown) if shown else _nothing("no claims")


def _apart(report: Report) -> Report:
    """Leave out what is shown from endorsed bytes only, and rows by institution, which are theirs to publish."""
    left_out: dict[str, Any] = {"result": {}, "coefficients": [], "ratio": None, "data": None,
                                "study": report.study.model_copy(update={"participants": []})}
    for name in ("metrics", "concordance"):
        part = getattr(report, name)
        left_out[name] = None if part is None else part.model_copy(update={"within": {}})
    return report.model_copy(update=left_out)


def _nothing(what: str) -> Part:
    said = Statement("Not shown", f"{what} is among the files", Source("derived", ("the files given",)))
    return Part((Group("Not shown", (said,)),))


def _selected(at: AtHeld) -> float | None:
    """Return the share of a group that is selected at a threshold, None where it is hidden."""
    if at.tp is None or at.fp is None or at.fn is None or at.tn is None:
        return None
    rows = at.tp + at.fp + at.fn + at.tn
    return (at.tp + at.fp) / rows if rows else None


def _shown(one: Evidence, result: dict[str, Any]) -> Shown:
    study = one.study
    report = Report.model_validate({
        "sector": study.sector, "cohort": list(one.cohort), "rounds": 0, "run": one.run, "result": result,
        "study": {"name": study.name, "hash": study.hash, "purpose": study.purpose, "computation": study.computation,
                  "scheme": study.scheme, "minimum_cohort": study.minimum_cohort},
        "coefficients": [row.model_dump() for row in coefficients(result)], "ratio": ratio(result)})
    return Shown(one.caption(), endorsed(one), report)
