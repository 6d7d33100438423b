"""A node's half: what its mod does with each message of a secure sum.

    join -> introduce -> contribute (the app trains) -> release -> open

Each step takes place once, in this order; the sum is opened at the nodes, which tell the server half.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealane.computations.flower_app.library import Flower
from sealane.core.canonical import sha256
from sealane.core.entropy import random_bytes, random_secret
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError
from sealane.flower.secure import wire
from sealane.flower.secure.kept import NODE, SUM, Kept, out_of_order, read_secrets, write_secrets
from sealane.flower.secure.terms import NAME, RECORD, Arrays, Terms, flat_change, read_terms, sent_hash
from sealane.secagg.attempt import Attempt, sign_join
from sealane.secagg.introduction import accept, introduce
from sealane.secagg.layout import encode
from sealane.secagg.messages import Arrival, Introduced, Introduction, Opening, Start
from sealane.secagg.node_role import Contributed, NodeRole
from sealane.secagg.transcript import Transcript
from sealane.secagg.weighted import weighted

EXCHANGE = 0
ORDER = ("join", "introduce", "contribute", "release", "open")
Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Guard:
    """What a node itself insists on, whatever the server half says.

    Whoever holds two sums over different nodes, or with other weights, can subtract them, whatever their rounds. So a
    node helps with sums of one kind over one set of nodes only. With ``trusted`` and ``terms`` it knows both without
    having to remember them: a context is lost with a process and begins anew with a run.

    Attributes:
        trusted: fingerprints of the nodes whose sum it opens, of all of them and no others; None takes whomever the
            server half names first.
        smallest: fewest nodes whose sum it helps to open.
        schemes: that it takes part in.
        terms: hash of the only terms that it takes part on; None takes those that the server half names first.
    """

    trusted: frozenset[Fingerprint] | None
    smallest: int
    schemes: Collection[str]
    terms: str | None = None

    def check_terms(self, terms: Terms, before: object) -> None:
        """Refuse terms that are weaker than this, or others than before: a sum by other weights tells something else.

        Raises:
            RefusedError: another scheme, too small a cohort, or other terms.
        """
        if terms.scheme not in self.schemes or terms.smallest < self.smallest:
            raise RefusedError("flower.terms-refused", "this node takes part in no such secure sum",
                               got=f"{terms.scheme}, {terms.smallest} nodes",
                               expected=f"{' or '.join(self.schemes)}, at least {self.smallest} nodes")
        wanted = before if self.terms is None else self.terms
        if wanted is not None and wanted != terms.hash():
            raise RefusedError("flower.terms-changed", "these are other terms than before, or than sealane-terms "
                               "names: sums of the same nodes by other weights would tell of single nodes",
                               got=terms.hash(), expected=str(wanted),
                               hint="clip, cap, bits and the rest of SecureSum stay the same for all rounds")

    def check_nodes(self, nodes: AbstractSet[Fingerprint], fewest: int, before: object) -> None:
        """Refuse a cohort, or survivors, with a stranger among them, one missing, or others than before.

        Raises:
            RefusedError: they are one of these, or too few.
        """
        trusted = nodes if self.trusted is None else self.trusted
        if nodes - trusted:
            raise RefusedError("flower.stranger", "the cohort has a member that nobody here trusts",
                               got=min(nodes - trusted), expected="fingerprints that sealane-trusted names")
        if len(nodes) < max(self.smallest, fewest):
            raise RefusedError("flower.cohort-too-small", "the cohort is too small", got=len(nodes),
                               expected=f"at least {max(self.smallest, fewest)}")
        if trusted - nodes:
            raise RefusedError("flower.member-missing", "a node that is trusted here would not be in the sum, and the "
                               "difference to a sum with it would tell of it alone", got=min(trusted - nodes),
                               expected="all that sealane-trusted names",
                               hint="wait for the node; or let people at all nodes take it off their sealane-trusted")
        if before is not None and before != nodes_hash(nodes):
            raise RefusedError("flower.cohort-changed", "other nodes were summed before, and the difference of both "
                               "would tell of single nodes", got=f"{len(nodes)} members",
                               hint="ask all nodes in every round: fraction_train=1.0")


class NodeHalf:
    """One node's half of one message.

    Args:
        flower: the library.
        context: of the app; keeps what the next message needs.
        key: the node's; None for one of the context's own.
        guard: what the node insists on.
    """

    def __init__(self, flower: Flower, context: Any, key: SigningKey | None, guard: Guard) -> None:
        self._flower = flower
        self._sum = Kept(context.state, SUM, flower.app.ConfigRecord)
        self._node = Kept(context.state, NODE, flower.app.ConfigRecord)
        self._key = key or self._own_key()
        self._guard = guard

    def take(self, step: Step, message: Any, train: Callable[[Any], Any]) -> Any:
        """Take a step and return the reply to it; ``train`` runs the app on what is left of the message.

        Raises:
            RefusedError: the node's guard says no.
            ProtocolError: the step is malformed, out of order, or does not verify.
            InputError: what the app returned cannot be summed.
        """
        name = str(step.get("step"))
        if name not in ORDER or self._sum.get("done") != (ORDER[ORDER.index(name) - 1] if name != "join" else None):
            if name != "join":  # a join begins anew: what an earlier one left is closed for ever
                raise out_of_order(name)
            self._sum.forget()
        if name == "contribute":
            sent = sent_hash(message.content, message.metadata.message_type)
            old = _one_array_record(message.content)[1].to_numpy_ndarrays()
            trained = train(message)
            if trained.has_error():
                return trained
            said = self._contribute(step, sent, old, trained.content)
        else:
            said = {"join": self._join, "introduce": self._introduce, "release": self._release,
                    "open": self._open}[name](step)
        if name == "open":
            self._sum.forget()
        else:
            self._sum.keep(done=name)
        records = self._flower.app.RecordDict({RECORD: self._flower.app.ConfigRecord(said)})
        return self._flower.app.Message(records, reply_to=message)

    def _join(self, step: Step) -> Step:
        terms, run = read_terms(step.get("terms")), str(step.get("run"))
        self._guard.check_terms(terms, self._node.get("terms"))
        seed = random_secret()
        join = sign_join(self._key, terms.attempt(run, ()).study_hash, run, AgreementKey(seed).public_key)
        self._sum.keep(terms=terms.to_text(), run=run, agreement=seed.reveal())
        return {"key": self._key.public_key, "join": wire.write(join)}

    def _introduce(self, step: Step) -> Step:
        attempt = self._attempt(step.get("start"))
        attempt.verify_own(self._key.fingerprint, self._agreement().public_key)
        self._guard.check_nodes(attempt.cohort, attempt.smallest, self._node.get("cohort"))
        own, made = introduce(attempt, self._key, self._agreement())
        terms = read_terms(self._sum.need("terms", "introduce"))
        self._node.keep(cohort=nodes_hash(attempt.cohort), terms=terms.hash())
        self._sum.keep(start=step["start"], own=wire.write(own), made=write_secrets(made))
        return {"introduction": wire.write(own)}

    def _contribute(self, step: Step, sent: bytes, old: Arrays, trained: Any) -> Step:
        terms = read_terms(self._sum.need("terms", "contribute"))
        arrays_key, new = _one_array_record(trained)
        change = flat_change(new.to_numpy_ndarrays(), old)
        metrics_key, weight = _weight(trained, terms.weighted_by)
        term = weighted(change, weight, cap=terms.cap, clip=terms.clip, bits=terms.bits)
        self._sum.keep(introduced=step.get("introduced"), length=len(change), sent=sent)
        role, transcript, attempt = self._role()
        layout = terms.layout(len(change), attempt.size)
        seed = random_secret()
        vector = encode(layout, {NAME: term}, random_secret())
        made = role.contribute(EXCHANGE, transcript, layout, vector, seed)
        self._sum.keep(seed=seed.reveal(), payload=made.message.payload)
        return {"contribution": wire.write(made.message), "length": len(change), "arrays": arrays_key,
                "metrics": metrics_key}

    def _release(self, step: Step) -> Step:
        arrival = wire.read(step.get("arrival"), Arrival)
        role, state = self._contributed()
        released = role.release(state, arrival)
        self._guard.check_nodes(released.survivors, role.attempt.smallest, self._node.get("survivors"))
        self._node.keep(survivors=nodes_hash(released.survivors))
        self._sum.keep(arrival=step["arrival"])
        return {"release": b"" if released.message is None else wire.write(released.message)}

    def _open(self, step: Step) -> Step:
        role, state = self._contributed()
        released = role.release(state, wire.read(self._sum.need("arrival", "open"), Arrival))
        opened = role.open(released, wire.read(step.get("opening"), Opening))
        return {"hash": sha256(opened.written), "nodes": len(released.survivors),
                "total": bytes(opened.written) if step.get("whole") is True else b""}

    def _contributed(self) -> tuple[NodeRole, Contributed]:
        role, transcript, attempt = self._role()
        layout = read_terms(self._sum.need("terms", "release")).layout(self._sum.need("length", "release"),
                                                                      attempt.size)
        return role, role.restore(EXCHANGE, transcript, layout, Secret(self._sum.need("seed", "release")),
                                  self._sum.need("payload", "release"))

    def _role(self) -> tuple[NodeRole, Transcript, Attempt]:
        attempt = self._attempt(self._sum.need("start", "contribute"))
        acquainted = accept(
            attempt, self._agreement(), wire.read(self._sum.need("own", "contribute"), Introduction),
            read_secrets(self._sum.need("made", "contribute")),
            wire.read(self._sum.need("introduced", "contribute"), Introduced),
            as_member=self._key.fingerprint)
        transcript = acquainted.transcript(attempt).absorb("sent", self._sum.need("sent", "contribute"))
        return NodeRole(attempt, self._key, self._agreement(), acquainted.secrets), transcript, attempt

    def _attempt(self, data: object) -> Attempt:
        start = wire.read(data, Start)
        return read_terms(self._sum.need("terms", "introduce")).attempt(self._sum.need("run", "introduce"),
                                                                       start.members)

    def _agreement(self) -> AgreementKey:
        return AgreementKey(Secret(self._sum.need("agreement", "introduce")))

    def _own_key(self) -> SigningKey:
        if self._node.get("key") is None:
            self._node.keep(key=random_bytes(32))
        return SigningKey(Secret(self._node.get("key")))


def nodes_hash(nodes: AbstractSet[Fingerprint]) -> bytes:
    """Return what a node remembers of a cohort, or of survivors."""
    return sha256(b"sealane flower cohort v1", *(node.encode() for node in sorted(nodes)))


def _one_array_record(content: Any) -> tuple[str, Any]:
    found = list(content.array_records.items())
    if len(found) != 1:
        raise InputError("flower.not-one-model", "a message holds no model, or several", got=len(found),
                            expected="one ArrayRecord")
    name, record = found[0]
    return str(name), record


def _weight(content: Any, name: str) -> tuple[str, float]:
    for key, record in content.metric_records.items():
        if isinstance(record.get(name), int | float):
            weight = float(record[name])
            if np.isfinite(weight) and weight > 0:
                return str(key), weight
    raise InputError("flower.no-weight", "a ClientApp returned no positive weight", expected=f"a metric {name!r}",
                        hint="or name another with weighted_by=")


