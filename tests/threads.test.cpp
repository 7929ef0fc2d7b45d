// SPDX-License-Identifier: BSL-1.0

#include <rankloss/threads.hpp>

#include "support/allocations.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace threads_test {

using rankloss::threads;

TEST_CASE("threads: each task runs once, and all are done on return") {
  for (const std::size_t workers : {1u, 2u, 7u}) {
    threads pool(workers);
    CHECK(pool.workers() == workers);
    for (const std::size_t tasks : {0u, 1u, 2u, 3u, 8u, 1000u}) {
      std::vector<int> runs(tasks, 0);  // plain memory: the caller must see what the others wrote
      pool.run(tasks, [&](std::size_t, std::size_t task) { ++runs[task]; });
      CHECK(std::all_of(runs.begin(), runs.end(), [](int n) { return n == 1; }));
    }
  }
}

TEST_CASE("threads: a worker is one thread, runs one task at a time, and the caller is worker 0") {
  constexpr std::size_t workers = 4;
  threads pool(workers);
  const std::thread::id caller = std::this_thread::get_id();
  std::vector<std::thread::id> thread_of(workers);
  std::vector<std::atomic<bool>> busy(workers);
  std::atomic<int> faults{0};
  for (int round = 0; round < 50; ++round)
    pool.run(64, [&](std::size_t worker, std::size_t) {
      if (worker >= workers) {
        ++faults;
        return;
      }
      if (busy[worker].exchange(true)) ++faults;
      if (thread_of[worker] == std::thread::id{}) thread_of[worker] = std::this_thread::get_id();
      if (thread_of[worker] != std::this_thread::get_id()) ++faults;
      if ((worker == 0) != (thread_of[worker] == caller)) ++faults;
      std::this_thread::yield();
      busy[worker] = false;
    });
  CHECK(faults == 0);
}

TEST_CASE("threads: tasks run at the same time") {
  threads pool(3);
  std::latch all(3);
  pool.run(
      3, [&](std::size_t, std::size_t) { all.arrive_and_wait(); });  // returns only if each task has a thread
  CHECK(all.try_wait());
}

TEST_CASE("threads: many short runs, none lost") {
  threads pool(3);
  std::atomic<std::size_t> total{0};
  for (int round = 0; round < 3000; ++round)
    pool.run(2, [&](std::size_t, std::size_t task) { total += task + 1; });
  CHECK(total == 9000);
}

TEST_CASE("threads: whoever comes late to a run, asleep or on the way, has no part in it") {
  threads pool(3);
  std::atomic<std::size_t> lost{0};
  for (int round = 0; round < 400; ++round) {
    // Between 0 and 0.2 ms, so that helpers look for work, fall asleep, or are asleep.
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(round % 9 * 25);
    while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
    auto runs = std::make_unique<std::vector<std::atomic<int>>>(3);  // of this round, and gone with it
    pool.run(3, [&](std::size_t, std::size_t task) { ++(*runs)[task]; });
    for (const std::atomic<int>& count : *runs) lost += count == 1 ? 0u : 1u;
  }
  CHECK(lost == 0);
}

TEST_CASE(
    "threads: a task's exception reaches the caller, the tasks not begun are left out, and the next run is as any other") {
  for (const std::size_t workers : {1u, 4u}) {
    threads pool(workers);
    for (int round = 0; round < 3; ++round) {
      std::atomic<int> runs{0};
      auto body = [&](std::size_t, std::size_t task) {
        if (task == 5) throw std::runtime_error("task 5");
        ++runs;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      };
      CHECK_THROWS_WITH(pool.run(10000, body), "task 5");
      CHECK(runs >= 5 - static_cast<int>(workers));
      CHECK(runs < 9999);
      runs = 0;
      pool.run(100, [&](std::size_t, std::size_t) { ++runs; });
      CHECK(runs == 100);
    }
  }
}

TEST_CASE("threads: of several exceptions one reaches the caller") {
  threads pool(4);
  std::latch all(4);
  auto body = [&](std::size_t, std::size_t task) {
    all.arrive_and_wait();  // all four throw
    throw std::runtime_error("task " + std::to_string(task));
  };
  CHECK_THROWS_WITH(pool.run(4, body), Catch::Matchers::StartsWith("task "));
  int runs = 0;
  pool.run(1, [&](std::size_t, std::size_t) { ++runs; });
  CHECK(runs == 1);
}

TEST_CASE("threads: run allocates nothing") {
  threads pool(3);
  std::atomic<std::size_t> total{0};
  const std::size_t before = support::allocations();
  for (int round = 0; round < 100; ++round)
    pool.run(50, [&](std::size_t worker, std::size_t task) { total += worker + task; });
  CHECK(support::allocations() == before);
  CHECK(total > 0);
}

TEST_CASE("threads: moving leaves the threads at work") {
  threads pool(2);
  threads moved(std::move(pool));
  CHECK(moved.workers() == 2);
  std::atomic<int> runs{0};
  moved.run(10, [&](std::size_t, std::size_t) { ++runs; });
  CHECK(runs == 10);
}

TEST_CASE("threads: a run during another one is an error, and the first is not disturbed") {
  threads pool(3);
  std::atomic<bool> begun{false}, tried{false};
  std::atomic<int> runs{0};
  std::thread first([&] {
    pool.run(2, [&](std::size_t, std::size_t) {
      begun = true;
      while (!tried) std::this_thread::yield();
      ++runs;
    });
  });
  while (!begun) std::this_thread::yield();
  const auto nothing = [](std::size_t, std::size_t) {};
  CHECK_THROWS_AS(pool.run(2, nothing), std::logic_error);
  CHECK_THROWS_WITH(pool.run(2, nothing),
                    "rankloss: threads: run during another run, expected one at a time");
  tried = true;
  first.join();
  CHECK(runs == 2);
  auto inside = [&](std::size_t, std::size_t) { pool.run(2, nothing); };
  CHECK_THROWS_WITH(pool.run(2, inside), "rankloss: threads: run during another run, expected one at a time");
  runs = 0;
  pool.run(100, [&](std::size_t, std::size_t) { ++runs; });
  CHECK(runs == 100);
}

TEST_CASE("threads: those that have been moved from are refused") {
  threads pool(2);
  const threads moved(std::move(pool));
  CHECK(pool.workers() == 0);
  CHECK_THROWS_AS(pool.run(1, [](std::size_t, std::size_t) {}), std::logic_error);
  CHECK_THROWS_WITH(pool.run(1, [](std::size_t, std::size_t) {}),
                    "rankloss: threads: they have been moved from, expected threads that are there");
  CHECK(moved.workers() == 2);
}

TEST_CASE("threads: no worker is an error") {
  CHECK_THROWS_AS(threads(0), std::invalid_argument);
  CHECK_THROWS_WITH(threads(0), "rankloss: threads: workers is 0, expected at least 1");
}

}  // namespace threads_test
