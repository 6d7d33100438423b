"""Groups of institutions: how they are drawn, and what a bad one can do."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.neural.groups import Grouped, grouped, krum_scores, trimmed_mean
from sealane.computations.neural.sum_parameters import Robust
from sealane.computations.neural.train import NeuralTrain
from sealane.errors import RefusedError

from .conftest import NUMBERS, people

pytest.importorskip("torch")
pytest.importorskip("flwr")
ASKED = {"outcome": "ill", "features": [*NUMBERS, "grade"], "model": {"name": "mlp", "hidden": [8]}, "rounds": 6,
         "batch_size": 50, "learning_rate": 0.3, "weights": "equal", "seed": 3}
NAMES = tuple(f"inst{k:02d}" for k in range(23))


def members(groups):
    return [{k for k, one in enumerate(groups) if one == group} for group in range(max(groups) + 1)]


def cohort(n, rows=900):
    frame = people(rows).drop(columns="site")
    return {f"inst{k}": frame.iloc[k::n].reset_index(drop=True) for k in range(n)}


def test_groups_are_large_enough_and_nest():
    """Two runs' groups differ by whole groups of the finer one only: no difference is a part of a group."""
    for size in range(2, 24):
        of = {least: members(grouped(NAMES[:size], least)) for least in range(1, 9)}
        for least, groups in of.items():
            assert set().union(*groups) == set(range(size))
            assert all(len(group) >= min(least, size) for group in groups)
            for finer in range(1, least):
                assert all(any(small <= large for large in groups) for small in of[finer])


def test_groups_follow_from_names_and_not_from_their_order_in_an_alphabet():
    groups = grouped(NAMES[:12], 4)
    assert groups == grouped(NAMES[:12], 3)
    assert groups != tuple(sorted(groups))


def test_the_trimmed_mean_and_krum_by_hand():
    parts = [np.array([1.0, -5.0]), np.array([2.0, 0.0]), np.array([3.0, 1.0]), np.array([900.0, 2.0]),
             np.array([4.0, 9.0])]
    np.testing.assert_allclose(trimmed_mean(parts, 1), [3.0, 1.0])
    np.testing.assert_allclose(trimmed_mean(parts, 2), [3.0, 1.0])
    # Krum with n = 5 and f = 1 sums the two nearest: from (2, 0) to (3, 1) is 2, to (1, -5) is 26.
    scores = krum_scores(parts, 1)
    assert scores[1] == pytest.approx(2 + 26)
    assert scores[2] == pytest.approx(2 + 40)
    assert int(np.argmin(scores)) == 1


def test_slots_hold_the_mean_of_each_group():
    groups = (0, 0, 1, 1, 1, 2, 2)
    vectors = [np.arange(4.0) * k for k in range(7)]
    nodes = [Grouped(Robust(), groups, own) for own in groups]
    total = sum(node.spread(vector / 7) for node, vector in zip(nodes, vectors, strict=True))
    for part, own in zip(nodes[0].parts(total), members(groups), strict=True):
        np.testing.assert_allclose(part, np.mean([vectors[k] for k in own], axis=0))


@pytest.fixture
def poison(monkeypatch):
    """One institution sends fifty times the opposite of what it learned."""
    from sealane.computations.neural.learning.rounds import Rounds

    honest = Rounds._weighted

    def weighted(self, step):
        return honest(self, step) * (-50.0 if self.cohort.place == 0 else 1.0)

    return lambda: monkeypatch.setattr(Rounds, "_weighted", weighted)


@pytest.mark.parametrize(("robust", "institutions"), [({"method": "trimmed_mean"}, 6), ({"method": "krum"}, 10)])
def test_a_poisoning_institution(run_pooled, poison, robust, institutions):
    frames = cohort(institutions)
    clean = run_pooled(frames, NeuralTrain(), ASKED).metrics["training"]["auc"]
    assert clean > 0.75
    poison()
    plain = run_pooled(frames, NeuralTrain(), ASKED)
    held = run_pooled(frames, NeuralTrain(), ASKED | {"robust": robust})
    assert plain.stopped == "exploded" or plain.metrics["training"]["auc"] < 0.6
    assert held.metrics["training"]["auc"] > clean - 0.03
    told = held.to_dict()["sending"]["robust"]
    assert told["institutions"] == [2] * (institutions // 2)
    if robust["method"] == "krum":
        bad = grouped(tuple(frames), 2)[0]
        assert len(told["chosen"]) == 6
        assert bad not in told["chosen"]


def test_groups_under_encryption():
    """Three groups of two, no institution colluding; the fewest that a study may sum."""
    from sealane import simulate

    asked = ASKED | {"robust": {}, "rounds": 3, "compression": {"bits": 8}}
    result = simulate(cohort(6)).run("neural.train", scheme="rlwe", colluding=0, minimum_cohort=2, **asked)
    assert result.to_dict()["sending"]["robust"]["institutions"] == [2, 2, 2]
    assert result.metrics["training"]["auc"] > 0.7
    assert "trimmed_mean of 3 groups" in result.summary()


def test_robust_together_with_compression(run_pooled, poison):
    poison()
    asked = ASKED | {"robust": {}, "compression": {"bits": 8}, "rounds": 10}
    held = run_pooled(cohort(6), NeuralTrain(), asked)
    assert held.metrics["training"]["auc"] > 0.75


def test_too_few_groups_are_refused(run_pooled):
    with pytest.raises(RefusedError) as caught:
        run_pooled(cohort(5), NeuralTrain(), ASKED | {"robust": {}})
    assert caught.value.code == "neural.too-few-groups"
    assert "6" in caught.value.hint
    waived = run_pooled(cohort(5), NeuralTrain(), ASKED | {"robust": {}}, exposed=True)
    assert waived.to_dict()["sending"]["robust"]["institutions"] == [1] * 5
    with pytest.raises(RefusedError) as caught:
        run_pooled(cohort(8), NeuralTrain(), ASKED | {"robust": {"method": "krum"}})
    assert caught.value.code == "neural.too-few-groups"


def test_an_institution_without_rows_is_refused(run_pooled):
    frames = cohort(6)
    frames["inst2"] = frames["inst2"].assign(ill=None)
    with pytest.raises(RefusedError) as caught:
        run_pooled(frames, NeuralTrain(), ASKED | {"robust": {}})
    assert caught.value.code == "neural.group-without-rows"
    assert "inst2" not in str(caught.value)


def test_robust_counts_institutions_alike():
    with pytest.raises(ValueError, match="equal"):
        NeuralTrain().parameters.model_validate(ASKED | {"robust": {}, "weights": "rows"})
