"""``python -m sealane_examples EXAMPLE prepare OUT_DIR`` and ``... EXAMPLE evaluate DIR``.

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


def prepare(name: str, directory: Path) -> dict[str, Any]:
    """Write an example's files."""
    if name in SHORT:
        from sealane_examples.short import prepare as short

        return short(name, directory)
    if name == "finance":
        from sealane_examples.finance.prepare import prepare as finance

        return finance(directory)
    if name == "card-fraud":
        from sealane_examples.finance.card_steps import prepare as cards

        return cards(directory)
    if name in AGRICULTURE:
        from sealane_examples.agriculture.prepare import prepare as agriculture

        return agriculture(name, directory)
    from sealane_examples.healthcare.prepare import prepare as healthcare

    return healthcare(name, directory)


def evaluate(name: str, directory: Path) -> dict[str, Any]:
    """Answer the question on standard input."""
    text = question_text()
    if name in SHORT:
        from sealane_examples.short import evaluate as short

        return short(name, directory, text)
    if name == "finance":
        from sealane_examples.finance import evaluate as finance

        return finance.evaluate(directory, finance.parse_question(text))
    if name == "card-fraud":
        from sealane_examples.finance.card_steps import evaluate as cards

        return cards(directory, text)
    if name == "heart-disease":
        from sealane_examples.healthcare.evaluate_heart import evaluate as heart
        from sealane_examples.logistic import parse_question

        return heart(directory, parse_question(text))
    if name in ("soil", "rice"):
        from sealane_examples.agriculture import evaluate_rice, evaluate_soil

        agriculture = evaluate_soil.evaluate if name == "soil" else evaluate_rice.evaluate
        return agriculture(directory, text)
    from sealane_examples.healthcare import breast_cancer, dialysis, evaluate_survival

    example = {one.name: one for one in (breast_cancer.EXAMPLE, dialysis.EXAMPLE)}.get(name)
    if example is None:
        raise InputError("example.not-judged", "this example is not judged", got=name,
                         expected=", ".join(sorted(set(EXAMPLES) - NOT_JUDGED)))
    return evaluate_survival.evaluate(directory, example, evaluate_survival.parse_question(text))


def question_text() -> str:
    """Return what is asked on standard input."""
    text = sys.stdin.buffer.read(QUESTION_LIMIT + 1)
    if len(text) > QUESTION_LIMIT:
        raise InputError(
            "example.question-malformed", "the question is too long", expected=f"at most {QUESTION_LIMIT} bytes"
        )
    return text.decode("utf-8", errors="replace")


SHORT = ("disk-failure", "flight-delay", "fuel-economy")
STEPS = {"prepare": prepare, "evaluate": evaluate}
AGRICULTURE = ("quotes", "rice", "soil", "soybean")
EXAMPLES = tuple(sorted(("adverse-events", "breast-cancer", "card-fraud", "dialysis", "finance", "heart-disease",
                         "outbreak", *AGRICULTURE)))
NOT_JUDGED = {"adverse-events", "outbreak", "quotes", "soybean"}
"""Made-up rows, and an example that its own test judges."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step of one example and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sealane_examples", description="Prepare and judge an example.")
    parser.add_argument("example", choices=sorted((*EXAMPLES, *SHORT)))
    parser.add_argument("step", choices=sorted(STEPS))
    parser.add_argument("directory", type=Path, help="where the prepared files are, or go")
    chosen = parser.parse_args(arguments)
    try:
        answer = STEPS[chosen.step](chosen.example, chosen.directory)
    except SealaneError as error:
        print(json.dumps({"error": error.to_dict()}), file=sys.stderr)
        return error.exit_code
    print(json.dumps(answer, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
