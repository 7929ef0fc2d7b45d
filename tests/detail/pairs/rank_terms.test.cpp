// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/rank_terms.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

namespace detail_pairs_rank_terms_test {

TEMPLATE_TEST_CASE("rank_terms: they add up to the difference of two neighbouring discounts", "", float,
                   double) {
  using terms = rankloss::detail::rank_terms<TestType>;
  long double largest = 0;
  for (long double m = 1; m <= static_cast<long double>(terms::longest); m = std::floor(m * 1.03L) + 1) {
    long double sum = 0, rate = terms::first;
    for (const double factor : terms::factors) {
      sum += factor * std::exp(-rate * m);
      rate /= static_cast<long double>(terms::ratio);
    }
    const long double expected = std::log(2.0L) * std::log1p(1 / (1 + m)) / (std::log1p(m) * std::log(2 + m));
    largest = std::max(largest, std::abs(sum / expected - 1));
  }
  CHECK(largest < (sizeof(TestType) == 4 ? 1.5e-7 : 2e-14));
}

}  // namespace detail_pairs_rank_terms_test
