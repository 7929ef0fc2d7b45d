// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/sorted_sums.hpp>

#include <rankloss/workspace.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_sigmoid_sorted_sums_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using rankloss::detail::kernel_constants;
using rankloss::detail::scan_states;
using rankloss::detail::unit_weights;
using reference::real;

constexpr std::size_t w = row::size;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// What is said of a row of terms beside it: that the kernel is met within `error` times exp(-d), and what
/// the terms' magnitudes add up to.
struct stated {
  double error, magnitude;
};
template <class T>
struct stated_for {
  static constexpr stated sigmoid{3.4e-8, 7.1}, slope{2.6e-7, 27.9}, curvature{8.2e-8, 225.2},
      slope_squared{1.2e-7, 225.8}, softplus{4.2e-9, 2.6};
};
template <>
struct stated_for<double> {
  static constexpr stated sigmoid{2.1e-17, 15.6}, slope{3.5e-16, 127.5}, curvature{5.6e-15, 1326.7},
      slope_squared{1.5e-14, 2521.9}, softplus{1.3e-18, 3.4};
};

/// The kernels of u = exp(-d), d >= 0.
real sigmoid(real u) { return u / (1 + u); }
real slope(real u) { return u / ((1 + u) * (1 + u)); }
real curvature(real u) { return u * (1 - u) / ((1 + u) * (1 + u) * (1 + u)); }
real slope_squared(real u) { return slope(u) * slope(u); }
real softplus(real u) { return std::log1p(u); }

/// Lists in lanes, by the decay from each item to the next.
struct lists {
  std::size_t rows;
  rankloss::workspace memory;   // scans read aligned rows
  std::span<double> decay;      // [rows + 1][lanes], the first leads into a list, the last out of it
  std::vector<double> weights;  // [rows][lanes]

  /// Gaps are drawn from `gaps`; infinity is a gap that nothing acts across.
  lists(std::mt19937_64& random, std::size_t n, const std::vector<double>& gaps)
      : rows(n), decay(memory.take<double>((n + 1) * w)), weights(n * w) {
    for (double& q : decay) q = std::exp(-gaps[random() % gaps.size()]);
    for (double& x : weights) x = static_cast<double>(random() >> 11) * 0x1p-52 - 1.0;
  }

  [[nodiscard]] row weight(std::size_t i) const { return row::load_unaligned(weights.data() + i * w); }

  /// Sum of term(exp(-distance), weight) over the items above, or below, item i of a lane.
  template <class Term>
  [[nodiscard]] real sum(std::size_t i, std::size_t lane, bool above, bool weighted, Term term) const {
    real total = 0;
    real u = 1;
    for (std::size_t step = 1; above ? step <= i : i + step < rows; ++step) {
      const std::size_t j = above ? i - step : i + step;
      u *= decay[(above ? j + 1 : j) * w + lane];
      total += term(u, weighted ? real(weights[j * w + lane]) : real(1));
    }
    return total;
  }
};

/// Terms that are dotted with the states of a scan, and what they stand for.
template <std::size_t N>
struct kernel {
  const std::array<double, N>& terms;
  stated claim;
  real (*formula)(real);
  const char* name;
};

/// Largest error in `found`, as a part of what is stated and what the sums lose to rounding.
template <std::size_t N>
double share_of_bound(const lists& in, const std::vector<double>& found, const kernel<N>& k, bool above,
                      bool weighted) {
  // The error is stated to two digits; the states have a rounding error of their own, however small the terms
  // are.
  const real bound = real(k.claim.error) * real(1.02) + 4 * (real(k.claim.magnitude) + 4) * real(0x1p-53);
  real worst = 0;
  for (std::size_t i = 0; i < in.rows; ++i)
    for (std::size_t l = 0; l < w; ++l) {
      const real expected = in.sum(i, l, above, weighted, [&](real u, real x) { return x * k.formula(u); });
      const real scale = in.sum(i, l, above, weighted, [](real u, real x) { return std::abs(x) * u; });
      const real error = std::abs(real(found[i * w + l]) - expected) / (bound * scale + real(1e-300));
      if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<real>::infinity() : error;
    }
  return static_cast<double>(worst);
}

/// Both scans of the lists with every row of terms.
template <class T, bool weighted>
void check_scans(const lists& in) {
  using constants = kernel_constants<T>;
  using claims = stated_for<T>;
  constexpr std::size_t K = constants::hessian_count;
  const auto check = [&](const auto& k) {
    for (const bool above : {true, false}) {
      std::vector<double> found(in.rows * w);
      const auto emit = [&](std::size_t i, const auto& states) {
        states[0].dot(k.terms).store_unaligned(found.data() + i * w);
      };
      const auto weights = [&](std::size_t i) {
        if constexpr (weighted)
          return std::array<row, 1>{in.weight(i)};
        else
          return unit_weights{};
      };
      scan_states<arch, K> states[1];
      if (above)
        rankloss::detail::scan_down<K>(in.decay.data(), 0, in.rows, states, weights, emit);
      else
        rankloss::detail::scan_up<K>(in.decay.data(), 0, in.rows, states, weights, emit);
      INFO(k.name << (above ? " above, " : " below, ") << in.rows << " rows");
      CHECK(share_of_bound(in, found, k, above, weighted) <= 1.0);
    }
  };
  check(kernel<constants::count>{constants::sigmoid, claims::sigmoid, sigmoid, "sigmoid"});
  check(kernel<constants::count>{constants::slope, claims::slope, slope, "slope"});
  check(kernel<constants::count>{constants::softplus, claims::softplus, softplus, "softplus"});
  check(kernel<constants::hessian_count>{constants::curvature, claims::curvature, curvature, "curvature"});
  check(kernel<constants::hessian_count>{constants::slope_squared, claims::slope_squared, slope_squared,
                                         "slope squared"});
}

const std::vector<std::vector<double>>& kinds_of_gaps() {
  static const std::vector<std::vector<double>> all{
      {0.0},                                         // all the same
      {1e-9, 1e-3, 0.01},                            // crowded
      {0.0, 0.3, 1.0, 4.0},                          // spread
      {34.0, 35.3, 35.4, 40.0, 0.0, 1e-3},           // about 2^-51, from where on higher powers are left out
      {300.0, 700.0, 707.9, 0.0, 0.1},               // products that no double holds
      {infinity},                                    // nothing acts on anything
      {infinity, 0.0, 0.5, 20.0, 1e-12, 100.0, 3.0}  // of all sorts
  };
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("sorted_sums: the terms are the kernels, within the error stated beside them", "", float,
                   double) {
  // Of a pair, at any distance.
  std::vector<double> gaps{0.0};
  for (int i = 0; i < 3450; ++i) gaps.push_back(1e-12 * std::pow(1.01, i));  // to 800
  std::mt19937_64 random(1);
  for (int round = 0; round < 300; ++round) check_scans<TestType, false>(lists(random, 2, gaps));
}

TEMPLATE_TEST_CASE("sorted_sums: scans are the O(n^2) sums", "", float, double) {
  std::mt19937_64 random(2);
  for (const std::vector<double>& gaps : kinds_of_gaps())
    for (const std::size_t rows : {1u, 2u, 3u, 10u, 77u}) {
      const lists in(random, rows, gaps);
      check_scans<TestType, false>(in);
      check_scans<TestType, true>(in);
    }
}

TEST_CASE("sorted_sums: two channels are two scans") {
  constexpr std::size_t K = 22;
  std::mt19937_64 random(3);
  const lists in(random, 50, {0.0, 0.1, 2.0, infinity});
  const auto first = [&](std::size_t i) { return in.weight(i); };
  const auto second = [&](std::size_t i) { return row(static_cast<double>(i)); };
  const auto run = [&](auto& states, auto weights, std::size_t channel) {
    std::vector<double> found;
    rankloss::detail::scan_down<K>(
        in.decay.data(), 0, in.rows, states, weights, [&](std::size_t, const auto& s) {
          for (std::size_t l = 0; l < w; ++l)
            found.push_back(s[channel].dot(kernel_constants<double>::slope).get(l));
        });
    return found;
  };
  const auto both = [&](std::size_t i) { return std::array<row, 2>{first(i), second(i)}; };
  scan_states<arch, K> two[2], again[2], one[1], other[1];
  CHECK(run(two, both, 0) == run(
                                 one, [&](std::size_t i) { return std::array<row, 1>{first(i)}; }, 0));
  CHECK(run(again, both, 1) == run(
                                   other, [&](std::size_t i) { return std::array<row, 1>{second(i)}; }, 0));
}

TEST_CASE("sorted_sums: stretches of one list, chained, are that list") {
  // w stretches of one list are w lists that a scan without outputs seeds.
  constexpr std::size_t K = 22;
  const auto& terms = kernel_constants<double>::sigmoid;
  std::mt19937_64 random(4);
  for (const std::vector<double>& gaps : kinds_of_gaps())
    for (const std::size_t rows : {1u, 2u, 40u}) {
      const std::size_t n = rows * w;
      std::vector<double> q(n + 1);  // q[i] from item i - 1 to item i
      for (double& x : q) x = std::exp(-gaps[random() % gaps.size()]);
      q[0] = q[n] = 0.0;
      const auto between = [&](std::size_t i, std::size_t j) {
        real u = 1;
        for (std::size_t k = std::min(i, j) + 1; k <= std::max(i, j); ++k) u *= q[k];
        return u;
      };
      rankloss::workspace memory;
      const std::span<double> decay = memory.take<double>((rows + 1) * w);
      std::array<double, 16> down{}, up{};
      for (std::size_t l = 0; l < w; ++l) {
        for (std::size_t i = 0; i <= rows; ++i) decay[i * w + l] = q[l * rows + i];
        if (l + 1 < w) down[l] = static_cast<double>(between(l * rows, (l + 1) * rows));
        if (l > 0) up[l] = static_cast<double>(between(l * rows - 1, (l + 1) * rows - 1));
      }
      const auto unit = [](std::size_t) { return unit_weights{}; };
      const auto nothing = [](std::size_t, const auto&) {};
      for (const bool above : {true, false}) {
        std::vector<double> found(n);
        const auto emit = [&](std::size_t i, const auto& states) {
          for (std::size_t l = 0; l < w; ++l) found[l * rows + i] = states[0].dot(terms).get(l);
        };
        scan_states<arch, K> states[1];
        if (above) {
          rankloss::detail::scan_down<K>(decay.data(), 0, rows, states, unit, nothing);
          rankloss::detail::link_lanes<true>(states, down);
          rankloss::detail::scan_down<K>(decay.data(), 0, rows, states, unit, emit);
        } else {
          rankloss::detail::scan_up<K>(decay.data(), 0, rows, states, unit, nothing);
          rankloss::detail::link_lanes<false>(states, up);
          rankloss::detail::scan_up<K>(decay.data(), 0, rows, states, unit, emit);
        }
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < n; ++i) {
          real expected = 0;
          for (std::size_t j = above ? 0 : i + 1; j < (above ? i : n); ++j)
            expected += sigmoid(between(i, j));
          wrong += !(std::abs(real(found[i]) - expected) <= real(1e-13) * expected + real(1e-300));
        }
        INFO(rows << " rows, " << (above ? "above" : "below"));
        CHECK(wrong == 0);
      }
    }
}

}  // namespace detail_sigmoid_sorted_sums_test
