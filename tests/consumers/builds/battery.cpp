// SPDX-License-Identifier: BSL-1.0

// One source, compiled for several processors and with several flags, each time under another name (BATTERY):
// evaluates losses of every family and hands all their numbers to the caller, who compares. SMALL: two losses
// are enough. Nothing of rankloss crosses the border between two such objects, only memory.

#include "battery.hpp"

#include <rankloss/bidirectional.hpp>
#include <rankloss/bradley_terry.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/plackett_luce_policy.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ppo.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/sorts/soft_sort.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/xe_ndcg.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using std::size_t;

/// Infinity, told by its bits: -ffast-math takes the constant for one that is never used.
template <class T>
T infinite() {
  volatile double largest = 1e308;
  volatile double product = largest * 10.0;
  return static_cast<T>(product);
}

struct battery {
  numbers& out;
  rankloss::context context{rankloss::threads(2)};

  void say(const char* name, double value, const std::vector<double>& derivatives, bool in_float) {
    out.begin(name, in_float);
    out.add(value);
    for (const double d : derivatives) out.add(d);
  }

  /// A third of the scores near to others, the rest far apart: of some pairs both exponentials are tiny, and so
  /// are the weights.
  static double crowds(size_t i) {
    const double at = 20000.0 * uniform(i + 5000);
    return i % 3 == 0 ? static_cast<double>(static_cast<int>(at / 99.0)) + uniform(i + 6000) : at;
  }

  /// A loss of lists, over batches that reach every path: short and long, dense and sparse, padded, tied,
  /// with infinite scores, far from 0.
  template <class T, class Loss>
  void lists(const char* name, const Loss& loss, bool infinities = true) {
    for (int which = 0; which < 7; ++which) {
      constexpr size_t lengths[]{7, 40, 700, 3000, 9, 300, 40};
      const size_t length = lengths[which];
      const size_t count = which == 0 ? 20 : which == 4 ? 3 : 1;
      std::vector<T> scores;
      std::vector<float> relevance;
      std::vector<unsigned char> mask;
      for (size_t i = 0; i < count * length; ++i) {
        const double u = uniform(i + 100000 * static_cast<size_t>(which));
        scores.push_back(static_cast<T>(which == 2   ? (i % 10 == 0 ? 100.0 * u : u)
                                        : which == 4 ? static_cast<double>(i % 4)
                                        : which == 5 ? crowds(i)
                                        : which == 6 ? 100000.0 + u
                                                     : 3.0 * u));
        relevance.push_back(static_cast<float>(which == 3   ? 4.0 * uniform(i + 77)
                                               : which == 5 ? static_cast<double>(i * 7 % 3 % 2)
                                                            : static_cast<double>(i * 7 % 5)));
        mask.push_back(which != 0 || i % length < 5 ? 1 : 0);
      }
      if (which == 4 && infinities)
        scores[2] = -infinite<T>(), scores[3] = -infinite<T>(), scores[12] = infinite<T>();
      if (which == 0) scores[6] = infinite<T>() - infinite<T>();  // padding may hold anything
      std::vector<T> gradient(scores.size());
      const double value =
          evaluate(loss,
                   rankloss::list_batch<T, float>{
                       .scores = scores, .relevance = relevance, .length = length, .mask = mask},
                   {.gradient = gradient}, context);
      say(name, value, {gradient.begin(), gradient.end()}, sizeof(T) == 4);
    }
  }

  void all_lists() {
    namespace pairs = rankloss::pairs;
    lists<float>("sndcg", rankloss::sndcg{.temperature = 0.1});
    lists<double>("ranknet", rankloss::ranknet{});
#if !defined(SMALL)
    lists<double>("sndcg, cutoff", rankloss::sndcg{.temperature = 0.5, .cutoff = 5});
    lists<float>("lambdarank", rankloss::lambdarank{});
    lists<float>("soft lambdarank", rankloss::pairwise<pairs::soft_zero_one, pairs::delta_ndcg>{});
    lists<float>("squared hinge", rankloss::pairwise<pairs::squared_hinge>{.function = {.margin = 0.3}},
                 false);
    lists<double>("hinge", rankloss::pairwise<pairs::hinge>{}, false);
    lists<float>("softmax_cross_entropy", rankloss::softmax_cross_entropy{}, false);
    lists<double>("xe_ndcg", rankloss::xe_ndcg{}, false);
    lists<float>("listmle", rankloss::listmle{}, false);
    lists<float>("neural_ndcg", rankloss::neural_ndcg{.temperature = 1.0, .steps = 10, .tolerance = 0.0});
    lists<double>("neural_sort_cross_entropy", rankloss::neural_sort_cross_entropy{}, false);
    lists<float>("smooth_ap", rankloss::smooth_ap{.ranks = {.temperature = 0.3}});
    lists<double>("pointwise", rankloss::pointwise_logistic{}, false);
#endif
  }

  void others() {
    constexpr size_t rows = 30, columns = 40;
    std::vector<float> similarity, gradient(rows * columns);
    std::vector<int> row_classes, column_classes;
    for (size_t i = 0; i < rows * columns; ++i) similarity.push_back(static_cast<float>(uniform(i)));
    for (size_t i = 0; i < rows; ++i) row_classes.push_back(static_cast<int>(i % 10));
    for (size_t j = 0; j < columns; ++j) column_classes.push_back(static_cast<int>(j % 10));
    const rankloss::similarity_batch<float> matrix{.similarity = similarity,
                                                   .rows = rows,
                                                   .columns = columns,
                                                   .row_classes = row_classes,
                                                   .column_classes = column_classes};
    double value = evaluate(rankloss::triplet{}, matrix, {.gradient = gradient}, context);
    say("triplet", value, {gradient.begin(), gradient.end()}, true);
    value = evaluate(rankloss::bidirectional<rankloss::sndcg>{}, matrix, {.gradient = gradient}, context);
    say("bidirectional", value, {gradient.begin(), gradient.end()}, true);

    std::vector<double> a, b, c, slope(500);
    for (size_t i = 0; i < 500; ++i) {
      a.push_back(-3.0 * uniform(i));
      b.push_back(-3.0 * uniform(i + 1000));
      c.push_back(uniform(i + 2000) - 0.5);
    }
    value = evaluate(
        rankloss::ppo{.kl_coefficient = 0.1},
        rankloss::policy_batch<double>{.log_probabilities = a, .old_log_probabilities = b, .advantages = c},
        {.gradient = slope}, context);
    say("ppo", value, slope, false);
    const std::vector<float> now(a.begin(), a.end()), old(b.begin(), b.end()), advantages(c.begin(), c.end());
    std::vector<float> float_slope(500);
    value = evaluate(rankloss::ppo{},
                     rankloss::policy_batch<float>{
                         .log_probabilities = now, .old_log_probabilities = old, .advantages = advantages},
                     {.gradient = float_slope}, context);
    say("ppo of floats", value, {float_slope.begin(), float_slope.end()}, true);
    std::vector<std::uint32_t> orders(500);
    const std::vector<std::uint32_t> offsets{0, 100, 500};
    const rankloss::plackett_luce_policy policy{};
    sample_orders(policy, a, offsets, 7, orders, context);
    std::vector<double> chances(2);
    evaluate_orders(policy, rankloss::order_batch<double>{.scores = a, .orders = orders, .offsets = offsets},
                    {.log_probabilities = chances, .gradient = slope}, context);
    say("plackett_luce_policy", chances[0], slope, false);
    std::vector<std::uint32_t> preferred, other;
    for (std::uint32_t i = 0; i + 1 < 500; i += 2) preferred.push_back(i), other.push_back(i + 1);
    value = evaluate(rankloss::bradley_terry{},
                     rankloss::preference_batch<double>{.rewards = a, .preferred = preferred, .other = other},
                     {.gradient = slope}, context);
    say("bradley_terry", value, slope, false);

    std::vector<double> ranks(500);
    rank(rankloss::projected_ranks{.temperature = 0.5}, a, ranks, context);
    say("projected_ranks", 0.0, ranks, false);
    sort_apply(rankloss::soft_sort{.temperature = 0.1}, a, b, ranks, context);
    say("soft_sort", 0.0, ranks, false);
  }

  /// A NaN is found whatever the compiler was told.
  void bad_data() {
#if defined(__cpp_exceptions)
    std::vector<float> scores(300, 1.0F);
    const std::vector<int> relevance(300, 1);
    scores[7] = infinite<float>() - infinite<float>();
    std::string message;
    try {
      evaluate(rankloss::sndcg{}, rankloss::list_batch<float, int>{.scores = scores, .relevance = relevance});
    } catch (const std::invalid_argument& error) {
      message = error.what();
    }
    say("NaN refused", message.find("at list 0, item 7, expected a number") != std::string::npos ? 1.0 : 0.0,
        {}, false);
    message.clear();
    scores[7] = 0.0F;
    try {
      evaluate(rankloss::sndcg{.temperature = infinite<double>()},
               rankloss::list_batch<float, int>{.scores = scores, .relevance = relevance});
    } catch (const std::invalid_argument& error) {
      message = error.what();
    }
    say("infinite option refused", message.find("temperature") != std::string::npos ? 1.0 : 0.0, {}, false);
#else
    say("NaN refused", 1.0, {}, false);
    say("infinite option refused", 1.0, {}, false);
#endif
  }
};

}  // namespace

void BATTERY(numbers& out) {
  battery run{.out = out};
  run.all_lists();
#if !defined(SMALL)
  run.others();
#endif
  run.bad_data();
}
