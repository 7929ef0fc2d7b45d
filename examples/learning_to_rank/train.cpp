// SPDX-License-Identifier: BSL-1.0
#include "train.hpp"

#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/random.hpp>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <span>

namespace ranker {

trained train(const fold& data, const list_loss& loss, const train_options& options,
              rankloss::context& context, const observer& tell) {
  using clock = std::chrono::steady_clock;
  constexpr std::uint64_t of_weights = 1;
  constexpr std::uint64_t of_first_epoch = 1000;  // one stream an epoch

  const auto begin = clock::now();
  net<float> model(static_cast<std::size_t>(data.train.features.cols()), options.hidden,
                   rankloss::random_stream(options.seed, of_weights));
  const auto zeros = parameter_array<float>::Zero(model.parameters().size());
  adam<float> optimiser(zeros, options.decay);
  const auto validate = [&] {
    const rankloss::metrics::ndcg ndcg10{.cutoff = 10};
    return rankloss::evaluate(ndcg10, data.validation.with(model(data.validation.features)), {}, context);
  };
  trained best{.model = model, .validation = validate()};

  std::vector<std::size_t> order(data.train.count());
  lists batch;
  net<float>::tape tape;
  vector<float> slopes;
  parameter_array<float> gradient;
  for (train_state state{.epoch = 1}; state.epoch <= options.epochs; ++state.epoch) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    rankloss::random_stream(options.seed, of_first_epoch + state.epoch).shuffle(order);
    double sum = 0.0;
    for (std::size_t done = 0; done < order.size();) {
      const std::size_t size = std::min(options.batch, order.size() - done);
      batch.take(data.train, std::span(order).subspan(done, size));
      model.forward(batch.features, tape);
      slopes.resize(tape.scores.size());
      const std::span<float> by_score(slopes.data(), static_cast<std::size_t>(slopes.size()));
      sum += static_cast<double>(size) * loss(batch.with(tape.scores), {.gradient = by_score}, context);
      model.backward(batch.features, tape, slopes, gradient);
      optimiser.step(model.parameters(), gradient, options.rate);
      done += size;
    }
    state.loss = sum / static_cast<double>(order.size());
    state.validation = validate();
    if (state.validation > best.validation) best = {model, state.validation, state.epoch};
    state.best = best.validation;
    state.seconds = std::chrono::duration<double>(clock::now() - begin).count();
    tell(state);
    if (state.epoch >= best.epoch + options.patience) break;
  }
  return best;
}

std::vector<quality> measure(const lists& set, const vector<float>& scores, rankloss::context& context) {
  using rankloss::metrics::ndcg;
  const auto all =
      examples::measure_each(set, scores, context, ndcg{.cutoff = 1}, ndcg{.cutoff = 3}, ndcg{.cutoff = 5},
                             ndcg{.cutoff = 10}, rankloss::metrics::average_precision{});
  std::vector<quality> counted;
  for (std::size_t q = 0; q < all.size(); ++q)
    if (set.has_relevance(q)) counted.push_back({all[q]});
  return counted;
}

}  // namespace ranker
