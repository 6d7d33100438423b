"""Every message survives the wire, and nothing malformed gets past the codec."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.api.study.v1 import study_pb2 as study_pb
from sealane.core.ids import Fingerprint, fingerprint, new_run_id
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.signed_statement import SignedAgreement, SignedCounter, SignedRefusal
from sealane.rpc.codec import (
    decode_from_coordinator,
    decode_from_node,
    encode_from_coordinator,
    encode_from_node,
)
from sealane.rpc.notices import (
    Directory,
    Failure,
    Hello,
    Nudge,
    Parcel,
    PartyRecord,
    RunEnded,
    RunOffer,
    StudyRecord,
    Welcome,
)
from sealane.rpc.study_codec import decode_party, encode_party
from sealane.secagg.messages import (
    Arrival,
    Contribution,
    Delivery,
    Endorsed,
    Endorsement,
    Entry,
    Introduced,
    Introduction,
    IntroductionEntry,
    Join,
    Letters,
    LettersEntry,
    Member,
    Opening,
    Proposal,
    Release,
    SealedResult,
    Start,
)

RUN = new_run_id()
ANN, BEN = (fingerprint(bytes([i]) * 32) for i in (1, 2))
HASH, SIGNATURE, KEY = b"h" * 32, b"s" * 64, b"k" * 32
AGREEMENT_KEY = b"a" * 1216
ENDORSEMENT = Endorsement(RUN, 2, HASH, b"t" * 32, SIGNATURE)
APPROVAL = SignedAgreement(b"body", KEY, SIGNATURE)
RECORD = StudyRecord(b"{}", "alice", "2026-01-01T00:00:00Z", (APPROVAL, SignedRefusal(b"no", KEY, SIGNATURE)))
ERROR = RefusedError("study.revoked", "approval was revoked", got="north", expected=None, hint="ask")
PARTY = PartyRecord("north", "node", ANN, KEY, b"x" * 32, True)
PARCEL = Parcel(BEN, "request", HASH, b"columns", KEY, SIGNATURE)

FROM_NODE: list[Any] = [
    Hello("0.1.0", ("glm.fit",)),
    Join(RUN, AGREEMENT_KEY, SIGNATURE),
    Introduction(RUN, 1, {BEN: b"c" * 1088}, SIGNATURE),
    Contribution(RUN, 1, 7, HASH, SIGNATURE, b"payload", 54, False, {ANN: b"share"}),
    Contribution(RUN, 1, 8, HASH, b"", b"payload", 64, False, opens_on_arrival=True, tagged=True),
    Release(RUN, 1, 7, {ANN: b"sealed"}),
    Proposal(RUN, 0, 3, b"\x00" * 16, SIGNATURE),
    ENDORSEMENT,
    SealedResult(RUN, 1, {BEN: b"result"}),
    APPROVAL,
    SignedRefusal(b"no", KEY, SIGNATURE),
    SignedCounter(b"rather", KEY, SIGNATURE),
    PARCEL,
    Letters(RUN, 1, 7, {ANN: b"letter"}, (HASH, b""), SIGNATURE),
]
FROM_COORDINATOR: list[Any] = [
    Welcome("0.1.0", 1 << 29, 1 << 20),
    RECORD,
    RunOffer(RUN, RECORD),
    Start(RUN, 2, (Member(ANN, KEY, AGREEMENT_KEY, SIGNATURE),)),
    Introduced(RUN, 2, (IntroductionEntry(ANN, (KEY, KEY), SIGNATURE), IntroductionEntry(BEN, (), SIGNATURE)),
               {ANN: b"c" * 1088}),
    Arrival(RUN, 1, 7, (Entry(ANN, HASH, HASH, SIGNATURE),), {BEN: b"payload"}, b"sum"),
    Arrival(RUN, 1, 8, (Entry(ANN, b"", HASH, b""),), aggregate=b"sum"),
    Opening(RUN, 1, 7, {ANN: b"share"}),
    Proposal(RUN, 0, 3, b"\x00" * 16, SIGNATURE),
    Endorsed(RUN, 2, {ANN: ENDORSEMENT}),
    RunEnded(RUN),
    Nudge(RUN),
    Directory((PARTY,)),
    PARCEL,
    Delivery(RUN, 1, 7, (LettersEntry(ANN, (HASH, b""), SIGNATURE), LettersEntry(BEN, (b"", b""), SIGNATURE)),
             {ANN: b"letter"}),
]


@pytest.mark.parametrize("message", FROM_NODE, ids=lambda m: type(m).__name__)
def test_a_nodes_message_survives_the_wire(message: Any) -> None:
    wire = encode_from_node(message).SerializeToString()
    assert decode_from_node(pb.ConnectRequest.FromString(wire)) == message


@pytest.mark.parametrize("message", FROM_COORDINATOR, ids=lambda m: type(m).__name__)
def test_a_coordinators_message_survives_the_wire(message: Any) -> None:
    wire = encode_from_coordinator(message).SerializeToString()
    assert decode_from_coordinator(pb.ConnectResponse.FromString(wire)) == message


def test_errors_travel_with_branch_and_hint() -> None:
    failure = decode_from_node(encode_from_node(Failure(RUN, ERROR)))
    ended = decode_from_coordinator(encode_from_coordinator(RunEnded(RUN, ERROR)))
    assert isinstance(failure, Failure)
    assert isinstance(ended, RunEnded)
    for error in (failure.error, ended.error):
        assert isinstance(error, RefusedError)
        assert error.to_dict() == ERROR.to_dict()


def test_parties_survive_the_wire() -> None:
    assert decode_party(encode_party(PARTY)) == PARTY


MALFORMED = [
    (pb.ConnectRequest(), "wire.unknown-message"),
    (pb.ConnectRequest(join=pb.Join(run_id="run", agreement_key=KEY, signature=SIGNATURE)), "wire.bad-run-id"),
    (pb.ConnectRequest(join=pb.Join(run_id=RUN, agreement_key=b"short", signature=SIGNATURE)), "wire.wrong-length"),
    (pb.ConnectRequest(join=pb.Join(run_id=RUN, agreement_key=KEY, signature=SIGNATURE)), "wire.wrong-length"),
    (pb.ConnectRequest(introduction=pb.Introduction(run_id=RUN, sealed={ANN: bytes(1087)}, signature=SIGNATURE)),
     "wire.wrong-length"),
    (pb.ConnectRequest(introduction=pb.Introduction(run_id=RUN, sealed={"x": bytes(1088)}, signature=SIGNATURE)),
     "wire.bad-fingerprint"),
    (pb.ConnectRequest(contribution=pb.Contribution(run_id=RUN, description_hash=HASH, signature=b"")),
     "wire.wrong-length"),
    (pb.ConnectRequest(contribution=pb.Contribution(
        run_id=RUN, description_hash=HASH, signature=SIGNATURE, tagged=True)), "wire.wrong-length"),
    (pb.ConnectRequest(join=pb.Join(run_id=RUN, agreement_key=KEY, signature=SIGNATURE)), "wire.wrong-length"),
    (pb.ConnectRequest(introduction=pb.Introduction(run_id=RUN, sealed={ANN: bytes(1087)}, signature=SIGNATURE)),
     "wire.wrong-length"),
    (pb.ConnectRequest(introduction=pb.Introduction(run_id=RUN, sealed={"x": bytes(1088)}, signature=SIGNATURE)),
     "wire.bad-fingerprint"),
    (pb.ConnectRequest(release=pb.Release(run_id=RUN, sealed={"somebody": b""})), "wire.bad-fingerprint"),
    (pb.ConnectRequest(release=pb.Release(run_id=RUN, sealed={ANN: bytes(1 << 17)})), "wire.too-many"),
    (pb.ConnectRequest(hello=pb.Hello(version="1\x1b[2J")), "wire.bad-text"),
    (pb.ConnectRequest(hello=pb.Hello(version="1", computations=["c"] * 1001)), "wire.too-many"),
    (pb.ConnectRequest(statement=study_pb.SignedStatement(body=b"b", public_key=KEY, signature=SIGNATURE)),
     "wire.unknown-statement"),
    (pb.ConnectRequest(letters=pb.Letters(run_id=RUN, sealed={"somebody": b""}, signature=SIGNATURE)),
     "wire.bad-fingerprint"),
    (pb.ConnectRequest(letters=pb.Letters(run_id=RUN, hashes=[b"short"], signature=SIGNATURE)), "wire.wrong-length"),
    (pb.ConnectRequest(letters=pb.Letters(run_id=RUN, hashes=[HASH] * 1025, signature=SIGNATURE)), "wire.too-many"),
    (pb.ConnectRequest(letters=pb.Letters(run_id=RUN, signature=b"")), "wire.wrong-length"),
    (pb.ConnectRequest(parcel=pb.Parcel(recipient="x", kind="answer", subject=HASH)), "wire.bad-fingerprint"),
    (pb.ConnectRequest(parcel=pb.Parcel(recipient=ANN, kind="rows", subject=HASH)), "parcel.unknown-kind"),
    (pb.ConnectRequest(parcel=pb.Parcel(recipient=ANN, kind="question", subject=HASH, body=b"x")),
     "parcel.too-large"),
    (pb.ConnectRequest(parcel=pb.Parcel(recipient=ANN, kind="end", subject=b"x")), "wire.wrong-length"),
]


@pytest.mark.parametrize(("request_", "code"), MALFORMED, ids=lambda v: v if isinstance(v, str) else "")
def test_malformed_messages_are_refused(request_: pb.ConnectRequest, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_from_node(request_)
    assert caught.value.code == code


def test_a_party_with_an_illegal_name_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_party(study_pb.Party(name="../north", role="node", fingerprint=ANN, signing_key=KEY, sealing_key=KEY))
    assert caught.value.code == "wire.bad-name"


@given(st.binary(max_size=400))
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    try:
        request = pb.ConnectRequest.FromString(data)
    except Exception:
        return  # protobuf refuses it first
    with contextlib.suppress(ProtocolError):
        decode_from_node(request)


def test_fingerprints_stay_fingerprints() -> None:
    release = decode_from_node(encode_from_node(Release(RUN, 0, 0, {Fingerprint(ANN): b""})))
    assert isinstance(release, Release)
    assert set(release.sealed) == {ANN}


def test_an_error_with_any_text_gets_through_cleaned() -> None:
    error = RefusedError("a.b", "\x1b[2J" + "x" * 5000, got="y\n" * 9000)
    failure = decode_from_node(encode_from_node(Failure(RUN, error)))
    assert isinstance(failure, Failure)
    assert failure.error.code == "a.b"
    assert len(failure.error.message) <= 1000
    assert failure.error.message.isprintable()
