"""What a computation says that a run may take bounds what runs take; a study that names no rounds allows so many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.computations.requirements import most_exchanges

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "trees": ("trees.gbdt", {"rounds": 12, "params": {"num_leaves": 6, "min_data_in_leaf": 20}}),
    "classes": ("trees.gbdt", {"outcome": "kind", "rounds": 4, "params": {"num_leaves": 4, "min_data_in_leaf": 20}}),
    "card": ("glm.scorecard", {"bins": 3, "fine_bins": 5, "minimum_iv": 0.0}),
    "network": ("neural.train", {"rounds": 6}),
}


@pytest.fixture(scope="module")
def federation() -> Any:
    rows = {}
    for k, name in enumerate(("north", "south", "west")):
        rng = np.random.default_rng(k)
        x, z = rng.normal(50, 10, (2, 400)).clip(10, 90)
        bad = (rng.random(400) < 1 / (1 + np.exp(0.1 * (x + z - 100)))).astype(int)
        rows[name] = pd.DataFrame({"x": x, "z": z, "bad": bad, "kind": rng.choice(["a", "b", "c"], 400)})
    return sealane.simulate(rows)


@pytest.mark.parametrize("case", ASKED)
def test_a_run_takes_no_more_than_it_may(case: str, federation: Any) -> None:
    name, given = ASKED[case]
    parameters = {"outcome": "bad", "features": ["x", "z"]} | given
    result = federation.run(name, minimum_count=2, **parameters)
    assert result.trace.rounds <= most_exchanges(name, parameters)


def test_a_hundred_trees_may_take_more_than_a_study_allows_by_default() -> None:
    assert most_exchanges("trees.gbdt", {"outcome": "bad", "features": ["x"]}) > 1100
    assert most_exchanges("glm.fit", {"outcome": "bad", "features": ["x"], "family": "binomial"}) == 200
    largest = {"outcome": "kind", "features": ["x"], "rounds": 2000, "params": {"objective": "multiclass"}}
    assert most_exchanges("trees.gbdt", largest) == 100_000
