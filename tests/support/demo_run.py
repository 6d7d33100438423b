"""One demo as a process, outside a checkout, for all tests of a module."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from command_line import ENVIRONMENT, MODULE


def demo_document(where: Path, name: str) -> Any:
    """Run a demo in a directory that has a ``temporary``, and return what it prints with ``--json``."""
    done = subprocess.run([*MODULE, "demo", name, "--json"], cwd=where, capture_output=True, text=True,
                          env=ENVIRONMENT | {"TMPDIR": str(where / "temporary")}, timeout=400, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stderr == ""
    return json.loads(done.stdout)
