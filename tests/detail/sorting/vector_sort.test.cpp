// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/vector_sort.hpp>
#include <rankloss/workspace.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace detail_sorting_vector_sort_test {

namespace {

using arch = xsimd::default_arch;
using record = rankloss::detail::keyed<std::uint32_t, std::uint32_t>;
constexpr std::size_t w = rankloss::detail::lane_count<arch>;

/// Keys with payloads that are not their indices, against the standard library.
void check(const std::vector<std::uint32_t>& keys, rankloss::workspace& scratch) {
  std::vector<record> records, buffer(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    records.push_back({keys[i], static_cast<std::uint32_t>(7 * i + 3)});
  const std::span<record> found = rankloss::detail::sort_in_vectors<arch, record>(records, buffer, scratch);
  std::stable_sort(records.begin(), records.end(),
                   [](const record& a, const record& b) { return a.key < b.key; });
  REQUIRE(found.size() == records.size());
  const bool same =
      std::equal(found.begin(), found.end(), records.begin(),
                 [](const record& a, const record& b) { return a.key == b.key && a.payload == b.payload; });
  INFO(keys.size() << " records");
  CHECK(same);
}

}  // namespace

TEST_CASE("vector_sort: records of any number and any keys, equal ones in their order") {
  std::mt19937 random(1);
  rankloss::workspace scratch;
  std::vector<std::size_t> sizes{1, 2, 8 * w - 1, 8 * w, 8 * w + 1, 1000, 2048, 2049, 5000};
  for (std::size_t n = 3; n < 8 * w * w + 40; n += n < 70 ? 1 : 13) sizes.push_back(n);
  for (const std::size_t n : sizes) {
    std::vector<std::uint32_t> any(n), few(n), falling(n), ends(n);
    for (std::size_t i = 0; i < n; ++i) {
      any[i] = static_cast<std::uint32_t>(random());
      few[i] = static_cast<std::uint32_t>(random() % 3);
      falling[i] = static_cast<std::uint32_t>(n - i);
      ends[i] = random() % 2 == 0 ? 0u : 0xffffffffu;
    }
    check(any, scratch);
    check(few, scratch);
    check(falling, scratch);
    check(ends, scratch);
  }
}

TEST_CASE("vector_sort: sequences of zeros and ones, in any number of rows") {
  // A network that sorts all of them sorts every sequence; here it is a sample of them, and of each number of ones.
  std::mt19937 random(2);
  rankloss::workspace scratch;
  for (const std::size_t rows : {8u, 16u, 32u, 64u, 128u, 256u, 512u}) {
    const rankloss::workspace::scope scope(scratch);
    const std::span<double> at = scratch.take<double>(rows * w);
    for (const std::size_t filled : {rows, rows / 2 + 1, rows - 3})
      for (std::size_t turn = 0; turn < 64; ++turn) {
        const std::size_t n = filled * w, ones = random() % (n + 1);
        std::fill(at.begin(), at.end(), 2.0);
        for (std::size_t i = 0; i < n; ++i) at[i] = i < ones ? 1.0 : 0.0;
        std::shuffle(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(n), random);
        rankloss::detail::vector_sort<arch>(at.data(), rows, filled).run();
        bool right = true;
        for (std::size_t e = 0; e < rows * w; ++e)
          right = right && at[e % rows * w + e / rows] == (e < n - ones ? 0.0 : e < n ? 1.0 : 2.0);
        INFO(rows << " rows, " << filled << " of them filled, " << ones << " ones");
        CHECK(right);
      }
  }
}

TEST_CASE("vector_sort: exchanged lanes") {
  alignas(64) double from[w], to[w];
  for (std::size_t l = 0; l < w; ++l) from[l] = static_cast<double>(l);
  if constexpr (w > 1) {
    rankloss::detail::exchanged<w - 1, arch>(rankloss::detail::lanes<arch>::load_aligned(from))
        .store_aligned(to);
    for (std::size_t l = 0; l < w; ++l) CHECK(to[l] == from[w - 1 - l]);
    rankloss::detail::exchanged<1, arch>(rankloss::detail::lanes<arch>::load_aligned(from)).store_aligned(to);
    for (std::size_t l = 0; l < w; ++l) CHECK(to[l] == from[l ^ 1]);
  }
}

}  // namespace detail_sorting_vector_sort_test
