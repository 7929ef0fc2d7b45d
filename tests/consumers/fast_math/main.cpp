// SPDX-License-Identifier: BSL-1.0

// The same losses, compiled with a flag such as -ffast-math and without it, in one program: values, gradients and errors agree.

#include "values.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

namespace {

std::vector<case_of_lists> make_cases() {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  const auto drawn = [&](std::string name, std::size_t size, double spread) {
    case_of_lists one;
    one.name = std::move(name);
    for (std::size_t i = 0; i < size; ++i) {
      one.scores.push_back(static_cast<float>(spread * normal(random)));
      one.relevance.push_back(static_cast<int>(random() % 3));
    }
    return one;
  };
  std::vector<case_of_lists> cases;
  cases.push_back({.name = "by hand", .scores = {0.5, 2.0, -1.0, 0.25}, .relevance = {2, 0, 1, 1}, .item_weights = {}, .mask = {}});
  cases.push_back({.name = "ties and zeros of both signs",
                   .scores = {1.0, 1.0, 0.0, -0.0, 0.0, -0.0, 1.0, -1.0, 2.0},
                   .relevance = {1, 0, 2, 0, 1, 2, 2, 1, 0},
                   .item_weights = {},
                   .mask = {}});
  cases.push_back({.name = "infinite scores",
                   .scores = {infinity, 0.5, -infinity, 1.0, infinity, -infinity, -0.5, 0.25, 0.0},
                   .relevance = {1, 0, 2, 1, 0, 1, 2, 0, 0},
                   .item_weights = {},
                   .mask = {}});
  cases.push_back(
      {.name = "scores at the ends", .scores = {1e300, -1e300, 1e-300, 0.0, 3e38, -3e38}, .relevance = {1, 0, 2, 1, 0, 1}, .item_weights = {}, .mask = {}});
  case_of_lists padded = drawn("padded lists with weights", 8 * 13, 1.0);
  padded.length = 13;
  for (std::size_t i = 0; i < padded.scores.size(); ++i) {
    padded.item_weights.push_back(0.25 * static_cast<double>(i % 5));
    padded.mask.push_back(i % 13 < 1 + i / 13 ? 1 : 0);
    if (padded.mask.back() == 0) padded.scores[i] = i % 2 == 0 ? std::numeric_limits<double>::quiet_NaN() : infinity;
  }
  cases.push_back(padded);
  cases.push_back(drawn("a list that is scanned", 90, 20.0));
  cases.push_back(drawn("a list in cells", 300, 1.0));
  cases.push_back(drawn("a long list", 1500, 3.0));
  case_of_lists clustered = drawn("far clusters", 600, 0.01);
  for (std::size_t i = 0; i < clustered.scores.size(); i += 3) clustered.scores[i] += i % 2 == 0 ? 100.0 : -1e4;
  cases.push_back(clustered);
  case_of_lists bad = drawn("a NaN", 40, 1.0);
  bad.scores[17] = std::numeric_limits<double>::quiet_NaN();
  cases.push_back(bad);
  return cases;
}

bool agree(const result& plain, const result& fast) {
  if (plain.name != fast.name || plain.error != fast.error || plain.numbers.size() != fast.numbers.size()) {
    std::printf("%s: error '%s', %zu numbers; with the flag %s: '%s', %zu\n", plain.name.c_str(), plain.error.c_str(), plain.numbers.size(),
                fast.name.c_str(), fast.error.c_str(), fast.numbers.size());
    return false;
  }
  double largest = 0.0;
  for (const double x : plain.numbers)
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < plain.numbers.size(); ++i) {
    const double a = plain.numbers[i];
    const double b = fast.numbers[i];
    const double scale = i == 0 ? std::abs(a) : largest;
    if (a == b || std::abs(a - b) <= plain.digits * std::max(scale, 1e-3)) continue;
    std::printf("%s: number %zu is %.12g, with the flag %.12g\n", plain.name.c_str(), i, a, b);
    return false;
  }
  return true;
}

}  // namespace

int main() {
  const std::vector<case_of_lists> cases = make_cases();
  const std::vector<result> plain = plain_values(cases);
  const std::vector<result> fast = fast_values(cases);
  std::size_t apart = plain.size() == fast.size() ? 0 : 1;
  std::size_t errors = 0;
  for (std::size_t k = 0; k < std::min(plain.size(), fast.size()); ++k) {
    apart += agree(plain[k], fast[k]) ? 0 : 1;
    errors += plain[k].error.empty() ? 0 : 1;
  }
  std::printf("%zu results, %zu of them errors, %zu differ\n", plain.size(), errors, apart);
  return apart == 0 && errors > 0 && plain.size() > errors ? 0 : 1;
}
