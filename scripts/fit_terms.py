#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes the constants of sigmoid/kernel_terms.hpp, simd/lane_math.hpp and pairs/rank_terms.hpp in include/rankloss/detail,
and of float_functions.cuh in include/rankloss/cuda/detail.

Each kernel f(d), d >= 0, is u * q(u) with u = exp(-d) in (0, 1]. q is replaced by the polynomial of degree < K that is best in
the largest error over [0, 1] (Remez exchange, 60 digits), so that f is a sum of K exponentials exp(-k d), k = 1..K.

The elementary functions are fitted in the same way, each on the interval that its argument is reduced to.

The difference of two neighbouring discounts of NDCG, a function of the rank, is a sum of exponentials whose rates are a geometric sequence. Their
factors are those of the least relative error, as a sum of squares, over ranks that are dense where the function bends.

    python3 scripts/fit_terms.py            prints the C++ arrays and their errors (needs mpmath)
"""
from mpmath import atan, atanh, cos, exp, expm1, log, log1p, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 60

KERNELS = {
    "sigmoid": lambda u: 1 / (1 + u),                   # sigmoid(-d)      = u / (1 + u)
    "slope": lambda u: 1 / (1 + u) ** 2,                # sigmoid'(d)      = u / (1 + u)^2
    "curvature": lambda u: (1 - u) / (1 + u) ** 3,      # -sigmoid''(d)    = u (1 - u) / (1 + u)^3
    "softplus": lambda u: log1p(u) / u if u else mpf(1),  # log(1 + e^-d)   = log1p(u)
    "slope_squared": lambda u: u / (1 + u) ** 4,        # sigmoid'(d)^2    = u^2 / (1 + u)^4
}


def exp2m1(f):
    """(2^f - 1) / f"""
    return expm1(f * log(2)) / f if f else log(2)


def log_tail(z):
    """(log(m) / (2 s) - 1) / z with s = (m - 1) / (m + 1), z = s^2"""
    s = sqrt(z)
    return (atanh(s) / s - 1) / z if z else mpf(1) / 3


def log_share(p):
    """-log(1 - p) / p"""
    return -log(1 - p) / p if p else mpf(1)


def log1p_tail(y):
    """(log(1 + y) / y - 1) / y"""
    return (log1p(y) / y - 1) / y if abs(y) > mpf(10) ** -20 else y / 3 - mpf(1) / 2


def atan_tail(z):
    """(atan(q) / q - 1) / z with z = q^2"""
    q = sqrt(z)
    return (atan(q) / q - 1) / z if z else -mpf(1) / 3


# Of float, the Hessian takes more terms than ranks and slopes do: docs/algorithms/sigmoid_sums.md.
FITS = [(f"{name}_10", KERNELS[name], 10, mpf(0), mpf(1)) for name in ("sigmoid", "slope", "softplus")]
FITS += [("sigmoid_16", KERNELS["sigmoid"], 16, mpf(0), mpf(1))]  # of ranks at which a cut bends, on a device
FITS += [(f"{name}_12", KERNELS[name], 12, mpf(0), mpf(1)) for name in ("curvature", "slope_squared")]
FITS += [(f"{name}_22", q, 22, mpf(0), mpf(1)) for name, q in KERNELS.items()]
# Cells that touch act on each other through a Taylor series: the exponentials begin half a temperature away.
FITS += [(f"far_{name}_{terms}", KERNELS[name], terms, mpf(0), exp(-mpf(1) / 2)) for terms in (8, 18) for name in ("sigmoid", "slope")]
FITS += [(f"exp2m1_{terms}", exp2m1, terms, -mpf(1) / 2, mpf(1) / 2) for terms in (7, 12)]
FITS += [(f"log_share_{terms}", log_share, terms, mpf(0), mpf(1) / 2) for terms in (9, 21)]
FITS += [(f"log_tail_{terms}", log_tail, terms, mpf(0), ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2) for terms in (4, 7)]
FITS += [("log1p_tail_9", log1p_tail, 9, -mpf(1) / 3, mpf(1) / 3)]  # of floats on a device
FITS += [("atan_tail_11", atan_tail, 11, mpf(0), (sqrt(2) - 1) ** 2)]


# Terms and the ratio of neighbouring rates, from 8 on down: errors below what float and double scores need.
RANK_TERMS = [(43, mpf("1.6")), (78, mpf("1.3"))]
LONGEST = 2**24


def discount_difference(m):
    """1 / log2(1 + m) - 1 / log2(2 + m)"""
    return log(2) * log1p(1 / (1 + m)) / (log(1 + m) * log(2 + m))


def ranks_up_to(longest, count, first):
    """Ranks 1 to `first`, and from there on `count` of them in geometric steps."""
    steps = (longest / mpf(first)) ** (mpf(1) / count)
    return [mpf(m) for m in range(1, first)] + [mpf(int(first * steps**i)) for i in range(count + 1)]


def rank_terms(terms, ratio):
    """The factors, the largest relative error and the largest sum of magnitudes, relative too. Damping leaves out great factors that cancel."""
    damping = mpf("1e-16")
    rates = [8 / ratio**q for q in range(terms)]
    rows = [[exp(-rate * m) / discount_difference(m) for rate in rates] for m in ranks_up_to(LONGEST, 6 * terms, 60)]
    a = matrix(terms, terms)
    b = matrix(terms, 1)
    for p in range(terms):
        b[p] = sum(row[p] for row in rows)
        for q in range(p + 1):
            a[p, q] = a[q, p] = sum(row[p] * row[q] for row in rows)
        a[p, p] *= 1 + damping**2
    c = [float(x) for x in lu_solve(a, b)]
    error = size = mpf(0)
    for m in ranks_up_to(LONGEST, 1500, 500):
        parts = [x * exp(-rate * m) / discount_difference(m) for x, rate in zip(c, rates)]
        error = max(error, abs(sum(parts) - 1))
        size = max(size, sum(abs(x) for x in parts))
    return c, error, size


def horner(c, u):
    r = mpf(0)
    for a in reversed(c):
        r = r * u + a
    return r


def remez(q, terms, low, high, rounds=12):
    """Coefficients, lowest first, and the largest error. At `high` the polynomial is exact: for the kernels that is u = 1, equal scores."""
    nodes = [low + (high - low) * (1 - cos(pi * i / terms)) / 2 for i in range(terms)]
    for _ in range(rounds):
        a = matrix(terms + 1, terms + 1)
        b = matrix(terms + 1, 1)
        for i, u in enumerate(nodes + [high]):
            for k in range(terms):
                a[i, k] = u**k
            a[i, terms] = (-1) ** i if i < terms else 0
            b[i] = q(u)
        c = list(lu_solve(a, b))[:terms]
        grid = [low + (high - low) * (1 - cos(pi * mpf(i) / (40 * terms))) / 2 for i in range(40 * terms)]
        error = [horner(c, u) - q(u) for u in grid]
        # One extremum a run of equal sign: the next set of alternation points.
        runs, best = [], None
        for u, e in zip(grid, error):
            if best is None or (e > 0) != (best[1] > 0):
                if best is not None:
                    runs.append(best)
                best = (u, e)
            elif abs(e) > abs(best[1]):
                best = (u, e)
        runs.append(best)
        if len(runs) != terms:
            break
        nodes = [u for u, _ in runs]
    return c, max(abs(e) for e in error)


def main():
    for name, q, terms, low, high in FITS:
        c, error = remez(q, terms, low, high)
        size = sum(abs(float(a)) for a in c)
        print(f"// {name}: largest error {float(error):.1e}, sum of magnitudes {size:.1f}")
        print(f"inline constexpr std::array<double, {terms}> {name}{{")
        for a in c:
            print(f"    {float(a)!r},")
        print("};")
    for terms, ratio in RANK_TERMS:
        c, error, size = rank_terms(terms, ratio)
        print(f"// rank_{terms}: ratio of rates {float(ratio)}, largest relative error {float(error):.1e}, sum of magnitudes {float(size):.1f}")
        print(f"inline constexpr std::array<double, {terms}> rank_{terms}{{")
        for a in c:
            print(f"    {a!r},")
        print("};")


if __name__ == "__main__":
    main()
