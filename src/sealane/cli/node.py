"""``sealane node``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealane.cli.enrolling import enrol_command
from sealane.cli.groups import noun
from sealane.cli.names import peer_names
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, note, show, table
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from sealane.node.agent import Agent


@noun("node", examples=("node enrol - < invitation.txt", "node serve", "node peers", "node trust south FINGERPRINT"))
def node() -> None:
    """Enrol and serve an institution's node: it holds the data and has the last word on what is done with it."""


node.add_command(enrol_command("node"))


@node.command(examples=("node serve", "node serve --home /var/lib/sealane 2>> node.log",
                        "node serve --sandbox require"))
@click.option("--backend", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where the arithmetic of the scheme rlwe runs; auto takes a GPU where there is one.")
@click.option("--sandbox", type=click.Choice(["auto", "require", "off"]),
              help="Lock computations in with what the host offers, with all of it or not serve, or not at all "
                   "(default: as settings.toml says; auto where it says nothing).")
def serve(backend: str, sandbox: str | None) -> int:
    """Serve until SIGTERM or Ctrl-C; prints one line once the coordinator is reached. Outbound connections only."""
    from sealane.cli.serving import serve as serve_until_told
    from sealane.node.serve import serving

    home = settings_of().home_of("node")

    async def ready(agent: Agent) -> tuple[dict[str, object], str]:
        await agent.reached.wait()
        identity = agent.home.identity()
        address = identity.coordinator_address
        return {"serving": address, "name": identity.name}, f"serving {identity.name}, connected to {address}"

    return serve_until_told(lambda: serving(home, backend=backend, sandbox=sandbox), ready)


@node.command(examples=("node status", "node status --json"))
def status() -> None:
    """Say who this node is, whether it serves and is connected, and what waits for a decision."""
    found = call_node("status")
    problem = found["problem"]
    studies, held = found["studies"], found["quarantined"]
    state = "connected" if found["connected"] else "serving, not connected" if found["serving"] else "not serving"
    show(found, lambda: facts([
        ("node", found["name"]), ("fingerprint", found["fingerprint"]), ("home", found["home"]),
        ("coordinator", found["coordinator"]), ("state", state),
        ("quarantine", None if held is None else f"refuses everything: {held or 'no reason given'}"),
        ("problem", f"{problem['message']} [{problem['code']}]" if problem else None),
        ("hint", problem["hint"] if problem else None),
        ("runs", ", ".join(found["runs"]) or "none under way"), ("datasets", found["datasets"]),
        ("stewards", ", ".join(found["stewards"]) or "none appointed: the operator decides"),
        ("peers", f"{found['peers']} verified"),
        ("studies", f"{studies['waiting']} waiting for a decision, {studies['approved']} approved, "
                    f"{studies['refused']} refused"),
        ("certificate", f"to {found['certificate']['to']}, renewed by itself while the node serves"),
    ]))


@node.command(examples=("node peers", "node peers --json"))
def peers() -> None:
    """List the other parties: as the coordinator names them, and which were verified out of band."""
    from sealane.cli.peers import known_peers

    found = known_peers(settings_of().home_of("node"))
    words = {True: "yes", False: "no", None: "-"}
    show(found, lambda: table(("name", "role", "trust", "connected", "fingerprint"), (
        (p["name"], p["role"] or "?", p["trust"], words[p["connected"]], p["fingerprint"]) for p in found),
        empty="no other party is known"))
    if any(p["trust"] == "differs" for p in found):
        note("hint: where trust differs, somebody may be impersonating that party: ask them, not the coordinator")


@node.command(examples=("node trust south 5kq2…", "node trust south --forget"))
@click.argument("name", shell_complete=peer_names)
@click.argument("fingerprint", required=False)
@click.option("--forget", is_flag=True, help="Forget the fingerprint instead.")
def trust(name: str, fingerprint: str | None, forget: bool) -> None:
    """Remember a peer's FINGERPRINT as verified: read it over the telephone, do not copy it from `node peers`."""
    if forget == (fingerprint is not None):
        raise click.UsageError("Give a FINGERPRINT or --forget.")
    if forget:
        show(call_node("distrust", name=name), f"{name} is unverified")
        return
    found = call_node("trust", name=name, fingerprint=fingerprint)
    if found["trust"] == "differs":
        note(f"warning: the coordinator names another key for {name}: {found['coordinator_says']}")
    show(found, f"{name} is verified as {found['fingerprint']}")


@node.command(examples=("node jurisdiction CN", "node jurisdiction"))
@click.argument("code", required=False)
def jurisdiction(code: str | None) -> None:
    """Set whose law this institution is under, an ISO 3166-1 alpha-2 CODE, or say which is set.

    Parties of a study in another jurisdiction, or in none that is stated, then need a filing.
    """
    found = call_node("jurisdiction", code=code)
    show(found, found["jurisdiction"] or "none is set")


@node.command(examples=("node quarantine --reason 'suspected break-in'", "node quarantine --lift"))
@click.option("--lift", is_flag=True, help="End the quarantine.")
@click.option("--reason", default="", help="Why; peers whose runs end see it.")
def quarantine(lift: bool, reason: str) -> None:
    """Refuse everything at once: runs under way end, new ones are refused, also after a restart, until it is lifted."""
    found = call_node("quarantine.lift") if lift else call_node("quarantine", reason=reason)
    if lift:
        show(found, "the quarantine is lifted" if found["changed"] else "the node was in no quarantine")
        return
    stopped = f", and stopped {', '.join(found['stopped'])}" if found["stopped"] else ""
    show(found, ("in quarantine" if found["changed"] else "in quarantine already") + stopped)


@node.command(examples=("node backup node.backup", "node backup node.backup --passphrase-file /run/secrets/backup"))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--passphrase-file", type=click.Path(dir_okay=False, path_type=Path),
              help="Read the passphrase from a file's first line (or SEALANE_PASSPHRASE; asked for otherwise).")
def backup(out: Path, passphrase_file: Path | None) -> None:
    """Write an encrypted copy of keys, settings and register to OUT. Keys of single runs are never in it."""
    from sealane.cli.passphrase import read_passphrase
    from sealane.node.database import snapshot
    from sealane.node.home import LEDGER, open_home
    from sealane.rpc.backup import backup as write_backup

    home = settings_of().home_of("node")
    open_home(home).close()
    size = write_backup(home, read_passphrase(passphrase_file, confirm=True), out,
                        snapshots={"node.sqlite": snapshot, LEDGER: snapshot})
    show({"backup": str(out), "bytes": size}, f"wrote {out}, {size:,} bytes")


@node.command(examples=("node restore node.backup --home /var/lib/sealane",))
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--passphrase-file", type=click.Path(dir_okay=False, path_type=Path),
              help="Read the passphrase from a file's first line (or SEALANE_PASSPHRASE; asked for otherwise).")
def restore(source: Path, passphrase_file: Path | None) -> None:
    """Restore a backup into a home that is missing or empty. Let no node serve from the old home beside it."""
    from sealane.cli.passphrase import read_passphrase
    from sealane.rpc.backup import restore as read_backup

    home = settings_of().home_of("node")
    files = read_backup(source, read_passphrase(passphrase_file, confirm=False), home)
    show({"home": str(home), "files": files}, f"restored {len(files)} files into {home}")
