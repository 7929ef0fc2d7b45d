// SPDX-License-Identifier: BSL-1.0
#include <rankloss/context.hpp>
#include <rankloss/relevance_scores.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace relevance_scores_test {

namespace {

using rankloss::caption_batch;
using rankloss::pairing;
using rankloss::relevance_scores;

/// By the formula, in long double.
template <class T>
long double cosine(const T* a, const T* b, std::size_t d) {
  long double product = 0, aa = 0, bb = 0;
  for (std::size_t k = 0; k < d; ++k) {
    const auto x = static_cast<long double>(a[k]);
    const auto y = static_cast<long double>(b[k]);
    product += x * y, aa += x * x, bb += y * y;
  }
  return aa > 0 && bb > 0 ? product / std::sqrt(aa * bb) : 0;
}

template <class T>
double plain(const std::vector<T>& captions, std::size_t first, std::size_t last, const std::vector<T>& texts,
             std::size_t t, std::size_t d) {
  long double best = first < last ? -1 : 0;
  for (std::size_t c = first; c < last; ++c)
    best = std::max(best, cosine(captions.data() + c * d, texts.data() + t * d, d));
  return static_cast<double>((1 + best) / 2);
}

TEST_CASE("relevance_scores of vectors that can be counted by hand") {
  const std::vector<double> captions{3,  0, 0, 5,   // image 0: along x, along y
                                     -1, 0, 1, 1};  // image 1: against x, and the diagonal
  const std::vector<double> texts{2, 0, 0, -4};
  std::vector<double> r(4, 9.0);
  relevance_scores(caption_batch<double>{.captions = captions,
                                         .texts = texts,
                                         .dimension = 2,
                                         .captions_per_image = 2,
                                         .pairing = pairing::none},
                   r);
  CHECK(r[0] == 1.0);
  CHECK(r[1] == 0.5);
  CHECK(r[2] == Approx((1 + std::sqrt(0.5)) / 2).epsilon(1e-15));
  CHECK(r[3] == 0.5);
  relevance_scores(
      caption_batch<double>{.captions = captions, .texts = texts, .dimension = 2, .captions_per_image = 2},
      r);
  CHECK(r[0] == 1.0);
  CHECK(r[1] == 0.5);
  CHECK(r[2] == Approx((1 + std::sqrt(0.5)) / 2).epsilon(1e-15));
  CHECK(r[3] == 1.0);
}

TEMPLATE_TEST_CASE("relevance_scores is its formula, at any size", "", float, double) {
  std::mt19937_64 random(1);
  const double tolerance = sizeof(TestType) == 4 ? 1e-6 : 1e-15;
  for (const std::size_t images : {1u, 3u, 53u})
    for (const std::size_t per_image : {1u, 5u, 7u})
      for (const std::size_t count : {1u, 15u, 32u, 67u})
        for (const std::size_t d : {1u, 6u, 100u}) {
          const auto captions = support::numbers<TestType>(random, images * per_image * d);
          const auto texts = support::numbers<TestType>(random, count * d);
          std::vector<TestType> r(images * count, TestType{9});
          relevance_scores(caption_batch<TestType>{.captions = captions,
                                                   .texts = texts,
                                                   .dimension = d,
                                                   .captions_per_image = per_image,
                                                   .pairing = pairing::none},
                           r);
          double worst = 0.0;
          bool inside = true;
          for (std::size_t i = 0; i < images; ++i)
            for (std::size_t t = 0; t < count; ++t) {
              const double found = static_cast<double>(r[i * count + t]);
              worst = std::max(
                  worst, std::abs(found - plain(captions, i * per_image, (i + 1) * per_image, texts, t, d)));
              inside = inside && found >= 0.0 && found <= 1.0;
            }
          INFO(images << " images of " << per_image << " captions, " << count << " texts, dimension " << d);
          CHECK(worst < tolerance);
          CHECK(inside);
        }
}

TEMPLATE_TEST_CASE("relevance_scores never passes 1, however the cosine is rounded", "", float, double) {
  std::mt19937_64 random(5);
  for (std::size_t d = 1; d < 40; ++d) {
    const auto vectors = support::numbers<TestType>(random, 30 * d);
    std::vector<TestType> r(30 * 30);
    relevance_scores(
        caption_batch<TestType>{
            .captions = vectors, .texts = vectors, .dimension = d, .pairing = pairing::none},
        r);
    CHECK(*std::max_element(r.begin(), r.end()) <= TestType{1});
    for (std::size_t i = 0; i < 30; ++i)
      CHECK(static_cast<double>(r[i * 30 + i]) == Approx(1.0).epsilon(1e-6));
  }
}

TEST_CASE("relevance_scores of images with different numbers of captions") {
  std::mt19937_64 random(2);
  const std::size_t d = 20;
  const std::vector<std::int32_t> offsets{0, 0, 3, 4, 104, 104, 110};
  const auto captions = support::numbers<float>(random, 110 * d);
  const auto texts = support::numbers<float>(random, 40 * d);
  std::vector<float> r(6 * 40);
  relevance_scores(
      caption_batch<float>{
          .captions = captions, .texts = texts, .dimension = d, .offsets = offsets, .pairing = pairing::none},
      r);
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t t = 0; t < 40; ++t)
      CHECK(static_cast<double>(r[i * 40 + t]) ==
            Approx(plain(captions, static_cast<std::size_t>(offsets[i]),
                         static_cast<std::size_t>(offsets[i + 1]), texts, t, d))
                .margin(1e-6));
  for (std::size_t t = 0; t < 40; ++t) {
    CHECK(r[t] == 0.5f);  // without captions there is nothing to go by
    CHECK(r[4 * 40 + t] == 0.5f);
  }
}

TEST_CASE("relevance_scores sets what belongs together to 1") {
  std::mt19937_64 random(3);
  const std::vector<std::int64_t> offsets{0, 2, 2, 5, 6};
  const auto captions = support::numbers<double>(random, 6 * 3);
  std::vector<double> similarity(4 * 6);
  caption_batch<double> batch{
      .captions = captions, .texts = captions, .dimension = 3, .offsets = offsets, .pairing = pairing::none};
  relevance_scores(batch, similarity);
  const auto check = [&](const std::vector<double>& found, auto match) {
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t t = 0; t < 6; ++t)
        CHECK(found[i * 6 + t] == (match(i, t) ? 1.0 : similarity[i * 6 + t]));
  };
  std::vector<double> r(4 * 6);
  batch.pairing = pairing::by_caption;
  relevance_scores(batch, r);
  check(r, [&](std::size_t i, std::size_t t) {
    return static_cast<std::int64_t>(t) >= offsets[i] && static_cast<std::int64_t>(t) < offsets[i + 1];
  });
  const auto matches = support::whole_numbers<std::uint8_t>(random, 4 * 6, 2);
  batch.matches = matches;  // goes before the pairing
  relevance_scores(batch, r);
  check(r, [&](std::size_t i, std::size_t t) { return matches[i * 6 + t] != 0; });
  batch.pairing = pairing::by_index;
  CHECK_NOTHROW(relevance_scores(batch, r));
}

TEMPLATE_TEST_CASE("relevance_scores of zero vectors is 1/2, and no length overflows", "", float, double) {
  const TestType tiny = std::numeric_limits<TestType>::denorm_min();
  const TestType huge = std::numeric_limits<TestType>::max();
  const std::vector<TestType> captions{0,     0,      //
                                       tiny,  tiny,   //
                                       huge,  huge,   //
                                       huge,  -huge,  //
                                       -huge, tiny};
  const std::vector<TestType> texts{huge, huge, 0, 0, tiny, 0, -huge, 0, 1, 1};
  std::vector<TestType> r(5 * 5, TestType{9});
  relevance_scores(
      caption_batch<TestType>{.captions = captions, .texts = texts, .dimension = 2, .pairing = pairing::none},
      r);
  const double half = std::sqrt(0.5);
  const std::vector<double> cosines{0,     0, 0,    0,     0,  //
                                    1,     0, half, -half, 1,  //
                                    1,     0, half, -half, 1,  //
                                    0,     0, half, -half, 0,  //
                                    -half, 0, -1,   1,     -half};
  for (std::size_t k = 0; k < r.size(); ++k)
    CHECK(static_cast<double>(r[k]) == Approx((1 + cosines[k]) / 2).margin(1e-6));
  CHECK(r[1 * 5] <= TestType{1});

  // A pair that belongs together is at 1 even so.
  relevance_scores(caption_batch<TestType>{.captions = captions, .texts = texts, .dimension = 2}, r);
  for (std::size_t i = 0; i < 5; ++i) CHECK(r[i * 5 + i] == TestType{1});
}

TEST_CASE("relevance_scores gives the same bits on any number of threads, and its scratch stops growing") {
  std::mt19937_64 random(4);
  const std::size_t d = 33;
  const auto captions = support::numbers<float>(random, 200 * 5 * d);
  const auto texts = support::numbers<float>(random, 300 * d);
  const caption_batch<float> batch{.captions = captions,
                                   .texts = texts,
                                   .dimension = d,
                                   .captions_per_image = 5,
                                   .pairing = pairing::none};
  std::vector<float> alone(200 * 300);
  relevance_scores(batch, alone);
  for (const std::size_t workers : {1u, 2u, 7u}) {
    rankloss::context context{rankloss::threads(workers)};
    std::vector<float> r(200 * 300);
    relevance_scores(batch, r, context);
    CHECK(r == alone);
    const std::size_t held = context.scratch_capacity();
    relevance_scores(batch, r, context);
    if (workers == 1) CHECK(context.scratch_capacity() == held);
  }
  // Nor does it matter which texts stand beside a text: the last 7 alone.
  std::vector<float> few(200 * 7);
  auto part = batch;
  part.texts = part.texts.last(7 * d);
  relevance_scores(part, few);
  for (std::size_t i = 0; i < 200; ++i)
    for (std::size_t t = 0; t < 7; ++t) CHECK(few[i * 7 + t] == alone[i * 300 + 293 + t]);
}

TEST_CASE("relevance_scores names what does not fit, before it writes") {
  const std::vector<double> captions(12, 1.0);
  const std::vector<double> texts(6, 1.0);
  std::vector<double> r(4, 9.0);
  const caption_batch<double> good{
      .captions = captions, .texts = texts, .dimension = 3, .captions_per_image = 2};
  CHECK_NOTHROW(relevance_scores(good, r));
  std::fill(r.begin(), r.end(), 9.0);

  auto bad = good;
  bad.dimension = 0;
  CHECK_THROWS_WITH(relevance_scores(bad, r), "rankloss: dimension: 0, expected at least 1");
  bad = good;
  bad.dimension = 5;
  CHECK_THROWS_WITH(relevance_scores(bad, r),
                    "rankloss: captions: size 12, expected whole vectors of dimension 5");
  bad = good;
  bad.dimension = 4;
  CHECK_THROWS_WITH(relevance_scores(bad, r),
                    "rankloss: texts: size 6, expected whole vectors of dimension 4");
  bad = good;
  bad.captions_per_image = 0;
  CHECK_THROWS_WITH(relevance_scores(bad, r), "rankloss: captions_per_image: 0, expected at least 1");
  bad = good;
  bad.captions_per_image = 3;
  CHECK_THROWS_WITH(relevance_scores(bad, r),
                    "rankloss: captions: 4 vectors, expected a multiple of captions_per_image 3");
  bad = good;
  std::vector<int> offsets{1, 4};
  bad.offsets = offsets;
  CHECK_THROWS_WITH(relevance_scores(bad, r), "rankloss: offsets: first is 1, expected 0");
  offsets = {0, 3};
  bad.offsets = offsets;
  CHECK_THROWS_WITH(relevance_scores(bad, r),
                    "rankloss: offsets: last is 3, expected 4 (the number of captions)");
  offsets = {0, 5, 4};
  bad.offsets = offsets;
  CHECK_THROWS_WITH(relevance_scores(bad, r), "rankloss: offsets: 4 at 2 after 5, expected them to rise");
  bad = good;
  bad.captions_per_image = 1;
  CHECK_THROWS_WITH(relevance_scores(bad, r),
                    "rankloss: relevance: size 4, expected 8 (4 images of 2 texts)");
  std::vector<double> wide(8, 9.0);
  CHECK_THROWS_WITH(
      relevance_scores(bad, wide),
      "rankloss: pairing: by_index for 4 images and 2 texts, expected as many of both, or matches");
  bad.pairing = pairing::by_caption;
  CHECK_THROWS_WITH(relevance_scores(bad, wide),
                    "rankloss: pairing: by_caption for 4 captions and 2 texts, expected as many of both");
  bad = good;
  const std::vector<std::uint8_t> matches(3, 1);
  bad.matches = matches;
  CHECK_THROWS_WITH(relevance_scores(bad, r), "rankloss: matches: size 3, expected 4 (2 images of 2 texts)");

  bad = good;
  auto unsound = captions;
  unsound[7] = std::numeric_limits<double>::quiet_NaN();
  bad.captions = unsound;
  CHECK_THROWS_WITH(relevance_scores(bad, r),
                    "rankloss: captions: nan at caption 2, component 1, expected a finite number");
  rankloss::context unchecked{rankloss::data_checks::off};
  CHECK_NOTHROW(relevance_scores(bad, std::span(wide).first(4), unchecked));
  bad = good;
  auto infinite = texts;
  infinite[5] = -std::numeric_limits<double>::infinity();
  bad.texts = infinite;
  CHECK_THROWS_WITH(relevance_scores(bad, r),
                    "rankloss: texts: -inf at text 1, component 2, expected a finite number");
  CHECK(r == std::vector<double>(4, 9.0));
  caption_batch<float> nothing;
  nothing.dimension = 3;
  CHECK_NOTHROW(relevance_scores(nothing, {}));
}

TEMPLATE_TEST_CASE("relevance_scores: opposite vectors of any length give no relevance below 0", "", float,
                   double) {
  std::mt19937_64 random(17);
  for (const std::size_t d : {1u, 2u, 3u, 7u, 30u, 300u}) {
    const std::size_t n = 40;
    std::vector<TestType> captions(n * d), texts(n * d), relevance(n * n);
    for (TestType& x : captions)
      x = static_cast<TestType>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0);
    for (std::size_t i = 0; i < texts.size(); ++i) texts[i] = TestType(-3) * captions[i];
    rankloss::relevance_scores(
        rankloss::caption_batch<TestType>{
            .captions = captions, .texts = texts, .dimension = d, .pairing = rankloss::pairing::none},
        relevance);
    for (std::size_t i = 0; i < n; ++i)
      CHECK(static_cast<double>(relevance[i * n + i]) == Approx(0.0).margin(1e-6));
    CHECK(*std::min_element(relevance.begin(), relevance.end()) >= TestType(0));
  }
}

/// Tiles of any images and of any texts hold what relevance_scores gives, in every bit.
template <class T>
void check_tiles(const caption_batch<T>& batch, std::size_t images, std::size_t texts) {
  std::vector<T> all(images * texts, T(9));
  relevance_scores(batch, all);
  const rankloss::caption_relevance<T> tiles(batch);
  for (const std::size_t workers : {1u, 3u}) {
    rankloss::context ctx{rankloss::threads(workers)};
    for (const std::size_t most : {std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
      for (std::size_t first = 0; first <= images; first += most) {
        const std::size_t count = std::min(most, images - first);
        std::vector<T> to(count * texts, T(9));
        tiles.rows(first, count, to, ctx);
        CHECK(std::equal(to.begin(), to.end(), all.begin() + static_cast<std::ptrdiff_t>(first * texts)));
      }
      for (std::size_t first = 0; first <= texts; first += most) {
        const std::size_t count = std::min(most, texts - first);
        std::vector<T> to(count * images, T(9));
        tiles.columns(first, count, to, ctx);
        bool same = true;
        for (std::size_t t = 0; t < count; ++t)
          for (std::size_t i = 0; i < images; ++i)
            same = same && to[t * images + i] == all[i * texts + first + t];
        CHECK(same);
      }
    }
  }
}

TEMPLATE_TEST_CASE("caption_relevance: tiles hold relevance_scores in every bit", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(4);
  std::normal_distribution<double> normal;
  const std::size_t d = 9;
  const auto vectors = [&](std::size_t count) {
    std::vector<T> v;
    for (std::size_t k = 0; k < count * d; ++k) v.push_back(static_cast<T>(normal(random)));
    return v;
  };
  const auto captions = vectors(76), texts = vectors(38);
  const caption_batch<T> equal{.captions = captions, .texts = texts, .dimension = d, .captions_per_image = 2};
  check_tiles(equal, 38, 38);
  auto by_caption = equal;
  by_caption.texts = captions;
  by_caption.pairing = pairing::by_caption;
  check_tiles(by_caption, 38, 76);
  auto ragged = by_caption;
  const std::vector<int> offsets{0, 0, 3, 4, 4, 40, 76};
  ragged.offsets = offsets;
  check_tiles(ragged, 6, 76);
  auto matched = equal;
  std::vector<std::uint8_t> matches(38 * 38);
  for (std::size_t k = 0; k < matches.size(); ++k) matches[k] = random() % 5 == 0;
  matched.matches = matches;
  check_tiles(matched, 38, 38);
  auto none = ragged;
  none.pairing = pairing::none;
  check_tiles(none, 6, 76);
  check_tiles(caption_batch<T>{.captions = {}, .texts = {}, .dimension = d}, 0, 0);
}

TEST_CASE("caption_relevance: is checked once, when it is made") {
  std::vector<float> captions(12, 1.0f);
  const std::vector<float> texts(9, 1.0f);
  using rankloss::caption_relevance;
  CHECK_THROWS_WITH(
      caption_relevance<float>({.captions = captions, .texts = texts, .dimension = 3}),
      "rankloss: pairing: by_index for 4 images and 3 texts, expected as many of both, or matches");
  CHECK_THROWS_WITH(caption_relevance<float>({.captions = captions, .texts = texts}),
                    "rankloss: dimension: 0, expected at least 1");
  const caption_batch<float> batch{
      .captions = captions, .texts = texts, .dimension = 3, .pairing = pairing::none};
  const caption_relevance good(batch);
  captions[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(caption_relevance(batch),
                    "rankloss: captions: nan at caption 2, component 1, expected a finite number");
  CHECK_NOTHROW(caption_relevance(batch, rankloss::data_checks::off));
  rankloss::context ctx;
  std::vector<float> to(6);
  CHECK_NOTHROW(good.rows(0, 2, to, ctx));
  CHECK_THROWS_WITH(
      good.rows(3, 2, to, ctx),
      "rankloss: rows: 2 images from 3 on into 6 numbers, expected some of 4 images of 3 texts, "
      "and a number for each pair");
  CHECK_THROWS_WITH(good.columns(0, 2, to, ctx),
                    "rankloss: columns: 2 texts from 0 on into 6 numbers, expected some of 3 texts of 4 "
                    "images, and a number for each pair");
}

}  // namespace

}  // namespace relevance_scores_test
