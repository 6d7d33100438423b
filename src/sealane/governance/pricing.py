"""Whether a computation's price keeps what a study promises, and whether a sum is what was priced."""

from __future__ import annotations

from sealane.errors import RefusedError
from sealane.governance.study import Study
from sealane.privacy.accountant import compose
from sealane.privacy.amounts import parse_amount, parse_delta, text_of, up
from sealane.privacy.distributed import DistributedGaussian
from sealane.privacy.mechanism import Price
from sealane.privacy.sampled import SampledGaussian
from sealane.secagg.conditional_rounding import norm_bound
from sealane.secagg.layout import Layout, Place
from sealane.secagg.quantize import largest


def check_promise(study: Study, price: Price | None) -> None:
    """Refuse a computation that costs more than the study says that one run may.

    Raises:
        RefusedError: it does, or it adds no noise though the study promises some.
    """
    if study.epsilon is None or study.delta is None:
        return
    if price is None:
        raise RefusedError("study.not-private", "the study promises an epsilon, and its computation adds no noise",
                           got=study.computation, expected=f"epsilon {study.epsilon} at most",
                           hint="leave epsilon and delta out, or choose a computation with noise")
    cost = compose([(price.mechanism, price.sums)], parse_delta(study.delta)).epsilon
    if cost > parse_amount(study.epsilon, "epsilon"):
        raise RefusedError("study.price-exceeded", "a run would cost more privacy than the study allows",
                           got=f"epsilon {text_of(up(cost))} at delta {study.delta}",
                           expected=f"at most {study.epsilon}",
                           hint="lower epsilon among the parameters, or propose the study with a larger one")


def check_sum(layout: Layout, price: Price) -> None:
    """Refuse a sum that is not the one that was priced: without noise, with less, longer, or of a larger norm.

    How much one row or person changes counts is the computation's word, and so is how it draws rows; the norm of an
    update is in the sum's plan, or else follows from its entries.

    Raises:
        RefusedError: it is another, or its price is of a kind that no sum can be held against.
    """
    mechanism = price.mechanism.unsampled if isinstance(price.mechanism, SampledGaussian) else price.mechanism
    shares = [place.share for place in layout.places]
    bare = sum(share is None for share in shares)
    if bare:
        raise RefusedError("ledger.sum-without-noise", "a computation with a price opens only sums with noise",
                           got=f"{bare} of {len(shares)} terms without")
    if not isinstance(mechanism, DistributedGaussian):
        raise RefusedError("ledger.price-not-of-a-sum", "a price is of a kind that no sum's plan can be held against",
                           got=type(mechanism).__name__, expected="DistributedGaussian or SampledGaussian",
                           hint="the computation's price is wrong: it cannot run here")
    narrowest = min(share.sigma for share in shares if share is not None)
    honest = min(smallest - colluding for _, smallest, colluding in
                 (place.noise for place in layout.places if place.noise is not None))
    longest = sum(_norm_squared(place) for place in layout.places if place.kind == "update")
    if (layout.length > mechanism.entries or narrowest < mechanism.sigma or honest < mechanism.honest
            or longest > mechanism.norm_squared):
        raise RefusedError("ledger.sum-differs", "a sum is not the one that was priced",
                           got=f"{layout.length} entries, noise of {narrowest:.6g} at each of {honest} nodes, squared "
                               f"norm {longest}",
                           expected=f"at most {mechanism.entries} entries, noise of {mechanism.sigma:.6g} at each of "
                                    f"{mechanism.honest}, squared norm at most {mechanism.norm_squared}",
                           hint="the computation's price is wrong: it cannot run here")


def _norm_squared(place: Place) -> int:
    """Return the square of the largest norm, in steps, that one node's update can have."""
    if place.norm:
        return norm_bound(place.norm, place.bound, place.bits, place.length)
    half = largest(place.bits) // 2
    return place.length * half * half
