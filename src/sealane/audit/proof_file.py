"""One leaf's inclusion proof as a text file.

Source: C2SP tlog-proof (``c2sp.org/tlog-proof@v1``): an optional ``extra`` line, the index, the hashes, a blank line
and the checkpoint. The extra data is the leaf's bytes.
"""

from __future__ import annotations

import base64
import re

from sealane.audit.entry import Entry, parse_entry
from sealane.audit.evidence import Leaf
from sealane.audit.merkle import leaf_hash, verify_inclusion
from sealane.audit.note import parse_note, unbase64
from sealane.audit.policy import Policy
from sealane.errors import ProtocolError

HEAD = "c2sp.org/tlog-proof@v1"
MAXIMUM_BYTES = 1 << 19
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


def write_proof(leaf: Leaf, checkpoint: bytes) -> bytes:
    """Return the file's bytes."""
    lines = [HEAD, f"extra {_base64(leaf.entry)}", f"index {leaf.position}", *map(_base64, leaf.proof), "", ""]
    return "\n".join(lines).encode() + checkpoint


def verify_proof(data: bytes, policy: Policy) -> tuple[Entry, int, int]:
    """Return the entry, its position, and the size of the checkpoint that it is proved under.

    Raises:
        ProtocolError: malformed, or not in a log whose checkpoint counts.
        InputError: the extra data is no entry.
    """
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise _malformed() from None
    index = _INDEX.fullmatch(lines[2]) if len(lines) > 2 else None
    if len(data) > MAXIMUM_BYTES or not blank or index is None or lines[0] != HEAD or not lines[1].startswith("extra "):
        raise _malformed()
    leaf = Leaf(int(index[1]), unbase64(lines[1][6:]), tuple(unbase64(line) for line in lines[3:]))
    head_of_log = policy.check(parse_note(checkpoint))
    verify_inclusion(leaf_hash(leaf.entry), leaf.position, head_of_log.size, leaf.proof, head_of_log.root)
    return parse_entry(leaf.entry), leaf.position, head_of_log.size


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _malformed() -> ProtocolError:
    return ProtocolError("audit.proof-malformed", "the file is no inclusion proof", expected=f"a file of {HEAD}")
