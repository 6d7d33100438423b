"""A model that its owner scores with and does not hand over: read from a file, made ready for encrypted columns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sealane.core.canonical import canonical_bytes, sha256
from sealane.errors import InputError
from sealane.governance.contract import Contract
from sealane.governance.fault import first_fault
from sealane.governance.score_columns import MAXIMUM_COLUMNS, Column, Form, encrypted_columns, pairs

MAXIMUM_BYTES = 1 << 22
LARGEST = 128.0
"""What |weights| and |bias| add up to at most once the scale is divided away: half of what CKKS carries here."""
LARGEST_WHOLE = 4096.0
"""Largest scale at which the error of a score, 2^-14 of it, is rounded away."""
Link = Literal["identity", "logistic"]
Finite = Field(allow_inf_nan=False)


class Hidden(BaseModel):
    """One hidden unit of a network: output * (weights . columns + bias)^2."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    weights: tuple[float, ...]
    bias: float
    output: float


class ScoreModel(BaseModel):
    """A model over columns.

    Attributes:
        form: ``linear``, ``scorecard`` (one column of 0 and 1 a bin) or ``network`` (one hidden layer of squares).
        columns: what it is over; public to whom it scores for.
        weights: one a column; for a scorecard its points. Of scaled columns they weigh the field in its own unit,
            except in a network, where they weigh the column, from -1 to 1.
        intercept: or a scorecard's base points, or a network's last bias.
        hidden: units of a network.
        link: what the asker does to a score: nothing, or the logistic function.
        whole: the scores are whole numbers, and the asker rounds to them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    form: Form
    columns: tuple[Column, ...]
    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    hidden: tuple[Hidden, ...] = ()
    link: Link = "identity"
    whole: bool = False

    @model_validator(mode="after")
    def _coherent(self) -> ScoreModel:
        numbers = [self.intercept, *self.weights, *(w for unit in self.hidden for w in unit.weights),
                   *(n for unit in self.hidden for n in (unit.bias, unit.output))]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("a model's numbers are finite")
        if not 1 <= encrypted_columns(self.columns, self.form) <= MAXIMUM_COLUMNS:
            raise ValueError(f"a request has 1 to {MAXIMUM_COLUMNS} columns; a network sends all products of two")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("a column stands twice")
        if bool(self.hidden) != (self.form == "network"):
            raise ValueError("a network, and nothing else, has hidden units")
        if (self.weights and len(self.weights) != len(self.columns)) or not (self.weights or self.hidden):
            raise ValueError("there is one weight a column")
        if any(len(unit.weights) != len(self.columns) for unit in self.hidden):
            raise ValueError("a hidden unit has one weight a column")
        if self.form == "scorecard" and any(column.kind == "scaled" for column in self.columns):
            raise ValueError("a scorecard's columns are bins, levels or missing values")
        if self.whole and not all(float(number).is_integer() for number in [self.intercept, *self.weights]):
            raise ValueError("whole scores are made of whole points")
        return self

    def canonical(self) -> bytes:
        """Return the bytes that it is kept under."""
        return canonical_bytes(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """What a grant commits to: the same model under another name is the same model."""
        return sha256(b"sealane score model v1", self.canonical()).hex()

    def over_columns(self) -> tuple[NDArray[np.float64], float]:
        """Return weights of the encrypted columns, and the bias."""
        weights, bias = np.array(self.weights or [0.0] * len(self.columns)), self.intercept
        if self.form != "network":
            for k, column in enumerate(self.columns):
                if column.kind == "scaled":
                    assert column.lower is not None
                    assert column.upper is not None
                    bias += weights[k] * (column.lower + column.upper) / 2
                    weights[k] *= (column.upper - column.lower) / 2
            return weights, float(bias)
        squares = np.zeros((len(self.columns), len(self.columns)))
        for unit in self.hidden:
            inner = np.array(unit.weights)
            squares += unit.output * np.outer(inner, inner)
            weights = weights + 2 * unit.output * unit.bias * inner
            bias += unit.output * unit.bias**2
        products = [squares[i, j] * (1 if i == j else 2) for i, j in pairs(len(self.columns))]
        return np.concatenate([weights, products]), float(bias)

    @property
    def scale(self) -> float:
        """A power of two that scores are divided by so that CKKS carries them; the asker multiplies by it.

        Raises:
            InputError: the model's numbers are all zero, or beyond any use.
        """
        weights, bias = self.over_columns()
        size = float(np.abs(weights).sum()) + abs(bias)
        if not 1e-30 < size < 1e30:
            raise InputError("score.bad-model", "the model's numbers are all zero, or too large", got=f"{size:g}",
                             expected="|weights| and |bias| over the columns between 1e-30 and 1e30 together")
        return float(2.0 ** math.ceil(math.log2(size / LARGEST)))


def parse_model(data: bytes) -> ScoreModel:
    """Read a model in our own form.

    Raises:
        InputError: it is none.
    """
    return _make(_object(data))


def read_model(data: bytes, contract: Contract | None = None,
               ranges: Mapping[str, tuple[float, float]] | None = None) -> ScoreModel:
    """Read a model's file: our own form, or what a released ``glm.fit`` or ``glm.scorecard`` writes (``to_dict``).

    Args:
        data: JSON.
        contract: gives the ranges of fields where a result has none.
        ranges: smallest and largest value by field, before the contract's.

    Raises:
        InputError: it is neither, or a field has no range.
    """
    fields = _object(data)
    if "form" in fields:
        return _make(fields)
    released = [one for one in (fields, fields.get("result")) if isinstance(one, dict)]
    card = next((one for one in released if "scaling" in one), None)
    if card is not None:
        return _from_scorecard(card)
    found = next((one for one in released if "design" in one), None)
    if found is None:
        raise InputError("score.bad-model", "the file is no model", got=", ".join(map(str, fields))[:200],
                         expected="form, columns, weights and intercept, or a released glm.fit or glm.scorecard",
                         hint="see docs/private-scoring.md")
    return _from_regression(found, contract, ranges or {})


def _from_scorecard(found: dict[str, Any]) -> ScoreModel:
    """Read a card: one column a bin, with the points that it gives; its base is in the points already."""
    try:
        points = iter([one["points"] for one in found["points"]])
        columns: list[dict[str, Any]] = []
        weights = []
        for feature in (one for one in found["features"] if one["used"]):
            columns += _bins(feature)
            weights += [float(next(points)) for _ in feature["bins"]]
        whole = bool(found["scaling"]["round_points"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        raise InputError("score.bad-model", "the scorecard is malformed", got=type(error).__name__,
                         expected="what a released glm.scorecard says of itself") from error
    return _make({"form": "scorecard", "columns": columns, "weights": weights, "whole": whole})


def _bins(feature: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a column for each bin of a card's feature, in their order; a bin beyond the last is of missing values."""
    name, missing = str(feature["name"]), feature["missing"]
    if "levels" in feature:
        out: list[dict[str, Any]] = [
            {"name": name, "kind": "level", "levels": list(levels)} for levels in feature["levels"]]
    else:
        ends: list[float | None] = [None, *map(float, feature["edges"]), None]
        out = [{"name": name, "kind": "bin", "lower": low, "upper": high} for low, high in pairwise(ends)]
    if len(out) < len(feature["bins"]):
        return [*out, {"name": name, "kind": "missing"}]
    if missing is not None:
        out[missing]["or_missing"] = True
    return out


def _from_regression(found: dict[str, Any], contract: Contract | None,
                     ranges: Mapping[str, tuple[float, float]]) -> ScoreModel:
    """Read a regression: main effects only; an effect of an institution has no place in a score for another."""
    try:
        if found.get("institution_effects", "none") != "none" or found.get("offset") or found.get("exposure"):
            raise InputError("score.bad-model", "a regression with institutions' own intercepts, an offset or an "
                             "exposure scores nobody else", expected="one without them")
        link = {"logit": "logistic", "identity": "identity"}.get(str(found["link"]))
        if link is None:
            raise InputError("score.bad-model", "the regression's link is none that scores have", got=found["link"],
                             expected="logit or identity")
        params = {str(name): float(value) for name, value in found["coefficients"].items()}
        columns, weights, intercept = [], [], 0.0
        for one in found["design"]["columns"]:
            if not one["parts"]:
                intercept = params[one["name"]]
                continue
            if len(one["parts"]) != 1 or one["parts"][0][1]:
                raise InputError("score.bad-model", "the regression has a term that is no single field",
                                 got=str(one["name"])[:80], expected="fields as they are, and levels")
            name, _, level = one["parts"][0]
            columns.append(_field(name, level, contract, ranges))
            weights.append(params[one["name"]])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError("score.bad-model", "the regression is malformed", got=type(error).__name__,
                         expected="what a released glm.fit says of itself") from error
    return _make({"form": "linear", "columns": columns, "weights": weights, "intercept": intercept, "link": link})


def _field(name: str, level: str | None, contract: Contract | None,
           ranges: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    if level is not None:
        return {"name": name, "kind": "level", "levels": [level]}
    lower, upper = ranges.get(name, (None, None))
    if lower is None and contract is not None:
        known = contract.field(name)
        lower, upper = (0.0, 1.0) if known.type == "boolean" else (known.minimum, known.maximum)
    if lower is None or upper is None:
        raise InputError("score.range-missing", "a field has no range, and encrypted columns need one", got=name,
                         expected="its smallest and its largest value",
                         hint=f"name the --contract that has it, or --range {name}=LOWER:UPPER")
    return {"name": name, "kind": "scaled", "lower": float(lower), "upper": float(upper)}


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAXIMUM_BYTES:
        raise InputError("score.bad-model", "the model's file is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise InputError("score.bad-model", "the model's file is no JSON object", hint="see docs/private-scoring.md")
    return fields


def _make(fields: dict[str, Any]) -> ScoreModel:
    try:
        # Through JSON: its arrays are what a strict model takes for tuples, and its numbers for floats.
        model = ScoreModel.model_validate_json(json.dumps(fields))
    except (ValidationError, ValueError, RecursionError) as error:
        got = ": ".join(first_fault(error, "model")) if isinstance(error, ValidationError) else type(error).__name__
        raise InputError("score.bad-model", "the model is malformed", got=got,
                         hint="see docs/private-scoring.md") from None
    if model.scale > LARGEST_WHOLE and model.whole:
        raise InputError("score.bad-model", "the points are too large to be whole numbers after encryption",
                         expected=f"points of at most {LARGEST_WHOLE * LARGEST:,.0f} together")
    return model
