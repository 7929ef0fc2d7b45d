// SPDX-License-Identifier: BSL-1.0
#include <rankloss/fast_ap.hpp>

#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_fast_ap_test {

using cuda_support::agrees;
using rankloss::fast_ap;

TEST_CASE("cuda: fast_ap of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(fast_ap{});
}

TEST_CASE("cuda: fast_ap of matrices with all fields and bins") {
  cuda_support::agrees_with_all_fields<float>(fast_ap{});
  for (const std::size_t bins : {1, 2, 31, 32, 300}) {
    INFO(bins << " bins");
    cuda_support::agrees_with_all_fields<double>(fast_ap{.bins = bins}, 10, 13);
  }
}

TEST_CASE("cuda: fast_ap of matrices with similarities at the ends of bins, beyond cosines and infinite") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_pairs<double>(9, 9, 2);
  for (std::size_t p = 0; p < in.similarity.size(); p += 2)
    in.similarity[p] = static_cast<double>(p % 11) / 5.0 - 1.0;
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[30] = 1.5;
  in.similarity[31] = -3.0;
  in.similarity[7] = 1e300;
  agrees(fast_ap{}, in, ctx);
  agrees(fast_ap{.bins = 64}, in, ctx);
}

}  // namespace cuda_fast_ap_test
