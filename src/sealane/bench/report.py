"""The document of a benchmark: our scheme, its peers on the same vectors, ratios, machine and versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sealane._version import __version__
from sealane.bench.asked import Asked
from sealane.bench.child import STREAMED_ROUND, WHOLE_ROUND, run
from sealane.errors import InputError

Tell = Callable[[str], None]
PACKAGES = ("numpy", "numba", "cryptography", "torch", "triton", "tenseal", "flwr")


def benchmark(asked: Asked, *, peers: Collection[str], tell: Tell) -> dict[str, Any]:
    """Measure a scheme and those peers that are asked for, each in a child process of its own.

    A peer whose package is not installed stands in the document with the error that says so.

    Raises:
        InputError: the scheme itself needs an extra that is not installed.
        UnavailableError: a child process died.
    """
    tell(f"{asked.scheme}: {asked.length:,} values, {asked.cohort} nodes, {asked.bits} bits, medians of {asked.rounds}")
    ours = run(asked.scheme, asked)
    if asked.backend == "auto":
        tell(f"backend: {ours['backend_reason']}")
    document = {"scheme": asked.scheme, "backend": ours.pop("backend"), "length": asked.length,
                "cohort": asked.cohort, "bits": asked.bits, **ours}
    theirs: dict[str, Any] = {}
    for name in peers:
        tell(name)
        try:
            theirs[name] = run(name, asked)
        except InputError as error:
            tell(f"{name}: {error.message}; {error.hint}")
            theirs[name] = {"missing": error.to_dict()}
    ratios = {name: compare(document, peer, by_clock=asked.threads > 1 or document["backend"] != "cpu")
              for name, peer in theirs.items() if "missing" not in peer}
    return document | {"peers": theirs, "ratios": ratios} | surroundings(asked)


def whole_round(asked: Asked, *, tell: Tell) -> dict[str, Any]:
    """Measure a whole sum in one process, through all roles, and of the scheme alone.

    Raises:
        UnavailableError: a child process died.
    """
    tell(f"{asked.scheme}: whole round of {asked.cohort} nodes, {asked.length:,} values each")
    through_roles = run(WHOLE_ROUND, asked)
    tell("the same without signatures, contributions let go as they are added")
    document = {"scheme": asked.scheme, "backend": through_roles.pop("backend"), "length": asked.length,
                "cohort": asked.cohort, "bits": asked.bits}
    return document | through_roles | {"streamed": run(STREAMED_ROUND, asked)} | surroundings(asked)


def compare(ours: dict[str, Any], peer: dict[str, Any], *, by_clock: bool) -> dict[str, float | None]:
    """Return how many times as long, and as large, a peer is; None where it, or we, have nothing to do.

    Processor time is compared where one thread works: neighbours on the machine do not count into it.
    """
    def seconds(one: dict[str, Any], *steps: str) -> float:
        timings = one if by_clock else one["cpu"]
        return float(sum(timings[f"{step}_s"] for step in steps))

    def ratio(theirs: float, own: float) -> float | None:
        return round(theirs / own, 3) if own > 0 else None

    return {
        "encrypt_and_serialise": ratio(seconds(peer, "encrypt", "serialise"), seconds(ours, "encrypt", "serialise")),
        "add": ratio(seconds(peer, "add"), seconds(ours, "add")),
        "open": ratio(seconds(peer, "open"), seconds(ours, "open")),
        "bytes": ratio(peer["bytes_per_value"], ours["bytes_per_value"]),
    }


def surroundings(asked: Asked) -> dict[str, Any]:
    """Return what else a figure depends on."""
    return {
        "rounds": asked.rounds, "threads": asked.threads,
        "machine": {"processor": _processor(), "processors": os.cpu_count(), "python": platform.python_version(),
                    "system": platform.platform()},
        "versions": {"sealane": __version__, **{name: _version(name) for name in PACKAGES}},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
