"""``sealane run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.names import run_ids, study_names
from sealane.cli.output import note, show
from sealane.cli.settings import settings_of
from sealane.errors import SealaneError

if TYPE_CHECKING:
    from sealane.client.connection import Connection
    from sealane.client.session import Opened, Session


@noun("run", examples=("run start joint-scorecard", "run list", "run watch r-abcdefghijklmnop",
                       "run report r-abcdefghijklmnop --out report", "run export r-abcdefghijklmnop --out model.onnx"))
def run() -> None:
    """Start, follow and report runs of an approved study. A run may be named by the beginning of its id."""


@run.command(examples=("run start joint-scorecard", "run start 3fa9c2d1 --no-watch --json"))
@click.argument("study", shell_complete=study_names)
@click.option("--watch/--no-watch", default=True, help="Follow the run to its end and print its result.")
def start(study: str, watch: bool) -> None:
    """Start a run of STUDY, which every participant must have approved."""
    from sealane.cli.study_view import describe, find

    with _connect() as connection:
        record, found = find(connection.session, study)
        describe(record)  # refuses statements that were made about another study
        run_id = connection.session.start(found.hash)
        if not watch:
            show({"run": run_id, "study": found.hash}, run_id)
            return
        _follow(connection, run_id)


@run.command(examples=("run watch r-abcdefghijklmnop",))
@click.argument("run_id", metavar="RUN", shell_complete=run_ids)
def watch(run_id: str) -> None:
    """Follow a run to its end and print its result. Ctrl-C ends the watching, not the run."""
    with _connect() as connection:
        _follow(connection, run_id)


@run.command(name="show", examples=("run show r-abcdefghijklmnop", "run show r-abc --json"))
@click.argument("run_id", metavar="RUN", shell_complete=run_ids)
def show_run(run_id: str) -> None:
    """Say where a run stands, and why it paused or ended."""
    from contextlib import closing

    from sealane.cli.run_view import describe, present

    with _session() as session, closing(session.watch(run_id)) as statuses:  # type: ignore[type-var]  # a generator
        status = next(statuses)
    show(describe(status), lambda: present(status))


@run.command(name="list", examples=("run list", "run list --json"))
def list_runs() -> None:
    """List runs, newest first."""
    from sealane.cli.run_view import describe, present_list

    with _session() as session:
        found = session.runs()
    show([describe(status) for status in found], lambda: present_list(found))


@run.command(examples=("run resume r-abcdefghijklmnop",))
@click.argument("run_id", metavar="RUN", shell_complete=run_ids)
def resume(run_id: str) -> None:
    """Go on with a paused run."""
    _change(run_id, "resume")


@run.command(examples=("run cancel r-abcdefghijklmnop",))
@click.argument("run_id", metavar="RUN", shell_complete=run_ids)
def cancel(run_id: str) -> None:
    """End a run for good."""
    _change(run_id, "cancel")


@run.command(examples=("run report r-abcdefghijklmnop", "run report r-abc --out ./report --json"))
@click.argument("run_id", metavar="RUN", shell_complete=run_ids)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(),
              help="Directory for report.html, report.json and result.json.")
def report(run_id: str, out: Path) -> None:
    """Open a completed run's result, check who endorsed it, and write report.html, report.json and result.json.

    result.json is the result as it was endorsed: `sealane audit report` holds it against the run's evidence.
    """
    from sealane.cli.run_report import report_fields, write_report
    from sealane.core.clock import system_clock

    with _connect() as connection:
        opened = connection.session.result(run_id)
    fields = report_fields(opened, system_clock())
    files = write_report(fields, opened.document, out)
    show({"run": opened.status.run_id, "files": [str(file) for file in files], "report": fields},
         lambda: "\n".join([_words(opened), "", *map(str, files)]))


@run.command(examples=("run export r-abcdefghijklmnop --out model.txt", "run export r-abc --out model.onnx"))
@click.argument("run_id", metavar="RUN", shell_complete=run_ids)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="File to write: ONNX if its name ends in .onnx, else a model file of LightGBM.")
def export(run_id: str, out: Path) -> None:
    """Open a completed run's result, check who endorsed it, and write its trained model as a file."""
    from sealane.cli.model_file import write_model

    with _connect() as connection:
        opened = connection.session.result(run_id)
    file = write_model(opened, out)
    show({"run": opened.status.run_id, "file": str(file), "endorsed_by": list(opened.endorsed_by)}, str(file))


def _follow(connection: Connection, run_id: str) -> None:
    from sealane.cli.run_view import following

    try:
        with following(run_id) as watch:
            finished = connection.finish(run_id, watch)
    except KeyboardInterrupt:
        note(f"hint: the run goes on: `sealane run watch {run_id}`, or `sealane run cancel {run_id}`")
        raise
    except SealaneError:
        if not settings_of().as_json:
            note(f"{run_id} gave no result here: `sealane run show {run_id}`")
        raise
    opened = finished.opened
    show(_document(opened), lambda: _text(opened))


def _document(opened: Opened) -> dict[str, Any]:
    from sealane.cli.run_view import describe

    return {**describe(opened.status), "endorsed_by": list(opened.endorsed_by), "result": opened.present().to_dict()}


def _words(opened: Opened) -> str:
    """Return a result in plain text; where the field's library calls a table its summary, that is what it prints as."""
    result = opened.present()
    return str(result.summary()) if callable(result.summary) else str(result)


def _text(opened: Opened) -> str:
    from sealane.cli.run_view import sent

    status = opened.status
    return (f"{_words(opened)}\n\n{status.run_id}: {status.exchanges} rounds in {status.elapsed_s:.1f} s, "
            f"{sent(status)}; endorsed by {', '.join(opened.endorsed_by)}")


def _change(run_id: str, verb: str) -> None:
    from sealane.cli.run_view import describe, present

    with _connect() as connection:
        status = getattr(connection.session, verb)(run_id)
    show(describe(status), lambda: present(status))


def _connect() -> Connection:
    from sealane.cli.connecting import connect

    return connect(settings_of().home_of("analyst"))


def _session() -> Session:
    from sealane.cli.connecting import session

    return session(settings_of().home_of("analyst", "node"))
