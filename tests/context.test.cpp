// SPDX-License-Identifier: BSL-1.0

#include <rankloss/context.hpp>

#include "support/allocations.hpp"

#include <rankloss/sndcg.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <cstddef>
#include <limits>
#include <random>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

/// A host's pool that runs tasks from last to first and gives each to another worker; counts what passes through it.
struct backwards {
  std::size_t* tasks_run;

  [[nodiscard]] std::size_t workers() const { return 3; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    for (std::size_t task = tasks; task-- > 0;) {
      ++*tasks_run;
      body(task % 3, task);
    }
  }
};

/// A host that starts threads for each run, with a fixed share of the tasks for each.
struct thread_a_worker {
  [[nodiscard]] std::size_t workers() const { return 2; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    const auto serve = [&](std::size_t worker) {
      for (std::size_t task = worker; task < tasks; task += 2) body(worker, task);
    };
    std::thread second(serve, 1);
    serve(0);
    second.join();
  }
};

/// An executor that can be neither copied nor default-made.
struct only_moved : rankloss::calling_thread {
  explicit only_moved(int) {}
  only_moved(only_moved&&) = default;
  only_moved& operator=(only_moved&&) = default;
};

struct no_run {
  [[nodiscard]] std::size_t workers() const { return 1; }
};

static_assert(rankloss::executor<rankloss::calling_thread>);
static_assert(rankloss::executor<rankloss::threads>);
static_assert(rankloss::executor<backwards>);
static_assert(!rankloss::executor<no_run>);
static_assert(!rankloss::executor<int>);
static_assert(!std::is_convertible_v<rankloss::threads, rankloss::context>);
static_assert(!std::is_constructible_v<rankloss::context, no_run>);
static_assert(!std::is_copy_constructible_v<rankloss::context>);
static_assert(std::is_move_constructible_v<rankloss::context>);

/// Lists of many lengths, with ties, under one loss.
struct batch_of_lists {
  std::vector<float> scores;
  std::vector<int> relevance;
  std::vector<int> offsets{0};

  batch_of_lists() {
    std::mt19937 random(3);
    for (const int n : {5, 0, 300, 1, 17, 40, 2, 1000, 64, 7, 300, 3}) {
      for (int i = 0; i < n; ++i) {
        scores.push_back(static_cast<float>(random() % 100) / 50.0f);
        relevance.push_back(static_cast<int>(random() % 4));
      }
      offsets.push_back(offsets.back() + n);
    }
  }

  double value(rankloss::context& context, std::vector<float>& gradient) const {
    gradient.assign(scores.size(), std::numeric_limits<float>::quiet_NaN());
    return rankloss::evaluate(rankloss::sndcg{.temperature = 0.1},
                              rankloss::list_batch<float, int>{.scores = scores, .relevance = relevance, .offsets = offsets}, {.gradient = gradient},
                              context);
  }
};

}  // namespace

TEST_CASE("context: by default the calling thread and data checks") {
  rankloss::context context;
  CHECK(context.workers() == 1);
  CHECK(context.checks == rankloss::data_checks::on);
  CHECK(context.scratch_capacity() == 0);
  std::vector<std::size_t> order;
  context.run(4, [&](std::size_t worker, std::size_t task) {
    CHECK(worker == 0);
    order.push_back(task);
  });
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("context: data checks are chosen with or without an executor") {
  CHECK(rankloss::context(rankloss::data_checks::off).checks == rankloss::data_checks::off);
  rankloss::context context(rankloss::threads(2), rankloss::data_checks::off);
  CHECK(context.checks == rankloss::data_checks::off);
  CHECK(context.workers() == 2);
}

TEST_CASE("context: one workspace a worker") {
  rankloss::context context(rankloss::threads(3));
  REQUIRE(context.workers() == 3);
  const auto first = context.scratch(0).take<int>(1);
  const auto last = context.scratch(2).take<int>(1);
  CHECK(&context.scratch() == &context.scratch(0));
  CHECK(first.data() != last.data());
  CHECK(context.scratch(1).capacity() == 0);
  CHECK(context.scratch_capacity() == context.scratch(0).capacity() + context.scratch(2).capacity());
}

TEST_CASE("context: a host's executor runs the tasks") {
  std::size_t tasks_run = 0;
  rankloss::context context(backwards{&tasks_run});
  CHECK(context.workers() == 3);
  std::vector<std::size_t> order;
  context.run(5, [&](std::size_t worker, std::size_t task) {
    CHECK(worker == task % 3);
    order.push_back(task);
  });
  CHECK(order == std::vector<std::size_t>{4, 3, 2, 1, 0});
  CHECK(tasks_run == 5);
  context.run(0, [](std::size_t, std::size_t) { FAIL("there is no task"); });
  CHECK(tasks_run == 5);
}

TEST_CASE("context: an executor is copied or moved in") {
  std::size_t tasks_run = 0;
  const backwards pool{&tasks_run};
  rankloss::context context(pool);
  context.run(2, [](std::size_t, std::size_t) {});
  CHECK(tasks_run == 2);
  CHECK(rankloss::context(only_moved(1)).workers() == 1);
}

TEST_CASE("context: results do not depend on the executor") {
  const batch_of_lists lists;
  rankloss::context alone;
  std::vector<float> expected;
  const double value = lists.value(alone, expected);
  CHECK(value > 0.0);

  std::size_t tasks_run = 0;
  rankloss::context hosts[] = {rankloss::context(backwards{&tasks_run}), rankloss::context(thread_a_worker{}),
                               rankloss::context(rankloss::threads(7))};
  for (rankloss::context& host : hosts) {
    std::vector<float> gradient;
    CHECK(lists.value(host, gradient) == value);
    CHECK(gradient == expected);
  }
  CHECK(tasks_run > 0);
}

TEST_CASE("context: a task's exception passes through, and the context is as good as before") {
  for (const std::size_t workers : {1u, 3u}) {
    rankloss::context context{rankloss::threads(workers)};
    auto body = [](std::size_t, std::size_t task) {
      if (task == 2) throw std::runtime_error("from a task");
    };
    CHECK_THROWS_WITH(context.run(10, body), "from a task");
    std::atomic<int> runs{0};
    context.run(10, [&](std::size_t, std::size_t) { ++runs; });
    CHECK(runs == 10);
  }
}

TEST_CASE("context: a refused batch leaves it as good as before") {
  const batch_of_lists lists;
  rankloss::context context;
  std::vector<float> expected;
  const double value = lists.value(context, expected);
  batch_of_lists broken = lists;
  broken.scores[700] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> gradient;
  CHECK_THROWS_AS(broken.value(context, gradient), std::invalid_argument);
  CHECK(lists.value(context, gradient) == value);
  CHECK(gradient == expected);
}

TEST_CASE("context: run allocates nothing, evaluate nothing after the first time") {
  const batch_of_lists lists;
  std::vector<float> gradient(lists.scores.size());
  for (const std::size_t workers : {1u, 3u}) {
    rankloss::context context{rankloss::threads(workers)};
    std::atomic<std::size_t> total{0};
    std::size_t before = support::allocations();
    context.run(100, [&](std::size_t worker, std::size_t task) { total += worker + task; });
    CHECK(support::allocations() == before);

    // Which worker meets which list is left to chance, so each workspace is grown to what the longest takes.
    rankloss::context alone;
    (void)lists.value(alone, gradient);
    for (std::size_t w = 0; w < workers; ++w) {
      const rankloss::workspace::scope scope(context.scratch(w));
      (void)context.scratch(w).take<std::byte>(2 * alone.scratch_capacity());
    }
    before = support::allocations();
    for (int round = 0; round < 5; ++round) (void)lists.value(context, gradient);
    CHECK(support::allocations() == before);
  }
}

TEST_CASE("context: moving takes executor and scratch along") {
  const batch_of_lists lists;
  rankloss::context context{rankloss::threads(2)};
  std::vector<float> expected;
  const double value = lists.value(context, expected);
  rankloss::context moved(std::move(context));
  std::vector<float> gradient;
  CHECK(moved.workers() == 2);
  CHECK(lists.value(moved, gradient) == value);
  CHECK(gradient == expected);
}
