"""Totals of masked vectors refuse forms that no vector has."""

from __future__ import annotations

import pytest
from circle import Circle

from sealane.errors import ProtocolError
from sealane.secagg.masking.scheme import Masking
from sealane.secagg.scheme import Form


@pytest.mark.parametrize("bits", [0, 1, 63, 65, 100, 2**31])
def test_statistics_have_entries_of_three_widths(bits: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        Masking().total(Circle(3).attempt, Form(bits, 96, True))
    assert caught.value.code == "masking.bad-width"
