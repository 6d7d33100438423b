"""Who takes part: every party the coordinator admitted, and the certificates it accepts from each.

A party is enrolled, quarantined (refused until it is reinstated) or removed (for good; its name may be given again).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from sealane.coordinator.data_version import DataVersion
from sealane.coordinator.database import certificates, parties, reading, writing
from sealane.coordinator.refused_calls import RefusedCalls
from sealane.core.clock import Clock, from_text, system_clock, to_text
from sealane.core.ids import Fingerprint, check_name, fingerprint
from sealane.errors import InputError, RefusedError
from sealane.rpc.certificates import Certificate

Status = Literal["enrolled", "quarantined", "removed"]

MOST_REMEMBERED = 4096
"""Holders of certificates, in memory."""

# Put together once, which takes longer than to ask it.
_HOLDER = (
    select(parties).join(certificates, certificates.c.party == parties.c.fingerprint)
    .where(certificates.c.serial == bindparam("serial"), certificates.c.certificate_hash == bindparam("hash")))


@dataclass(frozen=True, slots=True)
class Party:
    """One admitted party.

    Attributes:
        name: unique among those not removed.
        role: node, analyst or auditor.
        fingerprint: of the signing key.
        signing_key: Ed25519 public key, 32 bytes.
        sealing_key: X25519 public key, 32 bytes.
        certificate_serial: of the newest certificate, in hex.
        status: enrolled, quarantined or removed.
        enrolled_at: when it was admitted.
    """

    name: str
    role: str
    fingerprint: Fingerprint
    signing_key: bytes
    sealing_key: bytes
    certificate_serial: str
    status: Status
    enrolled_at: datetime


class Registry:
    """The parties, in the database. Every reader asks anew, so a removal counts from the next call on.

    Who holds a certificate is asked at every call, and each second for every stream: that is remembered until something
    was committed to the database, where that can be told.
    """

    def __init__(self, engine: Engine, clock: Clock = system_clock) -> None:
        self.engine = engine
        self.clock = clock
        self.refused = RefusedCalls(engine, clock)
        self._version = DataVersion(engine)
        self._holders: tuple[tuple[int, int] | None, dict[tuple[str, str], Party | None]] = None, {}

    def add(self, connection: Connection, *, name: str, role: str, signing_key: bytes, sealing_key: bytes,
            certificate: Certificate) -> Party:
        """Admit a party within the caller's transaction.

        Raises:
            RefusedError: its name or its signing key is taken.
        """
        party = Party(check_name(name), role, fingerprint(signing_key), signing_key, sealing_key, certificate.serial,
                      "enrolled", self.clock())
        try:
            connection.execute(insert(parties).values(
                name=party.name, role=role, fingerprint=party.fingerprint, signing_key=signing_key,
                sealing_key=sealing_key, certificate_serial=certificate.serial, status=party.status,
                enrolled_at=to_text(party.enrolled_at)))
        except IntegrityError:
            raise RefusedError("registry.taken", "the name or the signing key belongs to a party already", got=name,
                               hint="remove the old party first, and make fresh keys") from None
        self._accept(connection, party.fingerprint, certificate)
        return party

    def renewed(self, connection: Connection, party: Party, presented: Certificate, renewed: Certificate) -> None:
        """Accept a renewed certificate beside the one it was asked with, and none of the party's others."""
        connection.execute(delete(certificates).where(certificates.c.party == party.fingerprint,
                                                      certificates.c.serial != presented.serial))
        connection.execute(update(parties).where(parties.c.fingerprint == party.fingerprint)
                           .values(certificate_serial=renewed.serial))
        self._accept(connection, party.fingerprint, renewed)

    def _accept(self, connection: Connection, party: Fingerprint, certificate: Certificate) -> None:
        connection.execute(insert(certificates).values(
            serial=certificate.serial, party=party, certificate_hash=certificate.fingerprint,
            not_after=to_text(certificate.not_after)))

    def holder(self, certificate: Certificate) -> Party | None:
        """Return the party that a certificate was issued to, if that certificate is still accepted."""
        version, shown = self._version.read(), (certificate.serial, certificate.fingerprint)  # first, then the rows
        at, holders = self._holders
        if version is None or version != at or len(holders) >= MOST_REMEMBERED:
            holders = {}
            self._holders = version, holders
        if shown not in holders:
            asked = {"serial": certificate.serial, "hash": certificate.fingerprint}
            with reading(self.engine) as connection:
                row = connection.execute(_HOLDER, asked).mappings().one_or_none()
            holders[shown] = None if row is None else _party(row)
        return holders[shown]

    def get(self, name: str) -> Party:
        """Return the party with a name, unless it was removed.

        Raises:
            InputError: there is none.
        """
        query = select(parties).where(parties.c.name == name, parties.c.status != "removed")
        with reading(self.engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise InputError("registry.unknown", "no such party", got=repr(name[:80]),
                             expected=", ".join(party.name for party in self.all()[:20]) or "none is enrolled yet")
        return _party(row)

    def by_fingerprint(self, wanted: str) -> Party | None:
        """Return the party with a fingerprint, removed or not."""
        with reading(self.engine) as connection:
            row = connection.execute(select(parties).where(parties.c.fingerprint == wanted)).mappings().one_or_none()
        return None if row is None else _party(row)

    def by_role(self, role: str) -> list[Party]:
        """Return the parties of a role by name, removed ones left out."""
        return [party for party in self.all() if party.role == role]

    def all(self) -> list[Party]:
        """Return every party by name, removed ones left out."""
        query = select(parties).where(parties.c.status != "removed").order_by(parties.c.name)
        with reading(self.engine) as connection:
            return [_party(row) for row in connection.execute(query).mappings()]

    def quarantine(self, name: str) -> Party:
        """Refuse a party's calls until it is reinstated."""
        return self._move(name, "quarantined", allowed=("enrolled",))

    def reinstate(self, name: str) -> Party:
        """End a quarantine."""
        return self._move(name, "enrolled", allowed=("quarantined",))

    def remove(self, name: str) -> Party:
        """Refuse a party's calls for good; its name may be invited again."""
        return self._move(name, "removed", allowed=("enrolled", "quarantined"))

    def _move(self, name: str, status: Status, *, allowed: tuple[Status, ...]) -> Party:
        present = self.get(name)
        change = (update(parties).where(parties.c.fingerprint == present.fingerprint, parties.c.status.in_(allowed))
                  .values(status=status))
        with writing(self.engine) as connection:
            changed = connection.execute(change).rowcount
            if changed and status == "removed":
                connection.execute(delete(certificates).where(certificates.c.party == present.fingerprint))
        if not changed:
            raise RefusedError("registry.transition", f"{name} cannot become {status}", got=present.status,
                               expected=" or ".join(allowed))
        moved = self.by_fingerprint(present.fingerprint)
        assert moved is not None
        return moved


def _party(row: Mapping[Any, Any]) -> Party:
    return Party(name=row["name"], role=row["role"], fingerprint=Fingerprint(row["fingerprint"]),
                 signing_key=bytes(row["signing_key"]), sealing_key=bytes(row["sealing_key"]),
                 certificate_serial=row["certificate_serial"], status=cast("Status", row["status"]),
                 enrolled_at=from_text(row["enrolled_at"]))
