"""What peers hold of a node's acts, and how many of them a node that started needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest
import signed

from sealane.audit.fresh import (
    ANSWER_KIND,
    HEAD_KIND,
    HELD_KIND,
    answer_body,
    answers_needed,
    head_body,
    held_body,
    holders_needed,
)
from sealane.audit.witness import Witnessed
from sealane.core.clock import ManualClock
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError, RefusedError, UnavailableError
from sealane.governance.study import Study
from sealane.node import fresh as module
from sealane.node.acts import ActsLog, MemoryActs
from sealane.node.fresh import Fresh, vouched
from sealane.node.register import Register
from sealane.node.witness import MemoryKept, WitnessRecords
from sealane.rpc.notices import ActsHead, FreshAnswer, HeadHeld, PeerHead

KEYS = {name: SigningKey(Secret(bytes([k]) * 32)) for k, name in enumerate(["north", "south", "west", "east"])}


@pytest.fixture
def nodes(tmp_path: Path, clock: ManualClock) -> Iterator[dict[str, Fresh]]:
    made = {}
    for name, key in KEYS.items():
        path = tmp_path / f"{name}.sqlite"
        with closing(Register(path, key.fingerprint, clock)) as register:
            for peer, other in KEYS.items():
                register.trust(peer, other.fingerprint)
        made[name] = Fresh(key, WitnessRecords(path), ActsLog(path, key.fingerprint, clock))
    yield made
    for one in made.values():
        one.kept.close()  # type: ignore[attr-defined]
        one.acts.close()  # type: ignore[attr-defined]


def peer_head(node: Fresh) -> PeerHead:
    head = node.head()
    return PeerHead(node.key.public_key, head.count, head.root, head.signature)


def others(*names: str) -> set[str]:
    return {KEYS[name].fingerprint for name in names}


@pytest.mark.parametrize("n", range(2, 13))
def test_holders_and_those_who_answer_share_one_that_is_honest(n: int) -> None:
    """By counting, over every c that a study may have: no choice of both groups shares c or fewer."""
    for c in range(n - 1):
        k, a = holders_needed(n, c), answers_needed(n, c)
        assert 1 <= k <= a <= n - 1
        holders = set(range(k))
        assert min(len(holders & set(group)) for group in combinations(range(n - 1), a)) == c + 1


def test_a_head_is_on_disk_before_it_is_said_to_be_held(nodes: dict[str, Fresh], tmp_path: Path) -> None:
    north, south = nodes["north"], nodes["south"]
    north.acts.record("run.cohort", "r-1")
    held = south.receive(peer_head(north))
    assert isinstance(held, HeadHeld)
    verify(KEYS["south"].public_key, HELD_KIND, held_body(KEYS["north"].fingerprint, 1, north.acts.root(1)),
           held.signature)
    with closing(WitnessRecords(tmp_path / "south.sqlite")) as again:
        assert again.load_head(KEYS["north"].fingerprint) == north.head()
    north.receive(held)
    assert north.held(others("south"), 0, 1)
    assert not north.held(others("south"), 0, 2)
    assert not north.held(others("west"), 0, 1)


def test_heads_only_grow_and_are_never_two(nodes: dict[str, Fresh]) -> None:
    north, south = nodes["north"], nodes["south"]
    early = peer_head(north)
    north.acts.record("run.cohort", "r-1")
    late = peer_head(north)
    assert south.receive(late) == south.receive(late) != None  # noqa: E711 - said again, the same
    assert south.receive(early) is None
    other = PeerHead(late.public_key, 1, bytes(32), KEYS["north"].sign(HEAD_KIND, head_body(1, bytes(32))))
    with pytest.raises(ProtocolError) as caught:
        south.hold(other)
    assert caught.value.code == "audit.acts-forked"
    with pytest.raises(ProtocolError, match=r"signature\.invalid"):
        south.hold(replace(late, count=2))
    assert south.receive(replace(late, count=2)) is None
    assert south.answer(north.question()).head == north.head()


def strangers(number: int) -> Iterator[Fresh]:
    """Keys that anybody makes up, such as a coordinator."""
    for k in range(number):
        key = SigningKey(Secret(bytes([200 + k]) * 32))
        yield Fresh(key, MemoryKept(), MemoryActs(key.fingerprint, ManualClock(datetime(2026, 1, 1, tzinfo=UTC))))


def test_strangers_heads_take_no_room(nodes: dict[str, Fresh], tmp_path: Path) -> None:
    south = nodes["south"]
    assert [south.receive(peer_head(one)) for one in strangers(3)] == [None] * 3
    assert south.receive(peer_head(nodes["north"])) is not None
    with closing(sqlite3.connect(tmp_path / "south.sqlite")) as db:
        assert db.execute("SELECT node FROM heads_held").fetchall() == [(KEYS["north"].fingerprint,)]


def test_a_head_that_is_held_grows_on_after_its_peer_is_distrusted(
    nodes: dict[str, Fresh], tmp_path: Path, clock: ManualClock
) -> None:
    north, south = nodes["north"], nodes["south"]
    assert south.receive(peer_head(north)) is not None
    with closing(Register(tmp_path / "south.sqlite", KEYS["south"].fingerprint, clock)) as register:
        register.distrust("north")
        register.distrust("west")
    north.acts.record("run.cohort", "r-1")
    assert south.receive(peer_head(north)) is not None
    assert south.receive(peer_head(nodes["west"])) is None


def test_who_signed_a_study_with_this_node_is_known(
    nodes: dict[str, Fresh], tmp_path: Path, clock: ManualClock, make: Callable[..., Study]
) -> None:
    south, study = nodes["south"], make()
    with closing(Register(tmp_path / "south.sqlite", KEYS["south"].fingerprint, clock)) as register:
        register.distrust("west")
        register.record_study(study.canonical())
        register.record_statement(study.hash, signed.agreement(study, KEYS["west"], "west"))
        assert south.receive(peer_head(nodes["west"])) is None  # anybody can propose a study and sign it
        register.record_statement(study.hash, signed.agreement(study, KEYS["south"], "south"))
        assert south.receive(peer_head(nodes["west"])) is not None


def test_strangers_answers_leave_room_for_those_who_are_known(
    nodes: dict[str, Fresh], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAXIMUM_PEERS", 2)
    north = nodes["north"]
    for peer in [*strangers(4), nodes["south"]]:
        said = peer.receive(peer_head(north))
        north.receive(peer.answer(north.question()))
        assert isinstance(said, HeadHeld)
        north.receive(said)
    assert north.answered(others("south"), 0)
    assert north.held(others("south"), 0, 0)
    assert len(north._answers) == len(north._holders) == 3


def test_an_answer_is_signed_over_all_that_it_says(nodes: dict[str, Fresh]) -> None:
    north, south = nodes["north"], nodes["south"]
    south.kept.save(Witnessed(7, b"r" * 32))  # type: ignore[attr-defined]
    north.acts.record("run.cohort", "r-1")
    south.receive(peer_head(north))
    answer = south.answer(north.question())
    assert (answer.size, answer.root, answer.head) == (7, b"r" * 32, north.head())
    verify(KEYS["south"].public_key, ANSWER_KIND, answer_body(
        KEYS["north"].fingerprint, north.nonce, 7, b"r" * 32, 1, north.acts.root(1)), answer.signature)
    lies = [replace(answer, size=8), replace(answer, root=bytes(32)), replace(answer, head=ActsHead(0, bytes(32))),
            replace(answer, public_key=KEYS["west"].public_key)]
    for lie in lies:
        with pytest.raises(ProtocolError, match=r"signature\.invalid"):
            north.take(lie)
    for foreign in (replace(answer, nonce=bytes(32)), replace(answer, node=KEYS["west"].fingerprint)):
        north.take(foreign)  # an answer of another start, or to another node, says nothing
    assert not north.answered(others("south"), 0)
    north.take(answer)
    assert north.answered(others("south"), 0)


def test_nobody_invents_acts_of_another(nodes: dict[str, Fresh]) -> None:
    north = nodes["north"]
    invented = ActsHead(9, bytes(32), bytes(64))
    body = answer_body(KEYS["north"].fingerprint, north.nonce, 0, bytes(32), 9, bytes(32))
    with pytest.raises(ProtocolError, match=r"signature\.invalid"):
        north.take(FreshAnswer(KEYS["north"].fingerprint, north.nonce, 0, bytes(32), invented,
                               KEYS["south"].public_key, KEYS["south"].sign(ANSWER_KIND, body)))
    north.check_remembered()


def test_of_two_logs_of_one_size_the_others_answer_does_not_count(nodes: dict[str, Fresh]) -> None:
    north, south = nodes["north"], nodes["south"]
    north.kept.save(Witnessed(7, b"n" * 32))  # type: ignore[attr-defined]
    south.kept.save(Witnessed(7, b"s" * 32))  # type: ignore[attr-defined]
    north.take(south.answer(north.question()))
    assert not north.answered(others("south"), 0)
    south.kept.save(Witnessed(8, b"s" * 32))  # type: ignore[attr-defined]
    north.take(south.answer(north.question()))
    assert north.answered(others("south"), 0)


async def test_a_copy_that_forgot_is_found_out_and_an_honest_restart_goes_on(
    nodes: dict[str, Fresh], tmp_path: Path, clock: ManualClock
) -> None:
    north, peers = nodes["north"], others("south", "west", "east")
    old = ActsLog(tmp_path / "old.sqlite", KEYS["north"].fingerprint, clock)
    for log in (old, north.acts):
        log.record("run.cohort", "r-1")
    north.acts.record("run.cohort", "r-2")
    for name in ("south", "west"):
        nodes[name].receive(peer_head(north))
    again, copy = (Fresh(KEYS["north"], north.kept, acts) for acts in (north.acts, old))
    for start in (again, copy):
        for name in ("south", "west", "east"):
            start.receive(nodes[name].answer(start.question()))
            held = nodes[name].receive(peer_head(start))
            if held is not None:
                start.receive(held)
    await vouched(again, peers, 1, 2, 1.0)
    with pytest.raises(RefusedError) as caught:
        await vouched(copy, peers, 1, 1, 1.0)
    assert caught.value.code == "node.rolled-back"
    old.close()


async def test_without_enough_peers_it_waits_and_no_longer_than_it_may(nodes: dict[str, Fresh]) -> None:
    north, peers = nodes["north"], others("south", "west", "east")
    for name in ("south", "west"):  # of 4 with c = 1, 3 must answer
        north.receive(nodes[name].answer(north.question()))
        held = nodes[name].receive(peer_head(north))
        assert held is not None
        north.receive(held)
    with pytest.raises(UnavailableError) as caught:
        await vouched(north, peers, 1, 0, 0.02)
    assert caught.value.code == "node.not-fresh"
    north.receive(nodes["east"].answer(north.question()))
    await vouched(north, peers, 1, 0, 0.02)
