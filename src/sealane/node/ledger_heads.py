"""The ledger's heads among the node's acts: whoever holds a head of the acts holds the ledger to what it was then."""

from __future__ import annotations

from collections.abc import Callable

from sealane.node.ledger import NodeLedger

Record = Callable[[str, str, str], None]
"""Puts an act (kind, subject, detail) into the node's own log."""


def record_joined(ledger: NodeLedger, run: str, record: Record) -> None:
    """Remember how far the ledger goes when a run is joined: every charge of every earlier run is in it.

    Raises:
        ProtocolError: the ledger's file was changed.
    """
    record("ledger.head", run, _head(ledger))


def record_reserved(ledger: NodeLedger, run: str, record: Record) -> None:
    """Remember how far the ledger goes with what a run reserved."""
    record("budget.reserved", run, _head(ledger))


def record_over(ledger: NodeLedger, run: str, record: Record) -> None:
    """Remember how far the ledger goes when a run is over; of one that reserved nothing there is nothing to say."""
    with ledger.reading() as book:
        entry = book.entries.get(run)
    if entry is not None:
        record("budget.charged" if entry.committed else "budget.voided", run, _head(ledger))


def _head(ledger: NodeLedger) -> str:
    head = ledger.head()
    return f"line {head.number} {head.hash}"
