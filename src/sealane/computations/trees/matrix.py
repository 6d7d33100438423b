"""New rows as a model file takes them: levels as numbers, missing and unknown ones as NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import level_names
from sealane.errors import InputError


def read_matrix(features: Sequence[Mapping[str, Any]], rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the features of rows, shape ``(n_rows, n_features)``.

    Args:
        features: for each its ``name``, ``levels`` (none of a number) and ``zero``, the number of the first level.
        rows: hold the columns.

    Raises:
        InputError: a feature is missing, or a number's column holds something else.
    """
    out = np.empty((len(rows), len(features)))
    for place, one in enumerate(features):
        name = one["name"]
        if name not in rows.columns:
            raise InputError("model.missing-column", "a feature of the model is not among the columns",
                             got=f"no {name!r}", expected="every feature of the model")
        if one["levels"]:
            known = {level: float(number + one["zero"]) for number, level in enumerate(one["levels"])}
            out[:, place] = level_names(rows[name], known).map(known).to_numpy(np.float64)
            continue
        try:
            values = rows[name].astype(object).where(rows[name].notna(), np.nan)
            out[:, place] = values.to_numpy().astype(np.float64)
        except (TypeError, ValueError):
            raise InputError("columns.not-numeric", f"column {name!r} holds values that are no numbers",
                             expected="numbers") from None
    return out
