"""Protobuf and the domain's values: one function each way for the messages of the node stream.

Decoding checks lengths, patterns and counts, so that what leaves this module is well-formed whoever sent it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets, whole
from sealane.crypto.agreement import CIPHERTEXT_BYTES, PUBLIC_KEY_BYTES
from sealane.errors import ProtocolError
from sealane.governance.catalog_statement import CatalogStatement, SignedPublication, SignedWithdrawal
from sealane.governance.signed_statement import SignedAgreement, SignedCounter, SignedRefusal
from sealane.rpc import bounds, fresh_codec, letters_codec, log_codec, parcel_codec
from sealane.rpc.catalog_codec import decode_catalog, encode_catalog
from sealane.rpc.error_detail import describe_error, described_error
from sealane.rpc.notices import (
    ActsHead,
    Cosigned,
    Directory,
    Failure,
    FreshAnswer,
    FreshQuestion,
    HeadHeld,
    Hello,
    LogEvidence,
    LogUpdate,
    Nudge,
    Parcel,
    PeerHead,
    RunEnded,
    RunOffer,
    Statement,
    StudyRecord,
    Welcome,
    WitnessHead,
)
from sealane.rpc.study_codec import (
    decode_party,
    decode_statement,
    decode_study,
    encode_party,
    encode_statement,
    encode_study,
)
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
    Member,
    Opening,
    Proposal,
    Release,
    SealedResult,
    Start,
)

FromNode = (
    Hello | Join | Introduction | Contribution | Release | Proposal | Endorsement | SealedResult | Failure | Statement
    | CatalogStatement | WitnessHead | Cosigned | ActsHead | HeadHeld | FreshQuestion | FreshAnswer | Parcel
    | Letters
)
FromCoordinator = (
    Welcome | StudyRecord | RunOffer | Start | Introduced | Arrival | Opening | Proposal | Endorsed | RunEnded | Nudge
    | Directory | LogUpdate | LogEvidence | PeerHead | HeadHeld | FreshQuestion | FreshAnswer | Parcel | Delivery
)

_MAXIMUM_SHARE = 1 << 16


def encode_from_node(message: FromNode) -> pb.ConnectRequest:
    """Write a node's message."""
    match message:
        case Hello():
            return pb.ConnectRequest(hello=pb.Hello(version=message.version, computations=message.computations))
        case Join():
            return pb.ConnectRequest(join=pb.Join(
                run_id=message.run_id, agreement_key=message.agreement_key, signature=message.signature))
        case Introduction():
            return pb.ConnectRequest(introduction=pb.Introduction(
                run_id=message.run_id, attempt=message.attempt, sealed=_text_keys(message.sealed),
                signature=message.signature))
        case Contribution():
            return pb.ConnectRequest(contribution=encode_contribution(message, whole(message.payload)))
        case Release():
            return pb.ConnectRequest(release=pb.Release(
                run_id=message.run_id, attempt=message.attempt, exchange=message.exchange,
                sealed=_text_keys(message.sealed)))
        case Proposal():
            return pb.ConnectRequest(proposal=_proposal(message))
        case Endorsement():
            return pb.ConnectRequest(endorsement=_endorsement(message))
        case SealedResult():
            return pb.ConnectRequest(sealed_result=pb.SealedResult(
                run_id=message.run_id, attempt=message.attempt, sealed=_text_keys(message.sealed)))
        case Failure():
            return pb.ConnectRequest(failure=pb.Failure(run_id=message.run_id, error=describe_error(message.error)))
        case SignedAgreement() | SignedRefusal() | SignedCounter():
            return pb.ConnectRequest(statement=encode_statement(message))
        case SignedPublication() | SignedWithdrawal():
            return pb.ConnectRequest(catalog_statement=encode_catalog(message))
        case WitnessHead() | Cosigned() | ActsHead():
            return log_codec.encode_from_witness(message)
        case HeadHeld() | FreshQuestion() | FreshAnswer():
            return fresh_codec.encode_from_peer(message)
        case Parcel():
            return pb.ConnectRequest(parcel=parcel_codec.write_parcel(message))
        case Letters():
            return pb.ConnectRequest(letters=letters_codec.write_letters(message))


def decode_from_node(request: pb.ConnectRequest) -> FromNode:
    """Read a node's message.

    Raises:
        ProtocolError: a field is malformed, or the message is of no known kind.
    """
    match request.WhichOneof("message"):
        case "hello":
            computations = bounds.at_most(tuple(request.hello.computations), 1000, "computations")
            return Hello(bounds.text(request.hello.version, "version", 64),
                         tuple(bounds.text(c, "computation", 100) for c in computations))
        case "join":
            join = request.join
            return Join(bounds.run_id(join.run_id), bounds.exact(join.agreement_key, PUBLIC_KEY_BYTES, "agreement key"),
                        bounds.exact(join.signature, 64, "signature"))
        case "introduction":
            i = request.introduction
            return Introduction(*_attempt(i), _encapsulated(i.sealed), bounds.exact(i.signature, 64, "signature"))
        case "contribution":
            return decode_contribution(request.contribution, request.contribution.payload)
        case "release":
            r = request.release
            return Release(*_exchange(r), _sealed(r.sealed, _MAXIMUM_SHARE))
        case "proposal":
            return _read_proposal(request.proposal)
        case "endorsement":
            return _read_endorsement(request.endorsement)
        case "sealed_result":
            s = request.sealed_result
            return SealedResult(*_attempt(s), _sealed(s.sealed, 1 << 30))
        case "failure":
            return Failure(bounds.run_id(request.failure.run_id), described_error(request.failure.error))
        case "statement":
            return decode_statement(request.statement)
        case "catalog_statement":
            return decode_catalog(request.catalog_statement)
        case "witness_head" | "cosigned" | "acts_head":
            return log_codec.decode_from_witness(request)
        case "head_held" | "fresh_question" | "fresh_answer":
            return fresh_codec.decode_from_peer(request)
        case "parcel":
            return parcel_codec.read_parcel(request.parcel)
        case "letters":
            return letters_codec.read_letters(request.letters)
        case other:
            raise ProtocolError("wire.unknown-message", "message of an unknown kind", got=other,
                                hint="the peer runs another version: see `sealane doctor`")


def encode_from_coordinator(message: FromCoordinator) -> pb.ConnectResponse:
    """Write a coordinator's message."""
    match message:
        case Welcome():
            return pb.ConnectResponse(welcome=pb.Welcome(
                version=message.version, maximum_message_bytes=message.maximum_message_bytes,
                chunk_bytes=message.chunk_bytes))
        case StudyRecord():
            return pb.ConnectResponse(study=encode_study(message))
        case RunOffer():
            return pb.ConnectResponse(run_offer=pb.RunOffer(run_id=message.run_id, study=encode_study(message.study)))
        case Start():
            members = [pb.Member(fingerprint=m.fingerprint, signing_key=m.signing_key, agreement_key=m.agreement_key,
                                 signature=m.signature) for m in message.members]
            return pb.ConnectResponse(start=pb.Start(run_id=message.run_id, attempt=message.attempt, members=members))
        case Introduced():
            introduced = [pb.IntroductionEntry(fingerprint=e.fingerprint, hashes=e.hashes, signature=e.signature)
                          for e in message.entries]
            return pb.ConnectResponse(introduced=pb.Introduced(
                run_id=message.run_id, attempt=message.attempt, entries=introduced, sealed=_text_keys(message.sealed)))
        case Arrival():
            payloads = {f: whole(data) for f, data in message.payloads.items()}
            return pb.ConnectResponse(arrival=encode_arrival(message, payloads, whole(message.aggregate)))
        case Opening():
            return pb.ConnectResponse(opening=pb.Opening(
                run_id=message.run_id, attempt=message.attempt, exchange=message.exchange,
                sealed=_text_keys(message.sealed)))
        case Proposal():
            return pb.ConnectResponse(proposal=_proposal(message))
        case Endorsed():
            return pb.ConnectResponse(endorsed=pb.Endorsed(
                run_id=message.run_id, attempt=message.attempt,
                endorsements={f: _endorsement(e) for f, e in message.endorsements.items()}))
        case RunEnded():
            error = None if message.error is None else describe_error(message.error)
            return pb.ConnectResponse(run_ended=pb.RunEnded(run_id=message.run_id, error=error))
        case Nudge():
            return pb.ConnectResponse(nudge=pb.Nudge(run_id=message.run_id))
        case Directory():
            return pb.ConnectResponse(directory=pb.Directory(parties=[encode_party(p) for p in message.parties]))
        case LogUpdate() | LogEvidence():
            return log_codec.encode_from_log(message)
        case PeerHead() | HeadHeld() | FreshQuestion() | FreshAnswer():
            return fresh_codec.encode_to_peer(message)
        case Parcel():
            return pb.ConnectResponse(parcel=parcel_codec.write_parcel(message))
        case Delivery():
            return pb.ConnectResponse(delivery=letters_codec.write_delivery(message))


def decode_from_coordinator(response: pb.ConnectResponse) -> FromCoordinator:
    """Read a coordinator's message.

    Raises:
        ProtocolError: a field is malformed, or the message is of no known kind.
    """
    match response.WhichOneof("message"):
        case "welcome":
            w = response.welcome
            return Welcome(bounds.text(w.version, "version", 64), w.maximum_message_bytes, w.chunk_bytes)
        case "study":
            return decode_study(response.study)
        case "run_offer":
            return RunOffer(bounds.run_id(response.run_offer.run_id), decode_study(response.run_offer.study))
        case "start":
            members = bounds.at_most(tuple(response.start.members), bounds.MAXIMUM_MEMBERS, "members")
            return Start(*_attempt(response.start), tuple(
                Member(bounds.party_fingerprint(m.fingerprint), bounds.exact(m.signing_key, 32, "signing key"),
                       bounds.exact(m.agreement_key, PUBLIC_KEY_BYTES, "agreement key"),
                       bounds.exact(m.signature, 64, "signature"))
                for m in members))
        case "introduced":
            told = response.introduced
            listed = bounds.at_most(tuple(told.entries), bounds.MAXIMUM_MEMBERS, "entries")
            return Introduced(*_attempt(told), tuple(_read_introduction_entry(e) for e in listed),
                              _encapsulated(told.sealed))
        case "arrival":
            return decode_arrival(response.arrival, response.arrival.aggregate)
        case "opening":
            o = response.opening
            return Opening(*_exchange(o), _sealed(o.sealed, _MAXIMUM_SHARE))
        case "proposal":
            return _read_proposal(response.proposal)
        case "endorsed":
            endorsements = {bounds.party_fingerprint(f): _read_endorsement(e)
                            for f, e in response.endorsed.endorsements.items()}
            return Endorsed(*_attempt(response.endorsed), endorsements)
        case "run_ended":
            ended = response.run_ended
            return RunEnded(bounds.run_id(ended.run_id),
                            described_error(ended.error) if ended.HasField("error") else None)
        case "nudge":
            return Nudge(bounds.run_id(response.nudge.run_id))
        case "directory":
            return Directory(tuple(decode_party(p) for p in bounds.at_most(
                tuple(response.directory.parties), 10_000, "parties")))
        case "log_update" | "log_evidence":
            return log_codec.decode_from_log(response)
        case "peer_head" | "head_held" | "fresh_question" | "fresh_answer":
            return fresh_codec.decode_to_peer(response)
        case "parcel":
            return parcel_codec.read_parcel(response.parcel)
        case "delivery":
            return letters_codec.read_delivery(response.delivery)
        case other:
            raise ProtocolError("wire.unknown-message", "message of an unknown kind", got=other,
                                hint="the peer runs another version: see `sealane doctor`")


def encode_contribution(message: Contribution, payload: bytes) -> pb.Contribution:
    """Write a contribution, with what is given for its payload."""
    return pb.Contribution(
        run_id=message.run_id, attempt=message.attempt, exchange=message.exchange,
        description_hash=message.description_hash, signature=message.signature, payload=payload,
        relay_whole=message.relay_whole, word_bits=message.word_bits, shares=_text_keys(message.shares),
        opens_on_arrival=message.opens_on_arrival, tagged=message.tagged)


def decode_contribution(c: pb.Contribution, payload: Octets) -> Contribution:
    """Read a contribution, but for its payload, which is given.

    Raises:
        ProtocolError: a field is malformed.
    """
    return Contribution(*_exchange(c), bounds.exact(c.description_hash, 32, "description hash"),
                        bounds.exact(c.signature, 0 if c.tagged else 64, "signature"), payload, c.word_bits,
                        c.relay_whole, _sealed(c.shares, _MAXIMUM_SHARE), c.opens_on_arrival, c.tagged)


def encode_arrival(message: Arrival, payloads: Mapping[Fingerprint, bytes], aggregate: bytes) -> pb.Arrival:
    """Write an announcement, with what is given for its payloads and its aggregate."""
    entries = [pb.Entry(fingerprint=e.fingerprint, payload_hash=e.payload_hash, description_hash=e.description_hash,
                        signature=e.signature, shares_hash=e.shares_hash) for e in message.entries]
    return pb.Arrival(run_id=message.run_id, attempt=message.attempt, exchange=message.exchange, entries=entries,
                      payloads=_text_keys(payloads), aggregate=aggregate, shares=_text_keys(message.shares))


def decode_arrival(a: pb.Arrival, aggregate: Octets) -> Arrival:
    """Read an announcement, but for its aggregate, which is given.

    Raises:
        ProtocolError: a field is malformed.
    """
    entries = bounds.at_most(tuple(a.entries), bounds.MAXIMUM_MEMBERS, "entries")
    return Arrival(*_exchange(a), tuple(
        Entry(bounds.party_fingerprint(e.fingerprint), bounds.none_or(e.payload_hash, 32, "payload hash"),
              bounds.exact(e.description_hash, 32, "description hash"), bounds.none_or(e.signature, 64, "signature"),
              bounds.none_or(e.shares_hash, 32, "shares hash"))
        for e in entries), _sealed(a.payloads, 1 << 30), aggregate, _sealed(a.shares, _MAXIMUM_SHARE))


def _text_keys(items: Mapping[Fingerprint, bytes]) -> dict[str, bytes]:
    return {str(f): data for f, data in items.items()}


def _sealed(items: Mapping[str, bytes], limit: int) -> dict[Fingerprint, bytes]:
    bounds.at_most(items, bounds.MAXIMUM_MEMBERS, "sealed items")
    return {bounds.party_fingerprint(f): bounds.at_most(data, limit, "bytes in an item") for f, data in items.items()}


def _encapsulated(items: Mapping[str, bytes]) -> dict[Fingerprint, bytes]:
    bounds.at_most(items, bounds.MAXIMUM_MEMBERS, "encapsulated secrets")
    return {bounds.party_fingerprint(f): bounds.exact(data, CIPHERTEXT_BYTES, "encapsulated secret")
            for f, data in items.items()}


def _read_introduction_entry(entry: pb.IntroductionEntry) -> IntroductionEntry:
    hashes = bounds.at_most(tuple(entry.hashes), bounds.MAXIMUM_MEMBERS, "hashes")
    return IntroductionEntry(bounds.party_fingerprint(entry.fingerprint),
                             tuple(bounds.exact(h, 32, "hash") for h in hashes),
                             bounds.exact(entry.signature, 64, "signature"))


def _proposal(message: Proposal) -> pb.Proposal:
    return pb.Proposal(run_id=message.run_id, attempt=message.attempt, exchange=message.exchange, value=message.value,
                       signature=message.signature)


def _attempt(
    message: pb.Start | pb.Introduction | pb.Introduced | pb.Endorsed | pb.SealedResult | pb.Endorsement,
) -> tuple[str, int]:
    return bounds.run_id(message.run_id), bounds.number(message.attempt, "attempt")


def _exchange(message: pb.Contribution | pb.Arrival | pb.Release | pb.Opening | pb.Proposal) -> tuple[str, int, int]:
    return (bounds.run_id(message.run_id), bounds.number(message.attempt, "attempt"),
            bounds.number(message.exchange, "exchange"))


def _read_proposal(message: pb.Proposal) -> Proposal:
    return Proposal(*_exchange(message), message.value,
                    bounds.exact(message.signature, 64, "signature"))


def _endorsement(message: Endorsement) -> pb.Endorsement:
    return pb.Endorsement(run_id=message.run_id, attempt=message.attempt, result_hash=message.result_hash,
                          transcript=message.transcript, signature=message.signature)


def _read_endorsement(message: pb.Endorsement) -> Endorsement:
    return Endorsement(*_attempt(message), bounds.exact(message.result_hash, 32, "hash"),
                       bounds.exact(message.transcript, 32, "transcript"),
                       bounds.exact(message.signature, 64, "signature"))
