// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/threads.hpp>

#include <cstddef>
#include <memory>

namespace support {

/// Threads that count the runs of several tasks that a context gives them: whether work is shared. Copies
/// count together.
class counting_threads {
 public:
  explicit counting_threads(std::size_t workers)
      : threads_(std::make_shared<rankloss::threads>(workers)), runs_(std::make_shared<std::size_t>(0)) {}

  [[nodiscard]] std::size_t workers() const { return threads_->workers(); }
  [[nodiscard]] std::size_t runs() const { return *runs_; }
  template <class Body>
  void run(std::size_t tasks, Body&& body) {
    ++*runs_;
    threads_->run(tasks, body);
  }

 private:
  std::shared_ptr<rankloss::threads> threads_;
  std::shared_ptr<std::size_t> runs_;
};

}  // namespace support
