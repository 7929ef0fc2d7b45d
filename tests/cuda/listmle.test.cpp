// SPDX-License-Identifier: BSL-1.0
#include <rankloss/listmle.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

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
  cuda_support::agrees_at_every_length<listmle, double, double>({.temperature = 0.01});
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
    cuda_support::agrees(listmle{.temperature = 0.01}, in, ctx);
    cuda_support::agrees(listmle{.cutoff = 3, .weights = position_weights::exponential}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(1e200 * static_cast<double>(i % 3));
    cuda_support::agrees(listmle{.cutoff = 3000, .ties = tie_order::random, .seed = 1}, in, ctx);
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
    cuda_support::agrees(listmle{}, in, ctx);
    cuda_support::agrees(listmle{.cutoff = 3, .weights = position_weights::exponential}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(1e200 * static_cast<double>(i % 3));
    cuda_support::agrees(listmle{.ties = tie_order::random, .seed = 1}, in, ctx);
  }
}
TEST_CASE("cuda: listmle refuses exact ties") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<float, int>({20}, 3);
  CHECK_THROWS_WITH(cuda_support::on_device(listmle{.ties = tie_order::exact}, in, ctx),
                    "rankloss: ties: exact, expected stable or random on a device");
}

}  // namespace cuda_listmle_test
