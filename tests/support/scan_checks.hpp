// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/evaluate.hpp>
#include <rankloss/pairwise.hpp>

#include "pair_reference.hpp"
#include "shared_losses.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

/// Long lists, whose pairs are summed by scans, against sums pair by pair.
namespace scan_checks {

using namespace rankloss;
using reference::real;

template <class T>
constexpr double digits = sizeof(T) == 4 ? 2e-6 : 1e-12;

/// Floats, so that both types of scores see the same numbers.
struct drawn_list {
  std::vector<float> scores, relevance, weights;
};

using draw = std::function<double(std::mt19937_64&)>;

inline double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }
inline draw spread(double width) {
  return [=](std::mt19937_64& random) {
    return width * (uniform(random) + uniform(random) + uniform(random) - 1.5);
  };
}
inline draw grades(unsigned count) {
  return [=](std::mt19937_64& random) { return static_cast<double>(random() % count); };
}
inline const draw real_valued = uniform;

inline drawn_list draw_list(std::size_t n, const draw& score, const draw& grade) {
  std::mt19937_64 random(n);
  drawn_list out;
  for (std::size_t i = 0; i < n; ++i) {
    out.scores.push_back(i % 7 == 3 ? out.scores[i - 1] : static_cast<float>(score(random)));
    out.relevance.push_back(static_cast<float>(grade(random)));
    out.weights.push_back(i % 5 == 2 ? 0.0F : static_cast<float>(2.0 * uniform(random)));
  }
  return out;
}

/// The two kernels that a scan knows, in temperatures.
struct kernel_value {
  real value, slope;
};
inline kernel_value of(const pairs::logistic&, real x) {
  const reference::sigmoid s(-x);
  return {std::max(-x, real(0)) + std::log1p(std::exp(-std::abs(x))), -s.value};
}
inline kernel_value of(const pairs::soft_zero_one&, real x) {
  const reference::sigmoid s(-x);
  return {s.value, -s.slope};
}

/// The weight of item i winning over item j, by its definition, of items in the order of their scores.
template <class Weight>
std::function<real(std::size_t, std::size_t)> formula(const Weight& weight, const std::vector<real>& y) {
  const std::size_t n = y.size();
  if constexpr (requires { weight.mu; } || std::is_same_v<Weight, pairs::ndcg_loss2>) {
    std::vector<real> gains;
    for (const real v : y) gains.push_back(weight.gain == gain::linear ? v : std::exp2(v) - 1);
    const real ideal = weight.scale == pairs::scale_by::none ? 1 : reference::ideal_dcg(gains, weight.cutoff);
    real mu = 1, whole = 0;
    if constexpr (requires { weight.mu; }) mu = weight.mu, whole = 1;
    return [=](std::size_t i, std::size_t j) {
      const std::size_t m = std::max(i, j) - std::min(i, j);
      const real by_rank = std::abs(reference::discount(i + 1) - reference::discount(j + 1));
      // The difference of two neighbouring discounts, as one quotient.
      const real by_distance = std::log1p(1 / real(m + 1)) / std::log(real(2)) * reference::discount(m) *
                               reference::discount(m + 1);
      return ideal > 0 ? (gains[i] - gains[j]) * (mu * by_distance + whole * by_rank) / ideal : real(0);
    };
  } else if constexpr (std::is_same_v<Weight, pairs::relevance_difference>) {
    return [&y](std::size_t i, std::size_t j) { return y[i] - y[j]; };
  } else if constexpr (std::is_same_v<Weight, pairs::delta_ndcg>) {
    std::vector<real> gains;
    for (const real v : y) gains.push_back(std::exp2(v) - 1);
    const real ideal = reference::ideal_dcg(gains, weight.cutoff);
    const auto d = [k = weight.cutoff](std::size_t p) {
      return k > 0 && p >= k ? real(0) : reference::discount(p + 1);
    };
    return
        [=](std::size_t i, std::size_t j) { return (gains[i] - gains[j]) * std::abs(d(i) - d(j)) / ideal; };
  } else if constexpr (std::is_same_v<Weight, pairs::delta_map>) {
    std::vector<real> count(n + 1, 0), harmonic(n + 1, 0);
    for (std::size_t p = 0; p < n; ++p) {
      count[p + 1] = count[p] + (y[p] > 0 ? 1 : 0);
      harmonic[p + 1] = harmonic[p] + (y[p] > 0 ? 1 / real(p + 1) : 0);
    }
    // The preferred item i, which is relevant, swaps ranks with j, which is not.
    return [=](std::size_t i, std::size_t j) {
      const std::size_t p = std::min(i, j), q = std::max(i, j);
      const real between = harmonic[q] - harmonic[p + 1];
      const real at_p = (count[p] + 1) / real(p + 1), at_q = (count[q] + (i == q ? 1 : 0)) / real(q + 1);
      return (at_p - at_q + between) / count[n];
    };
  } else {
    static_assert(std::is_same_v<Weight, pairs::equal>);
    return [](std::size_t, std::size_t) { return real(1); };
  }
}

struct sums {
  real value = 0, weight = 0, count = 0;
  std::vector<real> gradient;
};

/// Without item weights, and with them.
template <class Loss>
std::array<sums, 2> pair_by_pair(const Loss& loss, const drawn_list& items) {
  const std::size_t n = items.scores.size();
  const std::vector<std::size_t> rank = reference::ordinal_ranks(reference::widen(items.scores));
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[rank[i] - 1] = i;
  constexpr bool binary = std::is_same_v<decltype(loss.weight), pairs::delta_map>;
  constexpr real largest = std::numeric_limits<float>::max();
  std::vector<real> s, y;
  for (const std::size_t i : order) {
    s.push_back(std::clamp(real(items.scores[i]), -largest, largest));
    y.push_back(binary ? (items.relevance[i] > 0 ? 1 : 0) : real(items.relevance[i]));
  }
  const auto weight = formula(loss.weight, y);
  const std::size_t k = loss.cutoff > 0 ? loss.cutoff : n;
  const real t = loss.function.temperature;
  std::array<sums, 2> out;
  for (sums& to : out) to.gradient.assign(n, 0);
  for (std::size_t p = 0; p < std::min(n, k); ++p)
    for (std::size_t q = p + 1; q < (loss.keep == pairs::keep::both ? std::min(n, k) : n); ++q) {
      if (y[p] == y[q]) continue;
      const std::size_t preferred = y[p] > y[q] ? p : q, other = p + q - preferred;
      const auto [value, slope] = of(loss.function, (s[preferred] - s[other]) / t);
      const real by_rank = weight(preferred, other);
      for (const bool weighted : {false, true}) {
        const real w = weighted ? by_rank * real(items.weights[order[preferred]]) : by_rank;
        sums& to = out[weighted ? 1 : 0];
        to.value += w * value;
        to.weight += w;
        to.count += 1;
        to.gradient[order[preferred]] += w * slope / t;
        to.gradient[order[other]] -= w * slope / t;
      }
    }
  for (sums& to : out) {
    const real divisor = loss.average == pairs::average::none    ? 1
                         : loss.average == pairs::average::pairs ? to.count
                                                                 : to.weight;
    const real factor = divisor > 0 ? real(loss.function.factor()) / divisor : 0;
    to.value *= factor;
    for (real& g : to.gradient) g *= factor;
    if (loss.cutoff == 0 && !requires { requires decltype(loss.weight)::uses_ranks; }) continue;
    std::vector<real> bounded;
    for (const float x : items.scores) bounded.push_back(std::clamp(real(x), -largest, largest));
    reference::average_alike(to.gradient, bounded, items.relevance,
                             &to == &out[1] ? items.weights : std::vector<float>{});
  }
  return out;
}

template <class T>
struct result {
  double value;
  std::vector<T> gradient, hessian;
};

template <class T, class Loss>
result<T> run(const Loss& loss, const drawn_list& items, bool weighted, bool hessian) {
  const std::vector<T> s(items.scores.begin(), items.scores.end()),
      y(items.relevance.begin(), items.relevance.end());
  result<T> out{0.0, std::vector<T>(s.size(), T(7)), std::vector<T>(hessian ? s.size() : 0)};
  const list_batch<T> batch{
      .scores = s, .relevance = y, .item_weights = weighted ? reals(items.weights) : reals{}};
  out.value = evaluate(loss, batch, {.gradient = out.gradient, .hessian = out.hessian});
  return out;
}

template <class Loss>
void check(const Loss& loss, const drawn_list& items, double digits_of_double = digits<double>) {
  const std::array<sums, 2> both = pair_by_pair(loss, items);
  for (const bool weighted : {false, true}) {
    const sums& expected = both[weighted ? 1 : 0];
    const auto compare = [&]<class T>(T) {
      const double bound = sizeof(T) == sizeof(double) ? digits_of_double : digits<T>;
      INFO("weighted " << weighted << ", bytes " << sizeof(T) << ", items " << items.scores.size());
      const result<T> found = run<T>(loss, items, weighted, false);
      real largest = std::numeric_limits<float>::min(), error = 0;
      for (std::size_t i = 0; i < items.scores.size(); ++i) {
        largest = std::max(largest, std::abs(expected.gradient[i]));
        const real off = std::abs(real(found.gradient[i]) - expected.gradient[i]);
        if (!(off <= error)) error = off;
      }
      CHECK(static_cast<double>(error / largest) / bound <= 1.0);
      CHECK(found.value == Approx(static_cast<double>(expected.value)).epsilon(bound).margin(1e-300));
    };
    compare(1.0);
    compare(1.0F);
  }
}

template <class Loss>
Loss with(std::size_t cutoff, pairs::keep keep, pairs::average average, double temperature = 1.0) {
  Loss loss;
  loss.function.temperature = temperature;
  loss.cutoff = cutoff;
  loss.keep = keep;
  loss.average = average;
  return loss;
}

}  // namespace scan_checks
