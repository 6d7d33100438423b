"""A tag on each vector, by which the members hold a sum to be theirs though only its total was relayed.

Each node puts a tag of its own vector behind it, under a key that all members know and the coordinator does not. The
tag is linear: those of all members add up to the tag of the total. It is masked and summed with the vector, so nobody
sees a single one. A coordinator that changes the total would have to change the sum of tags to match, without the key.

The tag is Poly1305 with s = 0: a polynomial in a secret r modulo 2^130 - 5, whose coefficients are the vector's words,
16 bytes to a coefficient. It gives 128 of the 130 bits of the value, so the sum is compared up to what that can hide.
So that integers add up without a carry from one coefficient into the next, every entry is made non-negative first.

A changed total is taken for right with a chance of at most B n / 2^103, B coefficients and n members: a polynomial of
degree B has at most B roots among the 2^106 keys, for each of the 6 n + 1 values that two missing bits can hide. A try
that fails ends the run.

Source: RFC 8439, section 2.5; Bernstein, "The Poly1305-AES message-authentication code" (FSE 2005).
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.poly1305 import Poly1305
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import ProtocolError
from sealane.ring.words import Width, Words, add, limbs_of

ENTRIES = 4
"""A tag takes so many entries of the vector, 32 bits in each."""
_PRIME = (1 << 130) - 5
_DIGIT = 32


def tagged(vector: Words, width: Width, cohort: int, key: Secret) -> Words:
    """Return a vector with its tag behind it, shape ``(limbs, n + ENTRIES)``.

    Args:
        vector: of statistics, each below 2^(width - 1) / cohort in magnitude, shape ``(limbs, n)``.
        width: bits of an entry.
        cohort: how many vectors are summed.
        key: of this sum, 32 bytes, known to its members only.
    """
    tag = _tag(_shifted(vector, width, (1 << (width - 1)) // cohort), key)
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
    shifted = _shifted(vector, width, (1 << (width - 1)) // cohort * cohort)
    # Poly1305 sets a bit above each coefficient: in the members' tags together that was done cohort times.
    off = summed - _tag(shifted, key) - (cohort - 1) * _tag(np.zeros_like(shifted), key)
    hidden = range(-3 * cohort, 3 * cohort + 1)
    if total[1:, -ENTRIES:].any() or not any((off + (top << 128)) % _PRIME == 0 for top in hidden):
        raise ProtocolError("sum.total-changed", "the total is not that of the members' contributions",
                            hint="the coordinator or a node lied: the run cannot be trusted")
    return vector


def _shifted(vector: Words, width: Width, shift: int) -> NDArray[np.uint64]:
    """Return the entries plus a number, in the form that is tagged: 8 bytes each, or 16 where they are wider."""
    out = vector.copy()
    limbs = [(shift >> (64 * limb)) & ((1 << 64) - 1) for limb in range(limbs_of(width))]
    add(out, np.array(limbs, np.uint64)[:, None], width)
    return np.ascontiguousarray(out.T, "<u8")


def _tag(words: NDArray[np.uint64], key: Secret) -> int:
    one_time = Poly1305(key.reveal()[:16] + bytes(16))
    one_time.update(memoryview(words.reshape(-1).data).cast("B"))
    return int.from_bytes(one_time.finalize(), "little")
