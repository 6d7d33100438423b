from __future__ import annotations

import os

import pytest

from sealane.core.entropy import random_bytes, random_secret


def test_all_of_it_comes_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def urandom(count: int) -> bytes:
        asked.append(count)
        return b"z" * count

    monkeypatch.setattr(os, "urandom", urandom)
    assert random_bytes(7) == b"z" * 7
    assert random_secret().reveal() == b"z" * 32
    assert random_secret(16).reveal() == b"z" * 16
    assert asked == [7, 32, 16]


def test_no_two_draws_are_alike() -> None:
    draws = [random_bytes(16) for _ in range(500)] + [random_secret(16).reveal() for _ in range(500)]
    assert len(set(draws)) == 1000
    assert {len(draw) for draw in draws} == {16}
    # Each bit is set in about half of them: 6 standard deviations about 500.
    for bit in range(128):
        assert abs(sum(int.from_bytes(draw) >> bit & 1 for draw in draws) - 500) < 95
