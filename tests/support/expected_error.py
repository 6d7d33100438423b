"""An error of ours, expected by its whole code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sealane.errors import SealaneError


@contextmanager
def raises(code: str, branch: type[SealaneError]) -> Iterator[Any]:
    """Expect exactly this code, of exactly this branch."""
    with pytest.raises(branch) as caught:
        yield caught
    assert (type(caught.value), caught.value.code) == (branch, code)
