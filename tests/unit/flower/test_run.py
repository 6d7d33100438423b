"""Whole apps over virtual nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("flwr")

from tests.support.flower_apps import (
    EXAMPLE,
    SERVER,
    expected_error,
    write_app,
)

from sealane.flower.run import run_app


def test_the_example_is_gradient_descent_on_the_pooled_rows(capsys: pytest.CaptureFixture[str]) -> None:
    summary = run_app(EXAMPLE, nodes=3, changes={"num-rounds": 12}, virtual=True)
    parts = []
    for partition in range(3):  # as the app's client half makes them
        rng = np.random.default_rng(partition)
        x = rng.normal(size=(200 + 50 * partition, 3))
        parts.append((x, x @ [2.0, -1.0, 0.5] + rng.normal(scale=0.1, size=len(x))))
    x, y = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    weights = np.zeros(3)
    for _ in range(12):
        weights -= 0.1 * x.T @ (x @ weights - y) / len(y)
    assert " ".join(["weights:", *(str(one) for one in weights.round(3))]) in capsys.readouterr().err
    document = summary.to_dict()
    assert (document["exchanges"], document["nodes"], document["scheme"], document["failures"]) == (12, 3, "none", 0)


def test_each_virtual_node_keeps_its_own_place_and_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = """context.state["n"] = ConfigRecord({"n": context.state["n"]["n"] + 1 if "n" in context.state else 1})
    assert context.state["n"]["n"] == number + 1"""
    run_app(write_app(tmp_path, "kept", body), nodes=4, virtual=True)
    said = capsys.readouterr().err
    assert all(f"2 {101 + place} {{'place': {place}, 'of': 4}}" in said for place in range(4))


def test_an_app_that_raises_is_named_without_its_words(tmp_path: Path) -> None:
    app = write_app(tmp_path, "raising", "if place == 1 and number == 1: raise ValueError('a row: 4711')")
    with expected_error("flower.client-app-failed", got="node-2: ValueError at client_app.py:9") as caught:
        run_app(app, nodes=3, virtual=True)
    assert "4711" not in str(caught.value)


def test_what_raises_is_passed_on_where_it_is_tolerated(tmp_path: Path) -> None:
    app = write_app(tmp_path, "passing", "if place == 1 and number == 1: raise ValueError('x')")
    document = run_app(app, nodes=3, virtual=True, tolerate=True).to_dict()
    assert (document["exchanges"], document["failures"]) == (3, 1)
    assert document["first_failures"] == [
        {"node": "node-2", "group": "1", "code": 2, "reason": "ValueError at client_app.py:9"}]


def test_an_app_that_swallows_the_error_does_not_hide_it(tmp_path: Path) -> None:
    server = SERVER.replace("    for number", "    try: _all(grid, context)\n    except Exception: pass\n"
                                              "def _all(grid, context):\n    for number")
    app = write_app(tmp_path, "swallowing", "raise ValueError('x')", server=server)
    with expected_error("flower.client-app-failed"):
        run_app(app, nodes=2, virtual=True)


def test_a_server_half_that_raises_is_an_error(tmp_path: Path) -> None:
    app = write_app(tmp_path, "broken", server=SERVER.replace("for number", "raise KeyError('x')\n    for number"))
    with expected_error("flower.server-app-failed", got="KeyError at server_app.py:7"):
        run_app(app, nodes=2, virtual=True)


def test_halves_that_do_not_load_are_refused(tmp_path: Path) -> None:
    for name, old in (("no_server", "server_app"), ("no_client", "client_app")):
        root = write_app(tmp_path, name)
        (root / name / f"{old}.py").write_text("import a_module_that_nobody_has")
        with expected_error("flower.cannot-load"):
            run_app(root, nodes=1, virtual=True)


@pytest.mark.parametrize("nodes", [0, -1, 100_001])
def test_impossible_numbers_of_nodes_are_refused(nodes: int) -> None:
    with expected_error("flower.bad-nodes"):
        run_app(EXAMPLE, nodes=nodes, virtual=True)
