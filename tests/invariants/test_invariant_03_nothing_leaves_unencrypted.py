"""3. Nothing derived from rows leaves a node unencrypted; no single party opens one institution's contribution."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from stage import Federation, first_step

from sealane.rpc.codec import encode_from_node
from sealane.secagg.messages import Contribution, Endorsement, Join, Proposal, Release, SealedResult

Federate = Callable[..., Federation]
NAMES = ("north", "south", "west", "east")


def entropy(data: bytes) -> float:
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256) / len(data)
    return float(-(counts[counts > 0] * np.log2(counts[counts > 0])).sum())


def spread(rows: int = 40) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(9)
    return {name: pd.DataFrame({"x": rng.normal(scale=7.0, size=rows)}) for name in NAMES}


def test_invariant_03_what_a_node_sends_holds_no_number_derived_from_rows(federation: Federate) -> None:
    fed = federation(spread())
    result = fed.run()
    numbers = [value for step in result.steps for value in step[1:]]
    for frame in fed.data.values():
        values = frame["x"].to_numpy()
        centre = result.steps[0][3]
        numbers += [*values.tolist(), values.sum(), (values**2).sum(), (values - centre).sum(),
                    ((values - centre) ** 2).sum(), values.mean()]
    needles = {struct.pack("<d", value) for value in numbers} | {repr(float(value)).encode() for value in numbers}
    for shift in (60, 64, 68, 69, 70):  # fixed point, whatever the fraction: its low limb
        needles |= {(int(value * 2**shift) % 2**64).to_bytes(8, "little") for value in numbers}
    needles = {needle for needle in needles if len(needle) >= 8 and needle != bytes(8)}
    sent = [(message, encode_from_node(message).SerializeToString()) for _, message in fed.engine.seen
            if isinstance(message, Join | Contribution | Release | Proposal | Endorsement | SealedResult)]
    assert {type(message) for message, _ in sent} == {Join, Contribution, Release, Proposal, Endorsement, SealedResult}
    assert [type(message).__name__ for message, wire in sent for needle in needles if needle in wire] == []


@pytest.mark.parametrize("kind", [Contribution, Release, Proposal, SealedResult])
def test_invariant_03_what_a_node_sends_looks_like_noise(kind: type, federation: Federate) -> None:
    fed = federation()
    blobs = []
    for _ in range(6):
        fed.run()
        for _, message in fed.engine.seen:
            if isinstance(message, kind):
                blobs += [message.payload] if isinstance(message, Contribution) else [message.value] if isinstance(
                    message, Proposal) else list(message.sealed.values())  # type: ignore[attr-defined]
    data = b"".join(dict.fromkeys(blobs))
    assert len(data) > 800
    # What 800 bytes and more of plain counts, floats or zeros have is far under seven bits each.
    assert entropy(data) > 7.0
    words = [data[k : k + 8] for k in range(0, len(data) - 7, 8)]
    assert len(set(words)) == len(words)


def test_invariant_03_the_same_rows_never_send_the_same_bytes_twice(federation: Federate) -> None:
    fed = federation()
    seen: list[bytes] = []
    for _ in range(3):
        fed.run()
        seen += list({message.payload for _, message in fed.seen(Contribution)})
    assert len(set(seen)) == len(seen) == 3 * 4 * 2
    chunks = [payload[k : k + 8] for payload in seen for k in range(0, 24, 8)]
    assert len(set(chunks)) == len(chunks)


def test_invariant_03_the_coordinator_could_not_have_opened_the_sum_it_relayed(federation: Federate) -> None:
    """It has every payload and every sealed share; their sum is not the rows' sum."""
    fed = federation()
    result = fed.run()
    assert result.steps[0][:3] == first_step(fed.data)
    payloads = [m.payload for _, m in fed.seen(Contribution) if m.exchange == 0]
    entries = len(payloads[0]) // 12
    total = [sum(int.from_bytes(p[8 * k : 8 * k + 8], "little") for p in payloads) % 2**64 for k in range(entries)]
    rows = first_step(fed.data)[0]
    assert total[-1] != rows  # without the self masks, whose seeds it never sees, this is the count of rows
    held = fed.engine.runs
    assert all(str(value).encode() not in sealed for value in result.steps[0] for sealed in held.sealed.values())
