// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace detail_lists_similarity_run_test {

namespace {

using rankloss::outputs;
using rankloss::reduction;
using rankloss::similarity_batch;
using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::list_relevance;
using rankloss::detail::matching;
using source = rankloss::detail::matrix_source<float, int>;

template <class T>
std::vector<T> items_of(const strided<const T>& items) {
  std::vector<T> out;
  for (std::size_t i = 0; i < items.size(); ++i) out.push_back(items[i]);
  return out;
}

/// Two rows of three, four apart.
const std::vector<float> matrix{1, 2, 3, -9, 4, 5, 6};
similarity_batch<float, int> two_by_three() {
  return {.similarity = matrix, .rows = 2, .columns = 3, .stride = 4};
}

std::string complaint(auto body) {
  try {
    body();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

/// sum of s y, whose gradient is y.
struct plain_sum {
  template <class T, class R>
  double operator()(const rankloss::list<T, R>& items, const rankloss::list_outputs<T>& out,
                    workspace&) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      sum += static_cast<double>(items.scores[i]) * static_cast<double>(items.relevance[i]);
      if (!out.gradient.empty()) out.gradient[i] = static_cast<T>(items.relevance[i]);
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("evaluate_similarity: pairs match by mask, else by class, else by index") {
  const std::vector<std::uint8_t> mask{0, 1, 0, 0, 0, 2};
  const std::vector<int> rows{7, 8}, columns{8, 7, 8};
  auto batch = two_by_three();
  const auto all = [&] {
    std::vector<bool> out;
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 3; ++j) out.push_back(matching(batch, i, j));
    return out;
  };
  CHECK(all() == std::vector<bool>{true, false, false, false, true, false});
  batch.row_classes = rows;
  batch.column_classes = columns;
  CHECK(all() == std::vector<bool>{false, true, false, true, false, true});
  batch.matches = mask;
  CHECK(all() == std::vector<bool>{false, true, false, false, false, true});
}

TEST_CASE("evaluate_similarity: rows and columns as lists, whatever they are ranked by") {
  auto batch = two_by_three();
  CHECK(rankloss::detail::similarity_strides(batch).row == 4);
  batch.stride = 0;
  CHECK(rankloss::detail::similarity_strides(batch).row == 3);
  batch.stride = 4;
  const std::vector<int> relevance{1, 2, 3, 4, 5, 6}, other{7, 8, 9, 10, 11, 12};
  const std::vector<double> row_weights{2, 3};
  batch.row_weights = row_weights;
  workspace scratch;
  {
    const source rows(batch, false, list_relevance::matches), columns(batch, true, list_relevance::matches);
    CHECK(rows.lists() == 2);
    CHECK(columns.lists() == 3);
    CHECK(rows.size(1) == 3);
    CHECK(columns.size(1) == 2);
    CHECK(rows.layout(1, {}) == std::pair<std::size_t, std::ptrdiff_t>(4, 1));
    CHECK(columns.layout(2, {}) == std::pair<std::size_t, std::ptrdiff_t>(2, 4));
    CHECK(items_of(rows.scores(1)) == std::vector<float>{4, 5, 6});
    CHECK(items_of(columns.scores(2)) == std::vector<float>{3, 6});
    CHECK(items_of(rows.relevance(1, scratch)) == std::vector<int>{0, 1, 0});
    CHECK(items_of(columns.relevance(0, scratch)) == std::vector<int>{1, 0});
    CHECK(rows.list_weight(1) == 3.0);
    CHECK(columns.list_weight(1) == 1.0);
    CHECK(rows.weights(0, scratch).empty());
    CHECK(!rows.masked());
    CHECK(rows.kept(0, 0));
  }
  batch.relevance = relevance;
  CHECK(items_of(source(batch, false, list_relevance::relevance).relevance(1, scratch)) ==
        std::vector<int>{4, 5, 6});
  CHECK(items_of(source(batch, true, list_relevance::relevance).relevance(1, scratch)) ==
        std::vector<int>{2, 5});
  CHECK(items_of(source(batch, true, list_relevance::matches).relevance(1, scratch)) ==
        std::vector<int>{0, 1});
  batch.column_relevance = other;
  batch.column_weights = std::span<const double>(row_weights);
  CHECK(items_of(source(batch, false, list_relevance::relevance).relevance(0, scratch)) ==
        std::vector<int>{1, 2, 3});
  CHECK(items_of(source(batch, true, list_relevance::relevance).relevance(1, scratch)) ==
        std::vector<int>{8, 11});
  CHECK(source(batch, true, list_relevance::relevance).list_weight(0) == 2.0);
  const std::vector<float> square{1, 2, 3, 4};
  const std::vector<int> own{1, 2, 3, 4}, given{5, 6, 7, 8};
  const similarity_batch<float, int> four{
      .similarity = square, .rows = 2, .columns = 2, .relevance = own, .column_relevance = given};
  CHECK(items_of(source(four, true, list_relevance::relevance_as_rows).relevance(1, scratch)) ==
        std::vector<int>{3, 4});
  CHECK(items_of(source(four, false, list_relevance::relevance_as_rows).relevance(1, scratch)) ==
        std::vector<int>{3, 4});
}

TEMPLATE_TEST_CASE("evaluate_similarity: pairs that are left out are items that a mask leaves out of lists",
                   "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 9;
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<T> s, y, turned_s(n * n), turned_y(n * n);
  std::vector<std::uint8_t> mask, kept(n * n), turned_kept(n * n);
  for (std::size_t k = 0; k < n * n; ++k) {
    s.push_back(static_cast<T>(normal(random)));
    y.push_back(static_cast<T>(random() % 3));
    mask.push_back(random() % 4 > 0);
  }
  for (const bool without_diagonal : {false, true})
    for (const bool masked : {false, true}) {
      INFO(without_diagonal << masked);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
          const std::size_t at = i * n + j;
          kept[at] = (!masked || mask[at]) && !(without_diagonal && i == j);
          if (!kept[at])
            s[at] = std::numeric_limits<T>::quiet_NaN();  // it may hold anything
          else if (!(s[at] == s[at]))
            s[at] = T(0.5);
          turned_s[j * n + i] = s[at];
          turned_y[j * n + i] = y[at];
          turned_kept[j * n + i] = kept[at];
        }
      const auto check = [&](const auto& loss) {
        similarity_batch<T> batch{
            .similarity = s, .rows = n, .columns = n, .relevance = y, .without_diagonal = without_diagonal};
        if (masked) batch.mask = mask;
        std::vector<double> gradient(n * n, 9.0), per_list(2 * n), by_row(n * n), by_column(n * n), rows(n),
            columns(n);
        const double value = evaluate(rankloss::bidirectional<std::remove_cvref_t<decltype(loss)>>{loss},
                                      batch, {.gradient = gradient, .per_list = per_list});
        const rankloss::list_batch<T> as_rows{.scores = s, .relevance = y, .length = n, .mask = kept};
        const rankloss::list_batch<T> as_columns{
            .scores = turned_s, .relevance = turned_y, .length = n, .mask = turned_kept};
        const double expected =
            0.5 * evaluate(loss, as_rows, {.gradient = by_row, .per_list = rows}) +
            0.5 * evaluate(loss, as_columns, {.gradient = by_column, .per_list = columns});
        CHECK(value == Approx(expected).epsilon(1e-12));
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(per_list[i] == rows[i]);
          CHECK(per_list[n + i] == columns[i]);
          for (std::size_t j = 0; j < n; ++j)
            CHECK(gradient[i * n + j] ==
                  Approx(0.5 * (by_row[i * n + j] + by_column[j * n + i])).epsilon(1e-5).margin(1e-12));
        }
      };
      check(rankloss::sndcg{.temperature = 0.3});
      check(rankloss::softmax_cross_entropy{});
      check(rankloss::listmle{});
    }
}

TEST_CASE("evaluate_similarity: a mask and a diagonal that do not fit are refused") {
  const std::vector<std::uint8_t> five(5, 1);
  auto batch = two_by_three();
  batch.mask = five;
  CHECK(complaint([&] { rankloss::detail::check_shape(batch, {}); }) ==
        "rankloss: mask: size 5, expected 6 (2 rows of 3 columns)");
  batch.mask = {};
  batch.without_diagonal = true;
  CHECK(complaint([&] { rankloss::detail::check_shape(batch, {}); }) ==
        "rankloss: without_diagonal: given for 2 rows and 3 columns, expected a square matrix");
  const std::vector<float> square{1, 2, 3, 4};
  const std::vector<int> classes{1, 1};
  similarity_batch<float, int> own{.similarity = square, .rows = 2, .columns = 2, .without_diagonal = true};
  CHECK(complaint([&] { rankloss::detail::check_matches(own); }) ==
        "rankloss: without_diagonal: leaves out every match, expected matches or classes");
  own.row_classes = own.column_classes = classes;
  CHECK(complaint([&] { rankloss::detail::check_matches(own); }).empty());
}

TEST_CASE("evaluate_similarity: each matrix is read with the strides that it brings") {
  const std::vector<float> by_columns{1, 4, 2, 5, 3, 6};
  const std::vector<std::uint8_t> matches{0, 9, 1, 9, 0, 9, 1, 9, 0, 9, 0, 9};  // two apart
  const std::vector<int> relevance{1, 4, 2, 5, 3, 6}, other{7, 8, 9, 10, 11, 12};
  similarity_batch<float, int> batch{.similarity = rankloss::matrix_view(by_columns.data(), 2, 3, 1, 2)};
  CHECK(batch.similarity.size() == 6);
  CHECK(batch.rows == 0);
  batch = rankloss::detail::with_shape(batch);
  CHECK(batch.rows == 2);
  CHECK(batch.columns == 3);
  batch.matches = rankloss::matrix_view(matches.data(), 2, 3, 6, 2);
  CHECK(matching(batch, 0, 1));
  CHECK(matching(batch, 1, 0));
  CHECK(!matching(batch, 0, 0));
  CHECK(!matching(batch, 1, 1));
  workspace scratch;
  std::vector<double> memory(16);
  const rankloss::shaped<rankloss::real_output> out = rankloss::matrix_view(memory.data(), 2, 3, 8, 2);
  const source rows(batch, false, list_relevance::relevance), columns(batch, true, list_relevance::relevance);
  CHECK(items_of(rows.scores(1)) == std::vector<float>{4, 5, 6});
  CHECK(items_of(columns.scores(2)) == std::vector<float>{3, 6});
  CHECK(rows.layout(1, {}) == std::pair<std::size_t, std::ptrdiff_t>(1, 2));
  CHECK(columns.layout(2, {}) == std::pair<std::size_t, std::ptrdiff_t>(4, 1));
  CHECK(rows.layout(1, out) == std::pair<std::size_t, std::ptrdiff_t>(8, 2));
  CHECK(columns.layout(2, out) == std::pair<std::size_t, std::ptrdiff_t>(4, 8));
  CHECK(items_of(rows.relevance(0, scratch)) == std::vector<int>{0, 1, 0});
  batch.relevance = rankloss::matrix_view(relevance.data(), 2, 3, 1, 2);
  batch.column_relevance = other;
  CHECK(items_of(source(batch, false, list_relevance::relevance).relevance(1, scratch)) ==
        std::vector<int>{4, 5, 6});
  CHECK(items_of(source(batch, true, list_relevance::relevance).relevance(1, scratch)) ==
        std::vector<int>{8, 11});
  const similarity_batch<float, int> square{
      .similarity = rankloss::matrix_view(by_columns.data(), 2, 2, 1, 2),
      .rows = 2,
      .columns = 2,
      .relevance = rankloss::matrix_view(relevance.data(), 2, 2, 1, 2)};
  CHECK(items_of(source(square, true, list_relevance::relevance_as_rows).relevance(1, scratch)) ==
        std::vector<int>{4, 5});
  CHECK(items_of(source(square, true, list_relevance::relevance).relevance(1, scratch)) ==
        std::vector<int>{2, 5});
  const std::vector<float> one_row{1, 2, 3};  // as a row that is repeated
  const similarity_batch<float, int> repeated{
      .similarity = rankloss::matrix_view(one_row.data(), 2, 3, 0, 1), .rows = 2, .columns = 3};
  CHECK(items_of(source(repeated, true, list_relevance::relevance).scores(1)) == std::vector<float>{2, 2});
}

TEST_CASE(
    "evaluate_similarity: a matrix of another shape, or one that is written twice, is refused by name") {
  const std::vector<float> s{1, 2, 3, 4, 5, 6};
  std::vector<float> g(12);
  const auto shape = [&](auto change) {
    similarity_batch<float, int> batch{
        .similarity = rankloss::matrix_view(s.data(), 2, 3, 1, 2), .rows = 2, .columns = 3};
    outputs out;
    change(batch, out);
    return complaint([&] { rankloss::detail::check_shape(rankloss::detail::with_shape(batch), out); });
  };
  CHECK(shape([](auto&, auto&) {}).empty());
  CHECK(shape([](auto& b, auto&) { b.rows = 0, b.columns = 0; }).empty());
  CHECK(shape([](auto& b, auto&) { b.rows = 3; }) ==
        "rankloss: similarity: 2 rows of 3 columns, expected 3 of 3");
  CHECK(shape([](auto& b, auto&) { b.stride = 3; }) ==
        "rankloss: stride: 3, expected none: similarity is a matrix with strides of its own");
  const std::vector<int> y(6);
  const std::vector<std::uint8_t> matches(6);
  CHECK(shape([&](auto& b, auto&) { b.relevance = rankloss::matrix_view(y.data(), 3, 2); }) ==
        "rankloss: relevance: 3 rows of 2 columns, expected 2 of 3");
  CHECK(shape([&](auto& b, auto&) { b.matches = rankloss::matrix_view(matches.data(), 2, 2); }) ==
        "rankloss: matches: 2 rows of 2 columns, expected 2 of 3");
  CHECK(shape([&](auto&, auto& out) { out.gradient = g; }) ==
        "rankloss: gradient: size 12, expected 6 (one per similarity)");
  CHECK(shape([&](auto&, auto& out) { out.gradient = rankloss::matrix_view(g.data(), 2, 3, 6, 2); }).empty());
  CHECK(shape([&](auto&, auto& out) { out.hessian = rankloss::matrix_view(g.data(), 3, 2); }) ==
        "rankloss: hessian: 3 rows of 2 columns, expected 2 of 3");
  CHECK(
      shape([&](auto&, auto& out) { out.gradient = rankloss::matrix_view(g.data(), 2, 3, 2, 1); }) ==
      "rankloss: gradient: strides 2 and 1 of 2 rows and 3 columns, expected items of their own, none of which is written twice");
  CHECK(shape([&](auto& b, auto& out) {  // a plain gradient lies as the similarity, whose row is repeated
          b.similarity = rankloss::matrix_view(s.data(), 2, 3, 0, 1);
          out.gradient = {g.data(), 3};
        })
            .find("gradient: strides 0 and 1") != std::string::npos);
}

TEST_CASE("evaluate_similarity: shapes that do not fit are refused by name") {
  const std::vector<int> one{1}, two{1, 2}, three{1, 2, 3}, six(6, 1);
  const std::vector<double> number(1);
  const auto shape = [](auto change) {
    auto batch = two_by_three();
    outputs out;
    change(batch, out);
    return complaint([&] { rankloss::detail::check_shape(batch, out); });
  };
  CHECK(shape([](auto&, auto&) {}).empty());
  std::vector<float> whole(8);
  CHECK(shape([&](auto& b, auto&) { b.similarity = whole; }).empty());  // to the end of the last row
  CHECK(shape([](auto& b, auto&) { b.stride = 2; }) == "rankloss: stride: 2, expected at least columns 3");
  CHECK(shape([](auto& b, auto&) { b.rows = 3; }) ==
        "rankloss: similarity: size 7, expected 12 (rows 3 at stride 4)");
  CHECK(shape([&](auto& b, auto&) { b.relevance = three; }) ==
        "rankloss: relevance: size 3, expected 6 (2 rows of 3 columns)");
  CHECK(shape([&](auto& b, auto&) { b.column_relevance = six; }) ==
        "rankloss: column_relevance: given without relevance");
  CHECK(shape([&](auto& b, auto&) { b.row_classes = one, b.column_classes = three; }) ==
        "rankloss: row_classes: size 1, expected 2 (rows)");
  CHECK(shape([&](auto& b, auto&) { b.row_classes = two, b.column_classes = two; }) ==
        "rankloss: column_classes: size 2, expected 3 (columns)");
  CHECK(shape([&](auto& b, auto&) { b.row_classes = two; }) ==
        "rankloss: row_classes, column_classes: only one of them is given");
  std::vector<double> six_numbers(6);
  CHECK(shape([&](auto&, auto& out) { out.gradient = six_numbers; }) ==
        "rankloss: gradient: size 6, expected 7 (one per similarity)");
  CHECK(shape([&](auto&, auto& out) { out.hessian = six_numbers; }) ==
        "rankloss: hessian: size 6, expected 7 (one per similarity)");
  CHECK(shape([&](auto&, auto& out) { out.per_list = six_numbers; }) ==
        "rankloss: per_list: size 6, expected 5 (rows, then columns)");
  CHECK(shape([](auto&, auto& out) { out.scale = std::numeric_limits<double>::infinity(); }) ==
        "rankloss: scale: inf, expected a finite number");

  auto batch = two_by_three();
  CHECK(complaint([&] {
          rankloss::detail::check_matches(batch);
        }).find("none given for 2 rows and 3 columns") != std::string::npos);
  batch.row_classes = two;
  CHECK(complaint([&] { rankloss::detail::check_matches(batch); }).empty());
  CHECK(complaint([&] {
          rankloss::detail::check_matches(
              similarity_batch<float, int>{.similarity = {}, .rows = 0, .columns = 3});
        }).empty());
}

TEST_CASE(
    "evaluate_similarity: values that are none are refused by row and column, between rows nothing is read") {
  constexpr double infinity = std::numeric_limits<double>::infinity(),
                   none = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> s{1, infinity, none, 4, -5, none};
  std::vector<double> y{1, 2, 3, 4}, other{1, 2, 3, 4};
  similarity_batch<double> batch{
      .similarity = s, .rows = 2, .columns = 2, .stride = 3, .relevance = y, .column_relevance = other};
  const auto found = [&] { return complaint([&] { rankloss::detail::check_values(plain_sum{}, batch); }); };
  CHECK(found().empty());
  s[4] = none;
  CHECK(found() == "rankloss: similarity: nan at row 1, column 1, expected a number");
  s[4] = 0;
  other[1] = infinity;
  CHECK(found() == "rankloss: column_relevance: inf at row 0, column 1, expected a finite number");
  y[2] = -infinity;
  CHECK(found() == "rankloss: relevance: -inf at row 1, column 0, expected a finite number");
}

TEST_CASE("evaluate_similarity: both directions, as a mean of means or a sum") {
  const std::vector<int> relevance{1, 2, 3, 4, 5, 6};
  auto batch = two_by_three();
  batch.relevance = relevance;
  // By rows 1 + 4 + 9 and 16 + 25 + 36, by columns 1 + 16, 4 + 25 and 9 + 36.
  for (const bool mean : {true, false})
    for (const bool add : {true, false}) {
      batch.reduction = mean ? reduction::mean : reduction::sum;
      std::vector<float> g(7, 100.0F);
      std::vector<double> per_list(5);
      rankloss::context ctx;
      const outputs out{.gradient = g,
                        .per_list = per_list,
                        .update = add ? rankloss::update::add : rankloss::update::overwrite};
      const double value = rankloss::detail::run_directions(plain_sum{}, batch, rankloss::directions::both,
                                                            list_relevance::relevance, out, ctx, 2.0);
      CHECK(value == Approx(mean ? 91.0 / 2 + 91.0 / 3 : 4 * 91.0));
      CHECK(per_list == std::vector<double>{14, 77, 17, 29, 45});
      for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 3; ++j)
          CHECK(static_cast<double>(g[i * 4 + j]) ==
                Approx((add ? 100.0 : 0.0) + relevance[i * 3 + j] * (mean ? 1.0 / 2 + 1.0 / 3 : 4.0)));
      CHECK(g[3] == 100.0F);
    }
}

TEST_CASE("evaluate_similarity: one direction alone has its whole mean, and the other lines the value 0") {
  const std::vector<int> relevance{1, 2, 3, 4, 5, 6};
  auto batch = two_by_three();
  batch.relevance = relevance;
  for (const bool columns : {false, true}) {
    std::vector<float> g(7, 100.0F);
    std::vector<double> per_list(5, 3.0);
    rankloss::context ctx;
    const double value = rankloss::detail::run_directions(
        plain_sum{}, batch, columns ? rankloss::directions::columns : rankloss::directions::rows,
        list_relevance::relevance, {.gradient = g, .per_list = per_list}, ctx, 2.0);
    CHECK(value == Approx(2.0 * 91.0 / (columns ? 3 : 2)));
    CHECK(per_list ==
          (columns ? std::vector<double>{0, 0, 17, 29, 45} : std::vector<double>{14, 77, 0, 0, 0}));
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 3; ++j)
        CHECK(static_cast<double>(g[i * 4 + j]) == Approx(relevance[i * 3 + j] * 2.0 / (columns ? 3 : 2)));
  }
}

/// sum_i w_i s_i / t, with learned t; its weights are the inverses of probabilities.
struct weighted_scores {
  double temperature = 2.0;
  static constexpr bool has_temperature_gradient = true;
  static constexpr bool takes_probabilities = true;

  template <class T, class R>
  double operator()(const rankloss::list<T, R>& items, const rankloss::list_outputs<T>& out,
                    rankloss::workspace&) const {
    double value = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const double w = items.weights.empty() ? 1.0 : items.weights[i];
      value += w * static_cast<double>(items.scores[i]) / temperature;
      if (!out.gradient.empty()) out.gradient[i] = static_cast<T>(w / temperature);
    }
    if (out.temperature_gradient != nullptr) *out.temperature_gradient = -value / temperature;
    return value;
  }
};

TEST_CASE("evaluate_similarity: the gradient of a learned temperature is that of the value") {
  const std::vector<double> s{1, 2, 3, 4, 5, 6};
  const std::vector<double> row_weights{1, 3};
  const std::vector<float> rows{0.5F, 1.0F};
  const std::vector<double> columns{1.0, 0.25, 0.5};
  const std::vector<std::uint8_t> matches(6, 1);
  const similarity_batch<double> batch{.similarity = s,
                                       .rows = 2,
                                       .columns = 3,
                                       .matches = matches,
                                       .row_probabilities = rows,
                                       .column_probabilities = columns,
                                       .row_weights = row_weights};
  const auto value = [&](const similarity_batch<double>& of, double temperature, const outputs& out = {}) {
    return rankloss::evaluate(rankloss::bidirectional<weighted_scores>{{temperature}}, of, out);
  };
  // Rows: (1 + 8 + 6) / 2 and (4 + 20 + 12) / 2; columns: (2 + 4) / 2, (4 + 5) / 2 and (6 + 6) / 2.
  CHECK(value(batch, 2.0) == Approx(0.5 * (7.5 + 3 * 18.0) / 4 + 0.5 * (3.0 + 4.5 + 6.0) / 3));
  double slope = 10.0;
  const double v = value(batch, 2.0, {.scale = 3.0, .temperature_gradient = &slope});
  CHECK(slope == Approx(-3.0 * v / 2.0));
  const outputs adds{.scale = 3.0, .update = rankloss::update::add, .temperature_gradient = &slope};
  CHECK(value(batch, 2.0, adds) == v);
  CHECK(slope == Approx(-6.0 * v / 2.0));

  CHECK_THROWS_WITH(
      rankloss::evaluate(rankloss::bidirectional<plain_sum>{}, batch, {.temperature_gradient = &slope}),
      "rankloss: temperature_gradient: this loss has none, expected null");
  CHECK_THROWS_WITH(value(batch, 2.0, {.bias_gradient = &slope}),
                    "rankloss: bias_gradient: this loss has none, expected null");
  CHECK_THROWS_WITH(rankloss::evaluate(rankloss::bidirectional<plain_sum>{}, batch),
                    "rankloss: row_probabilities: given, expected none: this loss does not correct for how "
                    "items were sampled");
  auto bad = batch;
  bad.row_probabilities = columns;
  CHECK_THROWS_WITH(value(bad, 2.0), "rankloss: row_probabilities: size 3, expected 2 (one per row)");
  const std::vector<double> zero{1.0, 0.0, 0.5};
  bad = batch;
  bad.column_probabilities = zero;
  CHECK_THROWS_WITH(value(bad, 2.0), "rankloss: column_probabilities: 0 at column 1, expected 1e-300 to 1");
}

TEST_CASE("evaluate_similarity: accidental hits take no part, and extra columns match no row") {
  const std::vector<double> s{1, 2, 3, 4, 5, 6};
  const std::vector<int> row_ids{7, 8};
  const std::vector<int> column_ids{7, 8, 7};
  std::vector<double> g(6, 9.0);
  similarity_batch<double> batch{.similarity = s,
                                 .rows = 2,
                                 .columns = 3,
                                 .extra_columns = true,
                                 .row_ids = row_ids,
                                 .column_ids = column_ids};
  const rankloss::bidirectional<weighted_scores> loss{
      {1.0}, rankloss::column_relevance::own, rankloss::directions::rows};
  CHECK(rankloss::evaluate(loss, batch, {.gradient = g}) == Approx((1 + 2) / 2.0 + (4 + 5 + 6) / 2.0));
  CHECK(g == std::vector<double>{0.5, 0.5, 0.0, 0.5, 0.5, 0.5});
  batch.column_ids = {};
  CHECK_THROWS_WITH(rankloss::evaluate(loss, batch),
                    "rankloss: row_ids, column_ids: only one of them is given");
  const std::vector<std::uint8_t> matches(6, 1);
  batch.column_ids = column_ids;
  batch.matches = matches;
  CHECK_THROWS_WITH(
      rankloss::evaluate(rankloss::bidirectional<weighted_scores>{}, batch),
      "rankloss: extra_columns: given for 2 rows and 3 columns with matches or classes, expected "
      "at least as many columns as rows, and matches by index");
}

}  // namespace detail_lists_similarity_run_test
