// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/counting.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/ranknet.hpp>

#include "support/convention_checks.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace conventions_counting_test {

using namespace rankloss;
using support::doubles;
using support::integers;

namespace {

/// Every ordered pair one by one: those of different relevance, or all, that a cutoff keeps, by their number
/// and by the weight of the more relevant item. Equal scores are in the order of the items.
template <class T, class R>
std::pair<double, double> pairs_one_by_one(const std::vector<T>& s, const std::vector<R>& y, const doubles& w,
                                           std::size_t cutoff, pairs::keep keep, bool all) {
  const std::size_t n = s.size();
  std::vector<std::size_t> rank(n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) rank[i] += s[j] > s[i] || (s[j] == s[i] && j < i) ? 1 : 0;
  double count = 0.0;
  double weight = 0.0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const bool one = cutoff == 0 || rank[i] < cutoff, other = cutoff == 0 || rank[j] < cutoff;
      if (!(keep == pairs::keep::both ? one && other : one || other) || !(all || y[i] > y[j])) continue;
      count += 1.0;
      weight += w[i];
    }
  return {count, weight};
}

template <class R>
void check_pair_counts(std::size_t n, unsigned scores, unsigned levels, std::mt19937_64& random) {
  std::vector<float> s(n);
  std::vector<R> y(n);
  doubles w(n);
  for (std::size_t i = 0; i < n; ++i) {
    s[i] = static_cast<float>(random() % scores);
    y[i] = static_cast<R>(static_cast<R>(random() % levels) / R(2) - R(1));
    w[i] = static_cast<double>(random() % 5) / 4.0;  // whose sums are exact
  }
  list_batch<float, R> batch{.scores = s, .relevance = y};
  for (const std::size_t cutoff : {std::size_t{0}, std::size_t{1}, std::size_t{7}, n, n + 3})
    for (const pairs::keep keep : {pairs::keep::either, pairs::keep::both}) {
      CAPTURE(n, scores, levels, cutoff, keep == pairs::keep::both);
      const auto [count, weight] = pairs_one_by_one(s, y, w, cutoff, keep, false);
      const ranknet loss{.cutoff = cutoff, .keep = keep};
      CHECK(conventions::pair_counts(loss, batch) == doubles{count});
      CHECK(conventions::pair_counts(arp_loss2{.cutoff = cutoff, .keep = keep}, batch) == doubles{count});
      CHECK(conventions::pair_weights(loss, batch) == doubles{count});
      const double all = pairs_one_by_one(s, y, w, cutoff, keep, true).first;
      CHECK(conventions::pair_counts(ndcg_loss1{.cutoff = cutoff, .keep = keep}, batch) == doubles{all});
      batch.item_weights = w;
      CHECK(conventions::pair_counts(loss, batch) == doubles{count});
      CHECK(conventions::pair_weights(loss, batch) == doubles{weight});
      batch.item_weights = {};
    }
}

}  // namespace

TEST_CASE("conventions: pairs are counted as one by one, by sorting") {
  std::mt19937_64 random(6);
  for (std::size_t n = 0; n <= 20; ++n) {
    check_pair_counts<float>(n, 5, 4, random);
    check_pair_counts<int>(n, 1000, 9, random);
  }
  for (const std::size_t n : {63u, 64u, 65u, 255u, 256u, 257u, 511u, 512u, 600u})
    for (const unsigned scores : {3u, 100000u})
      for (const unsigned levels : {1u, 2u, 40u, 100000u}) {
        check_pair_counts<float>(n, scores, levels, random);
        if (levels == 40) check_pair_counts<double>(n, scores, levels, random);
      }

  // Lists, masks and list weights.
  const doubles s{3, 1, 9, 2, 5, 5, 4}, y{1, 0, 7, 2, 1, 0, 0};
  const std::vector<std::uint8_t> mask{1, 1, 0, 1, 1, 1, 1};
  const std::vector<std::size_t> offsets{0, 4, 4, 7};
  const doubles weights{0, 1, 5};
  const list_batch<double> lists{
      .scores = s, .relevance = y, .offsets = offsets, .list_weights = weights, .mask = mask};
  CHECK(conventions::pair_counts(ranknet{}, lists) == doubles{3, 0, 2});
  CHECK(conventions::pair_counts(ranknet{.cutoff = 1}, lists) == doubles{2, 0, 2});
  CHECK(conventions::pair_counts(ndcg_loss1{}, lists) == doubles{9, 0, 9});
}

TEST_CASE("conventions: pairs of float lists, long lists and a batch without pairs") {
  const std::size_t n = 700;
  std::vector<float> s(n);
  integers y(n);
  for (std::size_t i = 0; i < n; ++i) {
    s[i] = static_cast<float>((i * 37) % 101);
    y[i] = static_cast<int>(i % 2);
  }
  const list_batch<float, int> batch{.scores = s, .relevance = y};
  CHECK(conventions::pair_counts(ranknet{}, batch) == doubles{350.0 * 350.0});
  CHECK(conventions::pair_counts(ndcg_loss1{}, batch) == doubles{700.0 * 700.0});
  const integers alike(n, 1);
  const integers offsets{0, 700, 700};
  const list_batch<float, int> none{.scores = s, .relevance = alike, .offsets = offsets};
  CHECK(conventions::pair_counts(ranknet{}, none) == doubles{0, 0});
  const integers wrong{0, 701};
  const list_batch<float, int> beyond{.scores = s, .relevance = y, .offsets = wrong};
  CHECK_THROWS_WITH(conventions::pair_counts(ranknet{}, beyond),
                    "rankloss: offsets: last is 701, expected 700 (the number of scores)");
  CHECK_THROWS_WITH(conventions::item_weights(beyond),
                    "rankloss: offsets: last is 701, expected 700 (the number of scores)");
}

}  // namespace conventions_counting_test
