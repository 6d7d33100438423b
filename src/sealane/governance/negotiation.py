"""The negotiation of one institution's agreement, as a pure state machine; an illegal move changes nothing.

    REQUESTED <-> OFFERED -> ACCEPTED -> AGREED -> VERIFIED -> FINALIZED
    REQUESTED -> AGREED
    every state but the last -> TERMINATED

The analyst is the consumer, the institution the provider. A proposed study is the consumer's request; an
institution's counter-offer is the provider's offer; an amended study that takes it up accepts it; a signed agreement is
the provider's agreement; it is verified once it verifies, and final once every participant's is.

Source: Dataspace Protocol 2025-1, "Contract Negotiation Protocol", state machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from sealane.errors import ProtocolError, SealaneError
from sealane.governance.agreement import verify_agreement
from sealane.governance.counter import amended, verify_counter
from sealane.governance.signed_statement import SignedAgreement, SignedCounter, SignedRefusal, Statement, verify_refusal
from sealane.governance.study import Study


class NegotiationState(StrEnum):
    """Where a negotiation stands."""

    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    TERMINATED = "TERMINATED"

    @property
    def over(self) -> bool:
        """True where nothing can follow."""
        return self in (NegotiationState.FINALIZED, NegotiationState.TERMINATED)


class Party(StrEnum):
    """Who makes a move."""

    CONSUMER = "consumer"
    PROVIDER = "provider"


class Move(StrEnum):
    """What a party does."""

    REQUEST = "request"
    OFFER = "offer"
    ACCEPT = "accept"
    AGREE = "agree"
    VERIFY = "verify"
    FINALIZE = "finalize"
    TERMINATE = "terminate"


_S, _M = NegotiationState, Move
_FIRST = {(Party.CONSUMER, _M.REQUEST): _S.REQUESTED, (Party.PROVIDER, _M.OFFER): _S.OFFERED}
_NEXT: dict[tuple[NegotiationState, Party, Move], NegotiationState] = {
    (_S.REQUESTED, Party.PROVIDER, _M.OFFER): _S.OFFERED,
    (_S.REQUESTED, Party.PROVIDER, _M.AGREE): _S.AGREED,
    (_S.OFFERED, Party.CONSUMER, _M.REQUEST): _S.REQUESTED,
    (_S.OFFERED, Party.CONSUMER, _M.ACCEPT): _S.ACCEPTED,
    (_S.ACCEPTED, Party.PROVIDER, _M.AGREE): _S.AGREED,
    (_S.AGREED, Party.CONSUMER, _M.VERIFY): _S.VERIFIED,
    (_S.VERIFIED, Party.PROVIDER, _M.FINALIZE): _S.FINALIZED,
}


def move(state: NegotiationState | None, party: Party, what: Move) -> NegotiationState:
    """Return the state after a move; None is a negotiation that has not begun.

    Raises:
        ProtocolError: the party may not make this move here.
    """
    if state is None:
        new = _FIRST.get((party, what))
    elif what is Move.TERMINATE and not state.over:
        new = NegotiationState.TERMINATED
    else:
        new = _NEXT.get((state, party, what))
    if new is None:
        legal = [f"{who} {one}" for who in Party for one in Move if _legal(state, who, one)]
        raise ProtocolError("negotiation.illegal-move", "a negotiation cannot take this step",
                            got=f"{party} {what} in {state or 'no state'}",
                            expected=", ".join(legal) or "nothing: it is over")
    return new


def standing_of(study: Study, statements: Sequence[Statement], *,
                accepted: frozenset[str] = frozenset()) -> dict[str, NegotiationState]:
    """Return, by participant's name, where the negotiation stands after what was signed about a study.

    A statement that does not verify, or that is no legal move, changes nothing.

    Args:
        study: what was proposed.
        statements: signed about it, in order.
        accepted: names of those whose counter-offer the study takes up; see :func:`taken_up`.
    """
    began = [(Party.CONSUMER, Move.REQUEST)]
    taken = [*began, (Party.PROVIDER, Move.OFFER), (Party.CONSUMER, Move.ACCEPT)]
    states = {p.name: _begun(taken if p.name in accepted else began) for p in study.participants}
    for statement in statements:
        try:
            node, moves = _moves(statement, study, states)
            states[node] = _follow(states[node], moves)
        except SealaneError:
            continue
    if all(state is NegotiationState.VERIFIED for state in states.values()):
        states = {node: move(state, Party.PROVIDER, Move.FINALIZE) for node, state in states.items()}
    return states


def taken_up(study: Study, replaced: Study, statements: Sequence[Statement]) -> frozenset[str]:
    """Return the names of those whose counter-offer to ``replaced`` is what ``study`` says."""
    if study.replaces != replaced.hash:
        return frozenset()
    names = set()
    for one in statements:
        try:
            if isinstance(one, SignedCounter):
                counter = verify_counter(one, replaced)
                if amended(replaced, counter.changes).model_copy(update={"replaces": replaced.hash}) == study:
                    names.add(counter.node)
        except SealaneError:
            continue
    return frozenset(names)


def _moves(statement: Statement, study: Study,
           states: dict[str, NegotiationState]) -> tuple[str, list[tuple[Party, Move]]]:
    """Return who made which moves by a statement.

    Signing the study as it stands after one's own counter-offer means that the study is requested once more. A later
    counter-offer takes the place of an earlier one in the same way.
    """
    match statement:
        case SignedAgreement():
            node, own = verify_agreement(statement, study).node, [(Party.PROVIDER, Move.AGREE),
                                                                  (Party.CONSUMER, Move.VERIFY)]
        case SignedCounter():
            node, own = verify_counter(statement, study).node, [(Party.PROVIDER, Move.OFFER)]
        case SignedRefusal():
            return verify_refusal(statement, study).node, [(Party.PROVIDER, Move.TERMINATE)]
    again = [(Party.CONSUMER, Move.REQUEST)] if states[node] is NegotiationState.OFFERED else []
    return node, [*again, *own]


def _begun(moves: Sequence[tuple[Party, Move]]) -> NegotiationState:
    first, *rest = moves
    return _follow(move(None, *first), rest)


def _follow(state: NegotiationState, moves: Iterable[tuple[Party, Move]]) -> NegotiationState:
    for party, what in moves:
        state = move(state, party, what)
    return state


def _legal(state: NegotiationState | None, party: Party, what: Move) -> bool:
    if state is None:
        return (party, what) in _FIRST
    return (what is Move.TERMINATE and not state.over) or (state, party, what) in _NEXT
