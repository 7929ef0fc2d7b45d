// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/random_bits.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/orders/rest_sums.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The sums of exponentials over the items from each position on are relative to the greatest score of the
/// list if all scores are near it, and otherwise relative to the greatest score among the items of the sum.
struct listmle_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class T, class R>
  static double run(const listmle& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const R* y = contiguous_items(items.relevance, scratch);
    const std::uint32_t* first =
        loss.ties == tie_order::random ? shuffled(loss.seed, n, items.number, scratch).data() : nullptr;
    const std::span<const std::uint32_t> order = order_by_relevance(y, n, first, scratch);
    if (loss.ties == tie_order::exact) {
      const order_outputs<T> outputs(out, order, 1.0, loss.temperature);
      const rest_sums rests = sum_rests<Arch>(items.scores, order, loss.temperature, scratch);
      return std::min(levels_loss<Arch, T>(rests, y, order, out, outputs, scratch), largest_term);
    }
    const std::span<double> c = scratch.take<double>(n);
    const auto [mass, equal] = fill_weights(loss, items.weights, order, c);
    if (!(mass > 0.0)) {
      clear(out);
      return 0.0;
    }
    const order_outputs<T> outputs(out, order, mass, loss.temperature);
    const auto near = [&]<bool Unit> {
      return order_loss_near<Arch, Unit, T>(items.scores, order, loss.temperature, c, out, outputs.first(),
                                            outputs.second(), scratch);
    };
    if (outputs.within(n))
      if (const auto value = equal ? near.template operator()<true>() : near.template operator()<false>())
        return std::min(mass * *value, largest_term);
    const rest_sums rests = sum_rests<Arch>(items.scores, order, loss.temperature, scratch);
    return std::min(mass * order_loss_apart<Arch>(rests, c, outputs, scratch), largest_term);
  }

 private:
  /// The items in random order.
  [[nodiscard]] static std::span<const std::uint32_t> shuffled(std::uint64_t seed, std::size_t n,
                                                               std::uint64_t list, workspace& scratch) {
    require_countable(n);
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
    const workspace::scope sorting(scratch);
    random_bits(seed, list, order);
    const std::span<const keyed_item<std::uint32_t>> sorted =
        items_by_key<std::uint32_t>(n, scratch, [&](std::size_t i) { return order[i]; });
    write_items(sorted, order);
    return order;
  }

  struct masses {
    double most;  ///< c_i is divided by it
    bool equal;   ///< whether all weights are 1
  };
  [[nodiscard]] static masses fill_weights(const listmle& loss, const strided<const double>& own,
                                           std::span<const std::uint32_t> order,
                                           std::span<double> c) noexcept {
    const std::size_t n = c.size();
    const std::size_t k = counted_by(loss.cutoff, n);
    const bool by_position = loss.weights != position_weights::none;
    if (!by_position) {
      std::fill_n(c.begin(), k, 1.0);
    } else {
      // Numerator and denominator are divided by 2^n.
      const double least = std::ldexp(1.0, -static_cast<int>(std::min<std::size_t>(n, 4096)));
      const double sum = 1.0 - (1.0 + static_cast<double>(n)) * least;
      double half = 1.0;
      for (std::size_t i = 0; i < k; ++i) c[i] = n > 1 ? ((half *= 0.5) - least) / sum : 0.0;
    }
    std::fill(c.begin() + static_cast<std::ptrdiff_t>(k), c.end(), 0.0);
    const bool whole = !by_position && k == n;
    if (own.empty()) return {by_position && n <= 1 ? 0.0 : 1.0, whole};
    double most = 0.0;
    double least = std::numeric_limits<double>::max();
    // The last item is drawn for certain. A great weight of it would leave nothing of the others but rounding errors.
    const std::size_t open = std::min(k, n - 1);
    for (std::size_t i = 0; i < open; ++i) {
      most = std::max(most, own[order[i]]);
      least = std::min(least, own[order[i]]);
    }
    if (!(most > 0.0)) return {0.0, false};
    for (std::size_t i = 0; i < open; ++i) c[i] *= own[order[i]] / most;
    const bool equal = whole && least == most;
    c[n - 1] = equal ? 1.0 : 0.0;
    return {most, equal};
  }
};

}  // namespace detail

template <>
struct engine<listmle, context> : detail::listmle_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
