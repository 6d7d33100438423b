"""AUC, KS and curve against scikit-learn; the standard error against the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sealane.errors import InputError
from sealane_examples import ranking

metrics = pytest.importorskip("sklearn.metrics")


def drawn(seed: int, tied: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    outcome = (generator.random(2000) < 0.1).astype(np.int64)
    scores = outcome * 0.8 + generator.normal(size=2000)
    return outcome, np.round(scores, 1) if tied else scores


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_scikit_learn(seed: int, tied: bool) -> None:
    outcome, scores = drawn(seed, tied)
    found = ranking.rank(outcome, scores)
    fpr, tpr, _ = metrics.roc_curve(outcome, scores, drop_intermediate=False)
    assert found.auc == pytest.approx(metrics.roc_auc_score(outcome, scores), abs=1e-12)
    assert found.ks == pytest.approx(np.max(tpr - fpr), abs=1e-12)
    assert len(found.fpr) == len(found.tpr) <= ranking.POINTS
    assert (found.fpr[0], found.tpr[0], found.fpr[-1], found.tpr[-1]) == (0, 0, 1, 1)
    assert np.all(np.diff(found.fpr) >= 0)
    assert np.trapezoid(found.tpr, found.fpr) == pytest.approx(found.auc, abs=0.003)
    points = set(zip(np.round(fpr, 6), np.round(tpr, 6), strict=True))
    assert set(zip(found.fpr, found.tpr, strict=True)) <= points


def test_standard_error_is_that_of_resampling() -> None:
    outcome, scores = drawn(7, False)
    generator = np.random.default_rng(8)
    bad, good = scores[outcome == 1], scores[outcome == 0]
    areas = [
        metrics.roc_auc_score(
            outcome[np.argsort(-outcome)],
            np.concatenate([generator.choice(bad, len(bad)), generator.choice(good, len(good))]),
        )
        for _ in range(400)
    ]
    assert ranking.rank(outcome, scores).auc_se == pytest.approx(np.std(areas), rel=0.12)


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        ranking.rank(np.zeros(5, dtype=np.int64), np.arange(5.0))
    assert refused.value.code == "example.one-class"


def test_thinning_keeps_both_ends() -> None:
    kept = ranking.thin(1001, 11)
    assert kept.tolist() == list(range(0, 1001, 100))
    assert ranking.thin(3, 200).tolist() == [0, 1, 2]
