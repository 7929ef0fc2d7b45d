// SPDX-License-Identifier: BSL-1.0
#include <rankloss/batch.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/cuda/cublas.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/embeddings_by_cublas.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace cuda_cublas_test {

using Catch::Matchers::Contains;
using cuda_support::array;
using cuda_support::embedding_how;
using cuda_support::embedding_results;
using cuda_support::embedding_tolerance;
using cuda_support::embeddings_on_host;
using cuda_support::give_classes;
using cuda_support::host_embeddings;
using cuda_support::random_embeddings;
using rankloss::bfloat16;
using rankloss::circle;
using rankloss::cmpm;
using rankloss::contrastive;
using rankloss::half;
using rankloss::info_nce;
using rankloss::multi_similarity;
using rankloss::nca;
using rankloss::siglip;
using rankloss::triplet;
using rankloss::cuda::context;
using rankloss::cuda::cublas;
using rankloss::cuda::device_span;

namespace {

template <class Loss, class T>
[[nodiscard]] embedding_results<T> embeddings_by_cublas(const Loss& loss, const host_embeddings<T>& in,
                                                        context& ctx, cublas& products,
                                                        const embedding_how& h = {}) {
  return cuda_support::embeddings_by(
      [&](const auto& batch, const auto& out) {
        cuda_support::by_cublas(loss, batch, out, ctx, products, h.panel_rows);
      },
      loss, in, h);
}

/// What a test has.
struct device {
  cuda_support::stream own{};
  context ctx{own};
  cublas products{};

  template <class Loss, class T>
  void agrees(const Loss& loss, const host_embeddings<T>& in, const embedding_how& h = {},
              double tolerance = embedding_tolerance<T>()) {
    const embedding_results<T> found = embeddings_by_cublas(loss, in, ctx, products, h);
    CHECK_NOTHROW(ctx.check());
    cuda_support::agree(found, embeddings_on_host(loss, in, h), tolerance);
  }
};

/// Calls visit(loss, temperature of its exponents) for a loss of each kind.
template <class Visit>
void for_each_loss(const Visit& visit) {
  visit(info_nce{.temperature = 0.3}, 1.0);
  visit(siglip{.temperature = 0.5, .bias = -1.0}, 1.0);
  visit(triplet{}, 1.0);
  visit(circle{.gamma = 8.0}, 0.1);
  visit(cmpm{.temperature = 0.3}, 1.0);
  visit(contrastive{}, 0.1);
  visit(multi_similarity{.beta = 8.0}, 0.1);
  visit(nca{.scale = 4.0}, 0.1);
}

/// Calls visit(loss) for options with other formulas.
template <class Visit>
void for_each_option(const Visit& visit) {
  using rankloss::distance;
  visit(circle{.margin = 0.25, .gamma = 2.0, .weights = rankloss::circle_weights::differentiated});
  visit(circle{.margin = -0.5, .gamma = 3.0, .over = rankloss::directions::rows});
  visit(cmpm{.temperature = 0.5, .epsilon = 0.1, .matches_by = rankloss::match_norm::root});
  visit(contrastive{.form = rankloss::contrastive_form::half_square});
  visit(contrastive{.positive_margin = -0.2, .distance = distance::cosine});
  visit(contrastive{.positive_margin = 0.5,
                    .negative_margin = 1.5,
                    .distance = distance::squared_euclidean,
                    .form = rankloss::contrastive_form::half_square,
                    .average = rankloss::contrastive_average::active,
                    .over = rankloss::directions::columns});
  visit(multi_similarity{.beta = 5.0, .epsilon = 0.1});
  visit(nca{.scale = 4.0, .distance = distance::euclidean});
  visit(nca{.scale = 5.0, .distance = distance::cosine});
}

template <class T>
void at_all_sizes() {
  device on;
  struct size {
    std::size_t rows, columns, dimension;
  };
  for (const size& s : {size{1, 1, 3}, {2, 2, 1}, {31, 31, 64}, {64, 64, 16}, {65, 129, 9}, {1, 70, 2}}) {
    INFO(s.rows << " rows, " << s.columns << " columns, dimension " << s.dimension);
    const host_embeddings<T> in = random_embeddings<T>(s.rows, s.columns, s.dimension, 1);
    unsigned number = 0;
    for_each_loss([&](const auto& loss, double temperature) {
      INFO("loss " << number++);
      on.agrees(loss, in, {}, embedding_tolerance<T>(temperature));
    });
  }
}

/// The number of 16 bits that begins with the digits of x; 0 for what is below the normal ones.
template <class E>
[[nodiscard]] E cut(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof x);
  if constexpr (std::is_same_v<E, bfloat16>) {
    return {static_cast<std::uint16_t>(bits >> 16)};
  } else {
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
    const int exponent = static_cast<int>(bits >> 23 & 0xffu) - 127 + 15;
    if (exponent < 1) return {sign};
    return {static_cast<std::uint16_t>(sign | std::min(exponent, 30) << 10 | (bits >> 13 & 0x3ffu))};
  }
}

/// A batch of numbers of 16 bits. The batch of floats that it is made from takes their values.
template <class E>
struct packed_embeddings {
  explicit packed_embeddings(host_embeddings<float>& in) : x(cut_all(in.x)), y(cut_all(in.y)) {}

  array<E> x, y;

 private:
  [[nodiscard]] static std::vector<E> cut_all(std::vector<float>& numbers) {
    std::vector<E> packed;
    for (float& x : numbers) {
      packed.push_back(cut<E>(x));
      x = static_cast<float>(packed.back());
    }
    return packed;
  }
};

template <class E, class Loss>
[[nodiscard]] embedding_results<float> packed_by_cublas(const Loss& loss, const packed_embeddings<E>& packed,
                                                        const host_embeddings<float>& in, device& on,
                                                        const embedding_how& h = {}) {
  return cuda_support::embeddings_by(
      [&](rankloss::cuda::embedding_batch<float> batch, const auto& out) {
        batch.row_embeddings = packed.x.view();
        if (!in.self()) batch.column_embeddings = packed.y.view();
        cuda_support::by_cublas(loss, batch, out, on.ctx, on.products, h.panel_rows);
      },
      loss, in, h);
}

/// How far derivatives by embeddings may be off where each slope is: the sums of magnitudes of what each pair adds,
/// times this share of it.
struct rounding_bounds {
  std::vector<double> dx, dy;
};
template <class Loss>
[[nodiscard]] rounding_bounds bounds_of(const Loss& loss, const host_embeddings<float>& in, double share,
                                        double scale) {
  using rankloss::directions;
  const bool projection = in.similarity == rankloss::similarity::projection;
  directions over = directions::both;
  if constexpr (requires { loss.over; }) {
    over = loss.over;
    if (projection && over == directions::both) {
      Loss one = loss;
      one.over = directions::rows;
      rounding_bounds both = bounds_of(one, in, 0.5 * share, scale);
      one.over = directions::columns;
      const rounding_bounds columns = bounds_of(one, in, 0.5 * share, scale);
      for (std::size_t k = 0; k < both.dx.size(); ++k) both.dx[k] += columns.dx[k];
      for (std::size_t k = 0; k < both.dy.size(); ++k) both.dy[k] += columns.dy[k];
      return both;
    }
  }
  const std::size_t n = in.rows, m = in.all_columns(), d = in.dimension;
  const bool cosine = in.similarity == rankloss::similarity::cosine;
  const bool row_units = cosine || (projection && over == directions::columns);
  const bool column_units = cosine || (projection && over == directions::rows);
  const auto lengths = [&](const std::vector<float>& numbers, std::size_t count, bool units) {
    std::vector<double> found(count, 1.0);
    for (std::size_t i = 0; i < count && units; ++i) {
      double square = 0.0;
      for (std::size_t k = 0; k < d; ++k)
        square += static_cast<double>(numbers[i * d + k]) * static_cast<double>(numbers[i * d + k]);
      found[i] = std::sqrt(square);
    }
    return found;
  };
  const std::vector<float>& other = in.self() ? in.x : in.y;
  const std::vector<double> row_lengths = lengths(in.x, n, row_units),
                            column_lengths = lengths(other, m, column_units);
  const auto unit = [&](const std::vector<float>& numbers, const std::vector<double>& by, std::size_t i,
                        std::size_t k) {
    return by[i] > 0.0 ? static_cast<double>(numbers[i * d + k]) / by[i] : 0.0;
  };
  const std::vector<std::int64_t> other_classes =
      in.self() ? in.row_classes
                : std::vector<std::int64_t>(in.column_classes.begin(), in.column_classes.end());
  std::vector<double> similarity(n * m), slopes(n * m);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j)
      for (std::size_t k = 0; k < d; ++k)
        similarity[i * m + j] += unit(in.x, row_lengths, i, k) * unit(other, column_lengths, j, k);
  (void)rankloss::evaluate(
      loss,
      rankloss::similarity_batch<double, double>{.similarity = similarity,
                                                 .rows = n,
                                                 .columns = m,
                                                 .matches = in.matches,
                                                 .row_classes = in.row_classes,
                                                 .column_classes = other_classes,
                                                 .mask = in.mask,
                                                 .without_diagonal = in.without_diagonal,
                                                 .extra_columns = in.extra_columns,
                                                 .row_ids = in.row_ids,
                                                 .column_ids = in.column_ids,
                                                 .row_probabilities = in.row_probabilities,
                                                 .column_probabilities = in.column_probabilities,
                                                 .row_weights = in.row_weights,
                                                 .column_weights = in.column_weights,
                                                 .reduction = in.reduction},
      {.gradient = slopes, .scale = scale});
  rounding_bounds found{std::vector<double>(n * d), std::vector<double>(m * d)};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j) {
      const double s = similarity[i * m + j], slope = share * std::abs(slopes[i * m + j]);
      for (std::size_t k = 0; k < d; ++k) {
        const double u = unit(in.x, row_lengths, i, k), v = unit(other, column_lengths, j, k);
        const double of_row = row_units ? v - s * u : v, of_column = column_units ? u - s * v : u;
        if (row_lengths[i] > 0.0) found.dx[i * d + k] += slope * std::abs(of_row) / row_lengths[i];
        if (column_lengths[j] > 0.0) found.dy[j * d + k] += slope * std::abs(of_column) / column_lengths[j];
      }
    }
  if (in.self())
    for (std::size_t k = 0; k < n * d; ++k) found.dx[k] += found.dy[k];
  return found;
}

/// Value and values of lists are those of the CPU as for floats, gradients but for the rounding of slopes to E.
template <class E, class Loss>
void packed_agrees(const Loss& loss, host_embeddings<float> in, device& on, const embedding_how& h = {},
                   double tolerance = embedding_tolerance<float>()) {
  const packed_embeddings<E> packed(in);
  embedding_results<float> found = packed_by_cublas(loss, packed, in, on, h);
  CHECK_NOTHROW(on.ctx.check());
  embedding_results<double> host = embeddings_on_host(loss, in, h);
  const rounding_bounds bounds = bounds_of(loss, in, std::is_same_v<E, half> ? 0x1p-11 : 0x1p-8, h.scale);
  const auto within = [&](const char* name, std::vector<float>& own, std::vector<double>& expected,
                          const std::vector<double>& bound) {
    REQUIRE(own.size() == expected.size());
    double largest = 0.0;
    for (std::size_t k = 0; k < expected.size(); ++k)
      largest = std::max({largest, std::abs(expected[k]), bound[k]});
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const double error = std::abs(static_cast<double>(own[k]) - expected[k]);
      INFO(name << " " << k << ": " << own[k] << ", expected " << expected[k] << ", bound " << bound[k]
                << ", largest " << largest);
      CHECK(error <= bound[k] + tolerance * largest);
    }
    own.clear();
    expected.clear();
  };
  within("row_gradient", found.dx, host.dx, bounds.dx);
  within("column_gradient", found.dy, host.dy, bounds.dy);
  cuda_support::agree(found, host, tolerance);
}

template <class E>
void packed_at_all_sizes() {
  device on;
  struct size {
    std::size_t rows, columns, dimension;
  };
  for (const size& s : {size{1, 1, 3}, {2, 2, 1}, {33, 33, 64}, {65, 129, 9}, {1, 70, 2}}) {
    INFO(s.rows << " rows, " << s.columns << " columns, dimension " << s.dimension);
    const host_embeddings<float> in = random_embeddings<float>(s.rows, s.columns, s.dimension, 1);
    unsigned number = 0;
    for_each_loss([&](const auto& loss, double temperature) {
      INFO("loss " << number++);
      packed_agrees<E>(loss, in, on, {}, embedding_tolerance<float>(temperature));
    });
  }
}

template <class E>
void packed_with_all_options() {
  device on;
  host_embeddings<float> in = random_embeddings<float>(35, 40, 5, 2);
  SECTION("dot products") {
    in.similarity = rankloss::similarity::dot;
    packed_agrees<E>(info_nce{.temperature = 2.0}, in, on);
    packed_agrees<E>(siglip{.temperature = 2.0, .bias = 1.0}, in, on);
  }
  SECTION("projections") {
    in.similarity = rankloss::similarity::projection;
    for (float& x : in.x) x *= 0.3f;
    for (const auto over :
         {rankloss::directions::both, rankloss::directions::rows, rankloss::directions::columns}) {
      packed_agrees<E>(info_nce{.temperature = 2.0, .over = over}, in, on, {.sloped_columns = 9});
      packed_agrees<E>(cmpm{.temperature = 2.0, .over = over}, in, on, {.panel_rows = 64});
    }
  }
  SECTION("classes") {
    give_classes(in, 6, 3);
    packed_agrees<E>(info_nce{.temperature = 0.4, .positives = rankloss::positive_share::separate}, in, on,
                     {.scale = -3.0});
    packed_agrees<E>(siglip{.over = rankloss::directions::columns}, in, on);
    packed_agrees<E>(triplet{.margin = 0.5, .over = rankloss::directions::rows}, in, on);
  }
  SECTION("rows with themselves") {
    in = random_embeddings<float>(70, 0, 6, 3);
    in.extra_columns = false;
    in.without_diagonal = true;
    for (std::size_t i = 0; i < in.rows; ++i) in.row_classes.push_back(static_cast<std::int64_t>(i / 3) - 2);
    packed_agrees<E>(info_nce{.temperature = 0.4}, in, on, {.panel_rows = 64});
    packed_agrees<E>(triplet{}, in, on);
    packed_agrees<E>(multi_similarity{.beta = 8.0}, in, on, {.panel_rows = 64}, 1e-5);
  }
  SECTION("options of losses of exponents and distances, by index and by class") {
    unsigned number = 0;
    for (const bool by_class : {false, true}) {
      if (by_class) give_classes(in, 6, 3);
      for_each_option([&](const auto& loss) {
        INFO("by class " << by_class << ", loss " << number++);
        packed_agrees<E>(loss, in, on, {}, 1e-5);
      });
    }
  }
  SECTION("slopes that grow with dot products") {
    // So long that a slope that is bounded too low overflows in halves.
    in.similarity = rankloss::similarity::dot;
    for (auto* numbers : {&in.x, &in.y})
      for (float& x : *numbers) x *= 30.0f;
    const auto agrees = [&](const auto& loss) { packed_agrees<E>(loss, in, on, {}, 1e-5); };
    agrees(circle{.margin = 0.25, .gamma = 2.0, .weights = rankloss::circle_weights::differentiated});
    agrees(circle{.margin = -0.5, .gamma = 3.0});
    for (const auto kind : {rankloss::distance::cosine, rankloss::distance::squared_euclidean})
      agrees(contrastive{.distance = kind, .form = rankloss::contrastive_form::half_square});
  }
  SECTION("probabilities, also of a sum of losses") {
    using rankloss::weighted;
    cuda_support::give_probabilities(in, 35, 40, 1e-4, 2);
    packed_agrees<E>(info_nce{.temperature = 0.4}, in, on, {.panel_rows = 64});
    packed_agrees<E>(rankloss::weighted_sum<info_nce, circle>{weighted{2.0, info_nce{.temperature = 0.4}},
                                                              weighted{0.5, circle{.gamma = 8.0}}},
                     in, on, {}, 1e-5);
  }
  SECTION("slopes of any size") {
    in.reduction = rankloss::reduction::sum;
    for (const double weight : {1e-20, 1e20}) {
      in.row_weights.assign(in.rows, weight);
      in.column_weights.assign(in.columns, static_cast<float>(weight));
      INFO("weight " << weight);
      packed_agrees<E>(info_nce{.temperature = 0.3}, in, on, {.scale = 1.0 / weight});
      packed_agrees<E>(siglip{}, in, on, {.scale = 1.0 / weight});
    }
    in.row_weights.clear();
    in.column_weights.clear();
    packed_agrees<E>(info_nce{.temperature = 1e4}, in, on, {.scale = 1e4});
  }
  SECTION("vectors of any length, and zero vectors") {
    const bool wide = std::is_same_v<E, bfloat16>;
    for (std::size_t i = 0; i < in.x.size(); ++i)
      in.x[i] *= i / in.dimension % 2 == 0 ? (wide ? 1e-30f : 1e-3f) : (wide ? 1e25f : 1e4f);
    for (float& y : in.y) y *= wide ? 1e30f : 8e3f;
    std::fill(in.x.begin() + 15, in.x.begin() + 20, 0.0f);
    std::fill(in.y.begin() + 5, in.y.begin() + 10, 0.0f);
    const packed_embeddings<E> packed(in);
    const auto found = packed_by_cublas(info_nce{.temperature = 0.5}, packed, in, on);
    CHECK_NOTHROW(on.ctx.check());
    const auto host = embeddings_on_host(info_nce{.temperature = 0.5}, in);
    const rounding_bounds bounds = bounds_of(info_nce{.temperature = 0.5}, in, wide ? 0x1p-8 : 0x1p-11, 1.0);
    CHECK(found.value == Approx(host.value).epsilon(2e-6));
    // Each vector for itself, as short ones have large derivatives.
    for (std::size_t i = 0; i < in.rows; ++i) {
      double largest = 0.0;
      for (std::size_t k = 5 * i; k < 5 * i + 5; ++k) largest = std::max(largest, std::abs(host.dx[k]));
      for (std::size_t k = 5 * i; k < 5 * i + 5; ++k) {
        INFO("row " << i << ": " << found.dx[k] << ", expected " << host.dx[k]);
        CHECK(std::abs(static_cast<double>(found.dx[k]) - host.dx[k]) <=
              bounds.dx[k] + 1e-5 * std::max(largest, 1e-37));
      }
    }
  }
  SECTION("updates, fewer columns with a gradient, panels") {
    packed_agrees<E>(info_nce{.temperature = 0.3}, in, on, {.sloped_columns = 4, .panel_rows = 64});
    packed_agrees<E>(info_nce{.temperature = 0.3}, in, on, {.update = rankloss::update::add, .filled = 1.0},
                     4e-6);
    in = random_embeddings<float>(150, 130, 3, 4);
    give_classes(in, 20, 5);
    packed_agrees<E>(info_nce{.temperature = 0.3, .positives = rankloss::positive_share::separate}, in, on,
                     {.panel_rows = 64});
  }
}

}  // namespace

TEST_CASE("cuda cublas: floats at all sizes") { at_all_sizes<float>(); }
TEST_CASE("cuda cublas: doubles at all sizes") { at_all_sizes<double>(); }
TEST_CASE("cuda cublas: halves at all sizes") { packed_at_all_sizes<half>(); }
TEST_CASE("cuda cublas: bfloat16 at all sizes") { packed_at_all_sizes<bfloat16>(); }
TEST_CASE("cuda cublas: halves with all options") { packed_with_all_options<half>(); }
TEST_CASE("cuda cublas: bfloat16 with all options") { packed_with_all_options<bfloat16>(); }

TEST_CASE("cuda cublas: classes, weights, reductions, strides, panels") {
  device on;
  host_embeddings<double> in = random_embeddings<double>(70, 75, 7, 6);
  const embedding_how panels{.scale = 2.0, .update = rankloss::update::add, .filled = 1.0, .panel_rows = 64};
  on.agrees(info_nce{.temperature = 0.3}, in, panels);
  on.agrees(siglip{}, in, panels);
  on.agrees(triplet{}, in, panels);
  give_classes(in, 20, 2);
  on.agrees(info_nce{.temperature = 0.3, .positives = rankloss::positive_share::separate}, in, panels);
  on.agrees(triplet{.margin = 0.5}, in, panels);
  in.reduction = rankloss::reduction::mean_of_relevant;
  for (std::size_t i = 0; i < in.rows; ++i) in.row_weights.push_back(static_cast<double>(i % 3));
  on.agrees(siglip{.over = rankloss::directions::rows}, in);
  in.dimension = 5;
  in.row_stride = in.column_stride = 7;
  in.similarity = rankloss::similarity::dot;
  on.agrees(info_nce{.temperature = 2.0}, in, {.sloped_columns = 9});
}

TEST_CASE("cuda cublas: matches, a mask, ids and prefixes with every loss") {
  device on;
  std::mt19937 random(5);
  host_embeddings<double> in = random_embeddings<double>(66, 70, 5, 1);
  const auto flags = [&](unsigned out_of) {
    std::vector<std::uint8_t> given(in.rows * in.columns);
    for (auto& flag : given) flag = random() % out_of == 0 ? 0 : 9;
    return given;
  };
  const auto ids = [&](std::size_t count) {
    std::vector<std::int64_t> given(count);
    for (auto& id : given) id = static_cast<std::int64_t>(random() % 9) - 4;
    return given;
  };
  const auto all_agree = [&](const char* what) {
    unsigned number = 0;
    INFO(what);
    for_each_loss([&](const auto& loss, double) {
      INFO("loss " << number++);
      on.agrees(loss, in, {.scale = -2.0, .panel_rows = 64});
    });
  };
  in.mask = flags(3);
  all_agree("a mask");
  in.mask.clear();
  in.row_ids = ids(66);
  in.column_ids = ids(70);
  in.prefixes = {2, 5, 3};
  in.prefix_weights = {0.5, 0.0, 2.0};
  all_agree("ids and prefixes");
  in.prefixes.clear();
  in.prefix_weights.clear();
  in.extra_columns = false;
  in.matches = flags(2);
  in.mask = flags(4);
  all_agree("matches, a mask and ids");
  in = random_embeddings<double>(66, 0, 5, 1);
  in.extra_columns = false;
  in.without_diagonal = true;
  for (std::size_t i = 0; i < in.rows; ++i) in.row_classes.push_back(static_cast<std::int64_t>(i / 3) - 2);
  all_agree("rows with themselves");
  for_each_option([&](const auto& loss) { on.agrees(loss, in); });
}

TEST_CASE("cuda cublas: rows with themselves, and without rows or columns") {
  device on;
  host_embeddings<double> in = random_embeddings<double>(70, 0, 6, 3);
  in.extra_columns = false;
  in.without_diagonal = true;
  for (std::size_t i = 0; i < in.rows; ++i) in.row_classes.push_back(static_cast<std::int64_t>(i / 3) - 2);
  on.agrees(info_nce{.temperature = 0.2}, in, {.panel_rows = 64});
  on.agrees(triplet{}, in);
  for (const auto& [rows, columns] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 3}, {0, 0}, {3, 0}}) {
    in = random_embeddings<double>(rows, columns, 2, 1);
    if (columns == 0) in.row_classes.assign(rows, 1);
    in.without_diagonal = columns == 0;
    INFO(rows << " rows, " << columns << " columns");
    for_each_loss([&](const auto& loss, double) { on.agrees(loss, in); });
  }
}

TEST_CASE("cuda cublas: a sum of losses, and what is reserved for it is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  cublas products;
  host_embeddings<float> in = random_embeddings<float>(33, 40, 3, 1);
  using rankloss::weighted;
  for (const double weight : {0.5, 0.0}) {
    const rankloss::weighted_sum<info_nce, circle> loss{weighted{1.0, info_nce{.temperature = 0.3}},
                                                        weighted{weight, circle{.gamma = 8.0}}};
    ctx.reserve(cuda_support::scratch_bytes(loss, cuda_support::device_embeddings(in).batch, products));
    const std::size_t before = memory.allocations;
    const embedding_how how{.update = rankloss::update::add, .filled = 1.0};
    cuda_support::agree(embeddings_by_cublas(loss, in, ctx, products, how), embeddings_on_host(loss, in, how),
                        1e-5);
    CHECK(memory.allocations == before);
  }
}

TEST_CASE("cuda cublas: negatives that are equally hard, across panels") {
  device on;
  // Products of small whole numbers are exact, and many of them are equal.
  host_embeddings<float> in = random_embeddings<float>(70, 80, 3, 2);
  in.similarity = rankloss::similarity::dot;
  for (std::size_t i = 0; i < in.x.size(); ++i) in.x[i] = static_cast<float>(i * i % 3);
  for (std::size_t j = 0; j < in.y.size(); ++j) in.y[j] = static_cast<float>(j * j * j % 5 % 3);
  on.agrees(triplet{.margin = 1.0}, in, {.panel_rows = 64});
  give_classes(in, 5, 3);
  on.agrees(triplet{.margin = 1.0}, in, {.panel_rows = 64});
}

TEST_CASE(
    "cuda cublas: halves beside bfloat16, and either in a batch of doubles, are multiplied as the batch's type") {
  device on;
  host_embeddings<float> in = random_embeddings<float>(5, 5, 3, 5);
  const packed_embeddings<half> halves(in);
  const auto expected = embeddings_by_cublas(info_nce{}, in, on.ctx, on.products);
  const auto mixed = cuda_support::embeddings_by(
      [&](rankloss::cuda::embedding_batch<float> batch, const auto& out) {
        batch.row_embeddings = halves.x.view();
        cuda_support::by_cublas(info_nce{}, batch, out, on.ctx, on.products, 0);
      },
      info_nce{}, in, {});
  CHECK(mixed.value == expected.value);
  CHECK(mixed.dx == expected.dx);
  CHECK(mixed.dy == expected.dy);
  host_embeddings<double> wide = random_embeddings<double>(5, 5, 3, 5);
  wide.x.assign(in.x.begin(), in.x.end());
  wide.y.assign(in.y.begin(), in.y.end());
  const auto found = cuda_support::embeddings_by(
      [&](rankloss::cuda::embedding_batch<double> batch, const auto& out) {
        batch.row_embeddings = halves.x.view();
        batch.column_embeddings = halves.y.view();
        cuda_support::by_cublas(info_nce{}, batch, out, on.ctx, on.products, 0);
      },
      info_nce{}, wide, {});
  cuda_support::agree(found, embeddings_on_host(info_nce{}, wide), embedding_tolerance<double>());
}

TEST_CASE("cuda cublas: the same bits on every run, on every stream") {
  device on, other;
  host_embeddings<float> in = random_embeddings<float>(70, 75, 3, 6);
  const packed_embeddings<bfloat16> packed(in);
  const embedding_how panels{.panel_rows = 64};
  const auto once = packed_by_cublas(info_nce{}, packed, in, on, panels);
  for (device* which : {&on, &other}) {
    const auto again = packed_by_cublas(info_nce{}, packed, in, *which, panels);
    CHECK(once.value == again.value);
    CHECK(once.per_list == again.per_list);
    CHECK(once.dx == again.dx);
    CHECK(once.dy == again.dy);
  }
}

TEST_CASE("cuda cublas: bad numbers and options are told as without") {
  device on;
  host_embeddings<float> in = random_embeddings<float>(5, 70, 3, 7);
  in.x[13] = NAN;
  const packed_embeddings<bfloat16> packed(in);
  in.x[13] = NAN;
  for (const auto& found : {embeddings_by_cublas(info_nce{}, in, on.ctx, on.products),
                            packed_by_cublas(info_nce{}, packed, in, on)}) {
    CHECK(std::isnan(found.value));
    for (const auto* gradient : {&found.dx, &found.dy})
      for (const float g : *gradient) REQUIRE(std::isnan(g));
    for (const double v : found.per_list) REQUIRE(std::isnan(v));
  }
  CHECK_THROWS_WITH(on.ctx.check(), Contains("row_embeddings") && Contains("nan"));
  in = random_embeddings<float>(3, 3, 2, 1);
  CHECK_THROWS_WITH(embeddings_by_cublas(info_nce{.temperature = -1.0}, in, on.ctx, on.products),
                    Contains("temperature: -1"));
  CHECK_THROWS_WITH(embeddings_by_cublas(triplet{.mine = rankloss::mining::all}, in, on.ctx, on.products),
                    Contains("mine: all, expected hardest"));
  in.x.pop_back();
  CHECK_THROWS_WITH(embeddings_by_cublas(info_nce{}, in, on.ctx, on.products),
                    Contains("row_embeddings: size 5"));
}

TEST_CASE("cuda cublas: what is reserved is enough, and far below the matrix") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  cublas products;
  host_embeddings<float> in = random_embeddings<float>(33, 40, 3, 1);
  give_classes(in, 9, 1);
  const info_nce loss{.temperature = 0.3, .positives = rankloss::positive_share::separate};
  ctx.reserve(cuda_support::scratch_bytes(loss, cuda_support::device_embeddings(in).batch, products));
  const std::size_t before = memory.allocations;
  cuda_support::agree(embeddings_by_cublas(loss, in, ctx, products), embeddings_on_host(loss, in), 1e-5);
  CHECK(memory.allocations == before);

  constexpr std::size_t pairs = 65536, dimension = 768;
  const device_span<const bfloat16> vectors(nullptr, pairs * dimension);
  const rankloss::cuda::embedding_batch<float> large{.row_embeddings = vectors,
                                                     .column_embeddings = vectors,
                                                     .rows = pairs,
                                                     .columns = pairs,
                                                     .dimension = dimension};
  CHECK(cuda_support::scratch_bytes(info_nce{}, large, products) < 910'000'000);
  CHECK(cuda_support::scratch_bytes(siglip{}, large, products) < 870'000'000);
}

TEST_CASE("cuda cublas: a lent handle is given back as it was") {
  device on;
  const cuda_support::stream theirs;
  using cuda_support::require_success;
  cublasHandle_t handle = nullptr;
  require_success(cublasCreate(&handle), "cublasCreate");
  {
    require_success(cublasSetStream(handle, theirs), "cublasSetStream");
    require_success(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_DEVICE), "cublasSetPointerMode");
    require_success(cublasSetAtomicsMode(handle, CUBLAS_ATOMICS_ALLOWED), "cublasSetAtomicsMode");
    require_success(cublasSetMathMode(handle, CUBLAS_TF32_TENSOR_OP_MATH), "cublasSetMathMode");
    cublas lent(handle);
    CHECK(lent.handle() == handle);
    const host_embeddings<float> in = random_embeddings<float>(33, 33, 20, 1);
    const info_nce loss{.temperature = 0.3};
    cuda_support::agree(embeddings_by_cublas(loss, in, on.ctx, lent), embeddings_on_host(loss, in), 2e-6);
    cudaStream_t stream = nullptr;
    cublasPointerMode_t pointers{};
    cublasAtomicsMode_t atomics{};
    cublasMath_t math{};
    require_success(cublasGetStream(handle, &stream), "cublasGetStream");
    require_success(cublasGetPointerMode(handle, &pointers), "cublasGetPointerMode");
    require_success(cublasGetAtomicsMode(handle, &atomics), "cublasGetAtomicsMode");
    require_success(cublasGetMathMode(handle, &math), "cublasGetMathMode");
    CHECK(stream == theirs);
    CHECK(pointers == CUBLAS_POINTER_MODE_DEVICE);
    CHECK(atomics == CUBLAS_ATOMICS_ALLOWED);
    CHECK(math == CUBLAS_TF32_TENSOR_OP_MATH);
  }
  require_success(cublasDestroy(handle), "cublasDestroy");
}

TEST_CASE("cuda cublas: errors name the call and the status") {
  device on;
  cublas moved(std::move(on.products));
  const host_embeddings<float> in = random_embeddings<float>(3, 3, 2, 1);
  CHECK_THROWS_MATCHES(embeddings_by_cublas(info_nce{}, in, on.ctx, on.products), rankloss::cuda::error,
                       Catch::Matchers::Message("rankloss: cublasGetStream: CUBLAS_STATUS_NOT_INITIALIZED"));
  on.products = std::move(moved);
  on.agrees(info_nce{.temperature = 0.5}, in);
  CHECK_THROWS_WITH(cublas(nullptr), Contains("handle: null"));
}

TEST_CASE("cuda cublas: calls are captured into a graph and replayed", "[gpu]") {
  device on;
  host_embeddings<float> in = random_embeddings<float>(70, 75, 20, 1);
  const packed_embeddings<half> packed(in);
  const cuda_support::device_embeddings<float> views(in);
  rankloss::cuda::embedding_batch<float> batch = views.batch;
  batch.row_embeddings = packed.x.view();
  batch.column_embeddings = packed.y.view();
  const array<double> value(1);
  const array<float> dx(in.x.size()), dy(in.y.size());
  const rankloss::cuda::embedding_outputs<float> out{
      .value = value.view(), .row_gradient = dx.view(), .column_gradient = dy.view()};
  using cuda_support::require_success;
  const auto expected = packed_by_cublas(info_nce{}, packed, in, on);
  on.ctx.reserve(cuda_support::scratch_bytes(info_nce{}, batch, on.products));
  require_success(cudaStreamBeginCapture(on.own, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cuda_support::by_cublas(info_nce{}, batch, out, on.ctx, on.products, 0);
  cudaGraph_t graph = nullptr;
  require_success(cudaStreamEndCapture(on.own, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t ready = nullptr;
  require_success(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
  for (int replay = 0; replay < 2; ++replay) {
    require_success(cudaGraphLaunch(ready, on.own), "cudaGraphLaunch");
    on.ctx.check();
    CHECK(value.host()[0] == expected.value);
    CHECK(dx.host() == expected.dx);
    CHECK(dy.host() == expected.dy);
  }
  require_success(cudaGraphExecDestroy(ready), "cudaGraphExecDestroy");
  require_success(cudaGraphDestroy(graph), "cudaGraphDestroy");
}

}  // namespace cuda_cublas_test
