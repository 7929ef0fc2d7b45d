// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/decay_scan.hpp>

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace detail_sigmoid_decay_scan_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using list_type = rankloss::detail::stretched_list<arch>;
using reference::real;
constexpr std::size_t w = row::size;

/// sum_j a_j e^-|x_j - x_i| over the items that a scan has passed.
struct weighted {
  const double* a;

  template <class U>
  struct state {
    U sum = U(0.0), a = U(0.0);

    template <class Visit>
    void for_each(const Visit& visit) {
      visit(sum), visit(a);
    }
  };
  template <class U>
  state<U> advance(const state<U>& before, const U& decay, std::size_t at) const {
    return {decay * (before.sum + before.a), rankloss::detail::row_at<U>(a + at)};
  }
  static void join(state<double>& to, const state<double>& more) { to.sum += more.sum; }
};

struct sums {
  std::vector<double> above, below;
};

template <class T>
sums scanned(const std::vector<T>& x, double scale, const std::vector<double>& a, const list_type& list,
             std::size_t workers) {
  rankloss::context ctx{rankloss::threads(workers)};
  rankloss::workspace& scratch = ctx.scratch();
  const rankloss::workspace::scope scope(scratch);
  const rankloss::detail::decay_scan<arch> scan(std::span<const T>(x), scale, 1.0, scratch, list);
  const std::span<double> weights = list.take(scratch);
  sums found{std::vector<double>(x.size()), std::vector<double>(x.size())};
  std::vector<std::atomic<int>> prepared(list.pieces()), emitted(x.size());
  scan(
      weighted{weights.data()},
      [&](const list_type::piece& of) {
        list.fill(of, weights.data(), [&](std::size_t i) { return a[i]; });
        for (std::size_t p = 0; p < list.pieces(); ++p)
          if (list[p].begin == of.begin) ++prepared[p];
      },
      [](const auto& above) { return above.sum; },
      [&](const list_type::piece& of, std::size_t r, const auto& above, const auto& below) {
        list_type::for_items(of, r, above, [&](std::size_t i, double sum) { found.above[i] = sum; });
        list_type::for_items(of, r, below.sum, [&](std::size_t i, double sum) {
          found.below[i] = sum;
          ++emitted[i];
        });
      });
  CHECK(std::all_of(prepared.begin(), prepared.end(), [](int times) { return times == 1; }));
  CHECK(std::all_of(emitted.begin(), emitted.end(), [](int times) { return times == 1; }));
  return found;
}

}  // namespace

TEMPLATE_TEST_CASE("decay_scan: sums of all items above and below, in any pieces, on any number of threads",
                   "", float, double) {
  using T = TestType;
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (const double temperature : {1e-3, 0.1, 3.0, 1e4})
    for (const std::size_t n : {0u, 1u, 2u, 7u, 8u, 9u, 17u, 31u, 64u, 100u, 203u, 331u}) {
      std::vector<T> x(n);
      for (std::size_t i = 0; i < n; ++i)
        x[i] = static_cast<T>(i % 5 == 0 ? std::round(3 * normal(random)) : normal(random));
      if (n > 20) std::fill_n(x.begin(), n / 3, T(0.5));  // ties that are longer than stretches
      std::sort(x.rbegin(), x.rend());
      std::vector<double> a(n);
      for (double& number : a) number = std::abs(normal(random));
      std::vector<real> above(n, 0), below(n, 0);
      for (std::size_t i = 1; i < n; ++i) {
        const auto step = [&](std::size_t from, std::size_t to) {
          return std::exp(-std::abs(real(x[from]) - real(x[to])) / temperature);
        };
        const std::size_t j = n - 1 - i;
        above[i] = step(i - 1, i) * (above[i - 1] + real(a[i - 1]));
        below[j] = step(j + 1, j) * (below[j + 1] + real(a[j + 1]));
      }
      for (const std::size_t piece_items : {w, 2 * w, 5 * w, 100 * w})
        for (const std::size_t shortest : {0u, 50u}) {
          if (shortest > n && piece_items < n) continue;
          INFO(n << " items in pieces of " << piece_items << ", temperature " << temperature);
          const list_type list(n, piece_items, shortest);
          const sums found = scanned(x, 1 / temperature, a, list, 1);
          const sums shared = scanned(x, 1 / temperature, a, list, 3);
          CHECK(found.above == shared.above);
          CHECK(found.below == shared.below);
          for (std::size_t i = 0; i < n; ++i) {
            CHECK(found.above[i] == Approx(static_cast<double>(above[i])).epsilon(1e-13).margin(1e-300));
            CHECK(found.below[i] == Approx(static_cast<double>(below[i])).epsilon(1e-13).margin(1e-300));
          }
        }
    }
}

}  // namespace detail_sigmoid_decay_scan_test
