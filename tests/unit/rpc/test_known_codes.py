"""Codes of errors: ours are known, another's words are not taken for one."""

from __future__ import annotations

import pytest

from sealane.rpc.known_codes import OTHER, known, known_codes


def test_codes_of_every_layer_are_known() -> None:
    assert {"run.cohort-too-small", "rlwe.noise-out-of-range", "ledger.cap-exceeded"} <= known_codes()
    assert known("run.cohort-too-small") == "run.cohort-too-small"


@pytest.mark.parametrize("text", ["", "9.4929-1234-5678-9012", "x.y", "run.cohort-too-small ", "a" * 300, "../etc"])
def test_another_text_is_not(text: str) -> None:
    assert known(text) == OTHER
