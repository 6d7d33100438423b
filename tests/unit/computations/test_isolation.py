"""An isolation forest against scikit-learn's, and against the same recipe written a second time, row by row."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from card_rows import CONTRACT, FEATURES, card_rows
from expected_error import raises
from scipy.special import digamma

import sealane
from sealane.computations.anomaly.forest import mean_depth
from sealane.computations.anomaly.isolation import Isolation
from sealane.errors import InputError, RefusedError

mpl.use("Agg")
NAMES = ("north", "south", "west")


def split(frame: pd.DataFrame, sizes: tuple[int, ...] = (3000, 1000, 2000)) -> dict[str, pd.DataFrame]:
    edges = np.cumsum((0, *sizes))
    return {f"bank{k}": frame.iloc[edges[k]:edges[k + 1]].reset_index(drop=True) for k in range(len(sizes))}


def grow(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame], minimum_count: int = 10,
         **change: Any) -> Any:
    return run_pooled(frames, Isolation(), {"features": FEATURES} | change, contract=CONTRACT,
                      minimum_count=minimum_count)


def area(scores: pd.Series[float], odd: np.ndarray) -> float:
    ranked = scores.rank().to_numpy()
    hits = int(odd.sum())
    return float((ranked[odd].sum() - hits * (hits + 1) / 2) / (hits * (len(odd) - hits)))


def test_it_tells_odd_rows_apart_as_well_as_scikit_learn_over_pooled_rows(run_pooled: Callable[..., Any]) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    for seed in range(3):
        frame, odd = card_rows(seed)
        ours = area(grow(run_pooled, split(frame), seed=seed).score(frame), odd)
        forest = ensemble.IsolationForest(n_estimators=100, random_state=seed).fit(frame)
        theirs = area(pd.Series(-forest.score_samples(frame)), odd)
        assert theirs > 0.95
        assert abs(ours - theirs) < 0.012, (ours, theirs)


def test_scores_go_with_those_of_scikit_learn(run_pooled: Callable[..., Any]) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    frame, _ = card_rows(5)
    forest = ensemble.IsolationForest(n_estimators=300, random_state=1).fit(frame)
    theirs = pd.Series(-forest.score_samples(frame))
    ours = grow(run_pooled, split(frame), trees=300).score(frame)
    assert ours.corr(theirs) > 0.95
    assert abs(ours.mean() - theirs.mean()) < 0.04


def test_how_rows_are_split_does_not_matter(run_pooled: Callable[..., Any]) -> None:
    frame, _ = card_rows(1)
    one = grow(run_pooled, {"all": frame}).to_dict()
    other = grow(run_pooled, split(frame)).to_dict()
    third = grow(run_pooled, split(frame.sample(frac=1.0, random_state=3), (10, 5000, 990))).to_dict()
    for part in ("masses", "seed", "lows", "highs", "alarms", "rows"):
        assert one[part] == other[part] == third[part]


def drawn(seed: bytes, *name: int) -> list[float]:
    digest = hashlib.sha256(seed + b"".join(part.to_bytes(8, "big") for part in name)).digest()
    return [(int.from_bytes(digest[k:k + 8], "big") >> 11) / 2**53 for k in (0, 8)]


class Recipe:
    """One tree at a time, one row after the other: plain recursion over pooled rows."""

    def __init__(self, told: dict[str, Any], rows: np.ndarray) -> None:
        self.told, self.rows, self.lengths = told, rows, np.zeros(len(rows))
        self.scale = told["minimum_count"] * told["sample"] / told["rows"]
        for tree in range(told["trees"]):
            low, high = [], []
            for f in range(rows.shape[1]):
                first, second = drawn(bytes.fromhex(told["seed"]), 0, tree, f)
                low.append(told["lows"][math.floor(first * 4)][f])
                high.append(told["highs"][math.floor(second * 4)][f])
            self.cut(tree, 1, low, high, np.arange(len(rows)), 0.0, told["levels"])

    def cut(self, tree: int, path: int, low: list[float], high: list[float], here: np.ndarray, depth: float,
            levels: int) -> None:
        first, second = drawn(bytes.fromhex(self.told["seed"]), 1, tree, path)
        room = [f for f in range(len(low)) if high[f] > low[f]]
        feature = room[math.floor(first * len(room))]
        width = high[feature] - low[feature]
        whole = self.told["whole"][feature]
        at = low[feature] + (math.floor(second * width) + 0.5 if whole else second * width)
        right = self.rows[here, feature] >= at
        sides = (here[~right], here[right])
        masses = [len(side) // self.told["minimum_count"] for side in sides]
        depth += math.prod(1.0 - math.exp(-mass * self.scale) for mass in masses)
        for bit, (side, mass) in enumerate(zip(sides, masses, strict=True)):
            narrow_low, narrow_high = list(low), list(high)
            if bit:
                narrow_low[feature] = math.ceil(at) if whole else at
            else:
                narrow_high[feature] = math.ceil(at) - 1 if whole else at
            s = mass * self.scale
            roomy = any(b > a for a, b in zip(narrow_low, narrow_high, strict=True))
            if s > 1 and mass >= 2 and roomy and levels > 1:
                self.cut(tree, 2 * path + bit, narrow_low, narrow_high, side, depth, levels - 1)
            else:
                n = max(s, 1.0)
                self.lengths[side] += depth + 2 * (digamma(n) + 0.5772156649015329) - 2 * (n - 1) / n


def test_scores_are_those_of_the_recipe_on_pooled_rows(run_pooled: Callable[..., Any]) -> None:
    frame, _ = card_rows(2, rows=3000)
    found = grow(run_pooled, split(frame, (1000, 500, 1500)), trees=12, levels=7, sample=64)
    told = found.to_dict()
    lengths = Recipe(told, frame[FEATURES].to_numpy(dtype=float)).lengths / 12
    whole = 2 * (digamma(64.0) + 0.5772156649015329) - 2 * 63 / 64
    np.testing.assert_allclose(found.score(frame), 2.0 ** (-lengths / whole), rtol=1e-9)
    for number, name in enumerate(FEATURES):  # the reach of boxes lies at quantiles of the pooled rows
        for place, share in enumerate((1 / 512, 1 / 128, 1 / 64, 1 / 32)):
            if share * 3000 > 10:
                exact = np.quantile(frame[name], [share, 1 - share])
                assert abs(told["lows"][place][number] - exact[0]) <= 0.2
                assert abs(told["highs"][place][number] - exact[1]) <= 0.2


def test_c_is_the_mean_depth_of_a_random_tree() -> None:
    exact = [2 * sum(1 / k for k in range(1, n)) - 2 * (n - 1) / n for n in range(1, 300)]
    np.testing.assert_allclose(mean_depth(np.arange(1.0, 300.0)), exact, atol=1e-7)
    assert mean_depth(np.array([0.0, 0.3])).tolist() == pytest.approx([0.0, 0.0], abs=1e-7)


def test_no_side_of_fewer_rows_than_the_minimum_count_is_told(run_pooled: Callable[..., Any]) -> None:
    frame, _ = card_rows(3, rows=4000)
    far = frame.copy()
    far.loc[:8, "amount"] = 900_000.0  # nine rows that nothing lies near
    frames = split(frame, (2000, 1000, 1000))
    with_far = split(far, (2000, 1000, 1000))
    plain, found = grow(run_pooled, frames), grow(run_pooled, with_far)
    assert found.score(far)[:9].nunique() <= 9
    assert found.score(far)[:9].min() > found.thresholds[0.05] > found.score(frame).median()
    assert max(map(max, found.to_dict()["highs"])) < 100_000
    units = np.concatenate(found.to_dict()["masses"]) * 10
    assert (units % 10 == 0).all()
    assert units.max() <= 4000
    assert plain.to_dict()["rows"] == 4000


def test_thresholds_leave_their_share_of_all_rows_above(run_pooled: Callable[..., Any]) -> None:
    frame, _ = card_rows(4)
    found = grow(run_pooled, split(frame))
    scores = found.score(frame)
    assert math.isnan(found.thresholds[0.001])  # six rows
    for share in (0.005, 0.01, 0.05):
        assert found.thresholds[share] == pytest.approx(np.quantile(scores, 1 - share), abs=2e-6)
        assert found.flag(frame, share).sum() == pytest.approx(share * len(frame), abs=2)
    with raises("anomaly.no-threshold", InputError):
        found.flag(frame, 0.001)
    with raises("anomaly.no-threshold", InputError):
        found.flag(frame, 0.3)
    assert found.to_dict()["alarms"][0]["hidden_by"] == "minimum-count"


def test_rows_that_miss_a_feature(run_pooled: Callable[..., Any]) -> None:
    frame, _ = card_rows(4)
    gaps = frame.assign(hours_since_last=frame["hours_since_last"].where(np.arange(len(frame)) % 40 > 0))
    found = grow(run_pooled, split(gaps))
    assert found.to_dict()["rows"] == 5850
    assert found.to_dict()["dropped"] == 150
    assert found.score(gaps).isna().sum() == 150
    assert not found.flag(gaps)[gaps["hours_since_last"].isna()].any()


def test_over_rlwe_the_same_as_over_masking() -> None:
    frames = dict(zip(NAMES, split(card_rows(6, rows=2400)[0], (800, 800, 800)).values(), strict=True))
    asked = {"features": FEATURES[:3], "trees": 10, "levels": 3, "alarms": [0.05]}
    masked, ring = (sealane.simulate(frames, contract=CONTRACT).run("anomaly.isolation", scheme=scheme, **asked)
                    for scheme in ("masking", "rlwe"))
    assert masked.to_dict() == ring.to_dict()
    assert masked.trace.rounds > 5


@pytest.mark.parametrize(("change", "code", "branch"), [
    ({"features": ["amount", "label"]}, "anomaly.column-type", InputError),
    ({"features": ["open"]}, "columns.unbounded", InputError),
    ({"sample": 4096, "trees": 20, "features": ["amount"]}, "anomaly.too-few-rows", RefusedError),
    ({"features": ["cross_border"]}, "anomaly.nothing-varies", RefusedError),
])
def test_refusals(run_pooled: Callable[..., Any], change: dict[str, Any], code: str, branch: Any) -> None:
    frame = card_rows(7, rows=900)[0].assign(label="a", open=1.0, cross_border=0)
    with raises(code, branch):
        grow(run_pooled, split(frame, (300, 300, 300)), **change)


def test_too_few_rows_or_banks(run_pooled: Callable[..., Any]) -> None:
    frame, _ = card_rows(7, rows=900)
    with raises("model.too-few-rows", RefusedError):
        grow(run_pooled, split(frame, (3, 3, 3)))
    frames = split(frame, (300, 300, 300))
    frames["bank2"] = frames["bank2"].assign(hours_since_last=np.nan)
    with raises("model.institutions-without-rows", RefusedError):
        sealane.simulate(frames, contract=CONTRACT).run("anomaly.isolation", features=FEATURES, trees=10)


@pytest.mark.parametrize("change", [{"features": ["amount", "amount"]}, {"alarms": [0.05, 0.01]}, {"trees": 1},
                                    {"alarms": [0.6]}, {"labels": "fraud"}, {"trees": 500, "sample": 512}])
def test_parameters_that_make_no_sense(change: dict[str, Any]) -> None:
    with raises("computation.bad-parameters", InputError):
        sealane.simulate(split(card_rows(7, rows=90)[0], (30, 30, 30)), contract=CONTRACT).run(
            "anomaly.isolation", **({"features": FEATURES} | change))


def test_scoring_what_does_not_fit(run_pooled: Callable[..., Any]) -> None:
    frame, _ = card_rows(8, rows=2000)
    found = grow(run_pooled, split(frame, (700, 700, 600)), trees=10, levels=3)
    with raises("anomaly.missing-column", InputError):
        found.score(frame[["amount"]])
    with raises("anomaly.not-numeric", InputError) as caught:
        found.score(frame.assign(amount="CANARY"))
    assert "CANARY" not in str(caught.value)
    assert found.score(frame.astype({"cross_border": bool})).equals(found.score(frame))


def test_text_and_picture(run_pooled: Callable[..., Any]) -> None:
    found = grow(run_pooled, split(card_rows(8)[0]), trees=20)
    assert "isolation forest over 6,000 rows of 3 institutions (0 left out): 20 trees" in found.summary()
    assert "masses are whole multiples of 10 rows" in found.summary()
    assert found._repr_html_().startswith("<pre>")
    axes = found.plot()
    assert len(axes.lines) == 1
    axes.figure.clf()
