// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>

#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// Which texts belong to which image.
enum class pairing {
  by_index,    ///< text i belongs to image i; there are as many texts as images
  by_caption,  ///< the texts are the captions, in the same order; each belongs to its image
  none,        ///< no text belongs to an image; relevance is similarity alone
};

/// caption_batch: the input of relevance_scores, as views of the host's own memory: sentence embeddings of
/// the captions of images, and of the texts that are ranked for the images. Their components are finite, and
/// the vectors may have any length. `matches` says which texts belong to which image; without it `pairing`
/// does.
template <score T>
struct caption_batch {
  array_view<const T> captions;        ///< [captions, dimension] image after image
  array_view<const T> texts;           ///< [texts, dimension]
  std::size_t dimension = 0;           ///< components of a vector, at least 1
  std::size_t captions_per_image = 1;  ///< for equal numbers; used without offsets
  indices offsets{};                   ///< [images + 1] image i has captions offsets[i] to offsets[i + 1]
  flags matches{};                     ///< [images, texts] not zero: a match
  rankloss::pairing pairing = rankloss::pairing::by_index;  ///< used without matches
};

/// relevance_scores: the relevance of each text for each image, from the captions of the image: the RSC of
/// image-text retrieval.
///
///     relevance[i, t] = 1                                              where text t belongs to image i
///                     = 1/2 + 1/2 max_c cos(captions[i, c], texts[t])
///                       elsewhere, c over the captions of image i
///
/// Li et al.: Integrating Listwise Ranking into Pairwise-based Image-Text Retrieval, 2023, arXiv
/// 2305.16566.
///
/// - Time O(captions texts dimension), in parallel over images; the same bits for any executor. Scratch
///   O(texts dimension).
/// - Invariant under positive scaling of any vector.
/// - Edge cases: the cosine with a zero vector counts as 0, never NaN, and so does the maximum over no
///   captions.
/// @throws std::invalid_argument naming the field when sizes, offsets or (data_checks::on) data are invalid;
/// then nothing has been written.
template <score T>
void relevance_scores(const caption_batch<T>& batch, std::type_identity_t<array_view<T>> relevance,
                      context& ctx);

/// relevance_scores on the calling thread with a context of its own.
template <score T>
void relevance_scores(const caption_batch<T>& batch, std::type_identity_t<array_view<T>> relevance) {
  context ctx;
  relevance_scores(batch, relevance, ctx);
}

/// caption_relevance: relevance_scores where they are needed, for the `computed_relevance` of an
/// embedding_batch, so that no matrix of images and texts is ever in memory. Rows are images, and columns
/// texts.
///
///     const caption_relevance relevance(captions);
///     evaluate(loss, embedding_batch<float>{..., .computed_relevance = relevance}, outputs, context);
///
/// - Equal to relevance_scores in every bit, whichever images or texts are asked for.
/// - Time O(captions of the images texts dimension) for each call. Scratch O(vectors dimension).
/// - Its arrays must stay as they are while it is used.
/// @throws std::invalid_argument on construction, as relevance_scores. It computes without checks.
template <score T>
class caption_relevance {
 public:
  explicit caption_relevance(const caption_batch<T>& batch, data_checks checks = data_checks::on);

  /// Writes [count, texts], for the images from `first` on.
  void rows(std::size_t first, std::size_t count, std::span<T> to, context& ctx) const;
  /// Writes [count, images], for the texts from `first` on.
  void columns(std::size_t first, std::size_t count, std::span<T> to, context& ctx) const;

 private:
  caption_batch<T> batch_;
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/relevance_scores.hpp>
#endif
