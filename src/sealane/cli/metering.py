"""``sealane metering``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, note, show, table
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from sealane.governance.statement import Settlement, SignedStatement

FILE = click.Path(dir_okay=False, path_type=Path)


@noun("metering", examples=(
    "metering show --study joint-scorecard",
    "metering statement --study joint-scorecard --from 2027-01-01 --to 2027-02-01 --output s.json",
    "metering countersign s.json", "metering verify s.json"))
def metering() -> None:
    """Show what runs used, and settle it in statements that both sides sign."""


@metering.command(name="show", examples=("metering show", "metering show --study joint-scorecard --json",
                                         "metering show --run r-abc"))
@click.option("--study", help="Only runs of this study, by name or hash.")
@click.option("--run", "run_id", help="Only runs whose ids begin so.")
def show_metering(study: str | None, run_id: str | None) -> None:
    """Show what runs used: at a node its own record, at an analyst or auditor what the coordinator saw.

    The coordinator sees rounds and bytes of every node. Rows, processor time and epsilon are known to each node alone.
    """
    from sealane.rpc.identity import load_identity

    home = settings_of().home_of("node", "analyst", "auditor")
    if load_identity(home).role != "node":
        _show_seen(home, study, run_id)
        return
    found = call_node("metering.show", study=study, run=run_id)
    show(found, lambda: "\n".join([table(
        ("run", "ended", "dataset", "rows", "rounds", "bytes", "cpu s", "wall s", "epsilon", "outcome"),
        ([*(_row(e)), e["outcome"]] for e in found["events"]), empty="no run was metered"), _sum(found["totals"])]))


@metering.command(examples=(
    "metering statement --study scorecard --from 2027-01-01 --to 2027-02-01 --output s.json",
    "metering statement --study scorecard --from 2027-01-01 --to 2027-02-01 --tariff tariff.toml --output s.json"))
@click.option("--study", required=True, help="Study to settle, by name or hash.")
@click.option("--from", "since", required=True, metavar="MOMENT", help="Begin of the period: a day or moment in UTC.")
@click.option("--to", "until", required=True, metavar="MOMENT", help="End of the period, itself left out.")
@click.option("--tariff", type=FILE,
              help="TOML file with currency and prices, where this node's agreement to the study has no tariff.")
@click.option("--recipient", help="Which of the study's recipients the statement is for, where there are several.")
@click.option("--output", type=FILE, required=True, help="File to write: a DSSE envelope, signed by this node.")
@click.option("--csv", type=FILE, help="Also write the events as CSV, for people; it is not signed.")
def statement(study: str, since: str, until: str, tariff: Path | None, recipient: str | None, output: Path,
              csv: Path | None) -> None:
    """Make a node's settlement statement over a period, signed by the node, by the tariff of its agreement.

    It tells the recipient each run's figures, rows among them in whole multiples of the study's minimum count.
    """
    from sealane.cli.statement_view import present, write_csv
    from sealane.errors import RefusedError
    from sealane.governance.tariff import read_tariff

    if output.exists():
        raise RefusedError("output.exists", "the output is there already and is not overwritten", got=str(output),
                           expected="a new file: an earlier statement may carry its recipient's signature",
                           hint="name another file, or remove it")
    prices = None if tariff is None else read_tariff(tariff.read_bytes()).model_dump()
    found = call_node("metering.statement", study=study, since=since, until=until, recipient=recipient,
                      tariff=prices)
    output.write_text(found["file"], encoding="ascii")
    if csv is not None:
        write_csv(csv, found["statement"])
    show({"output": str(output), "statement": found["statement"]},
         lambda: f"{present(found['statement'])}\n\nwrote {output}")


@metering.command(examples=("metering countersign s.json", "metering countersign s.json --output both.json"))
@click.argument("file", type=FILE)
@click.option("--output", type=FILE, help="Where to write it; by default FILE is replaced.")
@click.option("--compare", is_flag=True, help="First hold completed runs against what the coordinator saw of them.")
def countersign(file: Path, output: Path | None, compare: bool) -> None:
    """Sign FILE as its recipient, once figures, the node's key and signature, and the tariff it agreed to hold.

    The node's agreement is asked for at the coordinator; its signature is the node's own.
    """
    from sealane.cli.statement_view import present
    from sealane.governance.statement import countersign as sign
    from sealane.governance.statement import verify_statement, write_statement
    from sealane.rpc.identity import load_identity

    home = settings_of().home_of("analyst")
    signed = _read(file)
    settlement = verify_statement(signed)
    words = _check_keys(home, settlement, demand=True)
    both = sign(load_identity(home).signing_key, signed)
    _compare_with_agreed(home, settlement)
    if compare:
        _compare_with_seen(home, settlement)
    (output or file).write_bytes(write_statement(both))
    show({"output": str(output or file), "keys": words, "statement": settlement.model_dump(mode="json")},
         lambda: f"{present(settlement.model_dump(mode='json'))}\n\ncountersigned {output or file}")


@metering.command(examples=("metering verify s.json", "metering verify s.json --both --json"))
@click.argument("file", type=FILE)
@click.option("--both", is_flag=True, help="Demand the recipient's signature too.")
def verify(file: Path, both: bool) -> None:
    """Check FILE offline: every figure against its events, then every signature; name what does not fit.

    In a home, its keys are compared with those known there; at the node, its events with what was metered.
    """
    from sealane.cli.statement_view import present
    from sealane.governance.statement import verify_statement

    signed = _read(file)
    settlement = verify_statement(signed, both=both)
    home = settings_of().home_of("analyst", "node", "auditor")
    words = _check_keys(home, settlement, demand=False)
    signers = {settlement.node.fingerprint: settlement.node, settlement.recipient.fingerprint: settlement.recipient}
    names = [signers[keyid].name for keyid, _ in signed.signatures]
    show({"signed_by": names, "keys": words, "statement": settlement.model_dump(mode="json")}, lambda: "\n".join([
        present(settlement.model_dump(mode="json")), "", facts(
            [("signed by", ", ".join(f"{signers[k].name} {k}" for k, _ in signed.signatures)),
             *((f"key of {name}", word) for name, word in words.items())])]))
    if len(names) < 2:
        note("hint: the recipient has not signed: `sealane metering countersign FILE` at the recipient")


def _check_keys(home: Path, settlement: Settlement, *, demand: bool) -> dict[str, str]:
    """Say of both sides whether their keys are the ones known in a home; refuse one that differs."""
    from sealane.cli.known_keys import known_keys
    from sealane.errors import ProtocolError, RefusedError
    from sealane.rpc.identity import load_identity

    if not (home / "identity").is_dir():
        return {side.name: "not compared: there is no home here" for side in (settlement.node, settlement.recipient)}
    identity = load_identity(home)
    known = {**known_keys(home, identity.role), identity.name: (identity.fingerprint, True)}
    words = {}
    for side in (settlement.node, settlement.recipient):
        fingerprint, verified = known.get(side.name, (None, False))
        if fingerprint not in (None, side.fingerprint):
            raise ProtocolError("settlement.key-differs", f"another key than the statement's is known for {side.name}",
                                got=side.fingerprint, expected=fingerprint,
                                hint=f"somebody may pose as {side.name}: ask them, not the sender of the file")
        words[side.name] = "unknown" if fingerprint is None else "verified" if verified else "seen"
    if demand and words[settlement.node.name] == "unknown":
        raise RefusedError("settlement.unknown-node", "no key of the statement's node is known here",
                           got=settlement.node.name,
                           hint="compare it by telephone, then `sealane analyst trust NODE FINGERPRINT`")
    if identity.fingerprint == settlement.node.fingerprint:
        _compare_with_own(settlement)
    return words


def _compare_with_own(settlement: Settlement) -> None:
    """At the node: name the first event that it did not meter so."""
    from sealane.errors import RefusedError

    kept = {event["run"]: event for event in call_node("metering.show", study=settlement.study)["events"]}
    for event in settlement.events:
        if kept.get(event.run) != event.model_dump(mode="json"):
            raise RefusedError("settlement.not-what-was-metered", "the statement lists what this node did not meter",
                               got=event.run, hint="compare with `sealane metering show`")


def _compare_with_agreed(home: Path, settlement: Settlement) -> None:
    """At the recipient: see that the tariff is the one that the node signed, or that it signed none."""
    from sealane.cli.connecting import session
    from sealane.cli.study_view import find
    from sealane.governance.agreed_tariff import check_tariff

    with session(home) as opened:
        record, study = find(opened, settlement.study)
    check_tariff(settlement, study, record.statements)


def _compare_with_seen(home: Path, settlement: Settlement) -> None:
    """At the recipient: name the first completed run that the coordinator did not see so."""
    from sealane.cli.connecting import session
    from sealane.errors import RefusedError
    from sealane.governance.metering import charged

    with session(home) as opened:
        seen = {status.run_id: status for status in opened.runs() if status.study_hash == settlement.study}
    for event in charged(settlement.events):
        status = seen.get(event.run)
        if status is None or (status.state, status.exchanges) != ("COMPLETED", event.rounds):
            right = "no such run" if status is None else f"{status.state}, {status.exchanges} rounds"
            raise RefusedError("settlement.not-what-was-seen", "the coordinator saw a run otherwise than the statement",
                               got=f"{event.run}, completed in {event.rounds} rounds", expected=right,
                               hint="ask the node; `sealane metering show` is what the coordinator saw")


def _show_seen(home: Path, study: str | None, run_id: str | None) -> None:
    from sealane.cli.connecting import session
    from sealane.cli.study_view import find

    with session(home) as opened:
        wanted = None if study is None else find(opened, study)[1].hash
        runs = [status for status in opened.runs()
                if status.run_id.startswith(run_id or "") and wanted in (None, status.study_hash)]
    seen = [{"run": s.run_id, "study": s.study_hash, "state": s.state, "node": node, "rounds": s.exchanges,
             "bytes_sent": count, "elapsed_s": s.elapsed_s}
            for s in reversed(runs) for node, count in sorted(s.bytes_sent.items())]
    show({"seen_by": "coordinator", "runs": seen, "totals": {"bytes_sent": sum(s["bytes_sent"] for s in seen)}},
         lambda: table(("run", "state", "node", "rounds", "bytes", "seconds"), (
             (s["run"], s["state"], s["node"], s["rounds"], f"{s['bytes_sent']:,}", f"{s['elapsed_s']:.1f}")
             for s in seen), empty="no run was seen"))


def _row(event: dict[str, Any]) -> list[object]:
    return [event["run"], event["ended_at"], event["dataset"] or "-", f"{event['rows']:,}", event["rounds"],
            f"{event['bytes_sent']:,}", f"{event['cpu_us'] / 1e6:.3f}", f"{event['wall_us'] / 1e6:.3f}",
            event["epsilon"] or "-"]


def _sum(totals: dict[str, Any]) -> str:
    return facts([("runs", totals["runs"]), ("rows", f"{totals['rows']:,}"), ("rounds", totals["rounds"]),
                  ("bytes", f"{totals['bytes_sent']:,}"), ("cpu s", f"{totals['cpu_us'] / 1e6:.3f}"),
                  ("wall s", f"{totals['wall_us'] / 1e6:.3f}"), ("epsilon", totals["epsilon"])])


def _read(file: Path) -> SignedStatement:
    from sealane.governance.statement import read_statement

    return read_statement(file.read_bytes())
