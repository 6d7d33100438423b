"""What a node needs before its first round of fine-tuning: as for training, with a frozen model under it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.neural.draws import Draws
from sealane.computations.neural.learning.adapters import TextClassifier, build_classifier
from sealane.computations.neural.learning.corrections import correction_for
from sealane.computations.neural.learning.device import Device, choose
from sealane.computations.neural.learning.rounds import Rounds, Shares
from sealane.computations.neural.learning.training import Trainer
from sealane.computations.neural.learning.weights import shapes_of, take
from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.screening import Screened
from sealane.computations.neural.sending import sending_for
from sealane.computations.neural.server import Server
from sealane.computations.neural.vector import Shapes, Vector


@dataclass(frozen=True, slots=True)
class Adapted:
    """The frozen model with adapters and a head, on its device.

    Attributes:
        module: of both.
        shapes: of what is trained.
        first: weights of adapters and head.
        device: of this node.
        frozen: weights that are not trained.
    """

    module: TextClassifier
    shapes: Shapes
    first: Vector
    device: Device
    frozen: int


def adapt(params: LoraParameters, folder: Path, padding: int, target: Target) -> Adapted:
    """Load the frozen model, and give it adapters and a head.

    Raises:
        InputError: the files are no model that can be adapted as the study says.
    """
    module = build_classifier(folder, params, target.outputs, padding)
    shapes = shapes_of(module)
    whole = sum(one.numel() for one in module.parameters())
    device = choose(params.precision, shapes.length)  # one thread: several wait for each other on texts this short
    device.most = params.rows_at_once
    module.to(device.name)
    return Adapted(module, shapes, take(module, shapes, np.float64), device, whole - shapes.length)


def prepare(cohort: Cohort, params: LoraParameters, made: Adapted, target: Target, rows: Rows, validation: Rows,
            screened: Screened, draws: Draws) -> Rounds:
    """Return what trains the adapters."""
    training, shapes = params.training, made.shapes
    server = Server(training, shapes)
    trainer = Trainer(made.module, shapes, target.task, rows, training, made.device, draws, server.proximal)
    part = len(rows) / screened.training
    equal = 1.0 / screened.contributors if len(rows) else 0.0
    shares = Shares(part if params.weights == "rows" else equal, part,
                    len(validation) / screened.validation if screened.validation else 0.0)
    weight = float(screened.training if params.weights == "rows" else screened.contributors)
    return Rounds(cohort, training, trainer, validation, shares, correction_for(training, shapes, trainer),
                  sending_for(params.bits, shapes.length), server, weight)
