"""Contributions over real (simulated) runs: shares of a count are the rows, and nothing is asked without waivers."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealane.errors import InputError, RefusedError
from sealane.simulation.simulate import Simulation

NAMES = ("north", "south", "west")
ROWS = {"north": 40, "south": 60, "west": 100}


def federation() -> Simulation:
    rng = np.random.default_rng(5)
    return Simulation({name: pd.DataFrame({"x": rng.integers(0, 50, ROWS[name]).astype(float)}) for name in NAMES})


def rows(result: Any) -> float:
    return float(result["x"]["count"])


def test_shares_of_a_count_follow_from_the_rows_by_hand() -> None:
    found = federation().contribution("statistics.describe", rows, columns=["x"], waive_differencing=NAMES)
    # Single institutions compute nothing, so v = 0 for them; v(ns) = 100, v(nw) = 140, v(sw) = 160, v(nsw) = 200.
    # north: (100 + 140) / 6 + (200 - 160) / 3, and so on: 160/3, 190/3, 250/3
    assert found.shares == pytest.approx({"north": 160 / 3, "south": 190 / 3, "west": 250 / 3})
    assert (found.method, found.whole, found.runs) == ("shapley", 200.0, 4)
    assert sum(found.shares.values()) == pytest.approx(found.whole)


def test_leave_one_out_takes_a_run_each_and_one_for_all() -> None:
    found = federation().contribution("statistics.describe", rows, method="leave-one-out", columns=["x"],
                                      waive_differencing=NAMES)
    assert found.shares == {name: float(count) for name, count in ROWS.items()}
    assert found.runs == 4


def test_sampled_shares_add_up() -> None:
    found = federation().contribution("statistics.describe", rows, method="sampled", orders=3, columns=["x"],
                                      waive_differencing=NAMES)
    assert sum(found.shares.values()) == pytest.approx(200.0)


def test_every_institution_must_waive() -> None:
    with pytest.raises(RefusedError) as caught:
        federation().contribution("statistics.describe", rows, columns=["x"], waive_differencing=NAMES[:2])
    assert caught.value.code == "contribution.not-waived"
    assert "west" in str(caught.value.got)


def test_the_nodes_themselves_refuse_coalitions_without_waivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above is a courtesy: behind it every node's gate says the same."""
    module = importlib.import_module("sealane.simulation.simulate")
    plain = module.Simulation.run

    def without(self: Simulation, computation: str, *, waive_differencing: Any = (), **options: Any) -> Any:
        return plain(self, computation, **options)

    monkeypatch.setattr(module.Simulation, "run", without)
    with pytest.raises(RefusedError) as caught:
        federation().contribution("statistics.describe", rows, columns=["x"], waive_differencing=NAMES)
    assert caught.value.code == "cohort.differencing"


def test_a_metric_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        federation().contribution("statistics.describe", lambda result: float("nan"), columns=["x"],
                                  waive_differencing=NAMES)
    assert caught.value.code == "contribution.not-finite"
