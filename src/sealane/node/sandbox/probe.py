"""What this host offers, found out by trying, in a process that is thrown away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sealane.node.sandbox import landlock, namespaces, seccomp
from sealane.node.sandbox.offer import Offer
from sealane.node.sandbox.syscalls import no_new_privileges

PROBE_SECONDS = 20.0
ROOT = str(Path(__file__).parents[3])


def environment(extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Return all that a process of the sandbox finds in its environment."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
            if name in os.environ}
    # PyTorch looks for a cache of its compiler, which writes nothing here, in a temporary directory, and finds none.
    return kept | {"PYTHONPATH": os.pathsep.join((ROOT, *extra)), "PYTHONDONTWRITEBYTECODE": "1",
                   "LANG": "C.UTF-8", "HOME": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": "/"}


def probe() -> Offer:
    """Return what the host offers; where the trial itself fails, nothing."""
    try:
        done = subprocess.run([sys.executable, "-P", "-m", __name__], env=environment(), stdin=subprocess.DEVNULL,  # noqa: S603 - our own interpreter and module
                              capture_output=True, timeout=PROBE_SECONDS, check=False, cwd="/")
        found = json.loads(done.stdout)
        return Offer(int(found["landlock"]), bool(found["namespaces"]), bool(found["seccomp"]))
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return Offer()


def _works(attempt: Callable[[], object]) -> bool:
    """Try something in a child, which does not come back from it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            attempt()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _try_landlock() -> None:
    no_new_privileges()
    landlock.restrict(landlock.version(), ["/usr"])
    landlock.restrict_signals(landlock.version())


def _try_namespaces() -> None:
    namespaces.enter()
    first = os.fork()
    if first == 0:
        os._exit(0 if os.getpid() == 1 else 1)
    if os.waitpid(first, 0)[1] != 0:
        raise OSError("no process namespace")


def _try_seccomp() -> None:
    no_new_privileges()
    seccomp.install(os.getpid())
    try:
        os.fork()
    except PermissionError:
        return
    raise OSError("the filter lets processes through")


if __name__ == "__main__":
    abi = landlock.version()
    print(json.dumps({
        "landlock": abi if abi and _works(_try_landlock) else 0,
        "namespaces": _works(_try_namespaces),
        "seccomp": seccomp.supported() and _works(_try_seccomp),
    }))
