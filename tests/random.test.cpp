// SPDX-License-Identifier: BSL-1.0
#include <rankloss/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace random_test {

TEST_CASE("philox: the known answers of its authors") {
  using block = std::array<std::uint32_t, 4>;
  CHECK(rankloss::philox({0, 0, 0, 0}, {0, 0}) == block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(rankloss::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(rankloss::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random_stream: a function of seed, stream and position, spread as it should be") {
  rankloss::random_stream a(5, 1), again(5, 1), other(5, 2);
  std::vector<double> first, second, third;
  for (int i = 0; i < 1000; ++i) {
    first.push_back(a.uniform());
    second.push_back(again.uniform());
    third.push_back(other.uniform());
  }
  CHECK(first == second);
  CHECK(first != third);
  CHECK(*std::min_element(first.begin(), first.end()) > 0.0);
  CHECK(*std::max_element(first.begin(), first.end()) < 1.0);

  std::array<int, 3> counts{};
  for (int i = 0; i < 30000; ++i) ++counts[a.below(3)];
  for (const int c : counts) CHECK(std::abs(c - 10000) < 400);
  double sum = 0, squares = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = a.normal();
    sum += x;
    squares += x * x;
  }
  CHECK(std::abs(sum / 100000) < 0.015);
  CHECK(squares / 100000 == Approx(1.0).epsilon(0.02));
}

}  // namespace random_test
