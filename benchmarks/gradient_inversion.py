"""A row read out of an update in the clear, and not out of what the coordinator receives: with a picture.

    python benchmarks/gradient_inversion.py [--write]

Three institutions train a network on images of handwritten digits (8 by 8 pixels); one of them has a single image to
learn from. In a layer z = W x + b the gradients of a single row are dW = d x' and db = d, so that dW / db is the row:
the attack needs no search and is exact. It is run on the institution's update as it is before protection, and on the
bytes that the simulated coordinator received from it for that very exchange, read as the same kind of numbers: masked,
and encrypted. Told is how the recovered row correlates with the true one in standard units; the picture shows how each
pixel differs from its mean, which is public (with it anything looks like a digit). Without noise the opened sum still
tells about its rows (docs/neural.md); this is about what one institution sends.

Source: Phong et al., "Privacy-Preserving Deep Learning via Additively Homomorphic Encryption" (2018), section 3, for
the attack; Zhu, Liu and Han, "Deep Leakage from Gradients" (2019), for attacks by search.
"""

from __future__ import annotations

import argparse
import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from sealane import simulate
from sealane.computations.neural.learning.rounds import Rounds
from sealane.secagg.messages import Contribution
from sealane.simulation.engine import Engine

VICTIM, SIDE, HIDDEN = "a", 8, 16
PIXELS = [f"p{k:02}" for k in range(SIDE * SIDE)]
ASKED: dict[str, Any] = {
    "outcome": "odd", "features": PIXELS, "model": {"name": "mlp", "hidden": [HIDDEN]}, "rounds": 1,
    "batch_size": None, "precision": "double", "bits": "exact"}
PANELS = ("the row", "from its update", "masked, as received", "encrypted, as received")
CELL, GAP, LIMIT = 11, 18, 9.0


def main() -> None:
    """Attack, print and perhaps keep figures and picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    image, frames = digits()
    recovered: dict[str, NDArray[np.float64]] = {}
    for scheme, panel in (("masking", PANELS[2]), ("rlwe", PANELS[3])):
        update, layer, units, received = one_round(frames, scheme)
        centres, scales = np.array(units).T
        recovered[PANELS[0]] = (image - centres) / scales
        recovered[PANELS[1]] = inverted(update, layer)
        recovered[panel] = inverted(as_numbers(received, len(update)), layer)
    row = recovered[PANELS[0]]
    found = {panel: {"correlation": correlation(recovered[panel], row),
                     "largest error": float(np.abs(recovered[panel] - row).max())} for panel in PANELS[1:]}
    print(json.dumps(found, indent=1))
    if asked.write:
        name = f"gradient-inversion-{datetime.now(UTC):%Y-%m-%d}.json"
        here = Path(__file__).parent
        (here / "results" / name).write_text(json.dumps(found, indent=1) + "\n")
        shown = {panel: values * scales for panel, values in recovered.items()}
        (here.parent / "docs" / "gradient-inversion.svg").write_text(picture(shown))


def digits() -> tuple[NDArray[np.float64], dict[str, pd.DataFrame]]:
    """Return the one image, and each institution's rows."""
    found = load_digits()
    frame = pd.DataFrame(found.data, columns=PIXELS).assign(odd=found.target % 2 == 1)
    frames = {VICTIM: frame.iloc[[0]], "b": frame.iloc[10:200], "c": frame.iloc[200:400]}
    return found.data[0], {name: rows.reset_index(drop=True) for name, rows in frames.items()}


def one_round(frames: dict[str, pd.DataFrame], scheme: str) -> tuple[NDArray[np.float64], slice, Any, bytes]:
    """Return the victim's update, where the first layer lies in it, the pixels' units, and the coordinator's bytes."""
    engines: list[Engine] = []
    updates: dict[int, NDArray[np.float64]] = {}
    module = importlib.import_module("sealane.simulation.simulate")
    real_engine, real_weighted = module.Engine, Rounds._weighted

    def engine(*given: Any) -> Engine:
        engines.append(real_engine(*given))
        return engines[-1]

    def weighted(self: Rounds, step: Any) -> Any:
        vector = real_weighted(self, step)
        updates[self.cohort.place] = np.array(vector, dtype=np.float64)  # places are in the order of names
        return vector

    try:
        module.Engine, Rounds._weighted = engine, weighted
        federation = simulate(frames)
        result = federation.run("neural.train", **ASKED, scheme=scheme, minimum_count=1)
    finally:
        module.Engine, Rounds._weighted = real_engine, real_weighted
    names = {node.fingerprint: node.name for node in federation.nodes.values()}
    own = [m for sender, m in engines[0].seen
           if isinstance(m, Contribution) and names.get(sender, sender) == VICTIM]
    shapes = result.to_dict()["weights"]
    assert shapes["names"][:2] == ["body.0.weight", "body.0.bias"]
    units = [(one["centre"], one["scale"]) for one in result.to_dict()["features"]]
    longest = max(own, key=lambda m: len(m.payload))  # the update is by far the longest of a run's vectors
    return updates[0], slice(0, HIDDEN * SIDE * SIDE), units, longest.payload


def inverted(update: NDArray[np.float64], layer: slice) -> NDArray[np.float64]:
    """Return the row of an update of a single row, in standard units: dW / db where db is largest."""
    weights = update[layer].reshape(HIDDEN, -1)
    biases = update[layer.stop : layer.stop + HIDDEN]
    best = int(np.argmax(np.abs(biases)))
    return np.asarray(weights[best] / biases[best])


def as_numbers(received: bytes, length: int) -> NDArray[np.float64]:
    """Return the first bytes as signed 64-bit fixed point, as statistics are encoded."""
    return np.frombuffer(received[: 8 * length], dtype="<i8").astype(np.float64)


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how two images correlate; none where one is flat."""
    return float(np.corrcoef(one, other)[0, 1]) if one.std() > 0 else 0.0


def picture(images: dict[str, NDArray[np.float64]]) -> str:
    """Return the images side by side, as SVG."""
    width = len(PANELS) * (SIDE * CELL + GAP) + GAP + 2 * 30
    height = SIDE * CELL + 2 * GAP + 14
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
             'font-family="sans-serif" font-size="10" role="img" aria-label="A digit, read out of an update in the '
             'clear; noise from what the coordinator receives">',
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    step = SIDE * CELL + GAP + 20
    for place, panel in enumerate(PANELS):
        left = GAP + place * step
        parts.append(f'<text x="{left}" y="{SIDE * CELL + GAP + 16}" fill="#222222">{panel}</text>')
        for k, value in enumerate(images[panel]):
            shade = round(255 * (1 - (min(max(float(value), -LIMIT), LIMIT) + LIMIT) / (2 * LIMIT)))
            parts.append(f'<rect x="{left + k % SIDE * CELL}" y="{GAP + k // SIDE * CELL}" width="{CELL}" '
                         f'height="{CELL}" fill="#{shade:02x}{shade:02x}{shade:02x}" stroke="#dddddd" '
                         'stroke-width="0.3"/>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()
