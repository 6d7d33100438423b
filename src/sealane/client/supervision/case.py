"""All that a report is made from: evidence, and what is held against it. What does not belong is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sealane.client.report.model import Report, parse_report
from sealane.client.result_file import ResultFile
from sealane.client.supervision.document import Source
from sealane.client.supervision.evidence import Evidence
from sealane.computations.registry import get
from sealane.errors import InputError, ProtocolError, SealaneError
from sealane.governance.catalog_statement import SignedPublication
from sealane.governance.metering import MeteredRun
from sealane.governance.publication import Publication, verify_publication
from sealane.governance.statement import SignedStatement, verify_statement
from sealane.sectors.pack import SectorPack
from sealane.sectors.supervision import SupervisoryReport


@dataclass(frozen=True, slots=True)
class Claims:
    """A run's ``report.json``: what its writer worked out beside the result."""

    name: str
    report: Report


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that was read: its name, what it is, and its SHA-256."""

    name: str
    what: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Case:
    """What a report is made from.

    Attributes:
        pack: of the studies' sector.
        form: that the pack declares.
        software: this program's name and version.
        evidence: the model's run first.
        results: what runs released, by run, JSON-ready.
        metered: what nodes signed of their runs, by run and institution.
        published: what nodes published of the datasets that they signed for, by key, name and version.
        claims: that nobody signed.
        files: that were read.
        created: RFC 3339.
        note: of whoever writes the report; nobody signed it.
    """

    pack: SectorPack
    form: SupervisoryReport
    software: str
    evidence: tuple[Evidence, ...]
    results: Mapping[str, dict[str, Any]]
    metered: Mapping[tuple[str, str], MeteredRun]
    published: Mapping[tuple[str, str, str], Publication]
    claims: tuple[Claims, ...]
    files: tuple[InputFile, ...]
    created: str
    note: str | None = None

    @property
    def installed(self) -> Source:
        """Return what this program says, as a source."""
        return Source("installed", (f"{self.pack.name} pack of {self.software}",))

    @property
    def program(self) -> Source:
        """Return the program itself, as a source."""
        return Source("installed", (self.software,))


def check_sector(pack: SectorPack, evidence: Sequence[Evidence]) -> SupervisoryReport:
    """Return the report that a sector declares.

    Raises:
        InputError: it declares none, or a run is another sector's or there twice.
    """
    if pack.supervision is None:
        raise InputError("supervision.no-form", "the sector's pack declares no supervisory report", got=pack.name,
                         hint="a pack declares one with SectorPack(supervision=…)")
    others = sorted({one.study.sector for one in evidence} - {pack.name})
    if others:
        raise InputError("supervision.other-sector", "the evidence is of several sectors", got=", ".join(others),
                         expected=pack.name, hint="make a report for each")
    runs = [one.run for one in evidence]
    if len(set(runs)) != len(runs):
        raise InputError("supervision.run-twice", "two evidence packs are of one run",
                         got=next(run for run in runs if runs.count(run) > 1))
    return pack.supervision


def match_results(evidence: Sequence[Evidence], given: Sequence[ResultFile]) -> dict[str, dict[str, Any]]:
    """Return results by run, as their computations present them, once each is the one that was endorsed.

    Raises:
        ProtocolError: a result is not the endorsed one, or is not its computation's.
        InputError: it is of another run, or its computation is not installed.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in given:
        of = _of(one.run, evidence, "a result")
        if one.hash != of.result_hash:
            raise ProtocolError("supervision.not-endorsed", "a result is not the one that the institutions endorsed",
                                got=f"{one.run}: {one.hash[:16]}", expected=(of.result_hash or "no result")[:16],
                                hint="it was changed, or is another attempt's: `sealane run report RUN` writes it anew")
        try:
            found[one.run] = get(of.study.computation).present(one.payload).to_dict()
        except SealaneError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ProtocolError("supervision.unreadable-result", "a result is none of its computation's as installed",
                                got=f"{of.study.computation}: {type(error).__name__}",
                                hint="use the version of Sealane that the institutions ran") from error
    return found


def match_metered(
    evidence: Sequence[Evidence], given: Sequence[SignedStatement]
) -> dict[tuple[str, str], MeteredRun]:
    """Return what nodes signed of runs, by run and institution.

    Raises:
        ProtocolError: a statement does not verify, is signed by another key than the study names, or two differ.
        InputError: it is of another study.
        RefusedError: its node has not signed it.
    """
    found: dict[tuple[str, str], MeteredRun] = {}
    for signed in given:
        settlement = verify_statement(signed)
        of = [one for one in evidence if one.study.hash == settlement.study]
        if not of:
            raise _stranger("a metering statement", settlement.study[:16])
        party = of[0].study.participant(settlement.node.name)
        if party is None or party.fingerprint != settlement.node.fingerprint:
            raise ProtocolError("supervision.other-key", "a metering statement is by no institution of the study",
                                got=f"{settlement.node.name} {settlement.node.fingerprint}",
                                expected=party.fingerprint if party else "a participant")
        for event in settlement.events:
            if event.run in {one.run for one in of} and found.setdefault((event.run, party.name), event) != event:
                raise ProtocolError("supervision.statements-differ", "an institution signed different figures of a run",
                                    got=f"{party.name}: {event.run}")
    return found


def match_published(
    evidence: Sequence[Evidence], given: Sequence[SignedPublication]
) -> dict[tuple[str, str, str], Publication]:
    """Return what nodes published of the datasets that were agreed to, by key, name and version; of two, the later.

    Raises:
        ProtocolError: a publication does not verify.
        InputError: no agreement is for what it describes.
    """
    agreed = {(a.fingerprint, a.dataset, a.dataset_version) for one in evidence for a in one.agreements}
    found: dict[tuple[str, str, str], Publication] = {}
    for publication in sorted(map(verify_publication, given), key=lambda one: one.sequence):
        described = (publication.fingerprint, publication.dataset, publication.dataset_version)
        if described not in agreed:
            raise InputError("supervision.not-agreed", "a publication is of no dataset version that was agreed to",
                             got=f"{publication.node}/{publication.dataset} {publication.dataset_version[:16]}",
                             hint="it was published before or after that version was in use: leave it out")
        found[described] = publication
    return found


def match_claims(evidence: Sequence[Evidence], name: str, fields: Mapping[str, Any]) -> Claims:
    """Return a run's ``report.json`` as claims.

    Raises:
        InputError: it is none, or of another run or study.
    """
    report = parse_report(fields)
    of = _of(report.run or "", evidence, "a report")
    if report.study.hash != of.study.hash:
        raise _stranger("a report", report.study.hash[:16])
    return Claims(name, report)


def _of(run: str, evidence: Sequence[Evidence], what: str) -> Evidence:
    for one in evidence:
        if one.run == run:
            return one
    raise _stranger(what, run[:40] or "no run")


def _stranger(what: str, got: str) -> InputError:
    return InputError("supervision.other-run", f"{what} is of a run that the evidence is not of", got=got,
                      hint="give the evidence pack of that run too")
