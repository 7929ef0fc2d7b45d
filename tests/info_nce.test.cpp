// SPDX-License-Identifier: BSL-1.0
#include <rankloss/info_nce.hpp>

#include "support/one_list.hpp"
#include "support/peer_embeddings.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <rankloss/weighted_sum.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace info_nce_test {

using rankloss::directions;
using rankloss::evaluate;
using rankloss::info_nce;
using rankloss::list_batch;
using rankloss::positive_share;
using rankloss::similarity_batch;
using reference::real;
using support::of;

namespace {

using reals = std::vector<double>;

constexpr positive_share shares[]{positive_share::outside, positive_share::inside, positive_share::separate};

/// Value, and the gradient in `g`.
double slopes(const info_nce& loss, const reals& s, const reals& y, reals& g, const reals& weights = {}) {
  g.assign(s.size(), 7.0);
  return evaluate(loss, list_batch<double>{.scores = s, .relevance = y, .item_weights = weights},
                  {.gradient = g});
}

template <class S>
reference::derivatives plain(const info_nce& loss, const std::vector<S>& s, const std::vector<S>& y,
                             const reals& weights = {}) {
  return reference::info_nce(reference::widen(s), reference::widen(y), loss.temperature,
                             static_cast<int>(loss.positives), loss.label_smoothing, loss.positive_prior,
                             reference::widen(weights));
}

/// All forms of a temperature.
std::vector<info_nce> forms(double temperature) {
  using enum positive_share;
  return {{.temperature = temperature},
          {.temperature = temperature, .positives = inside},
          {.temperature = temperature, .positives = separate},
          {.temperature = temperature, .label_smoothing = 0.1},
          {.temperature = temperature, .label_smoothing = 1.0},
          {.temperature = temperature, .positives = separate, .positive_prior = 0.1},
          {.temperature = temperature, .positives = separate, .positive_prior = 0.9}};
}

}  // namespace

TEST_CASE("info_nce: values by hand") {
  // e = 4, 2, 1, 1 where the temperature is 1 / log 2.
  const double t = 1 / std::log(2.0);
  const reals s{2, 1, 0, 0}, one{0, 1, 0, 0}, two{1, 1, 0, 0};
  reals g;
  for (const auto form : shares) {
    CHECK(slopes({.temperature = t, .positives = form}, s, one, g) == Approx(std::log(4.0)).epsilon(1e-14));
    CHECK(g[0] == Approx(0.5 / t).epsilon(1e-14));
    CHECK(g[1] == Approx(-0.75 / t).epsilon(1e-14));
    CHECK(g[2] == Approx(0.125 / t).epsilon(1e-14));
    CHECK(g[3] == g[2]);
  }
  CHECK(slopes({.temperature = t}, s, two, g) ==
        Approx(0.5 * (std::log(2.0) + std::log(4.0))).epsilon(1e-14));
  CHECK(g[0] == Approx(0.0).margin(1e-15));
  CHECK(g[1] == Approx(-0.25 / t).epsilon(1e-14));
  CHECK(g[2] == Approx(0.125 / t).epsilon(1e-14));
  CHECK(slopes({.temperature = t, .positives = positive_share::inside}, s, two, g) ==
        Approx(std::log(8.0 / 3.0)).epsilon(1e-14));
  CHECK(g[0] == Approx((0.5 - 2.0 / 3.0) / t).epsilon(1e-14));
  CHECK(g[1] == Approx((0.25 - 1.0 / 3.0) / t).epsilon(1e-14));
  CHECK(slopes({.temperature = t, .positives = positive_share::separate}, s, two, g) ==
        Approx(0.5 * (std::log(1.5) + std::log(2.0))).epsilon(1e-14));
  CHECK(g[0] == Approx(-0.5 / 3.0 / t).epsilon(1e-14));
  CHECK(g[1] == Approx(-0.25 / t).epsilon(1e-14));
  CHECK(g[2] == Approx(0.5 * (0.5 / 3.0 + 0.25) / t).epsilon(1e-14));
  // A tenth of the target is shared by the four.
  CHECK(slopes({.temperature = t, .label_smoothing = 0.1}, s, one, g) ==
        Approx(0.925 * std::log(4.0) + 0.025 * (std::log(2.0) + 2 * std::log(8.0))).epsilon(1e-14));
  CHECK(g[1] == Approx((0.25 - 0.925) / t).epsilon(1e-14));
}

TEST_CASE("info_nce: the debiased loss, by hand") {
  // Cosines 1, 0.5, -1 at temperature 1 and prior q: N = (sum of negatives - 2 q e) / (1 - q), or 2 / e.
  const reals s{1, 0.5, -1}, y{1, 0, 0};
  const double e = std::exp(1.0), negatives = std::exp(0.5) + std::exp(-1.0);
  reals g;
  const auto loss = [](double q) {
    return info_nce{.temperature = 1, .positives = positive_share::separate, .positive_prior = q};
  };
  CHECK(slopes(loss(0.1), s, y, g) == Approx(std::log1p((negatives - 0.2 * e) / 0.9 / e)).epsilon(1e-14));
  CHECK(slopes(loss(0.5), s, y, g) == Approx(std::log1p(2 / e / e)).epsilon(1e-14));
  CHECK(g[0] == Approx(-1 / (1 + e * e / 2)).epsilon(1e-14));
  CHECK(g[1] == 0.0);
  CHECK(g[2] == 0.0);
}

TEMPLATE_TEST_CASE("info_nce: value and gradient are those of the plain sums", "", float, double) {
  for (const double t : {0.001, 0.07, 1.0, 50.0})
    for (const info_nce& loss : forms(t)) {
      INFO("temperature " << t << ", positives " << static_cast<int>(loss.positives) << ", smoothing "
                          << loss.label_smoothing << ", prior " << loss.positive_prior);
      support::queries_agree<TestType>(loss, [&](const auto& s, const auto& y) { return plain(loss, s, y); },
                                       {.digits = 4 + 0.02 / t + (loss.positive_prior > 0 ? 2000.0 : 0.0)});
    }
}

TEST_CASE("info_nce: weights of items, and items of weight 0, are those of the plain sums") {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> cosine(-1.0, 1.0);
  for (const info_nce& loss : forms(0.2))
    for (const std::size_t n : {1u, 2u, 7u, 8u, 40u}) {
      reals s, y, w;
      for (std::size_t i = 0; i < n; ++i) {
        s.push_back(cosine(random));
        y.push_back(random() % 3 == 0 ? 1.0 : 0.0);
        w.push_back(random() % 4 == 0 ? 0.0 : std::exp(3 * cosine(random)));
      }
      const reference::derivatives expected = plain(loss, s, y, w);
      reals g;
      INFO(n << " items, positives " << static_cast<int>(loss.positives));
      CHECK(slopes(loss, s, y, g, w) ==
            Approx(static_cast<double>(expected.value)).epsilon(1e-11).margin(1e-13));
      for (std::size_t i = 0; i < n; ++i)
        CHECK(g[i] == Approx(static_cast<double>(expected.gradient[i])).epsilon(1e-10).margin(1e-11));
      // Weights of 1 are none.
      reals h;
      CHECK(slopes(loss, s, y, g, reals(n, 1.0)) == slopes(loss, s, y, h));
      CHECK(g == h);
      // All of weight 0: none is there.
      CHECK(slopes(loss, s, y, g, reals(n, 0.0)) == 0.0);
      CHECK(g == reals(n, 0.0));
    }
}

TEST_CASE("info_nce: a factor on all weights is nothing") {
  const reals s{0.5, 0.25, -0.1, 0.9}, y{1, 0, 1, 0}, w{2.0, 3.0, 0.5, 1.0};
  for (const info_nce& loss : forms(0.1)) {
    if (loss.positive_prior > 0.0) continue;  // the least N has no weights
    reals g, h, scaled;
    const double value = slopes(loss, s, y, g, w);
    for (const int power : {1020, 300, -300, -1060}) {
      scaled.clear();
      for (const double x : w) scaled.push_back(std::ldexp(x, power));
      CHECK(slopes(loss, s, y, h, scaled) == Approx(value).epsilon(1e-14));
      for (std::size_t i = 0; i < 4; ++i) CHECK(h[i] == Approx(g[i]).epsilon(1e-13));
    }
  }
}

TEST_CASE("info_nce: weights at the ends of their range") {
  const reals s{0.5, 0.25}, y{1, 0}, w{1e-300, 1e300};
  for (const auto form : shares) {
    reals g;
    const double log_odds = 2 * 300 * std::log(10.0) - 0.25 / 0.1;
    CHECK(slopes({.temperature = 0.1, .positives = form}, s, y, g, w) == Approx(log_odds).epsilon(1e-14));
    CHECK(g[0] == Approx(-10.0).epsilon(1e-14));
    CHECK(g[1] == Approx(10.0).epsilon(1e-14));
    // The item of the greater score counts for nothing beside one of so much more weight.
    const reals far{0.9, 0.0, 0.0}, hardly{1e-300, 1e300, 1.0};
    CHECK(slopes({.temperature = 0.001, .positives = form}, far, {0, 1, 0}, g, hardly) ==
          Approx(std::exp(900 - 2 * 300 * std::log(10.0))).epsilon(1e-10).margin(0));
  }
}

TEST_CASE("info_nce: slopes by scores and by the temperature are those of the value") {
  const support::classed_matrix m(7, 11, 3);
  for (const double t : {0.07, 0.4, 3.0})
    for (info_nce loss : forms(t))
      for (const auto over : {directions::rows, directions::columns, directions::both})
        for (const auto how : {rankloss::reduction::mean, rankloss::reduction::sum}) {
          loss.over = over;
          INFO("temperature " << t << ", positives " << static_cast<int>(loss.positives) << ", smoothing "
                              << loss.label_smoothing << ", prior " << loss.positive_prior);
          const auto batch = m.batch(how);
          double slope = 7.0, same = 7.0;
          reals g(m.s.size()), alone(m.s.size());
          const double value = evaluate(loss, batch, {.gradient = g, .temperature_gradient = &slope});
          const auto at = [&](double x) {
            info_nce changed = loss;
            changed.temperature += x * t;
            return changed;
          };
          support::check_option_slope(at, batch, slope * t);
          CHECK(evaluate(loss, batch, {.temperature_gradient = &same}) == value);
          CHECK(same == slope);
          CHECK(evaluate(loss, batch, {.gradient = alone}) == value);
          CHECK(alone == g);
          for (const std::size_t k : {0u, 13u, 40u, 76u}) {
            reals above = m.s, below = m.s;
            const double h = 0x1p-20;
            above[k] += h;
            below[k] -= h;
            auto moved = batch;
            moved.similarity = above;
            const double more = evaluate(loss, moved);
            moved.similarity = below;
            CHECK(g[k] == Approx((more - evaluate(loss, moved)) / (2 * h)).epsilon(1e-6).margin(1e-7));
          }
        }
}

TEST_CASE("info_nce: a matrix is its rows, its columns, or both") {
  for (const info_nce& loss : forms(0.3)) support::matrix_is_its_lists(loss);
}

TEST_CASE("info_nce: CLIP's loss of a matrix whose diagonal matches") {
  const std::size_t n = 6;
  const support::classed_matrix m(n, n, 1);
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    double row = 0.0, column = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      row += std::exp(m.s[i * n + j] / 0.07);
      column += std::exp(m.s[j * n + i] / 0.07);
    }
    sum += std::log(row) + std::log(column) - 2 * m.s[i * n + i] / 0.07;
  }
  const similarity_batch<double> batch{.similarity = m.s, .rows = n, .columns = n};
  CHECK(evaluate(info_nce{}, batch) == Approx(sum / 2 / n).epsilon(1e-13));
  for (const auto form : shares)
    CHECK(evaluate(info_nce{.positives = form}, batch) == Approx(sum / 2 / n).epsilon(1e-13));
}

TEST_CASE("info_nce: extra columns, a mask and accidental hits are other lists") {
  // Three queries and five items, of which the last two are hard negatives.
  const support::classed_matrix m(3, 5, 1);
  const info_nce loss{.temperature = 0.2, .over = directions::rows};
  std::vector<unsigned char> kept(15, 1);
  const auto expected = [&] {
    double sum = 0.0;
    for (std::size_t i = 0; i < 3; ++i) {
      double z = 0.0;
      for (std::size_t j = 0; j < 5; ++j)
        if (kept[i * 5 + j] != 0) z += std::exp(m.s[i * 5 + j] / 0.2);
      sum += std::log(z) - m.s[i * 5 + i] / 0.2;
    }
    return sum / 3;
  };
  similarity_batch<double> batch{.similarity = m.s, .rows = 3, .columns = 5, .extra_columns = true};
  reals g(15);
  CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected()).epsilon(1e-13));
  CHECK(g[4] > 0.0);
  kept[1] = kept[8] = 0;
  batch.mask = kept;
  CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected()).epsilon(1e-13));
  CHECK(g[1] == 0.0);
  CHECK(g[8] == 0.0);
  // Column 4 holds the item of row 2 once more, and column 1 that of row 0.
  batch.mask = std::vector<unsigned char>{};
  const std::vector<int> row_ids{7, 7, 9}, column_ids{7, 7, 9, 3, 9};
  batch.row_ids = row_ids;
  batch.column_ids = column_ids;
  kept = {1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0};
  CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected()).epsilon(1e-13));
  for (std::size_t k = 0; k < 15; ++k) CHECK((g[k] == 0.0) == (kept[k] == 0));
}

TEST_CASE("info_nce: probabilities of being sampled correct the softmax") {
  const support::classed_matrix m(4, 6, 2);
  const reals row_p{0.5, 1e-3, 0.25, 1.0}, column_p{0.1, 1.0, 1e-6, 0.3, 0.02, 1e-3};
  for (const auto form : shares)
    for (const bool columns : {false, true}) {
      const info_nce loss{
          .temperature = 0.3, .positives = form, .over = columns ? directions::columns : directions::rows};
      auto batch = m.batch();
      batch.row_probabilities = row_p;
      batch.column_probabilities = column_p;
      double sum = 0.0;
      const std::size_t lists = columns ? 6 : 4, n = columns ? 4 : 6;
      for (std::size_t l = 0; l < lists; ++l) {
        reals s, y, w;
        for (std::size_t k = 0; k < n; ++k) {
          const std::size_t i = columns ? k : l, j = columns ? l : k;
          s.push_back(m.s[i * 6 + j]);
          y.push_back(m.row_classes[i] == m.column_classes[j] ? 1.0 : 0.0);
          w.push_back(1 / (columns ? row_p[i] : column_p[j]));
        }
        sum += static_cast<double>(plain(loss, s, y, w).value);
      }
      CHECK(evaluate(loss, batch) == Approx(sum / static_cast<double>(lists)).epsilon(1e-12));
    }
}

TEST_CASE("info_nce: pytorch-metric-learning's NTXentLoss and SupConLoss") {
  const auto cosines = peers::embedding_cosines();
  const reals positives{2, 2, 2, 2, 2, 2};
  const peers::of_embeddings nt_xent{
      7.19196177, {2.52522612,  -1.65919721,  -0.80410111,  0.138223469,  1.35805762,  1.12816381,
                   -0.3066248,  1.42257953,   0.436277568,  -0.61726439,  -4.23556423, 0.672405243,
                   -1.14116883, -0.894748271, 4.13253355,   -1.45694101,  -1.1502918,  1.26641965,
                   1.44929862,  -3.0225687,   -0.823065758, -0.657869101, 0.120919734, -2.02511954}};
  const peers::of_embeddings sup_con{
      5.37583685, {1.34804428,    -1.08994365,  -0.460051805, -0.150632173, 0.808901727,  0.443553448,
                   -0.0103846788, 0.946199656,  0.29675585,   -0.309983373, -2.28454781,  0.457730949,
                   -0.690019011,  -0.262804717, 2.37241316,   -1.03368700,  -0.688049495, 0.780256093,
                   0.606458187,   -1.88489699,  -0.565579295, -0.585347176, 0.147848576,  -1.27466214}};
  const auto check = [&](const info_nce& loss, const peers::of_embeddings& expected) {
    auto batch = peers::embedding_batch(cosines);
    batch.row_weights = positives;
    reals g(cosines.size());
    CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected.value).epsilon(1e-6));
    peers::check_by_embeddings(g, expected);
  };
  check({.positives = positive_share::separate, .over = directions::rows}, nt_xent);
  check({.temperature = 0.1, .over = directions::rows}, sup_con);
}

TEST_CASE("info_nce: all equal, one item, no positive, positives only, duplicates") {
  const reals level(6, 0.25);
  reals g;
  for (const info_nce& loss : forms(0.5)) {
    INFO("positives " << static_cast<int>(loss.positives) << ", smoothing " << loss.label_smoothing);
    CHECK(slopes(loss, level, reals(6, 0.0), g) == 0.0);
    CHECK(g == reals(6, 0.0));
    const bool separate = loss.positives == positive_share::separate;
    CHECK(slopes(loss, level, reals(6, 1.0), g) == Approx(separate ? 0.0 : std::log(6.0)).margin(1e-15));
    for (const double x : g) CHECK(x == Approx(0.0).margin(1e-15));
    for (const double y : {0.0, 1.0, 3.0, -2.0}) {
      CHECK(slopes(loss, {0.3}, {y}, g) == 0.0);
      CHECK(g[0] == 0.0);
    }
    CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
    const reals one{0.7};
    CHECK(evaluate(loss, similarity_batch<double>{.similarity = one, .rows = 1, .columns = 1}) == 0.0);
  }
  CHECK(of(info_nce{}, level, reals{1, 0, 0, 0, 0, -2}) == Approx(std::log(6.0)).epsilon(1e-14));
  CHECK(of(info_nce{}, level, std::vector<std::int64_t>{0, 4, 0, 0, 0, 0}) ==
        Approx(std::log(6.0)).epsilon(1e-14));
  CHECK(of(info_nce{.positives = positive_share::separate}, level, reals{1, 1, 0, 0, 0, 0}) ==
        Approx(std::log(5.0)).epsilon(1e-14));
  // An item that is there twice, as positive and as negative, costs log 2 at least.
  CHECK(of(info_nce{.temperature = 0.01}, reals{1.0, 1.0, -1.0}, reals{1, 0, 0}) ==
        Approx(std::log(2.0)).epsilon(1e-14));
  CHECK(of(info_nce{.temperature = 0.001}, reals{0.9, 1.0, -1.0}, reals{1, 0, 0}) ==
        Approx(100.0).epsilon(1e-13));
}

TEST_CASE("info_nce: what is nearly right keeps its digits") {
  for (const auto form : {positive_share::inside, positive_share::separate})
    CHECK(of(info_nce{.temperature = 0.01, .positives = form}, reals{1.0, 0.0, 0.0}, reals{1, 0, 0}) ==
          Approx(2 * std::exp(-100.0)).epsilon(1e-12).margin(0));
  CHECK(of(info_nce{.temperature = 0.01}, reals{1.0, 0.5, 0.0}, reals{1, 0, 0}) ==
        Approx(std::exp(-50.0)).epsilon(1e-12).margin(0));
  CHECK(of(info_nce{.temperature = 0.01, .positives = positive_share::separate}, reals{1.0, 0.9, 0.0},
           reals{1, 1, 0}) == Approx(0.5 * (std::exp(-100.0) + std::exp(-90.0))).epsilon(1e-12).margin(0));
}

TEST_CASE("info_nce: a positive far above all others leaves them their digits") {
  const reals s{0.3, 0.1, -0.2, 0.25}, y{1, 1, 0, 0};
  for (const double far : {1e10, 1e30, 1e300})
    for (const double t : {0.07, 1.0, 30.0}) {
      INFO("outlier " << far << ", temperature " << t);
      const reals with{0.3, 0.1, far, -0.2, 0.25}, positives{1, 1, 1, 0, 0};
      const auto check = [&](const info_nce& loss, real value, const std::vector<real>& gradient, real by_t) {
        reals g(5, 7.0);
        double slope = 7.0;
        const list_batch<double> batch{.scores = with, .relevance = positives};
        CHECK(evaluate(loss, batch, {.gradient = g, .temperature_gradient = &slope}) ==
              Approx(static_cast<double>(value)).epsilon(1e-13));
        CHECK(g[2] == 0.0);
        for (std::size_t i = 0; i < 4; ++i)
          CHECK(g[i < 2 ? i : i + 1] == Approx(static_cast<double>(gradient[i])).epsilon(1e-13).margin(0));
        CHECK(slope == Approx(static_cast<double>(by_t)).epsilon(1e-12));
      };
      // It costs nothing, and is a third of the positives.
      const info_nce separate{.temperature = t, .positives = positive_share::separate};
      const reference::derivatives others = plain(separate, s, y);
      std::vector<real> slopes;
      real by_t = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        slopes.push_back(others.gradient[i] * 2 / 3);
        by_t -= slopes[i] * static_cast<real>(s[i]) / static_cast<real>(t);
      }
      check(separate, others.value * 2 / 3, slopes, by_t);
      // As more than is expected of the negatives it makes their sum the least one, 2 exp(-1 / t).
      info_nce debiased = separate;
      debiased.positive_prior = 0.1;
      real value = 0;
      slopes.assign(4, 0);
      by_t = 0;
      for (std::size_t i = 0; i < 2; ++i) {
        const real below = (1 + static_cast<real>(s[i])) / static_cast<real>(t);
        const real odds = 2 * std::exp(-below);
        value += std::log1p(odds) / 3;
        slopes[i] = -odds / (1 + odds) / 3 / static_cast<real>(t);
        by_t -= slopes[i] * below;
      }
      check(debiased, value, slopes, by_t);
    }
}

TEMPLATE_TEST_CASE("info_nce: finite whatever scores and temperature are", "", float, double) {
  for (const double t : {1e-15, 0.001, 1.0, 1e300})
    for (const info_nce& loss : forms(t)) {
      INFO("temperature " << t << ", positives " << static_cast<int>(loss.positives) << ", smoothing "
                          << loss.label_smoothing << ", prior " << loss.positive_prior);
      support::query_stays_finite<TestType>(loss);
      // And by the temperature, with weights at the ends of theirs.
      const TestType big = std::numeric_limits<TestType>::max();
      const TestType infinity = std::numeric_limits<TestType>::infinity();
      const std::vector<TestType> s{big, -big, infinity, TestType{0}, TestType{1}, -infinity};
      for (unsigned positives = 0; positives < 64; ++positives)
        for (const double w : {0.0, 1e-300, 1.0, 1e300, 1.7e308}) {
          std::vector<TestType> y, g(6);
          for (unsigned i = 0; i < 6; ++i) y.push_back(TestType((positives >> i) % 2));
          const reals weights{1.0, w, 1.0, w, 1e300, 2.0};
          double slope = 0.0;
          const double value =
              evaluate(loss, list_batch<TestType>{.scores = s, .relevance = y, .item_weights = weights},
                       {.gradient = g, .temperature_gradient = &slope});
          bool finite = std::isfinite(value) && std::isfinite(slope);
          for (const TestType x : g) finite = finite && std::isfinite(x);
          INFO("positives " << positives << ", weight " << w << ": " << value << ' ' << slope);
          CHECK(finite);
        }
    }
}

TEST_CASE("info_nce: a part of a sum of losses") {
  const support::classed_matrix m(5, 5, 1);
  const similarity_batch<double> batch{.similarity = m.s, .rows = 5, .columns = 5};
  const info_nce loss{.temperature = 0.3};
  reals g(25), h(25);
  const double value = evaluate(loss, batch, {.gradient = g});
  const rankloss::weighted_sum twice{rankloss::weighted{0.5, loss}, rankloss::weighted{1.5, loss}};
  CHECK(evaluate(twice, batch, {.gradient = h}) == Approx(2 * value).epsilon(1e-14));
  for (std::size_t k = 0; k < 25; ++k) CHECK(h[k] == Approx(2 * g[k]).epsilon(1e-13));
}

TEST_CASE("info_nce: what it refuses") {
  const reals s(6, 0.0);
  CHECK_THROWS_WITH(evaluate(info_nce{}, similarity_batch<double>{.similarity = s, .rows = 2, .columns = 3}),
                    Catch::StartsWith("rankloss: matches: none given for 2 rows and 3 columns"));
  const reals none{0.5, 0.0, 0.5};
  CHECK_THROWS_WITH(
      evaluate(
          info_nce{},
          similarity_batch<double>{
              .similarity = s, .rows = 2, .columns = 3, .extra_columns = true, .column_probabilities = none}),
      Catch::StartsWith("rankloss: column_probabilities: 0 at column 1"));
}

TEST_CASE("info_nce: options out of their ranges, or that do not go together, are refused") {
  const auto refused = [](const info_nce& loss, const char* words) {
    CHECK_THROWS_WITH(of(loss, reals{0.5}, reals{1}), words);
  };
  using enum positive_share;
  refused({.temperature = 0}, "rankloss: temperature: 0, expected 1e-15 to 1e300");
  refused({.label_smoothing = 1.5}, "rankloss: label_smoothing: 1.5, expected 0 to 1");
  refused({.positives = separate, .positive_prior = 1.0}, "rankloss: positive_prior: 1, expected 0 to 0.99");
  refused({.positives = inside, .label_smoothing = 0.1},
          "rankloss: label_smoothing: 0.1, expected 0 unless positives is outside");
  refused({.positive_prior = 0.1}, "rankloss: positive_prior: 0.1, expected 0 unless positives is separate");
}

}  // namespace info_nce_test
