// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/embedding_batch.hpp>
#include <rankloss/hosts/eigen.hpp>
#include <rankloss/random.hpp>
#include "adam.hpp"
#include "head.hpp"
#include "pairs.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numbers>
#include <numeric>
#include <span>
#include <vector>

namespace examples {

/// Two heads whose outputs are compared by their cosine.
struct two_towers {
  head<float> images;
  head<float> captions;
};

struct train_options {
  std::size_t epochs = 12;
  std::size_t batch = 128;  ///< captions a step, with the images that they belong to
  double rate = 3e-4;       ///< of Adam; falls to 0 along half a cosine
  double decay = 0.0;       ///< pull towards the starting weights
  std::uint64_t seed = 1;   ///< of the order of the captions
};

/// What a training run tells while it runs.
struct train_state {
  std::size_t epoch = 0;  ///< from 1
  std::size_t pairs = 0;  ///< captions trained on so far, over all epochs
  std::size_t pairs_in_all = 0;
  double loss = 0.0;     ///< mean of the epoch so far
  double seconds = 0.0;  ///< since training began, without the time spent in the observer
  bool epoch_ends = false;
  const two_towers* towers = nullptr;
};
using observer = std::function<void(const train_state&)>;

/// Where in training a step stands.
struct train_step {
  std::size_t number = 0;  ///< from 0
  double rate = 1.0;       ///< share that the learning rate has of its start, above 0
};

/// batch_loss(batch, outputs, context, step): the value of a loss over the embeddings of a batch, and its
/// gradients by them.
using batch_loss =
    std::function<double(const rankloss::embedding_batch<float>&, const rankloss::embedding_outputs&,
                         rankloss::context&, const train_step&)>;

/// A loss of the library that is the same in each step.
template <class Loss>
[[nodiscard]] batch_loss evaluated(const Loss& loss) {
  return [loss](const rankloss::embedding_batch<float>& batch, const rankloss::embedding_outputs& out,
                rankloss::context& context,
                const train_step&) { return rankloss::evaluate(loss, batch, out, context); };
}

/// Captions of one step, with their images.
struct towers_batch {
  std::vector<std::size_t> captions;
  std::vector<std::size_t> images;  ///< each once
  matrix<float> caption_features;
  matrix<float> image_features;
  std::vector<std::size_t> image_classes;
  std::vector<std::size_t> caption_classes;

  void gather(const pairs& set, std::span<const std::size_t> chosen,
              const std::vector<std::size_t>& classes) {
    captions.assign(chosen.begin(), chosen.end());
    images.clear();
    for (const std::size_t c : captions) images.push_back(set.image_of(c));
    std::sort(images.begin(), images.end());
    images.erase(std::unique(images.begin(), images.end()), images.end());
    image_classes.clear();
    caption_classes.clear();
    for (const std::size_t i : images) image_classes.push_back(classes[i]);
    for (const std::size_t c : captions) caption_classes.push_back(classes[set.image_of(c)]);
    take_rows(set.images, images, image_features);
    take_rows(set.captions, captions, caption_features);
  }

 private:
  static void take_rows(const matrix<float>& from, const std::vector<std::size_t>& rows, matrix<float>& to) {
    to.resize(static_cast<Eigen::Index>(rows.size()), from.cols());
    for (std::size_t r = 0; r < rows.size(); ++r)
      to.row(static_cast<Eigen::Index>(r)) = from.row(static_cast<Eigen::Index>(rows[r]));
  }
};

/// batch_relevance: the relevance of the pairs of a batch, taken from that of the whole set where and when the
/// loss asks for some rows or columns, so that no matrix of the batch is made.
class batch_relevance {
 public:
  /// @param of_set  [images, captions] of the set
  batch_relevance(const std::vector<float>& of_set, std::size_t captions_of_set, const towers_batch& batch)
      : of_set_(of_set), captions_of_set_(captions_of_set), batch_(batch) {}

  void rows(std::size_t first, std::size_t count, std::span<float> to, rankloss::context&) const {
    auto next = to.begin();
    for (const std::size_t i : std::span(batch_.images).subspan(first, count))
      for (const std::size_t c : batch_.captions) *next++ = of_set_[i * captions_of_set_ + c];
  }
  void columns(std::size_t first, std::size_t count, std::span<float> to, rankloss::context&) const {
    auto next = to.begin();
    for (const std::size_t c : std::span(batch_.captions).subspan(first, count))
      for (const std::size_t i : batch_.images) *next++ = of_set_[i * captions_of_set_ + c];
  }

 private:
  const std::vector<float>& of_set_;
  std::size_t captions_of_set_;
  const towers_batch& batch_;
};

/// train_towers: fits both heads to the captions of `set` in shuffled batches.
///
/// Rows are the images of a batch, each once; columns are its captions. Their similarities are cosines, which
/// the library computes some rows or columns at a time: memory grows with the captions of a batch, not with
/// their square. `classes` [images] says which match: images and captions of one class, so that none is taken
/// for a negative of it. `relevance` [images, captions] of the whole set grades the pairs; empty: 1 where they
/// match, else 0. A set that is too large for it could compute it by `rankloss::caption_relevance` instead.
inline void train_towers(two_towers& towers, const pairs& set, const std::vector<std::size_t>& classes,
                         const std::vector<float>& relevance, const batch_loss& loss,
                         const train_options& options, rankloss::context& context, const observer& tell) {
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
  towers_batch now;
  const batch_relevance grades(relevance, count, now);
  head<float>::tape image_tape;
  head<float>::tape caption_tape;
  matrix<float> image_slopes;
  matrix<float> caption_slopes;

  train_state state{.pairs_in_all = options.epochs * count, .towers = &towers};
  std::size_t step = 0;
  for (state.epoch = 1; state.epoch <= options.epochs; ++state.epoch) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    rankloss::random_stream(options.seed, first_stream + state.epoch).shuffle(order);
    double sum = 0.0;
    std::size_t done = 0;
    while (done < count) {
      const auto begin = clock::now();
      now.gather(set, std::span(order).subspan(done, std::min(size, count - done)), classes);
      towers.images.forward(now.image_features, image_tape);
      towers.captions.forward(now.caption_features, caption_tape);
      image_slopes.resizeLike(image_tape.output);
      caption_slopes.resizeLike(caption_tape.output);

      rankloss::embedding_batch<float> batch{.row_embeddings = image_tape.output,
                                             .column_embeddings = caption_tape.output,
                                             .row_classes = now.image_classes,
                                             .column_classes = now.caption_classes};
      if (!relevance.empty()) batch.computed_relevance = grades;
      const double share =
          0.5 * (1.0 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
      const double value = loss(batch, {.row_gradient = image_slopes, .column_gradient = caption_slopes},
                                context, {.number = step, .rate = share});

      const double rate = options.rate * share;
      towers.images.backward(now.image_features, image_tape, image_slopes, image_gradient);
      towers.captions.backward(now.caption_features, caption_tape, caption_slopes, caption_gradient);
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

}  // namespace examples
