"""The witness as a state machine: it follows one log and never cosigns another, whatever it is shown."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sealane.audit import tree
from sealane.audit.checkpoint import (
    cosign,
    log_key,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    witness_key,
)
from sealane.audit.merkle import leaf_hash
from sealane.audit.note import NoteKey, parse_key, parse_note
from sealane.audit.policy import Policy, parse_policy
from sealane.audit.witness import Witnessed, witness
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError

LOG, OTHER = (SigningKey(Secret(bytes([k]) * 32)) for k in (1, 2))
KEY = log_key(LOG.public_key)


class Book:
    """A log that a coordinator keeps."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves: list[bytes] = []
        self.hashes = tree.MemoryHashes()
        for leaf in leaves:
            self.add(leaf)

    def add(self, leaf: bytes) -> None:
        tree.append(self.hashes, len(self.leaves), leaf_hash(leaf))
        self.leaves.append(leaf)


class Witnessing(RuleBasedStateMachine):
    """An honest log, and a second one that forks off it somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.honest, self.forked = Book([]), Book([])
        self.state = Witnessed()
        self.signed: list[tuple[int, bytes]] = []

    def show(self, book: Book, old: int, size: int) -> None:
        root = tree.root(book.hashes, size)
        proof = tree.consistency(book.hashes, old, size) if old <= size else ()
        newer = witness(self.state, KEY, sign_checkpoint(LOG, size, root), old, proof)
        self.state = newer
        self.signed.append((newer.size, newer.root))

    @rule(leaf=st.binary(min_size=1, max_size=4), forks=st.booleans())
    def grow(self, leaf: bytes, forks: bool) -> None:
        self.honest.add(leaf)
        self.forked.add(b"other" + leaf if forks else leaf)

    @rule()
    def follow(self) -> None:
        size = len(self.honest.leaves)
        book = self.honest
        if self.state.size and tree.root(book.hashes, self.state.size) != self.state.root:
            book = self.forked  # it followed the fork first: then that is its log
        self.show(book, self.state.size, size)

    @rule(data=st.data(), forked=st.booleans())
    def lie(self, data: st.DataObject, forked: bool) -> None:
        book = self.forked if forked else self.honest
        size = data.draw(st.integers(0, len(book.leaves)))
        old = data.draw(st.integers(0, size))
        before = self.state
        try:
            self.show(book, old, size)
        except ProtocolError:
            assert self.state == before

    @invariant()
    def all_that_it_signed_is_one_log(self) -> None:
        for book in (self.honest, self.forked):
            if all(size <= len(book.leaves) and tree.root(book.hashes, size) == root for size, root in self.signed):
                return
        raise AssertionError("a witness cosigned two logs")

    @invariant()
    def it_never_goes_back(self) -> None:
        sizes = [size for size, _ in self.signed]
        assert sizes == sorted(sizes)


TestWitnessing = Witnessing.TestCase
TestWitnessing.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def five() -> tuple[Book, Witnessed]:
    book = Book([bytes([k]) for k in range(5)])
    return book, Witnessed(3, tree.root(book.hashes, 3))


def test_a_shrunk_log_is_refused() -> None:
    book, state = five()
    note = sign_checkpoint(LOG, 2, tree.root(book.hashes, 2))
    with pytest.raises(ProtocolError, match=r"audit\.shrunk"):
        witness(state, KEY, note, 2, ())


def test_another_logs_checkpoint_is_refused() -> None:
    book, state = five()
    note = sign_checkpoint(OTHER, 5, tree.root(book.hashes, 5))
    with pytest.raises(ProtocolError, match=r"audit\.other-log"):
        witness(state, KEY, note, 3, tree.consistency(book.hashes, 3, 5))


def test_a_checkpoint_that_was_changed_after_it_was_signed_is_refused() -> None:
    book, _ = five()
    note = sign_checkpoint(LOG, 5, tree.root(book.hashes, 5))
    for changed in (note.to_bytes().replace(b"\n5\n", b"\n6\n"), note.to_bytes().replace(b"\n5\n", b"\n05\n")):
        with pytest.raises(ProtocolError):
            verify_checkpoint(parse_note(changed), KEY)


def test_key_ids_are_those_of_the_specification() -> None:
    key = NoteKey("example.com/foo", 1, bytes(32))
    assert key.id == hashlib.sha256(b"example.com/foo\n\x01" + bytes(32)).digest()[:4]
    assert parse_key(key.to_text()) == key
    # The example key of Go's golang.org/x/mod/sumdb/note, published in its documentation.
    assert parse_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").kind == 1


def test_a_published_note_verifies() -> None:
    """The example of Go's note package, by its documentation."""
    from sealane.crypto.signing import verify_note

    key = parse_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = ("If you think cryptography is the answer to your problem,\n"
            "then you don't know what your problem is.\n")
    line = ("— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM"
            "=")
    note = parse_note(f"{text}\n{line}\n".encode())
    signature, = note.by(key)
    verify_note(key.public_key, note.text.encode(), signature)


@pytest.mark.parametrize("data", [
    b"", b"text\n", b"text\n\n", b"text\n\n- name AAAAAAA=\n", "text\n\n— na me AAAAAAAA\n".encode(),
    "te\x00xt\n\n— name AAAAAAAA\n".encode(), b"\xff\n\n", "text\n\n— name AAAAAAB=\n".encode(),
    b"x" * (1 << 18) + b"\n\n",
])
def test_malformed_notes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"audit\.note-malformed"):
        parse_note(data)


@pytest.mark.parametrize("text", ["a\n1\n", "a\n-1\nAAAA\n", "a\n1\nAAAA\n", "a\n1\n" + "A" * 43 + "=\nmore\n",
                                  "\n1\nx\n"])
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_checkpoint(text)


@pytest.mark.parametrize(("n", "c", "quorum"), [(2, 0, 2), (3, 1, 3), (4, 1, 3), (4, 2, 4), (5, 1, 4), (10, 3, 7)])
def test_a_quorum_is_more_than_half_of_n_and_c(n: int, c: int, quorum: int) -> None:
    keys = [SigningKey(Secret(bytes([10 + k]) * 32)) for k in range(n)]
    policy = Policy(KEY, {k.fingerprint: witness_key(k.public_key) for k in keys}, c)
    assert policy.quorum == quorum
    assert 2 * quorum > n + c >= 2 * (quorum - 1)
    note = sign_checkpoint(LOG, 0, tree.root(tree.MemoryHashes(), 0))
    for count in range(n + 1):
        lines = tuple(cosign(k, note.text, 7) for k in keys[:count])
        # The same witness twice, and a stranger, count for nothing.
        cosigned = type(note)(note.text, note.signatures + lines + lines[:1] + (cosign(OTHER, note.text, 7),))
        if count >= quorum:
            assert policy.check(cosigned).size == 0
        else:
            with pytest.raises(ProtocolError, match=r"audit\.no-quorum"):
                policy.check(cosigned)
    assert parse_policy(policy.to_bytes()) == policy


def test_a_cosignature_says_when() -> None:
    note = sign_checkpoint(LOG, 0, tree.root(tree.MemoryHashes(), 0))
    line = cosign(OTHER, note.text, 1234)
    key = witness_key(OTHER.public_key)
    assert verify_cosignature(note.text, key, line.value) == 1234
    with pytest.raises(ProtocolError):
        verify_cosignature(note.text, key, (1235).to_bytes(8, "big") + line.value[8:])


@pytest.mark.parametrize("data", [
    b"{}", b"[]", b"1", b'{"colluding":0,"log":"x","version":"sealane.audit-policy/v1","witnesses":[]}'])
def test_a_file_that_is_no_policy_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"audit\.policy-malformed"):
        parse_policy(data)
