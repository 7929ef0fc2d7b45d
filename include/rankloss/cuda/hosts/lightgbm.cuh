// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/lambda_sums.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/random.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// lambdarank of one list, pair by pair in the order of the scores.
struct lightgbm_lambdarank_list {
  ndcg_changes change;
  double sigmoid;
  std::size_t truncation_level;
  std::uint64_t normalized;

  static constexpr bool has_hessian = true;
  static constexpr bool counts_pairs = true;
  template <class T>
  static constexpr std::size_t item_bytes =
      lambda_sums<warp_team, T, T>::item_bytes + ndcg_changes::item_bytes;

  [[nodiscard]] static lightgbm_lambdarank_list of(const lightgbm::lambdarank& loss) {
    return {ndcg_changes::of(loss.gain, loss.gain_table, loss.truncation_level, 30.0), loss.sigmoid,
            loss.truncation_level, loss.norm == lightgbm::normalize::on ? 1u : 0u};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return change.takes(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    lambda_sums<Team, T, R> sums(team, items, scratch);
    const auto weights = change.prepare(team, items, sums, scratch);
    const std::uint32_t n = sums.size();
    // Items of score -infinity, which have no pairs, are the last ones.
    std::uint32_t ends = 0;
    sums.for_own([&](std::uint32_t p) {
      ends += rankloss::detail::is_minus_infinity(items.score(sums.item(p))) ? 1u : 0u;
    });
    ends = sum(team, ends);
    const std::uint32_t worst = n > 1 && ends > 0 ? n - 2 : n - 1;
    const bool spread = sums.score(0) != sums.score(worst);
    const lambda_rule rule{
        .sigmoid = sigmoid,
        .near = normalized != 0 && spread ? static_cast<double>(0.01f) : 0.0,  // it is a float in LightGBM
        .hessian_factor = sigmoid * sigmoid};
    sums.add_top(rule, weights, truncation_level > 0 ? truncation_level : n, n - ends);
    return sums.write(sink, normalized != 0 ? sums.list_norm() : 1.0);
  }
};

/// rank_xendcg of one list, in a few passes over it.
struct rank_xendcg_list {
  lightgbm::rank_xendcg loss;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = 4 * sizeof(double);

  [[nodiscard]] static rank_xendcg_list of(const lightgbm::rank_xendcg& loss) { return {loss}; }
  [[nodiscard]] __device__ bool takes(double y) const { return loss.takes(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };
    if (n == 1) {
      for_own([&](std::uint32_t i) { sink.put_wanted(i, T{0}, T{0}); });
      return 0.0;
    }
    // Each thread reads and writes items of its own.
    double* const p = scratch.take<double>(n);
    double* const exponential = scratch.take<double>(n);  // exp(s - second greatest), but for the greatest
    double* const gradient = scratch.take<double>(n);
    double* const term = scratch.take<double>(n);  // a_j / (1 - rho_j), then b_j / (1 - rho_j)

    placed<double> best{lowest_number<double>, ~std::uint32_t{0}};
    for_own([&](std::uint32_t i) {
      const double s = score_of(items, i);
      if (best.index == ~std::uint32_t{0} || s > best.number) best = {s, i};
    });
    best = greatest(team, best);
    const std::uint32_t top = best.index;
    double second = lowest_number<double>, phi = 0.0;
    for_own([&](std::uint32_t i) {
      if (i != top) second = fmax(second, score_of(items, i));
      p[i] = phi_of(items, i);
      phi += p[i];
    });
    second = greatest(team, second);
    phi = sum(team, phi);

    double others = 0.0;
    for_own([&](std::uint32_t i) {
      p[i] /= phi;
      exponential[i] = i == top ? 0.0 : exp_below<T>(second - score_of(items, i));
      others += exponential[i];
    });
    others = sum(team, others);
    const double gap = exp(second - best.number);
    const double inverse = 1.0 / (1.0 + others * gap);  // rho of the largest score
    const double rest = others * gap * inverse;         // 1 minus that
    const auto rho = [&](std::uint32_t i) { return i == top ? inverse : exponential[i] * gap * inverse; };
    const auto outside = [&](std::uint32_t i) { return i == top ? rest : 1.0 - rho(i); };

    // rho_j / (1 - rho_top) is the share of j among the others, however far the largest score is above them.
    double first = 0.0, top_a = 0.0;
    for_own([&](std::uint32_t i) {
      gradient[i] = rho(i) - p[i];
      term[i] = i == top ? 0.0 : gradient[i] / outside(i);
      first += term[i];
      if (i == top) top_a = gradient[i];
    });
    first = sum(team, first);
    top_a = sum(team, top_a);
    const double top_b = inverse * first;
    double next = 0.0;
    for_own([&](std::uint32_t i) {
      const double b = i == top ? top_b : rho(i) * (first - term[i]) + exponential[i] / others * top_a;
      gradient[i] += b;
      term[i] = i == top ? 0.0 : b / outside(i);
      next += term[i];
    });
    next = sum(team, next);
    double value = 0.0;
    for_own([&](std::uint32_t i) {
      gradient[i] += i == top ? inverse * next : rho(i) * (next - term[i]) + exponential[i] / others * top_b;
      if (i != top) value += p[i] * (best.number - score_of(items, i));
      const double weight = items.weight(i);
      sink.put_wanted(i, held_as<T>(gradient[i] * weight), held_as<T>(rho(i) * outside(i) * weight));
    });
    return held_as<double>(log1p(others * gap) + sum(team, value));
  }

 private:
  template <class T, class R>
  [[nodiscard]] __device__ double phi_of(const device_list<T, R>& items, std::uint32_t i) const {
    using rankloss::detail::high_half;
    using rankloss::detail::low_half;
    std::uint32_t bits[4] = {i, 0, low_half(items.number), high_half(items.number)};
    rankloss::detail::philox_rounds(bits, low_half(loss.seed), high_half(loss.seed));
    const double gamma = (static_cast<double>(bits[0]) + 0.5) * 0x1p-32;
    const double y = fmin(fmax(static_cast<double>(items.relevance(i)), 0.0), lightgbm::rank_xendcg::most);
    return exp2(floor(y)) - gamma;
  }
};

}  // namespace cuda::detail

template <>
struct engine<lightgbm::lambdarank, cuda::context>
    : cuda::detail::list_engine<lightgbm::lambdarank, cuda::detail::lightgbm_lambdarank_list> {};

template <>
struct engine<lightgbm::rank_xendcg, cuda::context>
    : cuda::detail::list_engine<lightgbm::rank_xendcg, cuda::detail::rank_xendcg_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
