// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/evaluate.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <random>
#include <vector>

namespace support {

/// A metric counts missed items as it would those that stand behind every cutoff: make(k) is the metric with
/// cutoff k. `uncut` says whether no cutoff means one that lets all by.
template <class T, class Make>
void check_missed(Make make, bool uncut = true) {
  constexpr std::size_t fillers = 60;
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    struct arrays {
      std::vector<T> scores;
      std::vector<int> relevance;
      std::vector<float> weights;
      std::vector<unsigned char> mask;
      std::vector<unsigned char> missed;
      std::vector<std::size_t> offsets{0};
      [[nodiscard]] rankloss::list_batch<T, int> batch(bool weighted, bool masked,
                                                       rankloss::reduction reduction) const {
        rankloss::list_batch<T, int> all{
            .scores = scores, .relevance = relevance, .offsets = offsets, .reduction = reduction};
        if (weighted) all.item_weights = weights;
        if (masked) all.mask = mask;
        return all;
      }
    };
    arrays given;
    arrays far;  // the same lists, where what is missed stands behind the fillers
    for (int list = 0; list < 4; ++list) {
      arrays behind;
      for (std::size_t i = 0, n = random() % 9; i < n; ++i) {
        const bool missed = random() % 3 == 0;
        const int relevance = static_cast<int>(random() % 4) - (round % 3 == 0 ? 2 : 0) > 0
                                  ? static_cast<int>(1 + random() % 3)
                                  : 0;
        const auto weight = static_cast<float>(random() % 3);
        const unsigned char kept = random() % 6 != 0;
        given.scores.push_back(static_cast<T>(random() % 4));
        given.relevance.push_back(relevance);
        given.weights.push_back(weight);
        given.mask.push_back(kept);
        given.missed.push_back(missed);
        arrays& to = missed ? behind : far;
        to.scores.push_back(missed ? T{-2} : given.scores.back());
        to.relevance.push_back(relevance);
        to.weights.push_back(weight);
        to.mask.push_back(kept);
      }
      far.scores.insert(far.scores.end(), fillers, T{-1});
      far.relevance.insert(far.relevance.end(), fillers, 0);
      far.weights.insert(far.weights.end(), fillers, 1.0f);
      far.mask.insert(far.mask.end(), fillers, 1);
      far.scores.insert(far.scores.end(), behind.scores.begin(), behind.scores.end());
      far.relevance.insert(far.relevance.end(), behind.relevance.begin(), behind.relevance.end());
      far.weights.insert(far.weights.end(), behind.weights.begin(), behind.weights.end());
      far.mask.insert(far.mask.end(), behind.mask.begin(), behind.mask.end());
      given.offsets.push_back(given.scores.size());
      far.offsets.push_back(far.scores.size());
    }
    for (std::size_t k = uncut ? 0 : 1; k <= 14; ++k)
      for (const bool weighted : {false, true})
        for (const bool masked : {false, true})
          for (const auto reduction : {rankloss::reduction::mean, rankloss::reduction::mean_of_relevant}) {
            const auto expected_batch = far.batch(weighted, masked, reduction);
            std::vector<double> expected(4);
            const double mean =
                rankloss::evaluate(make(k == 0 ? fillers : k), expected_batch, {.per_list = expected});
            auto batch = given.batch(weighted, masked, reduction);
            batch.missed = given.missed;
            std::vector<double> each(4);
            CHECK(rankloss::evaluate(make(k), batch, {.per_list = each}) == Approx(mean).epsilon(1e-13));
            for (std::size_t l = 0; l < 4; ++l) CHECK(each[l] == Approx(expected[l]).epsilon(1e-13));
          }
  }
}

}  // namespace support
