// SPDX-License-Identifier: BSL-1.0
#include <rankloss/preference_batch.hpp>

#include <rankloss/bradley_terry.hpp>
#include <rankloss/davidson.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/rao_kupper.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace preference_batch_test {

namespace {

using rankloss::evaluate;
using rankloss::margin_ranking;
using rankloss::preference_batch;
using rankloss::reduction;

using reals = std::vector<double>;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// r_preferred^2 + 3 r_other + margin: every field of a term is its own.
struct probe {
  static constexpr bool has_hessian = true;
  rankloss::preference_term operator()(double preferred, double other, double margin) const {
    return {preferred * preferred + 3.0 * other + margin, 2.0 * preferred, 3.0, 2.0, 0.5};
  }
};

/// The same, and ties: r_preferred + r_other; slopes by the tie parameter are 100 and 1.
struct tie_probe {
  bool possible = true;

  static constexpr bool has_hessian = true;
  rankloss::preference_term operator()(double preferred, double other, double margin) const {
    rankloss::preference_term term = probe{}(preferred, other, margin);
    term.slope_of_ties = 100.0;
    return term;
  }
  rankloss::preference_term tie(double preferred, double other, double margin) const {
    return {preferred + other + margin, 1.0, 1.0, 0.0, 0.0, 1.0};
  }
  void validate_tie(std::size_t pair) const {
    rankloss::detail::require(possible, "possible: false, for the tie at pair ", pair);
  }
};

const reals rewards{1, 2, 3, 10};
const std::vector<int> better{0, 1, 0}, worse{1, 2, 2};

TEST_CASE("preference_batch: values, weights, margins and reductions") {
  preference_batch<double> batch{.rewards = rewards, .preferred = better, .other = worse};
  reals g(4, 9.0), h(4, 9.0), pairs(3);
  // Pairs: 1 + 6, 4 + 9, 1 + 9.
  CHECK(evaluate(probe{}, batch, {.gradient = g, .per_list = pairs, .hessian = h}) == 10.0);
  CHECK(pairs == reals{7, 13, 10});
  CHECK(g[0] == Approx(4.0 / 3.0).epsilon(1e-15));
  CHECK(g[1] == Approx(7.0 / 3.0).epsilon(1e-15));
  CHECK(g[2] == Approx(6.0 / 3.0).epsilon(1e-15));
  CHECK(g[3] == 0.0);
  CHECK(h[0] == Approx(4.0 / 3.0).epsilon(1e-15));
  CHECK(h[1] == Approx(2.5 / 3.0).epsilon(1e-15));
  CHECK(h[2] == Approx(1.0 / 3.0).epsilon(1e-15));

  const reals weights{2, 0, 6}, margins{0.5, 100, -1};
  batch.pair_weights = weights;
  batch.margins = margins;
  CHECK(evaluate(probe{}, batch) == Approx((2 * 7.5 + 6 * 9.0) / 8.0).epsilon(1e-15));
  batch.reduction = reduction::sum;
  std::vector<float> added(4, 1.0f);
  CHECK(evaluate(probe{}, batch, {.gradient = added, .scale = -0.5, .update = rankloss::update::add}) ==
        Approx(2 * 7.5 + 6 * 9.0).epsilon(1e-15));
  CHECK(added == std::vector<float>{1.0f - 8.0f, 1.0f - 3.0f, 1.0f - 9.0f, 1.0f});
}

TEST_CASE("preference_batch: weights of any size have the shares of the plain mean") {
  for (const double w :
       {1e308, std::numeric_limits<double>::max(), std::numeric_limits<double>::min(), 1e-320, 5e-324}) {
    INFO("weights of " << w);
    const reals weights(3, w);
    reals g(4, 9.0);
    const preference_batch<double> batch{
        .rewards = rewards, .preferred = better, .other = worse, .pair_weights = weights};
    CHECK(evaluate(probe{}, batch, {.gradient = g}) == Approx(10.0).epsilon(1e-15));
    CHECK(g[0] == Approx(4.0 / 3.0).epsilon(1e-15));
    CHECK(g[2] == Approx(6.0 / 3.0).epsilon(1e-15));
    const preference_batch<double> relevant{.rewards = rewards,
                                            .preferred = better,
                                            .other = worse,
                                            .pair_weights = weights,
                                            .reduction = reduction::mean_of_relevant};
    CHECK(evaluate(probe{}, relevant, {.gradient = g}) == Approx(10.0).epsilon(1e-15));
    CHECK(g[1] == Approx(7.0 / 3.0).epsilon(1e-15));
  }
}

TEST_CASE("preference_batch: ties, and the slope by their parameter") {
  // Pairs: 1 + 6, a tie of 2 and 3, 1 + 9.
  const std::vector<std::uint8_t> ties{0, 255, 0};
  const reals weights{2, 3, 5}, margins{0, 0.5, 0};
  preference_batch<double> batch{.rewards = rewards, .preferred = better, .other = worse, .ties = ties};
  rankloss::context ctx;
  reals g(4, 9.0), h(4, 9.0), pairs(3);
  double by_ties = 9.0;
  CHECK(evaluate(tie_probe{}, batch, {.gradient = g, .per_list = pairs, .hessian = h}, by_ties, ctx) ==
        Approx(22.0 / 3.0).epsilon(1e-15));
  CHECK(pairs == reals{7, 5, 10});
  CHECK(by_ties == Approx(201.0 / 3.0).epsilon(1e-15));
  CHECK(g[1] == Approx(4.0 / 3.0).epsilon(1e-15));
  CHECK(g[2] == Approx(4.0 / 3.0).epsilon(1e-15));
  CHECK(h[1] == Approx(0.5 / 3.0).epsilon(1e-15));
  // Scaled, reduced and added as the gradient is.
  batch.pair_weights = weights;
  batch.margins = margins;
  CHECK(evaluate(tie_probe{}, batch, {.scale = -2.0}, by_ties, ctx) ==
        Approx((14 + 16.5 + 50) / 10.0).epsilon(1e-15));
  CHECK(by_ties == Approx(-2 * 703.0 / 10.0).epsilon(1e-15));
  batch.reduction = reduction::sum;
  by_ties = 9.0;
  evaluate(tie_probe{}, batch, {.update = rankloss::update::add}, by_ties, ctx);
  CHECK(by_ties == 9.0 + 703.0);
  // Flags of 0 are no ties, and any loss takes them.
  const std::vector<char> none(3, 0);
  batch.ties = none;
  const double value = evaluate(probe{}, batch);
  batch.ties = {};
  CHECK(evaluate(probe{}, batch) == value);
  CHECK(evaluate(tie_probe{}, batch) == value);
}

TEST_CASE("preference_batch: ties that do not fit are refused whatever the checks, and nothing is written") {
  const std::vector<std::uint8_t> last{0, 0, 1}, few{0, 0};
  preference_batch<double> batch{.rewards = rewards, .preferred = better, .other = worse, .ties = last};
  for (const auto checks : {rankloss::data_checks::on, rankloss::data_checks::off}) {
    rankloss::context ctx{checks};
    reals g(4, 9.0);
    double by_ties = 9.0;
    batch.ties = last;
    const std::string unknown =
        "rankloss: ties: a tie at pair 2, expected none: this loss does not know ties";
    CHECK_THROWS_WITH(evaluate(probe{}, batch, {.gradient = g}, ctx), unknown);
    CHECK_THROWS_WITH(evaluate(rankloss::bradley_terry{}, batch, {.gradient = g}, ctx), unknown);
    CHECK_THROWS_WITH(evaluate(margin_ranking{}, batch, {.gradient = g}, ctx), unknown);
    CHECK_THROWS_WITH(evaluate(tie_probe{.possible = false}, batch, {.gradient = g}, by_ties, ctx),
                      "rankloss: possible: false, for the tie at pair 2");
    batch.ties = few;
    CHECK_THROWS_WITH(evaluate(tie_probe{}, batch, {.gradient = g}, by_ties, ctx),
                      "rankloss: ties: size 2, expected 3 (one per pair)");
    CHECK(g == reals(4, 9.0));
    CHECK(by_ties == 9.0);
  }
}

TEST_CASE("preference_batch: mean_of_relevant is over the pairs of value above 0") {
  const reals r{0, 1, 5};
  const std::vector<std::int64_t> p{0, 2}, o{1, 0};
  preference_batch<double> batch{.rewards = r, .preferred = p, .other = o};
  CHECK(evaluate(margin_ranking{}, batch) == 1.0);
  batch.reduction = reduction::mean_of_relevant;
  reals g(3);
  CHECK(evaluate(margin_ranking{}, batch, {.gradient = g}) == 2.0);
  CHECK(g == reals{-1, 1, 0});
}

TEST_CASE("preference_batch: indices of any width") {
  const auto value = [](const auto& p, const auto& o) {
    return evaluate(probe{}, preference_batch<double>{.rewards = rewards, .preferred = p, .other = o});
  };
  CHECK(value(std::vector<std::uint32_t>{0, 1, 0}, std::vector<std::int64_t>{1, 2, 2}) == 10.0);
  CHECK(value(std::vector<std::size_t>{0, 1, 0}, std::vector<int>{1, 2, 2}) == 10.0);
}

TEST_CASE("preference_batch: a pointer and a size in every field, and the value alone with a context") {
  const int items = 4, pairs = 3;
  const double weights[] = {1, 2, 1}, margins[] = {0, 1, 0};
  const std::uint8_t ties[] = {0, 0, 0};
  double g[4], per_pair[3];
  rankloss::context context;
  const preference_batch<double> batch{.rewards = {rewards.data(), items},
                                       .preferred = {better.data(), pairs},
                                       .other = {worse.data(), worse.size()},
                                       .pair_weights = {weights, pairs},
                                       .margins = {margins, pairs},
                                       .ties = {ties, pairs}};
  const double value = (7.0 + 2.0 * 14.0 + 10.0) / 4.0;
  CHECK(evaluate(probe{}, batch, {.gradient = {g, items}, .per_list = {per_pair, pairs}}, context) == value);
  CHECK(per_pair[1] == 14.0);
  CHECK(g[2] == Approx(9.0 / 4.0));
  CHECK(evaluate(probe{}, batch, context) == value);
  const std::vector<std::uint64_t> beyond{0, 1, std::numeric_limits<std::uint64_t>::max()};
  CHECK_THROWS_WITH(
      evaluate(probe{}, preference_batch<double>{.rewards = rewards, .preferred = beyond, .other = worse}),
      "rankloss: preferred: 18446744073709551615 at pair 2, expected an item from 0 to below 4 (the number of rewards)");
}

TEST_CASE("preference_batch: nothing to sum is 0") {
  reals g(4, 9.0);
  const std::vector<int> none;
  for (const auto how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
    CHECK(evaluate(probe{},
                   preference_batch<double>{
                       .rewards = rewards, .preferred = none, .other = none, .reduction = how},
                   {.gradient = g}) == 0.0);
    CHECK(g == reals(4, 0.0));
    const reals zero(3, 0.0);
    g.assign(4, 9.0);
    CHECK(evaluate(probe{},
                   preference_batch<double>{.rewards = rewards,
                                            .preferred = better,
                                            .other = worse,
                                            .pair_weights = zero,
                                            .reduction = how},
                   {.gradient = g}) == 0.0);
    for (const double x : g) CHECK(x == 0.0);
  }
  CHECK(evaluate(probe{}, preference_batch<float>{}) == 0.0);
}

TEST_CASE("preference_batch: errors name the field and the place, and nothing is written") {
  const auto check = [](preference_batch<double> batch, const std::string& words) {
    reals g(4, 9.0), h(4, 9.0), pairs(3, 9.0);
    rankloss::context ctx;
    CHECK_THROWS_WITH(evaluate(probe{}, batch, {.gradient = g, .per_list = pairs, .hessian = h}, ctx),
                      "rankloss: " + words);
    CHECK(g == reals(4, 9.0));
    CHECK(h == reals(4, 9.0));
    CHECK(pairs == reals(3, 9.0));
  };
  const preference_batch<double> good{.rewards = rewards, .preferred = better, .other = worse};
  const std::vector<int> two{0, 1}, low{0, -1, 0}, high{1, 2, 4}, same{1, 1, 2};
  const reals one_nan{1, nan, 3, 4}, few{1, 2}, negative{1, 1, -1}, unlimited{0, 0, infinity};
  auto batch = good;
  batch.other = two;
  check(batch, "other: size 2, expected 3 (one per preferred)");
  batch = good;
  batch.preferred = low;
  check(batch, "preferred: -1 at pair 1, expected an item from 0 to below 4 (the number of rewards)");
  batch = good;
  batch.other = high;
  check(batch, "other: 4 at pair 2, expected an item from 0 to below 4 (the number of rewards)");
  batch.other = same;
  check(batch, "other: 1 at pair 1, expected an item other than the preferred one");
  batch = good;
  batch.rewards = one_nan;
  check(batch, "rewards: nan at item 1, expected a number");
  batch = good;
  batch.margins = few;
  check(batch, "margins: size 2, expected 3 (one per pair)");
  batch.margins = unlimited;
  check(batch, "margins: inf at pair 2, expected a finite number");
  batch = good;
  batch.pair_weights = few;
  check(batch, "pair_weights: size 2, expected 3 (one per pair)");
  batch.pair_weights = negative;
  check(batch, "pair_weights: -1 at pair 2, expected a finite number >= 0");
  reals g(3), pairs(2);
  CHECK_THROWS_WITH(evaluate(probe{}, good, {.gradient = g}),
                    "rankloss: gradient: size 3, expected 4 (one per reward)");
  CHECK_THROWS_WITH(evaluate(probe{}, good, {.per_list = pairs}),
                    "rankloss: per_list: size 2, expected 3 (one per pair)");
  CHECK_THROWS_WITH(evaluate(probe{}, good, {.scale = nan}),
                    "rankloss: scale: nan, expected a finite number");
  reals h(4);
  CHECK_THROWS_WITH(evaluate(margin_ranking{}, good, {.hessian = h}),
                    "rankloss: hessian: this loss has none, expected an empty output");
  // The range of indices is checked even where data are not.
  batch = good;
  batch.other = high;
  rankloss::context unchecked{rankloss::data_checks::off};
  CHECK_THROWS(evaluate(probe{}, batch, {}, unchecked));
}

TEST_CASE("preference_batch: items out of range are not read, wherever they are and whoever computes the pairs") {
  // As many pairs as several workers share.
  constexpr std::size_t pairs = 100000;
  std::vector<std::int32_t> p(pairs, 0), o(pairs, 1);
  for (const std::size_t at : {std::size_t{0}, std::size_t{50001}, pairs - 1})
    for (const std::size_t workers : {1u, 3u})
      for (const auto how : {reduction::mean, reduction::mean_of_relevant}) {
        INFO("pair " << at << ", workers " << workers);
        rankloss::context ctx{rankloss::threads(workers)};
        reals g(4, 9.0), h(4, 9.0), values(pairs, 9.0);
        const auto refuses = [&](const std::string& words) {
          CHECK_THROWS_WITH(
              evaluate(rankloss::bradley_terry{},
                       preference_batch<double>{
                           .rewards = rewards, .preferred = p, .other = o, .reduction = how},
                       {.gradient = g, .per_list = values, .hessian = h}, ctx),
              "rankloss: " + words);
          CHECK(g == reals(4, 9.0));
          CHECK(h == reals(4, 9.0));
          CHECK(values == reals(pairs, 9.0));
        };
        const std::string place = " at pair " + std::to_string(at) + ", expected an item ";
        p[at] = 1 << 30;
        refuses("preferred: 1073741824" + place + "from 0 to below 4 (the number of rewards)");
        p[at] = 0;
        o[at] = -1;
        refuses("other: -1" + place + "from 0 to below 4 (the number of rewards)");
        o[at] = 0;
        refuses("other: 0" + place + "other than the preferred one");
        o[at] = 1;
      }
}

/// A loss that fails at pairs whose margin is 5.
struct failing_probe : probe {
  rankloss::preference_term operator()(double preferred, double other, double margin) const {
    if (margin == 5.0) throw std::runtime_error("no such pair");
    return probe::operator()(preferred, other, margin);
  }
};

TEST_CASE("preference_batch: a loss that throws at a pair leaves all outputs as they were") {
  const reals margins{0, 1, 5};
  preference_batch<double> batch{.rewards = rewards, .preferred = better, .other = worse, .margins = margins};
  for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
    batch.reduction = how;
    reals gradient(4, 7.0), hessian(4, 7.0), per_list(3, 7.0);
    CHECK_THROWS_AS(
        evaluate(failing_probe{}, batch, {.gradient = gradient, .per_list = per_list, .hessian = hessian}),
        std::runtime_error);
    CHECK(gradient == reals(4, 7.0));
    CHECK(hessian == reals(4, 7.0));
    CHECK(per_list == reals(3, 7.0));
  }
}

/// Losses without a form in lanes, with ties and without: the loss itself, pair by pair.
template <class Loss>
struct pair_by_pair {
  static constexpr bool has_hessian = true;
  Loss loss;
  rankloss::preference_term operator()(double preferred, double other, double margin) const {
    return loss(preferred, other, margin);
  }
  rankloss::preference_term tie(double preferred, double other, double margin) const {
    return loss.tie(preferred, other, margin);
  }
  void validate_tie(std::size_t) const {}
};

template <class Loss>
struct one_by_one {
  static constexpr bool has_hessian = true;
  Loss loss;
  rankloss::preference_term operator()(double preferred, double other, double margin) const {
    return loss(preferred, other, margin);
  }
};

/// Pairs of every distance of rewards, several chunks of them and a part of one.
struct many_pairs {
  explicit many_pairs(double size) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 300; ++i) rewards.push_back(size * std::normal_distribution<double>()(random));
    for (std::size_t k = 0; k < 1003; ++k) {
      preferred.push_back(static_cast<std::int32_t>(random() % 300));
      other.push_back(
          static_cast<std::int32_t>((static_cast<std::size_t>(preferred.back()) + 1 + random() % 299) % 300));
      margins.push_back(std::normal_distribution<double>()(random));
      ties.push_back(random() % 3 == 0 ? 1 : 0);
      weights.push_back(static_cast<double>(random() % 4));
    }
  }
  reals rewards, margins, weights;
  std::vector<std::int32_t> preferred, other;
  std::vector<std::uint8_t> ties;
};

template <class Loss>
void is_what_the_loss_says(const Loss& loss) {
  for (const double size : {0.0, 1e-8, 1.0, 30.0, 1e3, 1e200})
    for (const bool weighted : {false, true}) {
      INFO("size " << size << (weighted ? ", weighted" : ""));
      const many_pairs data(size);
      preference_batch<double> batch{
          .rewards = data.rewards, .preferred = data.preferred, .other = data.other, .margins = data.margins};
      if (weighted) batch.pair_weights = data.weights;
      reals g(300), h(300), expected_g(300), expected_h(300), pairs(1003), expected_pairs(1003);
      rankloss::outputs out{.gradient = g, .per_list = pairs};
      rankloss::outputs plain{.gradient = expected_g, .per_list = expected_pairs};
      if constexpr (requires { loss.has_hessian; }) {
        out.hessian = h;
        plain.hessian = expected_h;
      }
      rankloss::context ctx;
      double value, expected, by_ties = 0.0, expected_by_ties = 0.0;
      if constexpr (rankloss::tie_loss<Loss>) {
        batch.ties = data.ties;
        value = evaluate(loss, batch, out, by_ties, ctx);
        expected = evaluate(pair_by_pair<Loss>{loss}, batch, plain, expected_by_ties, ctx);
      } else {
        value = evaluate(loss, batch, out, ctx);
        expected = evaluate(one_by_one<Loss>{loss}, batch, plain, ctx);
      }
      CHECK(value == Approx(expected).epsilon(1e-14).margin(0));
      CHECK(by_ties == Approx(expected_by_ties).epsilon(1e-13).margin(1e-15));
      // Far differences lose as many digits as they have; a term below 1e-300 may be 0.
      for (std::size_t k = 0; k < 1003; ++k)
        CHECK(pairs[k] == Approx(expected_pairs[k]).epsilon(1e-12).margin(1e-300));
      double most_g = 0.0, most_h = 0.0;
      for (std::size_t i = 0; i < 300; ++i) {
        most_g = std::max(most_g, std::abs(expected_g[i]));
        most_h = std::max(most_h, std::abs(expected_h[i]));
      }
      for (std::size_t i = 0; i < 300; ++i) {
        CHECK(std::abs(g[i] - expected_g[i]) <= 1e-14 * most_g);
        CHECK(std::abs(h[i] - expected_h[i]) <= 1e-13 * most_h);
      }
    }
}

TEST_CASE("preference_batch: what is computed in lanes is what the loss says of each pair") {
  is_what_the_loss_says(rankloss::bradley_terry{.temperature = 0.7, .smoothing = 0.1, .centring = 0.01});
  is_what_the_loss_says(margin_ranking{.margin = 0.3});
  is_what_the_loss_says(rankloss::rao_kupper{.temperature = 0.7, .threshold = 0.4});
  is_what_the_loss_says(rankloss::davidson{.temperature = 0.7, .log_prevalence = 0.5});
}

TEST_CASE(
    "preference_batch: pairs of weight 0 do not change a bit, nor do weights of 1, however many pairs") {
  const many_pairs data(1.0);
  std::mt19937_64 random(8);
  std::vector<std::int32_t> preferred, other;
  std::vector<std::uint8_t> ties;
  reals weights, margins;
  for (std::size_t k = 0; k < 1003; ++k) {
    for (; random() % 3 == 0; weights.push_back(0.0)) {
      preferred.push_back(static_cast<std::int32_t>(random() % 150));
      other.push_back(static_cast<std::int32_t>(150 + random() % 150));
      ties.push_back(static_cast<std::uint8_t>(random() % 2));
      margins.push_back(1e3);
    }
    preferred.push_back(data.preferred[k]);
    other.push_back(data.other[k]);
    ties.push_back(data.ties[k]);
    margins.push_back(data.margins[k]);
    weights.push_back(1.0);
  }
  const reals ones(1003, 1.0);
  preference_batch<double> plain{.rewards = data.rewards,
                                 .preferred = data.preferred,
                                 .other = data.other,
                                 .margins = data.margins,
                                 .ties = data.ties};
  preference_batch<double> padded{.rewards = data.rewards,
                                  .preferred = preferred,
                                  .other = other,
                                  .pair_weights = weights,
                                  .margins = margins,
                                  .ties = ties};
  reals g(300), of_ones(300), of_padded(300), per_pair(1003);
  const rankloss::davidson loss{};
  const double value = evaluate(loss, plain, {.gradient = g});
  CHECK(evaluate(loss, plain, {.per_list = per_pair}) == value);
  plain.pair_weights = ones;
  CHECK(evaluate(loss, plain, {.gradient = of_ones}) == value);
  CHECK(evaluate(loss, padded, {.gradient = of_padded}) == value);
  CHECK(of_ones == g);
  CHECK(of_padded == g);
}

TEST_CASE("preference_batch: the same bits for any number of threads, and no allocation once warm") {
  std::mt19937_64 random(1);
  const auto r = support::numbers<float>(random, 500);
  std::vector<int> p, o;
  for (std::size_t k = 0; k < 4000; ++k) {
    p.push_back(static_cast<int>(random() % 500));
    o.push_back(static_cast<int>((static_cast<std::size_t>(p.back()) + 1 + random() % 499) % 500));
  }
  const preference_batch<float> batch{.rewards = r, .preferred = p, .other = o};
  std::vector<float> one(500), many(500);
  rankloss::context threads{rankloss::threads(3)};
  const double value = evaluate(rankloss::bradley_terry{}, batch, {.gradient = one});
  CHECK(evaluate(rankloss::bradley_terry{}, batch, {.gradient = many}, threads) == value);
  CHECK(one == many);
  const std::size_t held = threads.scratch_capacity();
  evaluate(rankloss::bradley_terry{}, batch, {.gradient = many}, threads);
  CHECK(threads.scratch_capacity() == held);
}

}  // namespace

}  // namespace preference_batch_test
