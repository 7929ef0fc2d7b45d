// SPDX-License-Identifier: BSL-1.0
#include <rankloss/data/trec.hpp>

#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/bpref.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/r_precision.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>

#include "support/text_file.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace data_trec_test {

namespace {

using namespace std::string_view_literals;
using rankloss::basic_trec_lists;
using rankloss::evaluate;
using rankloss::gain;
using rankloss::join;
using rankloss::parse_trec_qrels;
using rankloss::parse_trec_run;
using rankloss::read_trec_qrels;
using rankloss::read_trec_run;
using rankloss::trec_join_options;
using rankloss::trec_lists;
using rankloss::trec_missing;
using rankloss::trec_names;
using rankloss::trec_qrels;
using rankloss::trec_read_options;
using rankloss::trec_repeats;
using rankloss::trec_run;
using rankloss::trec_ties;
using rankloss::trec_topics;
using rankloss::metrics::average_precision;
using rankloss::metrics::bpref;
using rankloss::metrics::dcg;
using rankloss::metrics::expected_reciprocal_rank;
using rankloss::metrics::first_rank;
using rankloss::metrics::hit;
using rankloss::metrics::ndcg;
using rankloss::metrics::precision;
using rankloss::metrics::r_precision;
using rankloss::metrics::rank_biased_precision;
using rankloss::metrics::recall;
using rankloss::metrics::reciprocal_rank;

constexpr double lowest = std::numeric_limits<double>::lowest();

double discount(double rank) { return 1.0 / std::log2(1.0 + rank); }

std::vector<std::string> strings(const trec_names& names) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < names.size(); ++i) all.emplace_back(names[i]);
  return all;
}

using words = std::vector<std::string>;
using sizes = std::vector<std::size_t>;
using bytes = std::vector<unsigned char>;

TEST_CASE("trec: qrels") {
  const trec_qrels qrels = parse_trec_qrels(
      "301 0 FR940202-2-00150 1\r\n"
      "301\t0\tCR93E-10505 \t -2\n"
      "\n"
      "b 0 x 0\n"
      "301 7 FBIS4-50478 +3\n"
      "   b Q0 FBIS4-50478 2147483647");
  CHECK(strings(qrels.topics) == words{"301", "b"});
  CHECK(qrels.offsets == sizes{0, 3, 5});
  CHECK(strings(qrels.documents) ==
        words{"FR940202-2-00150", "CR93E-10505", "FBIS4-50478", "x", "FBIS4-50478"});
  CHECK(qrels.relevance == std::vector<std::int32_t>{1, -2, 3, 0, 2147483647});
}

TEST_CASE("trec: runs") {
  const trec_run run = parse_trec_run(
      "2 Q0 a 1 3.5 mine\n"
      "1 Q0 b 1 -1e-3 mine\r\n"
      "2 Q0 c x +.25 other\n"
      "2 Q0 b 1 3.5 mine\n");
  CHECK(strings(run.topics) == words{"2", "1"});
  CHECK(run.offsets == sizes{0, 3, 4});
  CHECK(strings(run.documents) == words{"a", "c", "b", "b"});
  CHECK(run.scores == std::vector<double>{3.5, 0.25, 3.5, -0.001});
  CHECK(run.ranks == std::vector<std::int64_t>{1, -1, 1, 1});
  CHECK(run.tag == "mine");
}

TEST_CASE("trec: lines of topics in turns keep their order") {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text +=
        "t" + std::to_string(i % 3) + " 0 d" + std::to_string(i * 7 % 300) + " " + std::to_string(i) + "\n";
  const trec_qrels qrels = parse_trec_qrels(text);
  CHECK(qrels.offsets == sizes{0, 100, 200, 300});
  for (std::size_t k = 0; k < 300; ++k) {
    const std::size_t i = k % 100 * 3 + k / 100;
    CHECK(qrels.relevance[k] == static_cast<std::int32_t>(i));
    CHECK(qrels.documents[k] == "d" + std::to_string(i * 7 % 300));
  }
}

TEST_CASE("trec: empty texts") {
  for (const char* const text : {"", "\n", " \r\n\t\n"}) {
    const trec_run run = parse_trec_run(text);
    const trec_qrels qrels = parse_trec_qrels(text);
    CHECK(run.topics.empty());
    CHECK(run.offsets == sizes{0});
    CHECK(qrels.offsets == sizes{0});
    const trec_lists lists = join(run, qrels);
    CHECK(lists.offsets == sizes{0});
    CHECK(evaluate(ndcg{}, lists.batch()) == 0.0);
  }
}

TEST_CASE("trec: the rankit fixture, as a run and its judgements") {
  const std::vector<int> graded{3, 0, 2, 0, 0, 1, 0, 0, 2, 0, 1, 0};
  const std::vector<std::size_t> relevant{0, 2, 5, 8};
  std::string run_text;
  std::string graded_text;
  std::string binary_text;
  for (const std::size_t i :
       {7u, 0u, 3u, 11u, 5u, 1u, 10u, 2u, 9u, 4u, 8u, 6u}) {  // the order of lines and the ranks say nothing
    const std::string document = "doc" + std::to_string(i);
    run_text += "q Q0 " + document + " 1 " + std::to_string(12 - i) + ".5 tag\n";
    if (graded[i] > 0) graded_text += "q 0 " + document + " " + std::to_string(graded[i]) + "\n";
    const bool is_relevant = std::find(relevant.begin(), relevant.end(), i) != relevant.end();
    binary_text += "q 0 " + document + (is_relevant ? " 1\n" : " 0\n");
  }
  for (const trec_ties ties : {trec_ties::expected, trec_ties::by_name}) {
    const trec_lists binary = join(parse_trec_run(run_text), parse_trec_qrels(binary_text), {.ties = ties});
    const trec_lists grades = join(parse_trec_run(run_text), parse_trec_qrels(graded_text), {.ties = ties});
    CHECK(binary.offsets == sizes{0, 12});
    CHECK(binary.depth == 12);
    CHECK(binary.retrieved == sizes{12});
    CHECK(binary.relevant == sizes{4});
    CHECK(grades.relevance == std::vector<std::int32_t>(graded.begin(), graded.end()));
    CHECK(evaluate(ndcg{.cutoff = 5}, binary.batch()) == Approx(0.5855700749881525).epsilon(1e-14));
    CHECK(evaluate(ndcg{.cutoff = 10}, binary.batch()) == Approx(0.8421423592553552).epsilon(1e-14));
    CHECK(evaluate(ndcg{.gain = gain::linear, .cutoff = 5}, grades.batch()) ==
          Approx(0.6579608713840076).epsilon(1e-14));
    CHECK(evaluate(ndcg{.gain = gain::linear, .cutoff = 10}, grades.batch()) ==
          Approx(0.8155864483196162).epsilon(1e-14));
    CHECK(evaluate(average_precision{}, binary.batch()) == Approx(0.6527777777777777).epsilon(1e-14));
    CHECK(evaluate(reciprocal_rank{}, binary.batch()) == 1.0);
    CHECK(evaluate(precision{.cutoff = 5}, binary.batch()) == Approx(0.4).epsilon(1e-14));
  }
}

/// Two topics of the run are judged, one is not; one that is judged is not answered.
constexpr std::string_view some_run =
    "t2 Q0 a 1 2.0 r\n"
    "t2 Q0 b 2 1.0 r\n"
    "t9 Q0 a 1 1.0 r\n"
    "t1 Q0 c 1 0.5 r\n"
    "t1 Q0 d 2 0.7 r\n"
    "t1 Q0 e 3 0.5 r\n";
constexpr std::string_view some_qrels =
    "t1 0 c 2\n"
    "t1 0 d -1\n"
    "t1 0 z 1\n"
    "t1 0 y 0\n"
    "t3 0 a 1\n"
    "t2 0 b 1\n"
    "t2 0 x 3\n"
    "t2 0 w 1\n";

TEST_CASE("trec: the lists that a join makes") {
  const trec_run run = parse_trec_run(some_run);
  const trec_qrels qrels = parse_trec_qrels(some_qrels);

  const trec_lists lists = join(run, qrels);
  CHECK(strings(lists.topics) == words{"t1", "t2"});
  CHECK(lists.depth == 3);
  CHECK(lists.offsets == sizes{0, 5, 9});
  CHECK(lists.scores == std::vector<double>{0.7, 0.5, 0.5, lowest, lowest, 2.0, 1.0, lowest, lowest});
  CHECK(lists.relevance == std::vector<std::int32_t>{0, 0, 2, 1, 0, 0, 1, 3, 1});
  CHECK(lists.missed == bytes{0, 0, 0, 1, 1, 0, 0, 1, 1});
  CHECK(lists.weights == std::vector<float>{0, 0, 1, 1, 1, 0, 1, 1, 1});
  CHECK(lists.retrieved == sizes{3, 2});
  CHECK(lists.relevant == sizes{2, 3});
  CHECK(lists.unjudged_topics == 1);
  CHECK(lists.unanswered_topics == 1);

  const trec_lists bare = join(run, qrels, {.missing = trec_missing::left_out, .unjudged = 4});
  CHECK(bare.offsets == sizes{0, 3, 5});
  CHECK(bare.scores == std::vector<double>{0.7, 0.5, 0.5, 2.0, 1.0});
  CHECK(bare.relevance == std::vector<std::int32_t>{0, 4, 2, 4, 1});
  CHECK(bare.missed.empty());
  CHECK(bare.weights == std::vector<float>{0, 1, 1, 1, 1});
  CHECK(bare.retrieved == sizes{3, 2});
  CHECK(bare.relevant == sizes{3, 4});

  const trec_lists named = join(run, qrels, {.ties = trec_ties::by_name, .topics = trec_topics::of_qrels});
  CHECK(strings(named.topics) == words{"t1", "t3", "t2"});
  CHECK(named.offsets == sizes{0, 5, 6, 10});
  CHECK(named.scores == std::vector<double>{0, -1, -2, lowest, lowest, lowest, 0, -1, lowest, lowest});
  CHECK(named.relevance == std::vector<std::int32_t>{0, 0, 2, 1, 0, 1, 0, 1, 3, 1});
  CHECK(named.retrieved == sizes{3, 0, 2});
  CHECK(named.relevant == sizes{2, 1, 3});
  CHECK(named.unanswered_topics == 1);

  CHECK_THROWS_WITH(join(run, qrels, {.unjudged = -1}), "rankloss: unjudged: -1, expected at least 0");
  CHECK_THROWS_AS(join(run, qrels, {.unjudged = -1}), std::invalid_argument);
}

TEST_CASE("trec: relevant documents that were not retrieved count") {
  const trec_run run = parse_trec_run(some_run);
  const trec_qrels qrels = parse_trec_qrels(some_qrels);
  const trec_lists lists = join(run, qrels, {.ties = trec_ties::by_name});
  std::vector<double> each(2);
  const auto per_list = [&](const auto& metric) {
    evaluate(metric, lists.batch(), {.per_list = each});
    return each;
  };
  // t1: d e c, of which c at 3 is relevant, and z is missed. t2: a b, of which b at 2 is, and x and w are
  // missed.
  CHECK(per_list(average_precision{}) == std::vector<double>{1.0 / 3 / 2, 1.0 / 2 / 3});
  CHECK(per_list(recall{}) == std::vector<double>{1.0 / 2, 1.0 / 3});
  CHECK(per_list(recall{.cutoff = 2}) == std::vector<double>{0.0, 1.0 / 3});
  CHECK(per_list(reciprocal_rank{}) == std::vector<double>{1.0 / 3, 1.0 / 2});
  CHECK(per_list(precision{.cutoff = 3}) == std::vector<double>{1.0 / 3, 1.0 / 3});
  CHECK(per_list(hit{.cutoff = 2}) == std::vector<double>{0.0, 1.0});
  per_list(ndcg{.gain = gain::linear, .cutoff = 3});
  CHECK(each[0] == Approx(2 * discount(3) / (2 * discount(1) + discount(2))).epsilon(1e-14));
  CHECK(each[1] == Approx(discount(2) / (3 * discount(1) + discount(2) + discount(3))).epsilon(1e-14));
}

TEST_CASE("trec: topics without an answer count as 0, or not") {
  const trec_run run = parse_trec_run(some_run);
  const trec_qrels qrels = parse_trec_qrels(some_qrels);
  for (const trec_missing missing : {trec_missing::appended, trec_missing::left_out}) {
    const trec_lists both = join(run, qrels, {.missing = missing});
    const trec_lists all = join(run, qrels, {.missing = missing, .topics = trec_topics::of_qrels});
    const double of_both = evaluate(ndcg{}, both.batch());
    CHECK(of_both > 0.0);
    CHECK(evaluate(ndcg{}, all.batch()) == Approx(of_both * 2 / 3).epsilon(1e-14));
    CHECK(evaluate(average_precision{}, all.batch()) ==
          Approx(evaluate(average_precision{}, both.batch()) * 2 / 3).epsilon(1e-14));
  }
  // Nothing is answered at all.
  const trec_lists none = join(parse_trec_run(""), qrels, {.topics = trec_topics::of_qrels});
  CHECK(none.depth == 3);
  CHECK(none.topics.size() == 3);
  CHECK(none.unanswered_topics == 3);
  CHECK(evaluate(average_precision{}, none.batch()) == 0.0);
  CHECK(join(run, parse_trec_qrels("")).unjudged_topics == 3);
}

TEST_CASE("trec: equal scores are in random order, or in that of their names") {
  const trec_run run = parse_trec_run("1 Q0 B 1 5 r\n1 Q0 a 2 5 r\n1 Q0 A 3 5 r\n1 Q0 \xC3\xA4 4 5 r\n");
  const trec_qrels qrels = parse_trec_qrels("1 0 a 1\n");
  const trec_lists named = join(run, qrels, {.ties = trec_ties::by_name});
  CHECK(named.relevance == std::vector<std::int32_t>{0, 1, 0, 0});  // bytes from 0x80 on, then a, B, A
  CHECK(evaluate(reciprocal_rank{}, named.batch()) == 0.5);
  const trec_lists expected = join(run, qrels);
  CHECK(evaluate(reciprocal_rank{}, expected.batch()) ==
        Approx((1.0 + 1.0 / 2 + 1.0 / 3 + 1.0 / 4) / 4).epsilon(1e-14));
}

TEST_CASE("trec: errors name the line, the field, what came and what was expected") {
  const auto qrels = [](std::string_view text, const char* message) {
    CHECK_THROWS_WITH(parse_trec_qrels(text), message);
    CHECK_THROWS_AS(parse_trec_qrels(text), std::runtime_error);
  };
  const auto run = [](std::string_view text, const char* message) {
    CHECK_THROWS_WITH(parse_trec_run(text), message);
    CHECK_THROWS_AS(parse_trec_run(text), std::runtime_error);
  };
  qrels("1 0 a 1\n\n1 0 b\n", "text:3: fields: 3, expected 4 (topic iteration document relevance)");
  qrels("1 Q0 a 1 0.5 tag\n", "text:1: fields: 6, expected 4 (topic iteration document relevance)");
  qrels("1 0 a 1.5\n", "text:1: relevance: '1.5', expected a whole number of 32 bits");
  qrels("1 0 a +-1\n", "text:1: relevance: '+-1', expected a whole number of 32 bits");
  qrels("1 0 a +\n", "text:1: relevance: '+', expected a whole number of 32 bits");
  qrels("1 0 a nan\r\n", "text:1: relevance: 'nan', expected a whole number of 32 bits");
  qrels("1 0 a 2147483648\n", "text:1: relevance: '2147483648', expected a whole number of 32 bits");
  qrels("1 0 a -2147483649\n", "text:1: relevance: '-2147483649', expected a whole number of 32 bits");
  qrels("1 0 a 1e999\n", "text:1: relevance: '1e999', expected a whole number of 32 bits");
  qrels("1 0 a 1x\n", "text:1: relevance: '1x', expected a whole number of 32 bits");
  qrels("1 0 a 1\n2 0 a 1\n\n1 0 a 1\n",
        "text:4: document: 'a' again for topic '1', expected once; first at line 1");
  run("1 Q0 a 1 0.5\n", "text:1: fields: 5, expected 6 (topic Q0 document rank score tag)");
  run("1 Q0 a 1 0.5 my tag\n", "text:1: fields: 7, expected 6 (topic Q0 document rank score tag)");
  run("1 Q0 a 1 0.5 t\n1 Q0 b 1 high t\n", "text:2: score: 'high', expected a finite number");
  run("1 Q0 a 1 inf t\n", "text:1: score: 'inf', expected a finite number");
  run("1 Q0 a 1 NaN t\n", "text:1: score: 'NaN', expected a finite number");
  run("1 Q0 a 1 1e999 t\n",
      "text:1: score: '1e999' is beyond the range of double, expected at most 1.79769313e+308 in size");
  CHECK_NOTHROW(parse_trec_run("1 Q0 a 1 -1.7976931348623157e308 t\n"));
  run("1 Q0 a 1 1,5 t\n", "text:1: score: '1,5', expected a finite number");
  run("1 Q0 a 1 1 t\n1 Q0 b 1 1 t\n1 Q0 b 1 2 t\n",
      "text:3: document: 'b' again for topic '1', expected once; first at line 2");
  CHECK_NOTHROW(parse_trec_run("1 Q0 a 1 1 t\n2 Q0 a 1 1 t\n"));
  CHECK_THROWS_WITH(parse_trec_run("x", "a name"),
                    "a name:1: fields: 1, expected 6 (topic Q0 document rank score tag)");
}

/// The value of each topic.
template <class Metric, class Relevance>
std::vector<double> each(const Metric& metric, const basic_trec_lists<Relevance>& lists) {
  std::vector<double> values(lists.topics.size());
  evaluate(metric, lists.batch(), {.per_list = values});
  return values;
}

TEST_CASE("trec: a run shorter than the cutoff") {
  const trec_qrels five = parse_trec_qrels("7 0 a 1\n7 0 b 1\n7 0 c 1\n7 0 d 1\n7 0 e 1\n");
  for (const trec_ties ties : {trec_ties::expected, trec_ties::by_name, trec_ties::by_rank}) {
    const trec_lists one = join(parse_trec_run("7 Q0 a 1 0.9 x"), five, {.ties = ties});
    CHECK(each(ndcg{.gain = gain::linear, .cutoff = 5}, one)[0] == Approx(0.33916).epsilon(1e-5));
    CHECK(each(precision{.cutoff = 5}, one)[0] == Approx(0.2));
    CHECK(each(recall{.cutoff = 5}, one)[0] == Approx(0.2));
    CHECK(each(recall{.cutoff = 1000}, one)[0] == Approx(0.2));
    CHECK(each(recall{}, one)[0] == Approx(0.2));
    CHECK(each(average_precision{}, one)[0] == Approx(0.2));
    CHECK(each(r_precision{}, one)[0] == Approx(0.2));
    CHECK(each(reciprocal_rank{}, one)[0] == 1.0);
  }

  // Nothing relevant is retrieved.
  const trec_lists none = join(parse_trec_run("7 Q0 x 1 0.9 x\n7 Q0 y 2 0.8 x\n"), five);
  for (const std::size_t k :
       {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{10}, std::size_t{1000}}) {
    CHECK(each(ndcg{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(ndcg{.gain = gain::linear, .cutoff = k}, none)[0] == 0.0);
    CHECK(each(dcg{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(reciprocal_rank{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(hit{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(recall{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(precision{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(average_precision{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(expected_reciprocal_rank{.cutoff = k}, none)[0] == 0.0);
    CHECK(each(rank_biased_precision{.cutoff = k}, none)[0] == 0.0);
  }
  CHECK(each(r_precision{}, none)[0] == 0.0);
  CHECK(each(bpref{}, none)[0] == 0.0);

  // Two retrieved, four relevant: trec_eval's ndcg is over the ideal of all four.
  const trec_lists two = join(parse_trec_run("7 Q0 a 1 0.9 x\n7 Q0 b 2 0.8 x\n"),
                              parse_trec_qrels("7 0 a 1\n7 0 b 1\n7 0 c 1\n7 0 d 1\n"));
  CHECK(each(ndcg{.gain = gain::linear}, two)[0] == Approx(0.63668).epsilon(1e-5));
  CHECK(two.depth == 4);
  CHECK(each(ndcg{.gain = gain::linear, .cutoff = two.depth}, two)[0] == Approx(0.63668).epsilon(1e-5));
  CHECK(each(ndcg{.gain = gain::linear, .cutoff = 2}, two)[0] == Approx(1.0));

  // What has no value for missed documents says so.
  CHECK_THROWS_WITH(each(first_rank{}, two), Catch::Contains("missed: given, expected none"));
}

TEST_CASE("trec: a topic's value depends on that topic alone") {
  const std::string run = "7 Q0 a 1 0.9 x\n";
  const std::string qrels = "7 0 a 1\n7 0 b 2\n7 0 c 1\n7 0 n 0\n";
  std::string longer = run;
  for (int i = 0; i < 50; ++i) longer += "8 Q0 d" + std::to_string(i) + " 1 " + std::to_string(i) + " x\n";
  const trec_lists alone = join(parse_trec_run(run), parse_trec_qrels(qrels));
  const trec_lists both = join(parse_trec_run(longer), parse_trec_qrels(qrels + "8 0 d7 1\n8 0 e 3\n"));
  for (const std::size_t k :
       {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{100}}) {
    CHECK(each(ndcg{.cutoff = k}, alone)[0] == each(ndcg{.cutoff = k}, both)[0]);
    CHECK(each(average_precision{.cutoff = k}, alone)[0] == each(average_precision{.cutoff = k}, both)[0]);
    CHECK(each(recall{.cutoff = k}, alone)[0] == each(recall{.cutoff = k}, both)[0]);
    CHECK(each(precision{.cutoff = k}, alone)[0] == each(precision{.cutoff = k}, both)[0]);
    CHECK(each(expected_reciprocal_rank{.cutoff = k}, alone)[0] ==
          each(expected_reciprocal_rank{.cutoff = k}, both)[0]);
  }
  CHECK(each(bpref{}, alone)[0] == each(bpref{}, both)[0]);
}

TEST_CASE("trec: real-valued judgements") {
  const std::string_view text = "q 0 a 0.25\nq 0 b -0.5\nq 0 c 1.5e1\nq 0 d 0\n";
  const auto qrels = parse_trec_qrels<double>(text);
  CHECK(qrels.relevance == std::vector<double>{0.25, -0.5, 15.0, 0.0});
  CHECK(parse_trec_qrels<float>(text).relevance == std::vector<float>{0.25f, -0.5f, 15.0f, 0.0f});
  const auto lists = join(parse_trec_run("q Q0 a 1 2 r\nq Q0 b 2 1 r\n"), qrels);
  CHECK(lists.relevance == std::vector<double>{0.25, 0.0, 15.0, 0.0});
  CHECK(lists.weights == std::vector<float>{1, 0, 1, 1});
  CHECK(lists.relevant == sizes{2});
  CHECK(evaluate(ndcg{.gain = gain::linear}, lists.batch()) == Approx(0.25 / (15.0 + 0.25 * discount(2))));
  CHECK(evaluate(recall{}, lists.batch()) == 0.5);
  const auto above_one =
      join(parse_trec_run("q Q0 a 1 2 r\nq Q0 c 2 1 r\n"), qrels, {.relevance_level = 0.5});
  CHECK(above_one.relevance == std::vector<double>{0.0, 15.0, 0.0});
  CHECK(evaluate(reciprocal_rank{}, above_one.batch()) == 0.5);

  CHECK(parse_trec_qrels("q 0 a 2.0\nq 0 b 1e1\n").relevance == std::vector<std::int32_t>{2, 10});
  CHECK_THROWS_WITH(parse_trec_qrels<double>("q 0 a nan\n"),
                    "text:1: relevance: 'nan', expected a finite number");
  CHECK_THROWS_WITH(
      parse_trec_qrels<double>("q 0 a 1e999\n"),
      "text:1: relevance: '1e999' is beyond the range of double, expected at most 1.79769313e+308 in size");
  CHECK_THROWS_WITH(
      parse_trec_qrels<float>("q 0 a 1e39\n"),
      "text:1: relevance: '1e39' is beyond the range of float, expected at most 3.40282347e+38 in size");
}

TEST_CASE("trec: judged documents only") {
  const trec_run run =
      parse_trec_run("q Q0 u 1 9 r\nq Q0 a 2 8 r\nq Q0 n 3 7 r\nq Q0 m 4 6 r\nq Q0 b 5 5 r\nr Q0 u 1 1 r\n");
  const trec_qrels qrels = parse_trec_qrels("q 0 a 1\nq 0 b 1\nq 0 n -1\nq 0 m 0\nr 0 a 1\n");
  for (const trec_ties ties : {trec_ties::expected, trec_ties::by_name}) {
    const trec_lists lists = join(run, qrels, {.ties = ties, .judged_only = true});
    CHECK(lists.offsets == sizes{0, 3, 4});
    CHECK(lists.retrieved == sizes{3, 0});
    CHECK(lists.relevance == std::vector<std::int32_t>{1, 0, 1, 1});
    CHECK(lists.missed == bytes{0, 0, 0, 1});
    CHECK(each(average_precision{}, lists) == std::vector<double>{(1.0 + 2.0 / 3.0) / 2.0, 0.0});
    CHECK(each(average_precision{}, join(run, qrels, {.ties = ties})) ==
          std::vector<double>{(1.0 / 2.0 + 2.0 / 5.0) / 2.0, 0.0});
    CHECK(each(bpref{}, lists) == each(bpref{}, join(run, qrels, {.ties = ties})));
  }
}

TEST_CASE("trec: documents without judgement are not relevant, and no others to bpref") {
  const trec_run run =
      parse_trec_run("q Q0 u 1 9 r\nq Q0 n 2 8 r\nq Q0 a 3 7 r\nq Q0 m 4 6 r\nq Q0 b 5 5 r\n");
  const trec_qrels qrels = parse_trec_qrels("q 0 a 1\nq 0 b 2\nq 0 n -1\nq 0 m 0\nq 0 o 0\n");
  // R = 2, N = 2: nothing that is judged stands above a, one above b.
  CHECK(each(bpref{}, join(run, qrels))[0] == Approx((1.0 + (1.0 - 1.0 / 2.0)) / 2.0));
  CHECK(each(precision{.cutoff = 3}, join(run, qrels))[0] == Approx(1.0 / 3.0));
  CHECK(each(precision{.cutoff = 3}, join(run, qrels, {.unjudged = 1}))[0] == Approx(2.0 / 3.0));
}

TEST_CASE("trec: a relevance level") {
  const trec_run run = parse_trec_run("q Q0 a 1 9 r\nq Q0 b 2 8 r\nq Q0 c 3 7 r\n");
  const trec_qrels qrels = parse_trec_qrels("q 0 a 1\nq 0 b 2\nq 0 c 3\nq 0 d 2\nq 0 e 1\n");
  const trec_lists lists = join(run, qrels, {.relevance_level = 2});
  CHECK(lists.relevance == std::vector<std::int32_t>{0, 2, 3, 2, 0});
  CHECK(lists.relevant == sizes{3});
  CHECK(each(reciprocal_rank{}, lists)[0] == 0.5);
  CHECK(each(recall{}, lists)[0] == Approx(2.0 / 3.0));
  CHECK(each(bpref{}, lists)[0] == Approx(2.0 * (1.0 - 1.0 / 2.0) / 3.0));  // R = 3, N = 2
  for (const double level : {0.0, 0.5, 1.0})
    CHECK(join(run, qrels, {.relevance_level = level}).relevance == join(run, qrels).relevance);
  CHECK_THROWS_WITH(join(run, qrels, {.relevance_level = -1}),
                    "rankloss: relevance_level: -1, expected a finite number >= 0");
  CHECK_THROWS_WITH(join(run, qrels, {.relevance_level = std::nan("")}),
                    "rankloss: relevance_level: nan, expected a finite number >= 0");
}

TEST_CASE("trec: equal scores in the order of the file's ranks") {
  const trec_qrels qrels = parse_trec_qrels("q 0 a 1\n");
  const trec_run run = parse_trec_run("q Q0 c 3 5 r\nq Q0 a 2 5 r\nq Q0 b 10 5 r\nq Q0 d 9 6 r\n");
  CHECK(join(run, qrels, {.ties = trec_ties::by_rank}).relevance ==
        std::vector<std::int32_t>{0, 1, 0, 0});  // d a c b
  CHECK(each(reciprocal_rank{}, join(run, qrels, {.ties = trec_ties::by_rank}))[0] == 0.5);
  CHECK(each(reciprocal_rank{}, join(run, qrels, {.ties = trec_ties::by_name}))[0] == 0.25);  // d c b a
  // Equal ranks too: as the lines come.
  const trec_run zeros = parse_trec_run("q Q0 c 0 5 r\nq Q0 a 0 5 r\nq Q0 b 0 5 r\n");
  CHECK(join(zeros, qrels, {.ties = trec_ties::by_rank}).relevance == std::vector<std::int32_t>{0, 1, 0});

  const trec_run unranked = parse_trec_run("q Q0 a Q 5 r\nq Q0 b 2 5 r\n");
  CHECK_THROWS_WITH(
      join(unranked, qrels, {.ties = trec_ties::by_rank}),
      "rankloss: ranks: none for document 'a' of a score that another has, expected a whole number >= 0 for trec_ties::by_rank");
  CHECK_NOTHROW(join(unranked, qrels, {.ties = trec_ties::by_name}));
  CHECK_NOTHROW(join(parse_trec_run("q Q0 a Q 5 r\nq Q0 b Q 4 r\n"), qrels, {.ties = trec_ties::by_rank}));
}

TEST_CASE("trec: by name, scores are equal that are equal as floats") {
  const trec_qrels qrels = parse_trec_qrels("q 0 a 1\n");
  const auto first = [&](const char* a, const char* b, trec_ties ties) {
    const trec_run run = parse_trec_run(std::string("q Q0 a 1 ") + a + " r\nq Q0 b 2 " + b + " r\n");
    return each(reciprocal_rank{}, join(run, qrels, {.ties = ties}))[0];
  };
  CHECK(first("1.000000001", "1", trec_ties::by_name) == 0.5);  // pytrec_eval has 0.5
  CHECK(first("1.000000001", "1", trec_ties::by_rank) == 1.0);
  CHECK(first("1.000000001", "1", trec_ties::expected) == 1.0);
  CHECK(first("1.000001", "1", trec_ties::by_name) == 1.0);
  CHECK(first("1e300", "1e200", trec_ties::by_name) == 0.5);  // both are beyond the largest float
  CHECK(first("-0", "0", trec_ties::by_name) == 0.5);
}

TEST_CASE("trec: documents that come again") {
  const std::string_view qrels_text = "q 0 a 1\nr 0 a 2\nq 0 a 1\nq 0 b 0\nq 0 a 1\n";
  const std::string_view run_text = "q Q0 a 1 0.5 r\nq Q0 b 2 0.25 r\nq Q0 a 7 0.50 r\n";
  CHECK_THROWS_WITH(parse_trec_qrels(qrels_text),
                    "text:3: document: 'a' again for topic 'q', expected once; first at line 1");
  CHECK_THROWS_WITH(parse_trec_run(run_text),
                    "text:3: document: 'a' again for topic 'q', expected once; first at line 1");
  const trec_read_options dropped{.repeats = trec_repeats::identical_dropped};
  const trec_qrels qrels = parse_trec_qrels(qrels_text, "text", dropped);
  CHECK(strings(qrels.documents) == words{"a", "b", "a"});
  CHECK(qrels.offsets == sizes{0, 2, 3});
  CHECK(qrels.relevance == std::vector<std::int32_t>{1, 0, 2});
  const trec_run run = parse_trec_run(run_text, "text", dropped);
  CHECK(strings(run.documents) == words{"a", "b"});
  CHECK(run.scores == std::vector<double>{0.5, 0.25});
  CHECK(run.ranks == std::vector<std::int64_t>{1, 2});

  CHECK_THROWS_WITH(
      parse_trec_qrels("q 0 a 1\nq 0 b 1\nq 0 a 2\n", "text", dropped),
      "text:3: document: 'a' again for topic 'q' with another relevance, expected once; first at line 1");
  CHECK_THROWS_WITH(
      parse_trec_qrels("q 0 a 1\nq 0 a 1\nq 0 a 2\n", "text", dropped),
      "text:3: document: 'a' again for topic 'q' with another relevance, expected once; first at line 1");
  CHECK_THROWS_WITH(
      parse_trec_run("q Q0 a 1 1 r\nq Q0 a 1 2 r\n", "text", dropped),
      "text:2: document: 'a' again for topic 'q' with another score, expected once; first at line 1");
}

TEST_CASE("trec: BEIR's three columns") {
  const trec_qrels qrels =
      parse_trec_qrels("\xEF\xBB\xBFquery-id\tcorpus-id\tscore\r\n1\td1\t2\r\n1\td2\t0\r\n\r\n2\td1\t1\r\n");
  CHECK(strings(qrels.topics) == words{"1", "2"});
  CHECK(qrels.offsets == sizes{0, 2, 3});
  CHECK(strings(qrels.documents) == words{"d1", "d2", "d1"});
  CHECK(qrels.relevance == std::vector<std::int32_t>{2, 0, 1});
  CHECK(parse_trec_qrels<float>("query-id corpus-id score\n1 d1 0.5\n").relevance ==
        std::vector<float>{0.5f});
  CHECK(parse_trec_qrels("query-id\tcorpus-id\tscore\n").topics.empty());
  CHECK_THROWS_WITH(parse_trec_qrels("query-id\tcorpus-id\tscore\n1 0 d1 1\n"),
                    "text:2: fields: 4, expected 3 (query-id corpus-id score)");
  CHECK_THROWS_WITH(parse_trec_qrels("1\td1\t1\n"),
                    "text:1: fields: 3, expected 4 (topic iteration document relevance)");
  CHECK_THROWS_WITH(parse_trec_qrels("query-id\tcorpus-id\tscore\n1 d1 x\n"),
                    "text:2: relevance: 'x', expected a whole number of 32 bits");
}

TEST_CASE("trec: files") {
  const support::text_file run("run", some_run);
  const support::text_file qrels("qrels", some_qrels);
  const trec_lists lists = join(read_trec_run(run.path()), read_trec_qrels(qrels.path()));
  CHECK(lists.scores == join(parse_trec_run(some_run), parse_trec_qrels(some_qrels)).scores);
  CHECK_THROWS_WITH(read_trec_run(qrels.path()),
                    qrels.path().string() + ":1: fields: 4, expected 6 (topic Q0 document rank score tag)");
  const auto missing = run.path().string() + ".missing";
  CHECK_THROWS_WITH(read_trec_run(missing), missing + ": cannot be read, expected a text file");
  CHECK_THROWS_WITH(read_trec_qrels(missing), missing + ": cannot be read, expected a text file");
}

std::string line(const words& fields) {
  std::string text;
  for (const std::string& field : fields) text.append(text.empty() ? "" : " ").append(field);
  return text + "\n";
}

/// trec_eval's way, with maps.
struct plain {
  std::map<std::string, std::map<std::string, int>> judged;
  std::map<std::string, std::vector<std::pair<double, std::string>>> answers;
  std::string run;
  std::string qrels;

  explicit plain(std::mt19937_64& random) {
    std::vector<std::string> run_lines;
    std::vector<std::string> qrels_lines;
    for (int t = 0; t < 8; ++t) {
      const std::string topic = "t" + std::to_string(random() % 1000);
      if (judged.contains(topic) || answers.contains(topic)) continue;
      std::set<std::string> documents;
      if (random() % 5 != 0)
        for (std::size_t i = 0, n = 1 + random() % 12; i < n; ++i)
          documents.insert("d" + std::to_string(random() % 30));
      for (const std::string& document : documents) {
        const int relevance = static_cast<int>(random() % 5) - 1;
        judged[topic][document] = relevance;
        qrels_lines.push_back(line({topic, "0", document, std::to_string(relevance)}));
      }
      documents.clear();
      if (random() % 5 != 0)
        for (std::size_t i = 0, n = 1 + random() % 20; i < n; ++i)
          documents.insert("d" + std::to_string(random() % 30));
      for (const std::string& document : documents) {
        const double score = static_cast<double>(random() % 6) / 4.0;
        answers[topic].emplace_back(score, document);
        run_lines.push_back(line({topic, "Q0", document, "0", std::to_string(score), "r"}));
      }
      std::sort(answers[topic].rbegin(), answers[topic].rend());
      if (documents.empty()) answers.erase(topic);
    }
    std::shuffle(run_lines.begin(), run_lines.end(), random);
    std::shuffle(qrels_lines.begin(), qrels_lines.end(), random);
    for (const std::string& text : run_lines) run += text;
    for (const std::string& text : qrels_lines) qrels += text;
  }

  struct values {
    double ap = 0, ndcg = 0, recall = 0, precision = 0, rr = 0;
  };

  [[nodiscard]] values of(const std::string& topic, std::size_t k) const {
    values out;
    const auto& grades = judged.at(topic);
    std::vector<double> gains;
    for (const auto& [document, relevance] : grades)
      if (relevance > 0) gains.push_back(relevance);
    std::sort(gains.rbegin(), gains.rend());
    double ideal = 0.0;
    for (std::size_t p = 0; p < std::min(k, gains.size()); ++p)
      ideal += gains[p] * discount(static_cast<double>(p + 1));
    double found = 0.0;
    if (!answers.contains(topic)) return out;
    const auto& answer = answers.at(topic);
    for (std::size_t p = 0; p < answer.size(); ++p) {
      const auto at = grades.find(answer[p].second);
      if (at == grades.end() || at->second <= 0) continue;
      const auto rank = static_cast<double>(p + 1);
      found += 1.0;
      out.ap += found / rank;
      if (out.rr == 0.0) out.rr = 1.0 / rank;
      if (p >= k) continue;
      out.ndcg += at->second * discount(rank);
      out.recall += 1.0;
      out.precision += 1.0 / static_cast<double>(k);
    }
    if (gains.empty()) return values{};
    out.ap /= static_cast<double>(gains.size());
    out.recall /= static_cast<double>(gains.size());
    out.ndcg /= ideal;
    return out;
  }
};

TEST_CASE("trec: metrics of random runs are those of trec_eval's definitions") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    const plain reference(random);
    const bool all = round % 2 == 0;
    const std::size_t k = 1 + random() % 15;
    const trec_lists lists =
        join(parse_trec_run(reference.run), parse_trec_qrels(reference.qrels),
             {.ties = trec_ties::by_name, .topics = all ? trec_topics::of_qrels : trec_topics::of_both});
    std::size_t expected_lists = 0;
    for (const auto& [topic, grades] : reference.judged)
      expected_lists += all || reference.answers.contains(topic) ? 1 : 0;
    REQUIRE(lists.topics.size() == expected_lists);
    const auto check = [&](const auto& metric, std::size_t cutoff, auto member) {
      std::vector<double> each(lists.topics.size());
      evaluate(metric, lists.batch(), {.per_list = each});
      for (std::size_t t = 0; t < each.size(); ++t)
        CHECK(each[t] == Approx(reference.of(std::string(lists.topics[t]), cutoff).*member).epsilon(1e-13));
    };
    constexpr std::size_t all_ranks = 100;
    check(average_precision{}, all_ranks, &plain::values::ap);
    check(reciprocal_rank{}, all_ranks, &plain::values::rr);
    check(ndcg{.gain = gain::linear}, all_ranks, &plain::values::ndcg);
    check(ndcg{.gain = gain::linear, .cutoff = lists.depth}, all_ranks, &plain::values::ndcg);
    check(recall{}, all_ranks, &plain::values::recall);
    check(ndcg{.gain = gain::linear, .cutoff = k}, k, &plain::values::ndcg);
    check(recall{.cutoff = k}, k, &plain::values::recall);
    check(precision{.cutoff = k}, k, &plain::values::precision);
  }
}

TEST_CASE("trec: a spoilt text is read or refused, whole") {
  std::mt19937_64 random(2);
  constexpr std::string_view characters = "0123456789.:+-eEtdQ# \t\r\n\0\xff"sv;
  std::size_t read = 0;
  std::size_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    const plain reference(random);
    const auto spoilt = [&](std::string text) {
      for (std::size_t change = 0, n = random() % 4; change < n && !text.empty(); ++change) {
        const std::size_t at = random() % text.size();
        switch (random() % 4) {
          case 0: text[at] = characters[random() % characters.size()]; break;
          case 1: text.insert(at, 1, characters[random() % characters.size()]); break;
          case 2: text.erase(at, 1 + random() % 5); break;
          default: text.resize(at); break;
        }
      }
      return std::vector<char>(text.begin(),
                               text.end());  // to the byte, so that a sanitizer sees a read behind the end
    };
    const auto run_text = spoilt(reference.run);
    const auto qrels_text = spoilt(reference.qrels);
    try {
      const trec_run run = parse_trec_run({run_text.data(), run_text.size()});
      const trec_qrels qrels = parse_trec_qrels({qrels_text.data(), qrels_text.size()});
      const trec_lists lists = join(run, qrels, {.topics = trec_topics::of_qrels});
      const double map = evaluate(average_precision{}, lists.batch());
      CHECK((map >= 0.0 && map <= 1.0));
      ++read;
    } catch (const std::runtime_error& error) {
      CHECK(std::strncmp(error.what(), "text:", 5) == 0);
      ++refused;
    }
  }
  CHECK(read > 200);
  CHECK(refused > 200);
}

}  // namespace

}  // namespace data_trec_test
