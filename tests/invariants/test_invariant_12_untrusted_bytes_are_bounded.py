"""12. Untrusted bytes are bounded and validated before use; nothing is unpickled."""

from __future__ import annotations

import ast
import contextlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from circle import RUN, Circle, announce
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Federation, Stage

import sealane
from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.core.secret import Secret
from sealane.errors import SealaneError
from sealane.node.inbox import LARGEST_HELD
from sealane.ring.words import WIDTHS, Width, from_bytes
from sealane.rpc.codec import decode_from_coordinator, decode_from_node
from sealane.secagg.layout import plan
from sealane.secagg.messages import Arrival, Contribution, Opening, Proposal, Release
from sealane.secagg.terms import count
from sealane.simulation.faults import Fault

Build = Callable[..., Stage]
Federate = Callable[..., Federation]


def test_invariant_12_nothing_is_unpickled() -> None:
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    root = Path(sealane.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = ([a.name for a in node.names] if isinstance(node, ast.Import) else
                     [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            found += [(path.name, name) for name in names if name.split(".")[0] in forbidden]
            if isinstance(node, ast.Attribute) and node.attr in {"read_pickle", "allow_pickle"}:
                found.append((path.name, node.attr))
            no = isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and node.value.value is False
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and not no:
                found.append((path.name, "allow_pickle"))
    assert found == []
    with pytest.raises(TypeError):
        pickle.dumps(Secret(b"x"))


@given(st.sampled_from(WIDTHS), st.binary(max_size=200), st.integers(0, 12))
def test_invariant_12_a_vector_has_exactly_its_length(width: Width, data: bytes, length: int) -> None:
    if len(data) == width // 8 * length:
        assert from_bytes(data, width, length).shape[1] == length
        return
    with pytest.raises(SealaneError):
        from_bytes(data, width, length)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_invariant_12_any_bytes_decode_to_a_message_or_a_typed_error(data: bytes) -> None:
    for message, decode in ((pb.ConnectRequest, decode_from_node), (pb.ConnectResponse, decode_from_coordinator)):
        try:
            parsed = message.FromString(data)
        except DecodeError:
            continue  # protobuf's own: the stream answers for it
        with contextlib.suppress(SealaneError):
            decode(parsed)  # type: ignore[operator]


def mangled(message: Any, how: str) -> Any:
    match message, how:
        case Contribution(), "empty":
            return replace(message, payload=b"")
        case Contribution(), "long":
            return replace(message, payload=message.payload * 3)
        case Arrival(), "empty":
            return replace(message, payloads=dict.fromkeys(message.payloads, b""))
        case Arrival(), "long":
            return replace(message, payloads={f: p * 3 for f, p in message.payloads.items()})
        case Release() | Opening(), "empty":
            return replace(message, sealed=dict.fromkeys(message.sealed, b""))
        case Release() | Opening(), "long":
            return replace(message, sealed={f: s * 50 for f, s in message.sealed.items()})
        case Proposal(), "empty":
            return replace(message, value=b"")
        case Proposal(), "long":
            return replace(message, value=message.value * 3)
        case _:
            return message


@pytest.mark.parametrize("how", ["empty", "long"])
@pytest.mark.parametrize("kind", ["Contribution", "Arrival", "Release", "Opening", "Proposal"])
def test_invariant_12_bytes_of_another_length_end_in_a_typed_error(kind: str, how: str, federation: Federate) -> None:
    fed = federation()
    error = fed.fails(Fault("replace", message=kind, lie=lambda message: mangled(message, how)))
    assert error.code in {"run.payload-length", "run.payload-differs", "sealing.invalid", "signature.invalid",
                          "run.contribution-replaced", "words.wrong-length"}


async def test_invariant_12_an_exchange_far_out_does_not_fill_a_node(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.begin()
    run = on.nodes["a"].run
    assert run is not None
    for number in range(LARGEST_HELD + 20):
        run.receive(Arrival(RUN, 0, 10 + number, ()))
    assert run._running is not None
    assert len(run._running.inbox._held) == LARGEST_HELD
    assert on.refusal("a") == "run.too-many-waiting"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64), st.integers(0, 2))
def test_invariant_12_a_node_never_trips_over_a_payload(data: bytes, k: int) -> None:
    circle = Circle(3)
    terms = [{"n": count([j], 10)} for j in range(3)]
    states = circle.contribute(plan(terms[0], 3), terms)
    arrival = announce(states)[circle.names[0]]
    name = circle.names[k]
    code = "released"
    try:
        circle.roles[0].release(states[0], replace(arrival, payloads={**arrival.payloads, name: data}))
    except SealaneError as error:
        code = error.code
    # Its own payload it takes from its own memory.
    assert code == ("released" if k == 0 or data == states[k].message.payload else "run.payload-differs")
