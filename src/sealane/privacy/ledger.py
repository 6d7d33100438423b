"""The ledger of one node as a pure state machine: what was reserved, charged and given back, and which caps hold.

    RESERVED --commit--> COMMITTED          RESERVED --void--> VOIDED

A run reserves before it computes. The first byte that can help to open a sum leaves after its exchange is committed,
and never before. ``void`` ends a run: sums that it reserved and did not come to are given back, what is committed
stays. A run is one entry whatever becomes of it: tried again, continued after a restart, attempted for another cohort.

An act either is refused and changes nothing, or is applied. No disk, no clock, no randomness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.privacy.accountant import Spent, compose
from sealane.privacy.acts import Act, Cap, Commit, Request, Reserve, Scope, Void
from sealane.privacy.amounts import difference, down, text_of, up
from sealane.privacy.mechanism import Mechanism

DEFAULT_RELEASES = 200
"""Releases without noise that a dataset gives, where its steward sets no other number."""


class State(StrEnum):
    """Where an entry stands."""

    RESERVED = "RESERVED"
    COMMITTED = "COMMITTED"
    VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True)
class Entry:
    """One run on one dataset.

    Attributes:
        committed: the exchanges that were charged.
        over: whether what is left of the reservation was given back.
    """

    request: Request
    committed: frozenset[int] = frozenset()
    over: bool = False

    @property
    def state(self) -> State:
        """The state that people speak of."""
        if self.committed:
            return State.COMMITTED
        return State.VOIDED if self.over else State.RESERVED

    @property
    def charged(self) -> int:
        """Sums that are charged; a release without noise counts once."""
        return len(self.committed) if self.request.price is not None else min(len(self.committed), 1)

    @property
    def held(self) -> int:
        """Sums that are charged, or reserved and may still be."""
        if self.over:
            return self.charged
        return 1 if self.request.price is None else self.request.price.sums


class Ledger:
    """All entries and caps. :meth:`check` says whether an act is refused, :meth:`apply` carries it out."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.caps: dict[tuple[str, Scope, str], Cap] = {}

    def check(self, act: Act) -> bool:
        """Return whether the act changes anything.

        Raises:
            RefusedError: a cap, or the dataset's privacy unit, forbids it.
            ProtocolError: no entry can go this way.
            InputError: the mechanism cannot be priced at a cap's delta.
        """
        match act:
            case Reserve(request):
                return self._check_reserve(request)
            case Commit(run, exchange):
                return self._check_commit(run, exchange)
            case Void(run):
                return run in self.entries and not self.entries[run].over
            case Cap():
                return self.caps.get(_key(act)) != act

    def apply(self, act: Act) -> None:
        """Carry out an act that :meth:`check` did not refuse."""
        match act:
            case Reserve(request):
                self.entries[request.run] = Entry(request)
            case Commit(run, exchange):
                entry = self.entries[run]
                self.entries[run] = replace(entry, committed=entry.committed | {exchange})
            case Void(run):
                self.entries[run] = replace(self.entries[run], over=True)
            case Cap():
                self.caps[_key(act)] = act

    def of(self, dataset: str, version: str | None = None) -> Iterator[Entry]:
        """Give the entries of a dataset: under its name in any version, or of this version under any name."""
        for entry in self.entries.values():
            if entry.request.dataset == dataset or (version is not None and entry.request.version == version):
                yield entry

    def spent(self, dataset: str, delta: Decimal, *, version: str | None = None, scope: Scope = "dataset",
              target: str = "", reserved: bool = True) -> Spent:
        """Return what a dataset has spent, in all or towards one recipient or study; reservations count by default."""
        return compose(self.mechanisms(dataset, version, scope, target, reserved=reserved), delta)

    def mechanisms(self, dataset: str, version: str | None, scope: Scope = "dataset", target: str = "", *,
                   reserved: bool = True) -> list[tuple[Mechanism, int]]:
        """Return the mechanisms behind that, each with the number of its sums."""
        return [(entry.request.price.mechanism, entry.held if reserved else entry.charged)
                for entry in self.of(dataset, version)
                if entry.request.price is not None and _within(entry.request, scope, target)]

    def releases(self, dataset: str, version: str | None = None, scope: Scope = "dataset", target: str = "") -> int:
        """Return how many releases without noise a dataset has given or holds a place for."""
        return sum(entry.held for entry in self.of(dataset, version)
                   if entry.request.price is None and _within(entry.request, scope, target))

    def unit(self, dataset: str, version: str | None = None) -> str | None:
        """Return the privacy unit of a dataset: that of its first charge, or of a run that may come to one."""
        return next((entry.request.price.unit for entry in self.of(dataset, version)
                     if entry.request.price is not None and entry.held), None)

    def caps_of(self, dataset: str) -> list[Cap]:
        """Return the caps of a dataset, its own first."""
        return [cap for key, cap in sorted(self.caps.items()) if key[0] == dataset]

    def caps_on(self, request: Request) -> list[Cap]:
        """Return the caps that a request would spend from: of every name that this version of the rows has had."""
        names = {request.dataset, *(entry.request.dataset for entry in self.of(request.dataset, request.version))}
        return [cap for name in sorted(names) for cap in self.caps_of(name) if _within(request, cap.scope, cap.target)]

    def release_limits(self, request: Request) -> list[tuple[str, int, int]]:
        """Return what limits a request without noise: the limit's name, how many it counts now, and the most."""
        limits: list[tuple[Scope, str, str, int]] = [
            ("dataset", "", f"the cap of dataset {request.dataset}", self.release_cap(request.dataset))]
        limits += [(cap.scope, cap.target, name_of(cap), cap.releases) for cap in self.caps_on(request)
                   if cap.releases is not None]
        return [(name, self.releases(request.dataset, request.version, scope, target), most)
                for scope, target, name, most in limits]

    def release_cap(self, dataset: str) -> int:
        """Return how many releases without noise a dataset may give in all."""
        cap = self.caps.get((dataset, "dataset", ""))
        return DEFAULT_RELEASES if cap is None or cap.releases is None else cap.releases

    def _check_reserve(self, request: Request) -> bool:
        known = self.entries.get(request.run)
        if known is not None:
            if known.request != request:
                raise ProtocolError("ledger.run-differs", "a run came back that asks for something else",
                                    got=request.run, hint="the dataset, the study or this node's version changed")
            if known.over:
                raise ProtocolError("ledger.illegal-transition", "a run that is over came back", got=request.run,
                                    expected="a new run")
            return False
        if request.price is None:
            self._check_releases(request)
        else:
            self._check_unit(request, request.price.unit)
            self._check_epsilon(request, request.price.mechanism, request.price.sums)
        return True

    def _check_commit(self, run: str, exchange: int) -> bool:
        entry = self.entries.get(run)
        if entry is None or (entry.over and exchange not in entry.committed):
            raise ProtocolError("ledger.illegal-transition", "a sum is to be opened that nothing is reserved for",
                                got=f"run {run}, exchange {exchange}", expected="a reservation")
        if exchange in entry.committed or (entry.request.price is None and entry.committed):
            return False
        if len(entry.committed) >= entry.held:
            raise RefusedError("ledger.not-reserved", "the computation opens more sums than it said it would",
                               got=f"sum {len(entry.committed) + 1}", expected=f"at most {entry.held}",
                               hint="its price must count every sum that it opens")
        return True

    def _check_unit(self, request: Request, unit: str) -> None:
        recorded = self.unit(request.dataset, request.version)
        if recorded is not None and recorded != unit:
            raise RefusedError("ledger.unit-differs", f"{request.dataset} is accounted for by another privacy unit",
                               got=unit, expected=recorded,
                               hint="epsilons of different units do not add up: use a computation of the same unit")

    def _check_epsilon(self, request: Request, mechanism: Mechanism, sums: int) -> None:
        caps = [cap for cap in self.caps_on(request) if cap.epsilon is not None]
        if not any(cap.scope == "dataset" for cap in caps):
            raise RefusedError("ledger.no-cap", f"no privacy budget is set for {request.dataset}", got=request.run,
                               expected="a cap on epsilon",
                               hint=f"`sealane ledger cap {request.dataset} --epsilon 1 --delta 1e-6`")
        for cap in caps:
            assert cap.epsilon is not None
            assert cap.delta is not None
            before = self.mechanisms(request.dataset, request.version, cap.scope, cap.target)
            total = compose([*before, (mechanism, sums)], cap.delta).epsilon
            if total > cap.epsilon:
                left = difference(cap.epsilon, compose(before, cap.delta).epsilon)
                alone = compose([(mechanism, sums)], cap.delta).epsilon
                fit = fitting(before, mechanism, sums, cap.epsilon, cap.delta)
                raise RefusedError(
                    "ledger.cap-exceeded", f"the privacy budget does not allow this run: {name_of(cap)}",
                    got=f"epsilon {text_of(up(alone))} at delta {text_of(cap.delta)}, {text_of(up(total))} in all",
                    expected=f"at most {text_of(cap.epsilon)}, of which {text_of(down(left))} is left",
                    hint=(f"{fit} of its {sums} noised sums fit; " if sums > 1 else "")
                    + f"`sealane ledger explain {request.dataset}` says what it was spent on")

    def _check_releases(self, request: Request) -> None:
        for name, used, most in self.release_limits(request):
            if used >= most:
                raise RefusedError("ledger.releases-exhausted", f"no further release without noise is allowed: {name}",
                                   got=f"1 asked, {used} given or under way", expected=f"at most {most}",
                                   hint=f"`sealane ledger cap {request.dataset} --releases N` allows more")


def fitting(before: list[tuple[Mechanism, int]], mechanism: Mechanism, most: int, epsilon: Decimal,
            delta: Decimal) -> int:
    """Return how many sums of a mechanism fit behind what was released before, at most ``most``."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        within = compose([*before, (mechanism, middle)], delta).epsilon <= epsilon
        low, high = (middle, high) if within else (low, middle)
    return low


def name_of(cap: Cap) -> str:
    """Return how a refusal names a cap."""
    return f"the cap of dataset {cap.dataset}" + ("" if cap.scope == "dataset" else f" for {cap.scope} {cap.label}")


def make_cap(dataset: str, scope: Scope, target: str, label: str, epsilon: Decimal | None, delta: Decimal | None,
             releases: int | None) -> Cap:
    """Return a cap that limits something.

    Raises:
        InputError: it limits nothing, has only one of epsilon and delta, or a negative number of releases.
    """
    if (epsilon is None) != (delta is None) or (epsilon is None and releases is None):
        raise InputError("ledger.bad-cap", "a cap limits epsilon at a delta, or releases, or both",
                         got="only one of epsilon and delta" if releases is None or epsilon or delta else "nothing",
                         expected="--epsilon with --delta, or --releases",
                         hint="for example --epsilon 1 --delta 1e-6")
    if releases is not None and not 0 <= releases <= 1_000_000:
        raise InputError("ledger.bad-cap", "a number of releases is out of range", got=releases,
                         expected="0 to 1,000,000")
    return Cap(dataset, scope, target, label, epsilon, delta, releases)


def _within(request: Request, scope: Scope, target: str) -> bool:
    match scope:
        case "dataset":
            return True
        case "recipient":
            return any(fingerprint == target for _, fingerprint in request.recipients)
        case "study":
            return request.study == target


def _key(cap: Cap) -> tuple[str, Scope, str]:
    return cap.dataset, cap.scope, cap.target
