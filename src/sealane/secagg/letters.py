"""Letters: what each member of an attempt says to single others, sealed to each, with all hashes told to everybody.

They pass where a study secures no sums (scheme ``none``). The coordinator carries them and learns who wrote to whom,
and how much. Every member signs the hashes of all that it wrote; the digest of all signed hashes goes into the
transcript, so members that were told different things open nothing that follows.
"""

from __future__ import annotations

from collections.abc import Mapping

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.crypto.sealing import seal, unseal
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.messages import Delivery, Letters, LettersEntry
from sealane.secagg.transcript import Transcript

LETTERS = "application/vnd.sealane.letters"
NONCE_BYTES = 32
"""What the first member puts before each of its letters, the same in all: the transcript absorbs it, so that whoever
carries the letters does not know the transcript, from which a result's salt is derived."""


def write_letters(
    attempt: Attempt, key: SigningKey, secrets: Mapping[Fingerprint, Secret], exchange: int, transcript: Transcript,
    letters: Mapping[Fingerprint, bytes], nonce: bytes,
) -> Letters:
    """Seal letters to other members, and sign the hashes of all.

    A key seals one letter only: the caller writes no others for this exchange.

    Args:
        attempt: the attempt.
        key: this member's signing key.
        secrets: what it shares with each other member.
        exchange: number of the exchange.
        transcript: so far.
        letters: by receiver; who is left out gets none.
        nonce: of the first member; not used by others.
    """
    sealed = {}
    for peer in _others(attempt, key.fingerprint):
        text = letters.get(peer, b"")
        if key.fingerprint == attempt.first:
            text = nonce + text
        if text:
            at = _key(secrets[peer], exchange, transcript, key.fingerprint, peer)
            sealed[peer] = seal(at, text, transcript.value)
    hashes = tuple(sha256(sealed[peer]) if peer in sealed else b"" for peer in _others(attempt, key.fingerprint))
    signature = key.sign(LETTERS, _body(exchange, transcript, hashes))
    return Letters(attempt.run_id, attempt.number, exchange, sealed, hashes, signature)


def read_letters(
    attempt: Attempt, own: Letters, as_member: Fingerprint, secrets: Mapping[Fingerprint, Secret],
    transcript: Transcript, nonce: bytes, delivery: Delivery,
) -> tuple[dict[Fingerprint, bytes], Transcript]:
    """Check what the coordinator passed on, and open the letters to this member.

    Returns:
        The letters by sender, and the transcript after all of them.

    Raises:
        ProtocolError: not every member's, not signed over this transcript, or not what was signed.
    """
    order = [member.fingerprint for member in attempt.members]
    if [entry.fingerprint for entry in delivery.entries] != order:
        raise ProtocolError("run.letters-incomplete", "letters are not those of the cohort, in its order",
                            got=f"{len(delivery.entries)} entries", expected=f"{attempt.size} entries")
    opened: dict[Fingerprint, bytes] = {}
    expected = set()
    for entry in delivery.entries:
        sender = entry.fingerprint
        if sender == as_member:
            if (entry.hashes, entry.signature) != (own.hashes, own.signature):
                raise ProtocolError("run.letters-replaced", "this node's own letters were replaced")
            continue
        if len(entry.hashes) != attempt.size - 1:
            raise ProtocolError("run.letters-incomplete", "letters are not to exactly the other members",
                                got=f"{len(entry.hashes)} hashes", expected=f"{attempt.size - 1} hashes")
        verify(attempt.member(sender).signing_key, LETTERS, _body(own.exchange, transcript, entry.hashes),
               entry.signature)
        told = entry.hashes[_others(attempt, sender).index(as_member)]
        if not told:
            continue
        expected.add(sender)
        sealed = delivery.sealed.get(sender, b"")
        if sha256(sealed) != told:
            raise ProtocolError("run.letters-replaced", "a letter is not the one that was signed",
                                got=f"node {sender}")
        opened[sender] = unseal(_key(secrets[sender], own.exchange, transcript, sender, as_member), sealed,
                                transcript.value)
    if delivery.sealed.keys() != expected:
        raise ProtocolError("run.letters-incomplete", "letters came that nobody signed",
                            got=f"{len(delivery.sealed)} letters", expected=f"{len(expected)} letters")
    if as_member != attempt.first:
        text = opened.get(attempt.first, b"")
        nonce, rest = text[:NONCE_BYTES], text[NONCE_BYTES:]
        if len(nonce) != NONCE_BYTES:
            raise ProtocolError("run.letters-incomplete", "the first member wrote no letter", got=f"{len(text)} bytes")
        opened[attempt.first] = rest
    parts = (part for entry in delivery.entries for part in (entry.fingerprint.encode(), *entry.hashes))
    after = transcript.absorb("letters", str(own.exchange).encode(), *parts, nonce)
    return {sender: text for sender, text in opened.items() if text}, after


def check_letters(attempt: Attempt, sender: Fingerprint, message: Letters) -> LettersEntry:
    """Return what everybody is told of a member's letters. Their hashes are for the receivers to check.

    Raises:
        ProtocolError: they are not to other members of the attempt.
    """
    others = _others(attempt, sender)
    told = {peer for peer, digest in zip(others, message.hashes, strict=False) if digest}
    if len(message.hashes) != len(others) or message.sealed.keys() != told:
        raise ProtocolError("run.letters-incomplete", "letters are not to exactly the members that their hashes name",
                            got=f"{len(message.sealed)} letters, {len(message.hashes)} hashes")
    return LettersEntry(sender, message.hashes, message.signature)


def _others(attempt: Attempt, of: Fingerprint) -> list[Fingerprint]:
    return [member.fingerprint for member in attempt.members if member.fingerprint != of]


def _key(shared: Secret, exchange: int, transcript: Transcript, sender: Fingerprint, receiver: Fingerprint) -> Secret:
    return derive(shared, "sealed letter", transcript.value, str(exchange).encode(), sender.encode(),
                  receiver.encode())


def _body(exchange: int, transcript: Transcript, hashes: tuple[bytes, ...]) -> bytes:
    return sha256(b"sealane letters v1", transcript.value, str(exchange).encode(), *hashes)
