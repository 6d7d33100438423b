"""One member of three lies about its own part, to have the others' sums rest on a single row of theirs.

What it sends is masked like all else: only what is opened, and what each node knows of its own rows, can give it away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.computations.glm.likelihood import Likelihood
from sealane.computations.glm.opening import packed
from sealane.errors import ProtocolError, RefusedError, SealaneError
from sealane.node import cohort as node_cohort
from sealane.node.cohort import NodeCohort
from sealane.secagg import layout as layouts
from sealane.secagg.terms import Term

Opened = dict[str, Any]
Lie = Callable[[Mapping[str, Term]], dict[str, Term]]
Liar = Callable[[Lie], list[Opened]]
LIAR = "c"
SCHEMES = ["masking", "rlwe"]


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> Liar:
    """Have "c" change the terms of its sums, past its own software's checks; return what it sees of all sums."""
    honest_sum, honest_encode = NodeCohort.sum, node_cohort.encode
    seen: list[Opened] = []

    def unchecked(*args: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layouts, "_check_bound", lambda *_: None)
            return honest_encode(*args)

    def begin(lie: Lie) -> list[Opened]:
        async def summed(self: NodeCohort, terms: Mapping[str, Term]) -> Opened:
            lies = self.names[self.place] == LIAR
            opened = await honest_sum(self, lie(terms) if lies else terms)
            if lies:
                seen.append({name: values.copy() for name, values in opened.items()})
            return opened

        monkeypatch.setattr(node_cohort, "encode", unchecked)
        monkeypatch.setattr(NodeCohort, "sum", summed)
        return seen

    return begin


def wards() -> dict[str, pd.DataFrame]:
    """Return three tables with a ward of one row, at "a"."""
    rng = np.random.default_rng(5)
    frames = {name: pd.DataFrame({"debt": rng.gamma(2, 900, 300).round(2), "ward": rng.choice(["u", "v", "w"], 300)})
              for name in "abc"}
    frames["a"].loc[7, "ward"] = "z"
    return frames


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("claimed", "code"), [(3, "sum.total-out-of-range"), (2, "sum.total-out-of-range"), (1, None)])
def test_institutions_made_up_open_no_groups_values(claimed: int, code: str | None, scheme: str, liar: Liar) -> None:
    """With nine rows more the ward looks large enough; a node without any knows of two institutions at most."""
    place = 3

    def lie(terms: Mapping[str, Term]) -> dict[str, Term]:
        if not {"counts", "institutions"} <= set(terms):
            return dict(terms)
        counts, have = terms["counts"].values.copy(), terms["institutions"].values.copy()
        counts[place] += 9
        have[0, place] = claimed
        return dict(terms) | {"counts": replace(terms["counts"], values=counts),
                              "institutions": replace(terms["institutions"], values=have)}

    simulation = sealane.simulate(wards())
    liar(lie)
    if code is not None:
        with pytest.raises(ProtocolError) as caught:
            simulation.run("statistics.describe", columns=["debt"], by="ward", scheme=scheme)
        assert caught.value.code == code
        return
    result = simulation.run("statistics.describe", columns=["debt"], by="ward", scheme=scheme).to_dict()
    assert result["columns"]["debt"]["groups"]["z"]["mean"] is None  # two of three are too few for the gate


def amounts() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(3)
    return {name: pd.DataFrame({"amount": rng.normal(3000, 500, 400).round(2)}) for name in "abc"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("told", "code"), [
    (lambda own, most: np.full_like(own, -most), "sum.total-out-of-range"),
    (lambda own, most: own - 401, "sum.total-out-of-range"),       # less than "a" or "b" has by itself, at some point
    (lambda own, most: np.full_like(own, most), "statistics.counts-contradict"),
    (lambda own, most: 399 * (np.arange(len(own)) == 0), "statistics.counts-contradict"),
    (lambda own, most: own + 300, "statistics.counts-contradict"),  # more than all rows
])
def test_counts_that_rows_cannot_have_lead_no_search(told: Callable[[Any, int], Any], code: str,
                                                     scheme: str, liar: Liar) -> None:
    def lie(terms: Mapping[str, Term]) -> dict[str, Term]:
        if "under" not in terms:
            return dict(terms)
        under = terms["under"]
        return dict(terms) | {"under": replace(under, values=told(under.values, int(under.bound)))}

    liar(lie)
    with pytest.raises(ProtocolError) as caught:
        sealane.simulate(amounts()).run("statistics.quantiles", columns=["amount"], probabilities=[0.5], scheme=scheme)
    assert caught.value.code == code


def test_parts_of_a_cell_hold_the_rows_that_it_had(liar: Liar) -> None:
    turns = iter(range(100))

    def lie(terms: Mapping[str, Term]) -> dict[str, Term]:
        if "cells" not in terms or next(turns) == 0:
            return dict(terms)
        values = terms["cells"].values.copy()
        values[0] += 5
        return dict(terms) | {"cells": replace(terms["cells"], values=values)}

    frames = {name: frame.assign(other=np.arange(400.0)) for name, frame in amounts().items()}
    frames["a"].loc[0, "amount"] = 1e9  # so all others share a cell at first
    liar(lie)
    with pytest.raises(ProtocolError) as caught:
        sealane.simulate(frames).run("statistics.correlation", columns=["amount", "other"], method="spearman")
    assert caught.value.code == "statistics.counts-contradict"


def loans() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    out = {}
    for name in "abc":
        income, debt = rng.normal(3000, 500, 800).round(2), rng.gamma(2, 900, 800).round(2)
        bad = (rng.random(800) < 1 / (1 + np.exp(2.0 - 0.0003 * debt))).astype(int)
        out[name] = pd.DataFrame({"income": income, "debt": debt, "bad": bad})
    return out


def test_no_coefficients_lay_all_weight_on_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """It claims an information of 2^34, and a score that leads to a plane through one row of "a", far from all others.

    Neither the row nor another institution's sums are in what opens there.
    """
    weight, frames, seen = 2.0**34, loans(), list[Any]()
    honest, turns = Likelihood._sum, iter(range(1000))

    async def lying(self: Likelihood, beta: Any, worked: Any, constants: Any) -> Any:
        turn = next(turns) if self.cohort.names[self.cohort.place] == LIAR else -1
        if turn not in (0, 1):
            return await honest(self, beta, worked, constants)
        target = beta
        if turn == 0:
            own = [k for k in range(len(beta)) if not np.allclose(self.own.x[:, k], self.own.x[0, k])]
            scale, shift = np.polyfit(frames[LIAR]["income"], self.own.x[:, own[0]], 1)
            intercept = next(k for k in range(len(beta)) if k not in own)
            target = np.zeros(len(beta))
            target[own[0]] = 3e6
            target[intercept] = -3e6 * (scale * frames["a"]["income"].iloc[17] + shift) / self.own.x[0, intercept]
        lie = {"information": packed(weight * np.eye(len(beta))), "score": weight * (target - beta),
               "totals": np.array([2.0 ** (46 - turn), 0.0])}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self, "parts", lambda _: lie)
            point, opened = await honest(self, beta, object() if worked is None else worked, constants)
        if turn == 1:
            seen.append((point, point.information - weight * np.eye(len(beta))))
        return point, opened

    monkeypatch.setattr(Likelihood, "_sum", lying)
    with pytest.raises(SealaneError) as caught:
        sealane.simulate(frames).run("glm.fit", formula="bad ~ income + debt", family="binomial")
    assert isinstance(caught.value, RefusedError)
    [(point, others)] = seen
    assert point.runaway
    assert np.abs(others).min() > 2.0**30  # random up to 2^56: a row's would be under 1, an institution's under 800
