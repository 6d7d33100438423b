"""Institutions of unequal speed: as many steps as fit a time, none of which weighs more than another's."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from sealane.computations.neural.train import NeuralTrain

pytest.importorskip("torch")
pytest.importorskip("flwr")
ASKED = {"outcome": "y", "features": ["x"], "model": {"name": "mlp", "hidden": []}, "rounds": 60, "batch_size": None,
         "learning_rate": 0.02, "precision": "double", "local_seconds": 10.0, "correction": "fednova"}


def institutions():
    """Outcomes about 0 and 10, features alike: the pooled fit lies in the middle."""
    random = np.random.default_rng(8)
    x = random.normal(size=200).round(3)
    return {"a": pd.DataFrame({"x": x, "y": (2 * x + random.normal(size=200)).round(3)}),
            "b": pd.DataFrame({"x": x, "y": (2 * x + 10 + random.normal(size=200)).round(3)}).head(199)}


@pytest.fixture
def paced(monkeypatch):
    """Give institution ``a`` a step in a second, and ``b`` one in 25: 10 steps of a round, and one."""
    from sealane.computations.neural.learning import preparing

    trainer, seen = preparing.Trainer, {}
    honest = trainer.train

    def made(*args, **options):
        one = trainer(*args, **options)
        ticks = itertools.count(step=1 if len(one.rows) == 200 else 25)
        one.clock = lambda: float(next(ticks))
        return one

    def noted(self, start, towards=None):
        step = honest(self, start, towards)
        seen.setdefault(len(self.rows), set()).add(step.steps)
        return step

    monkeypatch.setattr(trainer, "train", noted)
    monkeypatch.setattr(preparing, "Trainer", made)
    return seen


def middle(result):
    """The prediction at a mean feature."""
    return float(result.predict(pd.DataFrame({"x": [0.0]})).iloc[0])


def test_a_fast_institution_does_not_pull_the_model_its_way(run_pooled, paced, monkeypatch):
    frames = institutions()
    pooled = pd.concat(frames.values())
    expected = np.polyval(np.polyfit(pooled.x, pooled.y, 1), 0.0)
    fair = run_pooled(frames, NeuralTrain(), ASKED)
    assert paced == {200: {10}, 199: {1}}
    assert middle(fair) == pytest.approx(expected, abs=0.6)
    from sealane.computations.neural.learning import preparing
    from sealane.computations.neural.learning.corrections import Plain

    monkeypatch.setattr(preparing, "correction_for", lambda *_: Plain())
    pulled = run_pooled(frames, NeuralTrain(), ASKED)
    assert abs(middle(pulled) - expected) > 3


def test_a_step_is_always_taken(run_pooled, paced):
    run_pooled(institutions(), NeuralTrain(), ASKED | {"local_seconds": 1e-6, "rounds": 2})
    assert paced == {200: {1}, 199: {1}}


def test_by_the_real_clock(run_pooled):
    result = run_pooled(institutions(), NeuralTrain(), ASKED | {"local_seconds": 0.05, "rounds": 3})
    assert len(result.history) == 3  # how far it came in that time is the machine's affair
    assert np.isfinite(result.history["loss"]).all()
