"""Each strategy, FedNova and SCAFFOLD against their formulas, on a linear model whose steps are written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.neural.train import NeuralTrain

from .conftest import NUMBERS, by_site, first_weights, people

pytest.importorskip("torch")
pytest.importorskip("flwr")

ROUNDS, RATE, SEED, STEPS = 4, 0.1, 11, 3
ASKED = {"outcome": "stay", "features": NUMBERS, "model": {"name": "mlp", "hidden": []}, "rounds": ROUNDS,
         "batch_size": None, "local_steps": STEPS, "learning_rate": RATE, "seed": SEED, "precision": "double"}


class Sites:
    """Least squares at three sites: gradients of weights and intercept in one vector."""

    def __init__(self, frame):
        x = frame[NUMBERS].to_numpy(np.float64)
        x = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))])
        y = (frame.stay - frame.stay.mean()).to_numpy() / frame.stay.std(ddof=0)
        self.parts = [(x[frame.site == k], y[frame.site == k]) for k in range(3)]
        self.shares = [len(part) / len(y) for _, part in self.parts]
        drawn = first_weights(SEED, [("head.weight", (1, 3), 3**-0.5), ("head.bias", (1,), 3**-0.5)])
        self.start = np.concatenate([drawn["head.weight"].numpy()[0], drawn["head.bias"].numpy()])

    def gradient(self, k, w):
        x, y = self.parts[k]
        return 2 * x.T @ (x @ w - y) / len(y)

    def local(self, k, w, steps=STEPS, pull=0.0, added=0.0):
        here = w
        for _ in range(steps):
            here = here - RATE * (self.gradient(k, here) + pull * (here - w) + added)
        return here - w

    def mean(self, w, **how):
        return sum(share * self.local(k, w, **how) for k, share in enumerate(self.shares))


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def sites(frame):
    return Sites(frame)


def trained(run, frame, **asked):
    weights = run(by_site(frame), NeuralTrain(), ASKED | asked).weights
    return np.concatenate([weights["head.weight"][0], weights["head.bias"]])


def adam(w, means, eta, b1, b2, tau, second):
    """Reddi et al., "Adaptive Federated Optimization" (ICLR 2021), algorithm 2."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, ROUNDS + 1):
        delta = means(w)
        m = b1 * m + (1 - b1) * delta
        v = second(v, delta, b2)
        # Flower corrects FedAdam's rate for its first rounds, as Kingma and Ba do, with the next round's number.
        rate = eta * np.sqrt(1 - b2 ** (t + 1)) / (1 - b1 ** (t + 1)) if second is _adam else eta
        w = w + rate * m / (np.sqrt(v) + tau)
    return w


def _adam(v, delta, b2):
    return b2 * v + (1 - b2) * delta**2


def _yogi(v, delta, b2):
    return v - (1 - b2) * delta**2 * np.sign(v - delta**2)


def _adagrad(v, delta, b2):
    return v + delta**2


def test_fedavg_and_fedprox(run_pooled, frame, sites):
    plain, pulled = sites.start, sites.start
    for _ in range(ROUNDS):
        plain, pulled = plain + sites.mean(plain), pulled + sites.mean(pulled, pull=2.0)
    np.testing.assert_allclose(trained(run_pooled, frame), plain, atol=1e-12)
    found = trained(run_pooled, frame, strategy="FedProx", strategy_arguments={"proximal_mu": 2.0})
    np.testing.assert_allclose(found, pulled, atol=1e-12)
    assert np.abs(plain - pulled).max() > 1e-3


def test_fedavgm(run_pooled, frame, sites):
    w, momentum = sites.start, 0.0
    for _ in range(ROUNDS):
        momentum = 0.5 * momentum + sites.mean(w)
        w = w + 0.8 * momentum
    found = trained(run_pooled, frame, strategy="FedAvgM",
                    strategy_arguments={"server_momentum": 0.5, "server_learning_rate": 0.8})
    np.testing.assert_allclose(found, w, atol=1e-12)


@pytest.mark.parametrize(("strategy", "second", "arguments"), [
    ("FedAdam", _adam, {"eta": 0.05, "beta_1": 0.8, "beta_2": 0.95, "tau": 1e-2}),
    ("FedYogi", _yogi, {"eta": 0.05, "beta_1": 0.8, "beta_2": 0.95, "tau": 1e-2}),
    ("FedAdagrad", _adagrad, {"eta": 0.05, "tau": 1e-2}),
])
def test_adaptive_strategies(run_pooled, frame, sites, strategy, second, arguments):
    expected = adam(sites.start, sites.mean, arguments["eta"], arguments.get("beta_1", 0.0),
                    arguments.get("beta_2", 0.0), arguments["tau"], second)
    np.testing.assert_allclose(
        trained(run_pooled, frame, strategy=strategy, strategy_arguments=arguments), expected, atol=1e-12)


def test_fednova_counts_steps(run_pooled, frame, sites):
    """Three passes in batches of 90 rows, in orders nobody else knows, give each site its own number of steps."""
    asked = {"local_steps": None, "local_epochs": 3, "batch_size": 4096, "correction": "fednova"}
    w = sites.start
    for _ in range(ROUNDS):
        w = w + 3 * sum(share * sites.local(k, w, steps=3) / 3 for k, share in enumerate(sites.shares))
    np.testing.assert_allclose(trained(run_pooled, frame, **asked), w, atol=1e-12)
    uneven = frame.assign(site=np.select([np.arange(600) < 400, np.arange(600) < 500], [0, 1], 2))
    plain = trained(run_pooled, uneven, **asked | {"batch_size": 100, "correction": "none"})
    nova = trained(run_pooled, uneven, **asked | {"batch_size": 100})
    assert np.abs(plain - nova).max() > 1e-4


def test_fednova_with_steps_that_differ():
    torch = pytest.importorskip("torch")
    from sealane.computations.neural.learning.corrections import FedNova
    from sealane.computations.neural.learning.training import Step

    assert torch
    nova, shares, steps = FedNova(), [0.25, 0.75], [2, 8]
    updates = [np.array([1.0, 2.0]), np.array([-4.0, 8.0])]
    made = [Step(u, 0.0, s) for u, s in zip(updates, steps, strict=True)]
    total = sum(share * nova.vector(step) for share, step in zip(shares, made, strict=True))
    counted = sum(nova.terms(step, share)["steps"].values for share, step in zip(shares, made, strict=True))
    by_hand = (0.25 * 2 + 0.75 * 8) * (0.25 * updates[0] / 2 + 0.75 * updates[1] / 8)
    np.testing.assert_allclose(nova.mean(total, {"steps": counted}), by_hand)


def test_scaffold(run_pooled, frame, sites):
    """Karimireddy et al. (2020), algorithm 1, option II, all institutions in every round."""
    skewed = frame.assign(site=frame.age.rank(method="first").floordiv(200.5).astype(int))
    sites = Sites(skewed)
    w, common, own = sites.start, np.zeros(4), [np.zeros(4)] * 3
    for _ in range(ROUNDS):
        moved = [sites.local(k, w, added=common - own[k]) for k in range(3)]
        after = [own[k] - common - moved[k] / (STEPS * RATE) for k in range(3)]
        w = w + sum(share * one for share, one in zip(sites.shares, moved, strict=True))
        common = common + sum(s * (a - o) for s, a, o in zip(sites.shares, after, own, strict=True))
        own = after
    found = trained(run_pooled, skewed, correction="scaffold")
    np.testing.assert_allclose(found, w, atol=1e-11)
    assert np.abs(found - trained(run_pooled, skewed)).max() > 1e-3


@pytest.mark.parametrize("asked", [
    {"correction": "scaffold", "local_steps": None}, {"correction": "fednova", "optimizer": "adam"},
    {"correction": "scaffold", "momentum": 0.5}, {"correction": "fednova", "clip_norm": 1.0}])
def test_corrections_that_do_not_go_together(asked):
    from sealane.computations.registry import read_parameters
    from sealane.errors import InputError

    with pytest.raises(InputError) as caught:
        read_parameters("neural.train", ASKED | asked)
    assert caught.value.code == "computation.bad-parameters"
