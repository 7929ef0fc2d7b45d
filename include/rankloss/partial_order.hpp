// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/random_bits.hpp>
#include <rankloss/detail/pairs/pair_counts.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// How sample_pairs distributes its pairs.
enum class pair_balance {
  none,    ///< all pairs of a list are equally likely
  by_gap,  ///< each gap equally often, as far as there are pairs; for orders by levels
};

/// The meaning of a rank of 0.
enum class rank_zero {
  refused,   ///< none: it is an error
  unranked,  ///< the item is not ranked and in no pair, as in the R package PlackettLuce
  last,      ///< the item is worse than all that have another rank: for lists of the first k
  best,      ///< the item is the best: ranks start at 0
};

/// ordered_pairs: pairs of items by their positions among all items, in the form that preference_batch takes.
struct ordered_pairs {
  std::vector<std::size_t> preferred;  ///< [pairs]
  std::vector<std::size_t> other;      ///< [pairs]
};

/// partial_order: which items of each list are better than which, for several lists. It owns its memory.
///
/// List q is [offsets[q], offsets[q + 1]), as in list_batch. An item is named by its position among all
/// items. The order is stored in one of two forms:
///
/// - by levels (from_grades, from_ranks): an item is better than every item of a lower level; items without a
///   level are in no pair. O(items) memory for any number of pairs;
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
  [[nodiscard]] static partial_order from_pairs(const positions& offsets, const positions& preferred, const positions& other) {
    partial_order order(offsets);
    const std::size_t pairs = preferred.size();
    detail::require(other.size() == pairs, "other: size ", other.size(), ", expected ", pairs, " (one per preferred)");
    std::vector<edge> edges(pairs);
    for (std::size_t k = 0; k < pairs; ++k) {
      edges[k] = {order.checked(preferred, "preferred", "pair", k), order.checked(other, "other", "pair", k)};
      detail::require(edges[k].better != edges[k].worse, "other: ", edges[k].worse, " at pair ", k,
                      ", expected an item other than the preferred one");
      const std::size_t l = order.list_of(edges[k].better);
      detail::require(order.list_of(edges[k].worse) == l, "other: ", edges[k].worse, " at pair ", k, ", expected an item of list ", l,
                      " like the preferred one");
    }
    order.store(edges, "pairs");
    return order;
  }

  /// Chains of items, each within one list, in descending order: chain c is chains[chain_offsets[c]] to
  /// chains[chain_offsets[c + 1] - 1]. Without chain_offsets all are one chain. An item may be in several
  /// chains, or in none. The pairs are those of neighbours in a chain. Time as from_pairs.
  /// @throws std::invalid_argument naming the field when sizes, offsets or items are invalid, or naming a
  /// cycle.
  [[nodiscard]] static partial_order from_chains(const positions& offsets, const positions& chains, const positions& chain_offsets = {}) {
    partial_order order(offsets);
    detail::check_offsets(chain_offsets, chains.size(), "places in chains", "chain_offsets");
    std::vector<edge> edges;
    std::size_t chain = 0;
    std::size_t before = 0;
    for (std::size_t k = 0; k < chains.size(); ++k) {
      const std::size_t item = order.checked(chains, "chains", "place", k);
      const std::size_t chain_before = chain;
      while (chain < chain_offsets.size() && static_cast<std::size_t>(chain_offsets[chain]) <= k) ++chain;
      if (k > 0 && chain == chain_before) {
        detail::require(item != before, "chains: ", item, " at place ", k, ", expected an item other than the one before it");
        const std::size_t l = order.list_of(before);
        detail::require(order.list_of(item) == l, "chains: ", item, " at place ", k, ", expected an item of list ", l, " like the one before it");
        edges.push_back({before, item});
      }
      before = item;
    }
    order.store(edges, "chains");
    return order;
  }

  /// Of two items of a list the one with the larger grade is better; equal grades are not ordered. Without
  /// offsets all items are one list. Time: a sort, by counting for whole grades.
  /// @param grades [items] any arithmetic type, finite; 64-bit integers that round to the same double are
  /// equal
  /// @throws std::invalid_argument naming the field when sizes, offsets or grades are invalid.
  template <detail::array Range>
  requires std::is_arithmetic_v<detail::element_of<Range>>
  [[nodiscard]] static partial_order from_grades(const positions& offsets, const Range& grades) {
    const auto* grade = detail::first_of(grades);
    return of_levels(offsets, detail::size_of(grades), [&](const partial_order& order, std::size_t l, std::size_t i) {
      const auto y = static_cast<double>(grade[order.first(l) + i]);
      detail::require(detail::is_finite(y), "grades: ", y, " at list ", l, ", item ", i, ", expected a finite number");
      return place_of{place_of::by_value, y};
    });
  }

  /// Of two items of a list the one with the smaller rank is better; equal ranks are not ordered. Ranks may
  /// also be numbers of buckets, the best first. A top-k order has ranks 1 to k, and for all other items k +
  /// 1, or 0 with rank_zero::last. Everything else as in from_grades.
  /// @param ranks [items] any arithmetic type, finite, above 0, or 0 if `zero` says what that means
  template <detail::array Range>
  requires std::is_arithmetic_v<detail::element_of<Range>>
  [[nodiscard]] static partial_order from_ranks(const positions& offsets, const Range& ranks, rank_zero zero = rank_zero::refused) {
    const auto* rank = detail::first_of(ranks);
    return of_levels(offsets, detail::size_of(ranks), [&](const partial_order& order, std::size_t l, std::size_t i) {
      const auto r = static_cast<double>(rank[order.first(l) + i]);
      detail::require(detail::is_finite(r), "ranks: ", r, " at list ", l, ", item ", i, ", expected a finite number");
      detail::require(zero != rank_zero::refused || r != 0.0, "ranks: 0 at list ", l, ", item ", i,
                      ", expected above 0; say what 0 means: rank_zero::unranked, rank_zero::last or rank_zero::best");
      detail::require(r >= 0.0, "ranks: ", r, " at list ", l, ", item ", i, ", expected above 0");
      if (r != 0.0 || zero == rank_zero::best) return place_of{place_of::by_value, -r};
      return place_of{zero == rank_zero::last ? place_of::last : place_of::none, 0.0};
    });
  }

  [[nodiscard]] std::size_t lists() const noexcept { return offsets_.size() - 1; }
  [[nodiscard]] std::size_t items() const noexcept { return offsets_.back(); }
  [[nodiscard]] std::span<const std::size_t> offsets() const noexcept { return offsets_; }
  [[nodiscard]] std::size_t first(std::size_t list) const noexcept { return offsets_[list]; }
  [[nodiscard]] std::size_t size(std::size_t list) const noexcept { return offsets_[list + 1] - offsets_[list]; }
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
  [[nodiscard]] std::span<const std::uint32_t> levels(std::size_t list) const noexcept { return {levels_.data() + first(list), size(list)}; }

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
  [[nodiscard]] std::uint64_t count_pairs(std::size_t list) const {
    if (!by_levels()) return begin_[offsets_[list + 1]] - begin_[first(list)];
    std::uint64_t count = 0;
    for_each_level(list, [&](std::size_t begin, std::size_t end) { count += static_cast<std::uint64_t>(end - begin) * (sorted(list).size() - end); });
    return count;
  }

  /// Whether item a is better than item b; both are positions among all items. O(1) for orders by levels;
  /// otherwise it follows the stored pairs in O(n + pairs of the list).
  /// @throws std::invalid_argument when there is no such item.
  [[nodiscard]] bool precedes(std::size_t a, std::size_t b) const {
    for (const std::size_t item : {a, b}) detail::require(item < items(), "item: ", item, ", expected one from 0 to below ", items());
    const std::size_t list = list_of(a);
    if (list_of(b) != list) return false;
    const auto from = static_cast<std::uint32_t>(a - first(list));
    const auto to = static_cast<std::uint32_t>(b - first(list));
    if (by_levels()) return levels(list)[from] < levels(list)[to] && levels(list)[to] != no_level;
    std::vector<bool> seen(size(list), false);
    std::vector<std::uint32_t> open{from};
    while (!open.empty()) {
      const std::uint32_t i = open.back();
      open.pop_back();
      for (const std::uint32_t j : worse(list, i)) {
        if (j == to) return true;
        if (!seen[j]) open.push_back(j);
        seen[j] = true;
      }
    }
    return false;
  }

  /// The same order with all its pairs stored. Time O(n pairs / 64) for each list, and n^2 bits of memory
  /// while a list is computed. An order by levels has all its pairs already.
  [[nodiscard]] partial_order closure() const {
    if (by_levels()) return *this;
    return rebuilt([](std::size_t, std::size_t i, const bit_rows& below, std::span<const std::uint32_t>, auto add) { below.for_each(i, add); });
  }

  /// The same order with as few stored pairs as possible: those of items with no item between them. Time and
  /// memory as closure(). For an order by levels these are the pairs of neighbouring levels, whose number is
  /// the sum of the products of their sizes.
  [[nodiscard]] partial_order reduction() const {
    if (by_levels()) return neighbours();
    return rebuilt([this](std::size_t list, std::size_t i, const bit_rows& below, std::span<const std::uint32_t> place, auto add) {
      // From the first place on, so that whatever an item is better than comes later.
      std::vector<std::uint32_t> next(worse(list, i).begin(), worse(list, i).end());
      std::sort(next.begin(), next.end(), [&](std::uint32_t x, std::uint32_t y) { return place[x] < place[y]; });
      std::vector<std::uint64_t> implied(below.words, 0);
      for (const std::uint32_t j : next) {
        if ((implied[j / 64] >> (j % 64) & 1) != 0) continue;
        add(j);
        for (std::size_t w = 0; w < below.words; ++w) implied[w] |= below.row(j)[w];
      }
    });
  }

  /// All stored pairs, ordered by list, preferred item and other item. For orders by levels these are O(n^2).
  [[nodiscard]] ordered_pairs pairs() const {
    ordered_pairs found;
    for (std::size_t l = 0; l < lists(); ++l) append_pairs(l, found);
    return found;
  }

  /// `per_list` of the stored pairs of each list, drawn at random without repetition, or all pairs of a list
  /// that has no more. In the order of `pairs`.
  ///
  /// - A function of (seed, number of the list) alone. Memory O(n + per_list) for each list, also for orders
  ///   by levels, because pairs are drawn by their numbers.
  /// - A gap is the number of levels by which the two items of a pair differ. With pair_balance::by_gap every
  ///   gap gets the same number of pairs, except that some, drawn at random, get one more. Where a gap has
  ///   too few pairs, the others make up for it. Time O(levels min(levels, per_list)) for each list in
  ///   addition to that of pair_balance::none, which is O(n + per_list log n).
  /// @throws std::invalid_argument when pairs of an order that is not by levels are to be balanced.
  [[nodiscard]] ordered_pairs sample_pairs(std::size_t per_list, std::uint64_t seed, pair_balance balance = pair_balance::none) const {
    detail::require(balance == pair_balance::none || by_levels(), "balance: by_gap, expected none for an order that is not by grades or ranks");
    ordered_pairs found;
    for (std::size_t l = 0; l < lists(); ++l) {
      if (count_pairs(l) <= per_list) {
        append_pairs(l, found);
        continue;
      }
      std::vector<edge> drawn = !by_levels()                    ? draw_stored(l, per_list, seed)
                                : balance == pair_balance::none ? draw_of_levels(l, per_list, seed)
                                                                : draw_by_gap(l, per_list, seed);
      std::sort(drawn.begin(), drawn.end());
      for (const edge& pair : drawn) {
        found.preferred.push_back(first(l) + pair.better);
        found.other.push_back(first(l) + pair.worse);
      }
    }
    return found;
  }

 private:
  struct edge {
    std::size_t better;
    std::size_t worse;
    friend auto operator<=>(const edge&, const edge&) = default;
  };

  /// A row of bits for each item of a list.
  struct bit_rows {
    std::size_t words;
    std::vector<std::uint64_t> bits;

    explicit bit_rows(std::size_t n) : words((n + 63) / 64), bits(n * words, 0) {}
    [[nodiscard]] std::uint64_t* row(std::size_t i) { return bits.data() + i * words; }
    [[nodiscard]] const std::uint64_t* row(std::size_t i) const { return bits.data() + i * words; }
    template <class Visit>
    void for_each(std::size_t i, Visit visit) const {
      for (std::size_t w = 0; w < words; ++w)
        for (std::uint64_t left = row(i)[w]; left != 0; left &= left - 1)
          visit(static_cast<std::uint32_t>(64 * w + static_cast<unsigned>(std::countr_zero(left))));
    }
  };

  explicit partial_order(const positions& offsets) {
    detail::require(!offsets.empty(), "offsets: size 0, expected one more than there are lists");
    detail::check_offsets(offsets, static_cast<std::size_t>(offsets[offsets.size() - 1]), "items");
    take_offsets(offsets);
  }
  partial_order(const positions& offsets, std::size_t items) {
    detail::check_offsets(offsets, items, "items");
    if (offsets.empty())
      offsets_ = {0, items};
    else
      take_offsets(offsets);
  }

  void take_offsets(const positions& offsets) {
    offsets_.resize(offsets.size());
    for (std::size_t l = 0; l < offsets.size(); ++l) offsets_[l] = static_cast<std::size_t>(offsets[l]);
    for (std::size_t l = 0; l < lists(); ++l) detail::require_countable(size(l));
  }

  [[nodiscard]] std::size_t checked(const positions& all, std::string_view field, std::string_view unit, std::size_t k) const {
    const std::int64_t item = all[k];
    detail::require(item >= 0 && static_cast<std::size_t>(item) < items(), field, ": ", all.number(k), " at ", unit, " ", k,
                    ", expected an item from 0 to below ", items(), " (the number of items)");
    return static_cast<std::size_t>(item);
  }

  [[nodiscard]] std::size_t list_of(std::size_t item) const noexcept {
    return static_cast<std::size_t>(std::upper_bound(offsets_.begin(), offsets_.end(), item) - offsets_.begin()) - 1;
  }

  /// The place of an item in its list: by its value, behind all items with a value, or none.
  struct place_of {
    enum { by_value, last, none } kind;
    double value;  // for by_value: larger is better
  };

  /// An order by levels from place(order, list, item).
  template <class Place>
  [[nodiscard]] static partial_order of_levels(const positions& offsets, std::size_t items, Place place) {
    partial_order order(offsets, items);
    order.sorted_.resize(order.items());
    order.levels_.resize(order.items());
    std::vector<std::size_t> ranked(order.lists());
    workspace scratch;
    for (std::size_t l = 0; l < order.lists(); ++l) {
      const workspace::scope scope(scratch);
      const std::size_t n = order.size(l);
      const std::span<double> y = scratch.take<double>(n);
      const std::span<std::uint32_t> which = scratch.take<std::uint32_t>(n);  // items that have a value, from the front, and the last, from the back
      std::uint32_t* const to = order.sorted_.data() + order.first(l);
      std::uint32_t* const levels = order.levels_.data() + order.first(l);
      std::size_t valued = 0;
      std::size_t last = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const place_of at = place(order, l, i);
        levels[i] = no_level;
        if (at.kind == place_of::last) which[n - ++last] = static_cast<std::uint32_t>(i);
        if (at.kind != place_of::by_value) continue;
        which[valued] = static_cast<std::uint32_t>(i);
        y[valued++] = at.value;
      }
      ranked[l] = valued + last;
      std::uint32_t level = 0;
      if (valued > 0) {
        const std::span<const std::uint32_t> sorted = detail::order_by_relevance(y.data(), valued, nullptr, scratch);
        detail::for_each_grade(y.data(), sorted, [&](std::size_t begin, std::size_t end) {
          for (std::size_t k = begin; k < end; ++k) {
            to[k] = which[sorted[k]];
            levels[to[k]] = level;
          }
          ++level;
        });
      }
      for (std::size_t k = 0; k < last; ++k) {
        to[valued + k] = which[n - 1 - k];
        levels[to[valued + k]] = level;
      }
      if (ranked[l] < n && order.ranked_.empty()) order.ranked_.resize(order.lists());
    }
    if (!order.ranked_.empty()) order.ranked_ = std::move(ranked);
    return order;
  }

  /// Stores pairs of items, each within one list, given as positions among all items.
  void store(std::vector<edge>& edges, std::string_view field) {
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    begin_.assign(items() + 1, 0);
    worse_.resize(edges.size());
    std::size_t list = 0;
    for (std::size_t k = 0; k < edges.size(); ++k) {
      while (edges[k].better >= offsets_[list + 1]) ++list;
      ++begin_[edges[k].better + 1];
      worse_[k] = static_cast<std::uint32_t>(edges[k].worse - first(list));
    }
    for (std::size_t i = 0; i < items(); ++i) begin_[i + 1] += begin_[i];
    sort_items(field);
  }

  /// Sorts the items of each list topologically: an item is placed when all better ones are (Kahn 1962).
  void sort_items(std::string_view field) {
    sorted_.resize(items());
    std::vector<std::uint32_t> waits;
    for (std::size_t l = 0; l < lists(); ++l) {
      const std::size_t n = size(l);
      waits.assign(n, 0);
      for (std::size_t i = 0; i < n; ++i)
        for (const std::uint32_t j : worse(l, i)) ++waits[j];
      std::uint32_t* to = sorted_.data() + first(l);
      std::size_t placed = 0;
      for (std::size_t i = 0; i < n; ++i)
        if (waits[i] == 0) to[placed++] = static_cast<std::uint32_t>(i);
      for (std::size_t k = 0; k < placed; ++k)
        for (const std::uint32_t j : worse(l, to[k]))
          if (--waits[j] == 0) to[placed++] = j;
      if (placed < n) fail_with_cycle(l, waits, field);
    }
  }

  /// @param waits [n] not 0 where an item still waits for a better one that waits too
  [[noreturn]] void fail_with_cycle(std::size_t list, std::span<const std::uint32_t> waits, std::string_view field) const {
    const std::size_t n = size(list);
    const auto none = static_cast<std::uint32_t>(n);
    std::vector<std::uint32_t> better(n, none);
    for (std::size_t i = n; i-- > 0;)
      if (waits[i] > 0)
        for (const std::uint32_t j : worse(list, i))
          if (waits[j] > 0) better[j] = static_cast<std::uint32_t>(i);
    std::vector<std::size_t> seen(n, 0);
    std::vector<std::uint32_t> way;
    auto at = static_cast<std::uint32_t>(std::find_if(waits.begin(), waits.end(), [](std::uint32_t w) { return w > 0; }) - waits.begin());
    for (; seen[at] == 0; at = better[at]) {
      way.push_back(at);
      seen[at] = way.size();
    }
    std::vector<std::uint32_t> cycle(way.rbegin(), way.rend() - static_cast<std::ptrdiff_t>(seen[at] - 1));
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    constexpr std::size_t most_named = 12;
    std::string names;
    for (std::size_t k = 0; k < std::min(cycle.size(), most_named); ++k) names += std::to_string(first(list) + cycle[k]) + " > ";
    if (cycle.size() > most_named) names += "... (" + std::to_string(cycle.size()) + " items) > ";
    detail::fail(field, ": list ", list, " has the cycle ", names, first(list) + cycle[0], ", expected none");
  }

  /// Calls visit(begin, end) for the levels of a list, as places in `sorted`.
  template <class Visit>
  void for_each_level(std::size_t list, Visit visit) const {
    detail::for_each_grade(levels(list).data(), sorted(list), visit);
  }

  /// The places at which the levels of a list begin, and the size of the list.
  [[nodiscard]] std::vector<std::size_t> level_starts(std::size_t list) const {
    std::vector<std::size_t> starts{0};
    for_each_level(list, [&](std::size_t, std::size_t end) { starts.push_back(end); });
    return starts;
  }

  /// The order of the pairs that choose(list, item, rows of what each item is better than, places in
  /// `sorted`, add) passes to add.
  template <class Choose>
  [[nodiscard]] partial_order rebuilt(Choose choose) const {
    partial_order order;
    order.offsets_ = offsets_;
    order.sorted_ = sorted_;
    order.begin_.assign(1, 0);
    order.begin_.reserve(items() + 1);
    std::vector<std::uint32_t> place;
    for (std::size_t l = 0; l < lists(); ++l) {
      const std::size_t n = size(l);
      bit_rows below(n);
      place.resize(n);
      for (std::size_t k = n; k-- > 0;) {
        const std::uint32_t i = sorted(l)[k];
        place[i] = static_cast<std::uint32_t>(k);
        for (const std::uint32_t j : worse(l, i)) {
          below.row(i)[j / 64] |= std::uint64_t{1} << (j % 64);
          for (std::size_t w = 0; w < below.words; ++w) below.row(i)[w] |= below.row(j)[w];
        }
      }
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t begin = order.worse_.size();
        const auto add = [&](std::uint32_t j) { order.worse_.push_back(j); };
        choose(l, i, std::as_const(below), std::span<const std::uint32_t>(place), add);
        std::sort(order.worse_.begin() + static_cast<std::ptrdiff_t>(begin), order.worse_.end());
        order.begin_.push_back(order.worse_.size());
      }
    }
    return order;
  }

  [[nodiscard]] partial_order neighbours() const {
    std::vector<edge> edges;
    for (std::size_t l = 0; l < lists(); ++l) {
      const std::vector<std::size_t> starts = level_starts(l);
      for (std::size_t v = 0; v + 2 < starts.size(); ++v)
        for (std::size_t k = starts[v]; k < starts[v + 1]; ++k)
          for (std::size_t m = starts[v + 1]; m < starts[v + 2]; ++m) edges.push_back({first(l) + sorted(l)[k], first(l) + sorted(l)[m]});
    }
    partial_order order;
    order.offsets_ = offsets_;
    order.store(edges, "levels");
    return order;
  }

  void append_pairs(std::size_t list, ordered_pairs& found) const {
    const std::size_t from = first(list);
    const std::vector<std::size_t> starts = by_levels() ? level_starts(list) : std::vector<std::size_t>{};
    std::vector<std::uint32_t> lower;
    for (std::size_t i = 0; i < size(list); ++i) {
      std::span<const std::uint32_t> others;
      if (by_levels()) {
        if (levels(list)[i] == no_level) continue;
        const std::span<const std::uint32_t> below = sorted(list).subspan(starts[levels(list)[i] + 1]);
        lower.assign(below.begin(), below.end());
        std::sort(lower.begin(), lower.end());
        others = lower;
      } else {
        others = worse(list, i);
      }
      found.preferred.insert(found.preferred.end(), others.size(), from + i);
      for (const std::uint32_t j : others) found.other.push_back(from + j);
    }
  }

  /// `wanted` of `count` numbers without repetition, in ascending order, by R. Floyd's method (Bentley: More
  /// programming pearls, CACM 30, 1987). Uses bits[0 ... 2 wanted).
  [[nodiscard]] static std::vector<std::uint64_t> draw_numbers(std::uint64_t count, std::uint64_t wanted, std::span<const std::uint32_t> bits) {
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

  [[nodiscard]] static std::vector<std::uint32_t> bits_of(std::size_t count, std::uint64_t seed, std::size_t list) {
    std::vector<std::uint32_t> bits(count);
    detail::random_bits(seed, list, bits);
    return bits;
  }

  [[nodiscard]] std::vector<edge> draw_stored(std::size_t list, std::size_t wanted, std::uint64_t seed) const {
    const std::size_t from = begin_[first(list)];
    std::vector<edge> drawn;
    std::size_t i = 0;
    for (const std::uint64_t number : draw_numbers(count_pairs(list), wanted, bits_of(2 * wanted, seed, list))) {
      while (begin_[first(list) + i + 1] - from <= number) ++i;
      drawn.push_back({i, worse_[from + static_cast<std::size_t>(number)]});
    }
    return drawn;
  }

  /// Pairs are numbered by the place of the better item, and then by that of the other among the items of
  /// lower levels.
  [[nodiscard]] std::vector<edge> draw_of_levels(std::size_t list, std::size_t wanted, std::uint64_t seed) const {
    const std::vector<std::uint64_t> numbers = draw_numbers(count_pairs(list), wanted, bits_of(2 * wanted, seed, list));
    const std::span<const std::uint32_t> items = sorted(list);
    std::vector<edge> drawn;
    std::uint64_t before = 0;
    for_each_level(list, [&](std::size_t begin, std::size_t end) {
      const std::uint64_t lower = items.size() - end;
      const std::uint64_t here = (end - begin) * lower;
      for (std::size_t k = drawn.size(); k < numbers.size() && numbers[k] < before + here; ++k) {
        const std::uint64_t number = numbers[k] - before;
        drawn.push_back({items[begin + static_cast<std::size_t>(number / lower)], items[end + static_cast<std::size_t>(number % lower)]});
      }
      before += here;
    });
    return drawn;
  }

  [[nodiscard]] std::vector<edge> draw_by_gap(std::size_t list, std::size_t wanted, std::uint64_t seed) const {
    const std::vector<std::size_t> starts = level_starts(list);
    const std::size_t gaps = starts.size() - 2;  // gaps 1 ... gaps, each with at least one pair
    const auto level_size = [&](std::size_t v) { return std::uint64_t{starts[v + 1] - starts[v]}; };
    const std::vector<std::uint32_t> bits = bits_of(2 * (wanted + std::min(gaps, wanted)), seed, list);
    const std::span<const std::uint32_t> of_pairs = std::span(bits).first(2 * wanted);
    const std::span<const std::uint32_t> of_gaps = std::span(bits).subspan(2 * wanted);
    std::size_t used = 0;
    std::vector<edge> drawn;
    const auto draw = [&](std::size_t gap, std::uint64_t count, std::uint64_t share) {
      std::uint64_t before = 0;
      std::size_t v = 0;
      for (const std::uint64_t number : draw_numbers(count, share, of_pairs.subspan(used))) {
        while (number - before >= level_size(v) * level_size(v + gap)) {
          before += level_size(v) * level_size(v + gap);
          ++v;
        }
        const std::uint64_t left = number - before;
        const std::uint64_t width = level_size(v + gap);
        drawn.push_back({sorted(list)[starts[v] + static_cast<std::size_t>(left / width)],
                         sorted(list)[starts[v + gap] + static_cast<std::size_t>(left % width)]});
      }
      used += 2 * static_cast<std::size_t>(share);
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
    // The gaps with the fewest pairs come first; what they lack goes to the others. The other gaps get equal
    // numbers to within one.
    std::uint64_t left = wanted;
    std::size_t c = 0;
    for (; c < gaps && counts[c].first * (gaps - c) <= left; ++c) {
      draw(counts[c].second, counts[c].first, counts[c].first);
      left -= counts[c].first;
    }
    if (c == gaps || left == 0) return drawn;
    const std::uint64_t share = left / (gaps - c);
    const std::vector<std::uint64_t> with_one_more = draw_numbers(gaps - c, left % (gaps - c), of_gaps);
    for (std::size_t k = c; k < gaps; ++k)
      draw(counts[k].second, counts[k].first, share + (std::binary_search(with_one_more.begin(), with_one_more.end(), k - c) ? 1 : 0));
    return drawn;
  }

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
  [[nodiscard]] double accuracy() const noexcept { return pairs() > 0.0 ? (concordant + 0.5 * tied) / pairs() : 0.0; }

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
requires score<detail::element_of<Scores>> pair_agreement agreement(const partial_order& order, const Scores& values,
                                                                    std::span<pair_agreement> per_list, context& ctx) {
  using T = detail::element_of<Scores>;
  const detail::sole_use alone(ctx);
  const array_view<const T> scores(values);
  detail::check_steps("scores", scores.size(), order.items(), "one per item of the order");
  detail::require(per_list.empty() || per_list.size() == order.lists(), "per_list: size ", per_list.size(), ", expected ", order.lists(),
                  " (one per list)");
  if (ctx.checks == data_checks::on)
    for (std::size_t i = 0; i < scores.size(); ++i) detail::require(!detail::is_nan(scores[i]), "scores: nan at item ", i, ", expected a number");

  const workspace::scope scope(ctx.scratch());
  const std::span<pair_agreement> found = ctx.scratch().take<pair_agreement>(order.lists());
  ctx.run(order.lists(), [&](std::size_t worker, std::size_t l) {
    pair_agreement own;
    const std::span<const T> s = scores.subspan(order.first(l), order.size(l));
    if (order.by_levels() && order.has_pair(l)) {
      workspace& scratch = ctx.scratch(worker);
      const workspace::scope counting(scratch);
      // Levels increase as items get worse; items without one take no part.
      const std::span<const std::uint32_t> levels = order.levels(l);
      const std::span<double> weights = scratch.template take<double>(order.sorted(l).size() < s.size() ? s.size() : 0);
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = levels[i] == partial_order::no_level ? 0.0 : 1.0;
      const list<T, std::uint32_t> items{s, levels, std::span<const double>(weights)};
      const detail::pair_counts counts = detail::count_pairs(items, false, scratch);
      own = {counts.discordant, counts.concordant, counts.tied_scores};
    } else if (!order.by_levels()) {
      for (std::size_t i = 0; i < s.size(); ++i)
        for (const std::uint32_t j : order.worse(l, i)) (s[i] > s[j] ? own.concordant : s[i] < s[j] ? own.discordant : own.tied) += 1.0;
    }
    found[l] = own;
  });
  pair_agreement all;
  for (const pair_agreement& own : found) all += own;
  std::copy_n(found.begin(), per_list.size(), per_list.begin());
  return all;
}

/// agreement on the calling thread with a context of its own.
template <detail::array Scores>
requires score<detail::element_of<Scores>> pair_agreement agreement(const partial_order& order, const Scores& scores,
                                                                    std::span<pair_agreement> per_list = {}) {
  context ctx;
  return agreement(order, scores, per_list, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
