"""Design matrices with treatment coding, and scores from named coefficients."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.errors import InputError

INTERCEPT = "Intercept"
LEVEL = re.compile(r"(?P<column>[^\[\]]+)\[T\.(?P<level>.*)\]")


def level_columns(frame: pd.DataFrame, column: str, like: Collection[str] = ()) -> list[str]:
    """Return the names of a category's columns: all sorted levels but the reference.

    The reference is the level for which ``like``, the columns of a model to compare with, has none; without such a
    model the first.
    """
    names = [f"{column}[T.{level}]" for level in sorted(str(level) for level in frame[column].unique())]
    absent = [name for name in names if name not in like]
    return [name for name in names if name != absent[0]] if absent else names[1:]


def design_columns(
    frame: pd.DataFrame, features: Sequence[str], categorical: Sequence[str], like: Collection[str] = ()
) -> list[str]:
    """Return the names of all columns of the design, the intercept first; ``like`` as in :func:`level_columns`.

    Raises:
        InputError: a feature is not in the data.
    """
    names = [INTERCEPT]
    for feature in features:
        if feature not in frame.columns:
            raise unknown(feature, frame)
        names += level_columns(frame, feature, like) if feature in categorical else [feature]
    return names


def design_matrix(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return the rows as ``(n_rows, n_columns)`` float64, each column made from its name alone.

    A level that has no column counts as the reference, which is all that a model that never saw it can do.

    Raises:
        InputError: a name belongs to no column of the data.
    """
    made = [design_column(frame, name) for name in columns]
    return np.column_stack(made) if made else np.empty((len(frame), 0))


def design_column(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return one column of the design."""
    if name == INTERCEPT:
        return np.ones(len(frame))
    match = LEVEL.fullmatch(name)
    source = match["column"] if match else name
    if source not in frame.columns:
        raise unknown(name, frame)
    if match:
        return np.asarray(frame[source].astype(str) == match["level"], dtype=np.float64)
    if not pd.api.types.is_numeric_dtype(frame[source]):
        raise InputError(
            "example.not-numeric",
            "a numeric coefficient names a category",
            got=repr(name),
            hint=f"name it in `categorical`; its coefficients are called {source}[T.LEVEL]",
        )
    return np.asarray(frame[source], dtype=np.float64)


def linear_scores(frame: pd.DataFrame, coefficients: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the linear predictor of each row: AUC and KS only look at its order."""
    return design_matrix(frame, list(coefficients)) @ np.array(list(coefficients.values()), dtype=np.float64)


def unknown(name: str, frame: pd.DataFrame) -> InputError:
    """Return the error for a coefficient or feature that the data do not have."""
    return InputError(
        "example.unknown-column",
        "a feature or coefficient belongs to no column of the data",
        got=repr(name[:80]),
        expected=", ".join(map(str, frame.columns)),
    )
