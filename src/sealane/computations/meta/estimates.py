"""Sums over the institutions' estimates, and how many of them may be opened before they give the estimates away.

Each institution has two unknown numbers per coefficient: its estimate and the variance of it. Sums over k institutions
are equations in 2k unknowns, and c colluding institutions know 2c of them. Power sums of weights at several values of
tau² are independent equations, so once as many are opened as there are unknowns, anybody who holds them can solve for
every single estimate. So sums are counted, and the one that would make as many is refused, unless every institution
has waived that: then their estimates are opened at once, in one sum, and all the rest is arithmetic at each node.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.design.variables import Array
from sealane.errors import RefusedError

FURTHEST = 2.0**10
"""Largest estimate, and largest variance, in standardised units: no meaningful effect of one spread comes near."""
DOMINANT = 0.85
"""Largest share of the weights that one institution may have: with more, the mean is nearly its own estimate."""
WIDEST = 67
"""Bits before the point of a sum that a ring of 128 holds beside 56 fractional bits, with some to spare."""


class Estimates:
    """The estimates that sums are taken over: a node's own, or where all have waived it everybody's.

    Attributes:
        theta: estimates in standardised units, shape ``(1, n_columns)`` or ``(n_institutions, n_columns)``. Private
            in the first case.
        variance: their variances, in the same shape.
        institutions: how many there are.
        heaviest: public bound on a weight.
    """

    def __init__(self, cohort: Cohort, theta: Array, variance: Array, heaviest: float) -> None:
        self.theta, self.variance, self.heaviest = theta[None, :], variance[None, :], heaviest
        self.institutions = cohort.size
        self._cohort = cohort
        self._left = _most(cohort)
        self._shown = False

    async def reveal(self) -> None:
        """Open every institution's estimates: one sum. Only for a cohort whose members all waived that."""
        if not self._cohort.exposed:
            raise not_waived("an institution's own estimates")
        slots = np.zeros((2, self.institutions, self.theta.shape[1]))
        slots[:, self._cohort.place] = self.theta[0], self.variance[0]
        scale = 2.0 ** (WIDEST - math.frexp(FURTHEST * self.institutions)[1])
        opened = (await self._cohort.sum({"estimates": real(slots * scale, FURTHEST * scale)}))["estimates"] / scale
        self.theta, self.variance = opened[0], opened[1]
        self._shown = True

    def weights(self, tau2: Array) -> Array:
        """Return ``1 / (variance + tau²)`` in the shape of ``variance``."""
        return np.asarray(1.0 / (self.variance + tau2), dtype=np.float64)

    async def add(self, terms: Mapping[str, tuple[Array, float]]) -> dict[str, Array]:
        """Sum named arrays ``(rows, n_columns)``, each with its public bound, over the institutions.

        Raises:
            RefusedError: the sums opened would be enough to solve for single estimates.
        """
        if self._shown:
            # Exactly rounded, so that all nodes arrive at the same bits.
            return {name: np.array([math.fsum(column) for column in values.T.tolist()])
                    for name, (values, _) in terms.items()}
        self._left -= len(terms)
        if self._left < 0:
            raise not_waived("what this method opens")
        # Values far under their bound keep their digits: use the whole ring (a power of two is exact).
        scales = {name: 2.0 ** (WIDEST - math.frexp(bound * self.institutions)[1])
                  for name, (_, bound) in terms.items()}
        opened = await self._cohort.sum({
            name: real(values[0] * scales[name], bound * scales[name]) for name, (values, bound) in terms.items()})
        return {name: opened[name] / scales[name] for name in terms}

    async def check_shares(self, total: Array) -> None:
        """Open how many institutions have nearly all of the weight of some coefficient, and refuse if one has.

        Raises:
            RefusedError: ``meta.dominated``.
        """
        if self._shown:
            return
        dominant = bool((self.weights(np.zeros_like(total)) > DOMINANT * total).any())
        opened = await self._cohort.sum({"dominant": count([int(dominant)], 1)})
        if int(opened["dominant"][0]):
            raise RefusedError("meta.dominated", "one institution has nearly all of the weight: dominance",
                               got=f"over {DOMINANT:.0%} of a coefficient's", expected="weights that are more even",
                               hint='method = "unweighted" counts each alike; or every institution waives')


def check_openings(cohort: Cohort, number: int) -> None:
    """Refuse, before anything is opened, a method that takes more sums than may be opened.

    Raises:
        RefusedError: ``meta.not-waived``.
    """
    if not cohort.exposed and number > _most(cohort):
        raise not_waived("what this method opens")


def _most(cohort: Cohort) -> int:
    """Return how many equations leave the two unknowns of each institution that does not collude undetermined.

    Whoever looks at them knows at least its own, where nobody is thought to collude.
    """
    colluding = max(cohort.smallest - cohort.honest, 1)
    return 2 * (cohort.size - colluding) - 1


def not_waived(what: str) -> RefusedError:
    """Return the refusal of a result that would give single institutions away."""
    return RefusedError(
        "meta.not-waived", f"{what} would make single institutions' estimates computable",
        got="a cohort in which not all have waived that", expected="a waiver of each institution, by name",
        hint='method = "fixed" or "unweighted" needs the fewest sums; or every institution waives in its agreement')
