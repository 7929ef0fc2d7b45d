// SPDX-License-Identifier: BSL-1.0
#include "train.hpp"

#include <rankloss/random.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

namespace retrieval {
namespace {

/// Captions of one step, with their images.
struct batch {
  std::vector<std::size_t> captions;
  std::vector<std::size_t> images;  ///< each once
  matrix<float> caption_features;
  matrix<float> image_features;
  std::vector<std::size_t> caption_classes;  ///< image of each caption
  std::vector<float> relevance;              ///< [images, captions]

  void gather(const pairs& set, std::span<const std::size_t> chosen,
              const std::vector<float>& all_relevance) {
    captions.assign(chosen.begin(), chosen.end());
    caption_classes.clear();
    for (const std::size_t c : captions) caption_classes.push_back(set.image_of(c));
    images = caption_classes;
    std::sort(images.begin(), images.end());
    images.erase(std::unique(images.begin(), images.end()), images.end());
    take_rows(set.images, images, image_features);
    take_rows(set.captions, captions, caption_features);
    if (all_relevance.empty()) return;
    relevance.resize(images.size() * captions.size());
    auto to = relevance.begin();
    for (const std::size_t i : images)
      for (const std::size_t c : captions) *to++ = all_relevance[i * set.caption_count() + c];
  }

 private:
  static void take_rows(const matrix<float>& from, const std::vector<std::size_t>& rows, matrix<float>& to) {
    to.resize(static_cast<Eigen::Index>(rows.size()), from.cols());
    for (std::size_t r = 0; r < rows.size(); ++r)
      to.row(static_cast<Eigen::Index>(r)) = from.row(static_cast<Eigen::Index>(rows[r]));
  }
};

std::span<const float> values_of(const matrix<float>& m) {
  return {m.data(), static_cast<std::size_t>(m.size())};
}

}  // namespace

void train(two_towers& towers, const pairs& set, const std::vector<float>& relevance,
           const retrieval_loss& loss, const train_options& options, rankloss::context& context,
           const observer& tell) {
  using clock = std::chrono::steady_clock;
  constexpr std::uint64_t first_stream =
      1000;  // one an epoch, clear of the streams that other things draw from

  const std::size_t count = set.caption_count();
  const std::size_t size = options.batch == 0 ? count : std::min(options.batch, count);
  const std::size_t steps = options.epochs * ((count + size - 1) / size);
  adam<float> image_optimiser(towers.images.parameters(), options.decay);
  adam<float> caption_optimiser(towers.captions.parameters(), options.decay);
  parameter_array<float> image_gradient;
  parameter_array<float> caption_gradient;
  std::vector<std::size_t> order(count);
  batch now;
  head<float>::tape image_tape;
  head<float>::tape caption_tape;
  matrix<float> similarity;
  matrix<float> slopes;
  matrix<float> upstream;

  train_state state{.pairs_in_all = options.epochs * count, .towers = &towers};
  std::size_t step = 0;
  for (state.epoch = 1; state.epoch <= options.epochs; ++state.epoch) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    rankloss::random_stream(options.seed, first_stream + state.epoch).shuffle(order);
    double sum = 0.0;
    std::size_t done = 0;
    while (done < count) {
      const auto begin = clock::now();
      now.gather(set, std::span(order).subspan(done, std::min(size, count - done)), relevance);
      towers.images.forward(now.image_features, image_tape);
      towers.captions.forward(now.caption_features, caption_tape);
      similarity.noalias() = image_tape.output * caption_tape.output.transpose();
      slopes.resize(similarity.rows(), similarity.cols());

      const rankloss::similarity_batch<float> pairs_of_batch{.similarity = values_of(similarity),
                                                             .rows = now.images.size(),
                                                             .columns = now.captions.size(),
                                                             .row_classes = now.images,
                                                             .column_classes = now.caption_classes,
                                                             .relevance = now.relevance};
      const std::span<float> gradient(slopes.data(), static_cast<std::size_t>(slopes.size()));
      const double value = rankloss::evaluate(loss, pairs_of_batch, {.gradient = gradient}, context);

      const double rate =
          0.5 * options.rate *
          (1.0 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
      upstream.noalias() = slopes * caption_tape.output;
      towers.images.backward(now.image_features, image_tape, upstream, image_gradient);
      upstream.noalias() = slopes.transpose() * image_tape.output;
      towers.captions.backward(now.caption_features, caption_tape, upstream, caption_gradient);
      image_optimiser.step(towers.images.parameters(), image_gradient, rate);
      caption_optimiser.step(towers.captions.parameters(), caption_gradient, rate);
      ++step;

      sum += value * static_cast<double>(now.captions.size());
      done += now.captions.size();
      state.pairs += now.captions.size();
      state.loss = sum / static_cast<double>(done);
      state.epoch_ends = done == count;
      state.seconds += std::chrono::duration<double>(clock::now() - begin).count();
      tell(state);
    }
  }
}

}  // namespace retrieval
