"""What each malformed or dishonest part of the log's evidence is refused with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sealane.audit import tree
from sealane.audit.checkpoint import cosign, log_key, parse_checkpoint, sign_checkpoint, verify_checkpoint, witness_key
from sealane.audit.entry import Entry, acts_detail, parse_acts, parse_entry
from sealane.audit.evidence import Leaf, check_evidence
from sealane.audit.merkle import EMPTY_ROOT, leaf_hash
from sealane.audit.note import Note, parse_note
from sealane.audit.policy import Policy, parse_policy
from sealane.audit.proof_file import verify_proof, write_proof
from sealane.audit.witness import Witnessed, witness
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.node.acts import MemoryActs, check_remembered

LOG = SigningKey(Secret(b"l" * 32))
NODES = [SigningKey(Secret(bytes([k]) * 32)) for k in range(3)]
POLICY = Policy(log_key(LOG.public_key), {k.fingerprint: witness_key(k.public_key) for k in NODES}, 0)
AT = "2026-03-01T12:00:00Z"
ENTRIES = [Entry(AT, "study.proposed", "alice", str(k)) for k in range(5)]
HASHES = tree.MemoryHashes()
for size, one in enumerate(ENTRIES):
    tree.append(HASHES, size, one.hash)


def note(*signers: SigningKey, size: int = 5) -> Note:
    signed = sign_checkpoint(LOG, size, tree.root(HASHES, size))
    return Note(signed.text, signed.signatures + tuple(cosign(k, signed.text, 1) for k in signers))


def leaf(position: int) -> Leaf:
    return Leaf(position, ENTRIES[position].canonical(), tree.inclusion(HASHES, position, 5))


def evidence(*leaves: Leaf, signers: list[SigningKey] = NODES, own: SigningKey = NODES[0]) -> int:
    return check_evidence(POLICY, own.fingerprint, note(*signers).to_bytes(), leaves, [ENTRIES[2]])


def remembered(count: int, least: int) -> None:
    acts = MemoryActs("north", lambda: None)  # type: ignore[arg-type, return-value]
    check_remembered(acts, least, acts_detail(count, EMPTY_ROOT))


CASES: dict[str, tuple[str, Callable[[], Any]]] = {
    "not of this node": ("audit.not-witnessed-here", lambda: evidence(leaf(2), signers=NODES[1:])),
    "another act": ("audit.other-act", lambda: evidence(leaf(1))),
    "no leaf": ("audit.leaves-missing", lambda: evidence()),
    "too few": ("audit.no-quorum", lambda: evidence(leaf(2), signers=NODES[:1])),
    "a count that is none": ("audit.acts-malformed", lambda: parse_acts("many acts " + "0" * 64)),
    "fewer acts than reported": ("audit.acts-missing", lambda: remembered(0, 1)),
    "more acts than remembered": ("node.rolled-back", lambda: remembered(1, 0)),
    "no root": ("audit.checkpoint-malformed", lambda: parse_checkpoint("a\n1\nAAAA\n")),
    "two signatures": ("audit.not-signed", lambda: verify_checkpoint(
        Note(note().text, note().signatures * 2), POLICY.log)),
    "an entry with more": ("audit.entry-malformed", lambda: parse_entry(b'{"at":"x"}')),
    "an entry at no time": ("audit.entry-malformed", lambda: Entry("now", "study.proposed", "a", "b").canonical()),
    "an entry too long": ("audit.entry-malformed", lambda: replace(ENTRIES[0], detail="x" * 2001).canonical()),
    "an act of no kind": ("audit.unknown-kind", lambda: replace(ENTRIES[0], kind="study.eaten").canonical()),
    "no such leaf": ("audit.no-such-leaf", lambda: tree.inclusion(HASHES, 5, 5)),
    "no such size": ("audit.no-such-size", lambda: tree.consistency(HASHES, 6, 5)),
    "no note": ("audit.note-malformed", lambda: parse_note(b"text")),
    "no JSON": ("audit.policy-malformed", lambda: parse_policy(b"colluding = 1")),
    "no policy": ("audit.policy-malformed", lambda: parse_policy(b"{}")),
    "a proof from elsewhere": ("audit.proof-from-elsewhere", lambda: witness(
        Witnessed(3, tree.root(HASHES, 3)), POLICY.log, note(), 2, tree.consistency(HASHES, 2, 5))),
    "a shorter log": ("audit.shrunk", lambda: witness(
        Witnessed(5, tree.root(HASHES, 5)), POLICY.log, note(size=3), 3, ())),
    "a first checkpoint with a proof": ("audit.not-consistent", lambda: witness(
        Witnessed(), POLICY.log, note(), 0, [bytes(32)])),
    "a note like a typed signature": ("signature.ambiguous", lambda: LOG.sign_note(b"DSSEv1 4 kind 0 ")),
    "a proof file cut short": ("audit.proof-malformed", lambda: verify_proof(b"c2sp.org/tlog-proof@v1\n", POLICY)),
}


@pytest.mark.parametrize("case", CASES)
def test_each_is_refused_by_name(case: str) -> None:
    code, act = CASES[case]
    with pytest.raises(SealaneError) as caught:
        act()
    assert caught.value.code == code


def test_what_holds_is_accepted() -> None:
    assert evidence(leaf(2)) == 5
    entry, position, size = verify_proof(write_proof(leaf(3), note(*NODES).to_bytes()), POLICY)
    assert (entry, position, size) == (ENTRIES[3], 3, 5)
    assert parse_entry(ENTRIES[0].canonical()) == ENTRIES[0]
    assert ENTRIES[0].hash == leaf_hash(ENTRIES[0].canonical())
