"""The files that a supervisory report is made from, read and held against each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane._version import __version__
from sealane.audit.policy import parse_policy
from sealane.client.pack.verify import MANIFEST
from sealane.client.result_file import read_result
from sealane.client.supervision.case import (
    Case,
    Claims,
    InputFile,
    check_sector,
    match_claims,
    match_metered,
    match_published,
    match_results,
)
from sealane.client.supervision.evidence import Evidence, read_evidence
from sealane.core.clock import system_clock, to_text
from sealane.errors import InputError
from sealane.governance.publication_file import read_publication
from sealane.governance.statement import read_statement
from sealane.sectors.registry import pack


@dataclass(frozen=True, slots=True)
class Files:
    """Paths of what is given; ``evidence`` are folders, the model's run first. ``note`` is the writer's."""

    evidence: tuple[Path, ...]
    policies: tuple[Path, ...]
    results: tuple[Path, ...] = ()
    statements: tuple[Path, ...] = ()
    published: tuple[Path, ...] = ()
    claims: tuple[Path, ...] = ()
    note: str | None = None


def read_case(files: Files, read: Callable[[Path], bytes]) -> Case:
    """Read everything, evidence first: nothing else is looked at unless it verifies.

    Args:
        files: to read.
        read: returns a file's bytes, if it is no larger than any should be.

    Raises:
        SealaneError: something does not verify, or does not belong to the evidence.
    """
    policies = [parse_policy(read(path)) for path in files.policies]
    listed = [_listed(path, "policy", read(path)) for path in files.policies]
    evidence: list[Evidence] = []
    for folder in files.evidence:
        held = {file.name: read(file) for file in sorted(folder.iterdir()) if file.is_file()}
        evidence.append(read_evidence(held, policies))
        listed.append(_listed(folder / MANIFEST, f"evidence of run {evidence[-1].run}", held[MANIFEST]))
    sector = pack(evidence[0].study.sector)
    form = check_sector(sector, evidence)
    given = [(path, read_result(read(path))) for path in files.results]
    listed += [_listed(path, f"result of run {one.run}", read(path)) for path, one in given]
    listed += [_listed(path, "metering statement", read(path)) for path in files.statements]
    listed += [_listed(path, "publication of a dataset", read(path)) for path in files.published]
    listed += [_listed(path, "claims", read(path)) for path in files.claims]
    return Case(
        sector, form, f"Sealane {__version__}", tuple(evidence), match_results(evidence, [one for _, one in given]),
        match_metered(evidence, [read_statement(read(path)) for path in files.statements]),
        match_published(evidence, [read_publication(read(path)) for path in files.published]),
        tuple(_claims(evidence, path, read(path)) for path in files.claims), tuple(listed), to_text(system_clock()),
        files.note)


def _claims(evidence: list[Evidence], path: Path, data: bytes) -> Claims:
    try:
        fields: Any = json.loads(data)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise InputError("supervision.no-claims", "the file is no report of a run", got=path.name[:80],
                         expected="report.json, as `sealane run report` writes it")
    return match_claims(evidence, path.name, fields)


def _listed(path: Path, what: str, data: bytes) -> InputFile:
    name = f"{path.parent.name}/{path.name}" if path.name == MANIFEST else path.name
    return InputFile(name, what, hashlib.sha256(data).hexdigest())
