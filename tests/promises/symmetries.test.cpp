// SPDX-License-Identifier: BSL-1.0

// Items, pairs and steps in another order have the same gradient in that order; so have the rows and columns
// of a matrix, and its transpose. Scores that are all shifted have the same loss, and the gradient of a list
// sums to 0.

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace promises_symmetries_test {

namespace {

using namespace promises;
using rankloss::reduction;

TEMPLATE_TEST_CASE("lists: permuting the items permutes the gradient", "", float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  auto moved = data;
  std::vector<std::size_t> from(data.scores.size());
  std::iota(from.begin(), from.end(), std::size_t{0});
  for (std::size_t l = 0; l < data.count(); ++l) {
    auto order = data.of(l, from);
    shuffle(moved.random, order);
    std::copy(order.begin(), order.end(), from.begin() + static_cast<std::ptrdiff_t>(data.offsets[l]));
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    moved.scores[i] = data.scores[from[i]];
    moved.relevance[i] = data.relevance[from[i]];
    moved.item_weights[i] = data.item_weights[from[i]];
  }
  for (const list_loss& loss : list_losses()) {
    if (loss.claimed.by_item_order || loss.claimed.jumps) continue;
    INFO(loss.name);
    for (const wanted want : offered(loss)) {
      const auto expected = run(loss, data.weighted(reduction::sum), want);
      const auto got = run(loss, moved.weighted(reduction::sum), want);
      CHECK(first_gap(got.per_list, expected.per_list, rounding<T>, 1.0) == "");
      std::vector<T> gradient, hessian;
      for (const std::size_t i : from) {
        gradient.push_back(expected.gradient[i]);
        if (want == wanted::hessian) hessian.push_back(expected.hessian[i]);
      }
      for (std::size_t l = 0; l < data.count(); ++l) {
        INFO("list " << l << " of " << data.size(l));
        const double steep = 1e-3 / loss.claimed.length;
        CHECK(first_gap(data.of(l, wide(got.gradient)), data.of(l, wide(gradient)), rounding<T>, steep) ==
              "");
        if (want == wanted::hessian)
          CHECK(first_gap(data.of(l, wide(got.hessian)), data.of(l, wide(hessian)), 10 * rounding<T>,
                          steep / loss.claimed.length) == "");
      }
    }
  }
}

TEMPLATE_TEST_CASE("matrices: permuting rows and columns permutes the gradient", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(9);
  for (const auto& m : all_matrices<T>()) {
    std::vector<std::size_t> row(m.rows), column(m.columns);
    std::iota(row.begin(), row.end(), std::size_t{0});
    std::iota(column.begin(), column.end(), std::size_t{0});
    shuffle(random, row);
    const bool by_index = m.matches.empty() && m.row_classes.empty();
    if (by_index)
      column = row;
    else
      shuffle(random, column);
    const auto move = [&](const auto& values) {
      auto moved = values;
      for (std::size_t i = 0; i < m.rows && !values.empty(); ++i)
        for (std::size_t j = 0; j < m.columns; ++j)
          moved[i * m.columns + j] = values[row[i] * m.columns + column[j]];
      return moved;
    };
    const auto pick = [](const auto& values, const std::vector<std::size_t>& from) {
      auto moved = values;
      for (std::size_t i = 0; i < values.size(); ++i) moved[i] = values[from[i]];
      return moved;
    };
    auto moved = m;
    moved.s = move(m.s);
    moved.matches = move(m.matches);
    moved.relevance = move(m.relevance);
    moved.column_relevance = move(m.column_relevance);
    moved.row_classes = pick(m.row_classes, row);
    moved.row_weights = pick(m.row_weights, row);
    moved.column_classes = pick(m.column_classes, column);
    moved.column_weights = pick(m.column_weights, column);
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss) || (m.ties && !loss.claimed.smooth))
        continue;  // which of two equals is at the kink, their order decides
      if (!loss.claimed.rectangular && !by_index) continue;  // a column belongs to the row of its number
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      const auto r = run(loss, m.batch());
      const auto got = run(loss, moved.batch());
      CHECK(got.value == Approx(r.value).epsilon(1e-6).margin(1e-13));
      CHECK(first_gap(wide(got.gradient), wide(move(r.gradient)), rounding<T>, 1e-3 / loss.claimed.length) ==
            "");
    }
  }
}

TEMPLATE_TEST_CASE("matrices: transposing swaps rows and columns and nothing else, where claimed", "", float,
                   double) {
  using T = TestType;
  for (const auto& m : all_matrices<T>()) {
    const auto turn = [&](const auto& values) {
      auto turned = values;
      for (std::size_t i = 0; i < m.rows && !values.empty(); ++i)
        for (std::size_t j = 0; j < m.columns; ++j) turned[j * m.rows + i] = values[i * m.columns + j];
      return turned;
    };
    auto turned = m;
    std::swap(turned.rows, turned.columns);
    turned.stride = turned.columns;
    turned.s = turn(m.s);
    turned.matches = turn(m.matches);
    turned.relevance = turn(m.column_relevance.empty() ? m.relevance : m.column_relevance);
    if (!m.column_relevance.empty()) turned.column_relevance = turn(m.relevance);
    std::swap(turned.row_classes, turned.column_classes);
    std::swap(turned.row_weights, turned.column_weights);
    for (const matrix_loss& loss : similarity_losses()) {
      if (!loss.claimed.transposable) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      const auto r = run(loss, m.batch());
      auto got = run(loss, turned.batch());
      CHECK(got.value == Approx(r.value).epsilon(1e-13));
      std::rotate(got.per_list.begin(), got.per_list.begin() + static_cast<std::ptrdiff_t>(turned.rows),
                  got.per_list.end());
      CHECK(first_difference<double>(got.per_list, r.per_list) == "");
      CHECK(first_gap(wide(got.gradient), wide(turn(r.gradient)), rounding<T>, 1e-3 / loss.claimed.length) ==
            "");
    }
  }
}

TEMPLATE_TEST_CASE("lists: shifts change nothing and gradients sum to 0, where claimed", "", float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  auto shifted = data;
  for (T& x : shifted.scores) x += T{1024};  // exact: all scores are multiples of 2^-6
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    const auto r = run(loss, data.weighted(reduction::sum));
    const auto moved = run(loss, shifted.weighted(reduction::sum));
    for (std::size_t l = 0; l < data.count(); ++l) {
      INFO("list " << l << " of " << data.size(l));
      const auto g = data.of(l, wide(r.gradient));
      const double steep = 1e-3 / loss.claimed.length;
      if (loss.claimed.shift_invariant && !loss.claimed.jumps) {
        CHECK(first_gap(data.of(l, wide(moved.gradient)), g, rounding<T>, steep) == "");
        CHECK(moved.per_list[l] == Approx(r.per_list[l]).epsilon(rounding<T>).margin(1e-14));
      }
      if (loss.claimed.zero_sum) {
        double sum = 0.0;
        double size = 0.0;
        for (const double x : g) sum += x, size += std::abs(x);
        CHECK(std::abs(sum) <= loss.claimed.rounding * rounding<T> * std::max(size, steep));
      }
    }
  }
}

TEMPLATE_TEST_CASE("matrices: shifts change nothing and gradients sum to 0, where claimed", "", float,
                   double) {
  using T = TestType;
  for (const auto& m : all_matrices<T>()) {
    auto shifted = m;
    for (T& x : shifted.s) x += T{1024};
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      const auto r = run(loss, m.batch());
      const auto g = wide(r.gradient);
      const double steep = 1e-3 / loss.claimed.length;
      if (loss.claimed.shift_invariant) {
        const auto moved = run(loss, shifted.batch());
        CHECK(moved.value == Approx(r.value).epsilon(rounding<T>).margin(1e-14));
        CHECK(first_gap(wide(moved.gradient), g, rounding<T>, steep) == "");
      }
      if (loss.claimed.zero_sum) {
        double sum = 0.0;
        double size = 0.0;
        for (const double x : g) sum += x, size += std::abs(x);
        CHECK(std::abs(sum) <= loss.claimed.rounding * rounding<T> * std::max(size, steep));
      }
    }
  }
}

TEMPLATE_TEST_CASE(
    "preferences: permuting the pairs permutes their parts, and permuting the items the gradient", "", float,
    double) {
  using T = TestType;
  const pairs<T> data(4);
  std::mt19937_64 random(5);
  std::vector<std::size_t> from(data.preferred.size()), new_index(data.rewards.size());
  std::iota(from.begin(), from.end(), std::size_t{0});
  std::iota(new_index.begin(), new_index.end(), std::size_t{0});
  shuffle(random, from);
  shuffle(random, new_index);
  auto turned = data, renamed = data;
  for (std::size_t k = 0; k < from.size(); ++k) {
    turned.preferred[k] = data.preferred[from[k]];
    turned.other[k] = data.other[from[k]];
    turned.weights[k] = data.weights[from[k]];
    turned.margins[k] = data.margins[from[k]];
    turned.ties[k] = data.ties[from[k]];
    renamed.preferred[k] = static_cast<int>(new_index[static_cast<std::size_t>(data.preferred[k])]);
    renamed.other[k] = static_cast<int>(new_index[static_cast<std::size_t>(data.other[k])]);
  }
  for (std::size_t i = 0; i < new_index.size(); ++i) renamed.rewards[new_index[i]] = data.rewards[i];
  for (const auto& loss : pair_losses<T>())
    for (const reduction how : reductions) {
      INFO(loss.name << ", reduction " << static_cast<int>(how));
      const auto expected = run(loss, data.batch(loss, how));
      const auto got = run(loss, turned.batch(loss, how));
      std::vector<double> parts;
      for (const std::size_t k : from) parts.push_back(expected.per_list[k]);
      CHECK(same_bits(got.per_list, parts));
      CHECK(got.value == Approx(expected.value).epsilon(1e-13));
      CHECK(gap(wide(got.gradient), wide(expected.gradient)) <= short_rounding<T>);
      CHECK(gap(wide(got.hessian), wide(expected.hessian)) <= short_rounding<T>);
      // The same pairs in the same order, by other names: the same sums.
      auto other_names = run(loss, renamed.batch(loss, how));
      const auto there = other_names;
      for (std::size_t i = 0; i < new_index.size(); ++i) {
        other_names.gradient[i] = there.gradient[new_index[i]];
        if (loss.has_hessian) other_names.hessian[i] = there.hessian[new_index[i]];
      }
      CHECK(same_bits(other_names, expected));
    }
}

TEMPLATE_TEST_CASE("policies: permuting the steps permutes the gradient", "", float, double) {
  using T = TestType;
  const auto data = some_steps<T>(10);
  std::mt19937_64 random(11);
  std::vector<std::size_t> from(data.x.size());
  std::iota(from.begin(), from.end(), std::size_t{0});
  shuffle(random, from);
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    const auto expected = run(loss, data);
    const auto got = run(loss, taken(data, from));
    CHECK(got.value == Approx(expected.value).epsilon(1e-13));
    // Parts of the mean are of a sum without rounding: the same in any order.
    std::vector<T> gradient;
    for (const std::size_t i : from) gradient.push_back(expected.gradient[i]);
    CHECK(same_bits(got.gradient, gradient));
  }
}

}  // namespace

}  // namespace promises_symmetries_test
