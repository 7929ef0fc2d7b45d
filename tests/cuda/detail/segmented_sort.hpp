// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <vector>

namespace cuda_detail_segmented_sort_test {

/// What is sorted, list after list.
template <class T>
struct sorted {
  std::vector<T> numbers;            // with indices
  std::vector<std::uint32_t> order;  // of these
  std::vector<T> alone;              // others, without indices
};

/// Sorts the lists that have at least `shortest` numbers. What is of no such list is 0.
template <class T>
sorted<T> sort(const std::vector<T>& numbers, const std::vector<T>& alone,
               const std::vector<std::int64_t>& offsets, std::uint32_t shortest);

/// The order of the numbers of one list, the greatest first.
template <class T>
std::vector<std::uint32_t> order_of(const std::vector<T>& numbers);

/// Sorts one list by `second`, of which two bytes count, and then by `first` where it is given; returns its
/// order.
std::vector<std::uint32_t> sort_by_bytes(const std::vector<std::uint32_t>& second,
                                         const std::vector<std::uint32_t>& first = {});

}  // namespace cuda_detail_segmented_sort_test
