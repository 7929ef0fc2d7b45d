// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <CLI/CLI.hpp>

#include <stdexcept>
#include <string>

namespace examples {

/// parse: reads the command line; false after --help, when there is nothing more to do.
/// @throws std::runtime_error saying what was expected.
inline bool parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0)
      throw std::runtime_error(std::string(error.what()) + " (--help lists the options)");
    app.exit(error);
    return false;
  }
  return true;
}

}  // namespace examples
