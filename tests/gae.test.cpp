// SPDX-License-Identifier: BSL-1.0
#include <rankloss/gae.hpp>

#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace gae_test {

namespace {

using rankloss::estimate_advantages;
using rankloss::gae;
using rankloss::trajectory_batch;
using rankloss::whitening;
using numbers = std::vector<double>;

template <class T>
void check_near(const std::vector<T>& found, const numbers& expected, double margin) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("step " << i);
    CHECK(static_cast<double>(found[i]) == Approx(expected[i]).margin(margin));
  }
}

/// Every advantage by its own sum over all steps to come, of one trajectory without masked steps.
numbers plain(const numbers& r, const numbers& v, const numbers& discounts, double lambda, double last) {
  const std::size_t n = r.size();
  numbers out(n);
  for (std::size_t t = 0; t < n; ++t) {
    long double sum = 0, factor = 1;
    for (std::size_t k = t; k < n; ++k) {
      const long double next = k + 1 < n ? v[k + 1] : last;
      sum += factor * (r[k] + static_cast<long double>(discounts[k]) * next - v[k]);
      factor *= static_cast<long double>(discounts[k]) * lambda;
    }
    out[t] = static_cast<double>(sum);
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("estimate_advantages: rlax's numbers, trajectories that were cut off", "", float, double) {
  const std::vector<TestType> r{0, 0, 1, 0, TestType(-0.5), 0, 0, 0, 0, 1};
  const std::vector<TestType> v{1, 4, -3, -2, -1, -3, -2, -1, 0, 5};
  const numbers discounts{0.99, 0.99, 0.99, 0.99, 0.99, 0.9, 0.9, 0.9, 0, 0.9};
  const numbers last{-1, -1};
  const std::vector<int> offsets{0, 5, 10};
  const trajectory_batch<TestType> batch{
      .rewards = r, .values = v, .offsets = offsets, .last_values = last, .discounts = discounts};
  std::vector<TestType> a(10), returns(10);
  estimate_advantages(batch, gae{.lambda = 1}, a);
  check_near(a, {-1.45118, -4.4557, 2.5396, 0.5249, -0.49, 3, 2, 1, 0, -4.9}, 2e-4);
  estimate_advantages(batch, gae{.lambda = 0.7}, a);
  check_near(a, {-0.676979, -5.248167, 2.4846, 0.6704, -0.49, 2.2899, 1.73, 1, 0, -4.9}, 2e-4);
  estimate_advantages(batch, gae{.lambda = 0.4}, a, returns);
  check_near(a, {0.56731, -6.042, 2.3431, 0.815, -0.49, 1.725, 1.46, 1, 0, -4.9}, 1e-3);
  for (std::size_t i = 0; i < a.size(); ++i)
    CHECK(static_cast<double>(returns[i]) == Approx(static_cast<double>(a[i] + v[i])).margin(1e-6));
}

TEMPLATE_TEST_CASE("estimate_advantages: TRL's numbers, whitened too", "", float, double) {
  using T = TestType;
  const std::vector<T> r{T(0.1), T(-0.2), T(0.3), T(1), T(0), T(0.5), T(-1), T(77)};
  const std::vector<T> v{T(0.2), T(0.1), T(0), T(0.4), T(0.3), T(-0.1), T(0.2), T(77)};
  const std::vector<int> offsets{0, 4, 8};
  const std::vector<std::uint8_t> mask{1, 1, 1, 1, 1, 1, 1, 0};
  const trajectory_batch<T> batch{.rewards = r, .values = v, .offsets = offsets, .mask = mask};
  std::vector<T> a(8, T(9)), returns(8, T(9));
  estimate_advantages(batch, gae{}, a, returns);
  check_near(a, {0.8611749410629272, 0.9064999222755432, 1.27, 0.6, -0.723, -0.34, -1.2, 0}, 1e-6);
  check_near(returns, {1.061174988746643, 1.0064998865127563, 1.27, 1, -0.423, -0.44, -1, 0}, 1e-6);
  std::vector<T> same(8);
  estimate_advantages(batch, gae{.whitening = whitening::bessel}, a, same);
  check_near(a,
             {0.7043735980987549, 0.7523971796035767, 1.1375393867492676, 0.42764872312545776,
              -0.9741207361221313, -0.5683174729347229, -1.4795206785202026, 0},
             1e-6);
  CHECK(same == returns);
  estimate_advantages(batch, gae{.discount = 0.99, .lambda = 0.9}, a, returns);
  check_near(a, {0.7086498737335205, 0.7964645028114319, 1.2306, 0.6, -0.6406391859054565, -0.2712, -1.2, 0},
             1e-6);
  check_near(returns,
             {0.9086498618125916, 0.8964645266532898, 1.2306, 1, -0.3406391739845276, -0.3712, -1, 0}, 1e-6);
  estimate_advantages(batch, gae{.discount = 0.99, .lambda = 0.9, .whitening = whitening::bessel}, a);
  check_near(a,
             {0.601797342300415, 0.7007961273193359, 1.1902236938476562, 0.47930970788002014,
              -0.9193387627601624, -0.5028473734855652, -1.5499404668807983, 0},
             1e-6);
  estimate_advantages(batch, gae{.lambda = 1}, a);
  check_near(a, {1, 1, 1.3, 0.6, -0.8, -0.4, -1.2, 0}, 1e-6);
}

TEST_CASE("estimate_advantages is its sum, and a masked step is as if it were not there") {
  std::mt19937_64 random(1);
  for (const std::size_t n : {1u, 2u, 5u, 8u, 9u, 40u, 255u, 256u, 257u, 600u})
    for (const double lambda : {0.0, 0.3, 1.0})
      for (const double end : {0.0, -3.5}) {
        const numbers r = support::numbers<double>(random, 2 * n),
                      v = support::numbers<double>(random, 2 * n);
        numbers discounts = support::numbers<double>(random, 2 * n);
        for (double& d : discounts) d = std::abs(d);
        const numbers last{end, end};
        const std::vector<std::int64_t> offsets{0, static_cast<std::int64_t>(n),
                                                static_cast<std::int64_t>(2 * n)};
        numbers masked_r, masked_v, masked_discounts;
        std::vector<std::uint8_t> mask;
        std::vector<std::int64_t> masked_offsets{0};
        numbers expected, padded;
        for (std::size_t q = 0; q < 2; ++q) {
          const auto part = [&](const numbers& x) {
            return numbers(x.begin() + static_cast<std::ptrdiff_t>(q * n),
                           x.begin() + static_cast<std::ptrdiff_t>((q + 1) * n));
          };
          const numbers a = plain(part(r), part(v), part(discounts), lambda, end);
          for (std::size_t t = 0; t < n; ++t) {
            for (std::size_t k = random() % 3; k > 0; --k) {
              masked_r.push_back(std::nan("")), masked_v.push_back(1e300), masked_discounts.push_back(7),
                  mask.push_back(0), padded.push_back(0);
            }
            masked_r.push_back(r[q * n + t]), masked_v.push_back(v[q * n + t]),
                masked_discounts.push_back(discounts[q * n + t]);
            mask.push_back(1), padded.push_back(a[t]), expected.push_back(a[t]);
          }
          mask.push_back(0), padded.push_back(0), masked_r.push_back(5), masked_v.push_back(5),
              masked_discounts.push_back(0);
          masked_offsets.push_back(static_cast<std::int64_t>(mask.size()));
        }
        numbers a(2 * n), of_masked(mask.size(), 9.0), returns(mask.size(), 9.0);
        estimate_advantages<double>(
            {.rewards = r, .values = v, .offsets = offsets, .last_values = last, .discounts = discounts},
            gae{.lambda = lambda}, a);
        check_near(a, expected, 1e-13);
        estimate_advantages<double>({.rewards = masked_r,
                                     .values = masked_v,
                                     .offsets = masked_offsets,
                                     .last_values = last,
                                     .discounts = masked_discounts,
                                     .mask = mask},
                                    gae{.lambda = lambda}, of_masked, returns);
        check_near(of_masked, padded, 1e-13);
        for (std::size_t i = 0; i < mask.size(); ++i)
          CHECK(returns[i] == Approx(mask[i] != 0 ? padded[i] + masked_v[i] : 0.0).margin(1e-13));
      }
}

TEST_CASE("estimate_advantages: one discount for all is that discount at every step") {
  const numbers r{1, 2, 3}, v{0.5, -1, 2}, discounts{0.9, 0.9, 0.9}, last{4};
  numbers one(3), each(3);
  estimate_advantages<double>({.rewards = r, .values = v, .last_values = last}, gae{.discount = 0.9}, one);
  estimate_advantages<double>({.rewards = r, .values = v, .last_values = last, .discounts = discounts},
                              gae{.discount = 0.1}, each);
  CHECK(one == each);
  CHECK(one[2] == Approx(3 + 0.9 * 4 - 2));
}

TEMPLATE_TEST_CASE("estimate_advantages: whitened, the mean is 0 and the deviation 1, or all is 0", "", float,
                   double) {
  using T = TestType;
  std::mt19937_64 random(2);
  const std::vector<T> r = support::numbers<T>(random, 50), zero(50, T(0));
  std::vector<T> a(50);
  for (const whitening how : {whitening::population, whitening::bessel}) {
    estimate_advantages<T>({.rewards = r, .values = zero}, gae{.whitening = how}, a);
    double sum = 0, squares = 0;
    for (const T x : a)
      sum += static_cast<double>(x), squares += static_cast<double>(x) * static_cast<double>(x);
    CHECK(sum == Approx(0).margin(1e-5));
    CHECK(squares / (how == whitening::bessel ? 49 : 50) == Approx(1).epsilon(1e-6));

    const std::vector<T> equal(50, T(0.1));
    estimate_advantages<T>({.rewards = equal, .values = zero}, gae{.discount = 0, .whitening = how}, a);
    CHECK(a == zero);
    estimate_advantages<T>({.rewards = zero, .values = zero}, gae{.whitening = how}, a);
    CHECK(a == zero);
    // One step, alone or the only one that counts.
    std::vector<T> one(1, T(9));
    estimate_advantages<T>({.rewards = std::vector<T>{T(3)}, .values = std::vector<T>{T(1)}},
                           gae{.whitening = how}, one);
    CHECK(one[0] == T(0));
    std::vector<std::uint8_t> mask(50, 0);
    mask[7] = 1;
    estimate_advantages<T>({.rewards = r, .values = zero, .mask = mask}, gae{.whitening = how}, a);
    CHECK(a == zero);
    mask[7] = 0;
    estimate_advantages<T>({.rewards = r, .values = zero, .mask = mask}, gae{.whitening = how}, a);
    CHECK(a == zero);
  }
}

TEST_CASE("estimate_advantages: trajectories on several threads, with the same bits on any number of them") {
  std::mt19937_64 random(3);
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : {0, 20000, 1, 0, 9000, 256, 17000, 3})
    for (int i = 0; i < (length < 1000 ? 40 : 1); ++i) offsets.push_back(offsets.back() + length);
  offsets.push_back(offsets.back());
  const auto n = static_cast<std::size_t>(offsets.back());
  const numbers r = support::numbers<double>(random, n), v = support::numbers<double>(random, n),
                last = support::numbers<double>(random, offsets.size() - 1);
  std::vector<std::uint8_t> mask(n);
  for (std::uint8_t& m : mask) m = random() % 3 != 0 ? 1 : 0;
  rankloss::context one, two{rankloss::threads(2)}, seven{rankloss::threads(7)};
  for (const bool masked : {false, true})
    for (const whitening how : {whitening::none, whitening::population}) {
      INFO("masked " << masked << ", whitened " << (how != whitening::none));
      const gae options{.discount = 0.95, .lambda = 0.9, .whitening = how};
      trajectory_batch<double> batch{.rewards = r, .values = v, .offsets = offsets, .last_values = last};
      if (masked) batch.mask = mask;
      numbers a(n, 9.0), returns(n, 9.0), of_two(n, 7.0), of_seven(n, 7.0), others(n, 7.0);
      estimate_advantages<double>(batch, options, a, returns, one);
      estimate_advantages<double>(batch, options, of_two, {}, two);
      estimate_advantages<double>(batch, options, of_seven, others, seven);
      CHECK(of_two == a);
      CHECK(of_seven == a);
      CHECK(others == returns);
      // Each trajectory by itself, and the whole of them shifted and scaled.
      numbers alone(n);
      for (std::size_t q = 0; q + 1 < offsets.size(); ++q) {
        const auto first = static_cast<std::size_t>(offsets[q]),
                   length = static_cast<std::size_t>(offsets[q + 1]) - first;
        numbers counted_r, counted_v;
        std::vector<std::size_t> steps;
        for (std::size_t i = first; i < first + length; ++i) {
          if (masked && mask[i] == 0) continue;
          steps.push_back(i);
          counted_r.push_back(r[i]);
          counted_v.push_back(v[i]);
        }
        double next_value = last[q], next = 0.0;
        for (std::size_t k = steps.size(); k-- > 0; next_value = counted_v[k])
          alone[steps[k]] = next = counted_r[k] + 0.95 * next_value - counted_v[k] + 0.95 * 0.9 * next;
      }
      double count = 0, sum = 0, squares = 0;
      const auto counts = [&](std::size_t i) { return !masked || mask[i] != 0; };
      for (std::size_t i = 0; i < n; ++i)
        if (counts(i)) count += 1, sum += alone[i];
      for (std::size_t i = 0; i < n; ++i)
        if (counts(i)) squares += (alone[i] - sum / count) * (alone[i] - sum / count);
      for (std::size_t i = 0; i < n; ++i) {
        const double expected = !counts(i) ? 0.0
                                : how == whitening::none
                                    ? alone[i]
                                    : (alone[i] - sum / count) / std::sqrt(squares / count);
        if (std::abs(a[i] - expected) > 1e-11)
          FAIL("step " << i << ": " << a[i] << ", expected " << expected);
        if (how == whitening::none && counts(i)) CHECK(returns[i] == Approx(alone[i] + v[i]).margin(1e-11));
        if (!counts(i)) CHECK(returns[i] == 0.0);
      }
    }
}

TEMPLATE_TEST_CASE("estimate_advantages: numbers of any size stay numbers", "", float, double) {
  using T = TestType;
  const T huge = std::numeric_limits<T>::max();
  const std::vector<T> r{huge, -huge, huge, huge, -huge}, v{-huge, huge, -huge, huge, huge};
  std::vector<T> a(5), returns(5);
  for (const whitening how : {whitening::none, whitening::population, whitening::bessel}) {
    estimate_advantages<T>({.rewards = r, .values = v}, gae{.lambda = 1, .whitening = how}, a, returns);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(std::isfinite(a[i]));
      CHECK(std::isfinite(returns[i]));
    }
  }
  const T tiny = std::numeric_limits<T>::denorm_min();
  estimate_advantages<T>({.rewards = std::vector<T>{tiny, -tiny}, .values = std::vector<T>{0, 0}},
                         gae{.discount = 0, .whitening = whitening::population}, std::span(a).first(2));
  CHECK(a[0] == T(1));
  CHECK(a[1] == T(-1));
}

TEMPLATE_TEST_CASE("estimate_advantages: outputs may lie where rewards and values do", "", float, double) {
  std::mt19937_64 random(6);
  std::normal_distribution<double> normal;
  std::vector<TestType> r(1500), v(r.size()), a(r.size()), returns(r.size());
  std::vector<std::uint8_t> mask(r.size(), 1);
  for (TestType& x : r) x = static_cast<TestType>(normal(random));
  for (TestType& x : v) x = static_cast<TestType>(normal(random));
  for (const auto how : {whitening::none, whitening::bessel})
    for (const bool masked : {false, true}) {
      INFO((masked ? "masked" : "not masked") << (how == whitening::none ? "" : ", whitened"));
      for (std::size_t i = 0; i < mask.size(); i += 7) mask[i] = masked ? 0 : 1;
      const gae options{.whitening = how};
      const auto run = [&](const auto& rewards, const auto& values, auto& to, auto& to_returns) {
        trajectory_batch<TestType> batch{.rewards = rewards, .values = values};
        if (masked) batch.mask = mask;
        estimate_advantages(batch, options, to, to_returns);
      };
      run(r, v, a, returns);
      for (const bool crossed : {false, true}) {
        std::vector<TestType> rewards = r, values = v;
        run(rewards, values, crossed ? values : rewards, crossed ? rewards : values);
        CHECK((crossed ? values : rewards) == a);
        CHECK((crossed ? rewards : values) == returns);
      }
    }
}

TEST_CASE("estimate_advantages names what does not fit, before it writes") {
  const numbers r(4, 1.0), v(4, 1.0);
  numbers a(4, 9.0), returns(4, 9.0);
  const trajectory_batch<double> good{.rewards = r, .values = v};
  auto bad = good;
  const auto run = [&](const gae& options = {}) { estimate_advantages(bad, options, a, returns); };
  CHECK_THROWS_WITH(run({.lambda = 1.5}), "rankloss: lambda: 1.5, expected 0 to 1");
  CHECK_THROWS_WITH(run({.discount = std::nan("")}), "rankloss: discount: nan, expected 0 to 1");
  const numbers three(3, 1.0);
  bad.values = three;
  CHECK_THROWS_WITH(run(), "rankloss: values: size 3, expected 4 (one per reward)");
  bad = good;
  bad.discounts = three;
  CHECK_THROWS_WITH(run(), "rankloss: discounts: size 3, expected 4 (one per reward)");
  bad = good;
  bad.last_values = three;
  CHECK_THROWS_WITH(run(), "rankloss: last_values: size 3, expected 1 (one per trajectory)");
  bad = good;
  std::vector<int> offsets{0, 3, 2, 4};
  bad.offsets = offsets;
  CHECK_THROWS_WITH(run(), "rankloss: offsets: 2 at 2 after 3, expected them to rise");
  offsets = {0, 1, 2, 3};
  CHECK_THROWS_WITH(run(), "rankloss: offsets: last is 3, expected 4 (the number of rewards)");
  offsets = {1, 1, 2, 4};
  CHECK_THROWS_WITH(run(), "rankloss: offsets: first is 1, expected 0");
  bad = good;
  const std::vector<std::uint8_t> mask(3, 1);
  bad.mask = mask;
  CHECK_THROWS_WITH(run(), "rankloss: mask: size 3, expected 4 (one per reward)");
  bad = good;
  numbers unsound = r;
  unsound[2] = std::nan("");
  bad.rewards = unsound;
  CHECK_THROWS_WITH(run(), "rankloss: rewards: nan at step 2, expected a finite number");
  bad = good;
  bad.values = unsound;
  CHECK_THROWS_WITH(run(), "rankloss: values: nan at step 2, expected a finite number");
  bad = good;
  unsound[2] = 1.5;
  bad.discounts = unsound;
  CHECK_THROWS_WITH(run(), "rankloss: discounts: 1.5 at step 2, expected 0 to 1");
  bad = good;
  const numbers infinite{std::numeric_limits<double>::infinity()};
  bad.last_values = infinite;
  CHECK_THROWS_WITH(run(), "rankloss: last_values: inf at trajectory 0, expected a finite number");
  numbers few(2);
  CHECK_THROWS_WITH(estimate_advantages(good, gae{}, few),
                    "rankloss: advantages: size 2, expected 4 (one per reward)");
  CHECK_THROWS_WITH(estimate_advantages(good, gae{}, a, few),
                    "rankloss: returns: size 2, expected 4 (one per reward)");
  CHECK(a == numbers(4, 9.0));
  CHECK(returns == numbers(4, 9.0));
  CHECK_NOTHROW(estimate_advantages(trajectory_batch<float>{}, gae{.whitening = whitening::bessel}, {}));
}

}  // namespace gae_test
