// SPDX-License-Identifier: BSL-1.0
#include <rankloss/late_interaction.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace late_interaction_test {

namespace {

using rankloss::best_token_count;
using rankloss::late_interaction;
using rankloss::late_interaction_pullback;
using rankloss::no_token;
using rankloss::token_batch;
using rankloss::token_similarity;

/// Queries and documents of any number of tokens, with the arrays that a batch of them is made of.
template <class T>
struct tokens {
  std::size_t d = 0;
  std::vector<std::int32_t> query_offsets, document_offsets;
  std::vector<T> x, y;
  std::vector<double> weights;
  std::vector<std::uint8_t> query_mask, document_mask;
  std::vector<std::int64_t> candidate_offsets;
  std::vector<std::uint32_t> candidates;
  token_similarity similarity = token_similarity::cosine;

  tokens(std::mt19937_64& random, const std::vector<std::size_t>& queries,
         const std::vector<std::size_t>& documents, std::size_t dimension)
      : d(dimension), query_offsets{0}, document_offsets{0} {
    for (const std::size_t n : queries)
      query_offsets.push_back(query_offsets.back() + static_cast<std::int32_t>(n));
    for (const std::size_t n : documents)
      document_offsets.push_back(document_offsets.back() + static_cast<std::int32_t>(n));
    x = support::numbers<T>(random, static_cast<std::size_t>(query_offsets.back()) * d);
    y = support::numbers<T>(random, static_cast<std::size_t>(document_offsets.back()) * d);
  }

  [[nodiscard]] std::size_t queries() const { return query_offsets.size() - 1; }
  [[nodiscard]] std::size_t documents() const { return document_offsets.size() - 1; }
  [[nodiscard]] token_batch<T> batch() const {
    return {.query_tokens = x,
            .document_tokens = y,
            .dimension = d,
            .query_offsets = query_offsets,
            .document_offsets = document_offsets,
            .candidate_offsets = candidate_offsets,
            .candidates = candidates,
            .query_weights = weights,
            .query_mask = query_mask,
            .document_mask = document_mask,
            .similarity = similarity};
  }
  /// (query, document) of each score.
  [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> pairs() const {
    std::vector<std::pair<std::size_t, std::size_t>> all;
    for (std::size_t q = 0; q < queries(); ++q) {
      if (candidate_offsets.empty()) {
        for (std::size_t k = 0; k < documents(); ++k) all.emplace_back(q, k);
        continue;
      }
      for (auto p = static_cast<std::size_t>(candidate_offsets[q]);
           p < static_cast<std::size_t>(candidate_offsets[q + 1]); ++p)
        all.emplace_back(q, candidates.empty() ? p : candidates[p]);
    }
    return all;
  }
};

/// By the formula, in long double, over all pairs of tokens.
template <class T>
struct plain {
  explicit plain(const tokens<T>& of, const std::vector<double>& upstream = {})
      : dx(of.x.size()), dy(of.y.size()) {
    const auto pairs = of.pairs();
    const bool cosine = of.similarity == token_similarity::cosine;
    const auto length = [&](const T* v) {
      long double square = 0;
      for (std::size_t k = 0; k < of.d; ++k) square += static_cast<long double>(v[k]) * v[k];
      return std::sqrt(square);
    };
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const auto [q, document] = pairs[p];
      long double score = 0;
      for (auto i = static_cast<std::size_t>(of.query_offsets[q]);
           i < static_cast<std::size_t>(of.query_offsets[q + 1]); ++i) {
        if (!of.query_mask.empty() && of.query_mask[i] == 0) continue;
        const T* a = of.x.data() + i * of.d;
        const long double w = of.weights.empty() ? 1.0L : of.weights[i];
        long double best = 0;
        std::size_t at = 0;
        bool any = false;
        for (auto j = static_cast<std::size_t>(of.document_offsets[document]);
             j < static_cast<std::size_t>(of.document_offsets[document + 1]); ++j) {
          if (!of.document_mask.empty() && of.document_mask[j] == 0) continue;
          const T* b = of.y.data() + j * of.d;
          long double dot = 0;
          for (std::size_t k = 0; k < of.d; ++k) dot += static_cast<long double>(a[k]) * b[k];
          const long double lengths = cosine ? length(a) * length(b) : 1.0L;
          const long double similarity = lengths > 0 ? dot / lengths : 0;
          if (any && similarity <= best) continue;
          best = similarity;
          at = j;
          any = true;
        }
        if (!any) continue;
        score += w * best;
        if (upstream.empty()) continue;
        const T* b = of.y.data() + at * of.d;
        const long double la = cosine ? length(a) : 1.0L, lb = cosine ? length(b) : 1.0L;
        const long double c = w * upstream[p];
        for (std::size_t k = 0; k < of.d; ++k) {
          if (la > 0)
            dx[i * of.d + k] += c * ((lb > 0 ? b[k] / lb : 0) - (cosine ? best * a[k] / la : 0)) / la;
          if (lb > 0)
            dy[at * of.d + k] += c * ((la > 0 ? a[k] / la : 0) - (cosine ? best * b[k] / lb : 0)) / lb;
        }
      }
      scores.push_back(score);
    }
  }

  std::vector<long double> scores, dx, dy;
};

template <class T, class A, class B>
double furthest(const std::vector<A>& found, const std::vector<B>& wanted) {
  REQUIRE(found.size() == wanted.size());
  double worst = 0.0, size = 1e-30;
  for (std::size_t k = 0; k < found.size(); ++k) {
    worst = std::max(worst, std::abs(static_cast<double>(static_cast<long double>(found[k]) - wanted[k])));
    size = std::max(size, std::abs(static_cast<double>(wanted[k])));
  }
  return worst / std::max(1.0, size);
}

template <class T>
struct found {
  explicit found(const tokens<T>& of, const std::vector<double>& upstream, rankloss::context& context,
                 bool remembered = true)
      : scores(of.pairs().size(), T{9}),
        best(best_token_count(of.batch()), 77u),
        dx(of.x.size(), T{9}),
        dy(of.y.size(), T{9}) {
    late_interaction(of.batch(), scores, best, context);
    rankloss::token_gradients out{.queries = dx, .documents = dy};
    if (remembered) out.best = best;
    late_interaction_pullback(of.batch(), upstream, out, context);
  }
  bool operator==(const found&) const = default;

  std::vector<T> scores;
  std::vector<std::uint32_t> best;
  std::vector<T> dx, dy;
};

template <class T>
void check_against_plain(const tokens<T>& of, std::mt19937_64& random) {
  const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-13;
  const auto upstream = support::numbers<double>(random, of.pairs().size());
  rankloss::context context;
  const plain<T> wanted(of, upstream);
  const found<T> has(of, upstream, context);
  CHECK(furthest<T>(has.scores, wanted.scores) < tolerance);
  CHECK(furthest<T>(has.dx, wanted.dx) < tolerance);
  CHECK(furthest<T>(has.dy, wanted.dy) < tolerance);
  // The best tokens make no difference, and neither do the threads.
  const found<T> again(of, upstream, context, false);
  CHECK(again == has);
  rankloss::context three{rankloss::threads(3)};
  CHECK(found<T>(of, upstream, three) == has);
  CHECK(found<T>(of, upstream, three, false) == has);
  std::vector<T> alone(has.scores.size());
  late_interaction(of.batch(), alone);
  CHECK(alone == has.scores);
}

TEST_CASE("late_interaction of tokens that can be counted by hand") {
  const std::vector<double> x{2, 0, 0, 3};         // one query: along x, along y
  const std::vector<double> y{5, 0, 3, 4, -1, 0};  // document 0: along x, (0.6, 0.8); document 1: against x
  const std::vector<int> offsets{0, 2, 3};
  std::vector<double> scores(2);
  std::vector<std::uint32_t> best(4);
  token_batch<double> batch{
      .query_tokens = x, .document_tokens = y, .dimension = 2, .document_offsets = offsets};
  rankloss::context context;
  late_interaction(batch, scores, best, context);
  CHECK(scores[0] == Approx(1.8).epsilon(1e-15));
  CHECK(scores[1] == -1.0);
  CHECK(best == std::vector<std::uint32_t>{0, 1, 0, 0});
  batch.similarity = token_similarity::dot;
  late_interaction(batch, scores, best, context);
  CHECK(scores == std::vector<double>{22, -2});
  std::vector<double> dx(4), dy(6, 1.0);
  late_interaction_pullback(batch, std::vector<double>{1, 10}, {.queries = dx, .documents = dy, .best = best},
                            context);
  CHECK(dx == std::vector<double>{5 - 10, 0, 3 - 10, 4});
  CHECK(dy == std::vector<double>{2, 0, 0, 3, 20, 30});
  late_interaction_pullback(
      batch, std::vector<float>{1, 10},
      {.queries = dx, .documents = dy, .best = best, .scale = -1.0, .update = rankloss::update::add});
  CHECK(dx == std::vector<double>(4, 0.0));
  CHECK(dy == std::vector<double>(6, 0.0));
}

TEMPLATE_TEST_CASE("late_interaction is its formula, for ragged lists of any size", "", float, double) {
  std::mt19937_64 random(1);
  const std::vector<std::vector<std::size_t>> sizes{{1}, {3, 1, 7}, {0, 5, 0}, {32, 32, 31, 2, 1}, {61}, {}};
  const std::vector<std::vector<std::size_t>> documents{
      {1}, {17, 16, 15, 1}, {0, 4, 0, 33}, {64, 2, 31, 32, 3, 5}};
  for (const auto& queries : sizes)
    for (const auto& document : documents)
      for (const std::size_t d : {1u, 2u, 7u, 64u})
        for (const token_similarity how : {token_similarity::cosine, token_similarity::dot}) {
          if (d == 64 && document.size() != 6) continue;  // vectors longer than a panel of lanes, once
          tokens<TestType> of(random, queries, document, d);
          of.similarity = how;
          INFO(queries.size() << " queries, " << document.size() << " documents, dimension " << d);
          if (d == 1 && how == token_similarity::cosine) {
            // Cosines are 1 and -1, with ties everywhere: those of the long double form are as good.
            std::vector<TestType> scores(of.pairs().size());
            late_interaction(of.batch(), scores);
            CHECK(furthest<TestType>(scores, plain<TestType>(of).scores) < 1e-5);
            continue;
          }
          check_against_plain(of, random);
        }
}

TEMPLATE_TEST_CASE("late_interaction: weights and masks of tokens", "", float, double) {
  std::mt19937_64 random(2);
  for (const token_similarity how : {token_similarity::cosine, token_similarity::dot}) {
    tokens<TestType> of(random, {4, 9, 1, 2}, {20, 3, 40, 2}, 12);
    of.similarity = how;
    for (std::size_t i = 0; i < 16; ++i) of.weights.push_back(static_cast<double>(i % 5) * 0.25);
    check_against_plain(of, random);
    of.query_mask = support::whole_numbers<std::uint8_t>(random, 16, 3);
    of.document_mask = support::whole_numbers<std::uint8_t>(random, 65, 2);
    of.document_mask[63] = of.document_mask[64] = 0;  // nothing is left of the last document
    check_against_plain(of, random);

    // Masked tokens may hold anything.
    const auto upstream = support::numbers<double>(random, 16);
    rankloss::context context;
    const found<TestType> before(of, upstream, context);
    for (std::size_t i = 0; i < 16; ++i)
      if (of.query_mask[i] == 0) of.x[i * 12 + 3] = std::numeric_limits<TestType>::quiet_NaN();
    for (std::size_t j = 0; j < 65; ++j)
      if (of.document_mask[j] == 0) of.y[j * 12] = std::numeric_limits<TestType>::infinity();
    CHECK(found<TestType>(of, upstream, context) == before);
    CHECK(found<TestType>(of, upstream, context, false) == before);
    for (std::size_t i = 0; i < 16; ++i)
      if (of.query_mask[i] == 0) CHECK(before.dx[i * 12 + 3] == TestType{0});
    for (std::size_t q = 0; q < 4; ++q) CHECK(before.scores[q * 4 + 3] == TestType{0});
    CHECK(std::count(before.best.end() - 16, before.best.end(), no_token) == 16);
  }
}

TEMPLATE_TEST_CASE("late_interaction: candidates of each query", "", float, double) {
  std::mt19937_64 random(3);
  tokens<TestType> of(random, {4, 0, 9, 3}, {20, 3, 40, 2, 17}, 12);
  of.candidate_offsets = {0, 3, 4, 9, 9};
  of.candidates = {4, 0, 2, 1, 1, 4, 1, 0, 4};  // in any order, also twice
  check_against_plain(of, random);
  CHECK(best_token_count(of.batch()) == 3 * 4 + 5 * 9);

  // All documents as candidates of all queries are the matrix.
  const auto upstream = support::numbers<double>(random, 4 * 5);
  rankloss::context context;
  of.candidate_offsets = {0, 5, 10, 15, 20};
  of.candidates.clear();
  for (std::uint32_t k = 0; k < 20; ++k) of.candidates.push_back(k % 5);
  const found<TestType> listed(of, upstream, context);
  of.candidate_offsets.clear();
  of.candidates.clear();
  CHECK(found<TestType>(of, upstream, context) == listed);

  // Documents of their own follow one another.
  of.candidate_offsets = {0, 1, 1, 4, 5};
  check_against_plain(of, random);
  of.candidate_offsets = {0, 0, 0, 0, 0};
  std::vector<TestType> none;
  CHECK_NOTHROW(late_interaction(of.batch(), none));
  std::vector<TestType> dy(of.y.size(), TestType{9});
  late_interaction_pullback(of.batch(), none, {.documents = dy});
  CHECK(dy == std::vector<TestType>(of.y.size(), TestType{0}));
}

TEST_CASE("late_interaction: the first of equally good tokens has the slope") {
  std::mt19937_64 random(4);
  tokens<float> of(random, {2, 3}, {70}, 8);
  // Token 1 is repeated in another lane, another half of a panel and other panels.
  for (const std::size_t j : {2u, 17u, 33u, 34u, 69u})
    std::copy_n(of.y.begin() + 8, 8, of.y.begin() + static_cast<std::ptrdiff_t>(j) * 8);
  for (std::size_t i = 0; i < 5; ++i)
    std::copy_n(of.y.begin() + 8, 8, of.x.begin() + static_cast<std::ptrdiff_t>(i) * 8);
  rankloss::context context;
  const found<float> has(of, {1.0, 1.0}, context);
  CHECK(has.best == std::vector<std::uint32_t>(5, 1));
}

TEST_CASE("late_interaction: pullback by finite differences, through the lengths") {
  std::mt19937_64 random(5);
  for (const token_similarity how : {token_similarity::cosine, token_similarity::dot}) {
    tokens<double> of(random, {3, 2}, {5, 4, 1}, 6);
    of.similarity = how;
    of.weights = {1, 0.5, 2, 1, 3};
    const auto upstream = support::numbers<double>(random, 6);
    rankloss::context context;
    const found<double> has(of, upstream, context);
    const auto value = [&] {
      std::vector<double> scores(6);
      late_interaction(of.batch(), scores, context);
      double sum = 0.0;
      for (std::size_t p = 0; p < 6; ++p) sum += upstream[p] * scores[p];
      return sum;
    };
    const auto slope = [&](double& component) {
      const double before = component, step = 1e-6;
      component = before + step;
      const double above = value();
      component = before - step;
      const double below = value();
      component = before;
      return (above - below) / (2 * step);
    };
    for (std::size_t k = 0; k < of.x.size(); ++k) CHECK(has.dx[k] == Approx(slope(of.x[k])).margin(1e-8));
    for (std::size_t k = 0; k < of.y.size(); ++k) CHECK(has.dy[k] == Approx(slope(of.y[k])).margin(1e-8));
  }
}

TEMPLATE_TEST_CASE("late_interaction: zero tokens, and tokens of any length", "", float, double) {
  const TestType huge = std::numeric_limits<TestType>::max();
  const TestType tiny = std::numeric_limits<TestType>::denorm_min();
  tokens<TestType> of(*std::make_unique<std::mt19937_64>(1), {3}, {2, 1, 1}, 2);
  of.x = {0, 0, huge, -huge, tiny, tiny};
  of.y = {huge, huge, huge, 0, 0, 0, -tiny, tiny};
  std::vector<TestType> scores(3);
  late_interaction(of.batch(), scores);
  const double half = std::sqrt(0.5);
  CHECK(static_cast<double>(scores[0]) == Approx(half + 1).epsilon(1e-6));
  CHECK(scores[1] == TestType{0});
  CHECK(static_cast<double>(scores[2]) == Approx(-1).epsilon(1e-6));
  for (const token_similarity how : {token_similarity::cosine, token_similarity::dot})
    for (const double factor : {1.0, 1e300, 1e-300}) {
      of.similarity = how;
      const std::vector<double> upstream{factor, factor, -factor};
      rankloss::context context;
      const found<TestType> has(of, upstream, context);
      for (const TestType s : has.scores) CHECK(std::isfinite(s));
      for (const TestType g : has.dx) CHECK(std::isfinite(g));
      for (const TestType g : has.dy) CHECK(std::isfinite(g));
      if (how == token_similarity::dot) CHECK(has.scores[0] == huge);
    }
  // Products that overflow or vanish, whose sum does neither.
  of = tokens<TestType>(*std::make_unique<std::mt19937_64>(1), {1}, {2}, 2);
  of.similarity = token_similarity::dot;
  const TestType power = std::ldexp(TestType{1}, std::numeric_limits<TestType>::max_exponent - 1);
  of.x = {power, power};
  of.y = {power, -power, TestType(-1), TestType(-1)};
  late_interaction(of.batch(), std::span(scores).first(1));
  CHECK(scores[0] == TestType{0});
  const TestType small = std::ldexp(TestType{1}, std::numeric_limits<TestType>::min_exponent / 2 - 6);
  of.x = {small, small};
  of.y = {small, small, TestType{0}, small};
  std::vector<std::uint32_t> best(1);
  rankloss::context context;
  late_interaction(of.batch(), std::span(scores).first(1), best, context);
  CHECK(best[0] == 0);
  CHECK(scores[0] == 2 * small * small);
}

TEMPLATE_TEST_CASE("late_interaction: dot products of tokens whose sizes differ by far", "", float, double) {
  std::mt19937_64 random(11);
  constexpr int half = std::numeric_limits<TestType>::max_exponent / 2 + 8;
  for (const int exponent : {half, -half}) {
    tokens<TestType> of(random, {3, 2}, {4, 20}, 5);
    of.similarity = token_similarity::dot;
    for (TestType& c : of.x) c = std::ldexp(c, exponent);
    check_against_plain(of, random);
    std::swap(of.x, of.y);
    std::swap(of.query_offsets, of.document_offsets);
    check_against_plain(of, random);
    // Derivatives by small tokens are large, and those by large ones small: each is right by itself.
    const std::vector<double> upstream{1, -2, 0.5, 3};
    rankloss::context context;
    const found<TestType> has(of, upstream, context);
    const plain<TestType> wanted(of, upstream);
    for (std::size_t k = 0; k < of.x.size(); ++k)
      CHECK(static_cast<double>(has.dx[k]) == Approx(static_cast<double>(wanted.dx[k])).epsilon(1e-5));
    for (std::size_t k = 0; k < of.y.size(); ++k)
      CHECK(static_cast<double>(has.dy[k]) == Approx(static_cast<double>(wanted.dy[k])).epsilon(1e-5));
  }
}

TEST_CASE("late_interaction: matrices with row strides, and outputs of another type and layout") {
  std::mt19937_64 random(6);
  tokens<float> of(random, {3, 4}, {5, 6}, 9);
  rankloss::context context;
  const std::vector<double> upstream{1, -2, 3, 0.5};
  const found<float> has(of, upstream, context);
  std::vector<float> wide_x(7 * 12, 9.0f), wide_y(11 * 10, 9.0f);
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t k = 0; k < 9; ++k) wide_x[i * 12 + k] = of.x[i * 9 + k];
  for (std::size_t j = 0; j < 11; ++j)
    for (std::size_t k = 0; k < 9; ++k) wide_y[j * 10 + k] = of.y[j * 9 + k];
  auto batch = of.batch();
  batch.dimension = 0;
  batch.query_tokens = rankloss::matrix_view<const float>(wide_x.data(), 7, 9, 12, 1);
  batch.document_tokens = rankloss::matrix_view<const float>(wide_y.data(), 11, 9, 10, 1);
  std::vector<float> scores(4);
  late_interaction(batch, scores, context);
  CHECK(scores == has.scores);
  std::vector<double> dx(7 * 11, 9.0);
  const rankloss::matrix_view<double> dx_rows(dx.data(), 7, 9, 11, 1);
  late_interaction_pullback(batch, upstream, {.queries = dx_rows}, context);
  for (std::size_t i = 0; i < 7; ++i) {
    for (std::size_t k = 0; k < 9; ++k) CHECK(static_cast<float>(dx[i * 11 + k]) == has.dx[i * 9 + k]);
    CHECK((i == 6 || dx[i * 11 + 10] == 9.0));
  }
}

TEST_CASE("late_interaction: scratch stays small, whatever the number of pairs of tokens") {
  std::mt19937_64 random(7);
  const tokens<float> of(random, std::vector<std::size_t>(64, 16), std::vector<std::size_t>(200, 40), 16);
  std::vector<float> scores(64 * 200), dx(of.x.size()), dy(of.y.size());
  rankloss::context context;
  late_interaction(of.batch(), scores, context);
  // The similarities of all tokens would take 1024 * 8000 * 4 bytes = 33 MB.
  const std::size_t held = context.scratch_capacity();
  CHECK(held < 400000);
  late_interaction(of.batch(), scores, context);
  CHECK(context.scratch_capacity() == held);
  late_interaction_pullback(of.batch(), scores, {.queries = dx, .documents = dy}, context);
  CHECK(context.scratch_capacity() < 2000000);
}

TEST_CASE("late_interaction: best tokens are computed again in chunks of documents, with the same bits") {
  std::mt19937_64 random(8);
  // 400 documents of 16384 query tokens: two chunks.
  const tokens<float> of(random, std::vector<std::size_t>(128, 128), std::vector<std::size_t>(400, 1), 2);
  const auto upstream = support::numbers<double>(random, 128 * 400);
  REQUIRE(best_token_count(of.batch()) > rankloss::detail::tuning::best_tokens);
  rankloss::context context;
  CHECK(found<float>(of, upstream, context, true) == found<float>(of, upstream, context, false));
  // All best tokens would take 26 MB by themselves.
  std::vector<float> dy(of.y.size());
  rankloss::context other;
  late_interaction_pullback(of.batch(), upstream, {.documents = dy}, other);
  CHECK(other.scratch_capacity() < 24000000);
}

TEST_CASE("late_interaction trains tokens through a loss of similarity matrices and of lists") {
  std::mt19937_64 random(9);
  tokens<double> of(random, {3, 4, 2}, {5, 6, 4}, 8);
  rankloss::context context;
  const rankloss::bidirectional<rankloss::softmax_cross_entropy> loss{.loss = {.temperature = 0.2}};
  std::vector<double> scores(9), upstream(9);
  std::vector<double> dx(of.x.size()), dy(of.y.size());
  const auto value = [&] {
    late_interaction(of.batch(), scores, context);
    return rankloss::evaluate(
        loss, rankloss::similarity_batch<double>{.similarity = scores, .rows = 3, .columns = 3},
        {.gradient = upstream}, context);
  };
  const double before = value();
  late_interaction_pullback(of.batch(), upstream, {.queries = dx, .documents = dy}, context);
  for (std::size_t k = 0; k < of.x.size(); k += 5) {
    const double x = of.x[k];
    of.x[k] = x + 1e-6;
    const double above = value();
    of.x[k] = x - 1e-6;
    const double below = value();
    of.x[k] = x;
    CHECK(dx[k] == Approx((above - below) / 2e-6).margin(1e-7));
  }
  for (int step = 0; step < 50; ++step) {
    value();
    late_interaction_pullback(of.batch(), upstream, {.queries = dx, .documents = dy}, context);
    for (std::size_t k = 0; k < dx.size(); ++k) of.x[k] -= 0.1 * dx[k];
    for (std::size_t k = 0; k < dy.size(); ++k) of.y[k] -= 0.1 * dy[k];
  }
  CHECK(value() < 0.2 * before);

  // Reranking: the candidates of each query are a list.
  of.candidate_offsets = {0, 2, 3, 5};
  of.candidates = {0, 2, 1, 2, 0};
  const std::vector<double> relevance{1, 0, 1, 1, 0};
  scores.assign(5, 0.0);
  upstream.assign(5, 0.0);
  late_interaction(of.batch(), scores, context);
  const double listed = rankloss::evaluate(
      rankloss::softmax_cross_entropy{},
      rankloss::list_batch<double>{.scores = scores, .relevance = relevance, .offsets = of.candidate_offsets},
      {.gradient = upstream}, context);
  CHECK(listed > 0.0);
  CHECK_NOTHROW(late_interaction_pullback(of.batch(), upstream, {.documents = dy}, context));
}

TEST_CASE("late_interaction names what does not fit, before it writes") {
  std::mt19937_64 random(10);
  tokens<double> of(random, {2, 1}, {3, 1}, 4);
  std::vector<double> scores(4, 9.0);
  const token_batch<double> good = of.batch();
  CHECK_NOTHROW(late_interaction(good, scores));
  std::fill(scores.begin(), scores.end(), 9.0);

  auto bad = good;
  bad.dimension = 0;
  CHECK_THROWS_WITH(late_interaction(bad, scores), "rankloss: dimension: 0, expected at least 1");
  bad.dimension = 5;
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_tokens: size 12, expected whole vectors of dimension 5");
  bad = good;
  bad.query_tokens = rankloss::matrix_view<const double>(of.x.data(), 3, 4, 1, 3);
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_tokens: a matrix with column stride 3, expected 1 (the components of a "
                    "vector one behind the other)");
  bad.query_tokens = rankloss::matrix_view<const double>(of.x.data(), 4, 3);
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_tokens: a matrix of 3 columns, expected 4 (the dimension)");
  bad = good;
  const std::vector<int> offsets{0, 2, 4};
  bad.query_offsets = offsets;
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_offsets: last is 4, expected 3 (the number of query tokens)");
  bad = good;
  bad.document_offsets = std::span(offsets).first(2);
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: document_offsets: last is 2, expected 4 (the number of document tokens)");
  bad = good;
  const std::vector<double> weights{1, -1, 0};
  bad.query_weights = std::span(weights).first(2);
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_weights: size 2, expected 3 (one per query token)");
  bad.query_weights = weights;
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_weights: -1 at query token 1, expected a finite number >= 0");
  bad = good;
  const std::vector<std::uint8_t> mask(5, 1);
  bad.query_mask = mask;
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_mask: size 5, expected 3 (one per query token)");
  bad = good;
  bad.document_mask = mask;
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: document_mask: size 5, expected 4 (one per document token)");
  bad = good;
  bad.similarity = static_cast<token_similarity>(7);
  CHECK_THROWS_WITH(late_interaction(bad, scores), "rankloss: similarity: 7, expected cosine or dot");
  bad = good;
  const std::vector<int> candidates{0, 2, 1};
  bad.candidates = candidates;
  CHECK_THROWS_WITH(late_interaction(bad, scores), "rankloss: candidates: given without candidate_offsets");
  const std::vector<int> ends{0, 1, 3};
  bad.candidate_offsets = ends;
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: candidates: 2 at 1, expected documents from 0 to below 2");
  bad.candidates = {};
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: candidate_offsets: last is 3, expected 2 (the number of documents)");
  bad.candidate_offsets = std::span(ends).first(2);
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: candidate_offsets: size 2, expected 3 (one per query, and the end)");
  CHECK_THROWS_WITH(late_interaction(good, std::span(scores).first(3)),
                    "rankloss: scores: size 3, expected 4 (one per query and document)");
  std::vector<std::uint32_t> best(5);
  rankloss::context context;
  CHECK_THROWS_WITH(late_interaction(good, scores, best, context),
                    "rankloss: best: size 5, expected 6 (one per query token of each pair)");

  auto x = of.x;
  x[6] = std::numeric_limits<double>::quiet_NaN();
  bad = good;
  bad.query_tokens = x;
  CHECK_THROWS_WITH(late_interaction(bad, scores),
                    "rankloss: query_tokens: nan at query token 1, component 2, expected a finite number");
  CHECK(scores == std::vector<double>(4, 9.0));
  rankloss::context unchecked{rankloss::data_checks::off};
  best.resize(6);
  CHECK_NOTHROW(late_interaction(bad, scores, best, unchecked));
  for (std::size_t e = 0; e < 6; ++e) CHECK(best[e] < 3);
  auto y = of.y;
  y[15] = -std::numeric_limits<double>::infinity();
  bad = good;
  bad.document_tokens = y;
  CHECK_THROWS_WITH(
      late_interaction(bad, scores),
      "rankloss: document_tokens: -inf at document token 3, component 3, expected a finite number");

  std::vector<double> upstream(4, 1.0), dx(12, 9.0);
  CHECK_THROWS_WITH(late_interaction_pullback(good, std::span(upstream).first(3), {.queries = dx}),
                    "rankloss: upstream: size 3, expected 4 (one per query and document)");
  CHECK_THROWS_WITH(late_interaction_pullback(good, upstream, {.documents = dx}),
                    "rankloss: documents: 3 vectors, expected 4 (one per document token)");
  CHECK_THROWS_WITH(late_interaction_pullback(
                        good, upstream, {.queries = rankloss::matrix_view<double>(dx.data(), 3, 4, 2, 1)}),
                    "rankloss: queries: a matrix with row stride 2, expected rows that do not overlap");
  CHECK_THROWS_WITH(late_interaction_pullback(
                        good, upstream, {.queries = dx, .scale = std::numeric_limits<double>::infinity()}),
                    "rankloss: scale: inf, expected a finite number");
  best.assign(6, 0);
  best[4] = 1;
  CHECK_THROWS_WITH(late_interaction_pullback(good, upstream, {.queries = dx, .best = best}),
                    "rankloss: best: 1 at 4, expected a token of document 1, which has 1, or no_token");
  upstream[2] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(late_interaction_pullback(good, upstream, {.queries = dx}),
                    "rankloss: upstream: nan at 2, expected a finite number");
  CHECK(dx == std::vector<double>(12, 9.0));
}

}  // namespace

}  // namespace late_interaction_test
