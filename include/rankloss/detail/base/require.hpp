// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <concepts>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

// Messages are seldom made: what makes them is kept out of line, so that the many places that can fail stay small
// and compile fast.
[[gnu::cold]] [[gnu::noinline]] inline void append_text(std::string& message, std::string_view text) {
  message.append(text);
}
[[gnu::cold]] [[gnu::noinline]] inline void append_number(std::string& message, double number) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.9g", number);
  append_text(message, digits);
}

template <class Part>
void append(std::string& message, const Part& part) {
  if constexpr (std::floating_point<Part>)
    append_number(message, static_cast<double>(part));
  else if constexpr (std::integral<Part>)
    append_text(message, std::to_string(part));
  else if constexpr (requires { part.append_to(message); })
    part.append_to(message);
  else
    append_text(message, part);
}

/// a * b, or the greatest number where that is more: no array has so many elements.
[[nodiscard]] constexpr std::size_t count_of(std::size_t a, std::size_t b) noexcept {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  return a != 0 && b > most / a ? most : a * b;
}

/// Elements from the first of `count` arrays of `length`, which begin `stride` apart, to the end of the last; or
/// the greatest number, as above.
[[nodiscard]] constexpr std::size_t extent_of(std::size_t count, std::size_t length,
                                              std::size_t stride) noexcept {
  if (count == 0 || length == 0) return 0;
  const std::size_t before = count_of(count - 1, stride);
  return before + length < length ? std::numeric_limits<std::size_t>::max() : before + length;
}

/// Throws an Error with the message. Where exceptions are off, prints the message and aborts.
template <class Error>
[[noreturn]] void throw_or_abort(const std::string& message) {
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
  throw Error(message);
#else
  std::fprintf(stderr, "%s\n", message.c_str());
  std::abort();
#endif
}

/// Throws an Error whose message is the concatenation of the parts.
template <class Error = std::invalid_argument, class... Parts>
[[noreturn]] [[gnu::cold]] [[gnu::noinline]] void fail(const Parts&... parts) {
  std::string message = "rankloss: ";
  (append(message, parts), ...);
  throw_or_abort<Error>(message);
}

/// Fails with the parts unless `met`. The message is built only then, so a check that passes costs one
/// branch.
template <class... Parts>
void require(bool met, const Parts&... parts) {
  if (!met) [[unlikely]]
    fail(parts...);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
