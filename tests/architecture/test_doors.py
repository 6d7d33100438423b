"""One door for each danger: randomness, unpickling, time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

ENTROPY_DOOR = "sealane/core/entropy.py"
CLOCK_DOOR = "sealane/core/clock.py"
SEEDED_RANDOMNESS_ALLOWED = ("sealane_examples/", "sealane/sectors/")

UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {
    "yaml.load", "pd.read_pickle", "pandas.read_pickle", "torch.load", "eval", "exec", "np.load", "numpy.load",
}
SYSTEM_ENTROPY = {"os.urandom", "os.getrandom", "secrets", "random.SystemRandom", "uuid.uuid4"}
SEEDED = {"random", "np.random", "numpy.random"}
PRESENT_MOMENT = {"time.time", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}


def used(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every imported module, imported name and dotted name that is used, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node), node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node.lineno


def places(modules: dict[str, ast.Module], names: set[str], *, but: tuple[str, ...] = ()) -> list[str]:
    """Return ``path:line name`` of each use of one of the names outside the paths named."""
    return sorted({
        f"{path}:{line} {name}"
        for path, tree in modules.items()
        if not path.startswith(but)
        for name, line in used(tree)
        if name in names or name.startswith(tuple(f"{each}." for each in names))
    })


def test_nothing_is_unpickled(modules: dict[str, ast.Module]) -> None:
    # An example package reads its own pinned data in a child process that Sealane never imports.
    assert places(modules, UNPICKLING | UNSAFE_CALLS, but=("sealane_examples/",)) == []


def test_the_operating_system_s_randomness_comes_in_by_one_door(modules: dict[str, ast.Module]) -> None:
    assert places(modules, SYSTEM_ENTROPY, but=(ENTROPY_DOOR,)) == []
    assert places({ENTROPY_DOOR: modules[ENTROPY_DOOR]}, SYSTEM_ENTROPY) != []


def test_seeded_generators_are_for_examples_only(modules: dict[str, ast.Module]) -> None:
    assert places(modules, SEEDED, but=SEEDED_RANDOMNESS_ALLOWED) == []


def test_the_present_moment_comes_in_by_one_door(modules: dict[str, ast.Module]) -> None:
    assert places(modules, PRESENT_MOMENT, but=(CLOCK_DOOR, "sealane_examples/")) == []
    assert places({CLOCK_DOOR: modules[CLOCK_DOOR]}, PRESENT_MOMENT) != []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import pickle", UNPICKLING),
        ("from pickle import loads", UNPICKLING),
        ("def f():\n    import random\n    return random.random()", SEEDED),
        ("import numpy as np\nnp.random.default_rng(3)", SEEDED),
        ("from numpy.random import default_rng", SEEDED),
        ("from os import urandom", SYSTEM_ENTROPY),
        ("eval('1')", UNSAFE_CALLS),
        ("from datetime import datetime\ndatetime.now()", PRESENT_MOMENT),
    ],
)
def test_a_planted_use_is_found(source: str, names: set[str]) -> None:
    assert places({"m.py": ast.parse(source)}, names) != []


def test_names_that_only_look_alike_are_let_be() -> None:
    source = "from sealane.core.entropy import random_bytes\nrandom_bytes(3)\nself.random = 1\nclock.now()"
    everything = UNPICKLING | SYSTEM_ENTROPY | SEEDED | PRESENT_MOMENT
    assert places({"m.py": ast.parse(source)}, everything) == []
