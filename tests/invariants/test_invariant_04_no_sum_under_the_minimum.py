"""4. No sum is opened under the minimum cohort, none released under the minimum count, drop-outs included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from stage import Federation, Stage, frames

from sealane.coordinator.run_facts import Patience
from sealane.errors import SealaneError
from sealane.secagg.messages import Contribution, Endorsement, Release, Start
from sealane.simulation.faults import Fault

Build = Callable[..., Stage]
Federate = Callable[..., Federation]
ALL = ("a", "b", "c", "d", "e")
SHORT = Patience(round_s=0.4, nudge_s=0.04, silent_s=3.0)


@pytest.mark.parametrize(("fields", "smallest"), [
    ({}, 3), ({"minimum_cohort": 4}, 4), ({"minimum_cohort": 5}, 5), ({"minimum_cohort": 4, "colluding": 2}, 4),
    ({"minimum_cohort": 5, "colluding": 3}, 5),
])
async def test_invariant_04_a_node_contributes_to_no_cohort_under_the_minimum(
    fields: dict[str, int], smallest: int, stage: Build
) -> None:
    on = stage(ALL, study_fields=fields)
    await on.offer()
    for size in range(1, smallest):
        await on.tell("a", on.start(ALL[:size], attempt=size))
        assert on.refusal("a") == "run.cohort-too-small"
    assert not [m for m in on.said["a"] if isinstance(m, Contribution | Release)]
    await on.begin(ALL[:smallest], attempt=smallest)
    await on.announce(0, ALL[:smallest], attempt=smallest)
    await on.relay(0, ALL[:smallest], attempt=smallest)
    assert on.opened("a", 0, smallest) is not None


async def test_invariant_04_no_sum_opens_for_fewer_than_contributed(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    for size in (1, 2, 3, 4):
        await on.tell("a", on.arrival("a", 0, ALL[:size]))
        assert on.refusal("a") == "run.arrival-incomplete"
        await on.restart("a")
    assert on.releases("a") == []


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_invariant_04_drop_outs_count(lost: int, federation: Federate) -> None:
    fed = federation(frames(("n1", "n2", "n3", "n4", "n5")), SHORT)
    gone = ["n1", "n3", "n5"][:lost]
    faults = [Fault("crash", node=name, message="Start", seconds=-1) for name in gone]
    if lost == 1:
        assert len(fed.run(*faults).trace.cohort) == 5 - lost
    else:
        # Three would be a cohort, but not the more than (5 + 1)/2 witnesses under which a checkpoint counts.
        assert fed.fails(*faults).code == "run.node-lost"
        assert fed.seen(Release) == []
    assert min(len(start.members) for _, start in fed.seen(Start)) >= 3


def people(rows: int, rare: int) -> dict[str, pd.DataFrame]:
    out = {}
    for k, name in enumerate(("north", "south", "west")):
        rng = np.random.default_rng(k)
        grade = ["common"] * rows
        grade[:rare] = ["rare"] * rare
        out[name] = pd.DataFrame({"age": rng.normal(40, 9, rows).clip(20, 70), "grade": grade})
    return out


@pytest.mark.parametrize(("rare", "shown"), [(0, True), (1, False), (3, False), (4, True)])
def test_invariant_04_no_cell_is_released_under_the_minimum_count(rare: int, shown: bool, federation: Federate) -> None:
    fed = federation(people(20, rare))
    if rare == 0:
        assert fed.run(computation="statistics.describe", columns=["grade"]).levels["grade"]["common"] == 60
        return
    result = fed.run(computation="statistics.describe", columns=["grade"], minimum_count=10)
    cell = result.levels["grade"]["rare"]
    assert (cell == 3 * rare) if shown else np.isnan(cell)
    if not shown:  # nor can it be had as what is left over
        assert np.isnan(result.levels["grade"]["common"]) or result.suppressed["grade"] != ["rare"]


def test_invariant_04_nothing_is_released_over_too_few_rows(federation: Federate) -> None:
    fed = federation(people(3, 1))
    with pytest.raises(SealaneError) as caught:
        fed.run(computation="statistics.describe", columns=["age"], minimum_count=10)
    assert caught.value.code == "describe.too-few-rows"
    assert fed.seen(Endorsement) == []
    assert fed.run(computation="statistics.describe", columns=["age"], minimum_count=9).rows == 9
