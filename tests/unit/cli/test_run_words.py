"""What a result prints as: its summary, or itself where the field's library calls a table its summary."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from sealane.cli.run import _words


class WithTable:
    summary = pd.DataFrame({"coef": [1.0]})

    def __str__(self) -> str:
        return "a table of one"


def test_a_summary_that_is_text_and_one_that_is_a_table():
    assert _words(SimpleNamespace(present=WithTable)) == "a table of one"
    assert _words(SimpleNamespace(present=lambda: SimpleNamespace(summary=lambda: "all of it"))) == "all of it"
