"""Each vector's script is played by the code, and ends with the verdict written in the file, where it is written."""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import signed
from rlwe_at_size import AtSize, at_roots
from rlwe_lies_told import LIES
from rlwe_play import Play
from rlwe_reference import Scheme, evaluation_points, primes_below, psi

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.errors import SealaneError
from sealane.secagg.layout import write_vector
from sealane.secagg.messages import Contribution

HERE = Path(__file__).parent
FILES = sorted((HERE / "v1" / "rlwe").glob("*.json"))
VECTORS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
GOOD = {name: vector for name, vector in VECTORS.items() if "base" not in vector}
BAD = {name.removeprefix("bad-"): vector for name, vector in VECTORS.items() if "base" in vector}
generator: dict[str, Any] = runpy.run_path(str(HERE / "generate.py"))


def test_the_files_are_what_the_second_writing_gives() -> None:
    made = generator["files"]("rlwe")
    assert {path.name for path in FILES} == set(made)
    stale = [path.name for path in FILES if path.read_text(encoding="utf-8") != made[path.name]]
    assert stale == [], "run `python tests/vectors/generate.py --write`"


@pytest.mark.parametrize("degree", [32, 64])
def test_the_second_writing_at_size_does_what_the_naive_one_does(degree: int) -> None:
    facts = degree, 30, primes_below(30, degree, 3), 1000, 300
    naive, quick = Scheme(*facts), AtSize(*facts, reach=4 * degree)
    key = naive.secret_key(b"k" * 32)
    assert quick.secret_key(b"k" * 32) == key
    for index in range(3):
        assert quick.mask(b"p" * 32, key, 2, index) == naive.mask(b"p" * 32, key, 2, index)


def test_a_key_is_evaluated_at_the_roots() -> None:
    degree, prime = 8192, primes_below(28, 8192, 7)[6]
    key = np.random.default_rng(1).integers(-61, 62, degree).tolist()
    values = at_roots(tuple(key), prime)
    for i in (0, 1, 77, 8191):
        x, value = pow(psi(prime, degree), 2 * i + 1, prime), 0
        for term in reversed(key):
            value = (value * x + term) % prime
        assert values[i] == value
    assert evaluation_points(primes_below(30, 32, 1)[0], 32)[0] == psi(primes_below(30, 32, 1)[0], 32)


def test_every_lie_is_played() -> None:
    assert LIES.keys() == BAD.keys()


def begun(vector: dict[str, Any]) -> Play:
    """A play of a good script, behind the one that goes before it."""
    if vector["after"] is None:
        return Play(vector)
    before = begun(VECTORS[vector["after"]])
    for step in before.vector["steps"]:
        getattr(before, step)()
    return Play(vector, before=before)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_script_opens(name: str) -> None:
    vector = GOOD[name]
    play = begun(vector)
    for step in vector["steps"]:
        getattr(play, step)()
        CHECKS[step](play, vector["expected"])
    assert vector["verdict"] == "opens"


@pytest.mark.parametrize("lie", BAD)
def test_a_lie_is_seen_at_its_step(lie: str) -> None:
    vector = BAD[lie]
    play = begun(GOOD[vector["base"]])
    *steps, last = vector["steps"]
    for step in steps:
        if step == f"lie: {lie}":
            changed = LIES[lie](play)
            assert (None if changed is None else hashed(changed)) == vector.get("changed_sha256")
        else:
            getattr(play, step)()
    with pytest.raises(SealaneError) as caught:
        getattr(play, last)()
    assert caught.value.code == vector["verdict"]


def hashed(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def sealed_hash(play: Play, sealed: dict[Fingerprint, bytes]) -> str:
    return hashed(*(sealed[name] for name in play.names if name in sealed))


def check_join(play: Play, expected: dict[str, Any]) -> None:
    assert play.names == expected["fingerprints"]
    assert play.layout.hash().hex() == expected["description_hash"]
    assert [place.fraction for place in play.layout.places] == [t["fraction"] for t in play.vector["terms"]]
    assert play.parameters().describe() == expected["parameters"]


def check_contribute(play: Play, expected: dict[str, Any]) -> None:
    transcripts = {state.sum.transcript.value for state in play.states}
    assert {transcript.hex() for transcript in transcripts} == {expected["transcript"]}
    digest = play.parameters().digest
    assert sha256(b"sealane rlwe public polynomial v1", *transcripts, digest).hex() == expected["public_seed"]
    messages: list[Contribution] = [state.message for state in play.states]
    assert {len(message.payload) for message in messages} == {expected["payload_bytes"]}
    assert [hashed(message.payload) for message in messages] == expected["payload_sha256"]
    assert [sealed_hash(play, message.shares) for message in messages] == expected["sealed_key_shares_sha256"]
    assert [message.signature.hex() for message in messages] == expected["signature"]


def check_announce(play: Play, expected: dict[str, Any]) -> None:
    if not play.layout.verified:
        aggregates = {arrival.aggregate for arrival in play.arrivals.values()}
        assert {hashed(aggregate) for aggregate in aggregates} == {expected["payload_sum_sha256"]}


def check_release(play: Play, expected: dict[str, Any]) -> None:
    assert {state.digest.hex() for state in play.released} == {expected["digest"]}
    assert {hashed(state.total.write()) for state in play.released} == {expected["payload_sum_sha256"]}
    assert [sealed_hash(play, state.message.sealed) for state in play.released] == expected["sealed_sum_shares_sha256"]


def check_relay(play: Play, expected: dict[str, Any]) -> None:
    repliers = {play.names[k] for k in play.vector["repliers"]}
    assert all(told.sealed.keys() == repliers - {name} for name, told in play.openings.items())


def check_open(play: Play, expected: dict[str, Any]) -> None:
    places = play.layout
    for opened in play.opened:
        width = 32 if places.most else places.width
        sums = written_integers(write_vector(places, opened.total), places.width if not places.most else 32)
        assert [str(value if places.most else signed(value, width)) for value in sums] == expected["opened"]
        assert opened.binder.hex() == expected["binder"]
        assert opened.transcript.value.hex() == expected["transcript_after"]


def written_integers(data: bytes, width: int) -> list[int]:
    """Read low limbs of up to 64 bits, then what there is of high ones."""
    low, high = min(width, 64) // 8, max(width - 64, 0) // 8
    count = len(data) // (low + high)
    return [int.from_bytes(data[low * k : low * (k + 1)], "little")
            + (int.from_bytes(data[low * count + high * k : low * count + high * (k + 1)], "little") << 64)
            for k in range(count)]


CHECKS = {"join": check_join, "contribute": check_contribute, "announce": check_announce, "release": check_release,
          "relay": check_relay, "open": check_open}
