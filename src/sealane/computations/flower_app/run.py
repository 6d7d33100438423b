"""``flower.app``: a Flower app, unchanged, over the nodes of a study whose participants signed that nothing is hidden.

Every node runs its client half; the node of the participant that the study names runs the server half beside its own.
Their messages travel as letters, sealed from node to node. A batch of the server half is two exchanges: messages out,
replies back.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.flower_app.batch import Over, read, too_large, write_messages, write_over
from sealane.computations.flower_app.bundle import read_bundle
from sealane.computations.flower_app.half import ClientHalf, Seat
from sealane.computations.flower_app.importing import offer_for_import
from sealane.computations.flower_app.library import Flower, load
from sealane.computations.flower_app.parameters import FlowerParameters
from sealane.computations.flower_app.project import Project, Value, project_of
from sealane.computations.flower_app.released import payload_of, read_payload, write_payload
from sealane.computations.flower_app.result import FlowerResult
from sealane.computations.flower_app.server_half import ServerHalf, out_of_time
from sealane.computations.flower_app.table import DATA_PATH, table_at, write_table
from sealane.errors import InputError, ProtocolError, RefusedError

FIRST = 101
"""Id of the first node in messages, as ``sealane flower run`` has it."""
LATE = ("flwr.app", "flwr.clientapp", "flwr.serverapp", "flwr.serverapp.strategy")


@dataclass(frozen=True, slots=True)
class FlowerApp:
    """A Flower app.

    Attributes:
        bundle: the app's code, as this node keeps it.
        table: path of a file with the columns that the app may read, where somebody made one; empty otherwise.
    """

    bundle: bytes = field(default=b"", repr=False)
    table: str = ""

    outputs = ("arrays", "metrics")
    late = LATE
    opens = "nothing is summed: the app's server half, at one institution, sees each one's updates and metrics"

    @property
    def name(self) -> str:
        """Return ``flower.app``."""
        return "flower.app"

    @property
    def parameters(self) -> type[FlowerParameters]:
        """Return the model of its parameters."""
        return FlowerParameters

    def columns(self, params: FlowerParameters) -> list[str]:
        """Return the columns that the app is given."""
        return list(params.columns)

    def installed(self, params: FlowerParameters) -> str:
        """Return the hash of the code that must be installed at the node beside this computation."""
        return params.code

    def with_bundle(self, bundle: bytes, params: FlowerParameters) -> FlowerApp:
        """Return the computation with an app's code.

        Raises:
            InputError: it is not the code that is asked for, no app of that name, or its configuration differs.
        """
        _read_app(bundle, params)
        if find_spec("flwr") is None:
            raise InputError("flower.not-installed", "Flower is not installed", expected="the extra flower",
                             hint="pip install 'sealane[flower]'")
        return replace(self, bundle=bundle)

    def write_table(self, frame: Any, params: FlowerParameters) -> bytes | None:
        """Return the columns that the app may read as a file; None where it reads none."""
        return write_table(frame) if params.columns else None

    def with_table(self, path: str) -> FlowerApp:
        """Return the computation with the path of that file."""
        return replace(self, table=path)

    def exchanges(self, params: FlowerParameters) -> int:
        """Return most exchanges of a run: two for each batch of messages, and one."""
        return 2 * params.exchanges + 1

    async def run(self, data: Dataset, cohort: Cohort, params: FlowerParameters) -> Payload:
        """Run the app.

        Raises:
            InputError: the app does not load, or Flower is missing or of another version.
            RefusedError: the app takes too long or too many exchanges, or releases too much.
            ProtocolError: a half of it raised, or sent what is no message.
        """
        if params.server not in cohort.names:
            raise RefusedError("flower.no-server", "the institution that runs the server half is not in the cohort",
                               got=params.server, expected=", ".join(cohort.names)[:200])
        logging.getLogger("flwr").setLevel(logging.ERROR)
        flower, (project, config, files) = load(), _read_app(self.bundle, params)
        offer_for_import(params.code, files, {project.server.partition(".")[0], project.client.partition(".")[0]})
        node = FIRST + cohort.place
        flower.identify(1, node)
        with table_at(self.table, data, params) as path:
            told: dict[str, Value] = {"partition-id": cohort.place, "num-partitions": cohort.size}
            seat = Seat("", 1, node, told | ({DATA_PATH: path} if path else {}), config)
            client = ClientHalf(flower, seat, project.load("client"))
            halves = _Halves(flower, project, config, client, cohort, params)
            return await (halves.serve() if cohort.names[cohort.place] == params.server else halves.follow())

    def present(self, payload: Payload) -> FlowerResult:
        """Return what the app released."""
        return FlowerResult(payload)


class _Halves:
    """The halves of an app at one node, for one run."""

    def __init__(self, flower: Flower, project: Project, config: dict[str, Value], client: ClientHalf, cohort: Cohort,
                 params: FlowerParameters) -> None:
        self._flower, self._project, self._config = flower, project, config
        self._client, self._cohort, self._params = client, cohort, params
        self._names = {FIRST + place: name for place, name in enumerate(cohort.names)}
        self._own = FIRST + cohort.place
        self._until = time.monotonic() + params.seconds

    async def serve(self) -> Payload:
        """Run the server half, and the client half for its own messages."""
        params, began = self._params, time.monotonic()
        server = ServerHalf(self._flower, self._project, self._config, self._names, most=params.message_bytes,
                            tolerate=params.tolerate)
        try:
            count = 0
            while (batch := server.next(self._until - time.monotonic())) is not None:
                count += 1
                if count > params.exchanges:
                    raise RefusedError("flower.too-many-exchanges", "the app asks more often than the study allows",
                                       expected=f"at most {params.exchanges} exchanges",
                                       hint="parameters.exchanges of the study")
                await self._exchange(server, batch)
            payload = payload_of(self._flower, self._project, params, server, time.monotonic() - began)
        finally:
            server.stop()
        over = write_over(write_payload(payload))
        await self._cohort.correspond({name: over for node, name in self._names.items() if node != self._own})
        return payload

    async def _exchange(self, server: ServerHalf, batch: list[tuple[int, bytes]]) -> None:
        asked: dict[int, list[bytes]] = {}
        for node, message in batch:
            asked.setdefault(node, []).append(message)
        own = asked.pop(self._own, [])
        await self._cohort.correspond({self._names[node]: write_messages(messages)
                                       for node, messages in asked.items()})
        for message in own:
            server.arrived(self._own, self._answer(message))
        came = await self._cohort.correspond({})
        for node, name in self._names.items():
            for reply in self._read(came.get(name, b"")):
                server.arrived(node, reply)

    async def follow(self) -> Payload:
        """Answer the server half's messages until it ends."""
        params = self._params
        while True:
            came = await self._cohort.correspond({})
            asked = read(came.get(params.server, b""), params.message_bytes)
            if isinstance(asked, Over):
                return read_payload(asked.payload, params)
            self._check_time()
            replies = [self._answer(message) for message in asked]
            self._check_time()
            await self._cohort.correspond({params.server: write_messages(replies)} if replies else {})

    def _answer(self, message: bytes) -> bytes:
        reply = self._client.answer(message)
        if len(reply) > self._params.message_bytes:
            raise too_large(len(reply), self._params.message_bytes)
        return reply

    def _read(self, letter: bytes) -> list[bytes]:
        found = read(letter, self._params.message_bytes)
        if isinstance(found, Over):
            raise ProtocolError("flower.letter-malformed", "what the other half of the app sent is malformed",
                                got="an end of the app by a client half")
        return found

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise out_of_time()


def _read_app(bundle: bytes, params: FlowerParameters) -> tuple[Project, dict[str, Value], dict[str, bytes]]:
    """Return an app, its configuration in a study, and its files. Nothing of it is imported: a gate reads it too."""
    files = read_bundle(bundle, params.code)
    project = project_of(files.get("pyproject.toml", b""))
    if project.name != params.app:
        raise InputError("flower.other-name", "the code is another app's", got=project.name, expected=params.app)
    changed = project.with_config(params.run_config)
    # A study writes 1.0 as 1: the app's own kind of number counts.
    config = {key: float(value) if isinstance(project.config[key], float) else value for key, value in changed.items()}
    return project, config, files
