"""``sealane``: the nouns, and what becomes of an error, an interruption and a closed pipe."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from sealane._version import __version__
from sealane.cli.exits import INTERRUPTED, PIPE_CLOSED, USAGE
from sealane.cli.groups import LARGEST_HELP_WIDTH, LazyGroup
from sealane.cli.output import write_error
from sealane.cli.settings import Settings, wants_json
from sealane.errors import InputError, SealaneError, UnavailableError

NOUNS = {
    "demo": ("sealane.cli.demo:demo", "Run a whole job here, from nothing to a report: real processes, fresh keys."),
    "coordinator": ("sealane.cli.coordinator:coordinator", "Make, serve and look after a coordinator."),
    "node": ("sealane.cli.node:node", "Enrol and serve an institution's node."),
    "steward": ("sealane.cli.steward:steward", "Make a data steward's key, and appoint stewards at a node."),
    "sector": ("sealane.cli.sector:sector", "List sector packs, check them, and write a new one."),
    "dataset": ("sealane.cli.dataset:dataset", "Register a node's datasets under their data contracts."),
    "catalog": ("sealane.cli.catalog:catalog", "Look through what nodes publish of their datasets."),
    "ledger": ("sealane.cli.ledger:ledger", "Cap and explain the privacy that a node's datasets have spent."),
    "study": ("sealane.cli.study:study", "Write, check, propose, approve and refuse studies."),
    "agreement": ("sealane.cli.agreement:agreement",
                  "List, show, suspend, resume and revoke the agreements of this node."),
    "run": ("sealane.cli.run:run", "Start, follow and report runs of an approved study."),
    "score": ("sealane.cli.score:score", "Score rows with another institution's model; rows and model stay private."),
    "metering": ("sealane.cli.metering:metering",
                 "Show what runs used, and settle it in statements that both sides sign."),
    "analyst": ("sealane.cli.analyst:analyst", "Enrol an analyst."),
    "auditor": ("sealane.cli.auditor:auditor", "Enrol an auditor, and read what a coordinator recorded."),
    "audit": ("sealane.cli.audit:audit", "Export and prove what the audit log holds; verify it offline."),
    "why": ("sealane.cli.why:why", "Explain why a run or a study was refused."),
    "doctor": ("sealane.cli.doctor:doctor", "Check a home and its surroundings, and say what is wrong."),
    "bench": ("sealane.cli.bench:bench", "Measure secure sums on this machine, beside their peers."),
    "flower": ("sealane.cli.flower:flower", "Run Flower apps unchanged."),
    "completion": ("sealane.cli.completion:completion", "Print the script that completes names in a shell."),
}


@click.group(
    cls=LazyGroup, lazy=NOUNS, context_settings={"max_content_width": LARGEST_HELP_WIDTH, "show_default": True,
                                                 "help_option_names": ["-h", "--help"]},
    examples=("demo finance", "coordinator init --home ./coordinator", "node enrol - < invitation.txt",
              "study propose study.toml", "run start joint-scorecard", "doctor"),
)
@click.version_option(__version__, "--version", prog_name="sealane", message="%(prog)s %(version)s")
def root() -> None:
    """Institutions compute together; their data stays home."""


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but SystemExit of click's completion gets out."""
    settings = Settings()
    as_json = wants_json(arguments)
    try:
        return _exit_code(root.main(args=list(arguments), prog_name="sealane", standalone_mode=False, obj=settings))
    except SealaneError as error:
        return _fail(error, as_json=as_json or settings.as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        return _fail(_usage(error), as_json=as_json or settings.as_json)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as error:
        return _fail(_refused_by_system(error), as_json=as_json or settings.as_json)
    except Exception as error:
        if settings.verbosity:
            traceback.print_exception(error)
        unexpected = SealaneError("internal.unexpected", "something unexpected went wrong", got=type(error).__name__,
                                  hint="run it again with --verbose to see where, and report that")
        return _fail(unexpected, as_json=as_json or settings.as_json)


def main() -> NoReturn:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal without Unicode shows a mark, not a traceback
    code = invoke(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _pipe_closed()
    sys.exit(code)


def _exit_code(returned: object) -> int:
    return returned if isinstance(returned, int) else 0


def _fail(error: SealaneError, *, as_json: bool) -> int:
    try:
        write_error(error, as_json=as_json)
    except BrokenPipeError:
        return _pipe_closed()
    return error.exit_code


def _pipe_closed() -> int:
    """Say nothing, also not when the interpreter flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


def _usage(error: click.ClickException) -> InputError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "sealane"
    return InputError("cli.usage", error.format_message().rstrip("."), hint=f"`{path} --help`")


def _refused_by_system(error: OSError) -> UnavailableError:
    where = error.filename if isinstance(error.filename, str) else None
    return UnavailableError("system.refused", "the system refused to read or write a file",
                            got=": ".join(filter(None, [where, error.strerror])),
                            hint="check that it exists, that it is yours, and that the disk has space")

