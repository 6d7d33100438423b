"""How the terms of one sum lie in one vector: planned from public facts alone, the same at every node.

The plan makes overflow impossible: the width is chosen so that the sum over the whole cohort of values at their
bounds still fits, and a value that crosses its bound is refused before it is encoded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.core.canonical import canonical_bytes
from sealane.core.octets import Buffer, Octets, stretches, whole
from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.errors import InputError, ProtocolError
from sealane.ring.base import ArrayValues, Values
from sealane.ring.words import WIDTHS, Width, Words, from_bytes, to_bytes
from sealane.secagg.conditional_rounding import clip_norm, norm_bound, round_within
from sealane.secagg.drowned import drowned
from sealane.secagg.fixed_point import decode_integers, decode_reals, encode_integers, encode_reals
from sealane.secagg.noise import Noised, Share, draw, share_of
from sealane.secagg.quantize import CLIPS, Quantized, dequantize, largest
from sealane.secagg.terms import Kind, Term

MINIMUM_FRACTION = 56
MAXIMUM_FRACTION = 100
MAXIMUM_ENTRIES = 1 << 28
_CHUNK = 1 << 16
UPDATE_BITS = range(4, 25)
BOUNDS = (2.0**-1000, 2.0**1000)
"""Within these no step from a bound to a width, and no scale of an update, leaves the range of a float."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one term lies, and how it is encoded."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    bound: float
    bits: int
    fraction: int
    start: int
    length: int
    norm: float = 0.0
    noise: tuple[Decimal, int, int] | None = None
    """Deviation of the sum's noise in steps, fewest survivors, and how many of them may collude."""
    whole: bool = False
    signed: bool = False

    @property
    def share(self) -> Share | None:
        """The noise that one node adds."""
        return None if self.noise is None else share_of(*self.noise)

    @property
    def reach(self) -> float:
        """The largest magnitude that one node's entry of a statistic can have, its noise included."""
        return self.bound + (0 if self.share is None else self.share.tail)

    @property
    def entries(self) -> tuple[int, int]:
        """The least and the largest that one node's entry of a count can be, without noise."""
        return -math.floor(self.bound) if self.signed else 0, math.floor(self.bound)

    @property
    def largest(self) -> int:
        """The largest integer that one node's entry of an update becomes, its noise included."""
        return largest(self.bits) + (0 if self.share is None else self.share.headroom)

    def describe(self) -> dict[str, Any]:
        """Return what the description of a sum says of it."""
        return {"name": self.name, "kind": self.kind, "shape": list(self.shape), "bound": self.bound, "bits": self.bits,
                "fraction": self.fraction, **({"norm": self.norm} if self.norm else {}),
                **({"noise": [str(self.noise[0]), *self.noise[1:]]} if self.noise else {}),
                **{flag: True for flag in ("signed", "whole") if getattr(self, flag)}}


Vector = Words | Values
"""Statistics as words of Z_2^w, shape ``(limbs, length)``; updates as small integers, read piece by piece."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The plan of one sum. Statistics are checked by every node; updates are not.

    Attributes:
        width: bits of an entry's ring, for statistics.
        length: number of entries.
        most: the largest sum of an entry over the whole cohort, for updates; 0 for statistics.
    """

    places: tuple[Place, ...]
    width: Width
    length: int
    cohort: int
    most: int = 0

    @property
    def whole(self) -> bool:
        """True where it opens for the whole cohort only: statistics are masked by pairs, whatever the scheme."""
        return self.verified or any(place.whole for place in self.places)

    @property
    def verified(self) -> bool:
        """True where every node checks the total: against contributions that are relayed whole, or by its tag."""
        return not self.most

    def describe(self) -> dict[str, Any]:
        """Return the description of what is summed."""
        return {"width": self.width, "cohort": self.cohort, "terms": [place.describe() for place in self.places]}

    def hash(self) -> bytes:
        """Return the hash of the canonical description (32 bytes)."""
        return _description_hash(self)


def write_vector(layout: Layout, vector: Vector) -> Buffer:
    """Write an opened sum: statistics as on the wire, updates as 32-bit little-endian entries, where they lie."""
    if isinstance(vector, np.ndarray):
        return to_bytes(vector, layout.width)
    entries = np.ascontiguousarray(vector.read(0, layout.length), dtype="<u4")
    return entries.view(np.uint8).data


def read_vector(layout: Layout, data: Octets) -> Vector:
    """Read what :func:`write_vector` wrote.

    Raises:
        ProtocolError: it has another length.
    """
    if not layout.most:
        return from_bytes(whole(data), layout.width, layout.length)
    if len(data) != 4 * layout.length:
        raise ProtocolError("words.wrong-length", "vector has the wrong length", got=f"{len(data)} bytes",
                            expected=f"{4 * layout.length} bytes")
    entries = np.empty(layout.length, dtype="<u4")
    at = 0
    for part in stretches(data):
        entries.view(np.uint8)[at : at + len(part)] = np.frombuffer(part, dtype=np.uint8)
        at += len(part)
    return ArrayValues(entries)


class Joined:
    """Several runs of small integers, one behind the other."""

    def __init__(self, parts: Sequence[Values]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Return entries ``start`` to ``stop``, shape ``(stop - start,)``."""
        out = np.empty(stop - start, dtype=np.uint32)
        begin = 0
        for part in self._parts:
            low, high = max(start, begin), min(stop, begin + len(part))
            if low < high:
                out[low - start : high - start] = part.read(low - begin, high - begin)
            begin += len(part)
        return out


@lru_cache(maxsize=64)
def _description_hash(layout: Layout) -> bytes:
    """Hash the description; names differ from sum to sum, the rest recurs and is slow to write."""
    terms = []
    for place in layout.places:
        before, after = _around_name(replace(place, name="", start=0))
        terms.append(before + canonical_bytes(place.name) + after)
    written = b'{"cohort":%d,"terms":[%b],"width":%d}' % (layout.cohort, b",".join(terms), layout.width)
    return hashlib.sha256(written).digest()


@lru_cache(maxsize=1024)
def _around_name(nameless: Place) -> tuple[bytes, bytes]:
    before, _, after = canonical_bytes(nameless.describe()).partition(b'"name":""')
    return before + b'"name":', after


def plan(terms: Mapping[str, Term], cohort: int, *, smallest: int | None = None, colluding: int = 0) -> Layout:
    """Choose widths and places for a cohort.

    Args:
        terms: what is summed.
        cohort: how many institutions.
        smallest: fewest survivors whose sum is opened; the whole cohort if not given. Noise is shared among so many,
            less the colluding ones.
        colluding: how many of them may collude.

    Raises:
        InputError: a bound is not a positive finite number, updates are mixed with statistics, or no ring is wide
            enough.
    """
    if not terms:
        raise InputError("sum.empty", "a sum needs at least one term")
    kinds = {term.kind for term in terms.values()}
    if "update" in kinds and len(kinds) > 1:
        raise InputError("sum.mixed", "updates and statistics cannot share a sum", hint="use two sums")
    shared = (cohort if smallest is None else smallest, colluding)
    width = max(_width(name, term, cohort, shared) for name, term in terms.items())
    places: list[Place] = []
    start = 0
    for name in sorted(terms):
        term = terms[name]
        length = math.prod(term.values.shape)
        fraction = 0
        if term.kind == "real":
            fraction = min(MAXIMUM_FRACTION, width - 1 - _integer_bits(term.bound, cohort))
        noise = None if term.noise is None else (term.noise, *shared)
        places.append(Place(name, term.kind, term.values.shape, term.bound, term.bits, fraction, start, length,
                            term.norm, noise, term.whole, term.signed))
        start += length
    if start > MAXIMUM_ENTRIES:
        raise InputError("sum.too-long", "sum has too many entries", got=start, expected=f"at most {MAXIMUM_ENTRIES}")
    most = cohort * max(place.largest for place in places) if "update" in kinds else 0
    if most >= 1 << 32:
        raise InputError("sum.too-wide", "the cohort's sum of an update's entry does not fit 32 bits",
                         got=f"{most.bit_length()} bits", hint="quantise to fewer bits, or with less noise")
    return Layout(tuple(places), width, start, cohort, most)


def encode(layout: Layout, terms: Mapping[str, Term], rounding_seed: Secret) -> Vector:
    """Encode the values by a layout.

    Raises:
        InputError: a value is not finite or crosses its bound. The message names the term, never the value.
    """
    parts: list[Words] = []
    updates: list[Values] = []
    for place in layout.places:
        values = terms[place.name].values.reshape(-1)
        if terms[place.name].void:
            seed = derive(rounding_seed, "void term", place.name.encode())
            parts.append(drowned(math.frexp(place.bound)[1] - 1 + place.fraction, place.length, layout.width, seed))
            continue
        if place.kind == "count":
            low, high = place.entries
            _check_bound(place.name, (values < low) | (values > high), f"from {low} to {high}")
            parts.append(encode_integers(_noised(place, values, rounding_seed), layout.width))
            continue
        if not all(np.isfinite(values[low : low + _CHUNK]).all() for low in range(0, values.size, _CHUNK)):
            raise InputError("sum.not-finite", f"term {place.name!r} holds a value that is not finite",
                             expected="finite numbers", hint="missing values must be handled before a sum")
        if place.kind == "real":
            _check_bound(place.name, np.abs(values) > place.bound, f"at most {place.bound}")
            parts.append(encode_reals(values, place.fraction, layout.width))
        else:
            updates.append(_update(place, values, rounding_seed))
    if updates:
        return updates[0] if len(updates) == 1 else Joined(updates)
    return np.concatenate(parts, axis=1)


def decode(layout: Layout, total: Vector, addends: int | None = None, *, own: Mapping[str, Term] | None = None,
           overwrite: bool = False) -> dict[str, NDArray[Any]]:
    """Read an opened sum: int64 for counts, float64 for reals, each in its term's shape.

    Updates are float32 where that holds every possible sum (below 2^24 steps), else float64.

    Args:
        layout: the plan.
        total: what was opened.
        addends: how many vectors were summed; the whole cohort's if not given.
        own: what this node added itself, if it did: what is left of a count is one that the others can have.
        overwrite: let updates take the place of the total, which saves a copy of a model.

    Raises:
        ProtocolError: it lies outside what members at their bounds could sum to: somebody lied about a contribution,
            a share or an aggregate.
    """
    addends = layout.cohort if addends is None else addends
    out: dict[str, NDArray[Any]] = {}
    for place in layout.places:
        end = place.start + place.length
        values: NDArray[Any]
        if isinstance(total, np.ndarray):
            part = np.ascontiguousarray(total[:, place.start : end])
            # Half as much again as the bound allows: rounding of floats is far inside, and a forged total far outside.
            values = decode_reals(part, place.fraction, layout.width)
            _check_total(layout, place, int((np.abs(values) > 1.5 * layout.cohort * place.reach + 1).sum()))
            if place.kind == "count":
                values = decode_integers(part, layout.width)
                _check_count(layout, place, values, addends, None if own is None else own[place.name])
        else:
            values = _read_updates(layout, place, total, addends, overwrite)
        out[place.name] = values.reshape(place.shape)
    return out


def _noised(place: Place, values: NDArray[Any], rounding_seed: Secret) -> NDArray[np.int64]:
    """Return the integers of a count, with this node's share of noise where there is one."""
    integers = np.ascontiguousarray(values, dtype=np.int64)
    if place.share is None:
        return integers
    return integers + draw(place.share, _noise_seed(place, rounding_seed), 0, place.length)


def _noise_seed(place: Place, rounding_seed: Secret) -> Secret:
    # Nothing of the cohort or of the description enters: noise drawn anew for the same values could be averaged away.
    return derive(rounding_seed, "noise of a term", place.name.encode())


def _update(place: Place, values: NDArray[Any], rounding_seed: Secret) -> Values:
    seed = derive(rounding_seed, "rounding of a term", place.name.encode())
    if place.norm:
        bound = norm_bound(place.norm, place.bound, place.bits, place.length)
        rounded = round_within(clip_norm(values, place.norm), place.bound, place.bits, seed, bound)
    else:
        rounded = Quantized(values, place.bound, place.bits, seed)
    if place.share is None:
        return rounded
    return Noised(rounded, place.share, _noise_seed(place, rounding_seed))


def _read_updates(layout: Layout, place: Place, total: Values, addends: int, overwrite: bool) -> NDArray[Any]:
    narrow = layout.most < 1 << 24
    if overwrite and narrow and isinstance(total, ArrayValues) and total.array.flags.writeable:
        out: NDArray[Any] = total.array[place.start : place.start + place.length].view(np.float32)
    else:
        out = np.empty(place.length, dtype=np.float32 if narrow else np.float64)
    offset = 0 if place.share is None else place.share.tail
    most = addends * place.largest
    over = 0
    for start in range(0, place.length, _CHUNK):
        entries = total.read(place.start + start, place.start + min(start + _CHUNK, place.length))
        over += int((entries > most).sum())
        out[start : start + _CHUNK] = dequantize(entries, place.bound, place.bits, addends, offset=offset)
    _check_total(layout, place, over)
    return out


def _check_count(layout: Layout, place: Place, total: NDArray[np.int64], addends: int, own: Term | None) -> None:
    """Hold a sum of integers, and what is left of it without a node's own, to exactly what so many can have."""
    tail, (least, most) = 0 if place.share is None else addends * place.share.tail, place.entries
    for n, rest in [(addends, total)] + ([] if own is None else [(addends - 1, total - own.values.reshape(-1))]):
        _check_total(layout, place, int(((rest < n * least - tail) | (rest > n * most + tail)).sum()))


def _check_total(layout: Layout, place: Place, over: int) -> None:
    if over:
        raise ProtocolError("sum.total-out-of-range", f"the opened sum of term {place.name!r} cannot be one",
                            got=f"{over} entries", expected=f"{layout.cohort} contributions within {place.bound}",
                            hint="a node or the coordinator lied: the run cannot be trusted")


def _integer_bits(bound: float, cohort: int) -> int:
    """Return b with cohort * (bound + 1 step) < 2^b."""
    return max(0, math.frexp(bound * cohort)[1]) + 1


def _width(name: str, term: Term, cohort: int, shared: tuple[int, int]) -> Width:
    if not BOUNDS[0] <= term.bound <= BOUNDS[1]:
        raise InputError("sum.bad-bound", f"term {name!r} needs a positive, finite bound", got=term.bound,
                         expected="from 2^-1000 to 2^1000")
    if term.kind == "update":
        if term.bits not in UPDATE_BITS:
            raise InputError("sum.bad-bits", f"term {name!r} has an unusable width", got=term.bits, expected="4 to 24")
        if not CLIPS[0] <= term.bound <= CLIPS[1]:
            raise InputError("sum.bad-bound", f"term {name!r} is clipped to an unusable bound", got=term.bound,
                             expected="from 2^-64 to 2^64")
        return 64
    if term.void and term.kind != "real":
        raise InputError("sum.void-count", f"term {name!r} cannot be void", got=term.kind, expected="real")
    if term.kind == "real" and term.noise is not None:
        raise InputError("sum.noise-on-reals", f"term {name!r} asks for noise on real numbers", got="a real term",
                         expected="counts or an update", hint="noise is drawn on integers: scale and round them first")
    tail = 0 if term.noise is None else share_of(term.noise, *shared).tail
    needed = 1 + _integer_bits(term.bound + tail, cohort)
    if term.kind == "count" and needed > 64:
        raise InputError("sum.too-wide", f"the cohort's sum of term {name!r} does not fit 64 bits",
                         got=f"{needed} bits", hint="lower the bound")
    if term.kind == "real":
        needed += MINIMUM_FRACTION
    for width in WIDTHS:
        if needed <= width:
            return width
    raise InputError("sum.too-wide", f"the cohort's sum of term {name!r} does not fit 128 bits", got=f"{needed} bits",
                     hint="lower the bound or rescale the values")


def _check_bound(name: str, crossing: NDArray[np.bool_], expected: str) -> None:
    if over := int(crossing.sum()):
        raise InputError("sum.out-of-bounds", f"term {name!r} crosses its declared bound",
                         got=f"{over} of {crossing.size} entries", expected=expected,
                         hint="the data break the contract's range, or the computation declares too small a bound")
