"""Who plays the script of a vector: its members with their keys and terms, by Sealane's own code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey
from sealane.secagg.attempt import Attempt, sign_join
from sealane.secagg.layout import Layout, plan
from sealane.secagg.messages import Member
from sealane.secagg.node_role import NodeRole
from sealane.secagg.terms import Term, count, real, update


@dataclass
class Cast:
    """Members are numbered in order of fingerprint. Member 0 is the one that must not be deceived."""

    vector: dict[str, Any] = field(repr=False)
    members: list[Member] = field(default_factory=list)
    roles: list[NodeRole] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheme: str = self.vector.get("scheme", "masking")
        self.colluding: int = self.vector.get("colluding", 1)
        self.smallest: int = self.vector.get("smallest", 3)
        self.keys = [SigningKey(seed) for seed in self.seeds("signing_seed")]
        self.agreements = [AgreementKey(seed) for seed in self.seeds("agreement_seed")]
        self.names: list[Fingerprint] = [key.fingerprint for key in self.keys]
        self.terms = [{t["name"]: term(t, k) for t in self.vector["terms"]} for k in range(len(self.keys))]
        self.layout: Layout = plan(self.terms[0], len(self.keys))

    def seeds(self, of: str) -> list[Secret]:
        return [Secret(bytes.fromhex(member[of])) for member in self.vector["members"]]

    def member(self, k: int, key: bytes | None = None) -> Member:
        join = sign_join(self.keys[k], self.vector["study_hash"], self.vector["run_id"],
                         key or self.agreements[k].public_key)
        return Member(self.names[k], self.keys[k].public_key, join.agreement_key, join.signature)

    def attempt(self, later: int = 0) -> Attempt:
        """The script's attempt, or a later one."""
        return Attempt(self.vector["run_id"], self.vector["study_hash"], self.vector["attempt"] + later, self.scheme,
                       tuple(self.members), self.colluding, self.smallest)

    def role(self, k: int, later: int = 0) -> NodeRole:
        return NodeRole(self.attempt(later), self.keys[k], self.agreements[k], self.introduced(k))

    def introduced(self, k: int) -> dict[Fingerprint, Secret]:
        """What member k and each other hold since they introduced themselves: by the rule of v1/README.md."""
        seeds = self.seeds("agreement_seed")
        return {self.names[j]: Secret(hashlib.sha256(b"".join(seeds[i].reveal() for i in sorted((j, k)))).digest())
                for j in range(len(self.keys)) if j != k}

    def shared(self, k: int, j: int) -> Secret:
        """The secret of the pair of members k and j."""
        return self.agreements[k].shared(self.agreements[j].public_key, self.introduced(k)[self.names[j]])

    def join(self) -> None:
        self.members = [self.member(k) for k in range(len(self.keys))]


def term(described: Mapping[str, Any], k: int) -> Term:
    """What member k adds to one sum."""
    values = described["values"][k]
    if described["kind"] == "update":
        return update(values, described["bound"], described["bits"])
    if described["kind"] == "count":
        return count(values, described["bound"], signed=described.get("signed", False))
    return real(values, described["bound"])


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]
