"""What a reader of a Flower app expects: its model's arrays, its metrics by round, and how its exchanges went."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.flower_app.released import read_arrays


class FlowerResult:
    """What an app released.

    Attributes:
        app: its name and version.
        server: the institution whose node ran the server half, and so saw every institution's messages.
        metrics: one row for each round and kind (``train``, ``evaluate``, ``server``), the app's metrics as columns.
        exchanges: one row for each batch of messages.
        ended: kind and line of the exception with which the server half ended after its work was done; None without.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.app: str = payload["app"]
        self.server: str = payload["server"]
        self.ended: str | None = payload["ended"]
        self.metrics = pd.DataFrame([{"kind": kind, "round": int(number)} | values
                                     for kind, rounds in payload["metrics"].items()
                                     for number, values in sorted(rounds.items(), key=lambda one: int(one[0]))])
        self.exchanges = pd.DataFrame(payload["exchanges"], columns=[
            "group", "kind", "nodes", "answered", "bytes_sent", "bytes_received", "seconds"])
        self.trace: Any = None

    @property
    def arrays(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        """The model's arrays by name, as the app's last strategy returned them; empty where it returned none."""
        return read_arrays(self._payload["arrays"])

    def save(self, path: Path | str) -> None:
        """Write the arrays to a file that ``numpy.load`` reads."""
        with Path(path).open("wb") as file:
            np.savez(file, allow_pickle=False, **self.arrays)

    def summary(self) -> str:
        """Return a plain-text summary."""
        p, arrays = self._payload, self._payload["arrays"]
        count = sum(int(np.prod(shape, dtype=np.int64)) for shape in arrays["shapes"])
        lines = [f"{self.app}, code {p['code'][:16]}, Flower {p['flower']}, server half at {self.server}",
                 f"scheme none: {self.server} saw each institution's messages by themselves",
                 f"{len(self.exchanges)} exchanges, {p['seconds']:.1f} s, {p['failed']} messages without an answer",
                 f"{len(arrays['names'])} arrays of {count:,} values in all"]
        if self.ended is not None:
            lines.append(f"the server half ended with {self.ended}, after its last strategy had returned")
        if len(self.metrics):
            lines += ["", self.metrics.tail(10).to_string(index=False)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, without the arrays' values."""
        return {name: value for name, value in self._payload.items() if name != "arrays"} | {
            "arrays": [{"name": name, "dtype": dtype, "shape": shape} for name, dtype, shape in zip(
                *(self._payload["arrays"][part] for part in ("names", "dtypes", "shapes")), strict=True)]}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
