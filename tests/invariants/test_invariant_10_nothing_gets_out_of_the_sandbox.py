"""10. Raw values never appear in logs, errors or output: also not those that a failing computation's child holds."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Iterator

import pandas as pd
import pytest
from hostile import CANARY
from locked_in import LockedIn, locked_in

from sealane.errors import ProtocolError

NUMBER = 2718.28125
FRAME = pd.DataFrame({"x": [NUMBER, 1.0, 2.0], "other": [1, 2, 3]})


@pytest.fixture(scope="module")
def inside() -> Iterator[LockedIn]:
    with locked_in() as made:
        yield made


async def test_invariant_10_not_through_an_exception_in_the_child(
    inside: LockedIn, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProtocolError) as caught:
        await inside.act("leak", frame=FRAME)
    error = caught.value
    assert (error.code, error.got) == ("computation.failed", "ValueError")
    line = next(json.loads(one) for one in log.getvalue().splitlines() if "computation.failed" in one)
    assert line["type"] == "ValueError"
    assert "hostile.py:" in line["at_lines"]
    shown = json.dumps(error.to_dict()) + "".join(traceback.format_exception(error)) + log.getvalue()
    printed = capfd.readouterr()
    assert CANARY not in shown + printed.out + printed.err
    assert str(NUMBER) not in shown


async def test_invariant_10_not_through_what_it_prints(
    inside: LockedIn, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await inside.act("print", frame=FRAME) == {"fine": True}
    printed = capfd.readouterr()
    assert CANARY not in printed.out + printed.err + log.getvalue()


async def test_invariant_10_not_through_a_message_that_is_none(inside: LockedIn, log: io.StringIO) -> None:
    sent = json.dumps({"kind": CANARY, CANARY: str(NUMBER)}).encode()
    with pytest.raises(ProtocolError) as caught:
        await inside.act("raw", (len(sent).to_bytes(4, "little") + bytes(8) + sent).hex(), frame=FRAME)
    assert CANARY not in str(caught.value) + log.getvalue()
    assert str(NUMBER) not in str(caught.value) + log.getvalue()
