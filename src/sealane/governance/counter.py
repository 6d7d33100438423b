"""The counter-offer: what one institution would rather sign, and why. It changes nothing by itself.

Every change gives another study hash, so a counter-offer names wished-for changes; whoever proposed the study may
propose an amended one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sealane.core.canonical import canonical_bytes
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError
from sealane.governance.signed_statement import (
    MAXIMUM_REASON,
    SignedCounter,
    check_moment,
    check_signer,
    verified_document,
)
from sealane.governance.study import Study, make_study

COUNTER_VERSION = "sealane.counter-offer/v1"
MAXIMUM_COUNTER_BYTES = 1 << 13
MAXIMUM_COUNTERS = 8
"""Most counter-offers of one institution to one study that are kept."""
CHANGEABLE = ("purpose", "parameters", "scheme", "minimum_cohort", "minimum_count", "colluding", "rounds", "runs",
              "expires", "epsilon", "delta")


@dataclass(frozen=True, slots=True)
class Counter:
    """One institution's wish for other terms.

    Attributes:
        study: study hash, hex.
        node: the institution's name in the study.
        fingerprint: of the key that signs.
        changes: new value by name of a field of the study.
        reason: for people; at most 500 characters.
        offered_at: RFC 3339, UTC.
    """

    study: str
    node: str
    fingerprint: str
    changes: dict[str, Any]
    reason: str
    offered_at: str


def sign_counter(key: SigningKey, counter: Counter) -> SignedCounter:
    """Sign a counter-offer with the institution's own key."""
    fields = {name: getattr(counter, name) for name in Counter.__dataclass_fields__}
    body = canonical_bytes({"version": COUNTER_VERSION} | fields)
    return SignedCounter(body, key.public_key, key.sign(SignedCounter.kind, body))


def verify_counter(signed: SignedCounter, study: Study) -> Counter:
    """Return what a participant of ``study`` would rather sign.

    Raises:
        ProtocolError: the signature, the form, the study hash, the signer or a change is wrong.
    """
    if len(signed.body) > MAXIMUM_COUNTER_BYTES:
        raise ProtocolError("counter.malformed", "a counter-offer is too large", got=f"{len(signed.body)} bytes",
                            expected=f"at most {MAXIMUM_COUNTER_BYTES}")
    content = verified_document(signed)
    expected = {name: dict if name == "changes" else str for name in Counter.__dataclass_fields__}
    if content.pop("version", None) != COUNTER_VERSION or {k: type(v) for k, v in content.items()} != expected:
        raise ProtocolError("counter.malformed", "a counter-offer has missing, unknown or mistyped fields",
                            got=", ".join(sorted(content))[:200], expected=", ".join(sorted(expected)))
    counter = Counter(**content)
    if len(counter.reason) > MAXIMUM_REASON:
        raise ProtocolError("counter.malformed", "the reason is too long", got=f"{len(counter.reason)} characters",
                            expected=f"at most {MAXIMUM_REASON}")
    check_signer(study, counter.study, counter.node, counter.fingerprint, signed.public_key)
    check_moment(counter.offered_at)
    try:
        amended(study, counter.changes)
    except InputError as error:
        raise ProtocolError("counter.malformed", "a counter-offer wishes for what no study can say",
                            got=error.message, expected=error.expected) from error
    return counter


def amended(study: Study, changes: dict[str, Any]) -> Study:
    """Return the study with changes applied.

    Raises:
        InputError: a field that cannot be countered, no change at all, or a study against the rules.
    """
    fields = {name: getattr(study, name) for name in type(study).model_fields}
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise InputError("counter.unknown-field", "a counter-offer cannot change this", got=", ".join(unknown)[:120],
                         expected=", ".join(CHANGEABLE), hint="refuse the study and say what you would rather have")
    wished = make_study(**(fields | changes))
    if wished == study:
        raise InputError("counter.no-change", "the counter-offer changes nothing", got=study.name,
                         hint="approve the study, or say what should differ with --set NAME=VALUE")
    return wished
