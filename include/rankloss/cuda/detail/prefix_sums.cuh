// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/embedding_shape.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/scratch_behind.hpp>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/check_data.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// Losses of several prefixes of embeddings, as in Matryoshka representation learning: weighted sums of the values
/// and derivatives of one prefix after the other.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// What one prefix gives, and what it is added to.
template <class T>
struct prefix_part {
  std::size_t prefix;        ///< components; 0: nothing is added
  std::size_t dimension;     ///< of all
  double weight;             ///< of the values; derivatives have it
  const T* row_gradient;     ///< [rows, prefix]
  const T* column_gradient;  ///< [columns or fewer, prefix]
  const double* per_list;
  const double* by_temperature;
  const double* by_bias;
  const double* values;  ///< [prefixes] up to this one
  std::size_t number;    ///< of prefixes up to this one
  bool first, last;
  embedding_outputs<T> out;

  [[nodiscard]] __device__ bool is_bad() const {
    bool bad = false;
    for (std::size_t k = 0; k < number; ++k) bad = bad || is_nan(values[k]);
    return bad;
  }
};

/// Adds what a prefix gives; behind the last one all is NaN where a number of the batch is bad.
template <class T>
__global__ void __launch_bounds__(reduce_threads) add_prefix(const prefix_part<T> part) {
  const embedding_outputs<T>& out = part.out;
  const std::size_t from = std::size_t{blockIdx.x} * reduce_threads + threadIdx.x;
  const std::size_t apart = std::size_t{gridDim.x} * reduce_threads;
  const bool bad = part.last && part.is_bad();
  const update how = part.first ? out.update : update::add;
  const auto add = [&](const device_span<T>& to, const T* own) {
    for (std::size_t n = from; n < to.size(); n += apart) {
      const std::size_t k = n / part.dimension, c = n % part.dimension;
      const double x = c < part.prefix ? static_cast<double>(own[k * part.prefix + c]) : 0.0;
      if (bad)
        to[n] = not_a_number<T>;
      else
        put_number(to[n], x, how);
    }
  };
  add(out.row_gradient, part.row_gradient);
  add(out.column_gradient, part.column_gradient);
  for (std::size_t l = from; l < out.per_list.size(); l += apart) {
    const double x = part.prefix > 0 ? held_as<double>(part.weight * part.per_list[l]) : 0.0;
    if (bad)
      out.per_list[l] = not_a_number<double>;
    else
      put_number(out.per_list[l], x, part.first ? update::overwrite : update::add);
  }
  if (from != 0) return;
  const auto add_number = [&](const device_span<double>& to, const double* own, double weight, update as) {
    if (to.empty()) return;
    if (bad)
      to[0] = not_a_number<double>;
    else
      put_number(to[0], part.prefix > 0 ? held_as<double>(weight * *own) : 0.0, as);
  };
  const double* const value = part.number > 0 ? part.values + (part.number - 1) : nullptr;
  add_number(out.value, value, part.weight, part.first ? update::overwrite : update::add);
  add_number(out.temperature_gradient, part.by_temperature, 1.0, how);
  add_number(out.bias_gradient, part.by_bias, 1.0, how);
}

/// The same batch with the first components of its vectors.
template <class T>
[[nodiscard]] embedding_batch<T> with_prefix(const embedding_batch<T>& batch, std::size_t k) {
  embedding_batch<T> own = batch;
  own.row_stride = batch.row_stride > 0 ? batch.row_stride : batch.dimension;
  if (!compares_with_itself(batch))
    own.column_stride = batch.column_stride > 0 ? batch.column_stride : batch.dimension;
  own.dimension = static_cast<std::size_t>(batch.prefixes[k]);
  own.prefixes = {};
  own.prefix_weights = {};
  return own;
}

/// Where what a prefix gives lies in scratch.
template <class T>
struct prefix_plan : scratch_plan {
  explicit prefix_plan(const embedding_batch<T>& batch)
      : values(take<double>(batch.prefixes.size())),
        by_temperature(take<double>(1)),
        by_bias(take<double>(1)),
        per_list(take<double>(batch.rows + columns_of(batch))) {
    std::size_t longest = 0;
    for (std::size_t k = 0; k < batch.prefixes.size(); ++k)
      longest = std::max(longest, static_cast<std::size_t>(batch.prefixes[k]));
    row_gradient = take<T>(batch.rows * longest);
    column_gradient = take<T>(compares_with_itself(batch) ? 0 : batch.columns * longest);
  }
  std::size_t values, by_temperature, by_bias, per_list, row_gradient, column_gradient;
};

/// Bytes of scratch: `bytes(batch)` of the call without prefixes.
template <class T, class Bytes>
[[nodiscard]] std::size_t bytes_of_prefixes(const embedding_batch<T>& batch, const Bytes& bytes) {
  if (batch.prefixes.empty()) return bytes(batch);
  std::size_t most = 0;
  for (std::size_t k = 0; k < batch.prefixes.size(); ++k) most = std::max(most, bytes(with_prefix(batch, k)));
  return prefix_plan<T>(batch).bytes + most;
}

/// Calls run(batch, outputs) for the batch, or for each prefix of weight above 0, and sums up.
template <class T, class Bytes, class Run>
void run_prefixes(const embedding_batch<T>& batch, const embedding_outputs<T>& out, context& ctx,
                  const Bytes& bytes, const Run& run) {
  if (batch.prefixes.empty()) return run(batch, out);
  rankloss::detail::check_weights("prefix_weights", batch.prefix_weights, batch.prefixes.size(), "prefix",
                                  ctx.checks == data_checks::on);
  const prefix_plan<T> to(batch);
  ctx.reserve(ctx.held() + bytes_of_prefixes(batch, bytes));
  void* const memory = ctx.scratch(to.bytes);
  const scratch_behind rest(ctx, to.bytes);
  const auto weight = [&](std::size_t k) {
    return batch.prefix_weights.empty() ? 1.0 : batch.prefix_weights[k];
  };
  std::size_t all = 0;
  for (std::size_t k = 0; k < batch.prefixes.size(); ++k) all += weight(k) > 0.0 ? 1 : 0;

  const std::size_t d = batch.dimension, columns = d > 0 ? out.column_gradient.size() / d : 0;
  auto* const values = scratch_plan::at<double>(memory, to.values);
  auto* const row_gradient = scratch_plan::at<T>(memory, to.row_gradient);
  auto* const column_gradient = scratch_plan::at<T>(memory, to.column_gradient);
  auto* const per_list = scratch_plan::at<double>(memory, to.per_list);
  auto* const by_temperature = scratch_plan::at<double>(memory, to.by_temperature);
  auto* const by_bias = scratch_plan::at<double>(memory, to.by_bias);
  const std::size_t most =
      std::max({out.row_gradient.size(), out.column_gradient.size(), out.per_list.size(), std::size_t{1}});
  const auto add = [&](std::size_t prefix, double own_weight, std::size_t number) {
    launch("add_prefix", add_prefix<T>,
           static_cast<unsigned>(std::min(most_blocks, (most + reduce_threads - 1) / reduce_threads)),
           reduce_threads, 0, ctx.stream(),
           prefix_part<T>{.prefix = prefix,
                          .dimension = d,
                          .weight = own_weight,
                          .row_gradient = row_gradient,
                          .column_gradient = column_gradient,
                          .per_list = per_list,
                          .by_temperature = by_temperature,
                          .by_bias = by_bias,
                          .values = values,
                          .number = number,
                          .first = number <= 1,
                          .last = number == all,
                          .out = out});
  };
  if (all == 0) return add(0, 0.0, 0);
  std::size_t number = 0;
  for (std::size_t k = 0; k < batch.prefixes.size(); ++k) {
    if (!(weight(k) > 0.0)) continue;
    const embedding_batch<T> own = with_prefix(batch, k);
    const auto numbers = [](double* at, const device_span<double>& wanted) {
      return device_span<double>(at, wanted.size());
    };
    run(own,
        embedding_outputs<T>{.value = device_span<double>(values + number, 1),
                             .row_gradient = device_span<T>(
                                 row_gradient, out.row_gradient.empty() ? 0 : batch.rows * own.dimension),
                             .column_gradient = device_span<T>(column_gradient, columns * own.dimension),
                             .per_list = numbers(per_list, out.per_list),
                             .scale = rankloss::detail::held_as<double>(weight(k) * out.scale),
                             .temperature_gradient = numbers(by_temperature, out.temperature_gradient),
                             .bias_gradient = numbers(by_bias, out.bias_gradient)});
    ++number;
    add(own.dimension, weight(k), number);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
