"""Sections about what was agreed: purpose, institutions, data, method, protection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sealane.client.report.provenance import OTHER, SCHEMES
from sealane.client.report.tables import count, enumerated
from sealane.client.supervision.case import Case
from sealane.client.supervision.document import Group, Part, Source, Statement, Table
from sealane.client.supervision.evidence import Evidence
from sealane.computations.installed import code_hash
from sealane.computations.pricing import price_of
from sealane.computations.registry import get, read_parameters
from sealane.governance.agreement import Agreement
from sealane.governance.publication import Publication
from sealane.governance.terms import differences
from sealane.sectors.registry import contract, grading

LONGEST_VALUE = 300
ACTS = ("study.", "run.")
TIGHTEST = Source("derived", ("the tightest term that was signed",))


def each(case: Case, told: Callable[[Case, Evidence], list[Statement]]) -> tuple[Group, ...]:
    """Return a group of statements for each run."""
    return tuple(Group(one.caption(), tuple(told(case, one))) for one in case.evidence)


def signed(one: Evidence) -> Source:
    """Return all institutions of a run, as a source."""
    return Source("signed", one.institutions)


def adds_noise(one: Evidence) -> bool:
    """Tell whether every sum of a run carried noise, by its parameters and the computation as installed here."""
    study = one.study
    return price_of(get(study.computation), read_parameters(study.computation, study.parameters),
                    contract(study.data_contract), study.smallest_cohort - study.colluding) is not None


def purpose(case: Case) -> Part:
    """Return what results may be used for, and by whom."""
    return Part(each(case, _purpose))


def _purpose(case: Case, one: Evidence) -> list[Statement]:
    study, by = one.study, signed(one)
    to = [f"{party.name} ({party.jurisdiction or 'jurisdiction not stated'})" for party in study.recipients]
    return [
        Statement("Study", f"{study.name}, hash {study.hash}", by),
        Statement("Purpose", study.purpose, by),
        Statement("What the purpose covers", case.pack.purposes.get(study.purpose, "not a purpose of the pack"),
                  case.installed),
        Statement("Legal basis", "No part of what was signed. Each institution has to state and prove its own.",
                  Source("derived", ("the agreements",))),
        Statement("Recipients of the result", enumerated(to), by),
        Statement("No run after", min([study.expires, *(a.terms.expires for a in one.agreements)]), TIGHTEST),
        *([Statement("Takes the place of", study.replaces, by)] if study.replaces else []),
    ]


def institutions(case: Case) -> Part:
    """Return who signed when, for which data, on which narrower terms; who refused; and what the log holds."""
    tables: list[Table] = []
    for one in case.evidence:
        law = {party.name: party.jurisdiction or "not stated" for party in one.study.participants}
        tables.append(Table(
            f"Agreements. {one.caption()}. Moments are by each institution's own clock.",
            ("Institution", "Law", "Signed at", "Dataset", "Narrower than the study"),
            tuple((a.node, law[a.node], a.signed_at, a.dataset, _narrower(a, one)) for a in one.agreements),
            Source("signed-each")))
        tables.append(Table(
            f"Keys that signed, and versions of the datasets. {one.caption()}.", ("Institution", "Key", "Version"),
            tuple((a.node, a.fingerprint, a.dataset_version) for a in one.agreements), Source("signed-each")))
        if one.refusals:
            tables.append(Table(f"Refusals and revocations. {one.caption()}.", ("Institution", "At", "Reason"),
                                tuple((r.node, r.refused_at, r.reason) for r in one.refusals), Source("signed-each")))
        tables.append(Table(
            f"The audit log. {one.caption()}. Moments are the coordinator's.", ("Act", "At", "By", "Detail"),
            tuple((e.kind, e.at, e.party, e.detail) for e in one.entries if e.kind.startswith(ACTS)),
            Source("log", one.witnesses)))
    return Part(tables=tuple(tables))


def _narrower(agreement: Agreement, one: Evidence) -> str:
    """Return an institution's own terms where they differ from the study's."""
    found = differences(agreement.terms, one.study)
    return ", ".join(f"{name} {_plain(own)}" for name, (_, own) in found.items()) or "nothing"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def data(case: Case) -> Part:
    """Return the fields that are read, with their labels, and rows as far as institutions signed for them."""
    groups, tables = [], []
    for one in case.evidence:
        study = one.study
        found = contract(study.data_contract)
        proposed = grading(found.id).propose(found, {})
        fields = [found.field(name) for name in get(study.computation).columns(
            read_parameters(study.computation, study.parameters))]
        labels = {field.name: proposed[field.name].label for field in fields}
        highest = max((label.grade for label in labels.values()), default=0)
        groups.append(Group(one.caption(), (
            Statement("Data contract", found.id, signed(one)),
            Statement("Hash of the contract", found.hash, case.installed),
            Statement(f"Highest proposed level ({case.form.levels})", str(highest),
                      Source("derived", ("the labels that the pack proposes",))),
            Statement("Floor of quality", "none" if study.quality_floor is None else f"{study.quality_floor:g}",
                      signed(one)),
            *_without_rows(case, one))))
        tables.append(Table(
            f"Fields that the computation reads. {one.caption()}.",
            ("Field", "Type", "Unit", "Category", f"Level ({case.form.levels})", "Meaning"),
            tuple((field.name, field.type, field.unit or "–", labels[field.name].category,
                   str(labels[field.name].grade), field.description or "–") for field in fields), case.installed))
        if _published(case, one):
            tables.append(Table(
                f"What nodes published of these versions. {one.caption()}.",
                ("Institution", "Dataset", "Rows, rounded down", "Accepted level of the dataset", "Contract", "At"),
                tuple((p.node, p.dataset, f"at least {count(p.rows)}", str(p.grade or "not graded"),
                       "as installed here" if p.contract_hash == found.hash else f"another text: {p.contract_hash}",
                       p.published_at) for p in _published(case, one)), Source("signed-each")))
        rows = [(name, f"at least {count(case.metered[one.run, name].rows)}") for name in one.cohort
                if (one.run, name) in case.metered]
        if rows:
            tables.append(Table(
                f"Rows that were read, rounded down by the institution to a multiple of {one.study.minimum_count}. "
                f"{one.caption()}.", ("Institution", "Rows"), tuple(rows), Source("signed-each")))
    return Part(tuple(groups), tuple(tables))


def _published(case: Case, one: Evidence) -> list[Publication]:
    versions = dict.fromkeys((a.fingerprint, a.dataset, a.dataset_version) for a in one.agreements)
    return [case.published[version] for version in versions if version in case.published]


def _without_rows(case: Case, one: Evidence) -> list[Statement]:
    known = {p.node for p in _published(case, one)}
    lacking = [name for name in one.cohort if (one.run, name) not in case.metered and name not in known]
    return [Statement("Rows", f"no signed figure of {enumerated(lacking)} is among the files",
                      Source("derived", ("the files given",)))] if lacking else []


def method(case: Case) -> Part:
    """Return computation, parameters and code."""
    return Part(each(case, _method))


def _method(case: Case, one: Evidence) -> list[Statement]:
    study, by = one.study, signed(one)
    agreed = sorted({a.terms.code for a in one.agreements})
    here = code_hash(get(study.computation))
    same = "the same" if agreed == [here] else f"another: {here}"
    return [
        Statement("Computation", study.computation, by),
        *(Statement(f"Parameter {name}", _value(value), by) for name, value in sorted(study.parameters.items())),
        Statement("Source of the computation, SHA-256", ", ".join(agreed) or "none agreed", by),
        Statement("The source installed here", same, case.program),
    ]


def _value(value: Any) -> str:
    text = _plain(value)
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{text[:LONGEST_VALUE]}… ({len(text)} characters; whole in study.json of the evidence)"


def protection(case: Case) -> Part:
    """Return the tightest of what institutions signed, and how sums are secured."""
    return Part(each(case, _protection))


def _protection(case: Case, one: Evidence) -> list[Statement]:
    study, by = one.study, signed(one)
    terms = [a.terms for a in one.agreements]
    waived = [a.node for a in one.agreements if a.waives_differencing]
    caps = [f"{a.node}: {a.terms.epsilon}" for a in one.agreements if a.terms.epsilon is not None]
    return [
        Statement("Scheme", study.scheme, by),
        Statement("What it does", SCHEMES.get(study.scheme, OTHER), case.program),
        Statement("Fewest institutions behind a sum", str(max([study.smallest_cohort,
                                                               *(t.minimum_cohort for t in terms)])), TIGHTEST),
        Statement("Fewest rows behind a released cell", str(max([study.minimum_count,
                                                                 *(t.minimum_count for t in terms)])), TIGHTEST),
        Statement("Institutions assumed to collude with the coordinator", f"at most {study.colluding}", by),
        Statement("Most rounds of a run", str(min([study.rounds, *(t.rounds for t in terms)])), TIGHTEST),
        Statement("Most runs", str(min([study.runs, *(t.runs for t in terms)])), TIGHTEST),
        Statement("Own contribution may become computable",
                  f"agreed to by {enumerated(waived)}" if waived else "agreed to by nobody", by),
        Statement("Caps on epsilon over all runs", "; ".join(caps) or "none", by),
        Statement("In force when the contribution was made",
                  "Before it contributes, each node demands to see agreements, cohort and its own acts in the log.",
                  case.program),
    ]
