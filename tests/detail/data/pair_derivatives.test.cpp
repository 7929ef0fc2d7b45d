// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/pair_derivatives.hpp>

#include <rankloss/bradley_terry.hpp>
#include <rankloss/context.hpp>
#include <rankloss/rao_kupper.hpp>
#include <rankloss/threads.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace detail_data_pair_derivatives_test {

namespace {

using reals = std::vector<double>;

/// Pairs of items of which each is anywhere, or near the place of its pair among all pairs.
struct drawn_pairs {
  std::size_t items;
  std::vector<std::int32_t> preferred, other;
  std::vector<std::uint8_t> ties;
  reals weights, margins;

  drawn_pairs(std::size_t pairs, std::size_t of_items, std::size_t reach, std::mt19937_64 random = {})
      : items(of_items) {
    for (std::size_t k = 0; k < pairs; ++k) {
      const std::size_t from = reach >= items ? 0 : k * (items - reach) / pairs;
      const std::size_t within = std::min(reach, items);
      const std::size_t a = random() % within, b = (a + 1 + random() % (within - 1)) % within;
      preferred.push_back(static_cast<std::int32_t>(from + a));
      other.push_back(static_cast<std::int32_t>(from + b));
      ties.push_back(random() % 4 == 0 ? 1 : 0);
      weights.push_back(static_cast<double>(random() % 4));
      margins.push_back(static_cast<double>(random() % 100) / 50.0);
    }
  }
};

}  // namespace

TEMPLATE_TEST_CASE("pair_derivatives: losses of many pairs have the same bits on any number of threads", "",
                   float, double) {
  std::vector<rankloss::context> contexts;
  for (const std::size_t workers : {1u, 2u, 7u}) contexts.emplace_back(rankloss::threads(workers));
  struct found {
    double value, by_ties;
    reals hessian, per_pair;
    std::vector<TestType> gradient;
    bool operator==(const found&) const = default;
  };
  // From pairs of which each has its own items to pairs of any two.
  struct shape {
    std::size_t items, reach;
  };
  for (const shape& of : {shape{150000, 3}, shape{300, 300}, shape{100000, 60000}}) {
    const std::size_t items = of.items;
    const drawn_pairs data(70001, items, of.reach);
    std::vector<TestType> rewards(items);
    std::mt19937_64 random(5);
    for (TestType& r : rewards) r = static_cast<TestType>(std::normal_distribution<double>()(random));
    for (const bool weighted : {false, true})
      for (const auto how : {rankloss::reduction::mean, rankloss::reduction::mean_of_relevant}) {
        INFO(items << " items within " << of.reach << (weighted ? ", weighted" : ""));
        rankloss::preference_batch<TestType> batch{.rewards = rewards,
                                                   .preferred = data.preferred,
                                                   .other = data.other,
                                                   .margins = data.margins,
                                                   .ties = data.ties,
                                                   .reduction = how};
        if (weighted) batch.pair_weights = data.weights;
        const auto run = [&](rankloss::context& ctx) {
          found to{0.0, 0.0, reals(items), reals(70001), std::vector<TestType>(items)};
          to.value = evaluate(rankloss::rao_kupper{.threshold = 0.4}, batch,
                              {.gradient = to.gradient, .per_list = to.per_pair, .hessian = to.hessian},
                              to.by_ties, ctx);
          return to;
        };
        const found expected = run(contexts[0]);
        CHECK(run(contexts[1]) == expected);
        CHECK(run(contexts[2]) == expected);
      }
  }
}

TEST_CASE("pair_derivatives: pairs of weight 0 change no bit, wherever they are") {
  const drawn_pairs data(90000, 5000, 5000);
  std::vector<float> rewards(data.items);
  std::mt19937_64 random(5);
  for (float& r : rewards) r = static_cast<float>(random() % 1000) / 100.0F;
  std::vector<std::int32_t> preferred, other;
  reals weights;
  for (std::size_t k = 0; k < data.weights.size(); ++k) {
    if (data.weights[k] == 0.0) continue;
    preferred.push_back(data.preferred[k]);
    other.push_back(data.other[k]);
    weights.push_back(data.weights[k]);
  }
  REQUIRE(weights.size() > rankloss::detail::tuning::shortest_shared);
  for (const std::size_t workers : {1u, 2u}) {
    rankloss::context ctx{rankloss::threads(workers)};
    std::vector<float> all(data.items), kept(data.items);
    const double value = evaluate(rankloss::bradley_terry{},
                                  rankloss::preference_batch<float>{.rewards = rewards,
                                                                    .preferred = data.preferred,
                                                                    .other = data.other,
                                                                    .pair_weights = data.weights},
                                  {.gradient = all}, ctx);
    CHECK(evaluate(rankloss::bradley_terry{},
                   rankloss::preference_batch<float>{
                       .rewards = rewards, .preferred = preferred, .other = other, .pair_weights = weights},
                   {.gradient = kept}, ctx) == value);
    CHECK(all == kept);
  }
}

TEST_CASE("pair_derivatives: a bad item among many pairs is named, on any number of threads") {
  drawn_pairs data(70001, 300, 300);
  const std::vector<double> rewards(data.items);
  std::vector<double> gradient(data.items, 9.0);
  data.preferred[50000] = 300;
  data.other[69999] = data.preferred[69999];
  for (const std::size_t workers : {1u, 3u}) {
    rankloss::context ctx{rankloss::threads(workers)};
    CHECK_THROWS_WITH(
        evaluate(rankloss::bradley_terry{},
                 rankloss::preference_batch<double>{
                     .rewards = rewards, .preferred = data.preferred, .other = data.other},
                 {.gradient = gradient}, ctx),
        "rankloss: preferred: 300 at pair 50000, expected an item from 0 to below 300 (the number of rewards)");
    CHECK(gradient == std::vector<double>(data.items, 9.0));
  }
}

TEST_CASE("pair_derivatives: values and derivatives of many pairs are those of a plain loop") {
  using real = long double;
  const rankloss::rao_kupper loss{.threshold = 0.4};
  for (const std::size_t pairs : {40000u, 70001u}) {
    const drawn_pairs data(pairs, 9000, 3000);
    reals rewards(data.items);
    std::mt19937_64 random(5);
    for (double& r : rewards) r = std::normal_distribution<double>()(random);
    real value = 0, by_ties = 0, weight = 0;
    std::vector<real> gradient(data.items), hessian(data.items);
    for (std::size_t k = 0; k < pairs; ++k) {
      const auto p = static_cast<std::size_t>(data.preferred[k]), o = static_cast<std::size_t>(data.other[k]);
      const auto term = data.ties[k] != 0 ? loss.tie(rewards[p], rewards[o], data.margins[k])
                                          : loss(rewards[p], rewards[o], data.margins[k]);
      const real w = data.weights[k];
      weight += w;
      value += w * term.value;
      by_ties += w * term.slope_of_ties;
      gradient[p] += w * term.slope_preferred;
      gradient[o] += w * term.slope_other;
      hessian[p] += w * term.curvature_preferred;
      hessian[o] += w * term.curvature_other;
    }
    for (const std::size_t workers : {1u, 3u}) {
      INFO(pairs << " pairs, " << workers << " workers");
      rankloss::context ctx{rankloss::threads(workers)};
      reals g(data.items), h(data.items);
      double ties = 0.0;
      const double found = evaluate(loss,
                                    rankloss::preference_batch<double>{.rewards = rewards,
                                                                       .preferred = data.preferred,
                                                                       .other = data.other,
                                                                       .pair_weights = data.weights,
                                                                       .margins = data.margins,
                                                                       .ties = data.ties},
                                    {.gradient = g, .hessian = h}, ties, ctx);
      CHECK(found == Approx(static_cast<double>(value / weight)).epsilon(1e-13));
      CHECK(ties == Approx(static_cast<double>(by_ties / weight)).epsilon(1e-13));
      real off = 0, largest = 0, off_h = 0, largest_h = 0;
      for (std::size_t i = 0; i < data.items; ++i) {
        off = std::max(off, std::abs(g[i] - gradient[i] / weight));
        largest = std::max(largest, std::abs(gradient[i] / weight));
        off_h = std::max(off_h, std::abs(h[i] - hessian[i] / weight));
        largest_h = std::max(largest_h, std::abs(hessian[i] / weight));
      }
      CHECK(static_cast<double>(off / largest) <= 1e-13);
      CHECK(static_cast<double>(off_h / largest_h) <= 1e-13);
    }
  }
}

/// Fails at pairs whose margin is 5.
struct failing_loss : rankloss::bradley_terry {
  rankloss::preference_term operator()(double preferred, double other, double margin) const {
    if (margin == 5.0) throw std::runtime_error("no such pair");
    return rankloss::bradley_terry::operator()(preferred, other, margin);
  }
};

TEST_CASE(
    "pair_derivatives: a loss that throws at one of many pairs leaves outputs and context as they were") {
  drawn_pairs data(70001, 3000, 3000);
  const reals rewards(data.items, 1.0);
  for (const std::size_t workers : {1u, 3u}) {
    rankloss::context ctx{rankloss::threads(workers)};
    const auto run = [&](reals& gradient) {
      return evaluate(
          failing_loss{},
          rankloss::preference_batch<double>{
              .rewards = rewards, .preferred = data.preferred, .other = data.other, .margins = data.margins},
          {.gradient = gradient}, ctx);
    };
    reals expected(data.items), found(data.items);
    const double value = run(expected);
    for (const std::size_t k : {0u, 20000u, 70000u}) {
      const double margin = std::exchange(data.margins[k], 5.0);
      reals kept(data.items, 7.0);
      CHECK_THROWS_WITH(run(kept), "no such pair");
      CHECK(kept == reals(data.items, 7.0));
      data.margins[k] = margin;
      CHECK(run(found) == value);
      CHECK(found == expected);
    }
    const std::size_t held = ctx.scratch_capacity();
    run(found);
    CHECK(ctx.scratch_capacity() == held);
  }
}

}  // namespace detail_data_pair_derivatives_test
