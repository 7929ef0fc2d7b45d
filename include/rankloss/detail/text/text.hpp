// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/require.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Throws std::runtime_error with the message "NAME:LINE: " followed by the parts.
template <class... Parts>
[[noreturn]] void fail_at(std::string_view name, std::size_t line, const Parts&... parts) {
  std::string message(name);
  message += ":" + std::to_string(line) + ": ";
  (append(message, parts), ...);
  throw_or_abort<std::runtime_error>(message);
}

/// A token as error messages show it: in quotes, with '?' for unprintable characters, cut after 32 bytes.
[[nodiscard]] inline std::string quoted(std::string_view token) {
  constexpr std::size_t most = 32;
  std::string text = "'";
  for (const char c : token.substr(0, most)) text += c >= ' ' && c <= '~' ? c : '?';
  return text + (token.size() > most ? "...'" : "'");
}

/// The whole content of a file.
/// @throws std::runtime_error when it cannot be read.
[[nodiscard]] inline std::string read_text(const std::filesystem::path& path) {
  const auto fail = [&] {
    throw_or_abort<std::runtime_error>(path.string() + ": cannot be read, expected a text file");
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) fail();
  std::ifstream file(path, std::ios::binary);
  if (!file) fail();
  const bool sized = std::filesystem::is_regular_file(path, error);
  std::size_t piece = sized ? static_cast<std::size_t>(std::filesystem::file_size(path, error)) : 0;
  if (error) piece = 0;
  std::string text;
  for (std::size_t held = 0;;) {  // what has no known size, such as a pipe, is read in pieces
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

/// Describes data that are not text of single-byte code units, as in "compressed by gzip"; empty when no such
/// format is recognised. Files are recognised by their first bytes, UTF-16 and UTF-32 without a byte order
/// mark by the zero bytes of an ASCII first character.
[[nodiscard]] inline std::string_view other_than_text(std::string_view bytes) noexcept {
  using namespace std::string_view_literals;
  struct form {
    std::string_view name;
    std::string_view mark;
  };
  static constexpr form forms[] = {
      {"compressed by gzip", "\x1F\x8B"sv},
      {"compressed by bzip2", "BZh"sv},
      {"compressed by xz", "\xFD\x37zXZ\0"sv},
      {"compressed by zstd", "\x28\xB5\x2F\xFD"sv},
      {"compressed by lz4", "\x04\x22\x4D\x18"sv},
      {"compressed by compress", "\x1F\x9D"sv},
      {"compressed by lzip", "LZIP\x01"sv},
      {"a zip archive", "PK\x03\x04"sv},
      {"a zip archive", "PK\x05\x06"sv},
      {"a 7z archive", "7z\xBC\xAF\x27\x1C"sv},
      {"UTF-32", "\xFF\xFE\0\0"sv},
      {"UTF-32", "\0\0\xFE\xFF"sv},
      {"UTF-16", "\xFF\xFE"sv},
      {"UTF-16", "\xFE\xFF"sv},
  };
  for (const auto& [name, mark] : forms) {
    if (!bytes.starts_with(mark)) continue;
    if (mark != "BZh"sv) return name;
    // Plain text may begin like this, too: the data are bzip2 only if the mark of the first block, or of the
    // end of an empty file, follows the level.
    const std::string_view block = bytes.substr(std::min<std::size_t>(bytes.size(), 4));
    if (block.starts_with("1AY&SY"sv) || block.starts_with("\x17\x72\x45\x38\x50\x90"sv)) return name;
  }
  if (bytes.size() >= 4 && (static_cast<unsigned char>(bytes[0]) & 0xF0u) == 0x50u &&
      bytes.substr(1, 3) == "\x2A\x4D\x18"sv)
    return "compressed by zstd";  // one of the sixteen magic numbers of a skippable frame

  const auto zero = [&](std::size_t i) { return bytes[i] == '\0'; };
  if (bytes.size() >= 4 && zero(1) && zero(2) && zero(0) != zero(3)) return "UTF-32";
  if (bytes.size() >= 2 && zero(0) != zero(1)) return "UTF-16";
  return {};
}

/// The lines of a text, numbered from 1 and without their ends. Each line may end in LF, CRLF or CR. A UTF-8
/// byte order mark before the first line is skipped.
class text_lines {
 public:
  /// @throws std::runtime_error "NAME: what came, expected what" when the text is compressed, UTF-16 or
  /// UTF-32.
  text_lines(std::string_view text, std::string_view name)
      : next_(text.data()), end_(text.data() + text.size()) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    if (text.starts_with(mark)) next_ += mark.size();
    if (const std::string_view other = other_than_text(text); !other.empty()) [[unlikely]] {
      std::string message(name);
      append(message, ": ");
      append(message, other);
      append(message, ", expected plain text in ASCII or UTF-8");
      throw_or_abort<std::runtime_error>(message);
    }
    feed_ = find(next_, end_, '\n');
  }

  /// Moves to the next line. Returns false if there is none.
  [[nodiscard]] bool next() noexcept {
    if (next_ == end_) return false;
    if (feed_ < next_)
      feed_ = find(next_, end_,
                   '\n');  // searched once per line feed, not once per line: a text may have none
    const char* const stop = find(next_, feed_, '\r');
    line_ = {next_, static_cast<std::size_t>(stop - next_)};
    next_ = stop;
    if (next_ != end_ && *next_ == '\r') ++next_;
    if (next_ != end_ && *next_ == '\n') ++next_;
    ++number_;
    return true;
  }

  [[nodiscard]] std::string_view line() const noexcept { return line_; }
  [[nodiscard]] std::size_t number() const noexcept { return number_; }

 private:
  /// The position of the first c in [from, to), or `to`.
  static const char* find(const char* from, const char* to, char c) noexcept {
    const void* const found =
        from == to ? nullptr : std::memchr(from, c, static_cast<std::size_t>(to - from));
    return found == nullptr ? to : static_cast<const char*>(found);
  }

  const char* next_;
  const char* end_;
  const char*
      feed_;  // the first line feed from next_ on, or end_; if it is before next_, it has to be searched for
  std::string_view line_;
  std::size_t number_ = 0;
};

/// Whether a character separates the tokens of a line.
[[nodiscard]] constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

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
