// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

// What both builds of values.cpp take and give: plain memory, nothing of rankloss.

/// One case: lists of scored items, `length` each where it is not 0, else one list.
struct case_of_lists {
  std::string name;
  std::vector<double> scores;
  std::vector<int> relevance;
  std::vector<double> item_weights;  // or empty
  std::vector<unsigned char> mask;   // or empty
  std::size_t length = 0;
};

/// What one loss makes of one case: the value, then the gradient, or the message of the error.
struct result {
  std::string name;
  std::vector<double> numbers;
  std::string error;
  double digits = 1e-10;  // largest difference of two builds, by the largest of the numbers
};

using evaluate_all = std::vector<result>(const std::vector<case_of_lists>& cases);
evaluate_all plain_values;
evaluate_all fast_values;
