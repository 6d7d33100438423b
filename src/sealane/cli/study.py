"""``sealane study``: analysts write, propose and amend, data stewards review, approve, counter and refuse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.names import contract_ids, dataset_names, sector_names, study_names
from sealane.cli.negotiating import amend, counter, review
from sealane.cli.node_call import call_node, tell_unsent
from sealane.cli.output import amount, facts, note, show
from sealane.cli.own_terms import given, own_term_options
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from sealane.client.connection import Connection

FILE = "study.toml"


@noun("study", examples=("study new study.toml", "study check study.toml", "study propose study.toml",
                         "study list", "study approve joint-scorecard", "study refuse joint-scorecard --reason '…'"))
def study() -> None:
    """Write, check, propose, approve and refuse studies. Nothing runs without every participant's signature."""


@study.command(examples=("study new", "study new credit.toml --sector finance"))
@click.argument("file", default=FILE)
@click.option("--sector", default="finance", shell_complete=sector_names, help="Sector pack.")
@click.option("--contract", shell_complete=contract_ids, help="Data contract; by default that of the sector's example.")
def new(file: str, sector: str, contract: str | None) -> None:
    """Write a study file to start from; - prints it."""
    from sealane.sectors.study_text import new_study

    text = new_study(sector, contract)
    if file == "-":
        show({"text": text}, text.rstrip("\n"))
        return
    _write_new(Path(file), text)
    show({"file": file}, f"wrote {file}; change it, then `sealane study check {file}`")


@study.command(examples=("study check study.toml", "study check study.toml --json"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=FILE)
def check(file: Path) -> None:
    """Check a study file without any connection: form, purpose, contract, computation, parameters, columns, rules."""
    from sealane.computations.requirements import most_exchanges
    from sealane.governance.study import DEFAULT_ROUNDS
    from sealane.sectors.registry import minimum_count
    from sealane.sectors.study_check import check_file

    found, columns = check_file(file)
    most = most_exchanges(found.computation, found.parameters)
    rounds = found.rounds or most
    document = {"ok": True, "name": found.name, "computation": found.computation,
                "data_contract": found.data_contract, "columns": columns,
                "minimum_count": found.minimum_count or minimum_count(found.sector),
                "minimum_count_from": "file" if found.minimum_count else "sector",
                "rounds": rounds, "rounds_that_may_be_taken": most}
    whose = "" if found.minimum_count else f", the {found.sector} pack's default"
    few = f"\nrounds = {rounds} may not do: a run may take up to {most}" if rounds < most > DEFAULT_ROUNDS else ""
    show(document, f"{file} is in order: {found.computation} reads {amount(len(columns), 'column')} of "
                   f"{found.data_contract}; a released cell rests on {document['minimum_count']} rows or more"
                   f"{whose}{few}")


@study.command(examples=("study propose study.toml", "study propose study.toml --home ./alice --json"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=FILE)
def propose(file: Path) -> None:
    """Put a study before its participants, with this analyst as the recipient of its results."""
    from sealane.client.proposals import namesakes
    from sealane.core.clock import system_clock
    from sealane.governance.study import parse_study
    from sealane.sectors.study_check import check_file

    found, _ = check_file(file)
    with _connect() as connection:
        proposed = parse_study(connection.propose(found).study)
        others = [other.hash[:12] for other in namesakes(connection.session.studies(), proposed, system_clock())]
    if others:
        note(f"warning: {proposed.name} is also the name of {', '.join(others)}: say which you mean by its hash")
    names = [party.name for party in proposed.participants]
    document = {"name": proposed.name, "hash": proposed.hash, "participants": names,
                "recipients": [party.name for party in proposed.recipients], "expires": proposed.expires,
                "namesakes": others}
    show(document, lambda: f"proposed {proposed.name}\n" + facts([
        ("hash", proposed.hash), ("participants", ", ".join(sorted(names))), ("expires", proposed.expires),
        ("next", f"each approves with `sealane study approve {proposed.hash[:12]}`; see `sealane study show "
                 f"{proposed.hash[:12] if others else proposed.name}`")]))


@study.command(name="list", examples=("study list", "study list --home ./north --json"))
def list_studies() -> None:
    """List studies: at an analyst all of the coordinator's, at a node those that name it."""
    from sealane.cli.connecting import session
    from sealane.cli.study_view import present_list, summarise

    home, role = _who()
    if role == "node":
        found = call_node("study.list")
    else:
        with session(home) as opened:
            found = [summarise(record) for record in opened.studies()]
    show(found, lambda: present_list(found))


@study.command(name="show", examples=("study show joint-scorecard", "study show 3fa9c2d1 --json"))
@click.argument("study", shell_complete=study_names)
def show_study(study: str) -> None:
    """Show all that is signed in STUDY (its name, or 8 or more digits of its hash), and who has signed."""
    from sealane.cli.connecting import session
    from sealane.cli.study_view import describe, find, find_replaced, present

    home, role = _who()
    if role == "node":
        found = call_node("study.show", study=study)
    else:
        with session(home) as opened:
            record, known = find(opened, study)
            found = describe(record, find_replaced(opened, known))
    show(found, lambda: present(found))


@study.command(examples=("study approve joint-scorecard", "study approve 3fa9c2d1 --dataset loans"))
@click.argument("study", shell_complete=study_names)
@click.option("--dataset", shell_complete=dataset_names,
              help="Dataset to take part with; may be left out where only one is under the study's contract.")
@click.option("--waive-differencing", is_flag=True,
              help="Let sums be opened from which this institution's own contribution follows.")
@own_term_options
def approve(study: str, dataset: str | None, waive_differencing: bool, **own: Any) -> None:
    """Sign STUDY for one version of one dataset of this node. Read it first: `sealane study review`."""
    found = call_node("study.approve", study=study, dataset=dataset, waive_differencing=waive_differencing,
                      own=given(own))
    show(found, f"approved {found['name']} ({found['hash'][:12]}) with dataset {found['dataset']} "
                f"version {found['dataset_version'][:12]}{_narrower(found)}")
    tell_unsent(found)


@study.command(examples=("study refuse joint-scorecard --reason 'not our purpose'",))
@click.argument("study", shell_complete=study_names)
@click.option("--reason", default="", help="For people; every participant sees it.")
def refuse(study: str, reason: str) -> None:
    """Refuse STUDY, or revoke its approval, also in a run under way. It is final: propose again to begin anew."""
    found = call_node("study.refuse", study=study, reason=reason)
    show(found, f"refused {found['name']} ({found['hash'][:12]})")
    tell_unsent(found)


for verb in (review, counter, amend):
    study.add_command(verb)


def _narrower(found: dict[str, Any]) -> str:
    own = ", ".join(f"{name} {value}" for name, value in sorted(found["narrower"].items()))
    return f", under own terms: {own}" if own else ""


def _write_new(path: Path, text: str) -> None:
    from sealane.errors import RefusedError

    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise RefusedError("study.file-exists", f"{path} exists already", hint="name another file") from None


def _who() -> tuple[Path, str]:
    from sealane.rpc.identity import load_identity

    home = settings_of().home_of("analyst", "node")
    return home, load_identity(home).role


def _connect() -> Connection:
    from sealane.cli.connecting import connect

    return connect(settings_of().home_of("analyst"))
