"""One run at one node, told things by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from stage import OTHER_RUN, RUN, Probe, Stage

from sealane.core.canonical import parse_canonical
from sealane.crypto.sealing import unseal_own
from sealane.errors import InputError, UnavailableError
from sealane.rpc.notices import Failure, Nudge, RunEnded, RunOffer, Welcome
from sealane.secagg.messages import Arrival, Contribution, Endorsed, Endorsement, Join, Release, SealedResult
from sealane.secagg.result import result_hash, result_info, unsalted
from sealane.telemetry.logs import JsonLines

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


async def whole(on: Stage) -> Endorsed:
    await on.to_the_result()
    return Endorsed(RUN, 0, {on.fingerprint(name): on.heard(name, Endorsement) for name in ALL})


def kinds(messages: list[Any]) -> list[str]:
    return [type(message).__name__ for message in messages]


async def test_from_the_offer_to_the_sealed_result(stage: Build) -> None:
    on = stage()
    endorsed = await whole(on)
    for name in ALL:
        await on.tell(name, endorsed)
    assert kinds(on.said["b"]) == [
        "Join", "Introduction", "Contribution", "Release", "Contribution", "Endorsement"]
    assert kinds(on.said["a"])[-2:] == ["Endorsement", "SealedResult"]
    sealed = on.heard("a", SealedResult)
    assert list(sealed.sealed) == [on.analyst.key.fingerprint]
    data = unseal_own(on.analyst.sealing_seed, sealed.sealed[on.analyst.key.fingerprint],
                      result_info(on.study.hash, RUN))
    assert {e.result_hash for e in endorsed.endorsements.values()} == {result_hash(data)}
    steps = parse_canonical(unsalted(data))["steps"]
    everything = pd.concat(list(on.frames.values()))["x"]
    assert steps[0][:3] == [len(everything), everything.sum(), (everything**2).sum()]
    for name in ALL:
        await on.tell(name, RunEnded(RUN))
        row = on.nodes[name].journal.run(RUN)
        assert row is not None
        assert row.ended


async def test_an_offer_again_joins_again_until_it_starts(stage: Build) -> None:
    on = stage()
    await on.offer()
    first = on.heard("a", Join)
    assert await on.tell("a", RunOffer(RUN, on.record)) == [first]
    assert await on.tell("a", Nudge(RUN)) == [first]
    await on.begin()
    assert await on.tell("a", RunOffer(RUN, on.record)) == []


async def test_a_nudge_repeats_what_came_since_the_last_opened_sum(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.begin()
    assert kinds(await on.tell("a", Nudge(RUN))) == ["Introduction", "Contribution"]
    await on.announce()
    assert kinds(await on.tell("a", Nudge(RUN))) == ["Introduction", "Contribution", "Release"]
    await on.relay()
    again = await on.tell("a", Nudge(RUN))
    assert [(type(m).__name__, m.exchange) for m in again] == [
        ("Contribution", 0), ("Release", 0), ("Proposal", 1), ("Contribution", 2)]
    await on.agree()
    await on.announce(2)
    await on.relay(2)
    await on.agree(3)
    again = await on.tell("a", Nudge(RUN))
    assert kinds(again) == ["Contribution", "Proposal", "Endorsement"]
    assert {m.exchange for m in again if isinstance(m, Contribution)} == {2}


async def test_messages_of_another_attempt_are_dropped(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.begin()
    for attempt in (1, 7):
        assert await on.tell("a", replace(on.arrival("a"), attempt=attempt)) == []
        assert await on.tell("a", Endorsed(RUN, attempt, {})) == []
    await on.announce()
    assert on.heard("a", Release)


async def test_a_message_that_has_no_place_is_reported_and_harmless(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.begin()
    await on.tell("a", Welcome("1", 1, 1))
    assert on.refusal("a") == "run.unexpected-message"
    await on.announce()
    assert on.heard("a", Release)


async def test_a_flood_is_reported(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.begin()
    run = on.nodes["a"].run
    assert run is not None
    for number in range(5, 5000):
        run.receive(Arrival(RUN, 0, number, ()))
    assert on.refusal("a") == "run.too-many-waiting"


async def test_a_run_that_is_over_is_not_begun_again(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.tell("a", RunEnded(RUN, InputError("x.y", "no")))
    await on.restart("a")
    assert on.refusal("a") == "run.offered-again"


async def test_too_many_runs(stage: Build) -> None:
    on = stage(study_fields={"runs": 1})
    endorsed = await whole(on)
    # Killed at its end and offered again, the one agreed run goes on to its result.
    await on.restart("a")
    await on.tell("a", on.arrival("a", 2))
    assert on.heard("a", Endorsement) == endorsed.endorsements[on.fingerprint("a")]
    await on.tell("a", endorsed)
    assert on.heard("a", SealedResult)
    await on.offer(OTHER_RUN)
    assert [on.refusal(name) for name in ALL] == ["study.runs-exhausted"] * 4


CANARY = 31337.0625


async def test_what_an_unforeseen_exception_says_stays_at_the_node(
    stage: Build, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(frame: pd.DataFrame, number: int) -> None:
        raise ValueError(f"bad row {CANARY} in {frame.to_string()}")

    on = stage()
    probe.before = fail
    caplog.set_level(logging.DEBUG)
    await on.offer()
    await on.begin()
    error = on.heard("a", Failure).error
    assert error.code == "computation.failed"
    assert error.got == "ValueError"
    assert str(CANARY) not in json.dumps(error.to_dict())
    lines = [JsonLines().format(record) for record in caplog.records]
    assert any("computation.failed" in line for line in lines)
    assert all(str(CANARY) not in line and "bad row" not in line for line in lines)


async def test_what_a_computation_refuses_is_told_as_it_is(stage: Build, probe: Probe) -> None:
    def refuse(frame: pd.DataFrame, number: int) -> None:
        raise InputError("model.separation", "the outcome is separated")

    on = stage()
    probe.before = refuse
    await on.offer()
    await on.begin()
    assert on.refusal("a") == "model.separation"
    assert not [m for m in on.said["a"] if isinstance(m, Contribution)]


async def test_what_only_lacked_something_is_tried_again(stage: Build, probe: Probe) -> None:
    def full(frame: pd.DataFrame, number: int) -> None:
        raise UnavailableError("disk.full", "the disk is full")

    on = stage()
    probe.before = full
    await on.offer()
    await on.begin()
    assert on.refusal("a") == "disk.full"
    probe.before = lambda frame, number: None
    said = await on.tell("a", on.start())
    assert kinds(said) == ["Introduction", "Contribution"]
    assert await on.tell("a", on.start()) == []


async def test_stopping_leaves_a_run_to_go_on_later(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.begin()
    first = on.heard("a", Contribution)
    said = await on.restart("a")
    assert [m for m in said if isinstance(m, Contribution)] == [first]
    row = on.nodes["a"].journal.run(RUN)
    assert row is not None
    assert not row.ended
