"""What an app releases: its last model, its metrics, and how its exchanges went; bounded, and in numbers only."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sealane.computations.base import Payload
from sealane.computations.flower_app.library import Flower
from sealane.computations.flower_app.parameters import FlowerParameters
from sealane.computations.flower_app.project import Project
from sealane.computations.flower_app.server_half import ServerHalf
from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.errors import InputError, ProtocolError, RefusedError

MOST_PAYLOAD = 64 << 20
MOST_ARRAYS = 10_000
MOST_METRICS = 1000
"""Of one record."""
SHOWN_FAILURES = 20
KINDS = "biuf"
"""Booleans, whole numbers and floats."""
_METRICS = {"train": "train_metrics_clientapp", "evaluate": "evaluate_metrics_clientapp",
            "server": "evaluate_metrics_serverapp"}


def payload_of(flower: Flower, project: Project, params: FlowerParameters, server: ServerHalf, seconds: float
               ) -> Payload:
    """Return the payload of a server half that has ended.

    Its model is that of the last ``Strategy.start``, or of an ArrayRecord that the app put into its ``context.state``.

    Raises:
        RefusedError: the model is larger than the study allows, or holds something else than numbers.
    """
    result = server.started.results[-1] if server.started.results else None
    kept = [record for record in server.context.state.values() if isinstance(record, flower.app.ArrayRecord)]
    record = kept[-1] if kept else None if result is None else result.arrays
    grid = server.grid
    return {
        "app": f"{project.name} {project.version}", "code": params.code, "flower": flower.version,
        "server": params.server, "seconds": round(seconds, 3), "bytes_sent": grid.sent, "bytes_received": grid.received,
        "exchanges": [[str(one.group)[:64], str(one.kind)[:64], one.nodes, one.answered, one.sent, one.received,
                       round(one.seconds, 6)] for one in grid.exchanges],
        "failures": [[one.node, str(one.group)[:64], one.code, one.reason[:200]]
                     for one in grid.failures[:SHOWN_FAILURES]],
        "failed": len(grid.failures), "ended": server.ended,
        "metrics": {} if result is None else {kind: _metrics(getattr(result, name)) for kind, name in _METRICS.items()},
        "arrays": _arrays(record, params.result_bytes),
    }


def write_payload(payload: Payload) -> bytes:
    """Return a payload as the bytes that go to the other nodes."""
    data = canonical_bytes(payload)
    if len(data) > MOST_PAYLOAD:
        raise RefusedError("flower.result-too-large", "the app releases more than a result may hold",
                           got=f"{len(data)} bytes", expected=f"at most {MOST_PAYLOAD}")
    return data


def read_payload(data: bytes, params: FlowerParameters) -> Payload:
    """Read what the node with the server half says was released. No node can check it: they saw no others' messages.

    Raises:
        ProtocolError: it is malformed, or of another app.
    """
    try:
        payload = parse_canonical(data, limit=MOST_PAYLOAD)
    except InputError:
        payload = None
    if not isinstance(payload, dict) or (payload.get("code"), payload.get("server")) != (params.code, params.server):
        raise ProtocolError("flower.result-malformed", "the server half released what is no result of this app",
                            got=f"{len(data)} bytes")
    return payload


def read_arrays(written: Mapping[str, Any]) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return arrays by name.

    Raises:
        ProtocolError: the node with the server half wrote what is no array of numbers.
    """
    out: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    try:
        data, at = base64.b64decode(written["data"], validate=True), 0
        for name, text, shape in zip(written["names"], written["dtypes"], written["shapes"], strict=True):
            dtype, count = np.dtype(str(text)), math.prod(shape)
            if dtype.kind not in KINDS:
                raise ProtocolError("flower.result-malformed", "what was released as an array is none",
                                    got=str(text)[:40])
            if count < 0:
                raise ValueError
            out[name] = np.frombuffer(data, dtype, count, at).reshape(shape)
            at += count * dtype.itemsize
    except (ValueError, TypeError, KeyError, SyntaxError, OverflowError) as error:
        raise ProtocolError("flower.result-malformed", "what was released as arrays is none",
                            got=type(error).__name__) from None
    return out


def _arrays(record: Any, most: int) -> dict[str, Any]:
    names, dtypes, shapes, parts = list[str](), list[str](), list[list[int]](), list[bytes]()
    for name, array in {} if record is None else dict(record).items():
        values = np.ascontiguousarray(array.numpy())
        if values.dtype.kind not in KINDS or len(names) == MOST_ARRAYS:
            raise RefusedError("flower.not-numbers", "an array of the app holds something else than numbers",
                               got=str(values.dtype), expected=f"at most {MOST_ARRAYS} arrays of numbers")
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        names.append(str(name)[:300])
        dtypes.append(little.dtype.str)
        shapes.append(list(array.numpy().shape))
        parts.append(little.tobytes())
    size = sum(map(len, parts))
    if size > most:
        raise RefusedError("flower.result-too-large", "the app's model is larger than the study releases",
                           got=f"{size} bytes", expected=f"at most {most}", hint="parameters.result_bytes of the study")
    return {"names": names, "dtypes": dtypes, "shapes": shapes, "data": base64.b64encode(b"".join(parts)).decode()}


def _metrics(by_round: Mapping[int, Any]) -> dict[str, dict[str, Any]]:
    return {str(number): {str(name)[:100]: _number(value) for name, value in list(record.items())[:MOST_METRICS]}
            for number, record in by_round.items()}


def _number(value: Any) -> Any:
    """Return a metric as JSON holds one; what is not finite is None."""
    if isinstance(value, list):
        return [_number(one) for one in value[:MOST_METRICS]]
    return value if isinstance(value, int) else float(value) if math.isfinite(value) else None
