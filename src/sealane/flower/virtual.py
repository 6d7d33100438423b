"""Virtual nodes in this process: any number of them share one ClientApp and a few threads.

Each has a context of its own. Every message is written to bytes and read again, as between processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from sealane.computations.flower_app.half import ClientHalf, Seat
from sealane.computations.flower_app.library import Flower
from sealane.flower.processes import name_of


@dataclass(slots=True)
class VirtualNodes:
    """A :class:`~sealane.computations.flower_app.grid.Carrier` over threads; use it in a ``with`` block.

    Attributes:
        flower: the library.
        app: the ClientApp.
        seats: one for each node.
        threads: how many work at a time.
    """

    flower: Flower
    app: Any
    seats: Sequence[Seat]
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    _halves: dict[int, ClientHalf] = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _arrived: Callable[[int, bytes], None] = lambda node, data: None
    _lost: Callable[[int, str], None] = lambda node, why: None

    def __post_init__(self) -> None:
        self._halves = {seat.node: ClientHalf(self.flower, seat, self.app) for seat in self.seats}
        self._pool = ThreadPoolExecutor(self.threads, "virtual-node")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def start(self, arrived: Callable[[int, bytes], None], lost: Callable[[int, str], None]) -> None:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`."""
        self._arrived, self._lost = arrived, lost

    def nodes(self) -> dict[int, str]:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`."""
        return {node: name_of(node) for node in self._halves}

    def send(self, node: int, data: bytes) -> None:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`."""
        self._pool.submit(self._work, node, data)

    def sent(self) -> None:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`: a message went when it was sent."""

    def _work(self, node: int, data: bytes) -> None:
        try:
            self._arrived(node, self._halves[node].answer(data))
        except Exception as error:  # nobody looks at what a thread of the pool raises
            self._lost(node, type(error).__name__)
