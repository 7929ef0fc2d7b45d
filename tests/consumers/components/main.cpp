// SPDX-License-Identifier: BSL-1.0

#include <rankloss/hosts/eigen.hpp>
#include <rankloss/hosts/xtensor.hpp>
#include <rankloss/triplet.hpp>

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xtensor.hpp>
#endif

#include <cstdio>

// Both libraries in one program: the similarity is Eigen's, by columns, the gradient xtensor's, by rows. Row
// 0 and column 1 have a hinge of 0.7, column 0 and row 1 none.
int main() {
  Eigen::MatrixXf s(2, 2);
  s << 0.5f, 1.0f, -1.0f, 0.5f;
  xt::xtensor<float, 2> gradient = xt::xtensor<float, 2>::from_shape({2, 2});
  const double value =
      rankloss::evaluate(rankloss::triplet{.margin = 0.2}, rankloss::similarity_batch<float>{.similarity = s},
                         {.gradient = gradient});
  std::printf("value %g, gradient %g %g %g %g\n", value, static_cast<double>(gradient(0, 0)),
              static_cast<double>(gradient(0, 1)), static_cast<double>(gradient(1, 0)),
              static_cast<double>(gradient(1, 1)));
  const bool right = gradient(0, 0) == -0.25f && gradient(0, 1) == 0.5f && gradient(1, 0) == 0.0f &&
                     gradient(1, 1) == -0.25f;
  return right && value > 0.3499 && value < 0.3501 ? 0 : 1;
}
