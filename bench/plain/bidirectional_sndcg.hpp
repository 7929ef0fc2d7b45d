// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "sndcg.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace bench::plain {

/// bidirectional_sndcg: the yardstick of rankloss::bidirectional<rankloss::sndcg> on square matrices: every
/// row, then every column, by plain::sndcg. Columns are copied to where they are contiguous.
template <class T>
class bidirectional_sndcg {
 public:
  bidirectional_sndcg(double temperature, std::size_t rows)
      : loss_(temperature, rows), scores_(rows), relevance_(rows), gradient_(rows) {}

  /// The loss of one matrix; writes its gradient where that is not empty.
  double operator()(std::span<const T> similarity, std::span<const T> relevance, std::span<T> gradient) {
    const std::size_t n = scores_.size();
    const bool wanted = !gradient.empty();
    const double share = 0.5 / static_cast<double>(n);
    const std::span<T> list_gradient = wanted ? std::span<T>(gradient_) : std::span<T>();
    double sum = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      sum += loss_(similarity.subspan(i * n, n), relevance.subspan(i * n, n), list_gradient);
      if (wanted)
        for (std::size_t j = 0; j < n; ++j) gradient[i * n + j] = static_cast<T>(share) * gradient_[j];
    }
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < n; ++i) {
        scores_[i] = similarity[i * n + j];
        relevance_[i] = relevance[i * n + j];
      }
      sum += loss_(scores_, relevance_, list_gradient);
      if (wanted)
        for (std::size_t i = 0; i < n; ++i) gradient[i * n + j] += static_cast<T>(share) * gradient_[i];
    }
    return share * sum;
  }

 private:
  sndcg<T> loss_;
  std::vector<T> scores_, relevance_, gradient_;  // of one list
};

}  // namespace bench::plain
