"""What lies in a node's home directory, opened once: identity, register, journal, control socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sealane.core.clock import Clock, system_clock
from sealane.errors import InputError
from sealane.node.acts import ActsLog
from sealane.node.apps import FOLDER, Apps
from sealane.node.datasets import open_approved
from sealane.node.decisions import Decisions
from sealane.node.gate import Gate
from sealane.node.ledger import NodeLedger
from sealane.node.protection import check_approved
from sealane.node.register import Register
from sealane.node.study_table import ROOM, Room
from sealane.node.witness import NodeWitness, WitnessRecords
from sealane.rpc.identity import Identity, load_identity

LEDGER = "ledger.sqlite"
DEFAULT_HOME = Path("~/.sealane/node")


@dataclass(frozen=True, slots=True)
class NodeHome:
    """One node's home.

    Attributes:
        path: the directory.
        register: peers, datasets, studies, statements, cohorts.
        clock: tells the time.
        ledger: privacy spent; its file is opened when it is first used.
        sandboxed: whether computations run in a sandbox here; what the grade of some data asks for.
        streamed: whether files are read for a run without being held.
    """

    path: Path
    register: Register
    clock: Clock
    ledger: NodeLedger
    sandboxed: bool = False
    streamed: bool = False

    def close(self) -> None:
        """Close the databases."""
        self.register.close()
        self.ledger.close()

    @property
    def runs_path(self) -> Path:
        """The journal: run keys live here, outside backups."""
        return self.path / "runs.sqlite"

    @property
    def control_path(self) -> Path:
        """The socket on which the serving node takes commands."""
        return self.path / "control.sock"

    @property
    def apps(self) -> Apps:
        """The Flower apps that are installed here."""
        return Apps(self.path / FOLDER)

    def identity(self) -> Identity:
        """Read the identity anew: a renewed certificate counts from the next connection on."""
        return load_identity(self.path)

    def decisions(self) -> Decisions:
        """Return the steward's side."""
        identity = self.identity()
        return Decisions(self.register, identity.name, identity.signing_key, self.clock, self.ledger, self.path,
                         sandboxed=self.sandboxed)

    def gate(self) -> Gate:
        """Return the policy gate over this home's register and datasets."""
        own = self.identity().fingerprint
        protection = partial(check_approved, self.register, own, sandboxed=self.sandboxed)
        opening = partial(open_approved, self.register, streamed=self.streamed)
        return Gate(own, self.register, opening, protection, self.clock, self.ledger, self.apps.find)

    @contextmanager
    def witness(self) -> Iterator[NodeWitness]:
        """Give this node's side of the audit log, with its parts of the register held open."""
        identity, path = self.identity(), self.path / "node.sqlite"
        with closing(WitnessRecords(path)) as kept, closing(ActsLog(path, identity.fingerprint, self.clock)) as acts:
            yield NodeWitness(identity.signing_key, identity.coordinator_key, kept, acts, self.clock)


def open_home(path: Path, *, clock: Clock = system_clock, room: Room = ROOM) -> NodeHome:
    """Open an enrolled node's home.

    Raises:
        InputError: no node was enrolled there, or a file is malformed.
        RefusedError: a key may be read by others.
    """
    identity = load_identity(path)
    if identity.role != "node":
        raise InputError("home.not-a-node", "this home belongs to another role", got=identity.role, expected="node",
                         hint="name the node's home with --home or SEALANE_HOME")
    return NodeHome(path, Register(path / "node.sqlite", identity.fingerprint, clock, room), clock,
                    NodeLedger(path / LEDGER, clock))
