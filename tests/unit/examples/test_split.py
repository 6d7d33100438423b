"""Regions are the Census Bureau's, and the fold is a fixed, stratified fifth."""

from __future__ import annotations

import pandas as pd
import pytest

from sealane.errors import InputError
from sealane_examples.finance import split
from sealane_examples.fold import held_out


def test_fifty_states_and_the_capital_in_four_regions() -> None:
    assert len(split.REGION_OF) == 51
    # Census Bureau: 12 states in the Midwest, 9 in the Northeast, 16 and DC in the South, 13 in the West.
    counts = pd.Series(split.REGION_OF).value_counts().to_dict()
    assert counts == {"midwest": 12, "northeast": 9, "south": 17, "west": 13}


def test_unknown_state_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        split.assign_regions(pd.Series(["CA", "ZZ"]))
    assert refused.value.code == "example.unknown-state"
    assert refused.value.got == "ZZ"


def test_every_stratum_gives_a_fifth() -> None:
    strata = pd.Series(["a"] * 100 + ["b"] * 13 + ["c"] * 2)
    fold = held_out(pd.Series(range(115)), strata, 2016)
    assert fold.groupby(strata).sum().to_dict() == {"a": 20, "b": 3, "c": 0}


def test_membership_depends_on_row_number_and_seed_only() -> None:
    numbers, strata = pd.Series(range(500)), pd.Series(["x"] * 500)
    fold = held_out(numbers, strata, 1)
    turned = held_out(numbers[::-1].reset_index(drop=True), strata, 1)
    assert set(numbers[fold]) == set(numbers[::-1].reset_index(drop=True)[turned])
    assert set(numbers[held_out(numbers, strata, 2)]) != set(numbers[fold])
