"""Without its extra the cuda backend names it."""

from __future__ import annotations

import importlib
import sys

import pytest

from sealane.errors import InputError


@pytest.mark.parametrize("name", ["torch", "triton"])
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for absent in {name, *({"torch"} - set(sys.modules))}:
        monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, "sealane.ring.cuda_kernel", raising=False)
    with pytest.raises(InputError) as caught:
        importlib.import_module("sealane.ring.cuda_kernel")
    assert caught.value.code == "ring.extra-missing"
    assert "sealane[cuda]" in str(caught.value.hint)
