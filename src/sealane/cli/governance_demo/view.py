"""What the demo prints: each step as it ends, and a short table of what matters."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

import click

from sealane.cli.governance_demo.evidence import CHANGED, PACK, POLICY
from sealane.cli.governance_demo.step import Step
from sealane.cli.governance_demo.walk import Walk
from sealane.cli.output import table

WIDTH = 112


INTRODUCTION = """\
Three lenders, each with a node and a steward; an analyst; an auditor; a coordinator that nobody trusts with data.
All are real processes or keys on this machine, made just now. All rows are made up.
Lines with $ are what somebody would type in practice; the demo calls what stands behind these commands.
"""


def step_text(number: int, step: Step) -> str:
    """Return a step as text: its number and title, the commands, what came of it."""
    lines = [f"{click.style(f'{number}. {step.who}: {step.title}', bold=True)}"]
    lines += [click.style(f"   $ {command}", dim=True) for command in step.commands]
    for said in step.said:
        lines += wrap(said, WIDTH, initial_indent="   ", subsequent_indent="     ", break_long_words=False,
                      break_on_hyphens=False)
    if not step.ok:
        lines.append(click.style("   this is not what should have happened", fg="red", bold=True))
    return "\n".join(lines)


def end_text(walk: Walk, out: Path) -> str:
    """Return the table at the end, and where to go on reading."""
    counter, sign, ran = walk.found("counter"), walk.found("sign"), walk.found("run")
    revoked, refused, verified = walk.found("revoke"), walk.found("refuse")["refused"], walk.found("verify")
    rows = [
        ("agreed", f"minimum_count {counter['changes']['minimum_count']} as wished; {sign['runs']['value']} runs at "
                   f"most, because {sign['runs']['set_by']} signed for no more"),
        ("run", f"{ran['rounds']} rounds in {ran['seconds']:.1f} s, one result, endorsed by {len(ran['endorsed_by'])}"),
        ("revoked", f"after round {revoked['revoked_after_round']} of {revoked['rounds_undisturbed']}; stopped in "
                    f"{revoked['stopped_after_s'] * 1000:.0f} ms ({revoked['state'].lower()})"),
        ("started again", "not refused" if refused is None else f"refused: {refused['code']}"),
        ("verified", f"{verified['leaves']} leaves of a log of {verified['log_size']}, offline"),
        ("one byte changed", f"the verifier names {CHANGED}" if walk.steps[-1].ok else "not noticed"),
    ]
    return "\n".join([
        table(("what", "came of it"), rows), "",
        f"{sum(step.ok for step in walk.steps)} of {len(walk.steps)} steps as they should be, in {walk.wall_s:.1f} s. "
        "All rows are made up.",
        f"To read:   {out / PACK / 'report.html'}",
        f"To verify: sealane audit verify {out / PACK} --policy {out / POLICY}"])
