// SPDX-License-Identifier: BSL-1.0

// What is refused when it is compiled. Each case is compiled by itself with its name defined, and the message
// is looked for; without a name all of this compiles.

#include <rankloss/batch.hpp>

#include <cstdint>
#include <vector>

struct
    matrix {  // as a library of matrices has it: data() and size(), but its elements are not one behind the other
  [[nodiscard]] const float* data() const { return values; }
  [[nodiscard]] long size() const { return 4; }
  [[nodiscard]] long innerStride() const { return 2; }
  float values[8];
};

void cases() {
  const std::vector<float> scores(4);
  const std::vector<int> grades(4);
  std::vector<float> gradient(4);
  std::vector<double> per_list(1);
#if defined(CONST_OUTPUT)
  (void)rankloss::outputs{.gradient = scores};
#elif defined(INT_OUTPUT)
  std::vector<int> whole(4);
  (void)rankloss::outputs{.gradient = whole};
#elif defined(LONG_DOUBLE_OUTPUT)
  std::vector<long double> wide(4);
  (void)rankloss::outputs{.gradient = {wide.data(), wide.size()}};
#elif defined(TEMPORARY_OUTPUT)
  (void)rankloss::outputs{.gradient = std::vector<float>(4)};
#elif defined(FLOAT_PER_LIST)
  (void)rankloss::outputs{.per_list = gradient};
#elif defined(DOUBLE_SCORES)
  (void)rankloss::list_batch<double, int>{.scores = scores, .relevance = grades};
#elif defined(MATRIX_SCORES)
  const matrix columns{};
  (void)rankloss::list_batch<float, int>{.scores = columns, .relevance = grades};
#elif defined(BIT_MASK)
  const std::vector<bool> mask(4);
  (void)rankloss::list_batch<float, int>{.scores = scores, .relevance = grades, .mask = mask};
#elif defined(INT_MASK)
  (void)rankloss::list_batch<float, int>{.scores = scores, .relevance = grades, .mask = grades};
#elif defined(FLOAT_OFFSETS)
  (void)rankloss::list_batch<float, int>{.scores = scores, .relevance = grades, .offsets = scores};
#elif defined(INT_WEIGHTS)
  (void)rankloss::list_batch<float, int>{.scores = scores, .relevance = grades, .item_weights = grades};
#elif defined(LONG_DOUBLE_BATCH)
  (void)rankloss::list_batch<long double, int>{};
#elif defined(LONG_DOUBLE_GRADES)
  (void)rankloss::list_batch<double, long double>{};
#elif defined(TEMPORARY_SCORES)
  const rankloss::list_batch<float, int> batch{.scores = std::vector<float>(4), .relevance = grades};
  (void)batch;
#else
  const std::vector<std::uint8_t> mask(4);
  (void)rankloss::list_batch<float, int>{
      .scores = scores, .relevance = {grades.data(), 4}, .mask = {mask.data(), mask.size()}};
  (void)rankloss::outputs{.gradient = {gradient.data(), 4}, .per_list = per_list};
#endif
}
