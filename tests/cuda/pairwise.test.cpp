// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/ranknet.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace cuda_pairwise_test {

namespace pairs = rankloss::pairs;
template <class Function>
using equally = rankloss::pairwise<Function, pairs::equal>;

TEST_CASE("cuda: ranknet of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<rankloss::ranknet, float, int>(
      {.function = {.temperature = 0.5}, .average = pairs::average::pairs}, 513);
}
TEST_CASE("cuda: ranknet of floats") {
  cuda_support::keeps_the_promises_of_lists<rankloss::ranknet, float, int>(
      {.function = {.temperature = 0.5}, .average = pairs::average::pairs}, 400);
}
TEST_CASE("cuda: lambdarank of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<rankloss::lambdarank, double, double>({.weight = {.cutoff = 10}}, 129);
}
TEST_CASE("cuda: lambdarank of doubles") {
  cuda_support::keeps_the_promises_of_lists<rankloss::lambdarank, double, double>({.weight = {.cutoff = 10}},
                                                                                  300);
}
TEST_CASE("cuda: pairwise with a list beyond shared memory", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(rankloss::ranknet{.average = pairs::average::pairs},
                       cuda_support::lists_of_lengths<float, int>({1100, 3}, 7), ctx);
}

/// Lists that are long enough for the whole grid, of most items of which a mask keeps few, since the time of the
/// tests grows with the square of those that are left.
template <class T, class R>
cuda_support::host_lists<T, R> long_lists_of_few(std::size_t every) {
  auto in = cuda_support::lists_of_lengths<T, R>({2400, 30, 2700}, 9);
  for (std::size_t i = 0; i < in.scores.size(); ++i) in.mask.push_back(i * 7919 % every == 0 ? 1 : 0);
  return in;
}
template <class T, class Loss, class R = int>
void agrees_over_the_grid(const Loss& loss) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = long_lists_of_few<T, R>(40);
  for (std::size_t i = 0; i < in.scores.size(); i += 3) in.scores[i] = static_cast<T>(i % 7) / 4;
  cuda_support::agrees(loss, in, ctx, {.filled = 7.0});
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.item_weights.push_back(static_cast<double>(i * 7 % 5) / 4);
  cuda_support::agrees(loss, in, ctx);
}

TEST_CASE("cuda: pairwise of long lists") {
  agrees_over_the_grid<float>(
      rankloss::ranknet{.function = {.temperature = 0.5}, .average = pairs::average::pairs});
  agrees_over_the_grid<double, rankloss::lambdarank, double>({.weight = {.cutoff = 10}, .cutoff = 30});
  agrees_over_the_grid<float>(rankloss::lambdarank_map{});
}
TEST_CASE("cuda: pairwise of long lists, with the other weights", "[lengths]") {
  agrees_over_the_grid<float>(rankloss::lambdarank{});
  agrees_over_the_grid<double>(rankloss::lambdarank_map{});
  agrees_over_the_grid<float>(rankloss::lambdarank_mrr{.average = pairs::average::weight});
  agrees_over_the_grid<double>(rankloss::ndcg_loss1{.weight = {.cutoff = 3, .scale = pairs::scale_by::none}});
  agrees_over_the_grid<float>(rankloss::ndcg_loss1{});
  agrees_over_the_grid<float>(rankloss::ndcg_loss2{});
  agrees_over_the_grid<float>(rankloss::ndcg_loss2_plus{});
  agrees_over_the_grid<double>(rankloss::arp_loss1{});
  agrees_over_the_grid<float>(rankloss::arp_loss2{});
  agrees_over_the_grid<float>(equally<pairs::hinge>{.function = {.margin = 0.7}});
}
TEST_CASE("cuda: ranknet of a whole long list, and one whose scores are far apart", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(rankloss::ranknet{}, cuda_support::lists_of_lengths<float, int>({2400}, 7), ctx);
  auto in = long_lists_of_few<float, int>(20);
  for (std::size_t i = 0; i < in.scores.size(); i += 50) in.scores[i] = i % 100 == 0 ? 300.0f : -INFINITY;
  cuda_support::agrees(rankloss::ranknet{.cutoff = 20}, in, ctx);
  in.scores[0] = NAN;
  in.mask[0] = 1;
  const auto out = cuda_support::on_device(rankloss::ranknet{}, in, ctx);
  CHECK(std::isnan(out.per_list[0]));
  CHECK(std::isnan(out.gradient[0]));
  CHECK_FALSE(std::isnan(out.per_list[2]));
  CHECK_THROWS_WITH(ctx.check(), "rankloss: scores: nan at list 0, item 0, expected a number");
}

/// The loss with all averages and cutoffs, without and with item weights, with scores near each other and far
/// apart.
template <class T, class Loss, class R = int>
void agrees_in_all_ways(Loss loss) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(loss, cuda_support::lists_of_lengths<T, R>({70}, 4), ctx);
  const auto near = cuda_support::lists_of_lengths<T, R>({1, 2, 3, 0, 9, 33}, 5);
  for (const bool far : {false, true})
    for (const bool weighted : {false, true}) {
      auto in = near;
      if (far) in.scores[8] = in.scores[30] = T{300};
      for (std::size_t i = 0; weighted && i < in.scores.size(); ++i)
        in.item_weights.push_back(static_cast<double>(i * 7 % 5) / 4);
      INFO("far " << far << ", weighted " << weighted);
      for (const auto average : {pairs::average::none, pairs::average::pairs, pairs::average::weight}) {
        loss.average = average;
        cuda_support::agrees(loss, in, ctx);
      }
      loss.cutoff = 4;
      for (const auto keep : {pairs::keep::either, pairs::keep::both}) {
        loss.keep = keep;
        INFO("keep " << static_cast<int>(keep));
        cuda_support::agrees(loss, in, ctx);
      }
      loss.cutoff = 0;
    }
}

TEST_CASE("cuda: pairwise with every function", "[lengths]") {
  agrees_in_all_ways<float>(rankloss::ranknet{.function = {.temperature = 0.5}});
  agrees_in_all_ways<double, rankloss::ranknet, double>(
      {.function = {.logarithm = pairs::logarithm::binary}});
  agrees_in_all_ways<float>(equally<pairs::soft_zero_one>{.function = {.temperature = 0.5}});
  agrees_in_all_ways<double>(equally<pairs::soft_zero_one>{.function = {.temperature = 0.5}});
  agrees_in_all_ways<float>(equally<pairs::hinge>{.function = {.margin = 0.7}});
  agrees_in_all_ways<double>(equally<pairs::hinge>{.function = {.margin = 0.7}});
  agrees_in_all_ways<float>(equally<pairs::squared_hinge>{.function = {.margin = 0.7}});
  agrees_in_all_ways<double>(equally<pairs::squared_hinge>{.function = {.margin = 0.7}});
  agrees_in_all_ways<float>(equally<pairs::exponential>{.function = {.temperature = 10.0}});
  agrees_in_all_ways<double>(equally<pairs::exponential>{.function = {.temperature = 10.0}});
  agrees_in_all_ways<double>(equally<pairs::squared_difference>{});
  agrees_in_all_ways<double>(equally<pairs::quantile>{.function = {.tau = 0.3}});
}
TEST_CASE("cuda: pairwise with every weight", "[lengths]") {
  agrees_in_all_ways<float>(rankloss::lambdarank{});
  agrees_in_all_ways<float>(
      rankloss::lambdarank{.weight = {.gain = rankloss::gain::linear, .scale = pairs::scale_by::none}});
  agrees_in_all_ways<float>(rankloss::lambdarank_map{});
  agrees_in_all_ways<double>(rankloss::lambdarank_map{});
  agrees_in_all_ways<float>(rankloss::lambdarank_mrr{});
  agrees_in_all_ways<double>(rankloss::lambdarank_mrr{});
  agrees_in_all_ways<float>(rankloss::ndcg_loss1{});
  agrees_in_all_ways<double>(rankloss::ndcg_loss1{.weight = {.cutoff = 3, .scale = pairs::scale_by::none}});
  agrees_in_all_ways<float>(rankloss::ndcg_loss2{});
  agrees_in_all_ways<double>(rankloss::ndcg_loss2{.weight = {.cutoff = 3}});
  agrees_in_all_ways<float>(rankloss::ndcg_loss2_plus{});
  agrees_in_all_ways<double>(rankloss::ndcg_loss2_plus{.weight = {.mu = 0.5}});
  agrees_in_all_ways<float>(rankloss::arp_loss1{});
  agrees_in_all_ways<double>(rankloss::arp_loss1{});
  agrees_in_all_ways<float>(rankloss::arp_loss2{});
  agrees_in_all_ways<double, rankloss::arp_loss2, double>({.weight = {.of = pairs::difference_of::squares}});
}
TEST_CASE("cuda: pairwise with gains from a table") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<float, int>({3, 70}, 6);
  std::array<double, 65> table{0.5, 3.0, 2.0};
  rankloss::lambdarank loss{
      .weight = {.gain = rankloss::gain::table, .gain_table = std::span(table).first(3)}};
  cuda_support::agrees(loss, in, ctx);
  loss.weight.gain_table = table;
  CHECK_THROWS_WITH(cuda_support::on_device(loss, in, ctx),
                    "rankloss: gain_table: size 65, expected at most 64 grades on a device");
}
TEST_CASE("cuda: pairwise with weights and relevance of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({20, 70}, 3);
  for (const double size : {1e-200, 1e-40, 1e40, 1e200}) {
    INFO("size " << size);
    auto scaled = in;
    for (double& y : scaled.relevance) y *= size;
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      scaled.item_weights.push_back(size * static_cast<double>(1 + i % 3));
    for (const auto average : {pairs::average::pairs, pairs::average::weight}) {
      cuda_support::agrees(rankloss::arp_loss2{.average = average}, scaled, ctx);
      cuda_support::agrees(
          rankloss::lambdarank{.weight = {.gain = rankloss::gain::linear, .scale = pairs::scale_by::none},
                               .average = average},
          scaled, ctx);
    }
    cuda_support::agrees(rankloss::lambdarank{}, scaled, ctx);
  }
}
TEST_CASE("cuda: pairwise where the items of great weight or gain are in no pair that counts") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const std::size_t n : {6u, 40u, 300u}) {
    INFO(n << " items");
    auto in = cuda_support::lists_of_lengths<float, int>({n}, 4);
    cuda_support::host_lists<double, double> wide{.scores = {in.scores.begin(), in.scores.end()},
                                                  .relevance = {}};
    // Only the first item is preferred to any, and the weights of the others are those of no pair.
    std::fill(in.relevance.begin(), in.relevance.end(), 0);
    in.relevance[0] = 1;
    in.item_weights.assign(n, 1e30);
    in.item_weights[0] = 1e-30;
    cuda_support::agrees(rankloss::ranknet{.average = pairs::average::weight}, in, ctx);
    cuda_support::agrees(rankloss::ndcg_loss2{.average = pairs::average::weight}, in, ctx);
    wide.relevance.assign(in.relevance.begin(), in.relevance.end());
    wide.item_weights.assign(n, 1e300);
    wide.item_weights[0] = 1e-300;
    cuda_support::agrees(rankloss::ranknet{.average = pairs::average::weight}, wide, ctx);
    // Half of the items are worth 1e12 or 1e20 times as much as the others, but only those have a weight.
    for (std::size_t i = 0; i < n; ++i) {
      const bool counts = i % 2 == 0;
      in.relevance[i] = static_cast<int>(i * 31 % 4) + (counts ? 0 : 40);
      wide.relevance[i] = static_cast<double>(1 + i * 31 % 11) * (counts ? 1e-14 : 1e6);
      in.item_weights[i] = wide.item_weights[i] = counts ? 1.0 : 0.0;
    }
    cuda_support::agrees(rankloss::lambdarank{.average = pairs::average::weight}, in, ctx);
    cuda_support::agrees(rankloss::ndcg_loss2{.average = pairs::average::weight}, in, ctx);
    cuda_support::agrees(
        rankloss::lambdarank{.weight = {.gain = rankloss::gain::linear}, .average = pairs::average::weight},
        wide, ctx);
  }
}
TEST_CASE("cuda: pairwise of floats where pairs of great weight are solved") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  // The last item is preferred to nearly all and 120 temperatures above them; the first weighs 1e-40 of it.
  for (const std::size_t n : {6u, 300u, 2400u}) {
    INFO(n << " items");
    cuda_support::host_lists<float, int> in{.scores = std::vector<float>(n),
                                            .relevance = std::vector<int>(n)};
    in.item_weights.assign(n, 1e30);
    for (std::size_t i = 0; i < n; ++i) in.scores[i] = static_cast<float>(i % 11) / 4;
    in.scores[n - 1] = 120.0f;
    in.relevance[0] = in.relevance[n - 1] = 1;
    in.item_weights[0] = 1e-10;
    cuda_support::agrees(rankloss::ranknet{}, in, ctx);
    cuda_support::agrees(rankloss::lambdarank{}, in, ctx);
    // All are solved.
    in.item_weights.clear();
    in.scores[0] = 125.0f;
    const rankloss::ranknet loss{.average = pairs::average::pairs};
    CHECK(cuda_support::on_device(loss, in, ctx).value ==
          Approx(cuda_support::on_host(loss, in).value).epsilon(2e-6).margin(0.0));
  }
}
TEST_CASE("cuda: pairwise with gaps of relevance beside scores that are far from 0") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const std::size_t n : {40u, 300u})
    for (const double offset : {0x1p53, -0x1p54}) {
      INFO(n << " items, offset " << offset);
      auto in = cuda_support::lists_of_lengths<double, int>({n}, 4);
      for (std::size_t i = 0; i < n; ++i) {
        in.scores[i] = offset + static_cast<double>(i * i % 7) * 4;
        in.relevance[i] = static_cast<int>(i % 9);
      }
      cuda_support::agrees(equally<pairs::squared_difference>{.average = pairs::average::pairs}, in, ctx);
      cuda_support::agrees(
          equally<pairs::quantile>{.function = {.tau = 0.3}, .average = pairs::average::pairs}, in, ctx);
    }
}
TEST_CASE("cuda: pairwise with infinite scores") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({20, 70}, 8);
  in.scores[1] = in.scores[5] = INFINITY;
  in.scores[30] = -INFINITY;
  cuda_support::agrees(rankloss::lambdarank{}, in, ctx);
  cuda_support::agrees(rankloss::ranknet{.average = pairs::average::pairs}, in, ctx);
}
TEST_CASE("cuda: pairwise refuses the relevance that its weight refuses") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>({20, 70}, 8);
  in.relevance[25] = -2;
  (void)cuda_support::on_device(rankloss::lambdarank{}, in, ctx);
  CHECK_THROWS_WITH(
      ctx.check(),
      "rankloss: relevance: -2 at list 1, item 5, expected at least 0; mask items without judgement");
  cuda_support::agrees(rankloss::ranknet{}, in, ctx);
}

}  // namespace cuda_pairwise_test
