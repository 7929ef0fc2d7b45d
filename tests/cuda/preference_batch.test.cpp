// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/preference_batch.hpp>

#include <rankloss/bradley_terry.hpp>
#include <rankloss/davidson.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/rao_kupper.hpp>

#include "cuda/preference_batch.hpp"
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

namespace cuda_preference_batch_test {

using cuda_support::array;
using cuda_support::tolerance;
using rankloss::bradley_terry;
using rankloss::data_checks;
using rankloss::davidson;
using rankloss::margin_ranking;
using rankloss::rao_kupper;
using rankloss::reduction;
using rankloss::cuda::context;

namespace {

struct how {
  double scale = 1.0;
  rankloss::update update = rankloss::update::overwrite;
  double filled = 0.0;                   ///< what is in the derivatives before
  bool gradient = true, hessian = true;  ///< which of them are asked for
  double least = 1.0;                    ///< errors of smaller values are as those of this one
};

template <class T>
struct host_preferences {
  std::vector<T> rewards;
  std::vector<std::int32_t> preferred;
  std::vector<std::int64_t> other;
  std::vector<double> pair_weights{};
  std::vector<float> margins{};
  std::vector<std::uint8_t> ties{};
  rankloss::reduction reduction = reduction::mean;
};

template <class T>
struct results {
  double value = 0.0;
  std::vector<T> gradient;
  std::vector<double> per_pair;
  double by_ties = 0.0;
  std::vector<T> hessian{};
};

template <class T>
struct device_preferences {
  explicit device_preferences(const host_preferences<T>& in)
      : rewards(in.rewards),
        preferred(in.preferred),
        other(in.other),
        pair_weights(in.pair_weights),
        margins(in.margins),
        ties(in.ties),
        batch{.rewards = rewards.view(),
              .preferred = preferred.view(),
              .other = other.view(),
              .pair_weights = pair_weights.view(),
              .margins = margins.view(),
              .ties = ties.view(),
              .reduction = in.reduction} {}

  array<T> rewards;
  array<std::int32_t> preferred;
  array<std::int64_t> other;
  array<double> pair_weights;
  array<float> margins;
  array<std::uint8_t> ties;
  rankloss::cuda::preference_batch<T> batch;
};

template <class Loss, class T>
std::size_t hessians_of(const host_preferences<T>& in, const how& h) {
  return rankloss::detail::gives_hessian<Loss> && h.hessian ? in.rewards.size() : 0;
}

template <class Loss, class T>
results<T> on_device(const Loss& loss, const host_preferences<T>& in, context& ctx, const how& h = {}) {
  const device_preferences<T> on(in);
  const array<double> value(std::vector<double>(1, -1.0)), per_pair(in.preferred.size()),
      by_ties(std::vector<double>(rankloss::tie_loss<Loss> ? 1 : 0, h.filled));
  const array<T> gradient(std::vector<T>(h.gradient ? in.rewards.size() : 0, static_cast<T>(h.filled)));
  const array<T> hessian(std::vector<T>(hessians_of<Loss>(in, h), static_cast<T>(h.filled)));
  cuda_support::on_device(loss, on.batch,
                          rankloss::cuda::outputs<T>{.value = value.view(),
                                                     .gradient = gradient.view(),
                                                     .per_list = per_pair.view(),
                                                     .hessian = hessian.view(),
                                                     .scale = h.scale,
                                                     .update = h.update},
                          by_ties.view(), ctx);
  return {value.host()[0], gradient.host(), per_pair.host(),
          rankloss::tie_loss<Loss> ? by_ties.host()[0] : h.filled, hessian.host()};
}

template <class Loss, class T>
results<double> on_host(const Loss& loss, const host_preferences<T>& in, const how& h = {},
                        data_checks checks = data_checks::on) {
  std::vector<double> rewards;  // an infinite one counts as the largest number of its own type
  for (const T& r : in.rewards)
    rewards.push_back(std::isnan(r) ? NAN : static_cast<double>(rankloss::detail::bounded(r)));
  results<double> out{0.0, std::vector<double>(rewards.size(), h.filled),
                      std::vector<double>(in.preferred.size()), h.filled,
                      std::vector<double>(hessians_of<Loss>(in, h), h.filled)};
  const rankloss::preference_batch<double> batch{.rewards = rewards,
                                                 .preferred = in.preferred,
                                                 .other = in.other,
                                                 .pair_weights = in.pair_weights,
                                                 .margins = in.margins,
                                                 .ties = in.ties,
                                                 .reduction = in.reduction};
  const rankloss::outputs to{.gradient = out.gradient,
                             .per_list = out.per_pair,
                             .hessian = out.hessian,
                             .scale = h.scale,
                             .update = h.update};
  rankloss::context ctx{checks};
  if constexpr (rankloss::tie_loss<Loss>)
    out.value = rankloss::evaluate(loss, batch, to, out.by_ties, ctx);
  else
    out.value = rankloss::evaluate(loss, batch, to, ctx);
  return out;
}

bool is_near(double a, double b, double within) { return std::abs(a - b) <= within; }

/// The bound of values, relative to 1 or to the value where that is larger.
template <class T>
inline constexpr double value_tolerance = sizeof(T) == sizeof(float) ? 2e-7 : 1e-13;

template <class Loss, class T>
void agrees(const Loss& loss, const host_preferences<T>& in, context& ctx, const how& h = {}) {
  const results<T> device = on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  const results<double> host = on_host(loss, in, h);
  CHECK(is_near(device.value, host.value, value_tolerance<T> * std::max(h.least, std::abs(host.value))));
  CHECK(is_near(device.by_ties, host.by_ties, value_tolerance<T> * std::max(1.0, std::abs(host.by_ties))));
  double of_pairs = 0.0;
  const auto derivatives_agree = [](const std::vector<T>& own, const std::vector<double>& of_host) {
    double largest = 0.0, error = 0.0;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const double g = static_cast<double>(own[i]);
      largest = std::max(largest, std::abs(of_host[i]));
      error = std::isnan(g) ? INFINITY : std::max(error, std::abs(g - of_host[i]));
    }
    INFO("largest " << largest << ", error " << error);
    CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
  };
  derivatives_agree(device.gradient, host.gradient);
  {
    INFO("Hessian");
    derivatives_agree(device.hessian, host.hessian);
  }
  for (std::size_t k = 0; k < in.preferred.size(); ++k) {
    const double own =
        host.per_pair[k] == device.per_pair[k]
            ? 0.0
            : std::abs(device.per_pair[k] - host.per_pair[k]) / std::max(h.least, std::abs(host.per_pair[k]));
    of_pairs = std::isnan(own) ? INFINITY : std::max(of_pairs, own);
  }
  INFO(in.preferred.size() << " pairs: error of pairs " << of_pairs);
  CHECK(of_pairs <= value_tolerance<T>);
}

/// Pairs of random items, of which the first one is in every other pair.
template <class T>
host_preferences<T> random_pairs(std::size_t items, std::size_t pairs, unsigned seed, bool ties = false) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, 2.0);
  host_preferences<T> in;
  for (std::size_t i = 0; i < items; ++i) in.rewards.push_back(static_cast<T>(normal(random)));
  for (std::size_t k = 0; k < pairs; ++k) {
    const auto p = k % 2 == 0 ? 0 : static_cast<std::int32_t>(random() % items);
    const auto apart = static_cast<std::int32_t>(1 + random() % (items - 1));
    in.preferred.push_back(p);
    in.other.push_back((p + apart) % static_cast<std::int32_t>(items));
    if (ties) in.ties.push_back(random() % 3 == 0 ? 2 : 0);
  }
  return in;
}

template <class T>
void give_weights_and_margins(host_preferences<T>& in, double size = 1.0) {
  for (std::size_t k = 0; k < in.preferred.size(); ++k) {
    in.pair_weights.push_back(static_cast<double>(k % 4) * size);
    in.margins.push_back(static_cast<float>(k % 5) - 2.0f);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("cuda preference_batch: every number of pairs and ends", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  for (const std::size_t pairs :
       {0, 1, 2, 31, 32, 33, 64, 65, 127, 128, 129, 255, 256, 257, 513, 2047, 2048, 2049, 4097, 9000}) {
    INFO(pairs << " pairs");
    agrees(bradley_terry{}, random_pairs<TestType>(2 + pairs / 3, pairs, 1), ctx);
  }
  // Weights of chunks of pairs that are of other sizes.
  auto in = random_pairs<TestType>(700, 5000, 2, true);
  for (std::size_t k = 0; k < 5000; ++k)
    in.pair_weights.push_back(static_cast<double>(k % 3) * (k < 2048 ? 1e-300 : k < 4096 ? 1e-3 : 1.0));
  agrees(rao_kupper{}, in, ctx);
}

TEST_CASE("cuda preference_batch: every loss with every option") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = random_pairs<double>(20, 150, 3, true);
  auto floats = random_pairs<float>(20, 150, 3, true);
  auto decided = random_pairs<float>(20, 150, 3), zeros = decided;
  give_weights_and_margins(in);
  give_weights_and_margins(floats);
  give_weights_and_margins(decided);
  zeros.ties.assign(150, 0);
  for (const double t : {1e-15, 1e-3, 0.7, 1e300}) {
    INFO("temperature " << t);
    agrees(bradley_terry{.temperature = t}, decided, ctx);
    agrees(rao_kupper{.temperature = t}, in, ctx);
    agrees(davidson{.temperature = t}, in, ctx);
  }
  agrees(bradley_terry{.smoothing = 0.1, .centring = 0.3}, decided, ctx);
  agrees(bradley_terry{.smoothing = 0.5, .centring = 1e100}, random_pairs<double>(20, 150, 3), ctx);
  agrees(bradley_terry{}, zeros, ctx);
  for (const double margin : {-3.0, 0.0, 1.0, 1e300}) agrees(margin_ranking{.margin = margin}, decided, ctx);
  for (const double threshold : {1e-300, 1e-9, 0.2, 5.0, 1e100}) {
    INFO("threshold " << threshold);
    agrees(rao_kupper{.threshold = threshold}, in, ctx);
    agrees(rao_kupper{.threshold = threshold}, floats, ctx);
  }
  for (const double log_prevalence : {-1e100, -30.0, -1.0, 3.0, 400.0, 1e100}) {
    INFO("log_prevalence " << log_prevalence);
    agrees(davidson{.log_prevalence = log_prevalence}, in, ctx);
  }
  in.ties.assign(150, 0);
  agrees(rao_kupper{.threshold = 0.0}, in, ctx);
  agrees(davidson{.log_prevalence = -INFINITY}, in, ctx);
}

TEST_CASE("cuda preference_batch: reductions, weights, scale and update") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto kind : {reduction::mean, reduction::sum, reduction::mean_of_relevant})
    for (const double size : {0.0, 1.0, 1e-300, 1e300}) {
      auto in = random_pairs<double>(30, 100, 4);
      if (size > 0.0) give_weights_and_margins(in, size);
      in.reduction = kind;
      INFO("reduction " << static_cast<int>(kind) << ", weights of " << size);
      agrees(margin_ranking{}, in, ctx, {.scale = size > 0.0 ? 1.0 / size : 1.0});
      agrees(bradley_terry{}, in, ctx, {.scale = -3.0});
      if (kind == reduction::sum && size > 1.0) continue;  // what is added is lost beside such sums
      auto ties = random_pairs<double>(30, 100, 4, true);
      ties.reduction = kind;
      agrees(davidson{}, ties, ctx, {.scale = 2.0, .update = rankloss::update::add, .filled = 1.0});
    }
  auto none = random_pairs<float>(30, 100, 4);
  none.pair_weights.assign(100, 0.0);
  agrees(bradley_terry{}, none, ctx, {.filled = 5.0});
  agrees(bradley_terry{}, host_preferences<float>{}, ctx);
}

TEST_CASE("cuda preference_batch: floats of any kind, a few pairs at a time") {
  const cuda_support::stream own;
  context ctx(own);
  cuda_support::odd_numbers random(13);
  for (int b = 0; b < 250; ++b) {
    const bool ties = b % 3 == 0;
    auto in = random_pairs<float>(2 + random() % 3, 1 + random() % 4, static_cast<unsigned>(b), ties);
    const double t = std::pow(10.0, b % 4 == 0 ? random.any(-9.0, 9.0) : random.any(-1.0, 1.0)),
                 about = b % 5 == 0 ? random.sized(0.0, 6.0) : 0.0;
    for (auto& r : in.rewards)
      r = static_cast<float>(about + t * (b % 2 == 0 ? random.any(-4.0, 4.0) : random.sized(-6.0, 2.0)));
    for (std::size_t k = 0; k < in.preferred.size(); ++k) {
      if (b % 7 == 0)
        in.pair_weights.push_back(random() % 6 == 0 ? 0.0 : std::abs(random.sized(-30.0, 20.0)));
      if (b % 4 == 1) in.margins.push_back(static_cast<float>(t * random.sized(-3.0, 1.0)));
    }
    in.reduction = static_cast<reduction>(b % 3 == 0 ? random() % 3 : 0);
    const how h{.scale = b % 6 == 0 ? random.sized(-22.0, 5.0) : 2.0, .least = 0.0};
    INFO("batch " << b << ", temperature " << t);
    const double own_margin = t * random.sized(-3.0, 1.0), threshold = t * std::abs(random.sized(-7.0, 1.0));
    const double log_prevalence = random.sized(-2.0, 1.7);
    agrees(rao_kupper{.temperature = t, .threshold = threshold}, in, ctx, h);
    agrees(davidson{.temperature = t, .log_prevalence = log_prevalence}, in, ctx, h);
    if (ties) continue;
    agrees(bradley_terry{.temperature = t}, in, ctx, h);
    agrees(bradley_terry{.temperature = t,
                         .smoothing = random.any(0.0, 0.5),
                         .centring = b % 2 == 0 ? 0.0 : std::abs(random.sized(-8.0, 3.0))},
           in, ctx, h);
    agrees(margin_ranking{.margin = own_margin}, in, ctx, h);
  }
}

TEST_CASE("cuda preference_batch: slopes that all but cancel, and sides of a margin") {
  const cuda_support::stream own;
  context ctx(own);
  // Each pair and its reverse. The reverse of few of them is left out, or has another margin.
  for (const std::size_t pairs : {6, 3000})
    for (const double off : {1e-6, 1e-4, 1e-2}) {
      const auto once = random_pairs<float>(4, pairs, 14);
      auto in = once;
      for (std::size_t k = 0; k < pairs; ++k) {
        in.preferred.push_back(static_cast<std::int32_t>(once.other[k]));
        in.other.push_back(once.preferred[k]);
      }
      for (float& r : in.rewards) r = static_cast<float>(off * static_cast<double>(r));
      in.margins.assign(2 * pairs, 0.0f);
      in.margins[0] = static_cast<float>(off);
      INFO(pairs << " pairs, " << off);
      agrees(bradley_terry{}, in, ctx);
      agrees(davidson{}, in, ctx);
      agrees(rao_kupper{}, in, ctx);
      in.ties.assign(2 * pairs, 1);
      agrees(davidson{}, in, ctx);
      agrees(rao_kupper{}, in, ctx);
    }
  // Wins and losses as often as the rewards say, and a pair that its smoothing keeps where it is.
  const auto log_of_3 = static_cast<float>(std::log(3.0));
  agrees(bradley_terry{}, host_preferences<float>{{log_of_3, 0.0f}, {0, 0, 0, 1}, {1, 1, 1, 0}}, ctx);
  agrees(bradley_terry{.smoothing = 0.25}, host_preferences<float>{{log_of_3, 0.0f}, {0}, {1}}, ctx);
  // Ties of all but equal rewards, whose small slopes all but cancel.
  for (int k = 1; k <= 16; ++k) {
    const float lead = 1e-9f * (1.0f + 0.37f * static_cast<float>(k));
    const host_preferences<float> ties{.rewards = {0.0f, 0.0f},
                                       .preferred = {0, 1},
                                       .other = {1, 0},
                                       .margins = {-lead, -1.0025f * lead},
                                       .ties = {1, 1}};
    agrees(rao_kupper{.temperature = 0.7}, ties, ctx);
    agrees(davidson{.temperature = 0.7}, ties, ctx);
  }
  // Leads that are those of the margins but for the rounding of doubles.
  host_preferences<float> rounded;
  const double margin = 1e8 / 3.0;
  for (int k = 0; k < 40; ++k) {
    rounded.margins.push_back(static_cast<float>(1e8 + 977.0 * k));
    const double lead = margin + static_cast<double>(rounded.margins.back());
    rounded.preferred.push_back(2 * k);
    rounded.other.push_back(2 * k + 1);
    rounded.rewards.push_back(static_cast<float>(lead));
    rounded.rewards.push_back(static_cast<float>(static_cast<double>(rounded.rewards.back()) - lead));
  }
  agrees(margin_ranking{.margin = margin}, rounded, ctx, {.least = 0.0});
  agrees(margin_ranking{.margin = margin + 1e-7}, rounded, ctx, {.least = 0.0});
  // Leads of a few units in the last place from the margin, and less than one.
  for (const float low : {0.0f, 1e-9f, 0.25f}) {
    host_preferences<float> in;
    for (int k = -40; k <= 40; ++k) {
      in.preferred.push_back(static_cast<std::int32_t>(in.rewards.size()));
      in.other.push_back(in.preferred.back() + 1);
      in.rewards.push_back(low + 0.3f + static_cast<float>(k) * 0x1p-25f);
      in.rewards.push_back(low);
    }
    for (const double more : {-1e-9, 0.0, 1e-9})
      for (const auto kind : {reduction::mean, reduction::mean_of_relevant}) {
        in.reduction = kind;
        agrees(margin_ranking{.margin = static_cast<double>(0.3f) + more}, in, ctx, {.least = 0.0});
      }
  }
}

TEST_CASE("cuda preference_batch: rewards of any size, infinite ones too") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = random_pairs<double>(12, 90, 5, true);
  in.rewards[0] = INFINITY;
  in.rewards[1] = -INFINITY;
  in.rewards[2] = 1e308;
  in.rewards[3] = 5e-324;
  agrees(rao_kupper{}, in, ctx);
  agrees(davidson{}, in, ctx);
  in.ties.clear();
  agrees(bradley_terry{.centring = 1.0}, in, ctx);
  auto floats = random_pairs<float>(12, 90, 5);
  floats.rewards[0] = INFINITY;
  floats.rewards[1] = -INFINITY;
  agrees(margin_ranking{}, floats, ctx);
}

TEST_CASE("cuda preference_batch: gradient and Hessian, each alone with the same bits as both") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = random_pairs<float>(30, 3000, 12, true);
  give_weights_and_margins(in);
  const auto both = on_device(rao_kupper{}, in, ctx);
  const auto first = on_device(rao_kupper{}, in, ctx, {.hessian = false});
  const auto second = on_device(rao_kupper{}, in, ctx, {.gradient = false});
  CHECK(first.gradient == both.gradient);
  CHECK(second.hessian == both.hessian);
  CHECK(both.hessian != std::vector<float>(30));
  const device_preferences<float> on(random_pairs<float>(30, 40, 12));
  const array<float> hessian(30);
  CHECK_THROWS_WITH(
      cuda_support::on_device(margin_ranking{}, on.batch,
                              rankloss::cuda::outputs<float>{.hessian = hessian.view()}, {}, ctx),
      "rankloss: hessian: this loss has none, expected an empty output");
}

TEST_CASE("cuda preference_batch: the bits of an item depend on its own pairs alone") {
  const cuda_support::stream own;
  context ctx(own);
  const auto in = random_pairs<float>(40, 3000, 6);
  auto more = in;
  more.reduction = reduction::sum;
  const auto alone = on_device(bradley_terry{}, more, ctx);
  CHECK(on_device(bradley_terry{}, more, ctx).gradient == alone.gradient);
  // The same pairs among those of other items, which come between.
  host_preferences<float> among{.rewards = in.rewards, .preferred = {}, .other = {}};
  among.reduction = reduction::sum;
  among.rewards.insert(among.rewards.end(), {0.5f, -1.0f, 2.0f});
  for (std::size_t k = 0; k < in.preferred.size(); ++k) {
    if (k % 3 == 0) {
      among.preferred.push_back(40 + static_cast<std::int32_t>(k % 2));
      among.other.push_back(42);
    }
    among.preferred.push_back(in.preferred[k]);
    among.other.push_back(in.other[k]);
  }
  auto together = on_device(bradley_terry{}, among, ctx).gradient;
  together.resize(40);
  CHECK(together == alone.gradient);
}

TEST_CASE("cuda preference_batch: bad numbers and indices are told as on the host, the first of them") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const auto& loss, const std::function<void(host_preferences<float>&)>& spoil,
                              data_checks checks = data_checks::on) {
    auto in = random_pairs<float>(300, 500, 7, rankloss::tie_loss<std::remove_cvref_t<decltype(loss)>>);
    give_weights_and_margins(in);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(loss, in, {}, checks);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    ctx.checks = checks;
    const auto out = on_device(loss, in, ctx, {.update = rankloss::update::add, .filled = 5.0});
    CHECK(std::isnan(out.value));
    CHECK(std::all_of(out.gradient.begin(), out.gradient.end(), [](float g) { return std::isnan(g); }));
    CHECK(std::all_of(out.hessian.begin(), out.hessian.end(), [](float x) { return std::isnan(x); }));
    CHECK(std::all_of(out.per_pair.begin(), out.per_pair.end(), [](double x) { return std::isnan(x); }));
    if (rankloss::tie_loss<std::remove_cvref_t<decltype(loss)>>) CHECK(std::isnan(out.by_ties));
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());  // it is reported once
    ctx.checks = data_checks::on;
    agrees(loss, random_pairs<float>(3, 5, 8), ctx);
  };
  for (const auto checks : {data_checks::on, data_checks::off}) {
    same_words(
        bradley_terry{},
        [](auto& in) {
          in.preferred[400] = 300;
          in.preferred[401] = -1;
          in.other[3] = 300;
        },
        checks);
    same_words(
        bradley_terry{},
        [](auto& in) {
          in.other[30] = -2;
          in.other[2] = in.preferred[2];
        },
        checks);
    same_words(
        bradley_terry{}, [](auto& in) { in.other[2] = in.preferred[2]; }, checks);
    same_words(
        bradley_terry{},
        [](auto& in) {
          in.ties.assign(500, 0);
          in.ties[70] = in.ties[400] = 1;
        },
        checks);
    same_words(
        rao_kupper{.threshold = 0.0}, [](auto& in) { in.margins[0] = NAN; }, checks);
  }
  same_words(bradley_terry{}, [](auto& in) {
    in.pair_weights[300] = -1.0;
    in.pair_weights[301] = NAN;
    in.rewards[2] = NAN;
  });
  same_words(bradley_terry{}, [](auto& in) {
    in.rewards[299] = NAN;
    in.margins[0] = NAN;
  });
  same_words(rao_kupper{}, [](auto& in) { in.margins[499] = -INFINITY; });
}

TEST_CASE("cuda preference_batch: ties that davidson gives no probability") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = random_pairs<double>(5, 9, 9);
  in.ties.assign(9, 0);
  in.ties[4] = 1;
  (void)on_device(davidson{.log_prevalence = -INFINITY}, in, ctx);
  CHECK_THROWS_WITH(ctx.check(),
                    "rankloss: log_prevalence: -inf, expected a finite number, for the tie at pair 4");
}

TEST_CASE("cuda preference_batch: shapes and options are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(host_preferences<double>&)>& spoil,
                           const bradley_terry& loss = {}) {
    auto in = random_pairs<double>(4, 6, 10);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(loss, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(on_device(loss, in, ctx), expected);
  };
  refused([](auto& in) { in.other.pop_back(); });
  refused([](auto& in) { in.margins = {1.0f}; });
  refused([](auto& in) { in.ties = {1}; });
  refused([](auto& in) { in.pair_weights = {1.0}; });
  refused([](auto&) {}, {.temperature = -1.0});
  refused([](auto&) {}, {.smoothing = 0.6});
  const auto in = random_pairs<double>(4, 6, 10);
  CHECK_THROWS_WITH(on_device(bradley_terry{}, in, ctx, {.scale = NAN}),
                    Catch::Matchers::Contains("scale: nan, expected a finite number"));
}

TEST_CASE("cuda preference_batch: what is reserved is enough, and only what is asked for is written") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  const auto in = random_pairs<double>(50, 700, 11, true);
  const device_preferences<double> on(in);
  ctx.reserve(cuda_support::scratch_bytes(rao_kupper{}, on.batch));
  const std::size_t before = memory.allocations;
  agrees(rao_kupper{}, in, ctx);
  const array<double> by_ties(1);
  cuda_support::on_device(rao_kupper{}, on.batch, {}, by_ties.view(), ctx);
  CHECK(is_near(by_ties.host()[0], on_host(rao_kupper{}, in).by_ties, 1e-13));
  cuda_support::on_device(rao_kupper{}, on.batch, {}, {}, ctx);
  CHECK(memory.allocations == before);
}

}  // namespace cuda_preference_batch_test
