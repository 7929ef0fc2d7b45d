// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/ranknet.hpp>

#include "support/below_zero.hpp"
#include "support/pair_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pairs_weight_test {

namespace {

using namespace rankloss;
using namespace support;
using reference::real;

TEST_CASE(
    "weights of pairs by gains, or by relevance as a factor, refuse what is below 0; those by comparison take it") {
  for (const gain kind : {gain::exponential, gain::linear}) {
    support::refuses_below_0(lambdarank{.weight = {.gain = kind}});
    support::refuses_below_0(lambdarank{.weight = {.gain = kind, .scale = pairs::scale_by::none},
                                        .average = pairs::average::weight});
    support::refuses_below_0(ndcg_loss2{.weight = {.gain = kind}});
    support::refuses_below_0(ndcg_loss2_plus{.weight = {.gain = kind}});
    support::refuses_below_0(ndcg_loss1{.weight = {.gain = kind}, .average = pairs::average::weight});
  }
  support::refuses_below_0(arp_loss1{.average = pairs::average::weight});
  CHECK(support::said_of_below_0(pairwise<pairs::logistic, pairs::relevance_difference>{
            .weight = {pairs::difference_of::squares}}) != "");
  const std::vector<double> table{0, 1};
  CHECK(support::said_of_below_0(lambdarank{.weight = {.gain = gain::table, .gain_table = table}}).empty());
  CHECK(support::said_of_below_0(ranknet{}).empty());
  CHECK(support::said_of_below_0(arp_loss2{}).empty());
  CHECK(support::said_of_below_0(lambdarank_map{}).empty());
  CHECK(support::said_of_below_0(lambdarank_mrr{}).empty());
}

}  // namespace

TEST_CASE("weights of pairs against their formulas, at any length and cutoff") {
  for (const std::size_t n : {1u, 2u, 16u, 17u, 130u, 520u}) {
    CAPTURE(n);
    const random_list list = make_list(n, 2.0, 5, static_cast<unsigned>(n));
    const std::vector<std::size_t> rank = reference::ordinal_ranks(reference::widen(list.scores));
    const auto y = [&](std::size_t i) { return real(list.relevance[i]); };
    const auto gain = [&](std::size_t i) { return std::exp2(y(i)) - 1; };
    std::vector<real> gains(n);
    for (std::size_t i = 0; i < n; ++i) gains[i] = gain(i);
    const auto f = reference::logistic(1);
    for (const std::size_t cutoff : {0u, 1u, 10u}) {
      CAPTURE(cutoff);
      const real best = reference::ideal_dcg(gains, cutoff);
      const real whole = reference::ideal_dcg(gains, 0);
      const auto d = [&](std::size_t i) {
        return cutoff > 0 && rank[i] > cutoff ? real(0) : reference::discount(rank[i]);
      };
      const auto delta = [&](std::size_t i, std::size_t j) {
        const std::size_t m = rank[i] > rank[j] ? rank[i] - rank[j] : rank[j] - rank[i];
        return reference::discount(m) - reference::discount(m + 1);
      };
      for (const pairs::keep keep : {pairs::keep::either, pairs::keep::both}) {
        check_ordered(ranknet{.cutoff = cutoff, .keep = keep, .average = pairs::average::pairs}, list, f,
                      one);
        check_ordered(lambdarank{.cutoff = cutoff, .keep = keep}, list, f, [&](std::size_t i, std::size_t j) {
          return whole > 0 ? (gain(i) - gain(j)) *
                                 std::abs(reference::discount(rank[i]) - reference::discount(rank[j])) / whole
                           : 0;
        });
        // The reference counts the metric anew for each pair: once is enough for the longest list.
        if (n <= 130 || (cutoff == 10 && keep == pairs::keep::either))
          check_ordered(lambdarank_map{.cutoff = cutoff, .keep = keep}, list, f,
                        [&](std::size_t i, std::size_t j) {
                          return reference::change(reference::average_precision, rank,
                                                   reference::widen(list.relevance), i, j);
                        });
        check_ordered(arp_loss2{.cutoff = cutoff, .keep = keep, .average = pairs::average::weight}, list, f,
                      [&](std::size_t i, std::size_t j) { return y(i) - y(j); });
      }
      if (n > 130) continue;
      check_ordered(lambdarank{.weight = {.cutoff = cutoff}}, list, f, [&](std::size_t i, std::size_t j) {
        return best > 0 ? (gain(i) - gain(j)) * std::abs(d(i) - d(j)) / best : 0;
      });
      check_ordered(
          lambdarank{.weight = {.gain = gain::linear, .cutoff = cutoff, .scale = pairs::scale_by::none}},
          list, f, [&](std::size_t i, std::size_t j) { return (y(i) - y(j)) * std::abs(d(i) - d(j)); });
      check_ordered(ndcg_loss2{.weight = {.cutoff = cutoff}}, list, f, [&](std::size_t i, std::size_t j) {
        return best > 0 ? (gain(i) - gain(j)) * delta(i, j) / best : 0;
      });
      check_ordered(ndcg_loss2_plus{.weight = {.mu = 3.0}}, list, f, [&](std::size_t i, std::size_t j) {
        const real both =
            3 * delta(i, j) + std::abs(reference::discount(rank[i]) - reference::discount(rank[j]));
        return whole > 0 ? (gain(i) - gain(j)) * both / whole : 0;
      });
      check_ordered(
          pairwise<pairs::logistic, pairs::relevance_difference>{.weight = {pairs::difference_of::squares}},
          list, f, [&](std::size_t i, std::size_t j) { return y(i) * y(i) - y(j) * y(j); });
      check_ordered(lambdarank_mrr{}, list, f, [&](std::size_t i, std::size_t j) {
        return reference::change(reference::reciprocal_rank, rank, reference::widen(list.relevance), i, j);
      });
    }
    if (n > 130) continue;
    // All ordered pairs, an item with itself included.
    const real whole = reference::ideal_dcg(gains, 0);
    for (const bool weighted : {false, true}) {
      const auto v = [&](std::size_t i) { return weighted ? real(list.weights[i]) : real(1); };
      const auto all = [](std::size_t, std::size_t) { return true; };
      check(ndcg_loss1{}, list, weighted,
            reference::sum_over_pairs(
                reference::widen(list.scores), reference::widen(list.relevance), f,
                [&](std::size_t i, std::size_t) {
                  return whole > 0 ? v(i) * gain(i) * reference::discount(rank[i]) / whole : 0;
                },
                all));
      check(arp_loss1{}, list, weighted,
            reference::sum_over_pairs(
                reference::widen(list.scores), reference::widen(list.relevance), f,
                [&](std::size_t i, std::size_t) { return v(i) * y(i); }, all));
    }
  }
}

namespace {

/// A list of floats against sums over pairs of the same numbers, by w(i, j) for y_i > y_j. No two items are alike.
template <class Loss, class R>
void check_floats(const char* name, Loss loss, const std::vector<double>& scores,
                  const std::vector<R>& relevance, double temperature,
                  const std::function<real(std::size_t, std::size_t)>& w) {
  INFO(name << ", " << scores.size() << " items, temperature " << temperature);
  loss.function.temperature = temperature;
  const std::vector<float> s(scores.begin(), scores.end());
  const reference::pair_sums expected = reference::sum_over_pairs(
      reference::widen(scores), reference::widen(relevance), reference::logistic(temperature), w,
      [&](std::size_t i, std::size_t j) { return relevance[i] > relevance[j]; });
  std::vector<float> g(s.size());
  const double value =
      evaluate(loss, list_batch<float, R>{.scores = s, .relevance = relevance}, {.gradient = g});
  CHECK(value == Approx(static_cast<double>(expected.total.value)).epsilon(2e-6));
  double error = 0.0;
  for (std::size_t i = 0; i < s.size(); ++i)
    error = std::max(error, std::abs(static_cast<double>(real(g[i]) - expected.total.gradient[i])));
  CHECK(error / largest(expected.total.gradient) / 2e-6 <= 1.0);
}

/// The same by lambdarank, and by the difference of relevance and of its squares. The loss takes relevance as R, and
/// gains and discounts to the digits of double.
template <class R>
void check_near(const char* name, const std::vector<double>& scores, const std::vector<R>& relevance,
                double temperature) {
  const auto y = [&](std::size_t i) { return real(relevance[i]); };
  const std::vector<std::size_t> rank = reference::ordinal_ranks(reference::widen(scores));
  std::vector<real> gains, discounts;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    gains.push_back(std::exp2(y(i)) - 1);
    discounts.push_back(reference::discount(rank[i]));
  }
  const real best = reference::ideal_dcg(gains, 0);
  check_floats(name, lambdarank{}, scores, relevance, temperature, [&](std::size_t i, std::size_t j) {
    return (gains[i] - gains[j]) * std::abs(discounts[i] - discounts[j]) / best;
  });
  if (scores.size() > 300) return;
  using by_difference = pairwise<pairs::logistic, pairs::relevance_difference>;
  check_floats(name, by_difference{}, scores, relevance, temperature,
               [&](std::size_t i, std::size_t j) { return y(i) - y(j); });
  check_floats(name, by_difference{.weight = {pairs::difference_of::squares}}, scores, relevance, temperature,
               [&](std::size_t i, std::size_t j) { return (y(i) - y(j)) * (y(i) + y(j)); });
  if (scores.size() > 200) return;
  check_floats(name, ndcg_loss2_plus{.weight = {.mu = 3.0}}, scores, relevance, temperature,
               [&](std::size_t i, std::size_t j) {
                 const std::size_t m = rank[i] > rank[j] ? rank[i] - rank[j] : rank[j] - rank[i];
                 return (gains[i] - gains[j]) *
                        (3 * (reference::discount(m) - reference::discount(m + 1)) +
                         std::abs(discounts[i] - discounts[j])) /
                        best;
               });
}

}  // namespace

TEST_CASE(
    "weights of pairs keep the digits in which nearly equal gains and relevance differ, also beside outliers") {
  // Pair by pair in lanes of float, by windows, and with real-valued relevance in buckets.
  for (const std::size_t n : {100u, 256u, 300u, 5000u}) {
    std::mt19937 random(static_cast<unsigned>(n));
    std::normal_distribution<double> normal;
    for (const double temperature : {1.0, 0.02}) {
      if (n == 5000 && temperature != 1.0) continue;
      std::vector<double> s(n), apart(n);
      std::vector<float> y(n), with_outliers(n), few(n), crowds(n), few_in_crowds(n);
      std::vector<double> y_double(n);
      for (std::size_t i = 0; i < n; ++i) {
        // No two scores are equal: ties are taken in the order of the items.
        s[i] = static_cast<double>(static_cast<float>(normal(random)));
        while (std::find(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(i), s[i]) !=
               s.begin() + static_cast<std::ptrdiff_t>(i))
          s[i] = static_cast<double>(static_cast<float>(normal(random)));
        // The items of the second crowd are so far above that their pairs with others count nothing.
        apart[i] = i % 2 == 0 ? s[i] : 128.0 + static_cast<double>(i) * 0x1p-8;
        y[i] = 10.0F + static_cast<float>(random() % 1024) * 0x1p-18F;
        few[i] = 10.0F + static_cast<float>(random() % 5) * 0x1p-18F;
        y_double[i] = 10.0 + static_cast<double>(random() % 1024) * 0x1p-36;
        crowds[i] = i % 2 == 0 ? y[i] : y[i] + 4.0F;
        few_in_crowds[i] = i % 2 == 0 ? few[i] : few[i] + 4.0F;
        with_outliers[i] = y[i];
      }
      with_outliers[n / 2] = 12.0F;
      with_outliers[n / 3] = 0.0F;
      std::vector<double> far = s;
      far[n / 2] = 128.0;
      far[n / 3] = -128.0;
      check_near("near", s, y, temperature);
      check_near("far outliers", far, with_outliers, temperature);
      check_near("crowds", apart, crowds, temperature);
      check_near("double relevance", s, y_double, temperature);
      check_near("few levels in crowds", apart, few_in_crowds, temperature);
      // Few levels whose gains are ten times 2^36 as large as they are apart.
      std::vector<double> close(n);
      for (double& level : close) level = 10.0 + static_cast<double>(random() % 5) * 0x1p-36;
      const std::vector<std::size_t> rank = reference::ordinal_ranks(reference::widen(s));
      const real best = reference::ideal_dcg(reference::widen(close), 0);
      check_floats("close levels", lambdarank{.weight = {.gain = rankloss::gain::linear}}, s, close, temperature,
                   [&](std::size_t i, std::size_t j) {
                     return (real(close[i]) - real(close[j])) *
                            std::abs(reference::discount(rank[i]) - reference::discount(rank[j])) / best;
                   });
      if (n == 5000) continue;
      check_near("outliers", s, with_outliers, temperature);
      check_near("few levels", s, few, temperature);
    }
  }
}

TEST_CASE("weights of pairs keep the digits in which the discounts of neighbours differ") {
  // Only the last pairs are in the wrong order; all others are so far apart that they count nothing.
  for (const std::size_t n : {150u, 300u, 1000u, 3000u}) {
    std::vector<double> s(n);
    std::vector<float> y(n, 1.0F), real_valued(n);
    for (std::size_t i = 0; i < n; ++i) {
      s[i] = -static_cast<double>(i);
      real_valued[i] = 5.0F - static_cast<float>(i) * 0x1p-12F;
    }
    y[n - 2] = 0.0F;
    std::swap(real_valued[n - 2], real_valued[n - 3]);
    // Up to 160 temperatures the lanes are of float.
    const double temperature = n < 256 ? 1.0 : 0.05;
    check_near("last pair", s, y, temperature);
    check_near("real-valued", s, real_valued, temperature);
  }
}

}  // namespace pairs_weight_test
