"""What a node publishes about one of its datasets, and that it takes back: signed metadata, never a value of a row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.clock import from_text, to_text
from sealane.core.ids import CONTRACT_ID, FINGERPRINT, NAME, fingerprint
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import InputError, ProtocolError
from sealane.governance.catalog_statement import SignedPublication, SignedWithdrawal
from sealane.governance.contract import MAXIMUM_FIELDS, FieldType
from sealane.governance.fault import first_fault

PUBLICATION_KIND: Final = "application/vnd.sealane.publication+json"
WITHDRAWAL_KIND: Final = "application/vnd.sealane.withdrawal+json"
MAXIMUM_BYTES = 1 << 20
LARGEST_SEQUENCE = 2**53 - 1
LONGEST_FIELD_TEXT = 300
LONGEST_DESCRIPTION = 2000

Name = Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
FingerprintText = Annotated[str, Field(pattern=f"^(?:{FINGERPRINT.pattern})$")]
Sequence = Annotated[int, Field(ge=1, le=LARGEST_SEQUENCE)]
Words = Annotated[str, Field(min_length=1, max_length=80)]
Sentence = Annotated[str, Field(min_length=1, max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @field_validator("*", mode="after")
    @classmethod
    def _printable(cls, value: Any) -> Any:
        texts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(text, str) and not text.replace("\n", " ").isprintable() for text in texts):
            raise ValueError("text holds control characters")
        return value


class PublishedField(_Part):
    """One column as the data contract has it: what it is, never what is in it."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    type: FieldType
    unit: Annotated[str, Field(max_length=64)] | None = None
    nullable: bool = False
    description: Annotated[str, Field(max_length=LONGEST_FIELD_TEXT)] = ""


class Publication(_Part):
    """A dataset as its node describes it to everybody at the coordinator.

    Attributes:
        version: of this document's form.
        node: the node's name.
        fingerprint: of the key that signs.
        dataset: name of the dataset at the node.
        sequence: of the node's statements about this dataset; a later statement has a larger one.
        title: for people.
        description: for people.
        keywords: for people who search.
        sector: sector pack that the contract comes from.
        contract: id of the data contract.
        contract_hash: SHA-256 of its text, hex.
        fields: columns that the dataset fills.
        rows: number of rows, rounded down to a multiple of ``rounded_to``.
        rounded_to: the node's minimum count.
        grade: 1 (least) to 5, or None where the dataset is not graded.
        steward: whom to ask, or None.
        dataset_version: SHA-256 of the registered version, hex.
        updated_at: when that version was registered, RFC 3339.
        fresh_until: when the steward means to renew it, RFC 3339, or None.
        purposes: what a study may use it for.
        terms: terms of use, in sentences.
        published_at: RFC 3339.
    """

    version: Literal["sealane.publication/v1"] = "sealane.publication/v1"
    node: Name
    fingerprint: FingerprintText
    dataset: Name
    sequence: Sequence
    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] = ""
    keywords: Annotated[tuple[Words, ...], Field(max_length=32)] = ()
    sector: Name
    contract: Annotated[str, Field(pattern=f"^(?:{CONTRACT_ID.pattern})$")]
    contract_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    fields: Annotated[tuple[PublishedField, ...], Field(min_length=1, max_length=MAXIMUM_FIELDS)]
    rows: Annotated[int, Field(ge=0, le=LARGEST_SEQUENCE)]
    rounded_to: Annotated[int, Field(ge=2, le=1_000_000)]
    grade: Annotated[int, Field(ge=1, le=5)] | None = None
    steward: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    dataset_version: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    updated_at: str
    fresh_until: str | None = None
    purposes: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    terms: Annotated[tuple[Sentence, ...], Field(max_length=32)] = ()
    published_at: str

    @field_validator("keywords", "fields", "purposes", "terms", mode="before")
    @classmethod
    def _as_tuple(cls, items: Any) -> Any:
        return tuple(items) if isinstance(items, list) else items

    @field_validator("updated_at", "fresh_until", "published_at")
    @classmethod
    def _moment(cls, text: str | None) -> str | None:
        return _check_moment(text)

    @field_validator("fields")
    @classmethod
    def _distinct(cls, fields: tuple[PublishedField, ...]) -> tuple[PublishedField, ...]:
        if len({field.name for field in fields}) != len(fields):
            raise ValueError("two fields share a name")
        return fields

    def model_post_init(self, context: Any, /) -> None:
        """Refuse a count that was not rounded."""
        if self.rows % self.rounded_to:
            raise ValueError("the number of rows is no multiple of what it says it was rounded to")


class Withdrawal(_Part):
    """A dataset is published no more."""

    version: Literal["sealane.withdrawal/v1"] = "sealane.withdrawal/v1"
    node: Name
    fingerprint: FingerprintText
    dataset: Name
    sequence: Sequence
    withdrawn_at: str

    @field_validator("withdrawn_at")
    @classmethod
    def _moment(cls, text: str) -> str | None:
        return _check_moment(text)


Shape = TypeVar("Shape", Publication, Withdrawal)


def next_sequence(last: int, now: datetime) -> int:
    """Return the sequence of the next statement about a dataset.

    It follows the clock where that is ahead, so that a node restored from a backup does not repeat a number that was
    used since the backup was made.
    """
    return max(last + 1, int(now.timestamp()))


def round_down(count: int, to: int) -> int:
    """Return the largest multiple of ``to`` that is no larger than ``count``."""
    return count - count % to


def make_publication(**fields: Any) -> Publication:
    """Build a publication from plain values.

    Raises:
        InputError: a value is not acceptable; it says which.
    """
    return _validated(Publication, fields)


def sign_publication(key: SigningKey, publication: Publication) -> SignedPublication:
    """Sign a publication with the node's own key.

    Raises:
        InputError: it is larger than a coordinator takes.
    """
    body = canonical_bytes(publication.model_dump(mode="json"))
    if len(body) > MAXIMUM_BYTES:
        raise InputError("publication.too-large", "the publication is too large", got=f"{len(body)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}", hint="shorten the descriptions of its contract's fields")
    return SignedPublication(body, key.public_key, key.sign(PUBLICATION_KIND, body))


def sign_withdrawal(key: SigningKey, withdrawal: Withdrawal) -> SignedWithdrawal:
    """Sign a withdrawal with the node's own key."""
    body = canonical_bytes(withdrawal.model_dump(mode="json"))
    return SignedWithdrawal(body, key.public_key, key.sign(WITHDRAWAL_KIND, body))


def verify_publication(signed: SignedPublication) -> Publication:
    """Return what was published, once form and signature are right and the key is the one that it names.

    Raises:
        ProtocolError: they are not.
    """
    verify(signed.public_key, PUBLICATION_KIND, signed.body, signed.signature)
    return _signed_by(_read(Publication, signed.body), signed.public_key)


def verify_withdrawal(signed: SignedWithdrawal) -> Withdrawal:
    """Return what was withdrawn, as :func:`verify_publication` does.

    Raises:
        ProtocolError: form, signature or key is wrong.
    """
    verify(signed.public_key, WITHDRAWAL_KIND, signed.body, signed.signature)
    return _signed_by(_read(Withdrawal, signed.body), signed.public_key)


def _read(shape: type[Shape], body: bytes) -> Shape:
    try:
        content = parse_canonical(body, limit=MAXIMUM_BYTES)
        if not isinstance(content, dict) or set(content) != set(shape.model_fields):
            raise InputError("publication.malformed", "a catalog statement has missing or unknown fields")
        return _validated(shape, content)
    except InputError as error:
        raise ProtocolError("catalog.malformed", "a catalog statement is malformed", got=error.got or error.code,
                            hint="the node runs another version, or lies") from error


def _validated(shape: type[Shape], fields: Mapping[str, Any]) -> Shape:
    try:
        return shape.model_validate(dict(fields))
    except ValidationError as error:
        where, what = first_fault(error, "publication")
        raise InputError("publication.malformed", f"a publication is malformed at {where}",
                         got=f"{where}: {what}") from error


def _signed_by(statement: Shape, public_key: bytes) -> Shape:
    if fingerprint(public_key) != statement.fingerprint:
        raise ProtocolError("catalog.wrong-key", "a catalog statement is signed by another key than it names",
                            got=fingerprint(public_key), expected=statement.fingerprint)
    return statement


def _check_moment(text: str | None) -> str | None:
    if text is not None and to_text(from_text(text)) != text:
        raise ValueError("a moment is RFC 3339 in UTC to the second, such as 2027-01-31T00:00:00Z")
    return text
