"""The optional libraries: PyTorch at nodes and readers, Flower at nodes."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from typing import Any

from sealane.computations.flower_version import check_flower, no_flower
from sealane.errors import InputError

LATE = ("torch", "torch._dynamo", "flwr.app", "flwr.serverapp.strategy", "sealane.computations.neural.learning.rounds")
"""What a sandbox imports beforehand: seconds of loading. Optimisers import the compiler, though nothing is compiled."""


PRIVATE = ("sealane.computations.neural.learning.private_preparing",)


def late() -> tuple[str, ...]:
    """Return what a sandbox should import beforehand, where it is installed."""
    if find_spec("torch") is None or find_spec("flwr") is None:
        return ()
    return LATE if find_spec("opacus") is None else LATE + PRIVATE


def opacus() -> Any:
    """Return ``opacus.grad_sample``, and let its import leave no handler of logs behind.

    Raises:
        InputError: Opacus is not installed.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        import opacus.grad_sample
    except (ImportError, OSError):
        raise InputError("neural.no-opacus", "Opacus is not installed here", expected="the extra neural",
                         hint="pip install 'sealane[neural]'") from None
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    return opacus.grad_sample


def need_torch() -> None:
    """Import PyTorch.

    Raises:
        InputError: it is not installed.
    """
    try:
        import torch  # noqa: F401
    except (ImportError, OSError):
        raise InputError("neural.no-torch", "PyTorch is not installed here", expected="the extra neural",
                         hint="pip install 'sealane[neural]'") from None


def flower() -> tuple[Any, Any]:
    """Return ``flwr.app`` and ``flwr.serverapp.strategy``, with telemetry and chatter off.

    Raises:
        InputError: Flower is not installed, or in a version that Sealane was not tested with.
    """
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # read when it is imported first
    check_flower()
    try:
        import flwr.app
        import flwr.serverapp.strategy
    except ImportError:
        raise no_flower() from None
    logging.getLogger("flwr").setLevel(logging.ERROR)
    return flwr.app, flwr.serverapp.strategy
