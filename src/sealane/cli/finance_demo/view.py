"""What the demo ends with on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sealane.cli.finance_demo.cards import LABEL
from sealane.cli.finance_demo.supervising import FOLDER, PAGE


def show(report: dict[str, Any], out: Path) -> None:
    """Print the models side by side, and where the pictures are."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    first = report["chapters"][0]["report"]
    fold = first["heldout"]
    table = Table(title=f"Ranking {fold['rows']} held-out loans, {fold['bad']} of them bad", title_justify="left",
                  title_style="bold")
    table.add_column("AUC, and KS")
    for one in report["beside"]:
        table.add_column(one["name"], justify="right")
    names = sorted(report["beside"][0]["auc"]["alone"])
    for name in names:
        table.add_row(f"{name} alone", *(pair(one["auc"]["alone"][name], one["ks"]["alone"][name])
                                         for one in report["beside"]), end_section=name == names[-1])
    table.add_row("[bold]joint[/bold]", *(f"[bold]{pair(one['auc']['joint'], one['ks']['joint'])}[/bold]"
                                          for one in report["beside"]))
    table.add_row("pooled (no privacy)", *(pair(one["auc"]["pooled"], one["ks"]["pooled"]) for one in report["beside"]))
    console.print(table)
    made_up = [chapter for chapter in report["chapters"] if chapter["text"].startswith(LABEL)]
    if made_up:
        console.print(f"[bold]{LABEL}[/bold]", highlight=False)
    for chapter in made_up:
        console.print(f"  {chapter['title']}: {chapter['text'].removeprefix(LABEL).strip()}", highlight=False)
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report["timings"].items())
    console.print(f"{first['rounds']} rounds of the regression in {first['wall_s']:.2f} s; {times}; "
                  f"{report['wall_s']:.1f} s in all. Report: {out / 'report.html'}", highlight=False, soft_wrap=True)
    if made_up:
        console.print(f"Supervisory report on the made-up payments' model, with its evidence: {out / FOLDER / PAGE}",
                      highlight=False, soft_wrap=True)
    for data in report["data"]:
        console.print(f"Data: {data['source']}. Licence: {data['licence']}.", style="dim", highlight=False)


def pair(auc: float, ks: float) -> str:
    """Return both metrics of a model."""
    return f"{auc:.3f}  {ks:.3f}"
