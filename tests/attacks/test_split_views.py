"""The coordinator tells different nodes different things: nothing opens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from stage import OTHER_RUN, RUN, Federation, Stage

from sealane.core.canonical import sha256
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey
from sealane.rpc.notices import Failure, RunOffer
from sealane.secagg.attempt import sign_join
from sealane.secagg.introduction import introduce
from sealane.secagg.messages import Arrival, Contribution, Introduced, Introduction, Member, Opening, Start
from sealane.simulation.faults import Fault

Build = Callable[..., Stage]
Federate = Callable[..., Federation]
ALL = ("a", "b", "c", "d")


async def test_different_cohorts_for_different_nodes(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    for name in ("a", "b"):
        await on.tell(name, on.start(ALL))
    for name in ("c", "d"):
        await on.tell(name, on.start(("b", "c", "d")))
    # What they introduce themselves with is signed over the cohort, in the best mixture that can be had of it.
    await on.tell("a", on.introduced("a", ALL))
    assert on.refusal("a") == "signature.invalid"
    await on.tell("c", on.introduced("c", ("b", "c", "d")))
    assert on.refusal("c") == "signature.invalid"
    assert not [m for name in ALL for m in on.said[name] if isinstance(m, Contribution)]


async def test_different_attempts_for_different_nodes(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    for name in ALL:
        await on.tell(name, on.start(ALL, attempt=0 if name != "d" else 1))
    for name in ("a", "b", "c"):
        on.said["d"].append(replace(on.heard("d", Introduction), attempt=0))  # as the coordinator passes it off
        await on.tell(name, on.introduced(name))
        assert on.refusal(name) == "signature.invalid"
    assert not [m for name in ALL for m in on.said[name] if isinstance(m, Contribution)]


@pytest.mark.parametrize(("lie", "code"), [
    (lambda told: replace(told, sealed={}), "run.introduction-incomplete"),
    (lambda told: replace(told, entries=told.entries[:-1]), "run.introduction-incomplete"),
    (lambda told: replace(told, entries=(*told.entries[1:], told.entries[0])), "run.introduction-incomplete"),
    (lambda told: replace(told, sealed={f: bytes(1088) for f in told.sealed}), "run.introduction-replaced"),
    (lambda told: replace(told, entries=(replace(told.entries[0], hashes=(bytes(32),) * 3), *told.entries[1:])),
     "signature.invalid"),
    (lambda told: replace(told, entries=(replace(told.entries[0], hashes=()), *told.entries[1:])),
     "run.introduction-incomplete"),
])
async def test_introductions_that_were_tampered_with(
    lie: Callable[[Introduced], Introduced], code: str, stage: Build
) -> None:
    """Member "b" is told of something else than what was sent; it says nothing of its rows."""
    on = stage(ALL)
    await on.offer()
    for name in ALL:
        await on.tell(name, on.start(ALL))
    await on.tell("b", lie(on.introduced("b")))
    assert on.refusal("b") == code
    assert not [m for m in on.said["b"] if isinstance(m, Contribution)]


async def test_a_node_that_introduces_itself_differently_to_different_nodes(stage: Build) -> None:
    """A colluder signs two introductions; who was told of the other one holds another transcript, and nothing opens."""
    on = stage(ALL)
    await on.offer()
    for name in ALL:
        await on.tell(name, on.start(ALL))
    truth = {name: on.introduced(name) for name in ALL}
    liar = on.nodes["a"].run
    assert liar is not None
    other, _ = introduce(on.attempt(), on.nodes["a"].key, liar._agreement())
    on.said["a"].append(other)
    await on.tell("c", on.introduced("c"))
    for name in ("a", "b", "d"):
        await on.tell(name, truth[name])
    await on.announce()
    assert on.refusal("b") == "signature.invalid"
    assert [on.releases(name) for name in ALL] == [[], [], [], []]


@pytest.mark.parametrize("whose", ["signed by the coordinator", "signed by its owner for another run"])
async def test_a_substituted_agreement_key(whose: str, stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.offer(OTHER_RUN)
    its_own = AgreementKey(Secret(b"k" * 32)).public_key
    honest = on.member("b")
    if whose == "signed by the coordinator":
        forged = replace(honest, agreement_key=its_own,
                         signature=sign_join(SigningKey(Secret(b"s" * 32)), on.study.hash, RUN, its_own).signature)
    else:
        forged = on.member("b", OTHER_RUN)
        assert forged.agreement_key != honest.agreement_key
    start = on.start()
    members = tuple(forged if m.fingerprint == honest.fingerprint else m for m in start.members)
    # A node acts in one run at a time here; the offer of the other run came last.
    await on.restart("a")
    await on.tell("a", replace(start, members=members))
    assert on.refusal("a") == "signature.invalid"
    assert not [m for m in on.said["a"] if isinstance(m, Contribution)]
    await on.tell("a", start)  # the control
    assert on.heard("a", Introduction)


async def test_a_substituted_signing_key(stage: Build) -> None:
    """A whole false identity in place of "b": its fingerprint is not in the study, or not that of its key."""
    on = stage(ALL)
    await on.offer()
    false = SigningKey(Secret(b"s" * 32))
    agreement = AgreementKey(Secret(b"k" * 32)).public_key
    join = sign_join(false, on.study.hash, RUN, agreement)
    others = [on.member(name) for name in ("a", "c", "d")]
    cases = {
        "run.stranger-in-cohort": Member(false.fingerprint, false.public_key, agreement, join.signature),
        "run.key-substituted": Member(on.fingerprint("b"), false.public_key, agreement, join.signature),
    }
    for code, member in cases.items():
        members = tuple(sorted([*others, member], key=lambda m: m.fingerprint))
        await on.tell("a", Start(RUN, 0, members))
        assert on.refusal("a") == code
    assert not [m for m in on.said["a"] if isinstance(m, Contribution)]


async def test_a_node_is_not_told_of_a_cohort_that_it_is_not_in(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.tell("a", on.start(("b", "c", "d")))
    assert on.refusal("a") == "run.not-in-cohort"
    await on.tell("b", on.start(("a", "b")))
    assert on.refusal("b") == "run.cohort-too-small"
    members = on.start().members
    await on.tell("c", Start(RUN, 0, (*members[2:], *members[:2])))
    assert on.refusal("c") == "run.cohort-malformed"
    assert all(on.releases(name) == [] for name in ALL)


async def test_a_later_start_with_the_same_number_changes_nothing(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    said = await on.tell("a", on.start(("a", "b", "c")))
    assert said == []
    await on.announce()
    await on.relay()
    assert all(on.opened(name) is not None for name in ALL)


async def test_different_announcements_seal_shares_that_do_not_open(stage: Build) -> None:
    """Two nodes contribute twice, as colluders can; two honest ones are told of different ones."""
    on = stage(ALL)
    await on.offer()
    await on.begin()
    truth = {name: on.arrival(name) for name in ALL}
    liar = on.nodes["d"]
    first = on.heard("d", Contribution, 0)
    other = bytes(len(first.payload))
    running = liar.run._running  # type: ignore[union-attr]
    assert running is not None
    bound = on.transcript().absorb("sum", b"0", first.description_hash).value
    signature = liar.key.sign("application/vnd.sealane.contribution", sha256(bound, sha256(other)))

    def retold(arrival: Arrival) -> Arrival:
        entries = tuple(replace(e, payload_hash=sha256(other), signature=signature)
                        if e.fingerprint == liar.fingerprint else e for e in arrival.entries)
        return replace(arrival, entries=entries, payloads={**arrival.payloads, liar.fingerprint: other})

    await on.tell("a", truth["a"])
    await on.tell("b", retold(truth["b"]))
    await on.tell("c", truth["c"])
    await on.tell("d", truth["d"])
    assert all(len(on.releases(name)) == 1 for name in ALL)  # each releases for what it was told, once
    await on.relay()
    # Anyone who holds a share made for other contributions cannot unseal it; so nobody has them all.
    assert [on.refusal(name) for name in ALL] == ["sealing.invalid"] * 4
    assert [on.opened(name) for name in ALL] == [None] * 4
    # And being told otherwise now, nobody releases again.
    await on.restart("b")
    await on.tell("b", truth["b"])
    assert on.refusal("b") == "run.second-release"
    assert {tuple(sorted(release.sealed.items())) for release in on.releases("b")} == {
        tuple(sorted(on.releases("b")[0].sealed.items()))}


def test_an_opening_meant_for_another(federation: Federate) -> None:
    fed = federation()
    kept: list[Opening] = []

    def swap(message: Opening) -> Opening | None:
        kept.append(message)
        return replace(message, sealed=kept[0].sealed) if len(kept) > 1 else message

    error = fed.fails(Fault("replace", message="Opening", exchange=0, times=2, lie=swap))
    assert error.code == "run.opening-incomplete"


async def test_a_study_that_is_another_at_each_node(stage: Build) -> None:
    """Same name, other parameters: the hash differs, so the approvals do not verify for it."""
    on = stage(ALL)
    changed = on.make_study(parameters={"rounds": 3})
    assert changed.hash != on.study.hash
    await on.tell("a", RunOffer(RUN, replace(on.record, study=changed.canonical())))
    assert on.heard("a", Failure).error.code == "run.not-signed-here"
