// SPDX-License-Identifier: BSL-1.0

// The losses of pairs, of policy steps and of orders: a new one joins by a line in `pair_losses`,
// `step_losses` or `order_losses`.

#include "subjects.hpp"

#include <rankloss/bradley_terry.hpp>
#include <rankloss/davidson.hpp>
#include <rankloss/lr2ppo.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/plackett_luce.hpp>
#include <rankloss/ppo.hpp>
#include <rankloss/rao_kupper.hpp>

#include "embeddings.hpp"
#include "orders.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace promises {

using rankloss::context;
using rankloss::outputs;
using rankloss::preference_batch;
using rankloss::reduction;

namespace {

template <class T>
step_loss<T> of_policy(std::string label, const rankloss::ppo& loss, bool to_reference = false) {
  return {std::move(label),
          {"log_probabilities", "old_log_probabilities",
           to_reference ? "reference_log_probabilities" : "advantages"},
          [=](std::span<const T> x, const steps<T>& s, const outputs& out, context& ctx) {
            rankloss::policy_batch<T> batch{.log_probabilities = x,
                                            .old_log_probabilities = s.before,
                                            .advantages = s.target,
                                            .weights = s.weights,
                                            .mask = s.mask};
            if (to_reference) batch.reference_log_probabilities = s.target;
            return evaluate(loss, batch, out, ctx);
          }};
}
template <class T>
step_loss<T> of_critic(std::string label, const rankloss::critic& loss, bool clipped) {
  return {std::move(label),
          {"values", clipped ? "old_values" : "", "returns"},
          [=](std::span<const T> x, const steps<T>& s, const outputs& out, context& ctx) {
            rankloss::value_batch<T> batch{
                .values = x, .returns = s.target, .weights = s.weights, .mask = s.mask};
            if (clipped) batch.old_values = s.before;
            return evaluate(loss, batch, out, ctx);
          }};
}

template <class T>
order_loss<T> of_labels(std::string label, const rankloss::lr2ppo& loss) {
  return {std::move(label), false,
          [=](std::span<const T> x, const orders<T>& o, const outputs& out, context& ctx) {
            return evaluate(loss,
                            rankloss::label_policy_batch<T>{.scores = x,
                                                            .old_scores = o.old_scores,
                                                            .orders = o.acted,
                                                            .offsets = o.offsets,
                                                            .rewards = o.rewards},
                            out, ctx);
          }};
}
template <class T>
order_loss<T> of_partial(std::string label, const rankloss::plackett_luce& loss, bool levels, reduction how) {
  return {std::move(label), true,
          [=](std::span<const T> x, const orders<T>& o, const outputs& out, context& ctx) {
            return evaluate(loss,
                            rankloss::partial_order_batch<T>{.scores = x,
                                                             .order = levels ? o.by_levels : o.by_pairs,
                                                             .list_weights = o.weights,
                                                             .reduction = how},
                            out, ctx);
          }};
}

/// By its tie parameter: `from(parameter)` is the loss, and the parameter's slope goes to an output of its
/// own.
template <class T, class From>
double call_by_parameter(From from, std::span<const T> x, const preference_batch<T>& batch,
                         const outputs& out, context& ctx) {
  const auto loss = from(static_cast<double>(x[0]));
  if (out.gradient.empty()) return evaluate(loss, batch, out, ctx);
  return out.gradient.visit([&](auto* gradient) {
    double slope = static_cast<double>(*gradient);
    const double value = evaluate(
        loss, batch, {.per_list = out.per_list, .scale = out.scale, .update = out.update}, slope, ctx);
    *gradient = static_cast<std::remove_pointer_t<decltype(gradient)>>(slope);
    return value;
  });
}

}  // namespace

template <class T>
const std::vector<pair_loss<T>>& pair_losses() {
  static const std::vector<pair_loss<T>> all{
      {"bradley_terry", rankloss::bradley_terry{}},
      {"bradley_terry, temperature, smoothing and centring",
       rankloss::bradley_terry{.temperature = 0.5, .smoothing = 0.1, .centring = 0.02}},
      {"margin_ranking", rankloss::margin_ranking{.margin = 0.51}},
      {"rao_kupper", rankloss::rao_kupper{}},
      {"rao_kupper, temperature and threshold", rankloss::rao_kupper{.temperature = 0.5, .threshold = 0.05}},
      {"davidson", rankloss::davidson{}},
      {"davidson, temperature and prevalence",
       rankloss::davidson{.temperature = 0.5, .log_prevalence = -2.0}},
  };
  return all;
}

template <class T>
const std::vector<step_loss<T>>& step_losses() {
  using rankloss::kl_estimator;
  using rankloss::ppo;
  static const std::vector<step_loss<T>> all{
      of_policy<T>("ppo", ppo{}),
      of_policy<T>("ppo, dual clip", ppo{.clip = 0.2, .dual_clip = 3}),
      of_policy<T>("ppo, k1", ppo{.kl_coefficient = 0.3, .estimator = kl_estimator::k1}),
      of_policy<T>("ppo, k2", ppo{.kl_coefficient = 0.3, .estimator = kl_estimator::k2}),
      of_policy<T>("ppo, k3", ppo{.clip = 1e9, .kl_coefficient = 0.3}),
      of_policy<T>("ppo, k3 to a reference", ppo{.kl_coefficient = 0.3}, true),
      of_critic<T>("critic", rankloss::critic{}, true),
      of_critic<T>("critic without old values", rankloss::critic{}, false),
  };
  return all;
}

template <class T>
const std::vector<order_loss<T>>& order_losses() {
  using rankloss::lr2ppo;
  using rankloss::order_likelihood;
  using rankloss::plackett_luce;
  static const std::vector<order_loss<T>> all{
      // Where there is a penalty the corrected form's gradient is not the slope of its value: advantages are
      // constants to it.
      of_labels<T>("lr2ppo", lr2ppo{.margin = 0.51, .kl_coefficient = 0.0, .entropy_coefficient = 0.2}),
      of_labels<T>("lr2ppo, published", lr2ppo{.form = rankloss::lr2ppo_form::published,
                                               .margin = 0.51,
                                               .kl_coefficient = 0.01,
                                               .entropy_coefficient = 0.2}),
      of_partial<T>("plackett_luce, levels", plackett_luce{}, true, reduction::mean),
      of_partial<T>("plackett_luce, pairs", plackett_luce{.temperature = 0.5}, false,
                    reduction::mean_of_relevant),
      of_partial<T>("plackett_luce, by levels' pairs",
                    plackett_luce{.likelihood = order_likelihood::by_pairs}, true, reduction::sum),
      of_partial<T>("plackett_luce, by pairs", plackett_luce{.likelihood = order_likelihood::by_pairs}, false,
                    reduction::mean),
  };
  return all;
}

template <class T>
std::vector<subject<T>> subjects() {
  static const pairs<T> of_pairs(1);
  static const steps<T> of_steps = some_steps<T>(2);
  std::vector<subject<T>> all;
  const std::size_t count = of_pairs.preferred.size();
  for (const reduction how : reductions) {
    const std::string by = ", reduction " + std::to_string(static_cast<int>(how));
    for (const pair_loss<T>& loss : pair_losses<T>())
      all.push_back({loss.name + by, of_pairs.rewards, count, loss.has_hessian, true,
                     [&loss, how](std::span<const T> x, const outputs& out, context& ctx) {
                       auto batch = of_pairs.batch(loss, how);
                       batch.rewards = x;
                       return loss.call(batch, out, ctx);
                     }});
    const auto by_parameter = [&](const std::string& name, double start, auto from) {
      all.push_back({name + by,
                     {static_cast<T>(start)},
                     count,
                     false,
                     false,
                     [=](std::span<const T> x, const outputs& out, context& ctx) {
                       auto batch = of_pairs.batch(pair_losses<T>().back(), how);
                       return call_by_parameter<T>(from, x, batch, out, ctx);
                     }});
    };
    by_parameter("rao_kupper by its threshold", 0.75,
                 [](double x) { return rankloss::rao_kupper{.threshold = x}; });
    by_parameter("davidson by its prevalence", -0.5,
                 [](double x) { return rankloss::davidson{.log_prevalence = x}; });
  }
  for (const step_loss<T>& loss : step_losses<T>())
    all.push_back({loss.name, of_steps.x, 0, false, true,
                   [&loss](std::span<const T> x, const outputs& out, context& ctx) {
                     return loss.call(x, of_steps, out, ctx);
                   }});
  static const orders<T> of_orders(3);
  for (const order_loss<T>& loss : order_losses<T>())
    all.push_back({loss.name, of_orders.scores, of_orders.rewards.size(), loss.has_hessian, true,
                   [&loss](std::span<const T> x, const outputs& out, context& ctx) {
                     return loss.call(x, of_orders, out, ctx);
                   }});
  for (subject<T>& of : embedding_subjects<T>()) all.push_back(std::move(of));
  return all;
}

template const std::vector<pair_loss<float>>& pair_losses<float>();
template const std::vector<pair_loss<double>>& pair_losses<double>();
template const std::vector<step_loss<float>>& step_losses<float>();
template const std::vector<step_loss<double>>& step_losses<double>();
template const std::vector<order_loss<float>>& order_losses<float>();
template const std::vector<order_loss<double>>& order_losses<double>();
template std::vector<subject<float>> subjects<float>();
template std::vector<subject<double>> subjects<double>();

template struct pairs<float>;
template struct pairs<double>;

template steps<float> some_steps<float>(unsigned, std::size_t);
template steps<double> some_steps<double>(unsigned, std::size_t);
template steps<float> taken<float>(const steps<float>&, const std::vector<std::size_t>&);
template steps<double> taken<double>(const steps<double>&, const std::vector<std::size_t>&);

template result<float> run<float>(const subject<float>&, rankloss::context&, double);
template result<double> run<double>(const subject<double>&, rankloss::context&, double);
template result<float> run<float>(const pair_loss<float>&, const rankloss::preference_batch<float>&);
template result<double> run<double>(const pair_loss<double>&, const rankloss::preference_batch<double>&);
template result<float> run<float>(const step_loss<float>&, const steps<float>&);
template result<double> run<double>(const step_loss<double>&, const steps<double>&);

}  // namespace promises
