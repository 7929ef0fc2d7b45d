// SPDX-License-Identifier: BSL-1.0
#include "cuda/detail/exponential_scan.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace cuda_detail_exponential_scan_test {
namespace {

/// Leads states over one position.
template <std::size_t K>
void advance(std::vector<long double>& s, double decay, double weight) {
  long double power = 1.0L;
  for (std::size_t k = 0; k < K; ++k) {
    power *= static_cast<long double>(decay);
    s[k] = power * (s[k] + static_cast<long double>(weight));
  }
}

/// How far numbers are from states, in the largest of these.
double distance(const double* found, const std::vector<long double>& states) {
  long double most = 0.0L, largest = 1e-300L;
  for (std::size_t k = 0; k < states.size(); ++k) {
    most = std::max(most, std::abs(static_cast<long double>(found[k]) - states[k]));
    largest = std::max(largest, std::abs(states[k]));
  }
  return static_cast<double>(most / largest);
}

template <std::size_t K>
void check(std::size_t n, unsigned threads, bool in_floats) {
  INFO(n << " positions, " << threads << " threads, " << K << " states" << (in_floats ? " in floats" : ""));
  std::mt19937 random(static_cast<unsigned>(n * 31 + threads));
  std::uniform_real_distribution<double> number(0.0, 1.0);
  std::vector<double> decay(n), weight(n), first(K);
  // Neighbours that are equal, near, and so far apart that nothing is left.
  for (double& q : decay) q = random() % 7 == 0 ? 1.0 : random() % 11 == 0 ? 0.0 : 0.7 + 0.3 * number(random);
  for (double& w : weight) w = number(random);
  for (double& s : first) s = 10.0 * number(random);
  const findings found = find<K>(decay, weight, first, threads, in_floats);

  std::vector<long double> s(K, 0.0L), other(first.begin(), first.end());
  double worst = 0.0;
  long double product = 1.0L;
  for (std::size_t i = 0; i < n; ++i) {
    worst = std::max(worst, distance(&found.before[i * K], s));
    worst = std::max(worst, distance(&found.going_on[i * K], other));
    if (i % 2 == 0) worst = std::max(worst, distance(&found.from_parts[i / 2 * K], s));
    advance<K>(s, decay[i], weight[i]);
    advance<K>(other, decay[i], weight[i]);
    product *= static_cast<long double>(decay[i]);
  }
  worst = std::max(worst, distance(found.handed_on.data(), s));
  // Two floats have 48 bits, of which a step of a state may lose some.
  const double bound = in_floats ? 2e-12 : 1e-14;
  CHECK(worst < bound);
  CHECK(std::abs(found.decay - static_cast<double>(product)) <=
        (in_floats ? 1e-10 : bound) * static_cast<double>(product) + (in_floats ? 1e-30 : 0.0));
  CHECK(found.same_everywhere);
}

}  // namespace

TEST_CASE("cuda: teams of every size scan sums of exponentials", "[lengths]") {
  const bool in_floats = GENERATE(false, true);
  SECTION("a warp") {
    for (std::size_t n = 0; n <= 70; ++n) check<states>(n, 0, in_floats);
    for (const std::size_t n : {1u, 31u, 33u, 256u}) check<many_states>(n, 0, in_floats);
  }
  SECTION("a block") {
    for (unsigned threads = 32; threads <= 1024; threads += 96)
      check<states>(2 * threads + 1, threads, in_floats);
    for (const unsigned threads : {64u, 512u})
      for (const unsigned n : {0u, 1u, threads - 1, threads, 3 * threads + 7})
        check<many_states>(n, threads, in_floats);
  }
  SECTION("every ragged length") {
    for (std::size_t n = 2; n <= 130; ++n) check<states>(n, 96, in_floats);
  }
}
TEST_CASE("cuda: powers in two floats") {
  std::vector<double> x{0.0, 1e-30, 1e-10, 86.9, 87.5, 1e30};
  for (int i = 1; i < 4000; ++i) x.push_back(0.02 * i + 1e-5 * (i % 7));
  for (int i = 1; i < 1000; ++i) x.push_back(1e-4 * i);
  const std::vector<double> found = powers(x);
  CHECK(found[0] == 1.0);
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] >= 87.0) CHECK(found[i] == 0.0);
    if (x[i] < 60.0) worst = std::max(worst, std::abs(found[i] / std::exp(-x[i]) - 1.0));
  }
  CHECK(worst < 0x1p-34);
}

}  // namespace cuda_detail_exponential_scan_test
