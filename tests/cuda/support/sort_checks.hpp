// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/sorts/sort.hpp>

#include "cuda/support/device.hpp"
#include "cuda/support/list_checks.hpp"
#include "cuda/support/odd_lists.hpp"
#include "cuda/support/sorts_on_device.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

/// What soft sorts on the device are held to: to write what they write on the CPU, for each list of a batch.
namespace cuda_support {

/// Lists of scores and what a sort is multiplied by, in the memory of the host.
template <class T>
struct host_sorts {
  host_lists<T, int> lists;
  std::vector<T> values, cotangent;
};

template <class T>
[[nodiscard]] host_sorts<T> sorts_of_lengths(const std::vector<std::size_t>& lengths, unsigned seed,
                                             double spread = 1.0) {
  host_sorts<T> in{lists_of_lengths<T, int>(lengths, seed, spread), {}, {}};
  std::mt19937 random(seed + 1);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < in.lists.scores.size(); ++i) {
    in.values.push_back(static_cast<T>(normal(random)));
    in.cotangent.push_back(random() % 5 == 0 ? T{0} : static_cast<T>(normal(random)));
  }
  return in;
}

[[nodiscard]] inline host_sorts<float> odd_sorts(std::size_t lists, double temperature, std::uint32_t seed) {
  odd_numbers random(seed);
  host_sorts<float> in{odd_lists(lists, temperature, random), {}, {}};
  put_odd_numbers(in.lists, in.values, random);
  put_odd_numbers(in.lists, in.cotangent, random);
  return in;
}

inline constexpr sort_product all_products[] = {sort_product::apply, sort_product::transposed,
                                                sort_product::pullback};

/// What the device writes over sevens.
template <class Sort, class T>
[[nodiscard]] std::vector<T> on_device(const Sort& how, sort_product what, const host_sorts<T>& in,
                                       rankloss::cuda::context& ctx) {
  const device_lists<T, int> lists(in.lists);
  const array<T> values(in.values), cotangent(in.cotangent);
  const array<T> out(std::vector<T>(in.lists.scores.size(), T{7}));
  const auto& batch = lists.batch;
  sort_on_device<Sort, T>(how, what,
                          {.scores = batch.scores,
                           .offsets = batch.offsets,
                           .length = batch.length,
                           .stride = batch.stride,
                           .lengths = batch.lengths,
                           .mask = batch.mask,
                           .longest = batch.longest},
                          values.view(), cotangent.view(), out.view(), ctx);
  return out.host();
}

/// The same on the CPU, list by list and in double.
template <class Sort, class T>
[[nodiscard]] std::vector<double> on_host(const Sort& how, sort_product what, const host_sorts<T>& in) {
  std::vector<double> out(in.lists.scores.size(), 7.0);
  for (std::size_t l = 0; l < lists_of(in.lists); ++l) {
    const auto [first, size] = place_of(in.lists, l);
    const std::size_t count = in.lists.lengths.empty() ? size : in.lists.lengths[l];
    std::vector<std::size_t> kept;
    std::vector<double> scores, values, cotangent;
    for (std::size_t i = first; i < first + size; ++i) {
      out[i] = 0.0;
      if (i >= first + count || (!in.lists.mask.empty() && in.lists.mask[i] == 0)) continue;
      kept.push_back(i);
      scores.push_back(static_cast<double>(in.lists.scores[i]));
      values.push_back(static_cast<double>(in.values[i]));
      cotangent.push_back(static_cast<double>(in.cotangent[i]));
    }
    std::vector<double> computed(kept.size());
    if (what == sort_product::apply) rankloss::sort_apply(how, scores, values, computed);
    if (what == sort_product::transposed) rankloss::sort_apply_transposed(how, scores, values, computed);
    if (what == sort_product::pullback) rankloss::sort_pullback(how, scores, values, cotangent, computed);
    for (std::size_t k = 0; k < kept.size(); ++k) out[kept[k]] = computed[k];
  }
  return out;
}

/// Each list's numbers are those of the CPU, relative to the largest of the list.
template <class Sort, class T>
void agrees(const Sort& how, const host_sorts<T>& in, rankloss::cuda::context& ctx,
            const std::vector<sort_product>& products = {std::begin(all_products), std::end(all_products)}) {
  for (const sort_product what : products) {
    const std::vector<T> device = on_device(how, what, in, ctx);
    CHECK_NOTHROW(ctx.check());
    const std::vector<double> host = on_host(how, what, in);
    for (std::size_t l = 0; l < lists_of(in.lists); ++l) {
      const auto [first, size] = place_of(in.lists, l);
      double largest = 0.0, error = 0.0;
      for (std::size_t i = first; i < first + size; ++i) {
        const double x = static_cast<double>(device[i]);
        largest = std::max(largest, std::abs(host[i]));
        error =
            std::isfinite(x) && std::isfinite(host[i]) ? std::max(error, std::abs(x - host[i])) : INFINITY;
      }
      INFO("product " << static_cast<int>(what) << ", list " << l << " of " << size << " items: largest "
                      << largest << ", error " << error);
      CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
    }
  }
}

template <class Sort, class T>
void sort_agrees_at_every_length(const Sort& how, std::size_t longest = 4097) {
  const stream own;
  rankloss::cuda::context ctx(own);
  agrees(how, sorts_of_lengths<T>(all_lengths(longest), 1), ctx);
}

/// Everything that the frame promises, for a sort and its products.
template <class Sort, class T>
void keeps_the_promises_of_sorts(const Sort& how, std::size_t longest = 1300) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::mt19937 random(7);

  SECTION("one list without offsets, no list, and none but empty ones") {
    auto in = sorts_of_lengths<T>({300}, 2);
    in.lists.offsets.clear();
    agrees(how, in, ctx);
    agrees(how, sorts_of_lengths<T>({}, 3), ctx);
    agrees(how, sorts_of_lengths<T>({0, 0, 0}, 3), ctx);
    agrees(how, host_sorts<T>{}, ctx);
  }
  SECTION("dense, with stride, lengths and mask") {
    for (const std::size_t length : {5, 64, 257}) {
      const std::size_t stride = length == 64 ? 0 : length + 3;
      auto in = sorts_of_lengths<T>({(stride > 0 ? stride : length) * 3 + length}, 5);
      in.lists.offsets.clear();
      in.lists.length = length;
      in.lists.stride = stride;
      INFO("length " << length << ", stride " << stride);
      const std::vector<T> whole = on_device(how, sort_product::apply, in, ctx);
      for (std::size_t i = 0; i < whole.size(); ++i)  // what is between lists is left as it is
        if (stride > 0 && i % stride >= length) CHECK(whole[i] == T{7});
      in.lists.lengths = {0, static_cast<std::uint32_t>(length), 3, 1};
      agrees(how, in, ctx);
      for (std::size_t i = 0; i < in.lists.scores.size(); ++i) {
        in.lists.mask.push_back(random() % 3 > 0 ? 2 : 0);
        if (in.lists.mask.back() != 0) continue;
        in.lists.scores[i] = static_cast<T>(NAN);
        in.values[i] = in.cotangent[i] = static_cast<T>(INFINITY);
      }
      agrees(how, in, ctx);
    }
  }
  SECTION("a list has the same bits in every batch") {
    const std::vector<std::size_t> lengths{5, 32, 33, 256, 257, longest};
    const auto all = sorts_of_lengths<T>(lengths, 6);
    for (const sort_product what : all_products) {
      const std::vector<T> together = on_device(how, what, all, ctx);
      for (std::size_t l = 0; l < lengths.size(); ++l) {
        const auto [first, size] = place_of(all.lists, l);
        const auto part = [first = first, size = size](const auto& whole) {
          const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(first);
          return std::vector(begin, begin + static_cast<std::ptrdiff_t>(size));
        };
        host_sorts<T> one{{.scores = part(all.lists.scores), .relevance = std::vector<int>(size)},
                          part(all.values),
                          part(all.cotangent)};
        CHECK(on_device(how, what, one, ctx) == part(together));
        one.lists.longest = size;
        CHECK(on_device(how, what, one, ctx) == part(together));
      }
    }
  }
  SECTION("infinite scores, all scores equal, and scores at the ends of the type") {
    auto in = sorts_of_lengths<T>({4, 40, 33, 20, 40}, 8);
    auto& s = in.lists.scores;
    s[1] = static_cast<T>(-INFINITY);
    s[10] = s[20] = static_cast<T>(INFINITY);
    s[30] = s[31] = static_cast<T>(-INFINITY);
    std::fill(s.begin() + 44, s.begin() + 77, T{-3});
    for (std::size_t i = 77; i < 97; ++i)
      s[i] = (i % 3 == 0 ? -1 : 1) * std::numeric_limits<T>::max() / static_cast<T>(1 + i % 4);
    for (std::size_t i = 97; i < 137; ++i)
      s[i] = (i % 3 == 0 ? -1 : 1) * std::numeric_limits<T>::denorm_min() * static_cast<T>(i % 4);
    for (const sort_product what : all_products) {
      const std::vector<T> device = on_device(how, what, in, ctx);
      for (const T x : device) CHECK(std::isfinite(x));
      // A float's infinity counts as the largest float, a double's as the largest double; and gradients of lists
      // whose scores are all alike or all apart may be nothing but rounding errors.
      if (sizeof(T) != sizeof(double) || what == sort_product::pullback) continue;
      const std::vector<double> host = on_host(how, what, in);
      for (std::size_t i = 0; i < device.size(); ++i)
        CHECK(static_cast<double>(device[i]) == Approx(host[i]).epsilon(1e-12).margin(1e-13));
    }
    CHECK_NOTHROW(ctx.check());
  }
  if constexpr (std::same_as<T, double>) SECTION("products with numbers near the largest double") {
      auto in = sorts_of_lengths<double>({1, 7, 40, 100}, 11);
      for (double& x : in.values) x *= 0x1p1020;
      agrees(how, in, ctx);
      in = sorts_of_lengths<double>({7, 100}, 12);
      for (double& x : in.cotangent) x *= 0x1p1020;
      agrees(how, in, ctx);
    }
  SECTION("bad numbers are told, and their lists are NaN") {
    auto in = sorts_of_lengths<T>({3, 50, 70}, 9);
    in.values[10] = static_cast<T>(NAN);
    in.cotangent[9] = static_cast<T>(NAN);
    in.cotangent[60] = static_cast<T>(INFINITY);
    const std::vector<T> out = on_device(how, sort_product::apply, in, ctx);
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(std::isnan(out[i]) == (i >= 3 && i < 53));
    CHECK_THROWS_WITH(ctx.check(), "rankloss: values: nan at list 1, item 7, expected a finite number");
    in.values[10] = in.cotangent[9] = T{1};
    (void)on_device(how, sort_product::transposed, in, ctx);
    CHECK_NOTHROW(ctx.check());
    (void)on_device(how, sort_product::pullback, in, ctx);
    CHECK_THROWS_WITH(ctx.check(), "rankloss: cotangent: inf at list 2, item 7, expected a finite number");
    in.lists.scores[4] = static_cast<T>(NAN);
    (void)on_device(how, sort_product::transposed, in, ctx);
    CHECK_THROWS_WITH(ctx.check(), "rankloss: scores: nan at list 1, item 1, expected a number");
    in.lists.offsets.back() -= 1;
    CHECK(on_device(how, sort_product::apply, in, ctx) == std::vector<T>(in.lists.scores.size(), T{7}));
    CHECK_THROWS_WITH(ctx.check(), Catch::Matchers::Contains("offsets: last is 122, expected 123"));
  }
  SECTION("sizes and options are refused before anything is queued") {
    auto in = sorts_of_lengths<T>({3}, 9);
    in.lists.mask = {1};
    CHECK_THROWS_WITH(on_device(how, sort_product::apply, in, ctx),
                      "rankloss: mask: size 1, expected 3 (one per score)");
    in.lists.mask.clear();
    in.cotangent.pop_back();
    CHECK_NOTHROW(on_device(how, sort_product::apply, in, ctx));
    CHECK_THROWS_WITH(on_device(how, sort_product::pullback, in, ctx),
                      "rankloss: cotangent: size 2, expected 3 (one per score)");
    in.values.pop_back();
    CHECK_THROWS_WITH(on_device(how, sort_product::transposed, in, ctx),
                      "rankloss: values: size 2, expected 3 (one per score)");
    if constexpr (requires { how.temperature; }) {
      Sort cold = how;
      cold.temperature = -1.0;
      CHECK_THROWS_WITH(on_device(cold, sort_product::apply, sorts_of_lengths<T>({3}, 9), ctx),
                        Catch::Matchers::Contains("temperature: -1"));
    }
  }
  SECTION("scratch is what is said") {
    const auto in = sorts_of_lengths<T>({3, 300, 20}, 9);
    const device_lists<T, int> lists(in.lists);
    counted_memory memory;
    rankloss::cuda::context counted(own, memory.resource());
    counted.reserve(sort_scratch_bytes<Sort, T>(
        how, {.scores = lists.batch.scores, .offsets = lists.batch.offsets, .longest = 300}));
    const std::size_t allocations = memory.allocations;
    auto bounded = in;
    bounded.lists.longest = 300;
    (void)on_device(how, sort_product::pullback, bounded, counted);
    CHECK(memory.allocations == allocations);
  }
}

/// The same for lists that the whole grid computes, of some n items. `equal`: so many scores are the same,
/// where the time of the sort grows with their square.
template <class Sort, class T>
void keeps_the_promises_of_long_sorts(const Sort& how, std::size_t n, std::size_t equal) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::mt19937 random(17);

  SECTION("beside others, with the same bits as alone") {
    const auto in = sorts_of_lengths<T>({3, n + 450, 0, n, 300}, 9);
    agrees(how, in, ctx);
    const auto [first, size] = place_of(in.lists, 3);
    host_sorts<T> one{{.scores = part_of(in.lists.scores, first, size), .relevance = std::vector<int>(size)},
                      part_of(in.values, first, size),
                      part_of(in.cotangent, first, size)};
    for (const sort_product what : all_products) {
      const std::vector<T> together = on_device(how, what, in, ctx);
      one.lists.longest = what == sort_product::apply ? 0 : size;
      CHECK(on_device(how, what, one, ctx) == part_of(together, first, size));
    }
  }
  SECTION("dense, with stride, lengths and a mask, which may leave few items or none") {
    auto in = sorts_of_lengths<T>({3 * (n + 40) + n + 9}, 5);
    in.lists.offsets.clear();
    in.lists.length = n + 9;
    in.lists.stride = n + 40;
    in.lists.lengths = {static_cast<std::uint32_t>(n), 30, static_cast<std::uint32_t>(n + 9),
                        static_cast<std::uint32_t>(n)};
    for (std::size_t i = 0; i < in.lists.scores.size(); ++i) {
      const bool few = i >= 2 * in.lists.stride && i < 3 * in.lists.stride;
      const bool none = i >= 3 * in.lists.stride;
      in.lists.mask.push_back(!none && random() % (few ? 900 : 5) > (few ? 898 : 0) ? 1 : 0);
      if (few) in.lists.scores[i] *= static_cast<T>(0.01);  // so near that a gradient is left
      if (in.lists.mask.back() != 0) continue;
      in.lists.scores[i] = static_cast<T>(NAN);
      in.values[i] = in.cotangent[i] = static_cast<T>(INFINITY);
    }
    agrees(how, in, ctx);
  }
  SECTION("ties, many scores equal, infinite scores and outliers") {
    auto in = sorts_of_lengths<T>({n, n}, 8);
    auto& s = in.lists.scores;
    for (std::size_t i = 0; i < n; ++i) s[i] = std::round(T{200} * s[i]) * T(0.0050319);
    for (std::size_t i = n; i < n + equal; ++i) s[i] = T{-3};
    for (std::size_t i = n; i < 2 * n; i += 700) s[i] = static_cast<T>(i % 1400 == 0 ? 1e6 : -1e6);
    for (T& v : in.values) v += T{1};  // a mean of values about 0 may be nothing but rounding errors
    agrees(how, in, ctx);
    for (std::size_t i = n; i < 2 * n; i += 500) s[i] = static_cast<T>(i % 1000 == 0 ? INFINITY : -INFINITY);
    for (const sort_product what : all_products)
      for (const T x : on_device(how, what, in, ctx)) CHECK(std::isfinite(x));
    CHECK_NOTHROW(ctx.check());
  }
  if constexpr (std::same_as<T, double>) SECTION("products with numbers near the largest double") {
      auto in = sorts_of_lengths<double>({n}, 11);
      for (double& x : in.values) x *= 0x1p1000;
      agrees(how, in, ctx);
      in = sorts_of_lengths<double>({n}, 12);
      for (double& x : in.cotangent) x *= 0x1p1000;
      agrees(how, in, ctx, {sort_product::pullback});
    }
  SECTION("bad numbers are told, and their lists are NaN") {
    auto in = sorts_of_lengths<T>({3, n, 300}, 9);
    in.values[4010] = static_cast<T>(NAN);
    const std::vector<T> out = on_device(how, sort_product::apply, in, ctx);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < out.size(); ++i) wrong += std::isnan(out[i]) != (i >= 3 && i < 3 + n);
    CHECK(wrong == 0);
    CHECK_THROWS_WITH(ctx.check(), "rankloss: values: nan at list 1, item 4007, expected a finite number");
    in.values[4010] = T{1};
    in.cotangent[3003] = static_cast<T>(INFINITY);
    CHECK(std::isnan(on_device(how, sort_product::pullback, in, ctx)[5]));
    CHECK_THROWS_WITH(ctx.check(), "rankloss: cotangent: inf at list 1, item 3000, expected a finite number");
    CHECK_FALSE(std::isnan(on_device(how, sort_product::transposed, in, ctx)[5]));
    CHECK_NOTHROW(ctx.check());
  }
  SECTION("scratch is what is said") {
    const auto in = sorts_of_lengths<T>({3, n, 20}, 9);
    const device_lists<T, int> lists(in.lists);
    counted_memory memory;
    rankloss::cuda::context counted(own, memory.resource());
    counted.reserve(
        sort_scratch_bytes<Sort, T>(how, {.scores = lists.batch.scores, .offsets = lists.batch.offsets}));
    const std::size_t allocations = memory.allocations;
    (void)on_device(how, sort_product::pullback, in, counted);
    CHECK(memory.allocations == allocations);
  }
}

}  // namespace cuda_support
