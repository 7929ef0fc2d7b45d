// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sndcg.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

template <>
inline constexpr bool cuda_support::costly_hessian<rankloss::sndcg> = true;
template <class T>
inline constexpr double cuda_support::hessian_tolerance<rankloss::sndcg, T> = sizeof(T) == sizeof(float)
                                                                                  ? 1e-5
                                                                                  : 1e-11;

namespace cuda_sndcg_test {

using rankloss::gain;
using rankloss::sndcg;

TEST_CASE("cuda: sndcg of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<sndcg, float, int>({.temperature = 0.1});
}
TEST_CASE("cuda: sndcg of floats") {
  cuda_support::keeps_the_promises_of_lists<sndcg, float, int>({.temperature = 0.1});
}
TEST_CASE("cuda: sndcg of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<sndcg, double, double>({.temperature = 0.1});
}
TEST_CASE("cuda: sndcg of doubles") {
  cuda_support::keeps_the_promises_of_lists<sndcg, double, double>({.temperature = 0.1});
}

TEST_CASE("cuda: sndcg of floats, long lists") {
  cuda_support::keeps_the_promises_of_long_lists<sndcg, float, int>({.temperature = 0.1}, 4700);
}
TEST_CASE("cuda: sndcg of doubles, long lists with every option") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<double, double>({4700}, 3);
  const std::vector<double> table{0.0, 0.5, 0.0, 2.0};
  cuda_support::agrees(sndcg{.temperature = 1e-3, .cutoff = 5}, in, ctx);
  cuda_support::agrees(
      sndcg{.temperature = 30.0, .gain = gain::linear, .ideal = rankloss::ideal::competition_ranks}, in, ctx);
  cuda_support::agrees(sndcg{.temperature = 0.2, .gain = gain::table, .gain_table = table}, in, ctx);
}
TEMPLATE_TEST_CASE("cuda: sndcg with its Hessian", "", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const std::vector<double> table{0.0, 0.5, 0.0, 2.0};
  auto in = cuda_support::lists_of_lengths<T, R>({1, 2, 0, 7, 31, 32, 33, 64, 100, 257}, 3);
  for (const double t : {0.05, 0.5, 30.0}) {
    INFO("temperature " << t);
    cuda_support::agrees(sndcg{.temperature = t}, in, ctx, {.filled = 7.0, .costly = true});
  }
  cuda_support::agrees(sndcg{.temperature = 0.3, .cutoff = 5}, in, ctx, {.costly = true});
  cuda_support::agrees(sndcg{.temperature = 0.3, .gain = gain::table, .gain_table = table}, in, ctx,
                       {.costly = true});
  for (std::size_t i = 0; i < in.scores.size(); ++i) {
    in.mask.push_back(i % 3 > 0 ? 1 : 0);
    in.item_weights.push_back(static_cast<double>(i * 7 % 5) / 4);
  }
  std::fill_n(in.relevance.begin(), 10, R{0});
  cuda_support::agrees(sndcg{.temperature = 0.3}, in, ctx,
                       {.scale = -3.0, .update = rankloss::update::add, .costly = true});
}
TEMPLATE_TEST_CASE("cuda: sndcg with its Hessian over the grid", "[lengths]", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<T, R>({4700, 300}, 3);
  cuda_support::agrees(sndcg{.temperature = 0.1}, in, ctx, {.filled = 7.0, .costly = true});
  cuda_support::agrees(sndcg{.temperature = 2.0, .cutoff = 500}, in, ctx,
                       {.gradient = false, .costly = true});
  for (std::size_t i = 0; i < in.scores.size(); ++i) {
    in.mask.push_back(i * 7919 % 4 > 0 ? 1 : 0);
    if (i * 7919 % 4 == 0) in.scores[i] = static_cast<T>(NAN);
  }
  cuda_support::agrees(sndcg{.temperature = 0.1}, in, ctx, {.filled = 7.0, .costly = true});
}
TEST_CASE("cuda: sndcg of lists of 20 000 to 100 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(sndcg{.temperature = 0.01},
                       cuda_support::lists_of_lengths<float, int>({100000, 9000}, 3), ctx);
  cuda_support::agrees(sndcg{.temperature = 0.1}, cuda_support::lists_of_lengths<double, double>({20000}, 4),
                       ctx);
}

TEMPLATE_TEST_CASE("cuda: sndcg with every option", "", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<T, R>({7, 60, 100, 300}, 3);
  const std::vector<double> table{0.0, 0.5, 0.0, 2.0};
  for (const double t : {1e-3, 0.5, 30.0}) {
    INFO("temperature " << t);
    cuda_support::agrees(sndcg{.temperature = t}, in, ctx);
  }
  cuda_support::agrees(sndcg{.temperature = 0.2, .cutoff = 5}, in, ctx);
  cuda_support::agrees(sndcg{.temperature = 0.2, .gain = gain::linear}, in, ctx);
  cuda_support::agrees(sndcg{.temperature = 0.2, .ideal = rankloss::ideal::competition_ranks}, in, ctx);
  auto counted = in;
  counted.reduction = rankloss::reduction::mean_of_relevant;
  for (std::size_t i = 0; i < 7; ++i) counted.relevance[i] = R{2};  // worth nothing by the table
  cuda_support::agrees(sndcg{.temperature = 0.2, .gain = gain::table, .gain_table = table}, counted, ctx);
  const std::vector<double> large(65, 1.0);
  CHECK_THROWS_WITH(cuda_support::on_device(sndcg{.gain = gain::table, .gain_table = large}, in, ctx),
                    "rankloss: gain_table: size 65, expected at most 64 grades on a device");
}

TEST_CASE("cuda: sndcg with relevance and weights of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<double, double>({20, 90}, 3);
  for (const double size : {1e-200, 1e-3, 300.0, 1e300}) {
    auto scaled = in;
    for (double& y : scaled.relevance) y *= size;
    scaled.item_weights.assign(in.scores.size(), size);
    INFO("size " << size);
    cuda_support::agrees(sndcg{.temperature = 0.2, .gain = gain::linear}, scaled, ctx);
    if (size < 1e3) cuda_support::agrees(sndcg{.temperature = 0.2}, scaled, ctx);
  }
}

TEST_CASE("cuda: sndcg of floats, scanned, with relevance and weights of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<float, double>({90, 300, 4300}, 3);
  for (const double size : {1e-200, 1e-31, 1e-27, 1e-19, 1e-9, 10.0, 1e19, 1e29, 1e300}) {
    auto scaled = in;
    for (double& y : scaled.relevance) y *= size;
    INFO("size " << size);
    cuda_support::agrees(sndcg{.temperature = 0.2, .gain = gain::linear}, scaled, ctx);
    if (size < 100.0) cuda_support::agrees(sndcg{.temperature = 0.2}, scaled, ctx);
    scaled.relevance = in.relevance;
    scaled.item_weights.assign(in.scores.size(), size);
    cuda_support::agrees(sndcg{.temperature = 0.2}, scaled, ctx);
  }
}

TEST_CASE("cuda: sndcg of floats whose ranks are near the cutoff") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>({27, 30, 60}, 3);
  for (std::size_t i = 0; i < in.scores.size(); i += 9) in.scores[i] *= 1e4f;
  for (std::size_t cutoff = 2; cutoff < 27; ++cutoff)
    for (const double t : {0.05, 0.2}) {
      INFO("cutoff " << cutoff << ", temperature " << t);
      cuda_support::agrees(sndcg{.temperature = t, .cutoff = cutoff}, in, ctx);
    }
}

TEST_CASE("cuda: sndcg with gains and temperatures that no double holds the product or quotient of") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({20, 90}, 3);
  for (double& y : in.relevance) y += 50.0;
  // Far above all scores the gradient falls as 1 / temperature and nothing else.
  const auto device = cuda_support::on_device(sndcg{.temperature = 1e300}, in, ctx, {.scale = 1e300});
  const auto host = cuda_support::on_host(sndcg{.temperature = 1e14}, in, {.scale = 1e14});
  double largest = 0.0;
  for (const double g : host.gradient) largest = std::max(largest, std::abs(g));
  CHECK(largest > 1e-4);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    CHECK(std::abs(device.gradient[i] - host.gradient[i]) <= 1e-11 * largest);

  cuda_support::host_lists<double, double> light{.scores = {0.0, 1.0}, .relevance = {1.0, 0.0}};
  light.item_weights = {1e-300, 1.0};
  CHECK(cuda_support::on_device(sndcg{.temperature = 1e-9}, light, ctx).gradient ==
        std::vector<double>{0.0, 0.0});
  CHECK_NOTHROW(ctx.check());
}

}  // namespace cuda_sndcg_test
