"""Run the study of a short example in this process, and compare: each institution alone, joint, and pooled.

    python examples/alone_joint_pooled.py disk-failure|flight-delay|fuel-economy

The rows are prepared and judged by a child process (`python -m sealane_examples`), which alone loads data packages. The
joint model is fitted by secure sums over the institutions (`sealane.simulate`: all of the cryptography, no sockets).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import duckdb

import sealane
from sealane.governance.study_file import StudyFile, read_study_file
from sealane.sectors.registry import contract, minimum_count

HERE = Path(__file__).resolve().parent
MEASURES = {"auc": "area under the ROC curve", "rmse": "root mean square error, the outcome's unit",
            "concordance": "concordance"}


def child(name: str, step: str, folder: Path, question: Any = None) -> Any:
    """Return what one step of the example answers."""
    done = subprocess.run([sys.executable, "-m", "sealane_examples", name, step, str(folder)],
                          input=json.dumps(question), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def joint(file: StudyFile, example: Any, folder: Path) -> dict[str, Any]:
    """Run the study over the institutions' rows, and return the question that is asked of its model."""
    rows = {name: duckdb.sql(f"SELECT * FROM '{folder / name}.parquet'").df() for name in example.institutions}
    model = sealane.simulate(rows, contract=contract(file.data_contract)).run(
        file.computation, scheme=file.scheme, minimum_cohort=file.minimum_cohort, colluding=file.colluding,
        minimum_count=file.minimum_count or minimum_count(file.sector), **file.parameters)
    asked = {"features": example.features, "categorical": example.categorical}
    if example.duration is None:
        return asked | {"family": file.parameters["family"],
                        "joint": {"params": dict(model.params), "bse": dict(model.bse)}}
    told = model.to_dict()
    events = told["grid"]["strata"][0]["events"]
    return asked | {"grid": events["times"], "until": events["until"], "resolution": told["grid"]["resolution"],
                    "minimum_count": told["minimum_count"],
                    "joint": {"params": dict(model.params_), "bse": dict(model.standard_errors_)}}


def compare(name: str) -> dict[str, Any]:
    """Return the comparison on rows that no model was fitted to."""
    (entry,) = entry_points(group="sealane.examples", name=name)
    example = entry.load()
    file = read_study_file(HERE / example.sector / f"study-{name}.toml")
    with tempfile.TemporaryDirectory() as folder:
        child(name, "prepare", Path(folder))
        found = child(name, "evaluate", Path(folder), joint(file, example, Path(folder)))
    if "concordance" in found:
        found |= {"measure": "concordance", "overall": found["concordance"]}
    return found | {"title": example.title, "source": example.source, "licence": example.licence}


def main(arguments: list[str]) -> None:
    """Print the comparison, as a table or, with --json, whole."""
    name = next((one for one in arguments if not one.startswith("-")), "fuel-economy")
    found = compare(name)
    if "--json" in arguments:
        print(json.dumps(found))
        return
    print(f"{found['title']}\n{MEASURES[found['measure']]}, on {found['heldout']['rows']:,} held-out rows\n")
    overall = found["overall"]
    print(f"{'':18}{'rows':>8}{'alone, on all':>15}{'alone, at home':>16}{'joint, at home':>16}")
    for institution, value in overall["alone"].items():
        home = found["within"].get(institution, {})
        print(f"{institution:18}{found['rows'][institution]:8,}{value:15.3f}"
              + "".join(f"{home[of]:16.3f}" if home else f"{'-':>16}" for of in ("alone", "joint")))
    print(f"\njoint  {overall['joint']:.3f} on all\npooled {overall['pooled']:.3f} on all\n")
    furthest = max(abs(one["joint"] - one["pooled"]) for one in found["coefficients"])
    print(f"furthest coefficient of the joint model from the pooled one: {furthest:.1e}\n{found['source']}")


if __name__ == "__main__":
    main(sys.argv[1:])
