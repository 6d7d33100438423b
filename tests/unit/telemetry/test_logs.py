"""Logs carry events and scalars; a value from a row or a secret has no way in."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError
from sealane.telemetry.logs import LONGEST_TEXT, configure_logging, get_logger, log

CANARY = "canary-4711"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, own = logging.getLogger(), logging.getLogger("sealane")
    before = (root.handlers[:], root.level, own.level)
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    yield stream
    root.handlers[:], level, own_level = before
    root.setLevel(level)
    own.setLevel(own_level)
    logging.captureWarnings(capture=False)


def written(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(lines: io.StringIO) -> None:
    log(get_logger("node.agent"), "node.connected", node="north", attempt=2, seconds=0.5, resumed=True)
    (line,) = written(lines)
    assert line.pop("time")
    assert line == {"level": "info", "logger": "sealane.node.agent", "event": "node.connected", "node": "north",
                    "attempt": 2, "seconds": 0.5, "resumed": True}


def test_a_line_break_in_a_field_does_not_make_a_second_line(lines: io.StringIO) -> None:
    log(get_logger("x"), "node.connected", node='north\n{"event":"forged"}')
    (line,) = written(lines)
    assert line["event"] == "node.connected"


@pytest.mark.parametrize(
    "value", [b"key", Secret(b"key"), np.float64(1.5), np.int64(3), np.zeros(3), [1], {"a": 1}, None, bytearray(b"x")]
)
@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_other_types_are_refused_even_below_the_level(lines: io.StringIO, value: object, level: int) -> None:
    with pytest.raises(TypeError, match="log field 'value'"):
        log(get_logger("x"), "some.event", level=level, value=value)  # type: ignore[arg-type]
    assert not lines.getvalue()


def test_a_field_cannot_take_the_place_of_the_line_s_own(lines: io.StringIO) -> None:
    with pytest.raises(TypeError, match="every line has"):
        log(get_logger("x"), "some.event", logger="other")


def test_of_a_foreign_exception_only_type_and_place_are_written(lines: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        log(get_logger("x"), "dataset.failed", level=logging.ERROR, error=error)
    assert CANARY not in lines.getvalue()
    described = written(lines)[0]["error"]
    assert described["type"] == "ValueError"  # type: ignore[index]
    assert any("test_logs.py" in frame for frame in described["frames"])  # type: ignore[index]


def test_of_an_own_error_the_code_and_the_hint_are_written(lines: io.StringIO) -> None:
    refusal = RefusedError("run.cohort-too-small", "cohort is too small", got=2, hint="wait")
    log(get_logger("x"), "run.refused", error=refusal)
    described = written(lines)[0]["error"]
    assert described == {"type": "RefusedError", "frames": [], "branch": "RefusedError", "code": "run.cohort-too-small",
                         "message": "cohort is too small", "got": "2", "hint": "wait"}


def test_another_library_s_text_is_not_written(lines: io.StringIO) -> None:
    logging.getLogger("elsewhere").warning("row %s", CANARY)
    logging.getLogger("elsewhere").error(f"row {CANARY}")
    logging.getLogger("sealane.bypass").info("row %s", CANARY)
    assert CANARY not in lines.getvalue()
    assert [line["event"] for line in written(lines)] == ["library.message"] * 3
    assert [line["logger"] for line in written(lines)] == ["elsewhere", "elsewhere", "sealane.bypass"]


def test_the_level_holds_and_others_are_heard_from_warning_on(lines: io.StringIO) -> None:
    log(get_logger("x"), "too.quiet", level=logging.DEBUG)
    logging.getLogger("elsewhere").info("chatter")
    assert not lines.getvalue()
    configure_logging("debug", stream=lines)
    log(get_logger("x"), "now.heard", level=logging.DEBUG)
    assert [line["event"] for line in written(lines)] == ["now.heard"]  # once: the earlier handler is gone


def test_an_unknown_level_is_an_input_error() -> None:
    with pytest.raises(InputError) as caught:
        configure_logging("loud")
    assert caught.value.code == "log.unknown-level"


def test_what_json_cannot_say_and_what_is_too_long_is_cut_down(lines: io.StringIO) -> None:
    log(get_logger("x"), "odd.values", ratio=float("nan"), text="x" * 10_000)
    (line,) = written(lines)
    assert line["ratio"] == "nan"
    assert len(str(line["text"])) < LONGEST_TEXT + 40


def test_a_handler_of_another_program_sees_no_text_of_a_foreign_exception(capsys: pytest.CaptureFixture[str]) -> None:
    seen = io.StringIO()
    handler = logging.StreamHandler(seen)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = get_logger("sealane.other-program")
    logger.addHandler(handler)
    try:
        raise ValueError("could not convert 4711-canary to float")
    except ValueError as error:
        log(logger, "computation.failed", level=logging.ERROR, error=error)
    finally:
        logger.removeHandler(handler)
    assert seen.getvalue() == "computation.failed\n"


def test_as_a_library_it_is_silent() -> None:
    script = ("import logging\nfrom sealane.telemetry.logs import get_logger, log\n"
              "log(get_logger('sealane.x'), 'a.b', level=logging.ERROR, error=ValueError('canary'))\n")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
