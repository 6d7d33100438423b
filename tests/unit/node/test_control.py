from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Never

import pytest
from made_identity import make_identity

from sealane.core.exclusive import exclusive
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.node import control, control_server
from sealane.node.commands import COMMANDS, execute
from sealane.node.control import MAX_REQUEST_BYTES, SOCKET, call
from sealane.node.control_server import listening
from sealane.node.home import open_home
from sealane.node.place import Place

PEER = "a" * 51 + "q"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_identity(tmp_path / "north")
    return tmp_path / "north"


@contextmanager
def served(home: Path) -> Iterator[Place]:
    """Serve the control socket of a home from a thread with its own loop."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    opened = open_home(home)
    place = Place(opened)

    async def main() -> None:
        async with listening(place):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    with exclusive(home):
        thread.start()
        assert ready.wait(5)
        try:
            yield place
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(5)
            assert not thread.is_alive()
            loop.close()
            opened.register.close()


def code_of(branch: type[SealaneError], home: Path, command: str, arguments: dict[str, Any] | None = None) -> str:
    with pytest.raises(branch) as caught:
        call(home, command, arguments)
    return caught.value.code


def raw(home: Path, line: bytes) -> dict[str, Any]:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(5)
        client.connect(str(home / SOCKET))
        client.sendall(line)
        found: dict[str, Any] = json.loads(client.makefile("rb").readline())
        return found


def test_the_serving_process_runs_the_command(home: Path) -> None:
    with served(home) as place:
        assert call(home, "trust", {"name": "south", "fingerprint": PEER})["trust"] == "verified"
        assert place.register.verified() == {"south": PEER}
        assert stat.S_IMODE((home / SOCKET).stat().st_mode) == 0o600
    assert not (home / SOCKET).exists()


def test_without_one_the_command_runs_here(home: Path) -> None:
    call(home, "trust", {"name": "south", "fingerprint": PEER})
    assert [peer["name"] for peer in call(home, "peers")] == ["south"]
    (home / SOCKET).touch()  # what a killed process leaves does not answer
    (home / SOCKET).unlink()
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(home / SOCKET))
    assert call(home, "status")["peers"] == 1


def test_errors_cross_the_socket_whole(home: Path) -> None:
    with served(home), pytest.raises(InputError) as caught:
        call(home, "dataset.withdraw", {"name": "lones"})
    assert (caught.value.code, caught.value.got) == ("dataset.unknown", "'lones'")
    assert caught.value.hint == "`sealane dataset add NAME --from SOURCE`"


def test_a_held_home_without_a_socket_is_silent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STARTING_SECONDS", 0.2)
    with exclusive(home):
        assert code_of(UnavailableError, home, "status") == "control.silent"


def test_a_path_too_long_for_a_socket_is_reached_by_its_directory(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / ("d" * 100) / "north"
    make_identity(home)
    with served(home):
        assert call(home, "status")["name"] == "north"
        monkeypatch.setattr(os.path, "isdir", lambda path: False)
        assert code_of(InputError, home, "status") == "control.path-too-long"


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b"nonsense\n", b'{"command": 1, "arguments": {}}\n',
                                  b'{"command": "status", "arguments": {}, "more": 1}\n', b"[" * 5000 + b"\n"])
def test_a_malformed_request(home: Path, line: bytes) -> None:
    with served(home):
        assert raw(home, line)["error"]["code"] == "control.malformed"
        assert "result" in raw(home, b'{"command": "status", "arguments": {}}\n')


def test_a_request_too_large(home: Path) -> None:
    with served(home):
        assert raw(home, b"x" * (MAX_REQUEST_BYTES + 10))["error"]["code"] == "control.too-large"
        assert code_of(InputError, home, "trust", {"name": "x" * MAX_REQUEST_BYTES}) == "control.too-large"


def test_another_user_gets_no_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(home):
        monkeypatch.setattr(control_server, "_is_owner", lambda peer: False)
        assert code_of(UnavailableError, home, "status") == "control.closed"


def test_who_the_other_end_is(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with closing(one), closing(other):
        assert control_server._is_owner(one)
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert control_server._is_owner(one) is (os.stat("/proc/self").st_uid == 0)


def test_a_socket_that_is_closed_to_us(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> Never:
        raise PermissionError(13, "Permission denied")

    with served(home):
        monkeypatch.setattr(control, "reachable", closed)  # root, as whom tests may run, opens every socket
        assert code_of(UnavailableError, home, "status") == "control.refused"


async def test_a_file_in_the_way_is_said(home: Path) -> None:
    (home / SOCKET).mkdir()
    opened = open_home(home)
    with pytest.raises(UnavailableError) as caught:
        await listening(Place(opened)).__aenter__()
    assert caught.value.code == "control.not-made"
    opened.register.close()


@pytest.mark.parametrize(("answer", "branch", "code"), [
    (b"", UnavailableError, "control.closed"), (b"half", UnavailableError, "control.closed"),
    (b"{}\n", ProtocolError, "control.reply-malformed"), (b"[]\n", ProtocolError, "control.reply-malformed"),
])
def test_an_answer_that_is_none(home: Path, answer: bytes, branch: type[SealaneError], code: str) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(home / SOCKET))
        listener.listen()

        def reply() -> None:
            peer, _ = listener.accept()
            with closing(peer):
                peer.recv(1000)
                peer.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        assert code_of(branch, home, "status") == code
        thread.join(5)


def test_unexpected_errors_show_their_type_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(place: Place) -> None:
        raise KeyError("a value from a row")

    monkeypatch.setitem(COMMANDS, "status", broken)
    with served(home):
        error = raw(home, b'{"command": "status", "arguments": {}}\n')["error"]
    assert (error["code"], error["got"]) == ("internal.error", "KeyError")


def test_commands_take_their_arguments_only(home: Path) -> None:
    opened = open_home(home)
    place = Place(opened)
    assert_code("control.unknown-command", place, "study.aprove")
    assert_code("control.arguments", place, "trust", name="south")
    assert_code("control.arguments", place, "trust", name="south", fingerprint=7)
    assert_code("control.arguments", place, "status", more=1)
    assert_code("trust.own-name", place, "trust", name="north", fingerprint=PEER)
    assert_code("trust.unknown", place, "distrust", name="south")
    opened.register.close()


def assert_code(code: str, place: Place, command: str, **arguments: object) -> None:
    with pytest.raises(InputError) as caught:
        execute(place, command, arguments)
    assert caught.value.code == code


def test_a_home_of_another_role_is_refused(tmp_path: Path) -> None:
    make_identity(tmp_path / "alice", "alice", "analyst")
    assert code_of(InputError, tmp_path / "alice", "status") == "home.not-a-node"
    assert code_of(InputError, tmp_path / "nobody", "status") == "identity.missing"
    assert not (tmp_path / "nobody").exists()


def test_two_processes_never_hold_one_home(home: Path) -> None:
    with exclusive(home), pytest.raises(RefusedError) as caught, exclusive(home):
        pass
    assert caught.value.code == "home.in-use"
