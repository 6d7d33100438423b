"""The coordinator reports a drop-out that did not happen, and keeps both sets of ciphertexts."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from reference import signed
from stage import RUN, Stage

from sealane.core.secret import Secret
from sealane.ring.words import from_bytes
from sealane.secagg.layout import Layout, encode, plan
from sealane.secagg.masking.scheme import Masking, WordsTotal
from sealane.secagg.messages import Contribution, Introduction, Release
from sealane.secagg.scheme import Sum
from sealane.secagg.terms import Term, count, real

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")
REST = ("a", "b", "c")


def terms_of(stage: Stage, name: str) -> dict[str, Term]:
    """The probe's first sum, as this node encodes it."""
    values = stage.frames[name]["x"].to_numpy()
    return {"rows": count([len(values)], 10_000), "powers": real([values.sum(), (values**2).sum()], 1e7)}


def plain(stage: Stage, name: str, layout: Layout) -> list[int]:
    seed = stage.nodes[name].journal.run(RUN)
    assert seed is not None
    return words(encode(layout, terms_of(stage, name), seed.agreement_seed))


def words(vector: np.ndarray) -> list[int]:
    return [low + (high << 64) for low, high in zip(vector[0].tolist(), vector[1].tolist(), strict=True)]


def payload(stage: Stage, name: str, layout: Layout, attempt: int) -> list[int]:
    said = stage.heard(name, Contribution, 0, attempt)
    return words(from_bytes(said.payload, layout.width, layout.length))


def added(vectors: list[list[int]], width: int) -> list[int]:
    return [sum(column) % 2**width for column in zip(*vectors, strict=True)]


def read(layout: Layout, values: list[int]) -> list[Fraction]:
    """The numbers that a vector stands for; cohorts of different sizes leave different room for fractions."""
    scales = [2**place.fraction for place in layout.places for _ in range(place.length)]
    return [Fraction(signed(value, layout.width), scale) for value, scale in zip(values, scales, strict=True)]


async def both_attempts(stage: Stage) -> dict[tuple[str, int], Secret]:
    """Everybody contributes in attempt 0; "d" is said to be lost; the rest contribute in attempt 1.

    Returns the seeds of all self masks, which a test may know and no coordinator.
    """
    await stage.offer()
    await stage.begin(ALL, attempt=0)
    seeds = kept_seeds(stage)
    await stage.begin(REST, attempt=1)
    return seeds | kept_seeds(stage)


async def test_the_difference_of_the_two_sums_is_not_the_victims_vector(stage: Build) -> None:
    on = stage(ALL)
    seeds = await both_attempts(on)
    wide, narrow = plan(terms_of(on, "a"), 4), plan(terms_of(on, "a"), 3)
    width = wide.width
    assert narrow.width == width
    victim = plain(on, "d", wide)
    first = {name: payload(on, name, wide, 0) for name in ALL}
    second = {name: payload(on, name, narrow, 1) for name in REST}
    # No combination of what was seen gives the victim away, the difference of the two sums least of all.
    for size in range(1, 5):
        for some in combinations(ALL, size):
            left = added([first[name] for name in some], width)
            for others in ([], [second[n] for n in REST if n in some], list(second.values())):
                right = added(others, width) if others else [0] * wide.length
                seen = [(x - y) % 2**width for x, y in zip(left, right, strict=True)]
                assert all(x != y for x, y in zip(seen, victim, strict=True))

    # The control: it is the self masks that hide it. Take them off, and the difference is the victim's vector.
    def bare(layout: Layout, payloads: dict[str, list[int]], attempt: int) -> list[int]:
        facts = on.attempt(payloads, attempt)
        start = on.transcript(sorted(payloads), attempt)
        sum_ = Sum(facts, layout, start.absorb("sum", b"0", layout.hash()))
        shares = {on.fingerprint(name): seeds[name, attempt].reveal() for name in payloads}
        zero = WordsTotal(96, layout.length * 12)
        masks = words(Masking().open(sum_, zero, frozenset(shares), shares)[0])  # minus all of them
        return [(x + y) % 2**width for x, y in zip(added(list(payloads.values()), width), masks, strict=True)]

    whole, part = read(wide, bare(wide, first, 0)), read(narrow, bare(narrow, second, 1))
    assert [x - y for x, y in zip(whole, part, strict=True)] == read(wide, victim)


async def test_the_seeds_of_a_closed_attempt_are_gone(stage: Build) -> None:
    on = stage(ALL)
    await both_attempts(on)
    # Only the victim, which was told of no other attempt, still holds one of attempt 0.
    assert {name for name, attempt in kept_seeds(on) if attempt == 0} == {"d"}
    assert {name for name, attempt in kept_seeds(on) if attempt == 1} == set(REST)


def kept_seeds(stage: Stage) -> dict[tuple[str, int], Secret]:
    found = {}
    for name in ALL:
        for attempt in (0, 1):
            row = stage.nodes[name].journal.exchange(RUN, attempt, 0)
            if row is not None and row.seed is not None:
                found[name, attempt] = row.seed
    return found


async def test_nobody_releases_in_the_attempt_that_was_closed(stage: Build) -> None:
    on = stage(ALL)
    await both_attempts(on)
    await on.announce(0, ALL, attempt=0)  # now it announces attempt 0 after all
    assert [len(on.releases(name)) for name in REST] == [0, 0, 0]
    # Only the node that was told nothing of attempt 1 does, and its share alone opens nothing.
    assert [release.attempt for release in on.releases("d")] == [0]
    await on.announce(0, REST, attempt=1)
    await on.relay(0, REST, attempt=1)
    assert all(on.opened(name, 0, attempt=1) is not None for name in REST)
    assert all(on.opened(name, 0, attempt=0) is None for name in ALL)


async def test_a_closed_attempt_stays_closed_after_a_restart(stage: Build) -> None:
    on = stage(ALL)
    await both_attempts(on)
    stale = on.start(ALL, attempt=0)
    arrival = on.arrival("a", 0, ALL, attempt=0)
    await on.restart("a")
    await on.tell("a", stale)
    await on.tell("a", arrival)
    assert on.releases("a") == []
    assert {c.attempt for c in on.said["a"] if isinstance(c, Contribution)} == {0, 1}


async def test_who_released_takes_part_in_no_other_attempt(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin(ALL)
    await on.announce(0, ALL, to=["a"])
    assert isinstance(on.heard("a", Release), Release)
    await on.begin(REST, attempt=1)
    assert on.refusal("a") in {"run.cohort-fixed", "cohort.differencing"}
    assert {c.attempt for c in on.said["a"] if isinstance(c, Contribution | Introduction)} == {0}
    # The two that had not released would go on to attempt 1; without "a" they wait for its introduction.
    assert {c.attempt for c in on.said["b"] if isinstance(c, Introduction)} == {0, 1}
    assert {c.attempt for c in on.said["b"] if isinstance(c, Contribution)} == {0}


@pytest.mark.parametrize("killed", [False, True])
async def test_an_announcement_without_the_victim_is_refused(killed: bool, stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin(ALL)
    if killed:
        await on.restart("a")
    await on.tell("a", on.arrival("a", 0, REST))
    assert on.refusal("a") == "run.arrival-incomplete"
    assert on.releases("a") == []
