// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/ranknet.hpp>

#include "support/below_zero.hpp"
#include "support/pair_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
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

}  // namespace pairs_weight_test
