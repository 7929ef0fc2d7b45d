// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/detail/exponential_scan.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include "cuda/detail/exponential_scan.hpp"
#include "cuda/support/device.hpp"

namespace cuda_detail_exponential_scan_test {
namespace {

namespace of = rankloss::cuda::detail;

template <std::size_t K, class N>
struct pointers {
  using states_type = of::exponential_states<K, N>;
  using part_type = of::scan_part<K, N>;

  const double *decay, *weight;
  const double* first;  // [K]
  std::uint32_t n;
  states_type *before, *going_on;  // [n]
  part_type* parts;                // [(n + 1) / 2]
  states_type* from_parts;         // the same
  part_type* all;
  unsigned* differ;
};

__device__ bool same(double a, double b) { return a == b; }
__device__ bool same(const of::two_floats& a, const of::two_floats& b) {
  return a.high == b.high && a.low == b.low;
}

template <std::size_t K, class N, class Team>
__device__ void find_all(const Team& team, const pointers<K, N>& p) {
  using states_type = of::exponential_states<K, N>;
  using part_type = of::scan_part<K, N>;
  const auto decay = [&](std::uint32_t i) { return of::number<N>(p.decay[i]); };
  const auto weight = [&](std::uint32_t i) { return of::number<N>(p.weight[i]); };
  states_type first;
  for (std::size_t k = 0; k < K; ++k) first.s[k] = of::number<N>(p.first[k]);
  of::scan_states<K, N>(team, p.n, decay, weight,
                        [&](std::uint32_t i, const states_type& s) { p.before[i] = s; });
  of::scan_states<K, N>(
      team, p.n, decay, weight, [&](std::uint32_t i, const states_type& s) { p.going_on[i] = s; },
      of::states_before<K, N>{&first});
  const part_type all = of::part_of<K, N>(team, p.n, decay, weight);
  if (team.rank() == 0) *p.all = all;
  const std::uint32_t parts = (p.n + 1) / 2;
  for (std::uint32_t t = team.rank(); t < parts; t += team.size()) {
    part_type own = part_type::nothing();
    for (std::uint32_t i = 2 * t; i < 2 * t + 2 && i < p.n; ++i) {
      own.states.advance(decay(i), weight(i));
      own.decay = own.decay * decay(i);
    }
    p.parts[t] = own;
  }
  team.sync();
  of::scan_parts<K, N>(
      team, parts, [&](std::uint32_t t) -> const part_type& { return p.parts[t]; },
      [&](std::uint32_t t, const states_type& s) { p.from_parts[t] = s; });
  bool alike = same(p.all->decay, all.decay);
  for (std::size_t k = 0; k < K; ++k) alike = alike && same(p.all->states.s[k], all.states.s[k]);
  if (!alike) atomicAdd(p.differ, 1u);
}

template <std::size_t K, class N>
__global__ void by_warp(pointers<K, N> p) {
  if (threadIdx.x >= of::warp_size) return;  // another warp, which has another list or none
  find_all(of::warp_team(), p);
}
template <std::size_t K, class N>
__global__ void by_block(pointers<K, N> p) {
  __shared__ of::block_team::slots slots;
  find_all(of::block_team(slots), p);
}
__global__ void raise(const double* x, std::uint32_t n, double* powers) {
  const std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) powers[i] = of::exact_value(of::exp_below(of::number<of::two_floats>(x[i])));
}

double value_of(double x) { return x; }
double value_of(const of::two_floats& x) { return static_cast<double>(x.high) + static_cast<double>(x.low); }

template <std::size_t K, class N>
std::vector<double> numbers_of(const std::vector<of::exponential_states<K, N>>& all) {
  std::vector<double> numbers;
  for (const auto& one : all)
    for (const N& s : one.s) numbers.push_back(value_of(s));
  return numbers;
}

template <std::size_t K, class N>
findings find_in(const std::vector<double>& decay, const std::vector<double>& weight,
                 const std::vector<double>& first, unsigned threads) {
  using cuda_support::array;
  const std::size_t n = decay.size(), parts = (n + 1) / 2;
  const array<double> decays(decay), weights(weight), firsts(first);
  const array<of::exponential_states<K, N>> before(n), going_on(n), from_parts(parts);
  const array<of::scan_part<K, N>> of_parts(parts), all(1);
  const array<unsigned> differ(std::vector<unsigned>(1, 0u));
  const pointers<K, N> p{decays.data(), weights.data(),  firsts.data(),   static_cast<std::uint32_t>(n),
                         before.data(), going_on.data(), of_parts.data(), from_parts.data(),
                         all.data(),    differ.data()};
  of::launch("find", threads == 0 ? by_warp<K, N> : by_block<K, N>, 1, threads == 0 ? 64 : threads, 0,
             nullptr, p);
  findings found;
  found.before = numbers_of<K, N>(before.host());
  found.going_on = numbers_of<K, N>(going_on.host());
  found.from_parts = numbers_of<K, N>(from_parts.host());
  const of::scan_part<K, N> whole = all.host()[0];
  found.handed_on = numbers_of<K, N>({whole.states});
  found.decay = value_of(whole.decay);
  found.same_everywhere = differ.host()[0] == 0;
  return found;
}

}  // namespace

template <std::size_t K>
findings find(const std::vector<double>& decay, const std::vector<double>& weight,
              const std::vector<double>& first, unsigned threads, bool in_floats) {
  return in_floats ? find_in<K, of::two_floats>(decay, weight, first, threads)
                   : find_in<K, double>(decay, weight, first, threads);
}
template findings find<states>(const std::vector<double>&, const std::vector<double>&,
                               const std::vector<double>&, unsigned, bool);
template findings find<many_states>(const std::vector<double>&, const std::vector<double>&,
                                    const std::vector<double>&, unsigned, bool);

std::vector<double> powers(const std::vector<double>& x) {
  const cuda_support::array<double> from(x), to(x.size());
  const auto n = static_cast<std::uint32_t>(x.size());
  of::launch("raise", raise, (n + 127) / 128, 128, 0, nullptr, from.data(), n, to.data());
  return to.host();
}

}  // namespace cuda_detail_exponential_scan_test
