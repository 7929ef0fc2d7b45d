// SPDX-License-Identifier: BSL-1.0
#include "stages.hpp"

#include <rankloss/bradley_terry.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gae.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/pairwise_accuracy.hpp>
#include <rankloss/plackett_luce_policy.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/random.hpp>

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

namespace label_ranker {
namespace {

// Streams of a seed: one a stage, and one an epoch of it.
enum stream : std::uint64_t { of_base = 1, of_reward, of_pairs, of_lr2ppo, of_ppo };
rankloss::random_stream epoch_stream(const tune_options& how, stream stage, std::size_t epoch) {
  return {how.seed, 1000 * static_cast<std::uint64_t>(stage) + epoch};
}

std::span<float> as_span(vector<float>& v) { return {v.data(), static_cast<std::size_t>(v.size())}; }

/// A net and what moves it.
struct learner {
  net<float> model;
  adam<float> optimiser;
  double rate;
  net<float>::tape tape;
  vector<float> slopes;
  parameter_array<float> gradient;

  learner(net<float> start, double by, double decay)
      : model(std::move(start)),
        optimiser(parameter_array<float>::Zero(model.parameters().size()), decay),
        rate(by) {}

  const vector<float>& forward(const matrix<float>& features) {
    model.forward(features, tape);
    slopes.resize(tape.scores.size());
    return tape.scores;
  }
  /// Goes by the slopes.
  void step(const matrix<float>& features) {
    model.backward(features, tape, slopes, gradient);
    optimiser.step(model.parameters(), gradient, rate);
  }
};

/// Epoch after epoch, as long as the validation gets better; epoch(number, learner) returns what is told of it.
template <class Validate, class Epoch>
tuned tune(const net<float>& start, const tune_options& how, const observer& tell, Validate validate,
           Epoch epoch) {
  learner student(start, how.rate, how.decay);
  tuned best{.model = start, .validation = validate(start)};
  for (std::size_t e = 1; e <= how.epochs && e < best.epoch + how.patience + 1; ++e) {
    progress_state state = epoch(e, student);
    state.epoch = e;
    state.validation = validate(student.model);
    if (state.validation > best.validation) best = {student.model, state.validation, e};
    tell(state);
  }
  return best;
}

void gather(const matrix<float>& from, std::span<const std::size_t> rows, matrix<float>& to) {
  to.resize(index(rows.size()), from.cols());
  for (std::size_t i = 0; i < rows.size(); ++i) to.row(index(i)) = from.row(index(rows[i]));
}

/// Two items in an order, as the reward model and the critic see them: both, and where they differ.
void gather_pairs(const matrix<float>& from, std::span<const std::size_t> first,
                  std::span<const std::size_t> second, matrix<float>& to) {
  to.resize(index(first.size()), 3 * from.cols());
  for (std::size_t i = 0; i < first.size(); ++i) {
    const auto a = from.row(index(first[i])), b = from.row(index(second[i]));
    to.row(index(i)) << a, b, a - b;
  }
}

/// Pairs by the batch, in an order that is drawn anew each epoch.
template <class Use>
void for_batches(std::size_t count, std::size_t batch, rankloss::random_stream random, Use use) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  random.shuffle(order);
  for (std::size_t done = 0; done < count; done += batch)
    use(std::span<const std::size_t>(order).subspan(done, std::min(batch, count - done)));
}

constexpr std::size_t pair_batch = 64;

/// Random pairs of items of the same list, both ways round; lists with more pairs come up more often.
class pair_source {
 public:
  explicit pair_source(const lists& set) : set_(set) {
    for (std::size_t q = 0; q < set.count(); ++q) {
      const std::size_t n = set.offsets[q + 1] - set.offsets[q];
      ends_.push_back((ends_.empty() ? 0 : ends_.back()) + n * (n - std::min<std::size_t>(n, 1)));
    }
  }
  [[nodiscard]] std::pair<std::size_t, std::size_t> draw(rankloss::random_stream& random) const {
    const std::size_t at = random.below(ends_.back());
    const auto q = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin());
    const std::size_t first = set_.offsets[q], n = set_.offsets[q + 1] - first;
    const std::size_t a = random.below(n), b = random.below(n - 1);
    return {first + a, first + (b < a ? b : b + 1)};
  }

 private:
  const lists& set_;
  std::vector<std::size_t> ends_;
};

}  // namespace

net<float> new_scorer(const lists& set, const tune_options& how) {
  return net<float>(static_cast<std::size_t>(set.features.cols()), how.hidden,
                    rankloss::random_stream(how.seed, of_base));
}

double ndcg10(const net<float>& model, const lists& set, rankloss::context& context) {
  return rankloss::evaluate(rankloss::metrics::ndcg{.cutoff = 10}, set.with(model(set.features)), {},
                            context);
}

tuned tune_by_grades(const net<float>& start, const lists& set, const lists& validation,
                     const tune_options& how, rankloss::context& context, const observer& tell) {
  constexpr std::size_t lists_a_step = 8;
  const rankloss::pointwise<rankloss::item_functions::smooth_l1> loss{.function = {.beta = 0.3}};
  // The net has no bias: grades are counted from their mean.
  const float mean =
      std::accumulate(set.grades.begin(), set.grades.end(), 0.0F) / static_cast<float>(set.items());
  lists batch;
  return tune(
      start, how, tell, [&](const net<float>& model) { return ndcg10(model, validation, context); },
      [&](std::size_t epoch, learner& student) {
        double sum = 0.0;
        for_batches(set.count(), lists_a_step, epoch_stream(how, of_base, epoch),
                    [&](std::span<const std::size_t> chosen) {
                      batch.take(set, chosen);
                      for (float& y : batch.grades) y -= mean;
                      auto items = batch.with(student.forward(batch.features));
                      items.offsets = {};  // every item counts the same, whatever list it is of
                      items.reduction = rankloss::reduction::mean;
                      sum += static_cast<double>(chosen.size()) *
                             rankloss::evaluate(loss, items, {.gradient = as_span(student.slopes)}, context);
                      student.step(batch.features);
                    });
        return progress_state{.loss = sum / static_cast<double>(set.count())};
      });
}

net<float> align(const lists& set, const lists& validation, rankloss::context& context) {
  const tune_options how{.hidden = {32, 16}, .epochs = 40, .patience = 10, .rate = 3e-3, .seed = 1};
  return tune_by_grades(new_scorer(set, how), set, validation, how, context, [](const progress_state&) {})
      .model;
}

tuned tune_by_pairs(const net<float>& base, const lists& set, const rankloss::ordered_pairs& pairs,
                    const lists& validation, const tune_options& how, rankloss::context& context,
                    const observer& tell) {
  std::vector<std::size_t> rows, preferred, other;
  matrix<float> features;
  return tune(
      base, how, tell, [&](const net<float>& model) { return ndcg10(model, validation, context); },
      [&](std::size_t epoch, learner& student) {
        double sum = 0.0;
        for_batches(pairs.preferred.size(), pair_batch, epoch_stream(how, of_pairs, epoch),
                    [&](std::span<const std::size_t> chosen) {
                      rows.clear();
                      preferred.clear();
                      other.clear();
                      for (const std::size_t k : chosen) {
                        preferred.push_back(rows.size());
                        rows.push_back(pairs.preferred[k]);
                        other.push_back(rows.size());
                        rows.push_back(pairs.other[k]);
                      }
                      gather(set.features, rows, features);
                      const vector<float>& scores = student.forward(features);
                      const rankloss::preference_batch<float> batch{
                          .rewards = {scores.data(), rows.size()}, .preferred = preferred, .other = other};
                      sum += static_cast<double>(chosen.size()) *
                             rankloss::evaluate(rankloss::bradley_terry{}, batch,
                                                {.gradient = as_span(student.slopes)}, context);
                      student.step(features);
                    });
        return progress_state{.loss = sum / static_cast<double>(pairs.preferred.size())};
      });
}

double reward_accuracy(const net<float>& reward, const lists& set, const rankloss::ordered_pairs& pairs) {
  matrix<float> features;
  gather_pairs(set.features, pairs.preferred, pairs.other, features);
  const vector<float> right = reward(features);
  gather_pairs(set.features, pairs.other, pairs.preferred, features);
  const vector<float> wrong = reward(features);
  const auto count = [&](auto is) { return static_cast<double>(is.template cast<int>().sum()); };
  const double all = count(right.array() > wrong.array()) + 0.5 * count(right.array() == wrong.array());
  return pairs.preferred.empty() ? 0.0 : all / static_cast<double>(pairs.preferred.size());
}

tuned train_reward(const lists& set, const rankloss::ordered_pairs& pairs, const lists& validation,
                   double margin, const tune_options& how, rankloss::context& context, const observer& tell) {
  constexpr std::size_t checked = 20;  // pairs a list
  const rankloss::margin_ranking loss{.margin = margin};
  const rankloss::ordered_pairs held_out =
      rankloss::partial_order::from_grades(validation.offsets, validation.grades)
          .sample_pairs(checked, how.seed);
  std::vector<std::size_t> first, second, preferred, other;
  matrix<float> features;
  return tune(
      net<float>(3 * static_cast<std::size_t>(set.features.cols()), how.hidden,
                 rankloss::random_stream(how.seed, of_reward)),
      how, tell, [&](const net<float>& model) { return reward_accuracy(model, validation, held_out); },
      [&](std::size_t epoch, learner& student) {
        double sum = 0.0;
        for_batches(pairs.preferred.size(), pair_batch, epoch_stream(how, of_reward, epoch),
                    [&](std::span<const std::size_t> chosen) {
                      first.clear();
                      second.clear();
                      preferred.clear();
                      other.clear();
                      for (const std::size_t k : chosen) {
                        preferred.push_back(first.size());
                        first.push_back(pairs.preferred[k]);
                        second.push_back(pairs.other[k]);
                        other.push_back(first.size());
                        first.push_back(pairs.other[k]);
                        second.push_back(pairs.preferred[k]);
                      }
                      gather_pairs(set.features, first, second, features);
                      const vector<float>& rewards = student.forward(features);
                      const rankloss::preference_batch<float> batch{
                          .rewards = {rewards.data(), first.size()},
                          .preferred = preferred,
                          .other = other,
                          .reduction = rankloss::reduction::mean_of_relevant};
                      sum += static_cast<double>(chosen.size()) *
                             rankloss::evaluate(loss, batch, {.gradient = as_span(student.slopes)}, context);
                      student.step(features);
                    });
        return progress_state{.loss = sum / static_cast<double>(pairs.preferred.size())};
      });
}

tuned tune_by_lr2ppo(const net<float>& base, const net<float>& reward, const lists& set,
                     const lists& validation, const lr2ppo_options& options, const tune_options& how,
                     rankloss::context& context, const observer& tell) {
  const pair_source states(set);
  learner judge(reward, options.critic_rate, how.decay);
  const std::size_t count = options.batch * options.rollouts;
  std::vector<std::size_t> first(count), second(count), rows(2 * options.batch), offsets(options.batch + 1);
  std::iota(offsets.begin(), offsets.end(), std::size_t{0});
  for (std::size_t& o : offsets) o *= 2;
  std::vector<std::int32_t> orders(2 * count);
  std::vector<double> shaped(options.batch);
  std::vector<float> old_scores(2 * count), log_probabilities(options.batch),
      old_log_probabilities(options.batch), entropies(options.batch);
  matrix<float> features;
  rankloss::policy_diagnostics found;

  return tune(
      base, how, tell, [&](const net<float>& model) { return ndcg10(model, validation, context); },
      [&](std::size_t epoch, learner& actor) {
        // Rollout: the old policy sorts each pair, the reward model looks at the order, the critic at the pair as it came.
        rankloss::random_stream random = epoch_stream(how, of_lr2ppo, epoch);
        std::vector<std::size_t> above(count), below(count);
        for (std::size_t k = 0; k < count; ++k) std::tie(first[k], second[k]) = states.draw(random);
        gather(set.features, first, features);
        const vector<float> of_first = actor.model(features);
        gather(set.features, second, features);
        const vector<float> of_second = actor.model(features);
        for (std::size_t k = 0; k < count; ++k) {
          old_scores[2 * k] = of_first(index(k));
          old_scores[2 * k + 1] = of_second(index(k));
          const bool kept = of_first(index(k)) >= of_second(index(k));
          orders[2 * k] = kept ? 0 : 1;
          orders[2 * k + 1] = kept ? 1 : 0;
          above[k] = kept ? first[k] : second[k];
          below[k] = kept ? second[k] : first[k];
        }
        gather_pairs(set.features, above, below, features);
        const vector<float> rewards = reward(features);
        gather_pairs(set.features, first, second, features);
        const vector<float> old_values = judge.model(features);

        double sum = 0.0;
        for (std::size_t b = 0; b < options.rollouts; ++b) {
          const std::size_t at = b * options.batch;
          for (std::size_t k = 0; k < options.batch; ++k) {
            rows[2 * k] = first[at + k];
            rows[2 * k + 1] = second[at + k];
          }
          gather(set.features, rows, features);
          const vector<float>& scores = actor.forward(features);
          const rankloss::label_policy_batch<float> batch{
              .scores = {scores.data(), rows.size()},
              .old_scores = std::span<const float>(old_scores).subspan(2 * at, 2 * options.batch),
              .orders = std::span<const std::int32_t>(orders).subspan(2 * at, 2 * options.batch),
              .offsets = offsets,
              .rewards = std::span<const float>(rewards.data() + at, options.batch),
              .old_values = std::span<const float>(old_values.data() + at, options.batch)};
          sum += rankloss::evaluate(options.loss, batch, {.gradient = as_span(actor.slopes)}, context);
          rankloss::shape_rewards(options.loss, batch, shaped, context);
          if (b + 1 == options.rollouts) {
            // A pair's order has the probability that the softmax gives the upper one.
            for (std::size_t k = 0; k < options.batch; ++k) {
              const auto log_share = [&](double upper, double lower) {
                return -std::log1p(std::exp(lower - upper));
              };
              const std::size_t o = 2 * (at + k);
              const double up =
                  static_cast<double>(scores(index(2 * k + static_cast<std::size_t>(orders[o]))));
              const double down =
                  static_cast<double>(scores(index(2 * k + static_cast<std::size_t>(orders[o + 1]))));
              const double old_up = static_cast<double>(std::max(old_scores[o], old_scores[o + 1]));
              const double old_down = static_cast<double>(std::min(old_scores[o], old_scores[o + 1]));
              const double p = std::exp(log_share(up, down));
              log_probabilities[k] = static_cast<float>(log_share(up, down));
              old_log_probabilities[k] = static_cast<float>(log_share(old_up, old_down));
              entropies[k] = static_cast<float>(-p * log_share(up, down) - (1.0 - p) * log_share(down, up));
            }
            const std::vector<float> none(options.batch, 0.0F);
            found = rankloss::diagnose(
                rankloss::ppo{}, rankloss::policy_batch<float>{.log_probabilities = log_probabilities,
                                                               .old_log_probabilities = old_log_probabilities,
                                                               .advantages = none,
                                                               .entropies = entropies});
          }
          actor.step(features);

          gather_pairs(set.features, std::span(first).subspan(at, options.batch),
                       std::span(second).subspan(at, options.batch), features);
          const vector<float>& values = judge.forward(features);
          const std::vector<float> returns(shaped.begin(), shaped.end());
          const rankloss::value_batch<float> judged{
              .values = {values.data(), options.batch},
              .returns = returns,
              .old_values = std::span<const float>(old_values.data() + at, options.batch)};
          (void)rankloss::evaluate(rankloss::critic{.clip = 0.5}, judged,
                                   {.gradient = as_span(judge.slopes), .scale = 2.0}, context);
          judge.step(features);
        }
        return progress_state{.loss = sum / static_cast<double>(options.rollouts), .policy = &found};
      });
}

tuned tune_by_ppo(const net<float>& base, const net<float>& reward, const lists& set, const lists& validation,
                  const plackett_luce_options& options, const tune_options& how, rankloss::context& context,
                  const observer& tell) {
  std::vector<std::size_t> with_pairs;
  for (std::size_t q = 0; q < set.count(); ++q)
    if (set.offsets[q + 1] - set.offsets[q] > 1) with_pairs.push_back(q);
  rankloss::plackett_luce_policy policy{.temperature = options.temperature};
  std::vector<std::size_t> rows, first, second, offsets, group;
  std::vector<std::uint32_t> order, orders;
  std::vector<double> old_logs, logs, reference_logs, entropies, rewards, baselines, advantages, upstream,
      entropy_upstream;
  std::vector<float> scores, gradient;
  matrix<float> items, pairs;
  rankloss::policy_diagnostics found;

  return tune(
      base, how, tell, [&](const net<float>& model) { return ndcg10(model, validation, context); },
      [&](std::size_t epoch, learner& actor) {
        double sum = 0.0;
        std::size_t steps = 0;
        rankloss::random_stream random = epoch_stream(how, of_ppo, epoch);
        for_batches(
            with_pairs.size(), options.lists_a_step, epoch_stream(how, of_ppo, 500 + epoch),
            [&](std::span<const std::size_t> chosen) {
              // States: some items of each list. Each is there `samples` times, one after the other, for its orders.
              rows.clear();
              offsets.assign(1, 0);
              group.clear();
              for (const std::size_t c : chosen) {
                const std::size_t q = with_pairs[c];
                std::vector<std::size_t> own(set.offsets[q + 1] - set.offsets[q]);
                std::iota(own.begin(), own.end(), set.offsets[q]);
                random.shuffle(own);
                own.resize(std::min(own.size(), options.longest));
                group.push_back(rows.size());
                rows.insert(rows.end(), own.begin(), own.end());
                for (std::size_t s = 0; s < options.samples; ++s)
                  offsets.push_back(offsets.back() + own.size());
              }
              group.push_back(rows.size());
              gather(set.features, rows, items);
              // Scores of the items, once for each order.
              const auto spread = [&](const vector<float>& of_items) {
                scores.clear();
                for (std::size_t g = 0; g + 1 < group.size(); ++g)
                  for (std::size_t s = 0; s < options.samples; ++s)
                    scores.insert(scores.end(), of_items.data() + group[g], of_items.data() + group[g + 1]);
              };
              const std::size_t count = offsets.size() - 1;

              // Actions, and what the reward model says of them: the mean over the pairs of an order of how much better than the other way round.
              spread(actor.model(items));
              orders.resize(scores.size());
              policy.seed = how.seed;
              rankloss::sample_orders(policy, std::span<const float>(scores), offsets,
                                      static_cast<std::uint32_t>(1000 * epoch + steps), orders, context);
              const auto log_probabilities = [&](std::vector<double>& to) {
                to.resize(count);
                rankloss::evaluate_orders(policy, rankloss::order_batch<float>{scores, orders, offsets},
                                          {.log_probabilities = to}, context);
              };
              log_probabilities(old_logs);
              rewards.assign(count, 0.0);
              baselines.assign(count, 0.0);
              for (std::size_t g = 0; g + 1 < group.size(); ++g) {
                const std::size_t n = group[g + 1] - group[g];
                first.clear();
                second.clear();
                for (std::size_t a = 0; a < n; ++a)
                  for (std::size_t b = 0; b < n; ++b) {
                    first.push_back(rows[group[g] + a]);
                    second.push_back(rows[group[g] + b]);
                  }
                gather_pairs(set.features, first, second, pairs);
                const vector<float> of_pair = reward(pairs);
                double all = 0.0;
                for (std::size_t s = 0; s < options.samples; ++s) {
                  const std::size_t list = g * options.samples + s;
                  order.assign(orders.begin() + static_cast<std::ptrdiff_t>(offsets[list]),
                               orders.begin() + static_cast<std::ptrdiff_t>(offsets[list + 1]));
                  for (std::size_t a = 0; a < n; ++a)
                    for (std::size_t b = a + 1; b < n; ++b) {
                      const float right = of_pair(index(order[a] * n + order[b])),
                                  wrong = of_pair(index(order[b] * n + order[a]));
                      rewards[list] +=
                          static_cast<double>(right - wrong) / (0.5 * static_cast<double>(n * (n - 1)));
                    }
                  all += rewards[list];
                }
                for (std::size_t s = 0; s < options.samples; ++s) {
                  const std::size_t list = g * options.samples + s;
                  baselines[list] = (all - rewards[list]) / static_cast<double>(options.samples - 1);
                }
              }
              // Episodes of one step: a discount of 0 ends each.
              advantages.resize(count);
              rankloss::estimate_advantages(
                  rankloss::trajectory_batch<double>{.rewards = rewards, .values = baselines},
                  {.discount = 0.0, .whitening = rankloss::whitening::population}, advantages, {}, context);
              spread(base(items));
              log_probabilities(reference_logs);

              for (std::size_t pass = 0; pass < options.passes; ++pass) {
                spread(actor.forward(items));
                logs.resize(count);
                entropies.resize(count);
                const rankloss::order_batch<float> batch{scores, orders, offsets};
                rankloss::evaluate_orders(policy, batch, {.log_probabilities = logs, .entropies = entropies},
                                          context);
                const rankloss::policy_batch<double> actions{.log_probabilities = logs,
                                                             .old_log_probabilities = old_logs,
                                                             .advantages = advantages,
                                                             .reference_log_probabilities = reference_logs,
                                                             .entropies = entropies};
                upstream.resize(count);
                sum += rankloss::evaluate(options.loss, actions, {.gradient = upstream}, context) /
                       static_cast<double>(options.passes);
                found = rankloss::diagnose(options.loss, actions);
                entropy_upstream.assign(count, -options.entropy_coefficient / static_cast<double>(count));
                gradient.resize(scores.size());
                rankloss::evaluate_orders(
                    policy, batch,
                    {.gradient = gradient, .upstream = upstream, .entropy_upstream = entropy_upstream},
                    context);
                actor.slopes.setZero();
                for (std::size_t g = 0, at = 0; g + 1 < group.size(); ++g)
                  for (std::size_t s = 0; s < options.samples; ++s)
                    for (std::size_t i = group[g]; i < group[g + 1]; ++i)
                      actor.slopes(index(i)) += gradient[at++];
                actor.step(items);
              }
              ++steps;
            });
        return progress_state{.loss = sum / static_cast<double>(std::max<std::size_t>(steps, 1)),
                              .policy = &found};
      });
}

std::vector<quality> measure(const lists& set, const vector<float>& scores, rankloss::context& context) {
  using rankloss::metrics::ndcg;
  const auto all =
      examples::measure_each(set, scores, context, ndcg{.cutoff = 1}, ndcg{.cutoff = 3}, ndcg{.cutoff = 5},
                             ndcg{.cutoff = 10}, ndcg{.cutoff = 20}, rankloss::metrics::pairwise_accuracy{});
  // A list with one grade in it has no pair and no order to find.
  std::vector<quality> counted;
  for (std::size_t q = 0; q < all.size(); ++q) {
    const auto begin = set.grades.begin() + static_cast<std::ptrdiff_t>(set.offsets[q]),
               end = set.grades.begin() + static_cast<std::ptrdiff_t>(set.offsets[q + 1]);
    if (std::adjacent_find(begin, end, std::not_equal_to<>()) != end) counted.push_back({all[q]});
  }
  return counted;
}

}  // namespace label_ranker
