"""``neural.train``: a network trained over the rows of all institutions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.disclosure import hidden_under
from sealane.computations.neural import private
from sealane.computations.neural.inputs import Inputs, own_columns, read_inputs
from sealane.computations.neural.library import flower, late, need_torch
from sealane.computations.neural.outcome import Target, read_target
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.result import NeuralResult
from sealane.computations.neural.rows import in_units, private_draws, split_rows
from sealane.computations.neural.scaling import scale
from sealane.computations.neural.screening import Screened, screen
from sealane.computations.neural.vector import Shapes, Vector
from sealane.computations.neural.written import write_weights
from sealane.governance.contract import Contract
from sealane.privacy.mechanism import Price

if TYPE_CHECKING:
    from sealane.computations.neural.learning.rounds import Rounds


class NeuralTrain:
    """A network in PyTorch, by Flower's strategies."""

    outputs = ("model",)
    opens = ("rows by level and class, moments, mean updates (of groups, if robust), losses, scores; "
             "with epsilon noised sums only")

    @property
    def name(self) -> str:
        """Return ``neural.train``."""
        return "neural.train"

    @property
    def late(self) -> tuple[str, ...]:
        """Return what a sandbox imports beforehand, where PyTorch and Flower are installed."""
        return late()

    @property
    def parameters(self) -> type[NeuralParameters]:
        """Return the model of its parameters."""
        return NeuralParameters

    def columns(self, params: NeuralParameters) -> list[str]:
        """Return outcome and features."""
        return [params.outcome, *params.features]

    def price(self, params: NeuralParameters, contract: Contract, honest: int) -> Price | None:
        """Return what one run costs; None without a promise.

        Raises:
            InputError: a column cannot play its part, no noise keeps the promise, or PyTorch is not installed here.
        """
        if not params.promised:
            return None
        return private.price(params, read_inputs(contract, params), read_target(contract, params), honest)

    def exchanges(self, params: NeuralParameters) -> int:
        """Return most exchanges of a run: two a round, with a model of each institution's own twice as many."""
        return 100 + 4 * params.rounds

    async def run(self, data: Dataset, cohort: Cohort, params: NeuralParameters) -> Payload:
        """Train the model.

        Raises:
            InputError: a column that cannot play its part, rows outside the contract, or no PyTorch or Flower here.
            RefusedError: too few rows, events or institutions, or a training that explodes at once.
            ProtocolError: nodes hold different models.
        """
        need_torch()
        flower()
        inputs, target = read_inputs(data.contract, params), read_target(data.contract, params)
        if params.promised:
            own, outcome = own_columns(data, inputs), target.read(data.frame([params.outcome])[params.outcome])
            return await private.train_privately(data, cohort, params, inputs, target, own, outcome)
        screened, target, rounds, first = await self._prepared(data, cohort, params, inputs, target)
        trained = await rounds.run(first)
        from sealane.computations.neural.learning.performance import measure

        counts = {"training": screened.training, "validation": screened.validation}
        metrics = await measure(cohort, rounds, target, trained.weights, counts)
        if rounds.personal is not None:
            personal = rounds.personal.weights(trained.weights)
            found = await measure(cohort, rounds, target, personal, {"validation": screened.validation})
            metrics["personal"] = found["validation"]
        inputs = screened.inputs
        return _described(params, target, screened, cohort) | {
            "features": inputs.describe(), "sizes": inputs.sizes, "numbers": len(inputs.numbers),
            "weights": _written(rounds.trainer.shapes, trained.weights, double=params.precision == "double"),
            "history": trained.history, "kept": trained.kept, "stopped": trained.stopped,
            "accumulated": trained.accumulated, "metrics": metrics, "sending": rounds.describe(),
        }

    async def _prepared(self, data: Dataset, cohort: Cohort, params: NeuralParameters, inputs: Inputs,
                        target: Target) -> tuple[Screened, Target, Rounds, Vector]:
        """Read, screen and scale the rows, and prepare the rounds; rows live on in the network's units only."""
        from sealane.computations.neural.learning.preparing import prepare  # imports PyTorch

        own, outcome = own_columns(data, inputs), target.read(data.frame([params.outcome])[params.outcome])
        draws = private_draws(params.seed, own, outcome)
        split = split_rows(own, outcome, params.missing, params.validation_fraction, draws)
        screened = await screen(cohort, inputs, target, own, outcome, split)
        inputs, target = await scale(cohort, screened.inputs, target, own, outcome, split, screened.training,
                                     params.model.shared)
        double = params.precision == "double"
        rows, validation = (in_units(data, own, outcome, where, inputs, target, double=double)
                            for where in (split.training, split.validation))
        screened = replace(screened, inputs=inputs)
        rounds, first = prepare(cohort, params, inputs, target, rows, validation, screened, draws)
        return screened, target, rounds, first

    def present(self, payload: Payload) -> NeuralResult:
        """Return the result with a PyTorch module."""
        return NeuralResult(payload)


def _described(params: NeuralParameters, target: Target, screened: Screened, cohort: Cohort) -> Payload:
    return {
        "computation": "neural.train",
        "outcome": target.field.name,
        "task": target.task,
        "classes": list(target.classes),
        "centre": target.centre,
        "scale": target.scale,
        "parameters": params.model_dump(mode="json"),
        "nobs": screened.training,
        "validated": screened.validation,
        "dropped": hidden_under(screened.rows - screened.training - screened.validation, cohort.minimum_count),
        "basis": screened.basis,
    }


def _written(shapes: Shapes, weights: Vector, *, double: bool) -> dict[str, Any]:
    parts = shapes.split(weights)
    return write_weights(list(parts), list(parts.values()), "float64" if double else "float32")
