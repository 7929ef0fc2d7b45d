// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whoever has several workers for the pieces of one list: a context, while none of its tasks is running.
class piece_runner {
 public:
  piece_runner() = default;
  piece_runner(const piece_runner&) = delete;
  piece_runner& operator=(const piece_runner&) = delete;

  [[nodiscard]] virtual bool is_free() const noexcept = 0;
  virtual void run_pieces(std::size_t pieces, void* body, void (*call)(void*, workspace&, std::size_t)) = 0;

 protected:
  ~piece_runner() = default;
};

/// Calls body(scratch, piece) once for each piece, with scratch in a scope of its own: on all workers of the
/// context that `scratch` is of, where that context runs no tasks, and else one piece after the other.
///
/// Pieces must not depend on each other. How a list is cut into pieces must depend on the list alone, and not
/// on the workers: then results do not, either.
template <class Body>
void run_pieces(workspace& scratch, std::size_t pieces, Body&& body) {
  const auto one = [&body](workspace& own, std::size_t piece) {
    const workspace::scope scope(own);
    body(own, piece);
  };
  piece_runner* const runner = scratch.pieces();
  if (pieces < 2 || runner == nullptr || !runner->is_free()) {
    for (std::size_t piece = 0; piece < pieces; ++piece) one(scratch, piece);
    return;
  }
  runner->run_pieces(pieces, const_cast<void*>(static_cast<const void*>(std::addressof(one))),
                     [](void* object, workspace& own, std::size_t piece) {
                       (*static_cast<std::remove_reference_t<decltype(one)>*>(object))(own, piece);
                     });
}

/// run_pieces, and after(piece) for one piece after the other in their order, each some time after its body: one at a
/// time, by a worker whose body has just ended, while the others go on with bodies.
/// @param ended  [pieces] scratch
template <class Body, class After>
void run_pieces_in_order(workspace& scratch, std::span<bool> ended, Body&& body, After&& after) {
  // Held for a few instructions. <mutex> is not in every standard library that has no threads.
  struct {
    std::atomic_flag flag;
    void lock() noexcept {
      while (flag.test_and_set(std::memory_order_acquire)) {
      }
    }
    void unlock() noexcept { flag.clear(std::memory_order_release); }
  } state;
  bool busy = false;
  std::size_t next = 0;
  std::fill(ended.begin(), ended.end(), false);
  run_pieces(scratch, ended.size(), [&](workspace& own, std::size_t piece) {
    body(own, piece);
    state.lock();
    ended[piece] = true;
    if (!busy) {
      busy = true;
      for (; next < ended.size() && ended[next]; ++next) {
        state.unlock();
        after(next);
        state.lock();
      }
      busy = false;
    }
    state.unlock();
  });
}

/// From how many items on a list is shared by all workers instead of being the work of one of them: where it
/// is more than what is a worker's due, and worth it.
/// @param shortest  items of a list that are worth it
[[nodiscard]] constexpr std::size_t worker_due(std::size_t all_items, std::size_t workers,
                                               std::size_t shortest = tuning::shortest_shared) noexcept {
  return std::max(all_items / workers, shortest);
}

/// A range of items.
struct item_range {
  std::size_t begin, end;
  [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
};

/// The items [0, n) in pieces of `most`, the last one of what is left; an empty list is one empty piece.
class even_pieces {
 public:
  constexpr even_pieces(std::size_t n, std::size_t most) noexcept : n_(n), most_(most) {}

  [[nodiscard]] constexpr std::size_t count() const noexcept {
    return std::max<std::size_t>((n_ + most_ - 1) / most_, 1);
  }
  [[nodiscard]] constexpr item_range operator[](std::size_t piece) const noexcept {
    return {std::min(piece * most_, n_), std::min((piece + 1) * most_, n_)};
  }

 private:
  std::size_t n_, most_;
};

/// Calls body(i) for each i of [0, n), in pieces. The body is copied to the stack of whoever runs a piece, and what it
/// captures should be pointers, spans and numbers by value: then the loop keeps them in registers.
template <class Body>
void for_each_item(workspace& scratch, std::size_t n, const Body& body) {
  const even_pieces pieces(n, tuning::piece_items);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const Body own = body;
    const item_range range = pieces[p];
    for (std::size_t i = range.begin; i < range.end; ++i) own(i);
  });
}

/// The elements [0, n) in pieces of which each has as many elements that count, but for the last one. What a piece sums
/// therefore does not depend on the elements that do not count, nor on whether they are there. There is at least one piece.
class counted_pieces {
 public:
  /// @param all     whether all elements count
  /// @param counts  counts(i): whether element i does
  template <class Counts>
  counted_pieces(std::size_t n, bool all, const Counts& counts, workspace& scratch) : even_(n, size) {
    if (all || n <= size) return;
    // How many elements count before each stretch of equal length says in which of them a piece begins.
    std::span<std::size_t> before = scratch.take<std::size_t>(even_.count() + 1);
    run_pieces(scratch, even_.count(), [&](workspace&, std::size_t p) {
      const auto [begin, end] = even_[p];
      std::size_t counted = 0;
      for (std::size_t i = begin; i < end; ++i) counted += counts(i) ? 1u : 0u;
      before[p + 1] = counted;
    });
    before[0] = 0;
    for (std::size_t p = 0; p < even_.count(); ++p) before[p + 1] += before[p];
    const even_pieces counted(before[even_.count()], size);
    starts_ = scratch.take<std::size_t>(counted.count() + 1);
    run_pieces(scratch, even_.count(), [&](workspace&, std::size_t p) {
      const auto [begin, end] = even_[p];
      std::size_t at = before[p];
      for (std::size_t i = begin; i < end; ++i)
        if (counts(i) && at++ % size == 0) starts_[(at - 1) / size] = i;
    });
    starts_.front() = 0;
    starts_.back() = n;
  }

  [[nodiscard]] std::size_t count() const noexcept {
    return starts_.empty() ? even_.count() : starts_.size() - 1;
  }
  [[nodiscard]] item_range operator[](std::size_t piece) const noexcept {
    return starts_.empty() ? even_[piece] : item_range{starts_[piece], starts_[piece + 1]};
  }

 private:
  static constexpr std::size_t size = tuning::piece_items;
  even_pieces even_;
  std::span<std::size_t> starts_{};  ///< of the pieces, and n; empty: they are even
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
