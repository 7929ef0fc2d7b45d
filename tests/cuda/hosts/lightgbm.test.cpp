// SPDX-License-Identifier: BSL-1.0
#include <rankloss/hosts/lightgbm.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

template <>
inline constexpr bool cuda_support::draws_by_list<rankloss::lightgbm::rank_xendcg> = true;

namespace cuda_hosts_lightgbm_test {

using rankloss::gain;
using rankloss::lightgbm::lambdarank;
using rankloss::lightgbm::normalize;
using rankloss::lightgbm::rank_xendcg;

TEST_CASE("cuda: lightgbm::lambdarank of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<lambdarank, float, int>({}, 2500);
}
TEST_CASE("cuda: lightgbm::lambdarank of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<lambdarank, double, double>({.truncation_level = 5}, 1025);
}
TEST_CASE("cuda: lightgbm::lambdarank of floats") {
  cuda_support::keeps_the_promises_of_lists<lambdarank, float, int>({});
}
TEST_CASE("cuda: lightgbm::lambdarank of doubles") {
  cuda_support::keeps_the_promises_of_lists<lambdarank, double, double>({.sigmoid = 2.0}, 600);
}
TEST_CASE("cuda: lightgbm::rank_xendcg of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<rank_xendcg, float, int>({.seed = 5});
}
TEST_CASE("cuda: lightgbm::rank_xendcg of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<rank_xendcg, double, double>({.seed = 1ULL << 40});
}
TEST_CASE("cuda: lightgbm::rank_xendcg of floats") {
  cuda_support::keeps_the_promises_of_lists<rank_xendcg, float, int>({.seed = 7});
}
TEST_CASE("cuda: lightgbm::rank_xendcg of doubles") {
  cuda_support::keeps_the_promises_of_lists<rank_xendcg, double, double>({.seed = 7});
}

TEMPLATE_TEST_CASE("cuda: lightgbm::lambdarank with every option", "", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<T, R>({1, 7, 0, 60, 2}, 3);
  in.scores[20] = static_cast<T>(60);
  cuda_support::agrees(lambdarank{.truncation_level = 0}, cuda_support::lists_of_lengths<T, R>({270}, 3),
                       ctx);
  const std::vector<double> table{0.5, 0.0, 2.0, 7.0};
  for (const bool weighted : {false, true}) {
    for (std::size_t i = 0; weighted && i < in.scores.size(); ++i)
      in.item_weights.push_back(static_cast<double>(i * 7 % 5) / 4);
    for (const std::size_t level : {0, 1, 30})
      for (const auto norm : {normalize::off, normalize::on})
        for (const double sigmoid : {0.1, 3.0}) {
          INFO("weighted " << weighted << ", level " << level << ", sigmoid " << sigmoid);
          cuda_support::agrees(lambdarank{.sigmoid = sigmoid, .truncation_level = level, .norm = norm}, in,
                               ctx);
        }
    cuda_support::agrees(lambdarank{.gain = gain::linear}, in, ctx);
    cuda_support::agrees(lambdarank{.gain = gain::table, .gain_table = table}, in, ctx);
  }
}
TEMPLATE_TEST_CASE("cuda: lightgbm::lambdarank of scores that are infinite or all equal", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  using R = std::conditional_t<std::is_same_v<TestType, float>, int, double>;
  auto in = cuda_support::lists_of_lengths<TestType, R>({9, 40, 2, 5}, 4);
  in.scores[3] = static_cast<TestType>(-INFINITY);
  in.scores[12] = in.scores[20] = in.scores[30] = static_cast<TestType>(-INFINITY);
  cuda_support::agrees(lambdarank{}, in, ctx);
  std::fill_n(in.scores.begin(), 3, TestType{2});  // equal, but for one that is left out
  std::fill_n(in.scores.begin() + 4, 5, TestType{2});
  std::fill_n(in.scores.begin() + 9, 30, TestType{1});  // and for several, which are not
  std::fill(in.scores.begin() + 49, in.scores.end(), static_cast<TestType>(-INFINITY));
  in.scores[10] = in.scores[12] = static_cast<TestType>(-INFINITY);
  cuda_support::agrees(lambdarank{}, in, ctx);
  cuda_support::agrees(lambdarank{.norm = normalize::off}, in, ctx);
}
TEMPLATE_TEST_CASE("cuda: lightgbm::rank_xendcg of scores that are far apart", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  using R = std::conditional_t<std::is_same_v<TestType, float>, int, double>;
  auto in = cuda_support::lists_of_lengths<TestType, R>({9, 40, 2, 300}, 4);
  for (R& y : in.relevance) y = static_cast<R>(11.4 * static_cast<double>(y));
  for (std::size_t i = 0; i < in.scores.size(); i += 5) in.scores[i] *= 30;
  cuda_support::agrees(rank_xendcg{.seed = 3}, in, ctx);
  in.scores[2] = in.scores[15] = 700;  // all but certain to be the first
  cuda_support::agrees(rank_xendcg{.seed = 3}, in, ctx);
}
TEST_CASE("cuda: lightgbm's objectives refuse relevance as on the CPU") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>({9, 30}, 7);
  in.relevance[12] = 31;
  (void)cuda_support::on_device(lambdarank{}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(),
                    Catch::StartsWith("rankloss: relevance: 31 at list 1, item 3, expected a whole "
                                      "number, 0 to 30"));
  in.relevance[12] = 1001;
  (void)cuda_support::on_device(rank_xendcg{}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(),
                    Catch::StartsWith("rankloss: relevance: 1001 at list 1, item 3, expected 0 to 1000"));
}

}  // namespace cuda_hosts_lightgbm_test
