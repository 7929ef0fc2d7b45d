// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/lr2ppo.hpp>

#include <rankloss/lr2ppo.hpp>

#include "cuda/lr2ppo.hpp"
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

namespace cuda_lr2ppo_test {

using cuda_support::array;
using cuda_support::how;
using cuda_support::tolerance;
using rankloss::data_checks;
using rankloss::lr2ppo;
using rankloss::lr2ppo_form;
using rankloss::cuda::context;

namespace {

template <class T>
struct host_labels {
  std::vector<T> scores, old_scores;
  std::vector<std::int64_t> orders, offsets;
  std::vector<double> rewards;
  std::vector<float> old_values{};
};

template <class T>
struct device_labels {
  explicit device_labels(const host_labels<T>& in)
      : scores(in.scores),
        old_scores(in.old_scores),
        orders(in.orders),
        offsets(in.offsets),
        rewards(in.rewards),
        old_values(in.old_values),
        batch{.scores = scores.view(),
              .old_scores = old_scores.view(),
              .orders = orders.view(),
              .offsets = offsets.view(),
              .rewards = rewards.view(),
              .old_values = old_values.view()} {}

  array<T> scores, old_scores;
  array<std::int64_t> orders, offsets;
  array<double> rewards;
  array<float> old_values;
  rankloss::cuda::label_policy_batch<T> batch;
};

template <class T>
struct results {
  double value = 0.0;
  std::vector<T> gradient;
  std::vector<double> per_list, shaped;
};

template <class T>
std::size_t lists_of(const host_labels<T>& in) {
  return in.offsets.empty() ? 1 : in.offsets.size() - 1;
}

template <class T>
results<T> on_device(const lr2ppo& loss, const host_labels<T>& in, context& ctx, const how& h = {}) {
  const device_labels<T> on(in);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(lists_of(in)), shaped(lists_of(in));
  const array<T> gradient(std::vector<T>(in.scores.size(), static_cast<T>(h.filled)));
  cuda_support::labels_on_device(loss, on.batch,
                                 rankloss::cuda::outputs<T>{.value = value.view(),
                                                            .gradient = gradient.view(),
                                                            .per_list = per_list.view(),
                                                            .scale = h.scale,
                                                            .update = h.update},
                                 ctx);
  if (lists_of(in) > 0) cuda_support::shaped_on_device(loss, on.batch, shaped.view(), ctx);
  return {value.host()[0], gradient.host(), per_list.host(), shaped.host()};
}

template <class T>
results<double> on_host(const lr2ppo& loss, const host_labels<T>& in, const how& h = {}) {
  const auto wide =
      [](const std::vector<T>& numbers) {  // an infinite one counts as the largest of its own type
        std::vector<double> all;
        for (const T& x : numbers)
          all.push_back(std::isnan(x) ? NAN : static_cast<double>(rankloss::detail::bounded(x)));
        return all;
      };
  const std::vector<double> scores = wide(in.scores), old_scores = wide(in.old_scores);
  const rankloss::label_policy_batch<double> batch{.scores = scores,
                                                   .old_scores = old_scores,
                                                   .orders = in.orders,
                                                   .offsets = in.offsets,
                                                   .rewards = in.rewards,
                                                   .old_values = in.old_values};
  results<double> out{0.0, std::vector<double>(scores.size(), h.filled), std::vector<double>(lists_of(in)),
                      std::vector<double>(lists_of(in))};
  rankloss::context ctx;
  out.value = rankloss::evaluate(
      loss, batch,
      rankloss::outputs{
          .gradient = out.gradient, .per_list = out.per_list, .scale = h.scale, .update = h.update},
      ctx);
  rankloss::shape_rewards(loss, batch, out.shaped, ctx);
  return out;
}

template <class T>
void agrees(const lr2ppo& loss, const host_labels<T>& in, context& ctx, const how& h = {}) {
  const results<T> device = on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  const results<double> host = on_host(loss, in, h);
  // The host adds up hinges one by one, with a rounding error that grows with their number: in the published form
  // with that of all lists.
  double pairs = 0.0;
  for (std::size_t l = 0; l + 1 < in.offsets.size(); ++l) {
    const auto n = static_cast<double>(in.offsets[l + 1] - in.offsets[l]), own = 0.5 * n * (n - 1.0);
    pairs = loss.form == lr2ppo_form::published ? pairs + own : std::max(pairs, own);
  }
  const double within = std::max(1e-13, 2e-17 * pairs);
  const auto close = [within](double a, double b) {
    INFO(a << " on the device, " << b << " on the host, apart " << std::abs(a - b));
    CHECK(std::abs(a - b) <= within * std::max(1.0, std::abs(b)));
  };
  close(device.value, host.value);
  for (std::size_t l = 0; l < lists_of(in); ++l) {
    close(device.per_list[l], host.per_list[l]);
    close(device.shaped[l], host.shaped[l]);
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
    CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
  }
}

template <class T>
host_labels<T> labels_of(const std::vector<std::size_t>& lengths, unsigned seed, double spread = 1.0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, spread);
  host_labels<T> in;
  in.offsets.push_back(0);
  for (const std::size_t n : lengths) {
    const std::size_t first = in.orders.size();
    for (std::size_t i = 0; i < n; ++i) {
      in.scores.push_back(static_cast<T>(normal(random)));
      in.old_scores.push_back(static_cast<T>(static_cast<double>(in.scores.back()) + 0.3 * normal(random)));
      in.orders.push_back(static_cast<std::int64_t>(i));
    }
    std::shuffle(in.orders.begin() + static_cast<std::ptrdiff_t>(first), in.orders.end(), random);
    in.offsets.push_back(static_cast<std::int64_t>(in.scores.size()));
    in.rewards.push_back(normal(random) / spread);
    in.old_values.push_back(static_cast<float>(normal(random) / spread) / 4);
  }
  return in;
}

const std::vector<lr2ppo_form> forms{lr2ppo_form::corrected, lr2ppo_form::published};

}  // namespace

TEMPLATE_TEST_CASE("cuda lr2ppo: states of every length", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto form : forms) {
    INFO("form " << static_cast<int>(form));
    agrees(lr2ppo{.form = form, .entropy_coefficient = 0.1},
           labels_of<TestType>(cuda_support::all_lengths(257), 1), ctx);
  }
}

TEMPLATE_TEST_CASE("cuda lr2ppo: options, scale, update and sizes", "", float, double) {
  using T = TestType;
  const cuda_support::stream own;
  context ctx(own);
  const auto in = labels_of<T>({2, 1, 0, 7, 40, 3, 33}, 2);
  for (const auto form : forms) {
    INFO("form " << static_cast<int>(form));
    for (const double margin : {-0.5, 0.0, 3.0}) agrees(lr2ppo{.form = form, .margin = margin}, in, ctx);
    agrees(lr2ppo{.form = form, .kl_coefficient = 5.0, .entropy_coefficient = 0.0}, in, ctx,
           {.scale = -3.0, .filled = 5.0});
    agrees(lr2ppo{.form = form, .kl_coefficient = 0.5, .entropy_coefficient = 2.0}, in, ctx,
           {.scale = 2.0, .update = rankloss::update::add, .filled = 1.0});
    auto one = labels_of<T>({60}, 3);
    one.offsets.clear();
    one.old_values.clear();
    agrees(lr2ppo{.form = form}, one, ctx);
    agrees(lr2ppo{.form = form}, labels_of<T>({}, 4), ctx);
    agrees(lr2ppo{.form = form}, labels_of<T>({0, 0}, 4), ctx);
    auto ends = labels_of<T>({20, 2}, 5);
    ends.scores[0] = ends.old_scores[3] = static_cast<T>(INFINITY);
    ends.scores[1] = ends.old_scores[4] = static_cast<T>(-INFINITY);
    agrees(lr2ppo{.form = form}, ends, ctx);
    agrees(lr2ppo{.form = form}, labels_of<T>({20, 2}, 6, 1e30), ctx);
    agrees(lr2ppo{.form = form, .kl_coefficient = 1e300}, labels_of<T>({20, 2}, 6, 40.0), ctx);
  }
  for (const double threshold : {0.3, 1.0, 1e9}) agrees(lr2ppo{.threshold = threshold}, in, ctx);
}

TEST_CASE("cuda lr2ppo: the same bits on every run, and what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  const auto in = labels_of<float>({3, 300, 90, 2, 2}, 11);
  ctx.reserve(cuda_support::scratch_of_labels(lr2ppo{}, device_labels<float>(in).batch));
  const std::size_t before = memory.allocations;
  const auto once = on_device(lr2ppo{}, in, ctx), again = on_device(lr2ppo{}, in, ctx);
  CHECK(once.value == again.value);
  CHECK(once.gradient == again.gradient);
  CHECK(memory.allocations == before);
  const array<double> value(1);
  cuda_support::labels_on_device(lr2ppo{}, device_labels<float>(in).batch,
                                 rankloss::cuda::outputs<float>{.value = value.view()}, ctx);
  CHECK(value.host()[0] == once.value);
}

TEST_CASE("cuda lr2ppo: bad numbers, offsets and orders are told as on the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const std::function<void(host_labels<float>&)>& spoil) {
    auto in = labels_of<float>({3, 0, 300, 40}, 9);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(lr2ppo{}, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto out = on_device(lr2ppo{}, in, ctx, {.update = rankloss::update::add});
    const auto all_nan = [](const auto& numbers) {
      return std::all_of(numbers.begin(), numbers.end(), [](auto x) { return std::isnan(x); });
    };
    CHECK(std::isnan(out.value));
    CHECK(all_nan(out.gradient));
    CHECK(all_nan(out.per_list));
    CHECK(all_nan(out.shaped));
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());  // it is reported once
    agrees(lr2ppo{}, labels_of<float>({5}, 8), ctx);
  };
  same_words([](auto& in) {
    in.offsets[0] = 1;
    in.orders[0] = 9;
  });
  same_words([](auto& in) { in.offsets[3] = -7; });
  same_words([](auto& in) {
    in.orders[310] = 40;
    in.scores[0] = NAN;
  });
  same_words([](auto& in) {
    in.orders[200] = in.orders[50];
    in.orders[250] = -3;
  });
  same_words([](auto& in) {
    in.scores[310] = NAN;
    in.old_scores[0] = NAN;
  });
  same_words([](auto& in) {
    in.old_scores[300] = NAN;
    in.rewards[0] = NAN;
  });
  same_words([](auto& in) {
    in.rewards[3] = INFINITY;
    in.old_values[0] = NAN;
  });
  same_words([](auto& in) { in.old_values[2] = -INFINITY; });
  ctx.checks = data_checks::off;
  auto in = labels_of<float>({40}, 9);
  in.scores[3] = NAN;
  (void)on_device(lr2ppo{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
  in.orders[39] = in.orders[0];
  (void)on_device(lr2ppo{}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(), Catch::Matchers::Contains("position 39, expected each item once"));
}

TEST_CASE("cuda lr2ppo: shapes and options are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(host_labels<double>&)>& spoil, const lr2ppo& loss = {}) {
    auto in = labels_of<double>({3, 4}, 10);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(loss, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(on_device(loss, in, ctx), expected);
  };
  refused([](auto& in) { in.orders.pop_back(); });
  refused([](auto& in) { in.old_scores.pop_back(); });
  refused([](auto& in) { in.rewards.pop_back(); });
  refused([](auto& in) { in.old_values.pop_back(); });
  refused([](auto&) {}, {.kl_coefficient = -1.0});
  refused([](auto&) {}, {.form = lr2ppo_form::published, .threshold = 1.0});
}

}  // namespace cuda_lr2ppo_test
