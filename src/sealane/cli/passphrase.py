"""Asking for a passphrase without putting it on the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from sealane.core.secret import Secret
from sealane.errors import InputError

VARIABLE = "SEALANE_PASSPHRASE"
MAX_CHARACTERS = 4096


def read_passphrase(file: Path | None, *, confirm: bool) -> Secret:
    """Return the passphrase from a file, from the environment, or from the terminal.

    Raises:
        InputError: the file cannot be read, or there is no terminal to ask at.
    """
    if file is not None:
        try:
            with file.open(encoding="utf-8") as opened:
                return _secret(opened.readline(MAX_CHARACTERS).rstrip("\r\n"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("passphrase.unreadable", f"{file} cannot be read",
                             got=type(error).__name__) from None
    if VARIABLE in os.environ:
        return _secret(os.environ[VARIABLE])
    if not sys.stdin.isatty():
        raise InputError("passphrase.missing", "there is no passphrase and no terminal to ask for it",
                         expected=f"--passphrase-file FILE, or {VARIABLE} in the environment")
    return _secret(click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


def _secret(text: str) -> Secret:
    return Secret(text.encode("utf-8"))
