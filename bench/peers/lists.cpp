// SPDX-License-Identifier: BSL-1.0
#include "ours.hpp"

#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/together.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

extern "C" {

void* peers_context(std::size_t threads) noexcept {
  return threads == 1 ? new rankloss::context : new rankloss::context{rankloss::threads(threads)};
}
void peers_release(void* context) noexcept { delete static_cast<rankloss::context*>(context); }
const char* peers_error() noexcept { return peers::error().c_str(); }

/// The mean over lists of `length` items each; for the rules of boosters the sum.
double peers_lists(void* context, const char* loss, bool wide, const void* scores, const void* relevance,
                   std::size_t items, std::size_t length, double temperature, void* gradient,
                   void* hessian) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    rankloss::list_batch<T> batch{.scores = peers::input<T>(scores, items),
                                  .relevance = peers::input<T>(relevance, items),
                                  .length = length};
    const rankloss::outputs out{.gradient = peers::output<T>(gradient, items),
                                .hessian = peers::output<T>(hessian, items)};
    const auto evaluate = [&](const auto& of) {
      return rankloss::evaluate(of, batch, out, peers::of(context));
    };
    const std::string_view name = loss;
    if (name == "sndcg") return evaluate(rankloss::sndcg{.temperature = temperature});
    if (name == "ranknet") return evaluate(rankloss::ranknet{});
    if (name == "lambdarank") return evaluate(rankloss::lambdarank{});
    if (name == "listmle") return evaluate(rankloss::listmle{});
    if (name == "listnet") return evaluate(rankloss::listnet{});
    if (name == "softmax_cross_entropy") return evaluate(rankloss::softmax_cross_entropy{});
    if (name == "neural_ndcg") return evaluate(rankloss::neural_ndcg{.temperature = temperature, .steps = 0});
    batch.reduction = rankloss::reduction::sum;
    if (name == "lightgbm_lambdarank") return evaluate(rankloss::lightgbm::lambdarank{});
    if (name == "xgboost_ndcg") return evaluate(rankloss::xgboost::ndcg{});
    peers::unknown(name);
  });
}

/// The mean over lists of `length` items each of NDCG@k; where `precision` is given, of average precision, too.
double peers_metrics(void* context, bool wide, const void* scores, const void* relevance, std::size_t items,
                     std::size_t length, std::size_t k, bool linear, double* precision) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    const rankloss::list_batch<T> batch{.scores = peers::input<T>(scores, items),
                                        .relevance = peers::input<T>(relevance, items),
                                        .length = length};
    const rankloss::metrics::ndcg ndcg{.gain = linear ? rankloss::gain::linear : rankloss::gain::exponential,
                                       .cutoff = k};
    if (!precision) return rankloss::evaluate(ndcg, batch, peers::of(context));
    const rankloss::metrics::together both{ndcg, rankloss::metrics::average_precision{}};
    const auto values = rankloss::evaluate(both, batch, peers::of(context));
    *precision = values[1];
    return values[0];
  });
}

}  // extern "C"
