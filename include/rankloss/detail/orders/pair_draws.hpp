// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/data/random_bits.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Two items of which one is better.
struct item_pair {
  std::size_t preferred;
  std::size_t other;
  friend auto operator<=>(const item_pair&, const item_pair&) = default;
};

/// Draws `wanted` of `count` numbers without repetition, in ascending order, by R. Floyd's method (Bentley:
/// More programming pearls, CACM 30, 1987). Uses bits[0 ... 2 wanted).
[[nodiscard]] inline std::vector<std::uint64_t> draw_numbers(std::uint64_t count, std::uint64_t wanted,
                                                             std::span<const std::uint32_t> bits) {
  std::unordered_set<std::uint64_t> drawn;
  drawn.reserve(static_cast<std::size_t>(wanted));
  std::size_t used = 0;
  for (std::uint64_t top = count - wanted; top < count; ++top, used += 2) {
    // The remainder favours small numbers by count / 2^64.
    const std::uint64_t number = ((std::uint64_t{bits[used]} << 32) | bits[used + 1]) % (top + 1);
    if (!drawn.insert(number).second) drawn.insert(top);
  }
  std::vector<std::uint64_t> numbers(drawn.begin(), drawn.end());
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

[[nodiscard]] inline std::vector<std::uint32_t> drawing_bits(std::size_t count, std::uint64_t seed,
                                                             std::size_t list) {
  std::vector<std::uint32_t> bits(count);
  random_bits(seed, list, bits);
  return bits;
}

/// Draws from stored pairs. The worse items of item i are worse[begin[i]] to worse[begin[i + 1] - 1], and the
/// pairs of the list begin at worse[begin[0]].
[[nodiscard]] inline std::vector<item_pair> draw_stored(std::span<const std::size_t> begin,
                                                        std::span<const std::uint32_t> worse,
                                                        std::size_t wanted, std::uint64_t seed,
                                                        std::size_t list) {
  const std::size_t from = begin.front();
  std::vector<item_pair> drawn;
  std::size_t i = 0;
  for (const std::uint64_t number :
       draw_numbers(begin.back() - from, wanted, drawing_bits(2 * wanted, seed, list))) {
    while (begin[i + 1] - from <= number) ++i;
    drawn.push_back({i, worse[from + static_cast<std::size_t>(number)]});
  }
  return drawn;
}

/// Draws from the pairs of items of different levels. Pairs are numbered by the position of the better item,
/// and then by the position of the worse item among the items of levels further down.
[[nodiscard]] inline std::vector<item_pair> draw_of_levels(std::span<const std::uint32_t> items,
                                                           std::span<const std::size_t> starts,
                                                           std::uint64_t count, std::size_t wanted,
                                                           std::uint64_t seed, std::size_t list) {
  const std::vector<std::uint64_t> numbers =
      draw_numbers(count, wanted, drawing_bits(2 * wanted, seed, list));
  std::vector<item_pair> drawn;
  std::uint64_t before = 0;
  for (std::size_t v = 0; v + 1 < starts.size(); ++v) {
    const std::size_t begin = starts[v];
    const std::size_t end = starts[v + 1];
    const std::uint64_t lower = items.size() - end;
    const std::uint64_t here = (end - begin) * lower;
    for (std::size_t k = drawn.size(); k < numbers.size() && numbers[k] < before + here; ++k) {
      const std::uint64_t number = numbers[k] - before;
      drawn.push_back({items[begin + static_cast<std::size_t>(number / lower)],
                       items[end + static_cast<std::size_t>(number % lower)]});
    }
    before += here;
  }
  return drawn;
}

/// Draws equal numbers of pairs, to within one, for each gap between levels; of a gap that has fewer pairs,
/// all of them.
[[nodiscard]] inline std::vector<item_pair> draw_by_level_gap(std::span<const std::uint32_t> items,
                                                              std::span<const std::size_t> starts,
                                                              std::size_t wanted, std::uint64_t seed,
                                                              std::size_t list) {
  const std::size_t gaps = starts.size() - 2;  // gaps 1 ... gaps, each with at least one pair
  const auto level_size = [&](std::size_t v) { return std::uint64_t{starts[v + 1] - starts[v]}; };
  const std::vector<std::uint32_t> bits = drawing_bits(2 * (wanted + std::min(gaps, wanted)), seed, list);
  const std::span<const std::uint32_t> of_pairs = std::span(bits).first(2 * wanted);
  const std::span<const std::uint32_t> of_gaps = std::span(bits).subspan(2 * wanted);
  std::size_t used = 0;
  std::vector<item_pair> drawn;
  const auto draw = [&](std::size_t gap, std::uint64_t count, std::uint64_t portion) {
    std::uint64_t before = 0;
    std::size_t v = 0;
    for (const std::uint64_t number : draw_numbers(count, portion, of_pairs.subspan(used))) {
      while (number - before >= level_size(v) * level_size(v + gap)) {
        before += level_size(v) * level_size(v + gap);
        ++v;
      }
      const std::uint64_t left = number - before;
      const std::uint64_t width = level_size(v + gap);
      drawn.push_back({items[starts[v] + static_cast<std::size_t>(left / width)],
                       items[starts[v + gap] + static_cast<std::size_t>(left % width)]});
    }
    used += 2 * static_cast<std::size_t>(portion);
  };
  const auto count_of = [&](std::size_t gap) {
    std::uint64_t count = 0;
    for (std::size_t v = 0; v + gap <= gaps; ++v) count += level_size(v) * level_size(v + gap);
    return count;
  };
  if (wanted < gaps) {  // too few to give every gap one
    for (const std::uint64_t gap : draw_numbers(gaps, wanted, of_gaps))
      draw(static_cast<std::size_t>(gap) + 1, count_of(static_cast<std::size_t>(gap) + 1), 1);
    return drawn;
  }
  std::vector<std::pair<std::uint64_t, std::size_t>> counts;
  for (std::size_t gap = 1; gap <= gaps; ++gap) counts.emplace_back(count_of(gap), gap);
  std::sort(counts.begin(), counts.end());
  // The gaps that have fewer pairs than an equal share come first, and all their pairs are drawn. The other
  // gaps share what is left equally, to within one.
  std::uint64_t left = wanted;
  std::size_t c = 0;
  for (; c < gaps && counts[c].first * (gaps - c) <= left; ++c) {
    draw(counts[c].second, counts[c].first, counts[c].first);
    left -= counts[c].first;
  }
  if (c == gaps || left == 0) return drawn;
  const std::uint64_t portion = left / (gaps - c);
  const std::vector<std::uint64_t> with_one_more = draw_numbers(gaps - c, left % (gaps - c), of_gaps);
  for (std::size_t k = c; k < gaps; ++k)
    draw(counts[k].second, counts[k].first,
         portion + (std::binary_search(with_one_more.begin(), with_one_more.end(), k - c) ? 1 : 0));
  return drawn;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
