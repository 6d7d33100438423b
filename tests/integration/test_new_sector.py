"""The walk-through of docs/sectors.md, line by line, in an environment of its own: a new pack works at once."""

from __future__ import annotations

import os
import re
import shlex
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from command_line import ENVIRONMENT
from made_identity import make_identity

pytestmark = [pytest.mark.integration, pytest.mark.slow]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "sectors.md"
WALK = re.compile(r"<!-- walk -->\n\n```sh\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has what this one has, and into which packages can be installed."""
    root = tmp_path_factory.mktemp("environment")
    venv.create(root, with_pip=False, symlinks=True)
    (folder,) = (root / "lib").glob("python3.*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (folder / "as-here.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / "bin" / "python"


def test_the_walk_through(python: Path, tmp_path: Path) -> None:
    walks = [block.strip().splitlines() for block in WALK.findall(PAGE.read_text(encoding="utf-8"))]
    assert [len(lines) for lines in walks] == [7, 3]
    make_identity(tmp_path / "north")
    said = {line: step(python, line, tmp_path) for lines in walks for line in lines}
    assert "weather.record/v1" in said["sealane sector list"]
    assert "sealane-sector-weather 0.1.0" in said["sealane sector list"]
    assert "weather is in order" in said["sealane sector check weather"]
    assert "7 passed" in said["python -m pytest -q sealane-sector-weather"]
    assert "glm.fit reads 3 columns of weather.record/v1" in said["sealane study check weather.toml"]
    added = said["sealane dataset add results --from made-up/institution-1.csv --contract weather.record/v1"]
    assert "registered results under weather.record/v1" in added
    assert "200" in added
    labels = said["sealane dataset grade results --accept"]
    assert "unit_key" in labels
    assert "internal:3" in labels


def step(python: Path, line: str, folder: Path) -> str:
    """Run one line of the page and return what it prints."""
    words = shlex.split(line)
    called = {
        "sealane": [str(python), "-m", "sealane.cli"],
        "python": [str(python)],
        # Of the package alone: what it needs is here, and nothing called like it is to be fetched from elsewhere.
        "pip": [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"],
    }[words[0]]
    more = ["--no-deps"] if words[0] == "pip" else []
    environment = ENVIRONMENT | {"SEALANE_HOME": str(folder / "north"), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    done = subprocess.run([*called, *words[1:], *more], cwd=folder, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout
