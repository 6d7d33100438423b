"""A result as it was endorsed, as a file: what a recipient hands on, for others to hold against evidence.

The endorsed hash is taken over a salt and the result's canonical bytes, so the file holds both. Whoever has it has the
result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import RUN_ID
from sealane.errors import InputError
from sealane.secagg.result import MAXIMUM_RESULT, SALT_BYTES, result_hash, unsalted

VERSION = "sealane.result/v1"
MAXIMUM_BYTES = MAXIMUM_RESULT + (1 << 12)
_SALT = re.compile(f"[0-9a-f]{{{2 * SALT_BYTES}}}")


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A result that its holder says came of a run; evidence says whether it did.

    Attributes:
        run: id of the run.
        document: salt and canonical bytes, over which the endorsed hash is taken.
        payload: the released values.
    """

    run: str
    document: bytes = field(repr=False)
    payload: dict[str, Any] = field(repr=False)

    @property
    def hash(self) -> str:
        """Return the hash that institutions endorse, hex."""
        return result_hash(self.document).hex()


def write_result(run: str, document: bytes) -> bytes:
    """Return the file of a result: canonical JSON.

    Args:
        run: id of the run.
        document: as the recipient opened it, with its salt.
    """
    return canonical_bytes({"version": VERSION, "run": run, "salt": document[:SALT_BYTES].hex(),
                            "result": parse_canonical(unsalted(document), limit=MAXIMUM_RESULT)}) + b"\n"


def read_result(data: bytes) -> ResultFile:
    """Read such a file; nothing in it is verified yet.

    Raises:
        InputError: it is none.
    """
    value: Any = parse_canonical(data.removesuffix(b"\n"), limit=MAXIMUM_BYTES)
    if (not isinstance(value, dict) or value.keys() != {"version", "run", "salt", "result"}
            or value["version"] != VERSION or not isinstance(value["result"], dict)
            or not isinstance(value["run"], str) or not RUN_ID.fullmatch(value["run"])
            or not isinstance(value["salt"], str) or not _SALT.fullmatch(value["salt"])):
        raise InputError("result.no-file", "the file is no result as it was endorsed",
                         expected="result.json, as `sealane run report` writes it")
    return ResultFile(value["run"], bytes.fromhex(value["salt"]) + canonical_bytes(value["result"]), value["result"])
