"""One node's half of a Flower app: a message in, a reply out, and the app's state between them."""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sealane.computations.flower_app.library import RAISED, Flower
from sealane.computations.flower_app.project import Value


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a ClientApp sits.

    Attributes:
        app: directory of the app; empty where its code is in memory.
        run: id of the run.
        node: id of the node in messages.
        node_config: what the node tells its app, such as ``partition-id``.
        run_config: configuration of the app.
    """

    app: str
    run: int
    node: int
    node_config: dict[str, Value]
    run_config: dict[str, Value]

    def to_bytes(self) -> bytes:
        """Return it as the first message to the process."""
        return json.dumps(asdict(self)).encode()


class ClientHalf:
    """One node's ClientApp with its context."""

    def __init__(self, flower: Flower, seat: Seat, app: Any) -> None:
        self._flower = flower
        self._app = app
        self._context = flower.app.Context(seat.run, seat.node, seat.node_config, flower.app.RecordDict(),
                                           seat.run_config)

    def answer(self, data: bytes) -> bytes:
        """Return the app's reply; where it raises, an error that says what and where, without the exception's words.

        They may hold rows. The traceback goes to this process's stderr.
        """
        message = self._flower.read(data)
        try:
            reply = self._app(message, self._context)
            if not isinstance(reply, self._flower.app.Message):
                raise TypeError("the ClientApp returned no Message")
            return self._flower.write(reply)
        except Exception as error:  # an app's own code runs here
            traceback.print_exc()
            return self._flower.write(self._flower.refusal(data, RAISED, where(error)))


def where(error: BaseException) -> str:
    """Return the kind of an exception and the innermost line of code that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
