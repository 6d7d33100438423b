"""A frozen transformer with adapters and a head for classes. Imports PyTorch.

An adapter adds (alpha / rank) B A x to what a layer gives for x, with B all zeros at first, so that training begins
from the model as it is. The head reads the mean over a text's tokens.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (ICLR 2022), section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sealane.computations.neural.draws import public_draws
from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.errors import InputError


class TextClassifier(nn.Module):
    """Token ids in, a number for each class out.

    Attributes:
        encoder: the frozen model with its adapters, a ``peft.PeftModel``.
        head: a linear layer.
        padding: the id that fills a text up.
    """

    def __init__(self, encoder: nn.Module, width: int, outputs: int, padding: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, outputs)
        self.padding = padding

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return logits; ``numbers`` has no columns."""
        known = codes != self.padding
        longest = max(int(known.sum(dim=1).max()), 1) if len(codes) else 1  # nothing but padding lies behind
        codes, known = codes[:, :longest], known[:, :longest]
        tokens = self.encoder(input_ids=codes, attention_mask=known.long()).last_hidden_state
        share = known.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * share).sum(dim=1) / share.sum(dim=1).clamp(min=1.0)
        given: Tensor = self.head(mean)
        return given

    def train(self, mode: bool = True) -> TextClassifier:
        """Switch the adapters' dropout; the frozen model always runs as it would for a reader."""
        super().train(mode)
        self.encoder.train(False)
        for name, part in self.encoder.named_modules():
            if "lora_" in name:  # dropout, and A and B, which Opacus looks at in training only
                part.train(mode)
        return self


def build_classifier(folder: Path, params: LoraParameters, outputs: int, padding: int) -> TextClassifier:
    """Return the classifier with first weights that are the same at every institution.

    Raises:
        InputError: the files are no model that transformers knows, a target is none of its layers, or texts are
            longer than it takes.
    """
    encoder, width = _frozen(folder, params.length)
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=params.rank, lora_alpha=params.alpha, lora_dropout=params.dropout, bias="none",  # type: ignore[arg-type]
                        target_modules=list(params.targets), base_model_name_or_path=params.base.package)
    unmatched = [one for one in params.targets if not any(
        name == one or name.endswith(f".{one}") for name, _ in encoder.named_modules())]
    try:
        if unmatched:
            raise ValueError
        with torch.random.fork_rng(devices=[]):
            adapted = get_peft_model(encoder, config)
            module = TextClassifier(adapted, width, outputs, padding)
    except (ValueError, NotImplementedError):
        raise InputError("lora.unknown-target", "a target is no layer of the frozen model that takes an adapter",
                         got=", ".join(unmatched or params.targets)[:120], expected="names of linear layers",
                         hint="query and value in BERT; q_proj and v_proj in Llama") from None
    module.to(torch.float64 if params.precision == "double" else torch.float32)
    put_first_adapters(module, params.seed)
    return module


def put_first_adapters(module: nn.Module, seed: int) -> None:
    """Draw A and the head by a public seed, each by its name, within 1 / sqrt(fan-in); B and biases are zero."""
    draws = public_draws(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.dim() < 2 or ".lora_B." in name:
                parameter.zero_()
                continue
            drawn = (2.0 * draws.uniform(name, tuple(parameter.shape)) - 1.0) / math.sqrt(parameter[0].numel())
            parameter.copy_(torch.from_numpy(drawn))


def _frozen(folder: Path, length: int) -> tuple[nn.Module, int]:
    """Load the frozen model from safetensors, and return it with its width."""
    from transformers import AutoConfig, AutoModel

    asked: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(str(folder), **asked)
        encoder = AutoModel.from_pretrained(str(folder), config=config, use_safetensors=True, dtype=torch.float32,
                                            **asked)
    except MemoryError:
        raise
    except Exception as error:  # whatever a library makes of files that are no model
        raise InputError("lora.base-config", "the files of the frozen model cannot be loaded", got=type(error).__name__,
                         expected="a model that transformers knows, as safetensors") from error
    most = getattr(config, "max_position_embeddings", None)
    if isinstance(most, int) and length > most:
        raise InputError("lora.too-long", "texts are to be read further than the frozen model can", got=length,
                         expected=f"at most {most} tokens", hint="lower length")
    width = getattr(config, "hidden_size", None)
    if not isinstance(width, int):
        raise InputError("lora.base-config", "the configuration of the frozen model names no width",
                         expected="hidden_size")
    return encoder, width


def rebuild_classifier(folder: Path, params: LoraParameters, outputs: int, padding: int,
                       weights: Mapping[str, NDArray[Any]]) -> TextClassifier:
    """Return a released classifier, in evaluation mode."""
    module = build_classifier(folder, params, outputs, padding)
    found = module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in weights.items()},
                                   strict=False)
    if found.unexpected_keys:
        raise InputError("lora.other-weights", "released weights do not belong to this frozen model",
                         got=found.unexpected_keys[0][:120], expected="weights of its adapters")
    return module.eval()


def apply_to(module: TextClassifier, codes: NDArray[np.int64], at_once: int) -> NDArray[np.float64]:
    """Return what a classifier gives for token ids, ``(n, outputs)``."""
    parts = [np.empty((0, module.head.out_features))]
    with torch.no_grad():
        for start in range(0, len(codes), at_once):
            piece = torch.from_numpy(codes[start : start + at_once])
            parts.append(module(torch.empty(len(piece), 0), piece).double().numpy())
    return np.concatenate(parts)
