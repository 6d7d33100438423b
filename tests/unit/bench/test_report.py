from __future__ import annotations

from typing import Any

import pytest
from expected_error import raises

from sealane.bench import child, report
from sealane.bench.asked import PEERS, Asked
from sealane.bench.child import run
from sealane.bench.report import benchmark, compare, whole_round
from sealane.errors import InputError, UnavailableError


def figures(**changed: Any) -> dict[str, Any]:
    return {"backend": "cpu", "encrypt_s": 1.0, "serialise_s": 0.0, "add_s": 2.0, "open_s": 4.0,
            "bytes_per_value": 2.5, "max_abs_error": 1e-6, "peak_memory_bytes": 10,
            "cpu": {"encrypt_s": 0.5, "serialise_s": 0.0, "add_s": 1.0, "open_s": 2.0}} | changed


PEER = figures(encrypt_s=30.0, serialise_s=10.0, add_s=20.0, open_s=0.0, bytes_per_value=50.0,
               cpu={"encrypt_s": 35.0, "serialise_s": 15.0, "add_s": 30.0, "open_s": 0.0})


def test_ratios_are_of_processor_time_or_of_the_clock() -> None:
    assert compare(figures(), PEER, by_clock=False) == {
        "encrypt_and_serialise": 100.0, "add": 30.0, "open": 0.0, "bytes": 20.0}
    assert compare(figures(), PEER, by_clock=True)["encrypt_and_serialise"] == 40.0
    assert compare(figures(open_s=0.0), PEER, by_clock=True)["open"] is None


def test_the_document_has_the_keys_that_are_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(name: str, asked: Asked) -> dict[str, Any]:
        if name.startswith("tenseal"):
            raise InputError("ckks.not-installed", "no TenSEAL", hint="pip install 'sealane[ckks]'")
        return figures(backend="cpu") if name == "masking" else dict(PEER)

    monkeypatch.setattr(report, "run", measured)
    told: list[str] = []
    document = benchmark(Asked("masking", cohort=10), peers=PEERS, tell=told.append)
    assert list(document)[:5] == ["scheme", "backend", "length", "cohort", "bits"]
    assert {"encrypt_s", "serialise_s", "add_s", "open_s", "bytes_per_value", "max_abs_error", "peers", "ratios",
            "machine", "versions", "peak_memory_bytes", "cpu", "rounds", "threads"} <= document.keys()
    assert document["peers"].keys() == {"tenseal-nvflare", "tenseal-8192", "tenseal-4096", "flower-secaggplus", "numpy"}
    assert document["peers"]["tenseal-4096"]["missing"]["hint"] == "pip install 'sealane[ckks]'"
    assert document["ratios"].keys() == {"flower-secaggplus", "numpy"}
    assert "tenseal-4096: no TenSEAL; pip install 'sealane[ckks]'" in told
    assert benchmark(Asked("masking"), peers=(), tell=told.append)["peers"] == {}


def test_threads_and_devices_are_compared_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"rlwe": figures(backend="cuda"), "masking": figures()}
    monkeypatch.setattr(report, "run", lambda name, asked: dict(ours.get(name, PEER)))
    by_clock = benchmark(Asked("rlwe", "cuda"), peers=PEERS, tell=lambda text: None)
    assert by_clock["ratios"]["numpy"]["encrypt_and_serialise"] == 40.0
    threads = benchmark(Asked("masking", threads=2), peers=PEERS, tell=lambda text: None)
    assert threads["ratios"]["numpy"]["encrypt_and_serialise"] == 40.0
    alone = benchmark(Asked("masking"), peers=PEERS, tell=lambda text: None)
    assert alone["ratios"]["numpy"]["encrypt_and_serialise"] == 100.0


def test_the_choice_of_auto_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "run", lambda name, asked: figures(backend_reason="cpu, since there is no GPU"))
    told: list[str] = []
    document = benchmark(Asked("rlwe", "auto"), peers=(), tell=told.append)
    assert told[1:] == ["backend: cpu, since there is no GPU"]
    assert document["backend_reason"] == "cpu, since there is no GPU"


def test_a_child_measures_and_its_error_comes_back() -> None:
    found = run("numpy", Asked(length=2000, rounds=2))
    assert found["bytes_per_value"] == 4.0
    with raises("bench.unknown", InputError):
        run("paillier", Asked(length=2000))


def test_a_child_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child.sys, "executable", "/bin/false")
    with raises("bench.child-died", UnavailableError):
        run("numpy", Asked(length=10))


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_a_whole_round_opens_the_sum(scheme: str) -> None:
    found = whole_round(Asked(scheme, length=20_000, rounds=1), tell=lambda text: None)
    step = 0.05 / (2**15 - 1)
    for one in (found, found["streamed"]):
        assert 0 < one["max_abs_error"] < 4 * step
        assert one["round_s"] > 0
        assert one["copies_of_the_model"] == one["peak_memory_bytes"] / 80_000
