// SPDX-License-Identifier: BSL-1.0
#include <rankloss/evaluate.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/weighted_sum.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
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

namespace evaluate_test {

namespace {

using rankloss::column_lists;
using rankloss::columns_of;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::matrix_view;
using rankloss::outputs;
using rankloss::reduction;
using rankloss::row_lists;
using rankloss::rows_of;
using rankloss::similarity_batch;
using rankloss::sndcg;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// A user's loss, in its simplest form.
struct squared_error {
  double operator()(const rankloss::list<double, double>& items, const rankloss::list_outputs<double>& out,
                    rankloss::workspace&) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const double weight = items.weights.empty() ? 1.0 : items.weights[i];
      const double error = items.scores[i] - items.relevance[i];
      sum += 0.5 * weight * error * error;
      if (!out.gradient.empty()) out.gradient[i] = weight * error;
    }
    return sum;
  }
};
static_assert(rankloss::ranking_loss<squared_error, double>);
static_assert(!rankloss::ranking_loss<squared_error, float>);
static_assert(!rankloss::similarity_loss<squared_error, double>);

using reals = std::vector<double>;

/// What a batch and outputs are refused with, or "accepted". Every output is full of 7 and must stay so.
struct door {
  reals gradient, per_list, hessian;
  std::vector<float> narrow;

  door(std::size_t items, std::size_t lists)
      : gradient(items, 7.0), per_list(lists, 7.0), hessian(items, 7.0), narrow(items, 7.0f) {}

  [[nodiscard]] outputs all() { return {.gradient = gradient, .per_list = per_list, .hessian = hessian}; }

  template <class Loss, class Batch>
  std::string says(const Loss& loss, const Batch& batch, const outputs& out) {
    try {
      evaluate(loss, batch, out);
    } catch (const std::invalid_argument& error) {
      CHECK(gradient == reals(gradient.size(), 7.0));
      CHECK(per_list == reals(per_list.size(), 7.0));
      CHECK(hessian == reals(hessian.size(), 7.0));
      CHECK(narrow == std::vector<float>(narrow.size(), 7.0f));
      return error.what();
    }
    return "accepted";
  }
  template <class Batch>
  std::string says(const Batch& batch) {
    return says(sndcg{}, batch, all());
  }
};

const reals six{0.5, -1.0, 2.0, 0.25, 0.0, 1.5};
const reals grades{1, 0, 2, 0, 0, 1};
const std::vector<std::uint8_t> six_flags{1, 0, 1, 1, 1, 0};
const std::vector<int> three_lists{0, 2, 2, 6};

TEST_CASE("evaluate: sizes that do not fit are refused by name") {
  door d(6, 3);
  const std::span<const double> few(six.data(), 5);
  list_batch<double> batch{.scores = six, .relevance = few, .offsets = three_lists};
  CHECK(d.says(batch) == "rankloss: relevance: size 5, expected 6 (one per score)");
  batch.relevance = {};
  CHECK(d.says(batch) == "rankloss: relevance: size 0, expected 6 (one per score)");
  batch.relevance = grades;

  const std::vector<std::uint8_t> mask(7, 1);
  batch.mask = mask;
  CHECK(d.says(batch) == "rankloss: mask: size 7, expected 6 (one per score)");
  batch.mask = {};
  batch.missed = mask;
  CHECK(d.says(rankloss::metrics::ndcg{}, batch, {.per_list = d.per_list}) ==
        "rankloss: missed: size 7, expected 6 (one per score)");
  batch.missed = {};

  const reals two(2, 1.0);
  batch.list_weights = two;
  CHECK(d.says(batch) == "rankloss: list_weights: size 2, expected 3 (one per list)");
  batch.list_weights = {};
  batch.item_weights = two;
  CHECK(d.says(batch) == "rankloss: item_weights: size 2, expected 6 (one per item)");
  batch.item_weights = {};

  reals wrong(5, 7.0);
  CHECK(d.says(sndcg{}, batch, {.gradient = wrong, .per_list = d.per_list}) ==
        "rankloss: gradient: size 5, expected 6 (one per score)");
  CHECK(d.says(sndcg{}, batch, {.gradient = d.gradient, .hessian = wrong}) ==
        "rankloss: hessian: size 5, expected 6 (one per score)");
  CHECK(d.says(sndcg{}, batch, {.gradient = d.narrow, .per_list = wrong}) ==
        "rankloss: per_list: size 5, expected 3 (one per list)");
  CHECK(wrong == reals(5, 7.0));
  CHECK(d.says(sndcg{}, batch, {.gradient = d.gradient, .scale = nan}) ==
        "rankloss: scale: nan, expected a finite number");
  CHECK(d.says(sndcg{}, batch, {.gradient = d.gradient, .scale = -infinity}) ==
        "rankloss: scale: -inf, expected a finite number");

  // Unchecked data does not mean unchecked sizes.
  rankloss::context unchecked{rankloss::data_checks::off};
  CHECK_THROWS_WITH(evaluate(sndcg{}, batch, {.per_list = wrong}, unchecked),
                    "rankloss: per_list: size 5, expected 3 (one per list)");
  CHECK(d.says(batch) == "accepted");
}

/// Offsets of any type are read alike, right or wrong.
template <class Offset>
void check_offsets() {
  door d(6, 3);
  const auto says = [&](const std::vector<Offset>& offsets) {
    return d.says(list_batch<double>{.scores = six, .relevance = grades, .offsets = offsets});
  };
  CHECK(says({1, 2, 2, 6}) == "rankloss: offsets: first is 1, expected 0");
  CHECK(says({0, 4, 2, 6}) == "rankloss: offsets: 2 at 2 after 4, expected them to rise");
  CHECK(says({0, 2, 2, 5}) == "rankloss: offsets: last is 5, expected 6 (the number of scores)");
  CHECK(says({0, 2, 2, 7}) == "rankloss: offsets: last is 7, expected 6 (the number of scores)");
  CHECK(says({0}) == "rankloss: offsets: last is 0, expected 6 (the number of scores)");
  CHECK(says({0, 2, std::numeric_limits<Offset>::max(), 6}).find("expected them to rise") !=
        std::string::npos);
  CHECK(says({0, 2, 3, 6}) == "accepted");

  const std::vector<Offset> offsets{0, 0, 2, 6, 6};
  reals gradient(6), per_list(4);
  const list_batch<double> batch{
      .scores = six, .relevance = grades, .offsets = offsets, .reduction = reduction::sum};
  CHECK(evaluate(squared_error{}, batch, {.gradient = gradient, .per_list = per_list}) == 0.625 + 0.15625);
  CHECK(per_list == reals{0.0, 0.625, 0.15625, 0.0});
  CHECK(gradient == reals{-0.5, -1.0, 0.0, 0.25, 0.0, 0.5});
}

TEST_CASE("evaluate: offsets are 32 or 64 bit, signed or not, and rise from 0 to the number of items") {
  check_offsets<std::int32_t>();
  check_offsets<std::uint32_t>();
  check_offsets<std::int64_t>();
  check_offsets<std::uint64_t>();
  door d(6, 3);
  const std::vector<int> negative{0, -1, 2, 6};
  CHECK(d.says(list_batch<double>{.scores = six, .relevance = grades, .offsets = negative}) ==
        "rankloss: offsets: -1 at 1 after 0, expected them to rise");
  const std::vector<std::int64_t> below{-2, 0, 2, 6};
  CHECK(d.says(list_batch<double>{.scores = six, .relevance = grades, .offsets = below}) ==
        "rankloss: offsets: first is -2, expected 0");
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const auto says = [&](const std::vector<std::uint64_t>& offsets) {
    return d.says(list_batch<double>{.scores = six, .relevance = grades, .offsets = offsets});
  };
  CHECK(says({most, 2, 2, 6}) == "rankloss: offsets: first is 18446744073709551615, expected 0");
  CHECK(says({0, 2, most, 6}) ==
        "rankloss: offsets: 6 at 3 after 18446744073709551615, expected them to rise");
  CHECK(says({0, 2, 2, most}) ==
        "rankloss: offsets: last is 18446744073709551615, expected 6 (the number of scores)");
}

TEST_CASE("evaluate: dense forms that do not fit are refused") {
  door d(6, 3);
  list_batch<double> batch{.scores = six, .relevance = grades, .length = 4};
  CHECK(d.says(batch) == "rankloss: scores: size 6, expected whole lists of length 4 at stride 4");
  batch.length = 2;
  CHECK(d.says(batch) == "accepted");
  d = door(6, 3);
  batch.stride = 1;
  CHECK(d.says(batch) == "rankloss: stride: 1, expected at least length 2");
  batch.stride = 5;
  CHECK(d.says(batch) == "rankloss: scores: size 6, expected whole lists of length 2 at stride 5");
  batch.stride = 3;
  CHECK(d.says(batch) == "rankloss: per_list: size 3, expected 2 (one per list)");
  batch.offsets = three_lists;
  CHECK(d.says(batch) == "rankloss: offsets: given together with length; a batch is ragged or dense");
  batch.length = 0;
  CHECK(d.says(batch) == "rankloss: stride: 3 without length");
}

TEST_CASE("evaluate: lengths that do not fit are refused") {
  door d(6, 3);
  list_batch<double> batch{.scores = six, .relevance = grades, .length = 2};
  const auto says = [&](const auto& lengths) {
    batch.lengths = lengths;
    return d.says(batch);
  };
  CHECK(says(std::vector<int>{1, 2}) == "rankloss: lengths: size 2, expected 3 (one per list)");
  CHECK(says(std::vector<int>{1, 2, 3}) == "rankloss: lengths: 3 at list 2, expected 0 to 2 (length)");
  CHECK(says(std::vector<int>{1, -1, 2}) == "rankloss: lengths: -1 at list 1, expected 0 to 2 (length)");
  CHECK(says(std::vector<std::uint64_t>{1, 2, std::numeric_limits<std::uint64_t>::max()}) ==
        "rankloss: lengths: 18446744073709551615 at list 2, expected 0 to 2 (length)");
  CHECK(says(std::vector<std::uint32_t>{1, 2, 0}) == "accepted");
  d = door(6, 3);
  const std::vector<int> lengths{2, 2, 2};
  batch.lengths = lengths;
  batch.length = 0;
  CHECK(d.says(batch) ==
        "rankloss: lengths: given without length; lists of a ragged batch end where offsets say");
}

TEST_CASE("evaluate: weights are finite and not negative") {
  door d(6, 3);
  const auto lists = [&](const auto& weights) {
    return d.says(list_batch<double>{
        .scores = six, .relevance = grades, .offsets = three_lists, .list_weights = weights});
  };
  const auto items = [&](const auto& weights) {
    return d.says(list_batch<double>{
        .scores = six, .relevance = grades, .offsets = three_lists, .item_weights = weights});
  };
  CHECK(lists(reals{1, -0.5, 2}) == "rankloss: list_weights: -0.5 at list 1, expected a finite number >= 0");
  CHECK(lists(reals{1, 1, nan}) == "rankloss: list_weights: nan at list 2, expected a finite number >= 0");
  CHECK(lists(std::vector<float>{static_cast<float>(infinity), 1, 1}) ==
        "rankloss: list_weights: inf at list 0, expected a finite number >= 0");
  CHECK(items(reals{1, 1, 1, 1, 1, -1}) ==
        "rankloss: item_weights: -1 at list 2, item 3, expected a finite number >= 0");
  CHECK(items(std::vector<float>{1, static_cast<float>(nan), 1, 1, 1, 1}) ==
        "rankloss: item_weights: nan at list 0, item 1, expected a finite number >= 0");
  CHECK(items(reals{infinity, 1, 1, 1, 1, 1}) ==
        "rankloss: item_weights: inf at list 0, item 0, expected a finite number >= 0");
  CHECK(lists(reals{0, -0.0, 0}) == "accepted");
}

TEST_CASE("evaluate: what lies in padding and between lists is never read, weights included") {
  const std::vector<std::uint8_t> mask{1, 1, 0, 1, 0, 1, 1};  // two lists of three, an item between them
  const reals s{0.5, -1.0, nan, nan, nan, 0.0, 1.5};
  const reals y{1, 0, nan, nan, infinity, 0, 1};
  const reals w{1, 2, nan, -1, infinity, 1, 0.5};
  reals gradient(7, 7.0);
  const list_batch<double> batch{
      .scores = s, .relevance = y, .item_weights = w, .length = 3, .stride = 4, .mask = mask};
  CHECK(evaluate(squared_error{}, batch, {.gradient = gradient}) == (0.125 + 1.0 + 0.0625) / 2);
  CHECK(gradient == reals{-0.25, -1.0, 0.0, 7.0, 0.0, 0.0, 0.125});
}

TEST_CASE("evaluate: of padded rows the first items count, and the rest is never read") {
  const std::vector<std::int64_t> lengths{2, 0, 3};
  const std::vector<int> offsets{0, 2, 2, 5};
  const std::vector<std::uint8_t> mask{1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1};
  const reals s{0.5, -1.0, nan, 9, nan, infinity, 3, 9, 0.0, 1.5, 2};  // three lists of three, four apart
  const reals y{1, 0, nan, 9, infinity, nan, -1, 9, 0, 1, 1};
  const reals w{1, 2, nan, 9, -1, infinity, 1, 9, 1, 0.5, 2};
  list_batch<double> batch{
      .scores = s, .relevance = y, .item_weights = w, .length = 3, .stride = 4, .lengths = lengths};
  for (const reduction by : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
    batch.reduction = by;
    reals g(11, 7.0), per_list(3), expected_per_list(3);
    const reals few_s{0.5, -1.0, 0.0, 1.5, 2}, few_y{1, 0, 0, 1, 1}, few_w{1, 2, 1, 0.5, 2};
    reals few_g(5);
    const double expected = evaluate(
        squared_error{},
        list_batch<double>{
            .scores = few_s, .relevance = few_y, .offsets = offsets, .item_weights = few_w, .reduction = by},
        {.gradient = few_g, .per_list = expected_per_list});
    CHECK(evaluate(squared_error{}, batch, {.gradient = g, .per_list = per_list}) == expected);
    CHECK(per_list == expected_per_list);
    CHECK(g == reals{few_g[0], few_g[1], 0.0, 7.0, 0.0, 0.0, 0.0, 7.0, few_g[2], few_g[3], few_g[4]});
  }
  // With a mask, which has a say of what is left.
  batch.mask = mask;
  batch.reduction = reduction::sum;
  reals g(11, 7.0);
  CHECK(evaluate(squared_error{}, batch, {.gradient = g}) == 0.125 + 1.0 + 0.0625 + 1.0);
  CHECK(g == reals{-0.5, -2.0, 0.0, 7.0, 0.0, 0.0, 0.0, 7.0, 0.0, 0.25, 2.0});
  // An error is named by its place in the row.
  reals bad = s;
  bad[9] = nan;
  batch.scores = bad;
  CHECK_THROWS_WITH(evaluate(squared_error{}, batch),
                    "rankloss: scores: nan at list 2, item 1, expected a number");
}

TEST_CASE("evaluate: options out of their range are refused") {
  door d(6, 1);
  const list_batch<double> batch{.scores = six, .relevance = grades};
  const auto says = [&](const sndcg& loss) { return d.says(loss, batch, d.all()); };
  CHECK(says({.temperature = 0.0}) == "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK(says({.temperature = -2.5}) == "rankloss: temperature: -2.5, expected 1e-15 to 1e300");
  CHECK(says({.temperature = nan}) == "rankloss: temperature: nan, expected 1e-15 to 1e300");
  CHECK(says({.temperature = infinity}) == "rankloss: temperature: inf, expected 1e-15 to 1e300");
  const reals table{0.0, 1.0, 3.0};
  CHECK(says({.gain = rankloss::gain::table}) == "rankloss: gain_table: size 0, expected one gain a grade");
  CHECK(says({.gain_table = table}) ==
        "rankloss: gain_table: size 3, expected none unless gain is gain::table");
  for (const auto& [bad, text] :
       {std::pair{-1.0, "-1"}, std::pair{nan, "nan"}, std::pair{infinity, "inf"}, std::pair{1e31, "1e+31"}}) {
    const reals broken{0.0, 1.0, bad};
    CHECK(says({.gain = rankloss::gain::table, .gain_table = broken}) ==
          "rankloss: gain_table: " + std::string(text) + " at grade 2, expected 0 to 1e30");
  }
  CHECK(says({.gain = rankloss::gain::table, .gain_table = table}) == "accepted");
}

TEST_CASE("evaluate: what a loss does not have is refused") {
  door d(6, 1);
  const list_batch<double> batch{.scores = six, .relevance = grades};
  CHECK(d.says(squared_error{}, batch, d.all()) ==
        "rankloss: hessian: this loss has none, expected an empty output");
  CHECK(d.says(squared_error{}, batch, {.hessian = d.narrow}) ==
        "rankloss: hessian: this loss has none, expected an empty output");
  CHECK(d.says(rankloss::metrics::ndcg{}, batch, {.gradient = d.gradient}) ==
        "rankloss: gradient: a metric has none, expected an empty output");
  CHECK(d.says(rankloss::metrics::ndcg{}, batch, {.hessian = d.hessian}) ==
        "rankloss: hessian: this loss has none, expected an empty output");
  CHECK(d.says(squared_error{}, batch, {.gradient = d.gradient, .per_list = d.per_list}) == "accepted");
}

TEST_CASE("evaluate: items without a rank are refused by what has no value for them") {
  door d(6, 1);
  const std::vector<std::uint8_t> none(6, 0);
  const list_batch<double> batch{.scores = six, .relevance = grades, .missed = none};
  const std::string refusal =
      "rankloss: missed: given, expected none: a loss, or a metric without a value for items that have no rank";
  CHECK(d.says(batch) == refusal);
  CHECK(d.says(squared_error{}, batch, {.gradient = d.gradient}) == refusal);
  CHECK(d.says(rankloss::metrics::first_rank{}, batch, {.per_list = d.per_list}) == refusal);
  CHECK(d.says(rankloss::weighted_sum(rankloss::weighted{1.0, rankloss::metrics::ndcg{}},
                                      rankloss::weighted{1.0, sndcg{}}),
               batch, {.per_list = d.per_list}) == refusal);
  CHECK(d.says(rankloss::metrics::ndcg{}, batch, {.per_list = d.per_list}) == "accepted");
  CHECK(d.says(rankloss::weighted_sum(rankloss::weighted{1.0, rankloss::metrics::ndcg{}},
                                      rankloss::weighted{1.0, rankloss::metrics::recall{}}),
               batch, {.per_list = d.per_list}) == "accepted");
}

TEST_CASE("evaluate: a similarity_batch that does not fit is refused by name") {
  using rankloss::bidirectional;
  door d(6, 5);
  const auto says = [&](const similarity_batch<double>& batch) {
    return d.says(bidirectional<sndcg>{}, batch, d.all());
  };
  similarity_batch<double> batch{.similarity = six, .rows = 2, .columns = 3, .relevance = grades};

  auto bad = batch;
  bad.stride = 2;
  CHECK(says(bad) == "rankloss: stride: 2, expected at least columns 3");
  bad.stride = 4;
  CHECK(says(bad) == "rankloss: similarity: size 6, expected 8 (rows 2 at stride 4)");
  bad = batch;
  bad.rows = 3;
  CHECK(says(bad) == "rankloss: similarity: size 6, expected 9 (rows 3 at stride 3)");

  bad = batch;
  const std::span<const double> few(six.data(), 4);
  bad.relevance = few;
  CHECK(says(bad) == "rankloss: relevance: size 4, expected 6 (2 rows of 3 columns)");
  bad.relevance = grades;
  bad.column_relevance = few;
  CHECK(says(bad) == "rankloss: column_relevance: size 4, expected 6 (2 rows of 3 columns)");
  bad.relevance = {};
  bad.column_relevance = grades;
  CHECK(says(bad) == "rankloss: column_relevance: given without relevance");
  bad = batch;
  const std::vector<std::uint8_t> flags(5, 1);
  bad.matches = flags;
  CHECK(says(bad) == "rankloss: matches: size 5, expected 6 (2 rows of 3 columns)");

  bad = batch;
  const std::vector<int> two{0, 1}, three{0, 1, 1};
  bad.row_classes = three;
  bad.column_classes = three;
  CHECK(says(bad) == "rankloss: row_classes: size 3, expected 2 (rows)");
  bad.row_classes = two;
  bad.column_classes = two;
  CHECK(says(bad) == "rankloss: column_classes: size 2, expected 3 (columns)");
  bad.column_classes = {};
  CHECK(says(bad) == "rankloss: row_classes, column_classes: only one of them is given");

  bad = batch;
  const reals weights{1, -1}, long_weights{1, 1, nan};
  bad.row_weights = long_weights;
  CHECK(says(bad) == "rankloss: row_weights: size 3, expected 2 (one per row)");
  bad.row_weights = weights;
  CHECK(says(bad) == "rankloss: row_weights: -1 at row 1, expected a finite number >= 0");
  bad.row_weights = {};
  bad.column_weights = long_weights;
  CHECK(says(bad) == "rankloss: column_weights: nan at column 2, expected a finite number >= 0");
  bad.column_weights = weights;
  CHECK(says(bad) == "rankloss: column_weights: size 2, expected 3 (one per column)");

  reals wrong(5, 7.0), four(4, 7.0);
  const bidirectional<sndcg> loss{};
  CHECK(d.says(loss, batch, {.gradient = wrong}) ==
        "rankloss: gradient: size 5, expected 6 (one per similarity)");
  CHECK(d.says(loss, batch, {.hessian = wrong}) ==
        "rankloss: hessian: size 5, expected 6 (one per similarity)");
  CHECK(d.says(loss, batch, {.gradient = d.gradient, .per_list = four}) ==
        "rankloss: per_list: size 4, expected 5 (rows, then columns)");
  CHECK(d.says(loss, batch, {.gradient = d.gradient, .scale = infinity}) ==
        "rankloss: scale: inf, expected a finite number");
  CHECK(d.says(bidirectional<sndcg>{sndcg{.temperature = 0.0}}, batch, d.all()) ==
        "rankloss: loss.temperature: 0, expected 1e-15 to 1e300");
  CHECK(d.says(bidirectional<squared_error>{}, batch, d.all()) ==
        "rankloss: hessian: this loss has none, expected an empty output");
  CHECK(says(batch) == "accepted");
}

TEST_CASE("evaluate: an empty batch is 0") {
  CHECK(evaluate(sndcg{}, list_batch<double>{}) == 0.0);
  CHECK(evaluate(squared_error{}, list_batch<double>{}) == 0.0);
  CHECK(evaluate(rankloss::bidirectional<sndcg>{}, similarity_batch<double>{}) == 0.0);
  reals per_list(1, 7.0);
  CHECK(evaluate(sndcg{}, list_batch<double>{}, {.per_list = per_list}) ==
        0.0);  // without offsets one list, empty
  CHECK(per_list == reals{0.0});

  const std::vector<int> no_list{0}, empty_lists{0, 0, 0};
  reals two(2, 7.0);
  for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
    CHECK(evaluate(sndcg{}, list_batch<double>{
                                .scores = {}, .relevance = {}, .offsets = no_list, .reduction = how}) == 0.0);
    CHECK(
        evaluate(sndcg{},
                 list_batch<double>{.scores = {}, .relevance = {}, .offsets = empty_lists, .reduction = how},
                 {.per_list = two}) == 0.0);
    CHECK(two == reals{0.0, 0.0});
    CHECK(evaluate(sndcg{},
                   list_batch<double>{
                       .scores = {}, .relevance = {}, .length = 5, .stride = 8, .reduction = how}) == 0.0);
  }
}

TEST_CASE("evaluate: a loss of ten lines works with every form of batch") {
  // Errors of the six items are -0.5, -1, 0, 0.25, 0, 0.5; their losses 0.125, 0.5, 0, 0.03125, 0, 0.125.
  const squared_error loss;
  const list_batch<double> one{.scores = six, .relevance = grades};
  reals g(6);
  CHECK(evaluate(loss, one, {.gradient = g}) == 0.78125);
  CHECK(g == reals{-0.5, -1.0, 0.0, 0.25, 0.0, 0.5});

  // Ragged, with weights of both kinds.
  const reals list_weights{1, 5, 2};
  const std::vector<float> item_weights{1, 2, 1, 4, 1, 0};
  list_batch<double> ragged{.scores = six,
                            .relevance = grades,
                            .offsets = three_lists,
                            .list_weights = list_weights,
                            .item_weights = item_weights};
  reals per_list(3);
  rankloss::context threads{rankloss::threads(2)};
  CHECK(evaluate(loss, ragged, {.gradient = g, .per_list = per_list, .scale = 8.0}, threads) ==
        (1.125 + 2 * 0.125) / 8);
  CHECK(per_list == reals{1.125, 0.0, 0.125});
  CHECK(g == reals{-0.5, -2.0, 0.0, 2.0, 0.0, 0.0});
  ragged.reduction = reduction::sum;
  CHECK(evaluate(loss, ragged) == 1.125 + 2 * 0.125);

  // Dense, with a stride, with a mask.
  CHECK(evaluate(loss, list_batch<double>{.scores = six, .relevance = grades, .length = 2},
                 {.per_list = per_list}) == Approx(0.78125 / 3));
  CHECK(per_list == reals{0.625, 0.03125, 0.125});
  g.assign(6, 7.0);
  CHECK(evaluate(loss, list_batch<double>{.scores = six, .relevance = grades, .length = 2, .stride = 4},
                 {.gradient = g}) == 0.375);
  CHECK(g == reals{-0.25, -0.5, 7.0, 7.0, 0.0, 0.25});
  CHECK(evaluate(loss, list_batch<double>{.scores = six, .relevance = grades, .length = 3, .mask = six_flags},
                 {.gradient = g}) == (0.125 + 0.03125) / 2);
  CHECK(g == reals{-0.25, 0.0, 0.0, 0.125, 0.0, 0.0});
  CHECK(evaluate(
            loss,
            list_batch<double>{.scores = six, .relevance = grades, .offsets = three_lists, .mask = six_flags},
            {.gradient = g}) == Approx((0.125 + 0.03125) / 3));

  // Rows and columns of a matrix.
  const similarity_batch<double> matrix{.similarity = six, .rows = 2, .columns = 3, .relevance = grades};
  CHECK(evaluate(rankloss::bidirectional<squared_error>{}, matrix, {.gradient = g}) ==
        Approx(0.5 * 0.78125 / 2 + 0.5 * 0.78125 / 3));
  CHECK(g[1] == Approx(-1.0 * (0.25 + 1.0 / 6)));
}

TEST_CASE("evaluate: arguments in the forms that come to mind first") {
  const squared_error loss;
  rankloss::context context;
  CHECK(evaluate(loss, list_batch<double>{.scores = six, .relevance = grades}, context) == 0.78125);
  const similarity_batch<double> matrix{.similarity = six, .rows = 2, .columns = 3, .relevance = grades};
  CHECK(evaluate(rankloss::bidirectional<squared_error>{}, matrix, context) ==
        evaluate(rankloss::bidirectional<squared_error>{}, matrix));

  // A pointer and a size, signed or not, in every field.
  const int n = 6;
  const double list_weights[] = {1, 5, 2};
  const float item_weights[] = {1, 2, 1, 4, 1, 0};
  const std::uint8_t mask[] = {1, 1, 1, 1, 1, 1};
  double g[6], h[6], per_list[3];
  CHECK(evaluate(loss,
                 list_batch<double>{.scores = {six.data(), n},
                                    .relevance = {grades.data(), grades.size()},
                                    .offsets = {three_lists.data(), 4},
                                    .list_weights = {list_weights, 3},
                                    .item_weights = {item_weights, n},
                                    .mask = {mask, n}},
                 {.gradient = {g, n}, .per_list = {per_list, 3}, .hessian = {h, 0}, .scale = 8.0},
                 context) == (1.125 + 2 * 0.125) / 8);
  CHECK(std::vector<double>(g, g + 6) == reals{-0.5, -2.0, 0.0, 2.0, 0.0, 0.0});
  CHECK(std::vector<double>(per_list, per_list + 3) == reals{1.125, 0.0, 0.125});
  CHECK(evaluate(rankloss::bidirectional<squared_error>{},
                 similarity_batch<double>{.similarity = {six.data(), n},
                                          .rows = 2,
                                          .columns = 3,
                                          .relevance = {grades.data(), n},
                                          .row_weights = {list_weights, 2},
                                          .column_weights = {list_weights, 3}}) > 0.0);

  // C arrays: errors of 0, 5 and 0.
  const double three[] = {1, 0, 2};
  double slopes[3];
  CHECK(evaluate(loss, list_batch<double>{.scores = list_weights, .relevance = three},
                 {.gradient = slopes}) == 12.5);
  CHECK(slopes[1] == 5.0);
}

TEST_CASE("evaluate: a list without relevance takes no part in mean_of_relevant, whatever its loss") {
  const reals y{1, 0, 0, 0, 0, 1};
  const std::vector<int> offsets{0, 2, 4, 6};
  reals g(6, 7.0), per_list(3);
  const list_batch<double> batch{
      .scores = six, .relevance = y, .offsets = offsets, .reduction = reduction::mean_of_relevant};
  CHECK(evaluate(squared_error{}, batch, {.gradient = g, .per_list = per_list}) == (0.625 + 0.125) / 2);
  CHECK(per_list == reals{0.625, 2.03125, 0.125});  // its own value it keeps
  CHECK(g == reals{-0.25, -0.5, 0.0, 0.0, 0.0, 0.25});
}

TEST_CASE("evaluate: relevance of any arithmetic type counts alike") {
  std::mt19937_64 random(1);
  const std::vector<int> offsets{0, 3, 100, 700};
  const auto s = support::numbers<double>(random, 700);
  const auto whole = support::whole_numbers<int>(random, 700, 5);
  const reals real(whole.begin(), whole.end());
  const sndcg loss{.temperature = 0.1};
  reals g(700), expected(700);
  const double value = evaluate(loss, list_batch<double>{.scores = s, .relevance = real, .offsets = offsets},
                                {.gradient = expected});
  CHECK(evaluate(loss, list_batch<double, int>{.scores = s, .relevance = whole, .offsets = offsets},
                 {.gradient = g}) == value);
  CHECK(g == expected);
}

TEST_CASE("evaluate: with unchecked data a NaN harms nothing but the results") {
  std::mt19937_64 random(2);
  rankloss::context unchecked{rankloss::threads(2), rankloss::data_checks::off};
  const reals table{0.0, 1.0, 3.0};
  const std::vector<std::size_t> offsets{0, 1, 3, 20, 148, 404, 704, 3704};
  auto s = support::numbers<double>(random, offsets.back());
  auto y = support::whole_numbers<double>(random, offsets.back(), 4);
  reals w(offsets.back(), 1.0), list_weights(7, 1.0);
  reals g(s.size()), h(s.size()), per_list(7);
  const auto call = [&](const sndcg& loss) {
    const list_batch<double> batch{
        .scores = s, .relevance = y, .offsets = offsets, .list_weights = list_weights, .item_weights = w};
    evaluate(loss, batch, {.gradient = g, .per_list = per_list}, unchecked);
    evaluate(loss, batch, {.gradient = g, .hessian = h}, unchecked);
  };
  const auto call_all = [&] {
    for (const double temperature : {0.01, 1.0}) {
      call({.temperature = temperature});
      call({.temperature = temperature,
            .gain = rankloss::gain::linear,
            .cutoff = 3,
            .ideal = rankloss::ideal::competition_ranks});
      call({.temperature = temperature, .gain = rankloss::gain::table, .gain_table = table});
    }
  };
  const reals clean = s;
  for (std::size_t i = 0; i < s.size(); i += 7) s[i] = i % 2 == 0 ? nan : -nan;
  call_all();
  s = reals(s.size(), nan);
  call_all();
  s = clean;
  for (std::size_t i = 0; i < y.size(); i += 5) y[i] = i % 2 == 0 ? nan : 1e30 * infinity;
  call_all();
  y = reals(y.size(), nan);
  call_all();
  y = reals(y.size(), -1e30);
  for (std::size_t i = 0; i < w.size(); i += 3) w[i] = i % 2 == 0 ? nan : -1.0;
  list_weights = {nan, -1, infinity, 1, -infinity, 0, 1};
  call_all();

  // The context is as good as before.
  std::vector<double> expected(6), again(6);
  const list_batch<double> batch{.scores = six, .relevance = grades};
  const double value = evaluate(sndcg{}, batch, {.gradient = expected});
  CHECK(evaluate(sndcg{}, batch, {.gradient = again}, unchecked) == value);
  CHECK(again == expected);
}

}  // namespace

TEST_CASE("evaluate: the rows or columns of matrices as lists") {
  const std::vector<double> s{9, 1, 2, 9, 9, 3, 4, 9, 9, 5, 6, 9};  // 3 lists of 2, 4 apart
  const std::vector<int> y{0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 1, 0};
  const matrix_view s_rows(s.data() + 1, 3, 2, 4, 1), s_columns(s.data() + 1, 2, 3, 1, 4);
  const matrix_view y_rows(y.data() + 1, 3, 2, 4, 1), y_columns(y.data() + 1, 2, 3, 1, 4);
  const auto rows = row_lists(s_rows, y_rows);
  const auto columns = column_lists(s_columns, y_columns);
  CHECK(std::is_same_v<decltype(rows), const list_batch<double, int>>);
  CHECK(rows.length == 2);
  CHECK(rows.stride == 4);
  CHECK(rows.scores.data() == s.data() + 1);
  CHECK(rows.scores.size() == 10);
  CHECK(columns.length == 2);
  CHECK(columns.relevance.size() == 10);
  const std::vector<double> packed_s{1, 2, 3, 4, 5, 6};
  const std::vector<int> packed_y{1, 0, 2, 1, 0, 1};
  std::vector<double> expected(6), g(12, 7.0);
  const double value =
      evaluate(sndcg{}, list_batch<double, int>{.scores = packed_s, .relevance = packed_y, .length = 2},
               {.gradient = expected});
  const matrix_view g_rows(g.data() + 1, 3, 2, 4, 1), g_columns(g.data() + 1, 2, 3, 1, 4);
  const auto written = [&](const auto& batch, const outputs& out) {
    std::fill(g.begin(), g.end(), 7.0);
    CHECK(evaluate(sndcg{}, batch, out) == value);
    for (std::size_t i = 0; i < 12; ++i)
      CHECK(g[i] == (i % 4 == 0 || i % 4 == 3 ? 7.0 : expected[i / 4 * 2 + i % 4 - 1]));
  };
  written(rows, {.gradient = rows_of(g_rows)});
  written(rows, {.gradient = g_rows});
  written(columns, {.gradient = columns_of(g_columns)});
  CHECK_THROWS_WITH(evaluate(sndcg{}, columns, {.gradient = g_columns}),
                    Catch::Contains("gradient: a matrix with strides 1 and 4, expected 4 and 1"));
  CHECK_THROWS_WITH(evaluate(sndcg{}, rows, {.gradient = matrix_view(g.data(), 3, 2, 3, 1)}),
                    Catch::Contains("gradient: a matrix with strides 3"));
  CHECK(
      evaluate(sndcg{}, row_lists(matrix_view(s.data() + 1, 1, 2), matrix_view(y.data() + 1, 1, 2, 9, 1))) ==
      evaluate(sndcg{},
               list_batch<double, int>{.scores = {s.data() + 1, 2}, .relevance = {y.data() + 1, 2}}));
  CHECK(evaluate(sndcg{}, row_lists(matrix_view(s.data(), 3, 0), matrix_view(y.data(), 3, 0))) == 0.0);
  CHECK_THROWS_WITH(row_lists(s_rows, matrix_view(y.data(), 3, 2)),
                    "rankloss: relevance: lists 2 items apart, expected 4, as those of the scores are");
  CHECK_THROWS_WITH(row_lists(s_rows, matrix_view(y.data(), 2, 2, 4, 1)),
                    "rankloss: relevance: 2 lists of 2 items, expected 3 of 2, as the scores have");
}

}  // namespace evaluate_test
