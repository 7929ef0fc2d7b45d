// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/abi.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <ranges>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

namespace detail {

/// Memory that a view may point into.
template <class Range>
concept contiguous = std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range>;

template <class Range>
using element_of = std::remove_cv_t<std::remove_reference_t<std::ranges::range_reference_t<Range>>>;

}  // namespace detail

/// reals: floats or doubles that the host owns, read only. Empty means "not given".
class reals {
 public:
  reals() = default;
  template <detail::contiguous Range>
  requires(std::same_as<detail::element_of<Range>, float> || std::same_as<detail::element_of<Range>, double>) reals(const Range& values)
  noexcept : data_(std::ranges::data(values)), size_(std::ranges::size(values)), wide_(std::same_as<detail::element_of<Range>, double>) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] double operator[](std::size_t i) const noexcept {
    return wide_ ? static_cast<const double*>(data_)[i] : static_cast<double>(static_cast<const float*>(data_)[i]);
  }

 private:
  const void* data_ = nullptr;
  std::size_t size_ = 0;
  bool wide_ = false;
};

/// real_output: floats or doubles that the host owns, to be written. Empty means "not wanted".
class real_output {
 public:
  real_output() = default;
  template <detail::contiguous Range>
  requires(std::same_as<std::remove_reference_t<std::ranges::range_reference_t<Range>>, float> ||
           std::same_as<std::remove_reference_t<std::ranges::range_reference_t<Range>>, double>) real_output(Range&& values)
  noexcept : data_(std::ranges::data(values)), size_(std::ranges::size(values)), wide_(std::same_as<detail::element_of<Range>, double>) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Calls `visitor(pointer)` with a float* or a double*.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return wide_ ? visitor(static_cast<double*>(data_)) : visitor(static_cast<float*>(data_));
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
  bool wide_ = false;
};

/// positions: offsets or class ids as the host holds them: 32 or 64 bit, signed or not. Empty means "not given".
class positions {
 public:
  positions() = default;
  template <detail::contiguous Range>
  requires(std::integral<detail::element_of<Range>> && (sizeof(detail::element_of<Range>) == 4 || sizeof(detail::element_of<Range>) == 8))
      positions(const Range& values)
  noexcept
      : data_(std::ranges::data(values)),
        size_(std::ranges::size(values)),
        kind_(sizeof(detail::element_of<Range>) == 8            ? kind::wide
              : std::signed_integral<detail::element_of<Range>> ? kind::signed32
                                                                : kind::unsigned32) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::int64_t operator[](std::size_t i) const noexcept {
    switch (kind_) {
      case kind::signed32: return static_cast<const std::int32_t*>(data_)[i];
      case kind::unsigned32: return static_cast<const std::uint32_t*>(data_)[i];
      default: return static_cast<const std::int64_t*>(data_)[i];
    }
  }

 private:
  enum class kind { signed32, unsigned32, wide };
  const void* data_ = nullptr;
  std::size_t size_ = 0;
  kind kind_ = kind::wide;
};

/// flags: one byte an item, zero or not (bool, char, std::uint8_t, a NumPy bool array). Empty means "not given".
class flags {
 public:
  flags() = default;
  template <detail::contiguous Range>
  requires(std::integral<detail::element_of<Range>> && sizeof(detail::element_of<Range>) == 1) flags(const Range& values)
  noexcept : data_(reinterpret_cast<const unsigned char*>(std::ranges::data(values))), size_(std::ranges::size(values)) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool operator[](std::size_t i) const noexcept { return data_[i] != 0; }

 private:
  const unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// strided: items at a constant distance in memory; a row, a column or a plain array.
template <class T>
class strided {
 public:
  strided() = default;
  strided(T* data, std::size_t size, std::ptrdiff_t stride = 1) noexcept : data_(data), size_(size), stride_(stride) {}
  strided(std::span<T> items) noexcept : data_(items.data()), size_(items.size()) {}
  operator strided<const T>() const noexcept requires(!std::is_const_v<T>) { return {data_, size_, stride_}; }

  [[nodiscard]] T& operator[](std::size_t i) const noexcept { return data_[static_cast<std::ptrdiff_t>(i) * stride_]; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::ptrdiff_t stride() const noexcept { return stride_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::ptrdiff_t stride_ = 1;
};

/// How the values of the lists become one number.
enum class reduction {
  mean,              ///< sum of weight * value over sum of weights; every list counts, empty ones too
  mean_of_relevant,  ///< the same over the lists that hold something relevant; 0 when none does
  sum,               ///< sum of weight * value
};

/// Whether an output replaces what the buffer holds or is added to it.
enum class update { overwrite, add };

/// list_batch: lists of scored items, over the host's own memory.
///
/// Ragged: list q is [offsets[q], offsets[q + 1]); empty lists are allowed; without offsets there is one list.
/// Dense: `length` items a list, lists `stride` apart; what lies between a list's end and the next one's beginning is never read.
/// Every array "of items" has the same layout as `scores`. A masked item takes no part; its gradient is 0.
///
/// T is float or double; Relevance is any arithmetic type.
template <std::floating_point T, class Relevance = T>
requires std::is_arithmetic_v<Relevance>
struct list_batch {
  using score_type = T;
  using relevance_type = Relevance;

  std::span<const T> scores;             ///< [items] any finite number; infinities as each loss documents
  std::span<const Relevance> relevance;  ///< [items] grade or gain, as each loss documents
  positions offsets{};                   ///< [lists + 1] rising from 0 to the number of items
  reals list_weights{};                  ///< [lists] >= 0, finite; none: all 1
  reals item_weights{};                  ///< [items] >= 0, finite; none: all 1
  std::size_t length = 0;                ///< dense form: items a list; 0: ragged form
  std::size_t stride = 0;                ///< dense form: items from one list's start to the next; 0: length
  flags mask{};                          ///< [items] zero: the item is padding; none: all count
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// similarity_batch: a matrix of similarities between rows (queries of one kind) and columns (of the other), over the host's own memory.
///
/// Which pairs match, the first that is given of: `matches`; `row_classes` and `column_classes` (equal ids match);
/// none (row i matches column i, and the matrix is square).
template <std::floating_point T, class Relevance = T>
requires std::is_arithmetic_v<Relevance>
struct similarity_batch {
  using score_type = T;
  using relevance_type = Relevance;

  std::span<const T> similarity;                  ///< [rows, columns] any finite number
  std::size_t rows = 0;                           ///< number of rows
  std::size_t columns = 0;                        ///< number of columns
  std::size_t stride = 0;                         ///< items from one row's start to the next, of similarity and gradient; 0: columns
  flags matches{};                                ///< [rows, columns] dense: not zero where the pair matches
  positions row_classes{};                        ///< [rows] class id
  positions column_classes{};                     ///< [columns] class id
  std::span<const Relevance> relevance{};         ///< [rows, columns] dense: grade of a column for a row; none: 1 where matching, else 0
  std::span<const Relevance> column_relevance{};  ///< [rows, columns] dense: grade of the row for the column's query; none: relevance
  reals row_weights{};                            ///< [rows] >= 0, finite; none: all 1
  reals column_weights{};                         ///< [columns] >= 0, finite; none: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// outputs: what `evaluate` writes besides the value it returns. Empty spans are not written.
struct outputs {
  real_output gradient{};        ///< layout of the scores: scale * d(value) / d(score)
  std::span<double> per_list{};  ///< [lists] the lists' own values, before weights and scale; of a matrix: [rows + columns]
  real_output hessian{};         ///< layout of the scores: scale * d2(value) / d(score)^2, the diagonal; for losses that have it
  double scale = 1.0;            ///< factor on gradient and hessian, such as an upstream gradient; not on the value
  rankloss::update update = rankloss::update::overwrite;  ///< of gradient and hessian
};

/// list: one list of a batch as a loss sees it.
template <class T, class Relevance>
struct list {
  strided<const T> scores;             ///< [n]
  strided<const Relevance> relevance;  ///< [n]
  strided<const double> weights{};     ///< [n] or empty: all 1
  std::size_t number = 0;              ///< which list of its batch it is, from 0: what random numbers are keyed by

  [[nodiscard]] std::size_t size() const noexcept { return scores.size(); }
};

/// list_outputs: where a loss writes what it computes of one list; an empty one is not wanted.
template <class T>
struct list_outputs {
  strided<T> gradient{};  ///< [n]
  strided<T> hessian{};   ///< [n]
};

}  // namespace rankloss::inline RANKLOSS_ABI
