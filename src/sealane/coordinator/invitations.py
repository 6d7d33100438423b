"""One-time tokens: made once, kept as a hash, spent once.

A token is spent in the transaction that admits the party. The very same request (same token, keys and certificate
request, byte for byte) gets the very same certificate again until the token expires: its reply may have been lost, and
whoever holds the private keys gains nothing else by asking again. Any other request with a spent token is a replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, update

from sealane.coordinator.database import invitations, parties, reading, writing
from sealane.core.clock import Clock, from_text, system_clock, to_text
from sealane.core.entropy import random_secret
from sealane.core.ids import check_name
from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError
from sealane.rpc.certificates import PARTY_ROLES
from sealane.rpc.invitation import TOKEN_BYTES
from sealane.rpc.proofs import token_hash

LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Invited:
    """What a token stands for; ``answer`` is the certificate that an equal request was given before."""

    token_hash: str
    name: str
    role: str
    expires_at: datetime
    answer: bytes | None


class Invitations:
    """The tokens, in the database."""

    def __init__(self, engine: Engine, clock: Clock = system_clock, life: timedelta = LIFE) -> None:
        self._engine = engine
        self._clock = clock
        self._life = life

    def create(self, name: str, role: str) -> tuple[Secret, datetime]:
        """Make a token for a name and role; an earlier unspent one for that name is void.

        Returns:
            The token, which is kept nowhere else, and when it expires.

        Raises:
            InputError: malformed name, or no role that is invited.
            RefusedError: the name is taken.
        """
        check_name(name)
        if role not in PARTY_ROLES:
            raise InputError("invitation.role", "nobody is invited in this role", got=repr(role[:40]),
                             expected=", ".join(PARTY_ROLES))
        token, now = random_secret(TOKEN_BYTES), self._clock()
        with writing(self._engine) as connection:
            _check_free(connection, name)
            connection.execute(delete(invitations).where(invitations.c.name == name,
                                                         invitations.c.request_hash.is_(None)))
            connection.execute(insert(invitations).values(
                token_hash=token_hash(token.reveal()).hex(), name=name, role=role, created_at=to_text(now),
                expires_at=to_text(now + self._life)))
        return token, from_text(to_text(now + self._life))

    def find(self, token: bytes, request_hash: str) -> Invited:
        """Return what a token stands for, if this request may spend it or has; see :meth:`find_within`."""
        with reading(self._engine) as connection:
            return self.find_within(connection, token, request_hash)

    def find_within(self, connection: Connection, token: bytes, request_hash: str) -> Invited:
        """Return what a token stands for, within the caller's transaction.

        Raises:
            RefusedError: unknown, expired, or spent on another request.
        """
        named = token_hash(token).hex()
        row = connection.execute(select(invitations).where(invitations.c.token_hash == named)).one_or_none()
        if row is None:
            raise RefusedError("auth.token-unknown", "the coordinator knows no such token",
                               hint="paste the whole invitation, or ask for a fresh one: a newer one voids an older")
        expires_at = from_text(row.expires_at)
        if self._clock() >= expires_at:
            raise RefusedError("auth.token-expired", "the invitation has expired", got=f"valid to {row.expires_at}",
                               expected=f"used before {row.expires_at}", hint="ask for a fresh invitation")
        if row.request_hash is not None and row.request_hash != request_hash:
            raise RefusedError("auth.token-used", "the invitation was used already",
                               got="another request with its token", expected="one use",
                               hint="if that was not you, tell the coordinator's operator at once; otherwise ask for "
                                    "a fresh invitation")
        return Invited(named, row.name, row.role, expires_at, row.certificate)

    def spend(self, connection: Connection, invited: Invited, request_hash: str, certificate: bytes) -> None:
        """Mark a token as spent on a request, with the answer that a repetition gets."""
        connection.execute(update(invitations).where(invitations.c.token_hash == invited.token_hash,
                                                     invitations.c.request_hash.is_(None))
                           .values(request_hash=request_hash, certificate=certificate))


def _check_free(connection: Connection, name: str) -> None:
    taken = connection.execute(select(parties.c.fingerprint).where(parties.c.name == name,
                                                                   parties.c.status != "removed")).first()
    if taken is not None:
        raise RefusedError("registry.taken", "the name belongs to a party already", got=name,
                           hint="choose another name, or remove that party first")
