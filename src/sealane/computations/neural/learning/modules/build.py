"""From what a study says of a module to the module, with first weights that are the same at every institution.

First weights come from SHAKE-256 and the four operations of arithmetic, so that no two machines' mathematics can tell
them apart: uniform within 1 / sqrt(fan-in), as PyTorch's layers have it (a recurrent layer's within 1 / sqrt(width of
its state)), and of variance 1 for embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

import torch
from torch import nn

from sealane.computations.neural.draws import public_draws
from sealane.computations.neural.learning.modules.images import CnnModule, VitModule
from sealane.computations.neural.learning.modules.installed import build_installed
from sealane.computations.neural.learning.modules.mlp import MlpModule
from sealane.computations.neural.learning.modules.series import Cnn1dModule, GruModule
from sealane.computations.neural.model_parameters import Cnn, Cnn1d, Gru, Installed, Mlp, Model, Vit


def build(model: Model, numbers: int, sizes: Sequence[int], outputs: int) -> nn.Module:
    """Return the module, weights as PyTorch happens to draw them.

    Args:
        model: what the study says.
        numbers: numeric features.
        sizes: rows of each category's embedding.
        outputs: numbers for a row.

    Raises:
        InputError: an installed module is unknown here, or cannot be made.
        RefusedError: an installed module's source is not what the study names.
    """
    match model:
        case Mlp():
            return MlpModule(model, numbers, sizes, outputs)
        case Cnn1d():
            return Cnn1dModule(model, outputs)
        case Gru():
            return GruModule(model, outputs)
        case Cnn():
            return CnnModule(model, outputs)
        case Vit():
            return VitModule(model, outputs)
        case Installed():
            return build_installed(model, numbers, sizes, outputs)
        case _:
            assert_never(model)


def put_first_weights(module: nn.Module, seed: int) -> None:
    """Draw the first weights by a public seed, each by its name."""
    draws = public_draws(seed)
    with torch.no_grad():
        for path, part in module.named_modules():
            bound = _bound(part)
            for name, parameter in part.named_parameters(path, recurse=False):
                if bound is not None:
                    drawn = (2.0 * draws.uniform(name, tuple(parameter.shape)) - 1.0) * bound
                    parameter.copy_(torch.from_numpy(drawn))


def _bound(part: nn.Module) -> float | None:
    """Return within what the weights of a layer are drawn; None where they stay as they were made: ones and zeros."""
    if isinstance(part, nn.Embedding):
        return math.sqrt(3.0)
    if isinstance(part, (nn.LayerNorm, nn.GroupNorm)):
        return None
    if isinstance(part, nn.RNNBase):
        return 1.0 / math.sqrt(part.hidden_size)
    weight = next((one for one in part.parameters(recurse=False) if one.dim() > 1), None)
    return None if weight is None else 1.0 / math.sqrt(weight[0].numel())
