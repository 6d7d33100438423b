"""What a steward asks of one dataset after it was added: profile, labels, filings, and tables to show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealane.governance.classification import read_label
from sealane.governance.drift import drift
from sealane.governance.grade import Decided
from sealane.governance.quality import Profile, quality
from sealane.node.datasets import profile_dataset
from sealane.node.exposing import Exposed, write_desensitised, write_mock
from sealane.node.grading import check_jurisdiction, file, grade, phase, proposals
from sealane.node.home import NodeHome
from sealane.node.place import checked


@checked
def dataset_profile(home: NodeHome, *, name: str) -> dict[str, Any]:
    """Profile the registered version of a dataset, and compare it with the version profiled before."""
    profile = profile_dataset(home.register, name, now=home.clock())
    entry = home.register.dataset(name)
    before = home.register.lives.profile_before(name, entry.version)
    return {**_described(home, name, entry.version, profile),
            "before": None if before is None else before[0],
            "drift": [] if before is None else _drift(before[1], profile)}


@checked
def dataset_grade(home: NodeHome, *, name: str, accept: bool = False, changes: dict[str, str] | None = None,
                  reason: str = "", review: str = "") -> dict[str, Any]:
    """Decide labels, or show what is proposed and in force where nothing is decided."""
    register = home.register
    labels = {field: read_label(text) for field, text in (changes or {}).items()}
    version = register.dataset(name).version
    decided = (grade(register, name, accept=accept, changes=labels, reason=reason, review=review)
               if accept or labels else register.lives.labels(name, version))
    return {"name": name, "version": version, "phase": phase(register, name),
            "fields": [_field(field, standing.proposal.label, standing.proposal.reasons, decided.get(field))
                       for field, standing in proposals(register, name).items()]}


@checked
def dataset_filing(home: NodeHome, *, name: str, reference: str, jurisdiction: str | None = None,
                   important: bool = False) -> dict[str, Any]:
    """Record a filing, and return all of the dataset's."""
    file(home.register, name, jurisdiction=jurisdiction, important=important, reference=reference)
    return {"name": name, "filings": [
        {"for": one.jurisdiction, "reference": one.reference, "filed_at": one.filed_at}
        for one in home.register.lives.filings(name)]}


@checked
def dataset_desensitise(home: NodeHome, *, name: str, output: str, rules: str | None = None) -> dict[str, Any]:
    """Write a desensitised table."""
    return _exposed(write_desensitised(home.register, home.path, name, None if rules is None else rules.encode(),
                                       Path(output)))


@checked
def dataset_mock(home: NodeHome, *, name: str, rows: int, output: str) -> dict[str, Any]:
    """Write a made-up table."""
    return _exposed(write_mock(home.register, name, rows, Path(output)))


@checked
def jurisdiction(home: NodeHome, *, code: str | None = None) -> dict[str, Any]:
    """Set this institution's jurisdiction, or say which is set."""
    if code is not None:
        home.register.lives.set_jurisdiction(check_jurisdiction(code))
    return {"jurisdiction": home.register.lives.jurisdiction()}


DATASET_COMMANDS: dict[str, Callable[..., Any]] = {
    "dataset.profile": dataset_profile, "dataset.grade": dataset_grade,
    "dataset.filing": dataset_filing, "dataset.desensitise": dataset_desensitise, "dataset.mock": dataset_mock,
    "jurisdiction": jurisdiction,
}


def _described(home: NodeHome, name: str, version: str, profile: Profile) -> dict[str, Any]:
    measured = quality(profile)
    return {"name": name, "version": version, "phase": phase(home.register, name), "score": measured.score,
            "quality": measured.to_dict(), "profile": profile.to_dict()}


def _drift(before: Profile, after: Profile) -> list[dict[str, Any]]:
    return [{"field": one.field, "psi": one.psi, "word": one.word, "moved": one.moved, "shift": one.shift}
            for one in drift(before, after)]


def _field(name: str, proposed: object, reasons: tuple[str, ...], decided: Decided | None) -> dict[str, Any]:
    return {"field": name, "proposed": str(proposed), "why": list(reasons),
            "label": None if decided is None else str(decided.label),
            "reason": "" if decided is None else decided.reason}


def _exposed(one: Exposed) -> dict[str, Any]:
    return {"output": str(one.path), "rows": one.rows, "sha256": one.sha256, "k": one.k, "synthetic": one.k is None}
