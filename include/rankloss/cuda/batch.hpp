// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/device_span.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::cuda {

/// list_batch: lists of scored items in the memory of a device. Its fields mean what those of the
/// rankloss::list_batch of the same names mean; only `longest` is new.
///
/// Offsets and lengths are in the memory of the device, so the host knows no list's length. It plans for
/// lists of up to `longest` items; a list that has more is an error that `context::check` reports. A small
/// bound spares launches and scratch, and changes no result.
template <score T, relevance_number Relevance = T>
struct list_batch {
  using score_type = T;
  using relevance_type = Relevance;

  device_span<const T> scores;             ///< [items] any finite number; infinities as each loss documents
  device_span<const Relevance> relevance;  ///< [items] grade or gain, as each loss documents
  device_indices offsets{};                ///< [lists + 1] non-decreasing, from 0 to the number of items
  device_reals list_weights{};             ///< [lists] >= 0, finite; empty: all 1
  device_reals item_weights{};             ///< [items] >= 0, finite; empty: all 1
  std::size_t length = 0;                  ///< dense form: items in each list; 0: ragged form
  std::size_t stride = 0;                  ///< dense form: items from a list to the next; 0: length
  device_indices lengths{};                ///< [lists] dense form: items that count; empty: all
  device_flags mask{};                     ///< [items] zero: the item takes no part; empty: all count
  rankloss::reduction reduction = rankloss::reduction::mean;
  std::size_t longest = 0;  ///< ragged form: no list has more items; 0: any list may have all of them
};

/// score_batch: lists of scores in the memory of a device, for functions over scores alone, such as `rank`. Its
/// fields mean what those of a list_batch mean. Elements that belong to no item, because of a mask or of
/// lengths, are 0 in what such a function writes.
template <score T>
struct score_batch {
  using score_type = T;

  device_span<const T> scores;  ///< [items] any number but NaN
  device_indices offsets{};     ///< [lists + 1] non-decreasing, from 0 to the number of items
  std::size_t length = 0;       ///< dense form: items in each list; 0: ragged form
  std::size_t stride = 0;       ///< dense form: items from a list to the next; 0: length
  device_indices lengths{};     ///< [lists] dense form: items that count; empty: all
  device_flags mask{};          ///< [items] zero: the item takes no part; empty: all count
  std::size_t longest = 0;      ///< ragged form: no list has more items; 0: any list may have all of them
};

/// outputs: what `evaluate` writes, all of it to the memory of a device. Empty outputs are not written.
///
/// Gradient and Hessian have the type and the layout of the scores; a loss has a Hessian where docs/cuda.md says
/// so. `scale`, `update` and the derivatives by options, which some losses of matrices have, are those of
/// rankloss::outputs. Outputs must not overlap inputs or each other.
template <score T>
struct outputs {
  device_span<double> value{};                            ///< [1] the value of the batch
  device_span<T> gradient{};                              ///< [items] scale * d(value) / d(score)
  device_span<double> per_list{};                         ///< [lists] the values of the lists
  device_span<T> hessian{};                               ///< [items] scale * d2(value) / d(score)^2, the diagonal
  double scale = 1.0;                                     ///< factor on the derivatives, not on per_list
  rankloss::update update = rankloss::update::overwrite;  ///< of the derivatives
  device_span<double> temperature_gradient{};             ///< [1] scale * d(value) / d(temperature)
  device_span<double> bias_gradient{};                    ///< [1] scale * d(value) / d(bias)
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda
