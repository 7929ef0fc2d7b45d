// SPDX-License-Identifier: BSL-1.0

#include <rankloss/context.hpp>

#include "support/allocations.hpp"

#include <rankloss/evaluate.hpp>
#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/sndcg.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace context_test {

namespace {

/// A host's pool that runs tasks from last to first and gives each to another worker; counts what passes
/// through it.
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

/// A pool that has grown since the context was made.
struct grown_pool {
  [[nodiscard]] std::size_t workers() const { return 2; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    for (std::size_t task = 0; task < tasks; ++task) body(task < 2 ? task : 5, task);
  }
};

/// Executors that run other tasks than they are to.
struct other_tasks {
  std::vector<std::size_t> (*chosen)(std::size_t tasks);
  [[nodiscard]] std::size_t workers() const { return 1; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    for (const std::size_t task : chosen(tasks)) body(0, task);
  }
};

/// An executor that fails halfway.
struct failing_pool {
  bool* fails;
  [[nodiscard]] std::size_t workers() const { return 1; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    for (std::size_t task = 0; task < tasks; ++task) {
      if (*fails && task == tasks / 2) throw std::runtime_error("the pool is gone");
      body(0, task);
    }
  }
};

/// Runs task 0 on another thread and task 1 here, both as worker 0. Task 0 has begun before task 1 does, and
/// waits for `tried`.
struct two_at_once {
  std::atomic<bool>* begun;
  std::atomic<bool>* tried;
  [[nodiscard]] std::size_t workers() const { return 1; }
  template <class Body>
  void run(std::size_t, Body&& body) {
    std::thread other([&] { body(0, 0); });
    while (!*begun) std::this_thread::yield();
    body(0, 1);
    *tried = true;
    other.join();
  }
};

/// Returns while task 0 is at work on its thread, which comes with task 1 when it is `late`.
struct hasty_pool {
  std::thread* thread;
  std::atomic<bool>* begun;
  std::atomic<bool>* late;
  [[nodiscard]] std::size_t workers() const { return 1; }
  template <class Body>
  void run(std::size_t, Body&& body) {
    *thread = std::thread([this_late = late, body] {
      body(0, 0);
      while (!*this_late) std::this_thread::yield();
      body(0, 1);
    });
    while (!*begun) std::this_thread::yield();
  }
};

/// A loss that does something on the side.
template <class Aside>
struct busy_loss {
  Aside aside;
  template <class T, class R>
  double operator()(const rankloss::list<T, R>& items, const rankloss::list_outputs<T>&,
                    rankloss::workspace&) const {
    aside();
    return static_cast<double>(items.scores[0]);
  }
};
template <class Aside>
busy_loss(Aside) -> busy_loss<Aside>;

constexpr const char* in_use =
    "rankloss: context: it is in use by another call, expected one call at a time: a context for each thread, and another one inside of a task";
constexpr const char* moved_from =
    "rankloss: context: it has been moved from, expected one that holds its executor";

/// Lists of many lengths, with ties, under one loss; more than one task.
struct batch_of_lists {
  std::vector<float> scores;
  std::vector<int> relevance;
  std::vector<int> offsets{0};

  batch_of_lists() {
    std::mt19937 random(3);
    for (const int n : {5, 0, 300, 1, 17, 40, 2, 4200, 64, 7, 300, 3, 4300, 20, 4100, 9}) {
      for (int i = 0; i < n; ++i) {
        scores.push_back(static_cast<float>(random() % 100) / 50.0f);
        relevance.push_back(static_cast<int>(random() % 4));
      }
      offsets.push_back(offsets.back() + n);
    }
  }

  double value(rankloss::context& context, std::vector<float>& gradient) const {
    gradient.assign(scores.size(), std::numeric_limits<float>::quiet_NaN());
    return rankloss::evaluate(
        rankloss::sndcg{.temperature = 0.1},
        rankloss::list_batch<float, int>{.scores = scores, .relevance = relevance, .offsets = offsets},
        {.gradient = gradient}, context);
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

TEST_CASE("context: run and evaluate allocate nothing after the first time") {
  const batch_of_lists lists;
  std::vector<float> gradient(lists.scores.size());
  for (const std::size_t workers : {1u, 3u}) {
    rankloss::context context{rankloss::threads(workers)};
    std::atomic<std::size_t> total{0};
    context.run(100, [](std::size_t, std::size_t) {});
    std::size_t before = support::allocations();
    context.run(99, [&](std::size_t worker, std::size_t task) { total += worker + task; });
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

TEST_CASE("context: a single task needs no executor") {
  std::size_t tasks_run = 0;
  rankloss::context context(backwards{&tasks_run});
  const std::thread::id caller = std::this_thread::get_id();
  bool here = false;
  context.run(1, [&](std::size_t worker, std::size_t task) {
    here = worker == 0 && task == 0 && std::this_thread::get_id() == caller;
  });
  CHECK(here);
  CHECK(tasks_run == 0);
}

TEST_CASE("context: a worker beyond those that there were is an error and touches nothing") {
  const batch_of_lists lists;
  rankloss::context context(grown_pool{});
  std::vector<std::size_t> ran;
  auto body = [&](std::size_t worker, std::size_t task) {
    CHECK(worker < 2);
    ran.push_back(task);
  };
  const std::string message =
      "rankloss: executor: worker 5 was named, expected one below 2, which is what workers() said when the context was made";
  CHECK_THROWS_AS(context.run(4, body), std::logic_error);
  CHECK_THROWS_WITH(context.run(4, body), message);
  CHECK(ran == std::vector<std::size_t>{0, 1, 0, 1});
  std::vector<float> gradient;
  CHECK_THROWS_WITH(lists.value(context, gradient), message);
  ran.clear();
  context.run(2, body);  // within what it was
  CHECK(ran == std::vector<std::size_t>{0, 1});
}

TEST_CASE("context: a task left out, run twice or unknown is an error that names it") {
  std::vector<int> runs;
  const auto says = [&](std::vector<std::size_t> (*chosen)(std::size_t)) {
    rankloss::context context(other_tasks{chosen});
    runs.assign(4, 0);
    try {
      context.run(4, [&](std::size_t, std::size_t task) { ++runs.at(task); });
    } catch (const std::logic_error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using tasks = std::vector<std::size_t>;
  CHECK(says([](std::size_t) { return tasks{3, 1, 0, 2}; }) == "accepted");
  CHECK(says([](std::size_t) {
          return tasks{0, 1, 3};
        }) == "rankloss: executor: task 2 of 4 was left out, expected each to be done when run returns");
  CHECK(says([](std::size_t) { return tasks{}; }) ==
        "rankloss: executor: task 0 of 4 was left out, expected each to be done when run returns");
  CHECK(says([](std::size_t) {
          return tasks{0, 1, 2, 1, 3};
        }) == "rankloss: executor: task 1 was run twice, expected each to be run once");
  CHECK(runs == std::vector<int>(4, 1));
  CHECK(says([](std::size_t) {
          return tasks{0, 1, 1, 3};
        }) == "rankloss: executor: task 1 was run twice, expected each to be run once");
  CHECK(says([](std::size_t n) {
          return tasks{0, 1, 2, 3, n};
        }) == "rankloss: executor: task 4 was run, expected those below 4");
  CHECK(runs == std::vector<int>(4, 1));

  // Of a call: neither a wrong value nor, under update::add, a gradient twice.
  const batch_of_lists lists;
  std::vector<float> gradient;
  rankloss::context lazy(other_tasks{[](std::size_t n) { return tasks(n - 1, 0); }});
  CHECK_THROWS_AS(lists.value(lazy, gradient), std::logic_error);
}

TEST_CASE("context: two tasks of one worker at once are an error, and the second is not begun") {
  std::atomic<bool> begun{false}, tried{false};
  rankloss::context context(two_at_once{&begun, &tried});
  std::atomic<int> runs{0};
  auto body = [&](std::size_t, std::size_t) {
    ++runs;
    begun = true;
    while (!tried) std::this_thread::yield();
  };
  CHECK_THROWS_WITH(
      context.run(2, body),
      "rankloss: executor: worker 0 began task 1 before its last task had ended, expected one task of a worker at a time");
  CHECK(runs == 1);
}

TEST_CASE(
    "context: an executor that returns too early is an error, what is at work is waited for, and what comes late is not begun") {
  std::thread thread;
  std::atomic<bool> begun{false}, late{false}, done{false};
  rankloss::context context(hasty_pool{&thread, &begun, &late});
  std::atomic<int> runs{0};
  const auto run = [&] {
    auto body = [&](std::size_t, std::size_t) {
      ++runs;
      begun = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      done = true;
    };
    context.run(2, body);
  };
  CHECK_THROWS_WITH(
      run(), "rankloss: executor: task 1 of 2 was left out, expected each to be done when run returns");
  CHECK(done);
  late = true;
  thread.join();
  CHECK(runs == 1);
}

TEST_CASE("context: a call of another thread is refused, and the first is not disturbed") {
  const std::vector<double> s{0.5, 2.0}, y{1, 0};
  const rankloss::list_batch<double> batch{.scores = s, .relevance = y};
  rankloss::context context;
  std::atomic<bool> begun{false}, tried{false};
  const busy_loss slow{[&] {
    begun = true;
    while (!tried) std::this_thread::yield();
  }};
  double value = 0.0;
  std::thread first([&] { value = rankloss::evaluate(slow, batch, context); });
  while (!begun) std::this_thread::yield();
  const busy_loss quick{[] {}};
  CHECK_THROWS_AS(rankloss::evaluate(quick, batch, context), std::logic_error);
  CHECK_THROWS_WITH(rankloss::evaluate(quick, batch, context), in_use);
  std::vector<double> ranks(2, 7.0);
  CHECK_THROWS_WITH(rankloss::rank(rankloss::hard_ranks{}, s, ranks, context), in_use);
  CHECK(ranks == std::vector<double>(2, 7.0));
  tried = true;
  first.join();
  CHECK(value == 0.5);
  CHECK(rankloss::evaluate(quick, batch, context) == 0.5);
}

TEST_CASE("context: two threads that use it again and again are found out") {
  const batch_of_lists lists;
  rankloss::context alone;
  std::vector<float> expected;
  const double value = lists.value(alone, expected);
  rankloss::context context;
  std::atomic<int> refused{0}, wrong{0};
  const auto work = [&] {
    std::vector<float> gradient;
    for (int round = 0; round < 10; ++round) {
      try {
        if (lists.value(context, gradient) != value || gradient != expected) ++wrong;
      } catch (const std::logic_error&) {
        ++refused;
      }
    }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(wrong == 0);
  CHECK(refused < 20);
}

TEST_CASE("context: a call from inside of a task is refused, on whatever thread") {
  const std::vector<double> s(9000, 0.5), y(9000, 1.0);
  const std::vector<int> offsets{0, 1, 5000, 9000};
  const std::vector<int> one_list{0, 9000};
  for (const auto& lists : {offsets, one_list})
    for (const std::size_t workers : {1u, 3u}) {
      rankloss::context context{rankloss::threads(workers)};
      const rankloss::list_batch<double> batch{.scores = s, .relevance = y, .offsets = lists};
      const busy_loss quick{[] {}};
      const busy_loss inside{[&] { (void)rankloss::evaluate(quick, batch, context); }};
      CHECK_THROWS_WITH(rankloss::evaluate(inside, batch, context), in_use);
      const busy_loss runs_inside{[&] { context.run(2, [](std::size_t, std::size_t) {}); }};
      CHECK_THROWS_WITH(rankloss::evaluate(runs_inside, batch, context), in_use);
      // One of its own is right.
      const busy_loss own{[&] { (void)rankloss::evaluate(quick, batch); }};
      CHECK(rankloss::evaluate(own, batch, context) == 0.5);
      CHECK(rankloss::evaluate(quick, batch, context) == 0.5);
    }
}

TEST_CASE("context: calls of one thread may lie within another, outside of its tasks") {
  rankloss::context context;
  const std::vector<double> s{0.5, 2.0}, y{1, 0};
  const rankloss::detail::sole_use outer(context);
  CHECK(rankloss::evaluate(busy_loss{[] {}}, rankloss::list_batch<double>{.scores = s, .relevance = y},
                           context) == 0.5);
  CHECK(rankloss::evaluate(busy_loss{[] {}}, rankloss::list_batch<double>{.scores = s, .relevance = y},
                           context) == 0.5);
  std::thread([&] {
    CHECK_THROWS_WITH(rankloss::evaluate(busy_loss{[] {}},
                                         rankloss::list_batch<double>{.scores = s, .relevance = y}, context),
                      in_use);
  }).join();
}

TEST_CASE("context: one that has been moved from is refused") {
  const batch_of_lists lists;
  rankloss::context context{rankloss::threads(2)};
  rankloss::context moved(std::move(context));
  std::vector<float> gradient;
  CHECK(context.workers() == 0);
  CHECK(context.scratch_capacity() == 0);
  CHECK_THROWS_AS(lists.value(context, gradient), std::logic_error);
  CHECK_THROWS_WITH(lists.value(context, gradient), moved_from);
  CHECK_THROWS_WITH(context.run(1, [](std::size_t, std::size_t) {}), moved_from);
  CHECK_THROWS_WITH(context.run(0, [](std::size_t, std::size_t) {}), moved_from);
  CHECK_THROWS_WITH(context.scratch(), moved_from);
  CHECK_THROWS_WITH(moved.scratch(2), "rankloss: context: scratch of worker 2, expected one below 2");
  context = std::move(moved);
  CHECK(context.workers() == 2);
  CHECK(lists.value(context, gradient) > 0.0);
}

TEST_CASE("context: an executor that throws leaves the context as good as before") {
  const batch_of_lists lists;
  rankloss::context alone;
  std::vector<float> expected, gradient;
  const double value = lists.value(alone, expected);
  bool fails = true;
  rankloss::context context(failing_pool{&fails});
  CHECK_THROWS_WITH(lists.value(context, gradient), "the pool is gone");
  fails = false;
  CHECK(lists.value(context, gradient) == value);
  CHECK(gradient == expected);
}

}  // namespace context_test
