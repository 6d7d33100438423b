"""What a study says when it asks for ``neural.train``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.neural.model_parameters import Mlp, Model
from sealane.computations.neural.promise import PromisedTraining, check_coherent
from sealane.computations.neural.round_parameters import RoundParameters
from sealane.computations.neural.sum_parameters import Compression, Robust
from sealane.computations.promise import Name

Task = Literal["binary", "multiclass", "regression"]

Bound = Annotated[float, Field(ge=-1e300, le=1e300)]
ARGUMENTS: dict[str, frozenset[str]] = {
    "FedAvg": frozenset(),
    "FedProx": frozenset({"proximal_mu"}),
    "FedAvgM": frozenset({"server_learning_rate", "server_momentum"}),
    "FedAdam": frozenset({"eta", "beta_1", "beta_2", "tau"}),
    "FedYogi": frozenset({"eta", "beta_1", "beta_2", "tau"}),
    "FedAdagrad": frozenset({"eta", "tau"}),
}
"""Arguments of Flower's strategies that make sense on an opened sum; those that choose nodes do not."""


class NeuralParameters(PromisedTraining, RoundParameters):
    """Parameters of ``neural.train``, beside those of its rounds and of what makes it private.

    Attributes:
        outcome: the column to explain.
        features: the columns to explain it with; in order of time or place for series and images.
        categorical: integer or boolean features to be read as categories; ``category`` fields always are.
        missing: ``drop`` uses rows in which every number is known; ``mean`` puts the cohort's mean in place of a
            missing one. A missing category is a level of its own, with the levels that too few rows have.
        task: by default ``binary``, ``multiclass`` or ``regression``, whatever fits the outcome's type.
        model: which module, and its sizes.
        local_seconds: or as many steps as an institution begins in so many seconds, at least one; with ``fednova``,
            so that who takes more steps does not weigh more.
        buffer: institutions whose updates make a step before all have come; always refused, with the reason.
        compression: makes updates smaller: bits, rotation, a share of the entries, error feedback.
        robust: joins groups of institutions so that some of them may be bad.
        personal: measures models of each institution's own beside the common one, which never leave it: ``finetune``
            takes further passes from the last model; ``ditto`` trains one all along, pulled towards the common one;
            ``head`` shares everything but the last layer.
        personal_epochs: passes of ``finetune``, or of each round of ``ditto``.
        personal_pull: how strongly ``ditto`` pulls.
        ranges: where most values of a number lie, by column, under a promise; its unit follows from that in place of
            the contract's range. Public: write down what is known without looking at rows. Values beyond are no error.
    """

    outcome: Name
    features: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4096)]
    categorical: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    missing: Literal["drop", "mean"] = "drop"
    task: Task | None = None
    model: Model = Mlp()
    local_seconds: Annotated[float | None, Field(gt=0, le=86_400)] = None
    buffer: Annotated[int | None, Field(ge=1)] = None
    compression: Compression | None = None
    robust: Robust | None = None
    personal: Literal["none", "finetune", "ditto", "head"] = "none"
    personal_epochs: Annotated[int, Field(ge=1, le=100)] = 1
    personal_pull: Annotated[float, Field(ge=0, le=1e4)] = 0.1
    ranges: Annotated[dict[Name, tuple[Bound, Bound]], Field(max_length=4096, default_factory=dict)]

    @property
    def epochs(self) -> int | None:
        """Passes over own rows in a round, where neither steps nor seconds are counted."""
        counted = self.local_steps is not None or self.local_seconds is not None
        return None if counted else self.local_epochs or 1

    @model_validator(mode="after")
    def _coherent(self) -> NeuralParameters:
        if len(set(self.features)) != len(self.features):
            raise ValueError("features are distinct")
        if self.outcome in self.features:
            raise ValueError("outcome and features are different columns")
        if not set(self.categorical) <= set(self.features):
            raise ValueError("categorical names features only")
        if sum(one is not None for one in (self.local_epochs, self.local_steps, self.local_seconds)) > 1:
            raise ValueError("a round has local_epochs, local_steps or local_seconds")
        unknown = sorted(set(self.strategy_arguments) - ARGUMENTS[self.strategy])
        if unknown:
            takes = ", ".join(sorted(ARGUMENTS[self.strategy])) or "none"
            raise ValueError(f"{self.strategy} takes no {unknown[0]!r}; its arguments: {takes}")
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("momentum is an argument of sgd")
        if self.correction != "none" and (self.optimizer != "sgd" or self.momentum or self.clip_norm is not None):
            raise ValueError(f"{self.correction} goes with sgd without momentum, and without clip_norm")
        if self.correction == "scaffold" and self.local_steps is None:
            raise ValueError("scaffold needs local_steps: the same number at every institution")
        if self.personal != "none" and not self.validation_fraction:
            raise ValueError("personal models are measured on rows that nothing was learned from: "
                             "set validation_fraction")
        if self.early_stopping_rounds is not None and not self.validation_fraction:
            raise ValueError("early stopping needs a validation_fraction")
        self._check_sums()
        if self.ranges and not self.promised:
            raise ValueError("ranges belong to a promise of epsilon and delta")
        if any(low >= high for low, high in self.ranges.values()):
            raise ValueError("ranges are pairs of a lower and a higher number")
        self.model.check_features(len(self.features), len(self.categorical))
        check_coherent(self)
        return self

    def _check_sums(self) -> None:
        feedback = self.compression is not None and self.compression.error_feedback
        if self.compression is not None and self.bits is not None:
            raise ValueError("compression has bits of its own")
        if self.correction == "scaffold" and (self.compression is not None or self.robust is not None):
            raise ValueError("scaffold's controls go with neither compression nor robust")
        if feedback and self.clip_norm is not None:
            raise ValueError("error_feedback would send later what clip_norm takes off")
        if self.local_seconds is not None and self.correction != "fednova":
            raise ValueError("local_seconds needs correction = \"fednova\": who takes more steps would weigh more")
        if feedback and self.local_seconds is not None:
            raise ValueError("error_feedback follows from a node's steps, which local_seconds does not repeat after a "
                             "restart")
        if self.buffer is not None:
            raise ValueError("a buffer of whoever is ready is refused: a sum of one institution more would give that "
                             "institution's update away by subtraction; let slow ones take fewer steps by "
                             "local_seconds")
        if self.robust is not None and self.weights != "equal":
            raise ValueError("robust needs weights = \"equal\": a bad institution says how many rows it has")
