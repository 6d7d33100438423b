"""A settlement statement: events of one node and study over a period, their totals and a bill, signed by both sides.

The file is a DSSE envelope (JSON); each signature covers the pre-authentication encoding of its payload, which is
canonical JSON (RFC 8785) that names both parties' keys. So it verifies offline, from itself and two fingerprints.
Source: DSSE v1.0.2 (secure-systems-lab), envelope and protocol.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.clock import from_text, to_text
from sealane.core.ids import FINGERPRINT, NAME, fingerprint
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.governance.dsse import read_dsse, write_dsse
from sealane.governance.fault import first_fault
from sealane.governance.metering import MeteredRun, charged, total
from sealane.governance.tariff import Tariff, bill, due

STATEMENT_KIND: Final = "application/vnd.sealane.settlement+json"
MAXIMUM_BYTES = 8 << 20
MAXIMUM_EVENTS = 10_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Side(_Part):
    """A party of a statement, by name and key."""

    name: Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
    fingerprint: Annotated[str, Field(pattern=f"^(?:{FINGERPRINT.pattern})$")]
    signing_key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @model_validator(mode="after")
    def _matching(self) -> Side:
        if fingerprint(bytes.fromhex(self.signing_key)) != self.fingerprint:
            raise ValueError("the key is not the one of the fingerprint")
        return self


class Settlement(_Part):
    """What both sides sign. Its figures follow from its events: :func:`check_figures` works them out again.

    Attributes:
        version: of this document's form.
        node: who provided.
        recipient: who used.
        study: hash of the study.
        study_name: what people call it.
        period_from: first moment of the period, RFC 3339.
        period_to: first moment after it.
        issued_at: when the node made the statement.
        tariff: prices.
        agreement: digest of the node's agreement that the tariff is from, as in the audit log; None where the agreement
            has none and the tariff was given by hand.
        events: of the node, in the order of their end.
        totals: over all events.
        charged: over those that a tariff applies to.
        lines: of the bill.
        due: the amount, a decimal string in the tariff's currency.
    """

    version: Literal["sealane.settlement/v1"] = "sealane.settlement/v1"
    node: Side
    recipient: Side
    study: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    study_name: Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
    period_from: str
    period_to: str
    issued_at: str
    tariff: Tariff
    agreement: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    events: Annotated[tuple[MeteredRun, ...], Field(max_length=MAXIMUM_EVENTS)]
    totals: dict[str, int | str]
    charged: dict[str, int | str]
    lines: Annotated[tuple[dict[str, str], ...], Field(max_length=16)]
    due: str

    @field_validator("period_from", "period_to", "issued_at")
    @classmethod
    def _moment(cls, text: str) -> str:
        if to_text(from_text(text)) != text:
            raise ValueError("a moment is RFC 3339 in UTC to the second")
        return text

    @field_validator("events", "lines", mode="before")
    @classmethod
    def _as_tuple(cls, items: Any) -> Any:
        return tuple(items) if isinstance(items, list) else items


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement's payload and signatures, by fingerprint of the key."""

    body: bytes
    signatures: tuple[tuple[str, bytes], ...]


def settle(*, node: Side, recipient: Side, study: str, study_name: str, period: tuple[str, str], issued_at: str,
           tariff: Tariff, agreement: str | None, events: Sequence[MeteredRun]) -> Settlement:
    """Make a statement of a node's events in a period; ``tariff`` and ``agreement`` as in :class:`Settlement`.

    Raises:
        InputError: an event is listed twice, or there are too many.
        ProtocolError: an event is of another study, node or time.
    """
    listed = sorted(events, key=lambda event: (event.ended_at, event.run))
    lines = bill(total(charged(listed)), tariff)
    content = {
        "node": node.model_dump(), "recipient": recipient.model_dump(), "study": study, "study_name": study_name,
        "period_from": period[0], "period_to": period[1], "issued_at": issued_at, "tariff": tariff.model_dump(),
        "agreement": agreement,
        "events": [event.model_dump() for event in listed], "totals": total(listed).to_dict(),
        "charged": total(charged(listed)).to_dict(), "lines": [line.to_dict() for line in lines],
        "due": f"{due(lines):f}",
    }
    made = _settlement(content)
    check_figures(made)
    return made


def check_figures(settlement: Settlement) -> None:
    """Work every figure out again from the events, and name the first that differs.

    Raises:
        ProtocolError: an event does not belong here, or a figure is not what follows from the events.
    """
    for event in settlement.events:
        if (event.study, event.node, event.fingerprint) != (
                settlement.study, settlement.node.name, settlement.node.fingerprint):
            raise ProtocolError("settlement.foreign-event", "a statement lists an event of another study or node",
                                got=event.run)
        if not from_text(settlement.period_from) <= from_text(event.ended_at) < from_text(settlement.period_to):
            raise ProtocolError("settlement.outside-period", "a statement lists an event outside its period",
                                got=f"{event.run}, {event.ended_at}",
                                expected=f"{settlement.period_from} to {settlement.period_to}")
    lines = bill(total(charged(settlement.events)), settlement.tariff)
    _compare("totals", settlement.totals, total(settlement.events).to_dict())
    _compare("charged", settlement.charged, total(charged(settlement.events)).to_dict())
    for said, right in zip(settlement.lines, lines, strict=False):
        _compare(f"line {right.what}", said, right.to_dict())
    _compare("statement", {"lines": len(settlement.lines), "due": settlement.due},
             {"lines": len(lines), "due": f"{due(lines):f}"})


def sign_statement(key: SigningKey, settlement: Settlement) -> SignedStatement:
    """Sign a statement as the node that it names.

    Raises:
        RefusedError: the key is not the node's.
    """
    body = canonical_bytes(settlement.model_dump(mode="json"))
    return _signed(key, SignedStatement(body, ()), settlement.node, "node")


def countersign(key: SigningKey, signed: SignedStatement) -> SignedStatement:
    """Sign a statement as the recipient that it names, once all its figures and the node's signature are right.

    Raises:
        ProtocolError: a figure or the node's signature is wrong.
        RefusedError: the key is not the recipient's.
    """
    settlement = verify_statement(signed)
    if settlement.recipient.fingerprint in dict(signed.signatures):
        return signed
    return _signed(key, signed, settlement.recipient, "recipient")


def verify_statement(signed: SignedStatement, *, both: bool = False) -> Settlement:
    """Check a statement from itself alone: its figures, then every signature.

    Args:
        signed: the statement.
        both: whether the recipient must have signed too.

    Raises:
        InputError: it is no statement.
        ProtocolError: a figure does not follow from the events, a signature does not verify or is by another key.
        RefusedError: a signature is missing.
    """
    settlement = _settlement(parse_canonical(signed.body, limit=MAXIMUM_BYTES))
    check_figures(settlement)
    sides = {side.fingerprint: side for side in (settlement.node, settlement.recipient)}
    for signer, signature in signed.signatures:
        if signer not in sides:
            raise ProtocolError("settlement.wrong-key", "a statement is signed by a key of neither side", got=signer,
                                expected=f"{settlement.node.name} {settlement.node.fingerprint} or "
                                         f"{settlement.recipient.name} {settlement.recipient.fingerprint}")
        try:
            verify(bytes.fromhex(sides[signer].signing_key), STATEMENT_KIND, signed.body, signature)
        except ProtocolError as error:
            raise ProtocolError("settlement.signature-invalid", f"{sides[signer].name}'s signature does not verify",
                                got=signer, hint="the statement was changed after it was signed, or another key "
                                                 "signed it") from error
    signers = [signer for signer, _ in signed.signatures]
    wanted = [settlement.node, *([settlement.recipient] if both else [])]
    missing = [side.name for side in wanted if side.fingerprint not in signers]
    if missing:
        raise RefusedError("settlement.not-signed", "a statement lacks a signature",
                           got=f"without {', '.join(missing)}",
                           hint="`sealane metering countersign FILE` adds the recipient's")
    return settlement


def write_statement(signed: SignedStatement) -> bytes:
    """Return the file of a statement: a DSSE envelope."""
    return json.dumps(write_dsse(STATEMENT_KIND, signed.body, signed.signatures), indent=2).encode("ascii") + b"\n"


def read_statement(data: bytes) -> SignedStatement:
    """Read the file of a statement; nothing in it is verified yet.

    Raises:
        InputError: it is no envelope of a statement.
    """
    try:
        envelope = json.loads(data[: 2 * MAXIMUM_BYTES].decode("ascii"))
        if set(envelope) != {"payloadType", "payload", "signatures"} or len(envelope["signatures"]) not in (1, 2):
            raise ValueError("not an envelope with one or two signatures")
        kind, body, signatures = read_dsse(envelope)
        if kind != STATEMENT_KIND or len(dict(signatures)) != len(signatures):
            raise ValueError("not a statement's, or two signatures by one key")
        return SignedStatement(body, signatures)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError("settlement.malformed", "the file is no settlement statement", got=type(error).__name__,
                         expected="what `sealane metering statement` wrote") from error


def _signed(key: SigningKey, signed: SignedStatement, side: Side, role: str) -> SignedStatement:
    if key.fingerprint != side.fingerprint:
        raise RefusedError("settlement.not-your-side", f"the statement names another key as its {role}",
                           got=key.fingerprint, expected=f"{side.name} {side.fingerprint}",
                           hint="only the two parties that a statement names sign it")
    return replace(signed, signatures=(*signed.signatures, (key.fingerprint, key.sign(STATEMENT_KIND, signed.body))))


def _compare(where: str, said: dict[str, Any], right: dict[str, Any]) -> None:
    for name in sorted({*said, *right}):
        if said.get(name) != right.get(name):
            raise ProtocolError("settlement.figure-differs", "a figure does not follow from the events",
                                got=f"{where}: {name} = {said.get(name)}"[:200], expected=right.get(name),
                                hint="the statement was changed, or was not made by this program")


def _settlement(content: Any) -> Settlement:
    try:
        return Settlement.model_validate(content)
    except ValidationError as error:
        raise InputError("settlement.malformed", "the file is no settlement statement",
                         got=": ".join(first_fault(error, "statement")),
                         expected="what `sealane metering statement` wrote") from error
