"""A coordinator's hub with enrolled parties and real certificates, and what went to each node's outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import grpc.aio
import pytest
import signed
from circle import RUN, seed_of
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine

from sealane.coordinator.authority import Authority
from sealane.coordinator.database import writing
from sealane.coordinator.hub import Connection, Hub
from sealane.coordinator.registry import Party, Registry
from sealane.coordinator.run_facts import Patience
from sealane.coordinator.store import Store
from sealane.core.clock import ManualClock
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.governance.recipient import recipient_of
from sealane.governance.signed_statement import SignedAgreement, SignedRefusal
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.certificates import certificate_request, new_tls_key, read_pem, requested_key
from sealane.rpc.notices import StudyRecord
from sealane.secagg.attempt import sign_join

NODES = ("north", "south", "west")
ANALYSTS = ("iris", "otto")
KEYS = {name: SigningKey(seed_of("hub", name)) for name in (*NODES, *ANALYSTS, "vera")}
COORDINATOR = SigningKey(seed_of("coordinator"))
SEALING_SEED = seed_of("iris")
AT = "2026-03-01T12:00:00Z"


class Context:
    """The one method of a servicer's context that is asked: what certificate the caller showed."""

    def __init__(self, pem: bytes) -> None:
        self._pem = pem

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {"x509_pem_cert": [self._pem]} if self._pem else {}


@dataclass
class House:
    """A hub with three enrolled nodes, two analysts and an auditor, and what went to each node's outbox."""

    hub: Hub
    parties: dict[str, Party] = field(default_factory=dict)
    sent: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in NODES})
    closed: list[str] = field(default_factory=list)
    certificates: dict[str, bytes] = field(default_factory=dict)

    def calls(self, name: str) -> grpc.aio.ServicerContext[Any, Any]:
        """A call that a party makes; of nobody where the name is empty."""
        return cast("grpc.aio.ServicerContext[Any, Any]", Context(self.certificates[name] if name else b""))

    def study(self, name: str = "scorecard", **fields: Any) -> Study:
        base: dict[str, Any] = {
            "participants": [Participant(name=n, fingerprint=KEYS[n].fingerprint) for n in NODES],
            "recipients": [recipient_of("iris", KEYS["iris"], sealing_public_key(SEALING_SEED))]}
        return make_study(name=name, sector="finance", purpose="credit-risk", data_contract="test.rows/v1",
                          computation="glm.fit", parameters={}, expires="2099-01-01T00:00:00Z", **(base | fields))

    def connect(self, *names: str) -> list[Connection]:
        made = []
        for name in names:
            made.append(Connection(self.parties[name], self.sent[name].append, lambda n=name: self.closed.append(n),
                                   lambda n=name: self.parties[n]))
            self.hub.connect(made[-1])
        return made

    def drain(self, name: str) -> list[Any]:
        said = list(self.sent[name])
        self.sent[name].clear()
        return said

    def approve(self, study: Study, *names: str) -> None:
        for name in names or NODES:
            self.hub.receive(self.parties[name], approval(study, name), 1)

    def record(self, study: Study) -> StudyRecord:
        return self.hub.store.study(study.hash)

    def start(self, study: Study, run_id: str = RUN) -> None:
        self.hub.start_run(self.record(study), run_id, self.parties["iris"])

    def running(self, **fields: Any) -> Study:
        study = self.study(**fields)
        self.hub.propose(study, self.parties["iris"])
        self.approve(study)
        self.start(study)
        return study

    def join(self, study: Study, name: str) -> None:
        key = AgreementKey(seed_of("hub join", name)).public_key
        self.hub.receive(self.parties[name], sign_join(KEYS[name], study.hash, RUN, key), 10)

    def refused(self, act: Callable[[], object]) -> SealaneError:
        with pytest.raises(SealaneError) as caught:
            act()
        return caught.value


def make_house(engine: Engine, clock: ManualClock) -> House:
    """Enrol everybody."""
    registry, authority = Registry(engine, clock), Authority.make(clock())
    made = House(Hub(Store(engine, clock), registry, Patience(), COORDINATOR))
    with writing(engine) as connection:
        for name, key in KEYS.items():
            role = "node" if name in NODES else "analyst" if name in ANALYSTS else "auditor"
            leaf = authority.issue_party(requested_key(certificate_request(new_tls_key(), name)), name=name, role=role,
                                         now=clock(), life=timedelta(days=90))
            made.certificates[name] = leaf.public_bytes(Encoding.PEM)
            made.parties[name] = registry.add(
                connection, name=name, role=role, signing_key=key.public_key, sealing_key=bytes(32),
                certificate=read_pem(made.certificates[name]))
    return made


def approval(study: Study, name: str, **said: Any) -> SignedAgreement:
    return signed.agreement(study, KEYS[name], name, **{"at": AT} | said)


def refusal(study: Study, name: str) -> SignedRefusal:
    return signed.refusal(study, KEYS[name], name)
