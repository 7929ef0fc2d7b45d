// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "losses.hpp"
#include "train.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ranker {

struct options {
  std::string data;         ///< folder that must hold the set; empty: see shared_data
  std::string shared_data;  ///< folder of RANKLOSS_DATA, used if it holds a set
  std::string set;          ///< mq2008, clueweb09 or made; empty: the first that is there
  std::vector<loss_entry> losses;
  std::string against = "ranknet";  ///< what the other losses are compared with, where it is among them
  std::string csv;
  std::string picture;
  std::size_t folds = 5;
  std::size_t seeds = 1;
  std::size_t threads = 0;  ///< 0: as many as the machine has
  std::size_t resamples = 10000;
  bool on_validation = false;  ///< measure on the validation lists: for choosing options
  bool verbose = false;
  std::string model = "mlp";

  std::vector<double> rates{1e-3, 3e-3, 1e-2};  ///< of Adam, of which the validation lists choose one
  train_options train;                          ///< but for the rate
};

/// Reads the command line and RANKLOSS_DATA. Without a value (after --help) the program has nothing more to do.
/// @throws std::runtime_error saying what was expected.
[[nodiscard]] std::optional<options> parse(int argc, char** argv);

}  // namespace ranker
