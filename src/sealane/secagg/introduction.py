"""How the members of an attempt introduce themselves: one ML-KEM secret for every pair, before anything is summed.

Each member encapsulates a secret to every member after it, in order of fingerprint, and signs the hashes of all
ciphertexts. The coordinator passes to each member what is for it, and to everybody all hashes and signatures; their
digest goes into the transcript, so members that were told different things open nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.messages import Introduced, Introduction, IntroductionEntry
from sealane.secagg.transcript import Transcript

INTRODUCTION = "application/vnd.sealane.introduction"


@dataclass(frozen=True, slots=True)
class Acquainted:
    """What a member knows once all have introduced themselves.

    Attributes:
        digest: over everything that was signed.
        secrets: by peer.
    """

    digest: bytes
    secrets: Mapping[Fingerprint, Secret] = field(repr=False)

    def transcript(self, attempt: Attempt) -> Transcript:
        """Return the transcript that the attempt's first exchange begins from."""
        return attempt.transcript().absorb("introduced", self.digest)


def introduce(
    attempt: Attempt, key: SigningKey, agreement: AgreementKey
) -> tuple[Introduction, dict[Fingerprint, Secret]]:
    """Encapsulate a secret to every member after this one; keep both on disk before the message is sent.

    Raises:
        ProtocolError: a member's key is malformed.
    """
    made = {m.fingerprint: agreement.introduce(m.agreement_key) for m in attempt.after(key.fingerprint)}
    sealed = {peer: ciphertext for peer, (ciphertext, _) in made.items()}
    body = _body(attempt, tuple(map(sha256, sealed.values())))
    message = Introduction(attempt.run_id, attempt.number, sealed, key.sign(INTRODUCTION, body))
    return message, {peer: secret for peer, (_, secret) in made.items()}


def entry_of(attempt: Attempt, sender: Fingerprint, message: Introduction) -> IntroductionEntry:
    """Check a member's introduction and return what everybody is told of it.

    Raises:
        ProtocolError: it is not for exactly the members after the sender, or not signed by it in this attempt.
    """
    expected = [m.fingerprint for m in attempt.after(sender)]
    if message.sealed.keys() != set(expected):
        raise ProtocolError("run.introduction-incomplete", "an introduction is not for exactly the members after it",
                            got=f"{len(message.sealed)} members", expected=f"{len(expected)} members")
    entry = IntroductionEntry(sender, tuple(sha256(message.sealed[peer]) for peer in expected), message.signature)
    _verify(attempt, entry)
    return entry


def accept(
    attempt: Attempt, agreement: AgreementKey, own: Introduction, made: Mapping[Fingerprint, Secret],
    told: Introduced, *, as_member: Fingerprint,
) -> Acquainted:
    """Check what the coordinator passed on, and take up the secrets that are for this member.

    Args:
        attempt: the attempt.
        agreement: this member's key.
        own: what it sent.
        made: the secrets in it.
        told: what came back.
        as_member: its fingerprint.

    Raises:
        ProtocolError: not every member's, not signed, or not what this member sent itself.
    """
    if [entry.fingerprint for entry in told.entries] != [m.fingerprint for m in attempt.members]:
        raise ProtocolError("run.introduction-incomplete", "introductions are not those of the cohort, in its order",
                            got=f"{len(told.entries)} entries", expected=f"{attempt.size} entries")
    before = [m.fingerprint for m in attempt.members if m.fingerprint < as_member]
    if told.sealed.keys() != set(before):
        raise ProtocolError("run.introduction-incomplete", "not every member before this one introduced itself to it",
                            got=f"{len(told.sealed)} members", expected=f"{len(before)} members")
    secrets = dict(made)
    for entry in told.entries:
        _verify(attempt, entry)
        if entry.fingerprint == as_member and entry != entry_of(attempt, as_member, own):
            raise ProtocolError("run.introduction-replaced", "this node's own introduction was replaced")
        if entry.fingerprint in told.sealed:
            ciphertext = told.sealed[entry.fingerprint]
            place = [m.fingerprint for m in attempt.after(entry.fingerprint)].index(as_member)
            if sha256(ciphertext) != entry.hashes[place]:
                raise ProtocolError("run.introduction-replaced", "an introduction is not the one that was signed",
                                    got=f"node {entry.fingerprint}")
            secrets[entry.fingerprint] = agreement.accept(ciphertext)
    parts = (part for entry in told.entries for part in (entry.fingerprint.encode(), *entry.hashes))
    return Acquainted(sha256(b"sealane introductions v1", *parts), secrets)


def _verify(attempt: Attempt, entry: IntroductionEntry) -> None:
    expected = len(attempt.after(entry.fingerprint))
    if len(entry.hashes) != expected:
        raise ProtocolError("run.introduction-incomplete", "an introduction is not for exactly the members after it",
                            got=f"{len(entry.hashes)} members", expected=f"{expected} members")
    verify(attempt.member(entry.fingerprint).signing_key, INTRODUCTION, _body(attempt, entry.hashes), entry.signature)


def _body(attempt: Attempt, hashes: tuple[bytes, ...]) -> bytes:
    return sha256(_start(attempt), *hashes)


@lru_cache(maxsize=4)
def _start(attempt: Attempt) -> bytes:
    """Hash an attempt once: every entry of every member is bound to it."""
    return attempt.transcript().value
