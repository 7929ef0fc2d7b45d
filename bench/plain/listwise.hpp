// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace bench::plain {

/// listnet: the yardstick of rankloss::listnet, its formula as one would write it by hand: the greatest
/// first, then exponentials and sums.
template <class T>
class listnet {
 public:
  explicit listnet(std::size_t longest) : p_(longest), q_(longest) {}

  double operator()(std::span<const T> scores, std::span<const T> relevance, std::span<T> gradient) {
    const std::size_t n = scores.size();
    const double log_sum = softmax(scores, p_);
    softmax(relevance, q_);
    double value = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      value += q_[i] * (log_sum - static_cast<double>(scores[i]));
      gradient[i] = static_cast<T>(p_[i] - q_[i]);
    }
    return value;
  }

 private:
  static double softmax(std::span<const T> x, std::vector<double>& p) {
    const T top = *std::max_element(x.begin(), x.end());
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += p[i] = static_cast<double>(std::exp(x[i] - top));
    for (std::size_t i = 0; i < x.size(); ++i) p[i] /= sum;
    return static_cast<double>(top) + std::log(sum);
  }

  std::vector<double> p_, q_;
};

/// listmle: the yardstick of rankloss::listmle: a stable sort by relevance, then sums of exponentials from
/// the end on and back.
template <class T>
class listmle {
 public:
  explicit listmle(std::size_t longest) : order_(longest), e_(longest), rest_(longest) {}

  double operator()(std::span<const T> scores, std::span<const T> relevance, std::span<T> gradient) {
    const std::size_t n = scores.size();
    const auto order = std::span(order_).first(n);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t i, std::uint32_t j) { return relevance[i] > relevance[j]; });
    const T top = *std::max_element(scores.begin(), scores.end());
    double sum = 0.0;
    double value = 0.0;
    for (std::size_t k = n; k-- > 0;) {
      const T below = scores[order[k]] - top;
      e_[k] = static_cast<double>(std::exp(below));
      rest_[k] = sum += e_[k];
      value += std::log(sum) - static_cast<double>(below);
    }
    double pull = 0.0;
    for (std::size_t k = 0; k < n; ++k) {
      pull += 1.0 / rest_[k];
      gradient[order[k]] = static_cast<T>(e_[k] * pull - 1.0);
    }
    return value;
  }

 private:
  std::vector<std::uint32_t> order_;
  std::vector<double> e_, rest_;
};

}  // namespace bench::plain
