"""7. Revocation or expiry stops the next round, also in a run under way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest
from stage import RUN, Federation, Probe, Stage

from sealane.core.clock import to_text
from sealane.governance.signed_statement import Refusal, sign_refusal
from sealane.rpc.notices import Failure, Nudge
from sealane.secagg.messages import Contribution, Endorsed, Endorsement, Release, SealedResult

Build = Callable[..., Stage]
Federate = Callable[..., Federation]
ALL = ("a", "b", "c", "d")


def revoke(on: Stage, name: str = "b") -> None:
    refusal = Refusal(on.study.hash, name, on.fingerprint(name), "withdrawn", to_text(on.clock()))
    on.nodes[name].records.statements[on.study.hash] = sign_refusal(on.nodes[name].key, refusal)


def expire(on: Stage, name: str = "b") -> None:
    on.clock.advance(timedelta(days=2))


def quarantine(on: Stage, name: str = "b") -> None:
    on.nodes[name].records.quarantined = "break-in"


STOPS = {"study.revoked": revoke, "study.expired": expire, "node.quarantined": quarantine}


@pytest.mark.parametrize("code", STOPS)
async def test_invariant_07_before_a_run_starts(code: str, stage: Build) -> None:
    on = stage(ALL)
    STOPS[code](on)
    await on.offer(to=["b"])
    assert on.refusal("b") == code


@pytest.mark.parametrize("code", STOPS)
async def test_invariant_07_between_joining_and_contributing(code: str, stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    STOPS[code](on)
    await on.begin()
    assert on.refusal("b") == code
    assert not [m for m in on.said["b"] if isinstance(m, Contribution)]


@pytest.mark.parametrize("code", STOPS)
async def test_invariant_07_between_contributing_and_releasing(code: str, stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    STOPS[code](on)
    await on.announce(to=["b"])
    assert on.refusal("b") == code
    assert on.releases("b") == []


@pytest.mark.parametrize("code", STOPS)
async def test_invariant_07_between_two_rounds(code: str, stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    await on.announce()
    STOPS[code](on)
    await on.relay()  # what was released opens: it was decided before
    if code != "study.expired":
        await on.agree()  # the others may go on; an expiry stops them all
    assert on.opened("b") is not None
    assert on.refusal("b") == code
    assert {m.exchange for m in on.said["b"] if isinstance(m, Contribution | Release)} == {0}


@pytest.mark.parametrize("code", STOPS)
async def test_invariant_07_after_a_restart(code: str, stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    STOPS[code](on)
    said = await on.restart("b")
    assert on.refusal("b") == code
    assert not [m for m in said if isinstance(m, Contribution | Release)]


@pytest.mark.parametrize("code", STOPS)
async def test_invariant_07_before_the_result_leaves(code: str, stage: Build) -> None:
    on = stage(ALL)
    await on.to_the_result()
    endorsed = Endorsed(RUN, 0, {on.fingerprint(name): on.heard(name, Endorsement) for name in ALL})
    STOPS[code](on, "a")
    await on.tell("a", endorsed)
    assert on.refusal("a") == code
    assert not [m for m in on.said["a"] if isinstance(m, SealedResult)]


def seen(on: Stage, by: str, of: str) -> None:
    """A revocation that another institution signed has reached a node."""
    on.nodes[by].records.withdrawn = frozenset({on.fingerprint(of)})


async def test_invariant_07_who_has_seen_a_revocation_opens_no_round_that_holds_the_revoked_node(stage: Build) -> None:
    """Though the coordinator goes on as if nothing had been revoked."""
    code = "agreement.withdrawn-elsewhere"
    on = stage(ALL)
    seen(on, "a", "d")
    await on.offer(to=["a"])
    assert on.refusal("a") == code
    on = stage(ALL)
    await on.offer()
    seen(on, "a", "d")
    await on.tell("a", on.start())
    assert on.refusal("a") == code
    assert not [m for m in on.said["a"] if isinstance(m, Contribution)]
    on = stage(ALL)
    await on.offer()
    await on.begin()
    seen(on, "a", "d")
    await on.announce()
    assert on.refusal("a") == code
    assert on.releases("a") == []
    assert on.opened("b") is None  # nothing opens without the one that refuses


async def test_invariant_07_a_refusal_is_all_that_is_said_again(stage: Build) -> None:
    """A nudge after a refusal brings the refusal, and no byte of a round."""
    on = stage(ALL)
    await on.offer()
    await on.begin()
    revoke(on)
    await on.announce(to=["b"])
    said = await on.tell("b", Nudge(RUN))
    assert [type(message) for message in said] == [Failure]


def test_invariant_07_a_whole_run_ends_where_one_institution_withdraws(federation: Federate, probe: Probe) -> None:
    fed = federation()

    def withdraw(frame: pd.DataFrame, number: int) -> None:
        if number == 2:
            node = fed.nodes["west"]
            study = next(iter(node.records.statements))
            refusal = Refusal(study, "west", node.fingerprint, "withdrawn", to_text(node.clock()))
            node.records.statements[study] = sign_refusal(node.key, refusal)

    probe.before = withdraw
    error = fed.fails()
    assert error.code == "study.revoked"
    assert "west" in error.message
    assert {m.exchange for name, m in fed.seen(Contribution) if name == "west"} == {0}
    assert {m.exchange for _, m in fed.seen(Release)} == {0}
