"""What a supervisory report is made of: statements and tables, each with who vouches for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sealane.client.report.model import Report
from sealane.client.report.tables import enumerated

VERSION = "sealane.supervisory-report/v1"
Kind = Literal["signed", "signed-each", "endorsed", "log", "installed", "derived", "claimed"]


@dataclass(frozen=True, slots=True)
class Source:
    """Who vouches for a statement.

    Attributes:
        kind: ``signed`` by institutions; ``signed-each``: a table's rows, each by the institution that it names;
            ``endorsed``: part of a result whose hash they signed; ``log``: a leaf of the audit log, cosigned;
            ``installed``: this program says so; ``derived``: worked out from what is named; ``claimed``: nobody signed.
        by: names of who, or of what.
    """

    kind: Kind
    by: tuple[str, ...] = ()

    def words(self) -> str:
        """Return it for people."""
        who = enumerated(self.by)
        return {
            "signed": f"signed by {who}", "signed-each": "each row signed by the institution it names",
            "endorsed": f"result endorsed by {who}", "log": f"audit log, cosigned by {who}",
            "installed": f"{who}, as installed here", "derived": f"follows from {who}",
            "claimed": f"claimed in {who}; nobody signed it",
        }[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"kind": self.kind, "by": list(self.by)}


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a report says."""

    what: str
    value: str
    source: Source

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"what": self.what, "value": self.value, "source": self.source.to_dict()}


@dataclass(frozen=True, slots=True)
class Group:
    """Statements about one thing, mostly a study."""

    caption: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one source; the first column names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    source: Source

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, a row as an object by column."""
        return {"caption": self.caption, "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
                "source": self.source.to_dict()}


@dataclass(frozen=True, slots=True)
class Shown:
    """A result, or claims about one, drawn as in any report of a run."""

    caption: str
    source: Source
    report: Report


@dataclass(frozen=True, slots=True)
class Part:
    """What fills a section."""

    groups: tuple[Group, ...] = ()
    tables: tuple[Table, ...] = ()
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A part under its heading."""

    shows: str
    heading: str
    text: str | None
    part: Part

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "shows": self.shows, "heading": self.heading,
            "groups": [{"caption": one.caption, "statements": [each.to_dict() for each in one.statements]}
                       for one in self.part.groups],
            "tables": [one.to_dict() for one in self.part.tables],
            "results": [{"caption": one.caption, "source": one.source.to_dict(),
                         "report": one.report.model_dump(mode="json", exclude_defaults=True)}
                        for one in self.part.shown],
        }


@dataclass(frozen=True, slots=True)
class Told:
    """The whole report.

    Attributes:
        title: of the page.
        sector: whose report it is.
        lead: in a sentence or two.
        created: RFC 3339.
        sections: in their order.
        note: of whoever wrote it; nobody signed it.
    """

    title: str
    sector: str
    lead: str
    created: str
    sections: Sequence[Section]
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"version": VERSION, "sector": self.sector, "title": self.title, "lead": self.lead,
                "created": self.created, "note": self.note, "sections": [one.to_dict() for one in self.sections]}
