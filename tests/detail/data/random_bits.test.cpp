// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/random_bits.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace detail_data_random_bits_test {

namespace {

constexpr std::uint64_t seed = 0x0123456789abcdefu, number = 0xfedcba9876543210u;

std::vector<std::uint32_t> bits_of(std::uint64_t of_seed, std::uint64_t list, std::size_t n) {
  std::vector<std::uint32_t> bits(n + 1, 7u);  // and one that is not to be written
  rankloss::detail::random_bits(of_seed, list, std::span(bits).first(n));
  CHECK(bits.back() == 7u);
  bits.pop_back();
  return bits;
}

TEST_CASE("random_bits: item i is word i % 4 of the philox block (i / 4, all ones, list) under the seed") {
  for (std::size_t n = 0; n <= 13; ++n) {
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < n; ++i)
      expected.push_back(rankloss::philox({i / 4, 0xffffffffu, 0x76543210u, 0xfedcba98u},
                                          {0x89abcdefu, 0x01234567u})[i % 4]);
    CHECK(bits_of(seed, number, n) == expected);
  }
}

TEST_CASE("random_bits: every half of the seed and of the list's number counts") {
  std::set<std::vector<std::uint32_t>> all;
  for (const std::uint64_t change : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32}) {
    all.insert(bits_of(seed ^ change, number, 6));
    all.insert(bits_of(seed, number ^ change, 6));
  }
  CHECK(all.size() == 5);
}

TEST_CASE("random_bits: none of a random_stream's numbers") {
  rankloss::random_stream stream(5, 3);
  std::vector<std::uint32_t> drawn;
  for (int i = 0; i < 1000; ++i) drawn.push_back(stream.bits());
  CHECK(bits_of(5, 3, 1000) != drawn);
  CHECK(bits_of(5, 3, 4)[0] != drawn[0]);
}

}  // namespace

}  // namespace detail_data_random_bits_test
