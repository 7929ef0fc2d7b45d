// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/tree_grades.hpp>

#include <catch2/catch.hpp>

#include <vector>

namespace detail_data_tree_grades_test {

using rankloss::gain;
using rankloss::list;
using rankloss::detail::has_pair;
using rankloss::detail::takes_grade;

TEST_CASE("tree_grades: pairs and grades are told") {
  const std::vector<double> scores{1.0, 2.0, 3.0};
  const std::vector<int> grades{2, 0, 1};
  CHECK(has_pair(list<double, int>{{scores.data(), 3}, {grades.data(), 3}}));
  const std::vector<int> equal{1, 1, 1};
  CHECK_FALSE(has_pair(list<double, int>{{scores.data(), 3}, {equal.data(), 3}}));

  const std::vector<double> table{0.0, 1.0};
  CHECK(takes_grade(gain::exponential, {}, 31, 31));
  CHECK_FALSE(takes_grade(gain::exponential, {}, 31, 32));
  CHECK_FALSE(takes_grade(gain::exponential, {}, 31, 0.5));
  CHECK_FALSE(takes_grade(gain::exponential, {}, 31, -1));
  CHECK(takes_grade(gain::table, table, 31, 1));
  CHECK_FALSE(takes_grade(gain::table, table, 31, 2));
  CHECK(takes_grade(gain::linear, {}, 31, 0.5));
  CHECK_FALSE(takes_grade(gain::linear, {}, 31, -0.5));
}

}  // namespace detail_data_tree_grades_test
