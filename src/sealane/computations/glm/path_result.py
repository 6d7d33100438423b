"""A path of penalised models as its reader expects it: coefficients by penalty, the curve of errors, a picture."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.disclosure import basis_lines
from sealane.computations.glm.predicting import mean_of
from sealane.computations.outcome import said
from sealane.computations.picture import new_axes
from sealane.errors import InputError


class PathResult:
    """Penalised models, the same at every institution. Penalised estimates have no standard errors.

    Attributes:
        path: coefficients in the contract's units (DataFrame), a row for each penalty, the largest first.
        lambdas: the penalties.
        cv_: mean deviance per row on rows not seen, its standard error and the number of coefficients that are not
            zero, by penalty (DataFrame); None without folds.
        lambda_min: penalty of the least error; None without folds.
        lambda_1se: largest penalty within one standard error of it; None without folds.
        lambda_: the penalty that the study's rule takes; without folds the smallest.
        params: coefficients at it.
        deviance: by penalty.
        null_deviance: of a model with only an intercept.
        nobs: rows used.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        names = list(payload["columns"])
        index = pd.Index(payload["lambdas"], name="lambda", dtype=np.float64)
        self.path = pd.DataFrame(payload["path"], index=index, columns=names, dtype=np.float64)
        self.lambdas: list[float] = list(payload["lambdas"])
        self.lambda_: float = self.lambdas[payload["chosen"]]
        self.params = pd.Series(payload["params"], index=names, dtype=np.float64, name="coef")
        self.deviance = pd.Series(payload["deviance"], index=index, name="deviance")
        self.null_deviance: float = payload["null_deviance"]
        self.nobs: int = payload["nobs"]
        cv = payload["cv"]
        self.cv_: pd.DataFrame | None = None if cv is None else pd.DataFrame(
            {"mean": cv["mean"], "se": cv["se"], "nonzero": payload["nonzero"]}, index=index)
        self.lambda_min: float | None = None if cv is None else cv["lambda_min"]
        self.lambda_1se: float | None = None if cv is None else cv["lambda_1se"]
        self.trace: Any = None

    def predict(
        self, rows: pd.DataFrame, *, lambda_: float | None = None, offset: Any = None, exposure: Any = None
    ) -> pd.Series[float]:
        """Return the expected outcome of new rows, at the study's penalty or another one of the path.

        Raises:
            InputError: no such penalty in the path, a missing column or an unknown level.
        """
        params = self.params
        if lambda_ is not None:
            near = int(np.abs(np.array(self.lambdas) - lambda_).argmin())
            if abs(self.lambdas[near] - lambda_) > 1e-9 * lambda_:
                raise InputError("glm.unknown-lambda", "the path has no such penalty", got=lambda_,
                                 expected="one of .lambdas")
            params = self.path.iloc[near]
        return mean_of(self._payload, params, rows, offset=offset, exposure=exposure)

    def plot(self, ax: Any = None) -> Any:
        """Draw each coefficient, in effects of one standard deviation left out, against the penalty; return the Axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        axes = new_axes(ax)
        for name in self.path.columns.drop("Intercept", errors="ignore"):
            axes.plot(self.lambdas, self.path[name], label=str(name))
        for place, style in ((self.lambda_min, ":"), (self.lambda_1se, "--")):
            if place is not None:
                axes.axvline(place, color="grey", linestyle=style)
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xlabel("penalty")
        axes.set_ylabel("coefficient")
        axes.axhline(0.0, color="grey", linewidth=0.5)
        if len(self.path.columns) <= 12:
            axes.legend(fontsize="small")
        return axes

    def summary(self) -> str:
        """Return the chosen model as a table in plain text."""
        p = self._payload
        width = max(12, *(len(str(name)) for name in self.params.index))
        lines = [
            f"Penalised {self._payload['family']} model over the cohort: {p['penalty']}, l1_ratio {p['l1_ratio']:g}",
            f"Outcome {said(p['outcome'], p['event_level'])}, {self.nobs:,} rows, {len(self.lambdas)} penalties, "
            f"{p['folds']} folds",
            f"Penalty taken: {self.lambda_:.5g} ({p['rule'] if p['folds'] else 'the smallest'}); deviance "
            f"{self.deviance.iloc[p['chosen']]:.6g} (null {self.null_deviance:.6g})",
            "=" * (width + 14),
        ]
        lines += [f"{name:<{width}} {value:>12.5g}" for name, value in self.params.items() if value != 0.0]
        left = int((self.params == 0.0).sum())
        lines += ["=" * (width + 14), *basis_lines(p["basis"])]
        return "\n".join([*lines, f"{left} coefficients are zero; penalised estimates have no standard errors."])

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        return {**self._payload, "lambda": self.lambda_,
                "coefficients": {str(name): float(value) for name, value in self.params.items()}}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
