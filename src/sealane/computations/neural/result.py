"""What a reader of a trained network expects: a PyTorch module, and what was measured on the way."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.disclosure import basis_lines
from sealane.computations.neural.inputs import encode
from sealane.computations.neural.library import need_torch
from sealane.computations.neural.model_card import promise_lines, rows_told, write_card
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.sending import in_words
from sealane.computations.neural.written import read_weights, write_weights
from sealane.computations.picture import new_axes
from sealane.errors import InputError

Method = Literal["finetune", "ditto", "head"]


class NeuralResult:
    """A trained network, the same at every institution.

    Attributes:
        history: one row for each round: mean loss of its steps, the validation loss of the model that it made, and the
            bytes that a node's update took for each parameter, before what encryption adds.
        metrics: measures of the released model by part (``training``, ``validation``).
        epsilon: of differential privacy; None where the study asked for none.
        delta: likewise.
        rounds: after which the released model was the cohort's.
        stopped: ``rounds`` when all were made, ``early`` or ``exploded``.
        nobs: rows that were learned from: a noised number where rows are protected, None where institutions are.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self._module: Any = None
        columns = ["round", "loss", "validation_loss", "bytes_per_parameter"]
        self.history = pd.DataFrame(payload["history"], columns=columns).astype(dict.fromkeys(columns[1:], float))
        self.metrics: dict[str, dict[str, float]] = {k: dict(v) for k, v in payload["metrics"].items()}
        self.epsilon: float | None = _number(payload.get("epsilon"))
        self.delta: float | None = _number(payload.get("delta"))
        self.rounds: int = payload["kept"]
        self.stopped: str = payload["stopped"]
        self.nobs: int | None = payload["nobs"]
        self.trace: Any = None

    @property
    def params(self) -> NeuralParameters:
        """What the study asked for."""
        return NeuralParameters.model_validate(self._payload["parameters"])

    @property
    def personalised(self) -> str | None:
        """How the model was made one's own; None of one that all institutions have."""
        return self._payload.get("personalised")

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights by name."""
        return read_weights(self._payload["weights"])

    @property
    def model(self) -> Any:
        """The model as a ``torch.nn.Module``, in evaluation mode; :meth:`inputs` makes what it takes of rows.

        Raises:
            InputError: PyTorch is not installed.
        """
        if self._module is None:
            need_torch()
            from sealane.computations.neural.learning.rebuilding import rebuild  # imports PyTorch

            self._module = rebuild(self._payload, self.weights)
        return self._module

    def inputs(self, rows: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return rows as the module takes them: numbers in standard units, and places of levels."""
        return encode(rows, self._payload["features"])

    def predict(self, rows: pd.DataFrame) -> pd.Series[float] | pd.DataFrame:
        """Return the expected outcome of new rows: a probability, one for each class as a frame, or a value.

        Raises:
            InputError: a feature is missing, or PyTorch is not installed.
        """
        if self._payload["parameters"]["personal"] == "head" and "personalised" not in self._payload:
            raise InputError("neural.head-not-shared", "the model was trained without a last layer of its own",
                             expected="one's own last layer", hint="model.personalise(rows, \"head\") first")
        module = self.model
        from sealane.computations.neural.learning.rebuilding import apply

        given = apply(module, *self.inputs(rows))
        p = self._payload
        if p["task"] == "multiclass":
            odds = np.exp(given - given.max(axis=1, keepdims=True))
            return pd.DataFrame(odds / odds.sum(axis=1, keepdims=True), index=rows.index, columns=p["classes"])
        values = given[:, 0]
        found = 1.0 / (1.0 + np.exp(-values)) if p["task"] == "binary" else values * p["scale"] + p["centre"]
        return pd.Series(found, index=rows.index, name=p["outcome"])

    def personalise(self, rows: pd.DataFrame, method: Method = "finetune", *, epochs: int = 5) -> NeuralResult:
        """Train the model further on rows of one's own; the result is one's own as well, and tells about the rows.

        Args:
            rows: with features and outcome.
            method: ``finetune``; ``ditto``, pulled towards this model; ``head``, the last layer alone.
            epochs: passes over the rows.

        Raises:
            InputError: a column is missing or holds something else, or PyTorch is not installed.
        """
        need_torch()
        from sealane.computations.neural.learning.personalising import personalise
        from sealane.computations.neural.learning.rebuilding import rebuild

        weights = personalise(rebuild(self._payload, self.weights), self._payload, rows, method, epochs)
        written = write_weights(list(weights), list(weights.values()), self._payload["weights"]["dtype"])
        return NeuralResult(self._payload | {"weights": written, "personalised": method})

    def save(self, path: str | Path) -> Path:
        """Write the weights as safetensors, and a model card beside them; return the card's path.

        Raises:
            InputError: safetensors is not installed.
        """
        try:
            from safetensors.numpy import save_file
        except ImportError:
            raise InputError("neural.no-safetensors", "safetensors is not installed here",
                             expected="the extra neural", hint="pip install 'sealane[neural]'") from None
        about = {"format": "pt", "sealane": json.dumps(
            {name: value for name, value in self._payload.items() if name != "weights"}, sort_keys=True)}
        save_file({name: np.ascontiguousarray(values) for name, values in self.weights.items()}, str(path),
                  metadata=about)
        card = Path(path).with_suffix(".md")
        card.write_text(write_card(self._payload), encoding="utf-8")
        return card

    def to_onnx(self, path: str | Path) -> None:
        """Write an ONNX file that takes rows in the contract's units; see :mod:`.learning.onnx_file`.

        Raises:
            InputError: PyTorch or onnx is not installed.
        """
        need_torch()
        from sealane.computations.neural.learning.onnx_file import write_onnx
        from sealane.computations.neural.learning.rebuilding import rebuild

        write_onnx(rebuild(self._payload, self.weights), self._payload, path)

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss by round, and return the axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        axes = new_axes() if ax is None else ax
        axes.plot(self.history["round"], self.history["loss"], marker=".", label="training, during the round")
        if self.history["validation_loss"].notna().any():
            axes.plot(self.history["round"], self.history["validation_loss"], marker=".", label="validation")
            axes.axvline(self.rounds, linestyle=":", color="grey", label="kept")
        axes.set_xlabel("round")
        axes.set_ylabel("loss")
        axes.legend()
        return axes

    def summary(self) -> str:
        """Return what the model is and how it does, as plain text."""
        p = self._payload
        asked = p["parameters"]
        size = sum(values.size for values in self.weights.values())
        lines = [f"{asked['model']['name']} for {p['outcome']} ({p['task']}), {size} weights",
                 f"{asked['strategy']}, {self.rounds} rounds ({self.stopped}), {rows_told(p)}",
                 *basis_lines(p["basis"]), *promise_lines(p)]
        if self.history["bytes_per_parameter"].notna().any():
            lines.append(f"updates: {in_words(p['sending'])}; {self.history.bytes_per_parameter.mean():.3g} bytes for "
                         "each parameter and round")
        if p["accumulated"]:
            lines.append(f"gradients accumulated for lack of memory at {p['accumulated']} institutions")
        for part, measures in self.metrics.items():
            lines.append(f"{part:<12}" + "  ".join(f"{name} {value:.4f}" for name, value in measures.items()))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return self._payload | {"rounds": self.rounds}

    def __repr__(self) -> str:
        p = self._payload
        return f"<NeuralResult {p['outcome']} by {p['parameters']['model']['name']}, {rows_told(p)}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
