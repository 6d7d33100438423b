"""One measurement in a process of its own: ``python -m sealane.bench.child``.

It reads what to measure as JSON from stdin, and writes what it measured, or the error, as one JSON document.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from sealane.bench.asked import Asked
from sealane.errors import SealaneError, UnavailableError, from_dict

WHOLE_ROUND = "whole-round"
STREAMED_ROUND = "streamed-round"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run(name: str, asked: Asked) -> dict[str, Any]:
    """Measure a system in a child process and return what it measured.

    Raises:
        SealaneError: what the child raised.
        UnavailableError: it died, as for want of memory.
    """
    environment = os.environ | dict.fromkeys(_THREADS, str(asked.threads)) | {"FLWR_TELEMETRY_ENABLED": "0"}
    done = subprocess.run([sys.executable, "-m", "sealane.bench.child"], env=environment, check=False,
                          input=json.dumps({"name": name, "asked": asked.to_dict()}), stdout=subprocess.PIPE,
                          text=True)
    try:
        document = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise UnavailableError("bench.child-died", f"the process that measured {name} ended without a result",
                               got=f"exit code {done.returncode}",
                               hint="a negative code is a signal; 9 is often a lack of memory: take a smaller --length "
                                    "or --cohort") from error
    if "error" in document:
        raise from_dict(document["error"])
    measured: dict[str, Any] = document
    return measured


def main() -> None:
    """Measure what stdin asks for."""
    request = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no result
    try:
        document = _measure(str(request["name"]), Asked.of(request["asked"]))
    except SealaneError as error:
        document = {"error": error.to_dict()}
    print(json.dumps(document), file=out, flush=True)


def _measure(name: str, asked: Asked) -> dict[str, Any]:
    if name in (WHOLE_ROUND, STREAMED_ROUND):
        from sealane.bench.whole_round import measure_round, measure_streamed

        return (measure_round if name == WHOLE_ROUND else measure_streamed)(asked)
    from sealane.bench.measure import measure

    return measure(name, asked).to_dict()


if __name__ == "__main__":
    main()
