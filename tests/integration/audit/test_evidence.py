"""Real processes: run, export, verify offline, tamper with each file; a node put back from a snapshot is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import refused, run, run_well
from loans import CONTRACT, write_loans

import sealane
from sealane.cli.local_federation import ANALYST, LocalFederation, local_federation
from sealane.client.pack.verify import MANIFEST_KIND
from sealane.core.canonical import canonical_bytes
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
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
                fed.run("statistics.describe", **TERMS, columns=["annual_inc"], wait_s=0.1)
            study = parse_study(fed.session.studies()[0].study)
            federation.approve(study.hash)
            result = fed.run("statistics.describe", **TERMS, columns=["annual_inc"], wait_s=20.0)
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


def test_a_supervisory_report_from_what_processes_signed(scene: Scene, tmp_path: Path) -> None:
    """The result is the endorsed one, rows and rounds are what a node signed, and the source here is the agreed one."""
    root = scene.federation.root
    run_well("run", "report", scene.run_id, "--out", tmp_path, "--home", root / ANALYST)
    statement, prices = tmp_path / "north.json", tmp_path / "tariff.toml"
    prices.write_text('currency = "EUR"\n')
    run_well("metering", "statement", "--study", scene.study, "--from", "2020-01-01", "--to", "2099-01-01",
             "--tariff", prices, "--output", statement, "--home", root / "north")
    given = [scene.pack, "--policy", scene.policy, "--out", tmp_path / "page.html", "--result"]
    told = run_well("audit", "report", *given, tmp_path / "result.json", "--statement", statement)["report"]
    sections = {one["shows"]: one for one in told["sections"]}
    said = {each["what"]: each["value"] for part in ("method", "released", "performance")
            for each in sections[part]["groups"][0]["statements"]}
    assert said["The source installed here"] == "the same"
    assert said["Run"] == f"{scene.run_id}, completed"
    assert said["The result itself"] == "among the files, and the one that was endorsed"
    rows, = (one["rows"] for one in sections["data"]["tables"] if one["caption"].startswith("Rows"))
    with (root / "north.csv").open() as lines:
        number = sum(1 for _ in lines) - 1
    assert rows == [{"Institution": "north", "Rows": f"at least {number // 10 * 10}"}]
    held = json.loads((tmp_path / "result.json").read_bytes())
    held["result"]["columns"]["annual_inc"]["groups"]["all"]["count"] += 1
    (tmp_path / "forged.json").write_bytes(canonical_bytes(held))
    refused("supervision.not-endorsed", 4, "audit", "report", *given, tmp_path / "forged.json")


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
        fed.run("statistics.describe", **TERMS, columns=["annual_inc"], wait_s=20.0)
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
        fed.run("statistics.describe", **TERMS, columns=["annual_inc"], wait_s=20.0)
        stop()
        for name in ("node.sqlite", "runs.sqlite"):
            for suffix in ("", "-wal", "-shm"):
                (home / (name + suffix)).unlink(missing_ok=True)
        for file in kept.glob("*.sqlite*"):
            shutil.copy2(file, home / file.name)
        federation.start("west")
        with pytest.raises(SealaneError) as caught:
            fed.run("statistics.describe", **TERMS, columns=["annual_inc"], wait_s=20.0)
    assert caught.value.code == "node.rolled-back"
    assert "west" in caught.value.message


def _re_signed(pack: Path, files: dict[str, bytes]) -> None:
    """What somebody can do who rewrites a pack and signs it anew."""
    key = SigningKey(Secret(b"x" * 32))
    body = canonical_bytes({name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())})
    manifest = {"files": json.loads(body), "public_key": key.public_key.hex(),
                "signature": key.sign(MANIFEST_KIND, body).hex()}
    for name, data in files.items():
        (pack / name).write_bytes(data)
    (pack / "manifest.json").write_bytes(canonical_bytes(manifest) + b"\n")


def _edit(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, bytes]], None]:
    def edit(files: dict[str, bytes]) -> None:
        files[name] = canonical_bytes(change(json.loads(files[name]))) + b"\n"
    return edit


REWRITES: dict[str, tuple[str, Callable[[dict[str, bytes]], None]]] = {
    "a member left out": ("audit.cohort-differs", _edit("cohort.json", lambda c: c | {"members": c["members"][1:]})),
    "no endorsement": ("audit.endorsements-differ", _edit("endorsements.json", lambda e: [])),
    "one endorsement fewer": ("audit.endorsements-differ", _edit("endorsements.json", lambda e: e[1:])),
    "an approval left out": ("audit.statements-differ", _edit("statements.json", lambda s: s[1:])),
    "leaves in another order": ("audit.leaves-unsorted", _edit("leaves.json", lambda x: x[::-1])),
    "the first leaf left out": ("audit.leaf-missing", _edit("leaves.json", lambda x: x[1:])),
    "a leaf that is no leaf": ("audit.file-malformed", _edit("leaves.json", lambda x: [{}])),
    "another computation": ("audit.software-differs", _edit("software.json", lambda s: s | {"computation": "glm.fit"})),
    "another policy": ("audit.policy-differs", _edit("policy.json", lambda p: p | {"colluding": 0})),
    "another page": ("audit.page-differs", lambda files: files.update({"report.html": b"all is well"})),
}


@pytest.mark.parametrize("case", REWRITES)
def test_a_pack_rewritten_and_signed_anew_does_not_fit_the_log(case: str, scene: Scene, tmp_path: Path) -> None:
    code, rewrite = REWRITES[case]
    pack = tmp_path / "pack"
    shutil.copytree(scene.pack, pack)
    files = {path.name: path.read_bytes() for path in pack.iterdir() if path.name != "manifest.json"}
    rewrite(files)
    _re_signed(pack, files)
    done = run("audit", "verify", pack, "--policy", scene.policy, "--json")
    assert (done.code, done.error["code"]) == (4, code)


def test_other_refusals_of_verify(scene: Scene, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(scene.pack, pack)
    (pack / "extra.txt").write_text("more")
    done = run("audit", "verify", pack, "--policy", scene.policy, "--json")
    assert done.error["code"] == "audit.other-files"
    (pack / "extra.txt").unlink()
    (pack / "software.json").write_bytes(b"{}\n")
    assert run("audit", "verify", pack, "--policy", scene.policy, "--json").error["code"] == "audit.file-changed"
    large = tmp_path / "large.proof"
    with large.open("wb") as file:
        file.truncate((1 << 26) + 1)
    done = run("audit", "verify", large, "--policy", scene.policy, "--json")
    assert (done.code, done.error["code"]) == (2, "audit.file-too-large")


def test_a_checkpoint_that_the_pack_does_not_start_from(scene: Scene, tmp_path: Path) -> None:
    """Without ``--seen`` a later pack says nothing of an earlier checkpoint."""
    later = tmp_path / "later"
    with sealane.connect(home=scene.federation.root / ANALYST) as fed:
        second = fed.session.runs()[0].run_id
    run("audit", "export", second, "--out", later, "--home", scene.federation.root / ANALYST)
    done = run("audit", "verify", later, "--policy", scene.policy, "--checkpoint", scene.pack / "newest.txt", "--json")
    assert (done.code, done.error["code"]) == (2, "audit.no-consistency")


def test_what_no_quorum_has_cosigned_cannot_be_exported(scene: Scene) -> None:
    for name in NAMES:
        process = scene.federation.processes[name]
        process.terminate()
        process.wait(20)
    with sealane.connect(home=scene.federation.root / ANALYST) as fed:
        def every_leaf() -> None:
            for position in range(10_000):
                fed.session.prove_leaf(position)

        with pytest.raises(SealaneError) as caught:
            every_leaf()
        assert caught.value.code in ("audit.not-cosigned", "audit.no-such-leaf")
        with pytest.raises(SealaneError) as caught:
            fed.session.prove_run(scene.run_id, 10_000)
        assert caught.value.code == "audit.no-such-size"
