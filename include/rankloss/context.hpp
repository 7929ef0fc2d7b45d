// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/workspace.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// Whether scores, relevance and weights are checked for NaN before anything is written.
enum class data_checks {
  on,   ///< a NaN is an error that names its list and item
  off,  ///< data are not checked: results for NaN are unspecified, but memory is safe
};

/// executor: runs tasks. `run(tasks, body)` calls `body(worker, task)` once for each task below `tasks`, with
/// a worker below workers() and no two tasks of one worker at the same time, and returns when all are done.
/// The order of the tasks and the threads they run on are up to the executor. An executor that breaks these
/// rules is detected, and the call ends in a std::logic_error that names what it did.
template <class E>
concept executor = requires(E& e, const E& c, void (*body)(std::size_t, std::size_t)) {
  { c.workers() } -> std::convertible_to<std::size_t>;
  e.run(std::size_t{}, body);
};

/// calling_thread: the executor that uses no other thread.
struct calling_thread {
  [[nodiscard]] std::size_t workers() const noexcept { return 1; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    for (std::size_t task = 0; task < tasks; ++task) body(std::size_t{0}, task);
  }
};

namespace detail {

/// The tasks of a run that have begun and the workers that are busy. It admits a task, and reports what an
/// executor did wrong.
///
/// A task that is not admitted does not throw, because the exception would have to pass through the threads
/// of the host. The first fault is recorded and reported at the end of the run.
class task_ledger {
  struct alignas(64) worker_state {
    std::atomic<bool> taken{false};
  };

 public:
  explicit task_ledger(std::size_t workers)
      : workers_(workers), busy_(std::make_unique<worker_state[]>(workers)) {}

  [[nodiscard]] std::size_t workers() const noexcept { return workers_; }

  /// One run. After its destruction no task is admitted; the destructor waits for tasks that are still
  /// running.
  class round {
   public:
    round(task_ledger& ledger, std::size_t tasks) : ledger_(ledger) {
      if (ledger.capacity_ < tasks) {
        ledger.begun_ = std::make_unique<std::atomic<bool>[]>(tasks);
        ledger.capacity_ = tasks;
      }
      for (std::size_t task = 0; task < tasks; ++task)
        ledger.begun_[task].store(false, std::memory_order_relaxed);
      ledger.tasks_ = tasks;
      ledger.noted_.clear();
      ledger.faulty_ = false;
      ledger.open_ = ++ledger.number_;
    }
    ~round() {
      ledger_.open_ = 0;
      for (std::size_t worker = 0; worker < ledger_.workers_; ++worker)
        while (ledger_.busy_[worker].taken) std::this_thread::yield();
    }
    round(const round&) = delete;
    round& operator=(const round&) = delete;

    [[nodiscard]] std::size_t number() const noexcept { return ledger_.number_; }

   private:
    task_ledger& ledger_;
  };

  /// A running task, if it is admitted.
  class entry {
   public:
    entry(task_ledger& ledger, std::size_t number, std::size_t worker, std::size_t task) noexcept
        : worker_state_(ledger.admit(number, worker, task) ? &ledger.busy_[worker] : nullptr) {}
    ~entry() {
      if (worker_state_ != nullptr) worker_state_->taken.store(false, std::memory_order_release);
    }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;

    [[nodiscard]] bool admitted() const noexcept { return worker_state_ != nullptr; }

   private:
    worker_state* worker_state_;
  };

  /// @throws std::logic_error naming what the executor did wrong in the last round.
  void check() const {
    if (faulty_) tell();
    for (std::size_t task = 0; task < tasks_; ++task)
      if (!begun_[task].load(std::memory_order_relaxed)) [[unlikely]]
        fail<std::logic_error>("executor: task ", task, " of ", tasks_,
                               " was left out, expected each to be done when run returns");
  }

 private:
  enum class fault { worker, task, busy, twice };

  [[nodiscard]] bool admit(std::size_t number, std::size_t worker, std::size_t task) noexcept {
    if (worker >= workers_) return note(fault::worker, worker, task);
    if (busy_[worker].taken.exchange(true)) return note(fault::busy, worker, task);
    // The worker is marked busy first, so that a round cannot be closed between this check and the end of the
    // task.
    if (open_ == number && (task < tasks_ || note(fault::task, worker, task))) {
      if (!begun_[task].exchange(true, std::memory_order_relaxed)) return true;
      note(fault::twice, worker, task);
    }
    busy_[worker].taken = false;
    return false;
  }

  bool note(fault kind, std::size_t worker, std::size_t task) noexcept {
    if (noted_.test_and_set()) return false;
    fault_ = kind;
    fault_worker_ = worker;
    fault_task_ = task;
    faulty_ = true;
    return false;
  }

  [[noreturn]] void tell() const {
    switch (fault_) {
      case fault::worker:
        fail<std::logic_error>("executor: worker ", fault_worker_, " was named, expected one below ",
                               workers_, ", which is what workers() said when the context was made");
      case fault::task:
        fail<std::logic_error>("executor: task ", fault_task_, " was run, expected those below ", tasks_);
      case fault::busy:
        fail<std::logic_error>("executor: worker ", fault_worker_, " began task ", fault_task_,
                               " before its last task had ended, expected one task of a worker at a time");
      default:
        fail<std::logic_error>("executor: task ", fault_task_,
                               " was run twice, expected each to be run once");
    }
  }

  std::size_t workers_;
  std::unique_ptr<worker_state[]> busy_;        // [workers]
  std::unique_ptr<std::atomic<bool>[]> begun_;  // [capacity], of which the first tasks_ count
  std::size_t capacity_ = 0;
  std::size_t tasks_ = 0;
  std::size_t number_ = 0;            // number of the last round
  std::atomic<std::size_t> open_{0};  // number of the round that admits tasks; 0: none
  std::atomic_flag noted_{};
  std::atomic<bool> faulty_{false};
  fault fault_ = fault::worker;
  std::size_t fault_worker_ = 0;
  std::size_t fault_task_ = 0;
};

/// A value that differs between threads.
inline const void* this_thread() noexcept {
  static thread_local char mark = 0;
  return &mark;
}

class sole_use;

}  // namespace detail

/// context: the resources of a call to `evaluate`: an executor, one workspace for each worker, and whether
/// data are checked.
///
/// Create it once and pass it to each call. After the first calls it has grown to the largest batch and
/// allocates nothing more. It serves one call at a time: a second call, from another thread or from inside a
/// task, is refused by a std::logic_error and does not affect the first. A context that has been moved from
/// is refused in the same way. Results never depend on the executor.
///
///     rankloss::context context{rankloss::threads(8)};
class context {
 public:
  context() : context(calling_thread{}) {}

  explicit context(data_checks data) : context(calling_thread{}, data) {}

  /// A thread pool of the host is passed as a small object with `workers` and `run`. The number of workspaces
  /// is what workers() returns here.
  template <class Executor>
  requires executor<std::remove_cvref_t<Executor>> &&
      (!std::same_as<std::remove_cvref_t<Executor>, context>)explicit context(
          Executor&& e, data_checks data = data_checks::on)
      : checks(data),
        runner_(std::make_unique<holder<std::remove_cvref_t<Executor>>>(std::forward<Executor>(e))) {}

  [[nodiscard]] std::size_t workers() const noexcept { return runner_ ? runner_->scratch.size() : 0; }

  /// Scratch of one worker. @throws std::logic_error for a worker that is not below workers(), which includes
  /// every worker of a context that has been moved from.
  [[nodiscard]] workspace& scratch(std::size_t worker = 0) {
    if (worker >= workers()) [[unlikely]]
      fail_without_scratch(worker);
    return runner_->scratch[worker];
  }

  /// Bytes of scratch held by all workers.
  [[nodiscard]] std::size_t scratch_capacity() const noexcept {
    std::size_t total = 0;
    for (std::size_t worker = 0; worker < workers(); ++worker) total += runner_->scratch[worker].capacity();
    return total;
  }

  /// Calls body(worker, task) once for each task, through the executor; a single task runs on the calling
  /// thread.
  /// @throws std::logic_error when the executor breaks its rules, or when called from inside a task; also
  /// what the executor or a task throws.
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    run_on(runner_.get(), tasks, body);
  }

  data_checks checks = data_checks::on;

 private:
  friend class detail::sole_use;

  struct runner;
  struct task_body {
    runner* of;
    std::size_t round;
    void* body;
    void (*call)(void*, std::size_t, std::size_t);
    void operator()(std::size_t worker, std::size_t task) const {
      const detail::task_ledger::entry entry(of->ledger, round, worker, task);
      if (entry.admitted()) call(body, worker, task);
    }
  };
  struct runner : detail::piece_runner {
    explicit runner(std::size_t workers) : ledger(workers), scratch(workers) {
      if (workers > 1) scratch[0].pieces_ = this;
    }
    virtual ~runner() = default;
    virtual void run(std::size_t tasks, task_body body) = 0;

    [[nodiscard]] bool is_free() const noexcept final { return !running.load(std::memory_order_relaxed); }
    void run_pieces(std::size_t pieces, void* body, void (*call)(void*, workspace&, std::size_t)) final {
      run_on(this, pieces,
             [=, this](std::size_t worker, std::size_t piece) { call(body, scratch[worker], piece); });
    }

    std::atomic<const void*> user{nullptr};  // the thread that makes the call; null: none
    std::atomic<bool> running{false};        // whether tasks are running
    detail::task_ledger ledger;
    std::vector<workspace> scratch;  // one a worker
  };
  template <class Executor>
  struct holder final : runner {
    explicit holder(Executor e) : runner(checked_workers(e)), executor_(std::move(e)) {}
    void run(std::size_t tasks, task_body body) override { executor_.run(tasks, body); }
    Executor executor_;
  };

  template <class Body>
  static void run_on(runner* on, std::size_t tasks, Body&& body) {
    const running now(on, tasks);
    if (tasks == 0) return;
    if (tasks == 1) {
      body(std::size_t{0}, std::size_t{0});
      return;
    }
    {
      const detail::task_ledger::round round(on->ledger, tasks);
      on->run(tasks, {on, round.number(), const_cast<void*>(static_cast<const void*>(std::addressof(body))),
                      [](void* object, std::size_t worker, std::size_t task) {
                        (*static_cast<std::remove_reference_t<Body>*>(object))(worker, task);
                      }});
    }
    on->ledger.check();
  }

  /// The time from begin to end of a run.
  class running {
   public:
    running(runner* of, std::size_t tasks) : of_(of) {
      if (of == nullptr) [[unlikely]]
        fail_moved();
      // A single task only has to be visible from inside itself, so no exchange is needed.
      const bool before =
          tasks > 1 ? of->running.exchange(true) : of->running.load(std::memory_order_relaxed);
      if (before) [[unlikely]]
        fail_in_use();
      if (tasks <= 1) of->running.store(true, std::memory_order_relaxed);
    }
    ~running() { of_->running.store(false, std::memory_order_release); }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

   private:
    runner* of_;
  };

  template <class Executor>
  [[nodiscard]] static std::size_t checked_workers(const Executor& e) {
    const std::size_t workers = e.workers();
    detail::require(workers > 0, "executor: workers() is 0, expected at least 1");
    return workers;
  }

  [[noreturn]] static void fail_moved() {
    detail::fail<std::logic_error>("context: it has been moved from, expected one that holds its executor");
  }
  [[noreturn]] static void fail_in_use() {
    detail::fail<std::logic_error>(
        "context: it is in use by another call, expected one call at a time: a context for each thread, and another one inside of a task");
  }
  [[noreturn]] void fail_without_scratch(std::size_t worker) const {
    if (runner_ == nullptr) fail_moved();
    detail::fail<std::logic_error>("context: scratch of worker ", worker, ", expected one below ", workers());
  }

  std::unique_ptr<runner> runner_;
};

namespace detail {

/// The time in which a context belongs to one call. Calls of the same thread may be nested in it, but not
/// from inside a task.
class sole_use {
 public:
  explicit sole_use(context& of) : runner_(of.runner_.get()) {
    if (runner_ == nullptr) [[unlikely]]
      context::fail_moved();
    const void* user = nullptr;
    outermost_ = runner_->user.compare_exchange_strong(user, this_thread(), std::memory_order_acquire,
                                                       std::memory_order_relaxed);
    if (!outermost_ && (user != this_thread() || runner_->running.load(std::memory_order_relaxed)))
        [[unlikely]]
      context::fail_in_use();
  }
  ~sole_use() {
    if (outermost_) runner_->user.store(nullptr, std::memory_order_release);
  }
  sole_use(const sole_use&) = delete;
  sole_use& operator=(const sole_use&) = delete;

 private:
  context::runner* runner_;
  bool outermost_;
};

/// The context that a call was given, or one of its own.
class call_context {
 public:
  call_context() : context_(own_.emplace()) {}
  call_context(context& given) noexcept : context_(given) {}
  call_context(const call_context& other) noexcept : context_(other.context_) {}  // passed on to another call
  call_context& operator=(const call_context&) = delete;

  operator context&() const noexcept { return context_; }

 private:
  std::optional<context> own_;
  context& context_;
};

}  // namespace detail

}  // namespace rankloss::inline RANKLOSS_ABI
