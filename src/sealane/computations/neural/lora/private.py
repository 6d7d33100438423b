"""``neural.lora`` with a promise: what is noised, priced and left out is what it is in ``neural.train``."""

from __future__ import annotations

from pathlib import Path

from sealane.computations.base import Cohort, Payload
from sealane.computations.neural.draws import Draws
from sealane.computations.neural.lora.base_files import checked
from sealane.computations.neural.lora.counting import count_trained
from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.private import rounds_of, sending, told
from sealane.computations.neural.promise import described, price_of_training
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.written import write_weights
from sealane.privacy.mechanism import Price


def price(params: LoraParameters, target: Target, honest: int) -> Price:
    """Return what one run costs.

    Raises:
        InputError: no noise keeps the promise, or the frozen model is not installed here.
        RefusedError: its files are not what the study names.
    """
    return price_of_training(params.training, honest, count_trained(checked(params.base), params, target.outputs))


async def tune_privately(cohort: Cohort, params: LoraParameters, folder: Path, padding: int, target: Target,
                         rows: Rows, draws: Draws) -> Payload:
    """Tune the model, and return what is released.

    Raises:
        InputError: no noise keeps the promise, Opacus is missing, or it cannot tell the rows apart.
        RefusedError: there are hardly any rows, or the first step explodes.
    """
    from sealane.computations.neural.learning.adapting import adapt
    from sealane.computations.neural.learning.private_preparing import Made

    made = adapt(params, folder, padding, target)
    training = params.training
    trained, counted = await rounds_of(
        cohort, training, Made(made.module, made.shapes, made.first, made.device), target, rows, draws)
    parts = made.shapes.split(trained.weights)
    return {
        "computation": "neural.lora", "outcome": target.field.name, "text": params.text, "task": target.task,
        "classes": list(target.classes), "parameters": params.model_dump(mode="json"), "nobs": counted, "validated": 0,
        "dropped": None,
        "basis": {"contributing": cohort.size, "institutions": cohort.size, "missing_everywhere": []},
        "size": {"frozen": made.frozen, "trained": made.shapes.length},
        "weights": write_weights(list(parts), list(parts.values()),
                                 "float64" if params.precision == "double" else "float32"),
        "sending": sending(training),
    } | told(trained) | described(training, cohort.size, cohort.honest, made.shapes.length)
