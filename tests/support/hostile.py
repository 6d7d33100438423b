"""A computation that tries what it must not; ``hostile_installed`` installs it in a fork server that was told to."""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sealane.computations.base import Parameters, count, real
from sealane.errors import InputError, RefusedError

CANARY = "canary-oystercatcher"


class HostileParameters(Parameters):
    """What to try, and on what."""

    act: str
    target: str = ""
    size: int = 0


def _connect(kind: int, family: int = socket.AF_INET) -> Callable[[HostileParameters], Any]:
    def act(params: HostileParameters) -> Any:
        host, _, port = params.target.rpartition(":")
        with socket.socket(family, kind) as made:
            made.connect(params.target if family == socket.AF_UNIX else (host, int(port)))
            made.send(b"hello")
    return act


def _read(params: HostileParameters) -> Any:
    with open(params.target, "rb") as file:
        return {"read": len(file.read())}


def _write(params: HostileParameters) -> Any:
    with open(params.target, "w") as file:
        file.write("x")


def _bomb(params: HostileParameters) -> Any:
    while True:
        os.fork()


def _raw_fork(params: HostileParameters) -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    for number, arguments in ((57, ()), (58, ()), (56, (17, 0, 0, 0, 0)), (435, (0, 0))):
        if libc.syscall(number, *arguments) >= 0:
            return {"escaped": number}
    raise PermissionError


def _kill_server(params: HostileParameters) -> Any:
    os.kill(params.size or 1, signal.SIGKILL)


def _raise_limit(params: HostileParameters) -> Any:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _spin(params: HostileParameters) -> Any:
    while True:
        pass


def _burn(params: HostileParameters) -> Any:
    """Use so many milliseconds of processor time."""
    while time.process_time() < params.size / 1000:
        pass
    return {}


def _burn_and_refuse(params: HostileParameters) -> Any:
    _burn(params)
    raise RefusedError("model.too-few-rows", "the computation refuses, at the end of its work")


def _ignore_and_spin(params: HostileParameters) -> Any:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    _spin(params)


def _memory(params: HostileParameters) -> Any:
    return {"sum": float(np.ones(params.size // 8).sum())}


def _raw_bytes(params: HostileParameters) -> Any:
    os.write(3, bytes.fromhex(params.target))
    time.sleep(30)


def _leak(params: HostileParameters) -> Any:
    raise ValueError(CANARY)


def _print(params: HostileParameters) -> Any:
    print(CANARY, flush=True)
    os.write(2, CANARY.encode())
    return {"fine": True}


def _compiled(params: HostileParameters) -> Any:
    """What ordinary libraries do: threads of BLAS and OpenMP, compiling to machine code, importing late."""
    from numba import njit, prange

    @njit(parallel=True)
    def added(values: Any) -> float:
        total = 0.0
        for k in prange(len(values)):
            total += values[k]
        return total

    late = [name for name in ("scipy.optimize", "statsmodels.api", "sklearn.linear_model", "lightgbm", "torch")
            if importlib.util.find_spec(name.partition(".")[0]) and importlib.import_module(name)]
    a = np.diag(np.arange(1.0, 301.0))
    return {"numba": added(np.ones(1000)), "blas": float(np.linalg.solve(a, a).trace()), "late": late}


ACTS: dict[str, Callable[[HostileParameters], Any]] = {
    "tcp": _connect(socket.SOCK_STREAM), "udp": _connect(socket.SOCK_DGRAM),
    "unix": _connect(socket.SOCK_STREAM, socket.AF_UNIX),
    "read": _read, "write": _write, "list": lambda p: {"names": os.listdir(p.target)},
    "remove": lambda p: os.unlink(p.target), "chmod": lambda p: os.chmod(p.target, 0o777),
    "truncate": lambda p: os.truncate(p.target, 0), "link": lambda p: os.link(p.target, p.target + "2"),
    "exec": lambda p: os.execv(p.target, [p.target]), "run": lambda p: subprocess.run([p.target], check=True),
    "bomb": _bomb, "burn": _burn, "burn-and-refuse": _burn_and_refuse,
    "compiled": _compiled, "raw-fork": _raw_fork, "kill": _kill_server, "raise-limit": _raise_limit,
    "memory": _memory, "spin": _spin, "ignore-and-spin": _ignore_and_spin, "sleep": lambda p: time.sleep(60),
    "die": lambda p: os.kill(os.getpid(), signal.SIGKILL), "abort": lambda p: os.abort(), "exit": lambda p: os._exit(5),
    "segfault": lambda p: ctypes.string_at(0), "large": lambda p: {"x": "y" * p.size},
    "no-json": lambda p: {"x": float("nan")}, "no-dict": lambda p: [1], "raw": _raw_bytes, "leak": _leak,
    "print": _print,
    "typed": lambda p: (_ for _ in ()).throw(InputError("model.separation", "the outcome is separated")),
}


class Hostile:
    """Does one act, and then what an ordinary computation does."""

    name = "test.hostile"
    parameters = HostileParameters

    def columns(self, params: HostileParameters) -> list[str]:
        return ["x"]

    async def run(self, data: Any, cohort: Any, params: HostileParameters) -> Any:
        if params.act == "undeclared":
            return {"rows": len(data.frame(["other"]))}
        if params.act == "threads":
            done: list[int] = []
            made = [threading.Thread(target=done.append, args=(k,)) for k in range(4)]
            for thread in made:
                thread.start()
            for thread in made:
                thread.join()
            return {"threads": len(done), "in a thread": await asyncio.to_thread(lambda: 7)}
        if params.act == "wait":
            for _ in range(params.size):
                await cohort.sum({"n": count([1], 10)})
        if params.act in ACTS:
            return ACTS[params.act](params)
        x = data.frame(["x"])["x"].to_numpy()
        total = await cohort.sum({"n": count([len(x)], 1000), "x": real([x.sum(), (x**2).sum()], 1e6)})
        mean = await cohort.agree(total["x"][:1] / total["n"])
        return {"rows": int(total["n"][0]), "mean": float(mean[0]), "size": cohort.size, "honest": cohort.honest,
                "circle": [cohort.smallest, cohort.exposed, list(cohort.names), cohort.place],
                "minimum": cohort.minimum_count, "run": cohort.run}

    def present(self, payload: Any) -> Any:
        return payload
