"""Modules over images: convolutions, and a transformer over patches.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words" (ICLR 2021), section 3.1, with the mean over patches in
place of a class token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sealane.computations.neural.model_parameters import Cnn, Image, Vit


def _as_image(numbers: Tensor, params: Image) -> Tensor:
    """Return ``(n, channels, height, width)``."""
    return numbers.reshape(-1, params.height, params.width, params.channels).permute(0, 3, 1, 2)


class CnnModule(nn.Module):
    """Takes images ``(n, height * width * channels)``; gives ``(n, outputs)``."""

    def __init__(self, params: Cnn, outputs: int) -> None:
        super().__init__()
        self.params = params
        layers: list[nn.Module] = []
        before = params.channels
        for place, filters in enumerate(params.filters):
            layers += [nn.Conv2d(before, filters, 3, padding=1), nn.ReLU()]
            if place + 1 < len(params.filters):
                layers.append(nn.MaxPool2d(2))
            before = filters
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(before, outputs)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return logits, or standardised values."""
        out: Tensor = self.head(self.body(_as_image(numbers, self.params)).mean(dim=(2, 3)))
        return out


class VitModule(nn.Module):
    """Takes images ``(n, height * width * channels)``; gives ``(n, outputs)``."""

    def __init__(self, params: Vit, outputs: int) -> None:
        super().__init__()
        self.params = params
        width = params.width_of_token
        patches = (params.height // params.patch) * (params.width // params.patch)
        self.patches = nn.Conv2d(params.channels, width, params.patch, stride=params.patch)
        self.position = nn.Embedding(patches, width)
        self.layers = nn.ModuleList([_Layer(width, params.heads) for _ in range(params.depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return logits, or standardised values."""
        tokens = self.patches(_as_image(numbers, self.params)).flatten(2).transpose(1, 2)
        # Embeddings are drawn with a variance of 1; a position is a slighter mark than what a patch shows.
        tokens = tokens + self.position.weight * 0.02
        for layer in self.layers:
            tokens = layer(tokens)
        out: Tensor = self.head(self.norm(tokens).mean(dim=1))
        return out


class _Layer(nn.Module):
    """Attention and a perceptron, each behind a norm and around a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.asked = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.body = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        n, count, width = tokens.shape
        asked = self.asked(self.norms[0](tokens)).reshape(n, count, 3, self.heads, width // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        seen = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.joined(seen.transpose(1, 2).reshape(n, count, width))
        out: Tensor = tokens + self.body(self.norms[1](tokens))
        return out
