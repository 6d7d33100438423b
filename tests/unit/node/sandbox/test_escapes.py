"""What a computation may try in its child: nothing of it works, and the node goes on."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from locked_in import SEEN, LockedIn

from sealane.errors import ProtocolError, RefusedError, SealaneError


async def refused(inside: LockedIn, *args: object, **options: object) -> SealaneError:
    """Return what an act ends with; the next computation must run as if nothing had been."""
    with pytest.raises(SealaneError) as caught:
        await inside.act(*args, **options)  # type: ignore[arg-type]
    assert (await inside.act("compute"))["rows"] == 12
    return caught.value


async def test_an_ordinary_computation_runs(inside: LockedIn) -> None:
    assert await inside.act("compute") == SEEN
    assert await inside.act("threads") == {"threads": 4, "in a thread": 7}


async def test_compiled_libraries_work(inside: LockedIn) -> None:
    done = await inside.act("compiled", memory_bytes=4 << 30, step_seconds=60.0)
    assert (done["numba"], done["blas"]) == (1000.0, 300.0)


@pytest.mark.parametrize("act", ["read", "list", "write", "remove", "chmod", "truncate", "link"])
async def test_another_dataset_and_the_node_s_home(act: str, inside: LockedIn, tmp_path: Path) -> None:
    home = tmp_path / "identity"
    home.mkdir()
    secret = home / "signing.key"
    secret.write_bytes(b"k" * 32)
    before = (secret.stat().st_mode, secret.stat().st_nlink)
    error = await refused(inside, act, home if act == "list" else secret)
    assert (error.code, type(error), error.got) == ("sandbox.denied", RefusedError, "PermissionError")
    assert str(tmp_path) not in str(error)
    assert secret.read_bytes() == b"k" * 32
    assert (secret.stat().st_mode, secret.stat().st_nlink) == before


@pytest.mark.parametrize(("act", "target"), [
    ("read", "/etc/passwd"), ("read", "/proc/1/environ"), ("read", "/proc/self/environ"), ("list", "/"),
    ("list", "/tmp"),
])
async def test_the_host_s_files(act: str, target: str, inside: LockedIn) -> None:
    assert (await refused(inside, act, target)).code == "sandbox.denied"


@pytest.mark.parametrize("folder", [os.path.dirname(os.__file__), "/tmp", "/dev/shm"])
async def test_nothing_is_written_outside_nor_where_it_may_read(folder: str, inside: LockedIn) -> None:
    target = Path(folder) / "sealane-test-written"
    assert (await refused(inside, "write", target)).code == "sandbox.denied"
    assert not target.exists()


@pytest.mark.parametrize("act", ["tcp", "udp", "unix"])
async def test_no_socket_is_opened(act: str, inside: LockedIn, tmp_path: Path) -> None:
    family = socket.AF_UNIX if act == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if act == "udp" else socket.SOCK_STREAM) as server:
        server.settimeout(0.2)
        server.bind(str(tmp_path / "s") if act == "unix" else ("127.0.0.1", 0))
        if act != "udp":
            server.listen()
        target = str(tmp_path / "s") if act == "unix" else ":".join(map(str, server.getsockname()))
        assert (await refused(inside, act, target)).code == "sandbox.denied"
        with pytest.raises(TimeoutError):
            server.recv(1) if act == "udp" else server.accept()


@pytest.mark.parametrize("act", ["exec", "run"])
async def test_no_program_is_executed(act: str, inside: LockedIn) -> None:
    assert (await refused(inside, act, sys.executable)).code == "sandbox.denied"


@pytest.mark.parametrize("act", ["bomb", "raw-fork"])
async def test_no_process_is_made(act: str, inside: LockedIn) -> None:
    assert (await refused(inside, act)).code == "sandbox.denied"


@pytest.mark.parametrize("act", ["kill", "raise-limit"])
async def test_neither_the_fork_server_nor_the_limits_are_touched(act: str, inside: LockedIn) -> None:
    with pytest.raises(SealaneError) as caught:
        await inside.act(act)
    assert caught.value.code in ("sandbox.denied", "computation.failed")
    assert (await inside.act("compute"))["rows"] == 12


async def test_memory(inside: LockedIn) -> None:
    assert await inside.act("memory", size=64 << 20) == {"sum": float(8 << 20)}
    error = await refused(inside, "memory", size=400 << 20)
    assert (error.code, type(error)) == ("sandbox.memory-exceeded", RefusedError)


@pytest.mark.parametrize("act", ["spin", "ignore-and-spin"])
async def test_processor_time(act: str, inside: LockedIn) -> None:
    error = await refused(inside, act, cpu_seconds=1)
    assert (error.code, type(error)) == ("sandbox.cpu-exceeded", RefusedError)


@pytest.mark.parametrize("act", ["sleep", "spin"])
async def test_time_without_progress(act: str, inside: LockedIn) -> None:
    error = await refused(inside, act, step_seconds=0.5)
    assert (error.code, type(error)) == ("sandbox.too-slow", RefusedError)


async def test_a_result_that_is_too_large_or_none(inside: LockedIn) -> None:
    assert len((await inside.act("large", size=60_000))["x"]) == 60_000
    assert (await refused(inside, "large", size=70_000)).code == "sandbox.result-too-large"
    assert (await refused(inside, "large", size=3 << 20)).code == "sandbox.frame-too-large"
    assert (await refused(inside, "no-json")).code == "canonical.not-json"
    assert (await refused(inside, "no-dict")).code == "sandbox.malformed-frame"


@pytest.mark.parametrize(("act", "code", "branch"), [
    ("abort", "sandbox.crashed", ProtocolError), ("segfault", "sandbox.crashed", ProtocolError),
    ("exit", "sandbox.crashed", ProtocolError),
])
async def test_a_child_that_breaks(act: str, code: str, branch: type[SealaneError], inside: LockedIn) -> None:
    error = await refused(inside, act)
    assert (error.code, type(error)) == (code, branch)


async def test_a_column_that_it_did_not_name(inside: LockedIn) -> None:
    assert (await refused(inside, "undeclared")).code == "sandbox.column-not-declared"


async def test_its_typed_errors_are_told(inside: LockedIn) -> None:
    error = await refused(inside, "typed")
    assert (error.code, error.message) == ("model.separation", "the outcome is separated")
