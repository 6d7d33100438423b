"""An owner answers only while its peers vouch that it remembers every row that it counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from expected_error import raises
from loans import loans
from score_models import CARD, LINEAR
from scoring_pair import ASKER, OWNER, Pair

from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import RefusedError, UnavailableError
from sealane.node.acts import ActsLog
from sealane.node.fresh import Fresh
from sealane.node.register import Register
from sealane.node.scoring.vouching import Vouching
from sealane.node.witness import WitnessRecords
from sealane.rpc.notices import ActsHead, FreshQuestion, PeerHead

pytest.importorskip("tenseal")
THIRD = SigningKey(Secret(b"third".ljust(32, b".")))
ANALYST = SigningKey(Secret(b"analyst".ljust(32, b".")))
ROWS = loans(3, 40)


class Peers:
    """An owner's peers, behind a coordinator that may keep their messages to itself."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.open: list[Fresh] = []
        self.peers = {"asker": self.start("asker", ASKER), "third": self.start("third", THIRD)}
        self.hidden: set[str] = set()
        self.hides: type | None = None
        self.begin()

    def start(self, name: str, key: SigningKey) -> Fresh:
        path = self.pair.directory / f"{name}.sqlite"
        with closing(Register(path, key.fingerprint, self.pair.clock)) as register:
            for peer, other in (("owner", OWNER), ("third", THIRD)):
                register.trust(peer, other.fingerprint)
        started = Fresh(key, WitnessRecords(path), ActsLog(path, key.fingerprint, self.pair.clock))
        self.open.append(started)
        return started

    def begin(self) -> None:
        """Start the owner from what it has on disk."""
        self.owner = self.start("owner", OWNER)
        self.owner.receive(seen_by_peers(self.peers["third"]))
        self.pair.owner.vouched = Vouching(self.owner, self.tell, patience_s=0.02).wait

    def tell(self, message: ActsHead | FreshQuestion) -> None:
        if type(message) is self.hides:
            return
        for name, peer in self.peers.items():
            if name not in self.hidden:
                said = peer.receive(message if isinstance(message, FreshQuestion) else seen_by_peers(self.owner))
                if said is not None:
                    self.owner.receive(said)

    def close(self) -> None:
        for one in self.open:
            one.kept.close()  # type: ignore[attr-defined]
            one.acts.close()  # type: ignore[attr-defined]


def seen_by_peers(node: Fresh) -> PeerHead:
    head = node.head()
    return PeerHead(node.key.public_key, head.count, head.root, head.signature)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


@pytest.fixture
def peers(pair: Pair) -> Iterator[Peers]:
    made = Peers(pair)
    yield made
    made.close()


def answers(pair: Pair) -> int:
    return sum(parcel.kind == "answer" for parcel in pair.sent)


@pytest.mark.parametrize("hidden", [{"third"}, {"asker"}, {"asker", "third"}])
def test_before_enough_peers_vouch_nothing_is_counted(pair: Pair, peers: Peers, hidden: set[str]) -> None:
    entry = pair.grant(CARD)
    peers.hidden = hidden  # of three nodes, one of which may lie, both others must vouch
    with raises("score.not-vouched", UnavailableError):
        pair.ask(entry, ROWS[:1])
    assert (pair.charged(entry), answers(pair)) == (0, 0)
    assert b"must serve" in pair.last("refusal").body
    peers.hidden = set()
    pair.ask(entry, ROWS[:1])
    assert (pair.charged(entry), answers(pair)) == (1, 1)


def test_an_answer_leaves_once_its_own_rows_are_vouched_for(pair: Pair, peers: Peers) -> None:
    entry = pair.grant(LINEAR)
    pair.ask(entry, ROWS[:1])
    before = len(pair.sent)
    peers.hides = ActsHead  # all know what the owner did so far, and hear of nothing new
    with raises("score.not-vouched", UnavailableError):
        pair.ask(entry, ROWS[1:3])
    assert [parcel.kind for parcel in pair.sent[before:]] == ["request"]
    assert pair.charged(entry) == 3
    peers.hides = None
    pair.owner.receive(pair.last("request"))
    assert (pair.charged(entry), answers(pair)) == (3, 2)


@pytest.mark.parametrize("honest", [True, False], ids=["third answers", "third is hidden"])
def test_an_owner_that_was_put_back_answers_nobody(pair: Pair, peers: Peers, honest: bool) -> None:
    """The asker lies for it, and the coordinator hides who would not: otherwise five rows would tell the model."""
    entry = pair.grant(LINEAR)
    copy = pair.directory / "copy.sqlite"
    with closing(sqlite3.connect(pair.directory / "owner.sqlite")) as now, closing(sqlite3.connect(copy)) as kept:
        now.backup(kept)
    pair.ask(entry, ROWS[:4])
    with raises("score.total-reached", RefusedError):
        pair.ask(entry, ROWS[4:5])
    pair.owner.close()
    pair.owner.register.close()
    peers.owner.kept.close()  # type: ignore[attr-defined]
    peers.owner.acts.close()  # type: ignore[attr-defined]
    for left in pair.directory.glob("owner.sqlite*"):
        left.unlink()
    copy.rename(pair.directory / "owner.sqlite")
    pair.owner = pair.desk("owner", OWNER)
    peers.begin()
    peers.peers["asker"] = peers.start("forgetful", ASKER)
    peers.hidden = set() if honest else {"third"}
    with raises(*(("node.rolled-back", RefusedError) if honest else ("score.not-vouched", UnavailableError))):
        pair.ask(entry, ROWS[4:5])
    assert (pair.charged(entry), answers(pair)) == (0, 1)


def test_of_two_nodes_the_asker_vouches_alone_and_an_analyst_is_not_waited_for(pair: Pair) -> None:
    path = pair.directory / "asker.sqlite"
    pair.owner.register.trust("analyst", ANALYST.fingerprint)
    with closing(WitnessRecords(path)) as kept, closing(WitnessRecords(pair.directory / "owner.sqlite")) as own, \
            closing(ActsLog(path, ASKER.fingerprint, pair.clock)) as acts, \
            closing(ActsLog(pair.directory / "owner.sqlite", OWNER.fingerprint, pair.clock)) as own_acts:
        asker, owner = Fresh(ASKER, kept, acts), Fresh(OWNER, own, own_acts)

        def tell(message: ActsHead | FreshQuestion) -> None:
            said = asker.receive(message if isinstance(message, FreshQuestion) else seen_by_peers(owner))
            assert said is not None
            owner.receive(said)

        entry = pair.grant(CARD)
        pair.owner.vouched = Vouching(owner, tell, patience_s=0.02).wait
        pair.ask(entry, ROWS[:1])
        assert own.verified_nodes(OWNER.fingerprint) == {ASKER.fingerprint}
        own.save_head(ANALYST.fingerprint, owner.head())  # were it a node
        assert own.verified_nodes(OWNER.fingerprint) == {ASKER.fingerprint, ANALYST.fingerprint}
        assert own.verified_nodes(ASKER.fingerprint) == {ANALYST.fingerprint}
        with raises("score.not-vouched", UnavailableError):
            pair.ask(entry, ROWS[1:2])
