"""What a sector's institutions hand to their supervisor: which parts, under which headings, with what said."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sealane.errors import InputError
from sealane.governance.fault import first_fault

Shows = Literal["purpose", "institutions", "data", "method", "released", "protection", "performance", "fairness",
                "explanation", "claims", "limits", "verification"]
"""What a section can show, from verified evidence and what goes with it."""
ALWAYS: tuple[Shows, ...] = ("limits", "verification")
"""What no sector leaves out."""
PARTS: tuple[Shows, ...] = get_args(Shows)

Words = Annotated[str, Field(min_length=1, max_length=1000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ReportSection(_Part):
    """One section.

    Attributes:
        shows: what it is filled with.
        heading: above it.
        text: under the heading.
    """

    shows: Shows
    heading: Annotated[str, Field(min_length=1, max_length=100)]
    text: Words | None = None


class KnownLimit(_Part):
    """What a supervisor has to know, whichever model it is.

    Attributes:
        name: in a few words.
        text: in a sentence or two.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    text: Words


class SupervisoryReport(_Part):
    """A sector's report. Built with :func:`load_supervision`.

    Attributes:
        title: of the page.
        levels: the standard whose levels the labels of fields follow.
        sections: in their order.
        limits: said in every report, before those that follow from the evidence.
    """

    title: Annotated[str, Field(min_length=1, max_length=100)]
    levels: Annotated[str, Field(min_length=1, max_length=100)]
    sections: Annotated[list[ReportSection], Field(max_length=len(PARTS))]
    limits: Annotated[list[KnownLimit], Field(max_length=50)] = []

    @field_validator("sections")
    @classmethod
    def _complete(cls, sections: list[ReportSection]) -> list[ReportSection]:
        shown = [section.shows for section in sections]
        if len(set(shown)) != len(shown):
            raise ValueError("two sections show the same")
        if not set(ALWAYS) <= set(shown):
            raise ValueError(f"a report has the sections {' and '.join(ALWAYS)}")
        return sections


def load_supervision(data: bytes) -> SupervisoryReport:
    """Read a sector's report from TOML.

    Raises:
        InputError: not TOML, or no such report.
    """
    try:
        return SupervisoryReport.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        where, what = first_fault(error, "report")
        raise InputError("supervision.malformed", f"the sector's report is malformed at {where}", got=what) from error
    except (ValueError, RecursionError) as error:
        raise InputError("supervision.not-toml", "the sector's report is not TOML", got=str(error)[:200]) from error
