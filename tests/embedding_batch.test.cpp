// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/embedding_batch.hpp>
#include <rankloss/hosts/eigen.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/relevance_scores.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>

#include "support/embedding_losses.hpp"
#include "support/embedding_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace embedding_batch_test {

namespace {

using rankloss::bidirectional;
using rankloss::context;
using rankloss::directions;
using rankloss::embedding_batch;
using rankloss::embedding_outputs;
using rankloss::evaluate;
using rankloss::info_nce;
using rankloss::mining;
using rankloss::reduction;
using rankloss::siglip;
using rankloss::similarity;
using rankloss::similarity_batch;
using rankloss::sndcg;
using rankloss::triplet;
using rankloss::weighted;
using rankloss::weighted_sum;
using support::agrees;
using support::by_matrix;
using support::call;
using support::digits;
using support::distance_of;
using support::drawn;
using support::embedding_result;
using support::embeddings;
using support::equal;
using support::finite;
using support::plain_vectors;
using support::widened;

TEMPLATE_TEST_CASE("embedding_batch: every loss of matrices, by cosines of embeddings", "", float, double) {
  for (const directions over : {directions::both, directions::rows, directions::columns})
    support::every_loss_agrees<TestType>(over);
}

TEMPLATE_TEST_CASE("embedding_batch: several losses share the products of one pass", "", float, double) {
  using T = TestType;
  embeddings<T> e(19, 26, 7, 2);
  e.classes(4).grades(true).weights();
  const bidirectional<sndcg> graded{.loss = {.temperature = 0.2}};
  agrees(e, weighted_sum{weighted{0.3, triplet{}}, weighted{0.7, graded}});
  agrees(e, weighted_sum{weighted{0.0, triplet{}}, weighted{-2.0, siglip{.bias = -1.0}},
                         weighted{0.5, triplet{.mine = mining::all, .over = directions::columns}}});
  agrees(e, weighted_sum{weighted{2.0, weighted_sum{weighted{0.3, triplet{}}, weighted{0.7, graded}}},
                         weighted{1.0, rankloss::nca{.over = directions::rows}}});
  e.reduction = reduction::sum;
  agrees(e, weighted_sum{weighted{0.3, triplet{}}, weighted{0.7, graded}});
  agrees(e, weighted_sum{weighted{0.0, triplet{}}, weighted{0.0, graded}});
}

TEMPLATE_TEST_CASE("embedding_batch: more lists than a panel, and any widths", "", float, double) {
  using T = TestType;
  const auto check = [](const embeddings<T>& e) {
    INFO(e.m << " x " << e.n << ", d = " << e.d);
    agrees(e, weighted_sum{weighted{0.3, triplet{.mine = mining::all}},
                           weighted{0.7, bidirectional<sndcg>{.loss = {.temperature = 0.2}}}});
    agrees(e, siglip{.temperature = 0.5, .bias = -1.0, .over = directions::both});
  };
  check(embeddings<T>(260, 530, 9).classes(40));
  check(embeddings<T>(65, 65, 2));
  check(embeddings<T>(3, 1030, 5).classes(3));
  check(embeddings<T>(520, 2, 64).classes(2));
  // So wide that a panel has as few lists as it may have.
  if (sizeof(T) == 8) return;
  embeddings<T> wide(130, 8300, 2);
  agrees(wide.classes(50), siglip{.temperature = 0.5, .bias = -1.0});
}

TEMPLATE_TEST_CASE("embedding_batch: dot products and projections", "", float, double) {
  using T = TestType;
  for (const directions over : {directions::both, directions::rows, directions::columns}) {
    embeddings<T> e(21, 18, 5, 3);
    e.classes(4).weights();
    e.similarity = similarity::dot;
    agrees(e, siglip{.temperature = 2.0, .bias = -1.0, .over = over});
    agrees(e, triplet{.mine = mining::all, .over = over});
  }
  // Rows are projected onto columns and columns onto rows, each in a direction of its own.
  for (const reduction how : {reduction::mean, reduction::sum}) {
    embeddings<T> e(21, 18, 5, 4);
    e.classes(4).weights();
    e.similarity = similarity::projection;
    e.reduction = how;
    rankloss::cmpm loss{.temperature = 2.0, .epsilon = 1e-3};
    context ctx;
    const auto of = [&](directions over) {
      loss.over = over;
      return by_matrix(loss, e.pairs(), e.similarity, e.wide_x(), e.wide_y(), false,
                       over == directions::columns);
    };
    const embedding_result rows = of(directions::rows), columns = of(directions::columns);
    loss.over = directions::rows;
    CHECK(distance_of(e.found(loss, ctx), rows) <= digits<T>);
    loss.over = directions::columns;
    CHECK(distance_of(e.found(loss, ctx), columns) <= digits<T>);
    loss.over = directions::both;
    const double share = how == reduction::sum ? 1.0 : 0.5;
    embedding_result both = rows;
    const auto add = [share](std::vector<double>& to, const std::vector<double>& more) {
      for (std::size_t k = 0; k < to.size(); ++k) to[k] = share * (to[k] + more[k]);
    };
    both.value = share * (rows.value + columns.value);
    add(both.row_gradient, columns.row_gradient);
    add(both.column_gradient, columns.column_gradient);
    for (std::size_t l = 0; l < both.per_list.size(); ++l) both.per_list[l] += columns.per_list[l];
    CHECK(distance_of(e.found(loss, ctx), both) <= digits<T>);
  }
}

TEMPLATE_TEST_CASE("embedding_batch: embeddings against themselves", "", float, double) {
  using T = TestType;
  for (const similarity by : {similarity::cosine, similarity::dot})
    for (const bool without_diagonal : {true, false})
      for (const std::size_t m : {12u, 270u}) {
        if (m > 256 && (by == similarity::dot || !without_diagonal)) continue;
        embeddings<T> e(m, 0, 6, 5);
        e.similarity = by;
        e.without_diagonal = without_diagonal;
        e.classes(static_cast<unsigned>(m / 3)).weights();
        e.column_classes.clear();
        agrees(e, siglip{.temperature = 2.0, .bias = -1.0});
        agrees(e, siglip{.temperature = 2.0, .bias = -1.0, .over = directions::columns});
        agrees(e, weighted_sum{weighted{0.5, rankloss::nca{.scale = 0.1}},
                               weighted{0.5, bidirectional<sndcg>{.loss = {.temperature = 1.0}}}});
      }
  // The weights of the rows are those of the columns, unless these have some of their own.
  embeddings<T> e(9, 0, 4, 6);
  e.without_diagonal = true;
  e.classes(3).weights();
  e.column_classes.clear();
  e.column_weights.clear();
  auto same_weights = e;
  same_weights.column_weights = e.row_weights;
  context ctx;
  const rankloss::nca both{};
  CHECK(distance_of(e.found(both, ctx), same_weights.expected(both)) <= digits<T>);
}

TEMPLATE_TEST_CASE("embedding_batch: slopes by temperature and bias", "", float, double) {
  using T = TestType;
  for (const directions over : {directions::both, directions::rows, directions::columns})
    for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
      embeddings<T> e(300, 40, 5, 7);
      e.classes(9).weights();
      e.reduction = how;
      const siglip loss{.temperature = 0.5, .bias = -1.0, .over = over};
      const auto expected = e.expected(loss, true);
      context ctx;
      double here = 0.0;
      const auto found = e.found(loss, ctx, {.temperature_gradient = &here, .bias_gradient = &here});
      CHECK(distance_of(found, expected) <= digits<T>);
      double temperature = 3.0, bias = 4.0;
      const auto batch = e.batch();
      evaluate(loss, batch,
               {.scale = -2.0,
                .update = rankloss::update::add,
                .temperature_gradient = &temperature,
                .bias_gradient = &bias},
               ctx);
      CHECK(temperature == Approx(3.0 - 2.0 * expected.temperature).epsilon(digits<T>));
      CHECK(bias == Approx(4.0 - 2.0 * expected.bias).epsilon(digits<T>));
    }
}

TEST_CASE("embedding_batch: gradients are slopes, through the length of the vectors") {
  for (const similarity by : {similarity::cosine, similarity::dot, similarity::projection})
    for (const bool self : {false, true}) {
      if (self && by == similarity::projection) continue;
      embeddings<double> e(5, self ? 0 : 6, 3, 8);
      e.similarity = by;
      e.classes(3);
      if (self) e.column_classes.clear();
      e.without_diagonal = self;
      const weighted_sum loss{weighted{0.7, siglip{.temperature = 2.0, .bias = -0.5}},
                              weighted{0.3, bidirectional<sndcg>{.loss = {.temperature = 1.0}}}};
      context ctx;
      const auto found = e.found(loss, ctx);
      const auto slope = [&](double& component) {
        constexpr double h = 0x1p-10;
        const double middle = component;
        const auto at = [&](double by_how_much) {
          component = middle + by_how_much;
          return evaluate(loss, e.batch(), ctx);
        };
        const double far_below = at(-2 * h), below = at(-h), above = at(h), far_above = at(2 * h);
        component = middle;
        return (far_below - 8 * below + 8 * above - far_above) / (12 * h);
      };
      for (std::size_t k = 0; k < e.x.size(); ++k)
        CHECK(found.row_gradient[k] == Approx(slope(e.x[k])).epsilon(1e-7).margin(1e-8));
      for (std::size_t k = 0; k < e.y.size(); ++k)
        CHECK(found.column_gradient[k] == Approx(slope(e.y[k])).epsilon(1e-7).margin(1e-8));
    }
}

TEMPLATE_TEST_CASE("embedding_batch: strides, views, and matrices of Eigen by rows and by columns", "", float,
                   double) {
  using T = TestType;
  using by_rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using by_columns = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  const embeddings<T> e = embeddings<T>(11, 14, 5, 9).classes(4);
  const siglip loss{.temperature = 0.5, .bias = -1.0, .over = directions::both};
  for (const similarity by : {similarity::cosine, similarity::dot}) {
    auto plain = e;
    plain.similarity = by;
    context ctx;
    const auto expected = plain.found(loss, ctx);
    const auto check = [&](embedding_batch<T, int> batch, const rankloss::shaped<rankloss::real_output>& dx,
                           const rankloss::shaped<rankloss::real_output>& dy, auto row_slope,
                           auto column_slope) {
      const double value = evaluate(loss, batch, {.row_gradient = dx, .column_gradient = dy}, ctx);
      CHECK(value == expected.value);
      bool same = true;
      for (std::size_t i = 0; i < 11; ++i)
        for (std::size_t k = 0; k < 5; ++k)
          same = same && static_cast<double>(row_slope(i, k)) == expected.row_gradient[i * 5 + k];
      for (std::size_t j = 0; j < 14; ++j)
        for (std::size_t k = 0; k < 5; ++k)
          same = same && static_cast<double>(column_slope(j, k)) == expected.column_gradient[j * 5 + k];
      CHECK(same);
    };
    const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
    const auto matrices = [&](auto like_x, auto like_y) {
      decltype(like_x) x = Eigen::Map<const by_rows>(e.x.data(), 11, 5);
      decltype(like_y) y = Eigen::Map<const by_rows>(e.y.data(), 14, 5);
      decltype(like_x) dx = decltype(like_x)::Constant(11, 5, T(9));
      decltype(like_y) dy = decltype(like_y)::Constant(14, 5, T(9));
      auto batch = plain.batch();
      batch.rows = batch.columns = batch.dimension = 0;
      batch.row_embeddings = x;
      batch.column_embeddings = y;
      check(
          batch, dx, dy, [&](std::size_t i, std::size_t k) { return dx(index(i), index(k)); },
          [&](std::size_t i, std::size_t k) { return dy(index(i), index(k)); });
    };
    matrices(by_rows(), by_rows());
    matrices(by_columns(), by_rows());
    matrices(by_columns(), by_columns());

    // Blocks of larger matrices, of which nothing else is read or written.
    const T nan = std::numeric_limits<T>::quiet_NaN();
    by_rows large_x = by_rows::Constant(13, 9, nan), large_dx = by_rows::Constant(13, 9, T(9));
    by_columns large_y = by_columns::Constant(16, 9, nan), large_dy = by_columns::Constant(16, 9, T(9));
    large_x.block(1, 2, 11, 5) = Eigen::Map<const by_rows>(e.x.data(), 11, 5);
    large_y.block(2, 3, 14, 5) = Eigen::Map<const by_rows>(e.y.data(), 14, 5);
    auto batch = plain.batch();
    batch.rows = batch.columns = batch.dimension = 0;
    batch.row_embeddings = large_x.block(1, 2, 11, 5);
    batch.column_embeddings = large_y.block(2, 3, 14, 5);
    check(
        batch, large_dx.block(1, 2, 11, 5), large_dy.block(2, 3, 14, 5),
        [&](std::size_t i, std::size_t k) { return large_dx(index(i + 1), index(k + 2)); },
        [&](std::size_t i, std::size_t k) { return large_dy(index(i + 2), index(k + 3)); });
    large_dx.block(1, 2, 11, 5).setConstant(T(9));
    large_dy.block(2, 3, 14, 5).setConstant(T(9));
    CHECK(large_dx == by_rows::Constant(13, 9, T(9)));
    CHECK(large_dy == by_columns::Constant(16, 9, T(9)));

    // Plain arrays whose vectors are apart; the last one may be cut short. Gradients are contiguous.
    std::vector<T> x(11 * 7, nan), y(13 * 6 + 5, nan), dx(55, nan), dy(70, nan);
    for (std::size_t k = 0; k < e.x.size(); ++k) x[k / 5 * 7 + k % 5] = e.x[k];
    for (std::size_t k = 0; k < e.y.size(); ++k) y[k / 5 * 6 + k % 5] = e.y[k];
    batch = plain.batch();
    batch.row_embeddings = x;
    batch.column_embeddings = y;
    batch.row_stride = 7;
    batch.column_stride = 6;
    const auto row_slope = [&](std::size_t i, std::size_t k) { return dx[i * 5 + k]; };
    const auto column_slope = [&](std::size_t i, std::size_t k) { return dy[i * 5 + k]; };
    check(batch, dx, dy, row_slope, column_slope);

    // A view with both strides.
    std::vector<T> sparse(11 * 20, nan);
    for (std::size_t k = 0; k < e.x.size(); ++k) sparse[k / 5 * 20 + k % 5 * 3] = e.x[k];
    batch = plain.batch();
    batch.row_embeddings = rankloss::matrix_view<const T>(sparse.data(), 11, 5, 20, 3);
    check(batch, dx, dy, row_slope, column_slope);
  }
}

/// The nearest number of 16 bits below: half by its 11 digits, bfloat16 by its 8.
template <class Number>
Number cut(double x) {
  if constexpr (std::is_same_v<Number, rankloss::bfloat16>) {
    return {static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(x)) >> 16)};
  } else {
    const auto sign = static_cast<std::uint16_t>(std::signbit(x) ? 0x8000 : 0);
    const double size = std::min(std::abs(x), 60000.0);
    const int exponent = std::max(std::ilogb(size), -14);
    const auto fraction = static_cast<std::uint16_t>(std::ldexp(size, 10 - exponent));
    return {static_cast<std::uint16_t>(sign | (fraction + ((exponent + 14) << 10)))};
  }
}

template <class Number, class T>
void check_storage() {
  embeddings<T> e(11, 14, 5, 10);
  e.classes(4);
  std::vector<Number> x, y;
  for (T& c : e.x) {
    x.push_back(cut<Number>(static_cast<double>(c)));
    c = static_cast<T>(static_cast<double>(x.back()));
  }
  for (T& c : e.y) {
    y.push_back(cut<Number>(static_cast<double>(c)));
    c = static_cast<T>(static_cast<double>(y.back()));
  }
  CHECK(std::abs(static_cast<double>(x[0]) - static_cast<double>(e.x[0])) == 0.0);
  const siglip loss{.temperature = 0.5, .bias = -1.0, .over = directions::both};
  context ctx;
  for (const similarity by : {similarity::cosine, similarity::dot, similarity::projection}) {
    e.similarity = by;
    auto batch = e.batch();
    batch.row_embeddings = x;
    CHECK(equal(call<T>(loss, batch, 11, 14, 5, ctx), e.found(loss, ctx)));
    batch.column_embeddings = y;
    CHECK(equal(call<T>(loss, batch, 11, 14, 5, ctx), e.found(loss, ctx)));
    batch.column_embeddings = rankloss::matrix_view<const Number>(y.data(), 14, 5);
    CHECK(equal(call<T>(loss, batch, 11, 14, 5, ctx), e.found(loss, ctx)));
  }
  // By columns.
  std::vector<Number> turned(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) turned[k % 5 * 11 + k / 5] = x[k];
  auto batch = e.batch();
  batch.row_embeddings = rankloss::matrix_view<const Number>(turned.data(), 11, 5, 1, 11);
  CHECK(equal(call<T>(loss, batch, 11, 14, 5, ctx), e.found(loss, ctx)));
  turned[7].bits = 0x7f80;
  if (!(std::abs(static_cast<double>(turned[7])) < 1e300))
    CHECK_THROWS_WITH(evaluate(loss, batch, ctx),
                      Catch::Contains("at row 7, component 0, expected a finite"));
}

TEST_CASE("embedding_batch: numbers of 16 bits are widened, and otherwise the same") {
  check_storage<rankloss::half, float>();
  check_storage<rankloss::half, double>();
  check_storage<rankloss::bfloat16, float>();
  check_storage<rankloss::bfloat16, double>();
}

TEMPLATE_TEST_CASE("embedding_batch: outputs are written as asked", "", float, double) {
  using T = TestType;
  using other = std::conditional_t<std::is_same_v<T, float>, double, float>;
  const embeddings<T> e = embeddings<T>(270, 30, 5, 11).classes(6).weights();
  const siglip loss{.temperature = 0.5, .bias = -1.0, .over = directions::both};
  context ctx;
  const auto plain = e.found(loss, ctx);
  const auto batch = e.batch();
  const auto close = [](const auto& found, const std::vector<double>& expected, double factor, double added) {
    REQUIRE(found.size() <= expected.size());
    double most = 0.0, largest = std::abs(added);
    for (std::size_t k = 0; k < found.size(); ++k) {
      most = std::max(most, std::abs(static_cast<double>(found[k]) - (added + factor * expected[k])));
      largest = std::max(largest, std::abs(factor * expected[k]));
    }
    return most <= 4e-7 * largest;
  };
  std::vector<T> dx(270 * 5, T(3)), dy(30 * 5, T(3));
  // One alone, or fewer columns, which are then constants.
  CHECK(evaluate(loss, batch, {.row_gradient = dx}, ctx) == plain.value);
  CHECK(std::vector<double>(dx.begin(), dx.end()) == plain.row_gradient);
  CHECK(evaluate(loss, batch, {.column_gradient = dy}, ctx) == plain.value);
  CHECK(std::vector<double>(dy.begin(), dy.end()) == plain.column_gradient);
  for (const std::size_t count : {1u, 12u, 29u}) {
    std::vector<T> some(count * 5, T(9));
    evaluate(loss, batch, {.column_gradient = some}, ctx);
    CHECK(close(some, plain.column_gradient, 1.0, 0.0));
    std::vector<T> as_matrix(count * 6, T(9));
    evaluate(loss, batch, {.column_gradient = rankloss::matrix_view<T>(as_matrix.data(), count, 5, 1, count)},
             ctx);
    bool same = true;
    for (std::size_t k = 0; k < count * 5; ++k) same = same && as_matrix[k % 5 * count + k / 5] == some[k];
    CHECK(same);
    CHECK(as_matrix[count * 5] == T(9));
  }
  // Scale, addition and the other type.
  dx.assign(dx.size(), T(3));
  dy.assign(dy.size(), T(3));
  std::vector<double> per_list(300, 9.0);
  CHECK(evaluate(loss, batch,
                 {.row_gradient = dx,
                  .column_gradient = dy,
                  .per_list = per_list,
                  .scale = -2.5,
                  .update = rankloss::update::add},
                 ctx) == plain.value);
  CHECK(close(dx, plain.row_gradient, -2.5, 3.0));
  CHECK(close(dy, plain.column_gradient, -2.5, 3.0));
  CHECK(per_list == plain.per_list);
  const auto cast = e.template found<siglip, other>(loss, ctx, {.scale = 2.0});
  CHECK(cast.value == plain.value);
  CHECK(close(cast.row_gradient, plain.row_gradient, 2.0, 0.0));
  CHECK(close(cast.column_gradient, plain.column_gradient, 2.0, 0.0));
  evaluate(loss, batch, {.row_gradient = dx, .column_gradient = dy, .scale = 0.0}, ctx);
  CHECK(dx == std::vector<T>(dx.size(), T(0)));
  CHECK(dy == std::vector<T>(dy.size(), T(0)));
}

TEMPLATE_TEST_CASE("embedding_batch: pairs that take no part, and further negatives", "", float, double) {
  using T = TestType;
  const weighted_sum loss{weighted{0.3, triplet{.mine = mining::all}},
                          weighted{0.7, bidirectional<sndcg>{.loss = {.temperature = 0.2}}}};
  const siglip pairs{.temperature = 0.5, .bias = -1.0};
  {
    embeddings<T> e(270, 20, 4, 12);
    e.classes(5).grades();
    e.mask = e.flags(2);
    for (std::size_t j = 0; j < 20; ++j) e.mask[3 * 20 + j] = 0;  // a row of which nothing takes part
    agrees(e, loss);
    agrees(e, pairs);
  }
  {
    embeddings<T> e(12, 20, 4, 13);
    e.matches = e.flags(4);
    agrees(e, loss);
    e.row_ids = support::whole_numbers<int>(e.random, 12, 6);
    e.column_ids = support::whole_numbers<int>(e.random, 20, 6);
    agrees(e, loss);
    agrees(e, pairs);
  }
  {
    embeddings<T> e(12, 20, 4, 14);  // the match of a row by index; the columns behind are negatives
    e.extra_columns = true;
    agrees(e, loss);
    agrees(e, pairs);
  }
  {
    embeddings<T> e(14, 14, 4, 15);
    e.classes(4);
    e.without_diagonal = true;
    agrees(e, loss);
    agrees(e,
           bidirectional<sndcg>{.loss = {.temperature = 0.2}, .columns_by = rankloss::column_relevance::own});
    e.without_diagonal = false;
    e.grades();
    agrees(e, bidirectional<sndcg>{.loss = {.temperature = 0.2},
                                   .columns_by = rankloss::column_relevance::of_rows});
  }
}

TEMPLATE_TEST_CASE("embedding_batch: prefixes of the dimensions at once", "", float, double) {
  using T = TestType;
  const std::vector<int> prefixes{3, 8, 5, 2};
  const std::vector<double> weights{0.5, 2.0, 0.0, 1.0};
  for (const bool self : {false, true}) {
    embeddings<T> e(270, self ? 0 : 9, 8, 16);
    e.classes(4);
    if (self) e.column_classes.clear();
    const siglip loss{.temperature = 0.5, .bias = -1.0, .over = directions::both};
    for (const bool weighted_prefixes : {false, true}) {
      embedding_result expected;
      expected.row_gradient.assign(e.x.size(), 0.0);
      expected.column_gradient.assign(e.y.size(), 0.0);
      expected.per_list.assign(e.m + e.columns(), 0.0);
      for (std::size_t p = 0; p < prefixes.size(); ++p) {
        const double weight = weighted_prefixes ? weights[p] : 1.0;
        const auto d = static_cast<std::size_t>(prefixes[p]);
        std::optional<plain_vectors> y;
        if (!self) y = e.wide_y()->first(d);
        const auto own = by_matrix(loss, e.pairs(), e.similarity, e.wide_x().first(d), y, true);
        expected.value += weight * own.value;
        expected.temperature += weight * own.temperature;
        expected.bias += weight * own.bias;
        for (std::size_t l = 0; l < own.per_list.size(); ++l)
          expected.per_list[l] += weight * own.per_list[l];
        for (std::size_t k = 0; k < own.row_gradient.size(); ++k)
          expected.row_gradient[k / d * 8 + k % d] += weight * own.row_gradient[k];
        for (std::size_t k = 0; k < own.column_gradient.size(); ++k)
          expected.column_gradient[k / d * 8 + k % d] += weight * own.column_gradient[k];
      }
      auto batch = e.batch();
      batch.prefixes = prefixes;
      if (weighted_prefixes) batch.prefix_weights = weights;
      context ctx, three{rankloss::threads(3)};
      double here = 0.0;
      const embedding_outputs out{.temperature_gradient = &here, .bias_gradient = &here};
      const auto found = call<T>(loss, batch, e.m, e.n, 8, ctx, out);
      CHECK(distance_of(found, expected) <= digits<T>);
      CHECK(equal(call<T>(loss, batch, e.m, e.n, 8, three, out), found));
      // Added and scaled, in another layout.
      std::vector<double> dx(8 * e.m, 5.0);
      evaluate(loss, batch,
               {.row_gradient = rankloss::matrix_view<double>(dx.data(), e.m, 8, 1, e.m),
                .scale = 2.0,
                .update = rankloss::update::add},
               ctx);
      double apart = 0.0;
      for (std::size_t k = 0; k < dx.size(); ++k)
        apart = std::max(apart, std::abs(dx[k % 8 * e.m + k / 8] - 5.0 - 2.0 * found.row_gradient[k]));
      CHECK(apart <= 1e-6);
    }
  }
}

TEMPLATE_TEST_CASE("embedding_batch: values of lists have the weights of prefixes, whichever way is taken",
                   "", float, double) {
  using T = TestType;
  std::mt19937_64 random(7);
  const auto x = support::numbers<T>(random, 6 * 4), y = support::numbers<T>(random, 7 * 4);
  const std::vector<int> prefixes{2, 4};
  const std::vector<double> weights{0.25, 3.0};
  const auto check = [&](const auto& loss) {
    embedding_batch<T> batch{.row_embeddings = x,
                             .column_embeddings = y,
                             .rows = 6,
                             .columns = 7,
                             .dimension = 4,
                             .extra_columns = true};
    std::vector<double> expected(13, 0.0), found(13);
    batch.row_stride = batch.column_stride = 4;
    for (std::size_t p = 0; p < 2; ++p) {
      embedding_batch<T> part = batch;
      part.dimension = static_cast<std::size_t>(prefixes[p]);
      part.row_embeddings = std::span(x).first(5 * 4 + part.dimension);
      part.column_embeddings = std::span(y).first(6 * 4 + part.dimension);
      evaluate(loss, part, {.per_list = found});
      for (std::size_t l = 0; l < 13; ++l) expected[l] += weights[p] * found[l];
    }
    batch.prefixes = prefixes;
    batch.prefix_weights = weights;
    evaluate(loss, batch, {.per_list = found});
    for (std::size_t l = 0; l < 13; ++l) CHECK(found[l] == Approx(expected[l]).epsilon(1e-6));
  };
  check(info_nce{});
  check(info_nce{.over = directions::rows});
  check(triplet{});
  check(triplet{.over = directions::rows});
}

TEMPLATE_TEST_CASE("embedding_batch: dot products near the largest number", "", float, double) {
  using T = TestType;
  constexpr T most = std::numeric_limits<T>::max();
  const auto value_of = [&](const auto& loss, const std::vector<T>& x, const std::vector<T>& y) {
    const std::size_t d = x.size() / 2;
    std::vector<double> dx(x.size());
    const double value = evaluate(loss,
                                  embedding_batch<T>{.row_embeddings = x,
                                                     .column_embeddings = y,
                                                     .rows = 2,
                                                     .columns = 2,
                                                     .dimension = d,
                                                     .similarity = similarity::dot},
                                  {.row_gradient = dx});
    for (const double g : dx) CHECK(std::isfinite(g));
    return value;
  };
  // Where the sum of products may exceed the largest number by its rounding.
  const std::vector<T> x(2 * 10, most / 10), ones(2 * 10, T{1});
  CHECK_THROWS_AS(value_of(info_nce{}, x, ones), std::invalid_argument);
  CHECK_THROWS_AS(value_of(triplet{}, {most, most}, {T{-1}, T{-1}}), std::invalid_argument);
  const std::vector<T> half{most / 2, most / 2}, minus{T{-1}, T{-1}};
  CHECK(value_of(info_nce{.temperature = 1e30}, half, minus) == Approx(std::log(2.0)));
  CHECK(value_of(triplet{.margin = 0.25}, half, minus) == 0.25);
}

TEST_CASE("embedding_batch: without rows, the columns say how many components there are") {
  std::vector<double> y(8, 1.0), dy(8, 7.0);
  CHECK(evaluate(
            info_nce{.over = directions::rows},
            embedding_batch<double>{.row_embeddings = {},
                                    .column_embeddings = rankloss::matrix_view<const double>(y.data(), 2, 4),
                                    .extra_columns = true},
            {.column_gradient = rankloss::matrix_view<double>(dy.data(), 2, 4)}) == 0.0);
  CHECK(dy == std::vector<double>(8, 0.0));
}

/// Relevance as a formula of the pair.
struct formula {
  std::size_t row_count, column_count;
  bool spoilt = false;

  [[nodiscard]] int of(std::size_t i, std::size_t j) const {
    if (spoilt && i == row_count - 1 && j == 2) return -1;
    return static_cast<int>((7 * i + 3 * j) % 5 == 0 ? 1 + i % 3 : 0);
  }
  void rows(std::size_t first, std::size_t count, std::span<int> to, context& ctx) const {
    REQUIRE(to.size() == count * column_count);
    // The context of the call is free to be used.
    const std::vector<double> some{0.5, 0.25, 0.0, 1.0};
    CHECK(evaluate(triplet{.margin = 1.0},
                   similarity_batch<double>{.similarity = some, .rows = 2, .columns = 2}, {}, ctx) > 0.0);
    for (std::size_t k = 0; k < to.size(); ++k) to[k] = of(first + k / column_count, k % column_count);
  }
  void columns(std::size_t first, std::size_t count, std::span<int> to, context&) const {
    REQUIRE(to.size() == count * row_count);
    for (std::size_t k = 0; k < to.size(); ++k) to[k] = of(k % row_count, first + k / row_count);
  }
};

TEMPLATE_TEST_CASE("embedding_batch: computed relevance is the same as given relevance", "", float, double) {
  using T = TestType;
  const weighted_sum loss{weighted{0.3, triplet{.mine = mining::all}},
                          weighted{0.7, bidirectional<sndcg>{.loss = {.temperature = 0.2}}}};
  embeddings<T> e(300, 21, 4, 17);
  e.classes(4);
  const formula object{300, 21};
  e.relevance.resize(300 * 21);
  for (std::size_t k = 0; k < e.relevance.size(); ++k) e.relevance[k] = object.of(k / 21, k % 21);
  e.mask = e.flags(3);
  auto batch = e.batch();
  batch.relevance = {};
  batch.computed_relevance = object;
  context ctx, three{rankloss::threads(3)};
  CHECK(equal(call<T>(loss, batch, 300, 21, 4, ctx), e.found(loss, ctx)));
  CHECK(equal(call<T>(loss, batch, 300, 21, 4, three), e.found(loss, ctx)));
  // Without classes it is all there is to know of pairs.
  const bidirectional<sndcg> alone{.loss = {.temperature = 0.2}};
  batch.row_classes = batch.column_classes = {};
  e.row_classes.clear();
  e.column_classes.clear();
  CHECK(equal(call<T>(alone, batch, 300, 21, 4, ctx), e.found(alone, ctx)));

  // Captions.
  std::mt19937_64 random(18);
  const auto captions = drawn<T>(random, 12 * 3), texts = drawn<T>(random, 6 * 3);
  const rankloss::caption_batch<T> text_batch{
      .captions = captions, .texts = texts, .dimension = 3, .captions_per_image = 2};
  std::vector<T> relevance(36);
  rankloss::relevance_scores(text_batch, relevance);
  const auto x = drawn<T>(random, 6 * 4), y = drawn<T>(random, 6 * 4);
  embedding_batch<T> given{
      .row_embeddings = x, .column_embeddings = y, .rows = 6, .columns = 6, .dimension = 4};
  given.relevance = relevance;
  const auto expected = call<T>(alone, given, 6, 6, 4, ctx);
  const rankloss::caption_relevance tiles(text_batch);
  given.relevance = {};
  given.computed_relevance = tiles;
  CHECK(equal(call<T>(alone, given, 6, 6, 4, ctx), expected));
  CHECK(equal(call<T>(alone, given, 6, 6, 4, three), expected));
}

TEST_CASE("embedding_batch: scratch is some copies of the embeddings and two panels") {
  const std::size_t n = 6000, d = 8;
  embeddings<float> e(n, n, d, 19);
  context ctx;
  std::vector<float> dx(n * d), dy(n * d);
  evaluate(triplet{}, e.batch(), {.row_gradient = dx, .column_gradient = dy}, ctx);
  const std::size_t panel = 256 * n * sizeof(float), vectors = 2 * n * d * sizeof(float);
  CHECK(ctx.scratch_capacity() <= 3 * panel + 4 * vectors + 100 * 2 * n);
  CHECK(ctx.scratch_capacity() <= n * n * sizeof(float) / 6);
  context value_alone;
  evaluate(triplet{}, e.batch(), value_alone);
  CHECK(value_alone.scratch_capacity() < ctx.scratch_capacity());
}

TEMPLATE_TEST_CASE("embedding_batch: batches that have little in them", "", float, double) {
  using T = TestType;
  const auto check = [](const embeddings<T>& e) {
    INFO(e.m << " x " << e.n << ", d = " << e.d);
    agrees(e, siglip{.temperature = 0.5, .bias = -1.0, .over = directions::both});
    agrees(e, triplet{.mine = mining::all});
    agrees(e, bidirectional<sndcg>{.loss = {.temperature = 0.2}});
  };
  check(embeddings<T>(1, 1, 1));
  check(embeddings<T>(1, 1, 3));
  check(embeddings<T>(1, 5, 3).classes(1));
  check(embeddings<T>(5, 1, 3).classes(2));
  check(embeddings<T>(5, 7, 3).classes(1));  // positives only
  embeddings<T> none(5, 7, 3);
  none.row_classes.assign(5, 1);
  none.column_classes.assign(7, 2);
  check(none);
  none.row_classes[2] = 2;
  check(none);
  // No rows, no columns, neither.
  context ctx;
  const bidirectional<sndcg> loss;
  const std::vector<T> vectors(6, T(1));
  std::vector<T> out(6, T(9));
  std::vector<double> per_list(2, 9.0);
  CHECK(evaluate(loss, embedding_batch<T>{.row_embeddings = {}}, ctx) == 0.0);
  CHECK(evaluate(loss,
                 embedding_batch<T>{
                     .row_embeddings = {}, .column_embeddings = vectors, .columns = 2, .dimension = 3},
                 {.column_gradient = out, .per_list = per_list}, ctx) == 0.0);
  CHECK(out == std::vector<T>(6, T(0)));
  CHECK(per_list == std::vector<double>(2, 0.0));
  out.assign(6, T(9));
  per_list.assign(2, 9.0);
  CHECK(evaluate(loss,
                 embedding_batch<T>{.row_embeddings = vectors,
                                    .column_embeddings = rankloss::matrix_view<const T>(vectors.data(), 0, 3),
                                    .rows = 2,
                                    .dimension = 3},
                 {.row_gradient = out, .per_list = per_list}, ctx) == 0.0);
  CHECK(out == std::vector<T>(6, T(0)));
  CHECK(per_list == std::vector<double>(2, 0.0));
}

TEMPLATE_TEST_CASE("embedding_batch: zero vectors, equal vectors and duplicates", "", float, double) {
  using T = TestType;
  const siglip loss{.temperature = 0.5, .bias = -1.0, .over = directions::both};
  for (const similarity by : {similarity::cosine, similarity::dot}) {
    embeddings<T> e(6, 8, 4, 20);
    e.classes(3);
    e.similarity = by;
    for (std::size_t k = 0; k < 4; ++k) e.x[8 + k] = e.y[12 + k] = T(0);
    agrees(e, loss);
    agrees(e, rankloss::nca{.scale = 0.3});
    if (by == similarity::cosine) {
      context ctx;
      const auto found = e.found(loss, ctx);
      for (std::size_t k = 0; k < 4; ++k) {
        CHECK(found.row_gradient[8 + k] == 0.0);
        CHECK(found.column_gradient[12 + k] == 0.0);
      }
    }
    e.x.assign(e.x.size(), T(0));
    agrees(e, loss);
  }
  // Duplicates have the same gradient in every bit; so have all vectors where all are equal.
  embeddings<T> e(300, 530, 5, 21);
  e.classes(7);
  for (std::size_t k = 0; k < 5; ++k) e.y[520 * 5 + k] = e.y[3 * 5 + k];
  e.column_classes[520] = e.column_classes[3];
  const auto twice = finite(e, loss);
  for (std::size_t k = 0; k < 5; ++k)
    CHECK(twice.column_gradient[520 * 5 + k] == twice.column_gradient[15 + k]);
  for (std::size_t k = 0; k < e.x.size(); ++k) e.x[k] = T(0.25) * static_cast<T>(1 + k % 5);
  for (std::size_t k = 0; k < e.y.size(); ++k) e.y[k] = T(0.25) * static_cast<T>(1 + k % 5);
  support::every_loss_is_flat(e);
}

TEMPLATE_TEST_CASE("embedding_batch: by cosine vectors may have any length", "", float, double) {
  using T = TestType;
  const bool narrow = sizeof(T) == 4;
  const siglip loss{.temperature = 0.5, .bias = -1.0, .over = directions::both};
  const embeddings<T> e = embeddings<T>(6, 8, 4, 22).classes(3);
  context ctx;
  const auto expected = e.found(loss, ctx);
  const int large = narrow ? 125 : 1021, small = narrow ? -120 : -1000;
  for (const auto& [row_power, column_power] :
       {std::pair(large, large), std::pair(large, small), std::pair(small, large), std::pair(small, small)}) {
    INFO("rows times 2^" << row_power << ", columns times 2^" << column_power);
    auto scaled = e;
    for (T& x : scaled.x) x = std::ldexp(x, row_power);
    for (T& y : scaled.y) y = std::ldexp(y, column_power);
    const auto found = finite(scaled, loss);
    CHECK(found.value == Approx(expected.value).epsilon(digits<T>));
    const auto times = [](std::vector<double> numbers, int power) {
      for (double& x : numbers) x = std::ldexp(x, power);
      return numbers;
    };
    // Gradients are as much larger as vectors are shorter, up to what the type holds.
    auto back = found;
    back.row_gradient = times(found.row_gradient, row_power);
    back.column_gradient = times(found.column_gradient, column_power);
    if (row_power < 0 && column_power < 0) CHECK(distance_of(back, expected) <= digits<T>);
  }
  // Components from the largest to the smallest, and subnormal vectors.
  embeddings<T> mixed = e;
  using limits = std::numeric_limits<T>;
  const T any[] = {limits::max(), -limits::max(), limits::min(), limits::denorm_min(), T(1)};
  for (std::size_t k = 0; k < mixed.x.size(); ++k) mixed.x[k] = any[k * 7 % 5];
  for (std::size_t k = 0; k < mixed.y.size(); ++k) mixed.y[k] = any[k * 3 % 5];
  finite(mixed, loss);
  for (std::size_t k = 0; k < mixed.x.size(); ++k)
    mixed.x[k] = static_cast<T>(static_cast<int>(k % 7) - 3) * limits::denorm_min();
  finite(mixed, loss);
  const auto sharp = finite(mixed, siglip{.temperature = 1e-10, .over = directions::both});
  CHECK(sharp.value ==
        Approx(mixed.expected(siglip{.temperature = 1e-10, .over = directions::both}).value).epsilon(1e-4));
}

TEST_CASE("embedding_batch: what is wrong is named, and nothing is written") {
  using fields = embedding_batch<float, int>;
  std::vector<float> x(12, 1.0f), y(20, 1.0f);
  const std::vector<int> three{0, 1, 2}, five{0, 1, 2, 0, 1};
  std::vector<double> numbers(3, 0.5), five_numbers(5, 0.5);
  const fields good{.row_embeddings = x,
                    .column_embeddings = y,
                    .rows = 3,
                    .columns = 5,
                    .dimension = 4,
                    .row_classes = three,
                    .column_classes = five};
  std::vector<float> dx(12, 7.0f), dy(20, 7.0f);
  std::vector<double> per_list(8, 7.0);
  double slope = 7.0;
  context ctx;
  const bidirectional<sndcg> loss;
  const auto says_of = [&](const auto& of, const fields& batch, embedding_outputs out) {
    if (out.row_gradient.empty()) out.row_gradient = dx;
    if (out.column_gradient.empty() && (!batch.column_embeddings.empty() || batch.columns > 0))
      out.column_gradient = dy;
    if (out.per_list.empty()) out.per_list = per_list;
    std::string text;
    try {
      evaluate(of, batch, out, ctx);
    } catch (const std::invalid_argument& error) {
      text = error.what();
    }
    CHECK(dx == std::vector<float>(12, 7.0f));
    CHECK(dy == std::vector<float>(20, 7.0f));
    CHECK(per_list == std::vector<double>(8, 7.0));
    CHECK(slope == 7.0);
    return text;
  };
  const auto says = [&](auto change, embedding_outputs out = {}) {
    fields batch = good;
    change(batch);
    return says_of(loss, batch, out);
  };
  const auto nothing = [](fields&) {};

  CHECK(says([](fields& b) { b.rows = 4; }) ==
        "rankloss: row_embeddings: size 12, expected 16 (4 vectors of 4 components)");
  CHECK(says([](fields& b) { b.columns = 4; }) ==
        "rankloss: column_embeddings: size 20, expected 16 (4 vectors of 4 components)");
  CHECK(says([](fields& b) { b.row_stride = 3; }) ==
        "rankloss: row_stride: 3, expected at least the dimension 4");
  CHECK(says([](fields& b) { b.column_stride = 5; }) ==
        "rankloss: column_embeddings: size 20, expected 25 (5 vectors of 4 components)");
  CHECK(says([&](fields& b) { b.row_embeddings = rankloss::matrix_view<const float>(x.data(), 4, 3); }) ==
        "rankloss: row_embeddings: 4 vectors of 3 components, expected 3 of 4");
  CHECK(says([&](fields& b) { b.column_embeddings = rankloss::matrix_view<const float>(y.data(), 4, 5); }) ==
        "rankloss: column_embeddings: 4 vectors of 5 components, expected 5 of 4");
  CHECK(says([&](fields& b) {
          b.row_embeddings = rankloss::matrix_view<const float>(x.data(), 3, 4);
          b.row_stride = 4;
        }) == "rankloss: row_stride: 4, expected none: row_embeddings is a matrix with strides of its own");
  CHECK(says([&](fields& b) {
          b.row_embeddings = rankloss::matrix_view<const float>(x.data(), 3, 0);
          b.dimension = 0;
        }) == "rankloss: dimension: 0, expected at least 1");

  // Products of sizes that would wrap round.
  constexpr std::size_t far = std::size_t{1} << 61;
  CHECK(says([&](fields& b) {
          b.row_stride = 4 + far;
        }).starts_with("rankloss: row_embeddings: size 12, expected "));
  CHECK(says([&](fields& b) {
          b.rows = 3 + 2 * far;
        }).starts_with("rankloss: row_embeddings: size 12, expected "));
  CHECK(says([&](fields& b) { b.similarity = static_cast<similarity>(7); }) ==
        "rankloss: similarity: 7, expected cosine, dot or projection");
  CHECK(says([&](fields& b) { b.rows = 0; }) ==
        "rankloss: rows: 0, expected that of row_embeddings, a plain array of 12 components");
  CHECK(says([&](fields& b) { b.dimension = 0; }) ==
        "rankloss: dimension: 0, expected that of row_embeddings, a plain array of 12 components");
  CHECK(says([&](fields& b) { b.columns = 0; }) ==
        "rankloss: columns: 0, expected that of column_embeddings, a plain array of 20 components");

  // One set of embeddings.
  CHECK(says([&](fields& b) { b.column_embeddings = {}; }) ==
        "rankloss: columns: 5 without column_embeddings, expected them, or 0: the rows are compared with "
        "themselves");
  const auto alone = [&](fields& b) {
    b.column_embeddings = {};
    b.columns = 0;
    b.column_classes = {};
  };
  CHECK(says([&](fields& b) {
          alone(b);
          b.row_classes = {};
        }) ==
        "rankloss: column_embeddings: none given, and no matches or classes, expected columns, or classes of "
        "rows that are compared with themselves");
  CHECK(
      says([&](fields& b) {
        alone(b);
        b.column_classes = three;
      }) ==
      "rankloss: column_classes, column_ids, column_probabilities: given without column_embeddings, expected "
      "those of the rows alone");
  CHECK(says(alone, {.column_gradient = dy}) ==
        "rankloss: column_gradient: given without column_embeddings, expected row_gradient alone");
  CHECK(says([&](fields& b) {
          alone(b);
          b.similarity = similarity::projection;
        }) == "rankloss: similarity: projection of rows onto themselves, expected column_embeddings");

  // Outputs.
  std::vector<float> some(13, 7.0f);
  CHECK(says(nothing, {.row_gradient = std::span(some)}) ==
        "rankloss: row_gradient: size 13, expected vectors of 4 components");
  CHECK(says(nothing, {.row_gradient = std::span(some).first(8)}) ==
        "rankloss: row_gradient: 2 vectors, expected 3");
  std::vector<float> many(24, 7.0f);
  CHECK(says(nothing, {.column_gradient = many}) ==
        "rankloss: column_gradient: 6 vectors, expected 5 or fewer");
  CHECK(says(nothing, {.row_gradient = rankloss::matrix_view<float>(many.data(), 3, 4, 2, 1)}) ==
        "rankloss: row_gradient: strides 2 and 1, expected components of their own, none of which is written "
        "twice");
  CHECK(says(nothing, {.row_gradient = rankloss::matrix_view<float>(many.data(), 4, 3)}) ==
        "rankloss: row_gradient: 4 vectors of 3 components, expected vectors of 4");
  CHECK(says(nothing, {.per_list = numbers}) ==
        "rankloss: per_list: size 3, expected 8 (rows, then columns)");
  CHECK(says(nothing, {.scale = std::numeric_limits<double>::infinity()}) ==
        "rankloss: scale: inf, expected a finite number");
  CHECK(says(nothing, {.temperature_gradient = &slope}).starts_with("rankloss: temperature_gradient: "));
  CHECK(says(nothing, {.bias_gradient = &slope}).starts_with("rankloss: bias_gradient: "));

  // Options.
  CHECK(says_of(bidirectional<sndcg>{.loss = {.temperature = -1.0}}, good, {})
            .find("temperature: -1, expected 1e-15 to 1e300") != std::string::npos);

  // Prefixes.
  const std::vector<int> too_long{2, 5}, zero{0, 3}, below{-1};
  CHECK(says([&](fields& b) { b.prefixes = too_long; }) ==
        "rankloss: prefixes: 5 at prefix 1, expected 1 to the dimension 4");
  CHECK(says([&](fields& b) { b.prefixes = zero; }) ==
        "rankloss: prefixes: 0 at prefix 0, expected 1 to the dimension 4");
  CHECK(says([&](fields& b) { b.prefixes = below; }) ==
        "rankloss: prefixes: -1 at prefix 0, expected 1 to the dimension 4");
  CHECK(says([&](fields& b) { b.prefix_weights = numbers; }) ==
        "rankloss: prefix_weights: size 3, expected 0 (one per prefix)");
  const std::vector<int> four_prefixes{1, 2, 4};
  numbers[1] = -0.5;
  CHECK(says([&](fields& b) {
          b.prefixes = four_prefixes;
          b.prefix_weights = numbers;
        }).starts_with("rankloss: prefix_weights: -0.5 at prefix 1, expected "));
  CHECK(
      says([&](fields& b) { b.row_weights = numbers; }).starts_with("rankloss: row_weights: -0.5 at row 1"));
  numbers[1] = 0.5;
  CHECK(says([&](fields& b) { b.column_weights = numbers; }) ==
        "rankloss: column_weights: size 3, expected 5 (one per column)");
  CHECK(says([&](fields& b) { b.row_probabilities = numbers; }) ==
        "rankloss: row_probabilities: given, expected none: this loss does not correct for how items were "
        "sampled");
  CHECK(says([&](fields& b) { b.column_probabilities = five_numbers; }) ==
        "rankloss: column_probabilities: given, expected none: this loss does not correct for how items were "
        "sampled");

  // Pairs.
  const std::vector<std::uint8_t> flags(14, 1);
  const std::vector<int> grades(15, 1);
  std::vector<int> one_below = grades;
  one_below[8] = -1;
  CHECK(says([&](fields& b) { b.matches = flags; }) ==
        "rankloss: matches: size 14, expected 15 (3 rows of 5 columns)");
  CHECK(says([&](fields& b) { b.mask = flags; }) ==
        "rankloss: mask: size 14, expected 15 (3 rows of 5 columns)");
  CHECK(says([&](fields& b) { b.row_classes = five; }) == "rankloss: row_classes: size 5, expected 3 (rows)");
  CHECK(says([&](fields& b) { b.row_classes = b.column_classes = {}; }) ==
        "rankloss: matches: none given for 3 rows and 5 columns, expected a square matrix, extra_columns, "
        "matches or classes");
  CHECK(says([&](fields& b) { b.row_ids = three; }) ==
        "rankloss: row_ids, column_ids: only one of them is given");
  CHECK(says([&](fields& b) { b.without_diagonal = true; }) ==
        "rankloss: without_diagonal: given for 3 rows and 5 columns, expected a square matrix");
  CHECK(
      says([&](fields& b) { b.extra_columns = true; }) ==
      "rankloss: extra_columns: given for 3 rows and 5 columns with matches or classes, expected at least as "
      "many columns as rows, and matches by index");
  CHECK(says([&](fields& b) { b.column_relevance = grades; }) ==
        "rankloss: column_relevance: given without relevance");
  CHECK(says([&](fields& b) {
          b.relevance = one_below;
        }).starts_with("rankloss: relevance: -1 at row 1, column 3, expected "));

  // Computed relevance.
  const formula object{3, 5};
  CHECK(says([&](fields& b) {
          b.computed_relevance = object;
          b.relevance = grades;
        }) == "rankloss: computed_relevance: given with relevance, expected one of them");
  CHECK(
      says([&](fields& b) {
        b.computed_relevance = object;
        b.reduction = reduction::mean_of_relevant;
      }).starts_with("rankloss: reduction: mean_of_relevant with computed_relevance, expected mean or sum"));
  fields computed = good;
  computed.computed_relevance = object;
  CHECK(says_of(bidirectional<sndcg>{.columns_by = rankloss::column_relevance::of_rows}, computed, {})
            .starts_with("rankloss: columns_by: of_rows "));
  const formula spoilt{3, 5, true};
  const auto of_computed = [&](const std::vector<int>& prefixes) {
    computed.computed_relevance = spoilt;
    computed.prefixes = prefixes;
    return says_of(loss, computed, {});
  };
  const std::string refused = "rankloss: computed_relevance: -1 at row 2, column 2, expected ";
  CHECK(of_computed({}).starts_with(refused));
  CHECK(of_computed({2, 4}).starts_with(refused));
  computed.prefixes = {};
  CHECK(says_of(bidirectional<sndcg>{.over = directions::columns}, computed, {})
            .starts_with("rankloss: computed_relevance: -1 at column 2, row 2, expected "));

  std::vector<std::uint8_t> judged(15, 1);
  judged[2 * 5 + 2] = 0;  // the mask leaves the pair out, whatever its relevance
  computed.mask = judged;
  CHECK_NOTHROW(evaluate(loss, computed, ctx));
  CHECK_NOTHROW(evaluate(bidirectional<sndcg>{.over = directions::columns}, computed, ctx));

  // Components.
  x[6] = std::numeric_limits<float>::quiet_NaN();
  CHECK(says(nothing) == "rankloss: row_embeddings: nan at row 1, component 2, expected a finite number");
  x[6] = 1.0f;
  y[19] = -std::numeric_limits<float>::infinity();
  CHECK(says(nothing) ==
        "rankloss: column_embeddings: -inf at column 4, component 3, expected a finite number");
  y[19] = 1e30f;
  x[0] = 1e20f;
  const std::string too_large =
      ", whose dot products may exceed the largest number of the type; expected "
      "smaller ones, or similarity::cosine";
  CHECK(says([](fields& b) { b.similarity = similarity::dot; }) ==
        "rankloss: row_embeddings, column_embeddings: components up to 1.00000002e+20 and 1.00000002e+30" +
            too_large);
  x[0] = 1e38f;
  CHECK(says([](fields& b) { b.similarity = similarity::projection; }) ==
        "rankloss: row_embeddings, column_embeddings: components up to 9.99999968e+37 and 1.00000002e+30" +
            too_large);
  fields by_cosine = good;
  CHECK_NOTHROW(evaluate(loss, by_cosine, ctx));
}

}  // namespace

}  // namespace embedding_batch_test
