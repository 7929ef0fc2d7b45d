// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cmpc.hpp>

#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace cmpc_test {

namespace {

using rankloss::cmpc;
using rankloss::cmpc_batch;
using rankloss::directions;
using rankloss::evaluate;

template <class T>
struct data {
  std::size_t d = 0;
  std::vector<T> x, y, w;
  std::vector<int> labels;
  std::vector<double> weights;
  rankloss::reduction reduction = rankloss::reduction::mean;

  data(std::mt19937_64& random, std::size_t pairs, std::size_t classes, std::size_t dimension)
      : d(dimension),
        x(support::numbers<T>(random, pairs * dimension)),
        y(support::numbers<T>(random, pairs * dimension)),
        w(support::numbers<T>(random, classes * dimension)),
        labels(support::whole_numbers<int>(random, pairs, static_cast<unsigned>(classes))) {}

  [[nodiscard]] std::size_t pairs() const { return x.size() / d; }
  [[nodiscard]] std::size_t classes() const { return w.size() / d; }
  [[nodiscard]] cmpc_batch<T> batch() const {
    return {.x = x,
            .y = y,
            .class_weights = w,
            .labels = labels,
            .dimension = d,
            .pair_weights = weights,
            .reduction = reduction};
  }
};

using wide = std::vector<long double>;

wide direction(const wide& v) {
  long double square = 0;
  for (const long double c : v) square += c * c;
  wide unit(v.size());
  if (square > 0)
    for (std::size_t k = 0; k < v.size(); ++k) unit[k] = v[k] / std::sqrt(square);
  return unit;
}
long double dot(const wide& a, const wide& b) {
  long double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}
template <class T>
wide vector_of(const std::vector<T>& all, std::size_t i, std::size_t d) {
  wide v(d);
  for (std::size_t k = 0; k < d; ++k) v[k] = static_cast<long double>(all[i * d + k]);
  return v;
}
/// The derivative by v, from that by its direction.
wide through(const wide& v, const wide& by_direction) {
  const wide unit = direction(v);
  const long double size = std::sqrt(dot(v, v)), along = dot(by_direction, unit);
  wide by(v.size());
  if (size > 0)
    for (std::size_t k = 0; k < v.size(); ++k) by[k] = (by_direction[k] - along * unit[k]) / size;
  return by;
}

/// By the formula, in long double, with all logits, forwards and backwards step by step.
template <class T>
struct plain {
  plain(const cmpc& loss, const data<T>& of) : dx(of.x.size()), dy(of.y.size()), dw(of.w.size()) {
    const std::size_t d = of.d;
    std::vector<wide> unit_w, by_unit_w(of.classes(), wide(d));
    for (std::size_t c = 0; c < of.classes(); ++c) unit_w.push_back(direction(vector_of(of.w, c, d)));
    const bool both = loss.over == directions::both;
    long double total = 0;
    for (std::size_t i = 0; i < of.pairs(); ++i) total += of.weights.empty() ? 1.0L : of.weights[i];
    for (std::size_t i = 0; i < of.pairs(); ++i) {
      const long double weight = of.weights.empty() ? 1.0L : of.weights[i];
      const long double share = of.reduction == rankloss::reduction::sum ? weight
                                : total > 0                              ? weight / total
                                                                         : 0.0L;
      long double pair = 0;
      const auto one_way = [&](const wide& v, const wide& onto, std::size_t at, wide& dv, wide& donto) {
        const wide e = direction(onto);
        const long double length = dot(v, e);
        wide projection(d), logits;
        for (std::size_t k = 0; k < d; ++k) projection[k] = length * e[k];
        for (const wide& unit : unit_w) logits.push_back(dot(unit, projection) / loss.temperature);
        const long double most = *std::max_element(logits.begin(), logits.end());
        long double sum = 0;
        for (const long double l : logits) sum += std::exp(l - most);
        const auto label = static_cast<std::size_t>(of.labels[i]);
        const long double half = both ? 0.5L : 1.0L;
        pair += half * (most + std::log(sum) - logits[label]);
        wide by_projection(d);
        for (std::size_t c = 0; c < logits.size(); ++c) {
          const long double g = half * share *
                                (std::exp(logits[c] - most) / sum - (c == label ? 1.0L : 0.0L)) /
                                loss.temperature;
          for (std::size_t k = 0; k < d; ++k) {
            by_projection[k] += g * unit_w[c][k];
            by_unit_w[c][k] += g * projection[k];
          }
        }
        const long double by_length = dot(by_projection, e);
        wide by_e(d);
        for (std::size_t k = 0; k < d; ++k) {
          dv[at * d + k] += by_length * e[k];
          by_e[k] = by_length * v[k] + length * by_projection[k];
        }
        const wide by = through(onto, by_e);
        for (std::size_t k = 0; k < d; ++k) donto[at * d + k] += by[k];
      };
      const wide x = vector_of(of.x, i, d), y = vector_of(of.y, i, d);
      if (loss.over != directions::columns) one_way(x, y, i, dx, dy);
      if (loss.over != directions::rows) one_way(y, x, i, dy, dx);
      per_pair.push_back(pair);
      value += share * pair;
    }
    for (std::size_t c = 0; c < of.classes(); ++c) {
      const wide by = through(vector_of(of.w, c, d), by_unit_w[c]);
      std::copy(by.begin(), by.end(), dw.begin() + static_cast<std::ptrdiff_t>(c * d));
    }
  }

  long double value = 0;
  wide per_pair, dx, dy, dw;
};

template <class T>
struct found {
  found(const cmpc& loss, const data<T>& of, rankloss::context& context, double scale = 1.0)
      : dx(of.x.size(), T{9}), dy(of.y.size(), T{9}), dw(of.w.size(), T{9}), per_pair(of.pairs()) {
    value = evaluate(loss, of.batch(),
                     {.x = dx, .y = dy, .class_weights = dw, .per_pair = per_pair, .scale = scale}, context);
  }
  bool operator==(const found&) const = default;

  std::vector<T> dx, dy, dw;
  std::vector<double> per_pair;
  double value;
};

template <class A>
double furthest(const std::vector<A>& has, const wide& wanted) {
  REQUIRE(has.size() == wanted.size());
  long double worst = 0, size = 1e-30L;
  for (std::size_t k = 0; k < has.size(); ++k) {
    worst = std::max(worst, std::abs(static_cast<long double>(has[k]) - wanted[k]));
    size = std::max(size, std::abs(wanted[k]));
  }
  return static_cast<double>(worst / size);
}

template <class T>
void check_against_plain(const cmpc& loss, const data<T>& of) {
  const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-12;
  const plain<T> wanted(loss, of);
  rankloss::context context, three{rankloss::threads(3)};
  const found<T> has(loss, of, context);
  CHECK(has.value == Approx(static_cast<double>(wanted.value)).epsilon(tolerance).margin(tolerance));
  CHECK(furthest(has.per_pair, wanted.per_pair) < tolerance);
  CHECK(furthest(has.dx, wanted.dx) < tolerance);
  CHECK(furthest(has.dy, wanted.dy) < tolerance);
  CHECK(furthest(has.dw, wanted.dw) < tolerance);
  CHECK(found<T>(loss, of, three) == has);
  CHECK(evaluate(loss, of.batch(), context) == has.value);
  CHECK(evaluate(loss, of.batch()) == has.value);
}

}  // namespace

TEST_CASE("cmpc of vectors that can be counted by hand") {
  // x projected onto the direction of y is (3, 0); the directions of the weights are (1, 0) and (0, 1).
  const std::vector<double> x{3, 4}, y{2, 0}, w{5, 0, 0, 7};
  const std::vector<int> labels{1};
  const cmpc_batch<double> batch{.x = x, .y = y, .class_weights = w, .labels = labels, .dimension = 2};
  CHECK(evaluate(cmpc{.over = directions::rows}, batch) == Approx(std::log1p(std::exp(3.0))).epsilon(1e-14));
  // y projected onto (0.6, 0.8) is 1.2 (0.6, 0.8).
  const double columns = std::log1p(std::exp(0.72 - 0.96));
  CHECK(evaluate(cmpc{.over = directions::columns}, batch) == Approx(columns).epsilon(1e-14));
  CHECK(evaluate(cmpc{}, batch) == Approx((std::log1p(std::exp(3.0)) + columns) / 2).epsilon(1e-14));
  CHECK(evaluate(cmpc{.temperature = 3.0, .over = directions::rows}, batch) ==
        Approx(std::log1p(std::exp(1.0))).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("cmpc is its formula, at any size", "", float, double) {
  std::mt19937_64 random(1);
  for (const std::size_t pairs : {1u, 5u, 50u})
    for (const std::size_t classes : {2u, 17u, 63u})
      for (const std::size_t d : {1u, 3u, 33u})
        for (const directions over : {directions::both, directions::rows, directions::columns}) {
          INFO(pairs << " pairs, " << classes << " classes, dimension " << d);
          data<TestType> of(random, pairs, classes, d);
          const cmpc loss{.temperature = 0.2, .over = over};
          if (d == 1) {
            // The direction of a number does not change: all of its derivative is rounding.
            CHECK(evaluate(loss, of.batch()) ==
                  Approx(static_cast<double>(plain<TestType>(loss, of).value)).epsilon(1e-5));
            continue;
          }
          check_against_plain(loss, of);
        }
}

TEMPLATE_TEST_CASE("cmpc of 10000 classes, in tiles", "", float, double) {
  std::mt19937_64 random(2);
  const data<TestType> of(random, 6, 10000, 8);
  check_against_plain(cmpc{.temperature = 0.1}, of);
  // Neither logits nor weights of all classes are held: [64 pairs, 10000] doubles would be 5 MB.
  const data<float> more(random, 64, 10000, 16);
  std::vector<float> dx(more.x.size()), dw(more.w.size());
  rankloss::context context;
  evaluate(cmpc{}, more.batch(), {.x = dx, .class_weights = dw}, context);
  const std::size_t held = context.scratch_capacity();
  CHECK(held < 900000);
  evaluate(cmpc{}, more.batch(), {.x = dx, .class_weights = dw}, context);
  CHECK(context.scratch_capacity() == held);
}

TEST_CASE("cmpc: weights of pairs, sums, scales, and gradients that are added to") {
  std::mt19937_64 random(3);
  data<double> of(random, 7, 5, 4);
  of.weights = {1, 0, 2, 0.5, 3, 1, 1};
  check_against_plain(cmpc{}, of);
  of.reduction = rankloss::reduction::sum;
  check_against_plain(cmpc{}, of);
  rankloss::context context;
  const found<double> once(cmpc{}, of, context), scaled(cmpc{}, of, context, -2.0);
  auto dx = scaled.dx;
  for (std::size_t k = 0; k < dx.size(); ++k) CHECK(dx[k] == -2.0 * once.dx[k]);
  for (std::size_t k = 0; k < of.w.size(); ++k) CHECK(scaled.dw[k] == -2.0 * once.dw[k]);
  std::vector<float> dw(of.w.size(), 0.0f);
  evaluate(cmpc{}, of.batch(), {.x = dx, .class_weights = dw, .scale = 2.0, .update = rankloss::update::add},
           context);
  for (const double g : dx) CHECK(g == 0.0);
  for (std::size_t k = 0; k < dw.size(); ++k) CHECK(dw[k] == static_cast<float>(2.0 * once.dw[k]));
  of.weights.assign(7, 0.0);
  of.reduction = rankloss::reduction::mean;
  const found<double> none(cmpc{}, of, context);
  CHECK(none.value == 0.0);
  CHECK(std::all_of(none.dw.begin(), none.dw.end(), [](double g) { return g == 0.0; }));
}

TEST_CASE("cmpc: gradients by finite differences, through all lengths") {
  std::mt19937_64 random(4);
  data<double> of(random, 4, 6, 5);
  for (double& c : of.w) c *= 3.0;
  for (const directions over : {directions::both, directions::rows, directions::columns}) {
    const cmpc loss{.temperature = 0.3, .over = over};
    rankloss::context context;
    const found<double> has(loss, of, context);
    const auto slope = [&](double& component) {
      const double before = component, step = 1e-5;
      component = before + step;
      const double above = evaluate(loss, of.batch(), context);
      component = before - step;
      const double below = evaluate(loss, of.batch(), context);
      component = before;
      return (above - below) / (2 * step);
    };
    for (std::size_t k = 0; k < of.x.size(); ++k) CHECK(has.dx[k] == Approx(slope(of.x[k])).margin(1e-8));
    for (std::size_t k = 0; k < of.y.size(); ++k) CHECK(has.dy[k] == Approx(slope(of.y[k])).margin(1e-8));
    for (std::size_t k = 0; k < of.w.size(); ++k) CHECK(has.dw[k] == Approx(slope(of.w[k])).margin(1e-8));
  }
}

TEMPLATE_TEST_CASE("cmpc: zero vectors, one class, no pairs", "", float, double) {
  std::mt19937_64 random(5);
  data<TestType> of(random, 4, 3, 4);
  std::fill_n(of.x.begin(), 4, TestType{0});
  std::fill_n(of.y.begin() + 4, 4, TestType{0});
  std::fill_n(of.x.begin() + 8, 4, TestType{0});
  std::fill_n(of.y.begin() + 8, 4, TestType{0});
  std::fill_n(of.w.begin() + 4, 4, TestType{0});
  check_against_plain(cmpc{}, of);
  rankloss::context context;
  const found<TestType> has(cmpc{}, of, context);
  for (std::size_t i = 0; i < 3; ++i) CHECK(has.per_pair[i] == Approx(std::log(3.0)));
  for (std::size_t k = 4; k < 8; ++k) CHECK(has.dw[k] == TestType{0});

  data<TestType> one(random, 3, 1, 4);
  const found<TestType> single(cmpc{}, one, context);
  CHECK(single.value == 0.0);
  for (const auto* g : {&single.dx, &single.dy, &single.dw})
    CHECK(std::all_of(g->begin(), g->end(), [](TestType s) { return s == TestType{0}; }));

  data<TestType> none(random, 0, 3, 4);
  const found<TestType> nothing(cmpc{}, none, context);
  CHECK(nothing.value == 0.0);
  CHECK(nothing.dw == std::vector<TestType>(12, TestType{0}));
  data<TestType> empty(random, 0, 0, 4);
  CHECK(found<TestType>(cmpc{}, empty, context).value == 0.0);
}

TEMPLATE_TEST_CASE("cmpc: embeddings and temperatures of any size", "", float, double) {
  std::mt19937_64 random(6);
  const TestType huge = std::numeric_limits<TestType>::max() / 2;
  const TestType tiny = std::numeric_limits<TestType>::denorm_min() * 8;
  for (const TestType unit : {huge, tiny})
    for (const double temperature : {1e-15, 1e-3, 1.0, 1e300})
      for (const double scale : {1.0, 1e300}) {
        data<TestType> of(random, 5, 4, 3);
        for (TestType& c : of.x) c *= unit;
        for (std::size_t k = 0; k < 6; ++k) of.y[k] *= unit, of.w[k] *= unit;
        rankloss::context context;
        const found<TestType> has(cmpc{.temperature = temperature}, of, context, scale);
        CHECK(std::isfinite(has.value));
        CHECK(has.value >= 0.0);
        for (const auto* g : {&has.dx, &has.dy, &has.dw})
          CHECK(std::all_of(g->begin(), g->end(), [](TestType s) { return std::isfinite(s); }));
      }
  // The lengths of the weights make no difference.
  data<TestType> of(random, 5, 4, 3);
  const double value = evaluate(cmpc{}, of.batch());
  for (TestType& c : of.w) c *= TestType(0x1p100);
  CHECK(evaluate(cmpc{}, of.batch()) == value);
}

TEST_CASE("cmpc: matrices with row strides, outputs of another type and layout") {
  std::mt19937_64 random(7);
  const data<float> of(random, 5, 4, 3);
  rankloss::context context;
  const found<float> has(cmpc{}, of, context);
  std::vector<float> wide_w(4 * 7, 9.0f);
  for (std::size_t c = 0; c < 4; ++c) std::copy_n(of.w.data() + c * 3, 3, wide_w.data() + c * 7);
  auto batch = of.batch();
  batch.dimension = 0;
  batch.class_weights = rankloss::matrix_view<const float>(wide_w.data(), 4, 3, 7, 1);
  std::vector<double> dw(4 * 5, 9.0);
  const rankloss::matrix_view<double> rows(dw.data(), 4, 3, 5, 1);
  CHECK(evaluate(cmpc{}, batch, {.class_weights = rows}, context) == has.value);
  for (std::size_t c = 0; c < 4; ++c) {
    for (std::size_t k = 0; k < 3; ++k) CHECK(static_cast<float>(dw[c * 5 + k]) == has.dw[c * 3 + k]);
    CHECK(dw[c * 5 + 4] == 9.0);
  }
}

TEST_CASE("cmpc names what does not fit, before it writes") {
  std::mt19937_64 random(8);
  const data<double> of(random, 3, 2, 4);
  const cmpc_batch<double> good = of.batch();
  CHECK_THROWS_WITH(evaluate(cmpc{.temperature = 0.0}, good),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  auto bad = good;
  bad.dimension = 0;
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad), "rankloss: dimension: 0, expected at least 1");
  bad = good;
  bad.y = std::span(of.y).first(8);
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad), "rankloss: y: 2 vectors, expected 3 (one per x)");
  bad = good;
  bad.class_weights = std::span(of.w).first(5);
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad),
                    "rankloss: class_weights: size 5, expected whole vectors of dimension 4");
  bad = good;
  bad.labels = std::span(of.labels).first(2);
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad), "rankloss: labels: size 2, expected 3 (one per pair)");
  std::vector<int> labels{0, 2, 1};
  bad.labels = labels;
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad),
                    "rankloss: labels: 2 at pair 1, expected classes from 0 to below 2");
  labels[1] = -1;
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad),
                    "rankloss: labels: -1 at pair 1, expected classes from 0 to below 2");
  bad = good;
  const std::vector<double> weights{1, 2, -3};
  bad.pair_weights = weights;
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad),
                    "rankloss: pair_weights: -3 at pair 2, expected a finite number >= 0");
  bad = good;
  auto w = of.w;
  w[6] = std::numeric_limits<double>::quiet_NaN();
  bad.class_weights = w;
  std::vector<double> dx(12, 9.0), per_pair(2);
  CHECK_THROWS_WITH(evaluate(cmpc{}, bad, {.x = dx}),
                    "rankloss: class_weights: nan at class 1, component 2, expected a finite number");
  CHECK_THROWS_WITH(evaluate(cmpc{}, good, {.class_weights = dx}),
                    "rankloss: gradient by class_weights: 3 vectors, expected 2 (one per class)");
  CHECK_THROWS_WITH(evaluate(cmpc{}, good, {.per_pair = per_pair}),
                    "rankloss: per_pair: size 2, expected 3 (one per pair)");
  CHECK_THROWS_WITH(evaluate(cmpc{}, good, {.x = dx, .scale = std::numeric_limits<double>::infinity()}),
                    "rankloss: scale: inf, expected a finite number");
  CHECK(dx == std::vector<double>(12, 9.0));
}

}  // namespace cmpc_test
