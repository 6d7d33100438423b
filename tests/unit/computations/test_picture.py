"""Pictures need an extra, and say so."""

from __future__ import annotations

import sys

import pytest
from expected_error import raises

from sealane.computations.picture import new_axes
from sealane.errors import InputError


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with raises("plot.no-matplotlib", InputError) as caught:
        new_axes()
    assert "sealane[plot]" in str(caught.value.hint)


def test_axes_that_were_given_are_used() -> None:
    given = object()
    assert new_axes(given) is given
