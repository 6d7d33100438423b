"""The file of a trained model, from an opened result: as its library reads it, or as ONNX."""

from __future__ import annotations

import os
from pathlib import Path

from sealane.client.session import Opened
from sealane.errors import InputError, UnavailableError


def write_model(opened: Opened, path: Path) -> Path:
    """Write the model of a run whole or not at all: ONNX where the name ends in ``.onnx``, else its library's file.

    Raises:
        InputError: the result has no such file, or the extra that writes it is not installed.
        RefusedError: the model cannot be written as ONNX.
        UnavailableError: the file cannot be written.
    """
    result = opened.present()
    onnx = path.suffix.lower() == ".onnx"
    if not callable(getattr(result, "to_onnx" if onnx else "save_model", None)):
        raise InputError("run.no-model-file", "this result has no model file of that kind",
                         got=f"{opened.study.computation}, {path.name}", expected="a result of trees.gbdt",
                         hint="`sealane run report` writes the whole result into report.json")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if onnx:
            result.to_onnx(beside)
        else:
            result.save_model(beside)
        return beside.replace(path)
    except OSError as error:
        raise UnavailableError("run.model-not-written", f"the model cannot be written to {path}", got=error.strerror,
                               hint="name another file with --out") from error
    finally:
        beside.unlink(missing_ok=True)
