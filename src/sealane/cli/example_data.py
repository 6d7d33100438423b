"""Example data for demos, found by entry point and read in a child process: only there are data packages imported."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

from sealane.errors import InputError, UnavailableError, from_dict

CHILD_SECONDS = 120.0


def find_example(name: str) -> Any:
    """Return the example of a sector, found by entry point.

    Raises:
        InputError: no installed package offers it.
    """
    found = entry_points(group="sealane.examples", name=name)
    if not found:
        known = sorted(e.name for e in entry_points(group="sealane.examples"))
        raise InputError("demo.unknown", "no installed package offers this demo", got=name,
                         expected=", ".join(known) or "the example data packages",
                         hint="pip install 'sealane[examples]'")
    return next(iter(found)).load()


def child(name: str, *arguments: str, stdin: str = "") -> Any:
    """Run a step of an example in a process of its own, and return its JSON answer.

    Raises:
        SealaneError: what the step explained itself, or ``demo.child-failed``, or ``demo.child-timeout``.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "sealane_examples", name, *arguments], input=stdin, capture_output=True, text=True,
            timeout=CHILD_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError("demo.child-timeout", "the example package took too long",
                               expected=f"within {CHILD_SECONDS:g} s") from error
    if done.returncode != 0:
        raise _child_error(done.stderr)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise _child_error(done.stdout) from None


def _child_error(said: str) -> Exception:
    last = said.strip().splitlines()[-1:] or [""]
    try:
        return from_dict(dict(json.loads(last[0])["error"]))
    except (ValueError, KeyError, TypeError, IndexError):
        return InputError("demo.child-failed", "the example package failed", got=last[0][:200],
                          hint="pip install 'sealane[examples]'")
