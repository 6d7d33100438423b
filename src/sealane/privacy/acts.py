"""What a ledger is written with: acts, one line each, in canonical bytes and chained by hashes.

    line n = {"number": n, "at": …, "act": …, …}        hash n = H(hash n-1, line n)        hash 0 = H(a label)

``number`` orders them, never ``at``: a clock that is set back changes nothing but what people read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sealane.core.canonical import canonical_bytes, parse_canonical, sha256
from sealane.errors import ProtocolError, SealaneError
from sealane.privacy.amounts import parse_amount, parse_delta, text_of
from sealane.privacy.mechanism import Price, describe, read_mechanism

GENESIS = sha256(b"sealane ledger v1")
ALL_ROWS = "all"
Scope = Literal["dataset", "recipient", "study"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a run asks of a dataset.

    Attributes:
        run: its id.
        dataset: name of the dataset at this node.
        version: of the dataset, hex.
        study: hash of the study, hex.
        recipients: (name, fingerprint) of whoever may open the result.
        computation: dotted name.
        price: what it costs; None where it releases without noise.
        rows: which rows it reads: ``all``, or the filter that it declares.
    """

    run: str
    dataset: str
    version: str
    study: str
    recipients: tuple[tuple[str, str], ...]
    computation: str
    price: Price | None
    rows: str = ALL_ROWS


@dataclass(frozen=True, slots=True)
class Reserve:
    """A run is about to compute: what it asks for is held."""

    request: Request


@dataclass(frozen=True, slots=True)
class Commit:
    """A run is about to let go of what helps to open a sum: it is charged, for ever."""

    run: str
    exchange: int


@dataclass(frozen=True, slots=True)
class Void:
    """A run is over: what it did not come to use is given back."""

    run: str


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit, which takes the place of the one of the same dataset, scope and target.

    Attributes:
        target: fingerprint of a recipient or hash of a study; empty for the dataset's own.
        label: the target as people call it.
        epsilon: the most that may be spent at ``delta``; None where only releases are limited, as is delta.
        delta: see there.
        releases: the most releases without noise; None where only epsilon is limited.
    """

    dataset: str
    scope: Scope
    target: str
    label: str
    epsilon: Decimal | None
    delta: Decimal | None
    releases: int | None


Act = Reserve | Commit | Void | Cap


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger: its number from 1, when it was written by the clock of then, and the act."""

    number: int
    at: str
    act: Act

    def canonical(self) -> bytes:
        """Return the RFC 8785 bytes."""
        return canonical_bytes({"number": self.number, "at": self.at, **_write(self.act)})


def chain(previous: bytes, body: bytes) -> bytes:
    """Return the hash of a line behind the hash of the one before it."""
    return sha256(previous, body)


def read_line(body: bytes, number: int) -> Line:
    """Read a line that was kept.

    Raises:
        ProtocolError: it is not the canonical form of an act with that number.
    """
    try:
        content = dict(parse_canonical(body))
        line = Line(content.pop("number"), content.pop("at"), _read(content))
        if line.number == number and line.canonical() == body:
            return line
    except (SealaneError, KeyError, TypeError, ValueError):
        pass
    raise ProtocolError("ledger.line-malformed", "a line of the ledger is not what a node writes", got=f"line {number}",
                        hint="the file was changed: restore it, and tell the auditor")


def _write(act: Act) -> dict[str, Any]:
    match act:
        case Reserve(request):
            price = None if request.price is None else {
                "mechanism": describe(request.price.mechanism), "sums": request.price.sums, "unit": request.price.unit}
            return {"act": "reserve", "run": request.run, "dataset": request.dataset, "version": request.version,
                    "study": request.study, "recipients": [list(one) for one in request.recipients],
                    "computation": request.computation, "price": price, "rows": request.rows}
        case Commit(run, exchange):
            return {"act": "commit", "run": run, "exchange": exchange}
        case Void(run):
            return {"act": "void", "run": run}
        case Cap():
            return {"act": "cap", "dataset": act.dataset, "scope": act.scope, "target": act.target, "label": act.label,
                    "epsilon": None if act.epsilon is None else text_of(act.epsilon),
                    "delta": None if act.delta is None else text_of(act.delta), "releases": act.releases}


def _read(content: Mapping[str, Any]) -> Act:
    fields = dict(content)
    match fields.pop("act"):
        case "reserve":
            price = fields.pop("price")
            recipients = tuple((str(name), str(print_)) for name, print_ in fields.pop("recipients"))
            return Reserve(Request(**fields, recipients=recipients, price=None if price is None else Price(
                read_mechanism(price["mechanism"]), price["sums"], price["unit"])))
        case "commit":
            return Commit(**fields)
        case "void":
            return Void(**fields)
        case "cap":
            epsilon, delta = fields.pop("epsilon"), fields.pop("delta")
            return Cap(**fields, epsilon=None if epsilon is None else parse_amount(epsilon, "epsilon"),
                       delta=None if delta is None else parse_delta(delta))
        case other:
            raise ValueError(f"no such act: {other!r}")
