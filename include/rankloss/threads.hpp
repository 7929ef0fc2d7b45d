// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/require.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

/// threads: an executor with its own threads, for hosts without a thread pool.
///
/// `run(tasks, body)` calls `body(worker, task)` once for each task in [0, tasks), with `worker` in [0,
/// workers()), and returns when all are done. The calling thread is worker 0. Which worker takes which task
/// depends on timing; no result of rankloss depends on it.
///
/// - An exception thrown by a task ends the run: tasks that have not begun are left out, and the exception is
///   rethrown to the caller.
/// - Threads look for the next run for 50 us before they sleep. A run does not wait for threads that have not
///   woken up when its last task is taken.
/// - `run` allocates nothing. It serves one call at a time: a second call, from another thread or from inside
///   a task, is refused, and so is a call after the threads have been moved from.
/// @throws std::invalid_argument for 0 workers, std::system_error when a thread cannot be started; `run`
/// throws std::logic_error when it is refused.
class threads {
 public:
  explicit threads(std::size_t workers) : shared_(std::make_unique<shared>()) {
    detail::require(workers > 0, "threads: workers is 0, expected at least 1");
    shared_->helpers.reserve(workers - 1);
    for (std::size_t worker = 1; worker < workers; ++worker)
      shared_->helpers.emplace_back([state = shared_.get(), worker] { state->serve(worker); });
  }

  /// 0 after the threads have been moved from.
  [[nodiscard]] std::size_t workers() const noexcept { return shared_ ? shared_->helpers.size() + 1 : 0; }

  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    if (!shared_)
      detail::fail<std::logic_error>("threads: they have been moved from, expected threads that are there");
    shared_->run(tasks, {const_cast<void*>(static_cast<const void*>(std::addressof(body))),
                         [](void* object, std::size_t worker, std::size_t task) {
                           (*static_cast<std::remove_reference_t<Body>*>(object))(worker, task);
                         }});
  }

 private:
  struct job {
    void* body = nullptr;
    void (*call)(void*, std::size_t, std::size_t) = nullptr;
  };

  struct shared {
    ~shared() {
      {
        const std::lock_guard lock(mutex);
        stopping = true;
        round.fetch_add(1, std::memory_order_release);
      }
      wake.notify_all();
      for (std::thread& helper : helpers) helper.join();
    }

    void run(std::size_t count, job work) {
      if (helpers.empty() || count <= 1) {
        for (std::size_t task = 0; task < count; ++task) work.call(work.body, 0, task);
        return;
      }
      bool asleep = false;
      {
        const std::lock_guard lock(mutex);
        if (running)
          detail::fail<std::logic_error>("threads: run during another run, expected one at a time");
        running = true;
        open = true;
        current = work;
        tasks = count;
        next.store(0, std::memory_order_relaxed);
        error = nullptr;
        asleep = sleeping > 0;
        round.fetch_add(1, std::memory_order_release);
      }
      if (asleep) wake.notify_all();
      take_tasks(0);
      // No task is left, so helpers that have not come by now are not waited for: to wake up takes longer than
      // many a run.
      std::unique_lock lock(mutex);
      open = false;
      if (busy.load(std::memory_order_relaxed) > 0) {
        lock.unlock();
        wait_shortly([this] { return busy.load(std::memory_order_acquire) == 0; });
        lock.lock();
        done.wait(lock, [this] { return busy.load(std::memory_order_relaxed) == 0; });
      }
      running = false;
      if (error) std::rethrow_exception(std::exchange(error, nullptr));
    }

    void serve(std::size_t worker) {
      std::size_t seen = 0;
      while (true) {
        wait_shortly([&] { return round.load(std::memory_order_acquire) != seen; });
        {
          std::unique_lock lock(mutex);
          ++sleeping;
          wake.wait(lock, [&] { return round.load(std::memory_order_relaxed) != seen; });
          --sleeping;
          if (stopping) return;
          seen = round.load(std::memory_order_relaxed);
          if (!open) continue;
          busy.fetch_add(1, std::memory_order_relaxed);
        }
        take_tasks(worker);
        const std::lock_guard lock(mutex);
        if (busy.fetch_sub(1, std::memory_order_release) == 1) done.notify_one();
      }
    }

    void take_tasks(std::size_t worker) {
      for (std::size_t task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
        try {
          current.call(current.body, worker, task);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!error) error = std::current_exception();
          next.store(tasks);
        }
#else
        current.call(current.body, worker, task);
#endif
      }
    }

    /// Looks again and again for some time, in which other threads may have the processor: calls follow each
    /// other closely, and to wake a sleeping thread takes up to 0.1 ms.
    template <class Ready>
    static void wait_shortly(Ready ready) {
      const auto begin = std::chrono::steady_clock::now();
      do {
        for (int look = 0; look < 64; ++look) {
          if (ready()) return;
#if defined(__x86_64__) && defined(__GNUC__)
          __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
          __asm__ volatile("yield");
#endif
        }
        std::this_thread::yield();
      } while (std::chrono::steady_clock::now() - begin < std::chrono::microseconds(50));
    }

    std::vector<std::thread> helpers;
    std::mutex mutex;
    std::condition_variable wake, done;
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> round{0};  // of the last run; changed under the mutex
    std::atomic<std::size_t> busy{0};   // helpers that take tasks of it; changed under the mutex
    std::size_t sleeping = 0;           // helpers that have to be woken
    job current;
    std::size_t tasks = 0;
    bool running = false;
    bool open = false;  // whether helpers may come to the run
    bool stopping = false;
    std::exception_ptr error;
  };

  std::unique_ptr<shared> shared_;
};

}  // namespace rankloss::inline RANKLOSS_ABI
