from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import refused, run, run_well
from loans import CONTRACT, loans
from made_identity import NOBODY, make_identity
from small_disk import SmallDisk, small_disk

from sealane.rpc import backup as backups

PEER = "a" * 51 + "q"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_identity(tmp_path / "north")
    return tmp_path / "north"


def test_status_without_serving(home: Path) -> None:
    found = run_well("node", "status", "--home", home)
    assert (found["name"], found["role"], found["serving"], found["connected"]) == ("north", "node", False, False)
    assert "not serving" in run("node", "status", "--home", home).out


def test_trust_takes_a_fingerprint_or_forgets(home: Path) -> None:
    spaced = " ".join(PEER[i:i + 4] for i in range(0, 52, 4)).upper()
    assert run_well("node", "trust", "south", spaced, "--home", home)["fingerprint"] == PEER
    assert run("node", "trust", "south", "--home", home, "--json").error["code"] == "cli.usage"
    assert run("node", "trust", "south", PEER, "--forget", "--home", home, "--json").error["code"] == "cli.usage"
    refused("fingerprint.malformed", 2, "node", "trust", "south", "abc", "--home", home)
    assert run_well("node", "trust", "south", "--forget", "--home", home)["trust"] == "unverified"
    assert run("node", "trust", "south", "--forget", "--home", home, "--json").error["code"] == "trust.unknown"
    assert run_well("node", "peers", "--home", home) == []


def test_a_dataset_comes_and_goes(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loans(1, 40).rename(columns={"int_rate": "rate"}).to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    add = ("dataset", "add", "loans", "--from", "rows.csv", "--contract", CONTRACT, "--home", home)
    error = refused_dataset(add)
    assert error == [("int_rate", "missing-column", 40)]
    found = run_well(*add, "--map", "int_rate=rate [%]")
    assert (found["rows"], found["accepted"]) == (40, True)
    listed = run_well("dataset", "list", "--home", home)
    assert [(entry["name"], entry["source"]) for entry in listed] == [("loans", str(tmp_path / "rows.csv"))]
    refused("contract.unknown", 2, "dataset", "add", "x", "--from", "rows.csv", "--contract",
            "finance.credit-aplication/v1", "--home", home)
    assert run("dataset", "add", "x", "--from", "rows.csv", "--contract", CONTRACT, "--map", "int_rate", "--home", home,
               "--json").error["code"] == "dataset.mapping-malformed"
    assert run_well("dataset", "withdraw", "loans", "--home", home)["withdrawn"]["name"] == "loans"
    assert "no dataset" in run("dataset", "list", "--home", home).out


def refused_dataset(add: tuple[object, ...]) -> list[tuple[str, str, int]]:
    done = run(*add, "--json")
    assert (done.code, done.error["code"]) == (3, "dataset.violates-contract")
    return [(one["field"], one["rule"], one["rows"]) for one in done.document["report"]["failures"]]


def test_a_password_in_a_source_is_never_shown(home: Path) -> None:
    done = run("dataset", "add", "loans", "--from", "postgresql://u:hunter2@127.0.0.1:9/d?table=t", "--contract",
               CONTRACT, "--home", home)
    assert done.code != 0
    assert "hunter2" not in done.out + done.err


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "_N", 1 << 4)


def test_backup_and_restore(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_well("node", "trust", "south", PEER, "--home", home)
    done = run("node", "backup", tmp_path / "b", "--home", home, "--json")
    assert (done.code, done.error["code"]) == (2, "passphrase.missing")
    done = run("node", "backup", tmp_path / "b", "--passphrase-file", tmp_path / "none", "--home", home, "--json")
    assert (done.code, done.error["code"]) == (2, "passphrase.unreadable")
    monkeypatch.setenv("SEALANE_PASSPHRASE", "short")
    assert run("node", "backup", tmp_path / "b", "--home", home, "--json").error["code"] == "backup.short-passphrase"
    (tmp_path / "pass").write_text("a passphrase that is long\n")
    assert run_well("node", "backup", tmp_path / "b", "--passphrase-file", tmp_path / "pass", "--home", home)["bytes"]
    restored = run_well("node", "restore", tmp_path / "b", "--passphrase-file", tmp_path / "pass", "--home",
                        tmp_path / "again")
    assert "node.sqlite" in restored["files"]
    assert not any("runs.sqlite" in name for name in restored["files"])
    assert [peer["name"] for peer in run_well("node", "peers", "--home", tmp_path / "again")] == ["south"]
    monkeypatch.setenv("SEALANE_PASSPHRASE", "another one, as long")
    done = run("node", "restore", tmp_path / "b", "--home", tmp_path / "third", "--json")
    assert (done.code, done.error["code"]) == (4, "backup.does-not-open")


def checks(home: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for check in run("doctor", "--home", home, "--json").document["checks"]:
        found.setdefault(check["name"], []).append(check)
    return found


def test_the_doctor_says_what_keeps_a_node_from_working(home: Path, tmp_path: Path) -> None:
    loans(1, 40).to_csv(tmp_path / "rows.csv", index=False)
    run_well("dataset", "add", "loans", "--from", tmp_path / "rows.csv", "--contract", CONTRACT, "--home", home)
    found = checks(home)
    assert (found["port"][0]["status"], found["coordinator"][0]["status"]) == ("fail", "fail")
    assert NOBODY in found["port"][0]["message"]
    assert (found["dataset"][0]["status"], found["serving"][0]["status"]) == ("ok", "warn")
    with (tmp_path / "rows.csv").open("a") as file:
        file.write((tmp_path / "rows.csv").read_text().splitlines()[1] + "\n")
    assert found["certificate"][0]["status"] == "ok"
    found = checks(home)
    assert found["dataset"][0]["status"] == "fail"
    assert "dataset.changed" in found["dataset"][0]["message"]
    (home / "identity" / "signing.key").chmod(0o640)
    done = run("doctor", "--home", home, "--json")
    assert done.document["checks"][0]["name"] == "identity"
    assert "identity.open-permissions" in done.document["checks"][0]["message"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of its own that holds the home of a node, n, whose databases nobody has open."""
    with small_disk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("this user may mount no file system")
        make_identity(disk.path / "n")
        run_well("node", "trust", "south", PEER, "--home", disk.path / "n")
        yield disk


def test_a_full_disk_is_called_full_and_not_damaged(disk: SmallDisk) -> None:
    disk.fill(os.getpid())
    refused("disk.full", 75, "node", "peers", "--home", disk.path / "n")
    [check] = checks(disk.path / "n")["database"]
    assert "disk.full" in check["message"]
    assert "node.sqlite" in check["message"]
    assert "damaged" not in check["message"]
    assert "free some space" in check["hint"]
    disk.free(os.getpid())
    assert [peer["name"] for peer in run_well("node", "peers", "--home", disk.path / "n")] == ["south"]


def test_a_disk_that_is_mounted_read_only_is_not_called_damaged(disk: SmallDisk) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk.path)], check=True)
    [check] = checks(disk.path / "n")["database"]
    assert "database.not-writable" in check["message"]
    assert "read-only" in check["hint"]


@pytest.mark.parametrize(("age", "status"), [(0, "ok"), (70, "warn"), (100, "fail"), (-3, "fail")])
def test_the_doctor_looks_at_the_certificate_s_life(tmp_path: Path, age: int, status: str) -> None:
    make_identity(tmp_path / "n", now=datetime.now(UTC) - timedelta(days=age))
    found = checks(tmp_path / "n")["certificate"][0]
    assert found["status"] == status, found
    assert (found["hint"] is None) == (status == "ok")


def test_the_doctor_of_an_empty_home(tmp_path: Path) -> None:
    done = run("doctor", "--home", tmp_path, "--json")
    assert (done.code, done.document["checks"][0]["status"]) == (1, "fail")
