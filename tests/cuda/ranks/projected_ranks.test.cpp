// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/projected_ranks.hpp>

#include "cuda/support/projection_checks.hpp"
#include "cuda/support/rank_checks.hpp"

#include <catch2/catch.hpp>

#include <type_traits>
#include <vector>

namespace cuda_ranks_projected_ranks_test {

using rankloss::projected_ranks;
using rankloss::regularization;
using rankloss::sort_direction;

namespace {

/// In both forms and both directions.
template <class Check>
void in_every_form(Check check) {
  for (const auto form : {regularization::quadratic, regularization::entropic})
    for (const auto direction : {sort_direction::descending, sort_direction::ascending}) {
      INFO("form " << static_cast<int>(form) << ", direction " << static_cast<int>(direction));
      check(form, direction);
    }
}

}  // namespace

TEST_CASE("cuda: projected_ranks at every length", "[lengths]") {
  SECTION("quadratic, of floats") {
    cuda_support::agrees_at_every_length<projected_ranks, float>({.temperature = 0.05});
  }
  SECTION("quadratic, of doubles") {
    cuda_support::agrees_at_every_length<projected_ranks, double>({.temperature = 0.005});
  }
  SECTION("entropic, of floats") {
    cuda_support::agrees_at_every_length<projected_ranks, float>(
        {.temperature = 0.1, .regularization = regularization::entropic});
  }
  SECTION("entropic, of doubles") {
    cuda_support::agrees_at_every_length<projected_ranks, double>(
        {.temperature = 0.5, .regularization = regularization::entropic});
  }
}
TEMPLATE_TEST_CASE("cuda: projected_ranks", "", float, double) {
  cuda_support::keeps_the_promises_of_ranks<projected_ranks, TestType>({.temperature = 0.1});
}
TEST_CASE("cuda: projected_ranks, entropic") {
  cuda_support::keeps_the_promises_of_ranks<projected_ranks, double>(
      {.temperature = 0.1, .regularization = regularization::entropic});
}

TEMPLATE_TEST_CASE("cuda: projected_ranks of scores whose blocks are of every size", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::shapes_of_gaps<TestType>(400);
  in_every_form([&](auto form, auto direction) {
    for (const double t : {0.3, 3.0})
      cuda_support::agrees(
          projected_ranks{.temperature = t, .direction = direction, .base = 0.5, .regularization = form}, in,
          ctx, {cuda_support::asked::values, cuda_support::asked::pullback});
  });
}

TEST_CASE("cuda: projected_ranks of long lists") {
  SECTION("quadratic, of floats") {
    cuda_support::keeps_the_promises_of_long_ranks<projected_ranks, float>({.temperature = 0.01}, 4200);
  }
  SECTION("entropic, of doubles") {
    const cuda_support::stream own;
    rankloss::cuda::context ctx(own);
    cuda_support::agrees(projected_ranks{.temperature = 0.1, .regularization = regularization::entropic},
                         cuda_support::scores_of_lengths<double>({4700}, 3), ctx);
  }
}
TEST_CASE("cuda: projected_ranks of long lists whose blocks are of every size", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::shapes_of_gaps<double>(5000);  // three tiles
  in_every_form([&](auto form, auto direction) {
    cuda_support::agrees(
        projected_ranks{.temperature = 1.0, .direction = direction, .base = 0.5, .regularization = form}, in,
        ctx, {cuda_support::asked::pullback});
  });
}
TEST_CASE("cuda: projected_ranks of 100 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(projected_ranks{.temperature = 1e-3},
                       cuda_support::scores_of_lengths<float>({100000}, 3), ctx,
                       {cuda_support::asked::pullback});
}

TEST_CASE("cuda: projected_ranks with outliers, ties and blocks that just meet") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  in_every_form([&](auto form, auto direction) {
    for (const auto& in : {cuda_support::outliers(500), cuda_support::few_values(500)})
      for (const double t : {0.1, 100.0}) {
        INFO("temperature " << t);
        cuda_support::agrees(
            projected_ranks{.temperature = t, .direction = direction, .regularization = form}, in, ctx,
            {cuda_support::asked::values, cuda_support::asked::pullback});
      }
  });
  // Of floats those whose distances take few binary places are pooled by whole numbers, and others by states.
  for (const auto direction : {sort_direction::descending, sort_direction::ascending})
    for (const auto& in : {cuda_support::outliers<float>(500), cuda_support::few_values<float>(500),
                           cuda_support::scores_of_lengths<float>({1, 2, 33, 700, 2000}, 15)})
      for (const double t : {1e-12, 1e-6, 1e-3, 0.1, 3.0, 100.0, 1e30}) {
        INFO("floats, temperature " << t);
        cuda_support::agrees(projected_ranks{.temperature = t, .direction = direction, .base = 0.0}, in, ctx,
                             {cuda_support::asked::values, cuda_support::asked::pullback});
      }
  // Two that meet between many that are further apart than distances are summed up exactly.
  auto far = cuda_support::scores_of_lengths<double>({32}, 3);
  for (std::size_t p = 0; p < 32; ++p)
    far.lists.scores[p] = 1e305 * (p < 15   ? 16.0 - static_cast<double>(p)
                                   : p < 17 ? 0.0
                                            : 16.0 - static_cast<double>(p));
  for (const auto direction : {sort_direction::descending, sort_direction::ascending})
    cuda_support::agrees(projected_ranks{.temperature = 1.0, .direction = direction}, far, ctx);
  // Scores that are a temperature apart have blocks of one item each, which just meet.
  const auto just_meet = [&ctx](auto apart) {
    using T = std::remove_cvref_t<decltype(apart.lists.scores[0])>;
    for (std::size_t i = 0; i < 300; ++i) apart.lists.scores[i] = static_cast<T>(i * 7 % 300);
    cuda_support::agrees(projected_ranks{}, apart, ctx);
    for (const T g : cuda_support::on_device(projected_ranks{}, cuda_support::asked::pullback, apart, ctx))
      CHECK(g == T{0});
  };
  just_meet(cuda_support::scores_of_lengths<double>({300}, 3));
  just_meet(cuda_support::scores_of_lengths<float>({300}, 3));
}

}  // namespace cuda_ranks_projected_ranks_test
