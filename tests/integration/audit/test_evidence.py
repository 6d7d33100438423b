"""Real processes: run, export, verify offline, tamper with each file; a node put back from a snapshot is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import refused, run, run_well
from loans import CONTRACT, write_loans

import sealane
from sealane.cli.local_federation import ANALYST, LocalFederation, local_federation
from sealane.errors import SealaneError
from sealane.governance.study import parse_study

pytestmark = pytest.mark.integration
NAMES = ["north", "south", "west"]
TERMS = {"data_contract": CONTRACT, "purpose": "credit-risk", "tell": lambda line: None}


@dataclass(frozen=True)
class Scene:
    federation: LocalFederation
    study: str
    run_id: str
    pack: Path
    policy: Path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("audit")
    with local_federation(root, write_loans(root, NAMES), CONTRACT) as federation:
        with sealane.connect(home=root / ANALYST) as fed:
            with pytest.raises(SealaneError, match=r"study\.approvals-missing"):
                fed.run("statistics.summary", **TERMS, columns=["annual_inc"], wait_s=0.1)
            study = parse_study(fed.session.studies()[0].study)
            federation.approve(study.hash)
            result = fed.run("statistics.summary", **TERMS, columns=["annual_inc"], wait_s=20.0)
        home, pack, policy = ("--home", root / ANALYST), root / "pack", root / "policy.json"
        run_well("audit", "export", result.trace.run_id, "--out", pack, *home)
        run_well("audit", "policy", study.hash, "--out", policy, *home)
        yield Scene(federation, study.hash, result.trace.run_id, pack, policy)


def test_a_pack_verifies_offline(scene: Scene) -> None:
    found, = run_well("audit", "verify", scene.pack, "--policy", scene.policy)
    assert (found["run"], found["study"], found["endorsed"]) == (scene.run_id, scene.study, 3)
    kinds = [json.loads(leaf["entry"])["kind"] for leaf in json.loads((scene.pack / "leaves.json").read_text())]
    assert kinds.count("study.approved") == 3
    for kind in ("study.proposed", "run.proposed", "run.cohort", "run.endorsed", "run.completed"):
        assert kinds.count(kind) == 1


FILES = ("study.json", "statements.json", "cohort.json", "endorsements.json", "leaves.json", "checkpoint.txt",
         "newest.txt", "consistency.json", "software.json", "policy.json", "report.html", "manifest.json")


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_named(name: str, scene: Scene, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(scene.pack, pack)
    assert sorted(path.name for path in pack.iterdir()) == sorted(FILES)
    data = bytearray((pack / name).read_bytes())
    place = next(k for k in range(len(data) // 2, len(data)) if chr(data[k]).isalnum())
    data[place] = ord("0") if data[place] != ord("0") else ord("1")
    (pack / name).write_bytes(data)
    done = run("audit", "verify", pack, "--policy", scene.policy, "--json")
    assert done.code == 4, done
    assert name in done.error["message"]


def test_a_missing_file_is_named(scene: Scene, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(scene.pack, pack)
    (pack / "cohort.json").unlink()
    done = run("audit", "verify", pack, "--policy", scene.policy, "--json")
    assert (done.code, done.error["code"]) == (2, "audit.file-missing")
    assert "cohort.json" in done.error["message"]


def test_one_leaf_is_proved_and_a_changed_byte_refused(scene: Scene, tmp_path: Path) -> None:
    proof = tmp_path / "leaf.proof"
    run_well("audit", "prove", 2, "--out", proof, "--home", scene.federation.root / ANALYST)
    found, = run_well("audit", "verify", proof, "--policy", scene.policy)
    assert found["leaf"] == 2
    proof.write_bytes(proof.read_bytes().replace(b"index 2", b"index 3"))
    refused("audit.not-included", 4, "audit", "verify", proof, "--policy", scene.policy)


def test_a_fresh_checkpoint_shows_truncation(scene: Scene, tmp_path: Path) -> None:
    home = ("--home", scene.federation.root / ANALYST)
    with sealane.connect(home=scene.federation.root / ANALYST) as fed:
        fed.run("statistics.summary", **TERMS, columns=["annual_inc"], wait_s=20.0)
        second = fed.session.runs()[0].run_id
    later, newest = tmp_path / "later", scene.pack / "newest.txt"
    run_well("audit", "export", second, "--out", later, "--seen", newest, *home)
    assert run_well("audit", "verify", later, "--policy", scene.policy, "--checkpoint", newest)
    refused("audit.truncated", 4, "audit", "verify", scene.pack, "--policy", scene.policy, "--checkpoint",
            later / "newest.txt")


def test_a_restored_snapshot_refuses_to_act(scene: Scene) -> None:
    """A node put back from an old copy finds that the log holds acts that it forgot."""
    federation, root = scene.federation, scene.federation.root
    home = federation.homes["west"]

    def stop() -> None:
        process = federation.processes["west"]
        process.terminate()
        process.wait(20)

    stop()
    kept = root / "west-kept"
    shutil.copytree(home, kept, ignore=shutil.ignore_patterns("*.sock"))
    federation.start("west")
    with sealane.connect(home=root / ANALYST) as fed:
        fed.run("statistics.summary", **TERMS, columns=["annual_inc"], wait_s=20.0)
        stop()
        for name in ("node.sqlite", "runs.sqlite"):
            for suffix in ("", "-wal", "-shm"):
                (home / (name + suffix)).unlink(missing_ok=True)
        for file in kept.glob("*.sqlite*"):
            shutil.copy2(file, home / file.name)
        federation.start("west")
        with pytest.raises(SealaneError) as caught:
            fed.run("statistics.summary", **TERMS, columns=["annual_inc"], wait_s=20.0)
    assert caught.value.code == "node.rolled-back"
    assert "west" in caught.value.message
