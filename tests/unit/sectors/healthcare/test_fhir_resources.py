"""Resources out of untrusted bytes: whole ones are found whatever lies between them, and memory stays bounded."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sectors.healthcare.fhir import resources
from sealane.sectors.healthcare.fhir.resources import MAXIMUM_RESOURCE, Resource, entries, lines


def patient(name: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": name, **more}


def bundle(*found: Any, **more: Any) -> bytes:
    held = [{"fullUrl": f"urn:uuid:{n}", "resource": one} for n, one in enumerate(found)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", **more, "entry": held}).encode()


def seen(found: Iterator[Resource | str]) -> list[str]:
    return [str(one.content["id"]) if isinstance(one, Resource) else f"!{one}" for one in found]


def in_bits(data: bytes, size: int) -> Callable[[int], bytes]:
    stream = BytesIO(data)
    return lambda _: stream.read(size)


def nested(depth: int) -> str:
    return '{"resourceType":"Patient","id":"deep","x":' + "[" * depth + "]" * depth + "}"


def test_lines_that_are_no_resource_are_counted_and_passed_over() -> None:
    data = "\n".join([
        json.dumps(patient("a")), "{not json", '"text"', "[]", "{}", '{"resourceType": 7}', nested(100),
        nested(100_000), '{"resourceType":"Patient","id":"nan","x":NaN}', "", "  ", json.dumps(patient("b")),
    ]).encode() + b'\n\xff\xfe\n{"resourceType":"Patient","id":"c"}\r\n'
    assert seen(lines(BytesIO(data).read)) == [
        "a", "!not-json", "!no-resource", "!no-resource", "!no-resource", "!no-resource", "!too-deep", "!too-deep",
        "!not-json", "b", "!not-json", "c"]


def test_a_file_cut_in_half_gives_what_is_whole() -> None:
    data = b"\n".join(json.dumps(patient(str(n))).encode() for n in range(100))
    found = seen(lines(BytesIO(data[:len(data) // 2]).read))
    assert found[-1] == "!cut-off"
    assert 45 <= len(found) - 1 <= 55
    assert found[:-1] == [str(n) for n in range(len(found) - 1)]
    whole = bundle(*(patient(str(n)) for n in range(100)))
    found = seen(entries(BytesIO(whole[:len(whole) // 2]).read))
    assert found[-1] == "!cut-off"
    assert found[:-1] == [str(n) for n in range(len(found) - 1)]
    assert 45 <= len(found) - 1 <= 55


@pytest.mark.parametrize("read", [lines, entries])
def test_a_huge_resource_is_left_out_in_bounded_memory(read: Any) -> None:
    huge = json.dumps(patient("huge", text="x" * (3 * MAXIMUM_RESOURCE)))
    data = (f"{huge}\n{json.dumps(patient('b'))}\n".encode() if read is lines
            else b'{"entry":[{"resource":' + huge.encode() + b'},{"resource":{"resourceType":"Patient","id":"b"}}]}')
    del huge
    stream = BytesIO(data)
    tracemalloc.start()
    assert seen(read(stream.read)) == ["!too-large", "b"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MAXIMUM_RESOURCE


def test_entries_are_found_whatever_their_texts_hold() -> None:
    tricky = patient("a", text='"entry": [{"resource"', quote='\\"{[', end="\\\\",
                     entry=[{"resource": patient("inner")}])
    data = bundle(tricky, patient("b"), link=[{"relation": "self", "url": "entry"}], text={"entry": [patient("no")]})
    for size in (1, 2, 3, 7, 64, 1 << 20):
        assert seen(entries(in_bits(data, size))) == ["a", "b"]


def test_entries_without_a_resource_are_counted() -> None:
    data = b'{"entry": [{"fullUrl": "x"}, {"resource": {"id": "x"}}, [1], {"resource": ' + nested(80).encode() + b'}]}'
    assert seen(entries(BytesIO(data).read)) == ["!no-resource", "!no-resource", "!no-resource", "!too-deep"]


@pytest.mark.parametrize("data", [b"", b"   ", b"hello", b'{"entry": [', b'{"res'])
def test_what_has_no_end_is_cut_off(data: bytes) -> None:
    assert seen(entries(BytesIO(data).read)) == ["!cut-off"]


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
                      | st.dictionaries(st.text(), inner, max_size=3), max_leaves=10)


@given(st.lists(VALUES, max_size=4), VALUES, st.integers(1, 40))
def test_any_bundle_is_cut_into_its_entries(contents: list[Any], other: Any, size: int) -> None:
    made = bundle(*(patient(str(n), x=one) for n, one in enumerate(contents)), meta=other)
    found = list(entries(in_bits(made, size)))
    assert [one.content for one in found if isinstance(one, Resource)] == [
        patient(str(n), x=one) for n, one in enumerate(contents)]
    assert Counter(type(one) for one in found) == Counter({Resource: len(contents)}) or not contents


@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_are_survived(data: bytes, size: int) -> None:
    for read in (lines, entries):
        for one in read(in_bits(data, size)):
            assert isinstance(one, Resource | str)


def test_resources_never_print_what_they_hold() -> None:
    assert "CANARY" not in repr(Resource("Patient", {"name": "CANARY"}))
    assert resources.MAXIMUM_DEPTH == 64
