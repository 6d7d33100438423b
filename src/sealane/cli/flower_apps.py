"""``sealane flower check``, ``install``, ``installed`` and ``uninstall``: apps for studies, and at a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.output import note, show, table
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from sealane.node.apps import App, Apps


@click.command(cls=SealaneCommand, examples=("flower check ./my-app", "flower check ./my-app --server north"))
@click.argument("app", type=click.Path(path_type=Path))
@click.option("--server", default="", help="Participant whose node is to run the app's server half.")
def check(app: Path, server: str) -> None:
    """Say an app's name and the hash of its code, as lines for a study file.

    A study over an app says scheme = "none": the server half sees each institution's messages by themselves.
    """
    from sealane.computations.flower_app.project import read_project

    project = read_project(app)
    code = project.code_hash()
    config = ", ".join(f"{_key(key)} = {_value(value)}" for key, value in sorted(project.config.items()))
    text = f"""\
computation = "flower.app"
scheme = "none"          # the server half sees each institution's messages by themselves

[parameters]
app = "{project.name}"
code = "{code}"
server = "{server}"
run_config = {{ {config} }}
# columns = []           # of the data contract, handed to the ClientApp as the file node_config["data-path"]
"""
    show({"app": project.name, "version": project.version, "code": code, "config": dict(project.config),
          "study": text}, text.rstrip("\n"))
    note(f"every node of such a study installs it: sealane flower install {app}")


@click.command(cls=SealaneCommand, examples=("flower install ./my-app", "flower install ./my-app --home ./north"))
@click.argument("app", type=click.Path(path_type=Path))
def install(app: Path) -> None:
    """Install the Python and TOML files of an app's directory at this node. Look at them first: they run on your rows.

    A study names the app by the hash that is printed. Changed files are another app: install them anew.
    """
    added = _apps().add(app)
    show(_document(added), f"installed {added.name} {added.version}, code {added.code}")


@click.command(cls=SealaneCommand, examples=("flower installed", "flower installed --json"))
def installed() -> None:
    """List the apps that are installed at this node, with the hashes of their code."""
    found = _apps().all()
    show([_document(one) for one in found],
         lambda: table(("app", "version", "code"), ((one.name, one.version, one.code) for one in found),
                       empty="no app is installed"))


@click.command(cls=SealaneCommand, examples=("flower uninstall my-app", "flower uninstall b781fccd"))
@click.argument("app")
def uninstall(app: str) -> None:
    """Remove an app from this node, by its name or hash. Runs of studies that name it are refused from then on."""
    gone = _apps().remove(app)
    show(_document(gone), f"removed {gone.name} {gone.version}")


COMMANDS = (check, install, installed, uninstall)


def _apps() -> Apps:
    from sealane.node.home import open_home

    home = open_home(settings_of().home_of("node"))
    home.close()
    return home.apps


def _document(app: App) -> dict[str, Any]:
    return {"app": app.name, "version": app.version, "code": app.code}


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() else f'"{key}"'


def _value(value: bool | int | float | str) -> str:
    import json

    return json.dumps(value)  # the same as in TOML, for these kinds
