// SPDX-License-Identifier: BSL-1.0
#include <rankloss/listmle.hpp>

#include "cuda/support/draw_checks.hpp"
#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_listmle_test {

using rankloss::listmle;
using rankloss::position_weights;
using rankloss::tie_order;

TEST_CASE("cuda: listmle of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<listmle, float, int>({.ties = tie_order::random, .seed = 5});
}
TEST_CASE("cuda: listmle of floats") {
  cuda_support::keeps_the_promises_of_lists<listmle, float, int>(
      {.temperature = 0.5, .weights = position_weights::exponential});
}
TEST_CASE("cuda: listmle of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<listmle, double, double>({});
}
TEST_CASE("cuda: listmle of doubles that are far apart, at every length", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees_where_curvatures_cancel(
      listmle{.temperature = 0.01},
      cuda_support::lists_of_lengths<double, double>(cuda_support::all_lengths(4097), 1), ctx);
}
TEST_CASE("cuda: listmle of doubles") {
  cuda_support::keeps_the_promises_of_lists<listmle, double, double>({.cutoff = 20});
}
TEST_CASE("cuda: listmle of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<listmle, float, int>({.temperature = 0.5}, 4700);
}
TEST_CASE("cuda: listmle of long lists with random ties") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(listmle{.ties = tie_order::random, .seed = 3},
                       cuda_support::lists_of_lengths<float, int>({300, 4700, 5000}, 3), ctx);
}
TEST_CASE("cuda: listmle of long lists of doubles, with every option") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double spread : {1.0, 1e10}) {
    INFO("spread " << spread);
    auto in = cuda_support::lists_of_lengths<double, double>({4700}, 3, spread);
    cuda_support::agrees_where_curvatures_cancel(listmle{.temperature = 0.01}, in, ctx);
    cuda_support::agrees_where_curvatures_cancel(
        listmle{.cutoff = 3, .weights = position_weights::exponential}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(1e200 * static_cast<double>(i % 3));
    cuda_support::agrees_where_curvatures_cancel(
        listmle{.cutoff = 3000, .ties = tie_order::random, .seed = 1}, in, ctx);
  }
}
TEST_CASE("cuda: listmle of a list of 70 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(listmle{}, cuda_support::lists_of_lengths<float, int>({70000}, 3), ctx);
}
TEST_CASE("cuda: listmle with scores at any distance") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double spread : {1e-3, 10.0, 1e3, 1e10}) {
    INFO("spread " << spread);
    auto in = cuda_support::lists_of_lengths<double, double>({20, 70, 300}, 3, spread);
    cuda_support::agrees_where_curvatures_cancel(listmle{}, in, ctx);
    cuda_support::agrees_where_curvatures_cancel(
        listmle{.cutoff = 3, .weights = position_weights::exponential}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(1e200 * static_cast<double>(i % 3));
    cuda_support::agrees_where_curvatures_cancel(listmle{.ties = tie_order::random, .seed = 1}, in, ctx);
  }
}
TEST_CASE("cuda: listmle of floats near to each other and far apart") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  // Lists within 90 temperatures are computed by plain sums, others are not.
  for (const double spread : {0.0, 1e-3, 5.0, 25.0, 1e3, 1e10}) {
    INFO("spread " << spread);
    auto in = cuda_support::lists_of_lengths<float, int>({2, 20, 70, 300}, 3, spread);
    cuda_support::agrees_where_curvatures_cancel(listmle{}, in, ctx);
    cuda_support::agrees_where_curvatures_cancel(
        listmle{.cutoff = 30, .weights = position_weights::exponential}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(i % 5 == 0 ? 0.0 : std::pow(10.0, static_cast<double>(i % 61) - 30.0));
    cuda_support::agrees_where_curvatures_cancel(listmle{.ties = tie_order::random, .seed = 1}, in, ctx);
  }
  const auto in = cuda_support::lists_of_lengths<float, int>({5, 40, 300}, 3);
  for (const double t : {1e-9, 1e-6, 0.02, 1e6, 1e9}) {
    INFO("temperature " << t);
    cuda_support::agrees_where_curvatures_cancel(listmle{.temperature = t}, in, ctx);
  }
  auto far = in;
  far.scores[7] = 3e38f;
  far.scores[50] = -3e38f;
  cuda_support::agrees_where_curvatures_cancel(listmle{}, far, ctx);
  for (const double weight : {1e-300, 1e-30, 1e30}) {
    auto weighted = in;
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      weighted.item_weights.push_back(weight * static_cast<double>(i % 3));
    INFO("weights of " << weight);
    cuda_support::agrees_where_curvatures_cancel(listmle{}, weighted, ctx);
  }
}
TEST_CASE("cuda: listmle of floats in an order that is nearly certain") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const float gap : {3.0f, 9.0f, 15.0f})
    for (const std::size_t length : {2u, 7u}) {
      auto in = cuda_support::lists_of_lengths<float, int>({length}, 3);
      for (std::size_t i = 0; i < length; ++i) {
        in.relevance[i] = static_cast<int>(i * 5 % length);
        in.scores[i] = gap * static_cast<float>(in.relevance[i]);
      }
      INFO("gap " << gap << ", " << length << " items");
      const listmle loss{.cutoff = 5};
      cuda_support::agrees_where_the_order_is_certain(loss, in, ctx);
    }
}
TEST_CASE("cuda: listmle of floats of which some are drawn for certain") {
  cuda_support::agrees_where_draws_are_certain<listmle>();
}
TEST_CASE("cuda: listmle of lists whose last item, which is drawn for certain, weighs more than all others") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double great : {1e10, 1e20, 1e30}) {
    INFO("weight " << great);
    auto in = cuda_support::lists_of_lengths<double, double>({4}, 3);
    in.scores = {0.25, -1.5, 0.75, 1.25};
    in.relevance = {3, 2, 1, 0};
    in.item_weights = {1, 3, 2, great};
    cuda_support::agrees(listmle{}, in, ctx);
    cuda_support::host_lists<float, int> floats{.scores = {in.scores.begin(), in.scores.end()},
                                                .relevance = {in.relevance.begin(), in.relevance.end()},
                                                .offsets = in.offsets,
                                                .item_weights = in.item_weights};
    cuda_support::agrees(listmle{}, floats, ctx);
    floats.item_weights = in.item_weights = {0, 0, 0, great};
    CHECK(cuda_support::on_device(listmle{}, in, ctx).value == 0.0);
    CHECK(cuda_support::on_device(listmle{}, floats, ctx).value == 0.0);
  }
}
TEST_CASE("cuda: listmle of floats with relevance of 64 bits") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, double>({5, 40, 300, 4700}, 3);
  cuda_support::agrees(listmle{.ties = tie_order::random, .seed = 2}, in, ctx);
  for (std::size_t i = 0; i < in.relevance.size(); ++i)
    in.relevance[i] = 1.0 + static_cast<double>(i * 7 % 11) * 1e-12;
  cuda_support::agrees(listmle{}, in, ctx);
}
TEST_CASE("cuda: listmle refuses exact ties") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<float, int>({20}, 3);
  CHECK_THROWS_WITH(cuda_support::on_device(listmle{.ties = tie_order::exact}, in, ctx),
                    "rankloss: ties: exact, expected stable or random on a device");
}

}  // namespace cuda_listmle_test
