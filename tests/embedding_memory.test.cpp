// SPDX-License-Identifier: BSL-1.0
#include <rankloss/embedding_memory.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

namespace embedding_memory_test {

namespace {

using rankloss::embedding_memory;

template <class View>
auto listed(const View& view) {
  return std::vector(view.begin(), view.end());
}

/// One-dimensional vectors, which show the order.
using numbers = std::vector<double>;
using ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("embedding_memory: the batch, and then the slots in their order") {
  embedding_memory<double> memory(3, 1);
  CHECK(memory.size() == 0);
  auto columns = memory.with(numbers{1, 2});
  CHECK(listed(columns.embeddings) == numbers{1, 2});
  CHECK(columns.batch == 2);
  CHECK(columns.count == 2);
  CHECK(columns.classes.empty());
  memory.push();
  CHECK(memory.size() == 2);
  CHECK(!memory.full());
  CHECK(listed(memory.columns().embeddings) == numbers{1, 2});
  CHECK(memory.columns().batch == 0);

  columns = memory.with(numbers{3, 4});
  CHECK(listed(columns.embeddings) == numbers{3, 4, 1, 2});
  CHECK(columns.batch == 2);
  CHECK(columns.count == 4);
  memory.push();  // 3 takes the last slot, 4 that of 1
  CHECK(memory.full());
  CHECK(listed(memory.with(numbers{5}).embeddings) == numbers{5, 4, 2, 3});
  // Without a push the batch is replaced.
  CHECK(listed(memory.with(numbers{6, 7, 8}).embeddings) == numbers{6, 7, 8, 4, 2, 3});
  CHECK(listed(memory.columns().embeddings) == numbers{6, 7, 8, 4, 2, 3});
  memory.push();
  CHECK(listed(memory.with(numbers{}).embeddings) == numbers{8, 6, 7});
  memory.push();
  CHECK(listed(memory.columns().embeddings) == numbers{8, 6, 7});
  // Of a batch larger than the capacity the last vectors are held.
  memory.with(numbers{10, 11, 12, 13, 14});
  memory.push();
  CHECK(listed(memory.columns().embeddings) == numbers{14, 12, 13});
  memory.push(numbers{15});
  CHECK(listed(memory.columns().embeddings) == numbers{14, 15, 13});
  memory.clear();
  CHECK(memory.size() == 0);
  CHECK(memory.columns().count == 0);
  memory.push(numbers{1});
  CHECK(listed(memory.with(numbers{2}).embeddings) == numbers{2, 1});
}

TEST_CASE("embedding_memory: class ids go with the vectors") {
  embedding_memory<float> memory(2, 3);
  const std::vector<float> first{1, 1, 1, 2, 2, 2}, second{3, 3, 3};
  CHECK(listed(memory.with(first, std::vector<int>{7, 8}).classes) == ids{7, 8});
  memory.push();
  const auto columns = memory.with(second, std::vector<std::uint32_t>{9});
  CHECK(listed(columns.classes) == ids{9, 7, 8});
  CHECK(listed(columns.embeddings) == std::vector<float>{3, 3, 3, 1, 1, 1, 2, 2, 2});
  memory.push();
  CHECK(listed(memory.columns().classes) == ids{9, 8});
  memory.with({}, {});
  memory.push();
  CHECK(listed(memory.columns().classes) == ids{9, 8});
  CHECK_THROWS_WITH(memory.with(second),
                    "rankloss: classes: none, expected them, as for the vectors that are held");
  CHECK_THROWS_WITH(memory.with(second, ids{1, 2}), "rankloss: classes: size 2, expected 1 (one per vector)");
  memory.clear();
  memory.push(second);
  CHECK_THROWS_WITH(memory.with(second, ids{1}),
                    "rankloss: classes: given, expected none, as for the vectors that are held");
  CHECK(listed(memory.columns().embeddings) == second);
}

TEST_CASE("embedding_memory is a queue, for batches of any size") {
  std::mt19937_64 random(1);
  for (const std::size_t capacity : {0u, 1u, 5u, 16u}) {
    embedding_memory<double> memory(capacity, 2);
    std::deque<double> queue;
    double next = 0.0;
    for (int step = 0; step < 60; ++step) {
      numbers batch(2 * (random() % 9));
      for (double& x : batch) x = next++;
      const auto columns = memory.with(batch);
      REQUIRE(columns.count == batch.size() / 2 + queue.size() / 2);
      auto held = listed(columns.embeddings);
      held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(batch.size()));
      std::sort(held.begin(), held.end());  // vectors are numbered by age
      CHECK(held == numbers(queue.begin(), queue.end()));
      memory.push();
      queue.insert(queue.end(), batch.begin(), batch.end());
      while (queue.size() > 2 * capacity) queue.pop_front();
    }
  }
}

TEST_CASE("embedding_memory allocates once where the largest batch is known") {
  embedding_memory<float> memory(4, 2, 3);
  const std::vector<float> batch{1, 2, 3, 4, 5, 6};
  const float* slots = memory.with(batch).embeddings.data() + 6;
  for (int step = 0; step < 9; ++step) {
    CHECK(memory.with(batch).embeddings.data() + 6 == slots);
    memory.push();
  }
}

TEST_CASE("embedding_memory: held vectors are further columns of a loss") {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  const std::size_t n = 4, d = 3;
  embedding_memory<double> memory(6, d);
  std::vector<double> x(n * d), y(n * d);
  const rankloss::bidirectional<rankloss::softmax_cross_entropy> loss{.over = rankloss::directions::rows};
  for (int step = 0; step < 3; ++step) {
    for (double& v : x) v = normal(random);
    for (double& v : y) v = normal(random);
    const auto columns = memory.with(y);
    std::vector<double> s(n * columns.count), ds(s.size());
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < columns.count; ++j)
        for (std::size_t k = 0; k < d; ++k)
          s[i * columns.count + j] += x[i * d + k] * columns.embeddings[j * d + k];
    const rankloss::similarity_batch<double> batch{
        .similarity = s, .rows = n, .columns = columns.count, .extra_columns = columns.count > n};
    const double value = rankloss::evaluate(loss, batch, {.gradient = ds});
    CHECK(columns.count == n + std::min<std::size_t>(6, n * static_cast<std::size_t>(step)));
    CHECK(value > 0.0);
    // Every held column is a negative: it pushes.
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = n; j < columns.count; ++j) CHECK(ds[i * columns.count + j] > 0.0);
    memory.push();
  }
}

TEST_CASE("embedding_memory names what does not fit") {
  CHECK_THROWS_WITH(embedding_memory<float>(4, 0), "rankloss: dimension: 0, expected at least 1");
  CHECK_THROWS_AS(embedding_memory<float>(std::numeric_limits<std::size_t>::max() / 2, 8),
                  std::invalid_argument);
  embedding_memory<float> memory(4, 2);
  CHECK_THROWS_WITH(memory.with(std::vector<float>(3)),
                    "rankloss: batch: size 3, expected whole vectors of dimension 2");
  CHECK_THROWS_AS(memory.push(), std::logic_error);
  CHECK_THROWS_WITH(memory.push(), "rankloss: push: no batch, expected a call of with before each push");
  memory.with(std::vector<float>(2));
  memory.push();
  CHECK_THROWS_AS(memory.push(), std::logic_error);
  CHECK(memory.size() == 1);
}

}  // namespace embedding_memory_test
