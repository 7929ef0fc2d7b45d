// SPDX-License-Identifier: BSL-1.0

// What every loss of pairs, of policy steps and of orders promises. A new one joins by a line in `pair_losses`, `step_losses` or `order_losses`.

#include <rankloss/bradley_terry.hpp>
#include <rankloss/davidson.hpp>
#include <rankloss/lr2ppo.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/plackett_luce.hpp>
#include <rankloss/ppo.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/rao_kupper.hpp>
#include <rankloss/threads.hpp>

#include "support/allocations.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace preference_promises_test {

namespace {

using rankloss::context;
using rankloss::outputs;
using rankloss::preference_batch;
using rankloss::reduction;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr reduction reductions[] = {reduction::mean, reduction::mean_of_relevant, reduction::sum};

// ---------------------------------------------------------------------------------------------------------------- the losses

/// A loss of pairs whose type has been forgotten.
template <class T>
struct pair_loss {
  std::string name;
  bool knows_ties, has_hessian;
  std::function<double(const preference_batch<T>&, const outputs&, context&)> call;

  template <class Loss>
  pair_loss(std::string label, const Loss& loss)
      : name(std::move(label)),
        knows_ties(rankloss::tie_loss<Loss>),
        has_hessian(rankloss::detail::gives_hessian<Loss>),
        call([loss](const preference_batch<T>& batch, const outputs& out, context& ctx) { return evaluate(loss, batch, out, ctx); }) {}

  /// By its tie parameter: `from(parameter)` is the loss, and the parameter's slope goes to an output of its own.
  template <class From>
  static double by_parameter(From from, std::span<const T> x, const preference_batch<T>& batch, const outputs& out, context& ctx) {
    const auto loss = from(static_cast<double>(x[0]));
    if (out.gradient.empty()) return evaluate(loss, batch, out, ctx);
    return out.gradient.visit([&](auto* gradient) {
      double slope = static_cast<double>(*gradient);
      const double value = evaluate(loss, batch, {.per_list = out.per_list, .scale = out.scale, .update = out.update}, slope, ctx);
      *gradient = static_cast<std::remove_pointer_t<decltype(gradient)>>(slope);
      return value;
    });
  }
};

template <class T>
const std::vector<pair_loss<T>>& pair_losses() {
  static const std::vector<pair_loss<T>> all{
      {"bradley_terry", rankloss::bradley_terry{}},
      {"bradley_terry, temperature, smoothing and centring", rankloss::bradley_terry{.temperature = 0.5, .smoothing = 0.1, .centring = 0.02}},
      {"margin_ranking", rankloss::margin_ranking{.margin = 0.51}},
      {"rao_kupper", rankloss::rao_kupper{}},
      {"rao_kupper, temperature and threshold", rankloss::rao_kupper{.temperature = 0.5, .threshold = 0.05}},
      {"davidson", rankloss::davidson{}},
      {"davidson, temperature and prevalence", rankloss::davidson{.temperature = 0.5, .log_prevalence = -2.0}},
  };
  return all;
}

/// What a loss of steps reads, whatever the names: x is what it has a gradient by.
template <class T>
struct steps {
  std::vector<T> x, before, target;
  std::vector<double> weights;
  std::vector<std::uint8_t> mask;
};

template <class T>
struct step_loss {
  std::string name;
  std::string fields[3];  ///< x, before, target
  std::function<double(std::span<const T>, const steps<T>&, const outputs&, context&)> call;

  step_loss(std::string label, const rankloss::ppo& loss, bool to_reference = false)
      : name(std::move(label)),
        fields{"log_probabilities", "old_log_probabilities", to_reference ? "reference_log_probabilities" : "advantages"},
        call([=](std::span<const T> x, const steps<T>& s, const outputs& out, context& ctx) {
          rankloss::policy_batch<T> batch{
              .log_probabilities = x, .old_log_probabilities = s.before, .advantages = s.target, .weights = s.weights, .mask = s.mask};
          if (to_reference) batch.reference_log_probabilities = s.target;
          return evaluate(loss, batch, out, ctx);
        }) {}
  step_loss(std::string label, const rankloss::critic& loss, bool clipped)
      : name(std::move(label)),
        fields{"values", clipped ? "old_values" : "", "returns"},
        call([=](std::span<const T> x, const steps<T>& s, const outputs& out, context& ctx) {
          rankloss::value_batch<T> batch{.values = x, .returns = s.target, .weights = s.weights, .mask = s.mask};
          if (clipped) batch.old_values = s.before;
          return evaluate(loss, batch, out, ctx);
        }) {}
};

template <class T>
const std::vector<step_loss<T>>& step_losses() {
  using rankloss::kl_estimator;
  using rankloss::ppo;
  static const std::vector<step_loss<T>> all{
      {"ppo", ppo{}},
      {"ppo, dual clip", ppo{.clip = 0.2, .dual_clip = 3}},
      {"ppo, k1", ppo{.kl_coefficient = 0.3, .estimator = kl_estimator::k1}},
      {"ppo, k2", ppo{.kl_coefficient = 0.3, .estimator = kl_estimator::k2}},
      {"ppo, k3", ppo{.clip = 1e9, .kl_coefficient = 0.3}},
      {"ppo, k3 to a reference", ppo{.kl_coefficient = 0.3}, true},
      {"critic", rankloss::critic{}, true},
      {"critic without old values", rankloss::critic{}, false},
  };
  return all;
}

// -------------------------------------------------------------------------------------------------------------------- the data

template <class X>
void shuffle(std::mt19937_64& random, std::vector<X>& values) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
}

/// Whole multiples of 2^-6, the same in float and double: hinges at a margin of 0.51 are 0.005 from their kinks.
template <class T>
std::vector<T> on_grid(std::mt19937_64& random, std::size_t n) {
  std::vector<T> x(n);
  for (T& v : x) v = static_cast<T>((static_cast<double>(random() % 256) - 128.0) * 0x1p-6);
  return x;
}

template <class T>
struct pairs {
  std::vector<T> rewards;
  std::vector<int> preferred, other;
  std::vector<double> weights, margins;
  std::vector<std::uint8_t> ties;

  explicit pairs(unsigned seed, std::size_t items = 40, std::size_t count = 150) {
    std::mt19937_64 random(seed);
    rewards = on_grid<T>(random, items);
    weights = support::whole_numbers<double>(random, count, 4);
    margins = on_grid<double>(random, count);
    ties = support::whole_numbers<std::uint8_t>(random, count, 3);
    for (std::size_t k = 0; k < count; ++k) {
      preferred.push_back(static_cast<int>(random() % items));
      other.push_back(static_cast<int>((static_cast<std::size_t>(preferred.back()) + 1 + random() % (items - 1)) % items));
    }
  }
  [[nodiscard]] preference_batch<T> batch(const pair_loss<T>& loss, reduction how = reduction::mean) const {
    preference_batch<T> b{.rewards = rewards, .preferred = preferred, .other = other, .pair_weights = weights, .margins = margins, .reduction = how};
    if (loss.knows_ties) b.ties = ties;
    return b;
  }
};

/// Ratios are at least 0.006 in their logarithms from bounds of 0.8, 1.2 and 3, and values 0.01 from where a clipped square takes over.
template <class T>
steps<T> some_steps(unsigned seed, std::size_t n = 120) {
  std::mt19937_64 random(seed);
  steps<T> s;
  for (std::size_t i = 0; i < n; ++i) {
    const double before = -3.0 * static_cast<double>(random() % 1024) * 0x1p-10;
    s.before.push_back(static_cast<T>(before));
    s.x.push_back(static_cast<T>(before + 0.02 * (static_cast<double>(random() % 160) - 80.0) + 0.01));
    s.target.push_back(static_cast<T>(before + 0.01 * (static_cast<double>(random() % 300) - 150.0)));
    s.weights.push_back(static_cast<double>(std::uint64_t{1} << random() % 4 >> 1));  // 0, 1, 2 or 4: parts without rounding
    s.mask.push_back(random() % 5 > 0 ? 1 : 0);
  }
  return s;
}

/// Scores of a few lists, one of them empty and one of one item, partial orders of them, and what an old policy made of them.
template <class T>
struct orders {
  std::vector<T> scores, old_scores;
  std::vector<std::int32_t> offsets{0, 2, 4, 9, 9, 10, 17, 25, 40};
  std::vector<std::int32_t> acted;
  std::vector<double> rewards{2, -2, 1, 5, 1, -1, 3, -3};
  std::vector<double> weights{1, 2, 0.5, 1, 1, 0, 3, 1};
  rankloss::partial_order by_pairs, by_levels;

  explicit orders(unsigned seed) {
    std::mt19937_64 random(seed);
    const auto n = static_cast<std::size_t>(offsets.back());
    scores = on_grid<T>(random, n);
    old_scores = on_grid<T>(random, n);
    std::vector<std::int32_t> preferred, other;
    for (std::size_t q = 0; q + 1 < offsets.size(); ++q) {
      const std::int32_t first = offsets[q], size = offsets[q + 1] - first;
      for (std::int32_t k = size; k-- > 0;) acted.push_back(k);
      for (std::int32_t k = 0; k < size / 2; ++k) {
        const auto a = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(size - 1));
        preferred.push_back(first + a);
        other.push_back(first + a + 1 + static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(size - 1 - a)));
      }
    }
    by_pairs = rankloss::partial_order::from_pairs(offsets, preferred, other);
    by_levels = rankloss::partial_order::from_grades(offsets, support::whole_numbers<std::uint8_t>(random, n, 4));
  }
};

template <class T>
struct order_loss {
  std::string name;
  bool has_hessian;
  std::function<double(std::span<const T>, const orders<T>&, const outputs&, context&)> call;

  order_loss(std::string label, const rankloss::lr2ppo& loss)
      : name(std::move(label)), has_hessian(false), call([=](std::span<const T> x, const orders<T>& o, const outputs& out, context& ctx) {
          return evaluate(
              loss,
              rankloss::label_policy_batch<T>{.scores = x, .old_scores = o.old_scores, .orders = o.acted, .offsets = o.offsets, .rewards = o.rewards},
              out, ctx);
        }) {}
  order_loss(std::string label, const rankloss::plackett_luce& loss, bool levels, reduction how)
      : name(std::move(label)), has_hessian(true), call([=](std::span<const T> x, const orders<T>& o, const outputs& out, context& ctx) {
          return evaluate(
              loss,
              rankloss::partial_order_batch<T>{.scores = x, .order = levels ? o.by_levels : o.by_pairs, .list_weights = o.weights, .reduction = how},
              out, ctx);
        }) {}
};

template <class T>
const std::vector<order_loss<T>>& order_losses() {
  using rankloss::lr2ppo;
  using rankloss::order_likelihood;
  using rankloss::plackett_luce;
  static const std::vector<order_loss<T>> all{
      // Where there is a penalty the corrected form's gradient is not the slope of its value: advantages are constants to it.
      {"lr2ppo", lr2ppo{.margin = 0.51, .kl_coefficient = 0.0, .entropy_coefficient = 0.2}},
      {"lr2ppo, published", lr2ppo{.form = rankloss::lr2ppo_form::published, .margin = 0.51, .kl_coefficient = 0.01, .entropy_coefficient = 0.2}},
      {"plackett_luce, levels", plackett_luce{}, true, reduction::mean},
      {"plackett_luce, pairs", plackett_luce{.temperature = 0.5}, false, reduction::mean_of_relevant},
      {"plackett_luce, by levels' pairs", plackett_luce{.likelihood = order_likelihood::by_pairs}, true, reduction::sum},
      {"plackett_luce, by pairs", plackett_luce{.likelihood = order_likelihood::by_pairs}, false, reduction::mean},
  };
  return all;
}

/// A loss and its data as a function of what it has a gradient by: what all promises but those of the data's own kind are about.
template <class T>
struct subject {
  std::string name;
  std::vector<T> x;
  std::size_t parts;  ///< of per_list; 0: none
  bool has_hessian;
  bool of_any_size = true;  ///< x may be any finite number
  std::function<double(std::span<const T>, const outputs&, context&)> call;

  double operator()(const outputs& out, context& ctx) const { return call(x, out, ctx); }
};

template <class T>
std::vector<subject<T>> subjects() {
  static const pairs<T> of_pairs(1);
  static const steps<T> of_steps = some_steps<T>(2);
  std::vector<subject<T>> all;
  const std::size_t count = of_pairs.preferred.size();
  for (const reduction how : reductions) {
    const std::string by = ", reduction " + std::to_string(static_cast<int>(how));
    for (const pair_loss<T>& loss : pair_losses<T>())
      all.push_back(
          {loss.name + by, of_pairs.rewards, count, loss.has_hessian, true, [&loss, how](std::span<const T> x, const outputs& out, context& ctx) {
             auto batch = of_pairs.batch(loss, how);
             batch.rewards = x;
             return loss.call(batch, out, ctx);
           }});
    const auto by_parameter = [&](const std::string& name, double start, auto from) {
      all.push_back({name + by, {static_cast<T>(start)}, count, false, false, [=](std::span<const T> x, const outputs& out, context& ctx) {
                       auto batch = of_pairs.batch(pair_losses<T>().back(), how);
                       return pair_loss<T>::by_parameter(from, x, batch, out, ctx);
                     }});
    };
    by_parameter("rao_kupper by its threshold", 0.75, [](double x) { return rankloss::rao_kupper{.threshold = x}; });
    by_parameter("davidson by its prevalence", -0.5, [](double x) { return rankloss::davidson{.log_prevalence = x}; });
  }
  for (const step_loss<T>& loss : step_losses<T>())
    all.push_back({loss.name, of_steps.x, 0, false, true,
                   [&loss](std::span<const T> x, const outputs& out, context& ctx) { return loss.call(x, of_steps, out, ctx); }});
  static const orders<T> of_orders(3);
  for (const order_loss<T>& loss : order_losses<T>())
    all.push_back({loss.name, of_orders.scores, of_orders.rewards.size(), loss.has_hessian, true,
                   [&loss](std::span<const T> x, const outputs& out, context& ctx) { return loss.call(x, of_orders, out, ctx); }});
  return all;
}

// -------------------------------------------------------------------------------------------------------------- what is compared

/// All that a call gives.
template <class T>
struct result {
  double value = 0.0;
  std::vector<T> gradient, hessian;
  std::vector<double> parts;
};

template <class T>
result<T> run(const subject<T>& of, context& ctx, double fill = nan) {
  result<T> r;
  r.gradient.assign(of.x.size(), static_cast<T>(fill));
  r.hessian.assign(of.has_hessian ? of.x.size() : 0, static_cast<T>(fill));
  r.parts.assign(of.parts, fill);
  r.value = of({.gradient = r.gradient, .per_list = r.parts, .hessian = r.hessian}, ctx);
  return r;
}

/// Whether all bits are the same; -0 is not 0.
template <class X>
bool same_bits(const std::vector<X>& a, const std::vector<X>& b) {
  using bits = std::conditional_t<sizeof(X) == 4, std::uint32_t, std::uint64_t>;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](X x, X y) { return std::bit_cast<bits>(x) == std::bit_cast<bits>(y); });
}
template <class T>
bool same_bits(const result<T>& a, const result<T>& b) {
  return same_bits(std::vector{a.value}, std::vector{b.value}) && same_bits(a.gradient, b.gradient) && same_bits(a.hessian, b.hessian) &&
         same_bits(a.parts, b.parts);
}

template <class T>
std::vector<double> wide(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// The largest difference, in units of the largest number (or of `least`).
double gap(const std::vector<double>& a, const std::vector<double>& b, double least = 1e-3) {
  REQUIRE(a.size() == b.size());
  double largest = least, most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max({largest, std::abs(a[i]), std::abs(b[i])});
    most = std::max(most, std::isnan(a[i] - b[i]) ? std::numeric_limits<double>::infinity() : std::abs(a[i] - b[i]));
  }
  return most / largest;
}

std::vector<double> moved(std::vector<double> values, double factor, double added) {
  for (double& x : values) x = added + factor * x;
  return values;
}

template <class T>
constexpr double rounding = std::is_same_v<T, float> ? 1e-6 : 1e-13;

// -------------------------------------------------------------------------------------------------------------------- promises

TEST_CASE("preferences and policies: gradient and hessian are slope and curvature of the value") {
  constexpr double h = 0x1p-10;
  context ctx;
  for (subject<double>& of : [] {
         static auto all = subjects<double>();
         return std::span(all);
       }()) {
    INFO(of.name);
    const auto r = run(of, ctx);
    std::vector<double> slopes, curvatures;
    for (double& x : of.x) {
      const double middle = x;
      const auto at = [&](double by) {
        x = middle + by;
        return of({}, ctx);
      };
      const double far_below = at(-2 * h), below = at(-h), above = at(h), far_above = at(2 * h);
      x = middle;
      slopes.push_back((far_below - 8 * below + 8 * above - far_above) / (12 * h));
      curvatures.push_back((-far_below + 16 * below - 30 * r.value + 16 * above - far_above) / (12 * h * h));
    }
    CHECK(gap(r.gradient, slopes) <= 1e-8);
    if (of.has_hessian) CHECK(gap(r.hessian, curvatures) <= 1e-5);
  }
}

TEST_CASE("preferences and policies: float and double agree") {
  context ctx;
  const auto narrow = subjects<float>();
  const auto full = subjects<double>();
  for (std::size_t k = 0; k < full.size(); ++k) {
    INFO(full[k].name);
    const auto a = run(narrow[k], ctx);
    const auto b = run(full[k], ctx);
    CHECK(a.value == Approx(b.value).epsilon(1e-5));
    CHECK(gap(wide(a.gradient), b.gradient) <= 1e-5);
    CHECK(gap(wide(a.hessian), b.hessian) <= 1e-5);
    CHECK(gap(a.parts, b.parts) <= 1e-5);
  }
}

TEMPLATE_TEST_CASE("preferences and policies: the same bits on any number of threads, on repetition, and whatever the buffers held", "", float,
                   double) {
  std::vector<context> contexts;
  for (const std::size_t workers : {1u, 2u, 7u}) contexts.emplace_back(rankloss::threads(workers));
  context alone;
  for (const auto& of : subjects<TestType>()) {
    INFO(of.name);
    const auto expected = run(of, alone);
    CHECK(of({}, alone) == expected.value);
    for (context& ctx : contexts)
      for (const double fill : {nan, 0.0, 1e300, -std::numeric_limits<double>::infinity()}) CHECK(same_bits(run(of, ctx, fill), expected));
  }
}

TEMPLATE_TEST_CASE("preferences and policies: the second call allocates nothing", "", float, double) {
  for (const auto& of : subjects<TestType>()) {
    INFO(of.name);
    auto r = result<TestType>{};
    r.gradient.resize(of.x.size());
    r.hessian.resize(of.has_hessian ? of.x.size() : 0);
    r.parts.resize(of.parts);
    for (const std::size_t workers : {1u, 3u}) {
      context ctx{rankloss::threads(workers)};
      const outputs all{.gradient = r.gradient, .per_list = r.parts, .hessian = r.hessian};
      of(all, ctx);
      const std::size_t before = support::allocations();
      of(all, ctx);
      of({.gradient = r.gradient, .scale = 2.0, .update = rankloss::update::add}, ctx);
      of({}, ctx);
      CHECK(support::allocations() == before);
    }
  }
}

TEMPLATE_TEST_CASE("preferences and policies: outputs are written as asked", "", float, double) {
  using T = TestType;
  using other = std::conditional_t<std::is_same_v<T, float>, double, float>;
  context ctx;
  for (const auto& of : subjects<T>()) {
    INFO(of.name);
    const result<T> plain = run(of, ctx);
    const auto g = wide(plain.gradient), h = wide(plain.hessian);
    const std::size_t n = of.x.size();

    // Each alone.
    std::vector<T> gradient(n, static_cast<T>(nan)), hessian(h.size(), static_cast<T>(nan));
    std::vector<double> parts(of.parts, nan);
    CHECK(of({.gradient = gradient}, ctx) == plain.value);
    CHECK(of({.per_list = parts}, ctx) == plain.value);
    CHECK(of({.hessian = hessian}, ctx) == plain.value);
    CHECK(same_bits(gradient, plain.gradient));
    CHECK(same_bits(parts, plain.parts));
    CHECK(same_bits(hessian, plain.hessian));

    // Scale and update are of gradient and hessian.
    CHECK(of({.gradient = gradient, .per_list = parts, .hessian = hessian, .scale = -2.5}, ctx) == plain.value);
    CHECK(same_bits(parts, plain.parts));
    CHECK(gap(wide(gradient), moved(g, -2.5, 0.0)) <= rounding<T>);
    CHECK(gap(wide(hessian), moved(h, -2.5, 0.0)) <= rounding<T>);
    gradient.assign(n, T{3});
    hessian.assign(h.size(), T{-5});
    CHECK(of({.gradient = gradient, .per_list = parts, .hessian = hessian, .scale = 0.5, .update = rankloss::update::add}, ctx) == plain.value);
    CHECK(same_bits(parts, plain.parts));
    CHECK(gap(wide(gradient), moved(g, 0.5, 3.0)) <= rounding<T>);
    CHECK(gap(wide(hessian), moved(h, 0.5, -5.0)) <= rounding<T>);
    of({.gradient = gradient, .hessian = hessian, .scale = 0.0}, ctx);
    CHECK(wide(gradient) == std::vector<double>(n, 0.0));
    CHECK(wide(hessian) == std::vector<double>(h.size(), 0.0));

    // Of the other type.
    std::vector<other> cast(n), cast_hessian(h.size());
    CHECK(of({.gradient = cast, .hessian = cast_hessian}, ctx) == plain.value);
    CHECK(gap(wide(cast), g) <= 1e-6);
    CHECK(gap(wide(cast_hessian), h) <= 1e-6);

    // What there is not is refused, and nothing is written.
    if (!of.of_any_size) continue;
    std::vector<T> untouched(n, T{7}), more(n, T{7});
    if (!of.has_hessian)
      CHECK_THROWS_WITH(of({.gradient = untouched, .hessian = more}, ctx), "rankloss: hessian: this loss has none, expected an empty output");
    CHECK_THROWS_WITH(of({.gradient = std::span(untouched).first(n - 1)}, ctx), Catch::Matchers::StartsWith("rankloss: gradient: size "));
    CHECK_THROWS_WITH(of({.gradient = untouched, .scale = nan}, ctx), "rankloss: scale: nan, expected a finite number");
    CHECK(untouched == std::vector<T>(n, T{7}));
    CHECK(more == std::vector<T>(n, T{7}));
  }
}

TEMPLATE_TEST_CASE("preferences and policies: huge and tiny numbers stay finite", "", float, double) {
  using T = TestType;
  const T big = std::numeric_limits<T>::max(), tiny = std::numeric_limits<T>::denorm_min();
  const std::vector<T> mixture{big, -big, T{0}, -T{0}, tiny, -tiny, std::numeric_limits<T>::min(), T{1}, T{-1}, big / 2, T(1e30), T(-1e-30)};
  std::mt19937_64 random(3);
  const auto check = [](const auto& r) {
    CHECK(std::isfinite(r.value));
    const auto finite = [](const auto& values) { return std::all_of(values.begin(), values.end(), [](auto x) { return std::isfinite(x); }); };
    CHECK(finite(r.gradient));
    CHECK(finite(r.hessian));
    CHECK(finite(r.parts));
  };
  context ctx;
  for (auto& of : [] {
         static auto all = subjects<T>();
         return std::span(all);
       }()) {
    if (!of.of_any_size) continue;
    INFO(of.name);
    for (int turn = 0; turn < 6; ++turn) {
      for (T& x : of.x) x = turn < 3 ? mixture[random() % mixture.size()] : mixture[random() % 2] * static_cast<T>(turn == 3 ? 1e-20 : 1.0);
      check(run(of, ctx));
    }
  }
  // What comes with the steps, too.
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    for (int turn = 0; turn < 6; ++turn) {
      auto s = some_steps<T>(2);
      for (auto* values : {&s.x, &s.before, &s.target})
        for (T& x : *values) x = mixture[random() % mixture.size()];
      for (double& w : s.weights) w = turn % 2 == 0 ? 1e308 : 1e-308;
      check(run(
          subject<T>{loss.name, s.x, 0, false, true, [&](std::span<const T> x, const outputs& out, context& c) { return loss.call(x, s, out, c); }},
          ctx));
    }
  }
}

// ------------------------------------------------------------------------------------------------------------ promises of pairs

/// What a loss gives of pairs.
template <class T>
result<T> run(const pair_loss<T>& loss, const preference_batch<T>& batch) {
  context ctx;
  return run(subject<T>{loss.name,
                        {batch.rewards.begin(), batch.rewards.end()},
                        batch.preferred.size(),
                        loss.has_hessian,
                        true,
                        [&](std::span<const T>, const outputs& out, context& c) { return loss.call(batch, out, c); }},
             ctx);
}

TEMPLATE_TEST_CASE("preferences: permuting the pairs permutes their parts, and permuting the items the gradient", "", float, double) {
  using T = TestType;
  const pairs<T> data(4);
  std::mt19937_64 random(5);
  std::vector<std::size_t> from(data.preferred.size()), place(data.rewards.size());
  std::iota(from.begin(), from.end(), std::size_t{0});
  std::iota(place.begin(), place.end(), std::size_t{0});
  shuffle(random, from);
  shuffle(random, place);
  auto turned = data, renamed = data;
  for (std::size_t k = 0; k < from.size(); ++k) {
    turned.preferred[k] = data.preferred[from[k]];
    turned.other[k] = data.other[from[k]];
    turned.weights[k] = data.weights[from[k]];
    turned.margins[k] = data.margins[from[k]];
    turned.ties[k] = data.ties[from[k]];
    renamed.preferred[k] = static_cast<int>(place[static_cast<std::size_t>(data.preferred[k])]);
    renamed.other[k] = static_cast<int>(place[static_cast<std::size_t>(data.other[k])]);
  }
  for (std::size_t i = 0; i < place.size(); ++i) renamed.rewards[place[i]] = data.rewards[i];
  for (const auto& loss : pair_losses<T>())
    for (const reduction how : reductions) {
      INFO(loss.name << ", reduction " << static_cast<int>(how));
      const auto expected = run(loss, data.batch(loss, how));
      const auto got = run(loss, turned.batch(loss, how));
      std::vector<double> parts;
      for (const std::size_t k : from) parts.push_back(expected.parts[k]);
      CHECK(same_bits(got.parts, parts));
      CHECK(got.value == Approx(expected.value).epsilon(1e-13));
      CHECK(gap(wide(got.gradient), wide(expected.gradient)) <= rounding<T>);
      CHECK(gap(wide(got.hessian), wide(expected.hessian)) <= rounding<T>);
      // The same pairs in the same order, by other names: the same sums.
      auto other_names = run(loss, renamed.batch(loss, how));
      const auto there = other_names;
      for (std::size_t i = 0; i < place.size(); ++i) {
        other_names.gradient[i] = there.gradient[place[i]];
        if (loss.has_hessian) other_names.hessian[i] = there.hessian[place[i]];
      }
      CHECK(same_bits(other_names, expected));
    }
}

TEMPLATE_TEST_CASE("preferences: pairs of weight 0 and items of no pair never change a bit", "", float, double) {
  using T = TestType;
  const pairs<T> data(6);
  auto more = data;
  std::mt19937_64 random(7);
  const T big = std::numeric_limits<T>::max();
  more.rewards.insert(more.rewards.end(), {big, -big, T(1e-30)});
  const std::size_t items = data.rewards.size(), count = data.preferred.size();
  // One after each of the pairs, with anything in it.
  std::vector<std::size_t> kept;
  for (auto* indices : {&more.preferred, &more.other}) indices->clear();
  more.weights.clear();
  more.margins.clear();
  more.ties.clear();
  for (std::size_t k = 0; k < count; ++k) {
    kept.push_back(more.preferred.size());
    for (const bool own : {true, false}) {
      const std::size_t p = random() % (items + 3);
      more.preferred.push_back(own ? data.preferred[k] : static_cast<int>(p));
      more.other.push_back(own ? data.other[k] : static_cast<int>((p + 1 + random() % (items + 2)) % (items + 3)));
      more.weights.push_back(own ? data.weights[k] : 0.0);
      more.margins.push_back(own ? data.margins[k] : random() % 2 == 0 ? 1e308 : -1e308);
      more.ties.push_back(own ? data.ties[k] : static_cast<std::uint8_t>(random() % 2));
    }
  }
  for (const auto& loss : pair_losses<T>())
    for (const reduction how : reductions) {
      INFO(loss.name << ", reduction " << static_cast<int>(how));
      const auto expected = run(loss, data.batch(loss, how));
      auto got = run(loss, more.batch(loss, how));
      for (std::size_t i = items; i < items + 3; ++i) CHECK(got.gradient[i] == T{0});
      std::vector<double> parts;
      for (const std::size_t k : kept) parts.push_back(got.parts[k]);
      got.parts = parts;
      got.gradient.resize(items);
      got.hessian.resize(expected.hessian.size());
      CHECK(same_bits(got, expected));
    }
}

TEMPLATE_TEST_CASE("preferences: a weight counts a pair several times, and the mean is that of the parts", "", float, double) {
  using T = TestType;
  const pairs<T> data(8);
  auto repeated = data;
  for (auto* indices : {&repeated.preferred, &repeated.other}) indices->clear();
  repeated.margins.clear();
  repeated.ties.clear();
  for (std::size_t k = 0; k < data.preferred.size(); ++k)
    for (int turn = 0; turn < static_cast<int>(data.weights[k]); ++turn) {
      repeated.preferred.push_back(data.preferred[k]);
      repeated.other.push_back(data.other[k]);
      repeated.margins.push_back(data.margins[k]);
      repeated.ties.push_back(data.ties[k]);
    }
  repeated.weights.assign(repeated.preferred.size(), 1.0);
  for (const auto& loss : pair_losses<T>())
    for (const reduction how : reductions) {
      INFO(loss.name << ", reduction " << static_cast<int>(how));
      const auto once = run(loss, data.batch(loss, how));
      const auto many = run(loss, repeated.batch(loss, how));
      CHECK(once.value == Approx(many.value).epsilon(1e-13));
      CHECK(gap(wide(once.gradient), wide(many.gradient)) <= rounding<T>);
      CHECK(gap(wide(once.hessian), wide(many.hessian)) <= rounding<T>);
      double sum = 0.0, mass = 0.0;
      for (std::size_t k = 0; k < once.parts.size(); ++k) {
        sum += data.weights[k] * once.parts[k];
        if (how != reduction::mean_of_relevant || once.parts[k] > 0.0) mass += data.weights[k];
      }
      CHECK(once.value == Approx(how == reduction::sum ? sum : sum / mass).epsilon(1e-13));
      auto unweighted = repeated.batch(loss, how);
      unweighted.pair_weights = {};
      CHECK(same_bits(run(loss, unweighted), many));
    }
}

/// That a call is refused with this message, and nothing is written.
template <class T, class Call>
void refuses(std::size_t n, std::size_t parts, bool has_hessian, const std::string& message, Call call) {
  std::vector<T> gradient(n, T{7}), hessian(has_hessian ? n : 0, T{7});
  std::vector<double> per_list(parts, 7.0);
  context ctx{rankloss::threads(2)};
  std::string said = "accepted";
  try {
    call(outputs{.gradient = gradient, .per_list = per_list, .hessian = hessian}, ctx);
  } catch (const std::invalid_argument& error) {
    said = error.what();
  }
  CHECK(said == message);
  CHECK(gradient == std::vector<T>(n, T{7}));
  CHECK(hessian == std::vector<T>(hessian.size(), T{7}));
  CHECK(per_list == std::vector<double>(parts, 7.0));
}

TEMPLATE_TEST_CASE("preferences: a NaN is named with its field and place, and nothing is written", "", float, double) {
  using T = TestType;
  for (const auto& loss : pair_losses<T>()) {
    INFO(loss.name);
    const auto refused = [&](const pairs<T>& data, const std::string& message) {
      refuses<T>(data.rewards.size(), data.preferred.size(), loss.has_hessian, "rankloss: " + message,
                 [&](const outputs& out, context& ctx) { loss.call(data.batch(loss), out, ctx); });
    };
    auto data = pairs<T>(9);
    data.rewards[17] = static_cast<T>(nan);
    refused(data, "rewards: nan at item 17, expected a number");
    data = pairs<T>(9);
    data.margins[23] = nan;
    refused(data, "margins: nan at pair 23, expected a finite number");
    data = pairs<T>(9);
    data.weights[149] = nan;
    refused(data, "pair_weights: nan at pair 149, expected a finite number >= 0");
    data = pairs<T>(9);
    data.other[3] = 40;
    refused(data, "other: 40 at pair 3, expected an item from 0 to below 40 (the number of rewards)");
  }
}

// ------------------------------------------------------------------------------------------------------------ promises of steps

template <class T>
result<T> run(const step_loss<T>& loss, const steps<T>& data) {
  context ctx;
  return run(
      subject<T>{loss.name, data.x, 0, false, true, [&](std::span<const T> x, const outputs& out, context& c) { return loss.call(x, data, out, c); }},
      ctx);
}

/// The steps in another order, or some of them.
template <class T>
steps<T> taken(const steps<T>& data, const std::vector<std::size_t>& from) {
  steps<T> s;
  for (const std::size_t i : from) {
    s.x.push_back(data.x[i]);
    s.before.push_back(data.before[i]);
    s.target.push_back(data.target[i]);
    s.weights.push_back(data.weights[i]);
    s.mask.push_back(data.mask[i]);
  }
  return s;
}

TEMPLATE_TEST_CASE("policies: permuting the steps permutes the gradient", "", float, double) {
  using T = TestType;
  const auto data = some_steps<T>(10);
  std::mt19937_64 random(11);
  std::vector<std::size_t> from(data.x.size());
  std::iota(from.begin(), from.end(), std::size_t{0});
  shuffle(random, from);
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    const auto expected = run(loss, data);
    const auto got = run(loss, taken(data, from));
    CHECK(got.value == Approx(expected.value).epsilon(1e-13));
    // Parts of the mean are of a sum without rounding: the same in any order.
    std::vector<T> gradient;
    for (const std::size_t i : from) gradient.push_back(expected.gradient[i]);
    CHECK(same_bits(got.gradient, gradient));
  }
}

TEMPLATE_TEST_CASE("policies: masked steps, whatever they hold, and steps of weight 0 never change a bit", "", float, double) {
  using T = TestType;
  const auto data = some_steps<T>(12);
  const T big = std::numeric_limits<T>::max();
  const std::vector<T> anything{static_cast<T>(nan), std::numeric_limits<T>::infinity(), -big, T{0}};
  const std::vector<T> finite{big, -big, T(1e-30), T{0}};
  auto odd = data;
  std::mt19937_64 random(13);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < odd.x.size(); ++i) {
    const bool counts = odd.mask[i] != 0 && odd.weights[i] > 0.0;
    if (counts) kept.push_back(i);
    const auto& from = odd.mask[i] == 0 ? anything : finite;
    if (!counts)
      for (auto* values : {&odd.x, &odd.before, &odd.target}) (*values)[i] = from[random() % 4];
  }
  REQUIRE(kept.size() < data.x.size() / 5 * 4);
  REQUIRE(kept.size() > 50);
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    const auto expected = run(loss, data);
    CHECK(same_bits(run(loss, odd), expected));
    // Nor does it matter that they are there.
    const auto alone = run(loss, taken(data, kept));
    CHECK(alone.value == expected.value);
    std::vector<T> gradient(data.x.size(), T{0});
    for (std::size_t k = 0; k < kept.size(); ++k) gradient[kept[k]] = alone.gradient[k];
    CHECK(gradient == expected.gradient);
    auto unmasked = taken(data, kept);
    unmasked.mask.clear();
    CHECK(same_bits(run(loss, unmasked), alone));
    unmasked.weights.assign(kept.size(), 1.0);
    const auto ones = run(loss, unmasked);
    unmasked.weights.clear();
    CHECK(same_bits(run(loss, unmasked), ones));
  }
}

TEMPLATE_TEST_CASE("policies: a NaN is named with its field and place, and nothing is written", "", float, double) {
  using T = TestType;
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    const auto refused = [&](const steps<T>& data, const std::string& message) {
      refuses<T>(data.x.size(), 0, false, "rankloss: " + message, [&](const outputs& out, context& ctx) { loss.call(data.x, data, out, ctx); });
    };
    for (int field = 0; field < 3; ++field) {
      if (loss.fields[field].empty()) continue;
      auto data = some_steps<T>(14);
      data.mask.assign(data.x.size(), 1);
      (field == 0 ? data.x : field == 1 ? data.before : data.target)[29] = static_cast<T>(nan);
      refused(data, loss.fields[field] + ": nan at step 29, expected a finite number");
    }
    auto data = some_steps<T>(14);
    data.weights[31] = nan;
    refused(data, "weights: nan at step 31, expected a finite number >= 0");
    data = some_steps<T>(14);
    data.mask.pop_back();
    refused(data, "mask: size 119, expected 120 (one per step)");
  }
}

}  // namespace

}  // namespace preference_promises_test
