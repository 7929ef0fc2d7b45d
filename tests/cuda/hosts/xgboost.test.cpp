// SPDX-License-Identifier: BSL-1.0
#include <rankloss/hosts/xgboost.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

template <>
inline constexpr bool cuda_support::draws_by_list<rankloss::xgboost::pairwise> = true;

namespace cuda_hosts_xgboost_test {

namespace xgboost = rankloss::xgboost;
using rankloss::gain;
using xgboost::normalize;
using xgboost::pair_method;

namespace {

/// Lists with ties, outliers and, for MAP, relevance 0 and 1.
template <class T, class R>
cuda_support::host_lists<T, R> lists(const std::vector<std::size_t>& lengths, unsigned seed, bool binary) {
  auto in = cuda_support::lists_of_lengths<T, R>(lengths, seed);
  for (R& y : in.relevance) y = binary && y > R{0} ? R{1} : y;
  return in;
}

/// The objective with all its options, without and with weights of items.
template <class T, class R, class Loss>
void agrees_with_every_option(Loss loss, bool binary) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  loss.pairs_per_item = 300;
  cuda_support::agrees(loss, lists<T, R>({270}, 3, binary), ctx);
  auto in = lists<T, R>({1, 7, 0, 60, 2}, 3, binary);
  in.scores[20] = static_cast<T>(60);
  for (const bool weighted : {false, true}) {
    for (std::size_t i = 0; weighted && i < in.scores.size(); ++i)
      in.item_weights.push_back(static_cast<double>(i * 7 % 5) / 4);
    for (const auto pairs : {pair_method::topk, pair_method::mean})
      for (const std::size_t count : {0, 1, 3, 100}) {
        if (pairs == pair_method::mean && count > 3) continue;
        for (const bool normalized : {false, true}) {
          loss.pairs = pairs;
          loss.pairs_per_item = count;
          loss.list_normalization = normalized ? normalize::on : normalize::off;
          loss.score_normalization = normalized == (count == 3) ? normalize::off : normalize::on;
          loss.seed = 0x123456789abcdefULL + count;
          INFO("weighted " << weighted << ", pairs " << static_cast<int>(pairs) << ", " << count
                           << " an item, normalized " << normalized);
          cuda_support::agrees(loss, in, ctx);
        }
      }
  }
}

}  // namespace

TEST_CASE("cuda: xgboost::ndcg of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<xgboost::ndcg, float, int>({}, 2500);
}
TEST_CASE("cuda: xgboost::ndcg of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<xgboost::ndcg, double, double>({.pairs_per_item = 5}, 1025);
}
TEST_CASE("cuda: xgboost::pairwise with drawn pairs, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<xgboost::pairwise, float, int>(
      {.pairs = pair_method::mean, .pairs_per_item = 2}, 1025);
}
TEST_CASE("cuda: xgboost::ndcg of floats") {
  cuda_support::keeps_the_promises_of_lists<xgboost::ndcg, float, int>({});
}
TEST_CASE("cuda: xgboost::pairwise of doubles with drawn pairs") {
  cuda_support::keeps_the_promises_of_lists<xgboost::pairwise, double, double>({.pairs = pair_method::mean});
}

TEMPLATE_TEST_CASE("cuda: xgboost's objectives with every option", "", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  agrees_with_every_option<T, R>(xgboost::ndcg{}, false);
  agrees_with_every_option<T, R>(xgboost::pairwise{}, false);
  agrees_with_every_option<T, int>(xgboost::map{}, true);
}
TEST_CASE("cuda: xgboost::ndcg with other gains") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = lists<double, double>({30, 7}, 4, false);
  const std::vector<double> table{0.5, 0.0, 2.0, 7.0};
  cuda_support::agrees(xgboost::ndcg{.weight = {.gain = gain::table, .gain_table = table}}, in, ctx);
  for (double& y : in.relevance) y *= 0.3;
  cuda_support::agrees(xgboost::ndcg{.weight = {.gain = gain::linear}}, in, ctx);
  for (double& y : in.relevance) y *= 1e200;
  cuda_support::agrees(xgboost::ndcg{.weight = {.gain = gain::linear}}, in, ctx);
  const std::vector<double> large(65, 1.0);
  CHECK_THROWS_WITH(
      cuda_support::on_device(xgboost::ndcg{.weight = {.gain = gain::table, .gain_table = large}}, in, ctx),
      "rankloss: gain_table: size 65, expected at most 64 grades on a device");
}
TEST_CASE("cuda: xgboost's objectives of lists without pairs, or with one score") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = lists<double, double>({9, 30, 2}, 5, true);
  std::fill_n(in.relevance.begin(), 9, 1.0);
  std::fill(in.scores.begin() + 9, in.scores.end(), 0.5);
  for (const auto pairs : {pair_method::topk, pair_method::mean}) {
    cuda_support::agrees(xgboost::ndcg{.pairs = pairs}, in, ctx);
    cuda_support::agrees(xgboost::pairwise{.pairs = pairs}, in, ctx);
    const auto out = cuda_support::on_device(xgboost::ndcg{.pairs = pairs}, in, ctx);
    for (std::size_t i = 0; i < 9; ++i) CHECK((out.gradient[i] == 0.0 && out.hessian[i] == 0.0));
  }
}
TEST_CASE("cuda: xgboost's objectives of infinite scores") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = lists<double, double>({9, 80}, 6, false);
  in.scores[1] = in.scores[20] = INFINITY;
  in.scores[4] = in.scores[30] = in.scores[31] = -INFINITY;
  cuda_support::agrees(xgboost::ndcg{}, in, ctx);
  cuda_support::agrees(xgboost::ndcg{.score_normalization = normalize::off}, in, ctx);
}
TEST_CASE("cuda: xgboost's objectives refuse relevance as on the CPU") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = lists<double, double>({9, 30}, 7, false);
  in.relevance[12] = 31.0;
  (void)cuda_support::on_device(xgboost::ndcg{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
  for (const double y : {32.0, 0.5, -1.0}) {
    in.relevance[12] = y;
    const auto out = cuda_support::on_device(xgboost::ndcg{}, in, ctx);
    CHECK(std::isnan(out.value));
    CHECK(std::isnan(out.hessian[20]));
    CHECK_FALSE(std::isnan(out.hessian[3]));
    CHECK_THROWS_WITH(ctx.check(),
                      Catch::StartsWith("rankloss: relevance: ") &&
                          Catch::Contains(" at list 1, item 3, expected a whole number, 0 to 31"));
  }
  auto graded = lists<float, int>({9}, 8, true);
  graded.relevance[2] = 2;
  (void)cuda_support::on_device(xgboost::map{}, graded, ctx);
  CHECK_THROWS_WITH(ctx.check(), "rankloss: relevance: 2 at list 0, item 2, expected 0 or 1");
}

}  // namespace cuda_hosts_xgboost_test
