// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/ppo.hpp>

#include <rankloss/ppo.hpp>

#include "cuda/ppo.hpp"
#include "cuda/support/list_checks.hpp"
#include "cuda/support/odd_numbers.hpp"

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

namespace cuda_ppo_test {

using cuda_support::array;
using cuda_support::tolerance;
using rankloss::critic;
using rankloss::data_checks;
using rankloss::kl_estimator;
using rankloss::ppo;
using rankloss::cuda::context;

namespace {

struct how {
  double scale = 1.0;
  rankloss::update update = rankloss::update::overwrite;
  double filled = 0.0;      ///< what is in the gradient before
  double least_size = 1.0;  ///< errors of smaller values are as those of this one
};

/// Steps of a policy or of a critic. The arrays are log probabilities, old ones, advantages and those of a
/// reference, or values, returns and old values.
template <class T>
struct host_steps {
  std::vector<T> arrays[4];
  std::vector<double> weights{};
  std::vector<std::uint8_t> mask{};
  std::vector<float> entropies{};
};

/// Arrays of the same batch on the host or on the device.
template <template <class> class Array, class T>
struct views {
  explicit views(const host_steps<T>& in)
      : arrays{in.arrays[0], in.arrays[1], in.arrays[2], in.arrays[3]},
        weights(in.weights),
        mask(in.mask),
        entropies(in.entropies) {}

  Array<T> arrays[4];
  Array<double> weights;
  Array<std::uint8_t> mask;
  Array<float> entropies;
};
template <class T>
using host_array = std::vector<T>;

rankloss::cuda::policy_batch<float> batch_of(const ppo&, const views<array, float>& on) {
  return {on.arrays[0].view(), on.arrays[1].view(), on.arrays[2].view(), on.weights.view(),
          on.mask.view(),      on.arrays[3].view(), on.entropies.view()};
}
rankloss::cuda::policy_batch<double> batch_of(const ppo&, const views<array, double>& on) {
  return {on.arrays[0].view(), on.arrays[1].view(), on.arrays[2].view(), on.weights.view(),
          on.mask.view(),      on.arrays[3].view(), on.entropies.view()};
}
rankloss::policy_batch<double> batch_of(const ppo&, const views<host_array, double>& on) {
  return {on.arrays[0], on.arrays[1], on.arrays[2], on.weights, on.mask, on.arrays[3], on.entropies};
}
template <class T>
rankloss::cuda::value_batch<T> batch_of(const critic&, const views<array, T>& on) {
  return {on.arrays[0].view(), on.arrays[1].view(), on.arrays[2].view(), on.weights.view(), on.mask.view()};
}
rankloss::value_batch<double> batch_of(const critic&, const views<host_array, double>& on) {
  return {on.arrays[0], on.arrays[1], on.arrays[2], on.weights, on.mask};
}

template <class T>
struct results {
  double value = 0.0;
  std::vector<T> gradient;
};

template <class Loss, class T>
results<T> on_device(const Loss& loss, const host_steps<T>& in, context& ctx, const how& h = {}) {
  const views<array, T> on(in);
  const array<double> value(std::vector<double>(1, -1.0));
  const array<T> gradient(std::vector<T>(in.arrays[0].size(), static_cast<T>(h.filled)));
  cuda_support::on_device(loss, batch_of(loss, on),
                          rankloss::cuda::outputs<T>{.value = value.view(),
                                                     .gradient = gradient.view(),
                                                     .per_list = {},
                                                     .scale = h.scale,
                                                     .update = h.update},
                          ctx);
  return {value.host()[0], gradient.host()};
}

template <class T>
host_steps<double> in_doubles(const host_steps<T>& in) {
  host_steps<double> wide{.arrays = {}, .weights = in.weights, .mask = in.mask, .entropies = in.entropies};
  for (std::size_t a = 0; a < 4; ++a) wide.arrays[a].assign(in.arrays[a].begin(), in.arrays[a].end());
  return wide;
}

template <class Loss, class T>
results<double> on_host(const Loss& loss, const host_steps<T>& in, const how& h = {}) {
  const views<host_array, double> on(in_doubles(in));
  results<double> out{0.0, std::vector<double>(in.arrays[0].size(), h.filled)};
  rankloss::context ctx;
  out.value = rankloss::evaluate(
      loss, batch_of(loss, on),
      rankloss::outputs{.gradient = out.gradient, .scale = h.scale, .update = h.update}, ctx);
  return out;
}

/// How large the terms of the mean are, without regard to their signs.
template <class T>
double size_of(const ppo& loss, const host_steps<T>& in, std::size_t i) {
  using rankloss::detail::policy_ratio;
  const auto at = [&](std::size_t a) { return static_cast<double>(in.arrays[a][i]); };
  const policy_ratio rho(at(0), at(1));
  const double own = std::abs(loss.surrogate(rho.ratio, at(2)).value);
  if (!(loss.kl_coefficient > 0.0)) return own;
  return own +
         loss.kl_coefficient * std::abs(in.arrays[3].empty()
                                            ? rho.penalty(loss.estimator).value
                                            : policy_ratio::to_reference(at(3), at(0), loss.estimator).value);
}
template <class T>
double size_of(const critic&, const host_steps<T>&, std::size_t) {
  return 0.0;  // no term is below 0
}
/// The same of the mean.
template <class Loss, class T>
double mean_size(const Loss& loss, const host_steps<T>& in) {
  double sum = 0.0, weights = 0.0, heaviest = 0.0;
  for (const double w : in.weights) heaviest = std::max(heaviest, w);
  for (std::size_t i = 0; i < in.arrays[0].size(); ++i) {
    const double w = !in.mask.empty() && in.mask[i] == 0 ? 0.0
                     : in.weights.empty()                ? 1.0
                                                         : in.weights[i] / heaviest;
    if (!(w > 0.0)) continue;
    weights += w;
    sum += w * size_of(loss, in, i);
  }
  return weights > 0.0 ? sum / weights : 0.0;
}

/// The bound of a value, relative to the size of its terms.
template <class T>
inline constexpr double value_tolerance = sizeof(T) == sizeof(float) ? 2e-7 : 1e-13;

template <class Loss, class T>
void agrees(const Loss& loss, const host_steps<T>& in, context& ctx, const how& h = {}) {
  const results<T> device = on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  const results<double> host = on_host(loss, in, h);
  const double size = std::max({h.least_size, std::abs(host.value), mean_size(loss, in)});
  CHECK(std::abs(device.value - host.value) <= value_tolerance<T> * size);
  double largest = 0.0, error = 0.0;
  for (std::size_t i = 0; i < host.gradient.size(); ++i) {
    const double g = static_cast<double>(device.gradient[i]);
    const double of = static_cast<double>(rankloss::detail::held_as<T>(host.gradient[i]));
    largest = std::max(largest, std::abs(of));
    error = std::isnan(g) ? INFINITY : std::max(error, std::abs(g - of));
  }
  INFO(host.gradient.size() << " steps: largest " << largest << ", error " << error);
  CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
}

template <class T>
host_steps<T> random_steps(std::size_t n, unsigned seed, double spread = 0.3) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, spread);
  host_steps<T> in;
  for (std::size_t i = 0; i < n; ++i) {
    const double about = 3.0 * normal(random);
    for (auto& numbers : in.arrays) numbers.push_back(static_cast<T>(about + normal(random)));
    if (i % 7 == 0) in.arrays[1][i] = in.arrays[0][i];
    if (i % 11 == 0) in.arrays[2][i] = T{0};
  }
  return in;
}

template <class T>
void give_weights_and_mask(host_steps<T>& in, double size = 1.0) {
  for (std::size_t i = 0; i < in.arrays[0].size(); ++i) {
    in.weights.push_back(static_cast<double>(i % 4) * size);
    in.mask.push_back(i % 5 == 2 ? 0 : 3);
    if (in.mask.back() == 0)
      for (auto& numbers : in.arrays)
        if (!numbers.empty()) numbers[i] = static_cast<T>(NAN);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("cuda ppo: every number of steps", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  std::vector<std::size_t> counts = cuda_support::all_lengths(1025);
  counts.insert(counts.end(), {2047, 2048, 2049, 9000});
  for (const std::size_t n : counts) {
    auto in = random_steps<TestType>(n, static_cast<unsigned>(n));
    if (n % 2 == 1) give_weights_and_mask(in);
    INFO(n << " steps");
    agrees(ppo{.kl_coefficient = 0.1}, in, ctx);
    agrees(critic{}, in, ctx);
  }
}

TEMPLATE_TEST_CASE("cuda ppo: every option, scale and update", "", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  for (const bool referenced : {false, true})
    for (const auto estimator : {kl_estimator::k1, kl_estimator::k2, kl_estimator::k3}) {
      auto in = random_steps<TestType>(60, 1);
      if (!referenced) in.arrays[3].clear();
      INFO("estimator " << static_cast<int>(estimator) << ", referenced " << referenced);
      agrees(ppo{.kl_coefficient = 2.0, .estimator = estimator}, in, ctx);
      agrees(ppo{.clip = 0.0, .dual_clip = 1.3, .kl_coefficient = 1e300, .estimator = estimator},
             random_steps<double>(40, 2), ctx);
      give_weights_and_mask(in);
      agrees(ppo{.clip = 0.1, .dual_clip = 1.2, .kl_coefficient = 0.5, .estimator = estimator}, in, ctx,
             {.scale = -3.0, .filled = 5.0});
      agrees(ppo{.clip = 5.0}, in, ctx, {.scale = 2.0, .update = rankloss::update::add, .filled = 1.0});
    }
  auto in = random_steps<TestType>(60, 3);
  agrees(critic{.clip = 0.0}, in, ctx);
  agrees(critic{.clip = 100.0}, in, ctx);
  in.arrays[2].clear();
  agrees(critic{}, in, ctx);
  give_weights_and_mask(in);
  agrees(critic{}, in, ctx, {.scale = -2.0, .update = rankloss::update::add, .filled = 1.0});
}

TEST_CASE("cuda ppo: weights and numbers of any size, and no step that counts") {
  const cuda_support::stream own;
  context ctx(own);
  for (const double size : {1e-310, 1e-300, 1e300}) {
    auto in = random_steps<double>(5000, 4);
    give_weights_and_mask(in, size);
    INFO("size " << size);
    agrees(ppo{.kl_coefficient = 0.1}, in, ctx);
  }
  for (const double spread : {100.0, 1e4, 1e200, 1e307}) {
    INFO("spread " << spread);
    agrees(ppo{.dual_clip = 3.0}, random_steps<double>(50, 5, spread), ctx);
    agrees(ppo{.kl_coefficient = 0.3, .estimator = kl_estimator::k2}, random_steps<double>(50, 5, spread),
           ctx);
    agrees(critic{}, random_steps<double>(50, 5, spread), ctx);
    if (spread < 1e30) agrees(critic{}, random_steps<float>(50, 5, spread), ctx);
  }
  auto none = random_steps<float>(30, 6);
  none.mask.assign(30, 0);
  agrees(ppo{}, none, ctx, {.filled = 5.0});
  none.mask.clear();
  none.weights.assign(30, 0.0);
  agrees(critic{}, none, ctx, {.filled = 5.0});
}

TEST_CASE("cuda ppo: floats of any kind, a few steps at a time") {
  const cuda_support::stream own;
  context ctx(own);
  cuda_support::odd_numbers random(12);
  for (int k = 0; k < 400; ++k) {
    host_steps<float> in;
    const double log_size = random.any(-9.0, 3.0), advantage_size = random.any(-30.0, 30.0),
                 about = random.sized(-3.0, k % 9 == 0 ? 6.0 : 1.0);
    const std::size_t n = 1 + random() % 3;
    for (std::size_t i = 0; i < n; ++i) {
      const double off = random.sized(log_size - 1.0, log_size);
      in.arrays[0].push_back(static_cast<float>(about + (k % 2 == 0 ? off : random.any(-0.8, 0.8))));
      in.arrays[1].push_back(static_cast<float>(about));
      in.arrays[2].push_back(static_cast<float>(
          k % 3 == 0 ? random.sized(advantage_size - 1.0, advantage_size) : random.sized(-1.0, 1.0)));
      in.arrays[3].push_back(static_cast<float>(about + random.sized(log_size - 1.0, log_size)));
      if (random() % 8 == 0) in.arrays[2][i] = 0.0f;
      if (k % 5 == 0) in.weights.push_back(random() % 6 == 0 ? 0.0 : std::abs(random.sized(-40.0, 40.0)));
    }
    if (k % 4 == 0) in.arrays[3].clear();
    const auto estimator = static_cast<kl_estimator>(random() % 3);
    const double coefficient =
        k % 7 == 0 ? std::abs(random.sized(-9.0, 9.0)) : std::abs(random.sized(-2.0, 0.0));
    const how h{.scale = k % 6 == 0 ? random.sized(-25.0, 5.0) : -2.0, .least_size = 0.0};
    INFO("batch " << k << ", coefficient " << coefficient << ", estimator " << static_cast<int>(estimator));
    agrees(ppo{.dual_clip = k % 2 == 0 ? 1.7 : 0.0}, in, ctx, h);
    agrees(ppo{.kl_coefficient = coefficient, .estimator = estimator}, in, ctx, h);
    agrees(critic{.clip = std::abs(random.sized(-12.0, 3.0))}, in, ctx, h);
  }
}

TEST_CASE("cuda ppo: floats are on the side of a bound that the CPU is on") {
  const cuda_support::stream own;
  context ctx(own);
  for (const double bound : {0.8, 1.2, 1.5}) {
    host_steps<float> in;
    for (int k = -60; k <= 60; ++k) {
      in.arrays[0].push_back(static_cast<float>(std::log(bound)) + static_cast<float>(k) * 0x1p-27f);
      in.arrays[1].push_back(0.0f);
      in.arrays[2].push_back(bound > 1.0 ? bound > 1.3 ? -1.0f : 1.0f : -1.0f);
    }
    agrees(ppo{.dual_clip = 1.5}, in, ctx);
  }
  // Actions whose penalty has all but the slope of the surrogate.
  for (const double off : {1e-6, 1e-3}) {
    host_steps<float> in;
    for (int k = 1; k < 9; ++k) {
      in.arrays[0].push_back(static_cast<float>(off * k));
      in.arrays[1].push_back(0.0f);
      in.arrays[2].push_back(-1.0f);
    }
    agrees(ppo{.kl_coefficient = 1.0, .estimator = kl_estimator::k1}, in, ctx);
  }
  // Values at a bound, and those at which both squares are equal.
  host_steps<float> values;
  for (int k = -60; k <= 60; ++k)
    for (const double at : {0.2, -0.2, 0.6}) {
      values.arrays[0].push_back(static_cast<float>(at) + static_cast<float>(k) * 0x1p-26f);
      values.arrays[1].push_back(at == 0.6 ? 0.4f : k % 2 == 0 ? 3.0f : -3.0f);
      values.arrays[2].push_back(0.0f);
    }
  agrees(critic{}, values, ctx);
  for (const float old : {-1e-9f, 0.0f, 1e-9f}) {
    host_steps<float> equal{.arrays = {{0.75f, -0.75f}, {0.5f, -0.5f}, {old, old}, {}}};
    agrees(critic{.clip = 0.25}, equal, ctx);
  }
}

namespace {

std::vector<double> numbers_of(const rankloss::policy_diagnostics& of) {
  return {of.mean_ratio,      of.clip_fraction,   of.kl_k1,  of.kl_k3,
          of.reference_kl_k1, of.reference_kl_k3, of.entropy};
}
template <class T>
rankloss::policy_diagnostics diagnosed(const ppo& loss, const host_steps<T>& in, context& ctx) {
  const views<array, T> on(in);
  const array<rankloss::policy_diagnostics> found(1);
  cuda_support::diagnosed_on_device(loss, batch_of(loss, on), found.view(), ctx);
  return found.host()[0];
}
template <class T>
double explained(const host_steps<T>& in, context& ctx) {
  const views<array, T> on(in);
  const array<double> found(1);
  cuda_support::explained_on_device(batch_of(critic{}, on), found.view(), ctx);
  return found.host()[0];
}
bool is_near(double a, double b) { return std::abs(a - b) <= 1e-13 * std::max(1.0, std::abs(b)); }

}  // namespace

TEMPLATE_TEST_CASE("cuda ppo: diagnostics and explained variance", "", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  for (const std::size_t n : {0, 1, 2, 33, 256, 2048, 2049, 9000})
    for (const bool weighted : {false, true}) {
      auto in = random_steps<TestType>(n, static_cast<unsigned>(n));
      if (n % 2 == 0) in.arrays[3].clear();
      for (std::size_t i = 0; i < n && weighted; ++i) in.entropies.push_back(static_cast<float>(i % 7));
      if (weighted) give_weights_and_mask(in, n == 33 ? 1e-300 : 1.0);
      const views<host_array, double> on(in_doubles(in));
      const ppo loss{.clip = 0.1, .dual_clip = 1.4};
      INFO(n << " steps, weighted " << weighted);
      const auto device = numbers_of(diagnosed(loss, in, ctx));
      const auto host = numbers_of(rankloss::diagnose(loss, batch_of(loss, on)));
      for (std::size_t k = 0; k < host.size(); ++k) {
        INFO("number " << k << ": " << device[k] << ", " << host[k] << " on the host");
        CHECK(is_near(device[k], host[k]));
      }
      CHECK(numbers_of(diagnosed(loss, in, ctx)) == device);
      const double variance = explained(in, ctx);
      CHECK(is_near(variance, rankloss::explained_variance(batch_of(critic{}, on))));
      CHECK(explained(in, ctx) == variance);
      CHECK_NOTHROW(ctx.check());
    }
  for (const double spread : {1e-30, 1e4, 1e30, 1e300}) {
    if (sizeof(TestType) == 4 && spread > 1e30) continue;
    auto in = random_steps<TestType>(50, 5, spread);
    const views<host_array, double> on(in_doubles(in));
    INFO("spread " << spread);
    CHECK(is_near(explained(in, ctx), rankloss::explained_variance(batch_of(critic{}, on))));
    for (auto& r : in.arrays[1]) r = in.arrays[1][0];
    CHECK(explained(in, ctx) == 0.0);
  }
  // Values that are right up to a constant, and constant values.
  auto in = random_steps<TestType>(3000, 5);
  for (std::size_t i = 0; i < 3000; ++i) in.arrays[1][i] = static_cast<TestType>(i % 64);
  for (std::size_t i = 0; i < 3000; ++i) in.arrays[0][i] = in.arrays[1][i] + TestType{64};
  CHECK(is_near(explained(in, ctx), 1.0));
  for (auto& v : in.arrays[0]) v = TestType{5};
  CHECK(is_near(explained(in, ctx), 0.0));
}

TEMPLATE_TEST_CASE("cuda ppo: shaped rewards", "", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  for (const double spread : {0.3, 1e4, 1e37})
    for (const auto estimator : {kl_estimator::k1, kl_estimator::k2, kl_estimator::k3}) {
      auto in = random_steps<TestType>(600, 14, spread);
      if (spread < 1.0) give_weights_and_mask(in);
      const views<array, TestType> on(in);
      const auto view = [&](std::size_t a) {
        return rankloss::cuda::device_span<const TestType>(on.arrays[a].view());
      };
      std::vector<TestType> host(600);
      rankloss::shape_rewards<TestType>(in.arrays[0], in.arrays[1], in.arrays[2], 0.2, estimator, host,
                                        in.mask);
      // In place, too.
      const array<TestType> shaped(600);
      cuda_support::shaped_on_device(view(0), view(1), view(2), 0.2, estimator, shaped.view(), on.mask.view(),
                                     ctx);
      cuda_support::shaped_on_device(view(0), view(1), view(2), 0.2, estimator, on.arrays[0].view(),
                                     on.mask.view(), ctx);
      CHECK_NOTHROW(ctx.check());
      const auto device = shaped.host();
      CHECK(on.arrays[0].host() == device);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < 600; ++i) {
        const double x = static_cast<double>(device[i]), of = static_cast<double>(host[i]);
        const double part =
            std::isnan(in.arrays[0][i]) ? 0.0 : std::abs(static_cast<double>(in.arrays[0][i]));
        const double bound = sizeof(TestType) == 4 ? 1.2e-7 : 1e-13;
        wrong += !(std::abs(x - of) <= bound * std::max(std::abs(of), sizeof(TestType) == 4 ? 0.0 : part));
      }
      INFO("spread " << spread << ", estimator " << static_cast<int>(estimator));
      CHECK(wrong == 0);
    }
}

TEST_CASE("cuda ppo: bad numbers of statistics are told as on the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto words_of = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const std::invalid_argument& refused) {
      return refused.what();
    }
    return "nothing";
  };
  for (int k = 0; k < 4; ++k) {
    auto in = random_steps<float>(3000, 7);
    in.entropies.assign(3000, 1.0f);
    if (k == 0) in.entropies[2500] = NAN;
    if (k == 1) in.arrays[3][2999] = in.entropies[3] = INFINITY;
    if (k == 2) in.arrays[0][5] = in.entropies[9] = INFINITY;
    if (k == 3) in.arrays[1][5] = NAN;
    const views<host_array, double> on(in_doubles(in));
    INFO("case " << k);
    for (const double x : numbers_of(diagnosed(ppo{}, in, ctx))) CHECK(std::isnan(x));
    CHECK_THROWS_WITH(ctx.check(), words_of([&] { (void)rankloss::diagnose(ppo{}, batch_of(ppo{}, on)); }));
    CHECK(std::isnan(on_device(ppo{}, in, ctx).value));
    CHECK_THROWS_WITH(ctx.check(), words_of([&] { (void)on_host(ppo{}, in); }));
    if (k == 0) continue;
    if (k == 1) in.arrays[2][7] = INFINITY;
    CHECK(std::isnan(explained(in, ctx)));
    CHECK_THROWS_WITH(ctx.check(), words_of([&] {
                        const views<host_array, double> spoiled(in_doubles(in));
                        (void)rankloss::explained_variance(batch_of(critic{}, spoiled));
                      }));
    const views<array, float> device(in);
    const auto view = [&](std::size_t a) {
      return rankloss::cuda::device_span<const float>(device.arrays[a].view());
    };
    std::vector<float> host(3000);
    const array<float> shaped(3000);
    cuda_support::shaped_on_device(view(0), view(1), view(3), 0.1, kl_estimator::k1, shaped.view(), {}, ctx);
    const auto all = shaped.host();
    CHECK(std::all_of(all.begin(), all.end(), [](float x) { return std::isnan(x); }));
    CHECK_THROWS_WITH(ctx.check(), words_of([&] {
                        rankloss::shape_rewards<float>(in.arrays[0], in.arrays[1], in.arrays[3], 0.1,
                                                       kl_estimator::k1, host);
                      }));
  }
  const array<rankloss::policy_diagnostics> none(0);
  const array<float> two(2), one(1);
  const views<array, float> on(random_steps<float>(6, 10));
  CHECK_THROWS_WITH(cuda_support::diagnosed_on_device(ppo{}, batch_of(ppo{}, on), none.view(), ctx),
                    Catch::Matchers::Contains("found: size 0, expected 1 (one per batch)"));
  CHECK_THROWS_WITH(
      cuda_support::explained_on_device(batch_of(critic{}, on), rankloss::cuda::device_span<double>(), ctx),
      Catch::Matchers::Contains("explained: size 0, expected 1 (one per batch)"));
  const auto view = [](const auto& of) { return rankloss::cuda::device_span<const float>(of.view()); };
  CHECK_THROWS_WITH(cuda_support::shaped_on_device(view(two), view(one), view(two), 0.1, kl_estimator::k1,
                                                   two.view(), {}, ctx),
                    "rankloss: log_probabilities: size 1, expected 2 (one per shaped reward)");
  CHECK_THROWS_WITH(cuda_support::shaped_on_device(view(two), view(two), view(two), -1.0, kl_estimator::k1,
                                                   two.view(), {}, ctx),
                    "rankloss: coefficient: -1, expected a finite number >= 0");
}

TEST_CASE("cuda ppo: bad numbers are told as on the host, the first of them") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const auto& loss, const std::function<void(host_steps<float>&)>& spoil) {
    auto in = random_steps<float>(3000, 7);
    give_weights_and_mask(in);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(loss, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto out = on_device(loss, in, ctx, {.update = rankloss::update::add, .filled = 5.0});
    CHECK(std::isnan(out.value));
    CHECK(std::all_of(out.gradient.begin(), out.gradient.end(), [](float g) { return std::isnan(g); }));
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());  // it is reported once
    agrees(loss, random_steps<float>(5, 8), ctx);
  };
  const auto each = [&](std::size_t of, float number, const auto& loss) {
    same_words(loss, [&](auto& in) {
      in.arrays[of][2500] = number;
      in.arrays[of][2900] = NAN;
    });
  };
  for (const std::size_t of : {0, 1, 2}) {
    each(of, INFINITY, ppo{});
    each(of, -INFINITY, critic{});
  }
  each(3, NAN, ppo{});
  same_words(ppo{}, [](auto& in) {
    in.arrays[2][0] = in.arrays[1][1] = NAN;
    in.arrays[0][2900] = in.arrays[3][2990] = INFINITY;
  });
  same_words(critic{}, [](auto& in) {
    in.weights[2] = -1.0;  // of a masked step
    in.arrays[0][0] = NAN;
  });
  ctx.checks = data_checks::off;
  auto in = random_steps<float>(40, 9);
  in.arrays[0][3] = NAN;
  (void)on_device(ppo{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
}

TEST_CASE("cuda ppo: shapes and options are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const auto& loss, const std::function<void(host_steps<double>&)>& spoil) {
    auto in = random_steps<double>(6, 10);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(loss, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(on_device(loss, in, ctx), expected);
  };
  for (const std::size_t of : {1, 2, 3}) refused(ppo{}, [of](auto& in) { in.arrays[of].pop_back(); });
  for (const std::size_t of : {1, 2}) refused(critic{}, [of](auto& in) { in.arrays[of].pop_back(); });
  refused(ppo{}, [](auto& in) { in.weights = {1.0}; });
  refused(critic{}, [](auto& in) { in.mask = {1}; });
  refused(ppo{.dual_clip = 0.5}, [](auto&) {});
  refused(critic{.clip = -1.0}, [](auto&) {});
  const views<array, double> on(random_steps<double>(6, 10));
  const array<double> six(6);
  CHECK_THROWS_WITH(cuda_support::on_device(ppo{}, batch_of(ppo{}, on),
                                            rankloss::cuda::outputs<double>{.per_list = six.view()}, ctx),
                    "rankloss: per_list: steps have none, expected an empty output");
}

TEST_CASE("cuda ppo: the same bits on every run, and what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  auto in = random_steps<float>(5000, 11);
  give_weights_and_mask(in);
  const views<array, float> on(in);
  ctx.reserve(cuda_support::scratch_bytes(ppo{}, batch_of(ppo{}, on)));
  ctx.reserve(cuda_support::scratch_bytes(critic{}, batch_of(critic{}, on)));
  const std::size_t before = memory.allocations;
  const auto once = on_device(ppo{}, in, ctx), again = on_device(ppo{}, in, ctx);
  CHECK(once.value == again.value);
  CHECK(once.gradient == again.gradient);
  (void)on_device(critic{}, in, ctx);
  (void)diagnosed(ppo{}, in, ctx);
  (void)explained(in, ctx);
  CHECK(memory.allocations == before);
}

}  // namespace cuda_ppo_test
