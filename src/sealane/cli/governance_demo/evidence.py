"""Evidence for somebody who was not there: exported by the auditor, verified from files, and falsified."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sealane.audit.policy import parse_policy
from sealane.cli.governance_demo.agreeing import NAME
from sealane.cli.governance_demo.step import Step, awaited
from sealane.cli.local_federation import AUDITOR, LocalFederation
from sealane.client.pack.build import build_pack, make_policy, write_pack
from sealane.client.pack.verify import Verified, verify_pack
from sealane.client.session import Session
from sealane.errors import SealaneError
from sealane.governance.study import Study, parse_study

PACK, POLICY = "evidence", "policy.json"
CHANGED = "endorsements.json"


def export(federation: LocalFederation, study: Study, run_id: str, folder: Path) -> Step:
    """Let the auditor write what is known of a run, and whose keys count, into files."""
    with Session(federation.root / AUDITOR) as auditor:
        record = auditor.study(study.hash)
        policy = make_policy(parse_study(record.study), auditor.identity.coordinator_key,
                             [one.public_key for one in record.statements])
        proved = awaited(lambda: prove(auditor, run_id), lambda found: found is not None,
                         "a checkpoint with enough cosignatures")
        files = build_pack(proved, auditor.identity.coordinator_key, auditor.identity.signing_key)
    written = write_pack(files, folder / PACK)
    (folder / POLICY).write_bytes(policy.to_bytes() + b"\n")
    return Step(
        "export", "the auditor", "export evidence of the first run",
        (f"sealane audit policy {study.hash[:12]} --out {POLICY} --home {AUDITOR}",
         f"sealane audit export {run_id} --out {PACK} --home {AUDITOR}"),
        (f"{len(written)} files: the study, who signed what, the cohort, the result's endorsements, log proofs, and "
         "report.html to read",
         f"the policy says whose keys count: {policy.quorum} of {len(policy.witnesses)} institutions must have "
         "cosigned the log"),
        len(policy.witnesses) == len(federation.homes),
        {"files": sorted(path.name for path in written), "quorum": policy.quorum,
         "witnesses": sorted(policy.witnesses)})


def verify(folder: Path, study: Study, run_id: str) -> Step:
    """Verify the evidence from files alone: every process was stopped before."""
    found = check(folder)
    return Step(
        "verify", "anybody", "verify it offline, with all processes stopped",
        (f"sealane audit verify {PACK} --policy {POLICY}",),
        (f"verified: run {found.run} of {NAME}, {found.leaves} leaves of a log of {found.size}, result endorsed by "
         f"{found.endorsed}",),
        (found.run, found.study, found.endorsed) == (run_id, study.hash, len(study.participants)),
        {"run": found.run, "study": found.study, "leaves": found.leaves, "log_size": found.size,
         "endorsed": found.endorsed})


def falsify(folder: Path) -> Step:
    """Change one byte of one file of a copy, and let the verifier find it."""
    copy = folder / "falsified"
    shutil.copytree(folder / PACK, copy / PACK)
    shutil.copy(folder / POLICY, copy / POLICY)
    path = copy / PACK / CHANGED
    data = bytearray(path.read_bytes())
    place = next(k for k in range(len(data) // 2, len(data)) if chr(data[k]).isdigit())
    data[place] = ord("1") if data[place] == ord("0") else ord("0")
    path.write_bytes(data)
    error: dict[str, Any] | None = None
    try:
        check(copy)
    except SealaneError as caught:
        error = caught.to_dict()
    shutil.rmtree(copy)
    return Step(
        "falsify", "a forger", f"change one byte of {CHANGED}, in a copy",
        (f"sealane audit verify falsified/{PACK} --policy {POLICY}",),
        ("it was not noticed" if error is None else f"refused: {error['message']} [{error['code']}]",),
        error is not None and CHANGED in error["message"], {"changed": CHANGED, "byte": place, "error": error})


def check(folder: Path) -> Verified:
    """Return what the pack in a folder shows under the policy beside it; both are read from files.

    Raises:
        SealaneError: it does not verify; the message names the file.
    """
    policy = parse_policy((folder / POLICY).read_bytes())
    return verify_pack({file.name: file.read_bytes() for file in sorted((folder / PACK).iterdir())}, policy)


def prove(auditor: Session, run_id: str) -> Any:
    """Return what the log proves of a run, or None while its newest leaves are not cosigned by enough nodes."""
    try:
        return auditor.prove_run(run_id)
    except SealaneError as error:
        if error.code != "audit.not-cosigned":
            raise
        return None
