"""A tag on each vector, by which the members hold a sum to be theirs though only its total was relayed.

Each node puts a tag of its own vector behind it, under a key that all members know and the coordinator does not. The
tag is linear: those of all members add up to the tag of the total. A coordinator that changes the total would have to
change the sum of tags to match, without the key.

The value h of a vector is that of Poly1305 before its last addition: a polynomial in a secret r modulo p = 2^130 - 5,
whose coefficients are the vector's words, 16 bytes to a coefficient, each with 2^128 added. So that integers add up
without a carry from one coefficient into the next, every entry is made non-negative first.

A tag is h plus a blind of every pair of members, which cancel modulo p as masks do. Without them members, who know the
key, would learn from the sums of the tags' digits how tags carry, and so of single vectors; with them the tags are
uniform but for their sum, which follows from the total.

A changed total passes with a chance of at most B / 2^106, of B coefficients: a polynomial of degree B has at most B
roots among the keys. A try that fails ends the run.

Source: RFC 8439, section 2.5; Bernstein, "The Poly1305-AES message-authentication code" (FSE 2005).
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.poly1305 import Poly1305

from sealane.core.secret import Secret
from sealane.errors import ProtocolError
from sealane.ring.words import Width, Words, add, limbs_of

PRIME = (1 << 130) - 5
ENTRIES = 4
"""A tag takes so many entries of the vector, 33 bits in each."""
_DIGIT = 33
_BLOCK = 16
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


def tagged(vector: Words, width: Width, cohort: int, key: Secret, blind: int) -> Words:
    """Return a vector with its tag behind it, shape ``(limbs, n + ENTRIES)``.

    Args:
        vector: of statistics, each below 2^(width - 1) / cohort in magnitude, shape ``(limbs, n)``.
        width: bits of an entry.
        cohort: how many vectors are summed.
        key: of this sum, 32 bytes, known to its members only.
        blind: of this member; those of the whole cohort add up to 0 modulo ``PRIME``.
    """
    tag = (_value(_coefficients(vector, width, (1 << (width - 1)) // cohort), key) + blind) % PRIME
    out = np.zeros((vector.shape[0], vector.shape[1] + ENTRIES), np.uint64)
    out[:, :-ENTRIES] = vector
    out[0, -ENTRIES:] = [tag >> (_DIGIT * place) & ((1 << _DIGIT) - 1) for place in range(ENTRIES)]
    return out


def untagged(total: Words, width: Width, cohort: int, key: Secret) -> Words:
    """Return a total without the sum of its members' tags.

    Raises:
        ProtocolError: they are not the tags of what it is the total of.
    """
    vector = np.ascontiguousarray(total[:, :-ENTRIES])
    summed = sum(int(entry) << (_DIGIT * place) for place, entry in enumerate(total[0, -ENTRIES:]))
    data = _coefficients(vector, width, (1 << (width - 1)) // cohort * cohort)
    # Each member's value has 2^128 in every coefficient, that of the total only once.
    wanted = _value(data, key) + (cohort - 1) * _marks(len(data) // _BLOCK, _r(key))
    if total[1:, -ENTRIES:].any() or (summed - wanted) % PRIME:
        raise ProtocolError("sum.total-changed", "the total is not that of the members' contributions",
                            hint="the coordinator or a node lied: the run cannot be trusted")
    return vector


def _coefficients(vector: Words, width: Width, shift: int) -> bytes:
    """Return the entries plus a number, 8 bytes each or 16 where they are wider, filled up to whole coefficients."""
    out = vector.copy()
    limbs = [(shift >> (64 * limb)) & ((1 << 64) - 1) for limb in range(limbs_of(width))]
    add(out, np.array(limbs, np.uint64)[:, None], width)
    data = np.ascontiguousarray(out.T, "<u8").tobytes()
    return data + bytes(-len(data) % _BLOCK)


def _value(data: bytes, key: Secret) -> int:
    """Return h, of which Poly1305 tells the lower 128 bits: one more coefficient of 0 tells the upper two."""
    low, after = _poly1305(key, data), _poly1305(key, data, bytes(_BLOCK))
    for top in range(4):
        found = low + (top << 128)
        if found < PRIME and (found + (1 << 128)) * _r(key) % PRIME % (1 << 128) == after:
            return found
    raise AssertionError("Poly1305 gave a value that no polynomial has")


def _marks(coefficients: int, r: int) -> int:
    """Return the value of so many coefficients of 0: the geometric series of 2^128 in r."""
    return (r * (pow(r, coefficients, PRIME) - 1) * pow(r - 1, -1, PRIME) << 128) % PRIME


def _r(key: Secret) -> int:
    return int.from_bytes(key.reveal()[:_BLOCK], "little") & _CLAMP


def _poly1305(key: Secret, *parts: bytes) -> int:
    one_time = Poly1305(key.reveal()[:_BLOCK] + bytes(_BLOCK))
    for part in parts:
        one_time.update(part)
    return int.from_bytes(one_time.finalize(), "little")
