// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/soft_top_k.hpp>

#include "cuda/support/rank_checks.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

namespace cuda_sorts_soft_top_k_test {

using rankloss::soft_top_k;

void top_k_on_device(const rankloss::soft_top_k& how, const rankloss::cuda::score_batch<double>& batch,
                     rankloss::cuda::device_span<const double> cotangent,
                     rankloss::cuda::device_span<double> values, rankloss::cuda::device_span<double> gradient,
                     rankloss::cuda::context& ctx);

// A selection has the functions of ranks, so it is held to what they are held to.
TEST_CASE("cuda: soft_top_k of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<soft_top_k, float>({.k = 5.0, .temperature = 0.1});
}
TEST_CASE("cuda: soft_top_k of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<soft_top_k, double>({.k = 5.0, .temperature = 0.1}, 1025);
}
TEMPLATE_TEST_CASE("cuda: soft_top_k", "", float, double) {
  cuda_support::keeps_the_promises_of_ranks<soft_top_k, TestType>({.k = 3.5, .temperature = 0.5});
}

TEST_CASE("cuda: soft_top_k of long lists") {
  cuda_support::keeps_the_promises_of_long_ranks<soft_top_k, float>({.k = 300.5, .temperature = 0.1}, 4200);
}
TEST_CASE("cuda: soft_top_k of long lists of doubles, of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::scores_of_lengths<double>({4700}, 3);
  for (const double k : {0.0, 0.25, 2304.0, 4699.5, std::numeric_limits<double>::infinity()}) {
    INFO("k " << k);
    cuda_support::agrees(soft_top_k{k, 0.01}, in, ctx,
                         {cuda_support::asked::values, cuda_support::asked::pullback});
  }
  for (double& c : in.input) c *= 0x1p1000;
  cuda_support::agrees(soft_top_k{3000.0, 3.0}, in, ctx, {cuda_support::asked::pullback});
}

TEMPLATE_TEST_CASE("cuda: soft_top_k of any size and temperature", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::scores_of_lengths<TestType>({1, 2, 7, 32, 60}, 3);
  for (const double t : {0.01, 0.3, 30.0})
    for (const double k : {0.0, 0.25, 1.0, 6.5, 31.0, 59.5, std::numeric_limits<double>::infinity()}) {
      INFO("k " << k << ", temperature " << t);
      cuda_support::agrees(soft_top_k{k, t}, in, ctx);
    }
}

TEST_CASE("cuda: top_k and its pullback") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const soft_top_k how{.k = 2.5, .temperature = 0.5};
  const std::vector<double> scores{0.5, -1.0, 2.0, 0.25, 1.0}, cotangent{1.0, 2.0, -1.0, 0.5, 0.0};
  const cuda_support::array<double> on_device(scores), given(cotangent), values(scores.size()),
      gradient(scores.size());
  top_k_on_device(how, {.scores = on_device.view()}, given.view(), values.view(), gradient.view(), ctx);
  std::vector<double> p(scores.size()), slope(scores.size());
  rankloss::top_k(how, scores, p);
  rankloss::top_k_pullback(how, scores, cotangent, slope);
  const auto device_values = values.host(), device_gradient = gradient.host();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    CHECK(device_values[i] == Approx(p[i]).epsilon(1e-13));
    CHECK(device_gradient[i] == Approx(slope[i]).epsilon(1e-12));
  }
}

}  // namespace cuda_sorts_soft_top_k_test
