// SPDX-License-Identifier: BSL-1.0

// The gradient of every loss is the slope of its value and the Hessian is the curvature, both by differences
// of values.

#include <rankloss/context.hpp>

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace promises_slope_test {

namespace {

using namespace promises;
using rankloss::context;
using rankloss::reduction;

/// First and second derivative at 0 from five values.
struct derivatives {
  double slope, curvature;
  double slope_rounding, curvature_rounding;  // what a few roundings of the values make of them
};
template <class Function>
derivatives differences(double h, Function value) {
  const double far_below = value(-2 * h), below = value(-h), middle = value(0.0), above = value(h),
               far_above = value(2 * h);
  const double rounding = 1e-15 * std::abs(middle);
  return {(far_below - 8 * below + 8 * above - far_above) / (12 * h),
          (-far_below + 16 * below - 30 * middle + 16 * above - far_above) / (12 * h * h), rounding / h,
          rounding / (h * h)};
}

TEST_CASE("lists: gradient and hessian are slope and curvature of the value") {
  context ctx;
  for (const list_loss& loss : list_losses()) {
    if (loss.claimed.jumps || !loss.claimed.sloped) continue;
    INFO(loss.name);
    const double h = loss.claimed.step;
    const double steep = 1e-3 / loss.claimed.length;

    // The whole batch: weights and reductions are part of the value.
    auto data = short_lists<double>(loss.claimed.smooth);
    for (const reduction how : reductions) {
      const auto r = run(loss, data.weighted(how), offered(loss).back());
      std::vector<double> slopes, curvatures;
      for (double& x : data.scores) {
        const double middle = x;
        const derivatives d = differences(h, [&](double t) {
          x = middle + t;
          return loss(data.weighted(how), {}, ctx);
        });
        x = middle;
        slopes.push_back(d.slope);
        if (loss.has_hessian) curvatures.push_back(d.curvature);
      }
      CHECK(first_gap(r.gradient, slopes, 1e-7, steep) == "");
      CHECK(first_gap(r.hessian, curvatures, 1e-6, steep / loss.claimed.length) == "");
    }

    // Long lists: some of the items, and all together along random directions.
    for (const std::size_t n : {std::size_t{128}, std::size_t{300}, longest})
      for (const kind k : {kind::distinct, kind::tied, kind::clusters}) {
        if (k != kind::distinct && !loss.claimed.smooth) continue;
        INFO(n << " items, kind " << static_cast<int>(k));
        lists<double> list(4);
        list.add(n, k);
        const auto r = run(loss, list.batch());
        if (loss.has_hessian) {
          const auto both = run(loss, list.batch(), wanted::hessian);
          CHECK(both.value == Approx(r.value).epsilon(1e-13).margin(1e-14));
          CHECK(first_gap(both.gradient, r.gradient, rounding<double>, steep) == "");
        }
        const auto full = run(loss, list.batch(), offered(loss).back());
        const auto start = list.scores;
        const double largest =
            std::abs(*std::max_element(r.gradient.begin(), r.gradient.end(),
                                       [](double a, double b) { return std::abs(a) < std::abs(b); }));
        for (std::size_t at = 0; at < 6; ++at) {
          const std::size_t i = at * (n - 1) / 5;
          const derivatives d = differences(h, [&](double t) {
            list.scores[i] = start[i] + t;
            return loss(list.batch(), {}, ctx);
          });
          list.scores[i] = start[i];
          CHECK(std::abs(r.gradient[i] - d.slope) <= 1e-7 * std::max(largest, steep) + d.slope_rounding);
          if (loss.has_hessian)
            CHECK(std::abs(full.hessian[i] - d.curvature) <=
                  1e-5 * std::max(largest, steep) / loss.claimed.length + d.curvature_rounding);
        }
        for (int turn = 0; turn < 2; ++turn) {
          double along = 0.0;
          double size = 0.0;
          std::vector<double> direction(n);
          for (std::size_t i = 0; i < n; ++i) {
            direction[i] = list.random() % 2 == 0 ? -1.0 : 1.0;
            along += direction[i] * r.gradient[i];
            size += std::abs(r.gradient[i]);
          }
          const derivatives d = differences(0.5 * h, [&](double t) {
            for (std::size_t i = 0; i < n; ++i) list.scores[i] = start[i] + t * direction[i];
            return loss(list.batch(), {}, ctx);
          });
          list.scores = start;
          CHECK(std::abs(along - d.slope) <= 1e-7 * std::max(size, steep));
        }
      }
  }
}

TEST_CASE("matrices: gradient and hessian are slope and curvature of the value") {
  context ctx;
  for (const matrix_loss& loss : similarity_losses()) {
    if (!loss.claimed.sloped) continue;
    const double h = loss.claimed.step;
    const double steep = 1e-3 / loss.claimed.length;
    const auto check = [&](matrix<double> m, reduction how, std::size_t each) {
      INFO(loss.name << ", " << m.rows << " x " << m.columns << ", reduction " << static_cast<int>(how));
      const auto r = run(loss, m.batch(how), offered(loss).back());
      std::vector<double> slopes, curvatures, gradient, hessian;
      for (std::size_t k = 0; k < m.s.size(); ++k) {
        if (k % m.stride >= m.columns || k % each != 0) continue;
        const double middle = m.s[k];
        const derivatives d = differences(h, [&](double t) {
          m.s[k] = middle + t;
          return loss(m.batch(how), {}, ctx);
        });
        m.s[k] = middle;
        slopes.push_back(d.slope);
        gradient.push_back(r.gradient[k]);
        if (!loss.has_hessian) continue;
        curvatures.push_back(d.curvature);
        hessian.push_back(r.hessian[k]);
      }
      CHECK(first_gap(gradient, slopes, 1e-7, steep) == "");
      CHECK(first_gap(hessian, curvatures, 1e-6, steep / loss.claimed.length) == "");
    };
    for (const auto& m : small_matrices<double>(3))
      for (const reduction how : reductions)
        if (m.taken_by(loss)) check(m, how, 1);
    std::mt19937_64 random(8);
    matrix<double> tall(random, 300, 5, loss.claimed.smooth ? kind::tied : kind::distinct, 2);
    tall.flags(random, 3).grades(random).weights(random);
    if (tall.taken_by(loss)) check(tall, reduction::mean, 89);
  }
}

TEST_CASE("preferences, policies and embeddings: gradient and hessian are slope and curvature of the value") {
  constexpr double h = 0x1p-10;
  context ctx;
  for (subject<double>& of : [] {
         static auto all = subjects<double>();
         return std::span(all);
       }()) {
    INFO(of.name);
    const auto r = run(of, ctx);
    std::vector<double> slopes, curvatures;
    for (double& x : of.x) {
      const double middle = x;
      const auto at = [&](double by) {
        x = middle + by;
        return of({}, ctx);
      };
      const double far_below = at(-2 * h), below = at(-h), above = at(h), far_above = at(2 * h);
      x = middle;
      slopes.push_back((far_below - 8 * below + 8 * above - far_above) / (12 * h));
      curvatures.push_back((-far_below + 16 * below - 30 * r.value + 16 * above - far_above) / (12 * h * h));
    }
    CHECK(gap(r.gradient, slopes) <= 1e-8);
    if (of.has_hessian) CHECK(gap(r.hessian, curvatures) <= 1e-5);
  }
}

}  // namespace

}  // namespace promises_slope_test
