"""Terms of a sum, opened totals and agreed values as frames; what comes from the child is checked like a stranger's."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.errors import ProtocolError
from sealane.node.sandbox.frames import Frame
from sealane.secagg.layout import MAXIMUM_ENTRIES
from sealane.secagg.terms import Kind, Term

MAXIMUM_TERMS = 10_000
MAXIMUM_DIMENSIONS = 8
LONGEST_NAME = 256
PAD = 8
DTYPES: dict[Kind, tuple[str, ...]] = {"count": ("<i8",), "real": ("<f8",), "update": ("<f4", "<f8")}
TOTALS = ("<i8", "<f4", "<f8")
_FLOAT = re.compile(r"-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}")
_NOISE = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?(E[+-]?[0-9]{1,3})?")
_TERM = {"name", "kind", "dtype", "shape", "bound", "bits", "norm", "noise", "whole", "signed", "void"}


def terms_frame(terms: Mapping[str, Term]) -> Frame:
    """Return what a child sends to have terms summed."""
    described, body = [], []
    for name, term in terms.items():
        dtype = "<f4" if term.values.dtype == np.float32 else "<i8" if term.kind == "count" else "<f8"
        described.append({
            "name": name, "kind": term.kind, "dtype": dtype, "shape": list(term.values.shape),
            "bound": float(term.bound).hex(), "bits": int(term.bits), "norm": float(term.norm).hex(),
            "noise": None if term.noise is None else str(term.noise), "whole": bool(term.whole),
            "signed": bool(term.signed), "void": bool(term.void)})
        body.append(_pad(np.ascontiguousarray(term.values, dtype=dtype).tobytes()))
    return Frame("sum", {"terms": described}, b"".join(body))


def read_terms(frame: Frame) -> dict[str, Term]:
    """Return the terms that a child asks to have summed.

    Raises:
        ProtocolError: anything about them is not as it has to be.
    """
    described = frame.fields.get("terms")
    if set(frame.fields) != {"terms"} or not isinstance(described, list) or not 1 <= len(described) <= MAXIMUM_TERMS:
        raise _malformed("terms")
    out: dict[str, Term] = {}
    at = 0
    for one in described:
        if not isinstance(one, dict) or set(one) != _TERM:
            raise _malformed("a term")
        kind: Kind | None = next((known for known in DTYPES if known == one["kind"]), None)
        if kind is None:
            raise _malformed("a term's kind")
        if not isinstance(one["bits"], int) or isinstance(one["bits"], bool) or not 0 <= one["bits"] <= 64:
            raise _malformed("a term's bits")
        if not all(isinstance(one[flag], bool) for flag in ("whole", "signed", "void")):
            raise _malformed("whether a term is whole, signed or void")
        name = one["name"]
        if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or name in out:
            raise _malformed("a term's name")
        values, at = _array(frame, at, one["dtype"], one["shape"], DTYPES[kind])
        out[name] = Term(values, kind, _float(one["bound"]), one["bits"], _float(one["norm"]),
                         _decimal(one["noise"]), one["whole"], one["signed"], one["void"])
    _check_end(frame, at)
    return out


def totals_frame(totals: Mapping[str, NDArray[Any]]) -> Frame:
    """Return opened totals as the child gets them."""
    described, body = [], []
    for name, values in totals.items():
        dtype = "<i8" if values.dtype.kind == "i" else "<f4" if values.dtype == np.float32 else "<f8"
        described.append({"name": name, "dtype": dtype, "shape": list(values.shape)})
        body.append(_pad(np.ascontiguousarray(values, dtype=dtype).tobytes()))
    return Frame("totals", {"totals": described}, b"".join(body))


def read_totals(frame: Frame) -> dict[str, NDArray[Any]]:
    """Return opened totals."""
    out, at = {}, 0
    for one in frame.fields["totals"]:
        out[one["name"]], at = _array(frame, at, one["dtype"], one["shape"], TOTALS)
    return out


def values_frame(kind: str, values: NDArray[np.float64]) -> Frame:
    """Return one array of floats, to be agreed on or agreed."""
    return Frame(kind, {"shape": list(values.shape)}, _pad(np.ascontiguousarray(values, dtype="<f8").tobytes()))


def read_values(frame: Frame) -> NDArray[np.float64]:
    """Return one array of floats.

    Raises:
        ProtocolError: anything about it is not as it has to be.
    """
    if set(frame.fields) != {"shape"}:
        raise _malformed("values")
    values, end = _array(frame, 0, "<f8", frame.fields["shape"], ("<f8",))
    _check_end(frame, end)
    return values


def _array(frame: Frame, at: int, dtype: object, shape: object, dtypes: Sequence[str]) -> tuple[NDArray[Any], int]:
    if dtype not in dtypes or not isinstance(dtype, str):
        raise _malformed("an array's type")
    if not isinstance(shape, list) or len(shape) > MAXIMUM_DIMENSIONS or not all(
            isinstance(side, int) and not isinstance(side, bool) and 0 <= side <= MAXIMUM_ENTRIES for side in shape):
        raise _malformed("an array's shape")
    entries = math.prod(shape)
    if entries > MAXIMUM_ENTRIES:
        raise _malformed("an array's size")
    end = at + entries * int(dtype[2:])
    if end > len(frame.body):
        raise _malformed("a body")
    values = np.frombuffer(frame.body, dtype, entries, at) if entries else np.empty(0, dtype)
    return values.reshape(shape).astype(dtype[1:], copy=False), end + -end % PAD


def _check_end(frame: Frame, at: int) -> None:
    if at != len(frame.body):
        raise _malformed("a body")


def _float(text: object) -> float:
    if not isinstance(text, str) or not _FLOAT.fullmatch(text):
        raise _malformed("a number")
    try:
        return float.fromhex(text)
    except OverflowError:
        raise _malformed("a number") from None


def _decimal(text: object) -> Decimal | None:
    if text is None:
        return None
    if not isinstance(text, str) or not _NOISE.fullmatch(text):
        raise _malformed("noise")
    return Decimal(text)


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % PAD)


def _malformed(what: str) -> ProtocolError:
    # What was sent instead is not quoted: it may be made of rows.
    return ProtocolError("sandbox.malformed-frame", "what the computation sent is no message", got=f"wrong {what}",
                         hint="the computation is at fault, or something broke into its process")
