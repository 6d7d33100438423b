"""``sealane coordinator``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.output import amount, facts, note, show
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from sealane.coordinator.home import CoordinatorHome
    from sealane.coordinator.settings import Settings

ROLES = ("node", "analyst", "auditor")


@noun("coordinator", examples=("coordinator init", "coordinator serve", "coordinator invite north",
                               "coordinator invite alice --role analyst", "coordinator status"))
def coordinator() -> None:
    """Make, serve and look after a coordinator: it relays ciphertexts, and opens nothing."""


@coordinator.command(examples=("coordinator init",
                               "coordinator init --listen 0.0.0.0:7443 --advertise seal.example.org"))
@click.option("--listen", default="127.0.0.1:7443", metavar="HOST:PORT", help="Where nodes and analysts connect.")
@click.option("--enrolment", metavar="HOST:PORT", help="Where invitations are redeemed; by default the next port.")
@click.option("--advertise", metavar="HOST", help="The name or address by which others reach it; by default the "
                                                  "host of --listen.")
@click.option("--database", help="URL of a PostgreSQL database; by default a file in the home.")
def init(listen: str, enrolment: str | None, advertise: str | None, database: str | None) -> None:
    """Make a coordinator: its certificate authority, keys, settings and an empty database."""
    from sealane.coordinator.initialise import initialise

    home = settings_of().home_of("coordinator")
    made = initialise(home, _settings(listen, enrolment, advertise, database))
    made.engine.dispose()
    document = {"home": str(home), "fingerprint": made.signing_key.fingerprint,
                "listen": made.settings.listen.model_dump(),
                "advertise": made.settings.advertise.model_dump(include={"main", "enrolment"})}
    show(document, lambda: f"made a coordinator in {home}\n" + facts([
        ("fingerprint", made.signing_key.fingerprint), ("main port", made.settings.listen.main),
        ("enrolment port", made.settings.listen.enrolment), ("next", "`sealane coordinator serve`, then invite")]))


@coordinator.command(examples=("coordinator invite north", "coordinator invite alice --role analyst > alice.txt"))
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="node", help="What the newcomer will be.")
def invite(name: str, role: str) -> None:
    """Print an invitation for NAME: one line with a one-time token, as secret as a password."""
    made = _load()
    invitation = made.invite(name, role)
    hours = made.settings.lifetimes.invitation_hours
    made.engine.dispose()
    if not settings_of().as_json:
        note(f"valid once, for {amount(hours, 'hour')}; send it to {name} by a way that others cannot read")
    show({"name": name, "role": role, "invitation": invitation.to_text(), "valid_hours": hours}, invitation.to_text())


@coordinator.command(examples=("coordinator serve", "coordinator serve --home /var/lib/sealane 2>> coordinator.log"))
def serve() -> int:
    """Serve both ports until SIGTERM or Ctrl-C; prints one line once they are open."""
    from sealane.cli.serving import serve as serve_until_told
    from sealane.coordinator.serve import serving
    from sealane.coordinator.settings import read_settings

    home = settings_of().home_of("coordinator")

    async def ready(served: object) -> tuple[dict[str, object], str]:
        listen = read_settings(home).listen
        return {"serving": listen.main, "enrolment": listen.enrolment}, f"serving {listen.main}"

    return serve_until_told(lambda: serving(home), ready)


@coordinator.command(examples=("coordinator status", "coordinator status --json"))
def status() -> None:
    """Say who is enrolled and connected, and what studies and runs there are."""
    from sealane.cli.coordinator_status import describe, present

    made = _load()
    document = describe(made)
    made.engine.dispose()
    show(document, lambda: present(document))


@coordinator.command(examples=("coordinator quarantine north",))
@click.argument("name")
def quarantine(name: str) -> None:
    """Refuse a party's calls until it is reinstated."""
    _move(name, "quarantine")


@coordinator.command(examples=("coordinator reinstate north",))
@click.argument("name")
def reinstate(name: str) -> None:
    """End a party's quarantine."""
    _move(name, "reinstate")


@coordinator.command(examples=("coordinator remove north",))
@click.argument("name")
def remove(name: str) -> None:
    """Refuse a party's calls for good; its name may be invited again."""
    _move(name, "remove")


def _move(name: str, verb: str) -> None:
    from sealane.coordinator.store import Store

    made = _load()
    party = getattr(made.registry, verb)(name)
    Store(made.engine, made.clock).add_event(f"party.{party.status}", party.name, party.fingerprint)
    made.engine.dispose()
    document: dict[str, Any] = {"name": party.name, "role": party.role, "fingerprint": party.fingerprint,
                                "status": party.status}
    show(document, f"{party.role} {party.name} is {party.status}")


def _load() -> CoordinatorHome:
    from sealane.coordinator.home import load_coordinator

    return load_coordinator(settings_of().home_of("coordinator"))


def _settings(listen: str, enrolment: str | None, advertise: str | None, database: str | None) -> Settings:
    from sealane.coordinator.settings import EVERY_ADDRESS, Advertise, Listen, Settings, check_ports
    from sealane.errors import InputError
    from sealane.rpc.invitation import check_address

    host, _, port = check_address(listen).rpartition(":")
    second = check_address(enrolment if enrolment is not None else f"{host}:{int(port) + 1}")
    check_ports(listen, second)
    if advertise is None and host in EVERY_ADDRESS:
        raise InputError("settings.advertise-missing", "it listens on every address, and none is named for others",
                         got=f"--listen {listen}", expected="--advertise HOST",
                         hint="name the host as nodes will reach it; the server certificate is made for it")
    name = advertise or host
    reached = Advertise(main=check_address(f"{name}:{port}"),
                        enrolment=check_address(f"{name}:{second.rpartition(':')[2]}"))
    settings = Settings(listen=Listen(main=listen, enrolment=second), advertise=reached)
    return settings if database is None else settings.model_copy(update={"database": database})
