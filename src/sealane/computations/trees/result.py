"""What a reader of boosted trees expects: a LightGBM booster, and what was measured on the way."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.metrics.scoring_model import model_of
from sealane.computations.trees.library import load
from sealane.computations.trees.matrix import read_matrix


class GbdtResult:
    """Boosted trees, the same at every institution.

    Attributes:
        metrics: mean loss by part (``training``, ``validation``) under LightGBM's name; for a binary outcome also
            ``auc`` and ``ks`` with ``auc_error`` and ``ks_error``, the most that they can be off. All are
            weighted where rows are.
        history: the loss before each round and after the last, by part.
        rounds: that are kept.
        nobs: rows used.
        features: names of the features, in order.
        bins: borders of each number's bins, or the levels of each category that were told apart.
        sums: rounds per tree and the like.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self._booster: Any = None
        self.metrics: dict[str, dict[str, float]] = {k: dict(v) for k, v in payload["metrics"].items()}
        self.history: dict[str, list[float]] = {k: list(v) for k, v in payload["history"].items()}
        self.rounds: int = payload["rounds"]
        self.nobs: int = payload["nobs"]
        self.features: list[str] = [one["name"] for one in payload["features"]]
        self.bins: dict[str, list[Any]] = {
            one["name"]: [one["levels"][place] for place in one["apart"]] if one["levels"] else list(one["edges"])
            for one in payload["features"]}
        self.sums: dict[str, float] = dict(payload["sums"])
        self.trace: Any = None

    @property
    def bytes_per_tree(self) -> float | None:
        """What a node sent, on average over nodes, for each tree that was grown; None where no one set a trace.

        Everything that the run sent is in it, whatever the scheme: counts, bins, keys and the result too.
        """
        if self.trace is None:
            return None
        sent = self.trace.bytes_sent
        return float(sum(sent.values()) / max(len(sent), 1) / max(self.sums["trees_grown"], 1))

    @property
    def model_text(self) -> str:
        """The model file, as any LightGBM reads it."""
        return str(self._payload["model"])

    @property
    def booster(self) -> Any:
        """The model as a ``lightgbm.Booster``.

        Raises:
            InputError: LightGBM is not installed.
        """
        if self._booster is None:
            self._booster = load().Booster(model_str=self.model_text)
        return self._booster

    @property
    def model(self) -> dict[str, Any]:
        """The model as the parameter ``model`` of ``metrics.ranking`` and ``monitor.drift``.

        Raises:
            InputError: it has several scores a row, or more leaves than a study can hold.
        """
        return model_of(self)

    @property
    def feature_importance(self) -> pd.DataFrame:
        """How often each feature splits, and the gain of its splits, by name; from the trees alone."""
        return pd.DataFrame({kind: self.booster.feature_importance(importance_type=kind) for kind in ("split", "gain")},
                            index=pd.Index(self.features, name="feature"))

    def predict(self, rows: pd.DataFrame) -> pd.Series[float] | pd.DataFrame:
        """Return the expected outcome of new rows: a probability, or one for each class as a frame.

        Raises:
            InputError: a feature is missing, or a number's column holds something else.
        """
        found = np.asarray(self.booster.predict(self.matrix(rows)))
        if found.ndim == 2:
            return pd.DataFrame(found, index=rows.index, columns=self._payload["classes"])
        return pd.Series(found, index=rows.index, name=self._payload["outcome"])

    def contributions(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return SHAP values of new rows in the score's units, one column for each feature and ``base``.

        They follow from the model file and the rows given here: nothing more is asked of any institution. With more
        than two classes the columns are one set after the other.
        """
        names = [*self.features, "base"]
        classes = self._payload["classes"] if self._payload["objective"] == "multiclass" else []
        if not len(rows):  # LightGBM divides by their number
            found = np.empty((0, len(names) * max(len(classes), 1)))
        else:
            found = np.asarray(self.booster.predict(self.matrix(rows), pred_contrib=True))
        return pd.DataFrame(found, index=rows.index,
                            columns=[f"{one}: {name}" for one in classes for name in names] or names)

    def matrix(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return new rows as the model file takes them: categories as numbers, missing as NaN."""
        return read_matrix(self._payload["features"], rows)

    def save_model(self, path: str | Path) -> None:
        """Write the model file."""
        Path(path).write_text(self.model_text, encoding="utf-8")

    def to_onnx(self, path: str | Path | None = None) -> Any:
        """Return the model as an ``onnx.ModelProto``, and write it where a path is given.

        Input ``input`` takes the rows of :meth:`matrix` in double precision; outputs are ``label`` and
        ``probabilities``, or ``variable``. Columns, levels and classes stand in the file's ``metadata_props``.

        Raises:
            InputError: onnx, onnxmltools or LightGBM is not installed.
            RefusedError: the converter does not carry this model, or not to the same scores.
        """
        from sealane.computations.trees.onnx_file import onnx_model

        model = onnx_model(self._payload, self.features)
        if path is not None:
            Path(path).write_bytes(model.SerializeToString())
        return model

    def summary(self) -> str:
        """Return what the model is and how it does, as plain text."""
        p = self._payload
        smallest, sums, sent = p["smallest_leaf"], p["sums"], self.bytes_per_tree
        lines = [
            "Gradient-boosted trees over the cohort", "=" * 62,
            f"{'Outcome':<22}{p['outcome']} ({p['objective']})",
            f"{'Rows':<22}{self.nobs:,} of {p['basis']['contributing']} institutions",
            f"{'Rounds, trees':<22}{self.rounds}, {p['trees']}",
            f"{'Smallest leaf':<22}{smallest['rows']} rows of {smallest['institutions']} institutions",
            f"{'Sums per tree':<22}{sums['rounds_per_tree']:.1f}",
            *([] if sent is None else [f"{'Sent per tree':<22}{sent / 1000:,.1f} kB a node"]),
            f"{'Splits barred':<22}{sums['barred_splits']} ({sums['replaced_splits']} replaced)", "-" * 62,
        ]
        for part, values in self.metrics.items():
            lines += [f"{part:<12}{name:<18}{value:.6g}" for name, value in values.items()]
        return "\n".join([*lines, "=" * 62])

    def to_dict(self) -> dict[str, Any]:
        """Return the payload, JSON-ready."""
        return dict(self._payload)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
