// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "interrupt.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

namespace examples {

/// "40 s", "3 min 20 s", "2 h 5 min".
[[nodiscard]] inline std::string duration_text(double seconds) {
  const auto all = static_cast<unsigned long long>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const auto pair = [](unsigned long long more, const char* of_more, unsigned long long less,
                       const char* of_less) {
    std::string text = std::to_string(more) + of_more;
    if (less > 0) text.append(1, ' ').append(std::to_string(less)).append(of_less);
    return text;
  };
  if (all < 60) return std::to_string(all) + " s";
  if (all < 3600) return pair(all / 60, " min", all % 60, " s");
  return pair(all / 3600, " h", all % 3600 / 60, " min");
}

/// progress: one line on the terminal, rewritten in place; nothing at all where standard error is not a
/// terminal.
class progress {
 public:
  progress() = default;
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  /// Whether enough time has passed since the line was last written to write it again.
  [[nodiscard]] bool due() const { return shown_ && clock::now() - last_ >= std::chrono::milliseconds(100); }

  /// Of a line longer than the terminal is wide, the beginning: one that goes round cannot be rewritten.
  void show(const std::string& line) {
    if (!shown_) return;
    begun::line_on_terminal = true;
    winsize size{};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    const std::size_t width = known ? size.ws_col - 1U : 79U;
    std::fprintf(stderr, "\r\033[K%s", line.substr(0, width).c_str());
    std::fflush(stderr);
    last_ = clock::now();
  }

  void clear() const {
    if (!shown_ || !begun::line_on_terminal) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    begun::line_on_terminal = false;
  }

 private:
  using clock = std::chrono::steady_clock;

  static bool can_show() {
    const char* kind = std::getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
  }

  bool shown_ = can_show();
  clock::time_point last_{};
};

/// several_runs: what threads tell of their runs: how many have ended, how much time is left, and a line of
/// the one that told last. Where the user asks for lines, they are printed as well.
class several_runs {
 public:
  several_runs(bool verbose, std::size_t runs) : verbose_(verbose), runs_(runs) {}

  /// `printed`: whether it is one of the lines for those who ask for them.
  void tell(const std::string& line, bool printed) {
    const std::lock_guard lock(mutex_);
    if (verbose_ && printed) {
      progress_.clear();
      std::printf("%s\n", line.c_str());
      std::fflush(stdout);
    }
    if (progress_.due()) progress_.show(so_far() + "; " + line);
  }
  void run_ends() {
    const std::lock_guard lock(mutex_);
    ++done_;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    progress_.clear();
  }

 private:
  using clock = std::chrono::steady_clock;

  [[nodiscard]] std::string so_far() const {
    std::string done = std::to_string(done_) + " of " + std::to_string(runs_) + " done";
    if (done_ == 0) return done;
    const double spent = std::chrono::duration<double>(clock::now() - begin_).count();
    return done + ", " +
           duration_text(spent / static_cast<double>(done_) * static_cast<double>(runs_ - done_)) + " left";
  }

  bool verbose_;
  std::size_t runs_;
  std::size_t done_ = 0;
  std::mutex mutex_;
  progress progress_;
  clock::time_point begin_ = clock::now();
};

}  // namespace examples
