"""Estimate what breaking the parameters of ``rlwe`` costs: primal uSVP, primal BDD and the dual hybrid attack.

An independent writing of the published cost formulas, for the one case that is needed here: LWE with dense secrets and
errors, each known by its standard deviation. It needs the standard library alone. ``--check`` compares it with rows
that the lattice estimator (github.com/malb/lattice-estimator) publishes in its own documentation; ``--primes 30`` and
``--primes 28`` estimate the parameter table and are what ``src/sealane/secagg/rlwe/estimates`` holds.

Sources: Alkim et al., "Post-quantum key exchange" (2016), uSVP under the geometric series assumption; Bai and
Galbraith, "Lattice decoding attacks on binary LWE" (2014), small secrets; Liu and Nguyen, "Solving BDD by enumeration"
(2013), with the last call costed as one sieve, as the lattice estimator does; MATZOV, "Report on the security of LWE"
(2022), Theorem 7.6, dual hybrid; Albrecht et al., "Estimating quantum speedups for lattice sieves" (2020), gates of a
sieve as corrected by MATZOV, in the linear fit that the lattice estimator prints; Ducas, "Shortest vector from lattice
sieving" (2018), dimensions for free; Chen, PhD thesis (2013), root Hermite factor.
"""

from __future__ import annotations

import argparse
import math
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import e, exp, floor, inf, lgamma, log, log2, pi, sqrt, tanh

from sealane.secagg.rlwe.parameters import DEGREE, ERROR_SIGMA, PRIMES, SECRET_SIGMA

TERNARY = sqrt(2 / 3)
SMALLEST = 50
"""Block sizes under this break everything; the formula for the root Hermite factor holds above it."""

SIEVE_SLOPE, SIEVE_CONSTANT = 0.29613500308205365, 20.387885985467914
"""log2 of the gates of one list-decoding sieve is slope * dimension + constant (classical; fit for up to 1024)."""

PROGRESSIVE = 1 / (1 - 2**-0.292)
"""Progressive sieving costs this many times its last step; BKZ pays it once for its sieves and once for its tours."""


@dataclass(frozen=True)
class Problem:
    """LWE with dimension ``n``, log2 of the modulus, standard deviations, and at most ``samples`` samples."""

    name: str
    n: int
    bits: float
    secret: float
    error: float
    samples: float = inf

    @property
    def log_q(self) -> float:
        """Return the natural logarithm of the modulus."""
        return self.bits * log(2)

    @property
    def widest(self) -> float:
        """Return the largest lattice that the samples allow, without the embedding row."""
        return self.n + self.samples


@dataclass(frozen=True)
class Cost:
    """What an attack costs: log2 of operations, and the choices that reach it."""

    bits: float
    choices: str

    def __str__(self) -> str:
        return f"2^{self.bits:.1f}  {self.choices}"


def log_delta(beta: float) -> float:
    """Return the logarithm of the root Hermite factor that BKZ with blocks of ``beta`` reaches."""
    return (log(beta / (2 * pi * e)) + log(pi * beta) / beta) / (2 * (beta - 1))


def _add(*terms: float) -> float:
    """Return log2 of the sum of numbers given by their log2."""
    top = max(terms)
    return top + log2(sum(2.0 ** (term - top) for term in terms))


def _free(beta: float) -> float:
    return max(beta * log(4 / 3) / log(beta / (2 * pi * e)), 0.0)


def matzov(beta: float, d: float) -> float:
    """Return log2 of the gates of BKZ with progressive sieves."""
    gates = SIEVE_SLOPE * (beta - _free(beta)) + SIEVE_CONSTANT
    return _add(3 * log2(d), 2 * log2(PROGRESSIVE) + log2(max(d - beta, 1)) + gates)


def core(beta: float, d: float) -> float:
    """Return the core-SVP exponent: one sieve, without constants."""
    return 0.292 * beta


def standard(beta: float, d: float) -> float:
    """Return the cost that the tables of the Homomorphic Encryption Standard (2018) were made with."""
    return 0.292 * beta + 16.4 + log2(8 * d)


Model = Callable[[float, float], float]


def usvp(problem: Problem, model: Model = matzov) -> Cost:
    """Cost the primal attack by a unique shortest vector: the smallest block that finds it, in the smallest lattice."""
    n, sigma = problem.n, problem.error
    scale = log(max(problem.error / problem.secret, 1))

    def found(beta: int, d: int) -> bool:
        projected = log(sigma * sqrt(beta))  # beta - 1 coordinates of the error and the embedding factor sigma
        volume = log(sigma) + n * scale + (d - n - 1) * problem.log_q
        return projected <= log_delta(beta) * (2 * beta - d - 1) + volume / d

    def widths(beta: int) -> range:
        best = sqrt(n * problem.log_q / log_delta(beta))
        return range(max(n, beta) + 1, int(min(2 * best, problem.widest)) + 2)

    def works(beta: int) -> bool:
        best = sqrt((n * problem.log_q - n * scale) / log_delta(beta))
        return any(found(beta, d) for d in _around(int(best), widths(beta)))

    beta = _first(works, SMALLEST, 2 * n)
    best = _around(int(sqrt((n * problem.log_q - n * scale) / log_delta(beta))), widths(beta))
    d = _first(lambda d: found(beta, d), widths(beta).start, next(d for d in best if found(beta, d)))
    return Cost(model(beta, d), f"β={beta} d={d}")


def _around(middle: int, allowed: range) -> Iterator[int]:
    """Yield candidates from the middle of a hump outwards; the condition is flat there, so a few suffice."""
    for step in range(4):
        for d in (middle - step, middle + step):
            if d in allowed:
                yield d
    if middle >= allowed.stop:
        yield allowed.stop - 1


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the smallest number from ``low`` to ``high`` that a monotone condition holds for."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _lowest(value: Callable[[int], float], low: int, high: int) -> int:
    """Return where a function with one valley is lowest, with a scan of the neighbourhood against small ripples."""
    while high - low > 16:
        third = (high - low) // 3
        if value(low + third) <= value(high - third):
            high -= third
        else:
            low += third
    return min(range(max(low - 8, 1), high + 9), key=value)


def bdd(problem: Problem, model: Model = matzov) -> Cost:
    """Cost the primal attack that reduces the basis with small blocks and ends with one larger sieve."""
    n, sigma = problem.n, problem.error
    scale = log(max(problem.error / problem.secret, 1))

    def last(beta: int, d: int) -> int:
        """Return the dimension of the final sieve: where the projected error becomes the shortest vector."""
        total = (d - n) * problem.log_q + n * scale
        step = log_delta(beta)

        def shortest(k: int) -> bool:
            volume = k / d * total - (d - k) * k * step + log(sigma)  # of k projected rows and the embedding row
            ball = (k + 1) / 2 * log(pi) - lgamma((k + 1) / 2 + 1)
            return 2 * (volume - ball) / (k + 1) >= 2 * log(sigma) + log(k + 1)

        return _first(shortest, 2, d)

    def total(beta: int, d: int) -> float:
        k = last(beta, d)
        return _add(model(beta, d), model(k + 1, k + 1), 2 * log2(max(d - k, 1)))

    def width(beta: int) -> int:
        low = max(n, beta) + 1
        middle = int(sqrt(n * problem.log_q / log_delta(beta)))
        return _lowest(lambda d: total(beta, d), low, int(min(max(2 * middle, low + 1), problem.widest)))

    ceiling = _first(lambda beta: last(beta, width(beta)) <= beta, SMALLEST, 2 * n)
    beta = _lowest(lambda beta: total(beta, width(beta)), SMALLEST, ceiling)
    d = width(beta)
    return Cost(total(beta, d), f"β={beta} η={last(beta, d)} d={d}")


def dual_hybrid(problem: Problem, model: Model = matzov) -> Cost:
    """Cost MATZOV's dual attack: short dual vectors, ζ guessed coordinates, t more by a transform modulo p."""
    best = Cost(inf, "")
    for p in range(2, 12):
        of_p = Cost(inf, "")
        for zeta in range(0, 400, 5):
            of_zeta = Cost(inf, "")
            for t in range(0, 400, 5):
                beta = _lowest(lambda beta, z=zeta, t=t, p=p: _dual(problem, model, beta, p, z, t),
                               SMALLEST, min(problem.n, 1500))
                cost = Cost(_dual(problem, model, beta, p, zeta, t), f"β={beta} p={p} ζ={zeta} t={t}")
                if cost.bits > of_zeta.bits:
                    break
                of_zeta = cost
            if of_zeta.bits > of_p.bits:
                break
            of_p = of_zeta
        if of_p.bits > best.bits:
            break
        best = of_p
    return best


def _dual(problem: Problem, model: Model, beta: int, p: int, zeta: int, t: int) -> float:
    n, s = problem.n, problem.secret
    m = int(min(problem.samples, n))
    left = n - zeta - t
    d = m + left
    # The length of a dual vector against the modulus, then the samples that a distinguisher needs (natural logarithms).
    length = (m * log(problem.error) + left * log(s) - m * problem.log_q) / d
    length += log(4 / 3) / 2 + log(beta / (2 * pi * e)) / 2 + log_delta(beta) * (d - beta)
    entropy = (0.5 + log(sqrt(2 * pi) * s) - log(tanh(pi**2 * s**2))) / log(2)
    needed = (4 * (exp(length) * pi) ** 2 + t / 3 * (s * pi / p) ** 2
              + log(zeta * entropy + t * log(p) + log(2))) / log(2)
    if model is matzov:
        sieve = min(d, floor(beta - floor(_free(beta)) + log2((d - beta) * PROGRESSIVE) / SIEVE_SLOPE))
        once = _add(model(beta, d), log2(PROGRESSIVE) + SIEVE_SLOPE * sieve + SIEVE_CONSTANT)
    else:
        sieve, once = beta, model(beta, d)
    surplus = needed - log2(floor(2 ** (0.2075 * sieve)))
    sampling = once + (log2(math.ceil(2**surplus)) if 0 < surplus < 50 else max(surplus, 0.0))
    alpha = pi**2 * s**2
    spread = 8 * alpha * exp(-2 * alpha) * tanh(alpha) / log(2) + 1 - 0.5 / log(2)
    transform = 10 + log2(t) + (t + 1) * log2(p) if t else -inf
    table = log2(4 * 5 * 32) + needed
    guessing = zeta * (spread + entropy) + _add(transform, table) - log2(1 - exp(-0.5 / s**2))
    return _add(sampling, guessing)


CHECKS: tuple[tuple[Problem, Callable[..., Cost], Model, str], ...] = tuple(
    (Problem(name, n, log2(q), secret, error, samples), attack, model, published)
    for name, n, q, secret, error, samples, attack, model, published in [
        ("Kyber512", 512, 3329, sqrt(1.5), sqrt(1.5), 512, usvp, matzov, "2^143.8  β=406 d=998"),
        ("Kyber512", 512, 3329, sqrt(1.5), sqrt(1.5), 512, usvp, core, "2^118.6  β=406 d=998"),
        ("Kyber512", 512, 3329, sqrt(1.5), sqrt(1.5), 512, bdd, matzov, "2^140.2  β=389 η=422 d=1005"),
        ("Kyber768", 768, 3329, 1.0, 1.0, 768, bdd, matzov, "2^201.0  β=606 η=640 d=1420"),
        ("Kyber1024", 1024, 3329, 1.0, 1.0, 1024, bdd, matzov, "2^270.7  β=855 η=889 d=1867"),
        ("HE standard, 1024", 1024, 2**27, 3.0, 3.0, 1024, bdd, matzov, "2^136.7  β=374 η=404 d=2044"),
        ("Kyber512", 512, 3329, sqrt(1.5), sqrt(1.5), 512, dual_hybrid, matzov, "2^139.2  β=385 p=6 ζ=15 t=30"),
        ("Kyber512", 512, 3329, sqrt(1.5), sqrt(1.5), 512, dual_hybrid, core, "2^115.4  β=395 p=6 ζ=5 t=30"),
        ("SEAL 2.2, 8192", 8192, 2**226 - 2**26 + 1, TERNARY, 3.19, inf, dual_hybrid, matzov,
         "2^121.8  β=306 p=3 ζ=10 t=40"),
    ]
)
"""Rows as the lattice estimator's README, ``docs/schemes`` and ``lwe.py`` print them; same attack, same model."""


def check() -> Iterator[str]:
    """Compare with published rows; then with the rows of the Homomorphic Encryption Standard for N = 8192."""
    for problem, attack, model, published in CHECKS:
        row = f"{problem.name:18s} {attack.__name__:11s} {model.__name__:8s} published {published:30s}"
        yield f"{row} here {attack(problem, model)}"
    yield ""
    yield "Homomorphic Encryption Standard (2018), N = 8192, 128 bits, ternary secret: the largest modulus has 218 bits"
    for bits in (218, 219, 226):
        problem = Problem(f"{bits} bits", 8192, bits, TERNARY, 3.19)
        row = f"{problem.name:18s} {usvp.__name__:11s} {standard.__name__:8s} {'':40s}"
        yield f"{row} here {usvp(problem, standard)}"


def rows(width: int) -> Iterator[Problem]:
    """Yield the problems that matter for the seven primes of ``width`` bits."""
    bits = sum(log2(prime) for prime in PRIMES[width])
    fresh = Problem("fresh secrets, before anything opens", DEGREE, bits, SECRET_SIGMA, ERROR_SIGMA)
    yield fresh
    half = SECRET_SIGMA / 2
    yield replace(fresh, name="after the hint, two honest nodes", secret=half, error=ERROR_SIGMA / 2)
    yield replace(fresh, name="the same, error as narrow as the secret", secret=half, error=half)
    yield replace(fresh, name="after the hint, many honest nodes", secret=SECRET_SIGMA / sqrt(2),
                  error=ERROR_SIGMA / sqrt(2))
    yield replace(fresh, name="ternary secret instead, before anything opens", secret=TERNARY, error=ERROR_SIGMA)
    # Two ternary secrets whose sum is known: 2/9 of the coordinates are certain, 4/9 have two values left, 3/9 three.
    left = 7 / 9
    spread = sqrt((4 / 9 * 1 / 4 + 3 / 9 * 2 / 3) / left)
    yield replace(fresh, name="ternary secret, sum of two known", n=round(DEGREE * left), secret=spread,
                  error=ERROR_SIGMA / 2)


def table(width: int) -> Iterator[str]:
    """Estimate the parameter table for one width of primes."""
    primes = PRIMES[width]
    yield f"N = {DEGREE}, q = product of {len(primes)} primes of {width} bits, log2 q = {sum(map(log2, primes)):.3f}"
    yield f"σ_s = {SECRET_SIGMA}, σ_e = {ERROR_SIGMA}; as many samples as an attack wants"
    for problem in rows(width):
        yield ""
        yield f"{problem.name}: n={problem.n} σ_s={problem.secret:.4f} σ_e={problem.error:.4f}"
        for model in (matzov, core):
            for attack in (usvp, bdd, dual_hybrid):
                yield f"    {model.__name__:8s} {attack.__name__:11s} {attack(problem, model)}"
        yield f"    {standard.__name__:8s} {usvp.__name__:11s} {usvp(problem, standard)}"


def main() -> None:
    """Print what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--check", action="store_true", help="compare with published rows")
    choice.add_argument("--primes", type=int, choices=sorted(PRIMES), help="estimate the table for this width")
    arguments = parser.parse_args()
    call = "--check" if arguments.check else f"--primes {arguments.primes}"
    print(f"python benchmarks/estimate_rlwe.py {call}    (Python {platform.python_version()})\n")
    for line in check() if arguments.check else table(arguments.primes):
        print(line, flush=True)


if __name__ == "__main__":
    main()
