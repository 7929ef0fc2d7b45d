// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace examples {

/// csv_reader: one record a line, fields in double quotes where they hold commas.
///
///     csv_reader csv(path, {"source", "score"});     checks the header line
///     while (csv.next()) use(csv[0], csv.number<int>(1));
///
/// @throws std::runtime_error naming file and line.
class csv_reader {
 public:
  csv_reader(const std::filesystem::path& path, const std::vector<std::string>& header)
      : path_(path), file_(path) {
    if (!file_) throw std::runtime_error(path.string() + ": cannot be read, expected a .csv file");
    if (!read_line() || fields_ != header) {
      std::string expected;
      for (const std::string& name : header) expected += (expected.empty() ? "" : ",") + name;
      throw std::runtime_error(path.string() + ": the first line is not the expected header " + expected);
    }
  }

  /// Moves to the next line; false at the end of the file.
  bool next() {
    const std::size_t expected = fields_.size();
    if (!read_line()) return false;
    if (fields_.size() != expected)
      fail(std::to_string(fields_.size()) + " fields, expected " + std::to_string(expected));
    return true;
  }

  [[nodiscard]] const std::string& operator[](std::size_t field) const { return fields_[field]; }

  template <class Number>
  [[nodiscard]] Number number(std::size_t field) const {
    const std::string& text = fields_[field];
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
      fail("field " + std::to_string(field + 1) + " is '" + text + "', expected a number");
    return value;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(path_.string() + ", line " + std::to_string(line_) + ": " + what);
  }

 private:
  bool read_line() {
    std::string line;
    if (!std::getline(file_, line)) return false;
    ++line_;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    split(line);
    return true;
  }

  void split(std::string_view line) {
    fields_.assign(1, {});
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
        fields_.back() += line[++i];
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        fields_.emplace_back();
      } else {
        fields_.back() += c;
      }
    }
    if (quoted) fail("a quote that does not end");
  }

  std::filesystem::path path_;
  std::ifstream file_;
  std::size_t line_ = 0;
  std::vector<std::string> fields_;
};

}  // namespace examples
