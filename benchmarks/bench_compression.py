"""What compressing updates costs and saves: bytes for each parameter and round, loss and AUC, by setting.

    python benchmarks/bench_compression.py [--rounds 40] [--output benchmarks/results/compression-DATE.json]

569 tumours (Wisconsin diagnostic data, from scikit-learn) at three hospitals, 30 % of the rows for validation, a model
of 20,609 weights; all nodes in this one process. Bytes are those of a node's trace, under both schemes: everything that
a node sent in the run, by rounds and weights. A benchmark is not a test.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer

from sealane import simulate

PLAIN: dict[str, Any] = {"error_feedback": False}
SETTINGS: dict[str, dict[str, Any]] = {
    "exact": {},
    "16 bits": {"bits": 16},
    "8 bits, rotated": {"compression": {"bits": 8} | PLAIN},
    "4 bits, rotated": {"compression": {"bits": 4} | PLAIN},
    "4 bits, not rotated": {"compression": {"bits": 4, "rotation": False} | PLAIN},
    "4 bits, rotated, feedback": {"compression": {"bits": 4}},
    "4 bits, rotated, a tenth drawn": {"compression": {"bits": 4, "share": 0.1} | PLAIN},
    "4 bits, rotated, a tenth drawn, feedback": {"compression": {"bits": 4, "share": 0.1}},
    "4 bits, rotated, largest tenth, feedback": {"compression": {"bits": 4, "share": 0.1, "choose": "largest"}},
    "4 bits, rotated, largest hundredth, feedback": {"compression": {"bits": 4, "share": 0.01, "choose": "largest"}},
}


def main() -> None:
    """Print a line for each setting, and keep all figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--output", type=Path)
    asked = options.parse_args()
    frame = load_breast_cancer(as_frame=True).frame.rename(columns=lambda name: name.replace(" ", "_"))
    frame["benign"] = frame.pop("target").astype(bool)
    hospitals = {f"hospital{k}": frame.iloc[k::3].reset_index(drop=True) for k in range(3)}
    known = {"outcome": "benign", "features": [name for name in frame if name != "benign"], "learning_rate": 0.05,
             "model": {"name": "mlp", "hidden": [128, 128]}, "rounds": asked.rounds, "validation_fraction": 0.3}
    found: dict[str, dict[str, float]] = {}
    for name, setting in SETTINGS.items():
        row: dict[str, float] = {}
        for scheme in ("masking", "rlwe"):
            result = simulate(hospitals).run("neural.train", scheme=scheme, **known, **setting)
            weights = sum(values.size for values in result.weights.values())
            row[f"sent_{scheme}"] = max(result.trace.bytes_sent.values()) / asked.rounds / weights
        validation = result.metrics["validation"]
        row |= {"bytes_per_parameter": float(result.history["bytes_per_parameter"].mean()),
                "loss": result.metrics["training"]["loss"], "validation_loss": validation["loss"],
                "validation_auc": validation["auc"]}
        found[name] = row
        print(f"{name:<46}" + "  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    if asked.output:
        about = {"what": "compression of updates", "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                 "machine": platform.machine(), "processors": os.cpu_count(), "load": os.getloadavg()[0],
                 "rows": len(frame), "institutions": 3, "weights": weights, "rounds": asked.rounds}
        asked.output.write_text(json.dumps(about | {"settings": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
