// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lr2ppo.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lr2ppo_test {

namespace {

using rankloss::evaluate;
using rankloss::label_policy_batch;
using rankloss::lr2ppo;
using rankloss::lr2ppo_form;
using rankloss::shape_rewards;
using numbers = std::vector<double>;
using real = long double;

constexpr lr2ppo published(double margin, double kl = 0.001, double entropy = 0.001) {
  return {
      .form = lr2ppo_form::published, .margin = margin, .kl_coefficient = kl, .entropy_coefficient = entropy};
}

/// States of several lengths, their orders and rewards.
template <class T>
struct states {
  std::vector<T> scores, old_scores;
  std::vector<int> orders, offsets{0};
  numbers rewards, old_values;

  void add(std::mt19937_64& random, std::size_t n, double reward, double old_value) {
    const auto now = support::numbers<T>(random, n), old = support::numbers<T>(random, n);
    scores.insert(scores.end(), now.begin(), now.end());
    old_scores.insert(old_scores.end(), old.begin(), old.end());
    std::vector<int> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<int>(i);
    for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    orders.insert(orders.end(), order.begin(), order.end());
    offsets.push_back(static_cast<int>(scores.size()));
    rewards.push_back(reward);
    old_values.push_back(old_value);
  }
  [[nodiscard]] label_policy_batch<T> batch() const {
    return {.scores = scores,
            .old_scores = old_scores,
            .orders = orders,
            .offsets = offsets,
            .rewards = rewards,
            .old_values = old_values};
  }
};

template <class T>
states<T> some_states(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  states<T> s;
  s.add(random, 2, 1.5, 0.5);
  s.add(random, 2, -1.0, 0.25);
  s.add(random, 0, 3.0, 1.0);
  s.add(random, 5, 0.3, 0.32);  // between the two thresholds
  s.add(random, 1, 2.0, 0.0);
  s.add(random, 4, -0.7, 0.9);
  return s;
}

/// The loss as its formula stands; the parts of the lists in `parts`. Where `frozen` is given, the corrected
/// form's advantages are those of it.
real plain(const lr2ppo& loss, const states<double>& s, const numbers& scores,
           std::vector<real>* parts = nullptr, const numbers* frozen = nullptr) {
  const bool is_published = loss.form == lr2ppo_form::published;
  const std::size_t lists = s.rewards.size();
  std::vector<real> advantage(lists), entropy(lists), sums(lists), counts(lists);
  const auto softmax = [](const numbers& all, std::size_t first, std::size_t end) {
    std::vector<real> p;
    real sum = 0;
    for (std::size_t i = first; i < end; ++i) sum += p.emplace_back(std::exp(static_cast<real>(all[i])));
    for (real& x : p) x /= sum;
    return p;
  };
  for (std::size_t q = 0; q < lists; ++q) {
    const auto first = static_cast<std::size_t>(s.offsets[q]),
               end = static_cast<std::size_t>(s.offsets[q + 1]);
    const auto p = softmax(scores, first, end), old = softmax(s.old_scores, first, end);
    const auto acting = softmax(frozen != nullptr ? *frozen : scores, first, end);
    real kl = 0;
    for (std::size_t j = 0; j < p.size(); ++j) {
      entropy[q] -= p[j] * std::log(p[j]);
      kl += old[j] * std::log(old[j] / acting[j]);
    }
    advantage[q] = static_cast<real>(s.rewards[q]) - static_cast<real>(loss.kl_coefficient) * kl -
                   static_cast<real>(s.old_values[q]);
    std::vector<std::size_t> order;
    for (std::size_t k = first; k < end; ++k) order.push_back(first + static_cast<std::size_t>(s.orders[k]));
    if (advantage[q] < (is_published ? -0.1L : 0.0L)) std::reverse(order.begin(), order.end());
    for (std::size_t a = 0; a < order.size(); ++a)
      for (std::size_t b = a + 1; b < order.size(); ++b) {
        const real h = static_cast<real>(loss.margin) - static_cast<real>(scores[order[a]]) +
                       static_cast<real>(scores[order[b]]);
        if (h > 0) {
          sums[q] += h;
          counts[q] += 1;
        }
      }
  }
  real all = 0, count = 0;
  for (std::size_t q = 0; q < lists; ++q) {
    all += sums[q];
    count += counts[q];
  }
  real mean = 0;
  for (std::size_t q = 0; q < lists; ++q) {
    const real rank_loss = is_published    ? (count > 0 ? all / count : 0)
                           : counts[q] > 0 ? sums[q] / counts[q]
                                           : 0;
    real size = std::abs(advantage[q]);
    if (!is_published && size < static_cast<real>(loss.threshold)) size = 0;
    const real part = rank_loss * size - static_cast<real>(loss.entropy_coefficient) * entropy[q];
    if (parts != nullptr) parts->push_back(part);
    mean += part / static_cast<real>(lists);
  }
  return mean;
}

}  // namespace

TEMPLATE_TEST_CASE("lr2ppo: the published code's ranking loss and its slopes", "", float, double) {
  using T = TestType;
  const std::vector<T> scores{T(0.3), T(-0.1), T(0.2), T(0.25), T(-0.4), T(0.4)};
  const std::vector<int> orders{0, 1, 1, 0, 0, 1}, offsets{0, 2, 4, 6};
  const numbers rewards(3, 1.0);
  const label_policy_batch<T> batch{
      .scores = scores, .old_scores = scores, .orders = orders, .offsets = offsets, .rewards = rewards};
  std::vector<T> g(6);
  CHECK(evaluate(published(0.01, 0, 0), batch, {.gradient = g}) == Approx(0.81).epsilon(1e-7));
  const std::vector<T> far{0, 0, 0, 0, -1, 1};
  CHECK(g == far);
  CHECK(evaluate(published(1, 0, 0), batch, {.gradient = g}) == Approx(1.1166666746139526).epsilon(1e-7));
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(static_cast<double>(g[i]) == Approx((i == 0 || i == 3 || i == 4 ? -1.0 : 1.0) / 3).epsilon(1e-6));
}

TEST_CASE("lr2ppo: a state worked by hand, in both forms") {
  // Two labels, scores 1 and 0, acted 1 before 0; the reward is 2 below what was expected: the order is to be
  // reversed, 0 before 1.
  const numbers scores{1, 0}, rewards{-2};
  const std::vector<int> order{1, 0};
  const label_policy_batch<double> batch{
      .scores = scores, .old_scores = scores, .orders = order, .rewards = rewards};
  numbers g(2), per_list(1);
  const double p = 1 / (1 + std::exp(-1.0)), h = -p * std::log(p) - (1 - p) * std::log(1 - p);
  for (const lr2ppo_form form : {lr2ppo_form::corrected, lr2ppo_form::published}) {
    const lr2ppo loss{.form = form, .margin = 3, .kl_coefficient = 0.5, .entropy_coefficient = 0.1};
    CHECK(evaluate(loss, batch, {.gradient = g, .per_list = per_list}) ==
          Approx((3 - 1) * 2 - 0.1 * h).epsilon(1e-15));
    CHECK(per_list[0] == Approx(4 - 0.1 * h).epsilon(1e-15));
    CHECK(g[0] == Approx(-2 + 0.1 * p * (std::log(p) + h)).epsilon(1e-14));
    CHECK(g[1] == Approx(-g[0]).epsilon(1e-14));
  }
}

TEST_CASE("lr2ppo: value and gradient are the formula's, in both forms") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    for (const lr2ppo loss : {published(0.01), published(1, 0.7, 0.3), lr2ppo{},
                              lr2ppo{.margin = 1, .kl_coefficient = 0.7, .entropy_coefficient = 0.3},
                              lr2ppo{.margin = 0.5, .kl_coefficient = 0, .threshold = 0.8}}) {
      const states<double> s = some_states<double>(seed);
      numbers g(s.scores.size()), per_list(s.rewards.size()), old_g;
      std::vector<real> parts;
      const real expected = plain(loss, s, s.scores, &parts);
      CHECK(evaluate(loss, s.batch(), {.gradient = g, .per_list = per_list}) ==
            Approx(static_cast<double>(expected)).epsilon(1e-13));
      for (std::size_t q = 0; q < parts.size(); ++q)
        CHECK(per_list[q] == Approx(static_cast<double>(parts[q])).epsilon(1e-13).margin(1e-15));
      // The corrected form's advantages are constants to its gradient, the published one's are not.
      const numbers* frozen = loss.form == lr2ppo_form::corrected ? &s.scores : nullptr;
      for (std::size_t i = 0; i < g.size(); ++i) {
        numbers moved = s.scores;
        const double step = 1e-6;
        moved[i] += step;
        const real above = plain(loss, s, moved, nullptr, frozen);
        moved[i] -= 2 * step;
        const real below = plain(loss, s, moved, nullptr, frozen);
        CHECK(g[i] == Approx(static_cast<double>((above - below) / (2 * step))).margin(1e-8));
      }
    }
}

TEST_CASE("lr2ppo: how the two forms differ") {
  std::mt19937_64 random(7);
  states<double> s;
  s.add(random, 3, 1.0, 0.0);
  s.add(random, 3, 5.0, 0.0);
  // Another list's reward changes a list's hinges in the published form only.
  const auto first_list = [&](const lr2ppo& loss) {
    numbers g(6);
    evaluate(loss, s.batch(), {.gradient = g});
    return numbers(g.begin(), g.begin() + 3);
  };
  const lr2ppo corrected{.margin = 3};
  const numbers before = first_list(corrected), published_before = first_list(published(3));
  s.rewards[1] = 50.0;
  CHECK(first_list(corrected) == before);
  CHECK(first_list(published(3)) != published_before);
  // An advantage of -0.05 turns the order in the corrected form, and its threshold leaves it out.
  s.rewards = {-0.05, -0.05};
  const lr2ppo plain_hinge{.margin = 3, .kl_coefficient = 0, .entropy_coefficient = 0};
  const numbers turned = first_list(plain_hinge), kept = first_list(published(3, 0, 0));
  const auto best = static_cast<std::size_t>(s.orders[0]);
  CHECK(turned[best] > 0.0);
  CHECK(kept[best] < 0.0);
  CHECK(first_list({.margin = 3, .kl_coefficient = 0, .entropy_coefficient = 0, .threshold = 0.06}) ==
        numbers(3, 0.0));
}

TEST_CASE("lr2ppo: shaped rewards are rewards less the divergence") {
  const states<double> s = some_states<double>(3);
  numbers shaped(s.rewards.size());
  rankloss::context ctx;
  shape_rewards(lr2ppo{.kl_coefficient = 0.5}, s.batch(), shaped, ctx);
  for (std::size_t q = 0; q < shaped.size(); ++q) {
    const auto first = static_cast<std::size_t>(s.offsets[q]),
               end = static_cast<std::size_t>(s.offsets[q + 1]);
    real now = 0, old = 0, kl = 0;
    for (std::size_t i = first; i < end; ++i) {
      now += std::exp(static_cast<real>(s.scores[i]));
      old += std::exp(static_cast<real>(s.old_scores[i]));
    }
    for (std::size_t i = first; i < end; ++i) {
      const real x = static_cast<real>(s.scores[i]), y = static_cast<real>(s.old_scores[i]);
      kl += std::exp(y) / old * (y - std::log(old) - x + std::log(now));
    }
    CHECK(shaped[q] ==
          Approx(static_cast<double>(static_cast<real>(s.rewards[q]) - 0.5L * kl)).epsilon(1e-13));
  }
  CHECK(shaped[2] == 3.0);
}

TEMPLATE_TEST_CASE("lr2ppo: nothing overflows to a NaN, and sums stay with their lists", "", float, double) {
  using T = TestType;
  constexpr T huge = std::numeric_limits<T>::max(), infinite = std::numeric_limits<T>::infinity();
  const std::vector<T> scores{huge, -huge, infinite, -infinite, T(0), huge},
      old{-huge, huge, -infinite, infinite, huge, T(0)};
  const std::vector<int> orders{0, 1, 0, 1, 0, 1}, offsets{0, 2, 4, 6};
  const numbers rewards{1e308, -1e308, 0.0}, values{-1e308, 1e308, 1.0};
  const label_policy_batch<T> batch{.scores = scores,
                                    .old_scores = old,
                                    .orders = orders,
                                    .offsets = offsets,
                                    .rewards = rewards,
                                    .old_values = values};
  // Orders of two that both softmaxes agree on, where what the divergence is multiplied by is beyond the
  // largest double.
  {
    const std::vector<T> same{T(1), T(2)};
    const std::vector<int> order{1, 0}, one{0, 2};
    const numbers reward{1e308}, value{-1e308};
    std::vector<T> g(2, T(7));
    const label_policy_batch<T> alike{.scores = same,
                                      .old_scores = same,
                                      .orders = order,
                                      .offsets = one,
                                      .rewards = reward,
                                      .old_values = value};
    CHECK(std::isfinite(evaluate(published(1e290, 1e308, 1e308), alike, {.gradient = g})));
    for (const T x : g) CHECK(std::isfinite(x));
  }
  for (const lr2ppo loss : {published(1e300, 1e300, 1e300), published(-1e308), lr2ppo{.margin = 1e308},
                            lr2ppo{.kl_coefficient = 1e308}}) {
    std::vector<T> g(6, T(7));
    numbers per_list(3), shaped(3);
    CHECK(std::isfinite(evaluate(loss, batch, {.gradient = g, .per_list = per_list, .scale = 1e300})));
    for (const T x : g) CHECK(std::isfinite(x));
    for (const double x : per_list) CHECK(std::isfinite(x));
    rankloss::context ctx;
    shape_rewards(loss, batch, shaped, ctx);
    for (const double x : shaped) CHECK(std::isfinite(x));
  }
  for (const lr2ppo loss : {published(1), lr2ppo{.margin = 1, .kl_coefficient = 0.3}}) {
    const auto s = some_states<T>(11);
    std::vector<T> g(s.scores.size()), twice(s.scores.size(), T(1));
    const double value = evaluate(loss, s.batch(), {.gradient = g});
    for (std::size_t q = 0; q + 1 < s.offsets.size(); ++q) {
      double sum = 0;
      for (int i = s.offsets[q]; i < s.offsets[q + 1]; ++i)
        sum += static_cast<double>(g[static_cast<std::size_t>(i)]);
      CHECK(sum == Approx(0).margin(1e-6));
    }
    // Added to, and scaled; the value is not.
    CHECK(evaluate(loss, s.batch(), {.gradient = twice, .scale = 2, .update = rankloss::update::add}) ==
          value);
    for (std::size_t i = 0; i < g.size(); ++i)
      CHECK(static_cast<double>(twice[i]) == Approx(1 + 2 * static_cast<double>(g[i])).epsilon(1e-6));
  }
}

TEST_CASE("lr2ppo: bad input is named and nothing is written") {
  const numbers scores{1, 2, 3, 4}, rewards{1, 2};
  const std::vector<int> orders{0, 1, 1, 0}, offsets{0, 2, 4};
  const label_policy_batch<double> good{
      .scores = scores, .old_scores = scores, .orders = orders, .offsets = offsets, .rewards = rewards};
  const auto said = [&](label_policy_batch<double> batch, const lr2ppo& loss = {}) -> std::string {
    numbers g(4, 7.0);
    std::string message;
    try {
      evaluate(loss, batch, {.gradient = g});
    } catch (const std::invalid_argument& error) {
      message = error.what();
    }
    CHECK(g == numbers(4, message.empty() ? g[0] : 7.0));
    return message;
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  {
    numbers g(4);
    CHECK(std::isfinite(evaluate(lr2ppo{}, good, {.gradient = g})));
  }
  auto bad = good;
  const numbers three{1, 2, 3};
  bad.old_scores = three;
  CHECK(said(bad) == "rankloss: old_scores: size 3, expected 4 (one per score)");
  bad = good;
  bad.rewards = three;
  CHECK(said(bad) == "rankloss: rewards: size 3, expected 2 (one per list)");
  bad = good;
  const std::vector<int> twice{0, 0, 1, 0};
  bad.orders = twice;
  CHECK(said(bad) == "rankloss: orders: 0 at list 0, position 1, expected each item once");
  bad = good;
  const numbers with_nan{1, nan, 3, 4};
  bad.old_scores = with_nan;
  CHECK(said(bad) == "rankloss: old_scores: nan at item 1, expected a number");
  bad = good;
  const numbers infinite{1, std::numeric_limits<double>::infinity()};
  bad.rewards = infinite;
  CHECK(said(bad) == "rankloss: rewards: inf at list 1, expected a finite number");
  CHECK(said(good, {.kl_coefficient = -1}) == "rankloss: kl_coefficient: -1, expected a finite number >= 0");
  CHECK(said(good, {.form = lr2ppo_form::published, .threshold = 1}) ==
        "rankloss: threshold: 1, expected 0 with lr2ppo_form::published");
  CHECK(said(good, {.margin = nan}) == "rankloss: margin: nan, expected a finite number");
}

}  // namespace lr2ppo_test
