// SPDX-License-Identifier: BSL-1.0

// What every list loss promises at the ends of what numbers can be: scores, relevance, weights and lengths that are the largest, the smallest
// normal and subnormal ones; and of items that are alike. A new loss joins by a line in `list_losses`.

#include <rankloss/bidirectional.hpp>
#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
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
#include <rankloss/smooth_precision_at_k.hpp>
#include <rankloss/smooth_recall_at_k.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/weighted_sum.hpp>
#include <rankloss/xe_ndcg.hpp>

#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace extreme_promises_test {

namespace {

using rankloss::list_batch;
using rankloss::outputs;
using rankloss::reduction;

/// What a factor on all item weights of a list, or on all its relevance, makes of a loss.
enum class scaling {
  none,        ///< nothing
  factor,      ///< the same factor
  complement,  ///< what is missing to 1 times the factor
  other
};

struct claims {
  scaling by_weight = scaling::none;
  scaling by_relevance = scaling::other;
  double degree = 0.0;   ///< scores and lengths times c: the value times c^degree
  bool lengths = true;   ///< what is in units of the scores is all among its lengths
  bool bounded = false;  ///< scores further apart than some hundred lengths are as far as any
  bool ordered = false;  ///< alike items are told apart by their order, as its header says
};

template <class T>
struct any_loss {
  std::string name;
  claims claimed;
  bool has_hessian;
  std::function<double(const list_batch<T>&, const outputs&, double)> at;  ///< with all lengths times a factor

  /// `make(c)` is the loss with all its lengths times c.
  template <class Make>
  any_loss(std::string label, const claims& c, Make make)
      : name(std::move(label)),
        claimed(c),
        has_hessian(rankloss::detail::gives_hessian<decltype(make(1.0))>),
        at([make](const list_batch<T>& batch, const outputs& out, double length) { return evaluate(make(length), batch, out); }) {}
};

const std::vector<double> table{0.0, 0.5, 3.0, 1.0};
const std::vector<double> tiny_table{0.0, 5e-311, 3e-310, 1e-310};
const std::vector<double> thresholds{-1e308, -1.0, std::nextafter(-1.0, 0.0), 1e-310, 1e308};

template <class T>
const std::vector<any_loss<T>>& list_losses() {
  using namespace rankloss;
  using scaling::complement;
  using scaling::factor;
  using scaling::none;
  const claims bounded{.bounded = true};
  const claims binary{.by_relevance = none, .bounded = true};
  const claims weighed{.by_weight = factor};
  const claims weighed_pairs{.by_weight = factor, .by_relevance = none};
  const auto smooth = [](auto metric, auto ranks) { return smooth_metric<decltype(metric), decltype(ranks)>{metric, ranks}; };
  static const std::vector<any_loss<T>> all{
      {"sndcg", bounded, [](double c) { return sndcg{.temperature = c}; }},
      {"sndcg, linear gain, cutoff", binary, [](double c) { return sndcg{.temperature = c, .gain = gain::linear, .cutoff = 3}; }},
      {"sndcg, table", bounded, [](double c) { return sndcg{.temperature = c, .gain = gain::table, .gain_table = table}; }},
      {"sndcg, table of subnormal gains", bounded, [](double c) { return sndcg{.temperature = c, .gain = gain::table, .gain_table = tiny_table}; }},
      {"smooth_ap", binary, [](double c) { return smooth_ap{.ranks = {.temperature = c}}; }},
      {"smooth_recall_at_k", binary, [](double c) { return smooth_recall_at_k{.metric = {.cutoff = 3}, .ranks = {.temperature = c}}; }},
      {"smooth_precision_at_k",
       {.by_weight = complement, .by_relevance = none, .bounded = true},
       [](double c) { return smooth_precision_at_k{.metric = {.cutoff = 3}, .ranks = {.temperature = c}}; }},
      {"smooth RBP of Laplace ranks",
       {.by_weight = complement, .by_relevance = complement, .bounded = true},
       [smooth](double c) { return smooth(metrics::rank_biased_precision{}, laplace_ranks{.temperature = c}); }},
      {"smooth NDCG of projected ranks", bounded, [smooth](double c) { return smooth(metrics::ndcg{}, projected_ranks{.temperature = c}); }},
      {"smooth NDCG of entropic ranks", binary,
       [smooth](double c) {
         return smooth(metrics::ndcg{.gain = gain::linear}, projected_ranks{.temperature = c, .regularization = regularization::entropic});
       }},
      {"smooth_mrr", binary, [](double c) { return smooth_mrr{.ranks = {.temperature = c}}; }},
      {"smooth ERR", bounded, [smooth](double c) { return smooth(metrics::expected_reciprocal_rank{}, sigmoid_ranks{.temperature = c}); }},
      {"soft_spearman", binary, [](double c) { return soft_spearman<>{{.temperature = c}}; }},
      {"soft_spearman of projected ranks", binary, [](double c) { return soft_spearman<projected_ranks>{{.temperature = c}}; }},
      {"neural_ndcg", bounded, [](double c) { return neural_ndcg{.temperature = c, .steps = 5, .tolerance = 0.0}; }},
      {"neural_ndcg without Sinkhorn", binary, [](double c) { return neural_ndcg{.temperature = c, .gain = gain::linear, .cutoff = 3, .steps = 0}; }},
      {"neural_sort_cross_entropy", {}, [](double c) { return neural_sort_cross_entropy{.temperature = c}; }},
      {"softmax_cross_entropy", {.by_relevance = none}, [](double c) { return softmax_cross_entropy{.temperature = c}; }},
      {"softmax_cross_entropy, relevance as it is",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) { return softmax_cross_entropy{.temperature = c, .target = target::relevance}; }},
      {"listnet", {}, [](double c) { return listnet{.temperature = c, .relevance_temperature = 2.0}; }},
      {"xe_ndcg", {}, [](double c) { return xe_ndcg{.temperature = c, .gammas = gammas::constant}; }},
      {"xe_ndcg, gamma of 1", {}, [](double c) { return xe_ndcg{.temperature = c, .gammas = gammas::constant, .gamma = 1.0}; }},
      {"listmle", {.by_weight = factor, .by_relevance = none, .ordered = true}, [](double c) { return listmle{.temperature = c}; }},
      {"listmle, position weights and cutoff",
       {.by_weight = factor, .by_relevance = none, .ordered = true},
       [](double c) { return listmle{.temperature = c, .cutoff = 3, .weights = position_weights::exponential}; }},
      {"listmle, exact ties", {.by_relevance = none}, [](double c) { return listmle{.temperature = c, .ties = tie_order::exact}; }},
      {"unique_softmax",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) { return unique_softmax{.temperature = c, .gain = gain::linear}; }},
      {"ranknet", weighed_pairs, [](double c) { return ranknet{.function = {.temperature = c}}; }},
      {"ranknet, mean by weight",
       {.by_relevance = none},
       [](double c) { return ranknet{.function = {.temperature = c}, .average = pairs::average::weight}; }},
      {"ranknet, cutoff", weighed_pairs, [](double c) { return ranknet{.function = {.temperature = c}, .cutoff = 3}; }},
      {"soft zero one",
       {.by_weight = factor, .by_relevance = none, .bounded = true},
       [](double c) { return pairwise<pairs::soft_zero_one>{.function = {.temperature = c}, .average = pairs::average::pairs}; }},
      {"hinge", {.by_weight = factor, .by_relevance = none, .degree = 1}, [](double c) { return pairwise<pairs::hinge>{.function = {.margin = c}}; }},
      {"hinge without margin",
       {.by_weight = factor, .by_relevance = none, .degree = 1},
       [](double) { return pairwise<pairs::hinge>{.function = {.margin = 0.0}}; }},
      {"squared hinge",
       {.by_weight = factor, .by_relevance = none, .degree = 2},
       [](double c) { return pairwise<pairs::squared_hinge>{.function = {.margin = c}}; }},
      {"exponential", weighed_pairs, [](double c) { return pairwise<pairs::exponential>{.function = {.temperature = c}}; }},
      {"squared difference", {.by_weight = factor, .lengths = false}, [](double) { return pairwise<pairs::squared_difference>{}; }},
      {"quantile", {.by_weight = factor, .lengths = false}, [](double) { return pairwise<pairs::quantile>{.function = {.tau = 1.0}}; }},
      {"lambdarank", weighed, [](double c) { return lambdarank{.function = {.temperature = c}}; }},
      {"lambdarank, linear gain, as it is",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) { return lambdarank{.function = {.temperature = c}, .weight = {.gain = gain::linear, .scale = pairs::scale_by::none}}; }},
      {"lambdarank_map, cutoff", weighed_pairs, [](double c) { return lambdarank_map{.function = {.temperature = c}, .cutoff = 3}; }},
      {"ndcg_loss1",
       {.by_weight = factor, .by_relevance = none},
       [](double c) { return ndcg_loss1{.function = {.temperature = c}, .weight = {.gain = gain::linear}}; }},
      {"ndcg_loss2_plus", weighed, [](double c) { return ndcg_loss2_plus{.function = {.temperature = c}}; }},
      {"arp_loss1", {.by_weight = factor, .by_relevance = factor}, [](double c) { return arp_loss1{.function = {.temperature = c}}; }},
      {"arp_loss2", {.by_weight = factor, .by_relevance = factor}, [](double c) { return arp_loss2{.function = {.temperature = c}}; }},
      {"differences of squares", weighed,
       [](double c) { return arp_loss2{.function = {.temperature = c}, .weight = {pairs::difference_of::squares}}; }},
      {"pointwise squared", {.lengths = false}, [](double) { return pointwise_squared{}; }},
      {"pointwise logistic, sum",
       {.by_weight = factor, .lengths = false},
       [](double) { return pointwise_logistic{.over_items = item_reduction::sum}; }},
      {"pointwise ordinal", {.lengths = false}, [](double) { return pointwise_ordinal{.function = {.thresholds = thresholds}}; }},
      {"pointwise smooth_l1", {.lengths = false}, [](double c) { return pointwise_smooth_l1{.function = {.beta = c}}; }},
      {"weighted_sum",
       {},
       [](double c) {
         return weighted_sum{weighted{0.25, sndcg{.temperature = c}}, weighted{2.0, softmax_cross_entropy{.temperature = c}}};
       }},
  };
  return all;
}

struct result {
  double value = 0.0;
  std::vector<double> gradient, hessian;
};

/// One list.
template <class T>
struct problem {
  std::vector<T> scores, relevance;
  std::vector<double> item_weights{};

  [[nodiscard]] result solved_by(const any_loss<T>& loss, double length = 1.0) const {
    std::vector<T> g(scores.size(), T{7}), h(loss.has_hessian ? scores.size() : 0, T{7});
    const list_batch<T> batch{.scores = scores, .relevance = relevance, .item_weights = item_weights};
    const double value = loss.at(batch, {.gradient = g, .hessian = h}, length);
    return {value, {g.begin(), g.end()}, {h.begin(), h.end()}};
  }
};

bool finite(const result& r) {
  const auto all = [](const std::vector<double>& x) { return std::all_of(x.begin(), x.end(), [](double v) { return std::isfinite(v); }); };
  return std::isfinite(r.value) && all(r.gradient) && all(r.hessian);
}

/// Where two arrays are further apart than `tolerance` of the largest of their numbers and `least`, or nothing.
std::string first_gap(const std::vector<double>& a, const std::vector<double>& b, double tolerance, double least) {
  double largest = least;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max({largest, std::abs(a[i]), std::abs(b[i])});
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= tolerance * largest)) {
      std::ostringstream text;
      text << a[i] << " and " << b[i] << " at " << i << ", the largest being " << largest;
      return text.str();
    }
  return {};
}

/// Two solutions of one problem, the latter's numbers times powers of two: to the digits of T, but for what T holds as a subnormal number, or not
/// at all.
template <class T>
void same(const result& a, const result& b, double value_factor, double slope_factor, double bend_factor, double value_least) {
  constexpr double digits = std::is_same_v<T, float> ? 4e-6 : 1e-12;
  constexpr auto normal = static_cast<double>(std::numeric_limits<T>::min());
  const auto most = static_cast<double>(std::numeric_limits<T>::max());
  const auto times = [most](std::vector<double> x, double factor) {
    for (double& v : x) v = std::clamp(v * factor, -most, most);
    return x;
  };
  CHECK(first_gap({a.value}, {b.value * value_factor}, digits, std::max(value_least, std::numeric_limits<double>::min() / digits)) == "");
  CHECK(first_gap(a.gradient, times(b.gradient, slope_factor), digits, std::max(slope_factor * 1e-3, normal / digits)) == "");
  CHECK(first_gap(a.hessian, times(b.hessian, bend_factor), 100 * digits, std::max(bend_factor * 1e-3, normal / digits)) == "");
}

template <class T>
void same(const result& a, const result& b, double value_factor, double slope_factor, double bend_factor) {
  same<T>(a, b, value_factor, slope_factor, bend_factor, value_factor);
}

/// The same, where a factor on weights or relevance is what is claimed of it.
template <class T>
void same(const result& a, const result& b, scaling how, double factor) {
  if (how == scaling::none) same<T>(a, b, 1.0, 1.0, 1.0);
  if (how == scaling::factor) same<T>(a, b, factor, factor, factor);
  if (how != scaling::complement) return;
  if (a.value == 0.0 && b.value == 0.0) return same<T>(a, b, 1.0, 1.0, 1.0);  // a list without relevance
  same<T>({1.0 - a.value, a.gradient, {}}, {1.0 - b.value, b.gradient, {}}, factor, factor, 1.0, std::max(factor, 1.0));
}

/// Scores with ties, grades 0 to 3 and weights 1 to 3, all of few bits.
template <class T>
problem<T> plain(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  problem<T> p;
  for (std::size_t i = 0; i < n; ++i) {
    p.scores.push_back(static_cast<T>(static_cast<double>(random() % 64) / 16 - 2));
    p.relevance.push_back(static_cast<T>(random() % 4));
    p.item_weights.push_back(static_cast<double>(1 + random() % 3));
  }
  return p;
}

constexpr std::size_t sizes[] = {2, 7, 40, 300, 600};

template <class T>
constexpr bool narrow = std::is_same_v<T, float>;

/// Calls body(loss, problem, solution) for every loss and length.
template <class T, class Body>
void for_each_loss(unsigned seed, Body body) {
  for (const any_loss<T>& loss : list_losses<T>())
    for (const std::size_t n : sizes) {
      INFO(loss.name << ", " << n << " items");
      const problem<T> p = plain<T>(n, seed);
      body(loss, p, p.solved_by(loss));
    }
}

}  // namespace

TEMPLATE_TEST_CASE("extremes: item weights of any size", "", float, double) {
  using T = TestType;
  for_each_loss<T>(3, [](const any_loss<T>& loss, const problem<T>& base, const result& expected) {
    for (const int power : {900, 1020, -900, -1022, -1060}) {
      INFO("weights times 2^" << power);
      problem<T> p = base;
      for (double& w : p.item_weights) w = std::ldexp(w, power);
      const result r = p.solved_by(loss);
      CHECK(finite(r));
      // A loss beyond 1e290 is that.
      if (power < 1000 || loss.claimed.by_weight == scaling::none) same<T>(r, expected, loss.claimed.by_weight, std::ldexp(1.0, power));
    }
    using limits = std::numeric_limits<double>;
    const double any[] = {limits::max(), limits::denorm_min(), limits::min(), 0.0, 1.0};
    problem<T> p = base;
    for (std::size_t i = 0; i < p.item_weights.size(); ++i) p.item_weights[i] = any[i % 5];
    CHECK(finite(p.solved_by(loss)));
  });
}

TEMPLATE_TEST_CASE("extremes: scores and lengths of any size", "", float, double) {
  using T = TestType;
  for_each_loss<T>(4, [](const any_loss<T>& loss, const problem<T>& base, const result& expected) {
    for (const int power : {-49, narrow<T> ? 110 : 900}) {
      INFO("scores and lengths times 2^" << power);
      problem<T> p = base;
      for (T& s : p.scores) s = std::ldexp(s, power);
      const result r = p.solved_by(loss, std::ldexp(1.0, power));
      CHECK(finite(r));
      const auto factor = [&](double by) { return std::ldexp(1.0, static_cast<int>(loss.claimed.degree - by) * power); };
      if (loss.claimed.lengths && (loss.claimed.degree < 2 || power < 0)) same<T>(r, expected, factor(0), factor(1), factor(2));
    }
    for (const double length : {1e-15, 1e299, 1e300}) {
      INFO("lengths times " << length);
      CHECK(finite(base.solved_by(loss, length)));
    }
  });
}

TEMPLATE_TEST_CASE("extremes: relevance of any size", "", float, double) {
  using T = TestType;
  using limits = std::numeric_limits<T>;
  for_each_loss<T>(5, [](const any_loss<T>& loss, const problem<T>& base, const result& expected) {
    for (const int power : {narrow<T> ? 100 : 900, narrow<T> ? -140 : -1060}) {
      INFO("relevance times 2^" << power);
      problem<T> p = base;
      for (T& y : p.relevance) y = std::ldexp(y, power);
      const result r = p.solved_by(loss);
      CHECK(finite(r));
      same<T>(r, expected, loss.claimed.by_relevance, std::ldexp(1.0, power));
    }
    for (const T most : {limits::max(), limits::min(), limits::denorm_min()})
      for (const bool weighted : {false, true}) {
        INFO("relevance of " << most << ", weighted " << weighted);
        problem<T> p = base;
        if (!weighted) p.item_weights.clear();
        for (std::size_t i = 0; i < p.relevance.size(); ++i) p.relevance[i] = i % 3 == 0 ? T{0} : most;
        CHECK(finite(p.solved_by(loss)));
        for (std::size_t i = 0; i < p.relevance.size(); ++i) p.relevance[i] = i % 3 == 0 ? T{1} : i % 3 == 1 ? T{0} : most;
        CHECK(finite(p.solved_by(loss)));
      }
  });
}

TEMPLATE_TEST_CASE("extremes: items at the ends of the scores", "", float, double) {
  using T = TestType;
  using limits = std::numeric_limits<T>;
  for_each_loss<T>(6, [](const any_loss<T>& loss, const problem<T>& base, const result&) {
    const T ends[] = {-limits::infinity(), limits::lowest(), limits::max(), limits::infinity(), limits::denorm_min(), limits::min()};
    for (const T low : ends)
      for (const T high : ends) {
        INFO("scores of " << low << " and " << high);
        problem<T> p = base;
        problem<T> near = base;  // with scores as far as any
        const auto stand_in = [](T s) { return std::abs(s) < T(1) ? s : std::copysign(T(1 << 20), s); };
        for (std::size_t i = 0; i < p.scores.size(); ++i)
          if (i % 4 < 2) {
            p.scores[i] = i % 2 == 0 ? low : high;
            near.scores[i] = stand_in(p.scores[i]);
          }
        const result r = p.solved_by(loss);
        CHECK(finite(r));
        if (loss.claimed.bounded) same<T>(r, near.solved_by(loss), 1.0, 1.0, 1.0);
      }
  });
}

TEMPLATE_TEST_CASE("extremes: weights of rows and columns of any size", "", float, double) {
  using T = TestType;
  using rankloss::bidirectional;
  std::mt19937_64 random(7);
  std::vector<T> s(5 * 5);
  for (T& x : s) x = static_cast<T>(random() % 16) / 4;
  const auto solved = [&](const auto& loss, const std::vector<double>& weights) {
    std::vector<T> g(s.size());
    const rankloss::similarity_batch<T> batch{.similarity = s, .rows = 5, .columns = 5, .row_weights = weights, .column_weights = weights};
    const double value = evaluate(loss, batch, {.gradient = g});
    return result{value, {g.begin(), g.end()}, {}};
  };
  const auto check = [&](const auto& loss) {
    const result even = solved(loss, {}), uneven = solved(loss, {1, 2, 3, 2, 1});
    for (const double w : {std::ldexp(1.0, 1022), std::numeric_limits<double>::min(), 1e-320, std::numeric_limits<double>::denorm_min()}) {
      INFO("weights of " << w);
      same<T>(solved(loss, std::vector<double>(5, w)), even, 1.0, 1.0, 1.0);
      same<T>(solved(loss, {w / 2, w, w / 2 * 3, w, w / 2}), w / 2 > 0 ? uneven : solved(loss, {0, 1, 0, 1, 0}), 1.0, 1.0, 1.0);
      CHECK(finite(solved(loss, {w, 1e308, 1.0, 0.0, 1e-320})));
    }
  };
  check(bidirectional<rankloss::sndcg>{});
  check(bidirectional<rankloss::softmax_cross_entropy>{});
  check(rankloss::triplet{});
  check(rankloss::triplet{.mine = rankloss::mining::all});
}

TEST_CASE("extremes: tree hosts, with weights and scores of any size") {
  using limits = std::numeric_limits<double>;
  problem<double> base = plain<double>(40, 8);
  const auto check = [&](const auto& loss) {
    for (const double weight : {limits::max(), limits::min(), limits::denorm_min()})
      for (const double score : {limits::max(), -limits::infinity(), limits::denorm_min()}) {
        problem<double> p = base;
        for (std::size_t i = 0; i < p.scores.size(); i += 3) p.item_weights[i] = weight;
        for (std::size_t i = 0; i < p.scores.size(); i += 4) p.scores[i] = score;
        std::vector<double> g(40), h(40);
        const list_batch<double> batch{.scores = p.scores, .relevance = p.relevance, .item_weights = p.item_weights};
        const double value = evaluate(loss, batch, {.gradient = g, .hessian = h});
        CHECK(finite({value, g, h}));
      }
  };
  check(rankloss::xgboost::ndcg{});
  check(rankloss::xgboost::pairwise{});
  check(rankloss::lightgbm::lambdarank{});
  check(rankloss::lightgbm::rank_xendcg{});
  for (double& y : base.relevance) y = std::min(y, 1.0);
  check(rankloss::xgboost::map{});
}

TEMPLATE_TEST_CASE("alike: items alike in score, relevance and weight have the same gradient", "", float, double) {
  using T = TestType;
  constexpr double digits = narrow<T> ? 4e-6 : 1e-11;
  for (const any_loss<T>& loss : list_losses<T>())
    for (const std::size_t n : sizes)
      for (const std::size_t levels : {1u, 2u, 5u}) {
        if (loss.claimed.ordered) continue;
        INFO(loss.name << ", " << n << " items, " << levels << " scores");
        std::mt19937_64 random(n + levels);
        problem<T> p;
        std::vector<std::size_t> kind;
        for (std::size_t i = 0; i < n; ++i) {
          const std::size_t s = random() % levels, y = random() % 3, w = random() % 2;
          kind.push_back((s * 3 + y) * 2 + w);
          p.scores.push_back(static_cast<T>(s));  // a margin of 1 apart: hinges at their kinks
          p.relevance.push_back(static_cast<T>(y));
          p.item_weights.push_back(static_cast<double>(1 + w));
        }
        const result r = p.solved_by(loss);
        std::vector<double> g = r.gradient, h = r.hessian;
        for (std::size_t i = 0; i < n; ++i) {
          const auto first = static_cast<std::size_t>(std::find(kind.begin(), kind.end(), kind[i]) - kind.begin());
          g[i] = g[first];
          if (!h.empty()) h[i] = h[first];
        }
        CHECK(first_gap(r.gradient, g, digits, 1e-3) == "");
        CHECK(first_gap(r.hessian, h, 100 * digits, 1e-3) == "");
      }
}

TEST_CASE("alike: of a matrix, columns alike in similarity and match have the same gradient") {
  std::mt19937_64 random(9);
  const auto check = [&](const auto& loss, std::size_t rows, std::size_t columns) {
    std::vector<double> s(rows * columns), g(rows * columns);
    std::vector<int> row_classes(rows), column_classes(columns);
    for (std::size_t i = 0; i < rows; ++i) row_classes[i] = static_cast<int>(i % 3);
    for (std::size_t j = 0; j < columns; ++j) column_classes[j] = static_cast<int>(j % 3);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < 6; ++j) {
        const auto x = static_cast<double>(random() % 3) / 4;  // at margins of 1/4
        for (std::size_t k = j; k < columns; k += 6) s[i * columns + k] = x;
      }
    const rankloss::similarity_batch<double> batch{
        .similarity = s, .rows = rows, .columns = columns, .row_classes = row_classes, .column_classes = column_classes};
    evaluate(loss, batch, {.gradient = g});
    std::vector<double> first = g;
    for (std::size_t at = 0; at < g.size(); ++at) first[at] = g[at / columns * columns + at % columns % 6];
    CHECK(first_gap(g, first, 1e-12, 1e-3) == "");
  };
  for (const auto mine : {rankloss::mining::hardest, rankloss::mining::all}) {
    check(rankloss::triplet{.margin = 0.25, .mine = mine}, 5, 24);
    check(rankloss::triplet{.margin = 0.25, .mine = mine}, 100, 120);  // in sorted order
  }
  check(rankloss::bidirectional<rankloss::lambdarank>{}, 9, 24);
}

}  // namespace extreme_promises_test
