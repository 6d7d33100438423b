"""``settings.toml`` in the coordinator's home: where it listens, what it is called, how long it waits."""

from __future__ import annotations

import difflib
import json
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sealane.errors import InputError
from sealane.rpc.invitation import check_address

FILE = "settings.toml"
MAX_BYTES = 64 << 10
_HOST = r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})$"


def _address(text: str) -> str:
    try:
        return check_address(text)
    except InputError as error:
        raise ValueError(error.message) from None


Address = Annotated[str, AfterValidator(_address)]
Host = Annotated[str, Field(pattern=_HOST)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Section):
    """Where the two ports are opened."""

    main: Address = "127.0.0.1:7443"
    enrolment: Address = "127.0.0.1:7444"


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


class Settings(_Section):
    """All of ``settings.toml``."""

    listen: Listen = Listen()
    advertise: Advertise = Advertise()
    lifetimes: Lifetimes = Lifetimes()
    deadlines: Deadlines = Deadlines()
    database: str = Field(default="coordinator.sqlite", min_length=1, max_length=1024)

    @property
    def certificate_life(self) -> timedelta:
        """Life of a leaf certificate."""
        return timedelta(days=self.lifetimes.certificate_days)

    @property
    def invitation_life(self) -> timedelta:
        """Life of a one-time token."""
        return timedelta(hours=self.lifetimes.invitation_hours)

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
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError("settings.too-large", f"{path} is too large", expected=f"at most {MAX_BYTES} bytes")
        return Settings.model_validate(tomllib.loads(data.decode("utf-8")))
    except OSError as error:
        raise InputError("settings.missing", f"{path} cannot be read", got=error.strerror,
                         hint="run `sealane coordinator init`, or name another --home") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("settings.not-toml", f"{path} is not TOML", got=error) from None
    except ValidationError as error:
        raise _explain(path, error) from None


def _explain(path: Path, error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        section = Settings.model_fields.get(str(first["loc"][0])) if len(first["loc"]) > 1 else None
        model = section.annotation if section is not None else Settings
        known = list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
        near = difflib.get_close_matches(str(first["loc"][-1]), known, 3, 0.5)
        return InputError("settings.unknown-field", f"{path} has an unknown field", got=field,
                          expected=", ".join(known), hint=f"did you mean {' or '.join(near)}?" if near else "remove it")
    return InputError("settings.malformed", f"{path}: {field} is wrong", got=repr(first["input"])[:80],
                      expected=first["msg"])
