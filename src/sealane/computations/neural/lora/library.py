"""The optional libraries of ``neural.lora``: transformers, peft and tokenizers, beside those of ``neural.train``."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from sealane.computations.neural.library import flower, need_torch
from sealane.computations.neural.library import late as late_of_training
from sealane.errors import InputError

LATE = ("transformers", "transformers.models.bert.modeling_bert", "peft", "tokenizers",
        "sealane.computations.neural.learning.adapting")
_NEEDED = ("transformers", "peft", "tokenizers", "safetensors")
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
           "TOKENIZERS_PARALLELISM": "false"}
"""Read when the libraries are imported first: nothing is asked of the network, and no thread is forked."""


def late() -> tuple[str, ...]:
    """Return what a sandbox should import beforehand, where it is installed."""
    before = late_of_training()
    return (*before, *LATE) if before and all(find_spec(name) is not None for name in _NEEDED) else ()


def need_lora(*, training: bool) -> None:
    """Import what fine-tuning needs, with its ways to the network shut.

    Args:
        training: whether Flower is needed too.

    Raises:
        InputError: something is not installed.
    """
    os.environ.update(OFFLINE)
    need_torch()
    if training:
        flower()
    try:
        import peft  # noqa: F401
        import safetensors  # noqa: F401
        import tokenizers  # noqa: F401
        import transformers
    except (ImportError, OSError) as error:
        raise InputError("lora.no-extra", "a library for fine-tuning is not installed here",
                         got=getattr(error, "name", None), expected="the extra lora",
                         hint="pip install 'sealane[lora]'") from None
    quiet: Any = transformers.logging  # has no types
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
