"""Make an evidence pack from what the coordinator proves of a run. Everything is verified before it is written."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from sealane._version import __version__
from sealane.api.audit.v1 import audit_pb2 as pb
from sealane.audit.checkpoint import log_key, witness_key
from sealane.audit.policy import Policy
from sealane.client.pack.page import render_pack
from sealane.client.pack.verify import MANIFEST, MANIFEST_KIND, PAGE, verify_pack
from sealane.core.canonical import canonical_bytes
from sealane.core.ids import fingerprint
from sealane.crypto.signing import SigningKey
from sealane.governance.agreement import verify_agreement
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Study, parse_study


def build_pack(proved: pb.ProveRunResponse, log: bytes, key: SigningKey, seen: bytes | None = None) -> dict[str, bytes]:
    """Return a pack's files by name.

    Args:
        proved: the coordinator's answer.
        log: the coordinator's public key, as this party's enrolment pinned it.
        key: of the party that exports; it signs the manifest.
        seen: a checkpoint file that the party holds; the pack shows that the log continues it.

    Raises:
        SealaneError: what the coordinator sent does not verify.
    """
    study = parse_study(proved.study)
    policy = make_policy(study, log, [s.public_key for s in proved.statements])
    files = {
        "study.json": proved.study,
        "statements.json": _json([{"kind": s.kind, "body": s.body.decode("utf-8"),
                                   "public_key": s.public_key.hex(), "signature": s.signature.hex()}
                                  for s in proved.statements]),
        "cohort.json": _json({"run": proved.run_id, "attempt": proved.attempt, "members": [
            {"fingerprint": m.fingerprint, "agreement_key": m.agreement_key.hex(), "signature": m.signature.hex()}
            for m in proved.members]}),
        "endorsements.json": _json([{"public_key": e.public_key.hex(), "attempt": e.attempt,
                                     "result_hash": e.result_hash.hex(), "transcript": e.transcript.hex(),
                                     "signature": e.signature.hex()} for e in proved.endorsements]),
        "leaves.json": _json([{"position": leaf.position, "entry": leaf.entry.decode("utf-8"),
                               "proof": [_b64(one) for one in leaf.proof]} for leaf in proved.leaves]),
        "checkpoint.txt": proved.checkpoint,
        "newest.txt": proved.newest,
        "consistency.json": _json({"to_newest": [_b64(one) for one in proved.newest_proof],
                                   "from_seen": [_b64(one) for one in proved.seen_proof]}),
        "software.json": _json({"coordinator": proved.version, "exported_with": __version__,
                                "computation": study.computation,
                                "agreed_code_sha256": _code(proved, study)}),
        "policy.json": policy.to_bytes(),
    }
    if seen is not None:
        files["seen.txt"] = seen
    files[PAGE] = render_pack(files).encode()
    body = canonical_bytes({name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())})
    files[MANIFEST] = _json({"files": json.loads(body), "public_key": key.public_key.hex(),
                             "signature": key.sign(MANIFEST_KIND, body).hex()})
    verify_pack(files, policy)
    return files


def write_pack(files: dict[str, bytes], folder: Path) -> list[Path]:
    """Write a pack's files into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in sorted(files)]


def make_policy(study: Study, log: bytes, keys: list[bytes]) -> Policy:
    """Return a study's policy; keys count where the study names their fingerprints."""
    named = {p.fingerprint for p in study.participants}
    witnesses = {fingerprint(k): witness_key(k) for k in keys if fingerprint(k) in named}
    return Policy(log_key(log), witnesses, study.colluding)


def _code(proved: pb.ProveRunResponse, study: Study) -> list[str]:
    """Return the code hashes that the agreements name: one where all agree, as they must for a run."""
    signed = (SignedAgreement(s.body, s.public_key, s.signature) for s in proved.statements
              if s.kind == SignedAgreement.kind)
    return sorted({verify_agreement(one, study).terms.code for one in signed})


def _json(value: Any) -> bytes:
    return canonical_bytes(value) + b"\n"


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
