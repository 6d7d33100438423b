"""What a node needs before the first round of a training with a promise. Imports PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import nn

from sealane.computations.base import Cohort
from sealane.computations.neural.draws import Draws
from sealane.computations.neural.inputs import Inputs
from sealane.computations.neural.learning.device import Device, choose
from sealane.computations.neural.learning.modules.build import build, put_first_weights
from sealane.computations.neural.learning.private_rounds import OfInstitutions, OfRecords
from sealane.computations.neural.learning.row_gradients import GHOST_FROM, RowGradients
from sealane.computations.neural.learning.training import Trainer
from sealane.computations.neural.learning.weights import shapes_of, take
from sealane.computations.neural.model_parameters import Model
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.promise import sigma_of
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.server import Server
from sealane.computations.neural.vector import Shapes, Vector


def count_weights(model: str, numbers: int, sizes: tuple[int, ...], outputs: int) -> int:
    """Return how many weights a module trains; they are not made. See ``promise.entries_of``."""
    asked: Model = TypeAdapter(Model).validate_json(model)
    with torch.device("meta"):
        return shapes_of(build(asked, numbers, sizes, outputs)).length


@dataclass(frozen=True, slots=True)
class Made:
    """A module on its device, with first weights that are the same at every institution."""

    module: nn.Module
    shapes: Shapes
    first: Vector
    device: Device


def module_of(params: NeuralParameters, inputs: Inputs, target: Target) -> Made:
    """Return the module that a study names.

    Raises:
        InputError: the module cannot be made, keeps more than weights, or is too large.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        module = build(params.model, len(inputs.numbers), inputs.sizes, target.outputs)
    module.to(torch.float64 if params.precision == "double" else torch.float32)
    put_first_weights(module, params.seed)
    shapes = shapes_of(module)
    device = choose(params.precision, shapes.length)
    module.to(device.name)
    return Made(module, shapes, take(module, shapes, np.float64), device)


def of_records(cohort: Cohort, params: NeuralParameters, made: Made, target: Target, rows: Rows) -> OfRecords:
    """Return this node's part where rows are protected."""
    length = made.shapes.length
    gradients = RowGradients(made.module, made.shapes, target.task, rows, params.clip_row, made.device,
                             length >= GHOST_FROM)
    return OfRecords(params, gradients, sigma_of(params, cohort.honest, length))


def of_institutions(cohort: Cohort, params: NeuralParameters, made: Made, target: Target, rows: Rows, draws: Draws,
                    server: Server) -> OfInstitutions:
    """Return this node's part where institutions are protected."""
    trainer = Trainer(made.module, made.shapes, target.task, rows, params, made.device, draws, server.proximal)
    return OfInstitutions(params, trainer, sigma_of(params, cohort.honest, made.shapes.length), cohort.size)
