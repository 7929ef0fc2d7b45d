// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/cpu/pairs/function.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/lists/hardest_by_index.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/pairs/distance_chances.hpp>
#include <rankloss/detail/pairs/mined_negatives.hpp>
#include <rankloss/detail/pairs/soft_triplets.hpp>
#include <rankloss/detail/pairs/triplet_hinges.hpp>
#include <rankloss/detail/pairs/triplet_pairs.hpp>
#include <rankloss/detail/pairs/triplet_sides.hpp>
#include <rankloss/detail/pairs/triplet_terms.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The triplets of one query, and of every row and every column.
struct triplet_engine {
  template <class T, class R>
  static double run(const triplet& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
    require_countable(items.size());
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    const workspace::scope scope(scratch);
    if (is_plain(loss)) {
      const triplet_hinges hinges{loss.margin};
      return loss.mine == mining::hardest ? hinges.against_hardest(items, out.gradient, scratch)
                                          : hinges.against_all<Arch>(items, out.gradient, scratch);
    }
    return run_mined<Arch>(loss, items, out, scratch);
  }

  template <class T, class R>
  static double run(const triplet& loss, const similarity_batch<T, R>& batch, const outputs& out,
                    context& ctx, double factor) {
    if (is_plain(loss) && loss.mine == mining::hardest && matches_by_index(batch) &&
        !leaves_out_pairs(batch)) {
      require_countable(std::max(batch.rows, batch.columns));
      return run_hardest_by_index(triplet_hinges{loss.margin}, batch, loss.over, out, ctx, factor);
    }
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }

  /// Whether only the hardest negatives count, of rows and columns.
  static bool is_two_way_hardest(const triplet& loss) noexcept {
    return is_plain(loss) && loss.mine == mining::hardest && loss.over == directions::both;
  }

  /// What the sum over the triplets of a query is divided by. As the weight of the query it makes a mean over
  /// queries one over all triplets of the batch.
  template <class T, class R>
  static double divisor(const triplet& loss, const list<T, R>& items, workspace& scratch) {
    require_countable(items.size());
    const workspace::scope scope(scratch);
    triplet_sides sides = sides_of(loss, items, scratch);
    return divisor(loss, sum_over<xsimd::default_arch>(loss, items, sides, scratch), sides);
  }

 private:
  /// Hinges of cosines, which are computed in the numbers that there are.
  static bool is_plain(const triplet& loss) noexcept {
    return (loss.mine == mining::hardest || loss.mine == mining::all) &&
           loss.positives == mined_positives::all && loss.form == triplet_form::hinge &&
           loss.average == triplet_average::positives && loss.distance == rankloss::distance::cosine;
  }

  /// All other options. Not a part of `run`, so that a compiler sees no more of that than the plain ones
  /// need.
  template <class Arch, class T, class R>
  [[gnu::noinline]] static double run_mined(const triplet& loss, const list<T, R>& items,
                                            const list_outputs<T>& out, workspace& scratch) {
    triplet_sides sides = sides_of(loss, items, scratch);
    const triplet_sums sums = sum_over<Arch>(loss, items, sides, scratch);
    const double z = divisor(loss, sums, sides);
    if (!(z > 0.0)) return 0.0;
    if (!out.gradient.empty())
      for (const triplet_side* side : {&sides.positives, &sides.negatives})
        for (std::size_t k = 0; k < side->size(); ++k) {
          const std::uint32_t i = side->items[k];
          const double s = static_cast<double>(bounded(items.scores[i]));
          out.gradient[i] = held_as<T>(side->slopes[k] / z * -distance_slope(s, loss.distance));
        }
    return sums.value / z;
  }

  static double divisor(const triplet& loss, const triplet_sums& sums, const triplet_sides& sides) noexcept {
    if (loss.average == triplet_average::triplets) return sums.triplets;
    if (loss.average == triplet_average::active) return sums.active;
    return static_cast<double>(sides.positives.size());
  }

  /// A query whose scores are distances less than 0: cosines need no change.
  template <class T, class R>
  static triplet_sides sides_of(const triplet& loss, const list<T, R>& items, workspace& scratch) {
    triplet_sides sides(
        items, [&](const T& s) { return minus_distance(static_cast<double>(s), loss.distance); }, scratch);
    const std::span<const double> scores = sides.positives.scores;
    if (loss.positives != mined_positives::all && !scores.empty())
      sides.positives.keep_only(loss.positives == mined_positives::hardest
                                    ? *std::min_element(scores.begin(), scores.end())
                                    : *std::max_element(scores.begin(), scores.end()));
    return sides;
  }
  static double minus_distance(const double& s, rankloss::distance kind) noexcept {
    if (kind == rankloss::distance::cosine) return s;
    if (!is_finite(s) && (is_minus_infinity(s) || kind == rankloss::distance::squared_euclidean)) return s;
    return kind == rankloss::distance::squared_euclidean ? held_as<double>(2.0 * s)
                                                         : -held_as<double>(distance_of(bounded(s), kind));
  }

  template <class Arch, class T, class R>
  static triplet_sums sum_over(const triplet& loss, const list<T, R>& items, triplet_sides& sides,
                               workspace& scratch) {
    return loss.form == triplet_form::hinge ? sum_of_terms<Arch>(loss, hinge_term{}, items, sides, scratch)
                                            : sum_of_terms<Arch>(loss, soft_term{}, items, sides, scratch);
  }

  template <class Arch, class Term, class T, class R>
  static triplet_sums sum_of_terms(const triplet& loss, const Term& term, const list<T, R>& items,
                                   triplet_sides& sides, workspace& scratch) {
    const triplet_shortfall shortfall{loss.margin};
    switch (loss.mine) {
      case mining::hardest: return against_hardest(shortfall, term, sides);
      case mining::semi_hard:
      case mining::semi_hard_or_easiest:
        return against_semi_hard(shortfall, term, loss.mine == mining::semi_hard_or_easiest, sides, scratch);
      case mining::all_semi_hard:
        return over_pairs<Arch, negatives_taken::semi_hard>(shortfall, term, {}, sides, scratch);
      case mining::distance_weighted: {
        const distance_chances chances{static_cast<double>(loss.dimension), loss.least_distance,
                                       loss.most_distance};
        const std::span<const double> weights = chances.operator()<Arch>(
            sides.negatives.size(),
            [&](std::size_t k) {
              return static_cast<double>(bounded(items.scores[sides.negatives.items[k]]));
            },
            scratch);
        return over_pairs<Arch, negatives_taken::all>(shortfall, term, weights, sides, scratch);
      }
      case mining::all: break;
    }
    if constexpr (!Term::always_active)
      if (sides.finite && sides.positives.size() > tuning::few_positives && sides.negatives.size() > 0)
        return hinges_in_sorted_order(loss, sides, scratch);
    if constexpr (Term::always_active)
      if (sides.finite && sides.positives.size() > tuning::few_positives &&
          sides.positives.size() * sides.negatives.size() >= tuning::soft_pairs)
        return soft_in_sorted_order<Arch>(shortfall, pair_function<pairs::logistic>{}, sides, scratch);
    return over_pairs<Arch, negatives_taken::all>(shortfall, term, {}, sides, scratch);
  }

  static triplet_sums hinges_in_sorted_order(const triplet& loss, triplet_sides& sides, workspace& scratch) {
    using record = keyed_item<key_of<double>>;
    const auto sorted = [&](const triplet_side& side) {
      return std::span<const record>(records_by_key<record>(side.size(), scratch, [&](std::size_t k) {
        return record{descending_key(side.scores[k]), static_cast<std::uint32_t>(k)};
      }));
    };
    triplet_sums sums;
    sums.triplets = static_cast<double>(sides.positives.size()) * static_cast<double>(sides.negatives.size());
    const std::span<const record> positives = sorted(sides.positives);
    const std::span<const record> negatives = sorted(sides.negatives);
    sums.value = triplet_hinges{loss.margin}.over_sorted<double>(
        positives, negatives, true,
        [&](std::uint32_t k, std::size_t near) {
          sums.active += static_cast<double>(near);
          sides.positives.slopes[k] = -static_cast<double>(near);
        },
        [&](std::uint32_t k, std::size_t near) { sides.negatives.slopes[k] = static_cast<double>(near); });
    return sums;
  }
};

}  // namespace detail

template <>
struct engine<triplet, context> : detail::triplet_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
