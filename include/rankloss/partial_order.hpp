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

/// How sample_pairs distributes its pairs.
enum class pair_balance {
  none,          ///< all pairs of a list are equally likely
  by_level_gap,  ///< each gap equally often, as far as there are pairs; for orders by levels
};

/// The meaning of a rank of 0.
enum class rank_zero {
  refused,   ///< none: it is an error
  unranked,  ///< the item is not ranked and in no pair, as in the R package PlackettLuce
  last,      ///< the item is worse than all that have another rank: for lists of the first k
  best,      ///< the item is the best: ranks start at 0
};

/// ordered_pairs: pairs of items by their indices among all items, in the form that preference_batch takes.
struct ordered_pairs {
  std::vector<std::size_t> preferred;  ///< [pairs]
  std::vector<std::size_t> other;      ///< [pairs]
};

namespace detail {
struct item_pair;
}

/// partial_order: which items of each list are better than which, for several lists. It owns its memory.
///
/// List q is [offsets[q], offsets[q + 1]), as in list_batch. An item is named by its index among all
/// items. The order is stored in one of two forms:
///
/// - by levels (from_grades, from_ranks): an item is better than every item of a level further down; items
///   without a level are in no pair. O(items) memory for any number of pairs;
/// - by pairs (from_pairs, from_chains): the given pairs, each once. Pairs that follow from them, such as a >
///   c from a > b and b > c, are part of the order but not stored. O(items + pairs) memory.
///
/// `pairs`, `sample_pairs`, `agreement` and likelihoods by pairs use the stored pairs: all pairs of an order
/// by levels, otherwise the given ones. closure() is the same order with all its pairs stored, reduction()
/// with as few as possible. Functions of the order itself (`precedes`, the exact likelihood of plackett_luce)
/// have the same result for all three.
///
/// An order is made once for a batch of data and never changes. It allocates when it is made, and in
/// functions that return vectors or orders.
class partial_order {
 public:
  /// An order of no list.
  partial_order() = default;

  /// Item preferred[k] is better than item other[k] of the same list. A pair may be given more than once.
  /// Time O(items + pairs log pairs).
  /// @throws std::invalid_argument naming the field when sizes, offsets or items are invalid, or naming a
  /// cycle.
  [[nodiscard]] static partial_order from_pairs(const indices& offsets, const indices& preferred,
                                                const indices& other);

  /// Chains of items, each within one list, in descending order: chain c is chains[chain_offsets[c]] to
  /// chains[chain_offsets[c + 1] - 1]. Without chain_offsets all are one chain. An item may be in several
  /// chains, or in none. The pairs are those of neighbours in a chain. Time as from_pairs.
  /// @throws std::invalid_argument naming the field when sizes, offsets or items are invalid, or naming a
  /// cycle.
  [[nodiscard]] static partial_order from_chains(const indices& offsets, const indices& chains,
                                                 const indices& chain_offsets = {});

  /// Of two items of a list the one with the larger grade is better; equal grades are not ordered. Without
  /// offsets all items are one list. Time: a sort, by counting for whole grades.
  /// @param grades [items] any arithmetic type, finite; 64-bit integers that round to the same double are
  /// equal
  /// @throws std::invalid_argument naming the field when sizes, offsets or grades are invalid.
  template <detail::array Range>
  requires std::is_arithmetic_v<detail::element_of<Range>>
  [[nodiscard]] static partial_order from_grades(const indices& offsets, const Range& grades);

  /// Of two items of a list the one with the smaller rank is better; equal ranks are not ordered. Ranks may
  /// also be numbers of buckets, the best first. A top-k order has ranks 1 to k, and for all other items k +
  /// 1, or 0 with rank_zero::last. Everything else as in from_grades.
  /// @param ranks [items] any arithmetic type, finite, above 0, or 0 if `zero` says what that means
  template <detail::array Range>
  requires std::is_arithmetic_v<detail::element_of<Range>>
  [[nodiscard]] static partial_order from_ranks(const indices& offsets, const Range& ranks,
                                                rank_zero zero = rank_zero::refused);

  [[nodiscard]] std::size_t lists() const noexcept { return offsets_.size() - 1; }
  [[nodiscard]] std::size_t items() const noexcept { return offsets_.back(); }
  [[nodiscard]] std::span<const std::size_t> offsets() const noexcept { return offsets_; }
  [[nodiscard]] std::size_t first(std::size_t list) const noexcept { return offsets_[list]; }
  [[nodiscard]] std::size_t size(std::size_t list) const noexcept {
    return offsets_[list + 1] - offsets_[list];
  }
  [[nodiscard]] bool by_levels() const noexcept { return begin_.empty(); }

  /// One order of the list's items, numbered from 0 in the list, that the partial order allows. For orders by
  /// levels: one level after the other, without the items that have none.
  [[nodiscard]] std::span<const std::uint32_t> sorted(std::size_t list) const noexcept {
    return {sorted_.data() + first(list), ranked_.empty() ? size(list) : ranked_[list]};
  }

  /// The level of an item without a level, in an order by levels.
  static constexpr std::uint32_t no_level = 0xffffffffu;

  /// [n] for an order by levels: the level of each item of the list, or no_level. 0 is the best, and every
  /// level up to the last has an item.
  [[nodiscard]] std::span<const std::uint32_t> levels(std::size_t list) const noexcept {
    return {levels_.data() + first(list), size(list)};
  }

  /// For an order by pairs: the items that item i of the list is better than by a stored pair, in ascending
  /// order, numbered from 0 in the list.
  [[nodiscard]] std::span<const std::uint32_t> worse(std::size_t list, std::size_t i) const noexcept {
    const std::size_t item = first(list) + i;
    return {worse_.data() + begin_[item], begin_[item + 1] - begin_[item]};
  }

  /// Whether any item of the list is better than another. O(1).
  [[nodiscard]] bool has_pair(std::size_t list) const noexcept {
    if (!by_levels()) return begin_[offsets_[list + 1]] > begin_[first(list)];
    const std::span<const std::uint32_t> items = sorted(list);
    return !items.empty() && levels(list)[items.back()] > 0;
  }

  /// The number of stored pairs of the list. O(1), for orders by levels O(n).
  [[nodiscard]] std::uint64_t count_pairs(std::size_t list) const;

  /// Whether item a is better than item b; both are indices among all items. O(1) for orders by levels;
  /// otherwise it follows the stored pairs in O(n + pairs of the list).
  /// @throws std::invalid_argument when there is no such item.
  [[nodiscard]] bool precedes(std::size_t a, std::size_t b) const;

  /// The same order with all its pairs stored. Time O(n pairs / 64) for each list, and n^2 bits of memory
  /// while a list is computed. An order by levels has all its pairs already.
  [[nodiscard]] partial_order closure() const;

  /// The same order with as few stored pairs as possible: those of items with no item between them. Time and
  /// memory as closure(). For an order by levels these are the pairs of neighbouring levels, whose number is
  /// the sum of the products of their sizes.
  [[nodiscard]] partial_order reduction() const;

  /// All stored pairs, ordered by list, preferred item and other item. For orders by levels these are O(n^2).
  [[nodiscard]] ordered_pairs pairs() const;

  /// `per_list` of the stored pairs of each list, drawn at random without repetition, or all pairs of a list
  /// that has no more. In the order of `pairs`.
  ///
  /// - A function of (seed, number of the list) alone. Memory O(n + per_list) for each list, also for orders
  ///   by levels, because pairs are drawn by their numbers.
  /// - A level gap is the number of levels by which the two items of a pair differ. With
  ///   pair_balance::by_level_gap every gap gets the same number of pairs, except that some, drawn at random,
  ///   get one more. Where a gap has too few pairs, the others make up for it. Time O(levels min(levels,
  ///   per_list)) for each list in addition to that of pair_balance::none, which is O(n + per_list log n).
  /// @throws std::invalid_argument when pairs of an order that is not by levels are to be balanced.
  [[nodiscard]] ordered_pairs sample_pairs(std::size_t per_list, std::uint64_t seed,
                                           pair_balance balance = pair_balance::none) const;

 private:
  explicit partial_order(const indices& offsets);
  partial_order(const indices& offsets, std::size_t items);

  void take_lists(const indices& offsets, std::size_t items);
  [[nodiscard]] std::size_t checked(const indices& all, std::string_view field, std::string_view unit,
                                    std::size_t k) const;
  [[nodiscard]] std::size_t list_of(std::size_t item) const noexcept;

  template <class Standing>
  [[nodiscard]] static partial_order of_levels(const indices& offsets, std::size_t items,
                                               Standing standing_of);
  void store(std::vector<detail::item_pair>& edges, std::string_view field);
  void sort_items(std::string_view field);
  template <class Choose>
  [[nodiscard]] partial_order rebuilt(Choose choose) const;
  [[nodiscard]] partial_order neighbours() const;
  void append_pairs(std::size_t list, ordered_pairs& found) const;

  std::vector<std::size_t> offsets_{0};
  std::vector<std::uint32_t> sorted_;  // [items] each list in an allowed order, items of no level at the end
  std::vector<std::uint32_t> levels_;  // [items] or empty
  std::vector<std::size_t> ranked_;    // [lists] by levels: items with a level; empty: all
  std::vector<std::size_t> begin_;     // [items + 1] into worse_; empty: by levels
  std::vector<std::uint32_t> worse_;   // [pairs]
};

/// pair_agreement: how scores order the pairs of a partial order.
struct pair_agreement {
  double concordant = 0.0;  ///< pairs in which the better item has the larger score
  double discordant = 0.0;  ///< pairs in which it has the smaller score
  double tied = 0.0;        ///< pairs of equal scores

  [[nodiscard]] double pairs() const noexcept { return concordant + discordant + tied; }
  /// The share of the pairs that are in the right order, with equal scores as half; 0 without a pair.
  [[nodiscard]] double accuracy() const noexcept {
    return pairs() > 0.0 ? (concordant + 0.5 * tied) / pairs() : 0.0;
  }

  pair_agreement& operator+=(const pair_agreement& more) noexcept {
    concordant += more.concordant;
    discordant += more.discordant;
    tied += more.tied;
    return *this;
  }
  friend bool operator==(const pair_agreement&, const pair_agreement&) = default;
};

/// agreement: how the scores order the stored pairs of an order, for all lists together and, if wanted, for
/// each list.
///
/// - Counts are exact up to 2^53 pairs. Time O(n log n) for each list of an order by levels, else O(pairs).
///   Lists run in parallel, with the same result for any executor. Scratch O(longest list) for each worker.
///   Infinite scores are first or last.
/// @param per_list [lists] or empty
/// @throws std::invalid_argument naming the field when sizes or (data_checks::on) scores are invalid; then
/// nothing has been written.
template <detail::array Scores>
requires score<detail::element_of<Scores>> pair_agreement agreement(const partial_order& order,
                                                                    const Scores& values,
                                                                    std::span<pair_agreement> per_list,
                                                                    context& ctx);

/// agreement on the calling thread with a context of its own.
template <detail::array Scores>
requires score<detail::element_of<Scores>> pair_agreement agreement(const partial_order& order,
                                                                    const Scores& scores,
                                                                    std::span<pair_agreement> per_list = {}) {
  context ctx;
  return agreement(order, scores, per_list, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/partial_order.hpp>
#endif
