from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sealane.core.clock import ManualClock, from_text, is_moment, system_clock, to_text


def test_a_moment_is_written_in_utc_to_the_second() -> None:
    madrid = timezone(timedelta(hours=2))
    assert to_text(datetime(2026, 7, 1, 1, 30, 15, 999_999, tzinfo=madrid)) == "2026-06-30T23:30:15Z"
    assert from_text("2026-06-30T23:30:15Z") == datetime(2026, 6, 30, 23, 30, 15, tzinfo=UTC)
    assert from_text("2026-07-01T01:30:15+02:00") == datetime(2026, 6, 30, 23, 30, 15, tzinfo=UTC)
    assert from_text("2026-07-01T01:30:15+02:00").tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-06-30T23:30:15", "2026-06-30", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_moment_without_a_zone_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)


def test_a_manual_clock_stands_still_until_moved() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock() == clock() == datetime(2026, 1, 1, tzinfo=UTC)
    clock.advance(timedelta(hours=25))
    assert to_text(clock()) == "2026-01-02T01:00:00Z"
    clock.advance(timedelta(hours=-1))
    assert to_text(clock()) == "2026-01-02T00:00:00Z"


def test_the_system_clock_is_aware_and_runs() -> None:
    before = datetime.now(UTC)
    now = system_clock()
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_outside_of_utc_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        from_text(text)
    assert not is_moment(text)
