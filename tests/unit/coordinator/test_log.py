"""What a log remembers of its tree is what the database says, whoever appended to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from sealane.audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from sealane.coordinator import log
from sealane.coordinator.database import open_database
from sealane.coordinator.store import Store
from sealane.core.clock import system_clock


def grow(store: Store, count: int) -> None:
    for _ in range(count):
        store.add_event("node.connected", "north", "subject")


def test_a_head_is_that_of_all_leaves_also_of_those_another_process_appended(tmp_path: Path) -> None:
    ours, theirs = (Store(open_database(tmp_path / "log.sqlite"), system_clock) for _ in range(2))
    for count in (1, 1, 5, 9):
        grow(theirs, count)
        assert ours.log.head() == theirs.log.head()
        grow(ours, 1)
        fresh = Store(open_database(tmp_path / "log.sqlite"), system_clock)
        assert ours.log.head() == theirs.log.head() == fresh.log.head()


def test_a_head_that_has_not_changed_costs_one_read(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "log.sqlite")
    store = Store(engine, system_clock)
    grow(store, 27)
    store.log.head()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    store.log.head()
    assert len([one for one in asked if one.startswith("SELECT")]) == 1
    assert not [one for one in asked if "log_hashes" in one]


@pytest.mark.parametrize("most", [1, 3, 1 << 14])
def test_proofs_hold_however_little_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(log, "MOST_REMEMBERED", most)
    store = Store(open_database(tmp_path / "log.sqlite"), system_clock)
    for _ in range(3):
        grow(store, 7)
        size, root = store.log.head()
        for position in range(size):
            entry = store.log.entry(position)
            assert entry is not None
            verify_inclusion(leaf_hash(entry), position, size, store.log.inclusion(position, size), root)
            if position:
                proof = store.log.consistency(position, size)
                verify_consistency(position, size, proof, store.log.root(position), root)
        assert len(store.log._remembered) <= most
