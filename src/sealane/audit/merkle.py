"""Merkle tree hashing and the verification of proofs.

A proof says yes or raises; hashes are exactly 32 bytes.

Source: RFC 6962 section 2.1 and RFC 9162 section 2.1 (hashing, proofs); the order of the checks follows the published
vectors of transparency-dev/merkle.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from sealane.errors import ProtocolError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
LARGEST_SIZE = 1 << 62
"""More leaves than any log has; what claims more is malformed."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash is at ``index`` in the tree of ``size`` leaves with this root.

    Raises:
        ProtocolError: it is not, or the proof is malformed.
    """
    if not 0 <= index < size <= LARGEST_SIZE:
        raise _malformed("the leaf's index is not in the tree", f"index {index} of {size}")
    _check_hashes((leaf, root, *proof))
    inner, border = _shape(index, size)
    if len(proof) != inner + border:
        raise _malformed("an inclusion proof has the wrong length", len(proof), inner + border)
    found = _inner(leaf, proof[:inner], index)
    found = _right_border(found, proof[inner:])
    if not hmac.compare_digest(found, root):
        raise ProtocolError("audit.not-included", "the leaf is not in the log under this root", got=f"index {index}",
                            expected=f"included among {size} leaves",
                            hint="the entry, the proof or the checkpoint was changed")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of ``new`` leaves begins with the tree of ``old`` leaves.

    Raises:
        ProtocolError: it does not, the proof is malformed, or ``old`` is 0.
    """
    if not 0 <= old <= new <= LARGEST_SIZE:
        raise _malformed("a log of more leaves comes before one of fewer", f"{old}, then {new}")
    _check_hashes((old_root, new_root, *proof))
    if old == 0:
        raise _malformed("a consistency proof from an empty log says nothing", 0)
    if old == new:
        if proof:
            raise _malformed("a proof between equal sizes is not empty", len(proof), 0)
        if not hmac.compare_digest(old_root, new_root):
            raise _forked(old, new)
        return
    if not proof:
        raise _malformed("a consistency proof is empty", 0)
    inner, border = _shape(old - 1, new)
    shift = (old & -old).bit_length() - 1
    inner -= shift
    seed, start = (old_root, 0) if old == 1 << shift else (proof[0], 1)
    if len(proof) != start + inner + border:
        raise _malformed("a consistency proof has the wrong length", len(proof), start + inner + border)
    rest, mask = proof[start:], (old - 1) >> shift
    before = seed
    for level, sibling in enumerate(rest[:inner]):
        if mask >> level & 1:
            before = node_hash(sibling, before)
    before = _right_border(before, rest[inner:])
    after = _right_border(_inner(seed, rest[:inner], mask), rest[inner:])
    if not (hmac.compare_digest(before, old_root) and hmac.compare_digest(after, new_root)):
        raise _forked(old, new)


def _shape(index: int, size: int) -> tuple[int, int]:
    """Return how many hashes of a proof are inside the complete part, and how many on the right border."""
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _inner(seed: bytes, proof: Sequence[bytes], index: int) -> bytes:
    for level, sibling in enumerate(proof):
        seed = node_hash(sibling, seed) if index >> level & 1 else node_hash(seed, sibling)
    return seed


def _right_border(seed: bytes, proof: Sequence[bytes]) -> bytes:
    for sibling in proof:
        seed = node_hash(sibling, seed)
    return seed


def _check_hashes(hashes: Sequence[bytes]) -> None:
    for one in hashes:
        if len(one) != HASH_BYTES:
            raise _malformed("a hash has the wrong length", f"{len(one)} bytes", f"{HASH_BYTES} bytes")


def _malformed(message: str, got: object, expected: object = None) -> ProtocolError:
    return ProtocolError("audit.proof-malformed", message, got=got, expected=expected)


def _forked(old: int, new: int) -> ProtocolError:
    return ProtocolError("audit.not-consistent", "the log does not continue the log that was there before",
                         got=f"sizes {old} and {new}", expected="the same leaves, and more after them",
                         hint="the log was rewritten or forked: keep both checkpoints, they are the evidence")
