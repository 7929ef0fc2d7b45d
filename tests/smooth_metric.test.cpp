// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/sndcg.hpp>

#include "support/below_zero.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

namespace smooth_metric_test {

using rankloss::evaluate;
using rankloss::laplace_ranks;
using rankloss::list_batch;
using rankloss::projected_ranks;
using rankloss::sigmoid_ranks;
using rankloss::smooth_metric;
namespace metrics = rankloss::metrics;

namespace {

using reals = std::vector<double>;

struct sample {
  reals s, y;

  sample(std::size_t n, unsigned seed) : s(n), y(n) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    for (double& x : s) x = normal(random);
    for (double& x : y) x = static_cast<double>(random() % 4);
    y[0] = 1;
  }
  [[nodiscard]] list_batch<double> batch() const { return {.scores = s, .relevance = y}; }
};

template <class Loss>
void gradient_is_the_slope(const Loss& loss, double step) {
  for (const std::size_t n : {1, 2, 7, 40}) {
    sample data(n, static_cast<unsigned>(n));
    reals g(n);
    evaluate(loss, data.batch(), {.gradient = g});
    for (std::size_t i = 0; i < n; ++i) {
      sample up = data, down = data;
      up.s[i] += step;
      down.s[i] -= step;
      const double slope =
          (evaluate(loss, up.batch()) - evaluate(loss, down.batch())) / (up.s[i] - down.s[i]);
      INFO("n " << n << ", item " << i);
      CHECK(g[i] == Approx(slope).margin(2e-6));
    }
    CHECK(std::accumulate(g.begin(), g.end(), 0.0) == Approx(0.0).margin(1e-12));
  }
}

/// With ranks that are all but hard the loss is that of the metric itself.
template <class Metric>
void tends_to(const Metric& metric) {
  for (const std::size_t n : {1, 3, 20, 300}) {
    const sample data(n, static_cast<unsigned>(n) + 1);
    const double exact = evaluate(metric, data.batch());
    const auto loss_of = [&](double value) {
      if constexpr (requires { requires Metric::lower_is_better; })
        return value;
      else
        return Metric::best - value;
    };
    INFO("n " << n);
    CHECK(evaluate(smooth_metric<Metric>{metric, {.temperature = 1e-9}}, data.batch()) ==
          Approx(loss_of(exact)).epsilon(1e-10).margin(1e-10));
    CHECK(evaluate(smooth_metric<Metric, laplace_ranks>{metric, {.temperature = 1e-9}}, data.batch()) ==
          Approx(loss_of(exact)).epsilon(1e-10).margin(1e-10));
    CHECK(evaluate(smooth_metric<Metric, projected_ranks>{metric, {.temperature = 1e-9}}, data.batch()) ==
          Approx(loss_of(exact)).epsilon(1e-10).margin(1e-10));
  }
}

TEST_CASE("smooth_metric takes the relevance that its metric takes") {
  support::refuses_below_0(smooth_metric<metrics::dcg>{});
  support::refuses_below_0(smooth_metric<metrics::average_relevance_position>{});
  CHECK(support::said_of_below_0(smooth_metric<metrics::average_precision>{}).empty());
}

}  // namespace

TEST_CASE("smooth_metric: as the temperature falls each metric becomes the exact one") {
  tends_to(metrics::ndcg{});
  tends_to(metrics::ndcg{.gain = rankloss::gain::linear, .cutoff = 3});
  tends_to(metrics::dcg{.cutoff = 5});
  tends_to(metrics::average_precision{});
  tends_to(metrics::reciprocal_rank{});
  tends_to(metrics::expected_reciprocal_rank{});
  tends_to(metrics::rank_biased_precision{});
  tends_to(metrics::average_relevance_position{});
  tends_to(metrics::precision{.cutoff = 2});
  tends_to(metrics::recall{.cutoff = 4});
}

TEST_CASE("smooth_metric: the gradient is the slope, by any ranks") {
  gradient_is_the_slope(smooth_metric<metrics::ndcg>{{}, {.temperature = 0.3}}, 1e-5);
  gradient_is_the_slope(smooth_metric<metrics::dcg>{{.cutoff = 5}, {.temperature = 0.5}}, 1e-6);
  gradient_is_the_slope(smooth_metric<metrics::average_precision>{{}, {.temperature = 0.3}}, 1e-5);
  gradient_is_the_slope(smooth_metric<metrics::average_precision, laplace_ranks>{{}, {.temperature = 0.3}},
                        1e-5);
  gradient_is_the_slope(smooth_metric<metrics::reciprocal_rank>{{}, {.temperature = 0.3}}, 1e-6);
  gradient_is_the_slope(smooth_metric<metrics::expected_reciprocal_rank>{{}, {.temperature = 0.3}}, 1e-6);
  gradient_is_the_slope(smooth_metric<metrics::rank_biased_precision>{{}, {.temperature = 0.3}}, 1e-5);
  gradient_is_the_slope(smooth_metric<metrics::average_relevance_position>{{}, {.temperature = 0.3}}, 1e-5);
  gradient_is_the_slope(smooth_metric<metrics::precision>{{.cutoff = 3}, {.temperature = 0.5}}, 1e-6);
  gradient_is_the_slope(smooth_metric<metrics::recall>{{.cutoff = 3}, {.temperature = 0.5}}, 1e-6);
  gradient_is_the_slope(smooth_metric<metrics::ndcg, laplace_ranks>{{}, {.temperature = 0.3}}, 1e-5);
  gradient_is_the_slope(smooth_metric<metrics::ndcg, projected_ranks>{{}, {.temperature = 0.3}}, 1e-6);
}

TEST_CASE("smooth_metric: with NDCG and sigmoid ranks it is sndcg") {
  const sample data(500, 3);
  for (const std::size_t cutoff : {0, 7}) {
    reals g(500), expected(500);
    const double value = evaluate(smooth_metric<metrics::ndcg>{{.cutoff = cutoff}, {.temperature = 0.1}},
                                  data.batch(), {.gradient = g});
    CHECK(value == Approx(evaluate(rankloss::sndcg{.temperature = 0.1, .cutoff = cutoff}, data.batch(),
                                   {.gradient = expected}))
                       .epsilon(1e-12));
    double largest = 0;
    for (const double x : expected) largest = std::max(largest, std::abs(x));
    for (std::size_t i = 0; i < 500; ++i) CHECK(std::abs(g[i] - expected[i]) <= 1e-11 * largest);
  }
}

TEST_CASE("smooth_metric: lists without relevance, and options that do not fit") {
  const reals s{1, 2, 3}, none{0, 0, 0};
  reals g(3, 5.0);
  CHECK(evaluate(smooth_metric<metrics::average_precision>{},
                 list_batch<double>{.scores = s, .relevance = none}, {.gradient = g}) == 0.0);
  CHECK(g == reals{0, 0, 0});
  using rankloss::sort_direction;
  const smooth_metric<metrics::ndcg> ascending{{}, {.direction = sort_direction::ascending}},
      from_zero{{}, {.base = 0.0}}, frozen{{}, {.temperature = 0.0}};
  CHECK_THROWS_AS(evaluate(ascending, list_batch<double>{.scores = s, .relevance = none}),
                  std::invalid_argument);
  CHECK_THROWS_AS(evaluate(from_zero, list_batch<double>{.scores = s, .relevance = none}),
                  std::invalid_argument);
  CHECK_THROWS_AS(evaluate(frozen, list_batch<double>{.scores = s, .relevance = none}),
                  std::invalid_argument);
}

}  // namespace smooth_metric_test
