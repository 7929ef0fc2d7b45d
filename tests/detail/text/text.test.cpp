// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/text/text.hpp>

#include "support/text_file.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace detail_text_text_test {

namespace {

using namespace std::string_literals;
using rankloss::detail::fail_at;
using rankloss::detail::is_blank;
using rankloss::detail::read_text;
using rankloss::detail::skip_blanks;
using rankloss::detail::text_lines;
using rankloss::detail::token_at;

/// By another name: of a std::string, std::quoted would be found as well.
std::string shown(std::string_view token) { return rankloss::detail::quoted(token); }

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  text_lines lines(text, "text");
  CHECK(lines.number() == 0);
  while (lines.next()) {
    out.emplace_back(lines.line());
    CHECK(lines.number() == out.size());
  }
  CHECK(!lines.next());
  CHECK(lines.number() == out.size());
  return out;
}

TEST_CASE("text: fail_at names the place") {
  CHECK_THROWS_AS(fail_at("f", 1), std::runtime_error);
  CHECK_THROWS_WITH(fail_at("some.txt", 12, "label: ", shown("x"), ", expected ", 3),
                    "some.txt:12: label: 'x', expected 3");
}

TEST_CASE("text: quoted shows what prints, and no more than 32 bytes") {
  CHECK(shown("") == "''");
  CHECK(shown(" ~aZ9") == "' ~aZ9'");
  CHECK(shown("\x1f\x7f\t\n\0\xff"s) == "'" + std::string(6, '?') + "'");
  CHECK(shown(std::string(32, 'a')) == "'" + std::string(32, 'a') + "'");
  CHECK(shown(std::string(33, 'a')) == "'" + std::string(32, 'a') + "...'");
}

TEST_CASE("text: read_text is all of a file, byte by byte") {
  std::string large;
  for (std::size_t i = 0; i < 100000; ++i) large += static_cast<char>(i * i % 251);
  for (const std::string& text : {std::string(), "a"s, "two\r\nlines\n"s, "\0\xff\x1a"s, large}) {
    const support::text_file file("text", text);
    CHECK(read_text(file.path()) == text);
  }
}

TEST_CASE("text: a file that says it has no size is read to its end") {
  const std::filesystem::path path("/proc/self/status");
  if (std::filesystem::exists(path)) {
    const std::string text = read_text(path);
    CHECK(text.starts_with("Name:"));
    CHECK(text.size() > 100);
    CHECK(text.back() == '\n');
  }
}

TEST_CASE("text: what is no file is refused by name") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  CHECK_THROWS_WITH(read_text(folder), folder.string() + ": cannot be read, expected a text file");
  const std::filesystem::path none = folder / "rankloss_no_such_file";
  CHECK_THROWS_WITH(read_text(none), none.string() + ": cannot be read, expected a text file");
  CHECK_THROWS_AS(read_text(none), std::runtime_error);
}

TEST_CASE("text: lines without their ends, the last with or without one") {
  using all = std::vector<std::string>;
  CHECK(lines_of("") == all{});
  CHECK(lines_of("\n") == all{""});
  CHECK(lines_of("a") == all{"a"});
  CHECK(lines_of("a\n") == all{"a"});
  CHECK(lines_of("a\n\nb\r\n c") == all{"a", "", "b", " c"});
  CHECK(lines_of("\r") == all{""});
  CHECK(lines_of("a\r\rb") == all{"a", "", "b"});
  CHECK(lines_of("a\rb\r") == all{"a", "b"});
  CHECK(lines_of("a\r\nb\r\n") == all{"a", "b"});
  CHECK(lines_of("a\n\rb\r\n\nc\rd\n") == all{"a", "", "b", "", "c", "d"});
  CHECK(lines_of("\xEF\xBB\xBF") == all{});
  CHECK(lines_of("\xEF\xBB\xBF"
                 "a\n\xEF\xBB\xBF"
                 "b") == all{"a",
                             "\xEF\xBB\xBF"
                             "b"});
  CHECK(lines_of("\xEF\xBB"
                 "a") == all{"\xEF\xBB"
                             "a"});
}

TEST_CASE("text: lines that end in CR alone cost one search of the text") {
  std::string text;
  for (int i = 0; i < 300000; ++i) text += "a\r";  // searched for LF at each line: 90e9 bytes
  std::size_t count = 0;
  for (text_lines lines(text, "text"); lines.next();) count += lines.line() == "a" ? 1 : 0;
  CHECK(count == 300000);
}

TEST_CASE("text: what is compressed, UTF-16 or UTF-32 is refused in one line that says so") {
  struct sample {
    std::string bytes;
    const char* what;
  };
  const std::string gzip("\x1F\x8B\x08\0\0\0\0\0\0\x03", 10);
  const sample samples[] = {
      {gzip, "compressed by gzip"},
      {"\x1F\x8B"s, "compressed by gzip"},
      {"BZh91AY&SY\x01\x02"s, "compressed by bzip2"},
      {"BZh1\x17\x72\x45\x38\x50\x90"s, "compressed by bzip2"},
      {"\xFD\x37zXZ\0\0\x04"s, "compressed by xz"},
      {"\x28\xB5\x2F\xFD\x24"s, "compressed by zstd"},
      {"\x50\x2A\x4D\x18"s, "compressed by zstd"},
      {"\x5F\x2A\x4D\x18xyz"s, "compressed by zstd"},
      {"\x04\x22\x4D\x18\x64"s, "compressed by lz4"},
      {"\x1F\x9D\x90"s, "compressed by compress"},
      {"LZIP\x01\x0C"s, "compressed by lzip"},
      {"PK\x03\x04\x14"s, "a zip archive"},
      {"PK\x05\x06\0\0"s, "a zip archive"},
      {"7z\xBC\xAF\x27\x1C\0\x04"s, "a 7z archive"},
      {"\xFF\xFE"s, "UTF-16"},
      {"\xFE\xFF\0\x31"s, "UTF-16"},
      {"\xFF\xFE\x31\0\x20\0"s, "UTF-16"},
      {"1\0 \0q\0"s, "UTF-16"},
      {"\0\x31\0 \0q"s, "UTF-16"},
      {"1\0"s, "UTF-16"},
      {"\xFF\xFE\0\0\x31\0\0\0"s, "UTF-32"},
      {"\0\0\xFE\xFF\0\0\0\x31"s, "UTF-32"},
      {"1\0\0\0 \0\0\0"s, "UTF-32"},
      {"\0\0\0\x31\0\0\0 "s, "UTF-32"},
  };
  for (const auto& [bytes, what] : samples) {
    INFO(what);
    CHECK_THROWS_WITH(text_lines(bytes, "some.txt"),
                      "some.txt: "s + what + ", expected plain text in ASCII or UTF-8");
    CHECK_THROWS_AS(text_lines(bytes, "some.txt"), std::runtime_error);
  }
  for (const std::string& text : {""s, "1"s, "BZh9 Q0 a"s, "BZh"s, "PK 0 d 1"s, "7z"s, "P*M"s, "LZIP 1"s,
                                  "\0\0"s, "\0"s, "a b\0"s, "\xC3\xA4"s})
    CHECK_NOTHROW(text_lines(text, "some.txt"));
}

TEST_CASE("text: tokens between blanks") {
  for (int c = 0; c < 256; ++c) CHECK(is_blank(static_cast<char>(c)) == (c == ' ' || c == '\t'));
  const std::string_view text = " \t\t one\ttwo\t three";
  const char* const end = text.data() + text.size();
  const char* p = skip_blanks(text.data(), end);
  CHECK(p == text.data() + 4);
  CHECK(skip_blanks(p, end) == p);
  for (const std::string_view expected : {"one", "two", "three"}) {
    const std::string_view token = token_at(p, end);
    CHECK(token == expected);
    p = skip_blanks(token.data() + token.size(), end);
  }
  CHECK(p == end);
  CHECK(token_at(end, end).empty());
  CHECK(skip_blanks(text.data(), text.data() + 2) == text.data() + 2);
  CHECK(token_at(text.data() + 4, text.data() + 6) == "on");
}

}  // namespace

}  // namespace detail_text_text_test
