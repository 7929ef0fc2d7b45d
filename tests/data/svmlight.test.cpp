// SPDX-License-Identifier: BSL-1.0
#include <rankloss/data/svmlight.hpp>

#include <rankloss/metrics/ndcg.hpp>

#include "support/allocations.hpp"
#include "support/text_file.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace data_svmlight_test {

namespace {

using namespace std::string_view_literals;
using rankloss::parse_svmlight;
using rankloss::read_svmlight;
using rankloss::svmlight_data;
using rankloss::svmlight_form;
using rankloss::svmlight_options;
using rankloss::svmlight_overflow;

constexpr std::string_view letor =
    "2 qid:10 1:0.5 2:1.25 3:-3 # docid = a\n"
    "0 qid:10 1:0.125 3:1e2 #b\n"
    "\n"
    "# a line of its own\n"
    "1 qid:-7 2:+4\n"
    "0 qid:12 #\n"
    "3 qid:12 1:.5 2:5. 3:0.000000 # c # d \n";

TEST_CASE("svmlight: a LETOR file as a matrix") {
  const svmlight_data data = parse_svmlight(letor);
  CHECK(data.feature_count == 3);
  CHECK(data.features == std::vector<float>{0.5f, 1.25f, -3.0f,    //
                                            0.125f, 0.0f, 100.0f,  //
                                            0.0f, 4.0f, 0.0f,      //
                                            0.0f, 0.0f, 0.0f,      //
                                            0.5f, 5.0f, 0.0f});
  CHECK(data.relevance == std::vector<float>{2, 0, 1, 0, 3});
  CHECK(data.queries == std::vector<std::int64_t>{10, -7, 12});
  CHECK(data.offsets == std::vector<std::size_t>{0, 2, 3, 5});
  CHECK(data.columns.empty());
  CHECK(data.rows.empty());
  CHECK(data.comments.empty());
}

TEST_CASE("svmlight: the same file, sparse") {
  const svmlight_data data = parse_svmlight(letor, {.form = svmlight_form::sparse});
  CHECK(data.feature_count == 3);
  CHECK(data.features == std::vector<float>{0.5f, 1.25f, -3.0f, 0.125f, 100.0f, 4.0f, 0.5f, 5.0f, 0.0f});
  CHECK(data.columns == std::vector<std::uint32_t>{0, 1, 2, 0, 2, 1, 0, 1, 2});
  CHECK(data.rows == std::vector<std::size_t>{0, 3, 5, 6, 6, 9});
  CHECK(data.relevance == std::vector<float>{2, 0, 1, 0, 3});
  CHECK(data.offsets == std::vector<std::size_t>{0, 2, 3, 5});
}

TEST_CASE("svmlight: comments on request, one an item") {
  const svmlight_data data = parse_svmlight(letor, {.comments = true});
  CHECK(data.comments == std::vector<std::string>{"docid = a", "b", "", "", "c # d"});
  CHECK(parse_svmlight("1 1:1#x\r\n", {.comments = true}).comments == std::vector<std::string>{"x"});
}

TEST_CASE("svmlight: ends of lines, tabs, blanks, byte order mark") {
  const std::vector<float> features{1, 2, 3, 4};
  const std::string_view lines = "1 qid:1 1:1 2:2\n0 qid:1 1:3 2:4";
  const std::string marked = "\xEF\xBB\xBF" + std::string(lines);
  for (const std::string_view text :
       {lines, "1 qid:1 1:1 2:2\n0 qid:1 1:3 2:4\n"sv, "1 qid:1 1:1 2:2\r\n0 qid:1 1:3 2:4\r\n"sv,
        "1 qid:1 1:1 2:2\r0 qid:1 1:3 2:4\r"sv, "1 qid:1 1:1 2:2 # a\r0 qid:1 1:3 2:4 # b"sv,
        "\r1 qid:1 1:1 2:2\n\r0 qid:1 1:3 2:4\r\n"sv, "\r\n \t\n1 qid:1 1:1 2:2\r\n\r\n0 qid:1 1:3 2:4\r"sv,
        "  1\tqid:1\t\t1:1   2:2  \n0 qid:1 1:3 2:4#\n\n"sv, std::string_view(marked)}) {
    const svmlight_data data = parse_svmlight(text);
    CHECK(data.features == features);
    CHECK(data.relevance == std::vector<float>{1, 0});
    CHECK(data.queries == std::vector<std::int64_t>{1});
    CHECK(data.offsets == std::vector<std::size_t>{0, 2});
  }
}

TEST_CASE("svmlight: lines that end in CR alone, with comments") {
  const svmlight_data data =
      parse_svmlight("2 qid:1 1:0.5 # a\r1 qid:1 1:0.25 # b\r0 qid:1 1:0 # c\r", {.comments = true});
  CHECK(data.relevance == std::vector<float>{2, 1, 0});
  CHECK(data.features == std::vector<float>{0.5f, 0.25f, 0.0f});
  CHECK(data.comments == std::vector<std::string>{"a", "b", "c"});
  CHECK_THROWS_WITH(parse_svmlight("1 1:1\r1 1:2\r1 1:x\r"),
                    "text:3: feature 1: 'x', expected a finite number");
}

TEST_CASE("svmlight: without qid all items are one list") {
  const svmlight_data data = parse_svmlight("+1 1:2\n-1 2:3\n0.5\n");
  CHECK(data.relevance == std::vector<float>{1, -1, 0.5f});
  CHECK(data.queries.empty());
  CHECK(data.offsets == std::vector<std::size_t>{0, 3});
  CHECK(data.features == std::vector<float>{2, 0, 0, 3, 0, 0});
}

TEST_CASE("svmlight: items without judgement are masked") {
  const svmlight_data data = parse_svmlight(
      "1 qid:1 1:0.9\n0 qid:1 1:0.5\n-1 qid:1 1:1\n-1 qid:2 1:1\n-0.5 qid:3 1:0.1\n-0 qid:3\n2 qid:3 1:0.4\n");
  const std::vector<std::uint8_t> judged = data.judged();
  CHECK(judged == std::vector<std::uint8_t>{1, 1, 0, 0, 0, 1, 1});
  CHECK(parse_svmlight("").judged().empty());

  std::vector<double> values(3);
  const rankloss::list_batch<float> batch{
      .scores = data.features, .relevance = data.relevance, .offsets = data.offsets, .mask = judged};
  rankloss::evaluate(rankloss::metrics::ndcg{}, batch, {.per_list = values});
  CHECK(values == std::vector<double>{1.0, 0.0, 1.0});
}

TEST_CASE("svmlight: texts without items or features") {
  for (const std::string_view text : {"", "\n", "# nothing\n\r\n"}) {
    const svmlight_data data = parse_svmlight(text);
    CHECK(data.relevance.empty());
    CHECK(data.features.empty());
    CHECK(data.feature_count == 0);
    CHECK(data.offsets == std::vector<std::size_t>{0});
    const std::vector<float> scores;
    CHECK(rankloss::evaluate(rankloss::metrics::ndcg{},
                             rankloss::list_batch<float>{
                                 .scores = scores, .relevance = data.relevance, .offsets = data.offsets}) ==
          0.0);
    CHECK(parse_svmlight(text, {.form = svmlight_form::sparse}).rows == std::vector<std::size_t>{0});
    CHECK(parse_svmlight(text, {.feature_count = 5}).feature_count == 5);
  }
  const svmlight_data bare = parse_svmlight("1\n2\n");
  CHECK(bare.relevance == std::vector<float>{1, 2});
  CHECK(bare.features.empty());
  CHECK(bare.feature_count == 0);
}

TEST_CASE("svmlight: where the indices begin, and how many features there are") {
  CHECK(parse_svmlight("1 0:5 1:6\n", {.first_feature = 0}).features == std::vector<float>{5, 6});
  CHECK(parse_svmlight("1 1:6\n", {.first_feature = 0}).features == std::vector<float>{0, 6});
  const svmlight_data data = parse_svmlight("1 1:6\n1 2:7\n", {.feature_count = 3});
  CHECK(data.feature_count == 3);
  CHECK(data.features == std::vector<float>{6, 0, 0, 0, 7, 0});
  const svmlight_data sparse =
      parse_svmlight("1 1:6\n1 2:7\n", {.form = svmlight_form::sparse, .feature_count = 3});
  CHECK(sparse.feature_count == 3);
  CHECK(sparse.columns == std::vector<std::uint32_t>{0, 1});
  CHECK(parse_svmlight("1 4294967295:6\n", {.form = svmlight_form::sparse}).feature_count == 4294967295u);
  CHECK(parse_svmlight("1 4294967294:6\n", {.form = svmlight_form::sparse, .first_feature = 0}).columns ==
        std::vector<std::uint32_t>{4294967294u});
}

TEST_CASE("svmlight: rows that become wider") {
  // Row r names the feature 1 + r * step, in any order of rows.
  for (const std::size_t step : {1u, 3u, 100u})
    for (const bool rising : {true, false}) {
      constexpr std::size_t n = 40;
      std::string text;
      for (std::size_t r = 0; r < n; ++r)
        text +=
            "0 " + std::to_string(1 + (rising ? r : n - 1 - r) * step) + ":" + std::to_string(r + 1) + "\n";
      const svmlight_data data = parse_svmlight(text);
      const std::size_t width = (n - 1) * step + 1;
      REQUIRE(data.feature_count == width);
      std::vector<float> expected(n * width, 0.0f);
      for (std::size_t r = 0; r < n; ++r)
        expected[r * width + (rising ? r : n - 1 - r) * step] = static_cast<float>(r + 1);
      CHECK(data.features == expected);
      CHECK(parse_svmlight(text, {.dense_limit = n * width}).features == expected);
      CHECK_THROWS_AS(parse_svmlight(text, {.dense_limit = n * width - 1}), std::runtime_error);
    }
}

TEST_CASE("svmlight: numbers are the nearest double, then the nearest float") {
  const svmlight_data data = parse_svmlight(
      "16777217 1:0.1 2:3.40282347e38 3:1e-50 4:-1.401298464324817e-45 5:0.30000001192092896\n");
  CHECK(data.relevance == std::vector<float>{16777216.0f});
  CHECK(data.features[0] == 0.1f);
  CHECK(data.features[1] == std::numeric_limits<float>::max());
  CHECK(data.features[2] == 0.0f);
  CHECK(data.features[3] == -std::numeric_limits<float>::denorm_min());
  CHECK(data.features[4] == 0.3f);
}

TEST_CASE("svmlight: what is read goes into a batch") {
  const svmlight_data data = parse_svmlight("0 qid:1 1:3\n1 qid:1 1:2\n2 qid:2 1:1\n0 qid:2 1:0.5\n");
  const rankloss::list_batch<float> batch{
      .scores = data.features, .relevance = data.relevance, .offsets = data.offsets};
  CHECK(rankloss::evaluate(rankloss::metrics::ndcg{}, batch) ==
        Approx((1.0 / std::log2(3.0) + 1.0) / 2.0).epsilon(1e-14));
}

TEST_CASE("svmlight: errors name the line, the field, what came and what was expected") {
  const auto check = [](std::string_view text, const char* message, const svmlight_options& options = {}) {
    CHECK_THROWS_WITH(parse_svmlight(text, options), message);
    CHECK_THROWS_AS(parse_svmlight(text, options), std::runtime_error);
    auto sparse = options;
    sparse.form = svmlight_form::sparse;
    CHECK_THROWS_WITH(parse_svmlight(text, sparse), message);
  };
  check("1 1:1\nabc 1:1\n", "text:2: relevance: 'abc', expected a finite number");
  check("qid:1 1:1\n", "text:1: relevance: 'qid:1', expected a finite number");
  check("nan 1:1\n", "text:1: relevance: 'nan', expected a finite number");
  check("-inf 1:1\n", "text:1: relevance: '-inf', expected a finite number");
  check("1e39 1:1\n",
        "text:1: relevance: '1e39' is beyond the range of float, expected at most 3.40282347e+38 in size");
  check("1x 1:1\n", "text:1: relevance: '1x', expected a finite number");
  check("1 qid: 1:1\n", "text:1: qid: '', expected a whole number of 64 bits");
  check("1 qid:1.5 1:1\n", "text:1: qid: '1.5', expected a whole number of 64 bits");
  check("1 qid:9223372036854775808\n",
        "text:1: qid: '9223372036854775808', expected a whole number of 64 bits");
  check("# top\n1 qid:1 1:1\n\n1 1:1\n", "text:4: qid: none, expected one, as at line 2");
  check("1 1:1\n1 qid:3 1:1\n", "text:2: qid: 'qid:3', expected none, as at line 1");
  check("1 qid:1\n1 qid:1\n\n1 qid:2\n\n1 qid:1\n",
        "text:6: qid: 1 again, expected all lines of a query together; its list ended at line 2");
  check("1 qid:1 1:1 qid:2\n", "text:1: feature: 'qid:2', expected INDEX:VALUE");
  check("1 5\n", "text:1: feature: '5', expected INDEX:VALUE");
  check("1 :5\n", "text:1: feature: ':5', expected INDEX:VALUE");
  check("1 -1:5\n", "text:1: feature: '-1:5', expected INDEX:VALUE");
  check("1 1.5:5\n", "text:1: feature: '1.5:5', expected INDEX:VALUE");
  check("1 00000000000000000001:5\n", "text:1: feature: '00000000000000000001:5', expected INDEX:VALUE");
  check("1 1:2 price:5\n", "text:1: feature: 'price:5', expected INDEX:VALUE");
  check("1 1:1 3:1 2:1\n", "text:1: feature: index 2 after 3, expected them to rise");
  check("1 1:1 3:1 3:1\n", "text:1: feature: index 3 after 3, expected them to rise");
  check("1 0:1\n", "text:1: feature: index 0, expected at least 1 (first_feature)");
  check("1 1:1\r\n1 3:1 4:2\r\n", "text:2: feature: index 4, expected at most 3 (feature_count)",
        {.feature_count = 3});
  check("1 3:1\n", "text:1: feature: index 3, expected at most 2 (feature_count)",
        {.first_feature = 0, .feature_count = 3});
  check("1 4294967296:1\n", "text:1: feature: index 4294967296, expected at most 4294967295");
  check("1 9999999999999999999:1\n",
        "text:1: feature: index 9999999999999999999, expected at most 4294967295");
  check(
      "1 1:1 12:nan\n",
      "text:1: feature 12: 'nan', expected a finite number, or the option `missing` to say what it becomes");
  check("1 1:inf\n", "text:1: feature 1: 'inf', expected a finite number");
  check(
      "1 1:-NaN\n",
      "text:1: feature 1: '-NaN', expected a finite number, or the option `missing` to say what it becomes");
  check(
      "1 120:1e137\n",
      "text:1: feature 120: '1e137' is beyond the range of float, expected at most 3.40282347e+38 in size, or the option `overflow` to clip it, or "
      "features read as double");
  check(
      "1 1:-1e400\n",
      "text:1: feature 1: '-1e400' is beyond the range of float, expected at most 3.40282347e+38 in size, or the option `overflow` to clip it");
  check("1 1:nan4\n", "text:1: feature 1: 'nan4', expected a finite number");
  check("1 1:\n",
        "text:1: feature 1: '', expected a finite number, or the option `missing` to say what it becomes");
  check("1 1: 5\n",
        "text:1: feature 1: '', expected a finite number, or the option `missing` to say what it becomes");
  check("1 1:5,5\r\n", "text:1: feature 1: '5,5', expected a finite number");
  check("1 1:1:1\n", "text:1: feature 1: '1:1', expected a finite number");
  check("1 1:0x1p3\n", "text:1: feature 1: '0x1p3', expected a finite number");
  check("1 1:\0\x80z\n"sv, "text:1: feature 1: '??z', expected a finite number");
  check("1 1:" + std::string(40, 'z') + "\n",
        "text:1: feature 1: 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz...', expected a finite number");
}

TEST_CASE("svmlight: missing values become what the option says") {
  const std::string_view text =
      "1 1: 2:nan 3:5\n"
      "0 1:NA 2:-nan(ind) 3:+NaN # n\n"
      "2 1:? 2:NULL 3:None\r"
      "1 2:n/a 3:\n";
  for (const auto form : {svmlight_form::dense, svmlight_form::sparse}) {
    const svmlight_data data = parse_svmlight(text, {.form = form, .missing = -7.5});
    CHECK(data.relevance == std::vector<float>{1, 0, 2, 1});
    if (form == svmlight_form::dense)
      CHECK(data.features ==
            std::vector<float>{-7.5f, -7.5f, 5, -7.5f, -7.5f, -7.5f, -7.5f, -7.5f, -7.5f, 0, -7.5f, -7.5f});
    if (form == svmlight_form::sparse) {
      CHECK(data.features ==
            std::vector<float>{-7.5f, -7.5f, 5, -7.5f, -7.5f, -7.5f, -7.5f, -7.5f, -7.5f, -7.5f, -7.5f});
      CHECK(data.rows == std::vector<std::size_t>{0, 3, 6, 9, 11});
    }
    const auto kept =
        parse_svmlight<double>(text, {.form = form, .missing = std::numeric_limits<double>::quiet_NaN()});
    for (std::size_t i = 0; i < data.features.size(); ++i)
      CHECK(std::isnan(kept.features[i]) == (data.features[i] == -7.5f));
  }
  CHECK(parse_svmlight("1 1:nan 2:3\n", {.missing = 0.0}).features == std::vector<float>{0, 3});
  for (const char* const none : {"1 1:nana\n", "1 1:nan(\n", "1 1:--nan\n", "1 1:+NA\n", "1 1:inf\n",
                                 "1 1:-\n", "1 1:n\n", "1 1:nulls\n", "1 1:??\n"}) {
    INFO(none);
    CHECK_THROWS_WITH(parse_svmlight(none, {.missing = 0.0}), Catch::EndsWith("', expected a finite number"));
  }
  CHECK_THROWS_WITH(parse_svmlight("nan 1:1\n", {.missing = 0.0}),
                    "text:1: relevance: 'nan', expected a finite number");
  CHECK_THROWS_WITH(parse_svmlight("", {.missing = 1e39}),
                    "rankloss: missing: 1e+39, expected NaN or a number that a feature can be");
  CHECK_NOTHROW(parse_svmlight<double>("", {.missing = 1e39}));
  CHECK_THROWS_AS(parse_svmlight<double>("", {.missing = std::numeric_limits<double>::infinity()}),
                  std::invalid_argument);
}

TEST_CASE("svmlight: features beyond float, as double or clipped") {
  const std::string_view text = "1 1:1e137 2:-1e39 3:3.40282347e38 4:1e-300 5:0.1\n";
  for (const auto form : {svmlight_form::dense, svmlight_form::sparse}) {
    CHECK(parse_svmlight<double>(text, {.form = form}).features ==
          std::vector<double>{1e137, -1e39, 3.40282347e38, 1e-300, 0.1});
    constexpr float most = std::numeric_limits<float>::max();
    CHECK(parse_svmlight(text, {.form = form, .overflow = svmlight_overflow::clipped}).features ==
          std::vector<float>{most, -most, most, 0.0f, 0.1f});
    CHECK_THROWS_WITH(
        parse_svmlight<double>("1 1:1e400\n", {.form = form}),
        "text:1: feature 1: '1e400' is beyond the range of double, expected at most 1.79769313e+308 in size, or the option `overflow` to "
        "clip it");
    constexpr double widest = std::numeric_limits<double>::max();
    CHECK(
        parse_svmlight<double>("1 1:1e400 2:-1e999\n", {.form = form, .overflow = svmlight_overflow::clipped})
            .features == std::vector<double>{widest, -widest});
  }
  CHECK_THROWS_WITH(parse_svmlight("1 1:inf\n", {.overflow = svmlight_overflow::clipped}),
                    "text:1: feature 1: 'inf', expected a finite number");
  CHECK_THROWS_AS(parse_svmlight("1e39 1:1\n", {.overflow = svmlight_overflow::clipped}), std::runtime_error);
}

TEST_CASE("svmlight: a compressed or wide text ends in one line that says so") {
  CHECK_THROWS_WITH(parse_svmlight("\x1F\x8B\x08\0\n"sv, {}, "train.txt.gz"),
                    "train.txt.gz: compressed by gzip, expected plain text in ASCII or UTF-8");
  CHECK_THROWS_WITH(parse_svmlight("\xFF\xFE\x31\0\n\0"sv),
                    "text: UTF-16, expected plain text in ASCII or UTF-8");
  const support::text_file file("svmlight", "1\0\0\0 \0\0\0"sv);
  CHECK_THROWS_WITH(read_svmlight<double>(file.path()),
                    file.path().string() + ": UTF-32, expected plain text in ASCII or UTF-8");
}

TEST_CASE("svmlight: errors of the dense form and of options") {
  CHECK_THROWS_WITH(
      parse_svmlight("1 1:1 2:1\n1 1000000000:1\n"),
      "text:2: features: 2 items of 1000000000, expected at most 1073741824 values in the dense form (dense_limit)");
  CHECK_THROWS_WITH(
      parse_svmlight("1\n1\n1\n", {.feature_count = 2, .dense_limit = 5}),
      "text:3: features: 3 items of 2, expected at most 5 values in the dense form (dense_limit)");
  CHECK_NOTHROW(parse_svmlight("1\n1\n1\n", {.feature_count = 2, .dense_limit = 6}));
  CHECK_THROWS_WITH(parse_svmlight("", {.first_feature = 2}), "rankloss: first_feature: 2, expected 0 or 1");
  CHECK_THROWS_WITH(parse_svmlight("", {.feature_count = std::size_t{1} << 32}),
                    "rankloss: feature_count: 4294967296, expected less than 2^32");
  CHECK_THROWS_AS(parse_svmlight("", {.first_feature = 2}), std::invalid_argument);
  CHECK_THROWS_WITH(parse_svmlight("x", {}, "a name"), "a name:1: relevance: 'x', expected a finite number");
}

TEST_CASE("svmlight: files") {
  const support::text_file file("svmlight", letor);
  CHECK(read_svmlight(file.path()).features == parse_svmlight(letor).features);
  CHECK(read_svmlight(file.path(), {.comments = true}).comments[0] == "docid = a");
  const support::text_file bad("svmlight", "1 1:x\n");
  CHECK_THROWS_WITH(read_svmlight(bad.path()),
                    bad.path().string() + ":1: feature 1: 'x', expected a finite number");
  CHECK(read_svmlight(support::text_file("svmlight", "").path()).relevance.empty());
  const auto missing = file.path().string() + ".missing";
  CHECK_THROWS_WITH(read_svmlight(missing), missing + ": cannot be read, expected a text file");
  const auto folder = file.path().parent_path();
  CHECK_THROWS_WITH(read_svmlight(folder), folder.string() + ": cannot be read, expected a text file");
}

struct made {
  std::string text;
  svmlight_data data;
};

/// Random lists of random items, as text and as what it must be read as. Nine digits are enough for any
/// float.
made random_text(std::mt19937_64& random, std::size_t lists, std::size_t width, bool crlf) {
  made out;
  std::vector<std::vector<float>> dense;
  const auto number = [&] {
    const auto size = static_cast<float>(std::ldexp(1.0, static_cast<int>(random() % 40) - 20));
    return size * (static_cast<float>(random() % 2001) - 1000.0f) / 1000.0f;
  };
  const auto print = [&](const char* format, auto value) {
    char digits[64];
    std::snprintf(digits, sizeof digits, format, value);
    out.text += digits;
  };
  const char* const formats[] = {"%.9g", "%.9e", "%+.9g", "%.40f"};
  out.data.rows.push_back(0);
  for (std::size_t q = 0; q < lists; ++q) {
    out.data.queries.push_back(static_cast<std::int64_t>(q * 7919 % 1000003) - 500);
    out.data.offsets.push_back(out.data.relevance.size());
    for (std::size_t i = 0, n = 1 + random() % 6; i < n; ++i) {
      if (random() % 9 == 0) out.text += random() % 2 == 0 ? "\n" : "# between 1:2\n";
      out.data.relevance.push_back(static_cast<float>(random() % 5));
      print("%g", static_cast<double>(out.data.relevance.back()));
      print(" qid:%lld", static_cast<long long>(out.data.queries.back()));
      auto& row = dense.emplace_back(width, 0.0f);
      for (std::size_t f = 0; f < width; ++f) {
        if (random() % 3 == 0) continue;
        row[f] = number();
        out.data.features.push_back(row[f]);
        out.data.columns.push_back(static_cast<std::uint32_t>(f));
        out.data.feature_count = std::max(out.data.feature_count, f + 1);
        print(" %zu:", f + 1);
        print(formats[random() % 4], static_cast<double>(row[f]));
      }
      out.data.rows.push_back(out.data.features.size());
      out.data.comments.push_back(random() % 2 == 0 ? "" : "item " + std::to_string(i));
      if (!out.data.comments.back().empty()) out.text += " # " + out.data.comments.back();
      out.text += crlf ? "\r\n" : "\n";
    }
  }
  out.data.offsets.push_back(out.data.relevance.size());
  return out;
}

TEST_CASE("svmlight: what is written is read, to the bit") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 60; ++round) {
    const made written = random_text(random, 1 + random() % 20, random() % 30, round % 2 == 0);
    const svmlight_data sparse =
        parse_svmlight(written.text, {.form = svmlight_form::sparse, .comments = true});
    CHECK(sparse.features == written.data.features);
    CHECK(sparse.columns == written.data.columns);
    CHECK(sparse.rows == written.data.rows);
    CHECK(sparse.feature_count == written.data.feature_count);
    CHECK(sparse.relevance == written.data.relevance);
    CHECK(sparse.queries == written.data.queries);
    CHECK(sparse.offsets == written.data.offsets);
    CHECK(sparse.comments == written.data.comments);

    const svmlight_data dense = parse_svmlight(written.text);
    const std::size_t width = written.data.feature_count;
    std::vector<float> expected(written.data.relevance.size() * width, 0.0f);
    for (std::size_t i = 0; i + 1 < written.data.rows.size(); ++i)
      for (std::size_t v = written.data.rows[i]; v < written.data.rows[i + 1]; ++v)
        expected[i * width + written.data.columns[v]] = written.data.features[v];
    CHECK(dense.feature_count == width);
    CHECK(dense.features == expected);
    CHECK(dense.offsets == written.data.offsets);
  }
}

/// What holds of anything that is read; of a text that is refused: the message names the text. Returns
/// whether it was read.
template <class Feature>
bool sound_or_refused(std::string_view view, const svmlight_options& options) {
  try {
    const auto data = rankloss::parse_svmlight<Feature>(view, options);
    const std::size_t items = data.relevance.size();
    bool sound = data.offsets.front() == 0 && data.offsets.back() == items && data.comments.size() == items &&
                 std::is_sorted(data.offsets.begin(), data.offsets.end()) &&
                 (data.queries.empty() || data.offsets.size() == data.queries.size() + 1);
    if (options.form == svmlight_form::dense)
      sound = sound && data.features.size() == items * data.feature_count;
    if (options.form == svmlight_form::sparse) {
      sound = sound && data.rows.size() == items + 1 && data.rows.back() == data.features.size() &&
              data.columns.size() == data.features.size();
      for (const std::uint32_t column : data.columns) sound = sound && column < data.feature_count;
    }
    for (const Feature value : data.features) sound = sound && std::isfinite(value);
    CHECK(sound);
    return true;
  } catch (const std::runtime_error& error) {
    CHECK(std::strncmp(error.what(), "text:", 5) == 0);
    CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
    return false;
  }
}

TEST_CASE("svmlight: a spoilt text is read or refused, whole") {
  std::mt19937_64 random(4);
  const std::string_view characters = "0123456789.:+-eE# \t\r\nqid\0\xffna/?"sv;
  std::size_t read = 0;
  std::size_t refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text;
    if (round % 4 ==
        0) {  // of bytes by chance: any, those of numbers and lines, or these behind the first bytes of other files
      const std::string_view begins[] = {"",         "",     "1 qid:1 1:", "\xEF\xBB\xBF", "\x1F\x8B",
                                         "\xFF\xFE", "BZh9", "1\0"sv,      "\0\0"sv,       "\x50*M"};
      text = begins[random() % std::size(begins)];
      const bool any = random() % 2 == 0;
      for (std::size_t i = 0, n = random() % 40; i < n; ++i)
        text += any ? static_cast<char>(random() % 256) : characters[random() % characters.size()];
    } else {
      text = random_text(random, 1 + random() % 4, 1 + random() % 6, random() % 2 == 0).text;
      if (round % 8 == 1) std::replace(text.begin(), text.end(), '\n', '\r');
      for (std::size_t change = 0, n = 1 + random() % 3; change < n && !text.empty(); ++change) {
        const std::size_t at = random() % text.size();
        switch (random() % 5) {
          case 0: text[at] = characters[random() % characters.size()]; break;
          case 1: text.insert(at, 1, characters[random() % characters.size()]); break;
          case 2: text.erase(at, 1 + random() % 5); break;
          case 3: text.insert(at, random() % 2 == 0 ? "e999" : "99999999999999999999"); break;
          default: text.resize(at); break;
        }
      }
    }
    // To the byte, so that a sanitizer sees a read behind the end.
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view view(exact.data(), exact.size());
    svmlight_options options{.first_feature = random() % 2, .dense_limit = 1 << 16, .comments = true};
    if (random() % 2 == 0) options.missing = -1.0;
    if (random() % 2 == 0) options.overflow = svmlight_overflow::clipped;
    for (const svmlight_form form : {svmlight_form::dense, svmlight_form::sparse}) {
      options.form = form;
      const bool is_read = random() % 2 == 0 ? sound_or_refused<float>(view, options)
                                             : sound_or_refused<double>(view, options);
      ++(is_read ? read : refused);
    }
  }
  CHECK(read > 1000);
  CHECK(refused > 1000);
}

TEST_CASE("svmlight: lines cost no allocation") {
  std::string text;
  const auto allocations_of = [&](const svmlight_options& options) {
    const std::size_t before = support::allocations();
    const svmlight_data data = parse_svmlight(text, options);
    CHECK(data.relevance.size() >= 10);
    return support::allocations() - before;
  };
  const auto add = [&](int lines) {
    for (int i = 0; i < lines; ++i)
      text += "1 qid:1 1:0.250000 2:0.500000 3:0.750000 4:0.123456 # document\n";
  };
  add(10);
  const std::size_t few = allocations_of({});
  const std::size_t few_sparse = allocations_of({.form = svmlight_form::sparse});
  add(1000);
  CHECK(allocations_of({}) == few);
  CHECK(allocations_of({.form = svmlight_form::sparse}) == few_sparse);
  CHECK(few < 20);
}

}  // namespace

}  // namespace data_svmlight_test
