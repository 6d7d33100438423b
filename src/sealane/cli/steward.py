"""``sealane steward``: who decides over a node's data and studies."""

from __future__ import annotations

from typing import Any

import click

from sealane.cli.groups import noun
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, show, table
from sealane.cli.settings import settings_of


@noun("steward", examples=("steward init wei", "steward appoint wei 5kq2…", "steward list"))
def steward() -> None:
    """Make a data steward's key, and appoint stewards at a node.

    Once a node has a steward, registering data, verifying peers and approving, refusing or revoking studies take a
    request signed by a steward's key: set SEALANE_STEWARD_HOME to the steward's home. The operator still runs the node.
    """


@steward.command(examples=("steward init wei", "steward init wei --home /home/wei/.sealane/steward"))
@click.argument("name")
def init(name: str) -> None:
    """Make the key of the steward NAME in a home of its own, and print its fingerprint."""
    from sealane.node.stewardship import make_steward

    home = settings_of().home_of("steward")
    made = make_steward(home, name)
    document: dict[str, Any] = {"name": name, "fingerprint": made.key.fingerprint, "home": str(home)}
    show(document, lambda: facts([
        ("steward", name), ("fingerprint", made.key.fingerprint), ("home", home),
        ("next", f"at the node: `sealane steward appoint {name} {made.key.fingerprint}`")]))


@steward.command(name="show", examples=("steward show", "steward show --json"))
def show_own() -> None:
    """Show the name and fingerprint of the steward of this home."""
    from sealane.node.stewardship import load_steward

    own = load_steward(settings_of().home_of("steward"))
    show({"name": own.name, "fingerprint": own.key.fingerprint},
         lambda: facts([("steward", own.name), ("fingerprint", own.key.fingerprint)]))


@steward.command(name="list", examples=("steward list", "steward list --home /var/lib/sealane --json"))
def list_stewards() -> None:
    """List the stewards of a node."""
    found = call_node("steward.list")
    show(found, lambda: table(("name", "appointed", "fingerprint"), (
        (s["name"], s["appointed_at"], s["fingerprint"]) for s in found),
        empty="nobody is appointed: the node's operator decides over data and studies"))


@steward.command(examples=("steward appoint wei 5kq2…",))
@click.argument("name")
@click.argument("fingerprint")
def appoint(name: str, fingerprint: str) -> None:
    """Appoint NAME by its FINGERPRINT: the first by the operator, every further one by a steward."""
    found = call_node("steward.appoint", name=name, fingerprint=fingerprint)
    show(found, f"{name} is a steward of this node")


@steward.command(examples=("steward dismiss wei",))
@click.argument("name")
def dismiss(name: str) -> None:
    """Dismiss NAME; never the last steward."""
    show(call_node("steward.dismiss", name=name), f"{name} is no steward of this node any more")
