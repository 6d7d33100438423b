"""A backend is given or refused by name; ``auto`` says what it took and why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from sealane.errors import InputError, SealaneError, UnavailableError
from sealane.ring import select
from sealane.ring.select import choose


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A stand-in for the cuda backend: ``error`` is what making it raises."""
    backend = types.SimpleNamespace(name="cuda", device="H1")
    state = types.SimpleNamespace(error=None, interpreted=False, backend=backend)

    def make() -> object:
        if state.error is not None:
            raise state.error
        return state.backend

    monkeypatch.setattr(select, "_cuda", make)
    monkeypatch.setattr(select, "_interpreted", lambda: state.interpreted)
    return state


def test_auto_takes_a_gpu_where_there_is_one(cuda: types.SimpleNamespace) -> None:
    choice = choose("auto")
    assert choice.backend is cuda.backend
    assert choice.reason == "cuda, since there is a GPU: H1"
    assert choose("cuda").backend is cuda.backend


@pytest.mark.parametrize(
    "error",
    [
        InputError("ring.extra-missing", "the cuda backend needs PyTorch and Triton"),
        UnavailableError("ring.no-gpu", "PyTorch finds no GPU"),
    ],
)
def test_auto_says_why_it_took_the_cpu_and_a_name_is_never_replaced(
    cuda: types.SimpleNamespace, error: SealaneError
) -> None:
    cuda.error = error
    choice = choose("auto")
    assert choice.backend.name == "cpu"
    assert choice.reason == f"cpu, since {error.message}"
    with pytest.raises(SealaneError) as caught:
        choose("cuda")
    assert caught.value is error


def test_auto_leaves_the_interpreter_alone(cuda: types.SimpleNamespace) -> None:
    cuda.interpreted = True
    assert choose("auto").backend.name == "cpu"
    assert "TRITON_INTERPRET" in choose("auto").reason
    assert choose("cuda").backend is cuda.backend


def test_the_cpu_is_taken_by_name(cuda: types.SimpleNamespace) -> None:
    choice = choose("cpu")
    assert (choice.backend.name, choice.reason) == ("cpu", "cpu was asked for")
    assert "processor" in choice.backend.device


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:0"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(name)
    assert caught.value.code == "ring.unknown-backend"


def python(code: str, root: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("absent", ["torch", "triton"])
def test_the_cuda_extra_is_named_where_it_is_missing(absent: str) -> None:
    """By several threads that ask at the same moment, before anything is loaded."""
    root = Path(__file__).parents[3]
    code = f"""if True:
        import json, sys, threading
        sys.modules["{absent}"] = None  # as if it were not installed
        from sealane.errors import InputError
        from sealane.ring.select import choose

        told = []

        def ask():
            try:
                choose("cuda")
            except InputError as error:
                told.append(error.to_dict())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps(told))
    """
    told = json.loads(python(code, root))
    assert [error["code"] for error in told] == ["ring.extra-missing"] * 4
    assert "sealane[cuda]" in told[0]["hint"]


def test_masking_and_the_contract_load_no_compiler() -> None:
    root = Path(__file__).parents[3]
    code = """if True:
        import json, sys
        import sealane.ring.base, sealane.ring.prg, sealane.ring.select, sealane.ring.words, sealane.secagg.masking
        print(json.dumps(sorted({"numba", "llvmlite", "torch"} & set(sys.modules))))
    """
    assert json.loads(python(code, root)) == []
