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
#include <string>
#include <utility>
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

/// Pairs of items by their indices among all items.
struct order_by_pairs {
  std::vector<std::int64_t> preferred, other;
};

/// Writes an order by levels, or by pairs where there are some.
template <class T>
results<T> on_device(const plackett_luce& loss, const orders<T>& in, context& ctx, const how& h = {},
                     const order_by_pairs* pairs = nullptr) {
  const array<T> scores(in.scores);
  const array<std::uint32_t> levels(pairs == nullptr ? in.relevance : std::vector<std::uint32_t>{});
  const array<std::int64_t> preferred(pairs != nullptr ? pairs->preferred : std::vector<std::int64_t>{}),
      other(pairs != nullptr ? pairs->other : std::vector<std::int64_t>{}), offsets(in.offsets);
  const array<float> weights(in.list_weights);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(cuda_support::lists_of(in));
  const std::vector<T> filled(in.scores.size(), static_cast<T>(h.filled));
  const array<T> gradient(h.gradient ? filled : std::vector<T>{}),
      hessian(h.hessian ? filled : std::vector<T>{});
  const rankloss::cuda::partial_order_batch<T> batch{.scores = scores.view(),
                                                     .levels = levels.view(),
                                                     .preferred = preferred.view(),
                                                     .other = other.view(),
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
results<double> on_host(const plackett_luce& loss, const orders<T>& in, const partial_order& order,
                        const how& h = {}) {
  std::vector<double> scores;  // an infinite one counts as the largest number of its own type
  for (const T& s : in.scores) scores.push_back(static_cast<double>(rankloss::detail::bounded(s)));
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
results<double> on_host(const plackett_luce& loss, const orders<T>& in, const how& h = {}) {
  std::vector<std::uint64_t> ranks;
  for (const std::uint32_t level : in.relevance)
    ranks.push_back(level == partial_order::no_level ? 0 : std::uint64_t{level} + 1);
  return on_host(loss, in, partial_order::from_ranks(in.offsets, ranks, rankloss::rank_zero::unranked), h);
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

template <class T>
void agrees_by_pairs(const orders<T>& in, const order_by_pairs& pairs, context& ctx, const how& h = {},
                     double temperature = 0.7) {
  const plackett_luce loss{.temperature = temperature, .likelihood = order_likelihood::by_pairs};
  const results<T> device = on_device(loss, in, ctx, h, &pairs);
  CHECK_NOTHROW(ctx.check());
  const auto order = partial_order::from_pairs(in.offsets, pairs.preferred, pairs.other);
  // A slope is a sum of differences, of which the rounding of their largest is left.
  cuda_support::agree(in, device, on_host(loss, in, order, h), 1e-14 / temperature);
}

enum class pairing { none, chain, star, tree, drawn };

/// Pairs of each list, in the order of a random permutation of its items, some of them twice.
template <class T>
order_by_pairs pairs_of(const orders<T>& in, pairing of, unsigned seed) {
  std::mt19937 random(seed);
  order_by_pairs all;
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  for (std::size_t l = 0; l < cuda_support::lists_of(in); ++l) {
    const auto [first, n] = cuda_support::place_of(in, l);
    std::vector<std::int64_t> items(n);
    for (std::size_t i = 0; i < n; ++i) items[i] = static_cast<std::int64_t>(first + i);
    std::shuffle(items.begin(), items.end(), random);
    for (std::size_t k = 1; k < n && of != pairing::none; ++k) {
      const std::size_t better = of == pairing::chain  ? k - 1
                                 : of == pairing::star ? 0
                                 : of == pairing::tree ? (k - 1) / 2
                                                       : random() % k;
      pairs.emplace_back(items[better], items[k]);
      if (of == pairing::drawn) pairs.emplace_back(items[random() % k], items[k]);
      if (random() % 8 == 0) pairs.push_back(pairs[random() % pairs.size()]);
    }
  }
  std::shuffle(pairs.begin(), pairs.end(), random);
  for (const auto& [p, o] : pairs) {
    all.preferred.push_back(p);
    all.other.push_back(o);
  }
  return all;
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

TEST_CASE("cuda: plackett_luce by pairs of floats, at every length", "[lengths]") {
  const cuda_support::stream own;
  context ctx(own);
  const auto in = orders_of_lengths<float>(cuda_support::all_lengths(1025), shape::full, 9);
  agrees_by_pairs(in, pairs_of(in, pairing::drawn, 9), ctx);
}
TEST_CASE("cuda: plackett_luce by pairs of doubles, at every length", "[lengths]") {
  const cuda_support::stream own;
  context ctx(own);
  const auto in = orders_of_lengths<double>(cuda_support::all_lengths(513), shape::full, 9);
  agrees_by_pairs(in, pairs_of(in, pairing::drawn, 9), ctx);
  const auto long_list =
      orders_of_lengths<double>({2, 7000}, shape::full, 9);  // more pairs than a block sorts
  agrees_by_pairs(long_list, pairs_of(long_list, pairing::tree, 9), ctx);
}
TEMPLATE_TEST_CASE("cuda: plackett_luce of every kind of pairs", "", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  auto in = orders_of_lengths<TestType>({1, 2, 0, 9, 1, 70, 300}, shape::full, 10);
  for (const pairing of : {pairing::none, pairing::chain, pairing::star, pairing::tree, pairing::drawn}) {
    const order_by_pairs pairs = pairs_of(in, of, 10);
    for (const double temperature : {0.05, 1.0, 30.0}) {
      INFO("pairing " << static_cast<int>(of) << ", temperature " << temperature);
      agrees_by_pairs(in, pairs, ctx, {.filled = 7.0}, temperature);
    }
  }
  in.scores[3] = INFINITY;
  in.scores[20] = -INFINITY;
  in.scores[40] = std::numeric_limits<TestType>::max() / 2;
  agrees_by_pairs(in, pairs_of(in, pairing::drawn, 11), ctx);
}
TEST_CASE("cuda: plackett_luce by pairs without offsets, and without lists or items") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = orders_of_lengths<double>({40}, shape::full, 12);
  const order_by_pairs pairs = pairs_of(in, pairing::drawn, 12), none;
  const plackett_luce by_pairs{.likelihood = order_likelihood::by_pairs};
  const results<double> by_offsets = on_device(by_pairs, in, ctx, {}, &pairs);
  in.offsets.clear();
  const results<double> device = on_device(by_pairs, in, ctx, {}, &pairs);
  CHECK(device.value == by_offsets.value);
  CHECK(device.gradient == by_offsets.gradient);
  CHECK(on_device(by_pairs, in, ctx, {}, &none).value == 0.0);
  CHECK(on_device({}, in, ctx, {}, &none).value == 0.0);
  agrees_by_pairs(orders_of_lengths<double>({}, shape::full, 4), none, ctx);
  agrees_by_pairs(orders_of_lengths<double>({0, 0}, shape::full, 4), none, ctx);
}
TEST_CASE("cuda: plackett_luce by pairs with reductions, weights, scale and update") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto reduction :
       {rankloss::reduction::mean, rankloss::reduction::sum, rankloss::reduction::mean_of_relevant}) {
    auto in = orders_of_lengths<double>({6, 0, 12, 1, 40, 4}, shape::full, 13);
    in.reduction = reduction;
    order_by_pairs pairs = pairs_of(in, pairing::star, 13);
    for (std::size_t k = 0; k < pairs.other.size(); ++k)  // the first list has no pair, nor has the fourth
      if (pairs.other[k] < 6) pairs.preferred[k] = 60, pairs.other[k] = 61;
    agrees_by_pairs(in, pairs, ctx);
    in.list_weights = {1, 2, 0.5f, 3, 0, 4};
    agrees_by_pairs(in, pairs, ctx, {.scale = -3.0, .update = rankloss::update::add, .filled = 0.0});
  }
}
TEST_CASE("cuda: plackett_luce by pairs has the same bits in every batch, and however pairs are given") {
  const cuda_support::stream own;
  context ctx(own);
  auto all = orders_of_lengths<float>({33, 5, 260}, shape::full, 14);
  all.reduction = rankloss::reduction::sum;
  const plackett_luce by_pairs{.likelihood = order_likelihood::by_pairs};
  order_by_pairs pairs = pairs_of(all, pairing::drawn, 14);
  const results<float> together = on_device(by_pairs, all, ctx, {}, &pairs);
  CHECK(on_device(by_pairs, all, ctx, {.hessian = false}, &pairs).gradient == together.gradient);
  CHECK(on_device(by_pairs, all, ctx, {.gradient = false}, &pairs).hessian == together.hessian);
  CHECK(on_device(by_pairs, all, ctx, {.gradient = false, .hessian = false}, &pairs).value == together.value);
  for (std::size_t l = 0; l < 3; ++l) {
    const auto [first, size] = cuda_support::place_of(all, l);
    orders<float> one{cuda_support::part_of(all.scores, first, size),
                      cuda_support::part_of(all.relevance, first, size)};
    one.reduction = all.reduction;
    one.longest = size;
    order_by_pairs its;
    for (std::size_t k = pairs.other.size(); k-- > 0;) {
      const auto from = static_cast<std::int64_t>(first);
      if (pairs.other[k] < from || pairs.other[k] >= from + static_cast<std::int64_t>(size)) continue;
      its.preferred.push_back(pairs.preferred[k] - from);
      its.other.push_back(pairs.other[k] - from);
    }
    const results<float> alone = on_device(by_pairs, one, ctx, {}, &its);
    CHECK(alone.value == together.per_list[l]);
    CHECK(alone.gradient == cuda_support::part_of(together.gradient, first, size));
    CHECK(alone.hessian == cuda_support::part_of(together.hessian, first, size));
  }
}
TEST_CASE("cuda: plackett_luce refuses bad pairs") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = orders_of_lengths<double>({6, 0, 12, 300}, shape::full, 15);
  const plackett_luce by_pairs{.likelihood = order_likelihood::by_pairs};
  const auto refuses = [&](order_by_pairs pairs, std::size_t at, std::int64_t p, std::int64_t o,
                           const std::string& what) {
    pairs.preferred[at] = p;
    pairs.other[at] = o;
    CHECK(std::isnan(on_device(by_pairs, in, ctx, {}, &pairs).value));
    CHECK_THROWS_WITH(ctx.check(), "rankloss: " + what);
  };
  order_by_pairs pairs = pairs_of(in, pairing::chain, 15);
  refuses(pairs, 20, -1, 3,
          "preferred: -1 at pair 20, expected an item from 0 to below 318 (the number of items)");
  refuses(pairs, 20, 3, 318,
          "other: 318 at pair 20, expected an item from 0 to below 318 (the number of items)");
  refuses(pairs, 30, 7, 7, "other: 7 at pair 30, expected an item other than the preferred one");
  refuses(pairs, 30, 17, 18, "other: 18 at pair 30, expected an item of list 2 like the preferred one");
  refuses(pairs, 30, 6, 5, "other: 5 at pair 30, expected an item of list 2 like the preferred one");

  // Cycles: in a list of a warp, and in one of a block, where a way from better items leads in and one leads
  // out.
  order_by_pairs few{{6, 7, 8, 9, 10, 8}, {7, 8, 9, 7, 6, 11}};
  refuses(few, 5, 8, 11, "pairs: list 2 has a cycle of 3 items through item 7, expected none");
  CHECK_THROWS_WITH(partial_order::from_pairs(in.offsets, few.preferred, few.other),
                    "rankloss: pairs: list 2 has the cycle 7 > 8 > 9 > 7, expected none");
  few = {{6, 7, 8, 9, 10}, {7, 8, 9, 10, 6}};
  refuses(few, 0, 6, 7, "pairs: list 2 has a cycle of 5 items through item 6, expected none");
  few = {{100, 99, 200, 98}, {99, 98, 100, 200}};
  for (std::int64_t i = 201; i < 318; ++i) few.preferred.push_back(99), few.other.push_back(i);
  refuses(few, 0, 100, 99, "pairs: list 3 has a cycle of 4 items through item 98, expected none");
  few.other[3] = 201;  // now there is none
  CHECK(std::isfinite(on_device(by_pairs, in, ctx, {}, &few).value));
  CHECK_NOTHROW(ctx.check());
  few = {{1, 2}, {2, 1}};
  refuses(few, 0, 1, 2, "pairs: list 0 has a cycle of 2 items through item 1, expected none");
  ctx.checks = rankloss::data_checks::off;  // indices are looked at still, and cycles are not
  CHECK(std::isfinite(on_device(by_pairs, in, ctx, {}, &few).value));
  CHECK_NOTHROW(ctx.check());
  refuses(few, 0, 1, 318, "other: 318 at pair 0, expected an item from 0 to below 318 (the number of items)");
  ctx.checks = rankloss::data_checks::on;

  in.offsets = {0, 12, 6, 18, 318};  // offsets are reported before pairs
  refuses(pairs, 20, -1, 3, "offsets: 6 at 2 after 12, expected them to rise");
  in.offsets = {0, 6, 6, 18, 318};
  in.longest = 7;
  refuses(pairs, 20, pairs.preferred[20], pairs.other[20], "longest: 7, but list 2 has 12 items");
  in.longest = 0;
  in.scores[7] = NAN;
  const results<double> device = on_device(by_pairs, in, ctx, {}, &pairs);
  CHECK(std::isnan(device.value));
  CHECK(std::isnan(device.hessian[17]));
  CHECK_FALSE(std::isnan(device.gradient[3]));
  CHECK_THROWS_WITH(ctx.check(), "rankloss: scores: nan at list 2, item 1, expected a number");
  CHECK_THROWS_WITH(on_device({}, in, ctx, {}, &pairs),
                    "rankloss: likelihood: exact, expected by_pairs for an order by pairs on a device");
  pairs.other.pop_back();
  CHECK_THROWS_WITH(on_device(by_pairs, in, ctx, {}, &pairs), Catch::StartsWith("rankloss: other: size "));
}

}  // namespace cuda_plackett_luce_test
