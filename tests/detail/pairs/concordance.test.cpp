// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/concordance.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <random>
#include <set>
#include <vector>

namespace detail_pairs_concordance_test {

TEST_CASE("concordance: every pair is counted once, by scores, relevance and weights") {
  std::mt19937 random(11);
  for (const std::size_t n : std::vector<std::size_t>{1, 2, 3, 17, 64, 65, 200})
    for (const unsigned values : {2u, 5u, 1000u})
      for (const bool weighted : {false, true})
        for (const bool both : {false, true}) {
          CAPTURE(n, values, weighted, both);
          std::vector<float> scores(n);
          std::vector<int> grades(n);
          std::vector<double> weights(weighted ? n : 0);
          for (std::size_t i = 0; i < n; ++i) {
            scores[i] = static_cast<float>(random() % values);
            grades[i] = static_cast<int>(random() % (values / 2 + 1));
            if (weighted) weights[i] = static_cast<double>(random() % 3) * 2.0;
          }
          rankloss::detail::concordance expected;
          double most = 1.0;
          if (weighted) {
            most = 0.0;
            for (const double w : weights) most = w > most ? w : most;
          }
          const auto weight = [&](std::size_t i) { return weighted ? weights[i] / most : 1.0; };
          std::set<float> all_scores;
          std::set<int> all_grades;
          for (std::size_t i = 0; i < n && most > 0.0; ++i) {
            if (!(weight(i) > 0.0)) continue;
            all_scores.insert(scores[i]);
            all_grades.insert(grades[i]);
            for (std::size_t j = 0; j < n; ++j) {
              if (!(weight(j) > 0.0) || i == j) continue;
              // Of different relevance, i the more relevant one; of equal relevance each pair from both
              // sides.
              if (grades[i] < grades[j]) continue;
              const double w = weight(i) * (both ? weight(j) : 1.0);
              if (grades[i] == grades[j]) {
                if (both || !weighted)
                  (scores[i] == scores[j] ? expected.tied_both : expected.tied_relevance) += 0.5 * w;
              } else {
                (scores[i] > scores[j]   ? expected.concordant
                 : scores[i] < scores[j] ? expected.discordant
                                         : expected.tied_scores) += w;
              }
            }
          }
          rankloss::workspace scratch;
          const rankloss::list<float, int> items{
              {scores.data(), n}, {grades.data(), n}, {weights.data(), weights.size()}};
          const auto counts = rankloss::detail::count_concordance(items, both, scratch);
          CHECK(counts.concordant == Approx(expected.concordant).margin(1e-12));
          CHECK(counts.discordant == Approx(expected.discordant).margin(1e-12));
          CHECK(counts.tied_scores == Approx(expected.tied_scores).margin(1e-12));
          if (both || !weighted) {
            CHECK(counts.tied_relevance == Approx(expected.tied_relevance).margin(1e-12));
            CHECK(counts.tied_both == Approx(expected.tied_both).margin(1e-12));
          }
          CHECK(counts.scores == all_scores.size());
          CHECK(counts.grades == all_grades.size());
          CHECK(rankloss::detail::has_ordered_pair(items) == (all_grades.size() > 1));
        }
}

}  // namespace detail_pairs_concordance_test
