"""The pure ledger: which steps there are, and what each cap refuses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from expected_error import raises

from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError
from sealane.privacy.acts import Act, Commit, Line, Request, Reserve, Void, read_line
from sealane.privacy.ledger import DEFAULT_RELEASES, Ledger, State, make_cap
from sealane.privacy.mechanism import Concentrated, Price

DELTA = Decimal("1e-6")
ALICE, BOB = ("alice", "a" * 51 + "q"), ("bob", "b" * 51 + "q")
STUDY = "c" * 64
# dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6). Each of these is half of its rho, so
# two cost 1; by the formula of Bun and Steinke one costs at most 0.84 and three at most 1.46.
ONE = Price(Concentrated(1 / (4 * Decimal("4.530877117") ** 2)))


def request(run: str = "r1", price: Price | None = ONE, **changes: object) -> Request:
    return replace(Request(run, "loans", "ab" * 32, STUDY, (ALICE,), "test.count", price), **changes)  # type: ignore[arg-type]


def ledger(*acts: Act) -> Ledger:
    made = Ledger()
    for act in acts:
        assert made.check(act)
        made.apply(act)
    return made


def cap(epsilon: str | None = "1", **changes: object) -> Act:
    delta = None if epsilon is None else DELTA
    made = make_cap("loans", "dataset", "", "", None if epsilon is None else Decimal(epsilon), delta,
                    changes.pop("releases", None) if epsilon else 5)  # type: ignore[arg-type]
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_run_is_reserved_then_charged_once() -> None:
    book = ledger(cap(), Reserve(request()))
    assert book.entries["r1"].state is State.RESERVED
    assert book.spent("loans", DELTA, reserved=False).epsilon == 0
    reserved = book.spent("loans", DELTA).epsilon
    book.apply(Commit("r1", 0))
    assert book.entries["r1"].state is State.COMMITTED
    assert book.spent("loans", DELTA, reserved=False).epsilon == reserved > 0
    for again in (Reserve(request()), Commit("r1", 0)):
        assert not book.check(again)


def test_what_is_not_used_is_given_back_and_what_is_charged_stays() -> None:
    book = ledger(cap("9"), Reserve(request("r1")), Void("r1"), Reserve(request("r2", replace(ONE, sums=5))),
                  Commit("r2", 0), Commit("r2", 4), Void("r2"))
    assert (book.entries["r1"].state, book.entries["r2"].state) == (State.VOIDED, State.COMMITTED)
    assert book.mechanisms("loans", None) == [(ONE.mechanism, 0), (ONE.mechanism, 2)]
    assert not book.check(Void("r1"))
    assert not book.check(Void("r0"))


@pytest.mark.parametrize(("acts", "then", "code", "branch"), [
    ([], Commit("r1", 0), "ledger.illegal-transition", ProtocolError),
    ([Reserve(request()), Void("r1")], Commit("r1", 0), "ledger.illegal-transition", ProtocolError),
    ([Reserve(request()), Void("r1")], Reserve(request()), "ledger.illegal-transition", ProtocolError),
    ([Reserve(request()), Commit("r1", 0), Void("r1")], Commit("r1", 1), "ledger.illegal-transition", ProtocolError),
    ([Reserve(request()), Commit("r1", 0), Void("r1")], Reserve(request()), "ledger.illegal-transition",
     ProtocolError),
    ([Reserve(request())], Reserve(request(version="cd" * 32)), "ledger.run-differs", ProtocolError),
    ([Reserve(request()), Commit("r1", 0)], Commit("r1", 2), "ledger.not-reserved", RefusedError),
])
def test_other_steps_are_errors_and_change_nothing(
    acts: list[Act], then: Act, code: str, branch: type[SealaneError]
) -> None:
    book = ledger(cap("9"), *acts)
    before = (dict(book.entries), dict(book.caps))
    with raises(code, branch):
        book.check(then)
    assert (book.entries, book.caps) == before


def test_without_a_cap_nothing_is_spent() -> None:
    with raises("ledger.no-cap", RefusedError):
        ledger().check(Reserve(request()))
    with raises("ledger.no-cap", RefusedError):  # one for a recipient alone is not one of the dataset
        ledger(cap(scope="recipient", target=ALICE[1], label="alice")).check(Reserve(request()))


def test_a_refusal_says_what_was_asked_what_is_left_and_which_cap() -> None:
    book = ledger(cap("1.0001"), Reserve(request("r1")), Commit("r1", 0), Reserve(request("r2")))
    with raises("ledger.cap-exceeded", RefusedError) as caught:
        book.check(Reserve(request("r3")))
    error = caught.value
    assert "the cap of dataset loans" in error.message
    asked, total = (float(word) for word in str(error.got).replace(",", "").split()
                    if word[0] in "01" and word != "0.000001")
    assert 0.5 < asked < 0.84
    assert 1.2 < total < 1.46
    most, left = (float(word.strip(",")) for word in str(error.expected).split() if word[0].isdigit())
    assert most == 1.0001
    assert 0.00009 < left <= 0.0001
    book.apply(Void("r2"))
    assert book.check(Reserve(request("r3")))


@pytest.mark.parametrize(("scope", "target", "label", "hit", "other"), [
    ("recipient", ALICE[1], "alice", {}, {"recipients": (BOB,)}),
    ("study", STUDY, "scorecard", {}, {"study": "d" * 64}),
])
def test_caps_of_one_recipient_or_study(
    scope: str, target: str, label: str, hit: dict[str, object], other: dict[str, object]
) -> None:
    book = ledger(cap("9"), cap("0.95", scope=scope, target=target, label=label), Reserve(request("r1")))
    with raises("ledger.cap-exceeded", RefusedError) as caught:
        book.check(Reserve(request("r2", **hit)))
    assert f"{scope} {label}" in caught.value.message
    assert book.check(Reserve(request("r2", **other)))


@pytest.mark.parametrize("changes", [{"version": "ef" * 32}, {"dataset": "copy"}])
def test_a_dataset_is_charged_under_every_version_and_a_version_under_every_name(changes: dict[str, str]) -> None:
    book = ledger(cap("0.95"), cap("0.95", dataset="copy"), Reserve(request("r1")))
    with raises("ledger.cap-exceeded", RefusedError):
        book.check(Reserve(request("r2", **changes)))
    assert book.check(Reserve(request("r2", dataset="copy", version="ef" * 32)))


def test_units_do_not_mix() -> None:
    book = ledger(cap("9"), Reserve(request("r1")))
    with raises("ledger.unit-differs", RefusedError):
        book.check(Reserve(request("r2", replace(ONE, unit="person"))))
    book.apply(Void("r1"))  # nothing was charged: the dataset has no unit yet
    assert book.check(Reserve(request("r2", replace(ONE, unit="person"))))
    assert book.unit("loans") is None


def test_releases_without_noise_are_counted_once_a_run() -> None:
    book = ledger(replace(cap(None), releases=2), Reserve(request("r1", None)), Commit("r1", 0),  # type: ignore[type-var]
                  Reserve(request("r2", None)))
    assert not book.check(Commit("r1", 2))
    with raises("ledger.releases-exhausted", RefusedError) as caught:
        book.check(Reserve(request("r3", None)))
    assert (caught.value.got, caught.value.expected) == ("1 asked, 2 given or under way", "at most 2")
    book.apply(Void("r2"))
    assert book.check(Reserve(request("r3", None)))
    assert book.releases("loans") == 1


def test_releases_have_a_default_cap() -> None:
    book = ledger(*(Reserve(request(f"r{k}", None)) for k in range(DEFAULT_RELEASES)))
    with raises("ledger.releases-exhausted", RefusedError):
        book.check(Reserve(request("one more", None)))


@pytest.mark.parametrize("limits", [(None, None, None), (Decimal(1), None, None), (None, DELTA, 3), (None, None, -1)])
def test_caps_that_limit_nothing_are_refused(limits: tuple[Decimal | None, Decimal | None, int | None]) -> None:
    with raises("ledger.bad-cap", InputError):
        make_cap("loans", "dataset", "", "", *limits)


@pytest.mark.parametrize("act", [
    Reserve(request()), Reserve(request(price=None, recipients=())), Commit("r1", 3), Void("r1"), cap(), cap(None),
])
def test_lines_are_read_as_they_were_written(act: Act) -> None:
    line = Line(7, "2026-06-01T12:00:00Z", act)
    assert read_line(line.canonical(), 7) == line
    for body, number in ((line.canonical(), 8), (line.canonical().replace(b'"act"', b'"ACT"'), 7), (b"{}", 7)):
        with raises("ledger.line-malformed", ProtocolError):
            read_line(body, number)
