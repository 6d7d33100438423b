"""Old messages at new moments: of another attempt, another run, another exchange; a run id used again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from stage import OTHER_RUN, RUN, Stage

from sealane.rpc.notices import Nudge, RunEnded, RunOffer
from sealane.secagg.attempt import ENDORSEMENT, endorsement_body
from sealane.secagg.messages import Contribution, Endorsed, Endorsement, Join, Proposal, Release, SealedResult

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


async def test_an_arrival_and_an_opening_of_another_run(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    await on.announce()
    old_arrival, old_opening = on.arrival("a"), on.opening("a")
    await on.relay()
    await on.offer(OTHER_RUN)
    await on.begin(run_id=OTHER_RUN)
    await on.tell("a", replace(old_arrival, run_id=OTHER_RUN))
    assert on.refusal("a") == "run.contribution-replaced"
    # With its own entry put right, the others' signatures are still over the other run's transcript.
    mine = next(e for e in on.arrival("b", run_id=OTHER_RUN).entries if e.fingerprint == on.fingerprint("a"))
    mixed = tuple(mine if e.fingerprint == mine.fingerprint else e for e in old_arrival.entries)
    await on.restart("a", OTHER_RUN)
    await on.tell("a", replace(old_arrival, run_id=OTHER_RUN, entries=mixed))
    assert on.refusal("a") == "signature.invalid"
    await on.restart("a", OTHER_RUN)
    await on.tell("a", on.arrival("a", run_id=OTHER_RUN))
    await on.tell("a", replace(old_opening, run_id=OTHER_RUN))
    assert on.refusal("a") == "sealing.invalid"


async def test_an_announcement_of_an_earlier_exchange(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    await on.announce()
    old = on.arrival("b")
    await on.relay()
    await on.agree()
    await on.tell("b", replace(old, exchange=2))
    assert on.refusal("b") == "run.contribution-replaced"


async def test_an_arrival_of_an_attempt_that_is_closed(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    old = on.arrival("a")
    await on.begin(ALL, attempt=1)
    said = await on.tell("a", old)
    assert said == []
    await on.tell("a", replace(old, attempt=1))
    assert on.refusal("a") == "run.contribution-replaced"


async def test_a_start_that_is_replayed_after_a_restart(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    old = on.start(ALL)
    await on.begin(ALL, attempt=3)
    said = await on.restart("a")
    assert {m.attempt for m in said if isinstance(m, Contribution)} == {3}
    assert await on.tell("a", old) == []
    assert await on.tell("a", replace(old, attempt=2)) == []


async def test_the_same_again_is_answered_by_the_same_bytes(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    await on.announce()
    for _ in range(3):
        for name in ALL:
            await on.tell(name, on.start(ALL))
            await on.tell(name, on.arrival(name))
            await on.tell(name, Nudge(RUN))
            await on.restart(name)
    for name in ALL:
        assert len({m.payload for m in on.said[name] if isinstance(m, Contribution)}) == 1
        assert len({m.signature for m in on.said[name] if isinstance(m, Contribution)}) == 1
        assert len({tuple(sorted(m.sealed.items())) for m in on.releases(name)}) == 1
        assert len({m for m in on.said[name] if isinstance(m, Join)}) == 1


async def test_a_run_id_used_again_for_another_study(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    other = on.approve(on.make_study(parameters={"rounds": 3}))
    await on.nodes["a"].crash()
    on.nodes["a"].up = True
    await on.tell("a", RunOffer(RUN, other))
    assert on.refusal("a") == "run.id-reused"


async def test_a_run_that_is_over_is_over(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    await on.announce()
    await on.tell("a", RunEnded(RUN))
    row = on.nodes["a"].journal.run(RUN)
    assert row is not None
    assert row.ended
    assert row.agreement_seed.reveal() == b""
    await on.restart("a")
    assert on.refusal("a") == "run.offered-again"
    said = len(on.said["a"])
    await on.tell("a", on.arrival("a"))
    assert not [m for m in on.said["a"][said:] if isinstance(m, Contribution | Release)]


async def finished(on: Stage, run_id: str) -> Endorsed:
    await on.offer(run_id)
    await on.begin(run_id=run_id)
    for exchange in (0, 2):
        await on.announce(exchange, run_id=run_id)
        await on.relay(exchange, run_id=run_id)
        await on.agree(exchange + 1, run_id=run_id)
    return Endorsed(run_id, 0, {on.fingerprint(n): on.heard(n, Endorsement, run_id=run_id) for n in ALL})


async def test_endorsements_of_another_run_with_the_same_result_release_nothing(stage: Build) -> None:
    """The rows are the same, so the results are: what "b" endorsed once must not do for a run it has not endorsed."""
    on = stage(ALL)
    before = await finished(on, RUN)
    await on.tell("a", before)
    assert on.heard("a", SealedResult, run_id=RUN)
    now = await finished(on, OTHER_RUN)
    # The salt is of the run: the same values have another hash each time.
    assert len({e.result_hash for e in (*before.endorsements.values(), *now.endorsements.values())}) == 2
    b = on.fingerprint("b")
    await on.tell("a", replace(now, endorsements={**now.endorsements, b: before.endorsements[b]}))
    assert on.refusal("a") == "result.differs"
    assert [m.run_id for m in on.said["a"] if isinstance(m, SealedResult)] == [RUN]


async def test_a_nodes_word_about_another_attempt_does_not_count(stage: Build) -> None:
    """A node that lies endorses the right hash, but says that it is of an attempt that never was."""
    on = stage(ALL)
    endorsed = await finished(on, RUN)
    b = on.fingerprint("b")
    right = endorsed.endorsements[b]
    body = endorsement_body(on.study.hash, RUN, 7, right.transcript, right.result_hash)
    forged = replace(right, attempt=7, signature=on.nodes["b"].key.sign(ENDORSEMENT, body))
    await on.tell("a", replace(endorsed, endorsements={**endorsed.endorsements, b: forged}))
    assert on.refusal("a") == "result.other-run"
    assert not [m for m in on.said["a"] if isinstance(m, SealedResult)]


async def test_a_result_that_not_all_endorsed_is_not_delivered(stage: Build) -> None:
    on = stage(ALL)
    endorsed = await finished(on, RUN)
    missing = {f: e for f, e in endorsed.endorsements.items() if f != on.fingerprint("c")}
    await on.tell("a", replace(endorsed, endorsements=missing))
    assert on.refusal("a") == "result.not-endorsed"
    assert not [m for m in on.said["a"] if isinstance(m, SealedResult)]


async def test_only_the_first_member_delivers(stage: Build) -> None:
    on = stage(ALL)
    endorsed = await finished(on, RUN)
    for name in ALL:
        await on.tell(name, endorsed)
    assert [name for name in ALL for m in on.said[name] if isinstance(m, SealedResult)] == ["a"]
    assert [name for name in ALL for m in on.said[name] if isinstance(m, Proposal)] == ["a", "a"]
