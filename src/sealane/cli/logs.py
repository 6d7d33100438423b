"""Logs of one invocation: none unless asked for, and JSON lines on stderr where something serves."""

from __future__ import annotations

import logging
import warnings

from sealane.cli.settings import Settings


def prepare_logs(settings: Settings, *, serving: bool = False) -> None:
    """Set up logs by the number of ``-v``; what serves logs from ``info`` on without any."""
    if settings.verbosity or serving:
        from sealane.telemetry.logs import configure_logging

        configure_logging("debug" if settings.verbosity > 1 else "info")
        return
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())  # else Python prints warnings by itself
    warnings.simplefilter("ignore")
