"""Introducing this node to the others of an attempt, so that a node that is killed says the same again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey
from sealane.node.inbox import Inbox
from sealane.node.journal import Journal
from sealane.secagg.attempt import Attempt
from sealane.secagg.introduction import Acquainted, accept, introduce
from sealane.secagg.messages import Introduced, Introduction

NUMBER = -1
"""The inbox number of introductions: before every exchange."""


async def acquaint(
    attempt: Attempt, key: SigningKey, agreement: AgreementKey, journal: Journal, inbox: Inbox,
    post: Callable[[Introduction], None],
) -> Acquainted:
    """Introduce this node, wait for the others', and return the secrets of all pairs it is in.

    Raises:
        ProtocolError: an introduction does not verify.
    """
    run, number = attempt.run_id, attempt.number
    known = journal.introduction(run, number)
    if known is None:
        own, made = introduce(attempt, key, agreement)
        journal.introduce(run, number, _write(
            {"sealed": _hex(own.sealed), "signature": own.signature.hex(), "secrets": _hex_secrets(made)}))
    else:
        own, made = _read_sent(run, number, known[0])
    post(own)
    if known is not None and known[1] is not None:
        fields = parse_canonical(known[1].reveal())
        return Acquainted(bytes.fromhex(fields["digest"]), _secrets(fields["secrets"]))
    told = await inbox.take(Introduced, NUMBER)
    acquainted = accept(attempt, agreement, own, made, told, as_member=key.fingerprint)
    journal.acquainted(run, number, _write(
        {"digest": acquainted.digest.hex(), "secrets": _hex_secrets(acquainted.secrets)}))
    return acquainted


def _read_sent(run: str, number: int, sent: Secret) -> tuple[Introduction, dict[Fingerprint, Secret]]:
    fields = parse_canonical(sent.reveal())
    sealed = {Fingerprint(f): bytes.fromhex(data) for f, data in fields["sealed"].items()}
    return Introduction(run, number, sealed, bytes.fromhex(fields["signature"])), _secrets(fields["secrets"])


def _write(fields: Any) -> Secret:
    return Secret(canonical_bytes(fields))


def _secrets(fields: Mapping[str, str]) -> dict[Fingerprint, Secret]:
    return {Fingerprint(f): Secret(bytes.fromhex(data)) for f, data in fields.items()}


def _hex(items: Mapping[Fingerprint, bytes]) -> dict[str, str]:
    return {str(f): data.hex() for f, data in items.items()}


def _hex_secrets(items: Mapping[Fingerprint, Secret]) -> dict[str, str]:
    return {str(f): secret.reveal().hex() for f, secret in items.items()}
