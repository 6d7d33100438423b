"""What a secure sum in a Flower app is: its public terms, bound into every key, and how a model becomes its vector."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.core.canonical import canonical_bytes, sha256
from sealane.errors import InputError, ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.layout import Layout, plan
from sealane.secagg.messages import Member
from sealane.secagg.quantize import Floats
from sealane.secagg.terms import update

RECORD = "sealane"
"""Name of the record that carries a step, beside the app's own records."""
SCHEMES = ("masking", "rlwe")
NAME = "update"
Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """Public terms of the sums of a run, which its keys are bound to.

    Attributes:
        scheme: ``masking`` or ``rlwe``.
        clip: largest absolute change of a parameter in a round; what is beyond is clipped.
        cap: largest number of examples that counts as a node's weight.
        bits: width that a change is quantised to, 4 to 24.
        smallest: fewest nodes whose sum is opened.
        colluding: how many nodes may collude with the server half.
        weighted_by: name of the metric that is a node's weight.
    """

    scheme: str
    clip: float
    cap: float
    bits: int = 16
    smallest: int = 3
    colluding: int = 1
    weighted_by: str = "num-examples"

    def check(self) -> None:
        """Check them.

        Raises:
            InputError: one is out of its range.
        """
        good = {
            "scheme": self.scheme in SCHEMES, "clip": _positive(self.clip), "cap": _positive(self.cap),
            "bits": 4 <= self.bits <= 24, "colluding": self.colluding >= 1,
            "smallest": self.smallest >= self.colluding + 2,
        }
        for name, holds in good.items():
            if not holds:
                raise InputError("flower.bad-terms", f"a secure sum cannot have this {name}", got=getattr(self, name),
                                 expected={"scheme": " or ".join(SCHEMES), "bits": "4 to 24",
                                           "colluding": "at least 1",
                                           "smallest": "at least the colluding nodes and two more"}.get(
                                               name, "a positive number"))

    def to_text(self) -> str:
        """Return them as canonical JSON."""
        return canonical_bytes(asdict(self)).decode()

    def hash(self) -> str:
        """Return the SHA-256 over them, in hexadecimal."""
        return sha256(b"sealane flower terms v1", self.to_text().encode()).hex()

    def attempt(self, run: str, members: tuple[Member, ...]) -> Attempt:
        """Return the attempt of a cohort; these terms stand where a study does elsewhere."""
        return Attempt(run, self.hash(), 1, self.scheme, members, self.colluding, self.smallest)

    def layout(self, length: int, cohort: int) -> Layout:
        """Return the plan of a sum of models with so many values: these, and the weight."""
        empty = np.broadcast_to(np.float32(0), (length + 1,))
        return plan({NAME: update(empty, self.clip, self.bits)}, cohort, smallest=self.smallest,
                    colluding=self.colluding)


def read_terms(text: object) -> Terms:
    """Read terms that another party sent.

    Raises:
        ProtocolError: they are none.
        InputError: one is out of its range.
    """
    try:
        terms = Terms(**json.loads(str(text)[:4096]))
        kinds = all(type(value) in (type(default), int) for value, default in zip(
            asdict(terms).values(), ("", 0.0, 0.0, 0, 0, 0, ""), strict=True))
    except (ValueError, TypeError, RecursionError):
        kinds = False
    if not kinds:
        raise ProtocolError("flower.terms-malformed", "terms of a secure sum are malformed", got=repr(str(text)[:80]))
    terms.check()
    return terms


def sent_hash(content: Any, kind: str) -> bytes:
    """Return the hash of all that an app is sent, in a message of that kind.

    Keys are bound to it, so that nodes that were sent different things open nothing. Otherwise a server
    half could send all but one node a model, or a learning rate, that changes nothing, and read that one's change out
    of the sum.

    Source: Pasquini et al., "Eluding Secure Aggregation in Federated Learning via Model Inconsistency" (CCS 2022).
    """
    parts = [kind.encode()]
    for name, record in sorted(content.array_records.items()):
        for key, array in record.items():
            parts += [f"{name!r} {key!r} {array.dtype} {tuple(array.shape)} {array.stype}".encode(), sha256(array.data)]
    for records in (content.metric_records, content.config_records):
        for name, record in sorted(records.items()):
            parts += [f"{name!r} {key!r} {record[key]!r}".encode() for key in sorted(record)]
    return sha256(b"sealane flower sent v1", *parts)


def flat_change(new: Arrays, old: Arrays) -> Floats:
    """Return by how much arrays changed, as one vector: float32 where all are, else float64.

    Raises:
        InputError: another number of arrays, other shapes, no floats, or a value that is not finite.
    """
    shapes = [[array.shape for array in arrays] for arrays in (new, old)]
    if shapes[0] != shapes[1]:
        raise InputError("flower.shapes-differ", "a ClientApp returned arrays of other shapes than it was sent",
                         got=f"{len(shapes[0])} arrays", expected=f"{len(shapes[1])} arrays of the shapes sent")
    if any(array.dtype.kind != "f" for array in (*new, *old)) or not new:
        raise InputError("flower.not-floats", "only arrays of floats are summed",
                         got=", ".join(sorted({str(array.dtype) for array in new})) or "no array",
                         hint="keep counters and masks out of the ArrayRecord")
    kind = np.float32 if all(array.dtype == np.float32 for array in new) else np.float64
    change = np.concatenate([np.subtract(a, b, dtype=kind).reshape(-1) for a, b in zip(new, old, strict=True)])
    if not np.isfinite(change).all():
        raise InputError("flower.not-finite", "a ClientApp returned a model with values that are not finite",
                         expected="finite numbers", hint="is its learning rate too large?")
    return change


def add_change(old: Arrays, change: NDArray[np.float64]) -> list[NDArray[Any]]:
    """Return arrays with a flat change added, each in its own dtype."""
    out, at = [], 0
    for array in old:
        part = change[at : at + array.size].reshape(array.shape)
        out.append((array + part).astype(array.dtype, copy=False))
        at += array.size
    return out


def _positive(value: float) -> bool:
    return math.isfinite(value) and 1e-30 < value < 1e30
