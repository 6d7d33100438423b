"""A released model as a folder in peft's own layout, with a model card. Nothing in it is code.

Source: Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), for what a card says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.computations.neural.lora.sizes import Sizes
from sealane.computations.neural.model_card import promise_lines, rows_told

ADAPTERS, HEAD, CARD = "adapter_model.safetensors", "head.safetensors", "README.md"


def save_folder(folder: Path, payload: Mapping[str, Any], params: LoraParameters,
                weights: Mapping[str, NDArray[Any]], sizes: Sizes) -> Path:
    """Write the folder, and return the card's path."""
    from peft import LoraConfig
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    about = {"format": "pt", "sealane": json.dumps(
        {name: value for name, value in payload.items() if name != "weights"}, sort_keys=True)}
    head = {name.removeprefix("head."): values for name, values in weights.items() if name.startswith("head.")}
    adapters = {name.removeprefix("encoder.").replace(".default.", "."): values
                for name, values in weights.items() if name.startswith("encoder.")}
    for name, part in ((ADAPTERS, adapters), (HEAD, head)):
        save_file({key: np.ascontiguousarray(values) for key, values in part.items()}, str(folder / name),
                  metadata=about)
    LoraConfig(r=params.rank, lora_alpha=params.alpha, lora_dropout=params.dropout, bias="none",  # type: ignore[arg-type]
               target_modules=list(params.targets), inference_mode=True,
               base_model_name_or_path=params.base.package).save_pretrained(str(folder))
    card = folder / CARD
    card.write_text(write_card(payload, params, sizes), encoding="utf-8")
    return card


def write_card(payload: Mapping[str, Any], params: LoraParameters, sizes: Sizes) -> str:
    """Return the card of a payload. Markdown."""
    basis = payload["basis"]
    return "\n".join([
        f"# {params.base.package} tuned for {payload['outcome']}", "",
        "## Model", "",
        f"- Task: {payload['task']}" + (f", classes {', '.join(payload['classes'])}" if payload["classes"] else ""),
        f"- Frozen model: package {params.base.package}, content {params.base.content}",
        f"- Adapters: rank {params.rank}, alpha {params.alpha:g}, at {', '.join(params.targets)}; in `{ADAPTERS}`",
        f"- Head: linear, over the mean of a text's tokens, the first {params.length}; in `{HEAD}`", "",
        "## Training", "",
        f"- {rows_told(payload)} of {basis['contributing']} of {basis['institutions']} institutions, which no "
        "institution gave away",
        f"- {params.strategy}, {payload['kept']} rounds, ended by: {payload['stopped']}",
        *(f"- {line}" for line in promise_lines(payload) or ["Differential privacy: none"]), "",
        "## Size", "", *(f"- {name.capitalize()}: {value}" for name, value in sizes.lines()), "",
        "## Measures", "", "| part | measure | value |", "|---|---|---|",
        *(f"| {part} | {name} | {value:.6g} |" for part, measures in payload["metrics"].items()
          for name, value in measures.items()), "",
        "## Limits", "",
        "- A language model can remember single texts. Without differential privacy nothing bounds what its adapters "
        "give away of them.",
        "- Measures on training texts flatter the model. With differential privacy none are released.",
        "- What the frozen model learned before, and from whom, this card does not know.", "",
    ])
