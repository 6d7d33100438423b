"""A server half that opens several secure sums of a Flower app to subtract them: of other nodes, or on other terms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

flwr = pytest.importorskip("flwr")

from flwr.app import ArrayRecord, Message, RecordDict  # noqa: E402
from flwr.serverapp.strategy import FedAvg  # noqa: E402
from tests.support.flower_apps import expected_error  # noqa: E402
from tests.support.secure_sums import (  # noqa: E402
    CAP,
    CLIP,
    KEYS,
    ROWS,
    SEEDS,
    START,
    changes,
    client_app,
    expected,
    federation,
    tolerance,
)

from sealane.flower import SecureSum  # noqa: E402
from sealane.flower.secure.terms import Terms  # noqa: E402

VICTIM = 3
Configured = Callable[..., Callable[[int], dict[str, Any]]]


class Dropping(SecureSum):
    """Says that the victim never contributed, and keeps what it did."""

    def _contributions(self, turn: Any, attempt: Any, introduced: Any) -> Any:
        ask = self._all

        def less(turn: Any, steps: Any, **how: Any) -> Any:
            said = ask(turn, steps, **how)
            return {f: one for f, one in said.items() if not (f == KEYS[VICTIM].fingerprint and how.get("trains"))}

        self._all = less  # type: ignore[method-assign]
        return super()._contributions(turn, attempt, introduced)


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """Nodes with keys of their own; ``trusting`` the first so many."""
    for place, seed in enumerate(SEEDS):
        (tmp_path / str(place)).write_bytes(seed)

    def configure(trusting: int = 0, **more: Any) -> Callable[[int], dict[str, Any]]:
        named = {"sealane-trusted": ",".join(key.fingerprint for key in KEYS[:trusting])} if trusting else {}
        return lambda place: {"sealane-key": str(tmp_path / str(place)), **named, **more}

    return configure


def opened(secure: SecureSum, places: tuple[int, ...], start: list[np.ndarray] = START) -> np.ndarray:
    """What the sum over these places says of the first array: its changes, each times its weight."""
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
    arrays = strategy.start(secure, ArrayRecord(start), num_rounds=1).arrays.to_numpy_ndarrays()
    weight = sum(min(ROWS[place], secure.terms.cap) for place in places)
    return np.asarray((arrays[0] - start[0]) * weight)


def summing(grid: Any, kind: type[SecureSum] = SecureSum, **terms: Any) -> SecureSum:
    return kind(grid, **{"clip": CLIP, "cap": CAP, "scheme": "rlwe", "bits": 20, **terms})


def batch(nodes: tuple[int, ...]) -> list[Message]:
    return [Message(RecordDict({"arrays": ArrayRecord(START)}), node, "train") for node in nodes]


def near(step: float) -> list[np.ndarray]:
    return [array + np.float32(step) for array in START]


@pytest.mark.parametrize("step", [0.0, 1e-3])
def test_trusted_nodes_open_no_sum_without_one_of_them(configured: Configured, step: float) -> None:
    """Two sums of the same model, or of two that are near, with the victim and without it, in either order."""
    with federation(client_app(), 4, configured(4)) as (grid, _):
        for _ in range(2):
            opened(summing(grid), (0, 1, 2, 3))
            with expected_error("flower.sum-not-opened", "flower.member-missing"):
                opened(summing(grid, Dropping), (0, 1, 2), near(step))


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_trusted_nodes_need_no_memory_to_refuse_a_smaller_cohort(configured: Configured, scheme: str) -> None:
    """Another run, or processes that start again: nothing is left of the contexts that the first sum was seen in."""
    with federation(client_app(), 4, configured(4)) as (grid, _):
        opened(summing(grid, scheme=scheme), (0, 1, 2, 3))
    with (federation(client_app(), 4, configured(4)) as (grid, _),
          expected_error("flower.sum-not-opened", "flower.member-missing")):
        summing(grid, scheme=scheme).send_and_receive(batch((101, 102, 103)))


def test_where_nobody_is_named_a_run_sums_the_same_nodes_only(configured: Configured) -> None:
    sums: dict[type[SecureSum], tuple[int, ...]] = {SecureSum: (0, 1, 2, 3), Dropping: (0, 1, 2)}
    for first, second in ((SecureSum, Dropping), (Dropping, SecureSum)):
        with federation(client_app(), 4, configured()) as (grid, _):
            opened(summing(grid, first), sums[first])
            with expected_error("flower.sum-not-opened", "flower.cohort-changed"):
                opened(summing(grid, second), sums[second], near(1e-3))


def test_two_runs_of_nodes_that_trust_anybody_are_the_victims_update(configured: Configured) -> None:
    """The control, which docs/flower.md says of nodes with nothing set: the attack works where it is not refused."""
    sums = []
    for kind, places in ((SecureSum, (0, 1, 2, 3)), (Dropping, (0, 1, 2))):
        with federation(client_app(), 4, configured()) as (grid, _):
            sums.append(opened(summing(grid, kind), places))
    np.testing.assert_allclose((sums[0] - sums[1]) / ROWS[VICTIM], changes(VICTIM)[0], rtol=0, atol=1e-4)


def test_a_node_that_is_left_out_stays_out(configured: Configured) -> None:
    """A server half that follows the protocol goes on without a node that the first sum lacks, back or not."""
    with federation(client_app(), 4, configured(), silent=(104, "contribute")) as (grid, wire):
        secure = summing(grid)
        opened(secure, (0, 1, 2))
        wire.silent = (0, "")
        got = opened(secure, (0, 1, 2)) / sum(ROWS[:3]) + START[0]
    np.testing.assert_allclose(got, expected((0, 1, 2))[0], rtol=0, atol=tolerance((0, 1, 2), 20) + 1e-6)


def test_a_node_that_is_lost_later_ends_the_run(configured: Configured) -> None:
    with federation(client_app(), 4, configured()) as (grid, wire):
        secure = summing(grid)
        opened(secure, (0, 1, 2, 3))
        wire.silent = (104, "contribute")
        with expected_error("flower.sum-not-opened", "node 104: gone"):
            opened(secure, (0, 1, 2))


OTHER = {"cap": {"cap": 250.0}, "clip": {"clip": 0.1}, "bits": {"bits": 16}, "weight": {"weighted_by": "private"},
         "scheme": {"scheme": "masking"}}


@pytest.mark.parametrize("what", OTHER)
def test_a_run_sums_on_the_same_terms_only(configured: Configured, what: str) -> None:
    with federation(client_app(), 3, configured(3)) as (grid, _):
        opened(summing(grid), (0, 1, 2))
        with expected_error("flower.sum-not-opened", "flower.terms-changed"):
            opened(summing(grid, **OTHER[what]), (0, 1, 2))


def test_two_runs_with_other_caps_are_the_largest_nodes_update_unless_terms_are_named(configured: Configured) -> None:
    """Nodes 0 and 1 weigh the same below both caps; what differs is 150 times node 2's change."""
    wanted = Terms("rlwe", CLIP, 400.0, 20)

    def two_runs(config: Callable[[int], dict[str, Any]]) -> np.ndarray:
        sums = []
        for cap in (400.0, 250.0):
            with federation(client_app(), 3, config) as (grid, _):
                sums.append(opened(summing(grid, cap=cap), (0, 1, 2)))
        return np.asarray((sums[0] - sums[1]) / 150)

    np.testing.assert_allclose(two_runs(configured(3)), changes(2)[0], rtol=0, atol=1e-4)
    with expected_error("flower.sum-not-opened", "flower.terms-changed"):
        two_runs(configured(3, **{"sealane-terms": wanted.hash()}))
