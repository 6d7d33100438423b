"""Between the stream and the two sides of private scoring: parcels in, parcels out, one at a time."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from sealane.core.clock import Clock
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError, SealaneError, UnavailableError
from sealane.governance.scoring_grant import Acceptance, End, Grant, Signed, verified
from sealane.node.register import Register
from sealane.node.scoring.book import GrantEntry
from sealane.node.scoring.owner import Owner
from sealane.node.scoring.parcels import make_parcel, open_parcel, read_refusal, subject_of, write_refusal
from sealane.rpc.notices import Parcel
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
MOST_BYTES = 1 << 29
"""Of parcels that wait to be worked on; what comes beyond is dropped, and its sender sends it again."""
AGAIN_S = 60.0
"""Until a request without an answer is sent again, the same bytes."""
Post = Callable[[Parcel], None]


@dataclass(slots=True)
class _Waiting:
    parcel: Parcel
    answers: queue.Queue[Parcel]


@dataclass(slots=True)
class Desk:
    """One serving node's desk. It may be used from several threads.

    Attributes:
        register: of the node.
        key: the node's.
        clock: tells the time.
        post: sends a parcel; without a stream it is dropped.
        noted: is called when the node's own acts grew.
        vouched: waits until peers vouch that this node remembers what it counted; see ``vouching.py``.
    """

    register: Register
    key: SigningKey
    clock: Clock
    post: Post
    noted: Callable[[], None] = lambda: None
    vouched: Callable[[], None] = lambda: None
    owner: Owner = field(init=False)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "scoring"))
    _waiting: dict[bytes, _Waiting] = field(default_factory=dict)
    _held: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.owner = Owner(self.register, self.key, self.clock)

    def close(self) -> None:
        """Work on nothing further."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def take(self, parcel: Parcel) -> None:
        """Put a parcel on the desk; it is worked on in a thread of the desk's own."""
        with self._lock:
            if self._held + len(parcel.body) > MOST_BYTES:
                log(_LOG, "score.busy", level=logging.WARNING, kind=parcel.kind)
                return
            self._held += len(parcel.body)
        self._worker.submit(self._work, parcel)

    def _work(self, parcel: Parcel) -> None:
        try:
            self.receive(parcel)
        except SealaneError as error:
            log(_LOG, "score.rejected", level=logging.WARNING, kind=parcel.kind, error=error)
        except Exception as error:
            log(_LOG, "score.unexpected", level=logging.ERROR, kind=parcel.kind, error=error)
        finally:
            with self._lock:
                self._held -= len(parcel.body)

    def receive(self, parcel: Parcel) -> None:
        """Work on a parcel.

        Raises:
            ProtocolError: it is malformed, or by nobody whose fingerprint was verified here.
            UnavailableError: rows were counted, and too few peers vouch for that: their answer waits.
        """
        sender = open_parcel(parcel, self.key.fingerprint)
        if sender not in self.register.verified().values():
            raise ProtocolError("score.unverified-peer", "a parcel is by a node that nobody verified here", got=sender,
                                hint="`sealane node trust NAME FINGERPRINT`")
        match parcel.kind:
            case "request":
                self._answer(sender, parcel)
            case "answer" | "refusal":
                with self._lock:
                    waiting = self._waiting.get(parcel.subject)
                if waiting is not None and waiting.parcel.recipient == sender:
                    waiting.answers.put(parcel)
            case "question":  # it has a new stream: what was sent to it before may be lost
                self._ask_again(sender)
                for entry in self.register.scoring.grants():
                    if entry.grant.asker == sender and entry.grant.owner == self.key.fingerprint:
                        self.tell(entry)
            case _:
                self._keep(sender, parcel)
                self.noted()

    def _keep(self, sender: Fingerprint, parcel: Parcel) -> None:
        """Keep a statement of consent, or of its end."""
        book, signed, own = self.register.scoring, Signed.from_bytes(parcel.body), self.key.fingerprint
        if parcel.kind == "grant":
            grant = verified(signed, Grant, parcel.public_key)
            if grant.asker != own:
                raise ProtocolError("score.grant-for-another", "a grant is for another asker", got=grant.asker)
            book.put_grant(grant, signed)
        elif parcel.kind == "acceptance":
            accepted = verified(signed, Acceptance, parcel.public_key)
            entry = book.grant(accepted.grant)
            _check_party(sender, entry, {entry.grant.asker})
            book.accept(entry.hash, signed)
        else:
            ended = verified(signed, End, parcel.public_key)
            entry = book.grant(ended.grant)
            _check_party(sender, entry, {entry.grant.asker, entry.grant.owner})
            book.end(entry.hash, signed)

    def _answer(self, asker: Fingerprint, parcel: Parcel) -> None:
        subject = subject_of(parcel.body)
        if subject != parcel.subject:
            raise ProtocolError("score.request-malformed", "a request's hash is not its own", got=asker)
        try:
            self.vouched()
            kind, body = "answer", self.owner.answer(asker, parcel.public_key, subject.hex(), parcel.body)
            self.vouched()  # for these rows too: otherwise a copy from before could be asked again
            log(_LOG, "score.answered", asker=asker, request=subject.hex())
        except SealaneError as error:
            if error.code == "score.not-vouched" and self.register.scoring.answered(subject.hex())[0]:
                raise  # its rows are counted: an asker that waits sends the same bytes again, and gets what is kept
            kind, body = "refusal", write_refusal(error)
            log(_LOG, "score.refused", level=logging.WARNING, asker=asker, error=error)
        self.post(make_parcel(self.key, asker, kind, subject, body))
        self.noted()

    def exchange(self, parcel: Parcel, wait_s: float) -> bytes:
        """Send a request, again where nothing comes, and return its answer.

        Raises:
            SealaneError: what the owner refused.
            UnavailableError: nothing came in time.
        """
        waiting = _Waiting(parcel, queue.Queue())
        with self._lock:
            self._waiting[parcel.subject] = waiting
        try:
            until = time.monotonic() + wait_s
            while (left := until - time.monotonic()) > 0:
                self.post(parcel)
                try:
                    came = waiting.answers.get(timeout=min(AGAIN_S, left))
                except queue.Empty:
                    continue
                if came.kind == "refusal":
                    raise read_refusal(came.body)
                return came.body
        finally:
            with self._lock:
                del self._waiting[parcel.subject]
        raise UnavailableError("score.no-answer", "the owner's node did not answer", got=f"nothing in {wait_s:g} s",
                               hint="is it serving, and did both verify each other's fingerprint? Ask again; rows of "
                                    "an answer that was lost count")

    def connected(self, parties: dict[Fingerprint, bool]) -> None:
        """Say again, on a new stream, what may have been lost: open grants and what is waited for."""
        self._ask_again()
        verified_peers = set(self.register.verified().values())
        for peer, up in parties.items():
            if up and peer in verified_peers:
                self.post(make_parcel(self.key, peer, "question", bytes(32), b""))
        for entry in self.register.scoring.grants():
            self.tell(entry)

    def _ask_again(self, owner: Fingerprint | None = None) -> None:
        with self._lock:
            parcels = [waiting.parcel for waiting in self._waiting.values()]
        for parcel in parcels:
            if owner in (None, parcel.recipient):
                self.post(parcel)

    def tell(self, entry: GrantEntry) -> None:
        """Send the other side this side's part of a grant."""
        own, grant = self.key.fingerprint, entry.grant
        other = Fingerprint(grant.asker if grant.owner == own else grant.owner)
        subject = bytes.fromhex(entry.hash)
        if entry.ended is not None and own == ended_by(entry):
            self.post(make_parcel(self.key, other, "end", subject, entry.ended.to_bytes()))
        elif entry.ended is None and grant.owner == own and entry.acceptance is None:
            self.post(make_parcel(self.key, other, "grant", subject, entry.signed.to_bytes()))
        elif entry.ended is None and grant.asker == own and entry.acceptance is not None:
            self.post(make_parcel(self.key, other, "acceptance", subject, entry.acceptance.to_bytes()))


def ended_by(entry: GrantEntry) -> str:
    """Return whose end of a grant is kept; it was verified before."""
    assert entry.ended is not None
    return End.model_validate_json(entry.ended.body).by


def _check_party(sender: Fingerprint, entry: GrantEntry, parties: set[str]) -> None:
    if sender not in parties:
        raise ProtocolError("score.statement-of-another", "a party spoke about another's grant", got=sender)
