// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/orders/level_order.hpp>
#include <rankloss/detail/orders/pair_draws.hpp>
#include <rankloss/detail/orders/pair_order.hpp>
#include <rankloss/detail/pairs/concordance.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/partial_order.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

inline partial_order partial_order::from_pairs(const indices& offsets, const indices& preferred,
                                               const indices& other) {
  partial_order order(offsets);
  const std::size_t pairs = preferred.size();
  detail::require(other.size() == pairs, "other: size ", other.size(), ", expected ", pairs,
                  " (one per preferred)");
  std::vector<detail::item_pair> edges(pairs);
  for (std::size_t k = 0; k < pairs; ++k) {
    edges[k] = {order.checked(preferred, "preferred", "pair", k), order.checked(other, "other", "pair", k)};
    detail::require(edges[k].preferred != edges[k].other, "other: ", edges[k].other, " at pair ", k,
                    ", expected an item other than the preferred one");
    const std::size_t l = order.list_of(edges[k].preferred);
    detail::require(order.list_of(edges[k].other) == l, "other: ", edges[k].other, " at pair ", k,
                    ", expected an item of list ", l, " like the preferred one");
  }
  order.store(edges, "pairs");
  return order;
}

inline partial_order partial_order::from_chains(const indices& offsets, const indices& chains,
                                                const indices& chain_offsets) {
  partial_order order(offsets);
  const detail::ragged_lists each =
      detail::checked_lists(chain_offsets, chains.size(), "positions in chains", "chain_offsets");
  std::vector<detail::item_pair> edges;
  for (std::size_t chain = 0; chain < each.count(); ++chain) {
    std::size_t before = 0;
    for (std::size_t k = each.first(chain); k < each.first(chain + 1); ++k) {
      const std::size_t item = order.checked(chains, "chains", "position", k);
      if (k > each.first(chain)) {
        detail::require(item != before, "chains: ", item, " at position ", k,
                        ", expected an item other than the one before it");
        const std::size_t l = order.list_of(before);
        detail::require(order.list_of(item) == l, "chains: ", item, " at position ", k,
                        ", expected an item of list ", l, " like the one before it");
        edges.push_back({before, item});
      }
      before = item;
    }
  }
  order.store(edges, "chains");
  return order;
}

template <detail::array Range>
requires std::is_arithmetic_v<detail::element_of<Range>> partial_order
partial_order::from_grades(const indices& offsets, const Range& grades) {
  const auto* grade = detail::first_of(grades);
  return of_levels(offsets, detail::size_of(grades),
                   [&](const partial_order& order, std::size_t l, std::size_t i) {
                     const auto y = static_cast<double>(grade[order.first(l) + i]);
                     detail::require(detail::is_finite(y), "grades: ", y, " at list ", l, ", item ", i,
                                     ", expected a finite number");
                     return detail::standing{detail::standing::by_value, y};
                   });
}

template <detail::array Range>
requires std::is_arithmetic_v<detail::element_of<Range>> partial_order
partial_order::from_ranks(const indices& offsets, const Range& ranks, rank_zero zero) {
  const auto* rank = detail::first_of(ranks);
  return of_levels(
      offsets, detail::size_of(ranks), [&](const partial_order& order, std::size_t l, std::size_t i) {
        const auto r = static_cast<double>(rank[order.first(l) + i]);
        detail::require(detail::is_finite(r), "ranks: ", r, " at list ", l, ", item ", i,
                        ", expected a finite number");
        detail::require(
            zero != rank_zero::refused || r != 0.0, "ranks: 0 at list ", l, ", item ", i,
            ", expected above 0; say what 0 means: rank_zero::unranked, rank_zero::last or rank_zero::best");
        detail::require(r >= 0.0, "ranks: ", r, " at list ", l, ", item ", i, ", expected above 0");
        if (r != 0.0 || zero == rank_zero::best) return detail::standing{detail::standing::by_value, -r};
        return detail::standing{zero == rank_zero::last ? detail::standing::last : detail::standing::none,
                                0.0};
      });
}

inline std::uint64_t partial_order::count_pairs(std::size_t list) const {
  if (!by_levels()) return begin_[offsets_[list + 1]] - begin_[first(list)];
  std::uint64_t count = 0;
  detail::for_each_level(levels(list).data(), sorted(list), [&](std::size_t begin, std::size_t end) {
    count += static_cast<std::uint64_t>(end - begin) * (sorted(list).size() - end);
  });
  return count;
}

inline bool partial_order::precedes(std::size_t a, std::size_t b) const {
  for (const std::size_t item : {a, b})
    detail::require(item < items(), "item: ", item, ", expected one from 0 to below ", items());
  const std::size_t list = list_of(a);
  if (list_of(b) != list) return false;
  const auto from = static_cast<std::uint32_t>(a - first(list));
  const auto to = static_cast<std::uint32_t>(b - first(list));
  if (by_levels()) return levels(list)[from] < levels(list)[to] && levels(list)[to] != no_level;
  return detail::leads_to(
      size(list), [&](std::size_t i) { return worse(list, i); }, from, to);
}

inline partial_order partial_order::closure() const {
  if (by_levels()) return *this;
  return rebuilt([](std::size_t, std::size_t i, const detail::bit_rows& below, std::span<const std::uint32_t>,
                    auto add) { below.for_each(i, add); });
}

inline partial_order partial_order::reduction() const {
  if (by_levels()) return neighbours();
  return rebuilt([this](std::size_t list, std::size_t i, const detail::bit_rows& below,
                        std::span<const std::uint32_t> position,
                        auto add) { detail::for_each_direct(worse(list, i), position, below, add); });
}

inline ordered_pairs partial_order::pairs() const {
  ordered_pairs found;
  for (std::size_t l = 0; l < lists(); ++l) append_pairs(l, found);
  return found;
}

inline ordered_pairs partial_order::sample_pairs(std::size_t per_list, std::uint64_t seed,
                                                 pair_balance balance) const {
  detail::require(balance == pair_balance::none || by_levels(),
                  "balance: by_level_gap, expected none for an order that is not by grades or ranks");
  ordered_pairs found;
  for (std::size_t l = 0; l < lists(); ++l) {
    const std::uint64_t count = count_pairs(l);
    if (count <= per_list) {
      append_pairs(l, found);
      continue;
    }
    std::vector<detail::item_pair> drawn;
    if (!by_levels()) {
      drawn =
          detail::draw_stored(std::span(begin_).subspan(first(l), size(l) + 1), worse_, per_list, seed, l);
    } else {
      const std::vector<std::size_t> starts = detail::level_starts(levels(l), sorted(l));
      drawn = balance == pair_balance::none
                  ? detail::draw_of_levels(sorted(l), starts, count, per_list, seed, l)
                  : detail::draw_by_level_gap(sorted(l), starts, per_list, seed, l);
    }
    std::sort(drawn.begin(), drawn.end());
    for (const detail::item_pair& pair : drawn) {
      found.preferred.push_back(first(l) + pair.preferred);
      found.other.push_back(first(l) + pair.other);
    }
  }
  return found;
}

inline partial_order::partial_order(const indices& offsets) {
  detail::require(!offsets.empty(), "offsets: size 0, expected one more than there are lists");
  take_lists(offsets, static_cast<std::size_t>(offsets[offsets.size() - 1]));
}

inline partial_order::partial_order(const indices& offsets, std::size_t items) { take_lists(offsets, items); }

inline void partial_order::take_lists(const indices& offsets, std::size_t items) {
  const detail::ragged_lists each = detail::checked_lists(offsets, items, "items");
  offsets_.resize(each.count() + 1);
  for (std::size_t l = 0; l < offsets_.size(); ++l) offsets_[l] = each.first(l);
  for (std::size_t l = 0; l < lists(); ++l) detail::require_countable(size(l));
}

inline std::size_t partial_order::checked(const indices& all, std::string_view field, std::string_view unit,
                                          std::size_t k) const {
  const std::int64_t item = all[k];
  detail::require(item >= 0 && static_cast<std::size_t>(item) < items(), field, ": ", all.number(k), " at ",
                  unit, " ", k, ", expected an item from 0 to below ", items(), " (the number of items)");
  return static_cast<std::size_t>(item);
}

inline std::size_t partial_order::list_of(std::size_t item) const noexcept {
  return static_cast<std::size_t>(std::upper_bound(offsets_.begin(), offsets_.end(), item) -
                                  offsets_.begin()) -
         1;
}

/// Builds an order by levels from standing_of(order, list, item).
template <class Standing>
partial_order partial_order::of_levels(const indices& offsets, std::size_t items, Standing standing_of) {
  partial_order order(offsets, items);
  order.sorted_.resize(order.items());
  order.levels_.resize(order.items());
  std::vector<std::size_t> ranked(order.lists());
  workspace scratch;
  for (std::size_t l = 0; l < order.lists(); ++l) {
    const std::size_t first = order.first(l);
    ranked[l] = detail::sort_into_levels(
        order.size(l), [&](std::size_t i) { return standing_of(order, l, i); }, order.sorted_.data() + first,
        order.levels_.data() + first, no_level, scratch);
    if (ranked[l] < order.size(l) && order.ranked_.empty()) order.ranked_.resize(order.lists());
  }
  if (!order.ranked_.empty()) order.ranked_ = std::move(ranked);
  return order;
}

/// Stores pairs of items, each within one list, given as indices among all items.
inline void partial_order::store(std::vector<detail::item_pair>& edges, std::string_view field) {
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  begin_.assign(items() + 1, 0);
  worse_.resize(edges.size());
  std::size_t list = 0;
  for (std::size_t k = 0; k < edges.size(); ++k) {
    while (edges[k].preferred >= offsets_[list + 1]) ++list;
    ++begin_[edges[k].preferred + 1];
    worse_[k] = static_cast<std::uint32_t>(edges[k].other - first(list));
  }
  for (std::size_t i = 0; i < items(); ++i) begin_[i + 1] += begin_[i];
  sort_items(field);
}

inline void partial_order::sort_items(std::string_view field) {
  sorted_.resize(items());
  std::vector<std::uint32_t> waits;
  for (std::size_t l = 0; l < lists(); ++l) {
    const auto worse_of = [this, l](std::size_t i) { return worse(l, i); };
    if (detail::sort_by_pairs(size(l), worse_of, sorted_.data() + first(l), waits) == size(l)) continue;
    const std::vector<std::uint32_t> cycle = detail::find_cycle(size(l), worse_of, waits);
    constexpr std::size_t most_named = 12;
    std::string names;
    for (std::size_t k = 0; k < std::min(cycle.size(), most_named); ++k)
      names += std::to_string(first(l) + cycle[k]) + " > ";
    if (cycle.size() > most_named) names += "... (" + std::to_string(cycle.size()) + " items) > ";
    detail::fail(field, ": list ", l, " has the cycle ", names, first(l) + cycle[0], ", expected none");
  }
}

/// Builds the order of the pairs that choose(list, item, rows, positions, add) passes to add. `rows` holds
/// the items that each item is better than, and `positions` the position of each item in `sorted`.
template <class Choose>
partial_order partial_order::rebuilt(Choose choose) const {
  partial_order order;
  order.offsets_ = offsets_;
  order.sorted_ = sorted_;
  order.begin_.assign(1, 0);
  order.begin_.reserve(items() + 1);
  std::vector<std::uint32_t> position;
  for (std::size_t l = 0; l < lists(); ++l) {
    const std::size_t n = size(l);
    const detail::bit_rows below =
        detail::close_pairs(sorted(l), [this, l](std::size_t i) { return worse(l, i); });
    position.resize(n);
    for (std::size_t k = 0; k < n; ++k) position[sorted(l)[k]] = static_cast<std::uint32_t>(k);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t begin = order.worse_.size();
      const auto add = [&](std::uint32_t j) { order.worse_.push_back(j); };
      choose(l, i, below, std::span<const std::uint32_t>(position), add);
      std::sort(order.worse_.begin() + static_cast<std::ptrdiff_t>(begin), order.worse_.end());
      order.begin_.push_back(order.worse_.size());
    }
  }
  return order;
}

inline partial_order partial_order::neighbours() const {
  std::vector<detail::item_pair> edges;
  for (std::size_t l = 0; l < lists(); ++l) {
    const std::vector<std::size_t> starts = detail::level_starts(levels(l), sorted(l));
    for (std::size_t v = 0; v + 2 < starts.size(); ++v)
      for (std::size_t k = starts[v]; k < starts[v + 1]; ++k)
        for (std::size_t m = starts[v + 1]; m < starts[v + 2]; ++m)
          edges.push_back({first(l) + sorted(l)[k], first(l) + sorted(l)[m]});
  }
  partial_order order;
  order.offsets_ = offsets_;
  order.store(edges, "levels");
  return order;
}

inline void partial_order::append_pairs(std::size_t list, ordered_pairs& found) const {
  const std::size_t from = first(list);
  const std::vector<std::size_t> starts =
      by_levels() ? detail::level_starts(levels(list), sorted(list)) : std::vector<std::size_t>{};
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

template <detail::array Scores>
requires score<detail::element_of<Scores>> pair_agreement agreement(const partial_order& order,
                                                                    const Scores& values,
                                                                    std::span<pair_agreement> per_list,
                                                                    context& ctx) {
  using T = detail::element_of<Scores>;
  const detail::sole_use alone(ctx);
  const array_view<const T> scores(values);
  detail::check_size("scores", scores.size(), order.items(), "one per item of the order");
  detail::check_optional("per_list", per_list.size(), order.lists(), "one per list");
  if (ctx.checks == data_checks::on)
    for (std::size_t i = 0; i < scores.size(); ++i)
      detail::require(!detail::is_nan(scores[i]), "scores: nan at item ", i, ", expected a number");

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
      const std::span<double> weights =
          scratch.template take<double>(order.sorted(l).size() < s.size() ? s.size() : 0);
      for (std::size_t i = 0; i < weights.size(); ++i)
        weights[i] = levels[i] == partial_order::no_level ? 0.0 : 1.0;
      const list<T, std::uint32_t> items{s, levels, std::span<const double>(weights)};
      const detail::concordance counts = detail::count_concordance(items, false, scratch);
      own = {counts.discordant, counts.concordant, counts.tied_scores};
    } else if (!order.by_levels()) {
      for (std::size_t i = 0; i < s.size(); ++i)
        for (const std::uint32_t j : order.worse(l, i))
          (s[i] > s[j] ? own.concordant : s[i] < s[j] ? own.discordant : own.tied) += 1.0;
    }
    found[l] = own;
  });
  pair_agreement all;
  for (const pair_agreement& own : found) all += own;
  std::copy_n(found.begin(), per_list.size(), per_list.begin());
  return all;
}

}  // namespace rankloss::inline RANKLOSS_ABI
