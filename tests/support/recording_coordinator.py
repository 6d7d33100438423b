"""``sealane coordinator serve``, with a line on file for every message of a node that must never differ when repeated.

    python recording_coordinator.py FILE HOME

A coordinator forgets across a restart what nodes sent it; this record does not, so a test sees a node that answers a
round twice with different bytes whenever it does so.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

RECORDED = ("Join", "Contribution", "Release", "Proposal", "Endorsement")


def main() -> None:
    """Serve, and record."""
    import sealane  # noqa: F401 - before grpc
    from sealane.cli.main import main as command
    from sealane.coordinator.hub import Hub
    from sealane.rpc.codec import encode_from_node

    record, home = Path(sys.argv[1]), sys.argv[2]
    receive = Hub.receive

    def recording(self: Any, sender: Any, message: Any, size: int) -> None:
        kind = type(message).__name__
        if kind in RECORDED:
            data = encode_from_node(message).SerializeToString(deterministic=True)
            line = [message.run_id, sender.name, kind, getattr(message, "attempt", 0),
                    getattr(message, "exchange", 0), hashlib.sha256(data).hexdigest()]
            with record.open("a") as file:
                file.write(json.dumps(line) + "\n")
        receive(self, sender, message, size)

    Hub.receive = recording  # type: ignore[method-assign]
    sys.argv = ["sealane", "coordinator", "serve", "--home", home]
    command()


def different_answers(record: Path) -> list[tuple[object, ...]]:
    """Return which messages came with more than one content."""
    seen: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for line in record.read_text().splitlines():
        *which, digest = json.loads(line)
        seen[tuple(which)].add(digest)
    return [which for which, contents in seen.items() if len(contents) > 1]


def repeated(record: Path) -> int:
    """Return how many messages came more than once."""
    lines = record.read_text().splitlines()
    return len(lines) - len(set(lines))


if __name__ == "__main__":
    main()
