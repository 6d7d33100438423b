"""This machine and this installation: versions, disk, the floor of TLS 1.3."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sealane._tls_floor import require_tls13
from sealane._version import __version__
from sealane.cli.diagnosis.check import Check, fail, ok, warn

PACKAGES = ("grpcio", "protobuf", "cryptography", "numpy", "pandas", "duckdb")
LEAST_BYTES = 100 << 20
SCARCE_BYTES = 1 << 30


def sandbox(path: Path) -> Iterator[Check]:
    """Say how computations would run at a node on this host, and what is missing."""
    from sealane.node.sandbox.offer import decide
    from sealane.node.sandbox.probe import probe
    from sealane.node.settings import read_node_settings

    mode = read_node_settings(path).sandbox.mode
    offer = probe()
    choice = decide(mode, offer)
    if choice.confinement is None:
        yield warn("sandbox", f"computations run in the node's own process: {choice.why}",
                   "studies that demand a sandbox are refused; set mode = \"auto\" in settings.toml")
    elif choice.full:
        yield ok("sandbox", f"computations are locked in with {offer.describe()}")
    else:
        yield warn("sandbox", f"computations are locked in with {offer.describe()} only: {choice.why}",
                   "studies that demand a sandbox are refused; docs/sandbox.md says what the host must allow")


def versions() -> Iterator[Check]:
    """Name the versions in use; a package that is missing is a failure."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    text = f"sealane {__version__}, Python {platform.python_version()}, {', '.join(found)}"
    yield fail("versions", f"{', '.join(missing)} is not installed", "install sealane again") if missing else ok(
        "versions", text)


def disk(home: Path) -> Iterator[Check]:
    """Look at the space on the home's disk: what is not on disk is not answered."""
    free = shutil.disk_usage(home).free
    text = f"{free / (1 << 30):.1f} GiB free at {home}"
    if free < LEAST_BYTES:
        yield fail("disk", text, "free some space: a full disk stops every run, though nothing is lost")
    elif free < SCARCE_BYTES:
        yield warn("disk", text, "free some space")
    else:
        yield ok("disk", text)


def own_tls_floor() -> Iterator[Check]:
    """Look whether this installation itself is held to TLS 1.3."""
    require_tls13()
    yield ok("tls", "connections from here are held to TLS 1.3")
