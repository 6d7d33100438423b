from __future__ import annotations

from datetime import timedelta

import pytest

from sealane.coordinator.limiter import FailureLimiter
from sealane.core.clock import ManualClock
from sealane.errors import UnavailableError

MINUTE = timedelta(minutes=1)


def limited(limiter: FailureLimiter, source: str) -> bool:
    try:
        limiter.check(source)
    except UnavailableError as error:
        return error.code == "enrolment.rate-limited"
    return False


def test_a_source_is_stopped_and_others_are_not(clock: ManualClock) -> None:
    limiter = FailureLimiter(clock, window=MINUTE, per_source=3, overall=100)
    for _ in range(3):
        assert not limited(limiter, "a")
        limiter.failed("a")
    assert limited(limiter, "a")
    assert not limited(limiter, "b")


def test_the_window_slides(clock: ManualClock) -> None:
    limiter = FailureLimiter(clock, window=MINUTE, per_source=2, overall=100)
    limiter.failed("a")
    clock.advance(MINUTE / 2)
    limiter.failed("a")
    assert limited(limiter, "a")
    clock.advance(MINUTE / 2)
    assert not limited(limiter, "a")


def test_many_sources_together_stop_everyone(clock: ManualClock) -> None:
    limiter = FailureLimiter(clock, window=MINUTE, per_source=3, overall=5)
    for number in range(5):
        limiter.failed(f"source {number}")
    assert limited(limiter, "somebody new")
    clock.advance(MINUTE)
    assert not limited(limiter, "somebody new")


def test_it_remembers_a_bounded_number_of_sources(clock: ManualClock) -> None:
    limiter = FailureLimiter(clock)
    for number in range(5000):
        limiter.failed(f"source {number}")
    assert len(limiter._sources) == 4096


def test_a_refusal_is_not_a_failure_so_waiting_helps(clock: ManualClock) -> None:
    limiter = FailureLimiter(clock, window=MINUTE, per_source=1, overall=100)
    limiter.failed("a")
    clock.advance(MINUTE * 0.9)
    with pytest.raises(UnavailableError):
        limiter.check("a")
    clock.advance(MINUTE * 0.1)
    limiter.check("a")
