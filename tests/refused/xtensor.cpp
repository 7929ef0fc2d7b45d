// SPDX-License-Identifier: BSL-1.0

// What is refused of xtensor when it is compiled; see refused.cpp.

#include <rankloss/hosts/xtensor.hpp>

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

void cases() {
  const xt::xtensor<int, 1> grades{1, 0, 2, 0};
  xt::xtensor<float, 1> scores{1.0f, 2.0f, 3.0f, 4.0f};
#if defined(XTENSOR_EXPRESSION)
  (void)rankloss::list_batch<float, int>{.scores = scores + scores, .relevance = grades};
#elif defined(XTENSOR_VIEW_OF_EXPRESSION)
  (void)rankloss::list_batch<float, int>{.scores = xt::view(scores + scores, xt::range(0, 4)),
                                         .relevance = grades};
#elif defined(XTENSOR_DOUBLE_SCORES)
  const xt::xtensor<double, 1> wide = scores;
  (void)rankloss::list_batch<float, int>{.scores = xt::view(wide, xt::all()), .relevance = grades};
#elif defined(XTENSOR_CONST_GRADIENT)
  const xt::xtensor<float, 2> gradient = xt::xtensor<float, 2>::from_shape({4, 4});
  (void)rankloss::outputs{.gradient = xt::view(gradient, 1)};
#elif defined(XTENSOR_TEMPORARY_GRADIENT)
  (void)rankloss::outputs{.gradient = xt::xtensor<float, 2>::from_shape({4, 4})};
#else
  xt::xtensor<float, 2> matrix = xt::xtensor<float, 2>::from_shape({4, 4});
  (void)rankloss::list_batch<float, int>{.scores = xt::view(matrix, 1), .relevance = grades};
  (void)rankloss::similarity_batch<float>{.similarity = matrix};
  (void)rankloss::outputs{.gradient = xt::view(matrix, xt::range(0, 2))};
#endif
}
