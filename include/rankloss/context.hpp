// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/threads.hpp>
#include <rankloss/workspace.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// Whether scores, relevance and weights are read for NaN before anything is written.
enum class data_checks {
  on,   ///< a NaN is an error that names its list and item
  off,  ///< the host vouches for its data; with NaN the results are unspecified, but memory is safe
};

/// executor: what runs tasks. `run(tasks, body)` calls `body(worker, task)` once a task, worker < workers(), and returns when all are done.
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

/// context: what a call to `evaluate` may use: an executor, one workspace a worker, and whether data are checked.
///
/// Made once and passed to each call; after the first calls it has grown to the largest batch and allocates nothing more.
/// One call at a time; results never depend on the executor.
///
///     rankloss::context context{rankloss::threads(8)};
class context {
 public:
  context() : context(calling_thread{}) {}

  explicit context(data_checks data) : context(calling_thread{}, data) {}

  /// A host's own pool goes in as a small object with `workers` and `run`.
  template <class Executor>
  requires executor<std::remove_cvref_t<Executor>> &&
      (!std::same_as<std::remove_cvref_t<Executor>, context>)explicit context(Executor&& e, data_checks data = data_checks::on)
      : checks(data), runner_(std::make_unique<holder<std::remove_cvref_t<Executor>>>(std::forward<Executor>(e))), scratch_(runner_->workers()) {
    detail::require(!scratch_.empty(), "executor: workers() is 0, expected at least 1");
  }

  [[nodiscard]] std::size_t workers() const noexcept { return scratch_.size(); }

  /// Scratch of one worker.
  [[nodiscard]] workspace& scratch(std::size_t worker = 0) noexcept { return scratch_[worker]; }

  /// Bytes of scratch held by all workers.
  [[nodiscard]] std::size_t scratch_capacity() const noexcept {
    std::size_t total = 0;
    for (const workspace& w : scratch_) total += w.capacity();
    return total;
  }

  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    if (tasks == 0) return;
    runner_->run(tasks, {const_cast<void*>(static_cast<const void*>(std::addressof(body))), [](void* object, std::size_t worker, std::size_t task) {
                           (*static_cast<std::remove_reference_t<Body>*>(object))(worker, task);
                         }});
  }

  data_checks checks = data_checks::on;

 private:
  struct task_body {
    void* body;
    void (*call)(void*, std::size_t, std::size_t);
    void operator()(std::size_t worker, std::size_t task) const { call(body, worker, task); }
  };
  struct runner {
    virtual ~runner() = default;
    [[nodiscard]] virtual std::size_t workers() const = 0;
    virtual void run(std::size_t tasks, task_body body) = 0;
  };
  template <class Executor>
  struct holder final : runner {
    explicit holder(Executor e) : executor_(std::move(e)) {}
    [[nodiscard]] std::size_t workers() const override { return executor_.workers(); }
    void run(std::size_t tasks, task_body body) override { executor_.run(tasks, body); }
    Executor executor_;
  };

  std::unique_ptr<runner> runner_;
  std::vector<workspace> scratch_;
};

namespace detail {

/// The context that a call is given, or one of its own.
class call_context {
 public:
  call_context() : context_(own_.emplace()) {}
  call_context(context& given) noexcept : context_(given) {}
  call_context(const call_context& other) noexcept : context_(other.context_) {}  // handed on
  call_context& operator=(const call_context&) = delete;

  operator context&() const noexcept { return context_; }

 private:
  std::optional<context> own_;
  context& context_;
};

}  // namespace detail

}  // namespace rankloss::inline RANKLOSS_ABI
