// SPDX-License-Identifier: BSL-1.0
#include "cuda/promises/fast_math.hpp"

#include <rankloss/listmle.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

// Kernels in a program that nvcc compiles with --use_fast_math. Lists are short, long, and of lengths from which on other
// kernels compute them.
namespace cuda_promises_fast_math_test {

using cuda_support::agrees;
using rankloss::listmle;
using rankloss::sndcg;
using rankloss::softmax_cross_entropy;

TEST_CASE("cuda, fast math: subnormal numbers are 0, so this is compiled with it") {
  CHECK(doubled(std::numeric_limits<float>::denorm_min()) == 0.0f);
  CHECK(doubled(1.5f) == 3.0f);
}

TEST_CASE("cuda, fast math: lists at any temperature, near to each other and far apart") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double spread : {1e-3, 1.0, 5.0, 30.0, 60.0, 1e4})
    for (const double t : {1e-6, 0.5, 1e6}) {
      INFO("spread " << spread << " temperatures of " << t);
      const auto of_grades = cuda_support::lists_of_lengths<float, int>({1, 9, 64, 65, 300}, 3, spread * t);
      agrees(sndcg{.temperature = t}, of_grades, ctx, {.hessian = false});
      agrees(listmle{.temperature = t}, of_grades, ctx, {.hessian = false});
      if (spread > 5.0 && spread < 1e3)
        continue;  // what is left of a softmax is less than a double is exact to
      auto of_numbers = cuda_support::lists_of_lengths<float, float>({1, 2, 7, 33, 300}, 3, spread * t);
      for (float& y : of_numbers.relevance) y = 0.3f * y + 1e-9f;
      agrees(softmax_cross_entropy{.temperature = t}, of_numbers, ctx);
      agrees(softmax_cross_entropy{.temperature = t,
                                   .target = rankloss::target::softmax,
                                   .relevance_temperature = 0.01,
                                   .poly = 2.0},
             of_numbers, ctx);
    }
}

TEST_CASE("cuda, fast math: a target that nearly is the softmax") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const float gap : {3.0f, 10.0f, 20.0f}) {
    auto in = cuda_support::lists_of_lengths<float, float>({2, 5, 40}, 3);
    for (std::size_t l = 0; l + 1 < in.offsets.size(); ++l)
      for (auto i = static_cast<std::size_t>(in.offsets[l]); i < static_cast<std::size_t>(in.offsets[l + 1]);
           ++i) {
        const bool first = i == static_cast<std::size_t>(in.offsets[l]);
        in.relevance[i] = first ? 2.0f : 0.0f;
        in.scores[i] = first ? gap : 0.1f * static_cast<float>(i % 7);
      }
    INFO("gap " << gap);
    agrees(softmax_cross_entropy{}, in, ctx, {.hessian = false});
  }
}

TEST_CASE(
    "cuda, fast math: items far below one that is drawn first, and thousands of light ones above a heavy one") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const float gap : {60.0f, 89.5f, 119.5f}) {
    auto in = cuda_support::lists_of_lengths<float, int>({5, 60, 300}, 3, 0.1);
    for (std::size_t l = 0; l < 3; ++l) {
      in.scores[static_cast<std::size_t>(in.offsets[l])] = gap;
      in.relevance[static_cast<std::size_t>(in.offsets[l])] = 9;
    }
    INFO("gap " << gap);
    agrees(listmle{}, in, ctx, {.hessian = false});
  }
  // What the light ones pull is small beside the sum of exponentials that it is divided by, but not beside what the heavy
  // one loses.
  const std::size_t n = 4000;
  cuda_support::host_lists<float, int> in{.scores = std::vector<float>(n, 44.0f),
                                          .relevance = std::vector<int>(n, 2)};
  in.item_weights.assign(n, 0x1p-51);
  in.scores[n - 2] = 0.0f;
  in.relevance[n - 2] = 1;
  in.item_weights[n - 2] = 1.0;
  in.scores[n - 1] = -23.0f;
  in.relevance[n - 1] = 0;
  agrees(listmle{}, in, ctx, {.hessian = false});
}

TEST_CASE("cuda, fast math: numbers at the ends of the type") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto of_grades = cuda_support::lists_of_lengths<float, int>({7, 60, 300}, 3);
  auto of_numbers = cuda_support::lists_of_lengths<float, float>({7, 60, 300}, 3);
  SECTION("large ones") {
    for (std::size_t i = 0; i < of_grades.scores.size(); i += 9)
      of_grades.scores[i] = of_numbers.scores[i] = i % 2 == 0 ? 3e38f : -3e38f;
    for (std::size_t i = 0; i < of_numbers.relevance.size(); ++i) of_numbers.relevance[i] *= 1e38f;
  }
  SECTION("small ones") {
    for (std::size_t i = 0; i < of_grades.scores.size(); ++i) {
      of_grades.scores[i] *= 1e-37f;
      of_numbers.scores[i] *= 1e-37f;
      of_numbers.relevance[i] *= 1e-36f;
    }
  }
  SECTION("subnormal scores") {
    for (std::size_t i = 0; i < of_grades.scores.size(); ++i) {
      of_grades.scores[i] *= 1e-41f;
      of_numbers.scores[i] *= 1e-41f;
    }
  }
  agrees(sndcg{}, of_grades, ctx, {.hessian = false});
  agrees(listmle{}, of_grades, ctx, {.hessian = false});
  agrees(softmax_cross_entropy{}, of_numbers, ctx, {.hessian = false});
}

TEST_CASE("cuda, fast math: subnormal relevance is that of an item that is not relevant") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, float>({7, 300}, 3), without = in;
  for (std::size_t i = 0; i < in.relevance.size(); ++i) {
    in.relevance[i] = i % 3 == 0 ? 1e-41f : i < 7 ? 0.0f : in.relevance[i];
    without.relevance[i] = i % 3 == 0 ? 0.0f : in.relevance[i];
  }
  const auto found = cuda_support::on_device(softmax_cross_entropy{}, in, ctx);
  const auto expected = cuda_support::on_device(softmax_cross_entropy{}, without, ctx);
  CHECK(found.per_list == expected.per_list);
  CHECK(found.gradient == expected.gradient);
  CHECK(found.per_list[0] == 0.0);
  CHECK_NOTHROW(ctx.check());
}

TEST_CASE("cuda, fast math: what is found of bad numbers, masks and ties is as without it") {
  cuda_support::keeps_the_promises_of_lists<softmax_cross_entropy, float, float>({.temperature = 0.1}, 300);
}

TEST_CASE("cuda, fast math: lists that the whole grid computes", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  agrees(sndcg{.temperature = 0.1}, cuda_support::lists_of_lengths<float, int>({4700, 300}, 3), ctx,
         {.hessian = false});
  agrees(softmax_cross_entropy{.temperature = 0.01}, cuda_support::lists_of_lengths<float, float>({17000}, 3),
         ctx);
  agrees(listmle{.temperature = 0.1}, cuda_support::lists_of_lengths<float, int>({4200}, 3), ctx,
         {.hessian = false});
}

}  // namespace cuda_promises_fast_math_test
