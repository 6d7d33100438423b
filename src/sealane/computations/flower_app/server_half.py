"""The server half of an app at the node that runs it: in a thread, over a grid whose batches become letters.

The coroutine of the run asks for the next batch and blocks until the app sends one or ends. That is no loss: nothing
else of the run can go on before.
"""

from __future__ import annotations

import queue
import re
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sealane.computations.flower_app.grid import SealaneGrid, make_grid
from sealane.computations.flower_app.half import where
from sealane.computations.flower_app.library import SERVER, Flower, Started, watching
from sealane.computations.flower_app.project import Project, Value
from sealane.errors import ProtocolError, RefusedError, SealaneError, UnavailableError

_TELLABLE = re.compile(r"[A-Za-z_]\w{0,63} at [\w.<>-]{1,100}:\d{1,7}$|[a-z]{1,20}\.[a-z-]{1,60}(?=: |$)")


@dataclass(slots=True)
class Outbox:
    """A :class:`~sealane.computations.flower_app.grid.Carrier` that keeps batches until they are asked for.

    Attributes:
        names: of the nodes, by their ids in messages.
        batches: those that went out; None once the app has ended.
    """

    names: Mapping[int, str]
    batches: queue.SimpleQueue[list[tuple[int, bytes]] | None] = field(default_factory=queue.SimpleQueue)
    _batch: list[tuple[int, bytes]] = field(default_factory=list)

    def start(self, arrived: Callable[[int, bytes], None], lost: Callable[[int, str], None]) -> None:
        """Begin; replies are handed to the grid by whoever asked for the batch."""

    def nodes(self) -> Mapping[int, str]:
        """Return all nodes of the cohort: a run goes on with all of them only."""
        return self.names

    def send(self, node: int, data: bytes) -> None:
        """Keep a message of the batch."""
        self._batch.append((node, data))

    def sent(self) -> None:
        """Put the batch out."""
        batch, self._batch = self._batch, []
        if batch:
            self.batches.put(batch)


class ServerHalf:
    """A ServerApp that runs.

    Args:
        flower: the library.
        project: the app.
        config: its run configuration.
        names: of the nodes, by their ids in messages.
        most: bytes of the longest message.
        tolerate: whether the app sees errors of nodes.
    """

    def __init__(self, flower: Flower, project: Project, config: Mapping[str, Value], names: Mapping[int, str], *,
                 most: int, tolerate: bool) -> None:
        self._outbox = Outbox(names)
        self.grid: SealaneGrid = make_grid(flower, self._outbox, tolerate=tolerate)
        self.grid.most, self.grid.words = most, in_few_words
        self.started = Started()
        self.ended: str | None = None
        self._error: SealaneError | None = None
        self.context = flower.app.Context(self.grid.run.run_id, SERVER, {}, flower.app.RecordDict(), dict(config))
        app = project.load("server")
        threading.Thread(target=self._serve, args=(app,), name="flower-server", daemon=True).start()

    def next(self, seconds: float) -> list[tuple[int, bytes]] | None:
        """Return the next batch that the app sends; None where it has ended.

        Raises:
            ProtocolError: it raised, or a ClientApp did.
            RefusedError: it did neither in this time.
        """
        try:
            batch = self._outbox.batches.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            raise out_of_time() from None
        if batch is None and self._error is not None:
            raise self._error
        return batch

    def arrived(self, node: int, data: bytes) -> None:
        """Hand a node's reply to the app."""
        self.grid.arrived(node, data)

    def stop(self) -> None:
        """Let an app that goes on be told, at its next call of the grid, that the run is over."""
        self.grid.stop(ProtocolError("flower.stopped", "the run of the app is over"))

    def _serve(self, app: Any) -> None:
        try:
            with watching() as self.started:
                app(grid=self.grid, context=self.context)
            self._error = self.grid.error  # the app went on over it
        except UnavailableError as error:  # would pause a run that cannot go on
            self._error = ProtocolError("flower.app-ended", "the server half ended, for a node did not answer it",
                                        got=f"{error.code}: {error.message}"[:200])
        except SealaneError as error:
            self._error = error
        except Exception as error:  # an app's own code ran
            self._raised(error)
        finally:
            self._outbox.batches.put(None)

    def _raised(self, error: Exception) -> None:
        traceback.print_exc()
        if self.grid.error is not None:
            self._error = self.grid.error
        elif self.started.results and not self.started.under_way:
            self.ended = where(error)  # its work was done: mostly it writes a file where none can be written
        else:
            self._error = ProtocolError("flower.server-app-failed", "the ServerApp raised", got=where(error),
                                        hint="run it over `sealane flower run`, which shows its traceback")


def in_few_words(reason: str) -> str:
    """Return of a node's reason what is a code, or a kind of exception with its line: an app's own words may be rows.

    An error ends the run, and passes the coordinator.
    """
    found = _TELLABLE.match(reason)
    return found.group() if found is not None else "an error in the app's own words"


def out_of_time() -> RefusedError:
    """Return the error for an app that takes longer than its study allows."""
    return RefusedError("flower.out-of-time", "the app took longer than the study allows",
                        hint="parameters.seconds of the study")
