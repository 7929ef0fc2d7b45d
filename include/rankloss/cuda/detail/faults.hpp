// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/require.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// What can be wrong with the numbers of a batch, in the order in which it is reported. Those up to
/// `too_long` say where lists lie: nothing is computed of such a batch. Those from `scores` to `tangent` are of
/// an item, and are reported list by list; those behind them are of embeddings. The last one and those that
/// would follow it are of the fields of any other batch, field by field.
enum class fault : std::uint64_t {
  first_offset,
  falling_offset,
  last_offset,
  length,
  too_long,
  list_weight,
  scores,
  relevance,
  item_weight,
  values,
  cotangent,
  tangent,
  row_weight,
  column_weight,
  row_probability,
  column_probability,
  row_embedding,
  column_embedding,
  dot_products,
  fields,
};

/// A fault as one number, the least of which is reported: the kind, and the item or, where lists lie wrongly,
/// the list.
using fault_word = std::uint64_t;
inline constexpr fault_word no_fault = ~fault_word{0};
inline constexpr unsigned fault_item_bits = 48;

[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr fault_word fault_of(fault kind,
                                                                 std::uint64_t item = 0) noexcept {
  return static_cast<fault_word>(kind) << fault_item_bits | item;
}
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr fault kind_of(fault_word word) noexcept {
  return static_cast<fault>(word >> fault_item_bits);
}
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::uint64_t item_of(fault_word word) noexcept {
  return word & ((fault_word{1} << fault_item_bits) - 1);
}

/// The first fault since the last check, in the memory of a device. `expected` is an address of the host, by
/// which a kernel passes on what the loss expects.
struct fault_record {
  fault_word places;  ///< of where the lists of the call lie that is being computed; no_fault between calls
  fault_word word;
  std::uint64_t list;
  double number;              ///< score, relevance or weight
  std::int64_t whole, other;  ///< offset or length, and what it is compared with; or the bits of a number
  const char* expected;       ///< what the loss expects of a relevance
  std::uint64_t expected_size;
  const char* const* words = nullptr;  ///< on the host: what is told of each field, see `tell_of_field`
};

/// A fault of a field of a batch that is none of lists and none of embeddings. Field by field, and in a field by
/// index, is the order in which faults are reported.
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr fault_word fault_of_field(unsigned field,
                                                                       std::uint64_t index) noexcept {
  return (static_cast<fault_word>(fault::fields) + field) << fault_item_bits | index;
}
/// Whether a fault is of a field, and of which one.
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr bool is_of_field(fault_word word) noexcept {
  return word != no_fault && kind_of(word) >= fault::fields;
}
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr unsigned field_of(fault_word word) noexcept {
  return static_cast<unsigned>((word >> fault_item_bits) - static_cast<fault_word>(fault::fields));
}

/// Tells the text of the field, in which $i is the index, $l the list, $x the number, $w the whole number, $o
/// what it is compared with, and $e what the loss expects.
[[noreturn]] inline void tell_of_field(const fault_record& found) {
  using rankloss::detail::append;
  std::string told;
  const std::string_view text = found.words[field_of(found.word)];
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$') {
      told += text[at];
      continue;
    }
    switch (text[++at]) {
      case 'i': append(told, item_of(found.word)); break;
      case 'l': append(told, found.list); break;
      case 'x': append(told, found.number); break;
      case 'w': append(told, found.whole); break;
      case 'o': append(told, found.other); break;
      default: append(told, std::string_view(found.expected, found.expected_size));
    }
  }
  rankloss::detail::fail(told);
}

/// The words of rankloss::evaluate for the same fault.
[[noreturn]] inline void tell(const fault_record& found) {
  using rankloss::detail::fail;
  const std::uint64_t l = found.list, i = item_of(found.word);
  if (is_of_field(found.word)) tell_of_field(found);
  switch (kind_of(found.word)) {
    case fault::first_offset: fail("offsets: first is ", found.whole, ", expected 0");
    case fault::falling_offset:
      fail("offsets: ", found.whole, " at ", l + 1, " after ", found.other, ", expected them to rise");
    case fault::last_offset:
      fail("offsets: last is ", found.whole, ", expected ", found.other, " (the number of scores)");
    case fault::length:
      fail("lengths: ", found.whole, " at list ", l, ", expected 0 to ", found.other, " (length)");
    case fault::too_long: fail("longest: ", found.other, ", but list ", l, " has ", found.whole, " items");
    case fault::list_weight:
      fail("list_weights: ", found.number, " at list ", l, ", expected a finite number >= 0");
    case fault::scores: fail("scores: ", found.number, " at list ", l, ", item ", i, ", expected a number");
    case fault::relevance: {
      std::string expected = "a finite number";
      if (rankloss::detail::is_finite(found.number)) {
        expected.assign(found.expected, found.expected_size);
        if (found.number < 0.0) expected += "; mask items without judgement";
      }
      fail("relevance: ", found.number, " at list ", l, ", item ", i, ", expected ", expected);
    }
    case fault::values:
    case fault::cotangent:
    case fault::tangent:
      fail(kind_of(found.word) == fault::values      ? "values: "
           : kind_of(found.word) == fault::cotangent ? "cotangent: "
                                                     : "tangent: ",
           found.number, " at list ", l, ", item ", i, ", expected a finite number");
    case fault::row_weight:
      fail("row_weights: ", found.number, " at row ", l, ", expected a finite number >= 0");
    case fault::column_weight:
      fail("column_weights: ", found.number, " at column ", l, ", expected a finite number >= 0");
    case fault::row_probability:
      fail("row_probabilities: ", found.number, " at row ", l, ", expected 1e-300 to 1");
    case fault::column_probability:
      fail("column_probabilities: ", found.number, " at column ", l, ", expected 1e-300 to 1");
    case fault::row_embedding:
      fail("row_embeddings: ", found.number, " at row ", l, ", component ", i, ", expected a finite number");
    case fault::column_embedding:
      fail("column_embeddings: ", found.number, " at column ", l, ", component ", i,
           ", expected a finite number");
    case fault::dot_products:
      fail("row_embeddings, column_embeddings: components up to ", found.number, " and ",
           __builtin_bit_cast(double, found.other),
           ", whose dot products may exceed the largest number of the type; expected smaller ones, or "
           "similarity::cosine");
    default:
      fail("item_weights: ", found.number, " at list ", l, ", item ", i, ", expected a finite number >= 0");
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
