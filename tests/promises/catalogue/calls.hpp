// SPDX-License-Identifier: BSL-1.0
#pragma once

// How a loss of the catalogue is called, and all that a call gives.

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>

#include "data.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace promises {

/// All that a call gives.
template <class T>
struct result {
  double value = 0.0;
  std::vector<T> gradient, hessian;
  std::vector<double> per_list;
};

template <class T>
std::size_t items(const rankloss::list_batch<T>& batch) {
  return batch.scores.size();
}
template <class T>
std::size_t items(const rankloss::similarity_batch<T>& batch) {
  return batch.similarity.size();
}
template <class T>
std::size_t list_count(const rankloss::list_batch<T>& batch) {
  if (batch.length == 0) return batch.offsets.empty() ? 1 : batch.offsets.size() - 1;
  const std::size_t stride = std::max(batch.stride, batch.length);
  return (batch.scores.size() + stride - batch.length) / stride;
}
template <class T>
std::size_t list_count(const rankloss::similarity_batch<T>& batch) {
  return batch.rows + batch.columns;
}

enum class wanted { gradient, hessian };  // a loss may take another way for each

/// Calls a loss with buffers full of `fill`.
template <class Loss, class Batch>
result<typename Batch::score_type> run(const Loss& loss, const Batch& batch, wanted want,
                                       rankloss::context& ctx, double fill = nan) {
  using T = typename Batch::score_type;
  result<T> r;
  r.gradient.assign(items(batch), static_cast<T>(fill));
  r.hessian.assign(want == wanted::hessian ? items(batch) : 0, static_cast<T>(fill));
  r.per_list.assign(list_count(batch), fill);
  r.value = loss(batch, {.gradient = r.gradient, .per_list = r.per_list, .hessian = r.hessian}, ctx);
  return r;
}
template <class Loss, class Batch>
auto run(const Loss& loss, const Batch& batch, wanted want = wanted::gradient) {
  rankloss::context ctx;
  return run(loss, batch, want, ctx);
}

template <class Loss>
std::vector<wanted> offered(const Loss& loss) {
  return loss.has_hessian ? std::vector{wanted::gradient, wanted::hessian} : std::vector{wanted::gradient};
}

}  // namespace promises
