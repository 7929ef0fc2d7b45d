// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/relevance_scores.hpp>

#include <rankloss/relevance_scores.hpp>

#include "cuda/relevance_scores.hpp"
#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuda_relevance_scores_test {

using cuda_support::array;
using rankloss::data_checks;
using rankloss::pairing;
using rankloss::cuda::context;

namespace {

template <class T>
struct host_captions {
  std::vector<T> captions, texts;
  std::size_t dimension = 0, captions_per_image = 1;
  std::vector<std::int64_t> offsets{};
  std::vector<std::uint8_t> matches{};
  rankloss::pairing pairing = pairing::none;

  [[nodiscard]] std::size_t images() const {
    return offsets.empty() ? captions.size() / dimension / captions_per_image : offsets.size() - 1;
  }
  [[nodiscard]] std::size_t pairs() const { return images() * (texts.size() / dimension); }
};

template <class T>
struct device_captions {
  explicit device_captions(const host_captions<T>& in)
      : captions(in.captions),
        texts(in.texts),
        offsets(in.offsets),
        matches(in.matches),
        batch{.captions = captions.view(),
              .texts = texts.view(),
              .dimension = in.dimension,
              .captions_per_image = in.captions_per_image,
              .offsets = offsets.view(),
              .matches = matches.view(),
              .pairing = in.pairing} {}

  array<T> captions, texts;
  array<std::int64_t> offsets;
  array<std::uint8_t> matches;
  rankloss::cuda::caption_batch<T> batch;
};

template <class T>
std::vector<T> on_device(const host_captions<T>& in, context& ctx, std::size_t panel = 0) {
  const device_captions<T> on(in);
  const array<T> relevance(std::vector<T>(in.dimension > 0 ? in.pairs() : 0, T{7}));
  cuda_support::relevance_on_device(on.batch, relevance.view(), ctx, panel);
  return relevance.host();
}

template <class T>
std::vector<double> on_host(const host_captions<T>& in) {
  const std::vector<double> captions(in.captions.begin(), in.captions.end()),
      texts(in.texts.begin(), in.texts.end());
  std::vector<double> relevance(in.dimension > 0 ? in.pairs() : 0);
  rankloss::relevance_scores(rankloss::caption_batch<double>{.captions = captions,
                                                             .texts = texts,
                                                             .dimension = in.dimension,
                                                             .captions_per_image = in.captions_per_image,
                                                             .offsets = in.offsets,
                                                             .matches = in.matches,
                                                             .pairing = in.pairing},
                             relevance);
  return relevance;
}

template <class T>
void agrees(const host_captions<T>& in, context& ctx, std::size_t panel = 0) {
  const std::vector<T> device = on_device(in, ctx, panel);
  CHECK_NOTHROW(ctx.check());
  const std::vector<double> host = on_host(in);
  double error = 0.0;
  for (std::size_t p = 0; p < host.size(); ++p) {
    const double x = static_cast<double>(device[p]);
    error = std::isnan(x) ? INFINITY : std::max(error, std::abs(x - host[p]));
  }
  INFO("error " << error);
  CHECK(error <= cuda_support::tolerance<T>);
}

template <class T>
host_captions<T> random_captions(std::size_t captions, std::size_t texts, std::size_t dimension,
                                 unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  host_captions<T> in;
  in.dimension = dimension;
  for (std::size_t k = 0; k < captions * dimension; ++k)
    in.captions.push_back(static_cast<T>(normal(random)));
  for (std::size_t k = 0; k < texts * dimension; ++k) in.texts.push_back(static_cast<T>(normal(random)));
  return in;
}

}  // namespace

TEMPLATE_TEST_CASE("cuda relevance_scores: all sizes, in one panel and in many", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  struct size {
    std::size_t captions, texts, dimension, per_image;
  };
  for (const size& s : {size{1, 1, 1, 1}, size{5, 3, 2, 5}, size{63, 65, 17, 1}, size{64, 64, 16, 4},
                        size{70, 300, 5, 7}, size{330, 20, 9, 5}, size{200, 20, 3, 200}}) {
    INFO(s.captions << " captions, " << s.texts << " texts, dimension " << s.dimension);
    auto in = random_captions<TestType>(s.captions, s.texts, s.dimension, 1);
    in.captions_per_image = s.per_image;
    agrees(in, ctx);
    agrees(in, ctx, 64);
    CHECK(on_device(in, ctx) == on_device(in, ctx, 64));
  }
}

TEST_CASE("cuda relevance_scores: pairings, matches and images of any number of captions") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = random_captions<double>(100, 100, 4, 2);
  for (const auto by : {pairing::by_index, pairing::by_caption, pairing::none}) {
    INFO("pairing " << static_cast<int>(by));
    in.pairing = by;
    in.captions_per_image = by == pairing::by_index ? 1 : 5;
    agrees(in, ctx);
    if (by == pairing::by_index) continue;
    in.offsets = {0, 0, 3, 3, 90, 100, 100};
    agrees(in, ctx, 64);
    in.offsets.clear();
  }
  in.offsets = {0, 0, 3, 3, 90, 100, 100};
  for (std::size_t p = 0; p < in.pairs(); ++p) in.matches.push_back(p % 7 == 0 ? 4 : 0);
  agrees(in, ctx);
}

TEST_CASE("cuda relevance_scores: vectors of any length, zero and equal ones") {
  const cuda_support::stream own;
  context ctx(own);
  for (const float size : {1e-30f, 1e30f, 1e-44f}) {
    auto in = random_captions<float>(20, 30, 6, 3);
    for (auto* numbers : {&in.captions, &in.texts})
      for (float& x : *numbers) x *= size;
    std::fill(in.captions.begin(), in.captions.begin() + 6, 0.0f);
    std::fill(in.texts.begin() + 12, in.texts.begin() + 18, 0.0f);
    std::copy(in.captions.begin() + 30, in.captions.begin() + 36, in.texts.begin());
    INFO("size " << size);
    agrees(in, ctx);
  }
  auto wide = random_captions<double>(20, 30, 6, 4);
  for (double& x : wide.captions) x *= 1e300;
  for (double& x : wide.texts) x *= 1e-300;
  agrees(wide, ctx);
}

TEST_CASE("cuda relevance_scores: without captions, texts or both") {
  const cuda_support::stream own;
  context ctx(own);
  agrees(random_captions<float>(0, 5, 3, 1), ctx);
  agrees(random_captions<float>(5, 0, 3, 1), ctx);
  agrees(random_captions<float>(0, 0, 3, 1), ctx);
  auto none = random_captions<float>(0, 5, 3, 1);
  none.offsets = {0, 0, 0};
  agrees(none, ctx);
}

TEST_CASE("cuda relevance_scores: bad numbers and offsets are told as on the host, the first of them") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const std::function<void(host_captions<float>&)>& spoil) {
    auto in = random_captions<float>(300, 20, 5, 5);
    in.offsets = {0, 10, 10, 250, 300};
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto out = on_device(in, ctx);
    CHECK(std::all_of(out.begin(), out.end(), [](float x) { return std::isnan(x); }));
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());  // it is reported once
    agrees(random_captions<float>(4, 4, 2, 6), ctx);
  };
  same_words([](auto& in) {
    in.captions[1203] = in.captions[1402] = NAN;
    in.texts[0] = INFINITY;
  });
  same_words([](auto& in) { in.texts[99] = -INFINITY; });
  same_words([](auto& in) {
    in.offsets[0] = 1;
    in.captions[0] = NAN;
  });
  same_words([](auto& in) { in.offsets[2] = 700; });
  same_words([](auto& in) { in.offsets[2] = -3; });
  same_words([](auto& in) { in.offsets[4] = 299; });
  ctx.checks = data_checks::off;
  auto in = random_captions<float>(30, 20, 5, 5);
  in.captions[3] = NAN;
  (void)on_device(in, ctx);
  CHECK_NOTHROW(ctx.check());
}

TEST_CASE("cuda relevance_scores: shapes are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(host_captions<double>&)>& spoil) {
    auto in = random_captions<double>(6, 4, 3, 7);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(on_device(in, ctx), expected);
  };
  refused([](auto& in) { in.dimension = 0; });
  refused([](auto& in) { in.captions.pop_back(); });
  refused([](auto& in) { in.texts.pop_back(); });
  refused([](auto& in) { in.captions_per_image = 4; });
  refused([](auto& in) { in.matches = {1}; });
  refused([](auto& in) { in.pairing = pairing::by_index; });
  refused([](auto& in) { in.pairing = pairing::by_caption; });
  const device_captions<double> on(random_captions<double>(6, 4, 3, 7));
  const array<double> few(5);
  CHECK_THROWS_WITH(cuda_support::relevance_on_device(on.batch, few.view(), ctx, 0),
                    "rankloss: relevance: size 5, expected 24 (6 images of 4 texts)");
}

TEST_CASE("cuda relevance_scores: what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  const auto in = random_captions<float>(70, 65, 5, 8);
  ctx.reserve(cuda_support::scratch_of_captions(device_captions<float>(in).batch));
  const std::size_t before = memory.allocations;
  agrees(in, ctx);
  CHECK(memory.allocations == before);
}

}  // namespace cuda_relevance_scores_test
