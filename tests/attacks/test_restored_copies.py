"""What a restored copy, an odd code or an old message could win: a second run, fresh noise, a run that never ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stage import OTHER_RUN, RUN, Stage

from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.node.gate import Gate
from sealane.node.journal import Journal
from sealane.rpc.error_detail import describe_error, described_error
from sealane.rpc.notices import Failure, RunEnded, RunOffer
from sealane.secagg.messages import Join
from sealane.simulation.parties import SimulatedNode

Build = Callable[..., Stage]


def restored(node: SimulatedNode) -> None:
    """A backup of this minute, put back: register, ledger and acts, and none of the journal."""
    old = node.gate
    node.run, node.journal = None, Journal(":memory:")
    node.gate = Gate(node.key.fingerprint, node.records, old._datasets, old._protection, node.clock, node.ledger)


async def through(on: Stage) -> None:
    """Everybody releases in the first sum."""
    await on.offer()
    await on.begin()
    await on.announce()
    assert on.releases("a")


async def test_the_number_of_runs_holds_after_a_restore(stage: Build) -> None:
    on = stage(study_fields={"runs": 1})
    await through(on)
    restored(on.nodes["a"])
    said = await on.tell("a", RunOffer(OTHER_RUN, on.record))
    assert [m.error.code for m in said if isinstance(m, Failure)] == ["study.runs-exhausted"]
    assert not [m for m in said if isinstance(m, Join)]


async def test_a_run_that_was_charged_does_not_come_back_with_other_noise(stage: Build) -> None:
    on = stage()
    await through(on)
    restored(on.nodes["a"])
    said = await on.tell("a", RunOffer(RUN, on.record))
    assert [m.error.code for m in said if isinstance(m, Failure)] == ["run.forgotten"]
    assert not [m for m in said if isinstance(m, Join)]


async def test_a_closed_attempt_does_not_begin_again_where_something_was_lacking(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.tell("a", on.start(attempt=1))
    await on.tell("a", on.start(attempt=2))
    run = on.nodes["a"].run
    assert run is not None
    run._fail(UnavailableError("disk.full", "the disk is full"))
    await on.tell("a", on.start(attempt=1))
    assert run._running is not None
    assert run._running.attempt.number == 2


async def test_own_acts_are_demanded_after_a_restart_too(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.tell("a", on.start())
    before = on.nodes["a"].run
    assert before is not None
    await on.restart("a")
    after = on.nodes["a"].run
    assert after is not None
    assert after._reported >= before._reported > 0


@pytest.mark.parametrize("code", ["X" * 150 + " !", "9.4929-1234-5678-9012", ""])
async def test_whatever_code_a_run_ends_with_it_ends(code: str, stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.tell("a", on.start())
    await on.tell("a", RunEnded(RUN, described_error(describe_error(RefusedError(code, "no")))))
    row = on.nodes["a"].journal.run(RUN)
    assert row is not None
    assert row.ended
    assert row.agreement_seed.reveal() == b""


@pytest.mark.parametrize("party", ["participants", "recipients"])
def test_a_party_named_like_a_fingerprint_is_in_no_study(party: str, stage: Build) -> None:
    """Otherwise two cohorts that differ in one institution could read alike to the guard against differencing."""
    on = stage()
    one = getattr(on.study, party)[0].model_copy(update={"name": on.fingerprint("d")})
    others = getattr(on.study, party)[1:]
    with pytest.raises(InputError) as caught:
        on.make_study(**{party: [one, *others]})
    assert caught.value.code == "study.name-is-a-fingerprint"
