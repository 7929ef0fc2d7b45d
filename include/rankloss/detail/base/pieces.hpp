// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
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

/// From how many items on a list is shared by all workers instead of being the work of one of them: where it
/// is more than what is a worker's due, and worth it.
[[nodiscard]] constexpr std::size_t worker_due(std::size_t all_items, std::size_t workers) noexcept {
  return std::max(all_items / workers, tuning::shortest_shared);
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

}  // namespace rankloss::inline RANKLOSS_ABI::detail
