"""The study: what institutions agree to before anything runs, as one canonical document with one hash."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sealane.core.canonical import canonical_bytes, content_hash, parse_canonical
from sealane.core.clock import from_text, to_text
from sealane.core.ids import CONTRACT_ID, FINGERPRINT, NAME
from sealane.errors import InputError, SealaneError
from sealane.governance.fault import first_fault
from sealane.governance.recipient import verify_recipient
from sealane.privacy.amounts import parse_amount, parse_delta
from sealane.secagg.ckks import refusal as ckks

VERSION: Final = "sealane.study/v1"
SCHEMES = ("masking", "rlwe")
UNSECURED = "none"
"""The scheme of a study that secures no sums: its participants sign that one of them sees what each of them sends."""
UNSECURED_COMPUTATIONS = frozenset(("flower.app",))
MAXIMUM_BYTES = 1 << 18
MAXIMUM_PARTICIPANTS = 64
DEFAULT_ROUNDS, MAXIMUM_ROUNDS = 200, 100_000
OPEN_PER_PROPOSER = 100
"""Most open studies that are kept of one proposer, unless settings say otherwise; at a node and at the coordinator."""
PARAMETER_DEPTH = 8
PARAMETER_VALUES = 8192
PARAMETER_TEXT = 512

COMPUTATION = re.compile(r"[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31}){1,3}")
SEALING_KEY = re.compile(r"[0-9a-f]{64}")

Name = Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
FingerprintText = Annotated[str, Field(pattern=f"^(?:{FINGERPRINT.pattern})$")]
Jurisdiction = Annotated[str, Field(pattern="^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Participant(_Part):
    """An institution whose rows take part.

    Attributes:
        name: the node's name.
        fingerprint: of the node's Ed25519 public key.
        jurisdiction: whose law it is under, as the proposer states and all sign; None where nothing is stated.
    """

    name: Name
    fingerprint: FingerprintText
    jurisdiction: Jurisdiction | None = None


class Recipient(_Part):
    """A party to whom the result is sealed.

    Attributes:
        name: the party's name.
        fingerprint: of its Ed25519 public key.
        signing_key: that key, 64 hex digits.
        sealing_key: X25519 public key, 64 hex digits.
        attestation: signature of the signing key over the sealing key, 128 hex digits.
        jurisdiction: as for a participant.
    """

    name: Name
    fingerprint: FingerprintText
    signing_key: Annotated[str, Field(pattern=f"^(?:{SEALING_KEY.pattern})$")]
    sealing_key: Annotated[str, Field(pattern=f"^(?:{SEALING_KEY.pattern})$")]
    attestation: Annotated[str, Field(pattern="^[0-9a-f]{128}$")]
    jurisdiction: Jurisdiction | None = None


class Study(_Part):
    """Everything the participants sign. Construct with :func:`make_study` or :func:`parse_study`.

    Attributes:
        version: of this document's form.
        name: what people call the study.
        sector: sector pack that the contract comes from.
        purpose: what the result may be used for; one of the sector pack's.
        data_contract: id of the contract that each participant's dataset conforms to.
        computation: dotted name of the computation.
        parameters: its parameters; bounded here, checked by the computation's own model.
        scheme: how sums are secured.
        minimum_cohort: fewest institutions for which a sum is opened.
        minimum_count: fewest rows behind a released cell.
        quality_floor: least score of quality, 0 to 1, of a dataset that takes part; None for any.
        colluding: how many nodes may collude with the coordinator without learning another's contribution.
        rounds: most exchanges in one run; they are numbered from 0.
        runs: most runs under this study.
        epsilon: the most that one run may cost each dataset's privacy, a decimal as text; None for no promise.
        delta: that epsilon is at; given where epsilon is.
        expires: RFC 3339 moment in UTC from which no round starts.
        participants: sorted by fingerprint, names and fingerprints distinct.
        recipients: sorted by fingerprint, names and fingerprints distinct.
        replaces: hash of the study that this one amends, if it does.
    """

    version: Literal["sealane.study/v1"] = VERSION
    name: Name
    sector: Name
    purpose: Name
    data_contract: Annotated[str, Field(pattern=f"^(?:{CONTRACT_ID.pattern})$")]
    computation: Annotated[str, Field(pattern=f"^(?:{COMPUTATION.pattern})$")]
    parameters: dict[str, Any]
    scheme: str = "masking"
    minimum_cohort: Annotated[int, Field(ge=2, le=MAXIMUM_PARTICIPANTS)] = 3
    minimum_count: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    quality_floor: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    colluding: Annotated[int, Field(ge=0, le=MAXIMUM_PARTICIPANTS)] = 1
    rounds: Annotated[int, Field(ge=1, le=MAXIMUM_ROUNDS)] = DEFAULT_ROUNDS
    runs: Annotated[int, Field(ge=1, le=10_000)] = 10
    epsilon: Annotated[str, Field(max_length=60)] | None = None
    delta: Annotated[str, Field(max_length=60)] | None = None
    expires: str
    participants: Annotated[tuple[Participant, ...], Field(max_length=MAXIMUM_PARTICIPANTS)]
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=MAXIMUM_PARTICIPANTS)] = ()
    replaces: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @field_validator("parameters")
    @classmethod
    def _bounded(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        _check_parameters(parameters)
        data = canonical_bytes(parameters)
        normal: dict[str, Any] = parse_canonical(data, limit=len(data))
        return normal

    @field_validator("expires")
    @classmethod
    def _moment(cls, text: str) -> str:
        if to_text(from_text(text)) != text:
            raise ValueError("expires is RFC 3339 in UTC to the second, such as 2027-01-31T00:00:00Z")
        return text

    @model_validator(mode="after")
    def _rules(self) -> Study:
        if self.scheme == ckks.NAME:
            raise ckks.sums_refused()
        if self.scheme == UNSECURED or self.computation in UNSECURED_COMPUTATIONS:
            _check_unsecured(self)
        elif self.scheme not in SCHEMES:
            raise InputError("study.unknown-scheme", "no such scheme of secure aggregation", got=repr(self.scheme[:40]),
                             expected=" or ".join(SCHEMES))
        if (self.epsilon is None) != (self.delta is None):
            raise InputError("study.half-a-promise", "a study gives both of epsilon and delta, or neither",
                             got="epsilon" if self.delta is None else "delta")
        if self.epsilon is not None and self.delta is not None:
            parse_amount(self.epsilon, "epsilon")
            parse_delta(self.delta)
        if self.minimum_cohort < self.colluding + 2:
            raise InputError("study.cohort-too-small", "the minimum cohort does not outnumber the colluding nodes",
                             got=f"minimum_cohort {self.minimum_cohort}", expected=f"at least {self.colluding + 2}",
                             hint="a sum hides one institution only among two that do not collude")
        if len(self.participants) < self.minimum_cohort:
            raise InputError("study.too-few-participants", "the study names fewer institutions than its minimum cohort",
                             got=len(self.participants), expected=f"at least {self.minimum_cohort}",
                             hint="of two, each learns the other's: that takes colluding = 0, minimum_cohort = 2 and a "
                                  "waiver by both")
        _check_parties("participants", self.participants)
        _check_parties("recipients", self.recipients)
        for name in (*(p.name for p in self.participants), *(r.name for r in self.recipients)):
            if FINGERPRINT.fullmatch(name):  # refusals and guards speak of names and fingerprints alike
                raise InputError("study.name-is-a-fingerprint", "a party's name reads like a fingerprint", got=name,
                                 expected="a name that nobody takes for a key")
        names = {party.name: party.fingerprint for party in self.participants}
        fingerprints = {party.fingerprint: party.name for party in self.participants}
        for recipient in self.recipients:
            verify_recipient(recipient)
            if (names.get(recipient.name, recipient.fingerprint) != recipient.fingerprint
                    or fingerprints.get(recipient.fingerprint, recipient.name) != recipient.name):
                raise InputError("study.ambiguous-party", "a recipient and a participant share a name or key, not both",
                                 got=recipient.name)
        return self

    def canonical(self) -> bytes:
        """Return the RFC 8785 bytes that are hashed and sent."""
        return canonical_bytes(self.model_dump(mode="json"))

    @property
    def hash(self) -> str:
        """Return the study hash: SHA-256 over the canonical bytes, in hex."""
        return content_hash(self.model_dump(mode="json")).hex()

    def participant(self, name: str) -> Participant | None:
        """Return the participant of that name, if there is one."""
        return next((party for party in self.participants if party.name == name), None)

    @property
    def smallest_cohort(self) -> int:
        """Return the fewest institutions that any sum of this study may span."""
        return max(self.minimum_cohort, self.colluding + 2)


def make_study(**fields: Any) -> Study:
    """Build a study from plain values; parties are sorted here.

    Raises:
        InputError: a field is unknown, missing, malformed or against a rule.
    """
    for name in ("participants", "recipients"):
        if name in fields:
            fields[name] = tuple(sorted(fields[name], key=lambda party: party.fingerprint))
    try:
        return Study(**fields)
    except ValidationError as error:
        raise malformed(error) from error


def parse_study(data: bytes) -> Study:
    """Read canonical bytes that another party sent.

    Raises:
        InputError: too large, not canonical, or not a legal study.
    """
    fields = parse_canonical(data, limit=MAXIMUM_BYTES)
    try:
        study = Study.model_validate_json(json.dumps(fields))  # which writes a float beyond 2^53 as one
    except ValidationError as error:
        raise malformed(error) from error
    if study.canonical() != data:
        raise InputError("study.not-canonical", "study leaves out fields that its canonical form has",
                         hint="send the bytes that `sealane study propose` made")
    return study


def malformed(error: ValidationError) -> SealaneError:
    """Say which field of a document is wrong, without repeating the whole of it."""
    where, what = first_fault(error, "study")
    return InputError("study.malformed", f"study is malformed at {where}", got=what)


def _check_unsecured(study: Study) -> None:
    """Hold a study that hides nothing against what may be computed so, and one that computes so against its scheme."""
    if study.computation not in UNSECURED_COMPUTATIONS:
        raise InputError("study.scheme-none", "the scheme none hides nothing, and this computation sums",
                         got=study.computation, expected=f"{' or '.join(SCHEMES)}; none for "
                         f"{', '.join(sorted(UNSECURED_COMPUTATIONS))} only")
    if study.scheme != UNSECURED:
        raise InputError("study.app-not-secured", "a Flower app passes single messages, which no scheme sums",
                         got=repr(study.scheme[:40]), expected='scheme = "none"',
                         hint="participants sign that its server half sees each one's; an app that uses "
                              "sealane.flower.secure_sum_mod shows it sums")
    server = study.parameters.get("server")
    if study.participant(str(server)) is None:
        raise InputError("study.server-unknown", "the institution that runs the app's server half is no participant",
                         got=repr(server)[:80], expected=", ".join(party.name for party in study.participants)[:200])


def _check_parties(what: str, parties: tuple[Participant, ...] | tuple[Recipient, ...]) -> None:
    fingerprints = [party.fingerprint for party in parties]
    if len({party.name for party in parties}) != len(parties) or len(set(fingerprints)) != len(parties):
        raise InputError("study.duplicate-party", f"two {what} share a name or a fingerprint", got=len(parties))
    if fingerprints != sorted(fingerprints):
        raise InputError("study.unsorted", f"{what} are not in the order of their fingerprints")


def _check_parameters(parameters: dict[str, Any]) -> None:
    """Bound what a stranger's parameters may hold: walk without recursion, count, and stop early."""
    pending: list[tuple[Any, int]] = [(parameters, 1)]
    seen = 0
    while pending:
        value, depth = pending.pop()
        seen += 1
        if depth > PARAMETER_DEPTH or seen > PARAMETER_VALUES:
            raise InputError("study.parameters-too-large", "parameters are too deep or too many",
                             got=f"depth {depth}, {seen} values or more",
                             expected=f"at most depth {PARAMETER_DEPTH} and {PARAMETER_VALUES} values")
        if isinstance(value, str) and len(value) > PARAMETER_TEXT:
            raise InputError("study.parameters-too-large", "a text among the parameters is too long",
                             got=f"{len(value)} characters", expected=f"at most {PARAMETER_TEXT}")
        if isinstance(value, dict):
            pending.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list | tuple):
            pending.extend((part, depth + 1) for part in value)
