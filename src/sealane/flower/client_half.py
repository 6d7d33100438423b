"""A process that holds one node's ClientApp: messages in, replies out, one at a time.

Started as ``python -m sealane.flower.client_half FD`` by whoever holds the other end of that socket, and ended by
closing it. The app's state (its ``Context``) lives as long as the process.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from sealane.computations.flower_app.half import ClientHalf, Seat
from sealane.computations.flower_app.library import load
from sealane.computations.flower_app.project import read_project
from sealane.errors import SealaneError
from sealane.flower import frames


def serve(stream: socket.socket) -> None:
    """Answer until the stream ends."""
    first = frames.receive(stream)
    if first is None:
        return
    seat = Seat(**json.loads(first))
    try:
        flower = load()
        flower.identify(seat.run, seat.node)
        half = ClientHalf(flower, seat, read_project(Path(seat.app)).load("client"))
    except SealaneError as error:
        frames.send(stream, json.dumps(error.to_dict()).encode())
        return
    frames.send(stream, b"{}")
    while (data := frames.receive(stream)) is not None:
        frames.send(stream, half.answer(data))


def main() -> None:
    """Serve on the socket whose number is the one argument."""
    with socket.socket(fileno=int(sys.argv[1])) as stream:
        try:
            serve(stream)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)  # whoever asked is gone


if __name__ == "__main__":
    main()
