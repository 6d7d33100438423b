"""What a study says when a network is to be differentially private, and what follows from that before any row is read.

Two promises are possible. *Record*: each row is hidden. A round is one step: every node clips each row's gradient, adds
up those of the rows that it drew by secret coins, and a share of the noise; the opened sum is all that is ever learned
of rows. *Institution*: all rows of an institution together are hidden. A round is as many local steps as the study
likes; the whole update is clipped, and noised in shares.

Everything else that a training without a promise opens is left out: rows by level and class, moments (the contract's
ranges take their place), losses, measures, validation. What a study asks for beside is refused.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from sealane.computations.base import Parameters
from sealane.computations.noise import least_sigma, sampled_mechanism
from sealane.computations.promise import Amount, Delta, Epsilon
from sealane.errors import InputError
from sealane.privacy.amounts import parse_amount, parse_delta
from sealane.privacy.mechanism import INSTITUTION, ROW, Price
from sealane.secagg.conditional_rounding import norm_bound
from sealane.secagg.quantize import step_of

if TYPE_CHECKING:
    from sealane.computations.neural.parameters import NeuralParameters

BITS = 16
"""Of an institution's update, where the study does not say."""
FLOAT_ROOM = 1.0 + 2.0**-12
"""How much longer a row's gradient may come out than it was clipped to: its norm is worked out in floats, and other
rows' last bits may depend on which rows lie beside them."""
ANY = {"outcome", "features", "categorical", "missing", "task", "model", "strategy", "strategy_arguments", "rounds",
       "learning_rate", "weight_decay", "precision", "seed", "epsilon", "delta", "protects", "ranges"}
RECORD = ANY | {"clip_row", "sampling_rate"}
OF_INSTITUTION = ANY | {"local_epochs", "local_steps", "batch_size", "optimizer", "momentum", "clip_gradient",
                        "clip_norm", "weights", "bits"}
"""What a study may say beside a promise; whatever else there is, or comes to be, is refused until it was thought of."""
WHY = {
    "early_stopping_rounds": "stopping would follow from exact losses",
    "validation_fraction": "validation losses are exact sums over rows",
    "correction": "controls are further sums over rows",
    "personal": "it is measured in exact sums over rows",
    "batch_size": "rows of a round are drawn by sampling_rate",
    "bits": "rows' gradients are summed exactly, on a grid that follows from the promise",
    "compression": "the norm that noise is made for is that of the whole update",
    "robust": "groups are sums over fewer institutions, with less noise than promised",
}


class PromisedTraining(Parameters):
    """The part of the parameters of a training that makes it private.

    Attributes:
        epsilon: the promise for one run, a decimal in quotes; None, with ``delta``, for exact sums.
        delta: the promise, a decimal in quotes.
        protects: ``record`` hides each row, ``institution`` all rows of an institution together.
        clip_row: largest Euclidean norm of one row's gradient (``record`` only).
        sampling_rate: probability with which a row takes part in a round (``record`` only), a decimal in quotes.
    """

    epsilon: Epsilon | None = None
    delta: Delta | None = None
    protects: Literal["record", "institution"] = "record"
    clip_row: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    sampling_rate: Amount = "1"

    @field_validator("sampling_rate")
    @classmethod
    def _rate(cls, text: str) -> str:
        if not Decimal("1e-6") <= parse_amount(text, "sampling_rate") <= 1:
            raise ValueError("sampling_rate is a decimal from 1e-6 to 1, in quotes")
        return text

    @model_validator(mode="after")
    def _whole_promise(self) -> PromisedTraining:
        if (self.epsilon is None) != (self.delta is None):
            raise ValueError("a promise has an epsilon and a delta")
        if self.epsilon is None and _set(self, ("protects", "clip_row", "sampling_rate")):
            raise ValueError("protects, clip_row and sampling_rate belong to a promise of epsilon and delta")
        return self

    @property
    def promised(self) -> bool:
        """Whether differential privacy is asked for."""
        return self.epsilon is not None

    @property
    def rate(self) -> Decimal:
        """Probability with which a row is drawn."""
        return Decimal(self.sampling_rate)


def check_coherent(params: NeuralParameters) -> None:
    """Refuse what a promise cannot go with.

    Raises:
        InputError: ``neural.not-private``, ``neural.unknown-range``, ``neural.institution-unclipped``.
    """
    if not params.promised:
        return
    record = params.protects == "record"
    allowed = RECORD if record else OF_INSTITUTION
    wrong = _set(params, tuple(name for name in type(params).model_fields if name not in allowed))
    if wrong:
        first = next((name for name in wrong if name in WHY), wrong[0])
        raise InputError("neural.not-private", f"{first} cannot go with a promise that protects {params.protects}s",
                         got=f"{first} and epsilon", expected=f"no {first}",
                         hint=WHY.get(first, "a round is one step over the rows that were drawn, with clip_row"
                                      if record else 'clip_row and sampling_rate belong to protects = "record"'))
    unknown = sorted(set(params.ranges) - set(params.features) - {params.outcome})
    if unknown:
        raise InputError("neural.unknown-range", "a range is given for a column that the model does not read",
                         got=unknown[0], expected="features or the outcome")
    if record and params.strategy == "FedProx":
        raise InputError("neural.not-private", "FedProx pulls local steps, of which a private round has none",
                         got="FedProx and epsilon", expected="another strategy")
    if not record and (params.clip_norm is None or params.weights != "equal" or params.bits == "exact"):
        raise InputError("neural.institution-unclipped", "an institution is hidden by clipping its whole update, and "
                         "where all count alike", got=f"clip_norm {params.clip_norm}, weights {params.weights}, "
                         f"bits {params.bits}", expected='clip_norm, weights = "equal", rounded updates',
                         hint='set clip_norm = 1 and weights = "equal"')


def _set(params: Parameters, names: tuple[str, ...]) -> list[str]:
    """Return which parameters are not what they are by default."""
    fields = type(params).model_fields
    return [name for name in names if getattr(params, name) != fields[name].get_default(call_default_factory=True)]


def steps_of_norm(entries: int) -> int:
    """Return how many steps of the grid make the norm of a row's gradient: so many that rounding lengthens it by 1/128.

    Rounding the sum moves two neighbours' apart by a step in each entry at most, which makes sqrt(entries) in norm.
    """
    return 1 << max(10, math.ceil(math.log2(128.0 * math.sqrt(entries))))


def norm_squared_of(params: NeuralParameters, entries: int) -> int:
    """Return the square of the norm, in steps, by which what is protected changes a round's sum at most."""
    if params.protects == "record":
        return math.ceil((steps_of_norm(entries) * FLOAT_ROOM + math.sqrt(entries)) ** 2)
    assert params.clip_norm is not None
    return norm_bound(params.clip_norm, params.clip_norm, bits_of(params), entries)


def bits_of(params: NeuralParameters) -> int:
    """Return to how many bits an institution's update is rounded."""
    return params.bits if isinstance(params.bits, int) else BITS


def sums_of(params: NeuralParameters) -> int:
    """Return how many noised sums a run opens: one a round; where rows are protected one more, of the rows drawn."""
    return params.rounds + (params.protects == "record")


def sigma_of(params: NeuralParameters, honest: int, entries: int) -> Decimal:
    """Return the deviation of the noise on each entry of a sum, in steps.

    Raises:
        InputError: no noise of usable width keeps the promise.
    """
    assert params.epsilon is not None
    assert params.delta is not None
    return least_sigma(parse_amount(params.epsilon, "epsilon"), parse_delta(params.delta), honest=honest,
                       entries=entries, norm_squared=norm_squared_of(params, entries), sums=sums_of(params),
                       rate=_rate_of(params))


def price_of_training(params: NeuralParameters, honest: int, entries: int) -> Price:
    """Return what a run costs: all its sums."""
    mechanism = sampled_mechanism(sigma_of(params, honest, entries), honest=honest, entries=entries,
                                  norm_squared=norm_squared_of(params, entries), rate=_rate_of(params))
    return Price(mechanism, sums_of(params), ROW if params.protects == "record" else INSTITUTION)


def described(params: NeuralParameters, size: int, honest: int, entries: int) -> dict[str, Any]:
    """Return what a payload says of a promise that was kept.

    ``multiplier`` is the noise of the shares that carry the promise over the longest contribution; ``noise`` the
    expected length of all noise in a mean update over the longest that update can be.
    """
    assert params.epsilon is not None
    assert params.delta is not None
    sigma, norm = float(sigma_of(params, honest, entries)), math.sqrt(norm_squared_of(params, entries))
    grown = sigma * math.sqrt(size / honest)
    out = {"protects": params.protects, "sums": sums_of(params), "multiplier": sigma / norm,
           "sampling_rate": params.sampling_rate, "shares": honest}
    if params.protects == "institution":
        assert params.clip_norm is not None
        step = float(step_of(params.clip_norm, bits_of(params)))
        out["noise"] = grown * step * math.sqrt(entries) / (size * params.clip_norm)
    return {"epsilon": float(params.epsilon), "delta": float(params.delta), "privacy": out}


def _rate_of(params: NeuralParameters) -> Decimal:
    return params.rate if params.protects == "record" else Decimal(1)


@lru_cache(maxsize=32)
def entries_of(model: str, numbers: int, sizes: tuple[int, ...], outputs: int) -> int:
    """Return how many weights a module has, without making them.

    Args:
        model: what the study says of it, as JSON.
        numbers: numeric features.
        sizes: rows of each category's embedding.
        outputs: numbers for a row.

    Raises:
        InputError: PyTorch is not installed, or the module cannot be made or is too large.
    """
    from sealane.computations.neural.library import need_torch

    need_torch()
    from sealane.computations.neural.learning.private_preparing import count_weights

    return count_weights(model, numbers, sizes, outputs)
