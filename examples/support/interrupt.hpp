// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

#include <unistd.h>

namespace examples {

/// The name of a file that is removed on a signal.
struct begun_file {
  std::atomic<bool> taken{false};
  std::atomic<bool> there{false};
  std::array<char, 4096> path{};
};

/// begun: what a signal that ends the program has to undo. The handler may neither allocate nor lock, so
/// names stand in a fixed place.
struct begun {
  static inline std::array<begun_file, 8> files{};
  static inline std::atomic<bool> line_on_terminal{false};

  /// A file that is removed on a signal until `ended` is called. To be said before the file is made.
  static begun_file& file(const std::string& path) {
    for (begun_file& n : files) {
      if (path.size() >= n.path.size()) break;
      if (n.taken.exchange(true)) continue;
      std::memcpy(n.path.data(), path.c_str(), path.size() + 1);
      n.there = true;
      return n;
    }
    throw std::runtime_error(path + ": cannot be written, its name is too long or too many files are open");
  }
  static void ended(begun_file& n) {
    n.there = false;
    n.taken = false;
  }

  static void undo() {
    for (const begun_file& n : files)
      if (n.there) unlink(n.path.data());
    constexpr char clear[] = "\r\033[K";
    if (line_on_terminal && write(STDERR_FILENO, clear, sizeof clear - 1) < 0) return;
  }
};

/// Ctrl-C and other signals that end a program end it as ever, but first what was begun is undone. A signal
/// that is ignored, as by nohup, stays so.
inline void undo_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXCPU, SIGXFSZ}) {
    struct sigaction old {};
    if (sigaction(signal, nullptr, &old) != 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction own {};
    own.sa_handler = [](int caught) {
      begun::undo();
      raise(caught);  // the handler is reset by now, and the signal waits until it returns
    };
    own.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &own, nullptr);
  }
}

}  // namespace examples
