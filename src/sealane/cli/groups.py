"""Commands and groups of ours: shared options everywhere, examples in every help, nouns loaded when they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import click

from sealane.cli.logs import prepare_logs
from sealane.cli.settings import settings_of, shared_options

LARGEST_HELP_WIDTH = 100
LONGEST_SENTENCE = 300


class SealaneCommand(click.Command):
    """A command that takes the shared options and ends its help with examples.

    Args:
        examples: command lines, one each, without the leading ``sealane``.
    """

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.examples = examples
        self.params = [*self.params, *shared_options()]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, once logs are set up."""
        prepare_logs(settings_of(ctx))
        return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


class SealaneGroup(click.Group):
    """A noun: a group of our commands, with the shared options before the verb too."""

    command_class = SealaneCommand

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.examples = examples
        self.params = [*self.params, *shared_options()]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs with their whole first sentence."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.get_short_help_str(LONGEST_SENTENCE)) for name, verb in verbs if verb])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


class LazyGroup(SealaneGroup):
    """The root: it knows each noun's help, and imports its module only when the noun is used.

    Args:
        lazy: noun -> (where its command is, as ``module:attribute``; its short help).
    """

    def __init__(self, *arguments: Any, lazy: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the nouns in the order of the table."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a noun."""
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of nouns without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in self.lazy.items()])


def noun(name: str, *, examples: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], SealaneGroup]:
    """Make a group of the decorated function."""
    def decorate(function: Callable[..., Any]) -> SealaneGroup:
        return click.group(name=name, cls=SealaneGroup, examples=examples)(function)

    return decorate


def write_examples(formatter: click.HelpFormatter, examples: tuple[str, ...]) -> None:
    """Write the examples as they are, one a line."""
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"{'':>{formatter.current_indent}}sealane {line}\n")
