"""What a node needs before its first round: module, trainer, server, and how updates travel. Imports PyTorch."""

from __future__ import annotations

import numpy as np
import torch

from sealane.computations.base import Cohort
from sealane.computations.neural.draws import Draws, public_draws
from sealane.computations.neural.groups import joining_for
from sealane.computations.neural.inputs import Inputs
from sealane.computations.neural.learning.corrections import correction_for
from sealane.computations.neural.learning.device import choose
from sealane.computations.neural.learning.modules.build import build, put_first_weights
from sealane.computations.neural.learning.personal import HEAD, personal_for
from sealane.computations.neural.learning.rounds import Rounds, Shares
from sealane.computations.neural.learning.training import Trainer
from sealane.computations.neural.learning.weights import shapes_of, take
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.packing import packing_for
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.screening import Screened
from sealane.computations.neural.sending import sending_for
from sealane.computations.neural.server import Server
from sealane.computations.neural.vector import Shapes, Vector

LARGE = 1 << 20
"""Weights from which on a model is held in single precision between rounds too, where its strategy is made of sums."""
SUMS_ONLY = ("FedAvg", "FedProx", "FedAvgM")


def prepare(cohort: Cohort, params: NeuralParameters, inputs: Inputs, target: Target, rows: Rows, validation: Rows,
            screened: Screened, draws: Draws) -> tuple[Rounds, Vector]:
    """Return this node's part of the training, and the first weights.

    Raises:
        InputError: the module cannot be made, keeps more than weights, or is too large or small.
        RefusedError: the cohort is too small for robust aggregation.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)  # for what an installed module draws and put_first_weights leaves
        module = build(params.model, len(inputs.numbers), inputs.sizes, target.outputs)
    module.to(torch.float64 if params.precision == "double" else torch.float32)
    put_first_weights(module, params.seed)
    shapes = shapes_of(module, apart=HEAD if params.personal == "head" else "")
    device = choose(params.precision, shapes.length)
    module.to(device.name)
    server = Server(params, shapes)
    trainer = Trainer(module, shapes, target.task, rows, params, device, draws, server.proximal,
                      seconds=params.local_seconds)
    shares = _shares(params, rows, validation, screened)
    weight = float(screened.training if params.weights == "rows" else screened.contributors)
    sending = sending_for(params.compression.bits if params.compression else params.bits, shapes.length)
    correction = correction_for(params, shapes, trainer)
    personal = personal_for(params, trainer)
    packing = packing_for(params.compression, public_draws(params.seed), shapes.length,
                          bounded=params.clip_norm is not None)
    joining = joining_for(params.robust, cohort, screened.contributors)
    rounds = Rounds(cohort, params, trainer, validation, shares, correction, sending, server, weight, personal,
                    packing, joining)
    return rounds, take(module, shapes, _held(params, shapes))


def _held(params: NeuralParameters, shapes: Shapes) -> type[np.floating]:
    """Return the type of floats between rounds."""
    single = shapes.length >= LARGE and params.strategy in SUMS_ONLY and params.precision != "double"
    return np.float32 if single else np.float64


def _shares(params: NeuralParameters, rows: Rows, validation: Rows, screened: Screened) -> Shares:
    training = len(rows) / screened.training
    equal = 1.0 / screened.contributors if len(rows) else 0.0
    return Shares(training if params.weights == "rows" else equal, training,
                  len(validation) / screened.validation if screened.validation else 0.0)
