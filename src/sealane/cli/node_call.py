"""Asking the node of a home from the command line: through its socket where it serves, in this process where not."""

from __future__ import annotations

from typing import Any

from sealane.cli.output import note
from sealane.cli.settings import settings_of


def call_node(command: str, **arguments: Any) -> Any:
    """Have the node of this home carry out a command, and return what it says."""
    from sealane.node.control import call

    return call(settings_of().home_of("node"), command, arguments)


def tell_unsent(found: dict[str, Any]) -> None:
    """Tell a person where the coordinator has not heard yet of what a command signed."""
    if not found["sent"] and not settings_of().as_json:
        note("stored; the coordinator hears of it when the node next connects (`sealane node serve`)")
