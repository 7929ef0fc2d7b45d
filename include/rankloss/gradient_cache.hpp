// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/require.hpp>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// gradient_cache: a large batch for an encoder that can only hold the activations of a small one. All
/// micro-batches are encoded first, without activations; the gradient of the loss by all embeddings is
/// computed once; then each micro-batch is encoded again, with activations, and its slice of the gradient is
/// sent back through the encoder. The sum over the micro-batches is the gradient of the whole batch.
///
///     gradient_cache<float> cache(256);  // dimension
///     for (each step) {
///       cache.collect();
///       for (each micro-batch) cache.add_rows(encode(images)), cache.add_columns(encode(texts));
///       const auto step = cache.replay();
///       // the loss, of an embedding_batch: from step.rows and step.columns to step.row_gradients and
///       // step.column_gradients
///       for (each micro-batch k) {
///         backward(encode(images), cache.row_gradient(k));
///         backward(encode(texts), cache.column_gradient(k));
///       }
///     }
///
/// - It has two states, collecting (at first, and after `collect`) and replaying (after `replay`). What
///   belongs to the other state is a std::logic_error.
/// - Micro-batches may differ in size. Rows and columns are numbered separately, from 0. For
///   self-similarities there are rows alone.
/// - The second pass has to give the same embeddings: dropout must draw the same numbers again, and batch
///   normalisation sees micro-batches in both passes.
/// - Memory: the embeddings and their gradients, which are kept for the next step; nothing else is copied.
///   The views are valid until the next call of collect, add_rows, add_columns or replay.
///
/// Gao, Zhang, Han, Callan: Scaling deep contrastive learning batch size under memory limited setup,
/// RepL4NLP 2021, arXiv 2101.06983 (GradCache).
template <score T>
class gradient_cache {
 public:
  /// All embeddings of a step, [vectors, dimension], and where their gradients go, which are 0 at first.
  struct step_view {
    array_view<const T> rows;
    array_view<const T> columns;
    array_view<T> row_gradients;
    array_view<T> column_gradients;
    std::size_t row_count = 0;
    std::size_t column_count = 0;
  };

  /// @throws std::invalid_argument for a dimension of 0.
  explicit gradient_cache(std::size_t dimension) : dimension_(dimension) {
    detail::require(dimension > 0, "dimension: 0, expected at least 1");
  }

  [[nodiscard]] std::size_t dimension() const noexcept { return dimension_; }
  [[nodiscard]] bool replaying() const noexcept { return replaying_; }
  /// The number of micro-batches that were added.
  [[nodiscard]] std::size_t row_batches() const noexcept { return rows_.ends.size(); }
  [[nodiscard]] std::size_t column_batches() const noexcept { return columns_.ends.size(); }

  /// Begins a step: forgets the micro-batches of the one before, in any state.
  void collect() noexcept {
    rows_.clear();
    columns_.clear();
    replaying_ = false;
  }

  /// Adds the embeddings of a micro-batch, and returns its number.
  /// @throws std::invalid_argument for a size that is no multiple of the dimension, std::logic_error while
  /// replaying, std::bad_alloc. Then nothing has changed.
  std::size_t add_rows(array_view<const T> embeddings) { return add(rows_, "add_rows", embeddings); }
  std::size_t add_columns(array_view<const T> embeddings) { return add(columns_, "add_columns", embeddings); }

  /// Ends the collecting. The loss is then to be computed from the embeddings, and its gradients written.
  /// @throws std::logic_error while replaying, std::bad_alloc. Then nothing has changed.
  step_view replay() {
    if (replaying_)
      detail::fail<std::logic_error>("replay: it is replaying, expected a call of collect before");
    rows_.gradients.assign(rows_.embeddings.size(), T{0});
    columns_.gradients.assign(columns_.embeddings.size(), T{0});
    replaying_ = true;
    return {.rows = rows_.embeddings,
            .columns = columns_.embeddings,
            .row_gradients = rows_.gradients,
            .column_gradients = columns_.gradients,
            .row_count = rows_.embeddings.size() / dimension_,
            .column_count = columns_.embeddings.size() / dimension_};
  }

  /// The gradient by the embeddings of micro-batch k, [vectors of the micro-batch, dimension].
  /// @throws std::logic_error while collecting, std::invalid_argument for a micro-batch that was not added.
  [[nodiscard]] array_view<const T> row_gradient(std::size_t k) const {
    return slice(rows_, "row_gradient", k);
  }
  [[nodiscard]] array_view<const T> column_gradient(std::size_t k) const {
    return slice(columns_, "column_gradient", k);
  }

 private:
  struct side {
    void clear() noexcept {
      embeddings.clear();
      gradients.clear();
      ends.clear();
    }

    std::vector<T> embeddings;
    std::vector<T> gradients;
    std::vector<std::size_t> ends;  // elements up to the end of each micro-batch
  };

  std::size_t add(side& to, std::string_view call, array_view<const T> embeddings) {
    if (replaying_)
      detail::fail<std::logic_error>(call, ": it is replaying, expected a call of collect before");
    detail::require(embeddings.size() % dimension_ == 0, call, ": size ", embeddings.size(),
                    ", expected whole vectors of dimension ", dimension_);
    if (to.ends.size() == to.ends.capacity()) to.ends.reserve(2 * to.ends.size() + 8);
    to.embeddings.insert(to.embeddings.end(), embeddings.begin(), embeddings.end());
    to.ends.push_back(to.embeddings.size());
    return to.ends.size() - 1;
  }

  [[nodiscard]] array_view<const T> slice(const side& of, std::string_view call, std::size_t k) const {
    if (!replaying_)
      detail::fail<std::logic_error>(call, ": it is collecting, expected a call of replay before");
    detail::require(k < of.ends.size(), call, ": micro-batch ", k, ", expected one below ", of.ends.size());
    const std::size_t first = k == 0 ? 0 : of.ends[k - 1];
    return std::span<const T>(of.gradients).subspan(first, of.ends[k] - first);
  }

  std::size_t dimension_;
  side rows_, columns_;
  bool replaying_ = false;
};

}  // namespace rankloss::inline RANKLOSS_ABI
