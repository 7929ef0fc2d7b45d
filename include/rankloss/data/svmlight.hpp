// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/text/decimal.hpp>
#include <rankloss/detail/text/text.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// The layout of the features.
enum class svmlight_form {
  dense,   ///< a matrix; a feature that a line does not name is 0
  sparse,  ///< only the named features, item after item (CSR)
};

/// How a feature that its type cannot hold is handled.
enum class svmlight_overflow {
  refused,  ///< an error that names it
  clipped,  ///< the largest number of the type, with the feature's sign
};

struct svmlight_options {
  svmlight_form form = svmlight_form::dense;                ///< the layout of the features
  std::size_t first_feature = 1;                            ///< 0 or 1: index of the first column
  std::size_t feature_count = 0;                            ///< columns; 0: as many as the text has
  std::size_t dense_limit = std::size_t{1} << 30;           ///< largest number of values of the dense form
  bool comments = false;                                    ///< keep the text behind '#'
  std::optional<double> missing = std::nullopt;             ///< value of missing features; none: an error
  svmlight_overflow overflow = svmlight_overflow::refused;  ///< features beyond the range of their type
};

/// basic_svmlight_data: the queries and items of an SVMlight or LETOR file. `relevance` and `offsets` fit a
/// list_batch.
template <class Feature>
struct basic_svmlight_data {
  std::vector<Feature> features;  ///< dense: [items, feature_count]; sparse: [values]
  std::vector<std::uint32_t>
      columns;  ///< sparse: [values] column of each value, from 0, rising within an item; dense: empty
  std::vector<std::size_t>
      rows;  ///< sparse: [items + 1] item i has the values rows[i] to rows[i + 1]; dense: empty
  std::size_t feature_count = 0;      ///< columns
  std::vector<float> relevance;       ///< [items] finite
  std::vector<std::int64_t> queries;  ///< [lists] the numbers behind "qid:"; empty if there are none
  std::vector<std::size_t>
      offsets;  ///< [lists + 1] list q is the items offsets[q] to offsets[q + 1]; never empty
  std::vector<std::string> comments;  ///< [items] without '#' and the blanks around; empty unless asked for

  /// The mask of a list_batch that leaves out the items of relevance < 0, by which data sets mark items that
  /// nobody judged; LETOR's MQ2007-semi uses -1. [items] 1 where the relevance is at least 0, else 0.
  [[nodiscard]] std::vector<std::uint8_t> judged() const {
    std::vector<std::uint8_t> mask(relevance.size());
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = relevance[i] >= 0.0f ? 1 : 0;
    return mask;
  }
};

/// svmlight_data: features as float, the type that trainers use.
using svmlight_data = basic_svmlight_data<float>;

namespace detail {

/// Whether a token stands for a missing value: it is empty, or nan, na, n/a, null, none or ? in letters of
/// any case. nan may have a sign, and text in parentheses behind it, as C libraries print it.
[[nodiscard]] inline bool stands_for_missing(std::string_view token) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto begins = [&](std::string_view word) {
    return token.size() >= word.size() &&
           std::equal(word.begin(), word.end(), token.begin(), [&](char a, char b) { return a == lower(b); });
  };
  for (const std::string_view word : {"", "?", "na", "n/a", "null", "none"})
    if (token.size() == word.size() && begins(word)) return true;
  if (token.starts_with('-') || token.starts_with('+')) token.remove_prefix(1);
  return begins("nan") && (token.size() == 3 || (token[3] == '(' && token.ends_with(')')));
}

/// A matrix that is filled row by row, while neither its height nor its width is known.
template <class Feature>
class growing_matrix {
 public:
  /// `fixed` columns, or 0: as many as are set. Memory is reserved for `lines` rows and up to `likely`
  /// values.
  growing_matrix(std::size_t fixed, std::size_t limit, std::size_t lines, std::size_t likely) noexcept
      : width_(fixed), stride_(fixed), limit_(limit), lines_(lines), likely_(likely) {}

  /// Adds a row of zeros; returns false if there is no room.
  [[nodiscard]] bool add_row() {
    if (stride_ > 0 && rows_ + 1 > limit_ / stride_) {
      if (width_ == 0 || rows_ + 1 > limit_ / width_) return false;
      set_stride(width_);
    }
    ++rows_;
    if (rows_ <= 2) reserve();  // the first row shows the width
    values_.resize(rows_ * stride_);
    return true;
  }

  /// Sets a value of the last row; returns false if there is no room.
  [[nodiscard]] bool set(std::size_t column, Feature value) {
    if (column >= width_) {
      if (column >= stride_ && !widen(column + 1)) return false;
      width_ = column + 1;
    }
    values_[(rows_ - 1) * stride_ + column] = value;
    return true;
  }

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t width() const noexcept { return width_; }

  [[nodiscard]] std::vector<Feature> release() {
    set_stride(width_);
    return std::move(values_);
  }

 private:
  void reserve() { values_.reserve(std::min({lines_ * stride_, limit_, likely_})); }

  /// Moving several rows makes room for more than one column, so that rows of growing width cost O(their
  /// values).
  [[nodiscard]] bool widen(std::size_t width) {
    if (width > limit_ / rows_) return false;
    const std::size_t spare = rows_ > 1 ? stride_ / 2 : 0;
    set_stride(std::min(std::max(width, stride_ + spare), limit_ / rows_));
    return true;
  }

  void set_stride(std::size_t stride) {
    const std::size_t from = stride_;
    stride_ = stride;
    if (from == stride || rows_ == 0) return;
    if (stride > from) {
      values_.resize(rows_ * stride);
      for (std::size_t r = rows_; r-- > 0;) {
        if (from > 0)
          std::memmove(values_.data() + r * stride, values_.data() + r * from, from * sizeof(Feature));
        std::fill_n(values_.data() + r * stride + from, stride - from, Feature{0});
      }
    } else {
      for (std::size_t r = 1; r < rows_; ++r)
        std::memmove(values_.data() + r * stride, values_.data() + r * from, stride * sizeof(Feature));
      values_.resize(rows_ * stride);
    }
  }

  std::vector<Feature> values_;  // [rows, stride], of which the first `width` are used, the others 0
  std::size_t rows_ = 0;
  std::size_t width_ = 0;
  std::size_t stride_ = 0;
  std::size_t limit_;
  std::size_t lines_;
  std::size_t likely_;
};

template <class Feature>
class svmlight_reader {
 public:
  svmlight_reader(std::string_view text, const svmlight_options& options, std::string_view name)
      : lines_(text, name),
        options_(options),
        name_(name),
        count_(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1),
        matrix_(options.feature_count, options.dense_limit, count_, text.size() / 4) {
    data_.relevance.reserve(count_);
    if (options.form == svmlight_form::sparse) {
      const auto colons = static_cast<std::size_t>(std::count(text.begin(), text.end(), ':'));
      data_.features.reserve(colons);
      data_.columns.reserve(colons);
      data_.rows.reserve(count_ + 1);
      data_.rows.push_back(0);
    }
  }

  basic_svmlight_data<Feature> run() {
    while (lines_.next()) read_line(lines_.line());
    if (!data_.relevance.empty() || data_.offsets.empty()) data_.offsets.push_back(data_.relevance.size());
    if (options_.form == svmlight_form::dense) {
      data_.feature_count = matrix_.width();
      data_.features = matrix_.release();
    } else {
      data_.feature_count = options_.feature_count > 0 ? options_.feature_count : width_;
    }
    return std::move(data_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_at(name_, lines_.number(), parts...);
  }

  void read_line(std::string_view line) {
    const char* const begin = line.data();
    const void* const mark = line.empty() ? nullptr : std::memchr(begin, '#', line.size());
    const char* const end = mark == nullptr ? begin + line.size() : static_cast<const char*>(mark);
    const char* p = skip_blanks(begin, end);
    if (p == end) return;

    double relevance = 0.0;
    const char* const after = read_decimal(p, end, relevance);
    if (after == nullptr || !ends(after, end))
      fail("relevance: ", quoted(token_at(p, end)), ", expected a finite number");
    if (!fits<float>(relevance)) fail("relevance: ", quoted(token_at(p, end)), beyond<float>());
    p = skip_blanks(after, end);
    p = read_query(p, end);
    read_features(p, end);
    data_.relevance.push_back(static_cast<float>(relevance));
    last_line_ = lines_.number();
    if (options_.comments) add_comment(end, begin + line.size());
  }

  /// Whether a token ends here.
  static bool ends(const char* p, const char* end) noexcept { return p == end || is_blank(*p); }

  const char* read_query(const char* p, const char* end) {
    constexpr std::string_view key = "qid:";
    const std::string_view token = token_at(p, end);
    const bool given = token.starts_with(key);
    if (data_.relevance.empty()) {
      first_line_ = lines_.number();
      if (!given) data_.offsets.push_back(0);
    } else if (given == data_.queries.empty()) {
      fail("qid: ", given ? quoted(token) : "none", ", expected ", given ? "none" : "one", ", as at line ",
           first_line_);
    }
    if (!given) return p;

    std::int64_t query = 0;
    const char* const token_end = token.data() + token.size();
    const auto [after, error] = std::from_chars(token.data() + key.size(), token_end, query);
    if (error != std::errc{} || after != token_end)
      fail("qid: ", quoted(token.substr(key.size())), ", expected a whole number of 64 bits");
    if (data_.queries.empty() || query != data_.queries.back()) {
      if (!data_.queries.empty()) last_lines_.emplace(data_.queries.back(), last_line_);
      if (const auto earlier = last_lines_.find(query); earlier != last_lines_.end())
        fail("qid: ", query, " again, expected all lines of a query together; its list ended at line ",
             earlier->second);
      data_.queries.push_back(query);
      data_.offsets.push_back(data_.relevance.size());
    }
    return skip_blanks(token_end, end);
  }

  void read_features(const char* p, const char* end) {
    const bool dense = options_.form == svmlight_form::dense;
    if (dense && !matrix_.add_row()) fail_dense(matrix_.width());
    std::uint64_t next = options_.first_feature;  // the smallest index that may follow
    for (; p != end; p = skip_blanks(p, end)) {
      const char* const token = p;
      std::uint64_t index = 0;
      while (p != end && is_digit(*p)) index = 10 * index + static_cast<std::uint64_t>(*p++ - '0');
      if (p == token || p - token > 19 || p == end || *p != ':')
        fail("feature: ", quoted(token_at(token, end)), ", expected INDEX:VALUE");
      if (index < next) fail_index(index, next);
      const std::uint64_t column = index - options_.first_feature;
      if (column >= most_columns()) fail_index(index, next);
      next = index + 1;

      Feature value{};
      p = read_value(p + 1, end, index, value);
      if (dense) {
        if (!matrix_.set(static_cast<std::size_t>(column), value))
          fail_dense(static_cast<std::size_t>(column) + 1);
      } else {
        data_.features.push_back(value);
        data_.columns.push_back(static_cast<std::uint32_t>(column));
      }
    }
    if (dense) return;
    data_.rows.push_back(data_.features.size());
    if (next > options_.first_feature)
      width_ = std::max(width_, static_cast<std::size_t>(next - options_.first_feature));
  }

  /// Reads the value of a feature; returns where it ends.
  const char* read_value(const char* p, const char* end, std::uint64_t index, Feature& value) const {
    double number = 0.0;
    const char* const after = read_decimal(p, end, number);
    if (after == nullptr || !ends(after, end)) [[unlikely]] {
      const std::string_view token = token_at(p, end);
      const bool missing = stands_for_missing(token);
      if (!missing || !options_.missing) {
        fail("feature ", index, ": ", quoted(token), ", expected a finite number",
             missing ? ", or the option `missing` to say what it becomes" : "");
      }
      value = static_cast<Feature>(*options_.missing);
      return p + token.size();
    }
    if (!fits<Feature>(number)) [[unlikely]] {
      if (options_.overflow == svmlight_overflow::refused) {
        constexpr bool wider = std::same_as<Feature, float>;
        fail("feature ", index, ": ", quoted(token_at(p, end)), beyond<Feature>(),
             ", or the option `overflow` to clip it",
             wider && fits<double>(number) ? ", or features read as double" : "");
      }
      number = held_as<Feature>(number);
    }
    value = static_cast<Feature>(number);
    return after;
  }

  [[nodiscard]] std::uint64_t most_columns() const noexcept {
    return options_.feature_count > 0 ? options_.feature_count : std::numeric_limits<std::uint32_t>::max();
  }

  [[noreturn]] void fail_index(std::uint64_t index, std::uint64_t next) const {
    const std::uint64_t first = options_.first_feature;
    if (index < first) fail("feature: index ", index, ", expected at least ", first, " (first_feature)");
    if (index < next) fail("feature: index ", index, " after ", next - 1, ", expected them to rise");
    fail("feature: index ", index, ", expected at most ", first + most_columns() - 1,
         options_.feature_count > 0 ? " (feature_count)" : "");
  }

  [[noreturn]] void fail_dense(std::size_t width) const {
    fail("features: ", data_.relevance.size() + 1, " items of ", width, ", expected at most ",
         options_.dense_limit, " values in the dense form (dense_limit)");
  }

  void add_comment(const char* p, const char* end) {
    if (p != end) p = skip_blanks(p + 1, end);
    while (end != p && is_blank(end[-1])) --end;
    data_.comments.emplace_back(p, end);
  }

  basic_svmlight_data<Feature> data_;
  text_lines lines_;
  const svmlight_options& options_;
  std::string_view name_;
  std::size_t count_;  // largest number of lines
  growing_matrix<Feature> matrix_;
  std::size_t width_ = 0;  // sparse: columns named so far
  std::size_t first_line_ = 0;
  std::size_t last_line_ = 0;
  std::unordered_map<std::int64_t, std::size_t> last_lines_;  // for lists that have ended
};

}  // namespace detail

/// parse_svmlight: reads the text of an SVMlight or LETOR file, with one item in each line:
///
///     RELEVANCE [qid:QUERY] INDEX:VALUE INDEX:VALUE ... # COMMENT
///
/// Joachims: SVMlight, 1999; Qin et al.: LETOR, Information Retrieval 13 (2010).
///
/// - Consecutive lines of the same qid are one list; a qid that appears again later is an error. Without any
///   qid all items are one list.
/// - Indices increase within a line, and an index beyond `feature_count` is an error. Numbers are decimal,
///   optionally with sign and exponent; each becomes the nearest double, and that the nearest Feature.
///   Infinity is an error.
/// - A number beyond the range of Feature is an error, or clipped (`overflow`). The relevance is a float in
///   any case.
/// - A feature is missing if its value is empty, or nan, NA, N/A, null, none or ? in letters of any case.
///   That is an error, unless `missing` gives its value, a number or NaN. A feature that a line does not name
///   is not missing: it is 0.
/// - Blank lines and lines with only a comment are not items. Lines end in LF, CRLF or CR; the last line need
///   not. A UTF-8 byte order mark is skipped.
/// - `dense_limit` limits the values of the dense form, because one mistyped index would fill the memory.
/// - Time O(bytes). Memory: the result; a dense one is moved if later lines are wider than the first.
///   Allocates for lists, and for lines only if they have comments that are kept.
/// @tparam Feature the type of the features: float or double.
/// @throws std::runtime_error "NAME:LINE: field: what was found, expected what" at the first line that cannot
/// be read, and "NAME: what was found, expected what" for a text that is compressed, UTF-16 or UTF-32;
/// std::invalid_argument naming an option that is out of its range. No partial result is returned.
template <class Feature = float>
requires(std::same_as<Feature, float> || std::same_as<Feature, double>)
    [[nodiscard]] basic_svmlight_data<Feature> parse_svmlight(std::string_view text,
                                                              const svmlight_options& options = {},
                                                              std::string_view name = "text") {
  detail::require(options.first_feature <= 1, "first_feature: ", options.first_feature, ", expected 0 or 1");
  detail::require(options.feature_count <= std::numeric_limits<std::uint32_t>::max(),
                  "feature_count: ", options.feature_count, ", expected less than 2^32");
  if (options.missing)
    detail::require(detail::is_nan(*options.missing) || detail::fits<Feature>(*options.missing),
                    "missing: ", *options.missing, ", expected NaN or a number that a feature can be");
  return detail::svmlight_reader<Feature>(text, options, name).run();
}

/// read_svmlight: parse_svmlight for a file, which is held in memory as a whole while it is read.
/// @throws as parse_svmlight; std::runtime_error naming a file that cannot be read.
template <class Feature = float>
requires(std::same_as<Feature, float> || std::same_as<Feature, double>)
    [[nodiscard]] basic_svmlight_data<Feature> read_svmlight(const std::filesystem::path& path,
                                                             const svmlight_options& options = {}) {
  return parse_svmlight<Feature>(detail::read_text(path), options, path.string());
}

}  // namespace rankloss::inline RANKLOSS_ABI
