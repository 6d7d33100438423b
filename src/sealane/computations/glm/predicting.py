"""Expected outcomes of new rows, from a payload and coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.design.rebuild import rebuild
from sealane.computations.glm.links import LINKS
from sealane.errors import InputError


def mean_of(
    payload: Mapping[str, Any], params: pd.Series[float], rows: pd.DataFrame, *, offset: Any, exposure: Any,
    intercept: float = 0.0,
) -> pd.Series[float]:
    """Return the expected outcome of new rows.

    Args:
        payload: of the model.
        params: its coefficients by name.
        rows: holds the features.
        offset: added to the linear predictor; None for 0.
        exposure: its logarithm is added to it; None for 1.
        intercept: added too.

    Raises:
        InputError: a column is missing, a level is none that the model knows, or an exposure goes with no log link.
    """
    if exposure is not None and payload["link"] != "log":
        raise InputError("glm.exposure-link", "exposure goes with the log link", got=payload["link"],
                         expected="log", hint="use offset")
    columns = rebuild(payload["design"], rows)
    predictor = np.full(len(rows), intercept)
    for name, coefficient in params.items():
        predictor += coefficient * columns[str(name)].to_numpy()
    if offset is not None:
        predictor = predictor + np.asarray(offset, dtype=np.float64)
    if exposure is not None:
        predictor = predictor + np.log(np.asarray(exposure, dtype=np.float64))
    return pd.Series(LINKS[payload["link"]].mean(predictor), index=rows.index, name=payload["outcome"])
