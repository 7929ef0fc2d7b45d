// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/relevance_scores.hpp>

#include <cstddef>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// caption_batch: sentence embeddings of the captions of images, and of the texts that are ranked for the images,
/// in the memory of a device. Its fields mean what those of the rankloss::caption_batch of the same names mean.
template <score T>
struct caption_batch {
  using score_type = T;

  device_vectors<T> captions;          ///< [captions, dimension] image after image
  device_vectors<T> texts;             ///< [texts, dimension]
  std::size_t dimension = 0;           ///< components of a vector, at least 1
  std::size_t captions_per_image = 1;  ///< for equal numbers; used without offsets
  device_indices offsets{};            ///< [images + 1] image i has captions offsets[i] to offsets[i + 1]
  device_flags matches{};              ///< [images, texts] not zero: a match
  rankloss::pairing pairing = rankloss::pairing::by_index;  ///< used without matches
};

namespace detail {

/// What has the engine of relevance_scores.
struct caption_scores {};

/// What the host knows of a batch, checked in the words of rankloss::relevance_scores.
struct caption_shape {
  template <class T>
  explicit caption_shape(const caption_batch<T>& batch) {
    using rankloss::detail::require;
    require(batch.dimension > 0, "dimension: 0, expected at least 1");
    const auto vectors = [&](std::string_view field, std::size_t size) {
      require(size % batch.dimension == 0, field, ": size ", size, ", expected whole vectors of dimension ",
              batch.dimension);
      return size / batch.dimension;
    };
    captions = vectors("captions", batch.captions.size());
    texts = vectors("texts", batch.texts.size());
    if (batch.offsets.empty()) {
      require(batch.captions_per_image > 0, "captions_per_image: 0, expected at least 1");
      require(captions % batch.captions_per_image == 0, "captions: ", captions,
              " vectors, expected a multiple of captions_per_image ", batch.captions_per_image);
      images = captions / batch.captions_per_image;
    } else {
      images = batch.offsets.size() - 1;
    }
    const std::size_t pairs = images * texts;
    require(batch.matches.empty() || batch.matches.size() == pairs, "matches: size ", batch.matches.size(),
            ", expected ", pairs, " (", images, " images of ", texts, " texts)");
    if (!batch.matches.empty()) return;
    require(batch.pairing != pairing::by_index || images == texts, "pairing: by_index for ", images,
            " images and ", texts, " texts, expected as many of both, or matches");
    require(batch.pairing != pairing::by_caption || captions == texts, "pairing: by_caption for ", captions,
            " captions and ", texts, " texts, expected as many of both");
  }

  std::size_t captions, texts, images;
};

// The tag is a template parameter, as its engine is not known yet.
template <class Tag, class T>
void run_captions(const Tag& tag, const caption_batch<T>& batch, const device_span<T>& relevance,
                  context& ctx) {
  expect_engine<Tag, caption_batch<T>>();
  if constexpr (has_engine<Tag, caption_batch<T>>) {
    const caption_shape shape(batch);
    rankloss::detail::require(relevance.size() == shape.images * shape.texts, "relevance: size ",
                              relevance.size(), ", expected ", shape.images * shape.texts, " (", shape.images,
                              " images of ", shape.texts, " texts)");
    engine<Tag, context>::run(tag, batch, relevance, ctx);
  }
}
template <class Tag, class T>
[[nodiscard]] std::size_t scratch_of_captions(const Tag& tag, const caption_batch<T>& batch) {
  expect_engine<Tag, caption_batch<T>>();
  if constexpr (has_engine<Tag, caption_batch<T>>) return engine<Tag, context>::scratch_bytes(tag, batch);
  return 0;
}

}  // namespace detail

/// scratch_bytes: what `relevance_scores` takes of the scratch of a context, for `context::reserve`.
template <score T>
[[nodiscard]] std::size_t scratch_bytes(const caption_batch<T>& batch) {
  return detail::scratch_of_captions(detail::caption_scores{}, batch);
}

}  // namespace cuda

/// relevance_scores: queues on the stream of the context what computes the relevance of each text for each image,
/// [images, texts] in the memory of the device. The same words as for captions in the memory of the host.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`.
/// - Time: one product of captions x texts x dimension, in numbers of T. Scratch O((captions + texts) dimension):
///   the cosines of some captions with all texts are in memory at a time.
/// - Edge cases: as on the host, but for bad numbers and offsets, which `context::check` reports. The relevance of
///   a batch that has one is NaN.
/// @throws as `evaluate` of embeddings on a device.
template <score T>
void relevance_scores(const cuda::caption_batch<T>& batch,
                      std::type_identity_t<cuda::device_span<T>> relevance, cuda::context& ctx) {
  cuda::detail::run_captions(cuda::detail::caption_scores{}, batch, relevance, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
