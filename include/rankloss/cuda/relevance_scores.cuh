// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/embedding_side.cuh>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/product_tile.cuh>
#include <rankloss/cuda/detail/ragged_lists.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/relevance_scores.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// Pairs of captions and texts whose cosines are in memory at a time, at least; more of them where the embeddings
/// take more memory.
inline constexpr std::size_t least_caption_panel = std::size_t{1} << 22;
inline constexpr unsigned caption_threads = 256;

/// What is told of the fields, in the order in which they are looked at.
enum class caption_field : unsigned { caption = ragged_lists::fields, text };
inline constexpr const char* caption_words[] = {
    RANKLOSS_OFFSET_WORDS("captions"), "captions: $x at caption $l, component $i, expected a finite number",
    "texts: $x at text $l, component $i, expected a finite number"};

/// What a launch is given, by value.
template <class T>
struct caption_task {
  caption_batch<T> batch;
  embedding_side<T> captions, texts;
  ragged_lists lists;
  std::size_t images, looked;
  bool check;
  device_span<T> relevance;
  fault_record* faults;

  [[nodiscard]] __device__ std::size_t first(std::size_t image) const {
    return batch.offsets.empty() ? image * batch.captions_per_image : lists.first(image);
  }
  [[nodiscard]] __device__ bool matches(std::size_t image, std::size_t text) const {
    if (!batch.matches.empty()) return batch.matches[image * texts.count + text];
    if (batch.pairing == pairing::none) return false;
    return batch.pairing == pairing::by_index ? image == text
                                              : first(image) <= text && text < first(image + 1);
  }

  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    const fault_word of_offset = lists.fault(i);
    if (of_offset != no_fault || !check) return of_offset;
    const auto bad = [i](const embedding_side<T>& side) {
      return i < side.count && side.not_finite[i] != no_component;
    };
    if (bad(captions)) return fault_of_field(static_cast<unsigned>(caption_field::caption), i);
    return bad(texts) ? fault_of_field(static_cast<unsigned>(caption_field::text), i) : no_fault;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    if (lists.describe(word, record)) return;
    const bool of_text = static_cast<caption_field>(field_of(word)) == caption_field::text;
    const embedding_side<T>& side = of_text ? texts : captions;
    const std::size_t vector = item_of(word), component = side.not_finite[vector];
    record.list = vector;
    record.number = static_cast<double>(side.given[vector * side.stride + component]);
    record.word = fault_of_field(field_of(word), component);
  }
};

/// The cosines of the captions from `first` on with all texts: [captions of the panel, texts]. One tile a block.
template <class T>
__global__ void __launch_bounds__(product_threads)
    multiply_captions(const product_operand<T, true> captions, const product_operand<T, true> texts,
                      std::size_t dimension, std::size_t first, T* cosines) {
  __shared__ product_memory<T> memory;
  const std::size_t across = (texts.lines + tile_side - 1) / tile_side;
  const std::size_t row = first + blockIdx.x / across * tile_side, column = blockIdx.x % across * tile_side;
  T own[own_side][own_side];
  multiply_tile(captions, texts, row, column, dimension, memory, own);
#pragma unroll
  for (unsigned r = 0; r < own_side; ++r) {
    const std::size_t i = row + own_row() + r;
    if (i >= captions.lines) continue;
#pragma unroll
    for (unsigned c = 0; c < own_side; ++c) {
      const std::size_t j = column + own_column() + c;
      if (j < texts.lines) cosines[(i - first) * texts.lines + j] = own[r][c];
    }
  }
}

/// The greatest cosine of each image's captions among those of a panel, [first, last), and of the panels before
/// it. An image in a block at a time, a text in a thread.
template <class T>
__global__ void __launch_bounds__(caption_threads)
    merge_captions(const caption_task<T> task, std::size_t first, std::size_t last, const T* cosines) {
  if (task.faults->places != no_fault) return;
  for (std::size_t image = blockIdx.x; image < task.images; image += gridDim.x) {
    const std::size_t from = task.first(image), to = task.first(image + 1);
    const std::size_t begin = from < first ? first : from, end = to < last ? to : last;
    if (begin >= end) continue;
    for (std::size_t t = threadIdx.x; t < task.texts.count; t += caption_threads) {
      T& best = task.relevance[image * task.texts.count + t];
      T greatest = from < first ? best : T{-1};
      for (std::size_t c = begin; c < end; ++c) {
        const T own = cosines[(c - first) * task.texts.count + t];
        greatest = own > greatest ? own : greatest;
      }
      best = greatest;
    }
  }
}

/// The relevance, from the greatest cosines.
template <class T>
__global__ void __launch_bounds__(caption_threads) finish_captions(const caption_task<T> task) {
  const bool bad = task.faults->places != no_fault;
  for (std::size_t image = blockIdx.x; image < task.images; image += gridDim.x)
    for (std::size_t t = threadIdx.x; t < task.texts.count; t += caption_threads) {
      T& to = task.relevance[image * task.texts.count + t];
      if (bad) {
        to = not_a_number<T>;
      } else if (task.matches(image, t)) {
        to = T{1};
      } else {
        const T best = task.first(image) < task.first(image + 1) ? to : T{0};
        to = T(0.5) * (T{1} + (best < T{1} ? best : T{1}));
      }
    }
}

/// The engine of relevance_scores.
struct caption_engine {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const caption_scores&, const caption_batch<T>& batch) {
    return plan<T>(batch, caption_shape(batch), panel_captions(batch)).scratch.bytes;
  }
  template <class T>
  static void run(const caption_scores&, const caption_batch<T>& batch, const device_span<T>& relevance,
                  context& ctx) {
    run_in_panels(batch, relevance, ctx, panel_captions(batch));
  }

  /// @param height  captions of a panel, a multiple of tile_side
  template <class T>
  static void run_in_panels(const caption_batch<T>& batch, const device_span<T>& relevance, context& ctx,
                            std::size_t height) {
    const caption_shape shape(batch);
    const plan<T> to(batch, shape, height);
    void* const memory = ctx.scratch(to.scratch.bytes);
    const cudaStream_t stream = ctx.stream();
    const auto blocks = [](std::size_t count, std::size_t of_block) {
      return static_cast<unsigned>((count + of_block - 1) / of_block);
    };
    const auto side_of = [&](const device_vectors<T>& given, std::size_t count, const auto& own) {
      return embedding_side<T>{.given = given,
                               .count = count,
                               .dimension = batch.dimension,
                               .stride = batch.dimension,
                               .unit = 1u,
                               .vectors = scratch_plan::at<T>(memory, own.vectors),
                               .apart = batch.dimension,
                               .lengths = scratch_plan::at<unit_length>(memory, own.lengths),
                               .largest = scratch_plan::at<double>(memory, own.largest),
                               .not_finite = scratch_plan::at<std::uint64_t>(memory, own.not_finite)};
    };
    const caption_task<T> task{.batch = batch,
                               .captions = side_of(batch.captions, shape.captions, to.captions),
                               .texts = side_of(batch.texts, shape.texts, to.texts),
                               .lists = {batch.offsets, shape.captions},
                               .images = shape.images,
                               .looked = std::max({shape.captions, shape.texts, batch.offsets.size()}),
                               .check = ctx.checks == data_checks::on,
                               .relevance = relevance,
                               .faults = ctx.faults()};
    for (const auto* side : {&task.captions, &task.texts})
      if (side->count > 0)
        launch("prepare_vectors", prepare_vectors<T, T>, blocks(side->count, vectors_of_block),
               vectors_of_block * warp_size, 0, stream, *side);
    look(task, ctx.faults(), stream);
    const auto images = static_cast<unsigned>(std::min(most_blocks, shape.images));
    T* const cosines = scratch_plan::at<T>(memory, to.cosines);
    if (relevance.size() > 0) {
      for (std::size_t first = 0; first < shape.captions; first += height) {
        const std::size_t own = std::min(height, shape.captions - first);
        launch("multiply_captions", multiply_captions<T>,
               blocks(own, tile_side) * blocks(shape.texts, tile_side), product_threads, 0, stream,
               product_operand<T, true>{task.captions.vectors, batch.dimension, first + own},
               product_operand<T, true>{task.texts.vectors, batch.dimension, shape.texts}, batch.dimension,
               first, cosines);
        launch("merge_captions", merge_captions<T>, images, caption_threads, 0, stream, task, first,
               first + own, cosines);
      }
      launch("finish_captions", finish_captions<T>, images, caption_threads, 0, stream, task);
    }
    launch("keep_found", keep_found<caption_task<T>>, 1, 1, 0, stream, task, fault_words{caption_words},
           ctx.faults());
  }

 private:
  template <class T>
  [[nodiscard]] static std::size_t panel_captions(const caption_batch<T>& batch) {
    const caption_shape shape(batch);
    const std::size_t texts = std::max<std::size_t>(1, shape.texts);
    const std::size_t pairs = std::max(least_caption_panel, (shape.captions + texts) * batch.dimension);
    return std::max<std::size_t>(1, pairs / texts / tile_side) * tile_side;
  }

  template <class T>
  struct plan {
    struct side {
      side(scratch_plan& scratch, std::size_t count, std::size_t dimension)
          : vectors(scratch.take<T>(count * dimension)),
            lengths(scratch.take<unit_length>(count)),
            largest(scratch.take<double>(count)),
            not_finite(scratch.take<std::uint64_t>(count)) {}

      std::size_t vectors, lengths, largest, not_finite;
    };

    plan(const caption_batch<T>& batch, const caption_shape& shape, std::size_t height)
        : captions(scratch, shape.captions, batch.dimension),
          texts(scratch, shape.texts, batch.dimension),
          cosines(scratch.take<T>(std::min(height, shape.captions) * shape.texts)) {}

    scratch_plan scratch;
    side captions, texts;
    std::size_t cosines;
  };
};

}  // namespace cuda::detail

template <>
struct engine<cuda::detail::caption_scores, cuda::context> : cuda::detail::caption_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
