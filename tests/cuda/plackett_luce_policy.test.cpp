// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/plackett_luce_policy.hpp>

#include <rankloss/plackett_luce_policy.hpp>

#include "cuda/plackett_luce_policy.hpp"
#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuda_plackett_luce_policy_test {

using cuda_support::array;
using cuda_support::tolerance;
using rankloss::data_checks;
using policy = rankloss::plackett_luce_policy;
using rankloss::update;
using rankloss::cuda::context;

namespace {

template <class T>
struct host_orders {
  std::vector<T> scores;
  std::vector<std::int64_t> orders, offsets;
  std::vector<double> upstream{};
  std::vector<float> entropy_upstream{};
};

template <class T>
struct device_orders {
  explicit device_orders(const host_orders<T>& in)
      : scores(in.scores),
        orders(in.orders),
        offsets(in.offsets),
        batch{.scores = scores.view(), .orders = orders.view(), .offsets = offsets.view()} {}

  array<T> scores;
  array<std::int64_t> orders, offsets;
  rankloss::cuda::order_batch<T> batch;
};

template <class T>
struct results {
  std::vector<double> log_probabilities, entropies;
  std::vector<T> gradient;
};

template <class T>
std::size_t lists_of(const host_orders<T>& in) {
  return in.offsets.empty() ? 1 : in.offsets.size() - 1;
}

template <class T>
results<T> on_device(const policy& of, const host_orders<T>& in, context& ctx,
                     update how = update::overwrite) {
  const device_orders<T> on(in);
  const array<double> log_probabilities(lists_of(in)), entropies(lists_of(in)), upstream(in.upstream);
  const array<float> entropy_upstream(in.entropy_upstream);
  const array<T> gradient(std::vector<T>(in.scores.size(), T{1}));
  cuda_support::orders_on_device(
      of, on.batch,
      rankloss::cuda::order_results<T>{.log_probabilities = log_probabilities.view(),
                                       .entropies = entropies.view(),
                                       .gradient = gradient.view(),
                                       .upstream = upstream.view(),
                                       .entropy_upstream = entropy_upstream.view(),
                                       .update = how},
      ctx);
  return {log_probabilities.host(), entropies.host(), gradient.host()};
}

template <class T>
results<double> on_host(const policy& of, const host_orders<T>& in, update how = update::overwrite) {
  std::vector<double> scores;  // an infinite one counts as the largest number of its own type
  for (const T& s : in.scores)
    scores.push_back(std::isnan(s) ? NAN : static_cast<double>(rankloss::detail::bounded(s)));
  results<double> out{std::vector<double>(lists_of(in)), std::vector<double>(lists_of(in)),
                      std::vector<double>(scores.size(), 1.0)};
  rankloss::evaluate_orders(
      of, rankloss::order_batch<double>{.scores = scores, .orders = in.orders, .offsets = in.offsets},
      rankloss::order_results{.log_probabilities = out.log_probabilities,
                              .entropies = out.entropies,
                              .gradient = out.gradient,
                              .upstream = in.upstream,
                              .entropy_upstream = in.entropy_upstream,
                              .update = how});
  return out;
}

/// Sums are of doubles whatever the type of the scores; each is right to 2e-14 on the host.
template <class T>
void agrees(const policy& of, const host_orders<T>& in, context& ctx, update how = update::overwrite) {
  const results<T> device = on_device(of, in, ctx, how);
  CHECK_NOTHROW(ctx.check());
  const results<double> host = on_host(of, in, how);
  for (std::size_t l = 0; l < lists_of(in); ++l) {
    const std::size_t first = in.offsets.empty() ? 0 : static_cast<std::size_t>(in.offsets[l]);
    const std::size_t last =
        in.offsets.empty() ? in.scores.size() : static_cast<std::size_t>(in.offsets[l + 1]);
    double largest = 0.0, error = 0.0;
    for (std::size_t i = first; i < last; ++i) {
      const double g = static_cast<double>(device.gradient[i]);
      const double of_host = static_cast<double>(rankloss::detail::held_as<T>(host.gradient[i]));
      largest = std::max(largest, std::abs(of_host));
      error = std::isnan(g) ? INFINITY : std::max(error, std::abs(g - of_host));
    }
    INFO("list " << l << " of " << last - first << " items: largest " << largest << ", error " << error);
    // Where every choice is certain, what is left of a slope is the rounding of 1 - 1.
    CHECK(error <= tolerance<T> * std::max(largest, 1.0 / std::max(1.0, of.temperature)) +
                       static_cast<double>(std::numeric_limits<T>::min()));
    const auto close = [](double a, double b) {
      INFO(a << " on the device, " << b << " on the host");
      CHECK(std::abs(a - b) <= 1e-13 * std::max(1.0, std::abs(b)));
    };
    close(device.log_probabilities[l], host.log_probabilities[l]);
    close(device.entropies[l], host.entropies[l]);
  }
}

template <class T>
host_orders<T> orders_of(const std::vector<std::size_t>& lengths, unsigned seed, double spread = 1.0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, spread);
  host_orders<T> in;
  in.offsets.push_back(0);
  for (const std::size_t n : lengths) {
    const std::size_t first = in.orders.size();
    for (std::size_t i = 0; i < n; ++i) {
      const bool tied = i > 0 && random() % 4 == 0;
      in.scores.push_back(tied ? in.scores.back() : static_cast<T>(normal(random)));
      in.orders.push_back(static_cast<std::int64_t>(i));
    }
    std::shuffle(in.orders.begin() + static_cast<std::ptrdiff_t>(first), in.orders.end(), random);
    in.offsets.push_back(static_cast<std::int64_t>(in.scores.size()));
  }
  return in;
}
template <class T>
void give_upstreams(host_orders<T>& in) {
  for (std::size_t l = 0; l < lists_of(in); ++l) {
    in.upstream.push_back(static_cast<double>(l % 5) - 1.5);
    in.entropy_upstream.push_back(static_cast<float>(l % 3) - 1.0f);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("cuda plackett_luce_policy: orders of every length", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  for (const double spread : {1.0, 60.0}) {
    auto in = orders_of<TestType>(cuda_support::all_lengths(1025), 1, spread);
    INFO("spread " << spread);
    agrees(policy{}, in, ctx);
    give_upstreams(in);
    agrees(policy{.temperature = 2.0, .cutoff = 40}, in, ctx);
  }
  auto longer = orders_of<TestType>({4097}, 2);
  longer.entropy_upstream = {0.5f};
  agrees(policy{}, longer, ctx);
}

TEMPLATE_TEST_CASE("cuda plackett_luce_policy: temperatures, cutoffs, scores of any size", "", float,
                   double) {
  using T = TestType;
  const cuda_support::stream own;
  context ctx(own);
  auto in = orders_of<T>({1, 0, 5, 33, 90, 270}, 3);
  give_upstreams(in);
  for (const double t : {1e-15, 1e-3, 0.3, 50.0, 1e30}) {
    INFO("temperature " << t);
    agrees(policy{.temperature = t}, in, ctx);
  }
  for (const std::size_t cutoff : {1, 2, 33, 1000}) agrees(policy{.cutoff = cutoff}, in, ctx, update::add);
  auto one = orders_of<T>({50}, 4);
  one.offsets.clear();
  agrees(policy{}, one, ctx);
  agrees(policy{}, orders_of<T>({}, 4), ctx);
  agrees(policy{}, orders_of<T>({0, 0}, 4), ctx);
  auto ends = orders_of<T>({40}, 5);
  give_upstreams(ends);
  ends.scores[0] = ends.scores[7] = static_cast<T>(INFINITY);
  ends.scores[1] = ends.scores[8] = static_cast<T>(-INFINITY);
  ends.scores[2] = std::numeric_limits<T>::max();
  agrees(policy{}, ends, ctx);
  agrees(policy{}, orders_of<T>({40}, 6, 1e30), ctx);
}

TEST_CASE("cuda plackett_luce_policy: the bits of a list depend on it alone") {
  const cuda_support::stream own;
  context ctx(own);
  const auto in = orders_of<float>({7, 256, 257, 600}, 7);
  const auto together = on_device(policy{}, in, ctx);
  for (std::size_t l = 0; l < 4; ++l) {
    const auto part = [&](const auto& whole) {
      return std::vector(whole.begin() + in.offsets[l], whole.begin() + in.offsets[l + 1]);
    };
    const host_orders<float> one{.scores = part(in.scores), .orders = part(in.orders), .offsets = {}};
    const auto alone = on_device(policy{}, one, ctx);
    CHECK(alone.gradient == part(together.gradient));
    CHECK(alone.log_probabilities[0] == together.log_probabilities[l]);
    CHECK(alone.entropies[0] == together.entropies[l]);
  }
}

TEST_CASE("cuda plackett_luce_policy: samples are those of the host") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = orders_of<float>({1, 0, 5, 32, 33, 257, 700}, 8);
  in.scores[20] = INFINITY;
  in.scores[21] = -INFINITY;
  for (const std::uint32_t sample : {0u, 5u}) {
    const policy of{.temperature = 0.7, .seed = 0x123456789abcdefu};
    const device_orders<float> on(in);
    const array<std::uint32_t> orders(in.scores.size());
    cuda_support::samples_on_device(of, rankloss::cuda::device_span<const float>(on.batch.scores),
                                    on.batch.offsets, sample, orders.view(), ctx);
    CHECK_NOTHROW(ctx.check());
    std::vector<std::uint32_t> expected(in.scores.size());
    rankloss::context host;
    rankloss::sample_orders(of, in.scores, in.offsets, sample, expected, host);
    CHECK(orders.host() == expected);
  }
}

TEST_CASE("cuda plackett_luce_policy: bad numbers, offsets and orders are told as on the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const std::function<void(host_orders<float>&)>& spoil) {
    auto in = orders_of<float>({3, 0, 300, 40}, 9);
    give_upstreams(in);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(policy{}, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto out = on_device(policy{}, in, ctx, update::add);
    const auto all_nan = [](const auto& numbers) {
      return std::all_of(numbers.begin(), numbers.end(), [](auto x) { return std::isnan(x); });
    };
    CHECK(all_nan(out.gradient));
    CHECK(all_nan(out.log_probabilities));
    CHECK(all_nan(out.entropies));
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());  // it is reported once
    agrees(policy{}, orders_of<float>({5}, 8), ctx);
  };
  same_words([](auto& in) { in.offsets[0] = 1; });
  same_words([](auto& in) { in.offsets[3] = -7; });
  same_words([](auto& in) {
    in.offsets[4] -= 1;
    in.scores[0] = NAN;
  });
  same_words([](auto& in) {
    in.upstream[3] = NAN;
    in.entropy_upstream[0] = INFINITY;
    in.orders[0] = 5;
  });
  same_words([](auto& in) {
    in.entropy_upstream[3] = INFINITY;
    in.scores[1] = NAN;
  });
  same_words([](auto& in) {
    in.scores[310] = in.scores[300] = NAN;
    in.orders[0] = -1;
  });
  same_words([](auto& in) {
    in.orders[310] = 40;
    in.orders[342] = -1;
  });
  same_words([](auto& in) {
    in.orders[200] = in.orders[50];
    in.orders[100] = 300;
  });
  same_words([](auto& in) {
    in.orders[200] = in.orders[50];
    in.orders[250] = -3;
  });
  ctx.checks = data_checks::off;
  auto in = orders_of<float>({40}, 9);
  in.scores[3] = NAN;
  (void)on_device(policy{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
  in.orders[39] = in.orders[0];
  (void)on_device(policy{}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(), Catch::Matchers::Contains("position 39, expected each item once"));
}

TEST_CASE("cuda plackett_luce_policy: shapes and options are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(host_orders<double>&)>& spoil, const policy& of = {}) {
    auto in = orders_of<double>({3, 4}, 10);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(of, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(on_device(of, in, ctx), expected);
  };
  refused([](auto& in) { in.orders.pop_back(); });
  refused([](auto& in) { in.upstream = {1.0}; });
  refused([](auto& in) { in.entropy_upstream = {1.0f, 2.0f, 3.0f}; });
  refused([](auto&) {}, {.temperature = 0.0});
}

TEST_CASE("cuda plackett_luce_policy: what is reserved is enough, and only what is asked for is written") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  const auto in = orders_of<float>({3, 400, 90}, 11);
  const device_orders<float> on(in);
  ctx.reserve(cuda_support::scratch_of_orders(policy{}, on.batch));
  const std::size_t before = memory.allocations;
  agrees(policy{}, in, ctx);
  const array<double> entropies(3);
  cuda_support::orders_on_device(policy{}, on.batch,
                                 rankloss::cuda::order_results<float>{.entropies = entropies.view()}, ctx);
  CHECK(entropies.host() == on_device(policy{}, in, ctx).entropies);
  CHECK(memory.allocations == before);
}

}  // namespace cuda_plackett_luce_policy_test
