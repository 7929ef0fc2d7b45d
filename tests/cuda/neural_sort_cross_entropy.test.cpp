// SPDX-License-Identifier: BSL-1.0
#include <rankloss/neural_sort_cross_entropy.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <type_traits>

// Items of equal relevance share their rows, so the band of the relevance grows with the square of their
// number.
template <>
inline constexpr unsigned cuda_support::grades_of_long_lists<rankloss::neural_sort_cross_entropy> = 2000;

namespace cuda_neural_sort_cross_entropy_test {

using rankloss::neural_sort_cross_entropy;

// Items of equal relevance share their rows, so the band of the relevance grows with the square of the length.
constexpr std::size_t longest = 1025;
constexpr neural_sort_cross_entropy loss{.temperature = 0.2, .relevance_temperature = 0.5};

TEST_CASE("cuda: neural_sort_cross_entropy of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<neural_sort_cross_entropy, float, int>(loss, longest);
}
TEST_CASE("cuda: neural_sort_cross_entropy of floats") {
  cuda_support::keeps_the_promises_of_lists<neural_sort_cross_entropy, float, int>(loss, 700);
}
TEST_CASE("cuda: neural_sort_cross_entropy of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<neural_sort_cross_entropy, double, double>(loss, longest);
}
TEST_CASE("cuda: neural_sort_cross_entropy of doubles") {
  cuda_support::keeps_the_promises_of_lists<neural_sort_cross_entropy, double, double>(loss, 700);
}

TEST_CASE("cuda: neural_sort_cross_entropy of long lists of floats") {
  cuda_support::keeps_the_promises_of_long_lists<neural_sort_cross_entropy, float, int>({0.003, 3.0}, 4200,
                                                                                        1000);
}
TEST_CASE("cuda: neural_sort_cross_entropy of long lists of doubles") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({4200, 300, 5000}, 3);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    if (i % 3 != 0) in.relevance[i] = static_cast<double>(i * 7919 % 5003) * 1e-3;
  for (std::size_t i = 4500; i < in.scores.size(); i += 700) in.scores[i] = i % 1400 == 0 ? 1e6 : -1e6;
  cuda_support::agrees(neural_sort_cross_entropy{0.005, 0.002}, in, ctx);
  in.relevance[4600] = 1e300;
  in.scores[4700] = std::numeric_limits<double>::infinity();
  cuda_support::agrees(neural_sort_cross_entropy{0.1, 1e-5}, in, ctx);
}

TEMPLATE_TEST_CASE("cuda: neural_sort_cross_entropy at every temperature", "", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<T, R>({1, 2, 7, 33, 65}, 3);
  for (const double t : {1e-3, 0.5, 30.0})
    for (const double relevance : {1e-3, 3.0}) {
      INFO("temperatures " << t << ", " << relevance);
      cuda_support::agrees(neural_sort_cross_entropy{t, relevance}, in, ctx);
    }
}

TEST_CASE("cuda: neural_sort_cross_entropy of equal scores, outliers and infinite ones") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({20, 40, 70, 30}, 5);
  for (std::size_t i = 0; i < 20; ++i) in.scores[i] = i < 17 ? 3.0 : 2.5;
  in.scores[20] = 1e300;
  in.scores[21] = -1e300;
  in.scores[60] = in.scores[61] = in.scores[62] = std::numeric_limits<double>::infinity();
  in.scores[70] = in.scores[71] = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 130; i < 160; ++i) in.relevance[i] = -1e10 * static_cast<double>(i);
  cuda_support::agrees(neural_sort_cross_entropy{0.5, 1.0}, in, ctx);
  cuda_support::agrees(neural_sort_cross_entropy{0.5, 1e10}, in, ctx);
}

}  // namespace cuda_neural_sort_cross_entropy_test
