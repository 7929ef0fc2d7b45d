// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/alike.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace detail_pairs_alike_test {

namespace {

using reals = std::vector<double>;

/// What becomes of derivatives of items.
reals shared(const reals& scores, const reals& relevance, const reals& weights, reals derivatives,
             bool hessian = false) {
  rankloss::workspace scratch;
  const rankloss::list<double, double> items{
      {scores.data(), scores.size()}, {relevance.data(), relevance.size()}, {weights.data(), weights.size()}};
  const rankloss::strided<double> to(derivatives.data(), derivatives.size());
  const auto sorted = rankloss::detail::sort_list<double>(items.scores, scratch);
  rankloss::detail::average_alike(
      items, sorted,
      hessian ? rankloss::list_outputs<double>{{}, to} : rankloss::list_outputs<double>{to, {}}, scratch);
  return derivatives;
}

}  // namespace

TEST_CASE("alike: items alike in score, relevance and weight share, others do not") {
  const reals s{1, 2, 1, 1, 2, 1, 0};
  const reals y{0, 1, 0, 1, 1, 0, 0};
  CHECK(shared(s, y, {}, {1, 2, 3, 4, 6, 8, 16}) == reals{4, 4, 4, 4, 4, 4, 16});
  CHECK(shared(s, y, {}, {1, 2, 3, 4, 6, 8, 16}, true) == reals{4, 4, 4, 4, 4, 4, 16});
  CHECK(shared(s, y, {1, 1, 1, 1, 3, 2, 1}, {1, 2, 3, 4, 6, 8, 16}) == reals{2, 2, 2, 4, 6, 8, 16});
  CHECK(shared({3, 2, 1}, {1, 1, 1}, {}, {1, 2, 3}) == reals{1, 2, 3});
  CHECK(shared({1, 1}, {0, 1}, {}, {1, 2}) == reals{1, 2});
  CHECK(shared({}, {}, {}, {}).empty());
}

TEST_CASE("alike: equal numbers keep their bits, and the largest are no infinity") {
  constexpr double most = std::numeric_limits<double>::max();
  CHECK(shared({1, 1, 1}, {0, 0, 0}, {}, {0.1, 0.1, 0.1}) == reals{0.1, 0.1, 0.1});
  CHECK(shared({1, 1, 1}, {0, 0, 0}, {}, {most, most, most}) == reals{most, most, most});
  CHECK(shared({1, 1}, {0, 0}, {}, {most, -most}) == reals{0, 0});
}

TEST_CASE("alike: runs of equal scores that end a piece, begin one or are longer than one") {
  constexpr std::size_t n = 60000;
  reals s(n), y(n), derivatives(n), expected(n);
  for (const std::size_t length : {3u, 16384u, 16385u, 40000u, 60000u}) {
    for (std::size_t i = 0; i < n; ++i) {
      s[i] = -static_cast<double>(i / length);
      derivatives[i] = static_cast<double>(i % 64);
    }
    for (std::size_t begin = 0; begin < n; begin += length) {
      const std::size_t end = std::min<std::size_t>(begin + length, n);
      double sum = 0.0;
      for (std::size_t i = begin; i < end; ++i) sum += derivatives[i];
      for (std::size_t i = begin; i < end; ++i) expected[i] = sum / static_cast<double>(end - begin);
    }
    const reals found = shared(s, y, {}, derivatives);
    double error = 0.0;
    for (std::size_t i = 0; i < n; ++i) error = std::max(error, std::abs(found[i] - expected[i]));
    CHECK(error <= 1e-13 * 64.0);
  }
}

}  // namespace detail_pairs_alike_test
