// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/lists/list_source.hpp>
#include <rankloss/detail/lists/transpose.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Item i of the l-th list from some list on is data[l * next_list + i * next_item].
template <class X>
struct interleaved_items {
  X* data;
  std::size_t next_list, next_item;
};

/// A source whose neighbouring lists may lie between each other in memory, as columns of a matrix do that is
/// stored by rows:
///
///     interleaved()              whether they do
///     interleaved_relevance()    whether what relevance(l, scratch) is made of does
///     scores_from(l)             where they are, from list l on
///     relevance_from(l)          the same of the relevance, if it is in memory
///     relevance_at(l, i)         of item i of list l, if it is not
template <class Source>
concept interleaving_source = list_source<Source> && requires(const Source& source, std::size_t l) {
  { source.interleaved() } -> std::same_as<bool>;
  { source.interleaved_relevance() } -> std::same_as<bool>;
  { source.scores_from(l) } -> std::same_as<interleaved_items<const typename Source::score_type>>;
  { source.relevance_from(l) } -> std::same_as<interleaved_items<const typename Source::relevance_type>>;
  { source.relevance_at(l, l) } -> std::same_as<typename Source::relevance_type>;
};

/// Some neighbouring lists that lie between each other, copied so that each is in one piece. Read one by one,
/// each of them would pass over all cache lines of all the others; and where the distance of its items is a
/// multiple of a power of two, these take turns in few places of the cache.
template <interleaving_source Source>
class list_block {
 public:
  using T = typename Source::score_type;
  using relevance_type = typename Source::relevance_type;

  /// The lists [first, first + count), all of the same size.
  list_block(const Source& source, std::size_t first, std::size_t count, workspace& scratch)
      : source_(source),
        first_(first),
        size_(source.size(first)),
        pitch_(size_ + 16),  // a power of two apart they would take turns in few places, too
        scores_(scratch.take<T>(count * pitch_).data()) {
    copy(source.scores_from(first), count, scores_);
    if (source.interleaved_relevance()) {
      relevance_ = scratch.take<relevance_type>(count * pitch_).data();
      if (const auto held = source.relevance_from(first); held.data != nullptr)
        copy(held, count, relevance_);
      else
        for_pieces(count, [&](std::size_t l, std::size_t i) {
          relevance_[l * pitch_ + i] = source.relevance_at(first + l, i);
        });
    }
    if (source.masked()) {
      kept_ = scratch.take<std::uint8_t>(count * pitch_).data();
      for_pieces(count, [&](std::size_t l, std::size_t i) {
        kept_[l * pitch_ + i] = source.kept(first + l, i) ? 1 : 0;
      });
    }
  }

  /// Calls visit(l, i) for each item i of the first `count` lists l, piece by piece: the cache holds the lines
  /// of all lists in a piece.
  template <class Visit>
  [[gnu::always_inline]] void for_pieces(std::size_t count, const Visit& visit) const {
    for (std::size_t begin = 0; begin < size_; begin += tuning::block_rows) {
      const std::size_t end = std::min(begin + tuning::block_rows, size_);
      for (std::size_t l = 0; l < count; ++l)
        for (std::size_t i = begin; i < end; ++i) visit(l, i);
    }
  }

  /// The distance of copied lists.
  [[nodiscard]] std::size_t pitch() const { return pitch_; }
  [[nodiscard]] strided<const T> scores(std::size_t l) const { return {scores_ + at(l), size_}; }
  [[nodiscard]] strided<const relevance_type> relevance(std::size_t l, workspace& scratch) const {
    if (relevance_ == nullptr) return source_.relevance(l, scratch);
    return {relevance_ + at(l), size_};
  }
  [[nodiscard]] strided<const double> weights(std::size_t l, workspace& scratch) const {
    return source_.weights(l, scratch);
  }
  [[nodiscard]] bool kept(std::size_t l, std::size_t i) const {
    return kept_ == nullptr || kept_[at(l) + i] != 0;
  }
  [[nodiscard]] bool any_missed() const { return false; }
  [[nodiscard]] bool missed(std::size_t, std::size_t) const { return false; }

 private:
  template <class X>
  void copy(const interleaved_items<X>& from, std::size_t count, std::remove_const_t<X>* to) const {
    if (from.next_list == 1) return transpose(from.data, from.next_item, size_, count, to, pitch_);
    for_pieces(count, [=, pitch = pitch_](std::size_t l, std::size_t i) {
      to[l * pitch + i] = from.data[l * from.next_list + i * from.next_item];
    });
  }

  [[nodiscard]] std::size_t at(std::size_t l) const { return (l - first_) * pitch_; }

  const Source& source_;
  std::size_t first_;
  std::size_t size_;
  std::size_t pitch_;
  T* scores_;                            // [count, pitch]
  relevance_type* relevance_ = nullptr;  // [count, pitch], or null
  std::uint8_t* kept_ = nullptr;         // [count, pitch], or null
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
