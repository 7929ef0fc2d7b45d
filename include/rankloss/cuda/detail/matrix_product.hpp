// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// A product of matrices for a library to form: the matrix to = a b, or to + a b where it `adds`, of rows x columns
/// sums of so many terms. Matrices lie row after row, `apart` elements from a row to the next; an operand that is
/// `flipped` lies in memory as its transpose does.
template <class E, class T>
struct matrix_product {
  std::size_t rows, columns, terms;
  const E* a;
  std::size_t a_apart;
  bool a_flipped;
  const E* b;
  std::size_t b_apart;
  bool b_flipped;
  T* to;
  std::size_t to_apart;
  bool adds;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
