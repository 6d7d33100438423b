"""The collectives at one node: replay from the journal, and a gate that says no."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from circle import RUN, Circle, announce, relay, seed_of, unplaned

from sealane.computations.base import count, real, update
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError
from sealane.node.cohort import NodeCohort
from sealane.node.inbox import Inbox
from sealane.node.journal import Journal
from sealane.ring.base import ArrayValues
from sealane.secagg.layout import Layout, encode, plan
from sealane.secagg.letters import check_letters
from sealane.secagg.masking.scheme import Masking
from sealane.secagg.messages import Contribution, Delivery, Letters, Proposal, Release
from sealane.secagg.node_role import Contributed


class Rounds:
    """A gate that writes down what it is asked, and refuses where told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.no: tuple[str, int] | None = None

    def check_round(self, number: int) -> None:
        self._ask("round", number)

    def check_release(self, survivors: frozenset[Fingerprint]) -> None:
        self._ask("release", len(survivors))

    def charge(self, number: int, layout: Layout | None) -> None:
        self._ask("charge", number)

    def _ask(self, what: str, number: int) -> None:
        self.asked.append((what, number))
        if self.no == (what, number):
            raise RefusedError("study.revoked", "no")


class Bench:
    """Member 0's cohort, with members 1 and 2 played by bare roles."""

    def __init__(self, own: int = 0, scheme: str = "masking") -> None:
        self.circle = Circle(3, scheme=scheme)
        self.own = own
        self.journal = Journal(":memory:")
        self.journal.join(RUN, self.circle.study_hash, seed_of("x"))
        self.journal.begin_attempt(RUN, 0, b"start")
        self.gate = Rounds()
        self.restart()

    def restart(self, waived: frozenset[Fingerprint] = frozenset()) -> None:
        self.inbox = Inbox()
        self.said: list[Any] = []
        self.binder: Secret | None = None
        self.cohort = NodeCohort(self.circle.roles[self.own], self.journal, self.gate, self.inbox, self.said.append,
                                 minimum_count=5, names=self.names, waived=waived, rounding_key=seed_of("rounding"),
                                 transcript=self.circle.attempt.transcript())

    @property
    def names(self) -> dict[Fingerprint, str]:
        return {key.fingerprint: f"clinic-{3 - k}" for k, key in enumerate(self.circle.keys)}

    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.said]

    async def sum(self, values: list[int], number: int = 0) -> list[int]:
        """Run one sum to its end; the others hold the same values. After the first, it opens on arrival."""
        terms = {"n": count(values, 100, signed=True)}
        layout = plan(terms, 3)
        transcript = self.cohort.transcript
        common = self.binder is not None
        states: dict[int, Contributed] = {}
        for k in {0, 1, 2} - {self.own}:
            vector = encode(layout, terms, seed_of("r"))
            states[k] = self.circle.roles[k].contribute(number, transcript, layout, vector,
                                                        self.binder or seed_of("m", k, number), common=common)
        task = asyncio.ensure_future(self.cohort.sum(terms))
        for _ in range(3):
            await asyncio.sleep(0)
        mine = [m for m in self.said if isinstance(m, Contribution) and m.exchange == number]
        if mine:
            row = self.journal.exchange(RUN, 0, number)
            assert row is not None
            assert row.seed is not None
            states[self.own] = self.circle.roles[self.own].restore(
                number, transcript, layout, row.seed, mine[-1].payload, common=common)
            assert states[self.own].message == mine[-1]
            everyone = [states[k] for k in range(3)]
            arrivals = announce(everyone, self.circle.names)
            name = self.circle.names[self.own]
            self.inbox.put(arrivals[name], number)
            other = self.circle.roles[1 - self.own // 2]
            if common:
                opened = other.open_on_arrival(states[1 - self.own // 2], arrivals[other.own])
            else:
                released = [role.release(state, arrivals[role.own])
                            for role, state in zip(self.circle.roles, everyone, strict=True)]
                openings = relay(self.circle.names, released)
                self.inbox.put(openings[name], number)
                opened = other.open(released[1 - self.own // 2], openings[other.own])
            self.binder = Secret(opened.binder)
        return (await task)["n"].tolist()


async def test_under_rlwe_the_whole_cohort_is_asked_for_and_charged_before_the_upload() -> None:
    bench = Bench(scheme="rlwe")
    assert await bench.sum([4, -9]) == [12, -27]
    assert bench.gate.asked == [("round", 0), ("release", 3), ("charge", 0),
                                ("round", 0), ("release", 3), ("charge", 0)]
    assert bench.kinds() == ["Contribution", "Release"]


@pytest.mark.parametrize("no", [("release", 3), ("charge", 0)])
async def test_what_the_gate_refuses_is_not_uploaded_and_fixes_nothing(no: tuple[str, int]) -> None:
    bench = Bench(scheme="rlwe")
    bench.gate.no = no
    with pytest.raises(RefusedError):
        await bench.sum([4, -9])
    assert bench.said == []
    bench.journal.begin_attempt(RUN, 1, b"start")


async def test_a_sum_asks_the_gate_before_it_contributes_and_before_it_releases() -> None:
    bench = Bench()
    assert await bench.sum([4, -9]) == [12, -27]
    assert bench.gate.asked == [("round", 0), ("round", 0), ("release", 3), ("charge", 0)]
    assert bench.kinds() == ["Contribution", "Release"]
    assert bench.cohort.unsettled == tuple(bench.said)
    assert (bench.cohort.size, bench.cohort.minimum_count) == (3, 5)


@pytest.mark.parametrize(("no", "kinds"), [
    (("round", 0), []), (("release", 3), ["Contribution"]),
])
async def test_a_gate_that_says_no_lets_nothing_out(no: tuple[str, int], kinds: list[str]) -> None:
    bench = Bench()
    bench.gate.no = no
    with pytest.raises(RefusedError):
        await bench.sum([1])
    assert bench.kinds() == kinds
    row = bench.journal.run(RUN)
    assert row is not None
    assert not row.released


async def test_a_release_is_on_disk_before_it_leaves() -> None:
    bench = Bench()
    held: list[bytes | None] = []

    def post(message: Any) -> None:
        row = bench.journal.exchange(RUN, 0, message.exchange)
        assert row is not None
        held.append(row.digest if isinstance(message, Release) else row.payload)
        bench.said.append(message)

    bench.cohort._post = post
    await bench.sum([1])
    assert bench.kinds() == ["Contribution", "Release"]
    assert held[0] == bench.said[0].payload
    assert held[1] is not None


async def test_a_restart_says_the_same_again_and_then_goes_on() -> None:
    bench = Bench()
    await bench.sum([4], 0)
    first = list(bench.said)
    agreed = await bench.cohort.agree(np.array([1.0]))  # member 0 proposes
    proposal = bench.said[-1]
    binder = bench.binder
    second = await bench.sum([5], 2)
    transcript = bench.cohort.transcript
    bench.journal.settle()
    bench.restart()
    assert await bench.sum([4], 0) == [12]
    bench.binder = binder
    # The contribution behind an opened total is gone once the next one is on its way: nobody can need it.
    assert bench.kinds() == []
    assert (await bench.cohort.agree(np.array([1.0]))).tolist() == agreed.tolist()
    assert bench.said == [proposal]
    assert await bench.sum([5], 2) == second == [15]
    assert bench.cohort.transcript == transcript
    assert bench.kinds() == ["Proposal", "Contribution"]
    assert [type(m).__name__ for m in bench.cohort.unsettled] == ["Contribution"]
    assert first[0].payload != bench.said[1].payload


async def test_a_sum_after_the_first_opens_on_arrival() -> None:
    bench = Bench()
    await bench.sum([4])
    bench.said.clear()
    bench.gate.asked.clear()
    assert await bench.sum([6], 1) == [18]
    assert bench.kinds() == ["Contribution"]
    assert bench.said[0].opens_on_arrival
    assert bench.gate.asked == [("round", 1), ("release", 3), ("charge", 1)]


@pytest.mark.parametrize("no", [("round", 1), ("release", 3), ("charge", 1)])
async def test_what_opens_on_arrival_does_not_leave_where_the_gate_says_no(no: tuple[str, int]) -> None:
    bench = Bench()
    await bench.sum([4])
    bench.said.clear()
    bench.gate.no = no
    with pytest.raises(RefusedError):
        await bench.sum([6], 1)
    assert bench.said == []


async def test_killed_before_a_sum_opened_on_arrival_was_kept_it_says_the_same_again() -> None:
    bench = Bench()
    await bench.sum([4])
    binder = bench.binder
    await bench.sum([6], 1)
    before = bench.said[-1]
    bench.journal.lose()  # the second total was only in memory
    bench.restart()
    assert await bench.sum([4], 0) == [12]
    bench.binder = binder
    assert await bench.sum([6], 1) == [18]
    assert bench.said[-1] == before


async def test_killed_after_contributing_it_contributes_the_same_bytes() -> None:
    bench = Bench()
    bench.gate.no = ("release", 3)
    with pytest.raises(RefusedError):
        await bench.sum([7])
    before = bench.said[0]
    bench.gate.no = None
    bench.restart()
    assert await bench.sum([7]) == [21]
    assert bench.said[0] == before


async def test_killed_after_releasing_it_releases_the_same_bytes_first_thing() -> None:
    bench = Bench()
    await bench.sum([7])
    before = list(bench.said)
    bench.journal.lose()  # the total was only in memory
    bench.restart()
    assert await bench.sum([7]) == [21]
    assert bench.said == before


async def test_a_program_that_goes_another_way_after_a_restart_is_stopped() -> None:
    bench = Bench()
    await bench.sum([7])
    bench.journal.settle()
    for other in (
        lambda: bench.cohort.sum({"m": count([7], 100)}),
        lambda: bench.cohort.sum({"n": count([7, 8], 100)}),
        lambda: bench.cohort.sum({"n": real([7.0], 100.0)}),
        lambda: bench.cohort.agree(np.array([1.0])),
    ):
        bench.restart()
        with pytest.raises(RefusedError) as caught:
            await other()
        assert caught.value.code == "run.replay-differs"
        assert bench.said == []


@pytest.mark.parametrize("other", [np.array([1.0]), np.zeros(0), np.array([[1.0, 2.0, 3.0]])])
async def test_a_value_of_another_size_after_a_restart_is_stopped(other: np.ndarray) -> None:
    bench = Bench()
    await bench.cohort.agree(np.array([1.0, 2.0]))
    bench.restart()
    with pytest.raises(RefusedError) as caught:
        await bench.cohort.agree(other)
    assert caught.value.code == "run.replay-differs"
    bench.restart()
    with pytest.raises(RefusedError) as caught:
        await bench.sum([1])
    assert caught.value.code == "run.replay-differs"


async def test_the_first_member_proposes_and_others_adopt_its_bytes() -> None:
    first = Bench(0)
    own = np.array([1.0, -2e5])
    assert (await first.cohort.agree(own)).tolist() == own.tolist()
    proposal = first.said[0]
    assert isinstance(proposal, Proposal)
    for k in (1, 2):
        bench = Bench(k)
        bench.inbox.put(proposal, 0)
        near = own * (1 + 1e-12)
        assert (await bench.cohort.agree(near)).tobytes() == own.tobytes()
        assert bench.said == []
        assert bench.cohort.transcript == first.cohort.transcript


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
async def test_what_is_not_finite_is_not_agreed_on(bad: float) -> None:
    bench = Bench()
    with pytest.raises(InputError) as caught:
        await bench.cohort.agree(np.array([1.0, bad]))
    assert caught.value.code == "agree.not-finite"
    assert bench.said == []


async def test_updates_are_rounded_the_same_way_in_every_attempt() -> None:
    """Were each attempt rounded afresh, the mean over attempts would tell what the rounding hides."""
    terms = {"u": update(np.linspace(-1, 1, 40), 1.0, bits=4)}
    plain = []
    for number in range(2):
        bench = Bench()
        bench.circle = Circle(3, number=number)
        if number:
            bench.journal.begin_attempt(RUN, number, b"start")
        bench.restart()
        layout = plan(terms, 3)
        state = bench.cohort._contribute(0, layout, terms, None)
        bits = state.message.word_bits
        nothing = ArrayValues(np.zeros(layout.length, dtype=np.uint32))
        masks = Masking().protect(state.sum, bench.circle.roles[0]._pairs, nothing, state.seed)
        plain.append([(x - y) % 2**bits for x, y in zip(unplaned(state.message.payload, bits), unplaned(masks, bits),
                                                        strict=True)])
    assert plain[0] == plain[1]


@pytest.mark.parametrize("own", [0, 2])
def test_every_member_sees_the_same_names_and_its_own_place(own: int) -> None:
    bench = Bench(own)
    assert bench.cohort.names == ("clinic-1", "clinic-2", "clinic-3")
    assert (bench.cohort.place, bench.cohort.smallest, bench.cohort.size) == (2 - own, 3, 3)


def test_single_institutions_show_only_where_every_member_waived() -> None:
    bench = Bench()
    everyone = frozenset(bench.names)
    assert not bench.cohort.exposed
    bench.restart(everyone - {bench.circle.keys[1].fingerprint})
    assert not bench.cohort.exposed
    bench.restart(everyone | {bench.circle.keys[0].fingerprint})
    assert bench.cohort.exposed


class Corresponding(Bench):
    """Member 0's cohort under the scheme none; the others' letters are made by bare roles."""

    def __init__(self) -> None:
        super().__init__()
        self.circle = Circle(3, scheme="none")
        self.restart()

    async def correspond(self, text: bytes, number: int = 0) -> dict[str, bytes]:
        transcript, attempt = self.cohort.transcript, self.circle.attempt
        task = asyncio.ensure_future(self.cohort.correspond({self.names[attempt.members[1].fingerprint]: text}))
        for _ in range(3):
            await asyncio.sleep(0)
        mine = [m for m in self.said if isinstance(m, Letters) and m.exchange == number]
        if mine:
            first = attempt.first
            theirs = [self.circle.roles[k].write(number, transcript, {first: b"from %d" % k}, b"") for k in (1, 2)]
            entries = tuple(check_letters(attempt, name, one)
                            for name, one in zip(self.circle.names, [mine[-1], *theirs], strict=True))
            self.inbox.put(Delivery(RUN, 0, number, entries, {
                name: one.sealed[first] for name, one in zip(self.circle.names[1:], theirs, strict=True)}), number)
        return await task


async def test_letters_ask_the_gate_and_are_charged_before_they_leave() -> None:
    bench = Corresponding()
    assert await bench.correspond(b"text") == {"clinic-2": b"from 1", "clinic-1": b"from 2"}
    assert bench.gate.asked == [("round", 0), ("release", 3), ("charge", 0)]
    assert await bench.correspond(b"text", 1) == {"clinic-2": b"from 1", "clinic-1": b"from 2"}
    assert bench.kinds() == ["Letters", "Letters"]
    assert [message.exchange for message in bench.cohort.unsettled] == [1]
    row = bench.journal.run(RUN)
    assert row is not None
    assert row.released


@pytest.mark.parametrize("no", [("round", 0), ("release", 3), ("charge", 0)])
async def test_a_gate_that_says_no_lets_no_letter_out(no: tuple[str, int]) -> None:
    bench = Corresponding()
    bench.gate.no = no
    with pytest.raises(RefusedError):
        await bench.correspond(b"text")
    assert bench.kinds() == []


async def test_letters_cannot_be_repeated_after_a_restart() -> None:
    bench = Corresponding()
    await bench.correspond(b"text")
    bench.journal.lose()
    bench.restart()
    with pytest.raises(RefusedError) as caught:
        await bench.correspond(b"other text")
    assert caught.value.code == "cohort.letters-lost"
    assert bench.kinds() == []


async def test_a_study_that_secures_its_sums_passes_no_letters() -> None:
    bench = Bench()
    with pytest.raises(RefusedError) as caught:
        await bench.cohort.correspond({})
    assert caught.value.code == "cohort.letters-refused"
    assert bench.gate.asked == []
