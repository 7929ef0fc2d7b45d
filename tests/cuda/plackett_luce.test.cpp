// SPDX-License-Identifier: BSL-1.0
#include <rankloss/plackett_luce.hpp>

#include "cuda/plackett_luce.hpp"
#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <vector>

namespace cuda_plackett_luce_test {

using cuda_support::array;
using cuda_support::how;
using cuda_support::results;
using rankloss::order_likelihood;
using rankloss::partial_order;
using rankloss::plackett_luce;
using rankloss::cuda::context;

namespace {

/// Lists by their offsets, whose relevance is the level of each item.
template <class T>
using orders = cuda_support::host_lists<T, std::uint32_t>;

template <class T>
results<T> on_device(const plackett_luce& loss, const orders<T>& in, context& ctx, const how& h = {}) {
  const array<T> scores(in.scores);
  const array<std::uint32_t> levels(in.relevance);
  const array<std::int64_t> offsets(in.offsets);
  const array<float> weights(in.list_weights);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(cuda_support::lists_of(in));
  const std::vector<T> filled(in.scores.size(), static_cast<T>(h.filled));
  const array<T> gradient(h.gradient ? filled : std::vector<T>{}),
      hessian(h.hessian ? filled : std::vector<T>{});
  const rankloss::cuda::partial_order_batch<T> batch{.scores = scores.view(),
                                                     .levels = levels.view(),
                                                     .offsets = offsets.view(),
                                                     .list_weights = weights.view(),
                                                     .reduction = in.reduction,
                                                     .longest = in.longest};
  ctx.reserve(cuda_support::scratch_of_orders(loss, batch));
  cuda_support::orders_on_device(loss, batch,
                                 rankloss::cuda::outputs<T>{.value = value.view(),
                                                            .gradient = gradient.view(),
                                                            .per_list = per_list.view(),
                                                            .hessian = hessian.view(),
                                                            .scale = h.scale,
                                                            .update = h.update},
                                 ctx);
  return {value.host()[0], gradient.host(), per_list.host(), hessian.host()};
}

template <class T>
results<double> on_host(const plackett_luce& loss, const orders<T>& in, const how& h = {}) {
  std::vector<double> scores;  // an infinite one counts as the largest number of its own type
  for (const T& s : in.scores) scores.push_back(static_cast<double>(rankloss::detail::bounded(s)));
  std::vector<std::uint64_t> ranks;
  for (const std::uint32_t level : in.relevance)
    ranks.push_back(level == partial_order::no_level ? 0 : std::uint64_t{level} + 1);
  const auto order = partial_order::from_ranks(in.offsets, ranks, rankloss::rank_zero::unranked);
  results<double> out{0.0, std::vector<double>(scores.size(), h.filled),
                      std::vector<double>(cuda_support::lists_of(in)),
                      std::vector<double>(scores.size(), h.filled)};
  out.value = rankloss::evaluate(
      loss,
      rankloss::partial_order_batch<double>{
          .scores = scores, .order = order, .list_weights = in.list_weights, .reduction = in.reduction},
      {.gradient = out.gradient,
       .per_list = out.per_list,
       .hessian = out.hessian,
       .scale = h.scale,
       .update = h.update});
  return out;
}

template <class T>
void agrees(const plackett_luce& loss, const orders<T>& in, context& ctx, const how& h = {}) {
  const results<T> device = on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  // Where all choices are certain, what is left of a derivative is the rounding of 1 - 1. A curvature is a difference
  // of squares of what a level pulls, which is up to the number of its items, and of a sum over all levels.
  std::map<std::uint32_t, double> sizes;
  double largest = 1.0, longest = 1.0;
  for (std::size_t l = 0; l < cuda_support::lists_of(in); ++l, sizes.clear()) {
    const auto [first, size] = cuda_support::place_of(in, l);
    longest = std::max(longest, static_cast<double>(size));
    for (std::size_t i = first; i < first + size; ++i)
      largest = std::max(largest, sizes[in.relevance[i]] += 1.0);
  }
  const double t = loss.temperature;
  cuda_support::agree(in, device, on_host(loss, in, h), 1e-16 / t,
                      1e-15 * (largest * largest + longest) / t / t);
}

enum class shape { full, graded, top, pairs, unranked };

/// Lists of the given lengths with an order each.
template <class T>
orders<T> orders_of_lengths(const std::vector<std::size_t>& lengths, shape of, unsigned seed) {
  orders<T> in = cuda_support::lists_of_lengths<T, std::uint32_t>(lengths, seed);
  std::mt19937 random(seed);
  for (std::size_t l = 0; l < lengths.size(); ++l) {
    const auto first = in.relevance.begin() + in.offsets[l], last = in.relevance.begin() + in.offsets[l + 1];
    std::uint32_t next = 0;
    for (auto level = first; level != last; ++level, ++next)
      *level = of == shape::full     ? next
               : of == shape::graded ? static_cast<std::uint32_t>(random() % 5 * 3)
               : of == shape::top    ? std::min(next, 3u)
               : of == shape::pairs  ? next / 2
               : random() % 3 == 0   ? partial_order::no_level
                                     : static_cast<std::uint32_t>(random() % 4);
    std::shuffle(first, last, random);
  }
  return in;
}

}  // namespace

TEST_CASE("cuda: plackett_luce of floats, at every length", "[lengths]") {
  const cuda_support::stream own;
  context ctx(own);
  agrees({.temperature = 0.7}, orders_of_lengths<float>(cuda_support::all_lengths(257), shape::graded, 1),
         ctx);
  agrees({.temperature = 0.7}, orders_of_lengths<float>(cuda_support::all_lengths(1025), shape::full, 1),
         ctx);
}
TEST_CASE("cuda: plackett_luce of doubles, at every length", "[lengths]") {
  const cuda_support::stream own;
  context ctx(own);
  agrees({.temperature = 0.7}, orders_of_lengths<double>(cuda_support::all_lengths(129), shape::unranked, 1),
         ctx);
  agrees({.temperature = 0.7}, orders_of_lengths<double>(cuda_support::all_lengths(513), shape::top, 1), ctx);
}
TEMPLATE_TEST_CASE("cuda: plackett_luce of long lists", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  const std::vector<std::size_t> lengths{1300, 2, 700};
  for (const shape of : {shape::full, shape::graded, shape::top}) {
    INFO("shape " << static_cast<int>(of));
    agrees({.temperature = 2.0}, orders_of_lengths<TestType>(lengths, of, 2), ctx);
  }
  agrees({.temperature = 2.0, .likelihood = order_likelihood::by_pairs},
         orders_of_lengths<TestType>({2400}, shape::top, 2), ctx);
}

TEMPLATE_TEST_CASE("cuda: plackett_luce of every kind of order", "", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  for (const shape of : {shape::full, shape::graded, shape::top, shape::pairs, shape::unranked})
    for (const double temperature : {0.05, 1.0, 30.0}) {
      INFO("shape " << static_cast<int>(of) << ", temperature " << temperature);
      const auto in = orders_of_lengths<TestType>({1, 2, 0, 9, 1, 34}, of, 3);
      agrees({.temperature = temperature}, in, ctx, {.filled = 7.0});
      agrees({.temperature = temperature, .likelihood = order_likelihood::by_pairs}, in, ctx);
    }
  agrees({}, orders_of_lengths<TestType>({262}, shape::graded, 3), ctx);
}
TEST_CASE("cuda: plackett_luce without offsets, and without lists or items") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto likelihood : {order_likelihood::exact, order_likelihood::by_pairs}) {
    auto in = orders_of_lengths<double>({20}, shape::graded, 4);
    const results<double> by_offsets = on_device({.likelihood = likelihood}, in, ctx);
    in.offsets.clear();
    const results<double> device = on_device({.likelihood = likelihood}, in, ctx);
    CHECK(device.value == by_offsets.value);
    CHECK(device.gradient == by_offsets.gradient);
    agrees({.likelihood = likelihood}, orders_of_lengths<double>({}, shape::full, 4), ctx);
    agrees({.likelihood = likelihood}, orders_of_lengths<double>({0, 0}, shape::full, 4), ctx);
  }
}
TEST_CASE("cuda: plackett_luce with reductions, weights, scale and update") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto likelihood : {order_likelihood::exact, order_likelihood::by_pairs})
    for (const auto reduction :
         {rankloss::reduction::mean, rankloss::reduction::sum, rankloss::reduction::mean_of_relevant}) {
      auto in = orders_of_lengths<double>({6, 0, 12, 1, 30, 4}, shape::graded, 5);
      in.reduction = reduction;
      std::fill_n(in.relevance.begin(), 5, 4u);  // a list without a pair, as its other item has no level
      in.relevance[5] = partial_order::no_level;
      agrees({.likelihood = likelihood}, in, ctx);
      in.list_weights = {1, 2, 0.5f, 3, 0, 4};
      agrees({.likelihood = likelihood}, in, ctx,
             {.scale = -3.0, .update = rankloss::update::add, .filled = 0.0});
    }
}
TEST_CASE("cuda: plackett_luce of scores that are far apart or infinite") {
  const cuda_support::stream own;
  context ctx(own);
  for (const shape of : {shape::full, shape::graded, shape::top}) {
    auto in = orders_of_lengths<double>({30, 60}, of, 6);
    for (std::size_t i = 0; i < in.scores.size(); i += 3) in.scores[i] *= 1e3;
    agrees({}, in, ctx);
    in.scores[2] = 1e200;
    in.scores[40] = -1e200;
    agrees({}, in, ctx);
    in.scores[5] = INFINITY;
    in.scores[50] = -INFINITY;
    const results<double> device = on_device({}, in, ctx);
    CHECK_NOTHROW(ctx.check());
    for (const double g : device.gradient) CHECK(std::isfinite(g));
    for (const double h : device.hessian) CHECK(std::isfinite(h));
  }
}
TEST_CASE("cuda: plackett_luce has the same bits in every batch, and for each output alone") {
  const cuda_support::stream own;
  context ctx(own);
  auto all = orders_of_lengths<float>({33, 5, 260}, shape::graded, 7);
  all.reduction = rankloss::reduction::sum;
  const results<float> together = on_device({}, all, ctx);
  CHECK(on_device({}, all, ctx, {.hessian = false}).gradient == together.gradient);
  CHECK(on_device({}, all, ctx, {.gradient = false}).hessian == together.hessian);
  for (std::size_t l = 0; l < 3; ++l) {
    const auto [first, size] = cuda_support::place_of(all, l);
    orders<float> one{cuda_support::part_of(all.scores, first, size),
                      cuda_support::part_of(all.relevance, first, size)};
    one.reduction = all.reduction;
    one.longest = size;
    const results<float> alone = on_device({}, one, ctx);
    CHECK(alone.value == together.per_list[l]);
    CHECK(alone.gradient == cuda_support::part_of(together.gradient, first, size));
    CHECK(alone.hessian == cuda_support::part_of(together.hessian, first, size));
  }
}
TEST_CASE("cuda: plackett_luce refuses bad numbers, offsets and sizes") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = orders_of_lengths<double>({6, 0, 12}, shape::graded, 8);
  in.scores[9] = NAN;
  const results<double> device = on_device({}, in, ctx);
  CHECK(std::isnan(device.value));
  CHECK(std::isnan(device.gradient[9]));
  CHECK(std::isnan(device.hessian[17]));
  CHECK_FALSE(std::isnan(device.hessian[3]));
  CHECK_THROWS_WITH(ctx.check(), "rankloss: scores: nan at list 2, item 3, expected a number");
  in.relevance[9] = partial_order::no_level;
  CHECK(std::isfinite(on_device({}, in, ctx).value));
  CHECK_NOTHROW(ctx.check());
  for (const std::int64_t last : {17, 19, -1}) {
    in.offsets[3] = last;
    CHECK(std::isnan(on_device({}, in, ctx).value));
    CHECK_THROWS(ctx.check());
  }
  in.offsets = {0, 12, 6, 18};
  CHECK(std::isnan(on_device({}, in, ctx).value));
  CHECK_THROWS_WITH(ctx.check(), "rankloss: offsets: 6 at 2 after 12, expected them to rise");
  in.offsets = {0, 6, 18};
  in.longest = 7;
  (void)on_device({}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(), "rankloss: longest: 7, but list 1 has 12 items");
  in.relevance.pop_back();
  CHECK_THROWS_WITH(on_device({}, in, ctx), "rankloss: levels: size 17, expected 18 (one per score)");
  in.relevance.push_back(0);
  CHECK_THROWS_WITH(on_device({.temperature = -1.0}, in, ctx),
                    Catch::StartsWith("rankloss: temperature: -1, expected"));
}

}  // namespace cuda_plackett_luce_test
