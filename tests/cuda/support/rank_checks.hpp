// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/sorts/projected_sort.hpp>

#include "cuda/support/device.hpp"
#include "cuda/support/list_checks.hpp"
#include "cuda/support/odd_lists.hpp"
#include "cuda/support/ranks_on_device.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

/// What ranks on the device are held to: to write what they write on the CPU, for each list of a batch.
namespace cuda_support {

/// Lists of scores, and what a product with the Jacobian is given, in the memory of the host.
template <class T>
struct host_scores {
  host_lists<T, int> lists;
  std::vector<T> input;  ///< cotangent or tangent
};

template <class T>
[[nodiscard]] host_scores<T> scores_of_lengths(const std::vector<std::size_t>& lengths, unsigned seed,
                                               double spread = 1.0) {
  host_scores<T> in{lists_of_lengths<T, int>(lengths, seed, spread), {}};
  std::mt19937 random(seed + 1);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < in.lists.scores.size(); ++i)
    in.input.push_back(random() % 5 == 0 ? T{0} : static_cast<T>(normal(random)));
  return in;
}

[[nodiscard]] inline host_scores<float> odd_scores(std::size_t lists, double temperature,
                                                   std::uint32_t seed) {
  odd_numbers random(seed);
  host_scores<float> in{odd_lists(lists, temperature, random), {}};
  put_odd_numbers(in.lists, in.input, random);
  return in;
}

template <class Ranks, class T>
[[nodiscard]] std::vector<T> on_device(const Ranks& how, asked what, const host_scores<T>& in,
                                       rankloss::cuda::context& ctx) {
  const device_lists<T, int> lists(in.lists);
  const array<T> input(in.input);
  const array<T> out(std::vector<T>(in.lists.scores.size(), T{7}));
  const auto& batch = lists.batch;
  ranks_on_device<Ranks, T>(how, what,
                            {.scores = batch.scores,
                             .offsets = batch.offsets,
                             .length = batch.length,
                             .stride = batch.stride,
                             .lengths = batch.lengths,
                             .mask = batch.mask,
                             .longest = batch.longest},
                            input.view(), out.view(), ctx);
  return out.host();
}

/// The same on the CPU, list by list and in double.
template <class Ranks, class T>
[[nodiscard]] std::vector<double> on_host(const Ranks& how, asked what, const host_scores<T>& in) {
  std::vector<double> out(in.lists.scores.size(), 7.0);
  for (std::size_t l = 0; l < lists_of(in.lists); ++l) {
    const auto [first, size] = place_of(in.lists, l);
    std::vector<std::size_t> kept;
    std::vector<double> scores, input;
    const std::size_t count = in.lists.lengths.empty() ? size : in.lists.lengths[l];
    for (std::size_t i = first; i < first + size; ++i) {
      out[i] = 0.0;
      if (i >= first + count || (!in.lists.mask.empty() && in.lists.mask[i] == 0)) continue;
      kept.push_back(i);
      scores.push_back(static_cast<double>(in.lists.scores[i]));
      input.push_back(static_cast<double>(in.input[i]));
    }
    std::vector<double> computed(kept.size());
    if (what == asked::values) rankloss::rank(how, scores, computed);
    if constexpr (rankloss::detail::gives_gradient<Ranks>) {
      if (what == asked::pullback) rankloss::rank_pullback(how, scores, input, computed);
      if (what == asked::push) rankloss::rank_push(how, scores, input, computed);
    }
    for (std::size_t k = 0; k < kept.size(); ++k) out[kept[k]] = computed[k];
  }
  return out;
}

template <class Ranks>
[[nodiscard]] std::vector<asked> all_of() {
  if constexpr (rankloss::detail::gives_gradient<Ranks>)
    return {asked::values, asked::pullback, asked::push};
  else
    return {asked::values};
}

/// Each list's numbers are those of the CPU, relative to the largest of the list; sorted scores relative to the
/// largest score.
template <class Ranks, class T>
void agrees(const Ranks& how, const host_scores<T>& in, rankloss::cuda::context& ctx,
            const std::vector<asked>& all = all_of<Ranks>()) {
  for (const asked what : all) {
    const std::vector<T> device = on_device(how, what, in, ctx);
    CHECK_NOTHROW(ctx.check());
    const std::vector<double> host = on_host(how, what, in);
    for (std::size_t l = 0; l < lists_of(in.lists); ++l) {
      const auto [first, size] = place_of(in.lists, l);
      double largest = 0.0, error = 0.0;
      for (std::size_t i = first; i < first + size; ++i) {
        const double x = static_cast<double>(device[i]);
        largest = std::max(largest, std::abs(host[i]));
        if constexpr (std::same_as<Ranks, rankloss::projected_sort>)
          if (what == asked::values && std::isfinite(in.lists.scores[i]))
            largest = std::max(largest, std::abs(static_cast<double>(in.lists.scores[i])));
        error =
            std::isfinite(x) && std::isfinite(host[i]) ? std::max(error, std::abs(x - host[i])) : INFINITY;
      }
      INFO("asked " << static_cast<int>(what) << ", list " << l << " of " << size << " items: largest "
                    << largest << ", error " << error);
      CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
    }
  }
}

template <class Ranks, class T>
void agrees_at_every_length(const Ranks& how, std::size_t longest = 4097) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::vector<asked> all = all_of<Ranks>();
  if (all.size() == 3) all.pop_back();  // the two products have the same code, or take the same steps
  agrees(how, scores_of_lengths<T>(all_lengths(longest), 1), ctx, all);
}

/// The same for lists that the whole grid computes, of some n items.
template <class Ranks, class T>
void keeps_the_promises_of_long_ranks(const Ranks& how, std::size_t n) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::mt19937 random(17);
  std::vector<asked> all = all_of<Ranks>();

  SECTION("beside others, with the same bits as alone") {
    const auto in = scores_of_lengths<T>({3, n + 450, 0, n, 300}, 9);
    agrees(how, in, ctx, all);
    const auto [first, size] = place_of(in.lists, 3);
    host_scores<T> one{{.scores = part_of(in.lists.scores, first, size), .relevance = std::vector<int>(size)},
                       part_of(in.input, first, size)};
    for (const asked what : all) {
      const std::vector<T> together = on_device(how, what, in, ctx);
      one.lists.longest = what == asked::values ? 0 : size;
      CHECK(on_device(how, what, one, ctx) == part_of(together, first, size));
    }
  }
  SECTION("dense, with stride, lengths and a mask, which may leave few items") {
    auto in = scores_of_lengths<T>({3 * (n + 40) + n + 9}, 5);
    in.lists.offsets.clear();
    in.lists.length = n + 9;
    in.lists.stride = n + 40;
    in.lists.lengths = {static_cast<std::uint32_t>(n), 30, static_cast<std::uint32_t>(n + 9),
                        static_cast<std::uint32_t>(n)};
    for (std::size_t i = 0; i < in.lists.scores.size(); ++i) {
      const bool few = i >= 2 * in.lists.stride && i < 3 * in.lists.stride;
      const bool none = i >= 3 * in.lists.stride;
      in.lists.mask.push_back(!none && random() % (few ? 900 : 3) > (few ? 898 : 0) ? 1 : 0);
      if (in.lists.mask.back() == 0) {
        in.lists.scores[i] = static_cast<T>(NAN);
        in.input[i] = static_cast<T>(INFINITY);
      }
    }
    agrees(how, in, ctx, {all.front(), all.back()});
  }
  SECTION("ties, all scores equal, infinite scores and outliers") {
    auto in = scores_of_lengths<T>({n, n, n}, 8);
    auto& s = in.lists.scores;
    for (std::size_t i = 0; i < n; ++i) s[i] = std::round(T{8} * s[i]) * T(0.3719317);
    std::fill(s.begin() + static_cast<std::ptrdiff_t>(n), s.begin() + static_cast<std::ptrdiff_t>(2 * n),
              T{-3});
    for (std::size_t i = 2 * n; i < 3 * n; i += 700) s[i] = static_cast<T>(i % 1400 == 0 ? 1e6 : -1e6);
    agrees(how, in, ctx, {all.front(), all[all.size() / 2]});
    for (std::size_t i = 2 * n; i < 3 * n; i += 500)
      s[i] = static_cast<T>(i % 1000 == 0 ? INFINITY : -INFINITY);
    for (const asked what : all)
      for (const T x : on_device(how, what, in, ctx)) CHECK(std::isfinite(x));
    CHECK_NOTHROW(ctx.check());
  }
  if constexpr (std::same_as<T, double> && rankloss::detail::gives_gradient<Ranks>)
    SECTION("products with numbers near the largest double") {
      auto in = scores_of_lengths<double>({n}, 11);
      for (double& x : in.input) x *= 0x1p1000;
      agrees(how, in, ctx, {asked::pullback, asked::push});
    }
  SECTION("bad numbers are told, and their lists are NaN") {
    auto in = scores_of_lengths<T>({3, n, 300}, 9);
    in.lists.scores[4010] = static_cast<T>(NAN);
    const std::vector<T> out = on_device(how, asked::values, in, ctx);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < out.size(); ++i) wrong += std::isnan(out[i]) != (i >= 3 && i < 3 + n);
    CHECK(wrong == 0);
    CHECK_THROWS_WITH(ctx.check(), "rankloss: scores: nan at list 1, item 4007, expected a number");
    in.lists.scores[4010] = T{1};
    in.input[3003] = static_cast<T>(INFINITY);
    if constexpr (rankloss::detail::gives_gradient<Ranks>) {
      CHECK(std::isnan(on_device(how, asked::pullback, in, ctx)[5]));
      CHECK_THROWS_WITH(ctx.check(),
                        "rankloss: cotangent: inf at list 1, item 3000, expected a finite number");
    }
    CHECK_FALSE(std::isnan(on_device(how, asked::values, in, ctx)[5]));
    CHECK_NOTHROW(ctx.check());
  }
}

/// An infinite number at list 2, item 7 of what a product is given.
template <class Ranks, class T>
void agrees_with_words(const Ranks& how, const host_scores<T>& in, rankloss::cuda::context& ctx) {
  if constexpr (rankloss::detail::gives_gradient<Ranks>) {
    const std::vector<T> out = on_device(how, asked::pullback, in, ctx);
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(std::isnan(out[i]) == (i >= 53));
    CHECK_THROWS_WITH(ctx.check(), "rankloss: cotangent: inf at list 2, item 7, expected a finite number");
    (void)on_device(how, asked::push, in, ctx);
    CHECK_THROWS_WITH(ctx.check(), "rankloss: tangent: inf at list 2, item 7, expected a finite number");
  }
  (void)on_device(how, asked::values, in, ctx);
  CHECK_NOTHROW(ctx.check());
}

/// Everything that the frame promises, for ranks and their products.
template <class Ranks, class T>
void keeps_the_promises_of_ranks(const Ranks& how) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::mt19937 random(7);

  SECTION("one list without offsets, no list, and none but empty ones") {
    auto in = scores_of_lengths<T>({300}, 2);
    in.lists.offsets.clear();
    agrees(how, in, ctx);
    agrees(how, scores_of_lengths<T>({}, 3), ctx);
    agrees(how, scores_of_lengths<T>({0, 0, 0}, 3), ctx);
    agrees(how, host_scores<T>{}, ctx);
  }
  SECTION("dense, with stride, lengths and mask") {
    for (const std::size_t length : {5, 64, 257}) {
      const std::size_t stride = length == 64 ? 0 : length + 3;
      auto in = scores_of_lengths<T>({(stride > 0 ? stride : length) * 3 + length}, 5);
      in.lists.offsets.clear();
      in.lists.length = length;
      in.lists.stride = stride;
      INFO("length " << length << ", stride " << stride);
      const std::vector<T> whole = on_device(how, asked::values, in, ctx);
      for (std::size_t i = 0; i < whole.size(); ++i)  // what is between lists is left as it is
        if (stride > 0 && i % stride >= length) CHECK(whole[i] == T{7});
      in.lists.lengths = {0, static_cast<std::uint32_t>(length), 3, 1};
      agrees(how, in, ctx);
      for (std::size_t i = 0; i < in.lists.scores.size(); ++i) {
        in.lists.mask.push_back(random() % 3 > 0 ? 2 : 0);
        if (in.lists.mask.back() == 0) {
          in.lists.scores[i] = static_cast<T>(NAN);
          in.input[i] = static_cast<T>(INFINITY);
        }
      }
      agrees(how, in, ctx);
      in.lists.lengths.clear();
      agrees(how, in, ctx);
    }
  }
  SECTION("a list has the same bits in every batch") {
    const std::vector<std::size_t> lengths{5, 32, 33, 256, 257, 1300};
    const auto all = scores_of_lengths<T>(lengths, 6);
    for (const asked what : all_of<Ranks>()) {
      const std::vector<T> together = on_device(how, what, all, ctx);
      for (std::size_t l = 0; l < lengths.size(); ++l) {
        const auto [first, size] = place_of(all.lists, l);
        const auto part = [first = first, size = size](const auto& whole) {
          const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(first);
          return std::vector(begin, begin + static_cast<std::ptrdiff_t>(size));
        };
        host_scores<T> one{{.scores = part(all.lists.scores), .relevance = std::vector<int>(size)},
                           part(all.input)};
        CHECK(on_device(how, what, one, ctx) == part(together));
        one.lists.longest = size;
        CHECK(on_device(how, what, one, ctx) == part(together));
      }
    }
  }
  SECTION("infinite scores, all scores equal, and scores at the ends of the type") {
    auto in = scores_of_lengths<T>({4, 80, 33, 300, 20, 40}, 8);
    auto& s = in.lists.scores;
    s[1] = static_cast<T>(-INFINITY);
    s[10] = s[20] = static_cast<T>(INFINITY);
    s[30] = s[31] = static_cast<T>(-INFINITY);
    std::fill(s.begin() + 84, s.begin() + 417, T{-3});
    for (std::size_t i = 417; i < 437; ++i)
      s[i] = (i % 3 == 0 ? -1 : 1) * std::numeric_limits<T>::max() / static_cast<T>(1 + i % 4);
    for (std::size_t i = 437; i < 477; ++i)
      s[i] = (i % 3 == 0 ? -1 : 1) * std::numeric_limits<T>::denorm_min() * static_cast<T>(i % 4);
    // A float's infinity counts as the largest float, a double's as the largest double.
    if constexpr (sizeof(T) == sizeof(double)) agrees(how, in, ctx);
    for (const asked what : all_of<Ranks>())
      for (const T x : on_device(how, what, in, ctx)) CHECK(std::isfinite(x));
    CHECK_NOTHROW(ctx.check());
  }
  if constexpr (std::same_as<T, double> && rankloss::detail::gives_gradient<Ranks>)
    SECTION("products with numbers near the largest double") {
      auto in = scores_of_lengths<double>({1, 7, 40, 100}, 11);
      for (double& x : in.input) x *= 0x1p1020;
      agrees(how, in, ctx, {asked::pullback, asked::push});
    }
  SECTION("bad numbers are told, and their lists are NaN") {
    auto in = scores_of_lengths<T>({3, 50, 300}, 9);
    in.lists.scores[10] = static_cast<T>(NAN);
    const std::vector<T> out = on_device(how, asked::values, in, ctx);
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(std::isnan(out[i]) == (i >= 3 && i < 53));
    CHECK_THROWS_WITH(ctx.check(), "rankloss: scores: nan at list 1, item 7, expected a number");
    CHECK_NOTHROW(ctx.check());
    in.lists.scores[10] = T{1};
    in.input[60] = static_cast<T>(INFINITY);
    agrees_with_words(how, in, ctx);
    in.lists.offsets.back() -= 1;
    CHECK(on_device(how, asked::values, in, ctx) == std::vector<T>(in.lists.scores.size(), T{7}));
    CHECK_THROWS_WITH(ctx.check(), Catch::Matchers::Contains("offsets: last is 352, expected 353"));
  }
  SECTION("sizes and options are refused before anything is queued") {
    auto in = scores_of_lengths<T>({3}, 9);
    in.lists.mask = {1};
    CHECK_THROWS_WITH(on_device(how, asked::values, in, ctx),
                      "rankloss: mask: size 1, expected 3 (one per score)");
    in.lists.mask.clear();
    in.input.pop_back();
    if constexpr (rankloss::detail::gives_gradient<Ranks>) {
      CHECK_THROWS_WITH(on_device(how, asked::pullback, in, ctx),
                        "rankloss: cotangent: size 2, expected 3 (one per score)");
      CHECK_THROWS_WITH(on_device(how, asked::push, in, ctx),
                        "rankloss: tangent: size 2, expected 3 (one per score)");
    }
    if constexpr (requires { how.temperature; }) {
      Ranks cold = how;
      cold.temperature = -1.0;
      CHECK_THROWS_WITH(on_device(cold, asked::values, in, ctx),
                        Catch::Matchers::Contains("temperature: -1"));
    }
  }
}

}  // namespace cuda_support
