"""The owner-decrypts pattern: right scores, and an answer that says nothing else to an owner who knows every secret."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from expected_error import raises
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError
from sealane.secagg.ckks import scoring
from sealane.secagg.ckks.library import Context, check_ciphertext, prepare
from sealane.secagg.ckks.owner import Owner
from sealane.secagg.ckks.parameters import SCORING, ParameterSet
from sealane.secagg.ckks.scoring import LARGEST_SCORE, SLOT_NOISE, LinearModel, answer_scale, score
from sealane.secagg.ckks.wire import Kind, key_hash, read

pytest.importorskip("tenseal")

SEED = Secret(bytes(range(32)))
HEADER = 82


@pytest.fixture(scope="module")
def owner() -> Owner:
    return Owner.create()


@pytest.fixture(scope="module")
def context() -> Context:
    return prepare(SCORING)


@pytest.fixture(scope="module")
def features() -> NDArray[np.float64]:
    return np.random.default_rng(7).uniform(-1, 1, (5, 3))


@pytest.fixture(scope="module")
def request_bytes(owner: Owner, features: NDArray[np.float64]) -> bytes:
    return owner.encrypt(features)


MODEL = LinearModel(np.array([0.75, -12.5, 100.25]), -3.0)


@pytest.fixture(scope="module")
def answer(owner: Owner, request_bytes: bytes) -> bytes:
    return score(MODEL, owner.public, request_bytes, SEED)


@pytest.mark.parametrize(("rows", "weights", "bias"), [
    (1, [0.5], 0.25), (4096, [0.0, 0.0], -1.0), (300, [128.0, -100.0, 0.0, 3.5, 0.001], 20.0),
])
def test_scores_are_the_models(owner: Owner, rows: int, weights: list[float], bias: float) -> None:
    table = np.random.default_rng(rows).uniform(-1, 1, (rows, len(weights)))
    opened = owner.open(score(LinearModel(np.array(weights), bias), owner.public, owner.encrypt(table), SEED), rows)
    assert opened.shape == (rows,)
    assert np.abs(opened - (table @ weights + bias)).max() < 2.0**-14


def decrypted(owner: Owner, context: Context, answer: bytes) -> NDArray[np.complex128]:
    """All slots of an answer, as the owner's secret key opens them."""
    residues = read(context, Kind.ANSWER, answer, levels=1).residues[0]
    plain = context.api.Plaintext()
    owner._decryptor.decrypt(context.ciphertext(residues, context.bottom, answer_scale(context)), plain)
    return np.array(context.encoder.decode_complex(plain))


def test_slots_that_are_no_row_drown_in_noise(owner: Owner, context: Context, answer: bytes) -> None:
    slots = decrypted(owner, context, answer)
    for part in (slots.real[5:], slots.imag):
        # Uniform on [-a, a] has deviation a / sqrt(3); what the model does there is at most a / 2^20.
        assert np.abs(part).max() <= SLOT_NOISE * 1.0001
        assert part.std() == pytest.approx(SLOT_NOISE / np.sqrt(3), rel=0.05)
        assert abs(part.mean()) < 0.05 * SLOT_NOISE
    assert np.abs(slots.real[:5]).max() <= LARGEST_SCORE


def test_rows_carry_noise_of_their_own(owner: Owner, request_bytes: bytes, answer: bytes) -> None:
    other = score(MODEL, owner.public, request_bytes, Secret(bytes(32)))
    apart = np.abs(owner.open(answer, 5) - owner.open(other, 5))
    assert 0 < apart.max() < 2.0**-13
    assert apart.max() > 2.0**-20


def test_the_same_seed_still_gives_fresh_ciphertexts(owner: Owner, request_bytes: bytes, answer: bytes) -> None:
    assert score(MODEL, owner.public, request_bytes, SEED) != answer


def weight_from_c1(context: Context, sent: Any, got: Any) -> NDArray[np.uint64]:
    """The owner's attack on one column: divide the answer's c1 by its own, residue by residue, modulo the first prime.

    The answer is taken before it is divided by two primes: were it to leak there, the division would only blur it.
    """
    prime, degree = context.primes[0], context.parameters.degree
    start = degree * context.parameters.levels
    return np.array([got[start + i] * pow(sent[start + i], -1, prime) % prime for i in range(64)], dtype=np.uint64)


def test_noise_added_as_a_plaintext_leaks_the_weight_and_ours_does_not(
    owner: Owner, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = owner.encrypt(np.array([[0.5]]))
    sent = context.ciphertext(read(context, Kind.REQUEST, request, levels=3).residues[0], context.top, 2.0**103)
    weight = 0.3371

    naive = context.api.Ciphertext()
    context.evaluator.multiply_plain(sent, context.constant(weight, scoring.WEIGHT_SCALE), naive)
    noise = scoring._noise(0.0, 1, context, SEED).tolist()
    context.evaluator.add_plain_inplace(naive, context.encode(noise, naive.scale, context.top))
    found = weight_from_c1(context, sent, naive)
    assert set(found.tolist()) == {round(weight * 2**24)}  # the weight, exactly, whatever the noise

    before_rescaling = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(context.evaluator, name)

        def add_inplace(self, total: Any, column: Any) -> None:
            context.evaluator.add_inplace(total, column)
            before_rescaling.append([total[i] for i in range(2 * 3 * 8192)])

    watched = Context(context.parameters, context.primes, context.api, context.seal, context.encoder, Watched(),
                      context.version)
    monkeypatch.setattr(scoring, "prepare", lambda parameters: watched)
    score(LinearModel(np.array([weight]), 0.0), owner.public, request, SEED)
    found = weight_from_c1(context, sent, before_rescaling[0])
    assert len(set(found.tolist())) == 64
    assert round(weight * 2**24) not in found.tolist()


def test_without_the_secret_key_an_answer_looks_uniform(context: Context, answer: bytes) -> None:
    residues = read(context, Kind.ANSWER, answer, levels=1).residues[0]
    for polynomial in residues[:, 0]:
        counts = np.histogram(polynomial, bins=16, range=(0, context.primes[0]))[0]
        # Chi-square with 15 degrees of freedom exceeds 60 once in three million tries.
        assert ((counts - 512.0) ** 2 / 512.0).sum() < 60


def test_the_public_part_holds_one_public_key_and_nothing_else(owner: Owner, context: Context) -> None:
    assert len(owner.public) == HEADER + 2 * 4 * 8192 * 8
    assert repr(owner) == "Owner()"
    loaded = context.public_key(read(context, Kind.PUBLIC_KEY, owner.public, levels=4).residues[0])
    assert isinstance(loaded, context.api.PublicKey)
    assert (loaded.data().size(), loaded.data().poly_modulus_degree()) == (2, 8192)


def test_tenseals_own_context_is_refused_as_a_public_key(request_bytes: bytes) -> None:
    import tenseal

    private = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 49, 49, 60])
    for with_secret in (True, False):
        with raises("ckks.wrong-header", ProtocolError):
            score(MODEL, private.serialize(save_secret_key=with_secret), request_bytes, SEED)


def changed(data: bytes, at: int, to: bytes) -> bytes:
    return data[:at] + to + data[at + len(to):]


@pytest.mark.parametrize(("spoil", "code"), [
    (lambda data: data[:40], "ckks.wrong-length"),
    (lambda data: data[:-1], "ckks.wrong-length"),
    (lambda data: data + b"\x00", "ckks.wrong-length"),
    (lambda data: b"", "ckks.wrong-length"),
    (lambda data: changed(data, 0, b"S"), "ckks.wrong-header"),  # magic
    (lambda data: changed(data, 8, b"\x02"), "ckks.wrong-header"),  # version
    (lambda data: changed(data, 9, b"\x03"), "ckks.wrong-header"),  # kind
    (lambda data: changed(data, 10, b"\x00\x01"), "ckks.wrong-header"),  # parameter set
    (lambda data: changed(data, 42, b"\x00\x01"), "ckks.wrong-request"),  # public key
    (lambda data: changed(data, 74, bytes(4)), "ckks.wrong-header"),  # no rows
    (lambda data: changed(data, 74, (4097).to_bytes(4, "little")), "ckks.wrong-header"),
    (lambda data: changed(data, 78, bytes(4)), "ckks.wrong-header"),  # no columns
    (lambda data: changed(data, 78, b"\xff\xff\xff\xff"), "ckks.wrong-header"),
    (lambda data: changed(data, 78, (2).to_bytes(4, "little")), "ckks.wrong-length"),
    (lambda data: changed(data, HEADER, b"\xff" * 8), "ckks.residue-out-of-range"),
    (lambda data: data[:HEADER] + bytes(len(data) - HEADER), "ckks.transparent"),
    (lambda data: data[: HEADER + 3 * 65536] + bytes(len(data) - HEADER - 3 * 65536), "ckks.transparent"),
])
def test_requests_of_another_form_are_refused(owner: Owner, request_bytes: bytes, spoil: Any, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        score(MODEL, owner.public, spoil(request_bytes), SEED)
    assert caught.value.code == code


def test_a_public_key_that_hides_nothing_is_refused(owner: Owner, request_bytes: bytes) -> None:
    with raises("ckks.transparent", ProtocolError):
        score(MODEL, owner.public[:HEADER] + bytes(len(owner.public) - HEADER), request_bytes, SEED)


@pytest.mark.parametrize("place", [0, 17, 8191, 3 * 8192 - 8])
def test_random_words_in_place_of_residues_are_refused(owner: Owner, request_bytes: bytes, place: int) -> None:
    words = np.random.default_rng(place).bytes(64)  # eight of 64 bits, all below a prime of 60 or 49 only by a wonder
    with raises("ckks.residue-out-of-range", ProtocolError):
        score(MODEL, owner.public, changed(request_bytes, HEADER + 8 * place, words), SEED)


def test_a_request_of_noise_gets_an_answer_of_noise(owner: Owner, context: Context, request_bytes: bytes) -> None:
    primes = np.array(context.primes[:3])[:, None]
    residues = np.random.default_rng(1).integers(0, primes, (3, 2, 3, 8192)).astype("<u8")
    nonsense = score(MODEL, owner.public, request_bytes[:HEADER] + residues.tobytes(), SEED)
    with raises("ckks.score-out-of-range", ProtocolError):
        owner.open(nonsense, 5)


def test_a_request_of_another_width_or_key_is_refused(owner: Owner, request_bytes: bytes) -> None:
    with raises("ckks.wrong-request", ProtocolError):
        score(LinearModel(np.ones(2), 0.0), owner.public, request_bytes, SEED)
    with raises("ckks.wrong-request", ProtocolError):
        score(MODEL, Owner.create().public, request_bytes, SEED)


def test_an_answer_to_something_else_is_refused(owner: Owner, answer: bytes) -> None:
    assert answer[42:74] == key_hash(owner.public)
    with raises("ckks.wrong-answer", ProtocolError):
        owner.open(answer, 4)
    with raises("ckks.wrong-answer", ProtocolError):
        Owner.create().open(answer, 5)
    with raises("ckks.score-out-of-range", ProtocolError):
        owner.open(changed(answer, HEADER, bytes(65536)), 5)


@pytest.mark.parametrize("table", [
    np.array([[1.0001]]), np.array([[np.nan]]), np.array([[np.inf]]), np.zeros(3), np.zeros((0, 3)), np.zeros((3, 0)),
    np.zeros((4097, 1)), np.zeros((1, 1025)),
])
def test_features_outside_their_range_are_refused(owner: Owner, table: NDArray[np.float64]) -> None:
    with raises("ckks.bad-features", InputError):
        owner.encrypt(table)


@pytest.mark.parametrize(("weights", "bias"), [
    (np.array([200.0, -57.0]), 0.0), (np.array([1.0]), np.nan), (np.array([np.nan]), 0.0), (np.zeros((2, 2)), 0.0),
    (np.zeros(0), 0.0), (np.zeros(1025), 0.0), (np.ones(1), 255.5),
])
def test_models_that_could_leave_the_range_are_refused(weights: NDArray[np.float64], bias: float) -> None:
    with raises("ckks.bad-model", InputError) as caught:
        LinearModel(weights, bias)
    assert "200" not in str(caught.value)  # an error never shows a weight


def test_a_ciphertext_of_another_level_or_scale_is_refused(owner: Owner, context: Context, answer: bytes) -> None:
    residues = read(context, Kind.ANSWER, answer, levels=1).residues[0]
    ciphertext = context.ciphertext(residues, context.bottom, answer_scale(context))
    for wrong in ({"levels": 3}, {"level": context.top}, {"scale": 1.0},
                  {"parameters": ParameterSet("half", 4096, (54, 54), 40)}):
        right: dict[str, Any] = {"parameters": SCORING, "levels": 1, "level": context.bottom,
                                 "scale": answer_scale(context)}
        with raises("ckks.wrong-form", ProtocolError):
            check_ciphertext(ciphertext, **(right | wrong))


def test_what_seal_cannot_read_is_an_error_of_ours(context: Context, answer: bytes) -> None:
    residues = read(context, Kind.ANSWER, answer, levels=1).residues[0]
    with raises("ckks.unreadable", ProtocolError):
        context.ciphertext(residues, [1, 2, 3, 4], 1.0)


def test_the_bounds_in_the_text_hold(context: Context) -> None:
    divided = context.primes[1] * context.primes[2]
    weights_on_errors = 2**24 * 256 * 2**8
    assert 8192 * weights_on_errors * 2**44 < divided  # 2^-45 and a little
    # The largest coefficient: all slots at their noise, scaled; it has to stay below half of the prime that is left.
    assert 2 * SLOT_NOISE * 2**0.5 * answer_scale(context) < context.primes[0]


def test_errors_of_fresh_ciphertexts_are_within_the_bound(owner: Owner, context: Context) -> None:
    zero = context.api.Ciphertext()
    owner._encryptor.encrypt_zero(zero)
    zero.scale = 1.0
    plain = context.api.Plaintext()
    owner._decryptor.decrypt(zero, plain)
    slots = np.array(context.encoder.decode_complex(plain))
    coefficients = np.sqrt((np.abs(slots) ** 2).mean() / 8192)  # Parseval: the deviation of one coefficient
    assert 15 < coefficients < 2**8 / 8  # 2^8 is more than eight deviations
