// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/stochastic.hpp>

#include "cuda/support/device.hpp"
#include "cuda/support/on_device.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

/// What every list loss on the device is held to: to write what the loss writes on the CPU.
namespace cuda_support {

/// A batch in the memory of the host. Empty vectors are fields that are not given.
template <class T, class R>
struct host_lists {
  std::vector<T> scores;
  std::vector<R> relevance;
  std::vector<std::int64_t> offsets{};
  std::vector<float> list_weights{};
  std::vector<double> item_weights{};
  std::size_t length = 0, stride = 0;
  std::vector<std::uint32_t> lengths{};
  std::vector<std::uint8_t> mask{};
  rankloss::reduction reduction = rankloss::reduction::mean;
  std::size_t longest = 0;
};

/// What a call writes. Metrics have no gradient, and most losses no Hessian.
template <class T>
struct results {
  double value = 0.0;
  std::vector<T> gradient;
  std::vector<double> per_list;
  std::vector<T> hessian{};
};

/// Whether the kernel of a loss writes a Hessian, which the C++ compiler does not see.
template <class Loss>
inline constexpr bool hessian_on_device = rankloss::detail::gives_hessian<Loss>;
template <class Loss>
inline constexpr bool hessian_on_device<rankloss::stochastic<Loss>> = false;

template <class T, class R>
[[nodiscard]] std::size_t lists_of(const host_lists<T, R>& in) {
  if (in.length == 0) return in.offsets.empty() ? 1 : in.offsets.size() - 1;
  const std::size_t stride = in.stride > 0 ? in.stride : in.length;
  return (in.scores.size() + stride - in.length) / stride;
}

/// The arrays of a batch on the device, and views of them.
template <class T, class R>
struct device_lists {
  explicit device_lists(const host_lists<T, R>& in)
      : scores(in.scores),
        relevance(in.relevance),
        offsets(in.offsets),
        list_weights(in.list_weights),
        item_weights(in.item_weights),
        lengths(in.lengths),
        mask(in.mask),
        batch{.scores = scores.view(),
              .relevance = relevance.view(),
              .offsets = offsets.view(),
              .list_weights = list_weights.view(),
              .item_weights = item_weights.view(),
              .length = in.length,
              .stride = in.stride,
              .lengths = lengths.view(),
              .mask = mask.view(),
              .reduction = in.reduction,
              .longest = in.longest} {}

  array<T> scores;
  array<R> relevance;
  array<std::int64_t> offsets;
  array<float> list_weights;
  array<double> item_weights;
  array<std::uint32_t> lengths;
  array<std::uint8_t> mask;
  rankloss::cuda::list_batch<T, R> batch;
};

/// Whether a Hessian takes so much time under emulation that only tests of it ask for one.
template <class Loss>
inline constexpr bool costly_hessian = false;

struct how {
  double scale = 1.0;
  rankloss::update update = rankloss::update::overwrite;
  double filled = 0.0;                   ///< what is in gradient and Hessian before
  bool gradient = true, hessian = true;  ///< which of them are asked for, where there are any
  bool costly = false;                   ///< a Hessian also where it is left out elsewhere
};

template <class Loss>
[[nodiscard]] std::size_t derivatives_of(std::size_t items, const how& h = {}) {
  return rankloss::detail::gives_gradient<Loss> && h.gradient ? items : 0;
}
template <class Loss>
[[nodiscard]] std::size_t hessians_of(std::size_t items, const how& h = {}) {
  return hessian_on_device<Loss> && h.hessian && (h.costly || !costly_hessian<Loss>) ? items : 0;
}

template <class Loss, class T, class R>
[[nodiscard]] results<T> on_device(const Loss& loss, const host_lists<T, R>& in, rankloss::cuda::context& ctx,
                                   const how& h = {}) {
  const device_lists<T, R> lists(in);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(lists_of(in));
  const array<T> gradient(
      std::vector<T>(derivatives_of<Loss>(in.scores.size(), h), static_cast<T>(h.filled)));
  const array<T> hessian(std::vector<T>(hessians_of<Loss>(in.scores.size(), h), static_cast<T>(h.filled)));
  on_device(loss, lists.batch,
            rankloss::cuda::outputs<T>{.value = value.view(),
                                       .gradient = gradient.view(),
                                       .per_list = per_list.view(),
                                       .hessian = hessian.view(),
                                       .scale = h.scale,
                                       .update = h.update},
            ctx);
  return {value.host()[0], gradient.host(), per_list.host(), hessian.host()};
}

/// The same on the CPU, in double: the numbers of float scores are those of the same scores as doubles.
template <class Loss, class T, class R>
[[nodiscard]] results<double> on_host(const Loss& loss, const host_lists<T, R>& in, const how& h = {}) {
  const std::vector<double> scores(in.scores.begin(), in.scores.end());
  results<double> out{0.0, std::vector<double>(derivatives_of<Loss>(in.scores.size(), h), h.filled),
                      std::vector<double>(lists_of(in)),
                      std::vector<double>(hessians_of<Loss>(in.scores.size(), h), h.filled)};
  out.value = rankloss::evaluate(loss,
                                 rankloss::list_batch<double, R>{.scores = scores,
                                                                 .relevance = in.relevance,
                                                                 .offsets = in.offsets,
                                                                 .list_weights = in.list_weights,
                                                                 .item_weights = in.item_weights,
                                                                 .length = in.length,
                                                                 .stride = in.stride,
                                                                 .lengths = in.lengths,
                                                                 .mask = in.mask,
                                                                 .reduction = in.reduction},
                                 {.gradient = out.gradient,
                                  .per_list = out.per_list,
                                  .hessian = out.hessian,
                                  .scale = h.scale,
                                  .update = h.update});
  return out;
}

template <class T>
inline constexpr double tolerance = sizeof(T) == sizeof(float) ? 2e-6 : 1e-13;

/// Where list l begins, and how many elements it has.
template <class T, class R>
[[nodiscard]] std::pair<std::size_t, std::size_t> place_of(const host_lists<T, R>& in, std::size_t l) {
  if (in.length > 0) return {l * (in.stride > 0 ? in.stride : in.length), in.length};
  if (in.offsets.empty()) return {0, in.scores.size()};
  return {static_cast<std::size_t>(in.offsets[l]),
          static_cast<std::size_t>(in.offsets[l + 1] - in.offsets[l])};
}

/// Part of an array that has an element for each item, or is empty.
template <class Array>
[[nodiscard]] Array part_of(const Array& whole, std::size_t first, std::size_t size) {
  if (whole.empty()) return whole;
  const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(first);
  return Array(begin, begin + static_cast<std::ptrdiff_t>(size));
}
/// The bound of errors of Hessians, where it is that of docs/numerics.md and not that of gradients.
template <class Loss, class T>
inline constexpr double hessian_tolerance = tolerance<T>;
/// What rounding leaves of gradients that are differences, where these are 0.
template <class Loss>
inline constexpr double left_of_zero = 0.0;

/// Whether random numbers of a loss depend on the number of the list in its batch.
template <class Loss>
inline constexpr bool draws_by_list = false;

/// Each list's value, gradient and Hessian are those of the CPU, relative to the largest entry of the list.
/// of_slopes: a bound of errors of the Hessian, relative to the largest entry of the gradient.
template <class T, class R>
void agree(const host_lists<T, R>& in, const results<T>& device, const results<double>& host,
           double left = 0.0, double left_of_hessian = 0.0, double bound_of_hessian = tolerance<T>,
           double of_slopes = 0.0) {
  CHECK(std::abs(device.value - host.value) <= tolerance<T> * std::max(1.0, std::abs(host.value)));
  for (std::size_t l = 0; l < lists_of(in); ++l) {
    const auto [first, size] = place_of(in, l);
    const auto close = [&, first = first, size = size](const std::vector<T>& own,
                                                       const std::vector<double>& of_host, double bound,
                                                       double remains) {
      double largest = 0.0, error = 0.0;
      for (std::size_t i = first; i < first + size && !own.empty(); ++i) {
        const double x = static_cast<double>(own[i]);
        largest = std::max(largest, std::abs(of_host[i]));
        error = std::isfinite(x) && std::isfinite(of_host[i]) ? std::max(error, std::abs(x - of_host[i]))
                                                              : INFINITY;
      }
      INFO("list " << l << " of " << size << " items: largest " << largest << ", error " << error);
      // Where the largest entry is below the normal numbers of the type, it is held as none of them.
      CHECK(error <= bound * largest + remains + static_cast<double>(std::numeric_limits<T>::min()));
      return largest;
    };
    const double steepest = close(device.gradient, host.gradient, tolerance<T>, left);
    INFO("Hessian");
    close(device.hessian, host.hessian, bound_of_hessian, left_of_hessian + of_slopes * steepest);
    INFO(device.per_list[l] << " on the device, " << host.per_list[l] << " on the host");
    CHECK(std::abs(device.per_list[l] - host.per_list[l]) <=
          tolerance<T> * std::max(1.0, std::abs(host.per_list[l])));
  }
}

template <class Loss, class T, class R>
void agrees(const Loss& loss, const host_lists<T, R>& in, rankloss::cuda::context& ctx, const how& h = {}) {
  const results<T> device = on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  agree(in, device, on_host(loss, in, h), left_of_zero<Loss>, 0.0, hessian_tolerance<Loss, T>);
}

/// The same where scores are so far apart that second derivatives are small differences of what gradients are
/// sums of: their errors are relative to the largest entries of both.
template <class Loss, class T, class R>
void agrees_where_curvatures_cancel(const Loss& loss, const host_lists<T, R>& in,
                                    rankloss::cuda::context& ctx) {
  const results<T> device = on_device(loss, in, ctx);
  CHECK_NOTHROW(ctx.check());
  agree(in, device, on_host(loss, in), 0.0, 0.0, tolerance<T>, tolerance<T> / loss.temperature);
}

/// Lists of the given lengths, with ties among scores and grades.
template <class T, class R>
[[nodiscard]] host_lists<T, R> lists_of_lengths(const std::vector<std::size_t>& lengths, unsigned seed,
                                                double spread = 1.0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, spread);
  host_lists<T, R> in;
  in.offsets.push_back(0);
  for (const std::size_t n : lengths) {
    for (std::size_t i = 0; i < n; ++i) {
      const bool tied = i > 0 && random() % 4 == 0;
      in.scores.push_back(tied ? in.scores.back() : static_cast<T>(normal(random)));
      in.relevance.push_back(static_cast<R>(random() % 5 < 3 ? 0 : random() % 4));
    }
    in.offsets.push_back(static_cast<std::int64_t>(in.scores.size()));
  }
  return in;
}

/// Scores in groups of three that do not reach each other at this temperature, so that conjugate gradients
/// are done after a few rounds.
template <class T>
void gather_in_threes(std::vector<T>& scores, double temperature) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const std::size_t at = i * 1009 % scores.size();
    const double within = static_cast<double>(at % 3) * (0.3 + 0.1 * static_cast<double>(at % 8));
    scores[i] = static_cast<T>(temperature * (within + 50.0 * static_cast<double>(at / 3)));
  }
}

/// The lengths at which a warp, a block or its shared memory is full, and those around them.
[[nodiscard]] inline std::vector<std::size_t> all_lengths(std::size_t longest) {
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n <= 70; ++n) lengths.push_back(n);
  for (const std::size_t n : {127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2500, 4097})
    if (n <= longest) lengths.push_back(n);
  return lengths;
}

/// What a loss writes is right for lists of every length. Such a test has the tag [lengths]. `longest`: the
/// most items of a list, where the time of the loss grows with their square.
template <class Loss, class T, class R>
void agrees_at_every_length(const Loss& loss, std::size_t longest = 4097) {
  const stream own;
  rankloss::cuda::context ctx(own);
  agrees(loss, lists_of_lengths<T, R>(all_lengths(longest), 1), ctx);
}

/// Everything that the frame promises, for one loss.
template <class Loss, class T, class R>
void keeps_the_promises_of_lists(const Loss& loss, std::size_t longest = 4097) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::mt19937 random(7);

  SECTION("one list without offsets") {
    host_lists<T, R> in = lists_of_lengths<T, R>({300}, 2);
    in.offsets.clear();
    agrees(loss, in, ctx);
  }
  SECTION("no list, and none but empty ones") {
    agrees(loss, lists_of_lengths<T, R>({}, 3), ctx);
    agrees(loss, lists_of_lengths<T, R>({0, 0, 0}, 3), ctx);
    agrees(loss, host_lists<T, R>{}, ctx);
  }
  SECTION("reductions, weights, scale and update") {
    for (const auto reduction :
         {rankloss::reduction::mean, rankloss::reduction::sum, rankloss::reduction::mean_of_relevant})
      for (const bool weighted : {false, true}) {
        host_lists<T, R> in = lists_of_lengths<T, R>({3, 0, 65, 1, 40, 2, 50}, 4);
        in.reduction = reduction;
        std::fill(in.relevance.begin(), in.relevance.begin() + 3, R{0});
        if (weighted) {
          for (std::size_t l = 0; l < lists_of(in); ++l)
            in.list_weights.push_back(static_cast<float>(random() % 4));
          for (std::size_t i = 0; i < in.scores.size(); ++i)
            in.item_weights.push_back(static_cast<double>(random() % 8) / 4);
        }
        INFO("reduction " << static_cast<int>(reduction) << ", weighted " << weighted);
        agrees(loss, in, ctx);
        agrees(loss, in, ctx, {.scale = -3.0, .update = rankloss::update::add, .filled = 0.0});
        const how added{.scale = 2.0, .update = rankloss::update::add, .filled = 1.0};
        const results<T> device = on_device(loss, in, ctx, added);
        const results<double> host = on_host(loss, in, added);
        for (std::size_t i = 0; i < device.gradient.size(); ++i)
          CHECK(std::abs(static_cast<double>(device.gradient[i]) - host.gradient[i]) <=
                tolerance<T> * std::max(1.0, std::abs(host.gradient[i])));
      }
  }
  SECTION("dense, with stride, lengths and mask") {
    for (const std::size_t length : {5, 64, 257})
      for (const std::size_t stride : {std::size_t{0}, length + 3}) {
        if (length == 257 && stride == 0) continue;
        host_lists<T, R> in = lists_of_lengths<T, R>({(stride > 0 ? stride : length) * 3 + length}, 5);
        in.offsets.clear();
        in.length = length;
        in.stride = stride;
        INFO("length " << length << ", stride " << stride);
        const how filled{.filled = 7.0};
        agrees(loss, in, ctx, filled);
        in.lengths = {0, static_cast<std::uint32_t>(length), 3, 1};
        agrees(loss, in, ctx, filled);
        for (std::size_t i = 0; i < in.scores.size(); ++i) {
          in.mask.push_back(random() % 3 > 0 ? 2 : 0);
          if (in.mask.back() == 0) in.scores[i] = static_cast<T>(NAN);
        }
        agrees(loss, in, ctx, filled);
        if (length == 257) continue;
        in.lengths.clear();
        agrees(loss, in, ctx, filled);
      }
  }
  SECTION("a list has the same bits in every batch") {
    const std::vector<std::size_t> lengths{5, 32, 33, 256, 257, std::min<std::size_t>(1300, longest)};
    host_lists<T, R> all = lists_of_lengths<T, R>(lengths, 6);
    all.reduction = rankloss::reduction::sum;
    const results<T> together = on_device(loss, all, ctx);
    for (std::size_t l = 0; l < lengths.size(); ++l) {
      const auto [first, size] = place_of(all, l);
      host_lists<T, R> one{part_of(all.scores, first, size), part_of(all.relevance, first, size)};
      one.reduction = all.reduction;
      if (draws_by_list<Loss>) {
        one.offsets.assign(l + 1, 0);
        one.offsets.push_back(static_cast<std::int64_t>(size));
      }
      const results<T> alone = on_device(loss, one, ctx);
      CHECK(alone.value == together.per_list[l]);
      CHECK(alone.gradient == part_of(together.gradient, first, alone.gradient.size()));
      CHECK(alone.hessian == part_of(together.hessian, first, alone.hessian.size()));
      one.longest = size;
      CHECK(on_device(loss, one, ctx).gradient == alone.gradient);
    }
  }
  if (hessian_on_device<Loss>) {
    SECTION("gradient and Hessian, each alone with the same bits as both") {
      const host_lists<T, R> in = lists_of_lengths<T, R>({33, 300}, 6);
      const results<T> both = on_device(loss, in, ctx, {.costly = true});
      const results<T> first = on_device(loss, in, ctx, {.hessian = false});
      const results<T> second = on_device(loss, in, ctx, {.gradient = false, .costly = true});
      CHECK(first.value == both.value);
      CHECK(first.gradient == both.gradient);
      CHECK(second.value == both.value);
      CHECK(second.hessian == both.hessian);
      CHECK(both.hessian != std::vector<T>(both.hessian.size()));
    }
  }
  SECTION("infinite scores") {
    host_lists<T, R> in = lists_of_lengths<T, R>({4, 80}, 8);
    in.scores[1] = static_cast<T>(-INFINITY);
    in.scores[10] = in.scores[20] = static_cast<T>(INFINITY);
    in.scores[30] = in.scores[31] = static_cast<T>(-INFINITY);
    const results<T> device = on_device(loss, in, ctx);
    CHECK_NOTHROW(ctx.check());
    for (const T g : device.gradient) CHECK(std::isfinite(g));
    for (const T h : device.hessian) CHECK(std::isfinite(h));
  }
}

/// Of how many grades relevance is, where the time of a loss grows with the square of those of one grade.
template <class Loss>
inline constexpr unsigned grades_of_long_lists = 0;

/// What the frame promises of lists that are computed by the whole grid, for one loss. Lists of `n` items
/// are, and those of 300 are not. `equal`: so many scores are the same, where its time grows with their
/// square; 0: all.
template <class Loss, class T, class R>
void keeps_the_promises_of_long_lists(const Loss& loss, std::size_t n, std::size_t equal = 0) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::mt19937 random(11);
  const auto lists = [](const std::vector<std::size_t>& lengths, unsigned seed) {
    host_lists<T, R> made = lists_of_lengths<T, R>(lengths, seed);
    if constexpr (grades_of_long_lists < Loss >> 0) {
      std::mt19937 grades(seed);
      for (R& y : made.relevance) y = static_cast<R>(grades() % grades_of_long_lists<Loss>);
    }
    return made;
  };
  host_lists<T, R> in = lists({3, 0, 300, n, 1}, 9);
  const std::size_t last = 3;  // the long list
  const auto masked = [&] {
    for (std::size_t i = 0; i < in.scores.size(); ++i) {
      in.mask.push_back(random() % 3 > 0 ? 1 : 0);
      if (in.mask.back() == 0) in.scores[i] = static_cast<T>(NAN);
    }
  };
  const auto weigh = [&] {
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(static_cast<double>(random() % 8) / 4);
  };

  SECTION("beside others, with the same bits as alone") {
    in = lists({3, n + 777, 0, n, 300}, 9);
    in.reduction = rankloss::reduction::sum;
    agrees(loss, in, ctx);
    const results<T> together = on_device(loss, in, ctx);
    const auto [first, size] = place_of(in, last);
    host_lists<T, R> one{part_of(in.scores, first, size), part_of(in.relevance, first, size)};
    one.reduction = in.reduction;
    for (const std::size_t longest : {std::size_t{0}, size}) {
      one.longest = longest;
      const results<T> alone = on_device(loss, one, ctx);
      CHECK(alone.value == together.per_list[last]);
      CHECK(alone.gradient == part_of(together.gradient, first, alone.gradient.size()));
    }
  }
  SECTION("weights, scale and update") {
    in.list_weights = {1, 0.5f, 0, 3, 2};
    weigh();
    agrees(loss, in, ctx, {.scale = -3.0, .update = rankloss::update::add, .filled = 0.0});
    in.reduction = rankloss::reduction::mean_of_relevant;
    std::fill(in.relevance.begin(), in.relevance.begin() + 200, R{0});
    agrees(loss, in, ctx, {.filled = 7.0});
  }
  SECTION("a mask, which may leave few items or none") {
    masked();
    weigh();
    agrees(loss, in, ctx, {.filled = 7.0});
    const auto [first, size] = place_of(in, last);
    std::fill_n(in.mask.begin() + static_cast<std::ptrdiff_t>(first), size, std::uint8_t{0});
    agrees(loss, in, ctx, {.filled = 7.0});
    in.mask[first + size - 1] = in.mask[first + 1] = 1;
    in.scores[first + size - 1] = in.scores[first + 1] = T{1};
    agrees(loss, in, ctx, {.filled = 7.0});
  }
  SECTION("dense, with stride, lengths and mask") {
    in = lists({n + 40 + n + 9}, 5);
    in.offsets.clear();
    in.length = n + 9;
    in.stride = n + 40;
    agrees(loss, in, ctx, {.filled = 7.0});
    in.lengths = {static_cast<std::uint32_t>(n), 30};
    masked();
    agrees(loss, in, ctx, {.filled = 7.0});
  }
  SECTION("all scores equal, or many, and a few outliers") {
    std::fill_n(in.scores.begin(), equal > 0 ? 303 + equal : in.scores.size(), T{-3});
    agrees(loss, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); i += 1000)
      in.scores[i] = static_cast<T>(i % 2000 == 0 ? 1e6 : -1e6);
    agrees(loss, in, ctx);
  }
  SECTION("infinite scores") {
    for (std::size_t i = 0; i < in.scores.size(); i += 500)
      in.scores[i] = static_cast<T>(i % 1000 == 0 ? INFINITY : -INFINITY);
    const results<T> device = on_device(loss, in, ctx);
    CHECK_NOTHROW(ctx.check());
    for (const T g : device.gradient) CHECK(std::isfinite(g));
    for (const T h : device.hessian) CHECK(std::isfinite(h));
  }
  SECTION("bad numbers") {
    const auto [first, size] = place_of(in, last);
    const auto is_bad = [&](std::size_t where, const std::string& words) {
      const results<T> device = on_device(loss, in, ctx, {.filled = 5.0});
      CHECK_THROWS_WITH(ctx.check(), "rankloss: " + words);
      CHECK(std::isnan(device.value));
      for (std::size_t l = 0; l < lists_of(in); ++l) CHECK(std::isnan(device.per_list[l]) == (l == where));
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < device.hessian.size(); ++i)
        wrong += std::isnan(device.hessian[i]) != std::isnan(device.gradient[i]) ||
                 (device.hessian[i] == T{5}) != (device.gradient[i] == T{5});
      for (std::size_t i = 0; i < device.gradient.size(); ++i) {
        const bool kept = in.mask.empty() || in.mask[i] != 0;
        const bool of_list = i >= place_of(in, where).first && i < place_of(in, where).first + size;
        wrong += std::isnan(device.gradient[i]) != (of_list && kept);
        if (!kept && device.gradient[i] != T{0}) ++wrong;
      }
      CHECK(wrong == 0);
    };
    in.scores[first + 4000] = in.scores[first + 3000] = static_cast<T>(NAN);
    is_bad(last, "scores: nan at list 3, item 3000, expected a number");
    masked();
    in.mask[first + 3000] = 0;
    in.mask[first + 4000] = 1;
    in.scores[first + 4000] = static_cast<T>(NAN);
    is_bad(last, "scores: nan at list 3, item 4000, expected a number");
    in.list_weights = {1, 1, 1, -2, 1};
    is_bad(last, "list_weights: -2 at list 3, expected a finite number >= 0");
  }
  SECTION("bad offsets") {
    in.offsets[last] = in.offsets[last - 1] - 1;
    const results<T> device = on_device(loss, in, ctx, {.filled = 5.0});
    CHECK(std::isnan(device.value));
    CHECK_THROWS(ctx.check());
    CHECK(device.gradient == std::vector<T>(device.gradient.size(), T{5}));
  }
  SECTION("without checks") {
    rankloss::cuda::context unchecked(own, rankloss::data_checks::off);
    agrees(loss, in, unchecked);
    in.scores[20] = in.scores[4000] = static_cast<T>(NAN);
    (void)on_device(loss, in, unchecked);
    CHECK_NOTHROW(unchecked.check());
  }
}

}  // namespace cuda_support
