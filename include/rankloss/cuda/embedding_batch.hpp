// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/embedding_shape.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/vectors.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>

struct __half;         // of cuda_fp16.h
struct __nv_bfloat16;  // of cuda_bf16.h

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// device_vectors: the components of vectors in the memory of a device: numbers of type T, or halves or
/// bfloat16 as CUDA or this library names them, which are widened where they are read. Empty means "not
/// given".
template <score T>
class device_vectors {
  template <class Element, class... Types>
  static constexpr bool one_of = (std::same_as<std::remove_const_t<Element>, Types> || ...);
  template <class Element>
  static constexpr bool is_half = one_of<Element, half, __half>;
  template <class Element>
  static constexpr bool is_bfloat16 = one_of<Element, bfloat16, __nv_bfloat16>;

 public:
  device_vectors() = default;
  template <class Element>
  requires(one_of<Element, T> || is_half<Element> || is_bfloat16<Element>)
      device_vectors(const device_span<Element>& items)
  noexcept
      : data_(items.data()),
        size_(items.size()),
        kind_(is_half<Element>       ? kind::halves
              : is_bfloat16<Element> ? kind::bfloat16
                                     : kind::own) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool holds_halves() const noexcept { return kind_ == kind::halves; }
  [[nodiscard]] bool holds_bfloat16() const noexcept { return kind_ == kind::bfloat16; }
#if defined(__CUDACC__)
  [[nodiscard]] __device__ T operator[](std::size_t i) const noexcept {
    if (kind_ == kind::halves) return static_cast<T>(static_cast<const half*>(data_)[i]);
    if (kind_ == kind::bfloat16) return static_cast<T>(static_cast<const bfloat16*>(data_)[i]);
    return static_cast<const T*>(data_)[i];
  }
#endif

 private:
  enum class kind { own, halves, bfloat16 };

  const void* data_ = nullptr;
  std::size_t size_ = 0;
  kind kind_ = kind::own;
};

/// embedding_batch: embeddings of rows and of columns in the memory of a device. Its fields mean what those
/// of the rankloss::embedding_batch of the same names mean. Rows, columns and the dimension must be given.
///
/// `prefixes` are numbers of leading components, as on the host: the value is the weighted sum of those of the
/// prefixes. They and their weights are read by the call. Components behind the longest prefix are not looked at.
///
/// Which pairs match is said by matches, by classes, or else by index. Without `column_embeddings` the rows are compared
/// with themselves.
template <score T>
struct embedding_batch {
  using score_type = T;

  device_vectors<T> row_embeddings;       ///< [rows, dimension] finite
  device_vectors<T> column_embeddings{};  ///< [columns, dimension] finite; empty: those of the rows
  std::size_t rows = 0;
  std::size_t columns = 0;  ///< 0 without column_embeddings
  std::size_t dimension = 0;
  std::size_t row_stride = 0;     ///< components from a row to the next; 0: dimension
  std::size_t column_stride = 0;  ///< components from a column to the next; 0: dimension
  rankloss::similarity similarity = rankloss::similarity::cosine;
  rankloss::indices
      prefixes{};  ///< [prefixes] in the memory of the host, from 1 to dimension; empty: the dimension
  rankloss::reals prefix_weights{};  ///< [prefixes] in the memory of the host, >= 0, finite; empty: all 1
  device_flags matches{};            ///< [rows, columns] not zero where the pair matches
  device_indices row_classes{};      ///< [rows] class id
  device_indices column_classes{};   ///< [columns] class id
  device_flags mask{};               ///< [rows, columns] zero: the pair takes no part; empty: all do
  bool without_diagonal = false;     ///< pairs (i, i) take no part; for as many columns as rows
  bool extra_columns = false;   ///< columns behind the first `rows` match by index no row: more negatives
  device_indices row_ids{};     ///< [rows] id of the item that the row matches
  device_indices column_ids{};  ///< [columns] id of the item that the column holds
  device_reals row_probabilities{};     ///< [rows] of being sampled, from 1e-300 to 1
  device_reals column_probabilities{};  ///< [columns] of being sampled, from 1e-300 to 1
  device_reals row_weights{};           ///< [rows] >= 0, finite; empty: all 1
  device_reals column_weights{};        ///< [columns] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// embedding_outputs: what `evaluate` writes, all of it to the memory of a device. Empty outputs are not
/// written, and what only they need is not computed. The fields mean what those of
/// rankloss::embedding_outputs mean; vectors of a gradient lie one behind the other.
template <score T>
struct embedding_outputs {
  device_span<double> value{};       ///< [1] the value of the batch
  device_span<T> row_gradient{};     ///< [rows, dimension] scale * d(value) / d(row embedding)
  device_span<T> column_gradient{};  ///< [columns or fewer, dimension] the same of the first columns
  device_span<double> per_list{};    ///< [rows + columns] values of the rows, then of the columns
  double scale = 1.0;                ///< factor on the derivatives, not on per_list
  rankloss::update update = rankloss::update::overwrite;  ///< of the derivatives
  device_span<double> temperature_gradient{};             ///< [1] scale * d(value) / d(temperature)
  device_span<double> bias_gradient{};                    ///< [1] scale * d(value) / d(bias)
};

namespace detail {

/// Checks what the host knows of a call.
template <class Loss, score T>
void check_call(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out) {
  rankloss::validate(loss);
  check_option_gradients<Loss>(out);
  check_shape(batch, out);
  check_probabilities<Loss>(batch);
}

}  // namespace detail

/// scratch_bytes: what `evaluate` takes of the scratch of a context, for `context::reserve`.
template <class Loss, score T>
[[nodiscard]] std::size_t scratch_bytes(const Loss& loss, const embedding_batch<T>& batch) {
  detail::expect_engine<Loss, embedding_batch<T>>();
  if constexpr (detail::has_engine<Loss, embedding_batch<T>>) {
    detail::check_shape(batch, embedding_outputs<T>{});
    return engine<Loss, context>::scratch_bytes(loss, batch);
  }
  return 0;
}

}  // namespace cuda

/// evaluate: queues on the stream of the context what computes the value of a similarity loss over
/// embeddings, and its gradients by them, in the memory of the device. The same words as for embeddings in
/// the memory of the host.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`.
/// - The similarities are formed tile by tile, and never in memory. For gradients, panels of slopes are.
/// - Time: one product of rows x columns x dimension for the value, two where the loss looks at positives a
///   second time; three more for the gradients. All that twice for projections over both directions.
/// - Scratch: O((rows + columns) dimension).
/// - Products and exponentials are of T; sums over lines are of doubles. Results are the same bits on every
///   run, on every stream.
/// - Edge cases: as on the host, but for bad numbers, which `context::check` reports. Value, per_list and
///   gradients of a batch that has one are NaN.
/// @throws std::invalid_argument naming the field when sizes or options are invalid, cuda::error naming the
/// call of the runtime that failed, and std::logic_error when the context has been moved from or would have
/// to allocate while its stream is captured. Sizes and options are checked before anything is queued.
template <class Loss, score T>
void evaluate(const Loss& loss, const cuda::embedding_batch<T>& batch, const cuda::embedding_outputs<T>& out,
              cuda::context& ctx) {
  cuda::detail::expect_engine<Loss, cuda::embedding_batch<T>>();
  if constexpr (cuda::detail::has_engine<Loss, cuda::embedding_batch<T>>) {
    cuda::detail::check_call(loss, batch, out);
    engine<Loss, cuda::context>::run(loss, batch, out, ctx);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI
