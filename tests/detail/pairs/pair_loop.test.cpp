// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/pair_loop.hpp>

#include <rankloss/pairs/function.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_pairs_pair_loop_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::detail::pair_items;
using rankloss::detail::pair_totals;
using reference::real;

template <class S>
using row = xsimd::batch<S, arch>;
template <class S>
constexpr std::size_t w = row<S>::size;

/// A function of both d and gap, so that each has to come right: value d^2 + 3 d + gap, and its derivatives
/// with a part of the gap in each.
struct cubic {
  template <class V>
  rankloss::pairs::terms<V> operator()(const V& d, const V& gap) const noexcept {
    using S = typename V::value_type;
    return {d * d + V(S(3)) * d + gap, V(S(2)) * d + V(S(3)) + gap, V(S(2)) + gap * gap};
  }
};
struct plain_terms {
  real value, slope, curvature;
};
using plain_function = std::function<plain_terms(real d, real gap)>;
plain_terms plain_cubic(real d, real gap) { return {d * d + 3 * d + gap, 2 * d + 3 + gap, 2 + gap * gap}; }

plain_terms plain_logistic(real d, real) {
  const reference::sigmoid s(-d / 2);
  return {std::max(-d / 2, real(0)) + std::log1p(std::exp(-std::abs(d / 2))), -s.value / 2, s.slope / 4};
}
plain_terms plain_zero_one(real d, real) {
  const reference::sigmoid s(-d / 2);
  return {s.value, -s.slope / 2, s.curvature / 4};
}

/// weight(i, j) = a_i b_j
template <class S>
struct product_weights {
  std::span<const S> a, b;
  struct row_weights {
    const product_weights& all;
    row<S> own;
    row<S> operator()(std::size_t j) const noexcept { return own * row<S>::load_unaligned(all.b.data() + j); }
  };
  [[nodiscard]] row_weights at(std::size_t i) const noexcept { return {*this, row<S>(a[i])}; }
};

/// Items at [begin, end) of longer arrays. Around them lies what must not be read for anything: a NaN before,
/// and large numbers in the vector after, which may be read and has to come to nothing.
template <class S>
struct arrays {
  std::size_t begin, end;
  std::vector<S> scores, levels, weights, a, b, gradient, hessian, exponentials;
  bool weighted;

  arrays(std::mt19937_64& random, std::size_t first, std::size_t n, unsigned levels_below, bool by_weight)
      : begin(first), end(first + n), weighted(by_weight) {
    const auto fill = [&](std::vector<S>& to, auto next) {
      to.assign(end + w<S>, S(1e3));
      std::fill_n(to.begin(), begin, std::numeric_limits<S>::quiet_NaN());
      for (std::size_t i = begin; i < end; ++i) to[i] = static_cast<S>(next());
    };
    const auto eighths = [&](int least) {
      return [&random, least] { return static_cast<double>(random() % 24) / 8.0 + least; };
    };
    fill(scores, eighths(-1));
    fill(levels, [&] { return random() % levels_below; });
    fill(weights, eighths(0));
    fill(a, eighths(-1));
    fill(b, eighths(-1));
    gradient.assign(end + w<S>, S(0.25));  // added to
    hessian = gradient;
    exponentials = scores;
    for (S& x : exponentials) x = std::exp(x / 2);
  }

  [[nodiscard]] pair_items<S> view(bool with_hessian) {
    pair_items<S> items{begin, end, scores, levels, {}, gradient, {}};
    if (weighted) items.weights = weights;
    if (with_hessian) items.hessian = hessian;
    return items;
  }
};

struct sums {
  real value = 0, weight = 0, count = 0;
  std::vector<real> gradient, hessian;
  template <class S>
  explicit sums(const arrays<S>& in)
      : gradient(in.gradient.begin(), in.gradient.end()), hessian(in.hessian.begin(), in.hessian.end()) {}

  /// Item i is preferred to item j.
  void add(std::size_t i, std::size_t j, real w, const plain_terms& f) {
    value += w * f.value;
    weight += w;
    count += 1;
    if (i == j) return;
    gradient[i] += w * f.slope;
    gradient[j] -= w * f.slope;
    hessian[i] += w * f.curvature;
    hessian[j] += w * f.curvature;
  }
};

template <class S>
void check(const arrays<S>& found, const pair_totals& totals, const sums& expected, bool with_hessian) {
  constexpr double digits = sizeof(S) == 4 ? 4e-6 : 4e-15;
  const double n = static_cast<double>(found.end - found.begin + 1);
  const auto near = [&](double x, real y) {
    return std::abs(x - static_cast<double>(y)) <= digits * n * (n + std::abs(static_cast<double>(y)));
  };
  CHECK(near(totals.value, expected.value));
  CHECK(near(totals.weight, expected.weight));
  CHECK(totals.count == static_cast<double>(expected.count));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < found.gradient.size(); ++i) {
    wrong += !near(static_cast<double>(found.gradient[i]), expected.gradient[i]);
    wrong += !near(static_cast<double>(found.hessian[i]), with_hessian ? expected.hessian[i] : real(0.25));
  }
  CHECK(wrong == 0);
}

/// Calls with every length up to some vectors, where the items begin, number of levels, and whether weighted
/// and with a Hessian.
template <class S, class Body>
void for_all_lists(Body body) {
  std::mt19937_64 random(7);
  for (std::size_t n = 0; n <= 3 * w<S> + 2; ++n)
    for (const std::size_t begin : {std::size_t{0}, std::size_t{3}})
      for (const unsigned levels : {1u, 4u})
        for (const bool weighted : {false, true}) {
          INFO("n " << n << ", begin " << begin << ", levels " << levels << ", weighted " << weighted);
          body(arrays<S>(random, begin, n, levels, weighted));
        }
}

/// A loop with and without a Hessian: run(items, constant of whether) of a copy of the arrays.
template <class S, class Run>
void check_both(const arrays<S>& in, const sums& expected, Run run) {
  arrays<S> with = in, without = in;
  const pair_totals both = run(with, std::true_type{});
  check(with, both, expected, true);
  const pair_totals one = run(without, std::false_type{});
  check(without, one, expected, false);
}

template <class S>
real own_weight(const arrays<S>& in, std::size_t i) {
  return in.weighted ? real(in.weights[i]) : real(1);
}

}  // namespace

TEMPLATE_TEST_CASE("pair_loop: over levels, each item is preferred to all that begin after its level", "",
                   float, double) {
  using S = TestType;
  for_all_lists<S>([](arrays<S> in) {
    std::sort(in.levels.begin() + static_cast<std::ptrdiff_t>(in.begin),
              in.levels.begin() + static_cast<std::ptrdiff_t>(in.end), std::greater<>());
    sums expected(in);
    for (std::size_t i = in.begin; i < in.end; ++i)
      for (std::size_t j = i + 1; j < in.end; ++j)
        if (in.levels[i] > in.levels[j])
          expected.add(
              i, j, own_weight(in, i) * in.a[i] * in.b[j],
              plain_cubic(real(in.scores[i]) - real(in.scores[j]), real(in.levels[i]) - real(in.levels[j])));
    check_both(in, expected, [](arrays<S>& to, auto hessian) {
      return rankloss::detail::loop_over_levels<arch, hessian>(to.view(hessian), to.end,
                                                               rankloss::detail::by_difference<cubic>{{}},
                                                               product_weights<S>{to.a, to.b});
    });
  });
}

TEMPLATE_TEST_CASE(
    "pair_loop: over positions, whichever item of a pair is preferred, up to where first positions end", "",
    float, double) {
  using S = TestType;
  for_all_lists<S>([](const arrays<S>& in) {
    for (const S later_preferred : {S(1), S(-1), S(0.5)})
      for (const std::size_t first_end : {in.end, in.begin + (in.end - in.begin) / 2, in.begin}) {
        sums expected(in);
        for (std::size_t i = in.begin; i < first_end; ++i)
          for (std::size_t j = i + 1; j < in.end; ++j) {
            const bool i_first = in.levels[i] > in.levels[j];
            if (!i_first && in.levels[i] == in.levels[j]) continue;
            const std::size_t preferred = i_first ? i : j, other = i_first ? j : i;
            expected.add(
                preferred, other,
                (i_first ? real(1) : real(later_preferred)) * own_weight(in, preferred) * in.a[i] * in.b[j],
                plain_cubic(real(in.scores[preferred]) - real(in.scores[other]),
                            real(in.levels[preferred]) - real(in.levels[other])));
          }
        check_both(in, expected, [&](arrays<S>& to, auto hessian) {
          return rankloss::detail::loop_over_positions<arch, hessian>(
              to.view(hessian), first_end, rankloss::detail::by_difference<cubic>{{}},
              product_weights<S>{to.a, to.b}, later_preferred);
        });
      }
  });
}

TEMPLATE_TEST_CASE("pair_loop: over all ordered pairs, an item with itself included", "", float, double) {
  using S = TestType;
  for_all_lists<S>([](const arrays<S>& in) {
    for (const std::size_t first_end : {in.end, in.begin + (in.end - in.begin) / 2}) {
      sums expected(in);
      for (std::size_t i = in.begin; i < in.end; ++i)
        for (std::size_t j = in.begin; j < in.end; ++j)
          if (i < first_end || j < first_end)
            expected.add(i, j, own_weight(in, i) * in.a[i],
                         plain_cubic(real(in.scores[i]) - real(in.scores[j]), 0));
      check_both(in, expected, [&](arrays<S>& to, auto hessian) {
        return rankloss::detail::loop_over_all_pairs<arch, hessian, S>(
            to.view(hessian), first_end, rankloss::detail::by_difference<cubic>{{}}, to.a);
      });
    }
  });
}

TEMPLATE_TEST_CASE("pair_loop: by probabilities from exponentials, functions are those of the difference", "",
                   float, double) {
  using S = TestType;
  const auto check_function = [](auto function, const plain_function& plain) {
    std::mt19937_64 random(9);
    for (const std::size_t n : {1u, 5u, 40u})
      for (const bool weighted : {false, true}) {
        const arrays<S> in(random, 2, n, 3, weighted);
        sums by_positions(in), of_all(in), by_levels(in);
        arrays<S> sorted = in;
        std::sort(sorted.levels.begin() + 2, sorted.levels.begin() + static_cast<std::ptrdiff_t>(in.end),
                  std::greater<>());
        for (std::size_t i = in.begin; i < in.end; ++i)
          for (std::size_t j = in.begin; j < in.end; ++j) {
            const plain_terms f = plain(real(in.scores[i]) - real(in.scores[j]), 0);
            const real factor = in.a[std::min(i, j)] * in.b[std::max(i, j)];
            if (in.levels[i] > in.levels[j]) by_positions.add(i, j, own_weight(in, i) * factor, f);
            if (sorted.levels[i] > sorted.levels[j]) by_levels.add(i, j, own_weight(in, i) * factor, f);
            of_all.add(i, j, own_weight(in, i) * in.a[i], f);
          }
        const auto probabilities = [&](arrays<S>& to) {
          return rankloss::detail::by_probabilities<arch, S, decltype(function)>{function, to.exponentials};
        };
        check_both(in, by_positions, [&](arrays<S>& to, auto hessian) {
          return rankloss::detail::loop_over_positions<arch, hessian>(
              to.view(hessian), to.end, probabilities(to), product_weights<S>{to.a, to.b});
        });
        check_both(sorted, by_levels, [&](arrays<S>& to, auto hessian) {
          return rankloss::detail::loop_over_levels<arch, hessian>(
              to.view(hessian), to.end, probabilities(to), product_weights<S>{to.a, to.b});
        });
        check_both(in, of_all, [&](arrays<S>& to, auto hessian) {
          return rankloss::detail::loop_over_all_pairs<arch, hessian, S>(to.view(hessian), to.end,
                                                                         probabilities(to), to.a);
        });
      }
  };
  check_function(rankloss::detail::pair_function<rankloss::pairs::logistic>{{.temperature = 2.0}},
                 plain_logistic);
  check_function(rankloss::detail::pair_function<rankloss::pairs::soft_zero_one>{{.temperature = 2.0}},
                 plain_zero_one);
}

TEMPLATE_TEST_CASE(
    "pair_loop: exponentials of scores fit their type up to the widest range that is taken, wherever the scores lie",
    "", float, double) {
  using S = TestType;
  const S widest = sizeof(S) == 4 ? S(160) : S(1300);
  const real digits = 4 * real(std::numeric_limits<S>::epsilon()) * (sizeof(S) == 4 ? 1 : 650);
  // From a unit of offset on, scores an even number apart have no middle between them.
  for (const S unit : {S(1), S(1) / std::numeric_limits<S>::epsilon()})
    for (const std::size_t n : {2u, 3u, 17u, 40u}) {
      const double scale = 0.5 * static_cast<double>(widest);
      const S least = unit == S(1) ? S(-1) : S(2) * unit;
      std::vector<S> scores, to(n + row<S>::size, S(7));
      for (std::size_t i = 0; i < n; ++i) scores.push_back(least + S(i % 2 == 0 ? 0 : 2));
      REQUIRE(rankloss::detail::fill_exponentials<arch, S, S>(scores, least, least + S(2), scale, to));
      for (std::size_t i = 0; i < n; ++i) {
        const real expected = std::exp(real(i % 2 == 0 ? -0.5 : 0.5) * real(widest));
        CHECK(std::abs(real(to[i]) - expected) <= digits * expected);
      }
      CHECK(
          std::all_of(to.begin() + static_cast<std::ptrdiff_t>(n), to.end(), [](S x) { return x == S(1); }));
      CHECK(std::isnormal(S(1) / (to[1] + to[1])));
      CHECK(std::isnormal(S(1) / (to[0] + to[0])));
      std::fill(to.begin(), to.end(), S(7));
      CHECK_FALSE(
          rankloss::detail::fill_exponentials<arch, S, S>(scores, least, least + S(2), 1.001 * scale, to));
      CHECK(std::all_of(to.begin(), to.end(), [](S x) { return x == S(7); }));
    }
}

}  // namespace detail_pairs_pair_loop_test
