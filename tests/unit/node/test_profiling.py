from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from sealane.governance.contract import load_contract
from sealane.governance.quality import INVALID, MISSING
from sealane.node.conformance import check_rows
from sealane.node.profiling import count_rows

CONTRACT = load_contract(b"""
id = "test.visits/v1"
key = ["id"]
[[fields]]
name = "id"
type = "text"
[[fields]]
name = "age"
type = "integer"
minimum = 0
maximum = 10
nullable = true
[[fields]]
name = "low"
type = "number"
[[fields]]
name = "high"
type = "number"
nullable = true
[[fields]]
name = "kind"
type = "category"
allowed = ["in", "out"]
[[fields]]
name = "day"
type = "date"
nullable = true
[[rules]]
name = "low under high"
left = "low"
relation = "<="
right = "high"
[[rules]]
name = "age known inside"
left = "age"
relation = ">"
value = 3
where = { kind = "in" }
[[rules]]
name = "since 2020"
left = "day"
relation = ">="
value = "2020-01-01"
[freshness]
field = "day"
days = 365
""")
ROWS = pd.DataFrame({
    "id": ["a", "b", "b", "c", "d"], "age": ["1", "x", None, "11", "5"], "low": ["1", "5", "1", "1", "1"],
    "high": ["2", "4", None, "1", "0"], "kind": ["in", "out", "in", "odd", "in"],
    "day": ["2026-05-01", "2019-05-01", None, "2026-01-01", "2025-05-31"]})


def test_every_count_by_hand() -> None:
    raw = {name: ROWS[name] for name in ROWS.columns}
    counts = count_rows(CONTRACT, raw, check_rows(CONTRACT, raw, 5), datetime(2026, 6, 1, tzinfo=UTC))
    assert counts.rows == 5
    age = counts.fields["age"]
    assert (age[MISSING], age[INVALID], age["1"], age["5"]) == (1, 2, 1, 1)
    assert counts.fields["kind"] == {MISSING: 0, INVALID: 1, "in": 3, "out": 1}
    assert counts.fields["day"] == {MISSING: 1, INVALID: 0, "2019": 1, "2025": 1, "2026": 2}
    assert all(sum(cells.values()) == 5 for cells in counts.fields.values())
    assert counts.repeated == 1
    # b breaks low <= high, and so does d; the row without a high is not spoken of. Of "in" only a's age, 1, breaks.
    assert counts.broken == {"low under high": 2, "age known inside": 1, "since 2020": 1}
    assert counts.stale == 3  # 2019, the missing one, and 31 May of last year, a day too old
    assert counts.found == {}


def test_content_is_counted_by_kind_also_in_columns_of_numbers() -> None:
    contract = load_contract(b'id = "test.c/v1"\n[[fields]]\nname = "n"\ntype = "number"\n[[fields]]\nname = "t"\n'
                             b'type = "text"\n[[fields]]\nname = "amount"\ntype = "number"\n')
    raw = {"n": pd.Series([4111111111111111, 5555555555554444, 6200000000000005]),
           "t": pd.Series(["a@example.org", None, "11010519491231002X"]), "amount": pd.Series([1.5, 2.5, 3.0])}
    counts = count_rows(contract, raw, check_rows(contract, raw, 3), datetime(2026, 6, 1, tzinfo=UTC))
    assert counts.found == {"n": {"bank-card": 3}, "t": {"e-mail": 1, "resident-identity": 1}}
