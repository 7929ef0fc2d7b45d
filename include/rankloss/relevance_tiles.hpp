// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/context.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// relevance_tiles: relevance that is computed where it is needed, some rows or columns at a time, so that no
/// matrix of it is in memory. It is a view of an object of the host with
///
///     object.rows(first, count, to, context)       to: [count, columns] of the columns for rows from first on
///     object.columns(first, count, to, context)    to: [count, rows] of the rows for columns from first on
///
/// both const, which write every element of `to`, a std::span<Relevance>. They may run tasks with the context,
/// take its scratch and evaluate with it. caption_relevance is such an object. The object must stay until the
/// call that takes the view returns.
template <relevance_number Relevance>
class relevance_tiles {
 public:
  relevance_tiles() = default;

  template <class Object>
  requires(!std::same_as<Object, relevance_tiles> &&
           requires(const Object& object, std::size_t n, std::span<Relevance> to, context& ctx) {
             object.rows(n, n, to, ctx);
             object.columns(n, n, to, ctx);
           }) relevance_tiles(const Object& object RANKLOSS_LIFETIMEBOUND)
  noexcept
      : object_(std::addressof(object)),
        fill_([](const void* of, bool columns, std::size_t first, std::size_t count, std::span<Relevance> to,
                 context& ctx) {
          const Object& own = *static_cast<const Object*>(of);
          if (columns)
            own.columns(first, count, to, ctx);
          else
            own.rows(first, count, to, ctx);
        }) {}

  [[nodiscard]] bool empty() const noexcept { return fill_ == nullptr; }

  /// @param columns  whether the lists are the columns
  void fill(bool columns, std::size_t first, std::size_t count, std::span<Relevance> to, context& ctx) const {
    fill_(object_, columns, first, count, to, ctx);
  }

 private:
  const void* object_ = nullptr;
  void (*fill_)(const void*, bool, std::size_t, std::size_t, std::span<Relevance>, context&) = nullptr;
};

}  // namespace rankloss::inline RANKLOSS_ABI
