// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/gae.hpp>

#include <rankloss/gae.hpp>

#include "cuda/gae.hpp"
#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuda_gae_test {

using cuda_support::array;
using cuda_support::tolerance;
using rankloss::data_checks;
using rankloss::gae;
using rankloss::whitening;
using rankloss::cuda::context;

namespace {

template <class T>
struct host_trajectories {
  std::vector<T> rewards, values;
  std::vector<std::int64_t> offsets{};
  std::vector<double> last_values{};
  std::vector<float> discounts{};
  std::vector<std::uint8_t> mask{};
};

template <class T>
struct device_trajectories {
  explicit device_trajectories(const host_trajectories<T>& in)
      : rewards(in.rewards),
        values(in.values),
        offsets(in.offsets),
        last_values(in.last_values),
        discounts(in.discounts),
        mask(in.mask),
        batch{.rewards = rewards.view(),
              .values = values.view(),
              .offsets = offsets.view(),
              .last_values = last_values.view(),
              .discounts = discounts.view(),
              .mask = mask.view()} {}

  array<T> rewards, values;
  array<std::int64_t> offsets;
  array<double> last_values;
  array<float> discounts;
  array<std::uint8_t> mask;
  rankloss::cuda::trajectory_batch<T> batch;
};

template <class T>
struct results {
  std::vector<T> advantages, returns;
};

template <class T>
results<T> on_device(const gae& options, const host_trajectories<T>& in, context& ctx) {
  const device_trajectories<T> on(in);
  const array<T> advantages(std::vector<T>(in.rewards.size(), T{7})),
      returns(std::vector<T>(in.rewards.size(), T{7}));
  cuda_support::estimate(on.batch, options, advantages.view(), returns.view(), ctx);
  return {advantages.host(), returns.host()};
}

template <class T>
results<double> on_host(const gae& options, const host_trajectories<T>& in) {
  const std::vector<double> rewards(in.rewards.begin(), in.rewards.end()),
      values(in.values.begin(), in.values.end());
  results<double> out{std::vector<double>(rewards.size()), std::vector<double>(rewards.size())};
  rankloss::context ctx;
  rankloss::estimate_advantages(rankloss::trajectory_batch<double>{.rewards = rewards,
                                                                   .values = values,
                                                                   .offsets = in.offsets,
                                                                   .last_values = in.last_values,
                                                                   .discounts = in.discounts,
                                                                   .mask = in.mask},
                                options, out.advantages, out.returns, ctx);
  return out;
}

/// Relative to the largest entry of all, as whitening makes one list of all trajectories.
template <class T>
void agrees(const gae& options, const host_trajectories<T>& in, context& ctx) {
  const results<T> device = on_device(options, in, ctx);
  CHECK_NOTHROW(ctx.check());
  const results<double> host = on_host(options, in);
  const auto close = [](const std::vector<T>& a, const std::vector<double>& b) {
    double largest = 0.0, error = 0.0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      const double x = static_cast<double>(a[i]);
      const double y = static_cast<double>(rankloss::detail::held_as<T>(b[i]));
      largest = std::max(largest, std::abs(y));
      error = std::isnan(x) ? INFINITY : std::max(error, std::abs(x - y));
    }
    INFO(b.size() << " steps: largest " << largest << ", error " << error);
    CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
  };
  close(device.advantages, host.advantages);
  close(device.returns, host.returns);
}

template <class T>
host_trajectories<T> trajectories_of(const std::vector<std::size_t>& lengths, unsigned seed,
                                     double size = 1.0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, size);
  host_trajectories<T> in;
  in.offsets.push_back(0);
  for (const std::size_t n : lengths) {
    for (std::size_t i = 0; i < n; ++i) {
      in.rewards.push_back(static_cast<T>(normal(random)));
      in.values.push_back(static_cast<T>(normal(random)));
    }
    in.offsets.push_back(static_cast<std::int64_t>(in.rewards.size()));
    in.last_values.push_back(n % 2 == 0 ? 0.0 : normal(random));
  }
  return in;
}

/// Masked steps hold what is no number; the first and the last steps of some trajectories are masked too.
template <class T>
void give_mask_and_discounts(host_trajectories<T>& in) {
  std::mt19937 random(99);
  for (std::size_t i = 0; i < in.rewards.size(); ++i) {
    in.mask.push_back(random() % 3 == 0 ? 0 : 4);
    in.discounts.push_back(random() % 20 == 0 ? 0.0f : 1.0f - static_cast<float>(random() % 8) / 64);
    if (in.mask.back() != 0) continue;
    in.rewards[i] = in.values[i] = static_cast<T>(NAN);
    in.discounts[i] = 7.0f;
  }
}

const std::vector<whitening> all_whitenings{whitening::none, whitening::population, whitening::bessel};

}  // namespace

TEMPLATE_TEST_CASE("cuda gae: trajectories of every length", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  auto in = trajectories_of<TestType>(cuda_support::all_lengths(4097), 1);
  for (const auto whiten : all_whitenings) {
    INFO("whitening " << static_cast<int>(whiten));
    agrees(gae{.discount = 0.99, .whitening = whiten}, in, ctx);
  }
  agrees(gae{}, in, ctx);
  give_mask_and_discounts(in);
  agrees(gae{.lambda = 0.9}, in, ctx);
  agrees(gae{.whitening = whitening::bessel}, in, ctx);
}

TEMPLATE_TEST_CASE("cuda gae: options, one trajectory, none, and empty ones", "", float, double) {
  using T = TestType;
  const cuda_support::stream own;
  context ctx(own);
  for (const auto whiten : all_whitenings) {
    INFO("whitening " << static_cast<int>(whiten));
    for (const double discount : {0.0, 0.5, 1.0})
      for (const double lambda : {0.0, 0.7, 1.0})
        agrees(gae{.discount = discount, .lambda = lambda, .whitening = whiten},
               trajectories_of<T>({3, 0, 40, 1, 0, 300}, 2), ctx);
    auto one = trajectories_of<T>({500}, 3);
    one.offsets.clear();
    agrees(gae{.whitening = whiten}, one, ctx);
    one.last_values.clear();
    agrees(gae{.whitening = whiten}, one, ctx);
    agrees(gae{.whitening = whiten}, trajectories_of<T>({}, 4), ctx);
    agrees(gae{.whitening = whiten}, trajectories_of<T>({0, 0}, 4), ctx);
    agrees(gae{.whitening = whiten}, host_trajectories<T>{}, ctx);
    agrees(gae{.whitening = whiten}, trajectories_of<T>({1}, 5), ctx);
    auto masked = trajectories_of<T>({5, 9}, 6);
    masked.mask.assign(14, 0);
    agrees(gae{.whitening = whiten}, masked, ctx);
    masked.mask[7] = 1;
    agrees(gae{.whitening = whiten}, masked, ctx);
    // No step of a warp's or of a block's turn counts.
    auto stretches = trajectories_of<T>({200, 1200}, 6);
    stretches.mask.assign(1400, 1);
    std::fill(stretches.mask.begin() + 30, stretches.mask.begin() + 150, 0);
    std::fill(stretches.mask.begin() + 500, stretches.mask.begin() + 1100, 0);
    agrees(gae{.whitening = whiten}, stretches, ctx);
  }
}

TEST_CASE("cuda gae: whitened advantages that are equal but for rounding are 0") {
  const cuda_support::stream own;
  context ctx(own);
  host_trajectories<double> in;
  for (std::size_t i = 0; i < 5000; ++i) {
    in.values.push_back(1e6 * std::sin(static_cast<double>(i)));
    in.rewards.push_back(0.1 + in.values.back());
    in.discounts.push_back(0.0f);
  }
  const auto equal = on_device(gae{.whitening = whitening::population}, in, ctx);
  CHECK(std::all_of(equal.advantages.begin(), equal.advantages.end(), [](double a) { return a == 0.0; }));
  in.rewards[4000] += 1.0;
  agrees(gae{.whitening = whitening::population}, in, ctx);
}

TEST_CASE("cuda gae: rewards and values of any size") {
  const cuda_support::stream own;
  context ctx(own);
  for (const double size : {1e-300, 1e-30, 1e30, 1e290}) {
    INFO("size " << size);
    for (const auto whiten : all_whitenings)
      agrees(gae{.whitening = whiten}, trajectories_of<double>({40, 300}, 7, size), ctx);
  }
  agrees(gae{.whitening = whitening::population}, trajectories_of<float>({40, 300}, 7, 1e37), ctx);
  host_trajectories<double> ends{.rewards = std::vector<double>(40, 1.7e308),
                                 .values = std::vector<double>(40, -1.7e308)};
  agrees(gae{.lambda = 1.0}, ends, ctx);
  const auto out = on_device(gae{.whitening = whitening::bessel}, ends, ctx);
  for (const double a : out.advantages) CHECK(std::isfinite(a));
}

TEST_CASE("cuda gae: the bits of a trajectory depend on its own steps alone") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = trajectories_of<float>({7, 256, 257, 900}, 8);
  const auto together = on_device(gae{}, in, ctx);
  for (std::size_t q = 0; q < 4; ++q) {
    const auto begin = in.offsets[q], end = in.offsets[q + 1];
    const auto part = [begin, end](const auto& whole) {
      return std::vector(whole.begin() + begin, whole.begin() + end);
    };
    host_trajectories<float> one{.rewards = part(in.rewards), .values = part(in.values)};
    one.last_values = {in.last_values[q]};
    const auto alone = on_device(gae{}, one, ctx);
    CHECK(alone.advantages == part(together.advantages));
    CHECK(alone.returns == part(together.returns));
  }
}

TEST_CASE("cuda gae: bad numbers and offsets are told as on the host, the first of them") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const std::function<void(host_trajectories<float>&)>& spoil) {
    auto in = trajectories_of<float>({3, 0, 300, 40}, 9);
    give_mask_and_discounts(in);
    in.mask[4] = in.mask[100] = in.mask[320] = 1;
    for (const std::size_t i : {4, 100, 320}) in.rewards[i] = in.values[i] = in.discounts[i] = 0.5f;
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(gae{}, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    for (const auto whiten : {whitening::none, whitening::bessel}) {
      const auto out = on_device(gae{.whitening = whiten}, in, ctx);
      for (const auto& numbers : {out.advantages, out.returns})
        CHECK(std::all_of(numbers.begin(), numbers.end(), [](float x) { return std::isnan(x); }));
      CHECK_THROWS_WITH(ctx.check(), expected);
      CHECK_NOTHROW(ctx.check());  // it is reported once
    }
    agrees(gae{}, trajectories_of<float>({5}, 8), ctx);
  };
  same_words([](auto& in) { in.rewards[320] = in.rewards[100] = in.values[4] = NAN; });
  same_words([](auto& in) {
    in.values[320] = -INFINITY;
    in.last_values[0] = NAN;
  });
  same_words([](auto& in) {
    in.last_values[3] = INFINITY;
    in.discounts[4] = NAN;
  });
  same_words([](auto& in) { in.discounts[100] = 1.5f; });
  same_words([](auto& in) { in.discounts[100] = -0.5f; });
  same_words([](auto& in) { in.offsets[0] = 1; });
  same_words([](auto& in) {
    in.offsets[3] = 900;
    in.rewards[4] = NAN;
  });
  same_words([](auto& in) { in.offsets[2] = -4; });
  same_words([](auto& in) { in.offsets[4] -= 1; });
}

TEST_CASE("cuda gae: without checks numbers are not looked at, and memory is safe") {
  const cuda_support::stream own;
  context ctx(own, data_checks::off);
  auto in = trajectories_of<float>({3, 300}, 9);
  in.rewards[200] = NAN;
  (void)on_device(gae{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
  in.offsets[1] = 4000;
  (void)on_device(gae{}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(), "rankloss: offsets: 303 at 2 after 4000, expected them to rise");
}

TEST_CASE("cuda gae: shapes and options are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(host_trajectories<double>&)>& spoil,
                           const gae& options = {}) {
    auto in = trajectories_of<double>({3, 4}, 10);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(options, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(on_device(options, in, ctx), expected);
  };
  refused([](auto& in) { in.values.pop_back(); });
  refused([](auto& in) { in.last_values.pop_back(); });
  refused([](auto& in) { in.discounts = {1.0f}; });
  refused([](auto& in) { in.mask = {1}; });
  refused([](auto&) {}, {.discount = 1.5});
  refused([](auto&) {}, {.lambda = NAN});
}

TEST_CASE("cuda gae: what is reserved is enough, and only what is asked for is written") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  const auto in = trajectories_of<float>({3, 4000, 90}, 11);
  const device_trajectories<float> on(in);
  const gae options{.whitening = whitening::population};
  ctx.reserve(cuda_support::scratch_of_advantages(options, on.batch));
  const std::size_t before = memory.allocations;
  agrees(options, in, ctx);
  const array<float> returns(in.rewards.size());
  cuda_support::estimate(on.batch, options, {}, returns.view(), ctx);
  CHECK(returns.host() == on_device(options, in, ctx).returns);
  CHECK(memory.allocations == before);
}

}  // namespace cuda_gae_test
