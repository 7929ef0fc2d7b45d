// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/matrix_list_engine.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/fast_ap.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// fast_ap of one list, by the formulas of fast_ap.hpp. Few bins are filled one after the other by all threads,
/// many bins each by a thread of its own; both sum up in an order that depends on sizes alone.
struct fast_ap_list {
  std::size_t bins;

  /// Nothing of an item is kept.
  template <class T>
  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static fast_ap_list of(const fast_ap& loss) { return {loss.bins}; }
  /// The histograms of a list, spread over its items: for lists of one length.
  [[nodiscard]] static std::size_t kept_bytes(const fast_ap& loss, std::uint32_t longest) {
    const std::size_t numbers = arrays * (loss.bins + 1), items = longest > 0 ? longest : 1;
    return (numbers + items - 1) / items * sizeof(double);
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch,
                                             team_scratch kept) const {
    const auto size = static_cast<std::uint32_t>(bins + 1);
    double* const positives = kept.take<double>(size);  // h+, then what a positive adds
    double* const negatives = kept.take<double>(size);  // h - h+, then what a negative adds
    double* const near = kept.take<double>(size);       // H+
    double* const wrong = kept.take<double>(size);      // H - H+
    double total = 0.0;
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
      total += items.relevance(i) > R{0} ? 1.0 : 0.0;
    total = sum(team, total);
    if (!(total > 0.0)) {
      for (std::uint32_t i = team.rank(); sink.wanted() && i < items.size(); i += team.size())
        sink.put(i, T{0});
      return 0.0;
    }
    fill(team, items, size, positives, negatives);

    const auto add = [](const pair& a, const pair& b) {
      return pair{a.first + b.first, a.second + b.second};
    };
    scan_items(
        team, size, pair{0.0, 0.0},
        [&](std::uint32_t l) {
          return pair{positives[l], negatives[l]};
        },
        add,
        [&](std::uint32_t l, const pair& of) {
          near[l] = of.first;
          wrong[l] = of.second;
        });
    double value = 0.0;
    for (std::uint32_t l = team.rank(); l < size; l += team.size()) {
      const double all = near[l] + wrong[l];
      value += positives[l] * (all > 0.0 ? near[l] / all : 0.0);
    }
    value = sum(team, value);
    if (!sink.wanted()) return fmax(1.0 - value / total, 0.0);

    // Every later bin changes by one more item: sums from the last bin on.
    team.sync();
    scan_items(
        team, size, pair{0.0, 0.0},
        [&](std::uint32_t k) {
          const std::uint32_t l = size - 1 - k;
          const double all = near[l] + wrong[l];
          if (!(all > 0.0)) return pair{0.0, 0.0};
          const double each = positives[l] / all;
          return pair{each * (wrong[l] / all), each * (near[l] / all)};
        },
        add,
        [&](std::uint32_t k, const pair& of) {
          const std::uint32_t l = size - 1 - k;
          const double all = near[l] + wrong[l];
          positives[l] = (all > 0.0 ? near[l] / all : 0.0) + of.first;
          negatives[l] = -of.second;
        });
    team.sync();
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) {
      const position at = position_of(items.score(i));
      const double* const adds = items.relevance(i) > R{0} ? positives : negatives;
      // Towards the query: from the farther bin to the nearer one.
      const double change = at.part > 0.0 && at.part < 1.0 ? adds[at.bin + 1] - adds[at.bin] : 0.0;
      sink.put(i, held_as<T>(change * (0.5 * static_cast<double>(bins)) / total));
    }
    return fmax(1.0 - value / total, 0.0);
  }

 private:
  static constexpr std::size_t arrays = 4;

  struct pair {
    double first, second;
  };
  /// An item is in the bins `bin` and `bin + 1`, by `part` in the latter.
  struct position {
    std::uint32_t bin;
    double part;

    [[nodiscard]] __device__ double in(std::uint32_t l) const {
      return l == bin ? 1.0 - part : l == bin + 1 ? part : 0.0;
    }
  };
  template <class T>
  [[nodiscard]] __device__ position position_of(const T& score) const {
    const double cosine =
        rankloss::detail::limited(static_cast<double>(rankloss::detail::bounded(score)), -1.0, 1.0);
    // Rounded, so that nothing is left of it at the edge of a bin, where the slope is 0.
    const double x = rounded_product(1.0 - cosine, 0.5 * static_cast<double>(bins));
    const auto below = static_cast<std::size_t>(x);
    const auto bin = static_cast<std::uint32_t>(below < bins ? below : bins - 1);
    return {bin, x - static_cast<double>(bin)};
  }

  template <class Team, class T, class R>
  __device__ void fill(const Team& team, const device_list<T, R>& items, std::uint32_t size,
                       double* positives, double* negatives) const {
    const bool each = size >= team.size();
    for (std::uint32_t l = each ? team.rank() : 0; l < size; l += each ? team.size() : 1) {
      pair own{0.0, 0.0};
      for (std::uint32_t i = each ? 0 : team.rank(); i < items.size(); i += each ? 1 : team.size())
        (items.relevance(i) > R{0} ? own.first : own.second) += position_of(items.score(i)).in(l);
      if (!each) own = {sum(team, own.first), sum(team, own.second)};
      if (!each && team.rank() != l % team.size()) continue;
      positives[l] = own.first;
      negatives[l] = own.second;
    }
    team.sync();
  }
};

}  // namespace cuda::detail

template <>
struct engine<fast_ap, cuda::context> {
  using lists_type =
      cuda::detail::matrix_list_engine<fast_ap,
                                       cuda::detail::list_engine<fast_ap, cuda::detail::fast_ap_list>>;

  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const fast_ap& loss,
                                                 const cuda::similarity_batch<T, R>& batch) {
    return lists_type::scratch_bytes(loss, {loss.over, false, true}, batch);
  }
  template <class T, class R>
  static void run(const fast_ap& loss, const cuda::similarity_batch<T, R>& batch, const cuda::outputs<T>& out,
                  cuda::context& ctx) {
    cuda::detail::check_matches(batch);
    lists_type::run(loss, {loss.over, false, true}, batch, out, ctx);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
