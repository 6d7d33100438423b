"""Private scoring from Python, at the asker's node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from sealane.node.control import call


def ask(home: str | Path, model: str, *, dataset: str, owner: str | None = None, first: int = 0,
        last: int | None = None, wait_s: float = 300.0) -> pd.DataFrame:
    """Have rows of a dataset scored by another institution's model, through the serving node of a home.

    Args:
        home: of the asker's node.
        model: its name at the owner.
        dataset: registered at this node; it must have every field that the model is over.
        owner: its name, where more than one has a model of that name.
        first: first row, from 0.
        last: the row after the last one; None for all.
        wait_s: seconds to wait for each answer.

    Returns:
        ``row``, ``score`` and, where the model says so, ``probability``; ``attrs`` holds ``largest_error``,
        ``seconds``, ``bytes_sent`` and ``bytes_received``.

    Raises:
        SealaneError: as ``sealane score ask``.
    """
    return frame_of(call(Path(home).expanduser(), "score.ask", {
        "model": model, "dataset": dataset, "owner": owner, "first": first, "last": last, "wait_s": float(wait_s)}))


def frame_of(found: dict[str, Any]) -> pd.DataFrame:
    """Return what ``score.ask`` answered as a table."""
    columns = {"row": range(found["first"], found["first"] + found["rows"]), "score": found["scores"]}
    if found["probabilities"] is not None:
        columns["probability"] = found["probabilities"]
    frame = pd.DataFrame(columns)
    frame.attrs.update({name: found[name] for name in ("largest_error", "seconds", "bytes_sent", "bytes_received")})
    return frame
