// SPDX-License-Identifier: BSL-1.0

// Each output is written as it is asked for: alone or with others, scaled, added, or in the other type. An
// output that a loss does not have is refused.

#include <rankloss/context.hpp>

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace promises_outputs_test {

namespace {

using namespace promises;
using promises::nan;
using rankloss::context;
using rankloss::list_batch;
using rankloss::outputs;
using rankloss::reduction;

template <class Loss, class Batch>
void writes_what_outputs_ask_for(const Loss& loss, const Batch& batch) {
  using T = typename Batch::score_type;
  using other = std::conditional_t<std::is_same_v<T, float>, double, float>;
  const std::size_t n = items(batch);
  context ctx;
  const wanted want = loss.has_hessian ? wanted::hessian : wanted::gradient;
  const result<T> plain = run(loss, batch, want, ctx);
  const auto g = wide(plain.gradient);
  const auto h = wide(plain.hessian);
  const double small = 1e-3 / loss.claimed.length;

  // per_list alone, gradient alone, hessian alone
  std::vector<double> per_list(list_count(batch), nan);
  loss(batch, {.per_list = per_list}, ctx);
  CHECK(first_gap(per_list, plain.per_list, rounding<T>, 1.0) == "");
  if (loss.has_hessian) {
    std::vector<T> hessian(n, static_cast<T>(nan));
    CHECK(loss(batch, {.hessian = hessian}, ctx) == plain.value);
    CHECK(first_difference<T>(hessian, plain.hessian) == "");
  }

  // scale: of what is written, not of the value
  result<T> scaled = plain;
  CHECK(loss(batch,
             {.gradient = scaled.gradient,
              .per_list = scaled.per_list,
              .hessian = scaled.hessian,
              .scale = -2.5},
             ctx) == plain.value);
  CHECK(first_difference<double>(scaled.per_list, plain.per_list) == "");
  const auto times = [](std::vector<double> values, double factor, double added) {
    for (double& x : values) x = added + factor * x;
    return values;
  };
  CHECK(first_gap(wide(scaled.gradient), times(g, -2.5, 0.0), rounding<T>, small) == "");
  CHECK(first_gap(wide(scaled.hessian), times(h, -2.5, 0.0), rounding<T>, small) == "");
  loss(batch, {.gradient = scaled.gradient, .hessian = scaled.hessian, .scale = 0.0}, ctx);
  CHECK(wide(scaled.gradient) == std::vector<double>(n, 0.0));
  CHECK(wide(scaled.hessian) == std::vector<double>(h.size(), 0.0));

  // update::add: of gradient and hessian, not of per_list
  result<T> added = plain;
  std::fill(added.gradient.begin(), added.gradient.end(), T{3});
  std::fill(added.hessian.begin(), added.hessian.end(), T{-5});
  const outputs add{.gradient = added.gradient,
                    .per_list = added.per_list,
                    .hessian = added.hessian,
                    .scale = 0.5,
                    .update = rankloss::update::add};
  CHECK(loss(batch, add, ctx) == plain.value);
  CHECK(first_difference<double>(added.per_list, plain.per_list) == "");
  CHECK(first_gap(wide(added.gradient), times(g, 0.5, 3.0), rounding<T>, small) == "");
  CHECK(first_gap(wide(added.hessian), times(h, 0.5, -5.0), rounding<T>, small) == "");

  // float from double scores, double from float scores
  result<other> cast;
  cast.gradient.assign(n, static_cast<other>(nan));
  cast.hessian.assign(h.size(), static_cast<other>(nan));
  CHECK(loss(batch, {.gradient = cast.gradient, .hessian = cast.hessian}, ctx) == plain.value);
  CHECK(first_gap(wide(cast.gradient), g, 1e-6, 0.0) == "");
  CHECK(first_gap(wide(cast.hessian), h, 1e-6, 0.0) == "");

  if (loss.has_hessian) return;
  std::vector<T> hessian(n, T{7});
  added.gradient.assign(n, T{7});
  if (n > 0)
    CHECK_THROWS_WITH(loss(batch, {.gradient = added.gradient, .hessian = hessian}, ctx),
                      "rankloss: hessian: this loss has none, expected an empty output");
  CHECK(added.gradient == std::vector<T>(n, T{7}));
  CHECK(hessian == std::vector<T>(n, T{7}));
}

TEMPLATE_TEST_CASE("lists: outputs are written as asked", "", float, double) {
  auto data = short_lists<TestType>(true);
  data.add(128);
  data.add(300);
  for (const list_loss& loss : list_losses()) {
    INFO(loss.name);
    for (const reduction how : reductions) writes_what_outputs_ask_for(loss, data.weighted(how));
    writes_what_outputs_ask_for(loss, list_batch<TestType>{});
  }
}

TEMPLATE_TEST_CASE("matrices: outputs are written as asked", "", float, double) {
  for (const auto& m : small_matrices<TestType>())
    for (const matrix_loss& loss : similarity_losses()) {
      if (!m.taken_by(loss)) continue;
      INFO(loss.name << ", " << m.rows << " x " << m.columns);
      for (const reduction how : reductions) writes_what_outputs_ask_for(loss, m.batch(how));
    }
}

std::vector<double> moved(std::vector<double> values, double factor, double added) {
  for (double& x : values) x = added + factor * x;
  return values;
}

TEMPLATE_TEST_CASE("preferences, policies and embeddings: outputs are written as asked", "", float, double) {
  using T = TestType;
  using other = std::conditional_t<std::is_same_v<T, float>, double, float>;
  context ctx;
  for (const auto& of : subjects<T>()) {
    INFO(of.name);
    const result<T> plain = run(of, ctx);
    const auto g = wide(plain.gradient), h = wide(plain.hessian);
    const std::size_t n = of.x.size();

    // Each alone.
    std::vector<T> gradient(n, static_cast<T>(nan)), hessian(h.size(), static_cast<T>(nan));
    std::vector<double> parts(of.parts, nan);
    CHECK(of({.gradient = gradient}, ctx) == plain.value);
    CHECK(of({.per_list = parts}, ctx) == plain.value);
    CHECK(of({.hessian = hessian}, ctx) == plain.value);
    CHECK(same_bits(gradient, plain.gradient));
    CHECK(same_bits(parts, plain.per_list));
    CHECK(same_bits(hessian, plain.hessian));

    // Scale and update are of gradient and hessian.
    CHECK(of({.gradient = gradient, .per_list = parts, .hessian = hessian, .scale = -2.5}, ctx) ==
          plain.value);
    CHECK(same_bits(parts, plain.per_list));
    CHECK(gap(wide(gradient), moved(g, -2.5, 0.0)) <= short_rounding<T>);
    CHECK(gap(wide(hessian), moved(h, -2.5, 0.0)) <= short_rounding<T>);
    gradient.assign(n, T{3});
    hessian.assign(h.size(), T{-5});
    CHECK(of({.gradient = gradient,
              .per_list = parts,
              .hessian = hessian,
              .scale = 0.5,
              .update = rankloss::update::add},
             ctx) == plain.value);
    CHECK(same_bits(parts, plain.per_list));
    CHECK(gap(wide(gradient), moved(g, 0.5, 3.0)) <= short_rounding<T>);
    CHECK(gap(wide(hessian), moved(h, 0.5, -5.0)) <= short_rounding<T>);
    of({.gradient = gradient, .hessian = hessian, .scale = 0.0}, ctx);
    CHECK(wide(gradient) == std::vector<double>(n, 0.0));
    CHECK(wide(hessian) == std::vector<double>(h.size(), 0.0));

    // Of the other type.
    std::vector<other> cast(n), cast_hessian(h.size());
    CHECK(of({.gradient = cast, .hessian = cast_hessian}, ctx) == plain.value);
    CHECK(gap(wide(cast), g) <= 1e-6);
    CHECK(gap(wide(cast_hessian), h) <= 1e-6);

    // What there is not is refused, and nothing is written.
    if (!of.of_any_size || !of.has_outputs) continue;
    std::vector<T> untouched(n, T{7}), more(n, T{7});
    if (!of.has_hessian)
      CHECK_THROWS_WITH(of({.gradient = untouched, .hessian = more}, ctx),
                        "rankloss: hessian: this loss has none, expected an empty output");
    CHECK_THROWS_WITH(of({.gradient = std::span(untouched).first(n - 1)}, ctx),
                      Catch::Matchers::StartsWith("rankloss: gradient: size "));
    CHECK_THROWS_WITH(of({.gradient = untouched, .scale = nan}, ctx),
                      "rankloss: scale: nan, expected a finite number");
    CHECK(untouched == std::vector<T>(n, T{7}));
    CHECK(more == std::vector<T>(n, T{7}));
  }
}

}  // namespace

}  // namespace promises_outputs_test
