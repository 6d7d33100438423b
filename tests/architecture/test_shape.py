"""Files stay short, names stay in the glossary, and the folders hold what the design says."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

LONGEST_FILE = 400
AVOIDED = {"manager", "helper", "helpers", "util", "utils", "common", "info", "misc", "process"}


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def test_no_file_is_longer_than_can_be_read_in_a_sitting(root: Path, modules: dict[str, ast.Module]) -> None:
    lengths = {path: len((root / "src" / path).read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {path: lines for path, lines in lengths.items() if lines >= LONGEST_FILE} == {}


def test_file_and_class_names_say_what_they_are(modules: dict[str, ast.Module]) -> None:
    files = [(path, word) for path in modules for part in Path(path).with_suffix("").parts for word in words(part)]
    classes = [
        (f"{path}:{node.name}", word)
        for path, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for word in words(node.name)
    ]
    assert [place for place, word in files + classes if word in AVOIDED] == []
    assert words("PeerManager_info") == {"peer", "manager", "info"}


def test_every_package_is_marked_and_described(root: Path, modules: dict[str, ast.Module]) -> None:
    folders = {path.parent for path in (root / "src").rglob("*.py")}
    assert sorted(str(folder) for folder in folders if not (folder / "__init__.py").exists()) == []
    undescribed = [path for path, tree in modules.items() if ast.get_docstring(tree) is None]
    assert [path for path in undescribed if not path.startswith("sealane/api/")] == []
    assert (root / "src" / "sealane" / "py.typed").exists()


def test_the_top_level_holds_what_the_design_names(root: Path) -> None:
    expected = {
        ".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md",
        "benchmarks", "constraints.txt", "docs", "examples", "protos", "pyproject.toml", "src", "tests",
    }
    assert {name for name in expected if not (root / name).exists()} == set()
    if (root / ".git").exists():
        listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout
        assert {line.partition("/")[0] for line in listed.splitlines()} - expected == set()
