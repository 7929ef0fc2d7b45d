// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// options: what the fields of a loss, a metric or a relaxation may hold. Each is a small struct with
///
///     accepts(field)            whether the field is in the range
///     refuse(name, field)       the error that says what was expected and what came
///     append_to(text)           the range in words, as error messages and docs/losses.md have it
///
/// `for_each_option` hands one to the visitor with each field. A visitor that treats kinds of fields apart,
/// such as a generator of bindings, overloads by these types.
namespace options {

/// Which number a range has besides its interval.
enum class besides { none, zero, infinity, minus_infinity };

/// A real number from `least` to `most`. Where an end is the largest finite number of its sign, any finite
/// number is in the range on that side.
struct real {
  static constexpr double largest = std::numeric_limits<double>::max();

  double least = -largest;
  double most = largest;
  bool open = false;  ///< whether the ends themselves are out of the range, where it has such
  options::besides besides = options::besides::none;

  [[nodiscard]] bool accepts(const double& value) const noexcept {
    if (besides == options::besides::zero && value == 0.0) return true;
    const bool below_0 = detail::is_minus_infinity(value);
    if (detail::size_bits(value) == detail::bits_of_infinity<double>)
      return besides == (below_0 ? options::besides::minus_infinity : options::besides::infinity);
    if (open && ((least > -largest && value == least) || (most < largest && value == most))) return false;
    return detail::within(value, least, most);
  }
  template <class Name>
  [[noreturn]] [[gnu::cold]] void refuse(const Name& name, const double& value) const {
    detail::fail(name, ": ", value, ", expected ", *this);
  }
  void append_to(std::string& text) const {
    const bool bounded_below = least > -largest;
    const bool bounded_above = most < largest;
    if (bounded_below && bounded_above) {
      if (open) detail::append(text, "between ");
      append(text, least);
      detail::append(text, open ? " and " : " to ");
      append(text, most);
    } else {
      detail::append(text, "a finite number");
      if (bounded_below || bounded_above) {
        detail::append(text, bounded_below ? (open ? " > " : " >= ") : (open ? " < " : " <= "));
        append(text, bounded_below ? least : most);
      }
    }
    if (besides == options::besides::zero) detail::append(text, ", or 0");
    if (besides == options::besides::infinity) detail::append(text, ", or inf");
    if (besides == options::besides::minus_infinity) detail::append(text, ", or -inf");
  }

 private:
  /// "1e300" and not "1e+300".
  static void append(std::string& text, double value) {
    std::string digits;
    detail::append(digits, value);
    std::erase(digits, '+');
    detail::append(text, digits);
  }
};

/// A whole number from `least` to `most`; without an upper end where that is the largest number of its type.
struct whole {
  static constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();

  std::size_t least = 0;
  std::size_t most = largest;

  [[nodiscard]] bool accepts(std::size_t value) const noexcept { return value >= least && value <= most; }
  template <class Name>
  [[noreturn]] [[gnu::cold]] void refuse(const Name& name, std::size_t value) const {
    detail::fail(name, ": ", value, ", expected ", *this);
  }
  void append_to(std::string& text) const {
    append(text, least);
    if (most == largest) {
      detail::append(text, " or more");
    } else {
      detail::append(text, " to ");
      append(text, most);
    }
  }

 private:
  /// Large powers of two are written as such, and so is the number before one.
  static void append(std::string& text, std::size_t value) {
    const bool before = std::has_single_bit(value + 1);
    if (value < 65535 || (!before && !std::has_single_bit(value))) {
      detail::append(text, value);
    } else {
      detail::append(text, "2^");
      detail::append(text, std::bit_width(before ? value : value - 1));
      if (before) detail::append(text, " - 1");
    }
  }
};

/// Any number of 64 bits, such as a seed.
struct bits {
  [[nodiscard]] static constexpr bool accepts(std::uint64_t) noexcept { return true; }
  template <class Name>
  [[noreturn]] [[gnu::cold]] static void refuse(const Name& name, std::uint64_t value) {
    detail::fail(name, ": ", value);
  }
  static void append_to(std::string& text) { detail::append(text, "64 bits"); }
};

/// One of the enumerators of Enum. Their names, in the order of their values from 0, are what
/// `enumerators(Enum)` returns, a function beside each enum of an option.
template <class Enum>
struct choice {
  static constexpr auto names = enumerators(Enum{});

  [[nodiscard]] static constexpr bool accepts(Enum value) noexcept {
    return static_cast<std::size_t>(value) < names.size();
  }
  template <class Name>
  [[noreturn]] [[gnu::cold]] static void refuse(const Name& name, Enum value) {
    detail::fail(name, ": ", static_cast<std::size_t>(value), ", expected ", choice{});
  }
  static void append_to(std::string& text) {
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (k > 0) detail::append(text, k + 1 < names.size() ? ", " : " or ");
      detail::append(text, names[k]);
    }
  }
};

/// An array, each number of which is in the range `range`.
template <class Range>
struct each {
  std::string_view shape;
  Range range{};
  std::string_view unit{};  ///< what has one of the numbers, followed by a space: "grade "
  bool rising = false;      ///< whether each number is greater than the one before

  [[nodiscard]] bool accepts(const auto& values) const noexcept {
    return first_refused(values) == values.size();
  }
  template <class Name>
  [[noreturn]] [[gnu::cold]] void refuse(const Name& name, const auto& values) const {
    const std::size_t k = first_refused(values);
    if (!range.accepts(values[k])) detail::fail(name, ": ", values[k], " at ", unit, k, ", expected ", range);
    detail::fail(name, ": ", values[k], " at ", unit, k, ", expected more than ", values[k > 0 ? k - 1 : 0]);
  }
  void append_to(std::string& text) const {
    detail::append(text, shape);
    detail::append(text, ", each ");
    range.append_to(text);
    if (rising) detail::append(text, ", rising");
  }

 private:
  [[nodiscard]] std::size_t first_refused(const auto& values) const noexcept {
    for (std::size_t k = 0; k < values.size(); ++k)
      if (!range.accepts(values[k]) || (rising && k > 0 && !(values[k] > values[k - 1]))) return k;
    return values.size();
  }
};

/// A loss, a metric, a function or whatever else has options of its own.
struct inner {
  static void append_to(std::string& text) { detail::append(text, "its own options"); }
};

/// The ranges that many losses share.
inline constexpr real temperature{.least = 1e-15, .most = 1e300};
inline constexpr real any_finite{};
inline constexpr real at_least_0{.least = 0.0};
inline constexpr real share{.least = 0.0, .most = 1.0};
inline constexpr whole cutoff{};
inline constexpr bits seed{};
inline constexpr each<real> gain_table{
    .shape = "[grades]", .range = {.least = 0.0, .most = 1e30}, .unit = "grade "};

}  // namespace options

/// for_each_option: calls `visit(name, field, range)` for every option of a loss, a metric or a relaxation,
/// in the order of its fields. The range is one of the structs of `options`. The defaults are what the fields
/// of a struct made without arguments hold. Fields can be written where `owner` is not const:
///
///     rankloss::sndcg loss;
///     rankloss::for_each_option(loss, [&](std::string_view name, auto& field, const auto& range) {
///       if constexpr (std::same_as<decltype(field), double&>)
///         if (name == "temperature") field = 0.1;
///     });
///
/// A struct without options is visited not at all. One of yours is visited by its static member
/// `for_each_option(self, visit)`, and then needs no check of ranges of its own.
template <class Owner, class Visit>
constexpr void for_each_option(Owner& owner, Visit&& visit) {
  if constexpr (requires { std::remove_const_t<Owner>::for_each_option(owner, visit); })
    std::remove_const_t<Owner>::for_each_option(owner, visit);
}

namespace detail {

/// The name of an option as its user writes it, from the outermost loss on: "loss.temperature".
struct option_path {
  const option_path* outer;
  std::string_view name;

  void append_to(std::string& text) const {
    if (outer != nullptr) {
      outer->append_to(text);
      detail::append(text, ".");
    }
    detail::append(text, name);
  }
};

template <class Owner>
void check_ranges(const Owner& owner, const option_path* outer) {
  for_each_option(owner, [outer](std::string_view name, const auto& field, const auto& range) {
    const option_path path{outer, name};
    if constexpr (std::same_as<decltype(range), const options::inner&>) {
      check_ranges(field, &path);
    } else {
      if (!range.accepts(field)) [[unlikely]]
        range.refuse(path, field);
    }
  });
  if constexpr (requires { owner.validate(); }) owner.validate();
}

}  // namespace detail

/// validate: checks every option, those of inner losses too, and then what one option asks of another one
/// (the member `validate`, where there is one). `evaluate` does so before anything is written; it is there
/// for hosts that want to complain of a configuration before the first batch.
/// @throws std::invalid_argument naming the option, what was expected and what came.
template <class Owner>
void validate(const Owner& owner) {
  detail::check_ranges(owner, nullptr);
}

}  // namespace rankloss::inline RANKLOSS_ABI
