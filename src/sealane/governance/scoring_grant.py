"""Consent to private scoring: the owner's signed grant, the asker's signed acceptance, and either one's signed end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from sealane.core.canonical import canonical_bytes, sha256
from sealane.core.clock import is_moment
from sealane.core.ids import FINGERPRINT, NAME, fingerprint
from sealane.crypto.signing import SIGNATURE_BYTES, SigningKey, verify
from sealane.errors import InputError, ProtocolError
from sealane.governance.fault import first_fault
from sealane.governance.score_columns import MAXIMUM_COLUMNS, Column, Form, encrypted_columns, revealing_rows
from sealane.governance.score_model import Link

GRANT_KIND = "application/vnd.sealane.scoring-grant+json"
ACCEPTANCE_KIND = "application/vnd.sealane.scoring-acceptance+json"
END_KIND = "application/vnd.sealane.scoring-end+json"
MAXIMUM_BYTES = 1 << 18
MAXIMUM_ROWS = 1_000_000_000
LONGEST_DAYS = 3660
_HASH = 64


class Grant(BaseModel):
    """What an owner lets one asker have.

    Attributes:
        owner: fingerprint; who computes, and signs this.
        owner_name: its name.
        asker: fingerprint; who encrypts, and gets the scores.
        asker_name: its name.
        model: the model's name at the owner.
        commitment: hash of the model under a salt that the owner keeps.
        form: of the model.
        columns: what the asker encrypts.
        scale: what the asker multiplies by.
        link: what the asker does to a score then.
        whole: the asker rounds to whole numbers.
        rows: most rows in any ``days``.
        days: the period, rolling.
        total: most rows ever, of this asker, under all grants over the same fields.
        may_reveal: the owner knows that ``total`` scores determine the model.
        granted_at: RFC 3339, UTC.
        until: RFC 3339, UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal["sealane.scoring-grant/v1"] = "sealane.scoring-grant/v1"
    owner: str
    owner_name: str
    asker: str
    asker_name: str
    model: str
    commitment: str
    form: Form
    columns: tuple[Column, ...]
    scale: float
    link: Link
    whole: bool
    rows: int
    days: int
    total: int
    may_reveal: bool
    granted_at: str
    until: str

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        _check_parties(self.owner, self.asker)
        if not all(NAME.fullmatch(name) for name in (self.owner_name, self.asker_name, self.model)):
            raise ValueError("a name is malformed")
        if not is_moment(self.granted_at) or not is_moment(self.until) or self.until <= self.granted_at:
            raise ValueError("a grant ends after it begins, moments in UTC")
        if len(self.commitment) != _HASH or set(self.commitment) - set("0123456789abcdef"):
            raise ValueError("a commitment has 64 hex digits")
        if not 1 <= encrypted_columns(self.columns, self.form) <= MAXIMUM_COLUMNS:
            raise ValueError(f"a request has 1 to {MAXIMUM_COLUMNS} columns")
        if not 1e-35 < self.scale < 1e35:
            raise ValueError("a scale is positive and finite")
        if not 1 <= self.rows <= self.total <= MAXIMUM_ROWS or not 1 <= self.days <= LONGEST_DAYS:
            raise ValueError("at least one row in a period of at least one day, and no more than in all")
        if self.total >= self.revealing and not self.may_reveal:
            raise ValueError(f"{self.revealing} scores determine the model, and the grant does not say so")
        return self

    @property
    def revealing(self) -> int:
        """How many scores determine the model."""
        return revealing_rows(self.columns, self.form)


class Acceptance(BaseModel):
    """The asker's yes to a grant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal["sealane.scoring-acceptance/v1"] = "sealane.scoring-acceptance/v1"
    grant: str
    asker: str
    accepted_at: str

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        _check_about(self.grant, self.asker, self.accepted_at)
        return self


class End(BaseModel):
    """Either side's end of a grant, which is final."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal["sealane.scoring-end/v1"] = "sealane.scoring-end/v1"
    grant: str
    by: str
    ended_at: str

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        _check_about(self.grant, self.by, self.ended_at)
        return self


S = TypeVar("S", Grant, Acceptance, End)


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it is kept and sent: its canonical bytes and the signature; whose it is, the parcel says."""

    body: bytes
    signature: bytes

    @property
    def hash(self) -> str:
        """Hash of what was said, hex: what a grant is known by."""
        return sha256(b"sealane scoring statement v1", self.body).hex()

    def to_bytes(self) -> bytes:
        """Return signature and body, as a parcel carries them."""
        return self.signature + self.body

    @classmethod
    def from_bytes(cls, data: bytes) -> Signed:
        """Read :meth:`to_bytes`."""
        return cls(data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES])


KINDS: dict[type[BaseModel], str] = {Grant: GRANT_KIND, Acceptance: ACCEPTANCE_KIND, End: END_KIND}


def sign(key: SigningKey, statement: Grant | Acceptance | End) -> Signed:
    """Sign a statement with the institution's own key."""
    body = canonical_bytes(statement.model_dump(mode="json"))
    return Signed(body, key.sign(KINDS[type(statement)], body))


def verified(signed: Signed, shape: type[S], public_key: bytes) -> S:
    """Return what a party said, once its signature and its form are checked.

    Raises:
        ProtocolError: the signature does not verify, the form is another, or it speaks in another's name.
    """
    verify(public_key, KINDS[shape], signed.body, signed.signature)
    try:
        statement = shape.model_validate_json(signed.body)
        canonical = canonical_bytes(statement.model_dump(mode="json")) == signed.body
    except (ValidationError, InputError) as error:
        fault = ": ".join(first_fault(error, "it")) if isinstance(error, ValidationError) else error.message
        raise ProtocolError("score.statement-malformed", f"a scoring {shape.__name__.lower()} is malformed",
                            got=fault) from None
    if not canonical or len(signed.body) > MAXIMUM_BYTES:
        raise ProtocolError("score.statement-malformed", f"a scoring {shape.__name__.lower()} is malformed",
                            got="bytes that are not canonical, or too many")
    signer = statement.owner if isinstance(statement, Grant) else (
        statement.asker if isinstance(statement, Acceptance) else statement.by)
    if signer != fingerprint(public_key):
        raise ProtocolError("score.statement-of-another", "a party spoke in another's name", got=signer,
                            expected=fingerprint(public_key))
    return statement


def commitment(salt: bytes, digest: str) -> str:
    """Return what a grant says of the model, which the asker could not guess."""
    return sha256(b"sealane score commitment v1", salt, digest.encode()).hex()


def _check_about(grant: str, by: str, at: str) -> None:
    if len(grant) != _HASH or set(grant) - set("0123456789abcdef") or not is_moment(at):
        raise ValueError("a grant's hash has 64 hex digits, and a moment is in UTC")
    if not FINGERPRINT.fullmatch(by):
        raise ValueError("not a fingerprint")


def _check_parties(owner: str, asker: str) -> None:
    if not FINGERPRINT.fullmatch(owner) or not FINGERPRINT.fullmatch(asker) or owner == asker:
        raise ValueError("owner and asker are two parties' fingerprints")
