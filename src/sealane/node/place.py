"""Where a node's command runs, and how its arguments are checked."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict, validate_call

from sealane.node.agent import Agent
from sealane.node.home import NodeHome
from sealane.node.register import Register


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command runs: at a home, and in the serving process if there is an agent."""

    home: NodeHome
    agent: Agent | None = None

    @property
    def register(self) -> Register:
        """The home's register."""
        return self.home.register

    def speak(self) -> bool:
        """Let the coordinator know what was signed, at once if there is a connection; return whether there is."""
        if self.agent is None or not self.agent.connected:
            return False
        self.agent.speak()
        return True


checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True, strict=True))
"""Decorates a command: its arguments come from outside and must have exactly the types it names."""
