// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "interrupt.hpp"

#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace examples {

/// The whole of a main(): what goes wrong becomes one line on standard error and exit code 1, a table that
/// could not be printed among it, and a signal leaves no half-written file.
template <class Run>
[[nodiscard]] int program(const char* name, Run run) {
  undo_on_signals();
  try {
    run();
    std::cout.flush();
    if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw std::runtime_error("standard output cannot be written to its end");
    return 0;
  } catch (const std::exception& error) {
    std::cout.flush();
    std::fflush(stdout);
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace examples
