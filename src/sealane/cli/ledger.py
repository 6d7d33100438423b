"""``sealane ledger``."""

from __future__ import annotations

import json
from typing import Any

import click

from sealane.cli.groups import noun
from sealane.cli.names import dataset_names, peer_names, study_names
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, show, table

DATASET = click.argument("dataset", shell_complete=dataset_names)


@noun("ledger", examples=("ledger cap loans --epsilon 3 --delta 1e-6", "ledger show", "ledger explain loans"))
def ledger() -> None:
    """Cap and explain the privacy that a node's datasets have spent; past a cap the node refuses."""


@ledger.command(examples=("ledger cap loans --epsilon 3 --delta 1e-6",
                          "ledger cap loans --epsilon 1 --delta 1e-6 --recipient alice",
                          "ledger cap loans --releases 50"))
@DATASET
@click.option("--epsilon", metavar="DECIMAL", help="The most that may be spent, at --delta, over all runs.")
@click.option("--delta", metavar="DECIMAL", help="Chance that epsilon does not hold; far below 1 / rows.")
@click.option("--releases", type=click.IntRange(0), help="Most releases without noise (200 where none is set).")
@click.option("--recipient", shell_complete=peer_names, help="Cap what this verified party receives.")
@click.option("--study", shell_complete=study_names, metavar="STUDY", help="Cap what this study costs.")
def cap(dataset: str, epsilon: str | None, delta: str | None, releases: int | None, recipient: str | None,
        study: str | None) -> None:
    """Set a cap on DATASET: in all, towards one recipient, or for one study. What is not given stays as it was.

    A computation with noise runs only where DATASET has a cap of its own on epsilon.
    """
    found = call_node("ledger.cap", dataset=dataset, epsilon=epsilon, delta=delta, releases=releases,
                      recipient=recipient, study=study)
    show(found, lambda: _present(found))


@ledger.command(name="show", examples=("ledger show", "ledger show loans --json"))
@click.argument("dataset", required=False, shell_complete=dataset_names)
def show_ledger(dataset: str | None) -> None:
    """Show caps, what was spent, is reserved and is left, by study and by recipient."""
    found = call_node("ledger.show", dataset=dataset)
    show(found, lambda: "\n\n\n".join(map(_present, found)) or "no dataset is registered, and nothing was spent")


@ledger.command(examples=("ledger explain loans", "ledger explain loans --json"))
@DATASET
def explain(dataset: str) -> None:
    """List every run that cost DATASET privacy, and say how the costs compose and why that is below their sum."""
    found = call_node("ledger.explain", dataset=dataset)
    show(found, lambda: _explained(found))


@ledger.command(examples=(
    "ledger forecast loans --computation statistics.table --param 'columns=[\"term\"]' --param epsilon=0.5 "
    "--param delta=1e-7",))
@DATASET
@click.option("--computation", required=True, metavar="NAME", help="Dotted name of the computation.")
@click.option("--param", "parameters", multiple=True, metavar="KEY=VALUE",
              help="A parameter; lists and tables as JSON. May be repeated.")
@click.option("--minimum-cohort", type=click.IntRange(2), default=3, help="As the study would say.")
@click.option("--colluding", type=click.IntRange(0), default=1, help="As the study would say.")
@click.option("--recipient", shell_complete=peer_names, help="Count this party's cap too.")
def forecast(dataset: str, computation: str, parameters: tuple[str, ...], minimum_cohort: int, colluding: int,
             recipient: str | None) -> None:
    """Say how many more such runs the caps of DATASET allow."""
    found = call_node("ledger.forecast", dataset=dataset, computation=computation,
                      parameters=dict(map(_parameter, parameters)), minimum_cohort=minimum_cohort, colluding=colluding,
                      recipient=recipient)
    show(found, lambda: facts([
        ("runs that fit", f"{found['runs']:,}"), ("limit", found["limit"]),
        ("epsilon of one", found["epsilon_alone"]), ("delta", found["delta"])]))


def _parameter(text: str) -> tuple[str, Any]:
    """Read KEY=VALUE. Numbers stay text: a privacy parameter must not pass through a float."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--param is KEY=VALUE, not {text!r}.")
    if value[:1] in ("[", "{") or value in ("true", "false", "null"):
        try:
            return key, json.loads(value)
        except ValueError:
            raise click.UsageError(f"the value of --param {key} is not JSON.") from None
    return key, value


def _present(found: dict[str, Any]) -> str:
    head = facts([("dataset", found["dataset"]), ("privacy unit", found["unit"] or "none yet: set at the first charge"),
                  ("spent", f"epsilon {found['total']['spent']} at delta {found['delta']}"),
                  ("releases", f"{found['releases']['given']} without noise, of {found['releases']['cap']}")])
    caps = table(("cap", "epsilon", "delta", "spent", "reserved", "left", "releases"), (
        (f"{cap['scope']} {cap['target']}".rstrip(), cap["epsilon"] or "-", cap["delta"], cap["spent"],
         cap["reserved"], cap["left"] or "-", "-" if cap["releases"] is None else cap["releases"])
        for cap in found["caps"]),
        empty=f"no cap: computations with noise are refused (`sealane ledger cap {found['dataset']}`)")
    parts = [head, caps]
    for noun_, rows in (("study", found["studies"]), ("recipient", found["recipients"])):
        if rows:
            parts.append(table((noun_, "spent", "reserved", "releases"), (
                (row[noun_][:24], row["spent"], row["reserved"], row["releases"]) for row in rows)))
    if found["queries"]:
        parts.append(table(("version", "recipient", "computation", "releases without noise"), (
            (row["version"][:12], row["recipient"], row["computation"], row["releases"]) for row in found["queries"])))
    return "\n\n".join(parts)


def _explained(found: dict[str, Any]) -> str:
    entries = table(("run", "at", "state", "computation", "received by", "mechanism", "sums", "epsilon alone"), (
        (entry["run"], entry["at"] or "", entry["state"].lower(), entry["computation"],
         ", ".join(entry["recipients"]) or "nobody", _mechanism(entry["mechanism"]),
         f"{entry['sums_charged']}" + (f" (+{entry['sums_reserved']})" if entry["sums_reserved"] else ""),
         entry["epsilon_alone"] or "-") for entry in found["entries"]), empty="nothing was released")
    total = facts([("total", f"epsilon {found['total']} at delta {found['delta']}"),
                   ("plain sum", found["plain_sum"]), ("privacy unit", found["unit"]), ("why", found["why"])])
    return f"{entries}\n\n{total}"


def _mechanism(mechanism: dict[str, Any] | None) -> str:
    if mechanism is None:
        return "no noise"
    rest = ", ".join(f"{name} {str(value)[:8]}" for name, value in mechanism.items()
                     if name in ("sigma", "honest", "entries", "norm_squared", "rate", "scale", "sensitivity", "rho"))
    return f"{mechanism['kind']}: {rest}"
