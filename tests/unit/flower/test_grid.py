"""The grid by itself, with a carrier that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

pytest.importorskip("flwr")

from tests.support.flower_apps import expected_error

from sealane.computations.flower_app.grid import SealaneGrid, make_grid
from sealane.computations.flower_app.library import load

FLOWER = load()
RECORDS = FLOWER.app


class Told:
    """Hands each message to a function, in the thread that sends."""

    def __init__(self, answer: Callable[[Any, int, bytes], None]) -> None:
        self.answer = answer

    def start(self, arrived: Callable[[int, bytes], None], lost: Callable[[int, str], None]) -> None:
        self.arrived, self.lost = arrived, lost

    def nodes(self) -> Mapping[int, str]:
        return {101: "node-1", 102: "node-2"}

    def send(self, node: int, data: bytes) -> None:
        self.answer(self, node, data)

    def sent(self) -> None:
        pass


def echo(data: bytes) -> bytes:
    message = FLOWER.read(data)
    return FLOWER.write(RECORDS.Message(message.content, reply_to=message))


def second_is_lost(told: Told, node: int, data: bytes) -> None:
    if node == 102:
        told.lost(node, "gone")
    else:
        told.arrived(node, echo(data))


def grid_over(answer: Callable[[Any, int, bytes], None], *, tolerate: bool = False) -> SealaneGrid:
    return make_grid(FLOWER, Told(answer), tolerate=tolerate)


def batch(grid: SealaneGrid, *nodes: int) -> list[Any]:
    return [grid.create_message(RECORDS.RecordDict({"a": RECORDS.ArrayRecord([np.arange(3.0) + node])}), "train", node,
                                "7") for node in nodes or (101, 102)]


def test_is_a_grid_of_flowers() -> None:
    grid = grid_over(lambda told, node, data: None)
    assert isinstance(grid, FLOWER.serverapp.Grid)
    assert [node.node_id for node in grid.get_nodes()] == list(grid.get_node_ids()) == [101, 102]
    assert grid.run.run_id == 1


def test_replies_come_back_from_whom_they_were_asked() -> None:
    grid = grid_over(lambda told, node, data: told.arrived(node, echo(data)))
    replies = grid.send_and_receive(batch(grid))
    got = {reply.metadata.src_node_id: reply.content["a"].to_numpy_ndarrays()[0].tolist() for reply in replies}
    assert got == {101: [101.0, 102.0, 103.0], 102: [102.0, 103.0, 104.0]}
    (exchange,) = grid.exchanges
    assert (exchange.group, exchange.kind, exchange.nodes, exchange.answered) == ("7", "train", 2, 2)
    assert exchange.sent == grid.sent > 0


def test_push_and_pull_give_each_reply_once() -> None:
    grid = grid_over(lambda told, node, data: told.arrived(node, echo(data)))
    ids = grid.push_messages(batch(grid))
    assert len(set(ids)) == 2
    assert len(grid.pull_messages(ids)) == 2
    assert grid.pull_messages(ids) == []


def test_a_node_cannot_answer_for_another() -> None:
    grid = grid_over(lambda told, node, data: told.arrived(203 - node, echo(data)))
    assert grid.send_and_receive(batch(grid), timeout=0.05) == []


def test_a_reply_that_comes_too_late_is_for_nobody() -> None:
    kept: list[bytes] = []
    grid = grid_over(lambda told, node, data: kept.append(data))
    assert grid.send_and_receive(batch(grid, 101), timeout=0.01) == []
    grid.arrived(101, echo(kept[0]))
    assert grid._replies == {}


@pytest.mark.parametrize("spoilt", [b"\xff\xff\xff", b"not a message at all"])
def test_bytes_that_are_no_message_are_an_error_of_that_node(spoilt: bytes) -> None:
    grid = grid_over(lambda told, node, data: told.arrived(node, spoilt if node == 102 else echo(data)))
    with expected_error("flower.node-lost", got="node-2"):
        grid.send_and_receive(batch(grid))


def test_a_lost_node_ends_the_run_by_name() -> None:
    grid = grid_over(second_is_lost)
    with expected_error("flower.node-lost", got="node-2: gone"):
        grid.send_and_receive(batch(grid))
    with expected_error("flower.node-lost"):  # also where the app went on over it
        grid.get_node_ids()


def test_a_lost_node_is_an_error_message_where_that_is_tolerated() -> None:
    grid = grid_over(second_is_lost, tolerate=True)
    replies = {reply.metadata.src_node_id: reply for reply in grid.send_and_receive(batch(grid))}
    assert replies[101].has_content()
    assert (replies[102].error.code, replies[102].error.reason) == (5, "gone")
    assert [(one.node, one.code) for one in grid.failures] == [("node-2", 5)]


def test_a_message_to_nobody_is_answered_with_an_error() -> None:
    grid = grid_over(lambda told, node, data: None, tolerate=True)
    (reply,) = grid.send_and_receive(batch(grid, 999))
    assert reply.error.code == 5


def test_a_message_that_is_too_large_is_refused() -> None:
    grid = grid_over(lambda told, node, data: None)
    grid.most = 100
    with expected_error("flower.message-too-large"):
        grid.push_messages(batch(grid))
