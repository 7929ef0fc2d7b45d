// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/outputs.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace detail_data_outputs_test {

using namespace rankloss::detail;
using rankloss::outputs;
using rankloss::reduction;
using rankloss::update;
using rankloss::workspace;

namespace {

std::string refusal(const outputs& out) {
  try {
    check_outputs(out, 3, "one per score", 2, "one per list");
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("outputs: sizes and scale that do not fit are named") {
  std::vector<double> three(3), two(2);
  std::vector<float> narrow(3);
  CHECK(refusal({}).empty());
  CHECK(refusal({.gradient = three, .per_list = two, .hessian = narrow, .scale = -0.5}).empty());
  CHECK(refusal({.gradient = two}) == "rankloss: gradient: size 2, expected 3 (one per score)");
  CHECK(refusal({.hessian = two}) == "rankloss: hessian: size 2, expected 3 (one per score)");
  CHECK(refusal({.per_list = three}) == "rankloss: per_list: size 3, expected 2 (one per list)");
  CHECK(refusal({.scale = std::numeric_limits<double>::infinity()}) ==
        "rankloss: scale: inf, expected a finite number");
}

TEST_CASE("outputs: a matrix is an output where its rows follow each other as the scores do") {
  std::vector<double> memory(12);
  const rankloss::matrix_view<double> apart(memory.data(), 2, 3, 6, 1), columns(memory.data(), 2, 3, 1, 2);
  CHECK_NOTHROW(check_output("gradient", outputs{.gradient = apart}.gradient, 9, "one per score", 6));
  CHECK_THROWS_WITH(check_output("gradient", outputs{.gradient = columns}.gradient, 6, "one per score"),
                    Catch::StartsWith("rankloss: gradient: a matrix with strides 1 and 2, expected 3 and 1"));
}

TEMPLATE_TEST_CASE("outputs: a number replaces what is there or is added to it, and stays in the type", "",
                   float, double) {
  using T = TestType;
  constexpr T largest = std::numeric_limits<T>::max();
  T to = T{3};
  put(to, 0.5, update::add);
  CHECK(to == T(3.5));
  put(to, 0.5, update::overwrite);
  CHECK(to == T(0.5));
  put(to, std::numeric_limits<double>::infinity(), update::overwrite);
  CHECK(to == largest);
  put(to, static_cast<double>(largest), update::add);
  CHECK(to == largest);
  put(to, -0.0, update::overwrite);
  CHECK(std::signbit(to));
  put(to, -0.0, update::overwrite, 0.0);
  CHECK(!std::signbit(to));
}

TEST_CASE("outputs: sums are written by commit and not before, each times the factor") {
  std::vector<float> gradient{7, 7, 7};
  std::vector<double> hessian{7, 7, 7}, per_list{7, 7};
  const outputs out{
      .gradient = gradient, .per_list = per_list, .hessian = hessian, .scale = -2.0, .update = update::add};
  workspace scratch;
  const workspace::scope scope(scratch);
  const output_sums sums(out, 2, scratch);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(sums.gradient[i] == 0.0);
    CHECK(sums.hessian[i] == 0.0);
    sums.gradient[i] = static_cast<double>(i);
    sums.hessian[i] = 10.0;
  }
  sums.values[0] = 4.0;
  sums.values[1] = 8.0;
  CHECK(gradient == std::vector<float>{7, 7, 7});
  CHECK(per_list == std::vector<double>{7, 7});

  const auto weight = [](std::size_t k) { return k == 0 ? 1.5 : 0.5; };
  CHECK(sums.commit(weighted_mean(2, weight, reduction::sum), weight) == 10.0);
  CHECK(gradient == std::vector<float>{7, 5, 3});
  CHECK(hessian == std::vector<double>{-13, -13, -13});
  CHECK(per_list == std::vector<double>{4, 8});

  CHECK(sums.commit(weighted_mean(2, weight, reduction::mean), weight) == 5.0);
  CHECK(gradient == std::vector<float>{7, 4, 1});
}

TEST_CASE("outputs: what is not wanted is neither summed nor written") {
  workspace scratch;
  const workspace::scope scope(scratch);
  const outputs none{};
  const output_sums sums(none, 2, scratch);
  CHECK(sums.gradient.empty());
  CHECK(sums.hessian.empty());
  CHECK(sums.values.size() == 2);
  sums.commit(1.0);
}

TEST_CASE("outputs: without any weight all that is written is 0, without a sign") {
  std::vector<double> gradient{7};
  workspace scratch;
  const workspace::scope scope(scratch);
  const outputs out{.gradient = gradient, .scale = -1.0};
  const output_sums sums(out, 1, scratch);
  sums.gradient[0] = 5.0;
  sums.values[0] = 6.0;
  const auto weight = [](std::size_t) { return 0.0; };
  CHECK(sums.commit(weighted_mean(1, weight, reduction::mean), weight) == 0.0);
  CHECK(gradient[0] == 0.0);
  CHECK(!std::signbit(gradient[0]));
}

}  // namespace detail_data_outputs_test
