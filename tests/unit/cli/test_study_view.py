"""How a study's parameters are shown."""

from __future__ import annotations

from sealane.cli.study_view import LONG, _plain


def test_a_long_parameter_is_shown_by_its_beginning_and_its_digest() -> None:
    assert _plain(["a", "b"]) == "a, b"
    assert _plain({"x": 1}) == '{"x": 1}'
    assert _plain("y" * LONG) == "y" * LONG
    shown = _plain("model " * 1000)
    assert shown.startswith("model model ")
    assert "6,000 characters, SHA-256 " in shown
    assert len(shown) < 250
    assert shown != _plain("model " * 999 + "modeL ")  # another model is seen to be another
