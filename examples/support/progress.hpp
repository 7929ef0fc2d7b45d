// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace examples {

/// progress: one line on the terminal, rewritten in place; nothing at all where standard error is not a terminal.
class progress {
 public:
  progress() = default;
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  /// Whether enough time has passed since the line was last written to write it again.
  [[nodiscard]] bool due() const { return shown_ && clock::now() - last_ >= std::chrono::milliseconds(100); }

  void show(const std::string& line) {
    if (!shown_) return;
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
    last_ = clock::now();
    written_ = true;
  }

  void clear() {
    if (!written_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    written_ = false;
  }

 private:
  using clock = std::chrono::steady_clock;
  bool shown_ = isatty(STDERR_FILENO) == 1;
  bool written_ = false;
  clock::time_point last_{};
};

}  // namespace examples
