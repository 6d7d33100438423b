"""The log's side of its witnesses: what it sends, keeps and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from circle import seed_of

from sealane.audit.checkpoint import cosign
from sealane.audit.note import parse_note
from sealane.coordinator.witnessing import Witnessing
from sealane.core.clock import system_clock
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.rpc.notices import ActsHead, Cosigned, FreshQuestion, HeadHeld, LogUpdate, PeerHead, WitnessHead
from sealane.simulation.log import MemoryLog

NODE, OTHER = SigningKey(seed_of("node")), SigningKey(seed_of("other"))


@pytest.fixture
def made() -> tuple[Witnessing, MemoryLog, list[Any]]:
    log, sent = MemoryLog(system_clock), []
    witnessing = Witnessing(log.key, log, lambda node, message: sent.append(message),
                            lambda node, detail: log.append("node.acts", "north", node, detail))
    log.append("study.proposed", "alice", "x")
    witnessing.connected(NODE.fingerprint, NODE.public_key)
    return witnessing, log, sent


def test_a_witness_is_sent_what_it_has_not_seen_and_once(made: Any) -> None:
    witnessing, log, sent = made
    witnessing.publish()
    assert sent == []  # it has not said yet where it stands
    witnessing.receive(NODE.fingerprint, WitnessHead(0))
    update, = sent
    assert isinstance(update, LogUpdate)
    witnessing.publish()
    assert len(sent) == 1
    text = parse_note(update.note).text
    line = cosign(NODE, text, 1).line().rstrip("\n")
    witnessing.receive(NODE.fingerprint, Cosigned(1, line))
    witnessing.receive(NODE.fingerprint, Cosigned(1, line))
    assert log.cosigned(1) == {NODE.fingerprint: line}
    witnessing.receive(NODE.fingerprint, WitnessHead(1))
    assert len(sent) == 1  # it has it, and its cosignature is here
    log.append("study.proposed", "alice", "y")
    witnessing.publish()
    assert sent[-1].old == 1
    witnessing.receive(NODE.fingerprint, ActsHead(0, bytes(32)))
    assert log.entries[-1].kind == "node.acts"


def test_a_witness_of_a_longer_log_is_not_served(made: Any) -> None:
    witnessing, log, _ = made
    for message in (WitnessHead(2), Cosigned(2, "— x AAAAAAAA")):
        with pytest.raises(ProtocolError) as caught:
            witnessing.receive(NODE.fingerprint, message)
        assert caught.value.code == "audit.witness-ahead"
    assert log.cosigned(2) == {}


def test_another_nodes_cosignature_is_refused(made: Any) -> None:
    witnessing, log, sent = made
    witnessing.receive(NODE.fingerprint, WitnessHead(0))
    text = parse_note(sent[0].note).text
    with pytest.raises(ProtocolError) as caught:
        witnessing.receive(NODE.fingerprint, Cosigned(1, cosign(OTHER, text, 1).line().rstrip("\n")))
    assert caught.value.code == "audit.not-its-key"
    wrong = cosign(NODE, text + "x\n", 1).line().rstrip("\n")
    with pytest.raises(ProtocolError) as caught:
        witnessing.receive(NODE.fingerprint, Cosigned(1, wrong))
    assert caught.value.code == "signature.invalid"
    assert log.cosigned(1) == {}
    assert Fingerprint(NODE.fingerprint) in witnessing.known


def test_what_peers_say_is_passed_on_also_to_who_comes_later(made: Any) -> None:
    witnessing = made[0]
    to: list[Any] = []
    witnessing.send = lambda node, message: to.append((node, message))
    head, question = ActsHead(3, bytes(32), bytes(64)), FreshQuestion(NODE.fingerprint, bytes(32))
    witnessing.receive(NODE.fingerprint, head)
    witnessing.receive(NODE.fingerprint, question)
    assert to == []  # nobody else is there
    witnessing.connected(OTHER.fingerprint, OTHER.public_key)
    told = PeerHead(NODE.public_key, 3, bytes(32), bytes(64))
    assert to == [(OTHER.fingerprint, told), (OTHER.fingerprint, question)]
    held = HeadHeld(NODE.fingerprint, 3, bytes(32), OTHER.public_key, bytes(64))
    witnessing.receive(OTHER.fingerprint, held)
    assert to[2:] == [(NODE.fingerprint, held)]
    witnessing.lost(NODE.fingerprint)
    witnessing.connected(OTHER.fingerprint, OTHER.public_key)
    assert to[3:] == [(OTHER.fingerprint, told)]  # a head lasts, a question ends with who asked it


def test_nobody_asks_in_anothers_name(made: Any) -> None:
    witnessing, _, sent = made
    with pytest.raises(ProtocolError) as caught:
        witnessing.receive(NODE.fingerprint, FreshQuestion(OTHER.fingerprint, bytes(32)))
    assert caught.value.code == "audit.question-of-another"
    assert (sent, witnessing.questions) == ([], {})
