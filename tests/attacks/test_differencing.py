"""Sums over different cohorts of the same rows: across attempts, runs, studies and parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations

import pytest
from stage import Stage

from sealane.governance.differencing import exposed
from sealane.rpc.notices import Failure, StudyRecord
from sealane.secagg.messages import Contribution, Release

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")
RUNS = [f"r-{letter * 16}" for letter in "abcdefgh"]


async def play(on: Stage, run_id: str, who: Sequence[str], record: StudyRecord) -> list[str]:
    """Play a run over ``who`` as far as the nodes let it, and return the codes of their refusals."""
    before = {name: len(on.said[name]) for name in ALL}
    await on.offer(run_id, record=record)
    if not refusals(on, before):
        await on.begin(who, 0, run_id)
    if not refusals(on, before):
        await on.announce(0, who, 0, run_id)
    if not refusals(on, before):
        await on.relay(0, who, 0, run_id)
    return refusals(on, before)


def refusals(on: Stage, before: dict[str, int]) -> list[str]:
    return [m.error.code for name in ALL for m in on.said[name][before[name]:] if isinstance(m, Failure)]


async def test_four_cohorts_of_three_solve_for_every_member_so_only_one_is_answered(stage: Build) -> None:
    on = stage(ALL)
    triples = list(combinations(ALL, 3))
    assert exposed([frozenset(triple) for triple in triples]) == set(ALL)
    assert await play(on, RUNS[0], triples[0], on.record) == []
    assert all(on.opened(name, 0, 0, RUNS[0]) for name in triples[0])
    for run_id, triple in zip(RUNS[1:], triples[1:], strict=False):
        codes = await play(on, run_id, triple, on.record)
        # Two of each further three have answered the first: they refuse, and what is not whole never opens.
        assert codes == ["cohort.differencing"] * 2
        assert all(on.opened(name, 0, 0, run_id) is None for name in triple)
    assert sum(1 for name in ALL for m in on.said[name] if isinstance(m, Release)) == 3


async def test_the_guard_holds_across_studies_and_parameters(stage: Build) -> None:
    on = stage(ALL)
    assert await play(on, RUNS[0], ALL, on.record) == []
    other = on.approve(on.make_study(parameters={"rounds": 2, "tag": 7}))
    codes = await play(on, RUNS[1], ("a", "b", "c"), other)
    assert codes == ["cohort.differencing"] * 3
    # A study that names fewer participants to begin with is no way round either.
    fewer = on.make_study(among=("a", "b", "c"))
    record = on.approve(fewer)
    for name in ("a", "b", "c"):
        await on.offer(RUNS[2], to=[name], record=record)
    await on.begin(("a", "b", "c"), 0, RUNS[2])
    assert [on.refusal(name) for name in ("a", "b", "c")] == ["cohort.differencing"] * 3
    # The same cohort again is no difference at all.
    assert await play(on, RUNS[3], ALL, other) == []


async def test_the_guard_holds_after_a_restart(stage: Build) -> None:
    on = stage(ALL)
    assert await play(on, RUNS[0], ALL, on.record) == []
    for name in ALL:
        await on.restart(name, RUNS[0])
    assert await play(on, RUNS[1], ("b", "c", "d"), on.record) == ["cohort.differencing"] * 3


async def test_two_runs_at_once_do_not_slip_through_together(stage: Build) -> None:
    """Both cohorts are started before either is answered; the check is made again at the point of no return."""
    on = stage(ALL)
    await on.offer(RUNS[0])
    await on.begin(ALL, 0, RUNS[0])
    arrivals = {name: on.arrival(name, 0, ALL, 0, RUNS[0]) for name in ALL}
    first = {name: on.nodes[name].run for name in ALL}
    # In a real node each run has a thread of its own; here the second takes the stage while the first is kept.
    for name in ALL:
        on.nodes[name].run = None
    await on.offer(RUNS[1])
    await on.begin(("a", "b", "c"), 0, RUNS[1])
    assert all(on.heard(name, Contribution, 0, 0, RUNS[1]) for name in ("a", "b", "c"))
    await on.announce(0, ("a", "b", "c"), 0, RUNS[1])
    assert all(on.heard(name, Release, 0, 0, RUNS[1]) for name in ("a", "b", "c"))
    for name in ALL:
        on.nodes[name].run = first[name]
        await on.tell(name, arrivals[name])
    assert [on.refusal(name) for name in ("a", "b", "c")] == ["cohort.differencing"] * 3
    assert [m.run_id for name in ("a", "b", "c") for m in on.releases(name)] == [RUNS[1]] * 3


async def test_whoever_is_exposed_may_waive_it_and_everybody_at_risk_must(stage: Build) -> None:
    on = stage(ALL)
    waived_by_one = on.approve(on.make_study(), waived=("d",))
    waived_by_all = on.approve(on.make_study(parameters={"rounds": 2, "tag": 1}), waived=ALL)
    assert await play(on, RUNS[0], ALL, waived_by_one) == []
    # Without "d": it alone is at risk by subtraction, and with one colluder so is a pair's other half; it waived.
    codes = await play(on, RUNS[1], ("a", "b", "c"), waived_by_one)
    expected = exposed([frozenset(ALL), frozenset("abc")])
    assert expected == {"d"}
    assert codes == []
    values = [on.opened("a", 0, 0, run_id) for run_id in RUNS[:2]]
    assert all(values)
    # Without "c" instead, which has not waived: refused.
    assert await play(on, RUNS[2], ("a", "b", "d"), waived_by_one) == ["cohort.differencing"] * 3
    assert await play(on, RUNS[3], ("a", "b", "d"), waived_by_all) == []


async def test_what_a_waiver_gives_away_is_exactly_the_waivers_rows(stage: Build) -> None:
    """The control of this file: the attack it guards against works where it is allowed."""
    on = stage(ALL)
    record = on.approve(on.make_study(), waived=("d",))
    assert await play(on, RUNS[0], ALL, record) == []
    assert await play(on, RUNS[1], ("a", "b", "c"), record) == []
    sums = []
    for run_id in RUNS[:2]:
        data = on.opened("b", 0, 0, run_id)
        assert data is not None
        data = data[4:]  # how many were summed
        low = [int.from_bytes(data[8 * k: 8 * k + 8], "little") for k in range(3)]
        high = [int.from_bytes(data[24 + 4 * k: 28 + 4 * k], "little", signed=True) for k in range(3)]
        cohort = 4 if run_id == RUNS[0] else 3
        sums.append([Fraction(a + (b << 64), scale) for a, b, scale in zip(low, high, scales(cohort), strict=True)])
    values = [Fraction(value) for value in on.frames["d"]["x"].tolist()]
    difference = [x - y for x, y in zip(*sums, strict=True)]
    assert difference == [sum(values), sum(value * value for value in values), len(values)]


def scales(cohort: int) -> list[int]:
    from sealane.secagg.layout import plan
    from sealane.secagg.terms import count, real

    layout = plan({"rows": count([0], 10_000), "powers": real([0.0, 0.0], 1e7)}, cohort)
    assert layout.width == 96
    return [2**place.fraction for place in layout.places for _ in range(place.length)]


@pytest.mark.parametrize("waived", [(), ("a",), ("b",)])
async def test_two_institutions_alone_compute_only_if_both_have_waived(waived: tuple[str, ...], stage: Build) -> None:
    on = stage(("a", "b"), study_fields={"minimum_cohort": 2, "colluding": 0}, waived=waived)
    await on.offer()
    await on.begin()
    assert [on.refusal(name) for name in ("a", "b")] == ["cohort.differencing"] * 2
    assert not [m for name in ("a", "b") for m in on.said[name] if isinstance(m, Contribution)]


async def test_two_that_have_waived_compute(stage: Build) -> None:
    on = stage(("a", "b"), study_fields={"minimum_cohort": 2, "colluding": 0}, waived=("a", "b"))
    await on.offer()
    await on.begin()
    await on.announce()
    await on.relay()
    assert on.opened("a") == on.opened("b") is not None
