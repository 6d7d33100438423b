"""What the scripts of every scheme are made of: parties by label, terms, and the steps of a sum. Imports no Sealane."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from reference import Party

STUDY = hashlib.sha256(b"sealane vectors").hexdigest()
RUN = "r-vectorvectorvect"
HONEST = ["join", "contribute", "announce", "release", "relay", "open"]


def party(label: str) -> Party:
    return Party(*(hashlib.sha256(f"{label} {what}".encode()).digest() for what in ("signing", "agreement", "mask")))


def parties(number: int) -> tuple[Party, ...]:
    return tuple(sorted((party(f"party {k}") for k in range(number)), key=lambda p: p.fingerprint))


def description(width: int, cohort: int, terms: list[dict[str, Any]]) -> dict[str, Any]:
    described = [{"name": t["name"], "kind": t["kind"], "shape": [len(t["values"][0])], "bound": t["bound"],
                  "bits": t.get("bits", 0), "fraction": t["fraction"],
                  **({"signed": True} if t.get("signed") else {})} for t in terms]
    return {"width": width, "cohort": cohort, "terms": described}


def real_term(name: str, bound: int, fraction: int, values: list[list[float]]) -> dict[str, Any]:
    return {"name": name, "kind": "real", "bound": bound, "fraction": fraction, "values": values}


def count_term(name: str, bound: int, values: list[list[int]]) -> dict[str, Any]:
    signed = min(min(row) for row in values) < 0
    return {"name": name, "kind": "count", "bound": bound, "fraction": 0, "values": values,
            **({"signed": True} if signed else {})}


def update_term(name: str, clip: float, bits: int, values: list[list[float]]) -> dict[str, Any]:
    return {"name": name, "kind": "update", "bound": clip, "bits": bits, "fraction": 0, "values": values}


def spread(vector: Mapping[str, Any]) -> str:
    """JSON with every list on lines of its own."""
    return json.dumps(vector, indent=1, sort_keys=True) + "\n"


def compact(vector: Mapping[str, Any]) -> str:
    """JSON with a line to every row of numbers and to every member."""
    return "{\n" + ",\n".join(f'"{key}": {_compact(vector[key])}' for key in sorted(vector)) + "\n}\n"


def _compact(value: Any) -> str:
    if isinstance(value, dict) and "transcript" in value:
        return compact(value).strip()
    if isinstance(value, list) and value and (isinstance(value[0], dict) or len(str(value[0])) > 32):
        return "[\n " + ",\n ".join(_compact(item) for item in value) + "]"
    return json.dumps(value, sort_keys=True)
