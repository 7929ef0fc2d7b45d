// SPDX-License-Identifier: BSL-1.0

// The value of a batch is the weighted mean of those of its parts, or their sum, and a weight counts a part
// several times.

#include <rankloss/context.hpp>

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <vector>

namespace promises_batches_test {

namespace {

using namespace promises;
using rankloss::context;
using rankloss::list_batch;
using rankloss::reduction;

TEMPLATE_TEST_CASE("lists: a batch is the weighted mean of its lists", "", float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  context ctx;
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (const wanted want : offered(loss)) {
      result<T> alone;
      std::vector<bool> relevant;
      for (std::size_t l = 0; l < data.count(); ++l) {
        const auto s = data.of(l, data.scores);
        const auto y = data.of(l, data.relevance);
        const auto w = data.of(l, data.item_weights);
        const auto r = run(loss, list_batch<T>{.scores = s, .relevance = y, .item_weights = w}, want, ctx);
        CHECK(r.value == r.per_list[0]);
        alone.per_list.push_back(r.value);
        alone.gradient.insert(alone.gradient.end(), r.gradient.begin(), r.gradient.end());
        alone.hessian.insert(alone.hessian.end(), r.hessian.begin(), r.hessian.end());
        bool any = false;
        for (std::size_t i = 0; i < y.size(); ++i) any = any || (w[i] > 0.0 && y[i] > T{0});
        relevant.push_back(any);
      }
      // What else is in the batch changes no bit of it.
      auto unit = data.weighted(reduction::sum);
      unit.list_weights = {};
      const auto together = run(loss, unit, want, ctx);
      alone.value = together.value;
      CHECK(first_difference(together, alone) == "");
      for (const reduction how : reductions) {
        const auto r = run(loss, data.weighted(how), want, ctx);
        double sum = 0.0;
        double total = 0.0;
        for (std::size_t l = 0; l < data.count(); ++l) {
          if (how == reduction::mean_of_relevant && !relevant[l]) continue;
          sum += data.list_weights[l] * alone.per_list[l];
          total += data.list_weights[l];
        }
        if (how == reduction::sum) total = 1.0;
        CHECK(r.value == Approx(sum / total).epsilon(1e-13));
        for (std::size_t l = 0; l < data.count(); ++l) {
          INFO("list " << l << " of " << data.size(l));
          const double share =
              how == reduction::mean_of_relevant && !relevant[l] ? 0.0 : data.list_weights[l] / total;
          const auto times = [&](const std::vector<T>& values) {
            auto scaled = data.of(l, wide(values));
            for (double& x : scaled) x *= share;
            return scaled;
          };
          CHECK(first_gap(data.of(l, wide(r.gradient)), times(together.gradient), rounding<T>, 0.0) == "");
          if (want == wanted::hessian)
            CHECK(first_gap(data.of(l, wide(r.hessian)), times(together.hessian), rounding<T>, 0.0) == "");
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("lists: a weight counts a list several times, and an item's weight of 1 changes nothing",
                   "", float, double) {
  using T = TestType;
  const auto data = short_lists<T>(true);
  std::vector<float> weights;  // of the other type than elsewhere
  lists<T> repeated(0);
  for (std::size_t l = 0; l < data.count(); ++l) {
    weights.push_back(static_cast<float>(l % 4));
    const auto s = data.of(l, data.scores);
    const auto y = data.of(l, data.relevance);
    for (std::size_t turn = 0; turn < l % 4; ++turn) {
      repeated.scores.insert(repeated.scores.end(), s.begin(), s.end());
      repeated.relevance.insert(repeated.relevance.end(), y.begin(), y.end());
      repeated.offsets.push_back(repeated.scores.size());
    }
  }
  const std::vector<float> ones(data.scores.size(), 1.0f);
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (const reduction how : reductions) {
      auto batch = data.batch(how);
      batch.list_weights = weights;
      const auto once = run(loss, batch);
      const auto many = run(loss, repeated.batch(how));
      CHECK(once.value == Approx(many.value).epsilon(1e-13));
      std::size_t copy = 0;
      for (std::size_t l = 0; l < data.count(); ++l) {
        std::vector<double> sum(data.size(l));
        for (std::size_t turn = 0; turn < l % 4; ++turn, ++copy)
          for (std::size_t i = 0; i < sum.size(); ++i)
            sum[i] += static_cast<double>(many.gradient[repeated.offsets[copy] + i]);
        CHECK(first_gap(data.of(l, wide(once.gradient)), sum, rounding<T>, 0.0) == "");
      }
      auto with_ones = batch;
      with_ones.item_weights = ones;
      CHECK(first_difference(run(loss, with_ones), once) == "");
    }
    // Weights that leave nothing give 0.
    const std::vector<double> none(data.count());
    auto batch = data.batch();
    batch.list_weights = none;
    const auto r = run(loss, batch);
    CHECK(r.value == 0.0);
    CHECK(wide(r.gradient) == std::vector<double>(r.gradient.size(), 0.0));
  }
}

TEMPLATE_TEST_CASE("matrices: the value is the mean of the two directions' weighted means", "", float,
                   double) {
  for (const auto& m : all_matrices<TestType>(1)) {
    // Where relevance is not that of the matches, what counts as relevant is each loss's own affair.
    const bool graded = !m.relevance.empty();
    const auto matching = [&](std::size_t i, std::size_t j) {
      if (!m.matches.empty()) return m.matches[i * m.columns + j] != 0;
      return m.row_classes.empty() ? i == j : m.row_classes[i] == m.column_classes[j];
    };
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      for (const reduction how : reductions) {
        if (how == reduction::mean_of_relevant && graded) continue;
        const auto r = run(loss, m.batch(how));
        double expected = 0.0;
        for (const bool columns : {false, true}) {
          const auto& weights = columns ? m.column_weights : m.row_weights;
          double sum = 0.0;
          double total = 0.0;
          for (std::size_t l = 0; l < (columns ? m.columns : m.rows); ++l) {
            bool relevant = how != reduction::mean_of_relevant;
            for (std::size_t k = 0; k < (columns ? m.rows : m.columns) && !relevant; ++k)
              relevant = columns ? matching(k, l) : matching(l, k);
            const double weight = weights.empty() ? 1.0 : weights[l];
            if (!relevant) continue;
            sum += weight * r.per_list[columns ? m.rows + l : l];
            total += weight;
          }
          if (how == reduction::sum)
            expected += sum;
          else if (total > 0.0)
            expected += 0.5 * sum / total;
        }
        CHECK(r.value == Approx(expected).epsilon(1e-12).margin(1e-14));
      }
    }
  }
}

TEMPLATE_TEST_CASE("preferences: a weight counts a pair several times, and the mean is that of the parts", "",
                   float, double) {
  using T = TestType;
  const pairs<T> data(8);
  auto repeated = data;
  for (auto* indices : {&repeated.preferred, &repeated.other}) indices->clear();
  repeated.margins.clear();
  repeated.ties.clear();
  for (std::size_t k = 0; k < data.preferred.size(); ++k)
    for (int turn = 0; turn < static_cast<int>(data.weights[k]); ++turn) {
      repeated.preferred.push_back(data.preferred[k]);
      repeated.other.push_back(data.other[k]);
      repeated.margins.push_back(data.margins[k]);
      repeated.ties.push_back(data.ties[k]);
    }
  repeated.weights.assign(repeated.preferred.size(), 1.0);
  for (const auto& loss : pair_losses<T>())
    for (const reduction how : reductions) {
      INFO(loss.name << ", reduction " << static_cast<int>(how));
      const auto once = run(loss, data.batch(loss, how));
      const auto many = run(loss, repeated.batch(loss, how));
      CHECK(once.value == Approx(many.value).epsilon(1e-13));
      CHECK(gap(wide(once.gradient), wide(many.gradient)) <= short_rounding<T>);
      CHECK(gap(wide(once.hessian), wide(many.hessian)) <= short_rounding<T>);
      double sum = 0.0, mass = 0.0;
      for (std::size_t k = 0; k < once.per_list.size(); ++k) {
        sum += data.weights[k] * once.per_list[k];
        if (how != reduction::mean_of_relevant || once.per_list[k] > 0.0) mass += data.weights[k];
      }
      CHECK(once.value == Approx(how == reduction::sum ? sum : sum / mass).epsilon(1e-13));
      auto unweighted = repeated.batch(loss, how);
      unweighted.pair_weights = {};
      CHECK(same_bits(run(loss, unweighted), many));
    }
}

}  // namespace

}  // namespace promises_batches_test
