// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Index of the first item for which `bad` holds, or n. Each chunk is first tested as a whole, so that
/// valid data cost one vectorised pass.
template <class T, class Bad>
[[nodiscard]] std::size_t find_first(const strided<const T>& items, Bad bad) {
  constexpr std::size_t chunk = tuning::check_chunk;
  const std::size_t n = items.size();
  for (std::size_t begin = 0; begin < n; begin += chunk) {
    const std::size_t end = begin + chunk < n ? begin + chunk : n;
    unsigned any = 0;
    if (items.stride() == 1) {
      const T* item = items.data();
      for (std::size_t i = begin; i < end; ++i) any |= static_cast<unsigned>(bad(item[i]));
    } else {
      for (std::size_t i = begin; i < end; ++i) any |= static_cast<unsigned>(bad(items[i]));
    }
    if (any == 0) continue;
    for (std::size_t i = begin; i < end; ++i)
      if (bad(items[i])) return i;
  }
  return n;
}

/// The same in a long list, by all workers that the scratch has.
template <class T, class Bad>
[[nodiscard]] std::size_t find_first(const strided<const T>& items, Bad bad, workspace& scratch) {
  const std::size_t n = items.size();
  const even_pieces pieces(n, tuning::piece_items);
  if (pieces.count() == 1) return find_first(items, bad);
  const workspace::scope scope(scratch);
  const std::span<std::size_t> found = scratch.take<std::size_t>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const auto [begin, end] = pieces[p];
    const T* const first = items.data() + static_cast<std::ptrdiff_t>(begin) * items.stride();
    const std::size_t at = find_first(strided<const T>(first, end - begin, items.stride()), bad);
    found[p] = at < end - begin ? begin + at : n;
  });
  return *std::min_element(found.begin(), found.end());
}

/// Requires an array to have one entry for each of what `of` names.
inline void check_size(std::string_view field, std::size_t size, std::size_t expected, std::string_view of) {
  require(size == expected, field, ": size ", size, ", expected ", expected, " (", of, ")");
}

/// The same for an array that may be left out.
inline void check_optional(std::string_view field, std::size_t size, std::size_t expected,
                           std::string_view of) {
  if (size > 0) check_size(field, size, expected, of);
}

/// Whether a relevance is not finite or not among those that the loss accepts. There is no branch, so that
/// the compiler can vectorise find_first.
template <class Loss, class R>
[[nodiscard]] bool refuses_relevance(const Loss& loss, const R& y) {
  unsigned refused = 0;
  if constexpr (std::floating_point<R>) refused |= static_cast<unsigned>(!is_finite(y));
  for_each_inner(loss, [&](const auto& inner) {
    if constexpr (requires { inner.takes(0.0); })
      refused |= static_cast<unsigned>(!inner.takes(static_cast<double>(y)));
  });
  return refused != 0;
}

/// Describes what the loss expects instead of a relevance that is refused. `below_0` is appended for one
/// below 0: it says what to do about it.
template <class Loss, class R>
[[nodiscard]] std::string expected_relevance(const Loss& loss, const R& y, std::string_view below_0) {
  if constexpr (std::floating_point<R>)
    if (!is_finite(y)) return "a finite number";
  std::string text;
  for_each_inner(loss, [&](const auto& inner) {
    if constexpr (requires { inner.takes(0.0); })
      if (text.empty() && !inner.takes(static_cast<double>(y))) text = inner.expects();
  });
  if (static_cast<double>(y) < 0.0) text += below_0;
  return text;
}

/// Requires one finite weight >= 0 per unit, or none. Weights are few or rarely given, so they are read one
/// by one.
inline void check_weights(std::string_view field, const reals& weights, std::size_t expected,
                          std::string_view unit, bool check_values) {
  if (weights.empty()) return;
  require(weights.size() == expected, field, ": size ", weights.size(), ", expected ", expected, " (one per ",
          unit, ")");
  if (!check_values) return;
  for (std::size_t i = 0; i < weights.size(); ++i)
    require(weights.is_finite(i) && weights[i] >= 0.0, field, ": ", weights[i], " at ", unit, " ", i,
            ", expected a finite number >= 0");
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
