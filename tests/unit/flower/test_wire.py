"""Messages of a secure sum as bytes, and bytes that are none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.flower_apps import expected_error

import sealane
from sealane.core.ids import Fingerprint, fingerprint
from sealane.flower.secure.wire import read, write
from sealane.secagg.messages import Arrival, Contribution, Entry, Introduced, IntroductionEntry, Member, Release, Start

RUN = "r-aaaaaaaaaaaaaaaa"
A, B = (fingerprint(bytes([k]) * 32) for k in range(2))
MESSAGES: list[Any] = [
    Start(RUN, 1, (Member(A, b"k" * 32, b"a" * 1216, b"s" * 64), Member(B, b"", b"", b""))),
    Introduced(RUN, 1, (IntroductionEntry(A, (b"h" * 32, b"i" * 32), b"s"), IntroductionEntry(B, (), b"s")), {A: b"x"}),
    Contribution(RUN, 1, 0, b"d", b"s", b"payload", 18, True, {A: b"1", B: b"2"}),
    Contribution(RUN, 1, 0, b"d", b"s", b"", 0, False),
    Arrival(RUN, 1, 0, (Entry(A, b"p", b"d", b"s"),), {B: b"q"}, b"total", {}),
    Release(RUN, 1, 7, {}),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_read_as_it_was_written(message: Any) -> None:
    assert read(write(message), type(message)) == message


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_is_cut_or_longer_is_none(message: Any) -> None:
    data = write(message)
    for spoilt in [*(data[:k] for k in range(len(data))), data + b"\0"]:
        with expected_error("flower.step-malformed"):
            read(spoilt, type(message))


@pytest.mark.parametrize("spoilt", [
    None, "text", 5, write(Release("run", 1, 0, {})), write(Release(RUN, -1, 0, {})),
    write(Release(RUN, 1, 0, {Fingerprint("short"): b"x"})),
    write(Release(RUN, 1, 0, {A: b"x"})).replace((1).to_bytes(8, "big") + (52).to_bytes(8, "big"),
                                                 (1 << 40).to_bytes(8, "big") + (52).to_bytes(8, "big")),
    write(Release(RUN, 1, 0, {A: b"x", B: b"y"})).replace(B.encode(), A.encode()),
])
def test_bytes_of_another_kind_are_none(spoilt: object) -> None:
    with expected_error("flower.step-malformed"):
        read(spoilt, Release)


def test_it_loads_where_grpc_is_loaded_already() -> None:
    """As in every process of Flower's; ``sealane.rpc`` refuses that, for the sake of its own connections."""
    code = "import grpc, sealane.flower.secure.node_half, sealane.flower.secure.grid, sealane.flower.secure.mod"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path(sealane.__file__).parents[1])})
