// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "stages.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace label_ranker {

struct options {
  std::string data;         ///< folder that must hold the set; empty: see shared_data
  std::string shared_data;  ///< folder of RANKLOSS_DATA, used if it holds a set
  std::string set;          ///< one of known_sets() or made; empty: the first that is there
  std::string csv;
  std::string picture;
  std::size_t pairs = 2000;  ///< of the target domain that are known, at most
  std::size_t seeds = 5;
  std::size_t threads = 0;  ///< 0: as many as the machine has
  std::size_t resamples = 10000;
  bool on_validation = false;  ///< measure on the validation lists: for choosing options
  bool verbose = false;
  tune_options tune;  ///< but for the rate
};

/// Reads the command line and RANKLOSS_DATA. Without a value (after --help) the program has nothing more to do.
/// @throws std::runtime_error saying what was expected.
[[nodiscard]] std::optional<options> parse(int argc, char** argv);

}  // namespace label_ranker
