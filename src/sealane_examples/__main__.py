"""``python -m sealane_examples finance prepare OUT_DIR`` and ``... finance evaluate DIR``.

One JSON document on standard output. On a refusal standard output stays empty, the last line on standard error is
``{"error": {...}}`` (see :meth:`sealane.errors.SealaneError.to_dict`), and the exit status says which branch it was.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sealane.errors import InputError, SealaneError

# Read when numpy is first imported, inside a step: for matrices this small more threads only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

QUESTION_LIMIT = 4 << 20
"""Most bytes read from standard input: a model of some thousand coefficients is far smaller."""


def finance_prepare(directory: Path) -> dict[str, Any]:
    """Write the finance example's files."""
    from sealane_examples.finance.prepare import prepare

    return prepare(directory)


def finance_evaluate(directory: Path) -> dict[str, Any]:
    """Answer the question on standard input."""
    from sealane_examples.finance.evaluate import evaluate, parse_question

    text = sys.stdin.buffer.read(QUESTION_LIMIT + 1)
    if len(text) > QUESTION_LIMIT:
        raise InputError(
            "example.question-malformed", "the question is too long", expected=f"at most {QUESTION_LIMIT} bytes"
        )
    return evaluate(directory, parse_question(text.decode("utf-8", errors="replace")))


STEPS = {("finance", "prepare"): finance_prepare, ("finance", "evaluate"): finance_evaluate}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step of one example and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sealane_examples", description="Prepare and judge an example.")
    parser.add_argument("example", choices=sorted({example for example, _ in STEPS}))
    parser.add_argument("step", choices=sorted({step for _, step in STEPS}))
    parser.add_argument("directory", type=Path, help="where the prepared files are, or go")
    chosen = parser.parse_args(arguments)
    try:
        answer = STEPS[chosen.example, chosen.step](chosen.directory)
    except SealaneError as error:
        print(json.dumps({"error": error.to_dict()}), file=sys.stderr)
        return error.exit_code
    print(json.dumps(answer, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
