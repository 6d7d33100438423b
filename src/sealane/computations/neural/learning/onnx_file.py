"""A released model as an ONNX file that takes rows in the contract's units and gives what ``predict`` gives.

Inputs: ``numbers``, float ``(n, numbers)``, NaN where missing; ``codes``, int64 ``(n, categories)``, the place of a
level in the feature's list counted from 1, 0 for all others; an input of a model without such features is left out.
Output: ``outcome``, a probability or value ``(n,)``, or the probability of each class ``(n, classes)``.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sealane.errors import InputError


class _Whole(nn.Module):
    """Units of the contract in, the outcome's out."""

    def __init__(self, module: nn.Module, payload: Mapping[str, Any]) -> None:
        super().__init__()
        numbers = [one for one in payload["features"] if "levels" not in one]
        self.module = module.float()
        self.centre = torch.tensor([one["centre"] for one in numbers])
        self.scale = torch.tensor([one["scale"] for one in numbers])
        self.task, self.unit = payload["task"], (payload["centre"], payload["scale"])

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return what a reader of the file gets."""
        standard = (numbers - self.centre) / self.scale
        given: Tensor = self.module(torch.where(torch.isnan(standard), torch.zeros_like(standard), standard), codes)
        if self.task == "multiclass":
            return torch.softmax(given, dim=1)
        return torch.sigmoid(given[:, 0]) if self.task == "binary" else given[:, 0] * self.unit[1] + self.unit[0]


def write_onnx(module: nn.Module, payload: Mapping[str, Any], path: str | Path) -> None:
    """Write the file.

    Raises:
        InputError: onnx is not installed, or it knows no way to write this module.
    """
    try:
        import onnx
    except ImportError:
        raise InputError("neural.no-onnx", "onnx is not installed here", expected="the extra onnx",
                         hint="pip install 'sealane[onnx]'") from None
    whole = _Whole(module, payload).eval()
    rows = (torch.zeros(2, payload["numbers"]), torch.zeros(2, len(payload["sizes"]), dtype=torch.int64))
    names = ["numbers", "codes", "outcome"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that another exporter would need one more package; that shapes are traced
            torch.onnx.export(whole, rows, str(path), dynamo=False, input_names=names[:2], output_names=names[2:],
                              dynamic_axes={name: {0: "rows"} for name in names})
    except torch.onnx.OnnxExporterError as error:
        raise InputError("neural.not-exportable", "this module cannot be written as ONNX", got=type(error).__name__,
                         hint="save it as safetensors") from error
    model = onnx.load(str(path))
    for key in ("features", "classes", "outcome", "task"):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(payload[key])
    onnx.save(model, str(path))
