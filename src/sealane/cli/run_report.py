"""The report of any run, from its opened result: without held-out rows, so without AUC and the like."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sealane.client.report import render_report
from sealane.client.report.results.regression import coefficients, ratio
from sealane.client.result_file import write_result
from sealane.client.session import Opened
from sealane.core.clock import to_text
from sealane.errors import UnavailableError

NAMES = ("report.html", "report.json", "result.json")


def report_fields(opened: Opened, created: datetime) -> dict[str, Any]:
    """Return the fields of ``report.json``."""
    study, status = opened.study, opened.status
    result = opened.present().to_dict()
    return {
        "sector": study.sector,
        "study": {"name": study.name, "hash": study.hash, "purpose": study.purpose, "computation": study.computation,
                  "scheme": study.scheme, "minimum_cohort": study.minimum_cohort,
                  "participants": [{"name": p.name, "fingerprint": p.fingerprint} for p in study.participants]},
        "cohort": sorted(status.cohort), "rounds": status.exchanges,
        "coefficients": [one.model_dump() for one in coefficients(result)], "ratio": ratio(result), "result": result,
        "bytes_sent": dict(sorted(status.bytes_sent.items())), "wall_s": round(status.elapsed_s, 3),
        "run": status.run_id, "created": to_text(created),
    }


def write_report(fields: Mapping[str, Any], endorsed: bytes, directory: Path) -> list[Path]:
    """Write the files of a report, each whole or not at all, and return their paths.

    Args:
        fields: of ``report.json``, which ``report.html`` shows.
        endorsed: the result as its recipient opened it; ``result.json`` holds it for whoever has the run's evidence.
        directory: where to.

    Raises:
        UnavailableError: the directory cannot be written.
    """
    texts = {"report.html": render_report(fields), "report.json": json.dumps(fields, indent=2) + "\n",
             "result.json": write_result(fields["run"], endorsed).decode()}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return [_write(directory / name, texts[name]) for name in NAMES]
    except OSError as error:
        raise UnavailableError("report.not-written", f"the report cannot be written to {directory}",
                               got=error.strerror, hint="name another directory with --out") from error


def _write(path: Path, text: str) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        return beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
