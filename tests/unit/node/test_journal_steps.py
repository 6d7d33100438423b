"""Sums that open on arrival, as a node remembers them: in a file of their attempt beside its run database."""

from __future__ import annotations

from pathlib import Path

import pytest
from journals import DIGEST, RUN, SEED, SHARE, contributed, killed

from sealane.core.octets import whole
from sealane.errors import UnavailableError
from sealane.node.journal import STEP_BYTES, Journal

OTHER_RUN = "r-bbbbbbbbbbbbbbbb"


def test_sums_that_open_on_arrival_lie_in_a_file_until_the_run_ends(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal, 0)
    journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    journal.opened(RUN, 0, 0, DIGEST, b"total")
    for number in (1, 2, 4):
        journal.contributed(RUN, 0, number, b"h" * 32, SEED, b"payload", on_arrival=True)
        journal.opened(RUN, 0, number, DIGEST, b"to", b"tal")
        if number == 2:
            journal.adopted(RUN, 0, 3, b"value")
    again = killed(journal, path)
    rows = [again.exchange(RUN, 0, number) for number in range(5)]
    assert [None if row is None or row.total is None else whole(row.total) for row in rows] == [
        b"total", b"total", b"total", b"value", None]
    assert [row is not None and row.payload is not None for row in rows] == [False, False, True, False, True]
    assert again.used(RUN) == (None, 4)
    again.opened(RUN, 0, 4, DIGEST, b"total")
    assert again.used(RUN) == (None, 5)
    row = again.exchange(RUN, 0, 4)  # a computation that begins anew in the same process asks at once
    assert row is not None
    assert row.total is not None
    assert whole(row.total) == b"total"
    file = path.parent / "runs" / f"{RUN}.0.steps"
    assert file.exists()
    again.end(RUN)
    assert not file.exists()


def test_what_a_run_used_is_kept_now_and_then_while_it_sums(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    for number, used, kept in ((1, b"one", b"one"), (2, b"two", b"one"), (3, b"three", b"three")):
        if number == 3:
            monkeypatch.setattr("sealane.node.journal.USED_S", 0.0)
        journal.use(RUN, lambda used=used: used)
        journal.contributed(RUN, 0, number, b"h" * 32, SEED, b"payload", on_arrival=True)
        assert Journal(path).used(RUN)[0] == kept


def test_two_contributions_at_most_are_made_again_whatever_their_length(journal: Journal, path: Path) -> None:
    """The last that was opened, for peers that lag, and the one under way: a coordinator refuses a third."""
    journal.begin_attempt(RUN, 0, b"zero")
    long = b"x" * STEP_BYTES
    for number, payload in enumerate((b"first", b"short", b"short", long, long, b"short", long, b"short", b"short")):
        journal.contributed(RUN, 0, number, b"h" * 32, SEED, payload, on_arrival=number > 0)
        for at in (journal, Journal(path)):
            rows = [at.exchange(RUN, 0, one) for one in range(number + 1)]
            assert sum(row is not None and row.payload is not None for row in rows) <= 2, (number, at is journal)
            assert rows[-1] is not None
            assert rows[-1].payload is not None
        journal.opened(RUN, 0, number, DIGEST, b"total")


def test_steps_that_somebody_removed_are_missed(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    journal.contributed(RUN, 0, 1, b"h" * 32, SEED, b"payload", on_arrival=True)
    (path.parent / "runs" / f"{RUN}.0.steps").unlink()
    with pytest.raises(UnavailableError) as caught:
        killed(journal, path).exchange(RUN, 0, 1)
    assert caught.value.code == "node.spool-lost"
    again = Journal(path)
    assert again.used(RUN) == (None, 0)  # the run can end
    again.end(RUN)


def test_what_a_kill_left_of_runs_that_ended_is_swept(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    journal.contributed(RUN, 0, 1, b"h" * 32, SEED, b"payload", on_arrival=True)
    kept = path.parent / "runs" / f"{RUN}.0.steps"
    for name in (f"{OTHER_RUN}.0.steps", f"{OTHER_RUN}.1.4.payload", "tmp1234"):
        (kept.parent / name).write_bytes(b"left")
    journal.sweep()
    assert list(kept.parent.iterdir()) == [kept]
    journal._db.execute("UPDATE runs SET state = 'ENDED'")
    journal.sweep()
    assert list(kept.parent.iterdir()) == []
