// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/text/decimal.hpp>
#include <rankloss/detail/text/text.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

/// Lines of files in TREC's format, grouped by topic.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// A line of a file, before lines are grouped by topic.
template <class Value>
struct trec_line {
  std::size_t topic;
  std::string_view document;
  Value value;
  std::size_t number;
};

struct hashed_name {
  std::size_t hash;
  std::size_t item;
  friend bool operator<(const hashed_name& a, const hashed_name& b) noexcept {
    return a.hash != b.hash ? a.hash < b.hash : a.item < b.item;
  }
};

[[nodiscard]] inline std::size_t hash_of(std::string_view name) noexcept {
  return std::hash<std::string_view>{}(name);
}

/// Numbers the names in the order of their first appearance.
class name_numbers {
 public:
  std::size_t operator()(std::string_view name) {
    if (last_ < names_.size() && names_[last_] == name) return last_;  // most lines of a topic are together
    last_ = numbers_.try_emplace(name, names_.size()).first->second;
    if (last_ == names_.size()) names_.push_back(name);
    return last_;
  }
  [[nodiscard]] const std::vector<std::string_view>& names() const noexcept { return names_; }

 private:
  std::unordered_map<std::string_view, std::size_t> numbers_;
  std::vector<std::string_view> names_;
  std::size_t last_ = 0;
};

/// The columns of a file.
struct trec_columns {
  std::size_t count;
  std::size_t document;  ///< column of the document; the first is the topic
  std::string_view names;
  bool header = false;  ///< whether the first line has the names
};

inline constexpr trec_columns qrels_columns{4, 2, "topic iteration document relevance"};
inline constexpr trec_columns beir_columns{3, 1, "query-id corpus-id score", true};
inline constexpr trec_columns run_columns{6, 2, "topic Q0 document rank score tag"};
inline constexpr std::size_t most_columns = 6;

/// The tokens of a line; those beyond the largest number of columns are only counted.
struct trec_tokens {
  explicit trec_tokens(std::string_view line) noexcept {
    const char* const end = line.data() + line.size();
    for (const char* p = skip_blanks(line.data(), end); p != end; ++count) {
      const std::string_view token = token_at(p, end);
      if (count < most_columns) all[count] = token;
      p = skip_blanks(p + token.size(), end);
    }
  }
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept { return all[i]; }

  std::array<std::string_view, most_columns> all;
  std::size_t count = 0;
};

/// Whether the first line that is not blank has BEIR's column names.
[[nodiscard]] inline bool has_beir_header(std::string_view text, std::string_view name) {
  for (text_lines lines(text, name); lines.next();) {
    const trec_tokens tokens(lines.line());
    if (tokens.count > 0)
      return tokens.count == 3 && tokens[0] == "query-id" && tokens[1] == "corpus-id" && tokens[2] == "score";
  }
  return false;
}

/// Reads lines of tokens; value(tokens, line number) returns what the line says of its document. `out`
/// receives topics, offsets and documents; the lines are returned in that order. A document that appears
/// again in its topic is an error where repeats are refused or its value is another, else it counts once.
template <class Value, class Read, class Out>
std::vector<trec_line<Value>> read_trec_lines(std::string_view text, std::string_view name,
                                              const trec_columns& columns, bool refuse_repeats,
                                              std::string_view value_name, Read value, Out& out) {
  std::vector<trec_line<Value>> all;
  all.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  name_numbers topics;
  std::size_t bytes = 0;
  bool header = columns.header;
  for (text_lines lines(text, name); lines.next();) {
    const trec_tokens tokens(lines.line());
    if (tokens.count == 0) continue;
    if (tokens.count != columns.count)
      fail_at(name, lines.number(), "fields: ", tokens.count, ", expected ", columns.count, " (",
              columns.names, ")");
    if (std::exchange(header, false)) continue;
    const std::string_view document = tokens[columns.document];
    all.push_back({topics(tokens[0]), document, value(tokens, lines.number()), lines.number()});
    bytes += document.size();
  }

  // Ordered by line within a topic. Not std::stable_sort, because Clang warns that libstdc++ 12 implements it
  // with deprecated functions.
  const auto before = [](const auto& a, const auto& b) {
    return a.topic != b.topic ? a.topic < b.topic : a.number < b.number;
  };
  if (!std::is_sorted(all.begin(), all.end(), before)) std::sort(all.begin(), all.end(), before);

  // Documents that appear again in their topic.
  std::vector<char> dropped(all.size(), 0);
  std::vector<hashed_name> names;
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    names.clear();
    for (; end < all.size() && all[end].topic == all[begin].topic; ++end)
      names.push_back({hash_of(all[end].document), end});
    std::sort(names.begin(), names.end());
    for (std::size_t a = 0; a < names.size(); ++a) {
      const auto& first = all[names[a].item];
      if (dropped[names[a].item] != 0) continue;
      for (std::size_t b = a + 1; b < names.size() && names[b].hash == names[a].hash; ++b) {
        const auto& again = all[names[b].item];
        if (again.document != first.document) continue;
        const bool identical = again.value == first.value;
        if (refuse_repeats || !identical)
          fail_at(name, again.number, "document: ", quoted(again.document), " again for topic ",
                  quoted(topics.names()[again.topic]), refuse_repeats ? "" : " with another ",
                  refuse_repeats ? "" : value_name, ", expected once; first at line ", first.number);
        dropped[names[b].item] = 1;
      }
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (dropped[i] == 0) all[kept++] = all[i];
  all.resize(kept);

  for (const std::string_view topic : topics.names()) out.topics.push_back(topic);
  out.documents.reserve(all.size(), bytes);
  for (std::size_t i = 0; i < all.size(); ++i) {
    out.documents.push_back(all[i].document);
    if (i + 1 == all.size() || all[i + 1].topic != all[i].topic) out.offsets.push_back(i + 1);
  }
  return all;
}

/// A decimal number in the field named `field`.
template <class T>
[[nodiscard]] T read_trec_number(std::string_view token, std::string_view field, std::string_view name,
                                 std::size_t number) {
  const char* const end = token.data() + token.size();
  double value = 0.0;
  if (read_decimal(token.data(), end, value) != end)
    fail_at(name, number, field, ": ", quoted(token), ", expected a finite number");
  if (!fits<T>(value)) fail_at(name, number, field, ": ", quoted(token), beyond<T>());
  return static_cast<T>(value);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
