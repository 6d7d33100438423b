"""A contract of many numbers and one outcome, and rows of it. Nodes and their fork servers import it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sealane.governance.contract import Contract, Field
from sealane.sectors import registry
from sealane.sectors.pack import SectorPack

COLUMNS = 50
FEATURES = [f"x{place:02d}" for place in range(COLUMNS)]
CONTRACT = Contract(id="bench.wide/v1", title="Fifty numbers and an outcome", fields=(
    *(Field(name=name, type="number", minimum=-8, maximum=8) for name in FEATURES), Field(name="y", type="boolean")))

registry.packs()["bench"] = SectorPack(name="bench", title="Benchmarks", contracts={CONTRACT.id: CONTRACT},
                                       purposes={"benchmark": "Measuring"})


def write_rows(path: Path, rows: int, seed: int) -> None:
    """Write correlated features and an outcome with a third of events to a Parquet file."""
    random = np.random.default_rng(seed)
    common = random.normal(size=(rows, 1))
    features = (0.6 * common + 0.8 * random.normal(size=(rows, COLUMNS))).clip(-8, 8)
    slopes = 0.08 * np.cos(np.arange(COLUMNS))
    chance = 1.0 / (1.0 + np.exp(0.7 - features @ slopes))
    frame = pd.DataFrame(features, columns=FEATURES)
    frame["y"] = random.random(rows) < chance
    frame.to_parquet(path, index=False)
