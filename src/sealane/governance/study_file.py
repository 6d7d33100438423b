"""``study.toml``: what a person writes, and how it becomes a study that can be signed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sealane.core.clock import to_text
from sealane.errors import InputError, RefusedError
from sealane.governance.study import DEFAULT_ROUNDS, MAXIMUM_BYTES, Participant, Recipient, Study, make_study, malformed

DEFAULT_VALID_DAYS = 30
DEFAULT_MINIMUM_COUNT = 10
MAXIMUM_VALID_DAYS = 3660

Party = TypeVar("Party")
Placed = TypeVar("Placed", Participant, Recipient)


def _as_written(amount: object) -> object:
    """Return a decimal that was written without quotes as text, as it was."""
    return repr(amount) if isinstance(amount, (int, float)) and not isinstance(amount, bool) else amount


class StudyFile(BaseModel):
    """The fields of ``study.toml``; those of :class:`Study`, with parties by name and an end by date or by days.

    Attributes:
        minimum_count: fewest rows behind a released cell; None for the sector's default.
        rounds: most exchanges in one run; None for what the computation may take.
        participants: names, or a table of name = fingerprint; None for every institution in the directory.
        recipients: names; None for whoever proposes.
        jurisdictions: ISO 3166-1 alpha-2 code by name of a participant or recipient; a party without one has none.
        expires: moment with a zone, or a date (then its last second, UTC).
        valid_days: days from the proposal, where ``expires`` is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sector: str
    purpose: str
    data_contract: str
    computation: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    scheme: str = "masking"
    minimum_cohort: int = Field(default=3, strict=True)
    minimum_count: int | None = Field(default=None, strict=True)
    quality_floor: float | None = None
    colluding: int = Field(default=1, strict=True)
    rounds: int | None = Field(default=None, strict=True)
    runs: int = Field(default=10, strict=True)
    epsilon: Annotated[str, BeforeValidator(_as_written)] | None = None
    delta: Annotated[str, BeforeValidator(_as_written)] | None = None
    participants: list[str] | dict[str, str] | None = None
    recipients: list[str] | None = None
    jurisdictions: dict[str, str] = Field(default_factory=dict)
    expires: Any = None
    valid_days: int | None = Field(default=None, strict=True, ge=1, le=MAXIMUM_VALID_DAYS)

    @model_validator(mode="after")
    def _one_end(self) -> StudyFile:
        if self.expires is not None and self.valid_days is not None:
            raise ValueError("give expires or valid_days, not both")
        if self.expires is not None and (
            not isinstance(self.expires, date) or (isinstance(self.expires, datetime) and self.expires.tzinfo is None)
        ):
            raise ValueError("expires is a date, or a moment with a zone such as 2027-01-31T12:00:00Z, without quotes")
        return self

    def resolve(self, directory: Mapping[str, str], recipients: Sequence[Recipient], now: datetime, *,
                minimum_count: int = DEFAULT_MINIMUM_COUNT, rounds: int = DEFAULT_ROUNDS) -> Study:
        """Return the study that this file means.

        Args:
            directory: fingerprint by name of the institutions known to the proposer.
            recipients: parties a result could be sealed to; all of them where the file names none.
            now: the present moment.
            minimum_count: the sector's default, where the file names none.
            rounds: what the computation may take, where the file names none.

        Raises:
            InputError: a party is unknown, the end lies in the past, or the study breaks a rule.
            RefusedError: the file names another fingerprint than the directory.
        """
        fields = self.model_dump(include=set(Study.model_fields) - {
            "version", "participants", "recipients", "expires", "replaces", "minimum_count", "rounds"})
        participants, chosen = self._participants(directory), self._recipients(recipients)
        known = dict.fromkeys((*(p.name for p in participants), *(r.name for r in chosen)), "")
        for name in self.jurisdictions:
            _look_up(name, known, "party")
        return make_study(
            **fields, minimum_count=minimum_count if self.minimum_count is None else self.minimum_count,
            rounds=rounds if self.rounds is None else self.rounds,
            expires=self._end(now), recipients=[self._placed(party) for party in chosen],
            participants=[self._placed(party) for party in participants])

    def _placed(self, party: Placed) -> Placed:
        code = self.jurisdictions.get(party.name)
        if code is None:
            return party
        try:
            return party.model_validate({**party.model_dump(), "jurisdiction": code})
        except ValidationError as error:
            raise malformed(error) from error

    def _participants(self, directory: Mapping[str, str]) -> list[Participant]:
        if isinstance(self.participants, dict):
            chosen = dict(self.participants)
            for name, fingerprint in chosen.items():
                if directory.get(name, fingerprint) != fingerprint:
                    raise RefusedError("study.fingerprint-differs", f"the file names another key for {name}",
                                       got=fingerprint, expected=directory[name],
                                       hint="compare the fingerprint with the institution itself")
        else:
            chosen = {name: _look_up(name, directory, "institution")
                      for name in (directory if self.participants is None else self.participants)}
        try:
            return [Participant(name=name, fingerprint=fingerprint) for name, fingerprint in chosen.items()]
        except ValidationError as error:
            raise malformed(error) from error

    def _recipients(self, known: Sequence[Recipient]) -> list[Recipient]:
        if self.recipients is None:
            return list(known)
        by_name = {party.name: party for party in known}
        return [_look_up(name, by_name, "recipient") for name in dict.fromkeys(self.recipients)]

    def _end(self, now: datetime) -> str:
        if self.expires is None:
            end = now + timedelta(days=self.valid_days or DEFAULT_VALID_DAYS)
        elif isinstance(self.expires, datetime):
            end = self.expires
        else:
            end = datetime.combine(self.expires, time(23, 59, 59), UTC)
        if end <= now:
            raise InputError("study.already-over", "the study would have expired already", got=to_text(end),
                             expected=f"after {to_text(now)}", hint="set a later `expires` or `valid_days`")
        return to_text(end)


def parse_study_file(data: bytes) -> StudyFile:
    """Read the bytes of a ``study.toml``.

    Raises:
        InputError: not TOML, too large, a field unknown, missing or malformed.
    """
    if len(data) > MAXIMUM_BYTES:
        raise InputError("study.too-large", "study file is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError("study.not-toml", "study file is not TOML", got=str(error)[:200],
                         hint="`sealane study new FILE` writes one to compare it with") from error
    legal = list(StudyFile.model_fields)
    for name in content:
        if name not in legal:
            near = get_close_matches(name, legal, n=2, cutoff=0.5)
            raise InputError("study.unknown-field", "study file has an unknown field", got=repr(name[:80]),
                             expected=", ".join(legal),
                             hint=f"did you mean {' or '.join(near)}?" if near else "remove it: nothing is ignored")
    try:
        return StudyFile.model_validate(content)
    except ValidationError as error:
        raise malformed(error) from error


def read_study_file(path: Path) -> StudyFile:
    """Read ``study.toml`` from a path.

    Raises:
        InputError: unreadable, or as :func:`parse_study_file`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("study.unreadable", "study file cannot be read", got=error.strerror or type(error).__name__,
                         hint="`sealane study new` writes one to start from") from error
    return parse_study_file(data)


def study_template(*, name: str, sector: str, purpose: str, data_contract: str, computation: str, parameters: str
                   ) -> str:
    """Return the text that ``sealane study new`` writes; ``parameters`` is TOML."""
    return TEMPLATE.format(name=name, sector=sector, purpose=purpose, data_contract=data_contract,
                           computation=computation, parameters=parameters)


TEMPLATE = """\
# A study: what the institutions agree to before anything runs. `sealane study propose study.toml` sends it.
name = "{name}"
sector = "{sector}"
purpose = "{purpose}"
data_contract = "{data_contract}"
computation = "{computation}"

scheme = "masking"       # how sums are secured
minimum_cohort = 3       # fewest institutions behind a sum; at least colluding + 2
# minimum_count = 10     # fewest rows behind a released cell; default: the sector's
colluding = 1            # nodes that may work together with the coordinator and still learn nothing
# rounds = 200           # most exchanges in one run; default: 200, or more where the computation may take more
runs = 10                # most runs
valid_days = 30          # or: expires = 2027-01-31
# epsilon = "1"          # most privacy that one run may cost, with delta = "1e-6"; for computations with noise

# participants = ["north", "south", "west"]     # default: every institution enrolled
# recipients = ["alice"]                        # default, and all there can be: whoever proposes
# quality_floor = 0.9                           # least quality of a dataset that takes part
# jurisdictions = {{ alice = "CN" }}              # whose law a party is under, ISO 3166-1 alpha-2

[parameters]
{parameters}"""


def _look_up(name: str, known: Mapping[str, Party], what: str) -> Party:
    if name in known:
        return known[name]
    near = get_close_matches(name, list(known), n=2)
    others = {"recipient": "only whoever proposes can be one", "institution": "an institution enrols its node first"}
    raise InputError(f"study.unknown-{what}", f"no such {what}", got=repr(name[:80]),
                     expected=", ".join(sorted(known))[:200] or f"an enrolled {what}",
                     hint=f"did you mean {' or '.join(near)}?" if near else others.get(what, "name a party"))
