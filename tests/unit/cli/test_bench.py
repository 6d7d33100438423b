from __future__ import annotations

from typing import Any

import pytest
from command_line import refused, run, run_well

from sealane.bench import report
from sealane.bench.asked import Asked
from sealane.errors import InputError

SMALL = ("--length", "3000", "--rounds", "1")


def test_a_small_measurement_as_json() -> None:
    document = run_well("bench", "secagg", "--scheme", "masking", *SMALL)
    assert (document["scheme"], document["length"], document["cohort"], document["bits"]) == ("masking", 3000, 4, 16)
    assert document["peers"] == document["ratios"] == {}
    assert document["encrypt_s"] > 0


def test_tables_are_for_people_and_progress_goes_to_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"backend": "cpu", "encrypt_s": 1.5, "serialise_s": 0.25, "add_s": 0.125, "open_s": 0.5,
           "bytes_per_value": 2.5, "max_abs_error": 1e-6, "peak_memory_bytes": 12_000_000,
           "cpu": {"encrypt_s": 1.0, "serialise_s": 0.0, "add_s": 1.0, "open_s": 1.0}}

    def measured(name: str, asked: Asked) -> dict[str, Any]:
        if name == "flower-secaggplus":
            raise InputError("bench.flower-not-installed", "no Flower", hint="pip install 'sealane[flower]'")
        return dict(one)

    monkeypatch.setattr(report, "run", measured)
    done = run("bench", "secagg", "--peers")
    assert done.code == 0
    assert "1,500.00 ms" in done.out
    assert "12 MB" in done.out
    assert "missing" in done.out
    assert "hint: pip install 'sealane[flower]'" in done.err
    assert "tenseal-nvflare" in done.out
    assert "1,000,000 values" in done.err


def test_a_whole_round_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"backend": "cpu", "round_s": 1.25, "cpu": {"round_s": 2.5}, "peak_memory_bytes": 600_000_000,
           "copies_of_the_model": 6.04, "max_abs_error": 1e-6}
    monkeypatch.setattr(report, "run", lambda name, asked: dict(one))
    done = run("bench", "secagg", "--whole-round", "--length", "25000000")
    assert done.code == 0
    for shown in ("25,000,000", "1.25 s", "2.50 s", "600 MB", "6.0"):
        assert shown in done.out


def test_what_cannot_be_measured_is_refused() -> None:
    for wrong in (("--bits", "25"), ("--cohort", "1"), ("--length", "0")):
        done = run("bench", "secagg", *wrong, "--json")
        assert (done.code, done.error["code"]) == (2, "bench.out-of-range")
    refused("bench.no-such-round", 2, "bench", "secagg", "--whole-round", "--peers")
    done = run("bench", "secagg", "--scheme", "paillier", "--json")
    assert (done.code, done.error["code"]) == (2, "cli.usage")


def test_a_scheme_without_its_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, asked: Asked) -> dict[str, Any]:
        raise InputError("ckks.not-installed", "no TenSEAL", hint="pip install 'sealane[ckks]'")

    monkeypatch.setattr(report, "run", missing)
    done = run("bench", "secagg", "--scheme", "ckks")
    assert (done.code, done.out) == (2, "")
    assert "hint: pip install 'sealane[ckks]'" in done.err
