"""``settings.toml`` in the coordinator's home: where it listens, what it is called, how long it waits."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sealane.errors import InputError
from sealane.governance.study import OPEN_PER_PROPOSER
from sealane.rpc.invitation import check_address
from sealane.rpc.settings_file import parse_settings

FILE = "settings.toml"
EVERY_ADDRESS = frozenset({"0.0.0.0", "[::]", "::"})  # noqa: S104 - compared, not bound
_HOST = r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})$"


def _address(text: str) -> str:
    try:
        return check_address(text)
    except InputError as error:
        raise ValueError(error.message) from None


def check_ports(main: str, enrolment: str) -> None:
    """Refuse one port for both listeners.

    Raises:
        InputError: they would want the same.
    """
    hosts = {address.rpartition(":")[0] for address in (main, enrolment)}
    if main.rpartition(":")[2] == enrolment.rpartition(":")[2] and (len(hosts) == 1 or hosts & EVERY_ADDRESS):
        raise InputError("settings.one-port", "both listeners are given one port",
                         got=f"{main} for nodes, {enrolment} for enrolment", expected="two ports",
                         hint="give enrolment a port of its own; by default it is the next one")


Address = Annotated[str, AfterValidator(_address)]
Host = Annotated[str, Field(pattern=_HOST)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Section):
    """Where the two ports are opened."""

    main: Address = "127.0.0.1:7443"
    enrolment: Address = "127.0.0.1:7444"

    @model_validator(mode="after")
    def _two_ports(self) -> Listen:
        try:
            check_ports(self.main, self.enrolment)
        except InputError as error:
            raise ValueError(f"{error.message}; give enrolment one of its own") from None
        return self


class Advertise(_Section):
    """Where others reach them: what invitations say, and what the server certificate is for."""

    main: Address = "127.0.0.1:7443"
    enrolment: Address = "127.0.0.1:7444"
    hosts: list[Host] = Field(default_factory=list, max_length=32)


class Lifetimes(_Section):
    """How long things are good for."""

    certificate_days: int = Field(default=90, ge=1, le=825)
    invitation_hours: int = Field(default=24, ge=1, le=24 * 14)


class Deadlines(_Section):
    """How long a run waits in vain, in seconds: for a node that is away, and for one that is there but silent."""

    absent_seconds: float = Field(default=600.0, gt=0, le=30 * 86400)
    silent_seconds: float = Field(default=3600.0, gt=0, le=30 * 86400)


class Studies(_Section):
    """How many studies of one proposer are kept that have not expired and were never run."""

    open_per_proposer: int = Field(default=OPEN_PER_PROPOSER, ge=1, le=100_000)


class Settings(_Section):
    """All of ``settings.toml``."""

    listen: Listen = Listen()
    advertise: Advertise = Advertise()
    lifetimes: Lifetimes = Lifetimes()
    deadlines: Deadlines = Deadlines()
    studies: Studies = Studies()
    database: str = Field(default="coordinator.sqlite", min_length=1, max_length=1024)

    @property
    def certificate_life(self) -> timedelta:
        """Life of a leaf certificate."""
        return timedelta(days=self.lifetimes.certificate_days)

    @property
    def invitation_life(self) -> timedelta:
        """Life of a one-time token."""
        return timedelta(hours=self.lifetimes.invitation_hours)

    def database_in(self, home: Path) -> str | Path:
        """Return the database's URL, or its file in a home."""
        return self.database if "://" in self.database else home / self.database

    def server_hosts(self) -> list[str]:
        """Return the names and addresses that the server certificate is for: loopback, advertised, and given ones."""
        advertised = [address.rpartition(":")[0].strip("[]") for address in (self.advertise.main,
                                                                              self.advertise.enrolment)]
        return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *advertised, *self.advertise.hosts]))

    def to_toml(self) -> str:
        """Return the file's text."""
        lines = [f"database = {json.dumps(self.database)}  # a file beside this one, or postgresql+psycopg://…"]
        for name, section in self:
            if isinstance(section, BaseModel):
                lines += ["", f"[{name}]"]
                lines += [f"{key} = {json.dumps(value)}" for key, value in section]
        return "\n".join(lines) + "\n"


def read_settings(home: Path) -> Settings:
    """Read the settings of a coordinator's home.

    Raises:
        InputError: missing, not TOML, an unknown field, or a value out of range.
    """
    path = home / FILE
    try:
        with path.open("rb") as file:
            return parse_settings(path, file, Settings)
    except OSError as error:
        raise InputError("settings.missing", f"{path} cannot be read", got=error.strerror,
                         hint="run `sealane coordinator init`, or name another --home") from error
