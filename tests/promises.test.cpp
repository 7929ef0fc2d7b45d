// SPDX-License-Identifier: BSL-1.0

// What every loss promises. A new loss joins by a line in `list_losses` or `similarity_losses`.

#include <rankloss/bidirectional.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
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
#include <rankloss/smooth_recall_at_k.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/weighted_sum.hpp>
#include <rankloss/xe_ndcg.hpp>

#include "support/allocations.hpp"
#include "support/shared_losses.hpp"
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

namespace promises_test {

namespace {

using rankloss::context;
using rankloss::list_batch;
using rankloss::outputs;
using rankloss::reduction;
using rankloss::similarity_batch;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr reduction reductions[] = {reduction::mean, reduction::mean_of_relevant, reduction::sum};

// ---------------------------------------------------------------------------------------------------------------- the losses

struct claims {
  double length = 1.0;          ///< on which the loss bends: slopes are of the order of 1 / length
  double step = 0x1p-10;        ///< of differences: small against length, and 2 steps against the 0.003 that `distinct` keeps from kinks
  bool smooth = true;           ///< without kinks: differences may be taken at ties
  bool shift_invariant = true;  ///< the value does not change when all scores are shifted
  bool zero_sum = true;         ///< the gradient of a list sums to 0
  double rounding = 1.0;        ///< how many times the roundings of others its sum may show: gaps of ranks magnify those of a band
  bool by_place = false;        ///< the order of the items decides among equals
  bool sloped = true;           ///< the gradient is the slope of the value
  bool jumps = false;           ///< where ranks that differ by a rounding pass each other: only equal bits give equal values
  bool rectangular = true;      ///< takes matrices that are not square
  bool transposable = true;     ///< of a matrix: rows and columns are measured alike
  bool takes_below_0 = false;   ///< takes relevance below 0: it compares relevance, or asks whether it is above 0, or has gains in a table
};

/// A loss whose type has been forgotten.
template <class FloatBatch, class DoubleBatch>
struct any_loss {
  std::string name;
  claims claimed;
  bool has_hessian;
  std::function<double(const FloatBatch&, const outputs&, context&)> in_float;
  std::function<double(const DoubleBatch&, const outputs&, context&)> in_double;

  template <class Loss>
  any_loss(std::string label, const claims& c, const Loss& loss)
      : name(std::move(label)),
        claimed(c),
        has_hessian(rankloss::detail::gives_hessian<Loss>),
        in_float([loss](const FloatBatch& batch, const outputs& out, context& ctx) { return evaluate(loss, batch, out, ctx); }),
        in_double([loss](const DoubleBatch& batch, const outputs& out, context& ctx) { return evaluate(loss, batch, out, ctx); }) {}

  double operator()(const FloatBatch& batch, const outputs& out, context& ctx) const { return in_float(batch, out, ctx); }
  double operator()(const DoubleBatch& batch, const outputs& out, context& ctx) const { return in_double(batch, out, ctx); }
};
using list_loss = any_loss<list_batch<float>, list_batch<double>>;
using matrix_loss = any_loss<similarity_batch<float>, similarity_batch<double>>;

const std::vector<list_loss>& list_losses() {
  using rankloss::gain;
  using rankloss::ideal;
  using rankloss::sndcg;
  using rankloss::weighted;
  namespace metrics = rankloss::metrics;
  static const std::vector<double> table{0.0, 0.5, 3.0, 1.0};  // the highest grade is worth nothing
  static const std::vector<double> thresholds{-3.1, -0.6, 1.2};
  static const std::vector<list_loss> all{
      {"sndcg, temperature 1", {.length = 1.0, .step = 0.01}, sndcg{.temperature = 1.0}},
      {"sndcg, temperature 0.1", {.length = 0.1, .step = 0.001}, sndcg{.temperature = 0.1}},
      {"sndcg, linear gain", {.length = 0.1, .step = 0.001}, sndcg{.temperature = 0.1, .gain = gain::linear}},
      {"sndcg, table of gains",
       {.length = 1.0, .step = 0.01, .takes_below_0 = true},
       sndcg{.temperature = 1.0, .gain = gain::table, .gain_table = table}},
      {"sndcg, cutoff 5", {.length = 0.1, .step = 0.0002}, sndcg{.temperature = 0.1, .cutoff = 5}},
      {"sndcg, competition ranks", {.length = 0.1, .step = 0.001}, sndcg{.temperature = 0.1, .ideal = ideal::competition_ranks}},
      {"weighted_sum of two sndcg",
       {.length = 0.3, .step = 0.003},
       rankloss::weighted_sum{weighted{0.3, sndcg{.temperature = 0.3}}, weighted{0.7, sndcg{.temperature = 1.0, .gain = gain::linear}}}},
      // Not stochastic, whose noise is keyed by places: it has tests of its own.
      {"smooth_ap", {.length = 0.3, .step = 0.003, .takes_below_0 = true}, rankloss::smooth_ap{.ranks = {.temperature = 0.3}}},
      {"smooth_recall_at_k",
       {.length = 0.3, .step = 0.0005, .takes_below_0 = true},
       rankloss::smooth_recall_at_k{.metric = {.cutoff = 5}, .ranks = {.temperature = 0.3}}},
      {"smooth_metric of RBP and Laplace ranks",
       {.length = 0.3, .step = 0.001, .smooth = false},
       rankloss::smooth_metric<metrics::rank_biased_precision, rankloss::laplace_ranks>{{}, {.temperature = 0.3}}},
      {"smooth_metric of NDCG and projected ranks",
       {.length = 0.3, .step = 0.0001, .smooth = false},
       rankloss::smooth_metric<metrics::ndcg, rankloss::projected_ranks>{{}, {.temperature = 0.3}}},
      {"smooth_mrr", {.length = 0.3, .jumps = true, .takes_below_0 = true}, rankloss::smooth_mrr{.ranks = {.temperature = 0.3}}},
      {"smooth_metric of ERR", {.length = 0.3, .jumps = true}, rankloss::smooth_metric<metrics::expected_reciprocal_rank>{{}, {.temperature = 0.3}}},
      {"soft_spearman", {.length = 1.0, .step = 0.003, .smooth = false, .takes_below_0 = true}, rankloss::soft_spearman<>{{.temperature = 1.0}}},
      {"neural_ndcg",
       {.length = 0.15, .step = 0.001, .smooth = false, .rounding = 10},
       rankloss::neural_ndcg{.temperature = 0.3, .steps = 3, .tolerance = 0.0}},
      {"neural_ndcg, implicit",
       {.length = 0.15, .smooth = false, .rounding = 10, .sloped = false},
       rankloss::neural_ndcg{.temperature = 0.3, .steps = 30, .derivative = rankloss::sinkhorn_derivative::implicit}},
      {"neural_ndcg without Sinkhorn",
       {.length = 0.15, .step = 0.001, .smooth = false, .rounding = 10},
       rankloss::neural_ndcg{.temperature = 0.3, .cutoff = 5, .steps = 0}},
      {"softmax_cross_entropy", {.length = 1.0, .step = 0.003}, rankloss::softmax_cross_entropy{}},
      {"softmax_cross_entropy, relevance as it is",
       {.length = 0.5, .step = 0.003},
       rankloss::softmax_cross_entropy{.temperature = 0.5, .target = rankloss::target::relevance, .poly = 0.7}},
      {"listnet", {.length = 0.5, .step = 0.003, .takes_below_0 = true}, rankloss::listnet{.temperature = 0.5, .relevance_temperature = 2.0}},
      {"xe_ndcg, constant gammas", {.length = 1.0, .step = 0.003}, rankloss::xe_ndcg{.gammas = rankloss::gammas::constant}},
      {"listmle", {.length = 0.5, .step = 0.003, .by_place = true, .takes_below_0 = true}, rankloss::listmle{.temperature = 0.5}},
      {"listmle, position weights and cutoff",
       {.length = 1.0, .step = 0.003, .by_place = true, .takes_below_0 = true},
       rankloss::listmle{.cutoff = 5, .weights = rankloss::position_weights::exponential}},
      {"listmle, exact ties", {.length = 1.0, .step = 0.01, .takes_below_0 = true}, rankloss::listmle{.ties = rankloss::tie_order::exact}},
      {"unique_softmax", {.length = 1.0, .step = 0.01}, rankloss::unique_softmax{}},
      {"pointwise squared",
       {.length = 1.0, .step = 0.01, .shift_invariant = false, .zero_sum = false, .takes_below_0 = true},
       rankloss::pointwise_squared{}},
      {"pointwise logistic", {.length = 1.0, .step = 0.01, .shift_invariant = false, .zero_sum = false}, rankloss::pointwise_logistic{}},
      {"pointwise ordinal",
       {.length = 1.0, .step = 0.01, .shift_invariant = false, .zero_sum = false},
       rankloss::pointwise_ordinal{.function = {.thresholds = thresholds}}},
      {"pointwise smooth_l1, sum",
       {.length = 0.2, .step = 0.001, .smooth = false, .shift_invariant = false, .zero_sum = false, .takes_below_0 = true},
       rankloss::pointwise_smooth_l1{.function = {.beta = 0.2}, .over_items = rankloss::item_reduction::sum}},
      {"ranknet", {.length = 1.0, .step = 0.01, .takes_below_0 = true}, rankloss::ranknet{}},
      {"soft zero one, mean of pairs",
       {.length = 0.5, .step = 0.005, .takes_below_0 = true},
       rankloss::pairwise<rankloss::pairs::soft_zero_one>{.function = {.temperature = 0.5}, .average = rankloss::pairs::average::pairs}},
      {"squared hinge without margin",
       {.length = 1.0, .step = 0.001, .smooth = false, .takes_below_0 = true},
       rankloss::pairwise<rankloss::pairs::squared_hinge>{.function = {.margin = 0.0}}},
      {"squared difference, by differences of relevance",
       {.length = 1.0, .step = 0.1, .takes_below_0 = true},
       rankloss::pairwise<rankloss::pairs::squared_difference, rankloss::pairs::relevance_difference>{}},
      {"lambdarank", {.length = 0.5, .step = 0.0005, .smooth = false, .by_place = true}, rankloss::lambdarank{.function = {.temperature = 0.5}}},
      {"lambdarank_map, cutoff 5",
       {.length = 1.0, .step = 0.0005, .smooth = false, .by_place = true, .takes_below_0 = true},
       rankloss::lambdarank_map{.cutoff = 5}},
      {"ndcg_loss2_plus", {.length = 1.0, .step = 0.0005, .smooth = false, .by_place = true}, rankloss::ndcg_loss2_plus{}},
      {"ndcg_loss1", {.length = 1.0, .step = 0.001, .smooth = false, .by_place = true}, rankloss::ndcg_loss1{}},
      {"arp_loss1", {.length = 1.0, .step = 0.01}, rankloss::arp_loss1{}},
      {"neural_sort_cross_entropy",
       {.length = 0.15, .step = 0.001, .smooth = false, .rounding = 10, .takes_below_0 = true},
       rankloss::neural_sort_cross_entropy{.temperature = 0.3}},
  };
  return all;
}

const std::vector<matrix_loss>& similarity_losses() {
  using rankloss::bidirectional;
  using rankloss::mining;
  using rankloss::sndcg;
  using rankloss::triplet;
  using rankloss::weighted;
  const claims kinked{.smooth = false, .takes_below_0 = true};
  static const std::vector<matrix_loss> all{
      {"bidirectional sndcg", {.length = 0.1, .step = 0.001}, bidirectional<sndcg>{sndcg{.temperature = 0.1}}},
      {"bidirectional sndcg, columns by relevance of rows",
       {.length = 0.1, .step = 0.001, .rectangular = false, .transposable = false},
       bidirectional<sndcg>{sndcg{.temperature = 0.1, .ideal = rankloss::ideal::competition_ranks}, rankloss::column_relevance::of_rows}},
      {"bidirectional softmax_cross_entropy", {.length = 1.0, .step = 0.003}, bidirectional<rankloss::softmax_cross_entropy>{}},
      {"bidirectional listmle, exact ties",
       {.length = 1.0, .step = 0.003, .takes_below_0 = true},
       bidirectional<rankloss::listmle>{{.ties = rankloss::tie_order::exact}}},
      {"bidirectional unique_softmax", {.length = 1.0, .step = 0.003}, bidirectional<rankloss::unique_softmax>{}},
      {"bidirectional ranknet", {.length = 1.0, .step = 0.003, .takes_below_0 = true}, bidirectional<rankloss::ranknet>{}},
      {"triplet, hardest", kinked, triplet{}},
      {"triplet, all", kinked, triplet{.mine = mining::all}},
      {"weighted_sum of triplet and bidirectional sndcg",
       {.length = 0.1, .step = 0.0005, .smooth = false},
       rankloss::weighted_sum{weighted{0.4, triplet{.mine = mining::all}}, weighted{0.6, bidirectional<sndcg>{sndcg{.temperature = 0.1}}}}},
  };
  return all;
}

// -------------------------------------------------------------------------------------------------------------- what is compared

/// What two computations of the same numbers may differ by, relative to the largest of them.
template <class T>
constexpr double rounding = std::is_same_v<T, float> ? 4e-6 : 2e-13;

template <class T>
std::vector<double> wide(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// Where two arrays first differ in a bit, or nothing.
template <class T>
std::string first_difference(std::span<const T> a, std::span<const T> b) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  if (a.size() != b.size()) return "sizes " + std::to_string(a.size()) + " and " + std::to_string(b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::bit_cast<bits>(a[i]) != std::bit_cast<bits>(b[i]))
      return Catch::StringMaker<T>::convert(a[i]) + " and " + Catch::StringMaker<T>::convert(b[i]) + " at " + std::to_string(i);
  return {};
}

/// Where two arrays are first further apart than `tolerance` times the largest of their numbers (or `least`, if that is larger), or nothing.
std::string first_gap(std::span<const double> a, std::span<const double> b, double tolerance, double least) {
  if (a.size() != b.size()) return "sizes " + std::to_string(a.size()) + " and " + std::to_string(b.size());
  double largest = least;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max({largest, std::abs(a[i]), std::abs(b[i])});
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= tolerance * largest))
      return Catch::StringMaker<double>::convert(a[i]) + " and " + Catch::StringMaker<double>::convert(b[i]) + " at " + std::to_string(i) +
             ", the largest being " + Catch::StringMaker<double>::convert(largest);
  return {};
}

template <class T>
bool all_finite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T x) { return std::isfinite(x); });
}

/// All that a call gives.
template <class T>
struct result {
  double value = 0.0;
  std::vector<T> gradient, hessian;
  std::vector<double> per_list;
};

template <class T>
std::string first_difference(const result<T>& a, const result<T>& b) {
  const auto of = [](const char* what, const std::string& text) { return text.empty() ? text : what + (": " + text); };
  std::string text = of("value", first_difference<double>(std::span(&a.value, 1), std::span(&b.value, 1)));
  if (text.empty()) text = of("gradient", first_difference<T>(a.gradient, b.gradient));
  if (text.empty()) text = of("hessian", first_difference<T>(a.hessian, b.hessian));
  if (text.empty()) text = of("per_list", first_difference<double>(a.per_list, b.per_list));
  return text;
}

template <class T>
std::size_t items(const list_batch<T>& batch) {
  return batch.scores.size();
}
template <class T>
std::size_t items(const similarity_batch<T>& batch) {
  return batch.similarity.size();
}
template <class T>
std::size_t list_count(const list_batch<T>& batch) {
  if (batch.length == 0) return batch.offsets.empty() ? 1 : batch.offsets.size() - 1;
  const std::size_t stride = std::max(batch.stride, batch.length);
  return (batch.scores.size() + stride - batch.length) / stride;
}
template <class T>
std::size_t list_count(const similarity_batch<T>& batch) {
  return batch.rows + batch.columns;
}

enum class wanted { gradient, hessian };  // a loss may take another way for each

/// Calls a loss with buffers full of `fill`.
template <class Loss, class Batch>
result<typename Batch::score_type> run(const Loss& loss, const Batch& batch, wanted want, context& ctx, double fill = nan) {
  using T = typename Batch::score_type;
  result<T> r;
  r.gradient.assign(items(batch), static_cast<T>(fill));
  r.hessian.assign(want == wanted::hessian ? items(batch) : 0, static_cast<T>(fill));
  r.per_list.assign(list_count(batch), fill);
  r.value = loss(batch, {.gradient = r.gradient, .per_list = r.per_list, .hessian = r.hessian}, ctx);
  return r;
}
template <class Loss, class Batch>
auto run(const Loss& loss, const Batch& batch, wanted want = wanted::gradient) {
  context ctx;
  return run(loss, batch, want, ctx);
}

template <class Loss>
std::vector<wanted> offered(const Loss& loss) {
  return loss.has_hessian ? std::vector{wanted::gradient, wanted::hessian} : std::vector{wanted::gradient};
}

/// First and second derivative at 0 from five values.
struct derivatives {
  double slope, curvature;
  double slope_rounding, curvature_rounding;  // what a few roundings of the values make of them
};
template <class Function>
derivatives differences(double h, Function value) {
  const double far_below = value(-2 * h), below = value(-h), middle = value(0.0), above = value(h), far_above = value(2 * h);
  const double rounding = 1e-15 * std::abs(middle);
  return {(far_below - 8 * below + 8 * above - far_above) / (12 * h), (-far_below + 16 * below - 30 * middle + 16 * above - far_above) / (12 * h * h),
          rounding / h, rounding / (h * h)};
}

// -------------------------------------------------------------------------------------------------------------------- the data

// All scores are whole multiples of 2^-6, so that they are the same in float and double and stay so when shifted, and hinges at a margin of
// 0.2 are at least 0.003 from their kinks.
constexpr double grid = 0x1p-6;

template <class X>
void shuffle(std::mt19937_64& random, std::vector<X>& values) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
}

enum class kind {
  distinct,    ///< no ties
  tied,        ///< few scores, each many times
  level,       ///< one score
  clusters,    ///< far apart, with ties
  same_grade,  ///< one relevance above 0
  irrelevant,  ///< nothing relevant
};

template <class T>
std::vector<T> scores_of(std::mt19937_64& random, std::size_t n, kind k) {
  std::vector<T> s(n);
  std::vector<std::size_t> places(std::max<std::size_t>(n, 256));
  std::iota(places.begin(), places.end(), std::size_t{0});
  shuffle(random, places);
  for (std::size_t i = 0; i < n; ++i) {
    double x = (static_cast<double>(places[i]) - static_cast<double>(places.size() / 2)) * grid;
    if (k == kind::tied) x = static_cast<double>(random() % 33) * 0.25 - 4.0;
    if (k == kind::level) x = 1.25;
    if (k == kind::clusters) x = static_cast<double>(random() % 5) * 256.0 - 512.0 + static_cast<double>(random() % 128) * grid;
    s[i] = static_cast<T>(x);
  }
  return s;
}

template <class T>
std::vector<T> grades_of(std::mt19937_64& random, std::size_t n) {
  std::vector<T> y = support::whole_numbers<T>(random, n, 8);
  for (T& x : y) x = std::max(x - T{4}, T{0});
  return y;
}

/// A ragged batch; float and double hold the same numbers.
template <class T>
struct lists {
  std::vector<T> scores, relevance;
  std::vector<std::size_t> offsets{0};
  std::vector<double> list_weights, item_weights;
  std::mt19937_64 random;

  explicit lists(unsigned seed) : random(seed) {}

  void add(std::size_t n, kind k = kind::distinct) {
    const auto s = scores_of<T>(random, n, k);
    auto y = grades_of<T>(random, n);
    if (k == kind::same_grade || k == kind::irrelevant) std::fill(y.begin(), y.end(), k == kind::same_grade ? T{2} : T{0});
    scores.insert(scores.end(), s.begin(), s.end());
    relevance.insert(relevance.end(), y.begin(), y.end());
    offsets.push_back(scores.size());
    list_weights.push_back(static_cast<double>(random() % 4) * 0.75);
    for (std::size_t i = 0; i < n; ++i) item_weights.push_back(static_cast<double>(random() % 5) * 0.5);
  }
  [[nodiscard]] std::size_t count() const { return offsets.size() - 1; }
  [[nodiscard]] std::size_t size(std::size_t l) const { return offsets[l + 1] - offsets[l]; }
  [[nodiscard]] list_batch<T> batch(reduction how = reduction::mean) const {
    return {.scores = scores, .relevance = relevance, .offsets = offsets, .reduction = how};
  }
  [[nodiscard]] list_batch<T> weighted(reduction how) const {
    auto b = batch(how);
    b.list_weights = list_weights;
    b.item_weights = item_weights;
    return b;
  }
  /// The part of an array that belongs to a list.
  template <class X>
  [[nodiscard]] std::vector<X> of(std::size_t l, const std::vector<X>& values) const {
    return {values.begin() + static_cast<std::ptrdiff_t>(offsets[l]), values.begin() + static_cast<std::ptrdiff_t>(offsets[l + 1])};
  }
};

template <class T>
lists<T> short_lists(bool ties) {
  lists<T> data(1);
  for (const std::size_t n : {0u, 1u, 2u, 5u, 17u, 3u, 0u}) data.add(n);
  data.add(6, kind::same_grade);
  data.add(7, kind::irrelevant);
  if (ties) {
    data.add(2, kind::level);
    data.add(8, kind::level);
    data.add(10, kind::tied);
    data.add(12, kind::clusters);
  }
  return data;
}

/// Every length that some loss treats in its own way: in lanes, in lanes with others of other lengths, alone.
template <class T>
lists<T> all_lists() {
  lists<T> data = short_lists<T>(true);
  for (int i = 0; i < 9; ++i) data.add(128);
  for (const std::size_t n : {33u, 64u, 100u, 128u, 256u, 257u}) data.add(n, kind::tied);
  for (const kind k : {kind::distinct, kind::tied, kind::clusters}) {
    data.add(300, k);
    data.add(700, k);
  }
  data.add(300, kind::same_grade);
  data.add(300, kind::irrelevant);
  data.add(128, kind::irrelevant);
  return data;
}

/// Similarities and all that may come with them.
template <class T>
struct matrix {
  std::size_t rows = 0, columns = 0, stride = 0;
  bool ties = false;
  std::vector<T> s;
  std::vector<std::uint8_t> matches;
  std::vector<int> row_classes, column_classes;
  std::vector<T> relevance, column_relevance;
  std::vector<double> row_weights, column_weights;

  matrix(std::mt19937_64& random, std::size_t m, std::size_t n, kind k = kind::distinct, std::size_t gap = 0)
      : rows(m), columns(n), stride(n + gap), ties(k != kind::distinct), s(scores_of<T>(random, m * (n + gap), k)) {
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = n; j < stride; ++j) s[i * stride + j] = static_cast<T>(nan);
  }
  matrix& classes(std::mt19937_64& random, unsigned count) {
    row_classes = support::whole_numbers<int>(random, rows, count);
    column_classes = support::whole_numbers<int>(random, columns, count);
    return *this;
  }
  matrix& flags(std::mt19937_64& random, unsigned one_in) {
    matches = support::whole_numbers<std::uint8_t>(random, rows * columns, one_in);
    for (auto& m : matches) m = m == 0 ? 1 : 0;
    return *this;
  }
  matrix& grades(std::mt19937_64& random, bool of_columns = false) {
    relevance = grades_of<T>(random, rows * columns);
    if (of_columns) column_relevance = grades_of<T>(random, rows * columns);
    return *this;
  }
  matrix& weights(std::mt19937_64& random) {
    row_weights = support::whole_numbers<double>(random, rows, 4);
    column_weights = support::whole_numbers<double>(random, columns, 3);
    return *this;
  }
  [[nodiscard]] similarity_batch<T> batch(reduction how = reduction::mean) const {
    return {.similarity = s,
            .rows = rows,
            .columns = columns,
            .stride = stride,
            .matches = matches,
            .row_classes = row_classes,
            .column_classes = column_classes,
            .relevance = relevance,
            .column_relevance = column_relevance,
            .row_weights = row_weights,
            .column_weights = column_weights,
            .reduction = how};
  }
  [[nodiscard]] bool taken_by(const matrix_loss& loss) const { return rows == columns || loss.claimed.rectangular; }
};

template <class T>
std::vector<matrix<T>> small_matrices(std::size_t gap = 0) {
  std::mt19937_64 random(2);
  std::vector<matrix<T>> all;
  const auto make = [&](std::size_t m, std::size_t n) -> matrix<T>& { return all.emplace_back(random, m, n, kind::distinct, gap); };
  make(0, 0);
  make(1, 1);
  make(6, 6);
  make(5, 8).classes(random, 3).weights(random);
  make(9, 4).flags(random, 3).grades(random);
  make(7, 7).grades(random, true).weights(random);
  make(7, 7).classes(random, 2);
  return all;
}

/// Matrices of more than one task, and with columns too long for lanes.
template <class T>
std::vector<matrix<T>> large_matrices(std::size_t gap = 0) {
  std::mt19937_64 random(3);
  std::vector<matrix<T>> all;
  all.emplace_back(random, 90, 140, kind::distinct, gap).classes(random, 20).weights(random);
  all.emplace_back(random, 300, 5, kind::tied, gap).flags(random, 4).grades(random);
  all.emplace_back(random, 128, 128, kind::tied, gap).grades(random, true);
  return all;
}

template <class T>
std::vector<matrix<T>> all_matrices(std::size_t gap = 0) {
  auto all = small_matrices<T>(gap);
  for (auto& m : large_matrices<T>(gap)) all.push_back(std::move(m));
  return all;
}

// ------------------------------------------------------------------------------------------ promises of lists and matrices alike

/// The same bits on any number of threads, on repetition and whatever the buffers held.
template <class Loss, class Batch>
void repeats_itself(const Loss& loss, const Batch& batch, std::vector<context>& contexts) {
  for (const wanted want : offered(loss)) {
    const auto expected = run(loss, batch, want, contexts[0]);
    for (context& ctx : contexts) {
      INFO("on " << ctx.workers() << " threads");
      CHECK(first_difference(run(loss, batch, want, ctx), expected) == "");
    }
  }
  context ctx;
  const auto expected = run(loss, batch, wanted::gradient, ctx);
  const double alone = loss(batch, {}, ctx);  // the value by itself may be summed in another order
  CHECK(alone == Approx(expected.value).epsilon(1e-6).margin(1e-6));
  CHECK(loss(batch, {}, ctx) == alone);
}

std::vector<context> one_two_and_seven() {
  std::vector<context> contexts;
  for (const std::size_t workers : {1u, 2u, 7u}) contexts.emplace_back(rankloss::threads(workers));
  return contexts;
}

template <class Loss, class Batch>
void allocates_nothing_the_second_time(const Loss& loss, const Batch& batch) {
  using T = typename Batch::score_type;
  std::vector<T> gradient(items(batch)), hessian(loss.has_hessian ? items(batch) : 0);
  std::vector<double> per_list(list_count(batch));
  const auto call = [&](context& ctx) {
    loss(batch, {.gradient = gradient, .per_list = per_list, .hessian = hessian}, ctx);
    loss(batch, {.gradient = gradient, .scale = 2.0, .update = rankloss::update::add}, ctx);
    loss(batch, {}, ctx);
  };
  context alone;
  call(alone);
  const std::size_t before = support::allocations();
  const std::size_t held = alone.scratch_capacity();
  call(alone);
  CHECK(support::allocations() == before);
  CHECK(alone.scratch_capacity() == held);

  // Which worker meets which list is left to chance, so each is grown to what one needs for all before the first call, which grows the rest.
  context many{rankloss::threads(3)};
  for (std::size_t w = 0; w < many.workers(); ++w) {
    const rankloss::workspace::scope scope(many.scratch(w));
    (void)many.scratch(w).template take<std::byte>(2 * held);
  }
  call(many);
  const std::size_t warm = support::allocations();
  call(many);
  CHECK(support::allocations() == warm);
}

template <class Loss, class Batch>
void writes_what_outputs_ask_for(const Loss& loss, const Batch& batch) {
  using T = typename Batch::score_type;
  using other = std::conditional_t<std::is_same_v<T, float>, double, float>;
  const std::size_t n = items(batch);
  context ctx;
  const wanted want = loss.has_hessian ? wanted::hessian : wanted::gradient;
  const result<T> plain = run(loss, batch, want, ctx);
  const auto g = wide(plain.gradient);
  const auto h = wide(plain.hessian);
  const double small = 1e-3 / loss.claimed.length;

  // per_list alone, gradient alone, hessian alone
  std::vector<double> per_list(list_count(batch), nan);
  loss(batch, {.per_list = per_list}, ctx);
  CHECK(first_gap(per_list, plain.per_list, rounding<T>, 1.0) == "");
  if (loss.has_hessian) {
    std::vector<T> hessian(n, static_cast<T>(nan));
    CHECK(loss(batch, {.hessian = hessian}, ctx) == plain.value);
    CHECK(first_difference<T>(hessian, plain.hessian) == "");
  }

  // scale: of what is written, not of the value
  result<T> scaled = plain;
  CHECK(loss(batch, {.gradient = scaled.gradient, .per_list = scaled.per_list, .hessian = scaled.hessian, .scale = -2.5}, ctx) == plain.value);
  CHECK(first_difference<double>(scaled.per_list, plain.per_list) == "");
  const auto times = [](std::vector<double> values, double factor, double added) {
    for (double& x : values) x = added + factor * x;
    return values;
  };
  CHECK(first_gap(wide(scaled.gradient), times(g, -2.5, 0.0), rounding<T>, small) == "");
  CHECK(first_gap(wide(scaled.hessian), times(h, -2.5, 0.0), rounding<T>, small) == "");
  loss(batch, {.gradient = scaled.gradient, .hessian = scaled.hessian, .scale = 0.0}, ctx);
  CHECK(wide(scaled.gradient) == std::vector<double>(n, 0.0));
  CHECK(wide(scaled.hessian) == std::vector<double>(h.size(), 0.0));

  // update::add: of gradient and hessian, not of per_list
  result<T> added = plain;
  std::fill(added.gradient.begin(), added.gradient.end(), T{3});
  std::fill(added.hessian.begin(), added.hessian.end(), T{-5});
  const outputs add{.gradient = added.gradient, .per_list = added.per_list, .hessian = added.hessian, .scale = 0.5, .update = rankloss::update::add};
  CHECK(loss(batch, add, ctx) == plain.value);
  CHECK(first_difference<double>(added.per_list, plain.per_list) == "");
  CHECK(first_gap(wide(added.gradient), times(g, 0.5, 3.0), rounding<T>, small) == "");
  CHECK(first_gap(wide(added.hessian), times(h, 0.5, -5.0), rounding<T>, small) == "");

  // float from double scores, double from float scores
  result<other> cast;
  cast.gradient.assign(n, static_cast<other>(nan));
  cast.hessian.assign(h.size(), static_cast<other>(nan));
  CHECK(loss(batch, {.gradient = cast.gradient, .hessian = cast.hessian}, ctx) == plain.value);
  CHECK(first_gap(wide(cast.gradient), g, 1e-6, 0.0) == "");
  CHECK(first_gap(wide(cast.hessian), h, 1e-6, 0.0) == "");

  if (loss.has_hessian) return;
  std::vector<T> hessian(n, T{7});
  added.gradient.assign(n, T{7});
  if (n > 0)
    CHECK_THROWS_WITH(loss(batch, {.gradient = added.gradient, .hessian = hessian}, ctx),
                      "rankloss: hessian: this loss has none, expected an empty output");
  CHECK(added.gradient == std::vector<T>(n, T{7}));
  CHECK(hessian == std::vector<T>(n, T{7}));
}

/// Of the lists that go through every loss. Some of these take all pairs: under the sanitizers, where each instruction counts for many, lists are
/// just longer than where losses change from one way to another; the release preset has the long ones.
#if defined(RANKLOSS_ADDRESS_SANITIZER)
constexpr std::size_t longest = 700;
#else
constexpr std::size_t longest = 3000;
#endif

/// That a batch is refused with this message, and nothing is written.
template <class Loss, class Batch>
void refuses(const Loss& loss, const Batch& batch, const std::string& message) {
  using T = typename Batch::score_type;
  std::vector<T> gradient(items(batch), T{7}), hessian(loss.has_hessian ? items(batch) : 0, T{7});
  std::vector<double> per_list(list_count(batch), 7.0);
  context ctx{rankloss::threads(2)};
  std::string said = "accepted";
  try {
    loss(batch, {.gradient = gradient, .per_list = per_list, .hessian = hessian}, ctx);
  } catch (const std::invalid_argument& error) {
    said = error.what();
  }
  CHECK(said == message);
  CHECK(gradient == std::vector<T>(gradient.size(), T{7}));
  CHECK(hessian == std::vector<T>(hessian.size(), T{7}));
  CHECK(per_list == std::vector<double>(per_list.size(), 7.0));
}

/// Scores at the ends of what T can hold, and next to 0.
template <class T>
std::vector<std::vector<T>> extreme_scores(std::mt19937_64& random, std::size_t n) {
  const T big = std::is_same_v<T, float> ? T(3e38) : static_cast<T>(1e300);
  const T tiny = std::numeric_limits<T>::denorm_min();
  const std::vector<T> mixture{big, -big, T{0}, -T{0}, tiny, -tiny, std::numeric_limits<T>::min(), T{1}, T{-1}, big / 2};
  std::vector<std::vector<T>> all(4, std::vector<T>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const T x = static_cast<T>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0);
    all[0][i] = mixture[random() % mixture.size()];
    all[1][i] = x * big;
    all[2][i] = static_cast<T>(static_cast<int>(random() % 64) - 32) * tiny;
    all[3][i] = i % 2 == 0 ? big : -big;
  }
  return all;
}

template <class Loss, class Batch>
void stays_finite(const Loss& loss, const Batch& batch) {
  for (const wanted want : offered(loss)) {
    const auto r = run(loss, batch, want);
    CHECK(std::isfinite(r.value));
    CHECK(all_finite(r.gradient));
    CHECK(all_finite(r.hessian));
    CHECK(all_finite(r.per_list));
  }
}

// ----------------------------------------------------------------------------------------------------------- promises of list losses

TEST_CASE("lists: gradient and hessian are slope and curvature of the value") {
  context ctx;
  for (const list_loss& loss : list_losses()) {
    if (loss.claimed.jumps || !loss.claimed.sloped) continue;
    INFO(loss.name);
    const double h = loss.claimed.step;
    const double steep = 1e-3 / loss.claimed.length;

    // The whole batch: weights and reductions are part of the value.
    auto data = short_lists<double>(loss.claimed.smooth);
    for (const reduction how : reductions) {
      const auto r = run(loss, data.weighted(how), offered(loss).back());
      std::vector<double> slopes, curvatures;
      for (double& x : data.scores) {
        const double middle = x;
        const derivatives d = differences(h, [&](double t) {
          x = middle + t;
          return loss(data.weighted(how), {}, ctx);
        });
        x = middle;
        slopes.push_back(d.slope);
        if (loss.has_hessian) curvatures.push_back(d.curvature);
      }
      CHECK(first_gap(r.gradient, slopes, 1e-7, steep) == "");
      CHECK(first_gap(r.hessian, curvatures, 1e-6, steep / loss.claimed.length) == "");
    }

    // Long lists: some of the items, and all together along random directions.
    for (const std::size_t n : {std::size_t{128}, std::size_t{300}, longest})
      for (const kind k : {kind::distinct, kind::tied, kind::clusters}) {
        if (k != kind::distinct && !loss.claimed.smooth) continue;
        INFO(n << " items, kind " << static_cast<int>(k));
        lists<double> list(4);
        list.add(n, k);
        const auto r = run(loss, list.batch());
        if (loss.has_hessian) {
          const auto both = run(loss, list.batch(), wanted::hessian);
          CHECK(both.value == Approx(r.value).epsilon(1e-13).margin(1e-14));
          CHECK(first_gap(both.gradient, r.gradient, rounding<double>, steep) == "");
        }
        const auto full = run(loss, list.batch(), offered(loss).back());
        const auto start = list.scores;
        const double largest =
            std::abs(*std::max_element(r.gradient.begin(), r.gradient.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
        for (std::size_t at = 0; at < 6; ++at) {
          const std::size_t i = at * (n - 1) / 5;
          const derivatives d = differences(h, [&](double t) {
            list.scores[i] = start[i] + t;
            return loss(list.batch(), {}, ctx);
          });
          list.scores[i] = start[i];
          CHECK(std::abs(r.gradient[i] - d.slope) <= 1e-7 * std::max(largest, steep) + d.slope_rounding);
          if (loss.has_hessian)
            CHECK(std::abs(full.hessian[i] - d.curvature) <= 1e-5 * std::max(largest, steep) / loss.claimed.length + d.curvature_rounding);
        }
        for (int turn = 0; turn < 2; ++turn) {
          double along = 0.0;
          double size = 0.0;
          std::vector<double> direction(n);
          for (std::size_t i = 0; i < n; ++i) {
            direction[i] = list.random() % 2 == 0 ? -1.0 : 1.0;
            along += direction[i] * r.gradient[i];
            size += std::abs(r.gradient[i]);
          }
          const derivatives d = differences(0.5 * h, [&](double t) {
            for (std::size_t i = 0; i < n; ++i) list.scores[i] = start[i] + t * direction[i];
            return loss(list.batch(), {}, ctx);
          });
          list.scores = start;
          CHECK(std::abs(along - d.slope) <= 1e-7 * std::max(size, steep));
        }
      }
  }
}

TEST_CASE("lists: float and double agree") {
  const auto narrow = all_lists<float>();
  const auto full = all_lists<double>();
  REQUIRE(wide(narrow.scores) == full.scores);
  REQUIRE(wide(narrow.relevance) == full.relevance);
  for (const list_loss& loss : list_losses()) {
    if (loss.claimed.jumps) continue;
    INFO(loss.name);
    for (const wanted want : offered(loss)) {
      const auto a = run(loss, narrow.weighted(reduction::sum), want);
      const auto b = run(loss, full.weighted(reduction::sum), want);
      CHECK(first_gap(a.per_list, b.per_list, rounding<float>, 0.0) == "");
      for (std::size_t l = 0; l < full.count(); ++l) {
        INFO("list " << l << " of " << full.size(l));
        const double steep = 1e-3 / loss.claimed.length;
        CHECK(first_gap(narrow.of(l, wide(a.gradient)), full.of(l, b.gradient), rounding<float>, steep) == "");
        if (want == wanted::hessian)
          CHECK(first_gap(narrow.of(l, wide(a.hessian)), full.of(l, b.hessian), 10 * rounding<float>, steep / loss.claimed.length) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("lists: the same bits on any number of threads, on repetition, and whatever the buffers held", "", float, double) {
  auto contexts = one_two_and_seven();
  const auto data = all_lists<TestType>();
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    repeats_itself(loss, data.weighted(reduction::mean), contexts);
    context ctx;
    CHECK(first_difference(run(loss, data.batch(), wanted::gradient, ctx, 0.0), run(loss, data.batch(), wanted::gradient, ctx)) == "");
  }
}

TEMPLATE_TEST_CASE("lists: the second call allocates nothing", "", float, double) {
  const auto data = all_lists<TestType>();
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    allocates_nothing_the_second_time(loss, data.weighted(reduction::mean_of_relevant));
  }
}

TEMPLATE_TEST_CASE("lists: outputs are written as asked", "", float, double) {
  auto data = short_lists<TestType>(true);
  data.add(128);
  data.add(300);
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (const reduction how : reductions) writes_what_outputs_ask_for(loss, data.weighted(how));
    writes_what_outputs_ask_for(loss, list_batch<TestType>{});
  }
}

TEMPLATE_TEST_CASE("lists: permuting the items permutes the gradient", "", float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  auto moved = data;
  std::vector<std::size_t> from(data.scores.size());
  std::iota(from.begin(), from.end(), std::size_t{0});
  for (std::size_t l = 0; l < data.count(); ++l) {
    auto order = data.of(l, from);
    shuffle(moved.random, order);
    std::copy(order.begin(), order.end(), from.begin() + static_cast<std::ptrdiff_t>(data.offsets[l]));
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    moved.scores[i] = data.scores[from[i]];
    moved.relevance[i] = data.relevance[from[i]];
    moved.item_weights[i] = data.item_weights[from[i]];
  }
  for (const list_loss& loss : list_losses()) {
    if (loss.claimed.by_place || loss.claimed.jumps) continue;
    INFO(loss.name);
    for (const wanted want : offered(loss)) {
      const auto expected = run(loss, data.weighted(reduction::sum), want);
      const auto got = run(loss, moved.weighted(reduction::sum), want);
      CHECK(first_gap(got.per_list, expected.per_list, rounding<T>, 1.0) == "");
      std::vector<T> gradient, hessian;
      for (const std::size_t i : from) {
        gradient.push_back(expected.gradient[i]);
        if (want == wanted::hessian) hessian.push_back(expected.hessian[i]);
      }
      for (std::size_t l = 0; l < data.count(); ++l) {
        INFO("list " << l << " of " << data.size(l));
        const double steep = 1e-3 / loss.claimed.length;
        CHECK(first_gap(data.of(l, wide(got.gradient)), data.of(l, wide(gradient)), rounding<T>, steep) == "");
        if (want == wanted::hessian)
          CHECK(first_gap(data.of(l, wide(got.hessian)), data.of(l, wide(hessian)), 10 * rounding<T>, steep / loss.claimed.length) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("lists: a batch is the weighted mean of its lists", "", float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  context ctx;
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (const wanted want : offered(loss)) {
      result<T> alone;
      std::vector<bool> relevant;
      for (std::size_t l = 0; l < data.count(); ++l) {
        const auto s = data.of(l, data.scores);
        const auto y = data.of(l, data.relevance);
        const auto w = data.of(l, data.item_weights);
        const auto r = run(loss, list_batch<T>{.scores = s, .relevance = y, .item_weights = w}, want, ctx);
        CHECK(r.value == r.per_list[0]);
        alone.per_list.push_back(r.value);
        alone.gradient.insert(alone.gradient.end(), r.gradient.begin(), r.gradient.end());
        alone.hessian.insert(alone.hessian.end(), r.hessian.begin(), r.hessian.end());
        bool any = false;
        for (std::size_t i = 0; i < y.size(); ++i) any = any || (w[i] > 0.0 && y[i] > T{0});
        relevant.push_back(any);
      }
      // What else is in the batch changes no bit of it.
      auto unit = data.weighted(reduction::sum);
      unit.list_weights = {};
      const auto together = run(loss, unit, want, ctx);
      alone.value = together.value;
      CHECK(first_difference(together, alone) == "");
      for (const reduction how : reductions) {
        const auto r = run(loss, data.weighted(how), want, ctx);
        double sum = 0.0;
        double total = 0.0;
        for (std::size_t l = 0; l < data.count(); ++l) {
          if (how == reduction::mean_of_relevant && !relevant[l]) continue;
          sum += data.list_weights[l] * alone.per_list[l];
          total += data.list_weights[l];
        }
        if (how == reduction::sum) total = 1.0;
        CHECK(r.value == Approx(sum / total).epsilon(1e-13));
        for (std::size_t l = 0; l < data.count(); ++l) {
          INFO("list " << l << " of " << data.size(l));
          const double share = how == reduction::mean_of_relevant && !relevant[l] ? 0.0 : data.list_weights[l] / total;
          const auto times = [&](const std::vector<T>& values) {
            auto scaled = data.of(l, wide(values));
            for (double& x : scaled) x *= share;
            return scaled;
          };
          CHECK(first_gap(data.of(l, wide(r.gradient)), times(together.gradient), rounding<T>, 0.0) == "");
          if (want == wanted::hessian) CHECK(first_gap(data.of(l, wide(r.hessian)), times(together.hessian), rounding<T>, 0.0) == "");
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("lists: a weight counts a list several times, and an item's weight of 1 changes nothing", "", float, double) {
  using T = TestType;
  const auto data = short_lists<T>(true);
  std::vector<float> weights;  // of the other type than elsewhere
  lists<T> repeated(0);
  for (std::size_t l = 0; l < data.count(); ++l) {
    weights.push_back(static_cast<float>(l % 4));
    const auto s = data.of(l, data.scores);
    const auto y = data.of(l, data.relevance);
    for (std::size_t turn = 0; turn < l % 4; ++turn) {
      repeated.scores.insert(repeated.scores.end(), s.begin(), s.end());
      repeated.relevance.insert(repeated.relevance.end(), y.begin(), y.end());
      repeated.offsets.push_back(repeated.scores.size());
    }
  }
  const std::vector<float> ones(data.scores.size(), 1.0f);
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (const reduction how : reductions) {
      auto batch = data.batch(how);
      batch.list_weights = weights;
      const auto once = run(loss, batch);
      const auto many = run(loss, repeated.batch(how));
      CHECK(once.value == Approx(many.value).epsilon(1e-13));
      std::size_t copy = 0;
      for (std::size_t l = 0; l < data.count(); ++l) {
        std::vector<double> sum(data.size(l));
        for (std::size_t turn = 0; turn < l % 4; ++turn, ++copy)
          for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(many.gradient[repeated.offsets[copy] + i]);
        CHECK(first_gap(data.of(l, wide(once.gradient)), sum, rounding<T>, 0.0) == "");
      }
      auto with_ones = batch;
      with_ones.item_weights = ones;
      CHECK(first_difference(run(loss, with_ones), once) == "");
    }
    // Weights that leave nothing give 0.
    const std::vector<double> none(data.count());
    auto batch = data.batch();
    batch.list_weights = none;
    const auto r = run(loss, batch);
    CHECK(r.value == 0.0);
    CHECK(wide(r.gradient) == std::vector<double>(r.gradient.size(), 0.0));
  }
}

TEMPLATE_TEST_CASE("lists: padding, stride and mask never change a bit", "", float, double) {
  using T = TestType;
  const auto whole = all_lists<T>();
  std::mt19937_64 random(5);
  for (const std::size_t length : {20u, 140u, 310u, 3100u}) {
    // The lists that fit, each in a row of its own with holes in it, in which anything may stand.
    lists<T> ragged(0);
    std::vector<std::vector<std::size_t>> places;
    for (std::size_t l = 0; l < whole.count(); ++l) {
      if (whole.size(l) > length || (length > 3000 && whole.size(l) < 257)) continue;
      const auto s = whole.of(l, whole.scores);
      const auto y = whole.of(l, whole.relevance);
      const auto w = whole.of(l, whole.item_weights);
      ragged.scores.insert(ragged.scores.end(), s.begin(), s.end());
      ragged.relevance.insert(ragged.relevance.end(), y.begin(), y.end());
      ragged.item_weights.insert(ragged.item_weights.end(), w.begin(), w.end());
      ragged.offsets.push_back(ragged.scores.size());
      ragged.list_weights.push_back(whole.list_weights[l]);
      std::vector<std::size_t> all(length);
      std::iota(all.begin(), all.end(), std::size_t{0});
      shuffle(random, all);
      all.resize(s.size());
      std::sort(all.begin(), all.end());
      places.push_back(all);
    }
    for (const std::size_t stride : {length, length + 7}) {
      const std::size_t size = (ragged.count() - 1) * stride + length;
      std::vector<T> s(size, static_cast<T>(nan)), y(size, static_cast<T>(nan));
      std::vector<double> w(size, 1.0);
      std::vector<std::uint8_t> mask(size, 0);
      std::vector<std::size_t> at;
      for (std::size_t l = 0; l < ragged.count(); ++l) {
        for (std::size_t i = length; i < stride && l + 1 < ragged.count(); ++i) mask[l * stride + i] = 1;  // between lists even the mask is not read
        for (std::size_t i = 0; i < places[l].size(); ++i) {
          const std::size_t to = l * stride + places[l][i];
          at.push_back(to);
          s[to] = ragged.scores[ragged.offsets[l] + i];
          y[to] = ragged.relevance[ragged.offsets[l] + i];
          w[to] = ragged.item_weights[ragged.offsets[l] + i];
          mask[to] = 1;
        }
      }
      for (const list_loss& loss : list_losses()) {
        INFO(loss.name << ", length " << length << ", stride " << stride);
        const reduction how = reduction::mean_of_relevant;
        const list_batch<T> dense{.scores = s,
                                  .relevance = y,
                                  .list_weights = ragged.list_weights,
                                  .item_weights = w,
                                  .length = length,
                                  .stride = stride,
                                  .mask = mask,
                                  .reduction = how};
        const auto expected = run(loss, ragged.weighted(how), offered(loss).back());
        context ctx;
        auto got = run(loss, dense, offered(loss).back(), ctx, 5.0);
        for (auto* written : {&got.gradient, &got.hessian}) {
          if (written->empty()) continue;
          std::vector<T> kept;
          for (const std::size_t i : at) {
            kept.push_back((*written)[i]);
            (*written)[i] = T{0};
          }
          // What the mask leaves out gets 0; what lies between lists is left as it was.
          std::vector<T> rest(size, T{0});
          for (std::size_t i = 0; i < size; ++i)
            if (i % stride >= length) rest[i] = T{5};
          CHECK(*written == rest);
          *written = kept;
        }
        CHECK(first_difference(got, expected) == "");
      }
    }
  }

  // No mask: lists of one length.
  for (const std::size_t length : {1u, 17u, 128u, 300u}) {
    lists<T> ragged(6);
    for (int l = 0; l < 5; ++l) ragged.add(length);
    const std::size_t stride = length + 3;
    std::vector<T> s(5 * stride, static_cast<T>(nan)), y(s);
    for (std::size_t l = 0; l < 5; ++l)
      for (std::size_t i = 0; i < length; ++i) {
        s[l * stride + i] = ragged.scores[l * length + i];
        y[l * stride + i] = ragged.relevance[l * length + i];
      }
    for (const list_loss& loss : list_losses()) {
      INFO(loss.name << ", length " << length);
      const auto expected = run(loss, ragged.batch());
      CHECK(first_difference(run(loss, list_batch<T>{.scores = ragged.scores, .relevance = ragged.relevance, .length = length}), expected) == "");
      for (const std::size_t size : {5 * stride, 4 * stride + length}) {  // with or without what follows the last list
        context ctx;
        const list_batch<T> dense{.scores = std::span(s).first(size), .relevance = std::span(y).first(size), .length = length, .stride = stride};
        auto got = run(loss, dense, wanted::gradient, ctx, 5.0);
        std::vector<T> kept;
        bool untouched = true;
        for (std::size_t i = 0; i < size; ++i) {
          if (i % stride < length) kept.push_back(got.gradient[i]);
          untouched = untouched && (i % stride < length || got.gradient[i] == T{5});
        }
        CHECK(untouched);
        got.gradient = kept;
        CHECK(first_difference(got, expected) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("lists: huge and tiny scores stay finite", "", float, double) {
  std::mt19937_64 random(7);
  for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{128}, std::size_t{300}, longest}) {
    const auto y = grades_of<TestType>(random, n);
    for (const auto& s : extreme_scores<TestType>(random, n))
      for (const list_loss& loss : list_losses()) {
        INFO(loss.name << ", " << n << " items, first of them " << s[0]);
        stays_finite(loss, list_batch<TestType>{.scores = s, .relevance = y});
      }
  }
}

TEMPLATE_TEST_CASE("lists: a NaN is refused by the name of its list and item, and nothing is written", "", float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (std::size_t l = 0; l < data.count(); ++l) {
      const std::size_t n = data.size(l);
      if (n == 0 || (n == 128 && l % 4 != 0)) continue;
      const std::size_t i = (l * 97 + n - 1) % n;
      const std::string place = " at list " + std::to_string(l) + ", item " + std::to_string(i) + ", expected a ";
      auto broken = data;
      broken.scores[data.offsets[l] + i] = static_cast<T>(nan);
      refuses(loss, broken.weighted(reduction::mean), "rankloss: scores: nan" + place + "number");
      broken.scores = data.scores;
      broken.relevance[data.offsets[l] + i] = static_cast<T>(nan);
      refuses(loss, broken.weighted(reduction::sum), "rankloss: relevance: nan" + place + "finite number");
      if (l % 8 != 0) continue;
      broken.relevance[data.offsets[l] + i] = -std::numeric_limits<T>::infinity();
      refuses(loss, broken.batch(), "rankloss: relevance: -inf" + place + "finite number");
    }
    std::vector<T> s(4 * 12, T{1}), y(4 * 12, T{1});
    s[2 * 12 + 11] = static_cast<T>(nan);  // between lists
    s[3 * 12 + 6] = static_cast<T>(nan);
    std::vector<std::uint8_t> mask(4 * 12, 1);
    list_batch<T> dense{.scores = s, .relevance = y, .length = 10, .stride = 12, .mask = mask};
    refuses(loss, dense, "rankloss: scores: nan at list 3, item 6, expected a number");
    y[5] = static_cast<T>(nan);
    mask[3 * 12 + 6] = 0;
    refuses(loss, dense, "rankloss: relevance: nan at list 0, item 5, expected a finite number");
    mask[5] = 0;
    CHECK(std::isfinite(run(loss, dense).value));
  }
}

TEMPLATE_TEST_CASE("lists: relevance below 0 is refused by list and item, unless claimed to be taken, and finite where it comes unchecked", "", float,
                   double) {
  using T = TestType;
  const auto data = short_lists<T>(true);
  const std::size_t l = 4, i = 12;  // of 17
  REQUIRE(data.size(l) == 17);
  auto broken = data;
  broken.relevance[data.offsets[l] + i] = T(-0.5);
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    if (loss.claimed.takes_below_0)
      CHECK(std::isfinite(run(loss, broken.batch()).value));
    else
      refuses(loss, broken.weighted(reduction::mean),
              "rankloss: relevance: -0.5 at list 4, item 12, expected at least 0; mask items without judgement");
    std::vector<std::uint8_t> mask(broken.scores.size(), 1);
    mask[data.offsets[l] + i] = 0;
    auto masked = broken.batch();
    masked.mask = mask;
    CHECK(std::isfinite(run(loss, masked).value));

    context unchecked;
    unchecked.checks = rankloss::data_checks::off;
    for (const double below : {-0.5, -1.0, -1e30}) {
      auto all = data;
      for (std::size_t at = 0; at < all.relevance.size(); ++at)
        if (at % 3 != 0 || at / 30 == 1) all.relevance[at] = static_cast<T>(below);
      for (const wanted want : offered(loss)) {
        const auto r = run(loss, all.weighted(reduction::mean), want, unchecked);
        CHECK(std::isfinite(r.value));
        CHECK(all_finite(r.gradient));
        CHECK(all_finite(r.hessian));
        CHECK(all_finite(r.per_list));
      }
    }
  }
}

TEMPLATE_TEST_CASE("lists: shifts change nothing and gradients sum to 0, where claimed", "", float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  auto shifted = data;
  for (T& x : shifted.scores) x += T{1024};  // exact: all scores are multiples of 2^-6
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    const auto r = run(loss, data.weighted(reduction::sum));
    const auto moved = run(loss, shifted.weighted(reduction::sum));
    for (std::size_t l = 0; l < data.count(); ++l) {
      INFO("list " << l << " of " << data.size(l));
      const auto g = data.of(l, wide(r.gradient));
      const double steep = 1e-3 / loss.claimed.length;
      if (loss.claimed.shift_invariant && !loss.claimed.jumps) {
        CHECK(first_gap(data.of(l, wide(moved.gradient)), g, rounding<T>, steep) == "");
        CHECK(moved.per_list[l] == Approx(r.per_list[l]).epsilon(rounding<T>).margin(1e-14));
      }
      if (loss.claimed.zero_sum) {
        double sum = 0.0;
        double size = 0.0;
        for (const double x : g) sum += x, size += std::abs(x);
        CHECK(std::abs(sum) <= loss.claimed.rounding * rounding<T> * std::max(size, steep));
      }
    }
  }
}

// ----------------------------------------------------------------------------------------------------- promises of similarity losses

/// The entries of a matrix, without what lies between its rows.
template <class T>
std::vector<double> pairs(const matrix<T>& m, const std::vector<T>& values) {
  std::vector<double> kept;
  for (std::size_t at = 0; at < values.size(); ++at)
    if (at % m.stride < m.columns) kept.push_back(static_cast<double>(values[at]));
  return kept;
}

TEST_CASE("matrices: gradient and hessian are slope and curvature of the value") {
  context ctx;
  for (const matrix_loss& loss : similarity_losses()) {
    const double h = loss.claimed.step;
    const double steep = 1e-3 / loss.claimed.length;
    const auto check = [&](matrix<double> m, reduction how, std::size_t each) {
      INFO(loss.name << ", " << m.rows << " x " << m.columns << ", reduction " << static_cast<int>(how));
      const auto r = run(loss, m.batch(how), offered(loss).back());
      std::vector<double> slopes, curvatures, gradient, hessian;
      for (std::size_t k = 0; k < m.s.size(); ++k) {
        if (k % m.stride >= m.columns || k % each != 0) continue;
        const double middle = m.s[k];
        const derivatives d = differences(h, [&](double t) {
          m.s[k] = middle + t;
          return loss(m.batch(how), {}, ctx);
        });
        m.s[k] = middle;
        slopes.push_back(d.slope);
        gradient.push_back(r.gradient[k]);
        if (!loss.has_hessian) continue;
        curvatures.push_back(d.curvature);
        hessian.push_back(r.hessian[k]);
      }
      CHECK(first_gap(gradient, slopes, 1e-7, steep) == "");
      CHECK(first_gap(hessian, curvatures, 1e-6, steep / loss.claimed.length) == "");
    };
    for (const auto& m : small_matrices<double>(3))
      for (const reduction how : reductions)
        if (m.taken_by(loss)) check(m, how, 1);
    std::mt19937_64 random(8);
    matrix<double> tall(random, 300, 5, loss.claimed.smooth ? kind::tied : kind::distinct, 2);
    tall.flags(random, 3).grades(random).weights(random);
    if (tall.taken_by(loss)) check(tall, reduction::mean, 89);
  }
}

TEST_CASE("matrices: float and double agree") {
  const auto narrow = all_matrices<float>();
  const auto full = all_matrices<double>();
  for (const matrix_loss& loss : similarity_losses())
    for (std::size_t k = 0; k < full.size(); ++k) {
      if (!full[k].taken_by(loss)) continue;
      INFO(loss.name << ", " << full[k].rows << " x " << full[k].columns);
      REQUIRE(wide(narrow[k].s) == full[k].s);
      const auto a = run(loss, narrow[k].batch());
      const auto b = run(loss, full[k].batch());
      CHECK(a.value == Approx(b.value).epsilon(1e-6).margin(1e-7));
      CHECK(first_gap(a.per_list, b.per_list, rounding<float>, 1.0) == "");
      CHECK(first_gap(wide(a.gradient), b.gradient, rounding<float>, 1e-3 / loss.claimed.length) == "");
    }
}

TEMPLATE_TEST_CASE("matrices: the same bits on any number of threads, on repetition, and whatever the buffers held", "", float, double) {
  auto contexts = one_two_and_seven();
  const auto all = large_matrices<TestType>(2);
  for (const matrix_loss& loss : similarity_losses())
    for (const auto& m : all) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      repeats_itself(loss, m.batch(), contexts);
      context ctx;
      const auto zeros = run(loss, m.batch(), wanted::gradient, ctx, 0.0);
      CHECK(pairs(m, zeros.gradient) == pairs(m, run(loss, m.batch()).gradient));
    }
}

TEMPLATE_TEST_CASE("matrices: the second call allocates nothing", "", float, double) {
  auto all = small_matrices<TestType>(2);
  all.push_back(large_matrices<TestType>(2)[1]);
  for (const auto& m : all)
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      allocates_nothing_the_second_time(loss, m.batch(reduction::mean_of_relevant));
    }
}

TEMPLATE_TEST_CASE("matrices: outputs are written as asked", "", float, double) {
  for (const auto& m : small_matrices<TestType>())
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      for (const reduction how : reductions) writes_what_outputs_ask_for(loss, m.batch(how));
    }
}

TEMPLATE_TEST_CASE("matrices: permuting rows and columns permutes the gradient", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(9);
  for (const auto& m : all_matrices<T>()) {
    std::vector<std::size_t> row(m.rows), column(m.columns);
    std::iota(row.begin(), row.end(), std::size_t{0});
    std::iota(column.begin(), column.end(), std::size_t{0});
    shuffle(random, row);
    const bool by_place = m.matches.empty() && m.row_classes.empty();
    if (by_place)
      column = row;
    else
      shuffle(random, column);
    const auto move = [&](const auto& values) {
      auto moved = values;
      for (std::size_t i = 0; i < m.rows && !values.empty(); ++i)
        for (std::size_t j = 0; j < m.columns; ++j) moved[i * m.columns + j] = values[row[i] * m.columns + column[j]];
      return moved;
    };
    const auto pick = [](const auto& values, const std::vector<std::size_t>& from) {
      auto moved = values;
      for (std::size_t i = 0; i < values.size(); ++i) moved[i] = values[from[i]];
      return moved;
    };
    auto moved = m;
    moved.s = move(m.s);
    moved.matches = move(m.matches);
    moved.relevance = move(m.relevance);
    moved.column_relevance = move(m.column_relevance);
    moved.row_classes = pick(m.row_classes, row);
    moved.row_weights = pick(m.row_weights, row);
    moved.column_classes = pick(m.column_classes, column);
    moved.column_weights = pick(m.column_weights, column);
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss) || (m.ties && !loss.claimed.smooth)) continue;  // which of two equals is at the kink, their order decides
      if (!loss.claimed.rectangular && !by_place) continue;                 // a column belongs to the row of its number
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      const auto r = run(loss, m.batch());
      const auto got = run(loss, moved.batch());
      CHECK(got.value == Approx(r.value).epsilon(1e-6).margin(1e-13));
      CHECK(first_gap(wide(got.gradient), wide(move(r.gradient)), rounding<T>, 1e-3 / loss.claimed.length) == "");
    }
  }
}

TEMPLATE_TEST_CASE("matrices: transposing swaps rows and columns and nothing else, where claimed", "", float, double) {
  using T = TestType;
  for (const auto& m : all_matrices<T>()) {
    const auto turn = [&](const auto& values) {
      auto turned = values;
      for (std::size_t i = 0; i < m.rows && !values.empty(); ++i)
        for (std::size_t j = 0; j < m.columns; ++j) turned[j * m.rows + i] = values[i * m.columns + j];
      return turned;
    };
    auto turned = m;
    std::swap(turned.rows, turned.columns);
    turned.stride = turned.columns;
    turned.s = turn(m.s);
    turned.matches = turn(m.matches);
    turned.relevance = turn(m.column_relevance.empty() ? m.relevance : m.column_relevance);
    if (!m.column_relevance.empty()) turned.column_relevance = turn(m.relevance);
    std::swap(turned.row_classes, turned.column_classes);
    std::swap(turned.row_weights, turned.column_weights);
    for (const matrix_loss& loss : similarity_losses()) {
      if (!loss.claimed.transposable) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      const auto r = run(loss, m.batch());
      auto got = run(loss, turned.batch());
      CHECK(got.value == Approx(r.value).epsilon(1e-13));
      std::rotate(got.per_list.begin(), got.per_list.begin() + static_cast<std::ptrdiff_t>(turned.rows), got.per_list.end());
      CHECK(first_difference<double>(got.per_list, r.per_list) == "");
      CHECK(first_gap(wide(got.gradient), wide(turn(r.gradient)), rounding<T>, 1e-3 / loss.claimed.length) == "");
    }
  }
}

TEMPLATE_TEST_CASE("matrices: the value is the mean of the two directions' weighted means", "", float, double) {
  for (const auto& m : all_matrices<TestType>(1)) {
    // Where relevance is not that of the matches, what counts as relevant is each loss's own affair.
    const bool graded = !m.relevance.empty();
    const auto matching = [&](std::size_t i, std::size_t j) {
      if (!m.matches.empty()) return m.matches[i * m.columns + j] != 0;
      return m.row_classes.empty() ? i == j : m.row_classes[i] == m.column_classes[j];
    };
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      for (const reduction how : reductions) {
        if (how == reduction::mean_of_relevant && graded) continue;
        const auto r = run(loss, m.batch(how));
        double expected = 0.0;
        for (const bool columns : {false, true}) {
          const auto& weights = columns ? m.column_weights : m.row_weights;
          double sum = 0.0;
          double total = 0.0;
          for (std::size_t l = 0; l < (columns ? m.columns : m.rows); ++l) {
            bool relevant = how != reduction::mean_of_relevant;
            for (std::size_t k = 0; k < (columns ? m.rows : m.columns) && !relevant; ++k) relevant = columns ? matching(k, l) : matching(l, k);
            const double weight = weights.empty() ? 1.0 : weights[l];
            sum += weight * r.per_list[columns ? m.rows + l : l];
            if (relevant) total += weight;
          }
          if (how == reduction::sum)
            expected += sum;
          else if (total > 0.0)
            expected += 0.5 * sum / total;
        }
        CHECK(r.value == Approx(expected).epsilon(1e-12).margin(1e-14));
      }
    }
  }
}

TEMPLATE_TEST_CASE("matrices: stride and the form of the matches never change a bit", "", float, double) {
  using T = TestType;
  const auto strided = all_matrices<T>(5);
  for (const auto& m : strided) {
    auto dense = m;
    dense.stride = m.columns;
    dense.s.clear();
    for (std::size_t at = 0; at < m.s.size(); ++at)
      if (at % m.stride < m.columns) dense.s.push_back(m.s[at]);
    auto flagged = dense;  // the same matches, spelled out
    flagged.row_classes.clear(), flagged.column_classes.clear(), flagged.matches.clear();
    for (std::size_t i = 0; i < m.rows; ++i)
      for (std::size_t j = 0; j < m.columns; ++j) flagged.matches.push_back(rankloss::detail::matching(m.batch(), i, j) ? 0x80 : 0);
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      for (const wanted want : offered(loss)) {
        const auto expected = run(loss, dense.batch(), want);
        if (m.rows > 0) CHECK(first_difference(run(loss, flagged.batch(), want), expected) == "");
        context ctx;
        auto got = run(loss, m.batch(), want, ctx, 5.0);
        for (auto* written : {&got.gradient, &got.hessian}) {
          std::vector<T> kept;
          bool untouched = true;
          for (std::size_t at = 0; at < written->size(); ++at) {
            if (at % m.stride < m.columns)
              kept.push_back((*written)[at]);
            else
              untouched = untouched && (*written)[at] == T{5};
          }
          CHECK(untouched);
          *written = kept;
        }
        CHECK(first_difference(got, expected) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("matrices: huge and tiny scores stay finite", "", float, double) {
  std::mt19937_64 random(10);
  const std::pair<std::size_t, std::size_t> shapes[] = {{2, 2}, {7, 7}, {300, 4}};
  for (const auto& [rows, columns] : shapes) {
    matrix<TestType> m(random, rows, columns);
    m.flags(random, 3).grades(random);
    for (const auto& s : extreme_scores<TestType>(random, rows * columns)) {
      m.s = s;
      for (const matrix_loss& loss : similarity_losses()) {
        if (!m.taken_by(loss)) continue;
        INFO(loss.name << ", " << rows << " x " << columns << ", first " << s[0]);
        stays_finite(loss, m.batch());
      }
    }
  }
}

TEMPLATE_TEST_CASE("matrices: a NaN is refused by the name of its row and column, and nothing is written", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(11);
  matrix<T> m(random, 300, 300, kind::distinct, 1);
  m.grades(random, true);
  const std::pair<std::size_t, std::size_t> cells[] = {{0, 0}, {17, 299}, {299, 5}};
  for (const matrix_loss& loss : similarity_losses()) {
    INFO(loss.name);
    for (const auto& [i, j] : cells) {
      const std::string place = " at row " + std::to_string(i) + ", column " + std::to_string(j) + ", expected a ";
      auto broken = m;
      broken.s[i * m.stride + j] = static_cast<T>(nan);
      refuses(loss, broken.batch(), "rankloss: similarity: nan" + place + "number");
      broken = m;
      broken.relevance[i * m.columns + j] = static_cast<T>(nan);
      refuses(loss, broken.batch(), "rankloss: relevance: nan" + place + "finite number");
      broken = m;
      broken.column_relevance[i * m.columns + j] = std::numeric_limits<T>::infinity();
      refuses(loss, broken.batch(), "rankloss: column_relevance: inf" + place + "finite number");
    }
  }
}

TEMPLATE_TEST_CASE("matrices: relevance below 0 is refused by row and column, unless claimed to be taken", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(12);
  matrix<T> m(random, 9, 9);
  m.grades(random, true);
  for (const matrix_loss& loss : similarity_losses()) {
    INFO(loss.name);
    auto broken = m;
    broken.column_relevance[3 * 9 + 7] = T(-0.5);
    const std::string rest = "relevance: -0.5 at row 3, column 7, expected at least 0; a matrix has no mask: give pairs without judgement 0";
    for (const std::string field : {"rankloss: column_", "rankloss: "}) {
      if (loss.claimed.takes_below_0)
        CHECK(std::isfinite(run(loss, broken.batch()).value));
      else
        refuses(loss, broken.batch(), field + rest);
      broken.relevance[3 * 9 + 7] = T(-0.5);
    }
  }
}

TEMPLATE_TEST_CASE("matrices: shifts change nothing and gradients sum to 0, where claimed", "", float, double) {
  using T = TestType;
  for (const auto& m : all_matrices<T>()) {
    auto shifted = m;
    for (T& x : shifted.s) x += T{1024};
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      const auto r = run(loss, m.batch());
      const auto g = wide(r.gradient);
      const double steep = 1e-3 / loss.claimed.length;
      if (loss.claimed.shift_invariant) {
        const auto moved = run(loss, shifted.batch());
        CHECK(moved.value == Approx(r.value).epsilon(rounding<T>).margin(1e-14));
        CHECK(first_gap(wide(moved.gradient), g, rounding<T>, steep) == "");
      }
      if (loss.claimed.zero_sum) {
        double sum = 0.0;
        double size = 0.0;
        for (const double x : g) sum += x, size += std::abs(x);
        CHECK(std::abs(sum) <= loss.claimed.rounding * rounding<T> * std::max(size, steep));
      }
    }
  }
}

}  // namespace

}  // namespace promises_test
