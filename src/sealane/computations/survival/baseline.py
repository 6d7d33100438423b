"""Released baseline hazards as tables, and survival of new rows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.columns import level_names
from sealane.errors import InputError


class Baselines:
    """The baseline hazards of a model's strata.

    Args:
        payload: stratum, times and hazard of each; None where each institution has its own.
        strata: columns that make the strata.
    """

    def __init__(self, payload: Sequence[Mapping[str, Any]] | None, strata: Sequence[str]) -> None:
        self._payload, self._strata = payload, list(strata)

    @property
    def hazard(self) -> pd.DataFrame:
        """One column per stratum, index time; 0 where a stratum has no event."""
        if self._payload is None:
            raise InputError("survival.no-baseline", "the model has a baseline for each institution",
                             expected="a model fitted with stratify_by_institution = false",
                             hint="baselines of single institutions are not released")
        if not self._strata:
            (one,) = self._payload
            return pd.DataFrame({"baseline hazard": one["hazard"]}, index=one["times"])
        columns = {self._name(one["stratum"]): pd.Series(one["hazard"], index=one["times"]) for one in self._payload}
        return pd.DataFrame(columns).sort_index().fillna(0.0)

    @property
    def cumulative(self) -> pd.DataFrame:
        """Sum of the hazard up to each time."""
        return self.hazard.cumsum().rename(columns={"baseline hazard": "baseline cumulative hazard"})

    def predict(self, partial: pd.Series[float], rows: pd.DataFrame, times: Any) -> pd.DataFrame:
        """Return cumulative hazards, one column for each of ``rows``, whose partial hazards are given."""
        cumulative = self.cumulative
        at = cumulative.index.to_numpy(dtype=np.float64) if times is None else np.atleast_1d(np.asarray(times, float))
        place = np.searchsorted(cumulative.index.to_numpy(dtype=np.float64), at, side="right")
        steps = np.vstack([np.zeros(cumulative.shape[1]), cumulative.to_numpy()])[place]
        column = np.zeros(len(rows), dtype=np.int64) if not self._strata else self._columns(rows)
        return pd.DataFrame(steps[:, column] * partial.to_numpy()[None, :], index=at, columns=rows.index)

    def _columns(self, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
        assert self._payload is not None  # cumulative has been asked for
        gone = [name for name in self._strata if name not in rows.columns]
        if gone:
            raise InputError("model.missing-column", "a stratum's column is not among the columns",
                             got=f"no {gone[0]!r}", expected="every column of strata")
        known = {tuple(one["stratum"]): place for place, one in enumerate(self._payload)}
        read = [level_names(rows[name], {key[j] for key in known}).astype(str) for j, name in enumerate(self._strata)]
        found = [known.get(tuple(levels), -1) for levels in zip(*read, strict=True)]
        if -1 in found:
            raise InputError("survival.unknown-stratum", "rows are of strata that the model has no baseline for",
                             got=f"{found.count(-1)} rows", expected="strata with events")
        return np.array(found, dtype=np.int64)

    def _name(self, stratum: Sequence[str]) -> Any:
        return stratum[0] if len(stratum) == 1 else tuple(stratum)
