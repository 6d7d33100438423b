"""The published proofs of transparency-dev/merkle, good and malformed, each with its verdict."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sealane.audit.merkle import verify_consistency, verify_inclusion
from sealane.errors import ProtocolError

VECTORS = Path(__file__).parents[4] / "shared" / "conformance" / "merkle"
STRICTER = {"sizes are equal (one) and proof is empty"}
"""Good only for who takes twelve bytes of text as a root: refused as it stands, and good with hashes in their place."""
KINDS = {kind: sorted((VECTORS / kind).rglob("*.json")) for kind in ("inclusion", "consistency")}


def _raw(text: str | None) -> bytes:
    return base64.b64decode(text) if text else b""


def _check(kind: str, vector: dict[str, Any]) -> None:
    proof = [_raw(one) for one in vector["proof"] or []]
    if kind == "inclusion":
        verify_inclusion(_raw(vector["leafHash"]), vector["leafIdx"], vector["treeSize"], proof, _raw(vector["root"]))
    else:
        verify_consistency(vector["size1"], vector["size2"], proof, _raw(vector["root1"]), _raw(vector["root2"]))


@pytest.mark.skipif(not VECTORS.is_dir(), reason="../shared/conformance/merkle is absent")
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_published_proof_gets_its_verdict(kind: str) -> None:
    wrong, seen = [], {True: 0, False: 0}
    for path in KINDS[kind]:
        vector = json.loads(path.read_text())
        if vector["desc"] in STRICTER:
            with pytest.raises(ProtocolError, match=r"wrong length"):
                _check(kind, vector)
            root = base64.b64encode(hashlib.sha256(_raw(vector["root1"])).digest()).decode()
            vector |= {"root1": root, "root2": root}
        refused = False
        with contextlib.suppress(ProtocolError):
            refused = True
            _check(kind, vector)
            refused = False
        seen[refused] += 1
        if refused != vector["wantErr"]:
            wrong.append(f"{path.relative_to(VECTORS)}: {vector['desc']}")
    assert wrong == []
    assert seen[False] >= 5
    assert seen[True] >= 80
