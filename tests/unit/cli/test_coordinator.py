from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command_line import refused, run, run_well
from small_disk import small_disk
from small_federation import free_port

from sealane.rpc.invitation import parse_invitation


@pytest.fixture
def home(tmp_path: Path) -> Path:
    run_well("coordinator", "init", "--home", tmp_path / "c", "--listen", f"127.0.0.1:{free_port()}")
    return tmp_path / "c"


def test_a_coordinator_is_made_once(home: Path) -> None:
    refused("coordinator.exists", 3, "coordinator", "init", "--home", home)
    assert (home.stat().st_mode & 0o777) == 0o700


def test_what_others_are_told(tmp_path: Path) -> None:
    error = refused("settings.advertise-missing", 2, "coordinator", "init", "--home", tmp_path / "d", "--listen",
                    "0.0.0.0:7443")
    assert error["expected"] == "--advertise HOST"
    made = run_well("coordinator", "init", "--home", tmp_path / "d", "--listen", "0.0.0.0:7443", "--enrolment",
                    "0.0.0.0:9001", "--advertise", "seal.example.org")
    assert made["listen"] == {"main": "0.0.0.0:7443", "enrolment": "0.0.0.0:9001"}
    assert made["advertise"] == {"main": "seal.example.org:7443", "enrolment": "seal.example.org:9001"}
    refused("address.malformed", 2, "coordinator", "init", "--home", tmp_path / "e", "--listen", "nowhere")
    refused("settings.one-port", 2, "coordinator", "init", "--home", tmp_path / "e", "--listen", "127.0.0.1:7443",
            "--enrolment", "127.0.0.1:7443")
    assert not (tmp_path / "e").exists()


def test_an_invitation_is_alone_on_stdout(home: Path) -> None:
    done = run("coordinator", "invite", "north", "--home", home)
    invitation = parse_invitation(done.out)
    assert (invitation.name, invitation.role) == ("north", "node")
    assert done.out.count("\n") == 1
    assert "24 hours" in done.err
    told = run("coordinator", "invite", "alice", "--role", "analyst", "--home", home, "--json")
    assert parse_invitation(told.document["invitation"]).role == "analyst"
    assert told.err == ""
    done = run("coordinator", "invite", "North Bank", "--home", home, "--json")
    assert (done.code, done.error["code"]) == (2, "name.malformed")


def test_status_works_without_serving(home: Path) -> None:
    found = run_well("coordinator", "status", "--home", home)
    assert (found["serving"], found["parties"], found["studies"], found["runs"]) == (False, [], [], [])
    assert "nobody is enrolled" in run("coordinator", "status", "--home", home).out


@pytest.mark.parametrize("verb", ["remove", "quarantine", "reinstate"])
def test_moving_nobody(home: Path, verb: str) -> None:
    done = run("coordinator", verb, "north", "--home", home, "--json")
    assert (done.code, done.error["code"]) == (2, "registry.unknown")


@pytest.fixture
def taken(home: Path) -> Iterator[str]:
    """The coordinator's main port, held by a program that is not a coordinator and does not answer."""
    address: str = run_well("coordinator", "status", "--home", home)["main"]
    host, _, port = address.rpartition(":")
    with closing(socket.socket()) as other:
        other.bind((host, int(port)))
        yield address


def test_the_doctor_of_a_coordinator_that_does_not_serve(home: Path) -> None:
    done = run("doctor", "--home", home, "--json")
    assert done.code == 0, done
    ports = [check for check in done.document["checks"] if check["name"] == "port"]
    assert [check["status"] for check in ports] == ["warn", "warn"]
    assert done.document["role"] == "coordinator"


def test_the_doctor_finds_a_port_in_use(home: Path, taken: str) -> None:
    done = run("doctor", "--home", home, "--json")
    failed = [check for check in done.document["checks"] if check["status"] == "fail"]
    assert done.code == 1
    assert [check["name"] for check in failed] == ["port"]
    assert taken in failed[0]["message"]
    text = run("doctor", "--home", home)
    assert "fail  port: " in text.out
    assert "hint: " in text.out


def test_the_doctor_finds_open_permissions_and_a_damaged_database(home: Path) -> None:
    (home / "authority" / "ca.key").chmod(0o644)
    data = bytearray((home / "coordinator.sqlite").read_bytes())
    data[100:3000] = b"\xff" * 2900
    (home / "coordinator.sqlite").write_bytes(data)
    done = run("doctor", "--home", home, "--json")
    failed = {check["name"] for check in done.document["checks"] if check["status"] == "fail"}
    assert {"permissions", "database"} <= failed
    assert done.code == 1


def test_a_full_disk_is_called_full_and_not_damaged(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("this user may mount no file system")
        home = disk.path / "c"
        run_well("coordinator", "init", "--home", home, "--listen", f"127.0.0.1:{free_port()}")
        disk.fill(os.getpid())
        refused("storage.full", 75, "coordinator", "status", "--home", home)
        messages = [check["message"] for check in run("doctor", "--home", home, "--json").document["checks"]]
        assert any("disk.full" in message for message in messages)
        assert not any("damaged" in message for message in messages)
