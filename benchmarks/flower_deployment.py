"""Flower's own deployment, started from here: a SuperLink and SuperNodes without TLS and telemetry, in its Python."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from processes import await_port, stop
from sealane.cli.local_federation import free_ports

LIMIT = 900.0


class PeerError(Exception):
    """A peer is missing or has failed; says which command would help, or what it wrote last."""


@contextmanager
def flower_deployment(python: str, root: Path, configs: Sequence[str]) -> Iterator[dict[str, str]]:
    """Give the environment in which ``flwr run APP bench`` reaches a SuperLink with a SuperNode for each configuration.

    Raises:
        PeerError: they did not meet within two minutes.
    """
    link, *nodes = free_ports(len(configs) + 1)
    environment = environment_of(python, root) | {"FLWR_HOME": str(root / "flwr"), "FLWR_TELEMETRY_ENABLED": "0"}
    (root / "flwr").mkdir()
    (root / "flwr" / "config.toml").write_text(
        f'[superlink]\ndefault = "bench"\n[superlink.bench]\naddress = "{link}"\ninsecure = true\n')
    log = root / "superlink.log"
    began = time.time()
    with ExitStack() as stack:

        def start(name: str, command: Sequence[str], address: str) -> None:
            host, _, port = address.rpartition(":")
            with (root / f"{name}.log").open("wb") as file:
                process = subprocess.Popen([*command, "--insecure", "--host", host, "--port", port], env=environment,
                                           stdout=file, stderr=subprocess.STDOUT)
            stack.callback(stop, [process])

        start("superlink", ["flower-superlink", "--disable-runtime-dependency-installation"], link)
        await_port(link)
        for k, (address, config) in enumerate(zip(nodes, configs, strict=True)):
            start(f"node{k}", ["flower-supernode", "--superlink", link, "--node-config", config], address)
        while log.read_text().count("Activated node_id") < len(configs):
            if time.time() > began + 120:
                raise PeerError(f"the SuperNodes did not come up: {last_lines(log.read_text())}")
            time.sleep(0.2)
        yield environment


def run_app(app: Path, environment: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """Run an app over the deployment, and return what it printed."""
    return run(["flwr", "run", str(app), "bench", "--stream", "--run-config",
                " ".join(f"{name}={json.dumps(value)}" for name, value in settings.items())], environment)


def environment_of(python: str, root: Path) -> dict[str, str]:
    """Return an environment whose commands are that Python's, and whose home is thrown away."""
    return os.environ | {"PATH": f"{Path(python).parent}:{os.environ['PATH']}", "HOME": str(root)}


def run(command: Sequence[str], environment: Mapping[str, Any]) -> str:
    """Run a command and return what it printed.

    Raises:
        PeerError: it failed, or took too long.
    """
    try:
        done = subprocess.run(command, env=os.environ | dict(environment), capture_output=True, text=True,
                              timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"took longer than {LIMIT:.0f} s: {' '.join(command[:3])}") from error
    if done.returncode:
        raise PeerError(last_lines(done.stdout + done.stderr))
    return done.stdout


def last_lines(text: str) -> str:
    """Return the end of what a peer printed, in one line."""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:])
