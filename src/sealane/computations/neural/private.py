"""``neural.train`` with a promise of differential privacy: only noised sums are opened, all of them priced before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.disclosure import check_rows
from sealane.computations.neural.draws import Draws
from sealane.computations.neural.inputs import Inputs, Own
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.promise import described, entries_of, price_of_training
from sealane.computations.neural.ranges import by_contract
from sealane.computations.neural.rows import Rows, in_units, private_draws, split_rows
from sealane.computations.neural.server import Server
from sealane.computations.neural.vector import Vector
from sealane.computations.neural.written import write_weights
from sealane.privacy.mechanism import Price

if TYPE_CHECKING:
    from sealane.computations.neural.learning.private_preparing import Made
    from sealane.computations.neural.learning.rounds import Trained

SAME_EVERYWHERE = ("FedAvg", "FedAvgM", "FedProx")
"""Strategies whose steps every machine rounds alike."""


def price(params: NeuralParameters, inputs: Inputs, target: Target, honest: int) -> Price:
    """Return what a run costs.

    Raises:
        InputError: no noise keeps the promise, or the module cannot be made here.
    """
    inputs, target = by_contract(params, inputs, target)
    entries = entries_of(params.model.model_dump_json(), len(inputs.numbers), tuple(inputs.sizes), target.outputs)
    return price_of_training(params, honest, entries)


async def train_privately(data: Dataset, cohort: Cohort, params: NeuralParameters, inputs: Inputs, target: Target,
                          own: Own, outcome: Any) -> Payload:
    """Train the model, and return what is released.

    Raises:
        InputError: no noise keeps the promise, Opacus is missing, or it cannot tell the module's rows apart.
        RefusedError: there are hardly any rows, or the first step explodes.
    """
    from sealane.computations.neural.learning.private_preparing import module_of

    inputs, target = by_contract(params, inputs, target)
    draws = private_draws(params.seed, own, outcome)
    split = split_rows(own, outcome, params.missing, 0.0, draws)
    rows = in_units(data, own, outcome, split.training, inputs, target, double=params.precision == "double")
    made = module_of(params, inputs, target)
    trained, counted = await rounds_of(cohort, params, made, target, rows, draws)
    return _payload(cohort, params, inputs, target, counted) | {
        "weights": _written(made.shapes, trained.weights, double=params.precision == "double"),
    } | told(trained) | described(params, cohort.size, cohort.honest, len(trained.weights))


async def rounds_of(cohort: Cohort, params: NeuralParameters, made: Made, target: Target, rows: Rows,
                    draws: Draws) -> tuple[Trained, int | None]:
    """Train a module with a promise; return that, and about how many rows there are if a promise to rows says so.

    Raises:
        InputError: no noise keeps the promise, Opacus is missing, or it cannot tell the module's rows apart.
        RefusedError: there are hardly any rows, or the first step explodes.
    """
    from sealane.computations.neural.learning.private_preparing import of_institutions, of_records
    from sealane.computations.neural.learning.private_rounds import PrivateRounds

    server, counted = Server(params, made.shapes), None
    if params.protects == "record":
        records = of_records(cohort, params, made, target, rows)
        records.batch, counted = await _count(cohort, params, records)
        rounds = PrivateRounds(cohort, params, records, server)
    else:
        institutions = of_institutions(cohort, params, made, target, rows, draws, server)
        rounds = PrivateRounds(cohort, params, institutions, server)
    trained = await rounds.run(made.first)
    if params.strategy not in SAME_EVERYWHERE:
        trained.weights = await cohort.agree(trained.weights.astype(np.float64))
    return trained, counted


async def _count(cohort: Cohort, params: NeuralParameters, records: Any) -> tuple[float, int]:
    """Open about how many rows a round draws; return that, and how many rows there are then.

    Raises:
        RefusedError: too few.
    """
    opened = await cohort.sum({"update": records.count()})
    batch = float(opened["update"][0]) / records.steps
    counted = max(round(batch / float(params.rate)), 0)
    check_rows(counted, cohort.minimum_count, "ask for more institutions or a longer period")
    return max(batch, 1.0), counted


def told(trained: Trained) -> Payload:
    """Return what a payload says of the rounds of a training with a promise."""
    return {"history": trained.history, "kept": trained.kept, "stopped": trained.stopped, "accumulated": 0,
            "metrics": {}}


def sending(params: NeuralParameters) -> Payload:
    """Return what a payload says of how sums were made."""
    return {"encoding": "noised", "verified": params.protects == "record"}


def _payload(cohort: Cohort, params: NeuralParameters, inputs: Inputs, target: Target, counted: int | None) -> Payload:
    return {
        "computation": "neural.train", "outcome": target.field.name, "task": target.task,
        "classes": list(target.classes), "centre": target.centre, "scale": target.scale,
        "parameters": params.model_dump(mode="json"), "nobs": counted, "validated": 0, "dropped": None,
        "basis": {"contributing": cohort.size, "institutions": cohort.size, "missing_everywhere": []},
        "features": inputs.describe(), "sizes": inputs.sizes, "numbers": len(inputs.numbers),
        "sending": sending(params),
    }


def _written(shapes: Any, weights: Vector, *, double: bool) -> dict[str, Any]:
    parts = shapes.split(weights)
    return write_weights(list(parts), list(parts.values()), "float64" if double else "float32")
