from __future__ import annotations

import pytest

from sealane.errors import InputError
from sealane.governance.contract import load_contract
from sealane.governance.repair import load_repair, stored_repair

CONTRACT = load_contract(b"""
id = "test.rows/v1"
[[fields]]
name = "x"
type = "number"
minimum = 0
maximum = 10
[[fields]]
name = "g"
type = "category"
allowed = ["A", "B"]
""")
GOOD = b"""
[[steps]]
do = "deduplicate"
[[steps]]
do = "recode"
field = "g"
codes = { "1" = "A", "2" = "B" }
[[steps]]
do = "convert"
field = "x"
factor = 0.001
from_unit = "g"
[[steps]]
do = "clip"
field = "x"
maximum = 10.0
[[steps]]
do = "impute"
field = "x"
by = "median"
"""


def test_a_repair_is_read_and_kept_in_its_order() -> None:
    repair = load_repair(GOOD, CONTRACT)
    assert [step.do for step in repair.steps] == ["deduplicate", "recode", "convert", "clip", "impute"]
    assert stored_repair(repair.to_text()) == repair
    assert stored_repair("") is None


@pytest.mark.parametrize(("text", "code"), [
    ("steps = 3", "repair.malformed"), ("", "repair.malformed"), ("a =", "repair.not-toml"),
    ("[[steps]]\ndo = 'drop'", "repair.malformed"), ("[[steps]]\ndo = 'impute'\nfield = 'x'\nby = 'constant'",
                                                   "repair.malformed"),
    ("[[steps]]\ndo = 'impute'\nfield = 'x'\nby = 'mode'\nvalue = 3", "repair.malformed"),
    ("[[steps]]\ndo = 'clip'\nfield = 'x'", "repair.malformed"),
    ("[[steps]]\ndo = 'clip'\nfield = 'x'\nminimum = 3.0\nmaximum = 2.0", "repair.malformed"),
    ("[[steps]]\ndo = 'convert'\nfield = 'x'\nfactor = inf", "repair.malformed"),
    ("[[steps]]\ndo = 'clip'\nfield = 'g'\nminimum = 3.0", "repair.not-a-number"),
    ("[[steps]]\ndo = 'impute'\nfield = 'g'\nby = 'median'", "repair.not-a-number"),
    ("[[steps]]\ndo = 'impute'\nfield = 'y'\nby = 'mode'", "contract.unknown-field"),
    ("[[steps]]\ndo = 'deduplicate'\nfields = ['y']", "contract.unknown-field"),
    ("# " + "x" * (1 << 20), "repair.too-large"),
])
def test_repairs_that_are_none(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_repair(text.encode(), CONTRACT)
    assert caught.value.code == code
