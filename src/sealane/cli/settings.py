"""What the options that every command takes come to: home, form of output, how much is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

VARIABLE = "SEALANE_HOME"
DEFAULTS = {role: Path("~/.sealane") / role for role in ("coordinator", "node", "steward", "analyst", "auditor")}


@dataclass(slots=True)
class Settings:
    """The same for one invocation, wherever on the line the options stand.

    Attributes:
        home: as given, or None.
        as_json: whether stdout gets one JSON document.
        verbosity: 0 for no log, 1 for info, 2 and more for debug.
    """

    home: Path | None = None
    as_json: bool = False
    verbosity: int = 0

    def home_of(self, *roles: str) -> Path:
        """Return the home: as given, or the default one of the first role that has one, or that of the first role."""
        if self.home is not None:
            return self.home.expanduser().absolute()
        defaults = [DEFAULTS[role].expanduser() for role in roles]
        return next((path for path in defaults if path.is_dir()), defaults[0])


def settings_of(context: click.Context | None = None) -> Settings:
    """Return the invocation's settings."""
    return (context or click.get_current_context()).ensure_object(Settings)


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether ``--json`` is asked for on a line that could not be parsed."""
    before = arguments[:arguments.index("--")] if "--" in arguments else arguments
    return "--json" in before


def _set_home(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    given = value or os.environ.get(VARIABLE)
    if value or (given and settings_of(context).home is None):
        settings_of(context).home = Path(str(given))


def _set_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    settings_of(context).as_json |= value


def _set_verbosity(context: click.Context, parameter: click.Parameter, value: int) -> None:
    settings = settings_of(context)
    settings.verbosity = max(settings.verbosity, value)


def shared_options() -> list[click.Option]:
    """Return the options that every command takes."""
    return [
        click.Option(["--home"], type=click.Path(file_okay=False), expose_value=False, callback=_set_home,
                     help=f"Directory of keys and state (or {VARIABLE}; default ~/.sealane/ROLE)."),
        click.Option(["--json"], is_flag=True, expose_value=False, callback=_set_json,
                     help="Print exactly one JSON document on stdout."),
        click.Option(["--verbose", "-v"], count=True, expose_value=False, show_default=False, callback=_set_verbosity,
                     help="Log to stderr as JSON lines; twice for more."),
    ]
