// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/surrogate_floats.hpp>

#include <rankloss/ppo.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <random>
#include <vector>

namespace detail_simd_surrogate_floats_test {

namespace {

using arch = xsimd::default_arch;
using floats = rankloss::detail::surrogate_floats<arch>;
using rankloss::ppo;
constexpr double none = std::numeric_limits<double>::max();

struct actions {
  std::vector<float> now, old, advantages;

  void add(float upper, float lower, float advantage) {
    now.push_back(upper);
    old.push_back(lower);
    advantages.push_back(advantage);
  }
  [[nodiscard]] std::size_t size() const { return now.size(); }
};

/// Terms of all actions, in chunks, marks included.
struct found {
  std::vector<double> gains;
  std::vector<float> slopes;
  std::vector<bool> marked;
};
found computed(const actions& of, const ppo& loss) {
  const floats terms_of(1 - loss.clip, 1 + loss.clip, loss.dual_clip > 0 ? loss.dual_clip : none);
  const auto terms = std::make_unique<floats::terms>();
  found all;
  for (std::size_t first = 0; first < of.size(); first += floats::size) {
    const std::size_t n = std::min(floats::size, of.size() - first);
    const bool any =
        terms_of(of.now.data() + first, of.old.data() + first, of.advantages.data() + first, n, *terms);
    bool seen = false;
    for (std::size_t k = 0; k < n; ++k) {
      all.gains.push_back(terms->gains[k]);
      all.slopes.push_back(terms->slopes[k]);
      all.marked.push_back(any && terms->marked[k] > 0);
      seen = seen || all.marked.back();
    }
    CHECK(any == seen);
  }
  return all;
}

rankloss::detail::policy_term exact(const actions& of, const ppo& loss, std::size_t k) {
  const rankloss::detail::policy_ratio rho(static_cast<double>(of.now[k]), static_cast<double>(of.old[k]));
  return loss.surrogate(rho.ratio, static_cast<double>(of.advantages[k]));
}

}  // namespace

TEST_CASE(
    "surrogate_floats: terms that are not marked are those of the formula, wherever they are in a row") {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  for (const double dual : {0.0, 1.5, 3.0})
    for (const double clip : {0.0, 0.1, 0.2, 1.0, 2.5}) {
      const ppo loss{.clip = clip, .dual_clip = dual};
      actions all;
      for (int k = 0; k < 3000; ++k) {
        const float old = -3 - std::abs(normal(random));
        all.add(old + 0.5f * normal(random), old, normal(random));
      }
      const found terms = computed(all, loss);
      std::size_t marked = 0;
      for (std::size_t k = 0; k < all.size(); ++k) {
        if (terms.marked[k] && ++marked) continue;
        const auto expected = exact(all, loss, k);
        CHECK(-terms.gains[k] == Approx(expected.value).epsilon(2e-7));
        CHECK(static_cast<double>(-terms.slopes[k]) == Approx(expected.slope).epsilon(3e-7).margin(0.0));
      }
      CHECK(marked < 10);
      // Without its first action every action is in another lane.
      const auto rest = [](auto& of) { of.erase(of.begin()); };
      actions later = all;
      rest(later.now), rest(later.old), rest(later.advantages);
      const found again = computed(later, loss);
      for (std::size_t k = 1; k < all.size(); ++k) {
        REQUIRE(again.marked[k - 1] == terms.marked[k]);
        if (terms.marked[k]) continue;
        CHECK(again.gains[k - 1] == terms.gains[k]);
        CHECK(again.slopes[k - 1] == terms.slopes[k]);
      }
    }
}

TEST_CASE("surrogate_floats: a ratio near a bound is marked where floats may see it on the other side") {
  for (const double dual : {0.0, 3.0})
    for (const double clip : {0.1, 0.2, 0.5}) {
      const ppo loss{.clip = clip, .dual_clip = dual};
      actions all;
      for (const double bound : {1 - clip, 1 + clip, 3.0})
        for (const float advantage : {1.0f, -1.0f, 0.3f, -7.0f})
          for (const float old : {0.0f, -0.25f, -2.0f, -11.0f}) {
            // Steps of single floats across the bound.
            float now = old + static_cast<float>(std::log(bound));
            for (int k = 0; k < 40; ++k) now = std::nextafter(now, -100.0f);
            for (int k = 0; k < 80; ++k) all.add(now = std::nextafter(now, 100.0f), old, advantage);
          }
      const found terms = computed(all, loss);
      std::size_t marked = 0;
      for (std::size_t k = 0; k < all.size(); ++k) {
        if (terms.marked[k] && ++marked) continue;
        const auto expected = exact(all, loss, k);
        REQUIRE((terms.slopes[k] == 0.0f) == (expected.slope == 0.0));
        CHECK(-terms.gains[k] == Approx(expected.value).epsilon(2e-7));
      }
      CHECK(marked > 0);
      CHECK(marked < all.size());
    }
}

TEST_CASE("surrogate_floats: what is out of the range of floats is marked") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(),
                  infinity = std::numeric_limits<float>::infinity();
  constexpr float largest = std::numeric_limits<float>::max();
  const float odd[][3] = {{3.0f, 0.5f, 1.0f},     {-3.0f, 0.0f, 1.0f},   {largest, -largest, 1.0f},
                          {-largest, largest, 1}, {nan, 0.0f, 1.0f},     {0.0f, nan, 1.0f},
                          {0.1f, 0.0f, nan},      {0.1f, 0.0f, 1e31f},   {0.1f, 0.0f, -largest},
                          {0.1f, 0.0f, 2e-38f},   {0.1f, 0.0f, -1e-31f}, {0.1f, 0.0f, infinity}};
  for (const auto& [now, old, advantage] : odd) {
    actions all;
    for (int k = 0; k < 40; ++k) all.add(-1.0f, -1.0f, k % 2 == 0 ? 0.5f : 0.0f);
    all.add(now, old, advantage);
    const found terms = computed(all, ppo{});
    INFO(now << " " << old << " " << advantage);
    CHECK(std::count(terms.marked.begin(), terms.marked.end(), true) == 1);
    CHECK(terms.marked.back());
    for (std::size_t k = 0; k < 40; ++k) CHECK(terms.gains[k] == static_cast<double>(all.advantages[k]));
  }
}

}  // namespace detail_simd_surrogate_floats_test
