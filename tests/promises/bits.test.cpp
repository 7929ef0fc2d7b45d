// SPDX-License-Identifier: BSL-1.0

// A call gives the same bits again, on any number of threads and whatever the buffers held, and the second
// one allocates nothing. In float the numbers are those of double.

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/workspace.hpp>

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"
#include "support/allocations.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <limits>
#include <vector>

namespace promises_bits_test {

namespace {

using namespace promises;
using promises::nan;
using rankloss::context;
using rankloss::outputs;
using rankloss::reduction;

/// The same bits on any number of threads, on repetition and whatever the buffers held.
template <class Loss, class Batch>
void repeats_itself(const Loss& loss, const Batch& batch, std::vector<context>& contexts) {
  for (const wanted want : offered(loss)) {
    const auto expected = run(loss, batch, want, contexts[0]);
    for (context& ctx : contexts) {
      INFO("on " << ctx.workers() << " threads");
      CHECK(first_difference(run(loss, batch, want, ctx), expected) == "");
    }
  }
  context ctx;
  const auto expected = run(loss, batch, wanted::gradient, ctx);
  const double alone = loss(batch, {}, ctx);  // the value by itself may be summed in another order
  CHECK(alone == Approx(expected.value).epsilon(1e-6).margin(1e-6));
  CHECK(loss(batch, {}, ctx) == alone);
}

std::vector<context> one_two_and_seven() {
  std::vector<context> contexts;
  for (const std::size_t workers : {1u, 2u, 7u}) contexts.emplace_back(rankloss::threads(workers));
  return contexts;
}

template <class Loss, class Batch>
void allocates_nothing_the_second_time(const Loss& loss, const Batch& batch) {
  using T = typename Batch::score_type;
  std::vector<T> gradient(items(batch)), hessian(loss.has_hessian ? items(batch) : 0);
  std::vector<double> per_list(list_count(batch));
  const auto call = [&](context& ctx) {
    loss(batch, {.gradient = gradient, .per_list = per_list, .hessian = hessian}, ctx);
    loss(batch, {.gradient = gradient, .scale = 2.0, .update = rankloss::update::add}, ctx);
    loss(batch, {}, ctx);
  };
  context alone;
  call(alone);
  const std::size_t before = support::allocations();
  const std::size_t held = alone.scratch_capacity();
  call(alone);
  CHECK(support::allocations() == before);
  CHECK(alone.scratch_capacity() == held);

  // Which worker meets which list is left to chance, so each is grown to what one needs for all before the
  // first call, which grows the rest.
  context many{rankloss::threads(3)};
  for (std::size_t w = 0; w < many.workers(); ++w) {
    const rankloss::workspace::scope scope(many.scratch(w));
    (void)many.scratch(w).template take<std::byte>(2 * held);
  }
  call(many);
  const std::size_t warm = support::allocations();
  call(many);
  CHECK(support::allocations() == warm);
}

/// The entries of a matrix, without what lies between its rows.
template <class T>
std::vector<double> entries(const matrix<T>& m, const std::vector<T>& values) {
  std::vector<double> kept;
  for (std::size_t at = 0; at < values.size(); ++at)
    if (at % m.stride < m.columns) kept.push_back(static_cast<double>(values[at]));
  return kept;
}

TEST_CASE("lists: float and double agree") {
  const auto narrow = all_lists<float>();
  const auto full = all_lists<double>();
  REQUIRE(wide(narrow.scores) == full.scores);
  REQUIRE(wide(narrow.relevance) == full.relevance);
  for (const list_loss& loss : list_losses()) {
    if (loss.claimed.jumps) continue;
    INFO(loss.name);
    for (const wanted want : offered(loss)) {
      const auto a = run(loss, narrow.weighted(reduction::sum), want);
      const auto b = run(loss, full.weighted(reduction::sum), want);
      CHECK(first_gap(a.per_list, b.per_list, rounding<float>, 0.0) == "");
      for (std::size_t l = 0; l < full.count(); ++l) {
        INFO("list " << l << " of " << full.size(l));
        const double steep = 1e-3 / loss.claimed.length;
        CHECK(first_gap(narrow.of(l, wide(a.gradient)), full.of(l, b.gradient), rounding<float>, steep) ==
              "");
        if (want == wanted::hessian)
          CHECK(first_gap(narrow.of(l, wide(a.hessian)), full.of(l, b.hessian), 10 * rounding<float>,
                          steep / loss.claimed.length) == "");
      }
    }
  }
}

TEST_CASE("matrices: float and double agree") {
  const auto narrow = all_matrices<float>();
  const auto full = all_matrices<double>();
  for (const matrix_loss& loss : similarity_losses())
    for (std::size_t k = 0; k < full.size(); ++k) {
      if (!full[k].taken_by(loss)) continue;
      INFO(loss.name << ", " << full[k].rows << " x " << full[k].columns);
      REQUIRE(wide(narrow[k].s) == full[k].s);
      const auto a = run(loss, narrow[k].batch());
      const auto b = run(loss, full[k].batch());
      CHECK(a.value == Approx(b.value).epsilon(1e-6).margin(1e-7));
      CHECK(first_gap(a.per_list, b.per_list, rounding<float>, 1.0) == "");
      CHECK(first_gap(wide(a.gradient), b.gradient, rounding<float>, 1e-3 / loss.claimed.length) == "");
    }
}

TEMPLATE_TEST_CASE(
    "lists: the same bits on any number of threads, on repetition, and whatever the buffers held", "", float,
    double) {
  auto contexts = one_two_and_seven();
  const auto data = all_lists<TestType>();
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    repeats_itself(loss, data.weighted(reduction::mean), contexts);
    context ctx;
    CHECK(first_difference(run(loss, data.batch(), wanted::gradient, ctx, 0.0),
                           run(loss, data.batch(), wanted::gradient, ctx)) == "");
  }
}

TEMPLATE_TEST_CASE(
    "matrices: the same bits on any number of threads, on repetition, and whatever the buffers held", "",
    float, double) {
  auto contexts = one_two_and_seven();
  const auto all = large_matrices<TestType>(2);
  for (const matrix_loss& loss : similarity_losses())
    for (const auto& m : all) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      repeats_itself(loss, m.batch(), contexts);
      context ctx;
      const auto zeros = run(loss, m.batch(), wanted::gradient, ctx, 0.0);
      CHECK(entries(m, zeros.gradient) == entries(m, run(loss, m.batch()).gradient));
    }
}

TEMPLATE_TEST_CASE("lists: the second call allocates nothing", "", float, double) {
  const auto data = all_lists<TestType>();
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    allocates_nothing_the_second_time(loss, data.weighted(reduction::mean_of_relevant));
  }
}

TEMPLATE_TEST_CASE("matrices: the second call allocates nothing", "", float, double) {
  auto all = small_matrices<TestType>(2);
  all.push_back(large_matrices<TestType>(2)[1]);
  for (const auto& m : all)
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      allocates_nothing_the_second_time(loss, m.batch(reduction::mean_of_relevant));
    }
}

TEST_CASE("preferences, policies and embeddings: float and double agree") {
  context ctx;
  const auto narrow = subjects<float>();
  const auto full = subjects<double>();
  for (std::size_t k = 0; k < full.size(); ++k) {
    INFO(full[k].name);
    const auto a = run(narrow[k], ctx);
    const auto b = run(full[k], ctx);
    CHECK(a.value == Approx(b.value).epsilon(1e-5));
    CHECK(gap(wide(a.gradient), b.gradient) <= 1e-5);
    CHECK(gap(wide(a.hessian), b.hessian) <= 1e-5);
    CHECK(gap(a.per_list, b.per_list) <= 1e-5);
  }
}

TEMPLATE_TEST_CASE(
    "preferences, policies and embeddings: the same bits on any number of threads, on repetition, and whatever the buffers held",
    "", float, double) {
  std::vector<context> contexts;
  for (const std::size_t workers : {1u, 2u, 7u}) contexts.emplace_back(rankloss::threads(workers));
  context alone;
  for (const auto& of : subjects<TestType>()) {
    INFO(of.name);
    const auto expected = run(of, alone);
    CHECK(of({}, alone) == expected.value);
    for (context& ctx : contexts)
      for (const double fill : {nan, 0.0, 1e300, -std::numeric_limits<double>::infinity()})
        CHECK(same_bits(run(of, ctx, fill), expected));
  }
}

TEMPLATE_TEST_CASE("preferences, policies and embeddings: the second call allocates nothing", "", float,
                   double) {
  for (const auto& of : subjects<TestType>()) {
    INFO(of.name);
    auto r = result<TestType>{};
    r.gradient.resize(of.x.size());
    r.hessian.resize(of.has_hessian ? of.x.size() : 0);
    r.per_list.resize(of.parts);
    for (const std::size_t workers : {1u, 3u}) {
      context ctx{rankloss::threads(workers)};
      const outputs all{.gradient = r.gradient, .per_list = r.per_list, .hessian = r.hessian};
      of(all, ctx);
      const std::size_t before = support::allocations();
      of(all, ctx);
      of({.gradient = r.gradient, .scale = 2.0, .update = rankloss::update::add}, ctx);
      of({}, ctx);
      CHECK(support::allocations() == before);
    }
  }
}

}  // namespace

}  // namespace promises_bits_test
