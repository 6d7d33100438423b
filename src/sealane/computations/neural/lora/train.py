"""``neural.lora``: an installed transformer tuned as a classifier of texts over the rows of all institutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.disclosure import hidden_under
from sealane.computations.neural.draws import Draws
from sealane.computations.neural.inputs import Inputs, Number, Own
from sealane.computations.neural.lora import private
from sealane.computations.neural.lora.base_files import checked, read_config
from sealane.computations.neural.lora.library import late, need_lora
from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.computations.neural.lora.result import LoraResult
from sealane.computations.neural.lora.texts import missing_in, read_text_field, token_ids
from sealane.computations.neural.outcome import Target, read_target
from sealane.computations.neural.rows import Rows, split_rows
from sealane.computations.neural.screening import Screened, Split, screen
from sealane.computations.neural.written import write_weights
from sealane.computations.trees.sampling import private_seed
from sealane.errors import InputError
from sealane.governance.contract import Contract
from sealane.privacy.mechanism import Price


class NeuralLora:
    """Adapters of a frozen transformer, and a head, by Flower's strategies."""

    outputs = ("model",)
    opens = ("rows by class; each round's mean update and loss, updates above powers of two; scores; with epsilon "
             "noised sums only")

    @property
    def name(self) -> str:
        """Return ``neural.lora``."""
        return "neural.lora"

    @property
    def late(self) -> tuple[str, ...]:
        """Return what a sandbox imports beforehand, where the libraries are installed."""
        return late()

    @property
    def parameters(self) -> type[LoraParameters]:
        """Return the model of its parameters."""
        return LoraParameters

    def columns(self, params: LoraParameters) -> list[str]:
        """Return outcome and text."""
        return [params.outcome, params.text]

    def price(self, params: LoraParameters, contract: Contract, honest: int) -> Price | None:
        """Return what one run costs; None without a promise.

        Raises:
            InputError: a column cannot play its part, no noise keeps the promise, or the frozen model is not installed.
            RefusedError: its files are not what the study names.
        """
        return private.price(params, read_classes(contract, params), honest) if params.promised else None

    def exchanges(self, params: LoraParameters) -> int:
        """Return most exchanges of a run: two a round, with a model of each institution's own twice as many."""
        return 100 + 4 * params.rounds

    async def run(self, data: Dataset, cohort: Cohort, params: LoraParameters) -> Payload:
        """Tune the model.

        Raises:
            InputError: a column that cannot play its part, rows outside the contract, or a library or the frozen model
                that is not installed here.
            RefusedError: other files of the frozen model than the study names; too few rows, events or institutions;
                or a training that explodes at once.
            ProtocolError: nodes hold different adapters.
        """
        need_lora(training=True)
        folder = checked(params.base)
        padding = read_config(folder)["pad_token_id"]
        field, target = read_text_field(data.contract, params.text), read_classes(data.contract, params)
        codes, missing, outcome = _read(data, params, target, folder, padding)
        # Where a text is missing is what the rules of a network's features need to know of it.
        own = Own({params.text: np.where(missing, np.nan, 0.0)}, {})
        draws = Draws(private_seed(params.seed, codes, missing, outcome))
        split = split_rows(own, outcome, "drop", params.validation_fraction, draws)
        if params.promised:
            rows = _rows(codes, outcome, split.training, params, target)
            return await private.tune_privately(cohort, params, folder, padding, target, rows, draws)
        screened = await screen(cohort, Inputs((Number(field, 0.0, 1.0),), ()), target, own, outcome, split)
        return await _tuned(cohort, params, folder, padding, target, codes, outcome, split, screened, draws)

    def present(self, payload: Payload) -> LoraResult:
        """Return the result with a model of peft's."""
        return LoraResult(payload)


def read_classes(contract: Contract, params: LoraParameters) -> Target:
    """Look the outcome up.

    Raises:
        InputError: it cannot be one, or has no classes.
    """
    target = read_target(contract, params.training)
    if target.task == "regression":
        raise InputError("outcome.type", f"column {target.field.name!r} has no classes to tell apart",
                         got=target.field.type, expected="a category, or a boolean")
    return target


def _read(data: Dataset, params: LoraParameters, target: Target, folder: Path, padding: int
          ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Return token ids, where texts are missing, and outcomes."""
    texts = data.frame([params.text])[params.text]
    missing = missing_in(texts)
    codes = token_ids(folder, ["" if gone else str(text) for text, gone in zip(texts, missing, strict=True)],
                      params.length, padding)
    return codes, missing, target.read(data.frame([params.outcome])[params.outcome])


async def _tuned(cohort: Cohort, params: LoraParameters, folder: Path, padding: int, target: Target,
                 codes: NDArray[np.int64], outcome: NDArray[np.float64], split: Split, screened: Screened, draws: Draws
                 ) -> Payload:
    from sealane.computations.neural.learning.adapting import adapt, prepare  # imports PyTorch
    from sealane.computations.neural.learning.performance import measure

    rows, validation = (_rows(codes, outcome, where, params, target) for where in (split.training, split.validation))
    made = adapt(params, folder, padding, target)
    rounds = prepare(cohort, params, made, target, rows, validation, screened, draws)
    trained = await rounds.run(made.first)
    counts = {"training": screened.training, "validation": screened.validation}
    metrics = await measure(cohort, rounds, target, trained.weights, counts)
    parts = made.shapes.split(trained.weights)
    kind = "float64" if params.precision == "double" else "float32"
    return _described(params, target, screened, cohort) | {
        "size": {"frozen": made.frozen, "trained": made.shapes.length},
        "weights": write_weights(list(parts), list(parts.values()), kind),
        "history": trained.history, "kept": trained.kept, "stopped": trained.stopped,
        "accumulated": trained.accumulated, "metrics": metrics, "sending": rounds.sending.describe(),
    }


def _rows(codes: NDArray[np.int64], outcome: NDArray[np.float64], where: NDArray[np.bool_], params: LoraParameters,
          target: Target) -> Rows:
    real: Any = np.float64 if params.precision == "double" else np.float32
    kind: Any = np.int64 if target.task == "multiclass" else real
    return Rows(np.empty((int(where.sum()), 0), dtype=real), codes[where], outcome[where].astype(kind))


def _described(params: LoraParameters, target: Target, screened: Screened, cohort: Cohort) -> Payload:
    return {
        "computation": "neural.lora",
        "outcome": target.field.name,
        "text": params.text,
        "task": target.task,
        "classes": list(target.classes),
        "parameters": params.model_dump(mode="json"),
        "nobs": screened.training,
        "validated": screened.validation,
        "dropped": hidden_under(screened.rows - screened.training - screened.validation, cohort.minimum_count),
        "basis": screened.basis,
    }
