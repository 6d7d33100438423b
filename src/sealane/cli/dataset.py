"""``sealane dataset``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sealane.cli.dataset_expose import desensitise, mock, read_text
from sealane.cli.dataset_grade import filing, grade, profile
from sealane.cli.groups import noun
from sealane.cli.names import contract_ids, dataset_names
from sealane.cli.node_call import call_node
from sealane.cli.output import amount, facts, note, show, table, write_error, write_json
from sealane.cli.publishing import publish, unpublish
from sealane.cli.settings import settings_of
from sealane.errors import from_dict

FORMS = ("path.csv, path.parquet, path.sqlite?table=NAME, postgresql://HOST/DATABASE?table=NAME, fhir:PATH, "
         "omop:PATH or features:PATH")


@noun("dataset", examples=("dataset add loans --from loans.parquet --contract finance.credit-application/v1",
                           "dataset grade loans --accept", "dataset list", "dataset withdraw loans"))
def dataset() -> None:
    """Register a node's datasets under their data contracts, grade them, and show what may be shown."""


for _verb in (profile, grade, publish, unpublish, filing, desensitise, mock):
    dataset.add_command(_verb)


@dataset.command(examples=(
    "dataset add loans --from loans.csv --contract finance.credit-application/v1",
    "dataset add loans --from 'core.sqlite?table=loans' --contract finance.credit-application/v1 --map bad=default",
    "dataset add loans --from - --contract finance.credit-application/v1 < database-url.txt",
    "dataset add patients --from fhir:bulk-export --mapping cohort.toml --contract healthcare.cohort/v1",
    "dataset add cards --from features:cards.csv --mapping recipe.toml --contract finance.card-transaction/v1"))
@click.argument("name")
@click.option("--from", "source", required=True, metavar="SOURCE",
              help=f"{FORMS}; - reads it from standard input, so that a password is in no list of processes.")
@click.option("--contract", required=True, metavar="ID", shell_complete=contract_ids,
              help="Data contract that the rows conform to.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=COLUMN",
              help="Read a field from a column of another name; FIELD=COLUMN [unit] also states its unit.")
@click.option("--mapping", "definition", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="How rows are made of FHIR resources (fhir:PATH) or of an OMOP database (omop:PATH or "
                   "omop:postgresql://…), see docs/healthcare.md; or which features are made of a file "
                   "(features:PATH), see docs/finance.md. The file stays part of the source.")
@click.option("--drop-invalid", is_flag=True, help="Leave out rows that break the contract. It is recorded.")
@click.option("--repair", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Repairs to do at every read, before the contract is checked: impute, clip, deduplicate, convert, "
                   "recode. The source is never changed.")
def add(name: str, source: str, contract: str, mapping: tuple[str, ...], definition: Path | None, drop_invalid: bool,
        repair: Path | None) -> int:
    """Check SOURCE against a data contract, register it, or its new version, as NAME, and profile it.

    What fails is reported by field, rule and number of rows, never by value. The rows stay where they are.
    """
    from sealane.node.datasets import absolute_source
    from sealane.node.sources import with_mapping
    from sealane.sectors.healthcare.fhir.resources import CUT_OFF

    where = sys.stdin.readline().strip() if source == "-" else source
    found = call_node("dataset.add", name=name, source=absolute_source(with_mapping(where, definition)),
                      contract=contract, mapping=list(mapping), drop_invalid=drop_invalid,
                      repair=None if repair is None else read_text(repair))
    report = found["report"]
    if found["error"] is None:
        show(report, lambda: _present(report))
        if CUT_OFF in report["counted"]:
            note(f"warning: the source ends in the middle ({CUT_OFF}): what is missing may matter; export it again")
        note(f"next: `sealane dataset grade {name}` shows the labels that are proposed, --accept accepts them")
        return 0
    error = from_dict(found["error"])
    if settings_of().as_json:
        write_json({"error": error.to_dict(), "report": report})
    else:
        note("\n".join(filter(None, (_failures(report), _counted(report)))))
        write_error(error, as_json=False)
    return error.exit_code


@dataset.command(name="list", examples=("dataset list", "dataset list --json"))
def list_datasets() -> None:
    """List the registered datasets."""
    found = call_node("dataset.list")
    show(found, lambda: table(("name", "phase", "contract", "rows", "left out", "version", "added", "source"), (
        (e["name"], e["phase"], e["contract"], e["rows"], e["excluded"], e["version"][:12], e["added_at"], e["source"])
        for e in found), empty="no dataset is registered: `sealane dataset add NAME --from SOURCE --contract ID`"))


@dataset.command(examples=("dataset withdraw loans",))
@click.argument("name", shell_complete=dataset_names)
def withdraw(name: str) -> None:
    """Forget a dataset: studies approved for it run no more. Whom it answered is remembered all the same."""
    found = call_node("dataset.withdraw", name=name)
    show(found, f"withdrew {name}")
    if found["studies"]:
        note(f"these approved studies cannot run any more: {', '.join(found['studies'])}")


def _present(report: dict[str, Any]) -> str:
    parts = [f"registered {report['name']} under {report['contract']}", facts([
        ("rows", f"{report['rows'] - (report['invalid'] if report['drop_invalid'] else 0):,}"),
        ("left out", amount(report["invalid"], "row") if report["invalid"] else None), ("version", report["version"]),
        ("fields absent", ", ".join(report["absent"]) or None),
        ("nothing found for", ", ".join(report["unfilled"]) or None)])]
    if report["repaired"]:
        parts.append(table(("repair", "field", "rows"), ((r["do"], r["field"] or "-", r["rows"])
                                                         for r in report["repaired"])))
    if report["counted"]:
        parts.append(_counted(report))
    return "\n".join(parts + ([_failures(report)] if report["failures"] else []))


def _counted(report: dict[str, Any]) -> str:
    return table(("in the source", "number"), report["counted"].items()) if report["counted"] else ""


def _failures(report: dict[str, Any]) -> str:
    return table(("field", "rule", "rows"), ((f["field"], f["rule"], f["rows"]) for f in report["failures"]))
