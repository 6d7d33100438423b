"""``defaults.toml`` in a node's home: what this institution allows unless its steward says otherwise for one study.

Defaults and options only ever narrow a study. An option replaces the default of its name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sealane.core.clock import from_text, to_text
from sealane.errors import InputError, RefusedError
from sealane.governance.fault import first_fault
from sealane.governance.policy import abroad
from sealane.governance.study import Study
from sealane.governance.tariff import Tariff, read_words
from sealane.governance.terms import COUNTRY, DECIMAL, OUTPUT, Terms, narrow, terms_of

FILE = "defaults.toml"
MAXIMUM_BYTES = 1 << 16
Country = Annotated[str, Field(pattern=f"^{COUNTRY.pattern}$")]
Decimal = Annotated[str, Field(pattern=f"^(?:{DECIMAL.pattern})$")]


class OwnTerms(BaseModel):
    """An institution's own narrower terms; None leaves what the study says.

    Attributes:
        minimum_cohort: fewest institutions behind a sum.
        minimum_count: fewest rows behind a released cell.
        rounds: most rounds of a run.
        runs: most runs.
        recipients: names of the study's recipients to whom results may go.
        jurisdictions: ISO 3166-1 alpha-2 codes that a study may state for recipients.
        outputs: kinds of result that may leave.
        starts: moment, or date, before which nothing runs.
        expires: moment, or date (then its last second, UTC).
        epsilon: cap, exact decimal.
        delta: cap, exact decimal.
        tariff: prices.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_cohort: int | None = Field(default=None, strict=True, ge=2)
    minimum_count: int | None = Field(default=None, strict=True, ge=1, le=1_000_000)
    rounds: int | None = Field(default=None, strict=True, ge=1)
    runs: int | None = Field(default=None, strict=True, ge=1)
    recipients: list[str] | None = None
    jurisdictions: list[Country] | None = None
    outputs: list[Annotated[str, Field(pattern=f"^{OUTPUT.pattern}$")]] | None = None
    starts: str | date | None = None
    expires: str | date | None = None
    epsilon: Decimal | None = None
    delta: Decimal | None = None
    tariff: Tariff | None = None

    @model_validator(mode="before")
    @classmethod
    def _words(cls, values: Any) -> Any:
        """Take a tariff also as the command line writes it."""
        if isinstance(values, dict) and isinstance(values.get("tariff"), str):
            return values | {"tariff": read_words(values["tariff"])}
        return values


class Defaults(OwnTerms):
    """The whole of ``defaults.toml``.

    Attributes:
        purposes: the only ones this institution approves; None for all of its sector packs.
        valid_days: longest time from the signature to the end of an agreement.
    """

    purposes: list[str] | None = None
    valid_days: int | None = Field(default=None, strict=True, ge=1, le=3660)


def read_defaults(home: Path) -> Defaults:
    """Read a home's defaults; a home without the file has none.

    Raises:
        InputError: unreadable, too large, not TOML, or a field unknown or malformed.
    """
    try:
        data = (home / FILE).read_bytes()
    except FileNotFoundError:
        return Defaults()
    except OSError as error:
        raise InputError("defaults.unreadable", f"{FILE} cannot be read", got=error.strerror) from error
    if len(data) > MAXIMUM_BYTES:
        raise InputError("defaults.malformed", f"{FILE} is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        return Defaults.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        raise _malformed(FILE, error) from error
    except (ValueError, RecursionError) as error:
        raise InputError("defaults.malformed", f"{FILE} is not TOML", got=str(error)[:200]) from error


def read_options(options: Mapping[str, Any]) -> OwnTerms:
    """Read what a steward says for one study.

    Raises:
        InputError: an option is unknown or malformed.
    """
    try:
        return OwnTerms.model_validate(dict(options))
    except ValidationError as error:
        raise _malformed("options", error) from error


def own_terms(study: Study, code: str, outputs: tuple[str, ...], defaults: Defaults, options: OwnTerms, *,
              waives_differencing: bool, now: datetime) -> Terms:
    """Return the terms this institution would sign: the study's, narrowed by defaults and by options.

    Raises:
        InputError: a recipient or kind of result that the study does not have, or an end in the past.
        RefusedError: a purpose outside the defaults, a recipient abroad, or an option wider than the study.
    """
    if defaults.purposes is not None and study.purpose not in defaults.purposes:
        raise RefusedError("agreement.purpose-not-ours", "this institution's defaults do not allow the purpose",
                           got=study.purpose, expected=", ".join(defaults.purposes) or "none",
                           hint=f"change `purposes` in {FILE}, or refuse the study")
    whole = terms_of(study, code=code, outputs=outputs)
    wanted: dict[str, Any] = {"waives_differencing": waives_differencing}
    for name in OwnTerms.model_fields:
        option, default = getattr(options, name), getattr(defaults, name)
        value = option if option is not None else default
        if value is not None:
            value = _value(name, value, study, outputs, lenient=option is None)
            wanted[name] = value if option is not None else _narrower(name, getattr(whole, name), value)
    if options.expires is None and defaults.valid_days is not None:
        end = min(from_text(wanted.get("expires", study.expires)), now + timedelta(days=defaults.valid_days))
        wanted["expires"] = to_text(end)
    terms = narrow(whole, study, **wanted)
    if from_text(terms.expires) <= now:
        raise InputError("agreement.already-over", "the agreement would be over before it is signed",
                         got=terms.expires, expected=f"a moment after {to_text(now)}",
                         hint="give a later --expires, or refuse the study")
    if terms.jurisdictions is not None:
        kept = [party for party in study.recipients if party.fingerprint in terms.recipients]
        refusal = abroad(kept, terms.jurisdictions)
        if refusal is not None:
            raise refusal
    return terms


def _value(name: str, value: Any, study: Study, outputs: tuple[str, ...], *, lenient: bool) -> Any:
    """Return an own term as an agreement writes it; a default that the study does not have is passed over."""
    if name == "recipients":
        known = {party.name: party.fingerprint for party in study.recipients}
        return _chosen("recipient", value, known, lenient=lenient)
    if name == "outputs":
        return _chosen("output", value, {kind: kind for kind in outputs}, lenient=lenient)
    if name == "jurisdictions":
        return tuple(sorted(set(value)))
    return _moment(name, value) if name in ("starts", "expires") else value


def _chosen(what: str, wanted: list[str], known: Mapping[str, str], *, lenient: bool) -> tuple[str, ...]:
    unknown = [name for name in wanted if name not in known]
    if unknown and not lenient:
        raise InputError("agreement.unknown-choice", f"the study has no such {what}", got=", ".join(unknown)[:120],
                         expected=", ".join(sorted(known)) or "none",
                         hint="an agreement only narrows what a study names")
    return tuple(sorted({known[name] for name in wanted if name in known}))


def _narrower(name: str, whole: Any, default: Any) -> Any:
    """Return the narrower of what a study says and a default."""
    if name in ("minimum_cohort", "minimum_count"):
        return max(whole, default)
    if name in ("rounds", "runs"):
        return min(whole, default)
    return min(whole, default, key=from_text) if name == "expires" else default


def _moment(name: str, value: str | date) -> str:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else value
        if isinstance(found, str):
            return to_text(from_text(found))
        if isinstance(found, datetime):
            return to_text(found)
        return to_text(datetime.combine(found, time(23, 59, 59) if name == "expires" else time(0), UTC))
    except (ValueError, OverflowError) as error:
        raise InputError("agreement.bad-moment", f"{name} is no moment", got=str(value)[:40],
                         expected="a date such as 2027-01-31, or 2027-01-31T12:00:00Z",
                         hint="a date stands for its whole day, in UTC") from error


def _malformed(what: str, error: ValidationError) -> InputError:
    where, fault = first_fault(error, what)
    return InputError("defaults.malformed", f"{what}: {where} is malformed", got=fault,
                      hint="docs/agreements.md lists the terms and their form")
