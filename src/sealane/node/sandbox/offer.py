"""What a host offers to lock a computation in with, and what the node makes of it: pure decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sealane.errors import InputError, RefusedError

Mode = Literal["auto", "require", "off"]
MODES: tuple[Mode, ...] = ("auto", "require", "off")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the kernel lets this process do.

    Attributes:
        landlock: version of Landlock's interface, 0 where there is none.
        namespaces: whether new user, network, process and IPC namespaces can be made.
        seccomp: whether system calls can be refused (only on x86-64 so far).
    """

    landlock: int = 0
    namespaces: bool = False
    seccomp: bool = False

    @property
    def full(self) -> bool:
        """True where files, network, processes and system calls are all fenced off."""
        return self.landlock >= 1 and self.namespaces and self.seccomp

    @property
    def lacking(self) -> list[str]:
        """Return in words what is missing for full strength."""
        return [name for name, there in (("Landlock", self.landlock >= 1), ("user namespaces", self.namespaces),
                                         ("seccomp filters", self.seccomp)) if not there]

    def describe(self) -> str:
        """Return in words what is there."""
        there = [f"Landlock {self.landlock}"] * (self.landlock >= 1)
        there += ["namespaces"] * self.namespaces + ["seccomp"] * self.seccomp
        return ", ".join([*there, "resource limits"])


@dataclass(frozen=True, slots=True)
class Choice:
    """How computations run at this node.

    Attributes:
        confinement: what locks them in; None where they run in the node's own process.
        why: the reason, for people.
    """

    confinement: Offer | None
    why: str

    @property
    def full(self) -> bool:
        """True where a study that demands a sandbox may run here."""
        return self.confinement is not None and self.confinement.full


def decide(mode: str, offer: Offer) -> Choice:
    """Choose how computations run.

    Args:
        mode: ``auto`` takes the strongest that the host offers, ``require`` nothing less than all, ``off`` nothing.
        offer: what the host offers.

    Raises:
        InputError: no such mode.
        RefusedError: full strength is required and the host lacks something for it.
    """
    if mode not in MODES:
        raise InputError("sandbox.unknown-mode", "no such way to run computations", got=repr(mode[:40]),
                         expected=" or ".join(MODES))
    if mode == "off":
        return Choice(None, "switched off by the operator")
    if offer.full:
        return Choice(offer, "the host offers all of it")
    if mode == "require":
        raise RefusedError("sandbox.not-offered", "the sandbox is required, and this host lacks what it needs",
                           got=f"no {', no '.join(offer.lacking)}",
                           expected="Landlock, user namespaces, seccomp filters",
                           hint="docs/sandbox.md says what a container or a service manager must allow")
    return Choice(offer, f"the strongest that this host offers: it lacks {', '.join(offer.lacking)}")
