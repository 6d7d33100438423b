"""Apps at a node: the code that was hashed is the code that is kept, and the code that is imported."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.flower_apps import EXAMPLE, expected_error, write_app

from sealane.computations.flower_app.batch import MOST_MESSAGES, Over, read, write_messages, write_over
from sealane.computations.flower_app.bundle import bundle_of, hash_of_bundle, read_bundle
from sealane.computations.flower_app.importing import AppFinder, offer_for_import
from sealane.computations.flower_app.parameters import FlowerParameters
from sealane.computations.flower_app.project import read_project
from sealane.computations.flower_app.run import FlowerApp
from sealane.computations.flower_app.table import write_table
from sealane.node.apps import Apps, equipped


@pytest.fixture
def imports() -> Iterator[None]:
    finders, modules = list(sys.meta_path), set(sys.modules)
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_bundle_holds_what_the_hash_covers() -> None:
    bundle = bundle_of(EXAMPLE)
    code = read_project(EXAMPLE).code_hash()
    files = read_bundle(bundle, code)
    assert hash_of_bundle(bundle) == code
    assert set(files) == {"pyproject.toml", "linear_model/__init__.py", "linear_model/client_app.py",
                          "linear_model/server_app.py"}
    assert files["pyproject.toml"] == (EXAMPLE / "pyproject.toml").read_bytes()


@pytest.mark.parametrize(("change", "code"), [
    (lambda fields: fields | {"linear_model/client_app.py": "AA=="}, "flower.other-code"),
    (lambda fields: {k: v for k, v in fields.items() if k != "pyproject.toml"}, "flower.other-code"),
    (lambda fields: {"../outside.py": "AA=="}, "flower.bundle-malformed"),
    (lambda fields: {"/etc/outside.py": "AA=="}, "flower.bundle-malformed"),
    (lambda fields: {"app.py": "not base64"}, "flower.bundle-malformed"),
    (lambda fields: ["app.py"], "flower.bundle-malformed"),
])
def test_a_changed_bundle_is_refused(change, code: str) -> None:
    data = json.dumps(change(json.loads(bundle_of(EXAMPLE)))).encode()
    with expected_error(code):
        read_bundle(data, read_project(EXAMPLE).code_hash())


def test_modules_come_from_the_bundle_and_not_from_the_disk(tmp_path: Path, imports: None) -> None:
    root = write_app(tmp_path, "kept_app")
    (root / "kept_app" / "inner").mkdir()
    (root / "kept_app" / "inner" / "deep.py").write_text("from ..values import VALUE\nDOUBLE = 2 * VALUE\n")
    (root / "kept_app" / "values.py").write_text("VALUE = 21\n")
    code = read_project(root).code_hash()
    files = read_bundle(bundle_of(root), code)
    (root / "kept_app" / "values.py").write_text("VALUE = 0\n")
    offer_for_import(code, files, {"kept_app"})
    deep = importlib.import_module("kept_app.inner.deep")
    assert deep.DOUBLE == 42
    assert deep.__file__ == "app:/kept_app/inner/deep.py"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("kept_app.other")


def test_another_app_takes_the_place_of_the_one_before(imports: None) -> None:
    for value in (1, 2):
        files = {"same_name/__init__.py": f"VALUE = {value}".encode()}
        offer_for_import(str(value), files, {"same_name"})
        offer_for_import(str(value), files, {"same_name"})
        assert value == importlib.import_module("same_name").VALUE
    assert [finder.code for finder in sys.meta_path if isinstance(finder, AppFinder)] == ["2"]


@pytest.mark.parametrize("name", ["json", "numpy", "sealane", "flwr"])
def test_an_app_takes_no_installed_packages_place(name: str, imports: None) -> None:
    pytest.importorskip("flwr")
    before = sys.modules.get(name)
    with expected_error("flower.name-taken", got=name):
        offer_for_import("x", {f"{name}/client.py": b""}, {name})
    offer_for_import("y", {f"{name}/client.py": b"", "mine/app.py": b"", "tests/test_it.py": b""}, {"mine"})
    (finder,) = (one for one in sys.meta_path if isinstance(one, AppFinder))
    assert finder.top == {"mine"}
    assert sys.modules.get(name) is before
    assert finder.find_spec(f"{name}.client") is None


def test_a_gate_that_looks_at_an_app_imports_nothing_of_it() -> None:
    pytest.importorskip("flwr")
    finders, modules = list(sys.meta_path), set(sys.modules)
    FlowerApp().with_bundle(bundle_of(EXAMPLE), asked())
    assert sys.meta_path == finders
    assert set(sys.modules) == modules


def test_a_node_keeps_lists_finds_and_forgets_apps(tmp_path: Path) -> None:
    apps, root = Apps(tmp_path / "home-apps"), write_app(tmp_path, "one")
    assert apps.all() == []
    added = apps.add(root)
    assert (added.name, added.version, added.code) == ("one", "1.0.0", read_project(root).code_hash())
    assert apps.add(root) == added
    assert apps.all() == [added]
    assert (tmp_path / "home-apps").stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "home-apps").iterdir()] == [0o600]
    assert read_bundle(apps.find("one", added.code), added.code)
    with expected_error("app.not-installed", got=f"one: {added.code[:16]}"):
        apps.find("one", "0" * 64)
    with expected_error("app.not-installed", got="two: not at all"):
        apps.find("two", "0" * 64)
    with expected_error("app.unknown"):
        apps.remove("two")
    assert apps.remove(added.code[:10]) == added
    assert apps.all() == []


def test_a_kept_app_that_was_changed_does_not_run(tmp_path: Path) -> None:
    apps = Apps(tmp_path / "apps")
    added = apps.add(EXAMPLE)
    (path,) = (tmp_path / "apps").iterdir()
    path.write_bytes(bundle_of(write_app(tmp_path, "other")))
    with expected_error("flower.other-code"):
        apps.find("linear-model", added.code)
    assert apps.all() == []


def asked(**changes: object) -> FlowerParameters:
    return FlowerParameters.model_validate(
        {"app": "linear-model", "code": read_project(EXAMPLE).code_hash(), "server": "north"} | changes)


def test_a_computation_is_equipped_with_the_very_app(tmp_path: Path) -> None:
    pytest.importorskip("flwr")
    apps = Apps(tmp_path / "apps")
    apps.add(EXAMPLE)
    assert equipped(FlowerApp(), asked(), apps.find).bundle == bundle_of(EXAMPLE)
    assert equipped(FlowerApp(), asked(run_config={"learning-rate": 1}), apps.find)
    with expected_error("flower.other-name", got="linear-model"):
        equipped(FlowerApp(), asked(app="another"), apps.find)
    with expected_error("flower.unknown-key"):
        equipped(FlowerApp(), asked(run_config={"rounds": 1}), apps.find)
    with expected_error("app.not-installed"):
        equipped(FlowerApp(), asked(code="0" * 64), apps.find)
    assert equipped("anything else", asked(), apps.find) == "anything else"


def test_a_letter_holds_messages_or_the_end() -> None:
    assert read(b"", 10) == []
    assert read(write_messages([]), 10) == []
    assert read(write_messages([b"one", b"", b"three"]), 10) == [b"one", b"", b"three"]
    assert read(write_over(b"payload"), 1) == Over(b"payload")


@pytest.mark.parametrize(("letter", "code"), [
    (write_messages([b"eleven bytes"]), "flower.message-too-large"),
    (write_messages([b"one"])[:-1], "flower.letter-malformed"),
    (write_messages([b"one"]) + b"x", "flower.letter-malformed"),
    (b"\x03" + write_messages([b"one"])[1:], "flower.letter-malformed"),
    (write_messages([b""] * (MOST_MESSAGES + 1)), "flower.letter-malformed"),
])
def test_a_letter_is_bounded_before_it_is_parsed(letter: bytes, code: str) -> None:
    with expected_error(code):
        read(letter, 10)


def test_rows_become_a_file_with_a_line_of_names() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [50.0, None], "stage": ["II", "a,b"]})
    assert write_table(frame) == b'age,stage\n50.0,II\n,"a,b"\n'
