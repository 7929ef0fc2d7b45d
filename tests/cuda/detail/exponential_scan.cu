// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/detail/exponential_scan.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include "cuda/detail/exponential_scan.hpp"
#include "cuda/support/device.hpp"

namespace cuda_detail_exponential_scan_test {
namespace {

namespace of = rankloss::cuda::detail;

template <std::size_t K>
struct pointers {
  const double *decay, *weight;
  const of::exponential_states<K>* first;
  std::uint32_t n;
  of::exponential_states<K>*before, *going_on;  // [n]
  of::scan_part<K>* parts;                      // [(n + 1) / 2]
  of::exponential_states<K>* from_parts;        // the same
  of::scan_part<K>* all;
  unsigned* differ;
};

template <std::size_t K, class Team>
__device__ void find_all(const Team& team, const pointers<K>& p) {
  const auto decay = [&](std::uint32_t i) { return p.decay[i]; };
  const auto weight = [&](std::uint32_t i) { return p.weight[i]; };
  of::scan_states<K>(team, p.n, decay, weight,
                     [&](std::uint32_t i, const of::exponential_states<K>& s) { p.before[i] = s; });
  of::scan_states<K>(
      team, p.n, decay, weight,
      [&](std::uint32_t i, const of::exponential_states<K>& s) { p.going_on[i] = s; },
      of::states_before<K>{p.first});
  const of::scan_part<K> all = of::part_of<K>(team, p.n, decay, weight);
  if (team.rank() == 0) *p.all = all;
  const std::uint32_t parts = (p.n + 1) / 2;
  for (std::uint32_t t = team.rank(); t < parts; t += team.size()) {
    of::scan_part<K> own = of::scan_part<K>::nothing();
    for (std::uint32_t i = 2 * t; i < 2 * t + 2 && i < p.n; ++i) {
      own.states.advance(decay(i), weight(i));
      own.decay *= decay(i);
    }
    p.parts[t] = own;
  }
  team.sync();
  of::scan_parts<K>(
      team, parts, [&](std::uint32_t t) -> const of::scan_part<K>& { return p.parts[t]; },
      [&](std::uint32_t t, const of::exponential_states<K>& s) { p.from_parts[t] = s; });
  bool same = p.all->decay == all.decay;
  for (std::size_t k = 0; k < K; ++k) same = same && p.all->states.s[k] == all.states.s[k];
  if (!same) atomicAdd(p.differ, 1u);
}

template <std::size_t K>
__global__ void by_warp(pointers<K> p) {
  if (threadIdx.x >= of::warp_size) return;  // another warp, which has another list or none
  find_all(of::warp_team(), p);
}
template <std::size_t K>
__global__ void by_block(pointers<K> p) {
  __shared__ of::block_team::slots slots;
  find_all(of::block_team(slots), p);
}

template <std::size_t K>
std::vector<double> numbers_of(const std::vector<of::exponential_states<K>>& all) {
  std::vector<double> numbers;
  for (const auto& one : all) numbers.insert(numbers.end(), one.s, one.s + K);
  return numbers;
}

}  // namespace

template <std::size_t K>
findings find(const std::vector<double>& decay, const std::vector<double>& weight,
              const std::vector<double>& first, unsigned threads) {
  using cuda_support::array;
  const std::size_t n = decay.size(), parts = (n + 1) / 2;
  const array<double> decays(decay), weights(weight), firsts(first);
  const array<of::exponential_states<K>> before(n), going_on(n), from_parts(parts);
  const array<of::scan_part<K>> of_parts(parts), all(1);
  const array<unsigned> differ(std::vector<unsigned>(1, 0u));
  const pointers<K> p{decays.data(),
                      weights.data(),
                      reinterpret_cast<const of::exponential_states<K>*>(firsts.data()),
                      static_cast<std::uint32_t>(n),
                      before.data(),
                      going_on.data(),
                      of_parts.data(),
                      from_parts.data(),
                      all.data(),
                      differ.data()};
  of::launch("find", threads == 0 ? by_warp<K> : by_block<K>, 1, threads == 0 ? 64 : threads, 0, nullptr, p);
  findings found;
  found.before = numbers_of<K>(before.host());
  found.going_on = numbers_of<K>(going_on.host());
  found.from_parts = numbers_of<K>(from_parts.host());
  const of::scan_part<K> whole = all.host()[0];
  found.handed_on.assign(whole.states.s, whole.states.s + K);
  found.decay = whole.decay;
  found.same_everywhere = differ.host()[0] == 0;
  return found;
}
template findings find<states>(const std::vector<double>&, const std::vector<double>&,
                               const std::vector<double>&, unsigned);
template findings find<many_states>(const std::vector<double>&, const std::vector<double>&,
                                    const std::vector<double>&, unsigned);

}  // namespace cuda_detail_exponential_scan_test
