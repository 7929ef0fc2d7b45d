// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Items in contiguous memory: the items themselves if their stride is 1, otherwise a copy in `scratch`.
template <class T>
[[nodiscard]] const T* contiguous_items(const strided<const T>& items, workspace& scratch) {
  if (items.stride() == 1) return items.data();
  const std::span<T> copy = scratch.take<T>(items.size());
  for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = items[i];
  return copy.data();
}

/// Contiguous memory for the values of `to`: its own if its stride is 1, otherwise memory of `scratch`, from
/// which `spread` copies the values to `to`.
template <class T>
[[nodiscard]] T* contiguous_output(const strided<T>& to, workspace& scratch) {
  if (to.empty()) return nullptr;
  return to.stride() == 1 ? to.data() : scratch.take<T>(to.size()).data();
}
template <class T>
void spread(const T* written, const strided<T>& to) noexcept {
  if (to.empty() || to.stride() == 1) return;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = written[i];
}

template <class T>
void clear(const list_outputs<T>& out) noexcept {
  for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
  for (std::size_t i = 0; i < out.hessian.size(); ++i) out.hessian[i] = T{0};
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
