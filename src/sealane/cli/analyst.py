"""``sealane analyst``."""

from __future__ import annotations

from sealane.cli.enrolling import enrol_command
from sealane.cli.groups import noun


@noun("analyst", examples=("analyst enrol - < invitation.txt",))
def analyst() -> None:
    """Enrol an analyst. Analysts propose studies, start runs and open results."""


analyst.add_command(enrol_command("analyst"))
