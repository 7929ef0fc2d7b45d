// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/score_functions.cuh>
#include <rankloss/cuda/detail/sort_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/sorts/sort.hpp>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>

/// Soft sorts of lists on a device. `On` is what kernels are given of a struct of a sort, by value:
///
///     of(how)                  made on the host
///     item_bytes<T>            bytes of scratch for each item
///     kept_bytes(longest, what)
///                              optional, as list_engine documents it; then `multiply` has one more team_scratch.
///                              A pullback needs the most
///     multiply<T>(team, n, score, what, values, cotangent, emit, scratch)
///                              what is asked of the sort of the n numbers score(i). `values` and `cotangent`
///                              are [n]; calls emit(i, x) for each row or item, in doubles. All threads of the
///                              team call it
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// A product with the soft permutation of one list, or its pullback.
template <class On, class T>
struct sort_list {
  On on;
  device_span<const T> values;
  device_span<const T> cotangent;  ///< empty but in a pullback
  sort_product what;

  /// Whether sums of products can be beyond the doubles.
  static constexpr bool wide = sizeof(T) == sizeof(double);
  static constexpr bool keeps = requires(const On& own) { own.kept_bytes(std::size_t{}, sort_product{}); };

  template <class S>
  static constexpr std::size_t item_bytes = On::template item_bytes<S> + 2 * sizeof(double);
  [[nodiscard]] static std::size_t kept_bytes(const sort_list& call, std::size_t longest) requires keeps {
    return call.on.kept_bytes(longest, call.what);
  }

  [[nodiscard]] static sort_list of(const sort_list& call) { return call; }
  [[nodiscard]] __device__ fault_word input_fault(std::size_t at, std::uint32_t i) const {
    if (!is_finite(values[at])) return fault_of(fault::values, i);
    return cotangent.empty() || is_finite(cotangent[at]) ? no_fault : fault_of(fault::cotangent, i);
  }
  [[nodiscard]] __device__ double input_number(fault kind, std::size_t at) const {
    return static_cast<double>(kind == fault::values ? values[at] : cotangent[at]);
  }

  template <class Team, class R, class... Kept>
  requires(sizeof...(Kept) == (keeps ? 1 : 0)) [[nodiscard]] __device__ double operator()(
      const Team& team, const device_list<T, R>& items, const device_sink<T>& sink, team_scratch scratch,
      Kept... kept) const {
    const std::uint32_t n = items.size();
    double* const v = scratch.take<double>(n);
    double* const c = scratch.take<double>(n);
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      v[i] = static_cast<double>(values[items.at(i)]);
      if (!cotangent.empty()) c[i] = static_cast<double>(cotangent[items.at(i)]);
    }
    double unit = 1.0, other_unit = 1.0;
    if constexpr (wide) {
      unit = into_units(team, n, v);
      if (!cotangent.empty()) other_unit = into_units(team, n, c);
    } else {
      team.sync();
    }
    on.template multiply<T>(
        team, n, [&](std::uint32_t i) { return rankloss::detail::bounded(items.score(i)); }, what, v, c,
        [&](std::uint32_t i, double x) {
          sink.put(i, held_as<T>(wide ? held_as<double>(x / unit) / other_unit : x));
        },
        scratch, kept...);
    return 0.0;
  }
};

/// The engine of a soft sort. `Steps` are those of long lists; see sort_steps.cuh.
template <class Sort, class On, template <class, class> class Steps = no_steps>
struct sort_engine {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Sort& how, const score_batch<T>& batch) {
    return function<T>::scratch_bytes({On::of(how), {}, {}, sort_product::pullback}, batch);
  }
  template <class T>
  static void run(const Sort& how, const score_batch<T>& batch, sort_product what,
                  device_span<const T> values, device_span<const T> cotangent, device_span<T> out,
                  context& ctx) {
    function<T>::run({On::of(how), values, cotangent, what}, batch, out, ctx);
  }

 private:
  template <class T>
  using function = score_function<sort_list<On, T>, sort_list<On, T>, grid_by_ranks<Steps, sort_steps>>;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
