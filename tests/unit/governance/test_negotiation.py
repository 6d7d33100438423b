"""The negotiation: any sequence of moves, the scenarios of the protocol's compatibility kit, and our own statements."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import signed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.counter import Counter, sign_counter
from sealane.governance.negotiation import Move, NegotiationState, Party, move, standing_of
from sealane.governance.study import Study

S, C, P = NegotiationState, Party.CONSUMER, Party.PROVIDER

# Every transition of the state machine in the specification (2025-1, "Contract Negotiation Protocol"), by hand.
LEGAL = {
    (None, C, "request", "REQUESTED"), (None, P, "offer", "OFFERED"),
    ("REQUESTED", P, "offer", "OFFERED"), ("REQUESTED", P, "agree", "AGREED"),
    ("OFFERED", C, "request", "REQUESTED"), ("OFFERED", C, "accept", "ACCEPTED"), ("ACCEPTED", P, "agree", "AGREED"),
    ("AGREED", C, "verify", "VERIFIED"), ("VERIFIED", P, "finalize", "FINALIZED"),
    *((state, who, "terminate", "TERMINATED") for who in (C, P)
      for state in ("REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED")),
}
NEXT = {(state, who, what): new for state, who, what, new in LEGAL}


def test_exactly_the_legal_moves_lead_on() -> None:
    for state in (None, *S):
        for who in Party:
            for what in Move:
                expected = NEXT.get((state and str(state), who, str(what)))
                if expected is None:
                    with pytest.raises(ProtocolError) as caught:
                        move(state, who, what)
                    assert caught.value.code == "negotiation.illegal-move"
                else:
                    assert move(state, who, what) == expected


class Negotiating(RuleBasedStateMachine):
    """Both sides do whatever they like; what is illegal is refused and changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.state: NegotiationState | None = None
        self.path: list[str] = []

    @rule(who=st.sampled_from(Party), what=st.sampled_from(Move))
    def act(self, who: Party, what: Move) -> None:
        before = self.state
        try:
            self.state = move(before, who, what)
        except ProtocolError:
            assert self.state is before
            assert (before and str(before), who, str(what)) not in NEXT
        else:
            self.path.append(str(self.state))

    @rule()
    @precondition(lambda self: self.state is not None and not self.state.over)
    def on(self) -> None:
        """Take a legal step, so that the end is reached often."""
        who, what = next((w, m) for s, w, m in sorted(NEXT, key=str) if s == str(self.state) and m != "terminate")
        self.act(who, Move(what))

    @invariant()
    def nothing_follows_the_end(self) -> None:
        ends = [index for index, state in enumerate(self.path) if state in ("FINALIZED", "TERMINATED")]
        assert ends in ([], [len(self.path) - 1])

    @invariant()
    def nothing_is_final_that_was_not_agreed_and_verified(self) -> None:
        if self.path[-1:] == ["FINALIZED"]:
            assert self.path[-3:] == ["AGREED", "VERIFIED", "FINALIZED"]


TestNegotiating = Negotiating.TestCase

# The kit's scenarios, by its names. A word is a move; ! marks one that must be refused and change nothing.
SCENARIOS = {
    "CN:01-01": "request offer c-terminate", "CN:01-02": "request offer counter p-terminate",
    "CN:01-03": "request offer accept agree verify finalize", "CN:01-04": "request agree verify finalize",
    "CN:02-01": "request p-terminate", "CN:02-02": "request c-terminate", "CN:02-03": "request agree c-terminate",
    "CN:02-04": "request offer c-terminate", "CN:02-05": "request offer p-terminate",
    "CN:02-06": "request offer accept p-terminate", "CN:02-07": "request agree verify p-terminate",
    "CN:03-01": "request agree verify finalize !c-terminate", "CN:03-02": "request offer !verify",
    "CN:03-03": "request offer accept !verify", "CN:03-04": "request offer counter !counter p-terminate",
    "CN_C:01-01": "request offer accept agree verify finalize", "CN_C:01-02": "request offer counter p-terminate",
    "CN_C:01-03": "request offer c-terminate", "CN_C:01-04": "request agree verify finalize",
    "CN_C:02-01": "request p-terminate", "CN_C:02-02": "request c-terminate", "CN_C:02-03": "request agree c-terminate",
    "CN_C:02-04": "request offer p-terminate", "CN_C:02-05": "request offer accept p-terminate",
    "CN_C:02-06": "request agree verify p-terminate", "CN_C:03-01": "request !finalize",
    "CN_C:03-02": "request offer !agree", "CN_C:03-03": "request offer !finalize",
    "CN_C:03-04": "request offer accept !finalize", "CN_C:03-05": "request offer accept !offer",
    "CN_C:03-06": "request offer accept agree !finalize",
}
WORDS = {"request": (C, Move.REQUEST), "counter": (C, Move.REQUEST), "offer": (P, Move.OFFER),
         "accept": (C, Move.ACCEPT), "agree": (P, Move.AGREE), "verify": (C, Move.VERIFY),
         "finalize": (P, Move.FINALIZE), "c-terminate": (C, Move.TERMINATE), "p-terminate": (P, Move.TERMINATE)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    state: NegotiationState | None = None
    for word in SCENARIOS[name].split():
        who, what = WORDS[word.removeprefix("!")]
        if word.startswith("!"):
            with pytest.raises(ProtocolError):
                move(state, who, what)
        else:
            state = move(state, who, what)
    last = SCENARIOS[name].split()[-1]
    if not last.startswith("!"):
        assert state is (S.FINALIZED if last == "finalize" else S.TERMINATED)


def counter(study: Study, key: SigningKey, name: str, **changes: object) -> object:
    return sign_counter(key, Counter(study.hash, name, key.fingerprint, changes or {"minimum_count": 20}, "why not",
                                     signed.AT))


def test_statements_move_each_institutions_own_negotiation(
    build: Callable[..., Study], keys: dict[str, SigningKey]
) -> None:
    study = build()
    said: list[object] = []

    def states() -> list[str]:
        return [str(standing_of(study, said)[name]) for name in ("east", "north", "south", "west")]  # type: ignore[arg-type]

    assert states() == ["REQUESTED"] * 4
    said.append(counter(study, keys["north"], "north"))
    assert states() == ["REQUESTED", "OFFERED", "REQUESTED", "REQUESTED"]
    said.append(counter(study, keys["north"], "north", rounds=9))
    said.append(signed.agreement(study, keys["east"], "east"))
    assert states() == ["VERIFIED", "OFFERED", "REQUESTED", "REQUESTED"]
    said.append(signed.agreement(build(rounds=9), keys["south"], "south"))  # of another study: nothing changes
    said.append(counter(study, keys["east"], "east"))  # after its agreement: too late, nothing changes
    assert states() == ["VERIFIED", "OFFERED", "REQUESTED", "REQUESTED"]
    for name in ("north", "south"):
        said.append(signed.agreement(study, keys[name], name))
    assert states() == ["VERIFIED", "VERIFIED", "VERIFIED", "REQUESTED"]
    assert standing_of(study, [*said, signed.refusal(study, keys["south"], "south")])["south"] == "TERMINATED"  # type: ignore[list-item]
    said.append(signed.agreement(study, keys["west"], "west"))
    assert states() == ["FINALIZED"] * 4
