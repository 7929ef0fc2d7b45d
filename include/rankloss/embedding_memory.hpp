// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/require.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// embedding_memory: past embeddings as further columns of a batch, which have no gradient: more negatives
/// than fit in one step. It is the cross-batch memory XBM, the queue of MoCo and the memory bank of others.
///
///     embedding_memory<float> memory(8192, 256);  // capacity, dimension
///     for (each step) {
///       const auto columns = memory.with(y, classes);  // y [batch, 256], and the class ids of its vectors
///       const embedding_batch<float> pairs{.row_embeddings = x, .column_embeddings = columns.embeddings,
///                                          .rows = batch, .columns = columns.count, .dimension = 256,
///                                          .row_classes = classes, .column_classes = columns.classes};
///       evaluate(loss, pairs, {.row_gradient = dx, .column_gradient = dy}, context);  // dy [batch, 256]
///       memory.push();
///     }
///
/// Without class ids row i matches column i, and `extra_columns = true` of the batch says that the columns
/// behind the first ones match no row.
///
/// - The columns are the batch, in its order, and then the held vectors in the order of their slots. A push
///   writes the vectors of the batch to the slots in turn, from slot 0 on, and over the oldest ones when all
///   are taken; so a held vector keeps its slot until it is replaced. Of a batch larger than the capacity the
///   last `capacity` vectors are held.
/// - Batches may differ in size. All have class ids, or none has; `clear` forgets that, too.
/// - Only the columns of the batch have a gradient. A loss that looks at columns as queries
///   (directions::both or columns) takes the held ones for queries, too; XBM and MoCo have rows alone.
/// - XBM holds embeddings of the model itself, which drift slowly once training has settled; start to use
///   them then. MoCo pushes the keys of a second, slowly moving encoder: they are the batch of `with`
///   there.
/// - Memory: [capacity + largest batch, dimension], allocated once where `largest_batch` is given, else
///   when a batch is larger than all before. The views are valid until the next call that is not const.
///
/// Wang, Zhang, Huang, Scott: Cross-batch memory for embedding learning, CVPR 2020, arXiv 1912.06798. He,
/// Fan, Wu, Xie, Girshick: Momentum contrast for unsupervised visual representation learning, CVPR 2020,
/// arXiv 1911.05722.
template <score T>
class embedding_memory {
 public:
  /// The columns of a step.
  struct columns_view {
    array_view<const T> embeddings;            ///< [count, dimension] the batch, and then the held vectors
    array_view<const std::int64_t> classes{};  ///< [count] their class ids; empty where there are none
    std::size_t batch = 0;                     ///< columns that have a gradient
    std::size_t count = 0;                     ///< all columns
  };

  /// @throws std::invalid_argument for a dimension of 0; std::bad_alloc, std::length_error for one too large.
  embedding_memory(std::size_t capacity, std::size_t dimension, std::size_t largest_batch = 0)
      : capacity_(capacity), dimension_(dimension), room_(largest_batch) {
    detail::require(dimension > 0, "dimension: 0, expected at least 1");
    embeddings_.resize(elements(room_));
    classes_.resize(capacity_ + room_);
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t dimension() const noexcept { return dimension_; }
  /// The number of held vectors.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Whether all slots are taken.
  [[nodiscard]] bool full() const noexcept { return size_ == capacity_; }

  /// The columns of a step: a copy of the batch, and the held vectors behind it. A batch that has not been
  /// pushed is replaced.
  /// @throws std::invalid_argument when sizes do not fit, or class ids are given for some batches only;
  /// std::bad_alloc while memory grows. Then nothing has changed.
  columns_view with(array_view<const T> batch, const indices& classes = {}) {
    detail::require(batch.size() % dimension_ == 0, "batch: size ", batch.size(),
                    ", expected whole vectors of dimension ", dimension_);
    const std::size_t count = batch.size() / dimension_;
    check_classes(classes, count);
    if (count > room_) grow(count);
    batch_ = count;
    waits_ = true;
    if (count > 0) has_classes_ = !classes.empty();
    std::copy(batch.begin(), batch.end(), embeddings_.begin() + at(room_ - count));
    for (std::size_t i = 0; i < classes.size(); ++i) classes_[room_ - count + i] = classes[i];
    return columns();
  }

  /// The columns of `with` again; before it, and after a push, the held vectors alone.
  [[nodiscard]] columns_view columns() const noexcept {
    const std::size_t first = room_ - batch_;
    const std::size_t count = batch_ + size_;
    columns_view view{
        .embeddings = std::span<const T>(embeddings_).subspan(first * dimension_, count * dimension_),
        .batch = batch_,
        .count = count};
    if (has_classes_) view.classes = std::span<const std::int64_t>(classes_).subspan(first, count);
    return view;
  }

  /// Holds the batch that `with` was called with, in place of the oldest vectors.
  /// @throws std::logic_error without such a batch.
  void push() {
    if (!waits_) detail::fail<std::logic_error>("push: no batch, expected a call of with before each push");
    const std::size_t first = room_ - batch_;
    for (std::size_t i = batch_ - std::min(batch_, capacity_); i < batch_; ++i) {
      std::copy_n(embeddings_.begin() + at(first + i), dimension_, embeddings_.begin() + at(room_ + next_));
      classes_[room_ + next_] = classes_[first + i];
      size_ = std::max(size_, next_ + 1);
      next_ = next_ + 1 == capacity_ ? 0 : next_ + 1;
    }
    drop_batch();
  }

  /// Holds other vectors than those of the step, such as the keys of a momentum encoder, or those of a state
  /// that is restored. A batch that waits for a push is dropped.
  /// @throws as `with` does.
  void push(array_view<const T> vectors, const indices& classes = {}) {
    with(vectors, classes);
    push();
  }

  /// Forgets all vectors; the memory is kept.
  void clear() noexcept {
    size_ = next_ = 0;
    has_classes_ = false;
    drop_batch();
  }

 private:
  [[nodiscard]] std::size_t elements(std::size_t room) const {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 16;
    detail::require(capacity_ <= most && room <= most && capacity_ + room <= most / dimension_,
                    "capacity: ", capacity_, " and ", room, " vectors of dimension ", dimension_,
                    ", expected a size in memory");
    return (capacity_ + room) * dimension_;
  }
  [[nodiscard]] std::ptrdiff_t at(std::size_t vector) const noexcept {
    return static_cast<std::ptrdiff_t>(vector * dimension_);
  }

  void check_classes(const indices& classes, std::size_t count) const {
    detail::require(classes.empty() || classes.size() == count, "classes: size ", classes.size(),
                    ", expected ", count, " (one per vector)");
    if (size_ == 0 || count == 0) return;
    detail::require(classes.empty() != has_classes_, "classes: ", classes.empty() ? "none" : "given",
                    ", expected ", has_classes_ ? "them" : "none", ", as for the vectors that are held");
  }

  /// Moves the slots behind room for a larger batch.
  void grow(std::size_t room) {
    std::vector<T> embeddings(elements(room));
    std::vector<std::int64_t> classes(capacity_ + room);
    std::copy(embeddings_.begin() + at(room_), embeddings_.end(), embeddings.begin() + at(room));
    std::copy(classes_.begin() + static_cast<std::ptrdiff_t>(room_), classes_.end(),
              classes.begin() + static_cast<std::ptrdiff_t>(room));
    embeddings_.swap(embeddings);
    classes_.swap(classes);
    room_ = room;
  }
  void drop_batch() noexcept {
    batch_ = 0;
    waits_ = false;
  }

  std::size_t capacity_;
  std::size_t dimension_;
  std::size_t room_;                   // vectors of a batch that fit before slot 0; a batch ends there
  std::vector<T> embeddings_;          // [room + capacity, dimension]
  std::vector<std::int64_t> classes_;  // [room + capacity]
  std::size_t batch_ = 0;              // vectors of the batch that is in front
  std::size_t size_ = 0;
  std::size_t next_ = 0;  // the slot that the next pushed vector takes
  bool waits_ = false;    // whether the batch has not been pushed
  bool has_classes_ = false;
};

}  // namespace rankloss::inline RANKLOSS_ABI
