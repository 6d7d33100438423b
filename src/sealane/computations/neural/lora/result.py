"""What a reader of a tuned transformer expects: a model of peft's, predictions for texts, and files to keep."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.disclosure import basis_lines
from sealane.computations.neural.lora.base_files import checked, read_config
from sealane.computations.neural.lora.files import save_folder
from sealane.computations.neural.lora.library import need_lora
from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.computations.neural.lora.sizes import Sizes
from sealane.computations.neural.lora.texts import token_ids
from sealane.computations.neural.model_card import promise_lines, rows_told
from sealane.computations.neural.written import read_weights
from sealane.errors import InputError


class LoraResult:
    """Adapters and a head for a frozen model, the same at every institution.

    Attributes:
        history: one row for each round: mean loss of its steps, the validation loss of what it made, and the bytes that
            an institution's part of the sum of updates takes by weight, before protection; no losses with a promise.
        metrics: measures of the released model by part (``training``, ``validation``); none with a promise.
        epsilon: of differential privacy; None where the study asked for none.
        rounds: after which the released model was the cohort's.
        stopped: ``rounds`` when all were made, ``early`` or ``exploded``.
        nobs: rows that were learned from; with a promise to rows about so many, with one to institutions None.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self._module: Any = None
        columns = ["round", "loss", "validation_loss", "bytes_per_parameter"]
        self.history = pd.DataFrame(payload["history"], columns=columns).astype(dict.fromkeys(columns[1:], float))
        self.epsilon: float | None = payload.get("epsilon")
        self.delta: float | None = payload.get("delta")
        self.metrics: dict[str, dict[str, float]] = {k: dict(v) for k, v in payload["metrics"].items()}
        self.rounds: int = payload["kept"]
        self.stopped: str = payload["stopped"]
        self.nobs: int | None = payload["nobs"]
        self.trace: Any = None

    @property
    def params(self) -> LoraParameters:
        """What the study asked for."""
        return LoraParameters.model_validate(self._payload["parameters"])

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights of adapters and head by name."""
        return read_weights(self._payload["weights"])

    @property
    def sizes(self) -> Sizes:
        """What is frozen, what is trained, and what that takes on the wire and in memory."""
        sent = None
        if self.trace is not None and self._payload["history"]:
            sent = max(self.trace.bytes_sent.values()) / len(self._payload["history"])
        bits = self._payload["sending"].get("bits")
        size = self._payload["size"]
        return Sizes(size["frozen"], size["trained"], bits, self.params.optimizer, sent)

    @property
    def model(self) -> Any:
        """A ``torch.nn.Module`` in evaluation mode: ``encoder`` is a ``peft.PeftModel``, ``head`` a linear layer.

        Raises:
            InputError: a library or the frozen model is not installed here.
            RefusedError: the frozen model's files are not those that were tuned.
        """
        if self._module is None:
            need_lora(training=False)
            from sealane.computations.neural.learning.adapters import rebuild_classifier  # imports PyTorch

            folder, params = checked(self.params.base), self.params
            outputs = len(self._payload["classes"]) if self._payload["task"] == "multiclass" else 1
            self._module = rebuild_classifier(folder, params, outputs, read_config(folder)["pad_token_id"],
                                              self.weights)
        return self._module

    def predict(self, texts: Iterable[str] | pd.DataFrame) -> pd.Series[float] | pd.DataFrame:
        """Return for each text a probability, or one for each class as a frame.

        Args:
            texts: any number of strings, or a frame with the study's column of texts.

        Raises:
            InputError: something is no text, or a library or the frozen model is not installed here.
            RefusedError: the frozen model's files are not those that were tuned.
        """
        given = self._texts(texts)
        module, params = self.model, self.params
        from sealane.computations.neural.learning.adapters import apply_to

        codes = token_ids(checked(params.base), list(given), params.length, module.padding)
        values = apply_to(module, codes, params.rows_at_once)
        if self._payload["task"] == "multiclass":
            odds = np.exp(values - values.max(axis=1, keepdims=True, initial=-np.inf))
            return pd.DataFrame(odds / odds.sum(axis=1, keepdims=True), index=given.index,
                                columns=self._payload["classes"])
        return pd.Series(1.0 / (1.0 + np.exp(-values[:, 0])), index=given.index, name=self._payload["outcome"])

    def _texts(self, texts: Iterable[str] | pd.DataFrame) -> pd.Series[str]:
        if isinstance(texts, pd.DataFrame):
            if self._payload["text"] not in texts.columns:
                raise InputError("model.missing-column", "the column of texts is not among the columns",
                                 got=f"no {self._payload['text']!r}", expected="the study's column of texts")
            texts = texts[self._payload["text"]]
        series: pd.Series[str] = texts if isinstance(texts, pd.Series) else pd.Series(
            [texts] if isinstance(texts, str) else list(texts), dtype=object)
        if not all(isinstance(one, str) for one in series):
            raise InputError("lora.no-text", "something to be classified is no text", expected="strings")
        return series

    def save(self, path: str | Path) -> Path:
        """Write a folder that peft reads: adapters and head as safetensors, and a model card; return the card's path.

        Raises:
            InputError: peft or safetensors is not installed.
        """
        need_lora(training=False)
        return save_folder(Path(path), self._payload, self.params, self.weights, self.sizes)

    def summary(self) -> str:
        """Return what was tuned and how it does, as plain text."""
        p, params = self._payload, self.params
        lines = [f"{params.base.package} with adapters of rank {params.rank} for {p['outcome']} ({p['task']})",
                 f"{params.strategy}, {self.rounds} rounds ({self.stopped}), {rows_told(p)}",
                 *promise_lines(p),
                 *basis_lines(p["basis"]), *(f"{name}: {value}" for name, value in self.sizes.lines())]
        if p["accumulated"]:
            lines.append(f"gradients accumulated for lack of memory at {p['accumulated']} institutions")
        for part, measures in self.metrics.items():
            lines.append(f"{part:<12}" + "  ".join(f"{name} {value:.4f}" for name, value in measures.items()))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return self._payload | {"rounds": self.rounds}

    def __repr__(self) -> str:
        return f"<LoraResult {self._payload['outcome']} by {self.params.base.package}, {rows_told(self._payload)}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
