"""What a node remembers of its runs, and what it refuses because of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from journals import DIGEST, OTHER, RUN, SEED, SHARE, STUDY, contributed, killed

from sealane.core.octets import Octets, whole
from sealane.core.secret import Secret
from sealane.errors import ProtocolError, SealaneError, UnavailableError
from sealane.node.journal import Journal


def test_a_run_keeps_the_key_it_was_joined_with(journal: Journal, path: Path) -> None:
    again = journal.join(RUN, STUDY, Secret(b"t" * 32))
    assert again.agreement_seed == SEED
    row = killed(journal, path).run(RUN)
    assert row is not None
    assert (row.study_hash, row.attempt, row.start, row.ended, row.released) == (STUDY, -1, None, False, False)
    assert row.agreement_seed == SEED


def test_a_run_id_belongs_to_one_study(journal: Journal) -> None:
    with pytest.raises(ProtocolError) as caught:
        journal.join(RUN, OTHER, Secret(b"t" * 32))
    assert caught.value.code == "run.id-reused"


def test_an_attempt_closes_those_before_it_for_ever(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.begin_attempt(RUN, 2, b"two")
    row = journal.exchange(RUN, 0, 0)
    assert row is not None
    assert (row.seed, row.payload) == (None, None)
    for number in (0, 1, 2):
        with pytest.raises(ProtocolError) as caught:
            journal.begin_attempt(RUN, number, b"again")
        assert caught.value.code == "run.attempt-replayed"
    with pytest.raises(ProtocolError) as caught:
        journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    assert caught.value.code == "run.second-release"
    kept = killed(journal, path).run(RUN)
    assert kept is not None
    assert (kept.attempt, kept.start) == (2, b"two")


def test_after_a_release_there_is_no_other_attempt(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    with pytest.raises(ProtocolError) as caught:
        journal.begin_attempt(RUN, 1, b"one")
    assert caught.value.code == "run.cohort-fixed"
    with pytest.raises(ProtocolError) as caught:
        killed(journal, path).begin_attempt(RUN, 1, b"one")
    assert caught.value.code == "run.cohort-fixed"


def test_a_round_is_released_for_one_set_of_contributions_only(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    again = killed(journal, path)
    again.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    with pytest.raises(ProtocolError) as caught:
        again.released(RUN, 0, 0, b"e" * 32, SHARE, whole_cohort=True)
    assert caught.value.code == "run.second-release"
    row = again.exchange(RUN, 0, 0)
    assert row is not None
    assert row.digest == DIGEST


@pytest.mark.parametrize("whole_cohort", [False, True])
def test_a_share_that_was_released_stays(whole_cohort: bool, journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    assert journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=whole_cohort) == SHARE
    again = killed(journal, path)
    assert again.released(RUN, 0, 0, DIGEST, Secret(b"o" * 32), whole_cohort=whole_cohort) == SHARE
    last = killed(again, path).exchange(RUN, 0, 0)
    assert last is not None
    assert last.share == SHARE


def test_what_may_open_is_on_disk_and_leaves_no_other_attempt(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.fix_attempt(RUN)
    again = killed(journal, path)
    with pytest.raises(ProtocolError) as caught:
        again.begin_attempt(RUN, 1, b"one")
    assert caught.value.code == "run.cohort-fixed"
    assert again.runs_released(STUDY) == {RUN}
    again.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=False)  # the attempt itself goes on
    row = killed(again, path).exchange(RUN, 0, 0)
    assert row is not None
    assert row.digest == DIGEST


def test_only_the_first_release_of_a_run_waits_for_the_disk(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    for number in (0, 1, 2):
        contributed(journal, number)
        journal.released(RUN, 0, number, DIGEST, SHARE, whole_cohort=True)
    again = killed(journal, path)
    assert [row.digest for n in (0, 1, 2) if (row := again.exchange(RUN, 0, n))] == [DIGEST, DIGEST, None]
    again.released(RUN, 0, 2, DIGEST, SHARE, whole_cohort=True)  # announced again, to the node that was killed
    again.settle()
    with pytest.raises(ProtocolError) as caught:
        again.released(RUN, 0, 2, b"e" * 32, SHARE, whole_cohort=True)
    assert caught.value.code == "run.second-release"


@pytest.mark.parametrize(("attempt", "number"), [(0, 5), (1, 0), (-1, 0)])
def test_what_was_not_contributed_is_not_released(attempt: int, number: int, journal: Journal) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    with pytest.raises(ProtocolError) as caught:
        journal.released(RUN, attempt, number, DIGEST, SHARE, whole_cohort=True)
    assert caught.value.code == "run.second-release"
    row = journal.run(RUN)
    assert row is not None
    assert not row.released


def test_a_second_contribution_for_a_round_is_not_written(journal: Journal) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    with pytest.raises(sqlite3.IntegrityError):
        journal.contributed(RUN, 0, 0, b"i" * 32, Secret(b"x" * 32), b"other")
    row = journal.exchange(RUN, 0, 0)
    assert row is not None
    assert row.payload == b"payload"


def test_an_opened_total_is_on_disk_with_the_next_promise(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal, 0)
    journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    journal.opened(RUN, 0, 0, DIGEST, b"total")
    journal.adopted(RUN, 0, 1, b"value")
    contributed(journal, 2)
    again = killed(journal, path)
    first, second, third = (again.exchange(RUN, 0, number) for number in (0, 1, 2))
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.total, second.total, third.total) == (b"total", b"value", None)
    assert first.seed is not None  # the peers may still lack this one's messages
    again.opened(RUN, 0, 2, DIGEST, b"next")
    again.settle()
    first, third = again.exchange(RUN, 0, 0), again.exchange(RUN, 0, 2)
    assert first is not None
    assert third is not None
    assert (first.seed, first.payload, first.total) == (None, None, b"total")
    assert third.seed is not None


def test_a_total_that_only_memory_held_can_be_opened_again(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    journal.opened(RUN, 0, 0, DIGEST, b"total")
    row = killed(journal, path).exchange(RUN, 0, 0)
    assert row is not None
    assert (row.total, row.digest, row.payload) == (None, DIGEST, b"payload")
    assert row.seed is not None


def test_a_proposal_is_on_disk_before_it_is_made(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    journal.proposed(RUN, 0, 0, b"value")
    again = killed(journal, path)
    again.proposed(RUN, 0, 0, b"another")
    row = again.exchange(RUN, 0, 0)
    assert row is not None
    assert (row.total, row.description_hash) == (b"value", b"")


def test_settling_and_closing_write_what_was_deferred(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.opened(RUN, 0, 0, DIGEST, b"total")
    journal.settle()
    again = killed(journal, path)
    again.adopted(RUN, 0, 1, b"value")
    again.close()
    last = Journal(path)
    rows = [last.exchange(RUN, 0, number) for number in (0, 1)]
    assert [row.total for row in rows if row is not None] == [b"total", b"value"]


def test_the_end_forgets_the_secrets(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    assert [row.run_id for row in journal.active()] == [RUN]
    journal.end(RUN)
    again = killed(journal, path)
    row, exchange = again.run(RUN), again.exchange(RUN, 0, 0)
    assert row is not None
    assert exchange is not None
    assert (row.ended, row.released, row.agreement_seed.reveal()) == (True, True, b"")
    assert (exchange.seed, exchange.payload, exchange.digest) == (None, None, DIGEST)
    assert again.active() == []
    with pytest.raises(ProtocolError) as caught:
        again.begin_attempt(RUN, 7, b"seven")
    assert caught.value.code == "run.illegal-transition"
    again._db.close()
    for file in path.parent.iterdir():
        assert SEED.reveal() not in file.read_bytes()


def test_runs_that_released_are_counted_by_study(journal: Journal) -> None:
    others = [f"r-{letter * 16}" for letter in "bcd"]
    for run_id, study in zip(others, (STUDY, STUDY, OTHER), strict=True):
        journal.join(run_id, study, SEED)
    for run_id in (RUN, others[0], others[2]):
        journal.begin_attempt(run_id, 0, b"zero")
        journal.contributed(run_id, 0, 0, b"h" * 32, SEED, b"p")
        journal.released(run_id, 0, 0, DIGEST, SHARE, whole_cohort=True)
    journal.end(RUN)
    assert journal.runs_released(STUDY) == {RUN, others[0]}
    assert journal.runs_released("33" * 32) == frozenset()


def test_a_full_disk_is_said_and_loses_nothing(journal: Journal) -> None:
    journal.begin_attempt(RUN, 0, b"zero")
    contributed(journal)
    journal.opened(RUN, 0, 0, DIGEST, b"total")
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(UnavailableError) as caught:
        journal.contributed(RUN, 0, 1, b"h" * 32, SEED, bytes(200_000))
    assert caught.value.code == "disk.full"
    journal._db.execute("PRAGMA max_page_count = 1000000")
    journal.contributed(RUN, 0, 1, b"h" * 32, SEED, bytes(200_000))
    rows = [journal.exchange(RUN, 0, number) for number in (0, 1)]
    assert all(row is not None for row in rows)
    assert rows[0].total == b"total"  # type: ignore[union-attr]


def test_an_unknown_run_is_an_error_not_a_guess(journal: Journal) -> None:
    assert journal.run("r-zzzzzzzzzzzzzzzz") is None
    assert journal.exchange("r-zzzzzzzzzzzzzzzz", 0, 0) is None
    with pytest.raises(SealaneError) as caught:
        journal.begin_attempt("r-zzzzzzzzzzzzzzzz", 0, b"zero")
    assert caught.value.code == "run.illegal-transition"


def test_introductions_are_kept_for_an_attempt_and_forgotten_with_it() -> None:
    journal = Journal(":memory:")
    journal.join(RUN, STUDY, Secret(b"k" * 32))
    journal.begin_attempt(RUN, 0, b"start")
    assert journal.introduction(RUN, 0) is None
    journal.introduce(RUN, 0, Secret(b"sent"))
    assert journal.introduction(RUN, 0) == (Secret(b"sent"), None)
    journal.acquainted(RUN, 0, Secret(b"all"))
    assert journal.introduction(RUN, 0) == (Secret(b"sent"), Secret(b"all"))
    journal.begin_attempt(RUN, 1, b"start")
    assert journal.introduction(RUN, 0) is None
    journal.introduce(RUN, 1, Secret(b"again"))
    journal.end(RUN)
    assert journal.introduction(RUN, 1) is None


def kept(octets: Octets | None) -> bytes:
    """What lies in a file, or in a row."""
    assert octets is not None
    return whole(octets)


LONG_PAYLOAD, LONG_TOTAL = bytes(range(256)) * 2000, b"total" * 100_000


def test_long_values_lie_in_files_and_are_there_after_a_kill(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"start")
    journal.contributed(RUN, 0, 0, b"h" * 32, SEED, LONG_PAYLOAD)
    again = killed(journal, path)
    row = again.exchange(RUN, 0, 0)
    assert row is not None
    assert (kept(row.payload), row.total) == (LONG_PAYLOAD, None)
    again.released(RUN, 0, 0, DIGEST, SHARE, whole_cohort=True)
    again.opened(RUN, 0, 0, DIGEST, b"\0\0\0\3", LONG_TOTAL)
    again.contributed(RUN, 0, 1, b"h" * 32, SEED, LONG_PAYLOAD[::-1])
    last = killed(again, path)
    first, second = last.exchange(RUN, 0, 0), last.exchange(RUN, 0, 1)
    assert first is not None
    assert second is not None
    assert (kept(first.total), kept(second.payload)) == (b"\0\0\0\3" + LONG_TOTAL, LONG_PAYLOAD[::-1])
    assert path.stat().st_size < 100_000


def test_a_total_that_was_lost_is_opened_again(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"start")
    journal.contributed(RUN, 0, 0, b"h" * 32, SEED, LONG_PAYLOAD)
    journal.opened(RUN, 0, 0, DIGEST, LONG_TOTAL)
    again = killed(journal, path)
    row = again.exchange(RUN, 0, 0)
    assert row is not None
    assert (kept(row.payload), row.total) == (LONG_PAYLOAD, None)


def test_files_go_with_what_nobody_needs(journal: Journal, path: Path) -> None:
    def names() -> list[str]:
        return sorted(one.name.removeprefix(f"{RUN}.") for one in (path.parent / "runs").iterdir())

    journal.begin_attempt(RUN, 0, b"start")
    for number in range(3):
        journal.contributed(RUN, 0, number, b"h" * 32, SEED, LONG_PAYLOAD)
        journal.opened(RUN, 0, number, DIGEST, LONG_TOTAL)
    journal.settle()
    assert names() == ["0.0.total", "0.1.total", "0.2.payload", "0.2.total"]
    assert (path.parent / "runs").stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in (path.parent / "runs").iterdir()} == {0o600}
    journal.begin_attempt(RUN, 1, b"again")
    assert names() == []
    journal.contributed(RUN, 1, 0, b"h" * 32, SEED, LONG_PAYLOAD)
    journal.end(RUN)
    assert names() == []


def test_a_second_contribution_of_a_round_leaves_the_first_as_it_is(journal: Journal) -> None:
    journal.begin_attempt(RUN, 0, b"start")
    journal.contributed(RUN, 0, 0, b"h" * 32, SEED, LONG_PAYLOAD)
    with pytest.raises(sqlite3.IntegrityError):
        journal.contributed(RUN, 0, 0, b"h" * 32, SEED, LONG_PAYLOAD[::-1])
    row = journal.exchange(RUN, 0, 0)
    assert row is not None
    assert kept(row.payload) == LONG_PAYLOAD


def test_a_file_that_somebody_removed_is_said(journal: Journal, path: Path) -> None:
    journal.begin_attempt(RUN, 0, b"start")
    journal.contributed(RUN, 0, 0, b"h" * 32, SEED, LONG_PAYLOAD)
    next((path.parent / "runs").iterdir()).unlink()
    with pytest.raises(UnavailableError) as caught:
        journal.exchange(RUN, 0, 0)
    assert caught.value.code == "node.spool-lost"


def test_a_disk_that_takes_no_file_keeps_no_row(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    journal.begin_attempt(RUN, 0, b"start")
    with monkeypatch.context() as patched:
        patched.setattr("sealane.node.spool.os.fsync", full)
        with pytest.raises(UnavailableError) as caught:
            journal.contributed(RUN, 0, 0, b"h" * 32, SEED, LONG_PAYLOAD)
    assert caught.value.code == "disk.full"
    assert journal.exchange(RUN, 0, 0) is None
    journal.contributed(RUN, 0, 0, b"h" * 32, SEED, LONG_PAYLOAD)
