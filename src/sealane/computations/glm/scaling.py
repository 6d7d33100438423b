"""The units in which the outcome is fitted: near 1, so that sums stay small and conditioning good.

A model of amounts is the same in any unit. With the identity link the predictor is multiplied like the outcome, with
the inverse link divided, and with the log link it moves by a constant, which an intercept takes up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.design.layout import Placement
from sealane.computations.glm.weighing import Total
from sealane.computations.glm.working import Kind
from sealane.computations.newton import Array
from sealane.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Scaling:
    """How outcome and predictor are fitted.

    Attributes:
        outcome: fitted is ``(y - centre) / scale``.
        predictor: fitted is ``(predictor - centre) / scale``; offsets are divided by the scale alone.
        null: fitted predictor of a model with only an intercept.
        deviance: unit of deviance and dispersion.
    """

    outcome: Placement
    predictor: Placement
    null: float
    deviance: float

    def fitted(self, y: Array) -> Array:
        """Return outcomes in fitted units."""
        return (y - self.outcome.centre) / self.outcome.scale


async def choose_scaling(cohort: Cohort, kind: Kind, place: Placement, total: Total, *, constant: bool) -> Scaling:
    """Choose units from where the outcome lies, and settle what went through a logarithm.

    Args:
        cohort: of the run.
        kind: family and link.
        place: of the outcome, as measured.
        total: opened weights and mean.
        constant: whether intercepts, common or of each institution, can take a constant up.

    Raises:
        RefusedError: ``glm.no-start``.
    """
    link = kind.link
    outcome = Placement(place.mean)
    if kind.family.name == "gaussian" and link.name == "identity":
        outcome = place
    elif kind.family.dispersed and (constant or link.name != "log") and total.mean > 0.0:
        outcome = Placement(place.mean, 0.0, total.mean)
    mean = (total.mean - outcome.centre) / outcome.scale
    shift, unit = 0.0, 1.0
    if link.name == "identity":
        shift, unit = outcome.centre, outcome.scale
    elif link.name == "inverse":
        unit = 1.0 / outcome.scale
    elif link.name == "log" and outcome.scale != 1.0:
        shift = math.log(outcome.scale)
    try:
        null = link.predictor(mean)
    except (ValueError, ZeroDivisionError):
        raise RefusedError("glm.no-start", f"the mean of the outcome is none that the {link.name} link takes",
                           got="a mean of 0 or less", expected="a mean above 0", hint="use another link") from None
    settled = await cohort.agree(np.array([shift, unit, null]))
    return Scaling(outcome, Placement(0.0, float(settled[0]), float(settled[1])), float(settled[2]),
                   outcome.scale**2 if kind.family.name == "gaussian" else 1.0)
