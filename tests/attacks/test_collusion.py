"""A coordinator that kept every message, with the keys of c nodes: one institution's vector stays closed.

The adversary is written a second time from the scheme's description, so that it can do all that the scheme's inverse
can; with one key more than it may have, it reads the vector at once. That is the control.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from reference import encode_real, hash_parts, hkdf, stream
from stage import Federation, frames

from sealane.core.secret import Secret
from sealane.rpc.codec import encode_from_coordinator, encode_from_node
from sealane.secagg.messages import (
    Arrival,
    Contribution,
    Introduced,
    IntroductionEntry,
    Member,
    Opening,
    Proposal,
    Release,
    SealedResult,
    Start,
)

Federate = Callable[..., Federation]
NAMES = ("north", "south", "west", "east", "delta")
WIDTH = 96
FRACTION = {4: 96 - 1 - 26 - 1, 5: 96 - 1 - 26 - 1}  # cohort x 1e7 takes 26 bits, and one more


@dataclass
class Adversary:
    """What it saw, and the agreement seeds it was given, by fingerprint."""

    members: dict[str, Member]
    study_hash: bytes
    run_id: str
    payloads: dict[str, bytes]
    description_hash: bytes
    releases: dict[str, dict[str, bytes]]
    introductions: list[IntroductionEntry]
    introduced: dict[str, dict[str, bytes]] = field(default_factory=dict)
    seeds: dict[str, bytes] = field(default_factory=dict)

    @property
    def transcript(self) -> bytes:
        keys = [key for _, m in sorted(self.members.items()) for key in (m.signing_key, m.agreement_key)]
        start = hash_parts(b"sealane transcript v1", self.study_hash, self.run_id.encode(), b"0", b"masking", *keys)
        digest = hash_parts(b"sealane introductions v1", *(part for entry in self.introductions
                                                           for part in (entry.fingerprint.encode(), *entry.hashes)))
        start = hash_parts(b"sealane absorb v1", start, b"introduced", digest)
        return hash_parts(b"sealane absorb v1", start, b"sum", b"0", self.description_hash)

    def secret(self, one: str, other: str) -> bytes | None:
        """The pair's secret, if the key of either is known."""
        if one not in self.seeds:
            one, other = other, one
        if one not in self.seeds:
            return None
        key = X25519PrivateKey.from_private_bytes(hkdf(self.seeds[one], "x25519 seed"))
        theirs = self.members[other].agreement_key
        point = key.exchange(X25519PublicKey.from_public_bytes(theirs[:32]))
        return hkdf(point + self.introduced[one][other], "pair secret",
                    *sorted((self.members[one].agreement_key, theirs)))

    def self_mask_seeds(self) -> dict[str, bytes]:
        """Every released seed that can be unsealed with the keys at hand."""
        digest = hash_parts(self.transcript, *(part for f, payload in sorted(self.payloads.items())
                                               for part in (f.encode(), hash_parts(payload))))
        found = {}
        for sender, sealed in self.releases.items():
            for receiver, share in sealed.items():
                secret = self.secret(sender, receiver)
                if secret is not None:
                    key = hkdf(secret, "sealed share", self.transcript, digest, sender.encode(), receiver.encode())
                    found[sender] = AESGCM(key).decrypt(bytes(12), share, digest)
        return found

    def masks(self, victim: str, entries: int) -> list[list[int]]:
        """All masks in the victim's payload that can be computed, each with its sign."""
        out = []
        seed = self.self_mask_seeds().get(victim)
        if seed is not None:
            out.append(stream(hkdf(seed, "self mask", self.transcript, victim.encode()), 2, entries))
        for other in self.members:
            secret = self.secret(victim, other) if other != victim else None
            if secret is not None:
                low, high = sorted((victim, other))
                mask = stream(hkdf(secret, "pair mask", self.transcript, low.encode(), high.encode()), 2, entries)
                out.append(mask if victim == low else [-value for value in mask])
        return out

    def attempts(self, victim: str) -> Iterable[tuple[int, ...]]:
        """The victim's payload, and sums with others', with known masks taken off in every combination."""
        entries = len(self.payloads[victim]) // 12
        known = self.masks(victim, entries)
        words = read(self.payloads[victim], entries)
        for signs in product((0, 1, -1), repeat=len(known)):
            yield tuple((value - sum(s * mask[k] for s, mask in zip(signs, known, strict=True))) % 2**WIDTH
                        for k, value in enumerate(words))

    def best(self, victim: str) -> tuple[int, ...]:
        entries = len(self.payloads[victim]) // 12
        known = self.masks(victim, entries)
        return tuple((value - sum(mask[k] for mask in known)) % 2**WIDTH
                     for k, value in enumerate(read(self.payloads[victim], entries)))


def read(payload: bytes, entries: int) -> list[int]:
    low = [int.from_bytes(payload[8 * k : 8 * k + 8], "little") for k in range(entries)]
    top = payload[8 * entries :]
    high = [int.from_bytes(top[4 * k : 4 * k + 4], "little") for k in range(entries)]
    return [a + (b << 64) for a, b in zip(low, high, strict=True)]


def watch(fed: Federation) -> Adversary:
    """Everything of the first exchange that went through the coordinator's hands."""
    engine = fed.engine
    start = next(message for _, message in fed.seen(Start))
    finger = {name: node.fingerprint for name, node in fed.nodes.items()}
    contributions = {finger[n]: m for n, m in fed.seen(Contribution) if m.exchange == 0}
    return Adversary(
        members={m.fingerprint: m for m in start.members}, study_hash=bytes.fromhex(engine.study.hash),
        run_id=engine.run_id, payloads={f: m.payload for f, m in contributions.items()},
        description_hash=next(iter(contributions.values())).description_hash,
        introductions=list(next(message for _, message in fed.seen(Introduced)).entries),
        releases={finger[n]: dict(m.sealed) for n, m in fed.seen(Release) if m.exchange == 0})


def kept(
    fed: Federation, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, bytes], dict[str, dict[str, bytes]]]:
    """Collect agreement seeds, and what pairs hold since their introduction: both are forgotten when a run ends."""
    seeds: dict[str, bytes] = {}
    introduced: dict[str, dict[str, bytes]] = {}
    for node in fed.nodes.values():
        join, acquainted = node.journal.join, node.journal.acquainted

        def remember(run_id: str, study_hash: str, seed: object, of: str = node.fingerprint,
                     call: Callable[..., object] = join) -> object:
            row = call(run_id, study_hash, seed)
            seeds[of] = row.agreement_seed.reveal()  # type: ignore[attr-defined]
            return row

        def take_up(run_id: str, attempt: int, secrets: Secret, of: str = node.fingerprint,
                    call: Callable[..., object] = acquainted) -> None:
            call(run_id, attempt, secrets)
            introduced[of] = {f: bytes.fromhex(data) for f, data in json.loads(secrets.reveal())["secrets"].items()}

        monkeypatch.setattr(node.journal, "join", remember)
        monkeypatch.setattr(node.journal, "acquainted", take_up)
    return seeds, introduced


def plain(fed: Federation, name: str, cohort: int) -> tuple[int, ...]:
    """The victim's vector, terms in order of name: powers, rows."""
    values = fed.data[name]["x"].to_numpy()
    powers = [encode_real(float(v), FRACTION[cohort]) for v in (values.sum(), (values**2).sum())]
    return tuple(value % 2**WIDTH for value in (*powers, len(values)))


@pytest.mark.parametrize(("size", "colluding"), [(4, 0), (4, 1), (4, 2), (5, 3)])
def test_every_message_and_the_keys_of_c_nodes_open_no_single_vector(
    size: int, colluding: int, federation: Federate, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed = federation(frames(NAMES[:size]))
    seeds, introduced = kept(fed, monkeypatch)
    fed.run(colluding=max(colluding, 1), minimum_cohort=size)
    names = list(fed.nodes)
    victim, friend, *others = names
    wanted = plain(fed, victim, size)
    finger = fed.nodes[victim].fingerprint
    adversary = watch(fed)
    adversary.introduced = introduced
    adversary.seeds = {fed.nodes[name].fingerprint: seeds[fed.nodes[name].fingerprint] for name in others[:colluding]}
    assert len(adversary.self_mask_seeds()) == (size if colluding else 0)
    guesses = list(adversary.attempts(finger))
    assert len(guesses) == 3 ** (colluding + (1 if colluding else 0))
    assert all(a != b for guess in guesses for a, b in zip(guess, wanted, strict=True))
    # The control: with every other member's key, its own vector follows.
    adversary.seeds = {f: seed for f, seed in seeds.items() if f != finger}
    assert adversary.best(finger) == wanted
    # And one key fewer than that is one too few, whichever is left out.
    for left_out in list(adversary.seeds):
        fewer = {f: seed for f, seed in adversary.seeds.items() if f != left_out}
        adversary.seeds, everything = fewer, adversary.seeds
        assert all(a != b for a, b in zip(adversary.best(finger), wanted, strict=True))
        adversary.seeds = everything
    assert friend in fed.nodes


def test_with_other_runs_keys_nothing_unseals(federation: Federate, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = federation()
    seeds, introduced = kept(fed, monkeypatch)
    fed.run()
    first = watch(fed)
    used = dict(seeds)
    fed.run()
    first.introduced = introduced
    assert all(seeds[f] != used[f] for f in seeds)
    first.seeds = dict(list(seeds.items())[:1])
    with pytest.raises(InvalidTag):
        first.self_mask_seeds()


def test_all_that_passes_the_coordinator_holds_nothing_plain(federation: Federate) -> None:
    """Neither an institution's encoded terms, nor an opened sum, an agreed value or the result, in any message."""
    rng = np.random.default_rng(5)
    fed = federation({name: pd.DataFrame({"x": rng.normal(size=30)}) for name in NAMES[:4]})
    result = fed.run()
    limbs = {part for name in fed.nodes for value in plain(fed, name, 4)[:2]
             for part in (value.to_bytes(12, "little")[:8], value.to_bytes(12, "little")[8:])}
    rows, *reals = result.steps[0]
    floats = {struct.pack("<d", value) for step in result.steps for value in step[1:]}
    texts = {repr(value).encode() for step in result.steps for value in step[1:]}
    engine = fed.engine
    wires = [encode_from_node(m) if isinstance(m, Contribution | Release | Proposal | SealedResult) else
             encode_from_coordinator(m) for _, m in engine.seen
             if isinstance(m, Contribution | Release | Proposal | SealedResult | Arrival | Opening)]
    blobs = [wire.SerializeToString() for wire in wires]
    assert len(blobs) > 30
    long = {needle for needle in limbs | floats | texts if len(needle) >= 8}
    assert len(long) > 15
    assert [needle for needle in long for blob in blobs if needle in blob] == []
    assert rows == 120
    assert len(reals) == 3
