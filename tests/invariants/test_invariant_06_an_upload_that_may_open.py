"""6. Under ``rlwe`` key shares go with the upload: what may open from then on is remembered, charged and fixed.

"a" and the coordinator collude. Of eight nodes six open a sum, so two whose rows are in it can be kept from hearing so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from stage import OTHER_RUN, RUN, Federation, Stage

from sealane.computations.base import count, real
from sealane.coordinator.run_facts import Patience
from sealane.core.canonical import sha256
from sealane.crypto.sealing import seal, unseal
from sealane.privacy.acts import Commit
from sealane.rpc.notices import Nudge
from sealane.secagg.layout import plan
from sealane.secagg.messages import Arrival, Contribution, Release, Start
from sealane.simulation.faults import Fault

Build = Callable[..., Stage]
Federate = Callable[..., Federation]
RLWE = {"scheme": "rlwe", "minimum_cohort": 3, "colluding": 1}
EIGHT, SIX, UNHEARD = tuple("abcdefgh"), tuple("abcdef"), ("g", "h")
FOUR = tuple("abcd")


async def opened_by_six(on: Stage) -> None:
    """Have six open a sum of all eight, whose two others hear of no announcement."""
    await on.offer()
    await on.begin()
    await on.announce(to=SIX)
    await on.relay(who=SIX, to="b")
    assert on.opened("b") is not None
    assert [name for name in EIGHT if on.releases(name)] == list(SIX)


def charges(on: Stage, name: str) -> list[tuple[str, int]]:
    return [(line.act.run, line.act.exchange) for line in on.nodes[name].ledger.lines() if isinstance(line.act, Commit)]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("waived", "code"), [((), "cohort.differencing"), (EIGHT, "run.cohort-fixed")])
async def test_invariant_06_who_uploaded_takes_part_in_no_other_attempt(
    waived: tuple[str, ...], code: str, killed: bool, stage: Build
) -> None:
    on = stage(EIGHT, RLWE, waived)
    await opened_by_six(on)
    whole = frozenset(on.fingerprint(name) for name in EIGHT)
    for name in UNHEARD:
        if killed:
            await on.restart(name)
        assert set(on.nodes[name].records.cohorts(on.nodes[name].dataset_version)) == {whole}
        assert charges(on, name) == [(RUN, 0)]
        await on.tell(name, on.start(("a", *UNHEARD), attempt=1))
        assert on.refusal(name) == code
    assert all({c.attempt for c in on.said[name] if isinstance(c, Contribution)} == {0} for name in UNHEARD)
    assert all(on.releases(name) == [] for name in UNHEARD)


async def test_invariant_06_nor_in_another_run_of_another_cohort(stage: Build) -> None:
    on = stage(EIGHT, RLWE)
    await opened_by_six(on)
    await on.offer(OTHER_RUN, to=("a", *UNHEARD))
    await on.begin(("a", *UNHEARD), 0, OTHER_RUN)
    assert [on.refusal(name) for name in UNHEARD] == ["cohort.differencing"] * 2
    assert all(c.run_id == RUN for name in UNHEARD for c in on.said[name] if isinstance(c, Contribution))


async def test_invariant_06_of_two_runs_at_once_the_first_upload_fixes_the_cohort(stage: Build) -> None:
    """Both runs were let in and began before either had answered anybody: it is asked again before the upload."""
    on = stage(FOUR, RLWE)
    version = on.nodes["d"].dataset_version
    await on.offer()
    for name in FOUR:
        await on.tell(name, on.start())
    uploaded = frozenset(on.fingerprint(name) for name in ("b", "c", "d"))
    on.nodes["d"].records.record_cohort(version, "test.probe", uploaded)  # as the other run does
    await on.introduce()
    assert on.refusal("d") == "cohort.differencing"
    assert [name for name in FOUR if any(isinstance(m, Contribution) for m in on.said[name])] == ["a", "b", "c"]
    assert charges(on, "d") == []


async def test_invariant_06_nobody_answers_for_less_than_what_may_open(stage: Build) -> None:
    """Else those left out, who uploaded nothing yet, could be summed for once more: in an attempt of their own.

    Of a statistic no node takes an announcement without all, before it asks the gate, which knows the cohort too.
    """
    on = stage(FOUR, RLWE)
    await on.offer()
    await on.begin()
    for name in FOUR:
        await on.tell(name, on.arrival(name, who=("a", "b", "c")) if name != "d" else Nudge(RUN))
    assert {on.refusal(name) for name in ("a", "b", "c")} == {"run.arrival-incomplete"}
    assert all(on.releases(name) == [] for name in FOUR)


async def test_invariant_06_what_may_open_is_on_disk_before_the_upload_leaves(
    stage: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = stage(FOUR, RLWE)
    found: dict[str, Any] = {}
    hear = Stage._hear

    def heard(self: Stage, name: str, said: Any) -> None:
        if isinstance(said, Contribution):
            node = self.nodes[name]
            node.journal.lose()  # as a kill would: what only waits to be written is gone
            row = node.journal.run(RUN)
            found.setdefault(name, (row is not None and row.released, charges(self, name),
                                    len(node.records.cohorts(node.dataset_version))))
        hear(self, name, said)

    monkeypatch.setattr(Stage, "_hear", heard)
    await on.offer()
    await on.begin()
    assert found == dict.fromkeys(FOUR, (True, [(RUN, 0)], 1))


async def test_invariant_06_who_uploaded_nothing_begins_anew(stage: Build) -> None:
    """The control: as long as nothing can open, another attempt harms nobody."""
    on = stage(FOUR, RLWE)
    await on.offer()
    for name in FOUR:
        await on.tell(name, on.start())
    rest = ("a", "b", "c")
    await on.begin(rest, attempt=1)
    await on.announce(0, rest, attempt=1)
    await on.relay(0, rest, attempt=1)
    assert all(on.opened(name, 0, attempt=1) is not None for name in rest)


def with_another_share(on: Stage, liar: str, arrival: Arrival, to: str) -> Arrival:
    """Have a member that lies seal another share of its key for the same contribution, under the same key."""
    own, victim = on.fingerprint(liar), on.fingerprint(to)
    run = on.nodes[liar].run
    assert run is not None
    assert run._running is not None
    cohort = run._running.cohort
    assert cohort is not None
    layout = plan({"rows": count([0], 10_000), "powers": real([0, 0], 1e7)}, len(FOUR), smallest=3, colluding=1)
    sum_ = cohort._role.sum(0, cohort.transcript, layout)
    bound = sha256(on.heard(liar, Contribution, 0).payload)
    key = cohort._role._key_for(victim, "key share", sum_, bound, own, victim)
    share = unseal(key, arrival.shares[own], bound)
    other = bytes([share[0] ^ 1]) + share[1:]
    return replace(arrival, shares={**arrival.shares, own: seal(key, other, bound)})


async def test_invariant_06_a_share_that_was_released_is_never_another(stage: Build) -> None:
    """It is sealed with a fixed nonce: two under one key would tell of each other, and let anybody forge a third."""
    on = stage(FOUR, RLWE)
    await on.offer()
    await on.begin()
    await on.announce()
    other = with_another_share(on, "a", on.arrival("b"), "b")
    assert other != on.arrival("b")
    for told in (other, on.arrival("b"), other):
        await on.restart("b")
        await on.tell("b", told)
        await on.tell("b", Nudge(RUN))
    assert len(on.releases("b")) >= 4
    assert len({tuple(sorted(release.sealed.items())) for release in on.releases("b")}) == 1
    await on.relay()
    assert len({on.opened(name) for name in FOUR}) == 1
    assert on.opened("b") is not None


@pytest.mark.parametrize("message", ["Introduced", "Contribution"])
def test_invariant_06_a_node_lost_after_an_upload_is_waited_for(message: str, federation: Federate) -> None:
    fed = federation(patience=Patience(round_s=0.8, nudge_s=0.04, silent_s=5.0))
    error = fed.fails(Fault("crash", node="west", message=message, seconds=-1), scheme="rlwe")
    assert (error.code, error.got) == ("run.node-lost", "west")
    assert {start.attempt for _, start in fed.seen(Start)} == {0}
    assert fed.seen(Release) == []
    assert "run.cohort-fixed" not in fed.failures()
