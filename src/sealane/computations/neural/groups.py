"""Groups of institutions, each with a slot of its own in one sum over the whole cohort, and how their means are joined.

A single institution's update is never opened, so one that is bad cannot be left out. What can be compared are sums of
groups. A group's sum is opened, so a group is at least as many institutions as the smallest cohort (the colluding ones
and two). Every institution fills the slot of its group and puts zeros into all others: the cohort of the sum is the
whole cohort, and stays so.

Who is in which group follows from the institutions' names alone. Groups are runs of a power of two in an order drawn
from the names, what is left over joining the last. So groups of another run over the same institutions, with whatever
smallest cohort, either lie within these or hold whole ones, and their sums differ by sums of whole groups only.

Source: Yin et al., "Byzantine-Robust Distributed Learning" (ICML 2018), definition 2, for the trimmed mean; Blanchard
et al., "Machine Learning with Adversaries" (NeurIPS 2017), section 4, for Krum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Term
from sealane.computations.neural.sum_parameters import Robust
from sealane.computations.neural.vector import Vector
from sealane.errors import RefusedError


class Joining(Protocol):
    """How one vector comes of what the institutions sum."""

    def spread(self, vector: Vector) -> Vector:
        """Return what this node sums."""

    def terms(self, terms: Mapping[str, Term]) -> dict[str, Term]:
        """Return the terms of its sum."""

    def parts(self, total: Vector) -> list[Vector]:
        """Return the sums of which one vector is made, packed as they are."""

    async def join(self, cohort: Cohort, parts: list[Vector]) -> Vector:
        """Return the mean, the same at every node."""

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready values that a result says of it."""


class Together:
    """One sum over all."""

    def spread(self, vector: Vector) -> Vector:
        """Return the vector."""
        return vector

    def terms(self, terms: Mapping[str, Term]) -> dict[str, Term]:
        """Return them as they are."""
        return dict(terms)

    def parts(self, total: Vector) -> list[Vector]:
        """Return the sum."""
        return [total]

    async def join(self, cohort: Cohort, parts: list[Vector]) -> Vector:
        """Return the sum: parts were weighted."""
        return parts[0]

    def describe(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Grouped:
    """A slot for each group.

    Args:
        asked: of the study.
        groups: the group of each place of the cohort.
        own: of this node.
    """

    def __init__(self, asked: Robust, groups: Sequence[int], own: int) -> None:
        self._asked, self._own = asked, own
        self.sizes = np.bincount(groups).tolist()
        self._members = len(groups)
        self._chosen: list[int] = []

    def spread(self, vector: Vector) -> Vector:
        """Return the vector in this node's slot, and zeros in all others."""
        out = np.zeros((len(self.sizes), vector.size), dtype=vector.dtype)
        out[self._own] = vector
        return out.reshape(-1)

    def terms(self, terms: Mapping[str, Term]) -> dict[str, Term]:
        """Return terms that open for the whole cohort only: without drop-outs no group is smaller than it was."""
        return {name: replace(term, whole=True) for name, term in terms.items()}

    def parts(self, total: Vector) -> list[Vector]:
        """Return the mean of each group: a part was weighted by one over all institutions."""
        slots = total.reshape(len(self.sizes), -1)
        return [slot * slot.dtype.type(self._members / size) for slot, size in zip(slots, self.sizes, strict=True)]

    async def join(self, cohort: Cohort, parts: list[Vector]) -> Vector:
        """Return the trimmed mean, or the group that Krum chooses."""
        if self._asked.method == "trimmed_mean":
            return trimmed_mean(parts, self._asked.bad)
        # Sums of squares differ in their last bits from machine to machine, and a least score is a branch.
        scores = await cohort.agree(krum_scores(parts, self._asked.bad))
        chosen = int(np.argmin(scores))
        self._chosen.append(chosen)
        return parts[chosen]

    def describe(self) -> dict[str, Any]:
        """Return the method and the groups' sizes, and which one each round took."""
        told: dict[str, Any] = {"method": self._asked.method, "bad": self._asked.bad, "institutions": self.sizes}
        return {"robust": told | ({"chosen": self._chosen} if self._chosen else {})}


def grouped(names: Sequence[str], least: int) -> tuple[int, ...]:
    """Return the group of each institution, in the order of ``names``.

    Args:
        names: of all institutions, each once.
        least: institutions of a group, at least.
    """
    size = 1 << (least - 1).bit_length()
    order = sorted(range(len(names)), key=lambda place: hashlib.sha256(
        b"sealane neural group " + names[place].encode()).digest())
    out = [0] * len(names)
    for number, place in enumerate(order):
        out[place] = min(number // size, max(len(names) // size - 1, 0))
    return tuple(out)


def joining_for(asked: Robust | None, cohort: Cohort, contributors: int) -> Joining:
    """Return what the study asks for.

    Raises:
        RefusedError: there are too few groups, or institutions in them without rows.
    """
    if asked is None:
        return Together()
    if contributors < cohort.size:
        raise RefusedError("neural.group-without-rows", "robust aggregation needs rows of every institution",
                           got=f"{cohort.size - contributors} without", expected="rows at every institution",
                           hint="a group's sum would be that of fewer institutions than the smallest cohort")
    # Where all have waived that their own contribution may become computable, a group may be one institution.
    least = 1 if cohort.exposed else max(cohort.smallest, 2)
    groups = grouped(cohort.names, least)
    found = max(groups) + 1
    if found < asked.fewest:
        size = 1 << (least - 1).bit_length()
        raise RefusedError("neural.too-few-groups", "the cohort is too small for robust aggregation",
                           got=f"{found} groups of at least {size} institutions",
                           expected=f"{asked.fewest} groups for {asked.method} with {asked.bad} bad",
                           hint=f"ask {asked.fewest * size} institutions, or set clip_norm, which each node keeps to")
    return Grouped(asked, groups, groups[cohort.place])


def trimmed_mean(parts: Sequence[Vector], trim: int) -> Vector:
    """Return entry by entry the mean without the ``trim`` smallest and largest."""
    ordered = np.sort(np.stack(parts) + 0.0, axis=0)  # no -0.0, which machines sort in different places
    kept = ordered[trim : len(parts) - trim]
    total: Vector = kept[0].copy()
    for one in kept[1:]:
        total += one
    total /= total.dtype.type(len(kept))
    return total


def krum_scores(parts: Sequence[Vector], bad: int) -> NDArray[np.float64]:
    """Return for each group the sum of squared distances to the groups - bad - 2 nearest others."""
    count = len(parts)
    distances = np.zeros((count, count))
    for one in range(count):
        for other in range(one):
            apart = parts[one].astype(np.float64) - parts[other]
            distances[one, other] = distances[other, one] = float(np.einsum("i,i->", apart, apart))
    # The first of each row is the distance to itself, nought.
    return np.asarray(np.sort(distances, axis=1)[:, 1 : count - bad - 1].sum(axis=1))
