// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/embeddings/products.hpp>
#include <rankloss/workspace.hpp>

#include "support/embedding_reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace detail_embeddings_products_test {

namespace {

using rankloss::detail::add_by_columns;
using rankloss::detail::add_by_rows;
using rankloss::detail::similarities;
using rankloss::detail::vector_block;

/// `count` drawn vectors, some components apart, that begin `offset` components behind the alignment of
/// scratch.
template <class T>
struct block {
  std::size_t count, dimension, stride, offset;
  rankloss::workspace scratch;
  std::span<T> memory;

  block(std::mt19937_64& random, std::size_t vectors, std::size_t components, std::size_t gap = 0)
      : block(support::drawn<T>(random, vectors * (components + gap)), vectors, components, gap, 0) {}
  block(const std::vector<T>& numbers, std::size_t vectors, std::size_t components, std::size_t gap,
        std::size_t from)
      : count(vectors),
        dimension(components),
        stride(components + gap),
        offset(from),
        memory(scratch.take<T>(from + numbers.size())) {
    std::copy(numbers.begin(), numbers.end(), memory.begin() + static_cast<std::ptrdiff_t>(from));
  }
  [[nodiscard]] vector_block<T> all() { return {memory.data() + offset, count, dimension, stride}; }
  [[nodiscard]] T at(std::size_t i, std::size_t k) const { return memory[offset + i * stride + k]; }
  [[nodiscard]] std::vector<T> numbers() const {
    return {memory.begin() + static_cast<std::ptrdiff_t>(offset), memory.end()};
  }
  /// The same vectors, elsewhere.
  [[nodiscard]] block moved(std::size_t from) const {
    return {numbers(), count, dimension, stride - dimension, from};
  }
};

template <class T>
void check(std::size_t lists, std::size_t items, std::size_t d, std::size_t gap) {
  INFO(lists << " x " << items << ", d = " << d << ", " << gap << " apart");
  std::mt19937_64 random(1);
  constexpr double digits = sizeof(T) == 4 ? 1e-6 : 1e-14;
  block<T> a(random, lists, d, gap), b(random, items, d, 2 * gap), s(random, lists, items, gap),
      slopes(random, lists, items, gap), list_sums(random, lists, d, gap), item_sums(random, items, d);
  const block<T> s_before = s.moved(0), list_before = list_sums.moved(0), item_before = item_sums.moved(0);
  similarities<T>(a.all(), b.all(), s.all());
  add_by_rows<T>(slopes.all(), b.all(), list_sums.all());
  add_by_columns<T>(slopes.all(), a.all(), item_sums.all());
  const double bound = digits * std::sqrt(static_cast<double>(lists + items + d)) * 10;
  for (std::size_t i = 0; i < lists; ++i)
    for (std::size_t j = 0; j < items; ++j) {
      long double sum = 0;
      for (std::size_t k = 0; k < d; ++k) sum += static_cast<long double>(a.at(i, k)) * b.at(j, k);
      CHECK(std::abs(static_cast<double>(s.at(i, j) - sum)) <= bound);
    }
  for (std::size_t k = 0; k < d; ++k) {
    for (std::size_t i = 0; i < lists; ++i) {
      long double sum = list_before.at(i, k);
      for (std::size_t j = 0; j < items; ++j) sum += static_cast<long double>(slopes.at(i, j)) * b.at(j, k);
      CHECK(std::abs(static_cast<double>(list_sums.at(i, k) - sum)) <= bound);
    }
    for (std::size_t j = 0; j < items; ++j) {
      long double sum = item_before.at(j, k);
      for (std::size_t i = 0; i < lists; ++i) sum += static_cast<long double>(slopes.at(i, j)) * a.at(i, k);
      CHECK(std::abs(static_cast<double>(item_sums.at(j, k) - sum)) <= bound);
    }
  }
  // What lies between vectors is not written.
  for (std::size_t i = 0; i < lists; ++i)
    for (std::size_t k = items; k < items + gap; ++k) CHECK(s.at(i, k) == s_before.at(i, k));
  for (std::size_t i = 0; i < lists; ++i)
    for (std::size_t k = d; k < d + gap; ++k) CHECK(list_sums.at(i, k) == list_before.at(i, k));

  // The host's memory may begin anywhere: the bits are the same.
  for (const std::size_t from : {1u, 2u, 3u, 5u}) {
    block<T> a2 = a.moved(from), b2 = b.moved(4 - from % 4), s2 = s_before.moved(0),
             list2 = list_before.moved(0), item2 = item_before.moved(0);
    similarities<T>(a2.all(), b2.all(), s2.all());
    add_by_rows<T>(slopes.all(), b2.all(), list2.all());
    add_by_columns<T>(slopes.all(), a2.all(), item2.all());
    CHECK(s2.numbers() == s.numbers());
    CHECK(list2.numbers() == list_sums.numbers());
    CHECK(item2.numbers() == item_sums.numbers());
  }
}

TEMPLATE_TEST_CASE("products: sums of products, for any sizes, strides and places in memory", "", float,
                   double) {
  using T = TestType;
  for (const std::size_t gap : {0u, 3u}) {
    for (const std::size_t lists : {1u, 2u, 7u})
      for (const std::size_t items : {1u, 3u, 8u})
        for (const std::size_t d : {1u, 2u, 5u, 9u, 33u}) check<T>(lists, items, d, gap);
    check<T>(40, 70, 24, gap);
    check<T>(1, 130, 70, gap);
    check<T>(130, 1, 70, gap);
  }
}

TEMPLATE_TEST_CASE("products: of parts, as tasks have them", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(2);
  block<T> a(random, 9, 5), b(random, 12, 5), s(random, 9, 12);
  const auto before = s.moved(0);
  similarities<T>(a.all().part(2, 6), b.all().part(3, 11), s.all().part(2, 6).components(3, 11));
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t j = 0; j < 12; ++j) {
      if (i < 2 || i >= 6 || j < 3 || j >= 11) {
        CHECK(s.at(i, j) == before.at(i, j));
        continue;
      }
      double sum = 0;
      for (std::size_t k = 0; k < 5; ++k)
        sum += static_cast<double>(a.at(i, k)) * static_cast<double>(b.at(j, k));
      CHECK(static_cast<double>(s.at(i, j)) == Approx(sum).margin(1e-5));
    }
  // Of no vectors.
  similarities<T>(a.all().part(0, 0), b.all(), s.all().part(0, 0));
  add_by_rows<T>(s.all().components(0, 0), b.all().part(0, 0), a.all());
  add_by_columns<T>(s.all().part(0, 0), a.all().part(0, 0), b.all());
  CHECK(a.memory.size() == 45);
}

}  // namespace

}  // namespace detail_embeddings_products_test
