// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// Which texts belong to which image.
enum class pairing {
  by_position,  ///< text i belongs to image i; there are as many texts as images
  by_caption,   ///< the texts are the captions, in the same order; each belongs to its image
  none,         ///< no text belongs to an image; relevance is similarity alone
};

/// caption_batch: the input of relevance_scores, as views of the host's own memory: sentence embeddings of
/// the captions of images, and of the texts that are ranked for the images. Their components are finite, and
/// the vectors may have any length. `matches` says which texts belong to which image; without it `pairing`
/// does.
template <score T>
struct caption_batch {
  array_view<const T> captions;                                ///< [captions, dimension] image after image
  array_view<const T> texts;                                   ///< [texts, dimension]
  std::size_t dimension = 0;                                   ///< components of a vector, at least 1
  std::size_t captions_per_image = 1;                          ///< for equal numbers; used without offsets
  positions offsets{};                                         ///< [images + 1] image i has captions offsets[i] to offsets[i + 1]
  flags matches{};                                             ///< [images, texts] not zero: a match
  rankloss::pairing pairing = rankloss::pairing::by_position;  ///< used without matches
};

namespace detail {

template <class T>
struct caption_shape {
  explicit caption_shape(const caption_batch<T>& batch) : batch_(batch) {
    require(batch.dimension > 0, "dimension: 0, expected at least 1");
    captions = vectors("captions", batch.captions.size());
    texts = vectors("texts", batch.texts.size());
    if (batch.offsets.empty()) {
      require(batch.captions_per_image > 0, "captions_per_image: 0, expected at least 1");
      require(captions % batch.captions_per_image == 0, "captions: ", captions, " vectors, expected a multiple of captions_per_image ",
              batch.captions_per_image);
      images = captions / batch.captions_per_image;
      return;
    }
    images = batch.offsets.size() - 1;
    check_offsets(batch.offsets, captions, "captions");
  }

  /// First caption of image i.
  [[nodiscard]] std::size_t first(std::size_t i) const {
    return batch_.offsets.empty() ? i * batch_.captions_per_image : static_cast<std::size_t>(batch_.offsets[i]);
  }

  void check(std::span<const T> relevance) const {
    const std::size_t pairs = images * texts;
    require(relevance.size() == pairs, "relevance: size ", relevance.size(), ", expected ", pairs, " (", images, " images of ", texts, " texts)");
    require(batch_.matches.empty() || batch_.matches.size() == pairs, "matches: size ", batch_.matches.size(), ", expected ", pairs, " (", images,
            " images of ", texts, " texts)");
    if (!batch_.matches.empty()) return;
    require(batch_.pairing != pairing::by_position || images == texts, "pairing: by_position for ", images, " images and ", texts,
            " texts, expected as many of both, or matches");
    require(batch_.pairing != pairing::by_caption || captions == texts, "pairing: by_caption for ", captions, " captions and ", texts,
            " texts, expected as many of both");
  }

  void check_values() const {
    const auto report = [&](std::span<const T> all, std::string_view field, std::string_view unit) {
      const std::size_t at = find_first(strided<const T>(all), [](const T& x) { return !is_finite(x); });
      require(at == all.size(), field, ": ", at < all.size() ? all[at] : T{0}, " at ", unit, " ", at / batch_.dimension, ", component ",
              at % batch_.dimension, ", expected a finite number");
    };
    report(batch_.captions, "captions", "caption");
    report(batch_.texts, "texts", "text");
  }

  std::size_t captions = 0;
  std::size_t texts = 0;
  std::size_t images = 0;

 private:
  [[nodiscard]] std::size_t vectors(std::string_view field, std::size_t size) const {
    require(size % batch_.dimension == 0, field, ": size ", size, ", expected whole vectors of dimension ", batch_.dimension);
    return size / batch_.dimension;
  }

  const caption_batch<T>& batch_;
};

/// Writes x / |x| to every `step`-th place. A zero vector stays zero, and no length overflows.
template <class T>
void normalise(const T* x, std::size_t dimension, T* to, std::size_t step) {
  double scale = 1.0;
  if constexpr (sizeof(T) == sizeof(double)) {  // the squares of floats fit in a double unscaled
    double largest = 0.0;
    for (std::size_t k = 0; k < dimension; ++k) largest = std::max(largest, std::abs(x[k]));
    if (largest > 0.0) scale = std::ldexp(1.0, -std::clamp(std::ilogb(largest), -1000, 1000));
  }
  std::array<double, 8> squares{};
  for (std::size_t k = 0; k < dimension; ++k) {
    const double component = scale * static_cast<double>(x[k]);
    squares[k % 8] += component * component;
  }
  double square = 0.0;
  for (const double part : squares) square += part;
  const double factor = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  for (std::size_t k = 0; k < dimension; ++k) to[k * step] = static_cast<T>(scale * static_cast<double>(x[k]) * factor);
}

/// Dot products of a few captions with a panel of texts, with as many accumulators as fit in 16 registers.
template <class T, class Arch>
struct dot_tile {
  using V = xsimd::batch<T, Arch>;
  static constexpr std::size_t captions = 6;
  static constexpr std::size_t width = 2 * V::size;  // texts in a panel, component by component

  static void run(const T* caption, std::size_t dimension, const T* panel, T* dots) {
    std::array<std::array<V, 2>, captions> sum;
    unrolled<captions>([&]<std::size_t c> { sum[c] = {V(T{0}), V(T{0})}; });
    for (std::size_t k = 0; k < dimension; ++k) {
      const V left = V::load_aligned(panel + k * width);
      const V right = V::load_aligned(panel + k * width + V::size);
      unrolled<captions>([&]<std::size_t c> {
        const V x(caption[c * dimension + k]);
        sum[c][0] = xsimd::fma(x, left, sum[c][0]);
        sum[c][1] = xsimd::fma(x, right, sum[c][1]);
      });
    }
    unrolled<captions>([&]<std::size_t c> {
      sum[c][0].store_aligned(dots + c * width);
      sum[c][1].store_aligned(dots + c * width + V::size);
    });
  }
};

/// relevance[i, t] from similarity alone.
template <class Arch, class T>
void caption_similarity(const caption_batch<T>& batch, const caption_shape<T>& shape, std::span<T> relevance, context& ctx) {
  using tile = dot_tile<T, Arch>;
  const std::size_t d = batch.dimension;
  const workspace::scope scope(ctx.scratch());

  const std::size_t panels = (shape.texts + tile::width - 1) / tile::width;
  const std::span<T> packed = ctx.scratch().take<T>(panels * tile::width * d);
  ctx.run(panels, [&](std::size_t, std::size_t p) {
    for (std::size_t l = 0; l < tile::width; ++l) {
      const std::size_t text = p * tile::width + l;
      T* to = packed.data() + p * tile::width * d + l;
      if (text < shape.texts) {
        normalise(batch.texts.data() + text * d, d, to, tile::width);
      } else {
        for (std::size_t k = 0; k < d; ++k) to[k * tile::width] = T{0};
      }
    }
  });

  // As many images at a time as have captions that stay in the cache while all texts are read.
  constexpr std::size_t block = 8 * tile::captions;
  const std::span<std::size_t> bounds = ctx.scratch().take<std::size_t>(shape.images + 1);
  std::size_t tasks = 0;
  bounds[0] = 0;
  for (std::size_t i = 1; i <= shape.images; ++i) {
    const bool full = i == shape.images || shape.first(i + 1) - shape.first(bounds[tasks]) > block || i - bounds[tasks] == block;
    if (full) bounds[++tasks] = i;
  }

  ctx.run(tasks, [&](std::size_t worker, std::size_t task) {
    workspace& scratch = ctx.scratch(worker);
    const workspace::scope inner(scratch);
    const std::size_t from = shape.first(bounds[task]);
    const std::size_t count = shape.first(bounds[task + 1]) - from;
    const std::size_t padded = (count + tile::captions - 1) / tile::captions * tile::captions;
    const std::span<T> own = scratch.take<T>(padded * d);
    for (std::size_t c = 0; c < count; ++c) normalise(batch.captions.data() + (from + c) * d, d, own.data() + c * d, 1);
    std::fill(own.begin() + static_cast<std::ptrdiff_t>(count * d), own.end(), T{0});

    const std::span<T> dots = scratch.take<T>(padded * tile::width);
    for (std::size_t p = 0; p < panels; ++p) {
      for (std::size_t c = 0; c < padded; c += tile::captions)
        tile::run(own.data() + c * d, d, packed.data() + p * tile::width * d, dots.data() + c * tile::width);
      const std::size_t texts = std::min(tile::width, shape.texts - p * tile::width);
      for (std::size_t i = bounds[task]; i < bounds[task + 1]; ++i) {
        std::array<T, tile::width> best;
        best.fill(shape.first(i) < shape.first(i + 1) ? T{-1} : T{0});
        for (std::size_t c = shape.first(i) - from; c < shape.first(i + 1) - from; ++c)
          for (std::size_t l = 0; l < tile::width; ++l) best[l] = std::max(best[l], dots[c * tile::width + l]);
        T* row = relevance.data() + i * shape.texts + p * tile::width;
        for (std::size_t l = 0; l < texts; ++l) row[l] = T(0.5) * (T{1} + std::min(best[l], T{1}));
      }
    }
  });
}

}  // namespace detail

/// relevance_scores: the relevance of each text for each image, from the captions of the image: the RSC of
/// image-text retrieval.
///
///     relevance[i, t] = 1                                              where text t belongs to image i
///                     = 1/2 + 1/2 max_c cos(captions[i, c], texts[t])  elsewhere, c over the captions of image i
///
/// Zhang et al.: Integrating Listwise Ranking into Pairwise-based Image-Text Retrieval, 2023, arXiv 2305.16566.
///
/// - Time O(captions texts dimension), in parallel over images; the same bits for any executor. Scratch
///   O(texts dimension).
/// - Invariant under positive scaling of any vector.
/// - Edge cases: the cosine with a zero vector counts as 0, never NaN, and so does the maximum over no
///   captions.
/// @throws std::invalid_argument naming the field when sizes, offsets or (data_checks::on) data are invalid;
/// then nothing has been written.
template <score T, class Arch = xsimd::default_arch>
void relevance_scores(const caption_batch<T>& batch, std::type_identity_t<array_view<T>> relevance, context& ctx) {
  const detail::sole_use alone(ctx);
  const detail::caption_shape<T> shape(batch);
  shape.check(relevance);
  if (ctx.checks == data_checks::on) shape.check_values();
  if (relevance.empty()) return;
  detail::caption_similarity<Arch, T>(batch, shape, relevance, ctx);

  if (!batch.matches.empty()) {
    for (std::size_t pair = 0; pair < relevance.size(); ++pair)
      if (batch.matches[pair]) relevance[pair] = T{1};
  } else if (batch.pairing == pairing::by_position) {
    for (std::size_t i = 0; i < shape.images; ++i) relevance[i * shape.texts + i] = T{1};
  } else if (batch.pairing == pairing::by_caption) {
    for (std::size_t i = 0; i < shape.images; ++i)
      for (std::size_t t = shape.first(i); t < shape.first(i + 1); ++t) relevance[i * shape.texts + t] = T{1};
  }
}

/// relevance_scores on the calling thread with a context of its own.
template <score T>
void relevance_scores(const caption_batch<T>& batch, std::type_identity_t<array_view<T>> relevance) {
  context ctx;
  relevance_scores(batch, relevance, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
