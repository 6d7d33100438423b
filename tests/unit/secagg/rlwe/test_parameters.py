"""The table is the design's, what lies outside it is refused, and the document says what code and estimates say."""

from __future__ import annotations

import hashlib
import math
import re
import runpy
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.core.ids import fingerprint
from sealane.errors import InputError, RefusedError
from sealane.ring.primes import Ring, largest_ring
from sealane.secagg.rlwe import parameters as module
from sealane.secagg.rlwe.parameters import DEGREE, KEY_SHARE_BYTES, PRIMES, Parameters, committee, parameters

ROOT = Path(__file__).resolve().parents[4]
DOCUMENT = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
ESTIMATES = Path(module.__file__).with_name("estimates")


def most(cohort: int) -> int:
    return cohort * 65535


def table(heading: str) -> list[list[str]]:
    """Return the body of the first table under a heading of the document."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def estimated(width: int, case: str) -> dict[tuple[str, str], float]:
    """Return log2 of the cost by model and attack, of one case of the estimator's output."""
    text = (ESTIMATES / f"primes-{width}.txt").read_text(encoding="utf-8")
    block = text.partition(f"\n{case}: ")[2].partition("\n\n")[0]
    return {(model, attack): float(bits)
            for model, attack, bits in re.findall(r"^ +(\w+) +(\w+) +2\^([\d.]+) ", block, re.MULTILINE)}


# The ring and the noise


@pytest.mark.parametrize("width", [28, 30])
def test_the_primes_are_the_largest_that_fit(width: int) -> None:
    found, candidate = [], 2**width - 1
    while len(found) < 7:
        if candidate % 16384 == 1 and all(candidate % divisor for divisor in range(2, math.isqrt(candidate) + 1)):
            found.append(candidate)
        candidate -= 1
    assert PRIMES[width] == tuple(found) == largest_ring(DEGREE, width, 7).primes


@pytest.mark.parametrize(("cohort", "goal"), [(4, 2.4), (10, 2.65), (50, 2.95), (100, 3.1)])
def test_bytes_per_value_keep_to_the_goal(cohort: int, goal: float) -> None:
    found = parameters(cohort, 1, most(cohort))
    base, noise = cohort * 65535 + 1, cohort * 86  # 86 = ceil(9.5 * 9)
    slots, q = found.packing.slots, math.prod(found.ring.primes)
    assert (2 * noise + 1) * base**slots <= q < (2 * noise + 1) * base ** (slots + 1)
    assert found.packing.noise == noise
    assert 7 * found.ring.bits / 8 / slots <= goal


def test_noise_after_the_hint_is_that_of_the_document() -> None:
    """1/σ0² = 2 (1/σ² + 1/((H - 1) σ²)) for the sum of H honest nodes: σ/2 for two, never less for more."""
    for sigma, left in ((Fraction("6.36396"), 3.18198), (Fraction(9), 4.5)):
        for honest in range(2, 200):
            inverse = 2 * (1 / sigma**2 + 1 / ((honest - 1) * sigma**2))
            assert 1 / inverse >= (sigma / 2) ** 2
            assert (1 / inverse == (sigma / 2) ** 2) == (honest == 2)
        assert math.isclose(float(sigma) / 2, left)
    assert "3.18" in DOCUMENT
    assert "4.5" in DOCUMENT


def test_the_reductions_loss_is_that_of_the_document() -> None:
    """ε from σ0 ≥ √2 η_ε(Z^d), η_ε(Z^d) = √(ln(2d(1 + 1/ε)) / 2) / π as a deviation, d = N (1 + polynomials)."""
    stated = re.findall(r"2\^-(\d+) for (?:one polynomial|a vector of 2\^28 values)", DOCUMENT)
    polynomials = (1, 2**28 // 8 // DEGREE)
    computed = [((math.pi * 3.18198) ** 2 - math.log(2 * DEGREE * (1 + count))) / math.log(2) for count in polynomials]
    assert [math.floor(bits) for bits in computed] == [int(bits) for bits in stated]


# The thresholds


@pytest.mark.parametrize(
    ("cohort", "colluding", "row"),
    [(3, 1, (2, 1, 3, 0)), (4, 1, (2, 1, 3, 1)), (4, 2, (3, 1, 4, 0)), (10, 3, (6, 2, 8, 2))],
)
def test_the_designs_rows_come_out_of_the_rule(cohort: int, colluding: int, row: tuple[int, ...]) -> None:
    found = parameters(cohort, colluding, most(cohort))
    assert (found.privacy, found.packed, found.replies, found.drop_outs) == row


def every_cohort() -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(2, 537).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, min(n - 2, n // 3 + 1))))


@settings(max_examples=200, deadline=None)
@given(every_cohort())
def test_no_second_set_of_survivors_gains_anything(drawn: tuple[int, int]) -> None:
    cohort, colluding = drawn
    found = parameters(cohort, colluding, most(cohort))
    honest = found.holders - found.colluding_holders
    # To pass t for two sets at once, each takes all the colluding replies and t + 1 - c' honest ones of its own.
    assert 2 * (found.privacy + 1 - found.colluding_holders) > honest
    assert found.privacy >= found.colluding_holders
    assert found.replies == found.privacy + found.packed <= found.holders - found.drop_outs <= found.holders
    assert found.packed >= 1
    assert found.minimum_survivors == colluding + 2
    assert found.sharing.threshold == found.replies
    assert found.sharing.parties == found.holders == min(cohort, 100)
    assert found.sharing.most == cohort * 61 <= 32760  # 61 = ceil(9.5 * 6.36396)


@pytest.mark.parametrize("colluding", [0, 1, 5, 10, 20, 33])
def test_key_shares_of_a_hundred_nodes_keep_to_the_goal(colluding: int) -> None:
    found = parameters(100, colluding, most(100))
    share = 2 * -(-8192 // found.packed)
    assert found.key_share_bytes == 99 * share + 99 * share <= KEY_SHARE_BYTES == 110_000
    assert found.drop_outs >= 4


def test_the_study_may_ask_for_more_survivors() -> None:
    assert parameters(10, 3, 1, 7).minimum_survivors == 7
    assert parameters(10, 3, 1, 2).minimum_survivors == 5
    with pytest.raises(RefusedError, match=r"parameters\.survivors"):
        parameters(10, 3, 1, 11)


# Refusals


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda p: replace(p, secret_sigma=Decimal(2) / 3), "parameters.sigma"),
        (lambda p: replace(p, secret_sigma=Decimal("0.8165")), "parameters.sigma"),
        (lambda p: replace(p, secret_sigma=Decimal("6.3639")), "parameters.sigma"),
        (lambda p: replace(p, secret_sigma=Decimal(0)), "parameters.sigma"),
        (lambda p: replace(p, error_sigma=Decimal("3.2")), "parameters.sigma"),
        (lambda p: replace(p, ring=largest_ring(4096, 30, 7)), "parameters.ring"),
        (lambda p: replace(p, ring=largest_ring(16384, 30, 7)), "parameters.ring"),
        (lambda p: replace(p, ring=largest_ring(8192, 30, 8)), "parameters.ring"),
        (lambda p: replace(p, ring=largest_ring(8192, 30, 6)), "parameters.ring"),
        (lambda p: replace(p, ring=largest_ring(8192, 31, 7)), "parameters.ring"),
        (lambda p: replace(p, ring=largest_ring(8192, 28, 7)), "parameters.ring"),
        (lambda p: replace(p, ring=Ring(8192, 30, tuple(reversed(p.ring.primes)))), "parameters.ring"),
        (lambda p: replace(p, packing=replace(p.packing, noise=p.packing.noise - 1)), "parameters.packing"),
        (lambda p: replace(p, packing=replace(p.packing, slots=p.packing.slots + 1)), "parameters.packing"),
        (lambda p: replace(p, packing=replace(p.packing, step=p.packing.step - 1)), "parameters.packing"),
        (lambda p: replace(p, packing=replace(p.packing, ring=largest_ring(8192, 28, 7))), "parameters.packing"),
        (lambda p: replace(p, minimum_survivors=4), "parameters.survivors"),
        (lambda p: replace(p, holders=9), "parameters.holders"),
        (lambda p: replace(p, colluding_holders=2), "parameters.holders"),
        (lambda p: replace(p, privacy=5), "parameters.threshold"),
        (lambda p: replace(p, packed=3), "parameters.replies"),
        (lambda p: replace(p, packed=0), "parameters.replies"),
        (lambda p: replace(p, drop_outs=3), "parameters.replies"),
        (lambda p: replace(p, drop_outs=-1), "parameters.replies"),
        (lambda p: replace(p, privacy=9), "parameters.replies"),
        (lambda p: replace(p, cohort=1), "parameters.cohort"),
        (lambda p: replace(p, colluding=9), "parameters.colluding"),
        (lambda p: replace(p, colluding=-1), "parameters.colluding"),
    ],
)
def test_what_is_not_the_tables_is_refused(change: Callable[[Parameters], Parameters], code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        change(parameters(10, 3, most(10)))
    assert caught.value.code == code


def test_the_threshold_is_strict() -> None:
    with pytest.raises(RefusedError, match=r"parameters\.threshold"):
        replace(parameters(4, 2, most(4)), privacy=2, drop_outs=1)  # 2 (2 + 1) = 4 + 2: two sets, three replies each


def test_looser_but_safe_choices_are_allowed() -> None:
    found = parameters(10, 3, most(10))
    assert replace(found, packed=1, drop_outs=3).replies == 7
    assert replace(found, privacy=7, packed=1).replies == 8


@pytest.mark.parametrize(("cohort", "colluding", "code"), [
    (0, 0, "parameters.cohort"), (1, 0, "parameters.cohort"), (538, 5, "parameters.cohort"),
    (2, 1, "parameters.colluding"), (4, 3, "parameters.colluding"), (4, -1, "parameters.colluding"),
])
def test_cohorts_outside_the_table_are_refused(cohort: int, colluding: int, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parameters(cohort, colluding, 100)
    assert caught.value.code == code


def test_sums_that_fit_no_slot_are_the_callers_mistake() -> None:
    with pytest.raises(InputError):
        parameters(4, 1, 2**32)


def test_the_digest_covers_every_field() -> None:
    found = parameters(10, 3, most(10))
    others = [parameters(10, 2, most(10)), parameters(11, 3, most(10)), parameters(10, 3, 1000),
              parameters(10, 3, most(10), 6), parameters(60, 3, most(10)), replace(found, drop_outs=1),
              replace(found, packed=1)]
    assert len({found.digest, *(other.digest for other in others)}) == 1 + len(others)
    assert found.digest == parameters(10, 3, most(10)).digest
    described = set(found.describe())
    assert described >= {"cohort", "colluding", "minimum_survivors", "secret_sigma", "error_sigma", "holders",
                         "colluding_holders", "privacy", "packed", "drop_outs", "primes", "base", "slots", "noise"}


# The committee


NODES = [fingerprint(number.to_bytes(32, "big")) for number in range(250)]


def test_up_to_a_hundred_nodes_all_hold() -> None:
    assert committee(NODES[:100], b"t") == tuple(sorted(NODES[:100]))
    assert committee(reversed(NODES[:7]), b"u") == tuple(sorted(NODES[:7]))


def test_the_committee_is_drawn_by_the_transcript() -> None:
    def lot(name: str, transcript: bytes) -> bytes:
        digest = hashlib.sha256()
        for part in (b"sealane rlwe committee v1", transcript, name.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    for transcript in (b"one", b"two"):
        expected = sorted(sorted(NODES, key=lambda name, t=transcript: lot(name, t))[:100])  # type: ignore[misc]
        assert list(committee(NODES, transcript)) == expected
        assert committee(reversed(NODES), transcript) == committee(NODES, transcript)
    assert committee(NODES, b"one") != committee(NODES, b"two")
    counts = [sum(name in committee(NODES, bytes([k])) for k in range(50)) for name in NODES[:40]]
    assert min(counts) > 5
    assert max(counts) < 35


@pytest.mark.parametrize(("cohort", "colluding"), [(150, 10), (200, 40), (300, 100), (537, 53)])
def test_a_committee_is_worse_than_reckoned_once_in_2_80(cohort: int, colluding: int) -> None:
    bound = parameters(cohort, colluding, most(cohort)).colluding_holders

    def beyond(limit: int) -> Fraction:
        """Add up a draw one node at a time: the chance that more than ``limit`` of a hundred are colluding."""
        chances = {0: Fraction(1)}
        for drawn in range(100):
            after: dict[int, Fraction] = {}
            for bad, chance in chances.items():
                hit = Fraction(colluding - bad, cohort - drawn)
                after[bad + 1] = after.get(bad + 1, Fraction(0)) + chance * hit
                after[bad] = after.get(bad, Fraction(0)) + chance * (1 - hit)
            chances = after
        return sum((chance for bad, chance in chances.items() if bad > limit), Fraction(0))

    assert beyond(bound) <= Fraction(1, 2**80)
    assert bound == 0 or beyond(bound - 1) > Fraction(1, 2**80)


# The document and the estimates


def test_the_document_gives_the_rings() -> None:
    rows = table("The table")
    assert [row[0] for row in rows] == ["2 to 50", "51 to 537"]
    for row, width, cohort in zip(rows, (30, 28), (50, 51), strict=True):
        assert parameters(cohort, 1, 100).ring == Ring(DEGREE, width, PRIMES[width])
        assert row[1:] == ["8192", f"7 of {width} bits", f"{sum(map(math.log2, PRIMES[width])):.3f}", "6.36396", "9"]
    for width in (28, 30):
        head = (ESTIMATES / f"primes-{width}.txt").read_text(encoding="utf-8")
        assert f"log2 q = {sum(map(math.log2, PRIMES[width])):.3f}" in head
        assert "σ_s = 6.36396, σ_e = 9.0" in head


def test_the_document_gives_the_thresholds() -> None:
    rows = table("Thresholds")
    assert len(rows) >= 10
    for cells in rows:
        cohort, colluding, privacy, packed, replies, drop_outs, shares, both = (
            int(cell.replace(" ", "")) for cell in cells)
        found = parameters(cohort, colluding, most(cohort))
        assert (found.privacy, found.packed, found.replies, found.drop_outs) == (privacy, packed, replies, drop_outs)
        assert (found.key_share_bytes // 2, found.key_share_bytes) == (shares, both)


def test_the_document_gives_the_bytes_per_value() -> None:
    for cells in table("Packing"):
        cohort, bits, slots = map(int, cells[:3])
        found = parameters(cohort, 1, most(cohort))
        assert (found.ring.bits, found.packing.slots) == (bits, slots)
        assert cells[3] == f"{7 * bits / 8 / slots:.2f}"


def test_the_document_gives_the_estimates() -> None:
    rows = table("What breaking them costs")
    cases = {row[0] for row in rows}
    assert len(cases) == 6
    for case, width, *cells in rows:
        found = estimated(int(width), case)
        order = [("matzov", "usvp"), ("matzov", "bdd"), ("matzov", "dual_hybrid"), ("standard", "usvp"),
                 ("core", "usvp"), ("core", "bdd"), ("core", "dual_hybrid")]
        core = min(found[key] for key in order[4:])
        assert cells == [*(f"{found[key]:.1f}" for key in order[:4]), f"{core:.1f}"]
    assert {row[1] for row in rows} == {"28", "30"}
    assert len(rows) == 12


def test_every_attack_after_the_hint_is_above_128_bits() -> None:
    for width in (28, 30):
        for case in ("after the hint, two honest nodes", "the same, error as narrow as the secret"):
            found = estimated(width, case)
            assert min(bits for (model, _), bits in found.items() if model != "core") > 128


def test_a_ternary_secret_would_cost_what_the_document_says() -> None:
    for width in (28, 30):
        before = estimated(width, "ternary secret instead, before anything opens")
        after = estimated(width, "ternary secret, sum of two known")
        loss = min(before[key] for key in before if key[0] == "matzov") - min(
            after[key] for key in after if key[0] == "matzov")
        assert f"{loss:.0f} bits with the {width}-bit primes" in DOCUMENT


def test_the_estimates_are_what_the_script_prints() -> None:
    """The quick attacks again, on this machine; the dual ones by the same script when the table changes."""
    script: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "estimate_rlwe.py"))
    for width in (28, 30):
        printed = (ESTIMATES / f"primes-{width}.txt").read_text(encoding="utf-8")
        for problem in script["rows"](width):
            for attack in ("usvp", "bdd"):
                assert f"    matzov   {attack:11s} {script[attack](problem)}\n" in printed
    checked = (ESTIMATES / "check.txt").read_text(encoding="utf-8")
    for line in script["check"]():
        assert line in checked
    for published, here in re.findall(r"published 2\^([\d.]+) .* here 2\^([\d.]+)", checked):
        assert abs(float(published) - float(here)) < 0.11
    assert checked.count("published") == 9
