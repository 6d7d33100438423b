"""``sealane demo``: whole jobs from nothing to a report, with real processes on this machine."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.output import note, write_json
from sealane.cli.settings import settings_of
from sealane.errors import ProtocolError

if TYPE_CHECKING:
    from sealane.cli.demo_steps import Teller
    from sealane.client.status import RunStatus


@noun("demo", examples=("demo finance", "demo healthcare", "demo agriculture", "demo governance"))
def demo() -> None:
    """Run a whole job here, from nothing to a report: real processes, fresh keys."""


@demo.command(examples=("demo finance", "demo finance --json > result.json",
                        "demo finance --no-fraud --keep --out ./report"))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("sealane-demo-finance"),
              show_default=True, help="Directory for report.html and report.json.")
@click.option("--keep", is_flag=True, help="Keep the homes, keys and logs of all parties, and say where.")
@click.option("--fraud/--no-fraud", default=True, show_default=True,
              help="Also watch 208,000 made-up card payments at four banks.")
def finance(out: Path, keep: bool, fraud: bool) -> None:
    """Fit three joint credit models over real loans, and watch made-up card payments.

    Starts a coordinator and four nodes as processes on loopback, enrols them, and lets all four sign each study. Four
    regions of a lender's book fit a logistic regression, a scorecard and LightGBM trees; AUC and KS on held-out loans:
    each region alone, joint, and pooled. Then four banks grow trees on made-up card payments, judge their score and
    watch its drift, and a supervisory report on that model is written from evidence, into `supervision`. Only sums over
    the cohort are ever opened.
    """
    from sealane.cli.finance_demo import walk
    from sealane.cli.finance_demo.supervising import FOLDER, PAGE
    from sealane.cli.finance_demo.view import show
    from sealane.cli.local_federation import stopped_by_sigterm
    from sealane.client.report import render_chapters

    as_json = settings_of().as_json
    with stopped_by_sigterm(), _temporary(keep=keep) as root:
        with _telling(quiet=as_json) as teller:
            report = walk.finance(root, teller, fraud=fraud)
        _write(out, report, render_chapters(report))
        if fraud:
            shutil.copytree(root / FOLDER, out / FOLDER, dirs_exist_ok=True)
    if as_json:
        supervisory = {"supervisory": str((out / FOLDER / PAGE).resolve())} if fraud else {}
        write_json(report | {"report": str((out / "report.html").resolve())} | supervisory)
    else:
        show(report, out)


@demo.command(examples=("demo healthcare", "demo healthcare --json > result.json",
                        "demo healthcare --keep --out ./report"))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("sealane-demo-healthcare"),
              show_default=True, help="Directory for report.html and report.json.")
@click.option("--keep", is_flag=True, help="Keep the homes, keys and logs of all parties, and say where.")
def healthcare(out: Path, keep: bool) -> None:
    """Fit a heart risk model and a survival study over real hospitals.

    Twice starts a coordinator and four nodes as processes on loopback. Four hospitals check their units, describe their
    patients and fit a risk model of heart disease; four cohorts of breast cancer draw survival curves and fit a Cox
    model. Ends with a report: table 1, ROC, calibration, curves with numbers at risk, ratios, and what was hidden.
    """
    from sealane.cli.healthcare_demo.walk import healthcare as walk

    _chapters(walk, out, keep=keep)


@demo.command(examples=("demo agriculture", "demo agriculture --json > result.json",
                        "demo agriculture --keep --out ./report"))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("sealane-demo-agriculture"),
              show_default=True, help="Directory for report.html and report.json.")
@click.option("--keep", is_flag=True, help="Keep the homes, keys and logs of all parties, and say where.")
def agriculture(out: Path, keep: bool) -> None:
    """Model the soil of five farms and rice in six villages, and watch made-up markets.

    Starts three federations of real processes on loopback, one after the other. Five farms find the one whose values
    are in another unit, its steward declares the conversion, and they predict clay: alone, jointly, and jointly with
    what stays at home. Six villages model the output of rice. Three made-up markets warn of a jump of prices and of a
    pest, with differential privacy. Ends with a report: errors, predicted against observed, gains, learning curves.
    """
    from sealane.cli.agriculture_demo.walk import agriculture as walk

    _chapters(walk, out, keep=keep)


def _chapters(walk: Callable[[Path, Teller], dict[str, Any]], out: Path, *, keep: bool) -> None:
    """Walk through a demo that ends with a report of chapters, write the report and show it."""
    from sealane.cli.demo_view import show
    from sealane.cli.local_federation import stopped_by_sigterm
    from sealane.client.report import render_chapters

    as_json = settings_of().as_json
    with stopped_by_sigterm(), _temporary(keep=keep) as root:
        with _telling(quiet=as_json) as teller:
            report = walk(root, teller)
        _write(out, report, render_chapters(report))
    if as_json:
        write_json(report | {"report": str((out / "report.html").resolve())})
    else:
        show(report, out)


@demo.command(examples=("demo governance", "demo governance --json > steps.json",
                        "demo governance --keep --out ./evidence"))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("sealane-demo-governance"),
              show_default=True, help="Directory for the evidence pack and its policy.")
@click.option("--keep", is_flag=True, help="Keep the homes, keys and logs of all parties, and say where.")
def governance(out: Path, keep: bool) -> int:
    """Walk from a proposal to verified evidence, over made-up rows.

    Starts a coordinator and three nodes as processes on loopback. A study is proposed, countered, amended and signed;
    it runs, and costs; one institution revokes in mid-run; the next start is refused and explained; an auditor exports
    evidence, which is verified from files alone. Nothing is downloaded. Exit code 4 if a step comes out otherwise.
    """
    from sealane.cli.governance_demo.evidence import PACK, POLICY
    from sealane.cli.governance_demo.view import INTRODUCTION, end_text, step_text
    from sealane.cli.governance_demo.walk import walk
    from sealane.cli.local_federation import stopped_by_sigterm

    as_json = settings_of().as_json
    with stopped_by_sigterm(), _temporary(keep=keep) as root:
        folder = root / "out"
        folder.mkdir()
        if not as_json:
            click.echo(INTRODUCTION)
        done = walk(root, folder, _say_quietly if as_json else _say,
                    lambda number, step: None if as_json else click.echo(f"\n{step_text(number, step)}"))
        shutil.copytree(folder, out, dirs_exist_ok=True)
    if as_json:
        files = [out / POLICY, *sorted(out / PACK / path for path in done.found("export")["files"])]
        write_json({"ok": done.ok, "rows": "made up", "wall_s": done.wall_s,
                    "steps": [{"number": number, **step.to_dict()} for number, step in enumerate(done.steps, 1)],
                    "report": str((out / PACK / "report.html").resolve()),
                    "files": [str(path.resolve()) for path in files]})
    else:
        click.echo(f"\n{end_text(done, out)}")
    return 0 if done.ok else ProtocolError.exit_code


def _write(out: Path, report: dict[str, Any], page: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (out / "report.html").write_text(page, encoding="utf-8")


def _say(step: str) -> None:
    note(click.style(f"· {step}", dim=True))


def _say_quietly(step: str) -> None:
    """Say nothing: whoever asked for JSON reads what came of it."""


@contextmanager
def _temporary(*, keep: bool) -> Iterator[Path]:
    """Give a directory for all parties, which is gone at the end of the block unless it is kept."""
    from sealane.cli.local_federation import uninterrupted

    root = Path(tempfile.mkdtemp(prefix="sealane-demo-"))
    try:
        yield root
    finally:
        if keep:
            print(f"homes and logs: {root}", file=sys.stderr)
        else:
            with uninterrupted():
                shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Teller]:
    """Show steps and the run's progress on standard error: live on a terminal, as lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from sealane.cli.demo_steps import Teller

    console = Console(stderr=True, quiet=quiet)
    if not console.is_terminal:
        yield Teller(lambda step: console.print(f"· {step}", highlight=False, soft_wrap=True), lambda status: None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def step(text: str) -> None:
            console.print(f"[dim]·[/dim] {text}", highlight=False)
            progress.update(task, description=text.partition(":")[0])

        def status(now: RunStatus) -> None:
            sent = sum(now.bytes_sent.values()) / 1000
            waiting = f", waiting for {', '.join(now.waiting_for)}" if now.waiting_for else ""
            progress.update(task, description=f"{now.state.lower()}: round {now.exchanges}, {sent:.0f} kB{waiting}")

        yield Teller(step, status)
