// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// How many of the first n items a cutoff keeps; a cutoff of 0 keeps all.
[[nodiscard]] __device__ inline std::uint32_t counted_by(std::size_t cutoff, std::uint32_t n) {
  return cutoff == 0 || cutoff > n ? n : static_cast<std::uint32_t>(cutoff);
}

/// The weight of an item if it is relevant, else 0.
template <class T, class R>
[[nodiscard]] __device__ inline double relevant_weight(const device_list<T, R>& items, std::uint32_t i) {
  return items.relevance(i) > R{0} ? items.weight(i) : 0.0;
}

/// The share of the first k positions in a run of the positions [from, to).
[[nodiscard]] __device__ inline double share_of_first(std::uint32_t k, std::uint32_t from, std::uint32_t to) {
  if (to <= k) return 1.0;
  return from < k ? static_cast<double>(k - from) / static_cast<double>(to - from) : 0.0;
}

/// A sum over the positions of one run, from its beginning on.
struct run_sum {
  double sum, begins;  ///< begins: 1 where the run begins among what is summed, else 0

  [[nodiscard]] static __device__ run_sum none() { return {0.0, 0.0}; }
  [[nodiscard]] static __device__ run_sum joined(const run_sum& a, const run_sum& b) {
    return {b.begins > 0.0 ? b.sum : a.sum + b.sum, fmax(a.begins, b.begins)};
  }
};
/// The same of a product.
struct run_product {
  double product, begins;

  [[nodiscard]] static __device__ run_product none() { return {1.0, 0.0}; }
  [[nodiscard]] static __device__ run_product joined(const run_product& a, const run_product& b) {
    return {b.begins > 0.0 ? b.product : a.product * b.product, fmax(a.begins, b.begins)};
  }
};
/// Gives items of equal x the same bits of r: those of the first of them by position. x is sorted, r is by
/// item.
template <class Team, class T>
__device__ inline void unite_runs(const Team& team, std::uint32_t n, const T* x, const std::uint32_t* order,
                                  double* r) {
  team.sync();
  for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
    if (p == 0 || x[p] != x[p - 1]) continue;
    std::uint32_t from = 0, to = p;  // the first position with this x is in [from, to]
    while (from < to) {
      const std::uint32_t middle = from + (to - from) / 2;
      if (x[middle] == x[p])
        to = middle;
      else
        from = middle + 1;
    }
    r[order[p]] = r[order[from]];
  }
  team.sync();
}

/// Fills `combined` with the combinations of x over the positions from the beginning of the run on; the last
/// one of a run is that of the run. begins(p): whether a run begins at p. `neutral` changes nothing.
template <class Team, class Begins, class S, class X, class Combine>
__device__ inline void combine_runs(const Team& team, std::uint32_t n, Begins begins, S* combined, X x,
                                    Combine combine, S neutral = S{0}) {
  struct part {
    S x;
    std::conditional_t<sizeof(S) == 8, std::uint64_t, std::uint32_t> begins;  // no byte is left unwritten
  };
  scan_items(
      team, n, part{neutral, 0},
      [&](std::uint32_t p) {
        return part{x(p), begins(p) ? 1u : 0u};
      },
      [&](const part& a, const part& b) {
        return part{b.begins != 0 ? b.x : combine(a.x, b.x), a.begins | b.begins};
      },
      [&](std::uint32_t p, const part& of) { combined[p] = of.x; });
  team.sync();
}

/// Numbers in falling order, in runs of equal ones, whose order is random.
template <class X>
class runs_of {
 public:
  const X* keys;               ///< [n] by position
  const std::uint32_t* order;  ///< [n] the item of each position

  /// Sorts of(i) for i < n. `keys` and `order` are scratch.
  template <class Team, class Of>
  __device__ runs_of(const Team& team, std::uint32_t n, X* keys, std::uint32_t* order, Of of)
      : keys(keys), order(order), n_(n) {
    team.sync();
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      keys[i] = of(i);
      order[i] = i;
    }
    sort_falling(team, n, keys, order);
  }

  /// Where the run of a position begins and ends.
  [[nodiscard]] __device__ std::uint32_t begin(std::uint32_t p) const {
    if (p == 0 || keys[p - 1] != keys[p]) return p;
    return first([&](std::uint32_t q) { return keys[q] <= keys[p]; });
  }
  [[nodiscard]] __device__ std::uint32_t end(std::uint32_t p) const {
    if (p + 1 == n_ || keys[p + 1] != keys[p]) return p + 1;
    return first([&](std::uint32_t q) { return keys[q] < keys[p]; });
  }
  /// The share of the first k positions in the run of position p.
  [[nodiscard]] __device__ double share_of_first(std::uint32_t k, std::uint32_t p) const {
    return detail::share_of_first(k, begin(p), end(p));
  }

  /// Fills `sums` with the sums of x over the positions from the beginning of the run on; the last one of a
  /// run is that of the run.
  template <class Team, class Sum, class Numbers>
  __device__ void sum_runs(const Team& team, Sum* sums, Numbers x) const {
    combine_runs(
        team, n_, [this](std::uint32_t p) { return p == 0 || keys[p - 1] != keys[p]; }, sums, x,
        [](Sum a, Sum b) { return a + b; });
  }

 private:
  /// The first position for which `behind` holds, which holds for all later ones.
  template <class Behind>
  [[nodiscard]] __device__ std::uint32_t first(Behind behind) const {
    std::uint32_t from = 0, to = n_;
    while (from < to) {
      const std::uint32_t middle = from + (to - from) / 2;
      if (behind(middle))
        to = middle;
      else
        from = middle + 1;
    }
    return from;
  }

  std::uint32_t n_;
};

using falling_runs = runs_of<double>;

/// The items of a list by score.
template <class Team, class T, class R, class S>
[[nodiscard]] __device__ inline runs_of<S> runs_of_scores(const Team& team, const device_list<T, R>& items,
                                                          S* keys, std::uint32_t* order) {
  return runs_of<S>(team, items.size(), keys, order,
                    [&](std::uint32_t i) { return static_cast<S>(items.score(i)); });
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
