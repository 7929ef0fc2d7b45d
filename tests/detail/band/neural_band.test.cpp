// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/band/neural_band.hpp>

#include "support/lay_lists.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_band_neural_band_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::workspace;
using rankloss::detail::lane_count;
using rankloss::detail::lanes;
using rankloss::detail::neural_band;
constexpr std::size_t w = lane_count<arch>;

/// How far from the diagonal the walks of all rows and columns go.
template <class T>
std::size_t furthest(const neural_band<arch, T>& band) {
  std::ptrdiff_t most = 0;
  const auto note = [&](std::ptrdiff_t m, const lanes<arch>&, std::size_t) {
    most = std::max(most, m < 0 ? -m : m);
  };
  for (std::size_t i = 0; i < band.rows(); ++i) {
    band.walk_rows(i, note);
    band.walk_columns(i, note);
  }
  return static_cast<std::size_t>(most);
}

template <class T>
std::vector<T> falling(std::size_t n) {
  std::vector<T> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<T>(n - i);
  return x;
}

/// A list of scores, falling, some of them equal; all multiples of 1/16, so that their gaps are exact.
std::vector<double> random_list(std::mt19937_64& random, std::size_t n) {
  std::vector<double> x(n);
  for (double& s : x) s = static_cast<double>(random() % 160) / 16 - 3;
  std::sort(x.rbegin(), x.rend());
  return x;
}

std::vector<double> random_values(std::mt19937_64& random, std::size_t n) {
  std::vector<double> values(n);
  for (double& v : values) v = static_cast<double>(random() % 2001) / 1000 - 1;
  return values;
}

using matrix = std::vector<std::vector<long double>>;

/// The logits of NeuralSort by their formula, any scores.
matrix logits(const std::vector<long double>& x, double t) {
  const std::size_t n = x.size();
  matrix out(n, std::vector<long double>(n));
  for (std::size_t j = 0; j < n; ++j) {
    long double distance = 0;
    for (const long double s : x) distance += std::abs(x[j] - s);
    for (std::size_t i = 0; i < n; ++i)
      out[i][j] = ((static_cast<long double>(n) - 1 - 2 * static_cast<long double>(i)) * x[j] - distance) /
                  static_cast<long double>(t);
  }
  return out;
}

/// Their softmax by rows.
matrix permutation(const std::vector<long double>& x, double t) {
  matrix p = logits(x, t);
  for (auto& row : p) {
    const long double peak = *std::max_element(row.begin(), row.end());
    long double sum = 0;
    for (long double& e : row) sum += e = std::exp(e - peak);
    for (long double& e : row) e /= sum;
  }
  return p;
}

/// What a band of one list, or of one lane, is to compute.
struct dense {
  std::vector<double> product, transposed, inverse_sums, sums, moments, gradient;

  dense(const std::vector<double>& x, double t, const std::vector<double>& values,
        const std::vector<double>& cotangent) {
    const std::size_t n = x.size();
    const std::vector<long double> wide(x.begin(), x.end());
    const matrix p = permutation(wide, t);
    for (std::size_t i = 0; i < n; ++i) {
      long double row = 0, column = 0;
      for (std::size_t j = 0; j < n; ++j) row += p[i][j] * values[j];
      for (std::size_t j = 0; j < n; ++j) column += p[j][i] * values[j];
      product.push_back(static_cast<double>(row));
      transposed.push_back(static_cast<double>(column));
      inverse_sums.push_back(static_cast<double>(p[i][i]));  // exp(L_ii - L_ii) = 1 over the row's sum
    }
    for (std::size_t j = 0; j < n; ++j) {
      long double sum = 0, moment = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const long double d = p[i][j] * cotangent[i] * (values[j] - product[i]);
        sum += d;
        moment += d * (static_cast<long double>(i) - static_cast<long double>(j));
      }
      sums.push_back(static_cast<double>(sum));
      moments.push_back(static_cast<double>(moment));
    }
    // Differences on both sides: where scores are equal they take |x_j - x_k| for flat, as the gradient does.
    const auto value = [&](const std::vector<long double>& at) {
      const matrix q = permutation(at, t);
      long double f = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) f += cotangent[i] * q[i][j] * values[j];
      return f;
    };
    for (std::size_t j = 0; j < n; ++j) {
      constexpr long double h = 1e-7L;
      std::vector<long double> at = wide;
      at[j] = wide[j] + h;
      const long double above = value(at);
      at[j] = wide[j] - h;
      gradient.push_back(static_cast<double>((above - value(at)) / (2 * h)));
    }
  }
};

void check_close(const std::vector<double>& found, const std::vector<double>& expected, double error) {
  REQUIRE(found.size() == expected.size());
  double largest = 1.0;  // values and cotangents are up to 1
  for (const double e : expected) largest = std::max(largest, std::abs(e));
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(found[i] == Approx(expected[i]).margin(error * largest).epsilon(0));
}

/// Lists of at most this size, one a lane.
struct lanes_of_lists {
  std::vector<std::vector<double>> lists;
  workspace scratch;
  rankloss::detail::plain_rows<arch> rows;

  lanes_of_lists(std::mt19937_64& random, std::size_t longest) {
    for (std::size_t l = 0; l < w; ++l)
      lists.push_back(random_list(random, l == 1 ? longest : random() % (longest + 1)));
    rows = support::lay_lists<arch>(lists, scratch);
  }
  /// A list's part of slots, [lane][row].
  [[nodiscard]] std::vector<double> part(const std::vector<double>& slots, std::size_t l) const {
    const auto begin = slots.begin() + static_cast<std::ptrdiff_t>(l * rows.rows.rows);
    return {begin, begin + static_cast<std::ptrdiff_t>(lists[l].size())};
  }
};

/// All that a band computes, from slots to slots.
template <class T>
struct computed {
  std::vector<double> product, transposed, inverse_sums, sums, moments;

  computed(neural_band<arch, T>& band, const std::vector<double>& values,
           const std::vector<double>& cotangent) {
    const auto taken = [&](std::span<const double> from) {
      std::vector<double> slots(values.size(), 99.0);
      band.store(from, slots);
      return slots;
    };
    const std::span<double> v = band.take(), g = band.take(), p = band.take(), q = band.take(),
                            s = band.take(), m = band.take();
    band.load(values, v);
    band.load(cotangent, g);
    CHECK(taken(v) == values);
    band.apply(v, p);
    product = taken(p);
    inverse_sums = taken(band.inverse_sums());
    band.apply_transposed(v, q);
    transposed = taken(q);
    band.spread(p);
    band.pull(v, p, g, s, m);
    sums = taken(s);
    moments = taken(m);
  }
};

/// The entries are dropped below 2^-24 (float) of the peak, and their polynomial has an error of this order.
template <class T>
constexpr double entry_error = sizeof(T) == 4 ? 1e-6 : 1e-13;

}  // namespace

TEMPLATE_TEST_CASE("neural_band: no walk goes beyond the width that arrays are made for", "", float, double) {
  using T = TestType;
  // Gaps of 1 at temperatures around m^2 / reach: the edge falls on an entry but for a rounding, and columns
  // add their gaps up in another order.
  for (const std::size_t n : {16, 24, 200})
    for (const int m : {3, 4, 5, 7, 9, 14, 31})
      for (int ulp = -6; ulp <= 6; ++ulp) {
        double t = m * m / neural_band<arch, T>::reach;
        for (int k = 0; k < std::abs(ulp); ++k) t = std::nextafter(t, ulp < 0 ? 0.0 : 1e9);
        INFO("n " << n << ", m " << m << ", ulp " << ulp);
        workspace scratch;
        const std::vector<T> x = falling<T>(n);
        const neural_band<arch, T> alone(std::span<const T>(x), t, scratch);
        REQUIRE(furthest(alone) <= alone.width());

        std::vector<std::vector<double>> lists(w);
        lists[0].assign(x.begin(), x.end());
        const neural_band<arch, T> one_lane(support::lay_lists<arch>(lists, scratch), t, scratch);
        REQUIRE(furthest(one_lane) <= one_lane.width());
      }
}

TEST_CASE("neural_band: rows and columns are those of the logits") {
  const std::vector<double> x{3, 2.5, 2.5, 1, 0.2, -1, -1.5, -4, -4.1};
  const std::size_t n = x.size();
  const double t = 2.0;
  const auto logit = [&](std::size_t i, std::size_t j) {
    double distance = 0;
    for (const double s : x) distance += std::abs(x[j] - s);
    return ((static_cast<double>(n) - 1 - 2 * static_cast<double>(i)) * x[j] - distance) / t;
  };
  workspace scratch;
  const neural_band<arch, double> band(std::span<const double>(x), t, scratch);
  const auto check = [&](std::size_t row, bool by_rows) {
    const auto body = [&](std::ptrdiff_t m, const lanes<arch>& e, std::size_t) {
      alignas(64) double entries[w];
      e.store_aligned(entries);
      for (std::size_t l = 0; l < w; ++l) {
        const std::size_t here = l * band.rows() + row, there = here + static_cast<std::size_t>(m);
        if (here >= n || there >= n) continue;
        const std::size_t i = by_rows ? here : there, j = by_rows ? there : here;
        CHECK(entries[l] == Approx(std::exp(logit(i, j) - logit(i, i))).epsilon(1e-12).margin(1e-16));
      }
    };
    if (by_rows)
      band.walk_rows(row, body);
    else
      band.walk_columns(row, body);
  };
  for (std::size_t row = 0; row < band.rows(); ++row) {
    check(row, true);
    check(row, false);
  }
}

TEMPLATE_TEST_CASE("neural_band: products and the pullback of one list are those of the whole matrix", "",
                   float, double) {
  using T = TestType;
  std::mt19937_64 random(1);
  for (const std::size_t n : {std::size_t{1}, std::size_t{2}, w - 1, w, w + 1, 2 * w + 3, std::size_t{41}})
    for (const double t : {0.3, 2.0, 60.0, 5000.0}) {
      INFO("n " << n << ", temperature " << t);
      const std::vector<double> x = random_list(random, n), values = random_values(random, n),
                                cotangent = random_values(random, n);
      const dense expected(x, t, values, cotangent);
      const std::vector<T> scores(x.begin(), x.end());
      workspace scratch;
      neural_band<arch, T> band(std::span<const T>(scores), t, scratch);
      computed<T> found(band, values, cotangent);
      const double error = entry_error<T>;
      check_close(found.product, expected.product, error);
      check_close(found.transposed, expected.transposed, error);
      check_close(found.inverse_sums, expected.inverse_sums, error);
      check_close(found.sums, expected.sums, error);
      check_close(found.moments, expected.moments, error);
      rankloss::detail::neural_gradient([&](std::size_t i) { return x[i]; }, n, t, found.sums.data(),
                                        found.moments.data());
      check_close(found.moments, expected.gradient, sizeof(T) == 4 ? 1e-5 : 1e-6);
    }
}

TEMPLATE_TEST_CASE("neural_band: a lane computes what its list alone does", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(2);
  for (const std::size_t longest : {1u, 2u, 5u, 23u})
    for (const double t : {0.3, 2.0, 60.0, 5000.0}) {
      INFO("rows " << longest << ", temperature " << t);
      const lanes_of_lists in(random, longest);
      const std::vector<double> values = random_values(random, longest * w),
                                cotangent = random_values(random, longest * w);
      workspace scratch;
      neural_band<arch, T> band(in.rows, t, scratch);
      CHECK(band.rows() == longest);
      const computed<T> found(band, values, cotangent);
      for (std::size_t l = 0; l < w; ++l) {
        const dense expected(in.lists[l], t, in.part(values, l), in.part(cotangent, l));
        check_close(in.part(found.product, l), expected.product, entry_error<T>);
        check_close(in.part(found.transposed, l), expected.transposed, entry_error<T>);
        check_close(in.part(found.inverse_sums, l), expected.inverse_sums, entry_error<T>);
        check_close(in.part(found.sums, l), expected.sums, entry_error<T>);
        check_close(in.part(found.moments, l), expected.moments, entry_error<T>);
      }
    }
}

TEST_CASE("neural_band: the halo holds what neighbouring stretches hold, and gather is its transpose") {
  std::mt19937_64 random(3);
  for (const std::size_t n : {std::size_t{1}, w - 1, w, 3 * w, 3 * w + 1, std::size_t{41}})
    for (const double t : {0.3, 60.0, 5000.0}) {
      INFO("n " << n << ", temperature " << t);
      const std::vector<double> x = random_list(random, n);
      workspace scratch;
      const neural_band<arch, double> band(std::span<const double>(x), t, scratch);
      const auto rows = static_cast<std::ptrdiff_t>(band.rows()),
                 halo = static_cast<std::ptrdiff_t>(band.width()) + 1;
      const std::span<double> columns = band.take();
      REQUIRE(columns.size() == static_cast<std::size_t>(rows + 2 * halo) * w);
      CHECK(band.index(std::size_t{0}) == static_cast<std::size_t>(halo) * w);
      std::vector<double> slots(n);
      for (std::size_t i = 0; i < n; ++i) slots[i] = static_cast<double>(i + 1);
      std::fill(columns.begin(), columns.end(), 77.0);
      band.load(slots, columns);
      const auto item = [&](std::ptrdiff_t i, std::size_t l) {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(l) * rows + i;
        return at >= 0 && at < static_cast<std::ptrdiff_t>(n) ? at : -1;
      };
      std::vector<double> folded(n, 0.0);
      const std::span<double> added = band.take();
      for (std::ptrdiff_t i = -halo; i < rows + halo; ++i)
        for (std::size_t l = 0; l < w; ++l) {
          REQUIRE(columns[band.index(i) + l] == static_cast<double>(item(i, l) + 1));
          added[band.index(i) + l] = static_cast<double>(random() % 1000);
          if (item(i, l) >= 0) folded[static_cast<std::size_t>(item(i, l))] += added[band.index(i) + l];
        }
      band.gather(added);
      std::vector<double> found(n);
      band.store(added, found);
      CHECK(found == folded);
    }
  // Lists in lanes have zeros around them, which stand for nothing.
  const lanes_of_lists in(random, 9);
  workspace scratch;
  const neural_band<arch, double> band(in.rows, 3.0, scratch);
  const std::span<double> columns = band.take();
  std::fill(columns.begin(), columns.end(), 5.0);
  band.spread(columns);
  const std::size_t halo = (band.width() + 1) * w;
  for (std::size_t at = 0; at < columns.size(); ++at)
    REQUIRE(columns[at] == (at < halo || at >= halo + 9 * w ? 0.0 : 5.0));
  std::fill(columns.begin(), columns.end(), 5.0);
  band.gather(columns);
  CHECK(std::all_of(columns.begin(), columns.end(), [](double c) { return c == 5.0; }));
}

TEMPLATE_TEST_CASE("neural_band: arrays are as wide as the walks of any list need, and not much wider", "",
                   float, double) {
  using T = TestType;
  constexpr double reach = neural_band<arch, T>::reach;
  std::mt19937_64 random(4);
  for (int round = 0; round < 400; ++round) {
    const std::size_t n = 2 + random() % 12;
    std::vector<T> x(n);
    for (T& s : x) s = static_cast<T>(static_cast<double>(random() >> 11) * 0x1p-53);
    std::sort(x.rbegin(), x.rend());
    // The temperature that puts the first row's last entry, or another corner's, on the edge but for a
    // rounding.
    const std::size_t from = random() % 2 == 0 ? 0 : random() % n,
                      to = random() % 2 == 0 ? n - 1 : random() % n;
    const auto distance = [&](std::size_t i, std::size_t j) {
      double sum = 0.0;
      for (std::size_t k = std::min(i, j); k < std::max(i, j); ++k)
        sum += (2.0 * static_cast<double>(i < j ? k - i : i - 1 - k) + 1.0) *
               (static_cast<double>(x[k]) - static_cast<double>(x[k + 1]));
      return sum;
    };
    if (!(distance(from, to) > 0.0)) continue;
    for (int ulp = -4; ulp <= 4; ++ulp) {
      double t = distance(from, to) / reach;
      for (int k = 0; k < std::abs(ulp); ++k) t = std::nextafter(t, ulp < 0 ? 0.0 : 1e9);
      INFO("round " << round << ", n " << n << ", from " << from << " to " << to << ", ulp " << ulp);
      // Further than that no entry is within the reach, whatever the rounding.
      std::size_t widest = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
          if (distance(i, j) <= reach * t * (1 + 1e-12)) widest = std::max(widest, i < j ? j - i : i - j);
      workspace scratch;
      const neural_band<arch, T> alone(std::span<const T>(x), t, scratch);
      REQUIRE(furthest(alone) <= alone.width());
      REQUIRE(alone.width() <= widest);
      std::vector<std::vector<double>> lists(w);
      lists[static_cast<std::size_t>(round) % w].assign(x.begin(), x.end());
      const neural_band<arch, T> one_lane(support::lay_lists<arch>(lists, scratch), t, scratch);
      REQUIRE(furthest(one_lane) <= one_lane.width());
      REQUIRE(one_lane.width() <= widest);
    }
  }
}

}  // namespace detail_band_neural_band_test
