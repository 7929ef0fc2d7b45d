// SPDX-License-Identifier: BSL-1.0
#include <rankloss/loss.hpp>

#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/stochastic.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace loss_test {

using rankloss::context;
using rankloss::engine;
using rankloss::evaluate;
using rankloss::list;
using rankloss::list_batch;
using rankloss::list_outputs;
using rankloss::outputs;
using rankloss::ranking_loss;
using rankloss::similarity_batch;
using rankloss::similarity_loss;
using rankloss::workspace;

/// A user's loss: the sum of the scores.
struct sum_of_scores {
  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace&) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      sum += static_cast<double>(items.scores[i]);
      if (!out.gradient.empty()) out.gradient[i] = T{1};
    }
    return sum;
  }
};

/// The same for several lists at once; a list in a group counts ten times, so that it is seen which was
/// called.
struct sum_in_groups : sum_of_scores {
  static constexpr std::size_t group_size() { return 2; }
  template <class T>
  static constexpr std::size_t group_longest() {
    return sizeof(T);
  }
  using sum_of_scores::operator();
  template <class T, class R>
  void operator()(std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out,
                  std::span<double> values, workspace& scratch) const {
    for (std::size_t l = 0; l < lists.size(); ++l)
      values[l] = 10.0 * sum_of_scores::operator()(lists[l], out[l], scratch);
  }
};

/// A loss whose operator an engine replaces.
struct negated_by_engine : sum_of_scores {};

/// A similarity loss of a user.
struct first_similarity {
  template <class T, class R>
  double run(const similarity_batch<T, R>& batch, const outputs&, context&, double share) const {
    return share * static_cast<double>(batch.similarity[0]);
  }
};

/// A preference loss, and the same with an engine of its own for batches.
struct half_a_pair {
  rankloss::preference_term operator()(double preferred, double other, double) const {
    return {other - preferred, -1.0, 1.0};
  }
};
struct counted_by_engine : half_a_pair {};

struct one_float_argument {
  double operator()(float) const { return 0.0; }
};

}  // namespace loss_test

template <>
struct rankloss::engine<loss_test::negated_by_engine, rankloss::context> {
  template <class T, class R>
  static double run(const loss_test::negated_by_engine& loss, const list<T, R>& items,
                    const list_outputs<T>& out, workspace& scratch) {
    return -loss(items, out, scratch);
  }
};

template <>
struct rankloss::engine<loss_test::counted_by_engine, rankloss::context> {
  template <class T>
  static double run(const loss_test::counted_by_engine&, const preference_batch<T>& batch, const outputs&,
                    double* tie_gradient, context&) {
    return tie_gradient == nullptr ? static_cast<double>(batch.preferred.size()) : -1.0;
  }
};

namespace loss_test {

TEST_CASE("loss: what is a loss of lists or of a matrix is asked of the engine") {
  STATIC_REQUIRE(ranking_loss<sum_of_scores, float>);
  STATIC_REQUIRE(ranking_loss<negated_by_engine, double, int>);
  STATIC_REQUIRE(ranking_loss<rankloss::sndcg, float, int>);
  STATIC_REQUIRE(similarity_loss<first_similarity, float>);
  STATIC_REQUIRE(similarity_loss<rankloss::triplet, double>);
  STATIC_REQUIRE(!similarity_loss<rankloss::sndcg, float>);
  STATIC_REQUIRE(ranking_loss<rankloss::triplet, float>);  // of one query
  STATIC_REQUIRE(!ranking_loss<first_similarity, float>);
  STATIC_REQUIRE(!ranking_loss<one_float_argument, float>);
  STATIC_REQUIRE(!similarity_loss<one_float_argument, float>);
}

TEST_CASE("loss: the engine of a loss without one is the loss's own operators") {
  const std::vector<double> s{1, 2, 4};
  const list_batch<double> batch{.scores = s, .relevance = s};
  CHECK(evaluate(sum_of_scores{}, batch) == 7.0);
  CHECK(evaluate(negated_by_engine{}, batch) == -7.0);
  CHECK(evaluate(first_similarity{}, similarity_batch<double>{.similarity = s, .rows = 1, .columns = 3}) ==
        1.0);
}

TEST_CASE("loss: an engine replaces that of all preference losses, after the checks of the batch") {
  const std::vector<double> rewards{1, 2, 4};
  const std::vector<int> preferred{0, 1}, other{2, 2}, nobody{2, 3};
  const rankloss::preference_batch<double> batch{.rewards = rewards, .preferred = preferred, .other = other};
  CHECK(evaluate(half_a_pair{}, batch) == 2.5);
  CHECK(evaluate(counted_by_engine{}, batch) == 2.0);
  CHECK_THROWS_WITH(
      evaluate(
          counted_by_engine{},
          rankloss::preference_batch<double>{.rewards = rewards, .preferred = preferred, .other = nobody}),
      "rankloss: other: 3 at pair 1, expected an item from 0 to below 3 (the number of rewards)");
}

TEST_CASE("loss: losses that are composed of others ask for their engines") {
  const std::vector<double> s{1, 2, 4};
  const list_batch<double> batch{.scores = s, .relevance = s};
  const rankloss::weighted_sum both{rankloss::weighted{2.0, negated_by_engine{}},
                                    rankloss::weighted{1.0, sum_of_scores{}}};
  CHECK(evaluate(both, batch) == -7.0);
  CHECK(evaluate(rankloss::stochastic<negated_by_engine>{.noise = 0.0, .samples = 3}, batch) == -7.0);
}

TEST_CASE("loss: an engine takes short lists in groups where it has the operator and the sizes") {
  STATIC_REQUIRE(rankloss::detail::grouped_loss<rankloss::sndcg>);
  STATIC_REQUIRE(rankloss::detail::grouped_loss<sum_in_groups>);
  STATIC_REQUIRE(!rankloss::detail::grouped_loss<sum_of_scores>);
  STATIC_REQUIRE(rankloss::detail::most_lists<sum_in_groups>() == 2);
  STATIC_REQUIRE(rankloss::detail::most_lists<sum_of_scores>() == 1);
  STATIC_REQUIRE(rankloss::detail::longest_grouped<sum_in_groups, float>() == 4);
  STATIC_REQUIRE(rankloss::detail::longest_grouped<sum_of_scores, float>() == 0);
  STATIC_REQUIRE(rankloss::detail::shortest_grouped<sum_in_groups, float>() == 0);
  const std::vector<float> s{1, 2, 3, 4, 1, 2, 3, 4, 5};
  const std::vector<int> offsets{0, 4, 9};
  std::vector<double> per_list(2);
  evaluate(sum_in_groups{}, list_batch<float>{.scores = s, .relevance = s, .offsets = offsets},
           {.per_list = per_list});
  CHECK(per_list == std::vector<double>{100, 15});
}

TEST_CASE("loss: what a loss does not give is refused") {
  const std::vector<double> s{1, 2};
  std::vector<double> g(2, 5.0);
  const list_batch<double> batch{.scores = s, .relevance = s};
  CHECK_THROWS_WITH(evaluate(sum_of_scores{}, batch, {.hessian = g}),
                    "rankloss: hessian: this loss has none, expected an empty output");
  CHECK_THROWS_WITH(evaluate(rankloss::metrics::ndcg{}, batch, {.gradient = g}),
                    "rankloss: gradient: a metric has none, expected an empty output");
  CHECK(g == std::vector<double>{5, 5});
  CHECK_THROWS_WITH(rankloss::detail::check_options(rankloss::sndcg{.temperature = 0.0}, outputs{}),
                    Catch::Contains("temperature: 0, expected"));
}

TEST_CASE("loss: a list is relevant by relevance and weight above 0, or by the loss's own rule") {
  const std::vector<double> s{1, 2}, y{0, 1}, none{0, 0}, w{1, 0};
  const auto items = [&](const std::vector<double>& relevance, std::span<const double> weights) {
    return list<double, double>{{s.data(), 2}, {relevance.data(), 2}, {weights.data(), weights.size()}};
  };
  CHECK(rankloss::detail::has_relevance(sum_of_scores{}, items(y, {})));
  CHECK(!rankloss::detail::has_relevance(sum_of_scores{}, items(none, {})));
  CHECK(!rankloss::detail::has_relevance(sum_of_scores{}, items(y, w)));
  const std::vector<double> table{0, 0};
  const rankloss::sndcg worthless{.gain = rankloss::gain::table, .gain_table = table};
  CHECK(!rankloss::detail::has_relevance(worthless, items(y, {})));
}

TEST_CASE("loss: the parts of a loss are those that it is composed of") {
  std::size_t parts = 0;
  const auto count = [&](const auto&) { ++parts; };
  rankloss::detail::for_each_inner(sum_of_scores{}, count);
  CHECK(parts == 1);
  rankloss::detail::for_each_inner(rankloss::weighted_sum{rankloss::weighted{1.0, sum_of_scores{}},
                                                          rankloss::weighted{1.0, rankloss::sndcg{}},
                                                          rankloss::weighted{0.0, rankloss::sndcg{}}},
                                   count);
  CHECK(parts == 3);  // a term of weight 0 is none
}

}  // namespace loss_test
