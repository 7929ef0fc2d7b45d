// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/contiguous_items.hpp>

#include <rankloss/batch.hpp>
#include <rankloss/workspace.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <vector>

namespace detail_data_contiguous_items_test {

using rankloss::strided;
using rankloss::workspace;
using namespace rankloss::detail;

TEST_CASE("contiguous_items: columns are copied, arrays are read and written where they lie") {
  workspace scratch;
  std::vector<double> memory{1, -1, 2, -1, 3, -1};
  const strided<const double> plain(memory.data(), 6), column(memory.data(), 3, 2);
  CHECK(contiguous_items(plain, scratch) == memory.data());
  const double* const copy = contiguous_items(column, scratch);
  CHECK(std::vector<double>(copy, copy + 3) == std::vector<double>{1, 2, 3});

  CHECK(contiguous_output(strided<double>(), scratch) == nullptr);
  CHECK(contiguous_output(strided<double>(memory.data(), 6), scratch) == memory.data());
  const strided<double> out(memory.data() + 1, 3, 2);
  double* const to = contiguous_output(out, scratch);
  CHECK((to < memory.data() || to >= memory.data() + memory.size()));
  for (std::size_t i = 0; i < 3; ++i) to[i] = 10.0 * static_cast<double>(i);
  spread(to, out);
  CHECK(memory == std::vector<double>{1, 0, 2, 10, 3, 20});
  const std::vector<double> other(6, 7.0);
  spread(other.data(), strided<double>(memory.data(), 6));  // written where it belongs already
  spread(static_cast<const double*>(nullptr), strided<double>());
  CHECK(memory[0] == 1);
}

TEST_CASE("contiguous_items: clear writes 0 to what is wanted") {
  std::vector<double> memory(4, 3.0);
  clear(rankloss::list_outputs<double>{});
  clear(rankloss::list_outputs<double>{.gradient = {memory.data(), 2, 2}});
  CHECK(memory == std::vector<double>{0, 3, 0, 3});
  clear(
      rankloss::list_outputs<double>{.gradient = {memory.data() + 1, 1}, .hessian = {memory.data() + 3, 1}});
  CHECK(memory == std::vector<double>(4, 0.0));
}

}  // namespace detail_data_contiguous_items_test
