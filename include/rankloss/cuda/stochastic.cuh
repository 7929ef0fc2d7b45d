// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/stochastic.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// stochastic of one list: one sample after the other. Inner: what kernels are given of the loss.
template <class Inner>
struct stochastic_list {
  Inner inner;
  double noise;
  std::uint64_t samples, seed;

  template <class T>
  static constexpr std::size_t item_bytes = Inner::template item_bytes<T> + 2 * sizeof(T) + sizeof(double);
  template <class Loss>
  [[nodiscard]] static std::size_t kept_bytes(const stochastic<Loss>& loss,
                                              std::size_t longest) requires requires {
    Inner::kept_bytes(loss.loss, longest);
  }
  { return Inner::kept_bytes(loss.loss, longest); }

  template <class Loss>
  [[nodiscard]] static stochastic_list of(const stochastic<Loss>& loss) {
    return {Inner::of(loss.loss), loss.noise, loss.samples, loss.seed};
  }
  [[nodiscard]] __device__ bool takes(double y) const {
    if constexpr (takes_relevance<Inner>)
      return inner.takes(y);
    else
      return true;
  }
  [[nodiscard]] __device__ bool counts(double y) const {
    if constexpr (counts_relevance<Inner>)
      return inner.counts(y);
    else
      return y > 0.0;
  }

  // Two functions, since nvcc 12 misjudges a constraint with a pack.
  template <class Team, class T, class R>
  requires requires(const Inner& own, const Team& team, const device_list<T, R>& items,
                    const device_sink<T>& sink, team_scratch scratch) {
    own(team, items, sink, scratch);
  }
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    return mean_of_samples(team, items, sink, scratch);
  }
  template <class Team, class T, class R>
  requires requires(const Inner& own, const Team& team, const device_list<T, R>& items,
                    const device_sink<T>& sink, team_scratch scratch, team_scratch kept) {
    own(team, items, sink, scratch, kept);
  }
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch,
                                             team_scratch kept) const {
    return mean_of_samples(team, items, sink, scratch, kept);
  }

 private:
  template <class Team, class T, class R, class... Kept>
  [[nodiscard]] __device__ double mean_of_samples(const Team& team, const device_list<T, R>& items,
                                                  const device_sink<T>& sink, team_scratch scratch,
                                                  Kept... kept) const {
    const std::uint32_t n = items.size();
    double* const gradient = scratch.take<double>(n);
    T* const scores = scratch.take<T>(n);
    T* const slopes = scratch.take<T>(n);
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };
    outputs<T> out{};
    if (sink.wanted()) out.gradient = device_span<T>(slopes, n);
    const device_sink<T> to_slopes(out, 0, nullptr, 1.0);
    const device_list<T, R> perturbed(items, scores);
    double value = 0.0;
    for (std::uint64_t k = 0; k < samples; ++k) {
      for_own([&](std::uint32_t i) {
        scores[i] = static_cast<T>(static_cast<double>(items.score(i)) +
                                   noise * gumbel(seed, items.number, i, static_cast<std::uint32_t>(k)));
      });
      team.sync();
      value += inner(team, perturbed, to_slopes, scratch, kept...);
      team.sync();
      if (sink.wanted())
        for_own([&](std::uint32_t i) {
          gradient[i] = (k > 0 ? gradient[i] : 0.0) + static_cast<double>(slopes[i]);
        });
    }
    const double count = static_cast<double>(samples);
    if (sink.wanted()) for_own([&](std::uint32_t i) { sink.put(i, static_cast<T>(gradient[i] / count)); });
    return value / count;
  }
};

}  // namespace cuda::detail

/// For every list loss that has a kernel, whose header has to be included as well.
template <class Loss>
requires requires { typename engine<Loss, cuda::context>::on_list; }
struct engine<stochastic<Loss>, cuda::context>
    : cuda::detail::list_engine<
          stochastic<Loss>, cuda::detail::stochastic_list<typename engine<Loss, cuda::context>::on_list>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
