// SPDX-License-Identifier: BSL-1.0

// Data that a loss cannot take are refused by the name of their field and their place, and then nothing is
// written.

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace promises_errors_test {

namespace {

using namespace promises;
using promises::nan;
using rankloss::context;
using rankloss::list_batch;
using rankloss::outputs;
using rankloss::reduction;

/// That a batch is refused with this message, and nothing is written.
template <class Loss, class Batch>
void refuses(const Loss& loss, const Batch& batch, const std::string& message) {
  using T = typename Batch::score_type;
  std::vector<T> gradient(items(batch), T{7}), hessian(loss.has_hessian ? items(batch) : 0, T{7});
  std::vector<double> per_list(list_count(batch), 7.0);
  context ctx{rankloss::threads(2)};
  std::string said = "accepted";
  try {
    loss(batch, {.gradient = gradient, .per_list = per_list, .hessian = hessian}, ctx);
  } catch (const std::invalid_argument& error) {
    said = error.what();
  }
  CHECK(said == message);
  CHECK(gradient == std::vector<T>(gradient.size(), T{7}));
  CHECK(hessian == std::vector<T>(hessian.size(), T{7}));
  CHECK(per_list == std::vector<double>(per_list.size(), 7.0));
}

TEMPLATE_TEST_CASE("lists: a NaN is refused by the name of its list and item, and nothing is written", "",
                   float, double) {
  using T = TestType;
  const auto data = all_lists<T>();
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (std::size_t l = 0; l < data.count(); ++l) {
      const std::size_t n = data.size(l);
      if (n == 0 || (n == 128 && l % 4 != 0)) continue;
      const std::size_t i = (l * 97 + n - 1) % n;
      const std::string where =
          " at list " + std::to_string(l) + ", item " + std::to_string(i) + ", expected a ";
      auto broken = data;
      broken.scores[data.offsets[l] + i] = static_cast<T>(nan);
      refuses(loss, broken.weighted(reduction::mean), "rankloss: scores: nan" + where + "number");
      broken.scores = data.scores;
      broken.relevance[data.offsets[l] + i] = static_cast<T>(nan);
      refuses(loss, broken.weighted(reduction::sum), "rankloss: relevance: nan" + where + "finite number");
      if (l % 8 != 0) continue;
      broken.relevance[data.offsets[l] + i] = -std::numeric_limits<T>::infinity();
      refuses(loss, broken.batch(), "rankloss: relevance: -inf" + where + "finite number");
    }
    std::vector<T> s(4 * 12, T{1}), y(4 * 12, T{1});
    s[2 * 12 + 11] = static_cast<T>(nan);  // between lists
    s[3 * 12 + 6] = static_cast<T>(nan);
    std::vector<std::uint8_t> mask(4 * 12, 1);
    list_batch<T> dense{.scores = s, .relevance = y, .length = 10, .stride = 12, .mask = mask};
    refuses(loss, dense, "rankloss: scores: nan at list 3, item 6, expected a number");
    y[5] = static_cast<T>(nan);
    mask[3 * 12 + 6] = 0;
    refuses(loss, dense, "rankloss: relevance: nan at list 0, item 5, expected a finite number");
    mask[5] = 0;
    CHECK(std::isfinite(run(loss, dense).value));
  }
}

TEMPLATE_TEST_CASE(
    "lists: relevance below 0 is refused by list and item, unless claimed to be taken, and finite where it comes unchecked",
    "", float, double) {
  using T = TestType;
  const auto data = short_lists<T>(true);
  const std::size_t l = 4, i = 12;  // of 17
  REQUIRE(data.size(l) == 17);
  auto broken = data;
  broken.relevance[data.offsets[l] + i] = T(-0.5);
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    if (loss.claimed.takes_below_0)
      CHECK(std::isfinite(run(loss, broken.batch()).value));
    else
      refuses(
          loss, broken.weighted(reduction::mean),
          "rankloss: relevance: -0.5 at list 4, item 12, expected at least 0; mask items without judgement");
    std::vector<std::uint8_t> mask(broken.scores.size(), 1);
    mask[data.offsets[l] + i] = 0;
    auto masked = broken.batch();
    masked.mask = mask;
    CHECK(std::isfinite(run(loss, masked).value));

    context unchecked;
    unchecked.checks = rankloss::data_checks::off;
    for (const double below : {-0.5, -1.0, -1e30}) {
      auto all = data;
      for (std::size_t at = 0; at < all.relevance.size(); ++at)
        if (at % 3 != 0 || at / 30 == 1) all.relevance[at] = static_cast<T>(below);
      for (const wanted want : offered(loss)) {
        const auto r = run(loss, all.weighted(reduction::mean), want, unchecked);
        CHECK(std::isfinite(r.value));
        CHECK(all_finite(r.gradient));
        CHECK(all_finite(r.hessian));
        CHECK(all_finite(r.per_list));
      }
    }
  }
}

TEMPLATE_TEST_CASE("matrices: a NaN is refused by the name of its row and column, and nothing is written", "",
                   float, double) {
  using T = TestType;
  std::mt19937_64 random(11);
  matrix<T> m(random, 300, 300, kind::distinct, 1);
  m.grades(random, true);
  const std::pair<std::size_t, std::size_t> cells[] = {{0, 0}, {17, 299}, {299, 5}};
  for (const matrix_loss& loss : similarity_losses()) {
    INFO(loss.name);
    for (const auto& [i, j] : cells) {
      const std::string where =
          " at row " + std::to_string(i) + ", column " + std::to_string(j) + ", expected a ";
      auto broken = m;
      broken.s[i * m.stride + j] = static_cast<T>(nan);
      refuses(loss, broken.batch(), "rankloss: similarity: nan" + where + "number");
      broken = m;
      broken.relevance[i * m.columns + j] = static_cast<T>(nan);
      refuses(loss, broken.batch(), "rankloss: relevance: nan" + where + "finite number");
      broken = m;
      broken.column_relevance[i * m.columns + j] = std::numeric_limits<T>::infinity();
      refuses(loss, broken.batch(), "rankloss: column_relevance: inf" + where + "finite number");
    }
  }
}

TEMPLATE_TEST_CASE("matrices: relevance below 0 is refused by row and column, unless claimed to be taken", "",
                   float, double) {
  using T = TestType;
  std::mt19937_64 random(12);
  matrix<T> m(random, 9, 9);
  m.grades(random, true);
  for (const matrix_loss& loss : similarity_losses()) {
    INFO(loss.name);
    auto broken = m;
    broken.column_relevance[3 * 9 + 7] = T(-0.5);
    const std::string rest =
        "relevance: -0.5 at row 3, column 7, expected at least 0; pairs without judgement are left out by the mask, or 0";
    for (const std::string field : {"rankloss: column_", "rankloss: "}) {
      if (loss.claimed.takes_below_0)
        CHECK(std::isfinite(run(loss, broken.batch()).value));
      else
        refuses(loss, broken.batch(), field + rest);
      broken.relevance[3 * 9 + 7] = T(-0.5);
    }
  }
}

/// That a call is refused with this message, and nothing is written.
template <class T, class Call>
void refuses(std::size_t n, std::size_t parts, bool has_hessian, const std::string& message, Call call) {
  std::vector<T> gradient(n, T{7}), hessian(has_hessian ? n : 0, T{7});
  std::vector<double> per_list(parts, 7.0);
  context ctx{rankloss::threads(2)};
  std::string said = "accepted";
  try {
    call(outputs{.gradient = gradient, .per_list = per_list, .hessian = hessian}, ctx);
  } catch (const std::invalid_argument& error) {
    said = error.what();
  }
  CHECK(said == message);
  CHECK(gradient == std::vector<T>(n, T{7}));
  CHECK(hessian == std::vector<T>(hessian.size(), T{7}));
  CHECK(per_list == std::vector<double>(parts, 7.0));
}

TEMPLATE_TEST_CASE("preferences: a NaN is named with its field and place, and nothing is written", "", float,
                   double) {
  using T = TestType;
  for (const auto& loss : pair_losses<T>()) {
    INFO(loss.name);
    const auto refused = [&](const pairs<T>& data, const std::string& message) {
      refuses<T>(data.rewards.size(), data.preferred.size(), loss.has_hessian, "rankloss: " + message,
                 [&](const outputs& out, context& ctx) { loss.call(data.batch(loss), out, ctx); });
    };
    auto data = pairs<T>(9);
    data.rewards[17] = static_cast<T>(nan);
    refused(data, "rewards: nan at item 17, expected a number");
    data = pairs<T>(9);
    data.margins[23] = nan;
    refused(data, "margins: nan at pair 23, expected a finite number");
    data = pairs<T>(9);
    data.weights[149] = nan;
    refused(data, "pair_weights: nan at pair 149, expected a finite number >= 0");
    data = pairs<T>(9);
    data.other[3] = 40;
    refused(data, "other: 40 at pair 3, expected an item from 0 to below 40 (the number of rewards)");
  }
}

TEMPLATE_TEST_CASE("policies: a NaN is named with its field and place, and nothing is written", "", float,
                   double) {
  using T = TestType;
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    const auto refused = [&](const steps<T>& data, const std::string& message) {
      refuses<T>(data.x.size(), 0, false, "rankloss: " + message,
                 [&](const outputs& out, context& ctx) { loss.call(data.x, data, out, ctx); });
    };
    for (int field = 0; field < 3; ++field) {
      if (loss.fields[field].empty()) continue;
      auto data = some_steps<T>(14);
      data.mask.assign(data.x.size(), 1);
      (field == 0 ? data.x : field == 1 ? data.before : data.target)[29] = static_cast<T>(nan);
      refused(data, loss.fields[field] + ": nan at step 29, expected a finite number");
    }
    auto data = some_steps<T>(14);
    data.weights[31] = nan;
    refused(data, "weights: nan at step 31, expected a finite number >= 0");
    data = some_steps<T>(14);
    data.mask.pop_back();
    refused(data, "mask: size 119, expected 120 (one per step)");
  }
}

/// An executor that fails the next time it is to run tasks, once `left` more runs have gone well.
struct failing_executor {
  int* left;
  [[nodiscard]] std::size_t workers() const { return 1; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    if ((*left)-- == 0) throw std::runtime_error("the executor is gone");
    for (std::size_t task = 0; task < tasks; ++task) body(0, task);
  }
};

/// Calls with an executor that fails at its first run, at its second and so on, until it is not asked that
/// often. After each failure `unchanged` is checked; returns how many there were.
template <class Call, class Unchanged>
int failures_of(Call call, Unchanged unchanged) {
  for (int runs = 0;; ++runs) {
    int left = runs;
    context ctx{failing_executor{&left}};
    try {
      call(ctx);
      return runs;
    } catch (const std::runtime_error&) {
      unchanged();
    }
  }
}

TEMPLATE_TEST_CASE("lists and matrices: per_list is written whole or, where the executor fails, not at all",
                   "", float, double) {
  using T = TestType;
  const auto failures = [](const auto& loss, const auto& batch) {
    INFO(loss.name);
    std::vector<double> per_list(list_count(batch), 7.0);
    return failures_of([&](context& ctx) { loss(batch, {.per_list = per_list}, ctx); },
                       [&] { CHECK(per_list == std::vector<double>(per_list.size(), 7.0)); });
  };
  // Enough items for several tasks in each direction: a single task does not go to the executor.
  const auto data = all_lists<T>();
  for (const list_loss& loss : list_losses()) CHECK(failures(loss, data.weighted(reduction::mean)) > 0);
  for (const auto& m : large_matrices<T>())
    for (const matrix_loss& loss : similarity_losses())
      if (m.taken_by(loss) && m.rows * m.columns > 10000)
        CHECK(failures(loss, m.batch(reduction::mean_of_relevant)) > 1);
}

TEMPLATE_TEST_CASE("preferences, policies and embeddings: a context that has been moved from is refused", "",
                   float, double) {
  using T = TestType;
  for (const auto& of : subjects<T>()) {
    INFO(of.name);
    context gone;
    const context kept = std::move(gone);
    std::vector<T> gradient(of.x.size(), T{7});
    CHECK_THROWS_AS(of({.gradient = gradient}, gone), std::logic_error);
    CHECK(gradient == std::vector<T>(gradient.size(), T{7}));
  }
}

}  // namespace

}  // namespace promises_errors_test
