"""What ``flower.app`` refuses by itself, and how a server half is told that the run is over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("flwr")

from tests.support.flower_apps import EXAMPLE, expected_error, write_app

from sealane.computations.flower_app.bundle import bundle_of
from sealane.computations.flower_app.library import load
from sealane.computations.flower_app.parameters import FlowerParameters
from sealane.computations.flower_app.project import project_of, read_project
from sealane.computations.flower_app.released import read_arrays, read_payload
from sealane.computations.flower_app.run import FlowerApp
from sealane.computations.flower_app.server_half import ServerHalf
from sealane.core.canonical import canonical_bytes
from sealane.node.charging import Charging

WAITS = """
from flwr.serverapp import ServerApp
app = ServerApp()
@app.main()
def main(grid, context):
    while True:
        grid.send_and_receive([grid.create_message(__import__("flwr.app").app.RecordDict(), "query", 101, "0")])
"""


def asked(**changes: Any) -> FlowerParameters:
    return FlowerParameters.model_validate(
        {"app": "linear-model", "code": read_project(EXAMPLE).code_hash(), "server": "north"} | changes)


def test_a_cohort_without_the_server_half_runs_nothing() -> None:
    app = FlowerApp().with_bundle(bundle_of(EXAMPLE), asked())
    cohort: Any = SimpleNamespace(names=("south", "west"), place=0, size=2)
    with expected_error("flower.no-server", got="north"):
        asyncio.run(app.run(SimpleNamespace(), cohort, asked()))  # type: ignore[arg-type]


def test_a_server_half_is_told_that_the_run_is_over(tmp_path: Path) -> None:
    root = write_app(tmp_path, "waits", server=WAITS)
    project = read_project(root)
    half = ServerHalf(load(), project, dict(project.config), {101: "north"}, most=10_000, tolerate=False)
    assert [node for node, _ in half.next(10.0) or []] == [101]
    half.stop()
    with expected_error("flower.stopped"):
        half.next(10.0)


@pytest.mark.parametrize("data", [
    b"", b"[]", b"{}", canonical_bytes({"code": "0" * 64, "server": "north"}),
    canonical_bytes({"code": read_project(EXAMPLE).code_hash(), "server": "south"})])
def test_a_result_of_another_app_is_not_passed_on(data: bytes) -> None:
    with expected_error("flower.result-malformed"):
        read_payload(data, asked())


def test_arrays_are_numbers() -> None:
    with expected_error("flower.result-malformed", got="<U4"):
        read_arrays({"data": "", "names": ["a"], "dtypes": ["<U4"], "shapes": [[1]]})


@pytest.mark.parametrize("bad", [
    {"shapes": [[-1]]}, {"shapes": [[1 << 60]]}, {"shapes": [["x"]]}, {"shapes": [5]}, {"shapes": []}, {"data": "!"},
    {"dtypes": ["nonsense("]}, {"dtypes": [["<f4"]]}])
def test_arrays_that_are_none_are_a_typed_error(bad: dict[str, object]) -> None:
    with expected_error("flower.result-malformed"):
        read_arrays({"data": "AAAAAA==", "names": ["a"], "dtypes": ["<f4"], "shapes": [[1]]} | bad)


def test_an_app_in_memory_has_no_directory() -> None:
    project = project_of((EXAMPLE / "pyproject.toml").read_bytes())
    assert (project.name, project.client) == ("linear-model", "linear_model.client_app:app")


def test_a_computation_with_a_price_writes_no_letters() -> None:
    nothing: Any = SimpleNamespace()
    charging = Charging(nothing, "r-x", nothing, nothing, nothing, nothing, 3)
    charging._price = nothing
    with expected_error("ledger.letters-without-noise"):
        charging.commit(0, None)
