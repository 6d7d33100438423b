"""Letters between bare members: who reads which, what binds them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from circle import Circle, seed_of
from reference import hash_parts

from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError
from sealane.secagg.layout import plan
from sealane.secagg.letters import check_letters
from sealane.secagg.messages import Delivery, Letters
from sealane.secagg.scheme import get_scheme
from sealane.secagg.terms import count
from sealane.secagg.transcript import Transcript

NONCES = [bytes([k]) * 32 for k in range(3)]


class Post:
    """Three members have written; a delivery is made here without the coordinator's code."""

    def __init__(self) -> None:
        self.circle = Circle(3, scheme="none")
        self.names = self.circle.names
        self.transcript = self.circle.attempt.transcript()
        texts: list[dict[Fingerprint, bytes]] = [
            {self.names[1]: b"to the second"}, {self.names[0]: b"to the first", self.names[2]: b"to the third"}, {}]
        self.written = [self.circle.roles[k].write(0, self.transcript, texts[k], NONCES[k]) for k in range(3)]
        self.entries = tuple(check_letters(self.circle.attempt, self.names[k], self.written[k]) for k in range(3))

    def delivery(self, k: int) -> Delivery:
        sealed = {name: one.sealed[self.names[k]] for name, one in zip(self.names, self.written, strict=True)
                  if self.names[k] in one.sealed}
        return Delivery(self.circle.run_id, 0, 0, self.entries, sealed)

    def read(self, k: int, delivery: Delivery | None = None) -> tuple[dict[Fingerprint, bytes], Transcript]:
        return self.circle.roles[k].read(self.written[k], self.transcript, NONCES[k], delivery or self.delivery(k))


def test_each_reads_what_was_written_to_it_and_all_hold_one_transcript() -> None:
    post = Post()
    first, second, _ = post.names
    found = [post.read(k) for k in range(3)]
    assert [letters for letters, _ in found] == [
        {second: b"to the first"}, {first: b"to the second"}, {second: b"to the third"}]
    parts = [part for name, one in zip(post.names, post.written, strict=True)
             for part in (name.encode(), *(hash_parts(one.sealed[to]) if to in one.sealed else b""
                                           for to in post.names if to != name))]
    wanted = hash_parts(b"sealane absorb v1", post.transcript.value, b"letters", b"0", *parts, NONCES[0])
    assert {after.value for _, after in found} == {wanted}


def test_who_carries_them_reads_nothing_and_cannot_derive_the_transcript() -> None:
    post = Post()
    carried = b"".join(part for one in post.written for part in (*one.sealed.values(), *one.hashes, one.signature))
    assert b"to the" not in carried
    assert NONCES[0] not in carried


def swapped(delivery: Delivery) -> Delivery:
    return replace(delivery, entries=(delivery.entries[1], delivery.entries[0], delivery.entries[2]))


@pytest.mark.parametrize(("lie", "code"), [
    (lambda d: replace(d, entries=d.entries[:2]), "run.letters-incomplete"),
    (swapped, "run.letters-incomplete"),
    (lambda d: replace(d, sealed={}), "run.letters-replaced"),
    (lambda d: replace(d, sealed=dict.fromkeys(d.sealed, b"other")), "run.letters-replaced"),
    (lambda d: replace(d, sealed={**d.sealed, d.entries[2].fingerprint: b"more"}), "run.letters-incomplete"),
    (lambda d: replace(d, entries=(replace(d.entries[0], hashes=(bytes(32), b"")), *d.entries[1:])),
     "signature.invalid"),
    (lambda d: replace(d, entries=(replace(d.entries[0], hashes=()), *d.entries[1:])), "run.letters-incomplete"),
    (lambda d: replace(d, entries=(d.entries[0], replace(d.entries[1], signature=bytes(64)), d.entries[2])),
     "run.letters-replaced"),
])
def test_what_a_member_refuses_of_a_delivery(lie: Callable[[Delivery], Delivery], code: str) -> None:
    post = Post()
    with pytest.raises(ProtocolError) as caught:
        post.read(1, lie(post.delivery(1)))
    assert caught.value.code == code


def test_letters_of_another_exchange_do_not_open() -> None:
    post = Post()
    with pytest.raises(ProtocolError) as caught:
        post.circle.roles[1].read(replace(post.written[1], exchange=1), post.transcript, NONCES[1], post.delivery(1))
    assert caught.value.code == "signature.invalid"


@pytest.mark.parametrize("lie", [
    lambda m: replace(m, sealed={}), lambda m: replace(m, hashes=m.hashes[:1]),
    lambda m: replace(m, sealed={**m.sealed, seed_of("x").reveal().hex()[:52]: b"x"}),
])
def test_what_the_coordinator_refuses_of_a_member(lie: Callable[[Letters], Letters]) -> None:
    post = Post()
    with pytest.raises(ProtocolError) as caught:
        check_letters(post.circle.attempt, post.names[1], lie(post.written[1]))
    assert caught.value.code == "run.letters-incomplete"


def test_the_scheme_none_sums_nothing() -> None:
    scheme, circle = get_scheme("none"), Circle(3, scheme="none")
    layout = plan({"n": count([1], 10)}, 3)
    assert (scheme.openers(circle.attempt), scheme.replies(circle.attempt)) == ((), 3)
    with pytest.raises(ProtocolError) as caught:
        circle.contribute(layout, [{"n": count([k], 10)} for k in range(3)])
    assert caught.value.code == "scheme.no-sums"
