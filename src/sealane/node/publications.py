"""What this node published of its datasets, and withdrew: signed once, kept, and said again after every hello."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sealane.core.canonical import parse_canonical
from sealane.core.clock import to_text
from sealane.errors import RefusedError
from sealane.governance.catalog_statement import CatalogStatement, SignedPublication, SignedWithdrawal
from sealane.governance.publication import (
    Publication,
    PublishedField,
    Withdrawal,
    make_publication,
    next_sequence,
    round_down,
    sign_publication,
    sign_withdrawal,
    verify_publication,
)
from sealane.node.database import open_database, transaction
from sealane.node.home import NodeHome
from sealane.node.register import DatasetEntry
from sealane.node.register_schema import SCHEMA
from sealane.sectors.registry import check_purpose, pack
from sealane.sectors.registry import contract as find_contract

MINIMUM_COUNT = 10
"""What counts of rows are rounded down to where the steward says nothing else; the default of studies too."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a steward says about a dataset beyond what its registration and contract say already.

    Attributes:
        title: for people; the contract's where it is empty.
        description: for people.
        keywords: for people who search.
        purposes: what studies may use it for; empty for every purpose of the sector.
        terms: terms of use, in sentences.
        steward: whom to ask.
        grade: 1 to 5, where the dataset is graded.
        fresh_until: when the steward means to renew it, RFC 3339.
        minimum_count: what the number of rows is rounded down to.
    """

    title: str = ""
    description: str = ""
    keywords: Sequence[str] = ()
    purposes: Sequence[str] = ()
    terms: Sequence[str] = ()
    steward: str | None = None
    grade: int | None = None
    fresh_until: str | None = None
    minimum_count: int = MINIMUM_COUNT


class Publications:
    """The node's own catalog, in its register's database. Everything is on disk before a call returns."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def statements(self) -> list[CatalogStatement]:
        """Return the latest statement about every dataset that was ever published, by name."""
        rows = self._db.execute("SELECT kind, body, public_key, signature FROM publications ORDER BY dataset")
        return [_statement(row) for row in rows.fetchall()]

    def statement(self, dataset: str) -> CatalogStatement | None:
        """Return the latest statement about a dataset, or None where it was never published."""
        row = self._db.execute("SELECT kind, body, public_key, signature FROM publications WHERE dataset = ?",
                               (dataset,)).fetchone()
        return None if row is None else _statement(row)

    def state(self, dataset: str, build: Callable[[int], CatalogStatement]) -> CatalogStatement:
        """Build the next statement about a dataset from the last one's sequence, and keep it in its place."""
        with transaction(self._db) as db:
            row = db.execute("SELECT sequence FROM publications WHERE dataset = ?", (dataset,)).fetchone()
            last = 0 if row is None else int(row[0])
            statement = build(last)
            kind = "publication" if isinstance(statement, SignedPublication) else "withdrawal"
            db.execute("INSERT OR REPLACE INTO publications (dataset, sequence, kind, body, public_key, signature) "
                       "VALUES (?, ?, ?, ?, ?, ?)", (dataset, parse_canonical(statement.body)["sequence"], kind,
                                                     statement.body, statement.public_key, statement.signature))
        return statement


@contextmanager
def publications(home: NodeHome) -> Iterator[Publications]:
    """Open a node's publications for the length of the block."""
    with closing(open_database(home.path / "node.sqlite", SCHEMA)) as db:
        yield Publications(db)


def describe_dataset(entry: DatasetEntry, said: Description, *, node: str, fingerprint: str, sequence: int,
                     published_at: str) -> Publication:
    """Return the publication of a dataset, from its registration, its contract and what the steward says.

    Whoever grades and profiles datasets hands grade, steward and freshness in with ``said``.

    Raises:
        InputError: the contract or its sector is not installed, or a value is not acceptable.
    """
    contract = find_contract(entry.contract_id)
    sector = contract.id.partition(".")[0]
    filled = set(entry.mapping)
    return make_publication(
        node=node, fingerprint=fingerprint, dataset=entry.name, sequence=sequence,
        title=said.title or contract.title or contract.id, description=said.description,
        keywords=tuple(said.keywords), sector=sector, contract=contract.id, contract_hash=entry.contract_hash,
        fields=tuple(PublishedField(name=f.name, type=f.type, unit=f.unit, nullable=f.nullable,
                                    description=f.description[:300]) for f in contract.fields if f.name in filled),
        rows=round_down(entry.rows, said.minimum_count), rounded_to=said.minimum_count, grade=said.grade,
        steward=said.steward, dataset_version=entry.version, updated_at=entry.added_at, fresh_until=said.fresh_until,
        purposes=tuple(said.purposes or pack(sector).purposes), terms=tuple(said.terms), published_at=published_at)


def publish(home: NodeHome, entry: DatasetEntry, said: Description) -> SignedPublication:
    """Sign and keep the publication of a registered dataset; it replaces an earlier one.

    Raises:
        InputError: what the steward says is not acceptable, or a purpose is not the sector's.
    """
    identity, now = home.identity(), home.clock()
    for purpose in said.purposes:
        check_purpose(entry.contract_id.partition(".")[0], purpose)

    def build(last: int) -> CatalogStatement:
        return sign_publication(identity.signing_key, describe_dataset(
            entry, said, node=identity.name, fingerprint=identity.fingerprint, sequence=next_sequence(last, now),
            published_at=to_text(now)))

    with publications(home) as kept:
        signed = kept.state(entry.name, build)
    assert isinstance(signed, SignedPublication)
    return signed


def unpublish(home: NodeHome, dataset: str) -> SignedWithdrawal:
    """Sign and keep the withdrawal of a dataset from the catalog; a second one changes nothing.

    Raises:
        RefusedError: it was never published.
    """
    identity, now = home.identity(), home.clock()
    with publications(home) as kept:
        known = kept.statement(dataset)
        if known is None:
            raise RefusedError("publication.none", "this dataset is not published", got=repr(dataset[:80]),
                               hint="`sealane dataset list`, then `sealane dataset publish NAME`")
        if isinstance(known, SignedWithdrawal):
            return known
        signed = kept.state(dataset, lambda last: sign_withdrawal(identity.signing_key, Withdrawal(
            node=identity.name, fingerprint=identity.fingerprint, dataset=dataset,
            sequence=next_sequence(last, now), withdrawn_at=to_text(now))))
    assert isinstance(signed, SignedWithdrawal)
    return signed


def withdraw_if_published(home: NodeHome, dataset: str) -> SignedWithdrawal | None:
    """Withdraw a dataset that leaves the register from the catalog too; None where it is not published."""
    with publications(home) as kept:
        known = kept.statement(dataset)
    return unpublish(home, dataset) if isinstance(known, SignedPublication) else None


def published(home: NodeHome) -> list[Publication]:
    """Return what is published now, by name of dataset."""
    with publications(home) as kept:
        return [verify_publication(one) for one in kept.statements() if isinstance(one, SignedPublication)]


def announcements(home: NodeHome) -> list[CatalogStatement]:
    """Return what a coordinator must know after every hello: all that is published, and all that is withdrawn."""
    with publications(home) as kept:
        return kept.statements()


def _statement(row: tuple[str, bytes, bytes, bytes]) -> CatalogStatement:
    shape = SignedPublication if row[0] == "publication" else SignedWithdrawal
    return shape(row[1], row[2], row[3])

