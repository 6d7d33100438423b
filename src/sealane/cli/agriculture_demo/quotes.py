"""The made-up markets: weekly counts with noise in each, and the weeks from which something changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.asking import Question, ask
from sealane.cli.demo_steps import Teller
from sealane.cli.local_federation import LocalFederation

LABEL = "Made-up quotes: nothing here says how early a warning comes in the world."
WATCHED = {"jump": "a jump of prices", "pest_sighted": "a pest"}
PUT_IN = {
    "jump": ("2026-04-06", "From 6 April 2026 dear quotes were made two and a half times as frequent."),
    "pest_sighted": ("2026-05-11", "For three weeks from 11 May 2026 infested lots were made three times as frequent."),
}
"""From when on something was put in, and what."""
EPSILON, DELTA = "1", "1e-6"
CAP = ("2", "2e-6")
"""Most privacy that a market ever spends on its quotes: both questions."""
UNTIL, WEEKS = "2026-06-28", 52


def questions() -> dict[str, Question]:
    """Return what is asked of the markets, by the flag that is watched."""
    return {flag: Question(f"warning-{flag.replace('_', '-')}", "surveillance.outbreak", {
        "time": "date", "until": UNTIL, "weeks": WEEKS, "code": flag, "codes": ["1"], "method": "cusum",
        "epsilon": EPSILON, "delta": DELTA}, f"watching made-up markets for {words}: CUSUM over noised weeks",
        epsilon=EPSILON, delta=DELTA)
        for flag, words in WATCHED.items()}


def quote_chapters(
    federation: LocalFederation, example: Any, data: Path, rows: Mapping[str, int], teller: Teller
) -> list[dict[str, Any]]:
    """Ask both questions, and return their chapters."""
    federation.cap(*CAP)
    answers = {flag: ask(federation, example, question, rows, teller) for flag, question in questions().items()}
    return [{"title": f"Early warning (synthetic): {WATCHED[flag]}", "text": warning_text(flag, answer.result),
             "report": answer.report} for flag, answer in answers.items()]


def warning_text(flag: str, result: Any) -> str:
    """Return which weeks stand out, before and after something was put in."""
    day, what = PUT_IN[flag]
    false = [week for week in result.alarms if week < day]
    true = [week for week in result.alarms if week >= day]
    found = f"The first alarm from then on is in the week that ends on {true[0]}" if true else "No alarm follows"
    missed = f"{len(false) or 'no'} week{'' if len(false) == 1 else 's'} before it gave a false one"
    return (f"{LABEL} {what} {found}; {missed}. Each count carries noise of standard error "
            f"{result.standard_error:.1f} (epsilon {EPSILON}, delta {DELTA}, of one quote); nobody ever held an exact "
            "one.")
