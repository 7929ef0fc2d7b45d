// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/require.hpp>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Throws std::runtime_error: "NAME:LINE: " and the parts strung together.
template <class... Parts>
[[noreturn]] void fail_at(std::string_view name, std::size_t line, const Parts&... parts) {
  std::string message(name);
  message += ":" + std::to_string(line) + ": ";
  (append(message, parts), ...);
  throw_or_abort<std::runtime_error>(message);
}

/// A token as errors show it: in quotes, what does not print as '?', and the first 32 bytes of a long one.
[[nodiscard]] inline std::string quoted(std::string_view token) {
  constexpr std::size_t most = 32;
  std::string text = "'";
  for (const char c : token.substr(0, most)) text += c >= ' ' && c <= '~' ? c : '?';
  return text + (token.size() > most ? "...'" : "'");
}

/// All of a file.
/// @throws std::runtime_error when it cannot be read.
[[nodiscard]] inline std::string read_text(const std::filesystem::path& path) {
  const auto fail = [&] { throw_or_abort<std::runtime_error>(path.string() + ": cannot be read, expected a text file"); };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) fail();
  std::ifstream file(path, std::ios::binary);
  if (!file) fail();
  const bool sized = std::filesystem::is_regular_file(path, error);
  std::size_t piece = sized ? static_cast<std::size_t>(std::filesystem::file_size(path, error)) : 0;
  if (error) piece = 0;
  std::string text;
  for (std::size_t held = 0;;) {  // what has no size, such as a pipe, comes piece by piece
    text.resize(held + piece + 1);
    file.read(text.data() + held, static_cast<std::streamsize>(text.size() - held));
    held += static_cast<std::size_t>(file.gcount());
    if (file.bad()) fail();
    if (!file) {
      text.resize(held);
      return text;
    }
    piece = held;
  }
}

/// The lines of a text, without their ends; numbered from 1. A byte order mark before the first is no part of it.
class text_lines {
 public:
  explicit text_lines(std::string_view text) noexcept : rest_(text) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    if (rest_.starts_with(mark)) rest_.remove_prefix(mark.size());
  }

  /// Goes to the next line, if there is one.
  [[nodiscard]] bool next() noexcept {
    if (rest_.empty()) return false;
    const void* const found = std::memchr(rest_.data(), '\n', rest_.size());
    const std::size_t length = found == nullptr ? rest_.size() : static_cast<std::size_t>(static_cast<const char*>(found) - rest_.data());
    line_ = rest_.substr(0, length);
    rest_.remove_prefix(found == nullptr ? length : length + 1);
    ++number_;
    return true;
  }

  [[nodiscard]] std::string_view line() const noexcept { return line_; }
  [[nodiscard]] std::size_t number() const noexcept { return number_; }

 private:
  std::string_view rest_;
  std::string_view line_;
  std::size_t number_ = 0;
};

/// What separates the tokens of a line; a carriage return is one, so that lines may end in CRLF.
[[nodiscard]] constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r'; }

[[nodiscard]] inline const char* skip_blanks(const char* p, const char* end) noexcept {
  while (p != end && is_blank(*p)) ++p;
  return p;
}

/// The token that begins at p.
[[nodiscard]] inline std::string_view token_at(const char* p, const char* end) noexcept {
  const char* after = p;
  while (after != end && !is_blank(*after)) ++after;
  return {p, static_cast<std::size_t>(after - p)};
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
