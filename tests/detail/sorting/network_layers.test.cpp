// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/network_layers.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace detail_sorting_network_layers_test {

using rankloss::detail::network_layers;

namespace {

struct comparison {
  std::size_t lower, upper;
};

std::vector<comparison> layer_of(const network_layers& layers, std::size_t layer) {
  std::vector<comparison> found;
  layers.for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
    CHECK(c == found.size());
    found.push_back({lower, upper});
  });
  return found;
}

}  // namespace

TEST_CASE("network_layers: each layer compares a wire once at most, and says how many pairs it has") {
  for (const bool odd_even : {false, true})
    for (std::size_t n = 0; n <= 40; ++n) {
      const network_layers layers(odd_even, n);
      INFO((odd_even ? "odd_even, " : "bitonic, ") << n << " wires");
      CHECK(layers.odd_even() == odd_even);
      CHECK(layers.wires() - layers.unused() == n);
      for (std::size_t layer = 0; layer < layers.count(); ++layer) {
        const auto found = layer_of(layers, layer);
        CHECK(found.size() == layers.pairs(layer));
        std::set<std::size_t> seen;
        for (const auto& [lower, upper] : found) {
          CHECK(std::max(lower, upper) < n);
          seen.insert(lower);
          seen.insert(upper);
        }
        CHECK(seen.size() == 2 * found.size());
      }
    }
}

TEST_CASE("network_layers: exchanges sort") {
  std::mt19937_64 random(1);
  for (const bool odd_even : {false, true})
    for (std::size_t n = 0; n <= 70; ++n) {
      const network_layers layers(odd_even, n);
      std::vector<std::size_t> x(n);
      for (std::size_t i = 0; i < n; ++i) x[i] = i / 2;
      std::shuffle(x.begin(), x.end(), random);
      for (std::size_t layer = 0; layer < layers.count(); ++layer)
        for (const auto& [lower, upper] : layer_of(layers, layer))
          if (x[upper] < x[lower]) std::swap(x[lower], x[upper]);
      INFO((odd_even ? "odd_even, " : "bitonic, ") << n << " wires");
      CHECK(std::is_sorted(x.begin(), x.end()));
    }
}

TEST_CASE("network_layers: worked by hand") {
  // Bitonic, three of four wires: the first is unused, and would be in the first pair of each layer.
  const network_layers three(false, 3);
  CHECK(three.count() == 3);
  CHECK(three.unused() == 1);
  CHECK(three.wires() == 4);
  const auto is = [](const std::vector<comparison>& found, const std::vector<comparison>& expected) {
    return std::equal(
        found.begin(), found.end(), expected.begin(), expected.end(),
        [](const comparison& a, const comparison& b) { return a.lower == b.lower && a.upper == b.upper; });
  };
  CHECK(is(layer_of(three, 0), {{2, 1}}));
  CHECK(is(layer_of(three, 1), {{0, 2}}));
  CHECK(is(layer_of(three, 2), {{1, 2}}));
  for (std::size_t layer = 0; layer < 3; ++layer) CHECK(three.first_pair(layer) == 1);

  // Odd-even, three wires.
  const network_layers neighbours(true, 3);
  CHECK(neighbours.count() == 3);
  CHECK(neighbours.unused() == 0);
  CHECK(is(layer_of(neighbours, 0), {{0, 1}}));
  CHECK(is(layer_of(neighbours, 1), {{1, 2}}));
  CHECK(is(layer_of(neighbours, 2), {{0, 1}}));
  for (std::size_t layer = 0; layer < 3; ++layer) CHECK(neighbours.first_pair(layer) == 0);
}

}  // namespace detail_sorting_network_layers_test
