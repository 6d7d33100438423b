"""Texts as token ids: at the node, with the frozen model's own tokenizer. Private."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.errors import InputError
from sealane.governance.contract import Contract, Field


def read_text_field(contract: Contract, name: str) -> Field:
    """Look the column of texts up.

    Raises:
        InputError: it does not exist, or holds no texts.
    """
    field = contract.field(name)
    if field.type not in ("text", "category"):
        raise InputError("lora.text-type", f"column {name!r} holds no texts", got=field.type,
                         expected="text, or a category whose levels are texts")
    return field


def missing_in(texts: pd.Series[str]) -> NDArray[np.bool_]:
    """Return which rows have no text."""
    return texts.isna().to_numpy(np.bool_)


def token_ids(folder: Path, texts: Sequence[str], length: int, padding: int) -> NDArray[np.int64]:
    """Return ids of each text's first tokens, filled up behind to one length, ``(n, length)``.

    Raises:
        InputError: tokenizer.json cannot be read.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises nothing narrower
        raise InputError("lora.base-config", "tokenizer.json of the frozen model cannot be read",
                         got=type(error).__name__, expected="a file of the tokenizers library") from None
    tokenizer.enable_truncation(length)
    tokenizer.no_padding()
    out = np.full((len(texts), length), padding, dtype=np.int64)
    for place, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        out[place, : len(ids)] = ids
    return out
