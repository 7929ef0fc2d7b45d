// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The number of lists of a batch whose shape has been checked.
template <class Batch>
[[nodiscard]] std::size_t count_of(const Batch& batch) noexcept {
  if (batch.length == 0) return batch.offsets.empty() ? 1 : batch.offsets.size() - 1;
  const std::size_t stride = batch.stride > 0 ? batch.stride : batch.length;
  return (batch.scores.size() + stride - batch.length) / stride;
}

/// The most items that a list may have.
template <class Batch>
[[nodiscard]] std::size_t longest_of(const Batch& batch) noexcept {
  if (batch.length > 0) return batch.length;
  const std::size_t items = batch.scores.size();
  return batch.longest > 0 ? std::min(batch.longest, items) : items;
}

/// One offset is that of no list.
inline void check_offsets(const device_indices& offsets, std::size_t items) {
  rankloss::detail::require(offsets.size() != 1 || items == 0, "offsets: size 1, for no list, and there are ",
                            items, " items; expected one more than lists");
}

/// Checks what the host knows of where the lists of a batch lie, in the words of rankloss::evaluate. What lies
/// in the memory of the device, such as offsets, is checked there.
template <class Batch>
void check_lists(const Batch& batch) {
  using rankloss::detail::check_optional;
  using rankloss::detail::require;
  const std::size_t items = batch.scores.size();
  check_optional("mask", batch.mask.size(), items, "one per score");
  if (batch.length > 0) {
    const std::size_t stride = batch.stride > 0 ? batch.stride : batch.length;
    require(batch.offsets.empty(), "offsets: given together with length; a batch is ragged or dense");
    require(batch.longest == 0, "longest: ", batch.longest, " together with length");
    require(stride >= batch.length, "stride: ", stride, ", expected at least length ", batch.length);
    const std::size_t rest = items % stride;
    require(rest == 0 || rest == batch.length, "scores: size ", items, ", expected whole lists of length ",
            batch.length, " at stride ", stride);
    check_optional("lengths", batch.lengths.size(), count_of(batch), "one per list");
  } else {
    require(batch.stride == 0, "stride: ", batch.stride, " without length");
    check_offsets(batch.offsets, items);
    require(batch.lengths.empty(),
            "lengths: given without length; lists of a ragged batch end where offsets say");
  }
  require(longest_of(batch) <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
          batch.length > 0 ? "length: " : "longest: ", longest_of(batch), ", expected at most 2^31 - 1");
}

/// For losses that have a Hessian on the CPU at most.
template <class T>
void refuse_hessian(const outputs<T>& out) {
  rankloss::detail::require(out.hessian.empty(),
                            "hessian: this loss has none on a device, expected an empty output");
}

/// Checks what the host knows of a batch of a list loss, and its outputs.
template <class T, class R>
void check_shape(const list_batch<T, R>& batch, const outputs<T>& out) {
  using rankloss::detail::check_optional;
  using rankloss::detail::require;
  const std::size_t items = batch.scores.size();
  rankloss::detail::check_size("relevance", batch.relevance.size(), items, "one per score");
  check_lists(batch);
  const auto check_weights = [](std::string_view field, const device_reals& weights, std::size_t expected,
                                std::string_view unit) {
    require(weights.empty() || weights.size() == expected, field, ": size ", weights.size(), ", expected ",
            expected, " (one per ", unit, ")");
  };
  check_weights("list_weights", batch.list_weights, count_of(batch), "list");
  check_weights("item_weights", batch.item_weights, items, "item");
  check_optional("value", out.value.size(), 1, "one per batch");
  check_optional("gradient", out.gradient.size(), items, "one per score");
  check_optional("hessian", out.hessian.size(), items, "one per score");
  check_optional("per_list", out.per_list.size(), count_of(batch), "one per list");
  require(rankloss::detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
