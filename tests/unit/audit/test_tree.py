"""Proofs of random trees, held against a second writing of the RFC's definitions and against changed bytes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.audit import tree
from sealane.audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from sealane.errors import InputError, ProtocolError


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, read literally."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


class Counting(tree.MemoryHashes):
    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read(self, level: int, index: int) -> bytes:
        self.reads += 1
        return super().read(level, index)


def grown(count: int) -> tuple[Counting, list[bytes]]:
    hashes, leaves = Counting(), [f"leaf {k}".encode() for k in range(count)]
    for size, leaf in enumerate(leaves):
        assert tree.append(hashes, size, leaf_hash(leaf)) == size + 1
    return hashes, leaves


HASHES, LEAVES = grown(130)
sizes = st.integers(1, len(LEAVES))


@given(sizes)
def test_every_former_root_is_that_of_the_definition(size: int) -> None:
    assert tree.root(HASHES, size) == mth(LEAVES[:size])


def test_the_empty_tree_has_the_root_of_the_definition() -> None:
    assert tree.root(HASHES, 0) == mth([])


@given(st.data())
def test_inclusion_proofs_verify_and_any_changed_byte_is_refused(data: st.DataObject) -> None:
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    proof, leaf, root = list(tree.inclusion(HASHES, index, size)), leaf_hash(LEAVES[index]), mth(LEAVES[:size])
    verify_inclusion(leaf, index, size, proof, root)
    spoiled = data.draw(st.integers(0, len(proof) + 1))
    place, bit = data.draw(st.integers(0, 31)), 1 << data.draw(st.integers(0, 7))
    parts = [leaf, root, *proof]
    parts[spoiled] = parts[spoiled][:place] + bytes([parts[spoiled][place] ^ bit]) + parts[spoiled][place + 1:]
    with pytest.raises(ProtocolError):
        verify_inclusion(parts[0], index, size, parts[2:], parts[1])


@given(st.data())
def test_consistency_proofs_verify_and_any_changed_byte_is_refused(data: st.DataObject) -> None:
    new = data.draw(sizes)
    old = data.draw(st.integers(1, new))
    proof, roots = list(tree.consistency(HASHES, old, new)), [mth(LEAVES[:old]), mth(LEAVES[:new])]
    verify_consistency(old, new, proof, *roots)
    parts = [*roots, *proof]
    spoiled, place = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 31))
    parts[spoiled] = parts[spoiled][:place] + bytes([parts[spoiled][place] ^ 1]) + parts[spoiled][place + 1:]
    with pytest.raises(ProtocolError):
        verify_consistency(old, new, parts[2:], parts[0], parts[1])


@given(st.data())
def test_a_rewritten_leaf_has_no_consistency_proof(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 64))
    old = data.draw(st.integers(1, new))
    changed = data.draw(st.integers(0, old - 1))
    other = tree.MemoryHashes()
    for size, leaf in enumerate(LEAVES[:new]):
        tree.append(other, size, leaf_hash(b"another" if size == changed else leaf))
    with pytest.raises(ProtocolError, match=r"audit\.not-consistent"):
        verify_consistency(old, new, tree.consistency(other, old, new), mth(LEAVES[:old]), tree.root(other, new))


def test_appending_and_proving_read_few_hashes() -> None:
    hashes, _ = grown(4096)
    hashes.reads = 0
    tree.append(hashes, 4096, bytes(32))
    tree.inclusion(hashes, 1234, 4097)
    tree.consistency(hashes, 1000, 4097)
    tree.root(hashes, 4097)
    assert hashes.reads < 150


def test_what_is_not_there_cannot_be_proved() -> None:
    for ask in (lambda: tree.inclusion(HASHES, 5, 5), lambda: tree.consistency(HASHES, 6, 5)):
        with pytest.raises(InputError):
            ask()
