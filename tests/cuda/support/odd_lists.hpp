// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "cuda/support/list_checks.hpp"
#include "cuda/support/odd_numbers.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cuda_support {

/// Lists of floats that lie close together or far apart in temperatures, with ties, crowds and outliers.
[[nodiscard]] inline host_lists<float, int> odd_lists(std::size_t lists, double temperature,
                                                      odd_numbers& random) {
  std::vector<std::size_t> lengths;
  for (std::size_t l = 0; l < lists; ++l) lengths.push_back(1 + random() % (l % 20 == 0 ? 700 : 70));
  auto in = lists_of_lengths<float, int>(lengths, random());
  for (std::size_t l = 0; l < lists; ++l) {
    const double spread = temperature * std::abs(random.sized(-8.0, 4.0));
    const double centre = random() % 3 == 0 ? spread * random.sized(-2.0, 4.0) : 0.0;
    const std::uint32_t kind = random() % 4;
    const auto [first, size] = place_of(in, l);
    for (std::size_t i = first; i < first + size; ++i) {
      double s = static_cast<double>(in.scores[i]);
      if (kind == 1) s = std::rint(4.0 * s);
      if (kind == 2) s = std::copysign(1.0, s) + 1e-3 * s;
      if (kind == 3 && random() % 9 == 0) s *= 1e3;
      in.scores[i] = static_cast<float>(centre + spread * s);
    }
  }
  return in;
}
/// Numbers for the items of a list by what they may be: of one size or of many, near to each other, smooth along the
/// scores, equal, or all but one 0.
inline void put_odd_numbers(const host_lists<float, int>& in, std::vector<float>& to, odd_numbers& random) {
  to.clear();
  for (std::size_t l = 0; l < lists_of(in); ++l) {
    const double unit = std::abs(random.sized(-8.0, 8.0)), near = std::abs(random.sized(-6.0, 0.0));
    const std::uint32_t kind = random() % 7;
    const auto [first, size] = place_of(in, l);
    const std::size_t chosen = first + random() % size;
    const double s0 = static_cast<double>(in.scores[first]);
    const double s1 = static_cast<double>(in.scores[first + size - 1]);
    const double per_score = s0 != s1 ? 1.0 / (s1 - s0) : 1.0;
    for (std::size_t i = first; i < first + size; ++i) {
      const double x = (static_cast<double>(in.scores[i]) - s0) * per_score;
      const double c = kind == 0   ? random.any(-1.0, 1.0)
                       : kind == 1 ? random.sized(-12.0, 4.0)
                       : kind == 2 ? 1.0 + near * random.any(-1.0, 1.0)
                       : kind == 3 ? std::cos(x)
                       : kind == 4 ? x / (1.0 + std::abs(x))
                       : kind == 5 ? 1.0
                                   : (i == chosen ? 1.0 : 0.0);
      to.push_back(static_cast<float>(unit * c));
    }
  }
}

}  // namespace cuda_support
