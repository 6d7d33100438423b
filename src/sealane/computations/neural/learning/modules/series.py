"""Modules over series: convolutions along time, and a gated recurrent unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sealane.computations.neural.model_parameters import Cnn1d, Gru


class Cnn1dModule(nn.Module):
    """Takes series ``(n, moments * channels)``; gives ``(n, outputs)``."""

    def __init__(self, params: Cnn1d, outputs: int) -> None:
        super().__init__()
        self.channels = params.channels
        layers: list[nn.Module] = []
        before = params.channels
        for filters in params.filters:
            layers += [nn.Conv1d(before, filters, params.kernel, padding=params.kernel // 2), nn.ReLU()]
            before = filters
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(before, outputs)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return logits, or standardised values."""
        series = numbers.reshape(numbers.shape[0], -1, self.channels).transpose(1, 2)
        out: Tensor = self.head(self.body(series).mean(dim=2))
        return out


class GruModule(nn.Module):
    """Takes series ``(n, moments * channels)``; gives ``(n, outputs)``."""

    def __init__(self, params: Gru, outputs: int) -> None:
        super().__init__()
        self.channels = params.channels
        self.body = nn.GRU(params.channels, params.hidden, params.layers, batch_first=True)
        self.head = nn.Linear(params.hidden, outputs)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return logits, or standardised values."""
        states, _ = self.body(torch.reshape(numbers, (numbers.shape[0], -1, self.channels)))
        out: Tensor = self.head(states[:, -1])
        return out
