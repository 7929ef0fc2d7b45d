#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes the constants of include/rankloss/detail/sigmoid/kernel_terms.hpp and lane_math.hpp.

Each kernel f(d), d >= 0, is u * q(u) with u = exp(-d) in (0, 1]. q is replaced by the polynomial of degree < K that is best in
the largest error over [0, 1] (Remez exchange, 60 digits), so that f is a sum of K exponentials exp(-k d), k = 1..K.

The elementary functions are fitted in the same way, each on the interval that its argument is reduced to.

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


def atan_tail(z):
    """(atan(q) / q - 1) / z with z = q^2"""
    q = sqrt(z)
    return (atan(q) / q - 1) / z if z else -mpf(1) / 3


# Of float, the Hessian takes more terms than ranks and slopes do: docs/algorithms/sigmoid_sums.md.
FITS = [(f"{name}_10", KERNELS[name], 10, mpf(0), mpf(1)) for name in ("sigmoid", "slope", "softplus")]
FITS += [(f"{name}_12", KERNELS[name], 12, mpf(0), mpf(1)) for name in ("curvature", "slope_squared")]
FITS += [(f"{name}_22", q, 22, mpf(0), mpf(1)) for name, q in KERNELS.items()]
# Cells that touch act on each other through a Taylor series: the exponentials begin half a temperature away.
FITS += [(f"far_{name}_{terms}", KERNELS[name], terms, mpf(0), exp(-mpf(1) / 2)) for terms in (8, 18) for name in ("sigmoid", "slope")]
FITS += [(f"exp2m1_{terms}", exp2m1, terms, -mpf(1) / 2, mpf(1) / 2) for terms in (7, 12)]
FITS += [(f"log_share_{terms}", log_share, terms, mpf(0), mpf(1) / 2) for terms in (9, 21)]
FITS += [(f"log_tail_{terms}", log_tail, terms, mpf(0), ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2) for terms in (4, 7)]
FITS += [("atan_tail_11", atan_tail, 11, mpf(0), (sqrt(2) - 1) ** 2)]


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


if __name__ == "__main__":
    main()
