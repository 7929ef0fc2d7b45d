// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/simd/dot_tile.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/relevance_scores.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

namespace detail {

template <class T>
struct caption_shape {
  explicit caption_shape(const caption_batch<T>& batch) : batch_(batch) {
    require(batch.dimension > 0, "dimension: 0, expected at least 1");
    captions = vectors("captions", batch.captions.size());
    texts = vectors("texts", batch.texts.size());
    if (batch.offsets.empty()) {
      require(batch.captions_per_image > 0, "captions_per_image: 0, expected at least 1");
      require(captions % batch.captions_per_image == 0, "captions: ", captions,
              " vectors, expected a multiple of captions_per_image ", batch.captions_per_image);
      images = captions / batch.captions_per_image;
      return;
    }
    images = checked_lists(batch.offsets, captions, "captions").count();
  }

  /// First caption of image i.
  [[nodiscard]] std::size_t first(std::size_t i) const {
    return batch_.offsets.empty() ? i * batch_.captions_per_image
                                  : ragged_lists(batch_.offsets, captions).first(i);
  }

  void check_output(std::span<const T> relevance) const {
    const std::size_t pairs = images * texts;
    require(relevance.size() == pairs, "relevance: size ", relevance.size(), ", expected ", pairs, " (",
            images, " images of ", texts, " texts)");
  }

  void check_pairing() const {
    const std::size_t pairs = images * texts;
    require(batch_.matches.empty() || batch_.matches.size() == pairs, "matches: size ", batch_.matches.size(),
            ", expected ", pairs, " (", images, " images of ", texts, " texts)");
    if (!batch_.matches.empty()) return;
    require(batch_.pairing != pairing::by_index || images == texts, "pairing: by_index for ", images,
            " images and ", texts, " texts, expected as many of both, or matches");
    require(batch_.pairing != pairing::by_caption || captions == texts, "pairing: by_caption for ", captions,
            " captions and ", texts, " texts, expected as many of both");
  }

  void check_values() const {
    const auto report = [&](std::span<const T> all, std::string_view field, std::string_view unit) {
      const std::size_t at = find_first(strided<const T>(all), [](const T& x) { return !is_finite(x); });
      require(at == all.size(), field, ": ", at < all.size() ? all[at] : T{0}, " at ", unit, " ",
              at / batch_.dimension, ", component ", at % batch_.dimension, ", expected a finite number");
    };
    report(batch_.captions, "captions", "caption");
    report(batch_.texts, "texts", "text");
  }

  std::size_t captions = 0;
  std::size_t texts = 0;
  std::size_t images = 0;

 private:
  [[nodiscard]] std::size_t vectors(std::string_view field, std::size_t size) const {
    require(size % batch_.dimension == 0, field, ": size ", size, ", expected whole vectors of dimension ",
            batch_.dimension);
    return size / batch_.dimension;
  }

  const caption_batch<T>& batch_;
};

/// Some neighbouring images and texts, and where their relevance is written: that of image i and text t to
/// data[(i - first_image) * image_stride + (t - first_text) * text_stride].
template <class T>
struct caption_block {
  std::size_t first_image, last_image;
  std::size_t first_text, last_text;
  T* data;
  std::size_t image_stride, text_stride;

  [[nodiscard]] T* at(std::size_t i, std::size_t t) const noexcept {
    return data + (i - first_image) * image_stride + (t - first_text) * text_stride;
  }
};

/// Computes the relevance of a block from similarity alone. That of a pair is the same in every block.
template <class Arch, class T>
void caption_similarity(const caption_batch<T>& batch, const caption_shape<T>& shape,
                        const caption_block<T>& block, context& ctx) {
  using tile = dot_tile<T, Arch>;
  const std::size_t d = batch.dimension;
  const workspace::scope scope(ctx.scratch());

  const std::size_t block_texts = block.last_text - block.first_text;
  const std::size_t panels = (block_texts + tile::width - 1) / tile::width;
  const std::span<T> packed = ctx.scratch().take<T>(panels * tile::width * d);
  ctx.run(panels, [&](std::size_t, std::size_t p) {
    for (std::size_t l = 0; l < tile::width; ++l) {
      const std::size_t text = p * tile::width + l;
      T* to = packed.data() + p * tile::width * d + l;
      if (text < block_texts) {
        normalise(batch.texts.data() + (block.first_text + text) * d, d, to, tile::width);
      } else {
        for (std::size_t k = 0; k < d; ++k) to[k * tile::width] = T{0};
      }
    }
  });

  // Images are taken in chunks that are small enough for their captions to stay in the cache while all texts
  // are read.
  constexpr std::size_t chunk = 8 * tile::captions;
  const std::span<std::size_t> bounds =
      ctx.scratch().take<std::size_t>(block.last_image - block.first_image + 1);
  std::size_t tasks = 0;
  bounds[0] = block.first_image;
  for (std::size_t i = block.first_image + 1; i <= block.last_image; ++i) {
    const bool full = i == block.last_image || shape.first(i + 1) - shape.first(bounds[tasks]) > chunk ||
                      i - bounds[tasks] == chunk;
    if (full) bounds[++tasks] = i;
  }

  ctx.run(tasks, [&](std::size_t worker, std::size_t task) {
    workspace& scratch = ctx.scratch(worker);
    const workspace::scope inner(scratch);
    const std::size_t from = shape.first(bounds[task]);
    const std::size_t count = shape.first(bounds[task + 1]) - from;
    const std::size_t padded = (count + tile::captions - 1) / tile::captions * tile::captions;
    const std::span<T> own = scratch.take<T>(padded * d);
    for (std::size_t c = 0; c < count; ++c)
      normalise(batch.captions.data() + (from + c) * d, d, own.data() + c * d, 1);
    std::fill(own.begin() + static_cast<std::ptrdiff_t>(count * d), own.end(), T{0});

    const std::span<T> dots = scratch.take<T>(padded * tile::width);
    for (std::size_t p = 0; p < panels; ++p) {
      for (std::size_t c = 0; c < padded; c += tile::captions)
        tile::run(own.data() + c * d, d, packed.data() + p * tile::width * d, dots.data() + c * tile::width);
      const std::size_t texts = std::min(tile::width, block_texts - p * tile::width);
      for (std::size_t i = bounds[task]; i < bounds[task + 1]; ++i) {
        std::array<T, tile::width> best;
        best.fill(shape.first(i) < shape.first(i + 1) ? T{-1} : T{0});
        for (std::size_t c = shape.first(i) - from; c < shape.first(i + 1) - from; ++c)
          for (std::size_t l = 0; l < tile::width; ++l)
            best[l] = std::max(best[l], dots[c * tile::width + l]);
        for (T& x : best) x = T(0.5) * (T{1} + std::min(x, T{1}));
        T* to = block.at(i, block.first_text + p * tile::width);
        for (std::size_t l = 0; l < texts; ++l) to[l * block.text_stride] = best[l];
      }
    }
  });
}

/// Computes the relevance of a block.
template <class T>
void caption_scores(const caption_batch<T>& batch, const caption_shape<T>& shape,
                    const caption_block<T>& block, context& ctx) {
  if (block.first_image == block.last_image || block.first_text == block.last_text) return;
  caption_similarity<xsimd::default_arch>(batch, shape, block, ctx);
  for (std::size_t i = block.first_image; i < block.last_image; ++i) {
    if (!batch.matches.empty()) {
      for (std::size_t t = block.first_text; t < block.last_text; ++t)
        if (batch.matches[i * shape.texts + t]) *block.at(i, t) = T{1};
      continue;
    }
    if (batch.pairing == pairing::none) continue;
    const bool by_index = batch.pairing == pairing::by_index;
    const std::size_t first = std::max(block.first_text, by_index ? i : shape.first(i));
    const std::size_t last = std::min(block.last_text, by_index ? i + 1 : shape.first(i + 1));
    for (std::size_t t = first; t < last; ++t) *block.at(i, t) = T{1};
  }
}

}  // namespace detail

template <score T>
void relevance_scores(const caption_batch<T>& batch, std::type_identity_t<array_view<T>> relevance,
                      context& ctx) {
  const detail::sole_use alone(ctx);
  const detail::caption_shape<T> shape(batch);
  shape.check_output(relevance);
  shape.check_pairing();
  if (ctx.checks == data_checks::on) shape.check_values();
  detail::caption_scores(
      batch, shape, {0, shape.images, 0, shape.texts, relevance.data(), shape.texts, std::size_t{1}}, ctx);
}

template <score T>
caption_relevance<T>::caption_relevance(const caption_batch<T>& batch, data_checks checks) : batch_(batch) {
  const detail::caption_shape<T> shape(batch);
  shape.check_pairing();
  if (checks == data_checks::on) shape.check_values();
}

template <score T>
void caption_relevance<T>::rows(std::size_t first, std::size_t count, std::span<T> to, context& ctx) const {
  const detail::caption_shape<T> shape(batch_);
  detail::require(first + count <= shape.images && to.size() == count * shape.texts, "rows: ", count,
                  " images from ", first, " on into ", to.size(), " numbers, expected some of ", shape.images,
                  " images of ", shape.texts, " texts, and a number for each pair");
  detail::caption_scores(batch_, shape,
                         {first, first + count, 0, shape.texts, to.data(), shape.texts, std::size_t{1}}, ctx);
}

template <score T>
void caption_relevance<T>::columns(std::size_t first, std::size_t count, std::span<T> to,
                                   context& ctx) const {
  const detail::caption_shape<T> shape(batch_);
  detail::require(first + count <= shape.texts && to.size() == count * shape.images, "columns: ", count,
                  " texts from ", first, " on into ", to.size(), " numbers, expected some of ", shape.texts,
                  " texts of ", shape.images, " images, and a number for each pair");
  detail::caption_scores(
      batch_, shape, {0, shape.images, first, first + count, to.data(), std::size_t{1}, shape.images}, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
