"""What a ledger says of one dataset, as JSON-ready values: caps and what is left, every entry, how many runs still fit.

Amounts are text: what was spent is rounded up to six digits, what is left is rounded down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sealane.privacy.accountant import Way, compose
from sealane.privacy.acts import Cap, Request, Scope
from sealane.privacy.amounts import difference, down, text_of, up
from sealane.privacy.ledger import Ledger, State, name_of
from sealane.privacy.mechanism import Mechanism, Price, describe

USUAL_DELTA = Decimal("1e-6")
"""What epsilon is stated at where no cap names a delta."""
MOST_FORECAST = 1_000_000
WHY: Mapping[Way, str] = {
    "zcdp": "Rényi divergences add up and become an epsilon once: k equal runs cost about the square root of k times "
            "one, not k times (closed form, in decimals)",
    "rdp": "Rényi divergences add up, order by order, and become an epsilon once at the best order: k equal runs cost "
           "about the square root of k times one, not k times (dp-accounting, RDP)",
    "pld": "the distributions of the privacy loss are convolved: it is improbable that every run loses much at once, "
           "so k equal runs cost about the square root of k times one, not k times (dp-accounting, PLD)",
}


def overview(ledger: Ledger, dataset: str, version: str | None) -> dict[str, Any]:
    """Return caps, what was spent, reserved and is left, by study and by recipient, and releases without noise."""
    delta = delta_of(ledger, dataset)
    entries = list(ledger.of(dataset, version))
    studies = dict.fromkeys((entry.request.study, entry.request.study[:12]) for entry in entries)
    recipients = dict.fromkeys((print_, name) for entry in entries for name, print_ in entry.request.recipients)
    return {
        "dataset": dataset, "version": version, "unit": ledger.unit(dataset, version), "delta": text_of(delta),
        "total": _amounts(ledger, dataset, version, "dataset", "", delta, None),
        "caps": [_amounts(ledger, dataset, version, cap.scope, cap.target, cap.delta or delta, cap.epsilon)
                 | {"scope": cap.scope, "target": cap.label, "releases": cap.releases}
                 for cap in ledger.caps_of(dataset)],
        "releases": {"cap": ledger.release_cap(dataset), "given": ledger.releases(dataset, version)},
        "studies": [{"study": target} | _amounts(ledger, dataset, version, "study", target, delta, None)
                    | {"releases": ledger.releases(dataset, version, "study", target)} for target, _ in studies],
        "recipients": [{"recipient": name, "fingerprint": target}
                       | _amounts(ledger, dataset, version, "recipient", target, delta, None)
                       | {"releases": ledger.releases(dataset, version, "recipient", target)}
                       for target, name in recipients],
        "queries": queries(ledger, dataset, version),
    }


def queries(ledger: Ledger, dataset: str, version: str | None) -> list[dict[str, Any]]:
    """Count the releases without noise per version of the dataset, recipient and computation."""
    counted: Counter[tuple[str, str, str]] = Counter()
    for entry in ledger.of(dataset, version):
        if entry.request.price is None and entry.held:
            for name, _ in entry.request.recipients or (("nobody", ""),):
                counted[entry.request.version, name, entry.request.computation] += 1
    return [{"version": found, "recipient": name, "computation": computation, "releases": number}
            for (found, name, computation), number in sorted(counted.items())]


def explain(ledger: Ledger, dataset: str, version: str | None, moments: Mapping[str, str]) -> dict[str, Any]:
    """Return every entry with what it cost by itself, and how all of them compose.

    Args:
        ledger: of the node.
        dataset: whose entries.
        version: of the dataset as it is registered now.
        moments: when each run was reserved, by its id.
    """
    delta = delta_of(ledger, dataset)
    entries, plain = [], Decimal(0)
    for entry in ledger.of(dataset, version):
        request, price = entry.request, entry.request.price
        cost = Decimal(0) if price is None else compose([(price.mechanism, entry.held)], delta).epsilon
        plain += cost
        entries.append({
            "run": request.run, "at": moments.get(request.run), "state": entry.state.value, "study": request.study,
            "computation": request.computation, "recipients": [name for name, _ in request.recipients],
            "version": request.version, "sums_charged": entry.charged,
            "sums_reserved": entry.held - entry.charged, "unit": None if price is None else price.unit,
            "mechanism": None if price is None else describe(price.mechanism),
            "epsilon_alone": None if price is None else text_of(up(cost)),
        })
    total = ledger.spent(dataset, delta, version=version)
    noised = [e for e in entries if e["mechanism"] is not None and e["state"] != State.VOIDED.value]
    return {"dataset": dataset, "unit": ledger.unit(dataset, version), "delta": text_of(delta),
            "total": text_of(up(total.epsilon)), "plain_sum": text_of(up(plain)),
            "way": total.way if noised else None, "why": WHY[total.way] if len(noised) > 1 else None,
            "entries": entries}


def forecast(ledger: Ledger, request: Request) -> dict[str, Any]:
    """Return how many more runs fit that ask for this, which cap ends them, and what is left of each cap.

    Args:
        ledger: of the node.
        request: of one such run; its id does not matter.
    """
    price, dataset = request.price, request.dataset
    if price is None:
        limits = ledger.release_limits(request)
        name, used, most = min(limits, key=lambda one: one[2] - one[1])
        return {"dataset": dataset, "epsilon_alone": None, "delta": None, "runs": max(most - used, 0),
                "limit": f"releases without noise: {name}", "caps": []}
    delta = delta_of(ledger, dataset)
    runs, limit = MOST_FORECAST, "no cap is near"
    caps = [cap for cap in ledger.caps_on(request) if cap.epsilon is not None]
    if not any(cap.scope == "dataset" for cap in caps):
        runs, limit = 0, f"no privacy budget is set for {dataset}"
    for cap in caps:
        fitting = fits(ledger, request, cap)
        if fitting < runs:
            runs, limit = fitting, name_of(cap)
    return {"dataset": dataset, "epsilon_alone": text_of(up(compose([(price.mechanism, price.sums)], delta).epsilon)),
            "delta": text_of(delta), "runs": runs, "limit": limit,
            "caps": [_amounts(ledger, dataset, request.version, cap.scope, cap.target, cap.delta or delta, cap.epsilon)
                     | {"scope": cap.scope, "target": cap.label} for cap in caps]}


def fits(ledger: Ledger, request: Request, cap: Cap, *, reserved: bool = True) -> int:
    """Return how many more runs of a request's price one cap on epsilon allows.

    Args:
        ledger: of the node.
        request: of one such run, with a price.
        cap: that counts.
        reserved: whether what is reserved counts as spent, as it does when a run asks.
    """
    assert request.price is not None
    assert cap.epsilon is not None
    assert cap.delta is not None
    before = ledger.mechanisms(request.dataset, request.version, cap.scope, cap.target, reserved=reserved)
    return _fitting(before, request.price, cap.epsilon, cap.delta)


def delta_of(ledger: Ledger, dataset: str) -> Decimal:
    """Return the delta that a dataset's epsilon is stated at: that of its cap."""
    cap = ledger.caps.get((dataset, "dataset", ""))
    return USUAL_DELTA if cap is None or cap.delta is None else cap.delta


def _fitting(before: list[tuple[Mechanism, int]], price: Price, epsilon: Decimal, delta: Decimal) -> int:
    def fits(runs: int) -> bool:
        return compose([*before, (price.mechanism, price.sums * runs)], delta).epsilon <= epsilon

    low, high = 0, 1
    while high <= MOST_FORECAST and fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return min(low, MOST_FORECAST)


def _amounts(ledger: Ledger, dataset: str, version: str | None, scope: Scope, target: str, delta: Decimal,
             cap: Decimal | None) -> dict[str, Any]:
    charged = ledger.spent(dataset, delta, version=version, scope=scope, target=target, reserved=False).epsilon
    total = ledger.spent(dataset, delta, version=version, scope=scope, target=target).epsilon
    held = total - charged if total.is_finite() else total
    return {"epsilon": None if cap is None else text_of(cap), "delta": text_of(delta), "spent": text_of(up(charged)),
            "reserved": text_of(up(max(held, Decimal(0)))),
            "left": None if cap is None else text_of(down(difference(cap, total)))}
