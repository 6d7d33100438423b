"""A multilayer perceptron over numbers and embedded categories."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sealane.computations.neural.model_parameters import Mlp

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}
_WIDEST_EMBEDDING = 50


class MlpModule(nn.Module):
    """Takes numbers ``(n, d)`` and places of levels ``(n, k)``; gives ``(n, outputs)``."""

    def __init__(self, params: Mlp, numbers: int, sizes: Sequence[int], outputs: int) -> None:
        super().__init__()
        widths = [params.embedding or min(_WIDEST_EMBEDDING, (size + 1) // 2) for size in sizes]
        self.embeddings = nn.ModuleList([nn.Embedding(size, width) for size, width in zip(sizes, widths, strict=True)])
        layers: list[nn.Module] = []
        width = numbers + sum(widths)
        for hidden in params.hidden:
            layers += [nn.Linear(width, hidden), _ACTIVATIONS[params.activation]()]
            if params.dropout:
                layers.append(nn.Dropout(params.dropout))
            width = hidden
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return logits, or standardised values."""
        parts = [numbers, *(table(codes[:, place]) for place, table in enumerate(self.embeddings))]
        out: Tensor = self.head(self.body(torch.cat(parts, dim=1) if len(parts) > 1 else numbers))
        return out
