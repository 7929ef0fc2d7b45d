// SPDX-License-Identifier: BSL-1.0

// What every loss of lists promises of scores as data have them and not as tests draw them: long tails, crowds and outliers, at temperatures from
// far below to far above what lies between them. Values and gradients are finite, and those of the O(n^2) sum in long double.

#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/smooth_mrr.hpp>
#include <rankloss/smooth_recall_at_k.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/xe_ndcg.hpp>

#include "support/listwise_reference.hpp"
#include "support/pair_reference.hpp"
#include "support/projection_reference.hpp"
#include "support/rank_reference.hpp"
#include "support/reference.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <numbers>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outlier_promises_test {

namespace {

using rankloss::list_batch;
using reference::derivatives;
using reference::real;
using std::size_t;
using reals = std::vector<real>;

// ---------------------------------------------------------------------------------------------------------------- the data

enum class shape { normal, tail, lower_tail, cauchy, crowds, outliers, one_outlier, few_scores, far_from_0 };
constexpr std::array shapes{shape::normal,   shape::tail,        shape::lower_tail, shape::cauchy,    shape::crowds,
                            shape::outliers, shape::one_outlier, shape::few_scores, shape::far_from_0};
enum class levels { two, five, distinct, real_valued, equal };
constexpr std::array all_levels{levels::two, levels::five, levels::distinct, levels::real_valued, levels::equal};

double uniform(std::mt19937_64& random) { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; }

/// Of spread 1, but for what lies outside.
double draw(std::mt19937_64& random, shape how, size_t i) {
  const double u = uniform(random);
  const double centred = u + uniform(random) + uniform(random) - 1.5;
  switch (how) {
    case shape::normal: return 2.0 * centred;
    case shape::tail: return -std::log(u);
    case shape::lower_tail: return std::log(u);
    case shape::cauchy: return std::tan(std::numbers::pi * (u - 0.5));
    case shape::crowds: return 60.0 * static_cast<double>(random() % 3) + (random() % 5 == 0 ? 1.0 : 0.01) * centred;
    case shape::outliers: return i % 10 == 0 ? 100.0 : u;  // as of the list whose gradient was NaN
    case shape::one_outlier: return i == 3 ? -1e6 : centred;
    case shape::few_scores: return std::floor(4.0 * u);
    default: return 0x1p22 + 2.0 * centred;  // neighbouring floats are a quarter of the spread apart, with nothing between them
  }
}

double level(std::mt19937_64& random, levels how, size_t i, size_t n) {
  switch (how) {
    case levels::two: return random() % 4 == 0 ? 1.0 : 0.0;
    case levels::five: return static_cast<double>(random() % 5);
    case levels::distinct: return 4.0 * static_cast<double>(i * 7919 % n) / static_cast<double>(n);
    case levels::real_valued: return 4.0 * uniform(random);
    default: return 2.0;
  }
}

/// Floats, so that both types see the same numbers.
struct drawn_list {
  std::vector<float> scores, relevance;
};

/// Scores of the given spread, in temperatures of 1.
drawn_list draw_list(unsigned seed, size_t n, shape how, levels grades, double spread) {
  std::mt19937_64 random(seed);
  drawn_list out;
  for (size_t i = 0; i < n; ++i) {
    out.scores.push_back(static_cast<float>(spread * draw(random, how, i)));
    out.relevance.push_back(static_cast<float>(level(random, grades, i, n)));
  }
  return out;
}

// -------------------------------------------------------------------------------------------------------- what is right, and who says it

/// From scores and relevance; an empty gradient stands for one without a reference.
using formula = std::function<derivatives(const reals& s, const reals& y)>;

/// By how much a loss may be off.
struct bounds {
  double digits = 1.0;  ///< times 2e-6 in float, 1e-13 in double
  /// A value is a difference of numbers of this size, a derivative that of an item's share of them: errors are held against them where value and
  /// derivatives are less; 0: always against value and derivatives.
  double size = 1.0;
  size_t longest = 600;       ///< list with a reference
  double least_spread = 0.0;  ///< of scores: below it the loss divides by what is nearly nothing
  bool by_distance = false;   ///< digits are lost to the distance of the scores from each other
  bool shift_invariant = true;
};

struct loss_case {
  std::string name;
  bounds held;
  formula right;
  std::function<double(const std::vector<float>&, const std::vector<float>&, std::vector<float>&)> in_float;
  std::function<double(const std::vector<double>&, const std::vector<double>&, std::vector<double>&)> in_double;

  template <class Loss>
  loss_case(std::string label, const bounds& bound, const Loss& loss, formula reference)
      : name(std::move(label)), held(bound), right(std::move(reference)) {
    in_float = [loss](const auto& s, const auto& y, auto& g) {
      return evaluate(loss, list_batch<float>{.scores = s, .relevance = y}, {.gradient = g});
    };
    in_double = [loss](const auto& s, const auto& y, auto& g) {
      return evaluate(loss, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
    };
  }
};

real exponential_gain(real y) { return std::expm1(y * std::numbers::ln2_v<real>); }
reals exponential_gains(const reals& y) {
  reals gains;
  for (const real v : y) gains.push_back(exponential_gain(v));
  return gains;
}

/// sum over y_i > y_j of weight(y, position, i, j) f(s_i - s_j)
using pair_weight = std::function<real(const reals& y, const std::vector<size_t>& position, size_t i, size_t j)>;
formula by_pairs(reference::pair_function f, pair_weight weight) {
  return [=](const reals& s, const reals& y) {
    const auto position = reference::positions(s);
    return reference::sum_over_pairs(
               s, y, f, [&](size_t i, size_t j) { return weight(y, position, i, j); }, [&](size_t i, size_t j) { return y[i] > y[j]; })
        .total;
  };
}
reference::pair_terms soft_zero_one(real d, real) {
  const reference::sigmoid s(-d);
  return {s.value, -s.slope, s.curvature};
}
reference::pair_terms exponential(real d, real) { return {std::exp(-d), -std::exp(-d), std::exp(-d)}; }
reference::pair_terms squared_hinge(real d, real) {
  const real rest = std::max(1 - d, real(0));
  return {rest * rest, -2 * rest, 2};
}
real one(const reals&, const std::vector<size_t>&, size_t, size_t) { return 1; }
real difference(const reals& y, const std::vector<size_t>&, size_t i, size_t j) { return y[i] - y[j]; }

derivatives lambdarank(const reals& s, const reals& y) {
  const reals gains = exponential_gains(y);
  const real ideal = reference::ideal_dcg(gains, 0);
  if (!(ideal > 0)) return {0, reals(s.size(), 0), {}};
  reals discounts;
  for (size_t p = 0; p <= s.size(); ++p) discounts.push_back(reference::discount(p));
  derivatives out = by_pairs(reference::logistic(1), [&](const reals&, const std::vector<size_t>& position, size_t i, size_t j) {
    return (gains[i] - gains[j]) * std::abs(discounts[position[i]] - discounts[position[j]]) / ideal;
  })(s, y);
  // The order of the items decides on the places of equal scores: those that are alike have the mean of their slopes.
  std::map<std::pair<real, real>, std::pair<real, real>> alike;
  for (size_t i = 0; i < s.size(); ++i) {
    auto& [sum, count] = alike[{s[i], y[i]}];
    sum += out.gradient[i];
    count += 1;
  }
  for (size_t i = 0; i < s.size(); ++i) out.gradient[i] = alike[{s[i], y[i]}].first / alike[{s[i], y[i]}].second;
  return out;
}

/// Every ordered pair, an item with itself included: y_i log2(1 + exp(s_j - s_i)).
derivatives all_pairs(const reals& s, const reals& y) {
  return reference::sum_over_pairs(
             s, y, reference::logistic(1), [&](size_t i, size_t) { return y[i]; }, [](size_t, size_t) { return true; })
      .total;
}

/// Of each item by itself.
template <class Function>
formula by_items(Function f) {
  return [=](const reals& s, const reals& y) {
    derivatives out{0, reals(s.size(), 0), {}};
    for (size_t i = 0; i < s.size(); ++i) {
      const auto [value, slope] = f(s[i], y[i]);
      out.value += value / real(s.size());
      out.gradient[i] = slope / real(s.size());
    }
    return out;
  };
}

derivatives projected_position(const reals& s, const reals& y) {
  const real total = std::accumulate(y.begin(), y.end(), real(0));
  derivatives out;
  if (!(total > 0)) return out;
  const reals ranks = reference::projected_ranks(rankloss::regularization::entropic, rankloss::rank_order::descending, 1, s);
  for (size_t i = 0; i < s.size(); ++i) out.value += y[i] / total * ranks[i];
  return out;
}
derivatives listnet(const reals& s, const reals& y) {
  real log_sum = 0;
  return reference::cross_entropy(s,
                                  reference::softmax(
                                      reference::in_temperatures(y, 0.01), [](size_t) { return true; }, log_sum),
                                  1);
}
derivatives xe_ndcg(const reals& s, const reals& y) {
  reals v;
  for (const real x : y) v.push_back(std::exp2(x) - 0.5L);
  return reference::cross_entropy(s, v, 1);
}

const std::vector<loss_case>& losses() {
  namespace pairs = rankloss::pairs;
  namespace metrics = rankloss::metrics;
  static const std::vector<loss_case> all{
      // Sums over the pairs of a long list, by one mechanism.
      {"ranknet", {.size = 0}, rankloss::ranknet{}, by_pairs(reference::logistic(1), one)},
      {"lambdarank", {.digits = 2, .size = 0}, rankloss::lambdarank{}, lambdarank},
      {"arp_loss2", {.size = 0}, rankloss::arp_loss2{}, by_pairs(reference::logistic(1), difference)},
      {"soft_zero_one", {.size = 0}, rankloss::pairwise<pairs::soft_zero_one>{}, by_pairs(soft_zero_one, one)},
      {"soft_zero_one by differences of relevance",
       {.size = 0},
       rankloss::pairwise<pairs::soft_zero_one, pairs::relevance_difference>{},
       by_pairs(soft_zero_one, difference)},
      // Pair by pair, and merged.
      {"arp_loss1", {.size = 1e5}, rankloss::arp_loss1{}, all_pairs},
      {"exponential", {.digits = 2, .size = 0}, rankloss::pairwise<pairs::exponential>{}, by_pairs(exponential, one)},
      {"squared_hinge", {.digits = 2, .size = 0}, rankloss::pairwise<pairs::squared_hinge>{}, by_pairs(squared_hinge, one)},
      // Ranks.
      {"sndcg",
       {.digits = 4},
       rankloss::sndcg{.temperature = 1.0},
       [](const reals& s, const reals& y) { return reference::sndcg(s, exponential_gains(y), 1); }},
      {"sndcg, cutoff 5",
       {.digits = 20, .size = 5},
       rankloss::sndcg{.temperature = 1.0, .cutoff = 5},
       [](const reals& s, const reals& y) { return reference::sndcg(s, exponential_gains(y), 1, 5); }},
      {"smooth_ap", {.digits = 10}, rankloss::smooth_ap{.ranks = {.temperature = 1.0}}, reference::smooth_ap},
      {"smooth_recall_at_k",
       {.digits = 20},
       rankloss::smooth_recall_at_k{.metric = {.cutoff = 5}, .ranks = {.temperature = 1.0}},
       [](const reals& s, const reals& y) { return reference::smooth_recall(s, y, 5); }},
      {"average relevance position of Laplace ranks",
       {},
       rankloss::smooth_metric<metrics::average_relevance_position, rankloss::laplace_ranks>{{}, {.temperature = 1.0}},
       [](const reals& s, const reals& y) { return reference::smooth_position(reference::rank_kind::laplace, s, y); }},
      {"average relevance position of projected ranks",
       {.longest = 300, .by_distance = true},
       rankloss::smooth_metric<metrics::average_relevance_position, rankloss::projected_ranks>{
           {}, {.temperature = 1.0, .regularization = rankloss::regularization::entropic}},
       projected_position},
      {"soft_spearman", {.digits = 20, .least_spread = 0.1}, rankloss::soft_spearman<>{{.temperature = 1.0}}, reference::soft_spearman},
      // Softmax.
      {"softmax_cross_entropy",
       {},
       rankloss::softmax_cross_entropy{},
       [](const reals& s, const reals& y) { return reference::cross_entropy(s, y, 1); }},
      {"softmax_cross_entropy, as it is, poly",
       {.size = 1e3},
       rankloss::softmax_cross_entropy{.target = rankloss::target::relevance, .poly = 0.7},
       [](const reals& s, const reals& y) { return reference::cross_entropy(s, y, 1, std::accumulate(y.begin(), y.end(), real(0)), 0.7L); }},
      {"listnet", {}, rankloss::listnet{.relevance_temperature = 0.01}, listnet},
      {"xe_ndcg", {}, rankloss::xe_ndcg{.gammas = rankloss::gammas::constant}, xe_ndcg},
      {"listmle",
       {},
       rankloss::listmle{},
       [](const reals& s, const reals& y) { return reference::listmle(s, reference::by_relevance(y), reals(s.size(), 1), 1); }},
      {"listmle, exact ties", {.longest = 130}, rankloss::listmle{.ties = rankloss::tie_order::exact}, reference::exact_ties},
      {"unique_softmax",
       {},
       rankloss::unique_softmax{},
       [](const reals& s, const reals& y) { return reference::unique_softmax(s, y, exponential_gains(y), 1); }},
      // Soft permutations.
      {"neural_sort_cross_entropy", {.digits = 10, .longest = 130}, rankloss::neural_sort_cross_entropy{}, reference::neural_cross_entropy},
      {"neural_ndcg without Sinkhorn",
       {.digits = 40, .longest = 130},
       rankloss::neural_ndcg{.temperature = 1.0, .steps = 0},
       [](const reals& s, const reals& y) { return reference::neural_ndcg(s, exponential_gains(y)); }},
      // Items by themselves.
      {"pointwise squared", {.shift_invariant = false}, rankloss::pointwise_squared{}, by_items([](real s, real y) {
         return std::pair{(s - y) * (s - y), 2 * (s - y)};
       })},
      {"pointwise logistic", {.size = 10, .shift_invariant = false}, rankloss::pointwise_logistic{}, by_items([](real s, real y) {
         return std::pair{reference::softplus(s) - y * s, reference::sigmoid(s).value - y};
       })},
      // Held to be finite: their ranks jump where a rounding decides, or the formula is a loop of its own.
      {"smooth_mrr", {}, rankloss::smooth_mrr{.ranks = {.temperature = 1.0}}, nullptr},
      {"smooth_metric of ERR", {}, rankloss::smooth_metric<metrics::expected_reciprocal_rank>{{}, {.temperature = 1.0}}, nullptr},
      {"neural_ndcg", {}, rankloss::neural_ndcg{.temperature = 1.0, .steps = 20}, nullptr},
      {"neural_ndcg, implicit",
       {},
       rankloss::neural_ndcg{.temperature = 1.0, .steps = 20, .derivative = rankloss::sinkhorn_derivative::implicit},
       nullptr},
  };
  return all;
}

// ------------------------------------------------------------------------------------------------------------------- the promise

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.17g", x);
  return text;
}

/// What is right. Where a shift changes nothing the reference takes the scores as they differ from the median, so that it has digits for what lies
/// between scores that are far from 0.
derivatives expectation(const loss_case& loss, const drawn_list& items) {
  reals s = reference::widen(items.scores);
  if (loss.held.shift_invariant) {
    reals sorted = s;
    std::sort(sorted.begin(), sorted.end());
    for (real& x : s) x -= sorted[sorted.size() / 2];
  }
  return loss.right(s, reference::widen(items.relevance));
}

/// What is wrong, or nothing. No expectation: whether all is finite.
template <class T>
std::string fault(const loss_case& loss, const drawn_list& items, double spread, const derivatives* expected) {
  const size_t n = items.scores.size();
  const std::vector<T> s(items.scores.begin(), items.scores.end()), y(items.relevance.begin(), items.relevance.end());
  std::vector<T> g(n, std::numeric_limits<T>::quiet_NaN());
  double value = 0.0;
  if constexpr (sizeof(T) == 4)
    value = loss.in_float(s, y, g);
  else
    value = loss.in_double(s, y, g);
  if (!rankloss::detail::is_finite(value)) return "value " + number(value);
  for (const T x : g)
    if (!rankloss::detail::is_finite(x)) return "gradient " + number(static_cast<double>(x));
  if (expected == nullptr || spread < loss.held.least_spread) return {};
  // What pairs beyond 1e290 and types at their ends cut off has no reference.
  real steepest = 0;
  for (const real x : expected->gradient) steepest = std::max(steepest, std::abs(x));
  if (!(expected->value < 1e280L && steepest < real(std::numeric_limits<T>::max()) / 4)) return {};

  const auto [lowest, highest] = std::minmax_element(s.begin(), s.end());
  const double distance = loss.held.by_distance ? static_cast<double>(*highest) - static_cast<double>(*lowest) : 0.0;
  const double digits = loss.held.digits * (sizeof(T) == 4 ? 2e-6 : 1e-13 + 1e-18 * distance);
  const real size = std::max({std::abs(expected->value), real(loss.held.size), real(std::numeric_limits<T>::min())});
  if (!(std::abs(real(value) - expected->value) <= digits * size))
    return "value " + number(value) + ", expected " + number(static_cast<double>(expected->value));
  if (expected->gradient.empty()) return {};
  const double error = reference::relative_error(g, expected->gradient, 0.01L * real(loss.held.size) / real(n));
  return error <= digits ? "" : "gradient off by " + number(error) + " of its largest, " + number(static_cast<double>(steepest));
}

}  // namespace

TEST_CASE("outliers: every loss is finite and right for long tails, crowds and outliers, at every temperature") {
  constexpr std::array<size_t, 7> sizes{1, 2, 3, 9, 40, 130, 600};
  constexpr std::array spreads{1e-4, 1e-2, 0.3, 1.0, 7.0, 30.0, 300.0, 1e4};
  for (const loss_case& loss : losses()) {
    INFO(loss.name);
    unsigned seed = 0;
    for (const shape how : shapes)
      for (const levels grades : all_levels)
        for (const double spread : spreads) {
          // Each time another size, so that all meet all sooner or later.
          const size_t n = sizes[++seed * 5 % sizes.size()];
          const bool right = loss.right && n <= loss.held.longest;
          INFO(n << " items, shape " << static_cast<int>(how) << ", levels " << static_cast<int>(grades) << ", spread " << spread << ", seed "
                 << seed);
          const drawn_list items = draw_list(seed, n, how, grades, spread);
          derivatives expected;
          if (right) expected = expectation(loss, items);
          CHECK(fault<float>(loss, items, spread, right ? &expected : nullptr) == "");
          CHECK(fault<double>(loss, items, spread, right ? &expected : nullptr) == "");
        }
  }
}

TEST_CASE("outliers: every loss at 3000 items is finite, and some sums over pairs are right") {
#if defined(RANKLOSS_ADDRESS_SANITIZER)
  constexpr size_t longest = 1000;
#else
  constexpr size_t longest = 3000;
#endif
  for (const loss_case& loss : losses()) {
    INFO(loss.name);
    unsigned seed = 1000;
    for (const shape how : shapes) {
      const levels grades = how == shape::tail ? levels::real_valued : all_levels[++seed % all_levels.size()];
      INFO("shape " << static_cast<int>(how) << ", levels " << static_cast<int>(grades));
      // Rows of soft permutations are as long as scores are near.
      const bool rows = loss.name.starts_with("neural");
      const drawn_list items = draw_list(seed, longest, how, grades, rows ? 300.0 : 20.0);
      const bool right =
          (loss.name == "ranknet" && (how == shape::tail || how == shape::outliers)) || (loss.name == "lambdarank" && how == shape::tail);
      derivatives expected;
      if (right) expected = expectation(loss, items);
      CHECK(fault<float>(loss, items, 20.0, right ? &expected : nullptr) == "");
      CHECK(fault<double>(loss, items, 20.0, right ? &expected : nullptr) == "");
    }
  }
}

}  // namespace outlier_promises_test
