// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// How sample_pairs spreads its pairs.
enum class pair_balance {
  none,    ///< all pairs of a list are equally likely
  by_gap,  ///< as many of each gap as there are, a gap being by how many of the list's levels the two items are apart; for orders by levels
};

/// What a rank of 0 says of its item.
enum class rank_zero {
  refused,   ///< nothing: it is an error
  unranked,  ///< it was not ranked and is neither better nor worse than any other, as in the R package PlackettLuce
  last,      ///< it is worse than all that have another rank: of lists of the first k
  best,      ///< it is the best: ranks count from 0
};

/// ordered_pairs: pairs of items by their positions among all items, as preference_batch takes them.
struct ordered_pairs {
  std::vector<std::size_t> preferred;  ///< [pairs]
  std::vector<std::size_t> other;      ///< [pairs]
};

namespace detail {
struct item_pair;
}

/// partial_order: which items of each list are better than which, for several lists, in one arena that it owns.
///
/// List q is [offsets[q], offsets[q + 1]), as in list_batch; an item is named by its position among all items. The order is held in one of two
/// forms:
///
/// - by levels (from_grades, from_ranks): an item is better than every item of a lower level, and those of no level are in no pair; O(items)
///   memory, however many pairs that is;
/// - by pairs (from_pairs, from_chains): those that were given, each once; what follows from them, a > c from a > b and b > c, is part of the
///   order and not stored. O(items + pairs) memory.
///
/// `pairs`, `sample_pairs`, `agreement` and likelihoods by pairs go over the pairs that are stored: all of an order by levels, else those given.
/// closure() is the same order with all its pairs stored, reduction() with the fewest. What is said of the order itself (`precedes`, the exact
/// likelihood of plackett_luce) is the same for all three.
///
/// Made once for a batch of data; what it says never changes. It allocates where it is made, and in what returns vectors or orders.
class partial_order {
 public:
  /// Of no list.
  partial_order() = default;

  /// Item preferred[k] is better than other[k], an item of the same list. A pair may be given more than once. Time O(items + pairs log pairs).
  /// @throws std::invalid_argument naming the field when sizes, offsets or items do not fit, or naming a cycle.
  [[nodiscard]] static partial_order from_pairs(const positions& offsets, const positions& preferred, const positions& other);

  /// Chains of items of one list each, the best first: chain c is chains[chain_offsets[c]] to chains[chain_offsets[c + 1] - 1]. Without
  /// chain_offsets there is one. An item may be in several, or in none. The pairs are those of neighbours. Time as from_pairs.
  /// @throws std::invalid_argument naming the field when sizes, offsets or items do not fit, or naming a cycle.
  [[nodiscard]] static partial_order from_chains(const positions& offsets, const positions& chains, const positions& chain_offsets = {});

  /// Of two items of a list the one of the greater grade is better; equal grades are not ordered. Without offsets there is one list. Time: a sort,
  /// which whole grades make a count.
  /// @param grades  [items] any arithmetic type, finite; whole numbers of 64 bits that a double rounds together are equal
  /// @throws std::invalid_argument naming the field when sizes, offsets or grades do not fit.
  template <detail::array Range>
  requires std::is_arithmetic_v<detail::element_of<Range>>
  [[nodiscard]] static partial_order from_grades(const positions& offsets, const Range& grades);

  /// Of two items of a list the one of the smaller rank is better; equal ranks are not ordered. Ranks, or numbers of buckets from the best.
  /// A top-k order: ranks 1 to k, and k + 1 for all others, or 0 for them with rank_zero::last. Everything else as from_grades.
  /// @param ranks  [items] any arithmetic type, finite, above 0, or 0 where `zero` says what that means
  template <detail::array Range>
  requires std::is_arithmetic_v<detail::element_of<Range>>
  [[nodiscard]] static partial_order from_ranks(const positions& offsets, const Range& ranks, rank_zero zero = rank_zero::refused);

  [[nodiscard]] std::size_t lists() const noexcept { return offsets_.size() - 1; }
  [[nodiscard]] std::size_t items() const noexcept { return offsets_.back(); }
  [[nodiscard]] std::span<const std::size_t> offsets() const noexcept { return offsets_; }
  [[nodiscard]] std::size_t first(std::size_t list) const noexcept { return offsets_[list]; }
  [[nodiscard]] std::size_t size(std::size_t list) const noexcept { return offsets_[list + 1] - offsets_[list]; }
  [[nodiscard]] bool by_levels() const noexcept { return begin_.empty(); }

  /// An order of the list's items, numbered from 0 in it, that the partial order allows; by levels: level after level, without the items of none.
  [[nodiscard]] std::span<const std::uint32_t> sorted(std::size_t list) const noexcept {
    return {sorted_.data() + first(list), ranked_.empty() ? size(list) : ranked_[list]};
  }

  /// The level of an item that has none, in an order by levels.
  static constexpr std::uint32_t no_level = 0xffffffffu;

  /// [n] of an order by levels: the level of each item of the list, 0 the best, every one up to the last with an item in it, or no_level.
  [[nodiscard]] std::span<const std::uint32_t> levels(std::size_t list) const noexcept { return {levels_.data() + first(list), size(list)}; }

  /// Of an order by pairs: the items that item i of the list is better than by a stored pair, rising; numbers from 0 in the list.
  [[nodiscard]] std::span<const std::uint32_t> worse(std::size_t list, std::size_t i) const noexcept {
    const std::size_t item = first(list) + i;
    return {worse_.data() + begin_[item], begin_[item + 1] - begin_[item]};
  }

  /// Whether some item of the list is better than another. O(1).
  [[nodiscard]] bool has_pair(std::size_t list) const noexcept {
    if (!by_levels()) return begin_[offsets_[list + 1]] > begin_[first(list)];
    const std::span<const std::uint32_t> items = sorted(list);
    return !items.empty() && levels(list)[items.back()] > 0;
  }

  /// The number of stored pairs of the list. O(1), by levels O(n).
  [[nodiscard]] std::uint64_t count_pairs(std::size_t list) const;

  /// Whether item a is better than item b, positions among all items. O(1) by levels; else it follows the stored pairs, O(n + pairs of the list).
  /// @throws std::invalid_argument when there is no such item.
  [[nodiscard]] bool precedes(std::size_t a, std::size_t b) const;

  /// The same order with all its pairs stored. Time O(n pairs / 64) a list and, while a list is gone through, n^2 bits; an order by levels has all
  /// already.
  [[nodiscard]] partial_order closure() const;

  /// The same order with the fewest pairs stored: of items with none between them. Time and memory as closure(); of an order by levels the pairs of
  /// neighbouring levels, as many as the products of their sizes.
  [[nodiscard]] partial_order reduction() const;

  /// All stored pairs: by list, then by the preferred item, then by the other. By levels O(n^2) of them.
  [[nodiscard]] ordered_pairs pairs() const;

  /// `per_list` of the stored pairs of each list, drawn at random and no pair twice; all of a list that has no more. In the order of `pairs`.
  ///
  /// - A function of (seed, number of the list) alone. Memory O(n + per_list) a list, by levels too: pairs are drawn by their numbers.
  /// - pair_balance::by_gap: the same number of pairs of each gap, up to one, which ones is drawn; where a gap has too few, the others make up
  ///   for it. Time O(levels min(levels, per_list)) a list beyond that of none, which is O(n + per_list log n).
  /// @throws std::invalid_argument when pairs of an order that is not by levels are to be balanced.
  [[nodiscard]] ordered_pairs sample_pairs(std::size_t per_list, std::uint64_t seed, pair_balance balance = pair_balance::none) const;

 private:
  explicit partial_order(const positions& offsets);
  partial_order(const positions& offsets, std::size_t items);

  void take_offsets(const positions& offsets);
  [[nodiscard]] std::size_t checked(const positions& all, std::string_view field, std::string_view unit, std::size_t k) const;
  [[nodiscard]] std::size_t list_of(std::size_t item) const noexcept;

  template <class Place>
  [[nodiscard]] static partial_order of_levels(const positions& offsets, std::size_t items, Place place);
  void store(std::vector<detail::item_pair>& edges, std::string_view field);
  void sort_items(std::string_view field);
  template <class Choose>
  [[nodiscard]] partial_order rebuilt(Choose choose) const;
  [[nodiscard]] partial_order neighbours() const;
  void append_pairs(std::size_t list, ordered_pairs& found) const;

  std::vector<std::size_t> offsets_{0};
  std::vector<std::uint32_t> sorted_;  // [items] of each list in an order that is allowed; by levels those of no level are left out, at its end
  std::vector<std::uint32_t> levels_;  // [items] or empty
  std::vector<std::size_t> ranked_;    // [lists] by levels: how many have one; empty: all
  std::vector<std::size_t> begin_;     // [items + 1] into worse_, or empty: by levels
  std::vector<std::uint32_t> worse_;   // [pairs]
};

/// pair_agreement: the pairs of an order, by how scores put them.
struct pair_agreement {
  double concordant = 0.0;  ///< pairs of which the better item has the greater score
  double discordant = 0.0;  ///< pairs of which it has the smaller one
  double tied = 0.0;        ///< pairs of equal scores

  [[nodiscard]] double pairs() const noexcept { return concordant + discordant + tied; }
  /// The part of the pairs that are right, equal scores half; 0 without a pair.
  [[nodiscard]] double accuracy() const noexcept { return pairs() > 0.0 ? (concordant + 0.5 * tied) / pairs() : 0.0; }

  pair_agreement& operator+=(const pair_agreement& more) noexcept {
    concordant += more.concordant;
    discordant += more.discordant;
    tied += more.tied;
    return *this;
  }
  friend bool operator==(const pair_agreement&, const pair_agreement&) = default;
};

/// agreement: how the scores put the stored pairs of an order, of all lists together and, where wanted, of each.
///
/// - Counts are exact up to 2^53 pairs. Time O(n log n) a list for orders by levels, else O(pairs); in parallel over lists, the same for any
///   executor. Scratch O(longest list) a worker. Infinite scores are first or last.
/// @param per_list  [lists] or empty
/// @throws std::invalid_argument naming the field when sizes or (data_checks::on) scores do not fit; then nothing has been written.
template <detail::array Scores>
requires score<detail::element_of<Scores>> pair_agreement agreement(const partial_order& order, const Scores& values,
                                                                    std::span<pair_agreement> per_list, context& ctx);

/// agreement on the calling thread with scratch of its own.
template <detail::array Scores>
requires score<detail::element_of<Scores>> pair_agreement agreement(const partial_order& order, const Scores& scores,
                                                                    std::span<pair_agreement> per_list = {}) {
  context ctx;
  return agreement(order, scores, per_list, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/partial_order.hpp>
#endif
