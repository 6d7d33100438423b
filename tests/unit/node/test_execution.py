"""In process too a computation reads the columns that it declares: those whose grades were asked."""

from __future__ import annotations

import pandas as pd
import pytest

from sealane.errors import RefusedError
from sealane.governance.contract import infer_contract
from sealane.node.execution import Declared
from sealane.simulation.parties import FrameDataset


def test_only_what_was_declared_is_read() -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0], "secret": [3.0, 4.0]})
    data = Declared(FrameDataset(infer_contract({"a": frame}), frame), frozenset({"age"}))
    assert list(data.frame(["age"])["age"]) == [1.0, 2.0]
    assert data.contract.names == ["age", "secret"]
    for columns in (["secret"], ["age", "secret"]):
        with pytest.raises(RefusedError) as caught:
            data.frame(columns)
        assert (caught.value.code, caught.value.got) == ("computation.column-undeclared", "secret")
