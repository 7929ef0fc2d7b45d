// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/score_functions.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>

/// Ranks of lists on a device. `On` is what kernels are given of a struct of ranks, by value:
///
///     of(how)                  made on the host
///     item_bytes<T>            bytes of scratch for each item
///     result<T>                the ranks of one list. All threads of the team call its functions:
///
///         (on, team, n, score, scratch)
///                              ranks of the n numbers score(i)
///         values(team, emit)   calls emit(i, rank) for each item
///         pull(team, c, emit)  calls emit(i, sum_j c_j d(rank_j) / d(s_i)) for each item; c is [n] doubles
///         push(team, c, emit)  the same with the transpose of the Jacobian, where that is another one
///         unite(team, r)       gives the items of equal score the same bits of r, the ranks by item
///
/// What `emit` is called with are doubles. Each item is met by one thread, which need not be the one that
/// meets it elsewhere: a team that reads what an emit has written calls sync before.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The ranks of one list, or a product with their Jacobian.
template <class On, class T>
struct rank_list {
  On on;
  device_span<const T> input;  ///< cotangent or tangent; empty: the ranks are asked for
  fault kind;                  ///< which of the two

  static constexpr bool wide =
      sizeof(T) == sizeof(double);  ///< whether sums of input can be beyond the doubles

  template <class S>
  static constexpr std::size_t item_bytes = On::template item_bytes<S> + sizeof(double);

  [[nodiscard]] static rank_list of(const rank_list& call) { return call; }
  [[nodiscard]] __device__ fault_word input_fault(std::size_t at, std::uint32_t i) const {
    return input.empty() || is_finite(input[at]) ? no_fault : fault_of(kind, i);
  }
  [[nodiscard]] __device__ double input_number(fault, std::size_t at) const {
    return static_cast<double>(input[at]);
  }

  template <class Team, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const c = scratch.take<double>(n);
    typename On::template result<T> soft(
        on, team, n, [&](std::uint32_t i) { return items.score(i); }, scratch);
    double unit = 1.0;
    const auto put = [&](std::uint32_t i, double x) { sink.put(i, held_as<T>(wide ? x / unit : x)); };
    if (input.empty()) {
      soft.values(team, put);
    } else if constexpr (requires { soft.pull(team, c, put); }) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size())
        c[i] = static_cast<double>(input[items.at(i)]);
      if constexpr (wide)
        unit = into_units(team, n, c);
      else
        team.sync();
      if constexpr (requires { soft.push(team, c, put); })
        kind == fault::tangent ? soft.push(team, c, put) : soft.pull(team, c, put);
      else
        soft.pull(team, c, put);
    }
    return 0.0;
  }
};

/// The engine of ranks, and of other functions of scores with derivatives. `Steps` are those of long lists; see
/// rank_steps.cuh.
template <class Ranks, class On, template <class, class> class Steps = no_steps>
struct rank_engine {
  using on_list = On;
  /// How what goes by these ranks is computed over the grid, by steps that are made from those of the ranks.
  template <template <template <class, class> class> class By>
  using over_grid_by = grid_by_ranks<Steps, By>;

  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Ranks& how, const score_batch<T>& batch) {
    return function<T>::scratch_bytes({On::of(how), {}, fault::cotangent}, batch);
  }
  template <class T>
  static void run(const Ranks& how, const score_batch<T>& batch, device_span<const T> input, fault kind,
                  device_span<T> out, context& ctx) {
    function<T>::run({On::of(how), input, kind}, batch, out, ctx);
  }

 private:
  template <class T>
  using function = score_function<rank_list<On, T>, rank_list<On, T>, grid_by_ranks<Steps, rank_steps>>;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
