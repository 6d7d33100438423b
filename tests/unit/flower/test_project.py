"""A Flower app's pyproject.toml, its configuration and its hash."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.flower_apps import EXAMPLE, PROJECT, expected_error, write_app

from sealane.computations.flower_app.project import read_changes, read_project


def test_reads_the_example() -> None:
    project = read_project(EXAMPLE)
    assert (project.name, project.server, project.client) == (
        "linear-model", "linear_model.server_app:app", "linear_model.client_app:app")
    assert project.config == {"num-rounds": 30, "learning-rate": 0.1}


def test_nested_configuration_is_joined_with_dots_and_changed(tmp_path: Path) -> None:
    project = read_project(write_app(tmp_path, "nested"))
    changed = project.with_config(read_changes(("rounds=7", 'note="a b"', "deep.rate=2")))
    assert changed == {"rounds": 7, "note": "a b", "deep.rate": 2}


@pytest.mark.parametrize(("change", "code"), [
    ("absent=1", "flower.unknown-key"), ("rounds=true", "flower.wrong-kind"), ('rounds="x"', "flower.wrong-kind"),
    ("rounds", "flower.bad-config"), ("rounds=[1]", "flower.bad-config")])
def test_a_change_that_fits_nothing_is_refused(tmp_path: Path, change: str, code: str) -> None:
    project = read_project(write_app(tmp_path, "changed"))
    with expected_error(code):
        project.with_config(read_changes((change,)))


def test_what_is_no_app_is_refused(tmp_path: Path) -> None:
    with expected_error("flower.no-app"):
        read_project(tmp_path / "absent")
    for text in ("[project", "[project]\nname='x'", PROJECT.format(name="x").replace(":app", ""),
                 PROJECT.format(name="x").replace("rounds = 3", "rounds = [3]")):
        (tmp_path / "pyproject.toml").write_text(text)
        with expected_error("flower.malformed-app"):
            read_project(tmp_path)


def test_the_hash_follows_the_code_and_nothing_else(tmp_path: Path) -> None:
    root = write_app(tmp_path, "hashed")
    project = read_project(root)
    first = project.code_hash()
    (root / "rows.csv").write_text("1,2")
    (root / ".venv").mkdir()
    (root / ".venv" / "x.py").write_text("1")
    assert project.code_hash() == first
    client = root / "hashed" / "client_app.py"
    client.write_text(client.read_text() + "\n")
    second = project.code_hash()
    client.rename(client.with_name("other.py"))
    assert len({first, second, project.code_hash()}) == 3


def test_a_tree_that_is_no_app_is_not_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealane.computations.flower_app.project.MOST_FILES", 2)
    with expected_error("flower.app-too-large"):
        read_project(write_app(tmp_path, "large")).code_hash()
