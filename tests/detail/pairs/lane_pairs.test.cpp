// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/lane_pairs.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/ranknet.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

/// Lists of all lengths about those at which one way of computing takes over from another: one a lane, pair by pair
/// in float, the same in blocks, and sums of exponentials.
namespace detail_pairs_lane_pairs_test {

namespace {

using namespace rankloss;
using real = long double;

struct drawn {
  std::vector<float> scores, relevance;
  std::vector<std::int64_t> offsets{0};

  void add(std::size_t n, double spread, int grades, std::mt19937& random) {
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    for (std::size_t i = 0; i < n; ++i) {
      scores.push_back(static_cast<float>(spread * normal(random)));
      relevance.push_back(grades > 0 ? static_cast<float>(static_cast<int>(uniform(random) * grades))
                                     : static_cast<float>(uniform(random)));
    }
    offsets.push_back(static_cast<std::int64_t>(scores.size()));
  }
};

struct sums {
  real value = 0, weight = 0, count = 0;
  std::vector<real> gradient;
};

/// The plain sums of one list; equal scores are in the order of the items.
sums plain(const float* s, const float* y, std::size_t n, double temperature, bool by_ndcg) {
  std::vector<std::size_t> order(n), rank(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s[a] > s[b]; });
  for (std::size_t p = 0; p < n; ++p) rank[order[p]] = p + 1;
  std::vector<real> best(y, y + n);
  std::sort(best.rbegin(), best.rend());
  const auto gain = [](real relevance) { return std::exp2(relevance) - 1; };
  const auto discount = [](std::size_t r) { return 1 / std::log2(1 + real(r)); };
  real ideal = 0;
  for (std::size_t p = 0; p < n; ++p) ideal += gain(best[p]) * discount(p + 1);
  sums all;
  all.gradient.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (!(y[i] > y[j])) continue;
      const real d = (real(s[i]) - real(s[j])) / temperature;
      const real w =
          by_ndcg ? (gain(y[i]) - gain(y[j])) / ideal * std::abs(discount(rank[i]) - discount(rank[j])) : 1;
      const real slope = -w / (1 + std::exp(d)) / temperature;
      all.value += w * (std::max(-d, real(0)) + std::log1p(std::exp(-std::abs(d))));
      all.weight += w;
      all.count += 1;
      all.gradient[i] += slope;
      all.gradient[j] -= slope;
    }
  return all;
}

template <class Loss>
void check(const Loss& loss, const drawn& data, bool by_ndcg) {
  const std::size_t lists = data.offsets.size() - 1;
  std::vector<float> gradient(data.scores.size(), 7.0f);
  std::vector<double> values(lists);
  evaluate(loss,
           list_batch<float>{.scores = data.scores,
                             .relevance = data.relevance,
                             .offsets = data.offsets,
                             .reduction = reduction::sum},
           {.gradient = gradient, .per_list = values});
  for (std::size_t l = 0; l < lists; ++l) {
    const auto begin = static_cast<std::size_t>(data.offsets[l]);
    const auto n = static_cast<std::size_t>(data.offsets[l + 1]) - begin;
    CAPTURE(l, n, loss.function.temperature);
    const sums expected = plain(data.scores.data() + begin, data.relevance.data() + begin, n,
                                loss.function.temperature, by_ndcg);
    const real divisor = loss.average == pairs::average::pairs    ? expected.count
                         : loss.average == pairs::average::weight ? expected.weight
                                                                  : 1;
    const real share = divisor > 0 ? 1 / divisor : 0;
    CHECK(values[l] == Approx(static_cast<double>(share * expected.value)).epsilon(2e-6).margin(1e-300));
    real most = 0, error = 0;
    for (std::size_t i = 0; i < n; ++i) {
      most = std::max(most, std::abs(share * expected.gradient[i]));
      error = std::max(error, std::abs(real(gradient[begin + i]) - share * expected.gradient[i]));
    }
    // No float is nearer to a gradient below the least normal number than this.
    constexpr double subnormal = std::numeric_limits<float>::denorm_min();
    CHECK(static_cast<double>(error) <= 2e-6 * static_cast<double>(most) + subnormal);
    // The same bits as of the list alone.
    std::vector<float> alone(n, 7.0f);
    const double value = evaluate(loss,
                                  list_batch<float>{.scores = {data.scores.data() + begin, n},
                                                    .relevance = {data.relevance.data() + begin, n}},
                                  {.gradient = alone});
    CHECK(value == values[l]);
    CHECK(std::equal(alone.begin(), alone.end(), gradient.begin() + static_cast<std::ptrdiff_t>(begin)));
  }
}

void check_all(const drawn& data) {
  for (const double temperature : {0.01, 0.1, 1.0})
    for (const auto average : {pairs::average::none, pairs::average::pairs, pairs::average::weight}) {
      check(ranknet{.function = {.temperature = temperature}, .average = average}, data, false);
      check(lambdarank{.function = {.temperature = temperature}, .average = average}, data, true);
    }
}

}  // namespace

TEST_CASE("lane_pairs: short lists of all lengths, narrow and wide, of few grades and of real relevance") {
  std::mt19937 random(1);
  drawn data;
  for (const int grades : {1, 2, 5, 0})
    for (const double spread : {0.01, 1.0, 1000.0})
      for (std::size_t n = 1; n <= 50; n += n < 18 ? 1 : 7) data.add(n, spread, grades, random);
  check_all(data);
}

TEST_CASE("lane_pairs: equal scores go by the order of the items") {
  const std::vector<float> s{1, 1, 0, 1, 0}, y{0, 2, 1, 0, 3};
  std::vector<float> g(5);
  const double value =
      evaluate(lambdarank{}, list_batch<float>{.scores = s, .relevance = y}, {.gradient = g});
  const sums expected = plain(s.data(), y.data(), 5, 1.0, true);
  CHECK(value == Approx(static_cast<double>(expected.value)).epsilon(2e-6));
  CHECK(g[0] == g[3]);
  CHECK(static_cast<double>(g[0]) ==
        Approx(static_cast<double>((expected.gradient[0] + expected.gradient[3]) / 2)).epsilon(1e-5));
}

TEST_CASE("lane_pairs: weights of pairs are differences of gains to all digits, and of any size") {
  // Gains about 1000 that differ by a few units of a float, and others far apart, of outlying scores.
  drawn data;
  std::mt19937 random(5);
  for (std::size_t n = 2; n <= 20; n += 3) {
    data.add(n, 300.0, 0, random);
    for (std::size_t i = data.relevance.size() - n; i < data.relevance.size(); ++i)
      data.relevance[i] = 10.0F + 0x1p-18F * data.relevance[i];
    data.add(n, 300.0, 0, random);
    for (std::size_t i = data.relevance.size() - n; i < data.relevance.size(); ++i)
      data.relevance[i] = 60.0F * data.relevance[i];
  }
  check(lambdarank{}, data, true);
  check(lambdarank{.average = pairs::average::weight}, data, true);
}

TEST_CASE("lane_pairs: lists about the lengths at which pairs are summed in blocks, and by exponentials") {
  std::mt19937 random(2);
  for (const int grades : {2, 5, 0}) {
    drawn data;
    for (const std::size_t n : {191u, 192u, 256u, 257u, 320u, 400u, 513u}) data.add(n, 1.0, grades, random);
    check_all(data);
  }
}

TEST_CASE("lane_pairs: a long list of equal scores, whose summands all round the same way") {
  drawn data;
  std::mt19937 random(3);
  data.add(500, 0.0, 0, random);
  check(ranknet{.function = {.temperature = 3.0}}, data, false);
}

}  // namespace detail_pairs_lane_pairs_test
