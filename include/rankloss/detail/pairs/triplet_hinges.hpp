// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The hinges max(0, margin - s_positive + s_negative) of one query, averaged over its positives. Items of
/// relevance > 0 are positives, all others negatives. The first two write derivatives into a gradient of
/// zeros, unless it is empty. This is the loss with its defaults; over_sorted serves others, too.
struct triplet_hinges {
  double margin;

  /// Each positive against the hardest negative only.
  template <class T, class R>
  double against_hardest(const list<T, R>& items, const strided<T>& gradient, workspace& scratch) const {
    const std::size_t n = items.size();
    const std::span<std::uint32_t> positives = scratch.take<std::uint32_t>(n);
    std::size_t count = 0;
    std::size_t hardest = n;
    for (std::size_t i = 0; i < n; ++i) {
      if (items.relevance[i] > R{0})
        positives[count++] = static_cast<std::uint32_t>(i);
      else if (!is_minus_infinity(items.scores[i]) &&
               (hardest == n || items.scores[i] > items.scores[hardest]))
        hardest = i;
    }
    if (count == 0 || hardest == n) return 0.0;

    const double share = 1.0 / static_cast<double>(count);
    double sum = 0.0;
    std::size_t active = 0;
    for (const std::uint32_t p : positives.first(count)) {
      const double h = hinge(items.scores[hardest], items.scores[p]);
      if (!(h > 0.0)) continue;
      sum += h;
      ++active;
      if (!gradient.empty()) gradient[p] = static_cast<T>(-share);
    }
    if (!gradient.empty() && active > 0)
      share_among_hardest(items, items.scores[hardest], share * static_cast<double>(active), gradient);
    return share * sum;
  }

  /// Each positive against all negatives.
  template <class Arch, class T, class R>
  double against_all(const list<T, R>& items, const strided<T>& gradient, workspace& scratch) const {
    const std::size_t n = items.size();
    const std::span<std::uint32_t> both =
        scratch.take<std::uint32_t>(n);  // positives from the front, negatives from the back
    std::size_t front = 0;
    std::size_t back = n;
    bool finite = true;
    for (std::size_t i = 0; i < n; ++i) {
      const T& s = items.scores[i];
      if (items.relevance[i] > R{0}) {
        both[front++] = static_cast<std::uint32_t>(i);
      } else if (!is_minus_infinity(s)) {
        both[--back] = static_cast<std::uint32_t>(i);
      } else {
        continue;  // masked pairs do not prevent the others from being sorted
      }
      finite = finite && is_finite(s);
    }
    const std::span<const std::uint32_t> positives = both.first(front);
    const std::span<const std::uint32_t> negatives = both.subspan(back);
    if (positives.empty() || negatives.empty()) return 0.0;
    const double sum = !finite ? one_by_one(items, positives, negatives, gradient)
                       : positives.size() <= tuning::few_positives
                           ? each_with_each<Arch>(items, positives, negatives, gradient, scratch)
                           : in_sorted_order(items, positives, negatives, gradient, scratch);
    return sum / static_cast<double>(positives.size());
  }

  /// The sum of the hinges of finite scores. With both sides in descending order, the negatives within the
  /// margin of a positive are the first ones, and their number grows as the positives fall. The sum of hinges
  /// is updated by terms >= 0 only, so nothing cancels.
  /// @param of_positive  of_positive(payload, number of negatives within its margin)
  /// @param of_negative  the other way round; called if `sloped`
  template <class T, class Record, class OfPositive, class OfNegative>
  double over_sorted(std::span<const Record> p, std::span<const Record> q, bool sloped,
                     const OfPositive& of_positive, const OfNegative& of_negative) const {
    const auto score = [](const Record& r) { return static_cast<double>(value_of<T>(r.key)); };
    double sum = 0.0;
    double hinges = 0.0;  // sum over the negatives of the current positive
    double previous = score(p[0]);
    std::size_t near = 0;
    for (const Record& positive : p) {
      const double s = score(positive);
      if (near > 0)
        hinges = std::min(hinges + static_cast<double>(near) * std::min(previous - s, largest),
                          static_cast<double>(near) * largest);
      for (; near < q.size() && hinge(score(q[near]), s) > 0.0; ++near) hinges += hinge(score(q[near]), s);
      sum += hinges;
      previous = s;
      of_positive(positive.payload, near);
    }
    if (!sloped) return sum;
    std::size_t clear = 0;  // positives that are not within the margin of the current negative
    for (const Record& negative : q) {
      while (clear < p.size() && !(hinge(score(negative), score(p[clear])) > 0.0)) ++clear;
      of_negative(negative.payload, p.size() - clear);
    }
    return sum;
  }

  /// One hinge. Scores are subtracted first, because the difference of close scores is exact, also when all
  /// scores are shifted.
  template <class T>
  [[nodiscard]] double hinge(const T& negative, const T& positive) const noexcept {
    if (is_finite(negative) && is_finite(positive))
      return std::min(margin + opaque(static_cast<double>(negative) - static_cast<double>(positive)),
                      largest);
    if (is_minus_infinity(negative) || (!is_finite(positive) && !is_minus_infinity(positive))) return 0.0;
    return hidden_infinity();
  }

 private:
  // upper bound on the hinges of finite scores, so that no sum is infinite
  static constexpr double largest = 1e290;

  /// Equally hard negatives share the derivative equally: each gets the mean over the choices of one of them.
  template <class T, class R>
  static void share_among_hardest(const list<T, R>& items, const T& hardest, double slope,
                                  const strided<T>& gradient) {
    std::size_t tied = 0;
    const auto is_hardest = [&](std::size_t i) {
      return !(items.relevance[i] > R{0}) && items.scores[i] == hardest;
    };
    for (std::size_t i = 0; i < items.size(); ++i) tied += is_hardest(i) ? 1u : 0u;
    for (std::size_t i = 0; i < items.size(); ++i)
      if (is_hardest(i)) gradient[i] = static_cast<T>(slope / static_cast<double>(tied));
  }

  /// The case of infinite scores.
  template <class T, class R>
  double one_by_one(const list<T, R>& items, std::span<const std::uint32_t> positives,
                    std::span<const std::uint32_t> negatives, const strided<T>& gradient) const {
    const double share = 1.0 / static_cast<double>(positives.size());
    double sum = 0.0;
    for (const bool by_positives : {true, false})
      for (const std::uint32_t own : by_positives ? positives : negatives) {
        std::size_t active = 0;
        for (const std::uint32_t other : by_positives ? negatives : positives) {
          const double h = by_positives ? hinge(items.scores[other], items.scores[own])
                                        : hinge(items.scores[own], items.scores[other]);
          if (!(h > 0.0)) continue;
          ++active;
          if (by_positives) sum += h;
        }
        if (!gradient.empty())
          gradient[own] = static_cast<T>((by_positives ? -share : share) * static_cast<double>(active));
      }
    return sum;
  }

  template <class Arch, class T, class R>
  double each_with_each(const list<T, R>& items, std::span<const std::uint32_t> positives,
                        std::span<const std::uint32_t> negatives, const strided<T>& gradient,
                        workspace& scratch) const {
    using V = lanes<Arch>;
    constexpr std::size_t w = lane_count<Arch>;
    const std::size_t padded = (negatives.size() + w - 1) / w * w;
    const std::span<double> scores = scratch.take<double>(padded);
    // positives within the margin of each negative
    const std::span<double> active = scratch.take<double>(padded);
    for (std::size_t i = 0; i < padded; ++i) {
      scores[i] = static_cast<double>(items.scores[negatives[std::min(i, negatives.size() - 1)]]);
      active[i] = 0.0;
    }
    const double share = 1.0 / static_cast<double>(positives.size());
    const V zero(0.0);
    const V most(largest);
    V sum = zero;
    for (const std::uint32_t p : positives) {
      const V s(static_cast<double>(items.scores[p]));
      V count = zero;
      for_rows<Arch>(negatives.size(), [&](std::size_t i, auto inside) {
        const V h = V(margin) + opaque(V::load_aligned(scores.data() + i) - s);
        const auto on = h > zero;
        const V one = only_items<Arch>(inside, xsimd::select(on, V(1.0), zero));
        sum += only_items<Arch>(inside, xsimd::select(on, xsimd::min(h, most), zero));
        count += one;
        (V::load_aligned(active.data() + i) + one).store_aligned(active.data() + i);
      });
      if (!gradient.empty()) gradient[p] = static_cast<T>(-share * sum_of(count));
    }
    if (!gradient.empty())
      for (std::size_t i = 0; i < negatives.size(); ++i)
        gradient[negatives[i]] = static_cast<T>(share * active[i]);
    return sum_of(sum);
  }

  template <class T, class R>
  double in_sorted_order(const list<T, R>& items, std::span<const std::uint32_t> positives,
                         std::span<const std::uint32_t> negatives, const strided<T>& gradient,
                         workspace& scratch) const {
    using record = keyed_item<key_of<T>>;
    const auto sorted = [&](std::span<const std::uint32_t> side) {
      return records_by_key<record>(side.size(), scratch, [&](std::size_t k) {
        return record{descending_key(items.scores[side[k]]), side[k]};
      });
    };
    const std::span<const record> p = sorted(positives);
    const std::span<const record> q = sorted(negatives);
    const double share = 1.0 / static_cast<double>(p.size());
    return over_sorted<T>(
        p, q, !gradient.empty(),
        [&](std::uint32_t positive, std::size_t near) {
          if (!gradient.empty()) gradient[positive] = static_cast<T>(-share * static_cast<double>(near));
        },
        [&](std::uint32_t negative, std::size_t near) {
          gradient[negative] = static_cast<T>(share * static_cast<double>(near));
        });
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
