// SPDX-License-Identifier: BSL-1.0
#include <catch2/catch.hpp>

#include "../data.hpp"
#include "../report.hpp"
#include "../stages.hpp"

#include <rankloss/evaluate.hpp>
#include <rankloss/plackett_luce_policy.hpp>
#include <rankloss/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace {

using namespace label_ranker;
using rankloss::random_stream;

const observer silent = [](const progress_state&) {};

/// Lists whose grades follow from two of five features.
lists toy_lists(std::size_t count, std::uint64_t seed) {
  random_stream random(seed, 0);
  lists set;
  for (std::size_t q = 0; q < count; ++q) set.offsets.push_back(set.offsets.back() + 2 + random.below(9));
  set.features.resize(static_cast<Eigen::Index>(set.offsets.back()), 5);
  for (float& x : set.features.reshaped()) x = static_cast<float>(random.normal());
  for (Eigen::Index i = 0; i < set.features.rows(); ++i)
    set.grades.push_back(std::clamp(std::floor(set.features(i, 0) - set.features(i, 1) + 1.0F), 0.0F, 4.0F));
  return set;
}

/// Slopes of value() by each parameter, by differences, beside those found by backward.
template <class Value>
void check_gradient(net<double>& model, const matrix<double>& features, const vector<double>& upstream,
                    Value value) {
  net<double>::tape tape;
  model.forward(features, tape);
  parameter_array<double> gradient;
  model.backward(features, tape, upstream, gradient);
  for (Eigen::Index p = 0; p < gradient.size(); ++p) {
    const double at = model.parameters()(p), h = 1e-6;
    model.parameters()(p) = at + h;
    const double above = value();
    model.parameters()(p) = at - h;
    const double below = value();
    model.parameters()(p) = at;
    CHECK(gradient(p) == Approx((above - below) / (2 * h)).margin(1e-7));
  }
}

TEST_CASE("both policy losses: the gradient of every parameter of the actor is that of differences") {
  const lists set = toy_lists(4, 3);
  const matrix<double> features = set.features.cast<double>();
  const auto n = static_cast<std::size_t>(features.rows());
  net<double> actor(5, {6}, random_stream(1, 1));
  const net<double> old(5, {6}, random_stream(2, 1)), base(5, {6}, random_stream(3, 1));
  const auto view = [](const vector<double>& v) {
    return std::span<const double>(v.data(), static_cast<std::size_t>(v.size()));
  };
  std::vector<std::int32_t> orders;
  for (std::size_t q = 0; q < set.count(); ++q)
    for (std::size_t k = set.offsets[q + 1] - set.offsets[q]; k-- > 0;)
      orders.push_back(static_cast<std::int32_t>(k));
  const std::vector<double> advantages{0.5, -1.5, 2.0, -0.1}, none(4, 0.0);
  vector<double> slopes(features.rows());
  const std::span<double> by_score(slopes.data(), n);
  const vector<double> old_scores = old(features), base_scores = base(features);

  SECTION("LR2PPO, as published: its penalty is part of the gradient") {
    const rankloss::lr2ppo loss{.form = rankloss::lr2ppo_form::published,
                                .margin = 0.5,
                                .kl_coefficient = 0.3,
                                .entropy_coefficient = 0.2};
    const auto value = [&](const rankloss::outputs& out) {
      const vector<double> scores = actor(features);
      rankloss::context context;
      return rankloss::evaluate(loss,
                                rankloss::label_policy_batch<double>{.scores = view(scores),
                                                                     .old_scores = view(old_scores),
                                                                     .orders = orders,
                                                                     .offsets = set.offsets,
                                                                     .rewards = advantages,
                                                                     .old_values = none},
                                out, context);
    };
    value({.gradient = by_score});
    check_gradient(actor, features, slopes, [&] { return value({}); });
  }
  SECTION("PPO over orders, with a penalty and an entropy bonus") {
    const rankloss::ppo loss{.clip = 0.9, .kl_coefficient = 0.4};
    const rankloss::plackett_luce_policy policy{.temperature = 0.7};
    rankloss::context context;
    const auto logs_of = [&](const vector<double>& scores, std::vector<double>& entropies) {
      std::vector<double> logs(4);
      entropies.resize(4);
      rankloss::evaluate_orders(policy, rankloss::order_batch<double>{view(scores), orders, set.offsets},
                                {.log_probabilities = logs, .entropies = entropies}, context);
      return logs;
    };
    std::vector<double> entropies, unused;
    // Near the policy that learns, so that no ratio is clipped.
    const std::vector<double> reference = logs_of(base_scores, unused);
    std::vector<double> old_logs = logs_of(actor(features), unused);
    for (std::size_t q = 0; q < 4; ++q) old_logs[q] += 0.1 * (static_cast<double>(q) - 1.5);
    const auto value = [&](std::vector<double>* upstream) {
      const std::vector<double> logs = logs_of(actor(features), entropies);
      const rankloss::policy_batch<double> batch{.log_probabilities = logs,
                                                 .old_log_probabilities = old_logs,
                                                 .advantages = advantages,
                                                 .reference_log_probabilities = reference};
      const double of_ppo = upstream == nullptr ? rankloss::evaluate(loss, batch)
                                                : rankloss::evaluate(loss, batch, {.gradient = *upstream});
      return of_ppo - 0.2 / 4 * std::accumulate(entropies.begin(), entropies.end(), 0.0);
    };
    std::vector<double> upstream(4);
    const std::vector<double> bonus(4, -0.2 / 4);
    value(&upstream);
    const vector<double> scores = actor(features);
    rankloss::evaluate_orders(policy, rankloss::order_batch<double>{view(scores), orders, set.offsets},
                              {.gradient = by_score, .upstream = upstream, .entropy_upstream = bonus},
                              context);
    check_gradient(actor, features, slopes, [&] { return value(nullptr); });
  }
}

TEST_CASE("the stages learn what the grades follow from, and the same numbers give the same model") {
  const lists set = toy_lists(60, 1), validation = toy_lists(30, 2);
  rankloss::context context;
  tune_options how{.hidden = {16}, .epochs = 15, .rate = 3e-3};
  const net<float> start = new_scorer(set, how);
  const double untrained = ndcg10(start, validation, context);
  const tuned base = tune_by_grades(start, set, validation, how, context, silent);
  CHECK(base.validation > untrained + 0.1);
  CHECK(ndcg10(base.model, validation, context) == base.validation);

  const auto pairs = rankloss::partial_order::from_grades(set.offsets, set.grades).sample_pairs(8, 1);
  const tuned direct = tune_by_pairs(start, set, pairs, validation, how, context, silent);
  CHECK(direct.validation > untrained + 0.1);
  const tuned reward = train_reward(set, pairs, validation, 1.0, how, context, silent);
  CHECK(reward.validation > 0.8);
  CHECK(reward_accuracy(reward.model, set, pairs) > 0.85);

  for (const rankloss::lr2ppo_form form :
       {rankloss::lr2ppo_form::corrected, rankloss::lr2ppo_form::published}) {
    const lr2ppo_options options{.loss = {.form = form, .margin = 0.3}};
    const auto train = [&] {
      return tune_by_lr2ppo(start, reward.model, set, validation, options, how, context, silent);
    };
    const tuned actor = train();
    CHECK(actor.validation > untrained + 0.02);
    CHECK((actor.model.parameters() == train().model.parameters()).all());
  }
  std::size_t epochs = 0;
  const auto train = [&](const observer& tell) {
    return tune_by_ppo(start, reward.model, set, validation, {}, how, context, tell);
  };
  const tuned actor = train([&](const progress_state& state) {
    ++epochs;
    REQUIRE(state.policy != nullptr);
    CHECK(state.policy->clip_fraction >= 0.0);
    CHECK(state.policy->clip_fraction <= 1.0);
    CHECK(state.policy->kl_k3 < 0.1);
    CHECK(state.policy->reference_kl_k3 > 0.0);
    CHECK(state.policy->entropy > 0.0);
  });
  CHECK(epochs >= actor.epoch);
  CHECK(actor.validation > untrained + 0.1);
  CHECK((actor.model.parameters() == train(silent).model.parameters()).all());
}

TEST_CASE("measure: lists of one grade are left out, the others are measured by their order") {
  lists set;
  set.grades = {0, 1, 2, 3, 3, 2, 0};
  set.offsets = {0, 3, 5, 7};
  vector<float> scores(7);
  scores << 1, 2, 3, 0, 1, 0, 1;
  rankloss::context context;
  const auto found = measure(set, scores, context);
  REQUIRE(found.size() == 2);
  for (const double x : found[0].values) CHECK(x == 1.0);
  CHECK(found[1].values[quality::ndcg1] == 0.0);
  CHECK(found[1].values[quality::ndcg10] == Approx(1 / std::log2(3.0)));
  CHECK(found[1].values[quality::pairs] == 0.0);
}

TEST_CASE("made data: the truth ranks better than the features' grades can, and the domains differ") {
  const transfer data = make(1);
  rankloss::context context;
  const auto mean = [](const std::vector<quality>& all) {
    double sum = 0.0;
    for (const quality& q : all) sum += q.values[quality::ndcg10];
    return sum / static_cast<double>(all.size());
  };
  const vector<float> truth =
      Eigen::Map<const vector<float>>(data.truth.data(), static_cast<Eigen::Index>(data.truth.size()));
  CHECK(mean(measure(data.target_test, truth, context)) > 0.95);
  CHECK(mean(measure(data.target_test, vector<float>::Zero(truth.size()), context)) < 0.7);
  CHECK(data.source.features.cols() == data.target_test.features.cols());
  CHECK(make(1).target.grades == data.target.grades);
  CHECK(make(2).target.grades != data.target.grades);
}

TEST_CASE("a row's mean and deviation are those of its runs") {
  const auto run = [](double a, double b) {
    std::vector<quality> lists(2);
    lists[0].values[quality::ndcg10] = a;
    lists[1].values[quality::ndcg10] = b;
    return lists;
  };
  const result row{.name = "x", .runs = {run(0.2, 0.4), run(0.6, 1.0)}};
  CHECK(row.per_list(quality::ndcg10) == std::vector<double>{0.4, 0.7});
  CHECK(row.mean(quality::ndcg10) == Approx(0.55));
  CHECK(row.deviation(quality::ndcg10) == Approx(std::sqrt(2 * 0.25 * 0.25)));
}

}  // namespace
