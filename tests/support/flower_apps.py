"""Small Flower apps, written to disk: a server half that asks its nodes a few times, and a client half of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sealane.errors import SealaneError

EXAMPLE = Path(__file__).parents[2] / "examples/flower"

PROJECT = """
[project]
name = "{name}"
version = "1.0.0"
[tool.flwr.app]
publisher = "tests"
[tool.flwr.app.components]
serverapp = "{name}.server_app:app"
clientapp = "{name}.client_app:app"
[tool.flwr.app.config]
rounds = 3
note = "none"
[tool.flwr.app.config.deep]
rate = 0.5
"""

SERVER = """
from flwr.app import ConfigRecord, RecordDict
from flwr.serverapp import ServerApp
app = ServerApp()
@app.main()
def main(grid, context):
    for number in range(context.run_config["rounds"]):
        content = RecordDict({"asked": ConfigRecord({"round": number})})
        batch = [grid.create_message(content, "query", node, str(number)) for node in grid.get_node_ids()]
        for reply in grid.send_and_receive(batch):
            print(number, reply.metadata.src_node_id, reply.error if reply.has_error() else dict(reply.content["got"]))
"""

CLIENT = """
import os, signal, time
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp
app = ClientApp()
@app.query()
def query(message, context):
    place, number = context.node_config["partition-id"], message.content["asked"]["round"]
    {body}
    return Message(RecordDict({{"got": ConfigRecord({{"place": place, "of": context.node_config["num-partitions"]}})}}),
                   reply_to=message)
"""


def write_app(root: Path, name: str, body: str = "pass", *, server: str = SERVER) -> Path:
    """Write an app whose client half runs ``body`` before it answers; it knows ``place`` and ``number``."""
    package = root / name / name
    package.mkdir(parents=True)
    (package.parent / "pyproject.toml").write_text(PROJECT.format(name=name))
    (package / "__init__.py").write_text("")
    (package / "server_app.py").write_text(server)
    (package / "client_app.py").write_text(CLIENT.format(body=body))
    return package.parent


@contextmanager
def expected_error(code: str, got: str = "") -> Iterator[Any]:
    """Expect an error of this very code, which says what was got."""
    with pytest.raises(SealaneError) as caught:
        yield caught
    assert caught.value.code == code
    assert got in (caught.value.got or "")
