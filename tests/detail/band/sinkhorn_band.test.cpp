// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/band/sinkhorn_band.hpp>

#include <rankloss/workspace.hpp>

#include "support/lay_lists.hpp"
#include "support/listwise_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_band_sinkhorn_band_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::workspace;
using rankloss::detail::neural_band;
using rankloss::detail::sinkhorn_band;
using reference::real;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

using matrix = std::vector<std::vector<real>>;

/// NeuralSort's logits of falling scores, as in neural_band.
matrix logits(const std::vector<double>& x, double t) {
  const std::size_t n = x.size();
  matrix l(n, std::vector<real>(n));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      real distance = 0;
      for (const double s : x) distance += std::abs(real(x[j]) - real(s));
      l[i][j] = ((real(n) - 1 - 2 * real(i)) * real(x[j]) - distance) / t;
    }
  return l;
}

/// Softmax of the rows, then columns and rows in turn divided by their sums; stops before a step whose columns are within the tolerance.
matrix scaled(const matrix& l, std::size_t steps, double tolerance, std::size_t& taken) {
  const std::size_t n = l.size();
  matrix p(n);
  real ignored = 0;
  for (std::size_t i = 0; i < n; ++i)
    p[i] = reference::softmax(
        l[i], [](std::size_t) { return true; }, ignored);
  for (taken = 0; taken < steps; ++taken) {
    std::vector<real> sums(n, 0);
    for (const auto& row : p)
      for (std::size_t j = 0; j < n; ++j) sums[j] += row[j];
    real worst = 0;
    for (const real s : sums) worst = std::max(worst, std::abs(s - 1));
    if (taken > 0 && worst <= tolerance) break;
    for (auto& row : p) {
      real sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += row[j] /= sums[j];
      for (real& e : row) e /= sum;
    }
  }
  return p;
}

std::vector<double> falling(std::mt19937_64& random, std::size_t n) {
  std::vector<double> x = support::numbers<double>(random, n);
  for (double& s : x) s = static_cast<float>(2.0 * s);
  if (n > 3) x[1] = x[2];
  std::sort(x.begin(), x.end(), std::greater<>());
  return x;
}

/// Lists, one over all lanes or one a lane, and their scaled bands. Arrays are by slot: [lane][row], or the sorted order of the one list.
template <class T>
struct bands {
  workspace scratch;
  neural_band<arch, T> band;
  std::size_t slots = 0;

  bands(const std::vector<std::vector<double>>& lists, bool one_list, double t) {
    if (one_list) {
      const std::vector<T> x(lists[0].begin(), lists[0].end());
      slots = x.size();
      band = neural_band<arch, T>(std::span<const T>(x), t, scratch);
    } else {
      const auto group = support::lay_lists<arch>(lists, scratch);
      slots = group.rows.items;
      band = neural_band<arch, T>(group, t, scratch);
    }
    const std::span<double> ones = band.take(), out = band.take();
    std::fill(ones.begin(), ones.end(), 1.0);
    band.apply(ones, out);  // for the row sums
  }
  std::span<double> load(const std::vector<double>& by_slot) {
    const std::span<double> to = band.take();
    band.load(by_slot, to);
    return to;
  }
  std::vector<double> store(std::span<const double> from) {
    std::vector<double> by_slot(slots, 0.0);
    band.store(from, by_slot);
    return by_slot;
  }
};

template <class T>
void check(const std::vector<std::vector<double>>& lists, bool one_list, std::size_t steps, double tolerance, std::mt19937_64& random) {
  using sinkhorn = sinkhorn_band<arch, T>;
  const double t = 1.3;
  constexpr double digits = sizeof(T) == 4 ? 1e-5 : 1e-11;
  bands<T> in(lists, one_list, t);
  const sinkhorn kept(in.band, one_list, steps, tolerance, true, in.scratch);
  const sinkhorn last(in.band, one_list, steps, tolerance, false, in.scratch);
  const auto values = support::numbers<double>(random, in.slots), cotangent = support::numbers<double>(random, in.slots);

  const auto product = in.band.take(), transposed = in.band.take(), other = in.band.take(), sums = in.band.take(), moments = in.band.take();
  kept.apply(in.load(values), product);
  last.apply(in.load(values), other);
  kept.apply_transposed(in.load(cotangent), transposed);
  kept.pull(in.load(values), in.load(cotangent), sums, moments, sinkhorn::derivative::unrolled);
  const auto p = in.store(product), q = in.store(transposed), again = in.store(other), s = in.store(sums), m = in.store(moments);
  const auto fixed_sums = in.band.take(), fixed_moments = in.band.take();
  last.pull(in.load(values), in.load(cotangent), fixed_sums, fixed_moments, sinkhorn::derivative::implicit);
  const auto fs = in.store(fixed_sums), fm = in.store(fixed_moments);

  CHECK(last.steps() == kept.steps());
  std::size_t most_taken = 0;
  for (std::size_t l = 0; l < lists.size(); ++l) {
    const std::size_t n = lists[l].size(), first = one_list ? 0 : l * in.band.rows();
    INFO("list " << l << " of " << n << " items, steps " << steps << ", tolerance " << tolerance);
    matrix at = logits(lists[l], t);
    std::size_t taken = 0;
    const matrix expected = scaled(at, steps, tolerance, taken);
    most_taken = std::max(most_taken, taken);
    const auto of = [&](const matrix& k) {
      real f = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) f += cotangent[first + i] * k[i][j] * values[first + j];
      return f;
    };
    for (std::size_t i = 0; i < n; ++i) {
      real row = 0, column = 0;
      for (std::size_t j = 0; j < n; ++j) {
        row += expected[i][j] * values[first + j];
        column += expected[j][i] * cotangent[first + j];
      }
      CHECK(p[first + i] == Approx(static_cast<double>(row)).margin(digits));
      CHECK(again[first + i] == p[first + i]);
      CHECK(q[first + i] == Approx(static_cast<double>(column)).margin(digits));
    }
    for (std::size_t j = 0; j < n; ++j) {
      real sum = 0, moment = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const real step = 1e-5L, here = at[i][j];
        std::size_t ignored = 0;
        at[i][j] = here + step;
        const real up = of(scaled(at, taken, -1.0, ignored));
        at[i][j] = here - step;
        const real down = of(scaled(at, taken, -1.0, ignored));
        at[i][j] = here;
        const real d = (up - down) / (2 * step);
        sum += d;
        moment += d * (real(i) - real(j));
      }
      CHECK(s[first + j] == Approx(static_cast<double>(sum)).margin(100 * digits));
      CHECK(m[first + j] == Approx(static_cast<double>(moment)).margin(100 * digits));
      // Where the scaling has converged, the fixed point's derivative is that of the steps to it.
      if (tolerance > 0.0 && tolerance < 1e-10 && sizeof(T) == 8) {
        CHECK(fs[first + j] == Approx(static_cast<double>(sum)).margin(1e-7));
        CHECK(fm[first + j] == Approx(static_cast<double>(moment)).margin(1e-7));
      }
    }
  }
  CHECK(kept.steps() == most_taken);
}

}  // namespace

TEMPLATE_TEST_CASE("sinkhorn_band: one list, as many steps as wanted, and the derivatives of the steps", "", float, double) {
  std::mt19937_64 random(1);
  for (const std::size_t n : {1u, 2u, 10u})
    for (const std::size_t steps : {0u, 1u, 3u}) check<TestType>({falling(random, n)}, true, steps, -1.0, random);
}

TEMPLATE_TEST_CASE("sinkhorn_band: lists in lanes stop each by itself", "", float, double) {
  std::mt19937_64 random(2);
  std::vector<std::vector<double>> lists;
  for (std::size_t l = 0; l < w; ++l) lists.push_back(falling(random, 1 + (l * 3) % 7));
  check<TestType>(lists, false, 3, -1.0, random);
  check<TestType>(lists, false, 100, 0.01, random);
  check<TestType>({falling(random, 11)}, true, 100, 0.01, random);
}

TEST_CASE("sinkhorn_band: the implicit derivative is that of the fixed point") {
  std::mt19937_64 random(3);
  check<double>({falling(random, 9)}, true, 300, 1e-13, random);
  check<double>({falling(random, 4), falling(random, 5)}, false, 300, 1e-13, random);
}

TEST_CASE("sinkhorn_band: the implicit derivative is the unrolled one of many steps, where these are slow and where items are islands") {
  using sinkhorn = sinkhorn_band<arch, double>;
  std::mt19937_64 random(4);
  std::vector<std::vector<double>> lists{
      falling(random, 30), {100.0, 99.7, 99.6, 0.0, -0.4, -200.0}, {1e300, 0.0, -1e300}, falling(random, 2), {3.0}};
  const std::vector<double> even = [] {
    std::vector<double> x(37);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = -0.05 * static_cast<double>(i);
    return x;
  }();
  const auto compare = [&](const std::vector<std::vector<double>>& of, bool one_list) {
    bands<double> in(of, one_list, 1.0);
    std::vector<double> values(in.slots, 0.0), cotangent(in.slots, 0.0);
    for (std::size_t l = 0; l < of.size(); ++l)
      for (std::size_t i = 0; i < of[l].size(); ++i) {
        const std::size_t at = (one_list ? 0 : l * in.band.rows()) + i;
        values[at] = static_cast<double>((7 * i + l) % 5);
        cotangent[at] = 1.0 / std::log2(2.0 + static_cast<double>(i));
      }
    const sinkhorn scaling(in.band, one_list, 3000, -1.0, true, in.scratch);
    const auto us = in.band.take(), um = in.band.take(), is = in.band.take(), im = in.band.take();
    scaling.pull(in.load(values), in.load(cotangent), us, um, sinkhorn::derivative::unrolled);
    scaling.pull(in.load(values), in.load(cotangent), is, im, sinkhorn::derivative::implicit);
    const auto s = in.store(us), m = in.store(um), fs = in.store(is), fm = in.store(im);
    for (std::size_t j = 0; j < s.size(); ++j) {
      INFO("slot " << j << " of " << s.size() << ", first item " << of[0][0]);
      CHECK(fs[j] == Approx(s[j]).margin(1e-9));
      CHECK(fm[j] == Approx(m[j]).margin(1e-8));
    }
  };
  compare(std::vector(lists.begin(), lists.begin() + static_cast<std::ptrdiff_t>(std::min(w, lists.size()))), false);
  for (const auto& x : lists) compare({x}, true);
  compare({even}, true);
}

TEST_CASE("sinkhorn_band: the implicit derivative comes near its limit as the scaling does, whatever the size of what is pulled") {
  using sinkhorn = sinkhorn_band<arch, double>;
  std::mt19937_64 random(5);
  std::vector<std::vector<double>> lists;
  for (std::size_t l = 0; l < w; ++l) lists.push_back(falling(random, 12 + 5 * l));
  const auto pulled = [&](std::size_t steps, double size, sinkhorn::derivative how) {
    bands<double> in(lists, false, 1.0);
    std::vector<double> values(in.slots, 0.0), cotangent(in.slots, 0.0);
    for (std::size_t l = 0; l < lists.size(); ++l)
      for (std::size_t i = 0; i < lists[l].size(); ++i) {
        values[l * in.band.rows() + i] = size * static_cast<double>((7 * i + l) % 5);
        cotangent[l * in.band.rows() + i] = 1.0 / std::log2(2.0 + static_cast<double>(i));
      }
    const sinkhorn scaling(in.band, false, steps, 1e-14, true, in.scratch);
    const auto sums = in.band.take(), moments = in.band.take();
    scaling.pull(in.load(values), in.load(cotangent), sums, moments, how);
    return in.store(moments);
  };
  const auto limit = pulled(20000, 1.0, sinkhorn::derivative::implicit);
  const auto error = [&](const std::vector<double>& found, double size) {
    double worst = 0.0;
    for (std::size_t i = 0; i < limit.size(); ++i) worst = std::max(worst, std::abs(found[i] / size - limit[i]));
    return worst;
  };
  CHECK(*std::max_element(limit.begin(), limit.end()) > 0.1);
  // Also far from the fixed point it is not worse than what it is the limit of.
  for (const std::size_t steps : {1u, 3u, 10u, 50u, 200u})
    CHECK(error(pulled(steps, 1.0, sinkhorn::derivative::implicit), 1.0) <=
          1.2 * error(pulled(steps, 1.0, sinkhorn::derivative::unrolled), 1.0) + 1e-9);
  // Squares of these are no numbers.
  for (const double size : {1e-200, 1e200}) CHECK(error(pulled(20000, size, sinkhorn::derivative::implicit), size) <= 1e-9);
}

}  // namespace detail_band_sinkhorn_band_test
