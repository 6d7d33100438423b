"""``sealane completion``."""

from __future__ import annotations

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.output import show

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SEALANE_COMPLETE"


@click.command(cls=SealaneCommand, examples=(
    'completion bash > ~/.local/share/bash-completion/completions/sealane', "completion zsh > ~/.zfunc/_sealane",
    "completion fish > ~/.config/fish/completions/sealane.fish"))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes names in a shell: commands, options, datasets, studies and runs."""
    from click.shell_completion import get_completion_class

    from sealane.cli.main import root

    found = get_completion_class(shell)
    assert found is not None
    made = found(root, {}, "sealane", VARIABLE)
    script = made.source_template % made.source_vars()  # source() would run bash to ask for its version
    show({"shell": shell, "script": script}, script)
