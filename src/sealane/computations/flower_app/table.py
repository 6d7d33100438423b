"""The columns that an app may read, as a file in memory: apps of Flower's read their rows from a path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd

from sealane.computations.base import Dataset
from sealane.computations.flower_app.parameters import FlowerParameters
from sealane.core.handles import sealed_memory

DATA_PATH = "data-path"
"""Under this name a ClientApp finds the path in its ``node_config``."""


def write_table(frame: pd.DataFrame) -> bytes:
    """Return a frame as the bytes of a CSV file with a line of names; what is missing is empty."""
    return frame.to_csv(index=False).encode("utf-8")


@contextmanager
def table_at(made: str, data: Dataset, params: FlowerParameters) -> Iterator[str]:
    """Give the path of the file, made before or here; an empty text where the app reads no column."""
    if made or not params.columns:
        yield made
        return
    handle = sealed_memory("table", [write_table(data.frame(params.columns))])
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
