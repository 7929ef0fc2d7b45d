// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/pair_scan.hpp>

#include <rankloss/evaluate.hpp>
#include <rankloss/pairwise.hpp>

#include "support/pair_reference.hpp"
#include "support/scan_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

namespace detail_pairs_pair_scan_test {

// By way of the losses: without a Hessian, lists of 257 floats or 193 doubles and more take the scan, shorter ones and
// any with a Hessian go pair by pair.

namespace {

using namespace scan_checks;

using ranknet = pairwise<pairs::logistic, pairs::equal>;
using wrong_pairs = pairwise<pairs::soft_zero_one, pairs::equal>;
using by_difference = pairwise<pairs::logistic, pairs::relevance_difference>;
using soft_difference = pairwise<pairs::soft_zero_one, pairs::relevance_difference>;
using lambdarank = pairwise<pairs::logistic, pairs::delta_ndcg>;
using soft_lambdarank = pairwise<pairs::soft_zero_one, pairs::delta_ndcg>;
using by_map = pairwise<pairs::logistic, pairs::delta_map>;
using soft_map = pairwise<pairs::soft_zero_one, pairs::delta_map>;

/// Few of level 0, most of one level, the rest anywhere: some buckets are one level that is never cut, others
/// a few hundred levels.
double uneven(std::mt19937_64& random) {
  const std::uint64_t kind = random() % 10;
  return kind < 5   ? 0.5
         : kind < 7 ? uniform(random)
         : kind < 9 ? 0.9 + 1e-4 * static_cast<double>(random() % 3)
                    : 1.0 + uniform(random);
}

}  // namespace

TEMPLATE_TEST_CASE("pair_scan: every function and weight, from crowded scores to sparse ones", "", ranknet,
                   wrong_pairs, by_difference, soft_difference, lambdarank, soft_lambdarank, by_map,
                   soft_map) {
  for (const double width : {1e-3, 2.0, 300.0}) {
    INFO("width " << width);
    check(TestType{}, draw_list(517, spread(width), grades(5)));
  }
}

TEMPLATE_TEST_CASE("pair_scan: levels in one bucket each, in buckets and in buckets of buckets", "", ranknet,
                   soft_difference, lambdarank) {
  for (const unsigned count : {1u, 2u, 16u, 17u, 33u}) {
    INFO("levels " << count);
    check(TestType{}, draw_list(512, spread(3.0), grades(count)));
  }
  check(TestType{}, draw_list(600, spread(3.0), real_valued));
  check(TestType{}, draw_list(801, spread(2.0), uneven));
#if !defined(RANKLOSS_ADDRESS_SANITIZER)
  check(TestType{}, draw_list(4500, spread(2.0), real_valued));  // two rounds of buckets
#endif
}

TEMPLATE_TEST_CASE("pair_scan: cutoffs, of either item or of both", "", ranknet, soft_difference, lambdarank,
                   soft_map) {
  for (const std::size_t k : {1u, 30u, 511u, 900u}) {
    INFO("cutoff " << k);
    check(with<TestType>(k, pairs::keep::either, pairs::average::none),
          draw_list(530, spread(5.0), grades(4)));
  }
  check(with<TestType>(300, pairs::keep::both, pairs::average::none), draw_list(530, spread(5.0), grades(4)));
  check(with<TestType>(270, pairs::keep::either, pairs::average::none),
        draw_list(610, spread(1.0), real_valued));
}

TEMPLATE_TEST_CASE("pair_scan: what the sum is divided by, and the units of temperature and logarithm", "",
                   ranknet, soft_difference, lambdarank) {
  const drawn_list items = draw_list(540, spread(3.0), grades(5));
  for (const pairs::average average : {pairs::average::pairs, pairs::average::weight}) {
    check(with<TestType>(0, pairs::keep::either, average, 0.3), items);
    check(with<TestType>(100, pairs::keep::either, average, 20.0), items);
    check(with<TestType>(100, pairs::keep::both, average), items);
  }
  if constexpr (std::is_same_v<TestType, ranknet>) {
    ranknet bits;
    bits.function.logarithm = pairs::logarithm::binary;
    check(bits, items);
  }
}

TEMPLATE_TEST_CASE("pair_scan: all scores equal, crowds far apart, gaps that nothing acts across", "",
                   ranknet, soft_difference, lambdarank) {
  check(TestType{}, draw_list(
                        520, [](auto&) { return 1.5; }, grades(5)));
  // About 2^-51 of an action is left at a distance of 35.
  const draw crowds = [](std::mt19937_64& random) {
    return 35.0 * static_cast<double>(random() % 4) + 0.3 * uniform(random);
  };
  check(TestType{}, draw_list(520, crowds, grades(5)));
  check(TestType{}, draw_list(520, crowds, real_valued));
  // As far as no double holds the exponential of, items alone.
  check(TestType{}, draw_list(520, spread(2e5), grades(3)));
  check(TestType{}, draw_list(700, spread(2e5), real_valued));
}

TEMPLATE_TEST_CASE(
    "pair_scan: buckets whose scores span more than their exponentials do, most of them near one end", "",
    ranknet, wrong_pairs, by_difference, soft_difference, lambdarank) {
  // 600 levels in buckets of some thirty: what acts within a bucket is made of exponentials by the widths
  // below, and of none above 160.
  for (const double outlier : {80.0, 100.0, 159.0, 1e3, -100.0}) {
    INFO("outliers at " << outlier);
    drawn_list items;
    for (int i = 0; i < 600; ++i) {
      items.scores.push_back(static_cast<float>(i % 10 != 0 ? i % 97 / 97.0 : outlier));
      items.relevance.push_back(static_cast<float>(i * 7 % 600) / 600.0F);
      items.weights.push_back(static_cast<float>(i % 3));
    }
    check(TestType{}, items);
  }
  for (const double mean : {15.0, 40.0, 300.0}) {
    INFO("tail of mean " << mean);
    const draw tail = [=](std::mt19937_64& random) { return -mean * std::log(uniform(random)); };
    check(TestType{}, draw_list(600, tail, real_valued));
    check(TestType{}, draw_list(
                          601, [=](std::mt19937_64& random) { return -tail(random); }, real_valued));
  }
  // Crowds so far apart that a difference to the middle would have no digits left for what happens within
  // them.
  const draw crowds = [](std::mt19937_64& random) {
    return std::ldexp(static_cast<double>(random() % 3), 20) + std::round(64.0 * uniform(random)) / 16.0;
  };
  check(TestType{}, draw_list(600, crowds, real_valued));
  check(TestType{}, draw_list(600, crowds, grades(3)));
}

TEMPLATE_TEST_CASE(
    "pair_scan: scores whose neighbours in their type are a fifth of a temperature apart or a thousand", "",
    ranknet, soft_difference, lambdarank) {
  for (const double temperature : {10.0, 0.5, 0.02, 2e-3}) {
    INFO("temperature " << temperature);
    // 2 apart are neighbours in float above 2^24 and in double above 2^53, which have nothing between them to
    // be a centre.
    for (const double offset : {0x1p24, 0x1p53}) {
      const draw neighbours = [](std::mt19937_64& random) { return 2.0 * static_cast<double>(random() % 2); };
      for (const draw& grade : {grades(3), real_valued}) {
        const drawn_list near_0 = draw_list(600, neighbours, grade);
        const std::array<sums, 2> expected =
            pair_by_pair(with<TestType>(0, pairs::keep::either, pairs::average::none, temperature), near_0);
        const auto compare = [&]<class T>(T) {
          const std::vector<T> y(near_0.relevance.begin(), near_0.relevance.end());
          std::vector<T> s, g(600);
          for (const float x : near_0.scores) s.push_back(static_cast<T>(offset + static_cast<double>(x)));
          const double value =
              evaluate(with<TestType>(0, pairs::keep::either, pairs::average::none, temperature),
                       list_batch<T>{.scores = s, .relevance = y}, {.gradient = g});
          CHECK(value == Approx(static_cast<double>(expected[0].value)).epsilon(digits<T>).margin(1e-300));
          CHECK(reference::relative_error(g, expected[0].gradient) <= digits<T>);
        };
        compare(1.0);
        if (offset == 0x1p24) compare(1.0F);
      }
    }
  }
}

TEMPLATE_TEST_CASE("pair_scan: levels are distinguished whatever their numbers", "", float, double) {
  // As of a list of many levels of which a cutoff has kept a few items.
  constexpr std::uint32_t many = (1u << 24) + 8;
  workspace scratch;
  const workspace::scope scope(scratch);
  constexpr std::size_t n = 4;
  detail::sorted_items<TestType, 1> sorted;
  sorted.n = sorted.counted = n;
  sorted.scores = scratch.take<double>(n);
  sorted.levels = scratch.take<std::uint32_t>(n);
  sorted.upper[0] = sorted.lower[0] = scratch.take<double>(n);
  std::fill(sorted.upper[0].begin(), sorted.upper[0].end(), 1.0);
  for (std::size_t i = 0; i < n; ++i) {
    sorted.scores[i] = 1.0;
    sorted.levels[i] = many - 1 - static_cast<std::uint32_t>(i);
  }
  std::vector<double> gradient(n, 0.0);
  using function = detail::pair_function<pairs::logistic>;
  detail::pair_scan<xsimd::default_arch, TestType, 1, false, false, false, false, function> scan(
      function{}, 1.0, scratch);
  scan.run(sorted, many, gradient);
  CHECK(scan.totals().weight == 6.0);
  CHECK(scan.totals().value == Approx(6.0 * std::log(2.0)).epsilon(digits<TestType>));
  for (std::size_t i = 0; i < n; ++i)
    CHECK(gradient[i] == Approx(-1.5 + static_cast<double>(i)).epsilon(digits<TestType>));
}

template <class T, std::size_t C, bool Weighted, bool Oriented, bool ByLevel, class Function>
void pieces_are_the_whole(const draw& score, std::uint32_t levels, double wrong_sign, std::size_t counted) {
  constexpr std::size_t n = 1500;
  std::mt19937_64 random(levels);
  workspace scratch;
  const workspace::scope scope(scratch);
  detail::sorted_items<T, C> sorted;
  sorted.n = n;
  sorted.counted = counted;
  sorted.scores = scratch.take<double>(n);
  sorted.levels = scratch.take<std::uint32_t>(n);
  const auto factors = [&]<class F>(F) {
    const auto values = scratch.take<F>(n + 64);
    std::fill(values.begin(), values.end(), F{0});
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<F>(0.5 + uniform(random));
    return values;
  };
  for (std::size_t c = 0; c < C; ++c) {
    sorted.upper[c] = factors(1.0).first(n);
    // Where the weight does not ask which item is above, it is the same from both sides.
    sorted.lower[c] = Oriented ? factors(1.0).first(n) : sorted.upper[c];
  }
  if (Weighted) sorted.weights = factors(T{1});
  std::vector<double> gains(levels);
  for (double& gain : gains) gain = uniform(random);
  if (ByLevel) sorted.gains = gains;
  for (double& s : sorted.scores) s = static_cast<float>(score(random));
  std::sort(sorted.scores.begin(), sorted.scores.end(), std::greater<>{});
  for (std::uint32_t& level : sorted.levels) level = static_cast<std::uint32_t>(random() % levels);

  const auto sum = [&](std::size_t piece_items) {
    std::vector<double> gradient(n, 0.0);
    detail::pair_scan<xsimd::default_arch, T, C, Weighted, Oriented, ByLevel, false, Function> scan(
        Function{}, wrong_sign, scratch, piece_items);
    scan.run(sorted, levels, gradient);
    gradient.push_back(scan.totals().value);
    gradient.push_back(scan.totals().weight);
    return gradient;
  };
  const std::vector<double> whole = sum(n);
  double largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(whole[i]));
  for (const std::size_t piece_items : {1u, 7u, 64u, 700u, 1499u}) {
    INFO("pieces of " << piece_items << ", levels " << levels << ", counted " << counted);
    const std::vector<double> found = sum(piece_items);
    double error = 0.0;
    for (std::size_t i = 0; i < n; ++i) error = std::max(error, std::abs(found[i] - whole[i]));
    CHECK(error <= digits<T> * largest);
    CHECK(found[n] == Approx(whole[n]).epsilon(digits<T>));
    CHECK(found[n + 1] == Approx(whole[n + 1]).epsilon(digits<T>));
  }
}

TEMPLATE_TEST_CASE("pair_scan: a list in pieces of any length has the sums of the whole", "", float, double) {
  using T = TestType;
  using logistic = detail::pair_function<pairs::logistic>;
  using soft = detail::pair_function<pairs::soft_zero_one>;
  const draw outliers = [](std::mt19937_64& random) {
    return random() % 300 == 0 ? 1e30 * (uniform(random) - 0.5) : 4.0 * uniform(random);
  };
  for (const draw& score : {spread(0.1), spread(8.0), spread(3000.0), outliers})
    for (const std::size_t counted : {1500u, 400u, 3u}) {
      pieces_are_the_whole<T, 1, false, false, false, logistic>(score, 2, 1.0, counted);
      pieces_are_the_whole<T, 1, true, false, false, logistic>(score, 5, 1.0, counted);
      pieces_are_the_whole<T, 2, true, false, false, soft>(score, 4, 1.0, counted);
      pieces_are_the_whole<T, 2, false, true, true, logistic>(score, 5, 1.0, counted);
      pieces_are_the_whole<T, 2, true, true, true, soft>(score, 12, 1.0, counted);
      pieces_are_the_whole<T, 2, true, true, false, logistic>(score, 1000, 1.0, counted);
      pieces_are_the_whole<T, 4, false, true, false, logistic>(score, 1000, 1.0, counted);
    }
}

TEMPLATE_TEST_CASE("pair_scan: sparse scores as far apart as a wide window reaches, among crowded ones", "",
                   ranknet, wrong_pairs, soft_difference, lambdarank, by_map, soft_map) {
  for (const double step : {0.02, 0.3, 5.0, 12.0, 41.0}) {
    INFO("step " << step);
    const draw even = [step](std::mt19937_64& random) { return step * static_cast<double>(random() % 4096); };
    check(TestType{}, draw_list(270, even, grades(5)));
    check(TestType{}, draw_list(400, even, grades(30)));
    // Every third item lies among twenty within a temperature of each other.
    const draw crowds = [step](std::mt19937_64& random) {
      const double at = step * static_cast<double>(random() % 4096);
      return random() % 3 == 0 ? std::round(at / 99.0) + uniform(random) : at;
    };
    check(TestType{}, draw_list(900, crowds, grades(3)));
    check(with<TestType>(100, pairs::keep::either, pairs::average::none, 0.25),
          draw_list(300, crowds, grades(4)));
  }
}

TEST_CASE("pair_scan: items each alone, whose neighbours' second powers still count") {
  drawn_list items = draw_list(520, spread(1.0), grades(3));
  for (std::size_t i = 0; i < items.scores.size(); ++i)
    items.scores[i] = 18.0F * static_cast<float>(i * 7 % 520);
  check(soft_difference{}, items);
}

TEMPLATE_TEST_CASE("pair_scan: infinite scores count as the largest numbers", "", wrong_pairs, soft_map) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  drawn_list items = draw_list(520, spread(2.0), grades(3));
  for (std::size_t i = 0; i < items.scores.size(); i += 9)
    items.scores[i] = i % 2 == 0 ? infinity : -infinity;
  check(TestType{}, items);
  items = draw_list(600, spread(2.0), real_valued);
  for (std::size_t i = 0; i < items.scores.size(); i += 9)
    items.scores[i] = i % 2 == 0 ? infinity : -infinity;
  check(TestType{}, items);
  // In temperatures they are beyond the largest float.
  check(with<TestType>(0, pairs::keep::either, pairs::average::none, 0.1), items);
}

TEMPLATE_TEST_CASE("pair_scan: no value, no slope where nothing differs, and finite whatever the scores", "",
                   float, double) {
  const auto none =
      run<TestType>(ranknet{}, draw_list(600, spread(2.0), [](auto&) { return 3.0; }), false, false);
  CHECK(none.value == 0.0);
  CHECK(none.gradient == std::vector<TestType>(600, TestType{0}));

  for (const draw& grade : {grades(3), real_valued}) {
    drawn_list items = draw_list(600, spread(2.0), grade);
    const std::vector<TestType> y(items.relevance.begin(), items.relevance.end());
    std::vector<TestType> s(items.scores.begin(), items.scores.end()), g(s.size());
    constexpr TestType largest = std::numeric_limits<TestType>::max(),
                       infinity = std::numeric_limits<TestType>::infinity();
    const std::array<TestType, 4> extremes{infinity, -infinity, largest, -largest};
    for (std::size_t i = 0; i < s.size(); i += 2) s[i] = extremes[i / 2 % 4];
    const list_batch<TestType> batch{.scores = s, .relevance = y};
    CHECK(std::isfinite(evaluate(ranknet{}, batch, {.gradient = g})));
    CHECK(std::all_of(g.begin(), g.end(), [](TestType x) { return std::isfinite(x); }));
    CHECK(std::isfinite(evaluate(lambdarank{}, batch, {.gradient = g})));
    CHECK(std::all_of(g.begin(), g.end(), [](TestType x) { return std::isfinite(x); }));
  }
}

TEMPLATE_TEST_CASE("pair_scan: long lists, whose windows are full, are those of the pair loop", "", float,
                   double) {
  const auto same = [](const auto& loss, const drawn_list& items) {
    for (const bool weighted : {false, true}) {
      const auto found = run<TestType>(loss, items, weighted, false);
      const auto expected = run<TestType>(loss, items, weighted, true);
      CHECK(found.value == Approx(expected.value).epsilon(10 * digits<TestType>));
      double largest = 0.0, error = 0.0;
      for (std::size_t i = 0; i < found.gradient.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(expected.gradient[i])));
        error = std::max(error, std::abs(static_cast<double>(found.gradient[i]) -
                                         static_cast<double>(expected.gradient[i])));
      }
      CHECK(error <= 10 * digits<TestType> * largest);
    }
  };
  same(ranknet{}, draw_list(4500, spread(0.05), grades(3)));
  same(with<ranknet>(4200, pairs::keep::either, pairs::average::none),
       draw_list(4500, spread(0.05), grades(3)));
  same(lambdarank{}, draw_list(2000, spread(0.05), real_valued));
  // Crowded: windows of many items a hundredth of a temperature wide, next to sparse ones.
  const draw crowded = [](std::mt19937_64& random) {
    return random() % 4 == 0 ? 8.0 * uniform(random) : 0.1 * uniform(random);
  };
  for (const unsigned count : {5u, 8u, 9u}) {
    same(lambdarank{}, draw_list(1200, crowded, grades(count)));
    same(soft_lambdarank{}, draw_list(1200, crowded, grades(count)));
  }
  same(by_map{}, draw_list(1200, crowded, grades(2)));
  same(soft_map{}, draw_list(1200, crowded, grades(2)));
  for (const std::size_t k : {40u, 500u})
    same(with<lambdarank>(k, pairs::keep::either, pairs::average::weight, 0.5),
         draw_list(1200, crowded, grades(5)));
}

}  // namespace detail_pairs_pair_scan_test
