"""A backend that was asked for by name and is not there stops a node before it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane.errors import SealaneError
from sealane.node.serve import serving
from sealane.ring.select import choose


async def test_a_gpu_that_is_not_there_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    try:
        choose("cuda")
    except SealaneError as error:
        expected = error.code
    else:
        pytest.skip("there is a GPU here")
    assert expected in ("ring.extra-missing", "ring.no-gpu")
    with pytest.raises(SealaneError) as caught:
        async with serving(tmp_path / "nobody", backend="cuda"):
            pass
    assert caught.value.code == expected
    with pytest.raises(SealaneError) as caught:  # the control: without it, the home is what is missing
        async with serving(tmp_path / "nobody"):
            pass
    assert caught.value.code != expected
