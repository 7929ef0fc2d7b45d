// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <vector>

namespace cuda_detail_exponential_scan_test {

inline constexpr std::size_t states = 10, many_states = 22;

/// What a team finds of n positions, in K states.
struct findings {
  std::vector<double> before;      // [n, K] states of all positions before each one
  std::vector<double> going_on;    // [n, K] the same behind states that another part hands on
  std::vector<double> handed_on;   // [K] by all positions
  double decay = 0.0;              // over all of them
  std::vector<double> from_parts;  // [parts, K] what the parts before each one hand on to it
  bool same_everywhere = false;    // whether every thread has the same of handed_on
};

/// Computed by a warp (threads = 0), or by a block of so many threads, in doubles or in two floats. A part
/// has two positions, or one.
///
/// @param decay   [n] from each position to the one behind it
/// @param weight  [n]
/// @param first   [K] states that are handed on to position 0
template <std::size_t K>
findings find(const std::vector<double>& decay, const std::vector<double>& weight,
              const std::vector<double>& first, unsigned threads, bool in_floats);

/// exp(-x) in two floats.
std::vector<double> powers(const std::vector<double>& x);

}  // namespace cuda_detail_exponential_scan_test
