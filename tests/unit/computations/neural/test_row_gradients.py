"""Clipped gradients of single rows: against one backward pass for each row, by hand."""

from __future__ import annotations

import sys
from decimal import Decimal

import numpy as np
import pytest
from expected_error import raises
from scipy.stats import binomtest

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

from sealane.computations.neural.learning.device import Device  # noqa: E402
from sealane.computations.neural.learning.modules.build import build  # noqa: E402
from sealane.computations.neural.learning.row_gradients import RowGradients, drawn  # noqa: E402
from sealane.computations.neural.learning.weights import shapes_of, take  # noqa: E402
from sealane.computations.neural.model_parameters import Cnn, Cnn1d, Gru, Mlp, Vit  # noqa: E402
from sealane.computations.neural.rows import Rows  # noqa: E402
from sealane.errors import InputError  # noqa: E402

CLIP = 0.7


class Mixing(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Linear(16, 4), torch.nn.Linear(4, 1)
        self.norm = torch.nn.BatchNorm1d(4, affine=False, track_running_stats=False)

    def forward(self, numbers, codes):
        out = self.first(numbers)
        return self.last(self.norm(out) if len(out) > 1 else out)


class Twice(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(16, 16)

    def forward(self, numbers, codes):
        return (self.first(numbers) @ self.first.weight)[:, :1]


def some_rows(n: int = 40) -> Rows:
    random = np.random.default_rng(5)
    return Rows(random.normal(size=(n, 3)).astype(np.float32), random.integers(0, 4, (n, 1)),
                random.integers(0, 2, n).astype(np.float32))


def gradients_by_hand(module, rows: Rows, places) -> np.ndarray:
    out = []
    for k in places:
        module.zero_grad()
        given = module(torch.from_numpy(rows.numbers[k : k + 1]), torch.from_numpy(rows.codes[k : k + 1]))
        chance = torch.sigmoid(given[0, 0].double())
        y = float(rows.outcome[k])
        (-(y * torch.log(chance) + (1 - y) * torch.log(1 - chance))).backward()
        out.append(torch.cat([p.grad.flatten() for p in module.parameters()]).double().numpy())
    return np.array(out)


def made(rows: Rows, *, ghost: bool, most: int = 1 << 14):
    torch.manual_seed(1)
    module = build(Mlp(hidden=(6,)), 3, [4], 1)
    shapes = shapes_of(module)
    by_hand = gradients_by_hand(build_again(module), rows, range(len(rows)))
    device = Device("cpu", False, shapes.length, most)
    return module, RowGradients(module, shapes, "binary", rows, CLIP, device, ghost), by_hand


def build_again(module):
    copy = build(Mlp(hidden=(6,)), 3, [4], 1)
    copy.load_state_dict(module.state_dict())
    return copy


@pytest.mark.parametrize("ghost", [False, True])
def test_each_row_is_clipped_by_itself(ghost: bool) -> None:
    rows = some_rows()
    module, found, by_hand = made(rows, ghost=ghost, most=7)
    norms = np.linalg.norm(by_hand, axis=1)
    assert (norms > CLIP).any()
    assert (norms < CLIP).any()
    clipped = by_hand * np.minimum(1, CLIP / norms)[:, None]
    chosen = np.array([0, 3, 4, 9, 10, 11, 12, 20, 39])
    weights = take(module, found.shapes, np.float64)
    assert found.total(weights, chosen) == pytest.approx(clipped[chosen].sum(axis=0), abs=2e-6)
    assert not found.total(weights, chosen[:0]).any()


@pytest.mark.parametrize("ghost", [False, True])
def test_one_row_moves_the_sum_by_the_norm_at_most_and_no_number_by_nothing(ghost: bool) -> None:
    rows = some_rows()
    rows.numbers[5] *= 1e6
    rows.numbers[6, 0] = np.inf
    module, found, _ = made(rows, ghost=ghost)
    weights = take(module, found.shapes, np.float64)
    without = found.total(weights, np.array([0, 1, 2]))
    with_large = found.total(weights, np.array([0, 1, 2, 5]))
    assert np.linalg.norm(with_large - without) == pytest.approx(CLIP, rel=1e-3)
    assert np.linalg.norm(with_large - without) <= CLIP * (1 + 2.0**-12)
    assert found.total(weights, np.array([0, 1, 2, 6])) == pytest.approx(without, abs=1e-6)


@pytest.mark.parametrize("ghost", [False, True])
@pytest.mark.parametrize("model", [Cnn1d(filters=(4,), kernel=3), Cnn(height=4, width=4, filters=(3,))],
                         ids=lambda m: m.name)
def test_series_and_images_too(model, ghost: bool) -> None:
    random = np.random.default_rng(6)
    rows = Rows(random.normal(size=(9, 16)).astype(np.float32), np.zeros((9, 0), dtype=np.int64),
                random.integers(0, 2, 9).astype(np.float32))
    torch.manual_seed(2)
    module = build(model, 16, [], 1)
    plain = build(model, 16, [], 1)
    plain.load_state_dict(module.state_dict())
    by_hand = gradients_by_hand(plain, rows, range(9))
    clipped = by_hand * np.minimum(1, 0.3 / np.linalg.norm(by_hand, axis=1))[:, None]
    shapes = shapes_of(module)
    one = RowGradients(module, shapes, "binary", rows, 0.3, Device("cpu", False, shapes.length), ghost)
    assert one.total(take(module, shapes, np.float64), np.arange(9)) == pytest.approx(clipped.sum(axis=0), abs=1e-5)


@pytest.mark.parametrize("module", [
    build(Gru(hidden=5), 16, [], 1), build(Vit(height=4, width=4, patch=2, width_of_token=8, depth=1, heads=2), 16, [],
                                           1), Mixing(), Twice(),
], ids=["gru", "vit", "batch norm", "a weight used twice"])
@pytest.mark.parametrize("ghost", [False, True])
def test_modules_whose_rows_cannot_be_told_apart_are_refused(module, ghost: bool) -> None:
    shapes = shapes_of(module)
    rows = Rows(np.zeros((9, 16), dtype=np.float32), np.zeros((9, 0), dtype=np.int64), np.zeros(9, dtype=np.float32))
    with raises("neural.module-not-private", InputError):
        RowGradients(module, shapes, "binary", rows, 0.3, Device("cpu", False, shapes.length), ghost)


def test_a_node_without_opacus_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from sealane.computations.neural.library import opacus

    monkeypatch.setitem(sys.modules, "opacus.grad_sample", None)
    with raises("neural.no-opacus", InputError):
        opacus()


def test_rows_are_drawn_with_their_probability_and_anew_each_time() -> None:
    n, rate = 200_000, Decimal("0.13")
    first, second = drawn(n, rate), drawn(n, rate)
    for one in (first, second):
        assert binomtest(len(one), n, 0.13).pvalue > 1e-6
        assert binomtest(len(one), n, 0.14).pvalue < 1e-3
    both = len(np.intersect1d(first, second))
    assert binomtest(both, n, 0.13**2).pvalue > 1e-6  # what was drawn before says nothing
    assert drawn(5, Decimal(1)).tolist() == [0, 1, 2, 3, 4]
