"""What a demo of chapters ends with on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def show(report: dict[str, Any], out: Path) -> None:
    """Print what each chapter found, and where the pictures are."""
    from rich.console import Console

    console = Console()
    console.print(f"[bold]{report['title']}[/bold]", highlight=False)
    for chapter in report["chapters"]:
        console.print(f"[bold]{chapter['title']}[/bold]\n  {chapter['text']}", highlight=False)
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report["timings"].items())
    console.print(f"{times}; {report['wall_s']:.1f} s in all. Report: {out / 'report.html'}", highlight=False,
                  soft_wrap=True)
    for data in report["data"]:
        console.print(f"Data: {data['source']}. Licence: {data['licence']}.", style="dim", highlight=False)
